/* The theme switch: radio buttons named "theme" with the values "", "light" and "dark". */
(() => {
  const root = document.documentElement;
  let kept = "";
  try { kept = localStorage.getItem("harness-theme") || ""; } catch { /* a page without storage forgets it */ }
  if (kept) root.dataset.theme = kept;
  addEventListener("DOMContentLoaded", () => {
    for (const input of document.querySelectorAll('input[name="theme"]')) {
      input.checked = input.value === kept;
      input.addEventListener("change", () => {
        if (input.value) root.dataset.theme = input.value; else delete root.dataset.theme;
        try { localStorage.setItem("harness-theme", input.value); } catch { /* as above */ }
      });
    }
  });
})();
