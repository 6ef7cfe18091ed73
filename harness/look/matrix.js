/* Cells of a matrix: a button with data-drawer="ID" opens the <template id="ID"> as a row below its own. */
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-drawer]");
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
  cell.append(document.getElementById(button.dataset.drawer).content.cloneNode(true));
  row.append(cell);
  button.closest("tr").after(row);
});
