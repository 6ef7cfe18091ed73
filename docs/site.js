// Names and focus that the theme leaves out: a copy button and a nested table of contents are no landmarks of
// their own, the search is a dialog, and a wide table scrolls by keyboard. The theme searches when a key is released,
// so a text that is pasted by mouse, dictated or dropped into the field has to count as a key.
document.querySelector(".md-search__input")?.addEventListener("input", (event) => {
  event.target.dispatchEvent(new KeyboardEvent("keyup"));
});
// On a phone each row of a wide table becomes a block, in which every cell names its column (site.css). A matrix
// stays one: as blocks it would be longer than anybody scrolls. The roles keep it a table for a screen reader.
const MOST_CELLS = 400;
const PHONE = 340; // the pixels that a table has on a phone
const ROLES = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TH: "columnheader", TD: "cell" };
function isWide(table, columns) {
  if (columns > 3) return true;
  table.style.width = "min-content";
  const width = table.scrollWidth;
  table.style.width = "";
  return width > PHONE;
}
function makeBlocks(table) {
  const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  const cells = [...table.querySelectorAll("tbody td")];
  if (cells.length > MOST_CELLS || !isWide(table, names.length)) return;
  for (const part of [table, ...table.querySelectorAll("thead, tbody, tr, th, td")]) part.setAttribute("role", ROLES[part.tagName]);
  for (const cell of cells) cell.dataset.name = names[cell.cellIndex] ?? "";
  table.dataset.blocks = "";
}
document$.subscribe(() => {
  const repair = () => {
    for (const nav of document.querySelectorAll(".md-code__nav, .md-nav--secondary .md-nav")) {
      nav.removeAttribute("aria-label");
      nav.setAttribute("role", "none");
    }
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const table of document.querySelectorAll(".md-typeset table:not([class], [data-blocks])")) makeBlocks(table);
    for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) wrap.tabIndex = 0;
  };
  repair();
  new MutationObserver(repair).observe(document.querySelector(".md-content"), { childList: true, subtree: true });
});
