// Runs before the page is drawn, so that a chosen theme does not flash.
try {
  document.documentElement.dataset.theme = localStorage.harnessTheme || "";
} catch {
  // Storage may be forbidden; the system's theme is used then.
}
