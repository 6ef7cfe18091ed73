/* Fragments, keys, the filter of the catalogue, and printing. Without this script everything can still be read. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  const areas = all(".area");

  /* A fragment opens everything that is folded around its target. */
  function reveal() {
    if (!location.hash) return;
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("#catalogue") && (target.hidden || target.closest("[hidden]"))) clear();
    for (let at = target; at; at = at.parentElement?.closest("details")) if (at.matches("details")) at.open = true;
    target.scrollIntoView({ block: "start" });
    requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView({ block: "start" })));
  }
  addEventListener("hashchange", reveal);

  /* The filter. */
  const form = one(".tools");
  let rows = null;
  let wasOpen = null;
  const chosen = (name) => one(`input[name="${name}"]:checked`, form)?.value || "";
  const words = () => one("#query").value.toLowerCase().split(/\s+/).filter(Boolean);
  function filtered() { return Boolean(form) && (words().length > 0 || chosen("kind") || chosen("level")); }
  function filter() {
    wasOpen ??= areas.map((area) => area.open);
    rows ??= all("#catalogue .row")
      .map((node) => ({ node, kind: node.dataset.kind, level: node.dataset.level, text: node.textContent.toLowerCase() }));
    const wanted = words();
    const kind = chosen("kind");
    const level = chosen("level");
    const active = filtered();
    const hits = (item) => (!kind || kind.split(" ").includes(item.kind)) && (!level || item.level === level)
      && wanted.every((word) => item.text.includes(word));
    const within = new Set();
    let found = 0;
    for (const row of rows) {
      row.node.hidden = !hits(row);
      if (row.node.hidden) continue;
      found += 1;
      within.add(row.node.closest(".area"));
    }
    areas.forEach((area, at) => {
      area.hidden = Boolean(active) && !within.has(area);
      area.open = active ? !area.hidden : wasOpen[at];
    });
    if (!active) wasOpen = null;
    one("#shown").textContent = `Showing ${found} of ${rows.length}`;
    one("#none").hidden = found > 0;
  }
  function clear() { form.reset(); filter(); }
  if (form) {
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    one("#clear").addEventListener("click", () => { clear(); one("#query").focus(); });
  }

  /* Keys: j and k walk the failures, / searches. */
  const failures = all(".failure");
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    if (event.key === "/" && form) { event.preventDefault(); one("#query").focus(); }
    if (!failures.length || (event.key !== "j" && event.key !== "k")) return;
    const here = failures.indexOf(document.activeElement.closest?.(".failure"));
    const next = failures[Math.max(0, Math.min(failures.length - 1, here + (event.key === "j" ? 1 : -1)))];
    next.open = true;
    one("summary", next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "start" });
  });

  /* The table of contents says where the reader is. */
  const links = all(".contents a");
  const targets = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  let due = 0;
  function locate() {
    due = 0;
    let at = 0;
    targets.forEach((target, number) => { if (target && target.getBoundingClientRect().top < 120) at = number; });
    links.forEach((link, number) => { if (number === at) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  }
  if (links.length) addEventListener("scroll", () => { due ||= requestAnimationFrame(locate); }, { passive: true });
  locate();

  /* On paper every failure is open. */
  let folded = [];
  addEventListener("beforeprint", () => { folded = failures.filter((item) => !item.open); for (const item of folded) item.open = true; });
  addEventListener("afterprint", () => { for (const item of folded) item.open = false; });

  reveal();
})();
