"use strict";
(() => {
  const table = document.getElementById("cells");
  const body = table.tBodies[0];
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

  // Sorting: numbers as numbers, missing values always last, ties keep their order.
  const compare = (a, b) => {
    const x = parseFloat(a), y = parseFloat(b);
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
  };
  table.querySelectorAll("th button").forEach((button) => button.addEventListener("click", () => {
    const header = button.closest("th");
    const down = header.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const column = header.cellIndex;
    const rows = [...body.rows].sort((r, s) => {
      const a = value(r, column), b = value(s, column);
      if (a === "" || b === "") return (a === "") - (b === "");
      return (down ? -1 : 1) * compare(a, b);
    });
    body.append(...rows);
  }));

  // A setting picked in the chart filters the table; picking it again, or the button, undoes it.
  const points = [...document.querySelectorAll(".chart .point")];
  const shown = document.getElementById("shown");
  const all = document.getElementById("show-all");
  let picked = null;
  const pick = (setting) => {
    picked = setting === picked ? null : setting;
    points.forEach((p) => {
      p.classList.toggle("picked", p.dataset.setting === picked);
      p.setAttribute("aria-pressed", String(p.dataset.setting === picked));
    });
    let count = 0;
    for (const row of body.rows) {
      row.hidden = picked !== null && row.dataset.setting !== picked;
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${body.rows.length} cells shown`;
    all.hidden = picked === null;
  };
  all.addEventListener("click", () => pick(picked));

  // Tooltips: for mouse and keyboard; the same text is the point's accessible name.
  const tip = document.getElementById("tip");
  const show = (point) => {
    const [first, ...rest] = point.getAttribute("aria-label").split("\n");
    const title = document.createElement("b");
    title.textContent = first;
    tip.replaceChildren(title, ...rest.flatMap((line) => [line, document.createElement("br")]));
    tip.hidden = false;
    const at = point.querySelector(".mark").getBoundingClientRect();
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), innerWidth - box.width - 8);
    const above = at.top - box.height - 10;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 10}px`;
  };
  const hide = () => { tip.hidden = true; };
  points.forEach((point) => {
    point.addEventListener("mouseenter", () => show(point));
    point.addEventListener("mouseleave", hide);
    point.addEventListener("focus", () => show(point));
    point.addEventListener("blur", hide);
    point.addEventListener("click", () => pick(point.dataset.setting));
    point.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(point.dataset.setting); }
      if (event.key === "Escape") hide();
    });
  });
  addEventListener("scroll", hide, { passive: true });
})();
