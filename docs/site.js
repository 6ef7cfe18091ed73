// Names and focus that the theme leaves out: a copy button and a nested table of contents are no landmarks of
// their own, the search is a dialog, and a wide table scrolls by keyboard. The theme searches when a key is released,
// so a text that is pasted by mouse, dictated or dropped into the field has to count as a key.
document.querySelector(".md-search__input")?.addEventListener("input", (event) => {
  event.target.dispatchEvent(new KeyboardEvent("keyup"));
});
document$.subscribe(() => {
  const repair = () => {
    for (const nav of document.querySelectorAll(".md-code__nav, .md-nav--secondary .md-nav")) {
      nav.removeAttribute("aria-label");
      nav.setAttribute("role", "none");
    }
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    for (const wrap of document.querySelectorAll(".md-typeset__scrollwrap")) wrap.tabIndex = 0;
  };
  repair();
  new MutationObserver(repair).observe(document.querySelector(".md-content"), { childList: true, subtree: true });
});
