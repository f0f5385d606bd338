(() => {
  const table = document.querySelector("main table");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows];
  const box = Object.assign(document.createElement("input"), {type: "search", placeholder: "Search these rows"});
  box.setAttribute("aria-label", "Search these rows");
  const none = Object.assign(document.createElement("p"), {textContent: "No row here holds all of these words.", hidden: true});
  none.setAttribute("role", "status");
  table.closest(".table-frame").before(box, none);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach(row => { const text = row.textContent.toLowerCase(); row.hidden = !words.every(w => text.includes(w)); });
    none.hidden = rows.some(row => !row.hidden);
  });
  const value = (row, column) => {
    const cell = row.cells[column], given = cell.dataset.sort ?? (cell.querySelector("[data-sort]") || {dataset: {}}).dataset.sort;
    return given ?? cell.textContent.trim();
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = Object.assign(document.createElement("button"), {type: "button", textContent: head.textContent});
    let sign = 1;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      [...table.tHead.rows[0].cells].forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      rows.sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)], [p, q] = [parseFloat(x), parseFloat(y)];
        const isNumber = /^-?[\d.]+(e-?\d+)?$/i.test(x) && /^-?[\d.]+(e-?\d+)?$/i.test(y);
        return sign * (isNumber ? p - q : x.localeCompare(y));
      });
      sign = -sign;
      rows.forEach(row => body.append(row));
    });
  });
})();
