/* Buttons with the class "copy" copy the text of the <pre> beside them. */
document.addEventListener("click", async (event) => {
  const button = event.composedPath()[0].closest?.("button.copy");
  if (!button) return;
  const text = button.parentElement.querySelector("pre").textContent;
  let done = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch { /* a page from a file may have no clipboard */
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = done ? "Copied" : "Failed";
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
});
