/* Fragments, keys, the filter of the catalogue, and printing. Without this script everything can still be read. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* What passed in a very large run is data until its area opens. */
  const passing = JSON.parse(one("#passing")?.textContent || "[]");
  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text) made.textContent = text;
    return made;
  };
  const icon = (shape) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#i-${shape}`);
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    svg.append(use);
    return svg;
  };
  const draw = (item) => {
    if (item.node) return item.node;
    const row = element("details", "row");
    const summary = element("summary");
    const verdict = element("span", "verdict v-pass");
    verdict.append(icon("pass"), item.word);
    summary.append(verdict, element("code", "", item.id), element("span", "title", item.id.includes(item.title) ? "" : item.title), element("span", "tag", item.level));
    const more = element("div", "more");
    for (const text of [item.requirement, `Source: ${item.source}`]) if (text) more.append(element("p", "", text));
    row.id = item.fragment;
    row.dataset.kind = "passed";
    row.dataset.level = item.level;
    row.append(summary, more);
    one(`.area[data-area="${item.area}"] .rows`).append(row);
    item.node = row;
    return row;
  };
  const areas = all(".area");
  const drawArea = (area) => {
    for (const item of passing) if (item.area === Number(area.dataset.area)) draw(item);
  };
  for (const area of areas) area.addEventListener("toggle", () => { if (area.open && !filtered()) drawArea(area); });

  /* A fragment opens everything that is folded around its target. */
  function reveal() {
    if (!location.hash) return;
    const name = decodeURIComponent(location.hash.slice(1));
    const waiting = passing.find((item) => item.fragment === name);
    if (waiting) draw(waiting);
    const target = document.getElementById(name);
    if (!target) return;
    if (target.closest("#catalogue") && (target.hidden || target.closest("[hidden]"))) clear();
    for (let at = target; at; at = at.parentElement?.closest("details")) if (at.matches("details")) at.open = true;
    target.scrollIntoView({ block: "start" });
    requestAnimationFrame(() => requestAnimationFrame(() => target.scrollIntoView({ block: "start" })));
  }
  addEventListener("hashchange", reveal);

  /* The filter. */
  const form = one(".tools");
  const MOST = 300;
  let rows = null;
  let wasOpen = null;
  const chosen = (name) => one(`input[name="${name}"]:checked`, form)?.value || "";
  const words = () => one("#query").value.toLowerCase().split(/\s+/).filter(Boolean);
  function filtered() { return Boolean(form) && (words().length > 0 || chosen("kind") || chosen("level")); }
  function filter() {
    wasOpen ??= areas.map((area) => area.open);
    rows ??= all("#catalogue .row").filter((node) => !passing.some((item) => item.node === node))
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
    let drawn = 0;
    for (const item of passing) {
      item.kind = "passed";
      item.text ??= `${item.id} ${item.title} ${item.requirement} ${item.source}`.toLowerCase();
      const hit = hits(item);
      found += hit;
      if (!active) { if (item.node) item.node.hidden = false; continue; }
      const show = hit && drawn < MOST;
      if (show) { draw(item).hidden = false; drawn += 1; within.add(item.node.closest(".area")); } else if (item.node) item.node.hidden = true;
    }
    areas.forEach((area, at) => {
      area.hidden = Boolean(active) && !within.has(area);
      area.open = active ? !area.hidden : wasOpen[at];
    });
    if (!active) { for (const area of areas) if (area.open) drawArea(area); wasOpen = null; }
    const total = rows.length + passing.length;
    const capped = drawn === MOST ? `; of those that passed, the first ${MOST} are listed` : "";
    one("#shown").textContent = `Showing ${found} of ${total}${capped}`;
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
