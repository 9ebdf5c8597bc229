// Two clicks that Superset 6.1 leaves out, made of those it has. It is part of every page (superset_config.py).
(() => {
  const ADDRESS = /^https?:\/\/\S+$/;
  const CELLS = "[role=dialog] td, [role=dialog] .virtual-table-cell";
  const isActive = header => header.classList.contains("active");

  async function becomes(condition, milliseconds) {
    const end = performance.now() + milliseconds;
    while (!condition() && performance.now() < end) await new Promise(requestAnimationFrame);
  }

  // A cell of the heat map: a click on its row's name, then on its column's with Ctrl, which adds to the filter.
  async function filterByCell(cell) {
    const cells = [...cell.parentElement.querySelectorAll("td.pvtVal")];
    const row = [...cell.parentElement.querySelectorAll("th.pvtRowLabel")].at(-1);
    const headers = [...cell.closest("table").querySelectorAll("thead tr")].map(line => [...line.querySelectorAll("th.pvtColLabel")]);
    const column = headers.findLast(line => line.length === cells.length)?.[cells.indexOf(cell)];
    if (!row || !column) return;
    const was = isActive(row) && isActive(column);
    row.click();
    if (was) return;
    if (!isActive(row)) await becomes(() => isActive(row), 2000);
    column.dispatchEvent(new MouseEvent("click", { bubbles: true, ctrlKey: true }));
  }

  // An address in the window "Drill to detail" looks like a link and opens like one.
  function markAddresses() {
    for (const cell of document.querySelectorAll(CELLS)) {
      const is = ADDRESS.test(cell.textContent.trim());
      if (is === (cell.getAttribute("role") === "link")) continue;
      if (is) cell.setAttribute("role", "link");
      else cell.removeAttribute("role");
      Object.assign(cell.style, is ? { color: "#0072B2", textDecoration: "underline", cursor: "pointer" } : {});
      cell.tabIndex = is ? 0 : -1;
    }
  }

  function open(event) {
    const cell = event.target.closest?.(CELLS);
    const address = cell?.textContent.trim() ?? "";
    if (ADDRESS.test(address)) window.open(address, "_blank", "noopener");
  }

  document.addEventListener("click", event => {
    const cell = event.target.closest?.("td.pvtVal");
    if (cell) filterByCell(cell);
    else open(event);
  });
  document.addEventListener("keydown", event => event.key === "Enter" && open(event));
  new MutationObserver(() => document.querySelector("[role=dialog]") && markAddresses()).observe(document.documentElement, {
    childList: true, subtree: true, characterData: true,
  });
})();
