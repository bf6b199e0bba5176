"use strict";
// The heads of a sortable table become buttons: once up, twice down. A cell's own value is its data-sort, or its text.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const uneven = [...body.rows].some((row) => row.cells.length !== heads.length);
  if (body.rows.length < 2 || uneven) continue;
  const value = (row, at) => {
    const cell = row.cells[at], text = (cell.dataset.sort ?? cell.textContent).trim();
    const number = parseFloat(text);
    return { text, number: text === "" ? NaN : number };
  };
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row, at), row]);
      rows.sort(([a], [b]) => {
        if ((a.text === "") !== (b.text === "")) return a.text === "" ? 1 : -1;  // what has no value stays last
        const numbers = !isNaN(a.number) && !isNaN(b.number);
        const order = numbers ? a.number - b.number : a.text.localeCompare(b.text);
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
