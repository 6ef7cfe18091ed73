/*
 * Cells of a matrix: a button with data-drawer="ID" opens the <template id="ID"> as a row below its own. In it,
 * data-said="3 1" stands for lines 3 and 1 of the JSON in #said. Works in a shadow tree, too.
 */
document.addEventListener("click", (event) => {
  const button = event.composedPath()[0].closest?.("button[data-drawer]");
  if (!button) return;
  const table = button.closest("table");
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  for (const open of table.querySelectorAll('button[aria-expanded="true"]')) open.setAttribute("aria-expanded", "false");
  for (const drawer of table.querySelectorAll("tr.drawer")) drawer.remove();
  if (wasOpen) return;
  button.setAttribute("aria-expanded", "true");
  const row = document.createElement("tr");
  const cell = document.createElement("td");
  row.className = "drawer";
  cell.colSpan = button.closest("tr").cells.length;
  const root = button.getRootNode();
  cell.append(root.getElementById(button.dataset.drawer).content.cloneNode(true));
  const said = cell.querySelector("[data-said]") && JSON.parse(root.getElementById("said").textContent);
  for (const place of cell.querySelectorAll("[data-said]")) {
    place.textContent = place.dataset.said.split(" ").map((number) => said[number]).join("\n");
  }
  row.append(cell);
  button.closest("tr").after(row);
});
