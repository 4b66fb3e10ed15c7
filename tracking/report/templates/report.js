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

  // Filters: a setting picked in a chart (picking it again undoes that), and the checkboxes.
  const points = [...document.querySelectorAll(".chart .point")];
  const lines = [...document.querySelectorAll(".chart path.series")];
  const groups = [...document.querySelectorAll("fieldset[data-filter]")];
  const shown = document.getElementById("shown");
  const all = document.getElementById("show-all");
  let picked = null;
  const apply = () => {
    const allowed = groups.map((group) => [group.dataset.filter,
      new Set([...group.querySelectorAll("input:checked")].map((box) => box.value))]);
    const kept = (item) => allowed.every(([name, values]) => values.has(item.dataset[name]));
    lines.forEach((line) => line.classList.toggle("out", !kept(line)));
    points.forEach((p) => {
      p.classList.toggle("out", !kept(p));
      p.classList.toggle("picked", p.dataset.setting === picked);
      p.setAttribute("aria-pressed", String(p.dataset.setting === picked));
    });
    let count = 0;
    for (const row of body.rows) {
      row.hidden = !kept(row) || (picked !== null && row.dataset.setting !== picked);
      count += !row.hidden;
    }
    shown.textContent = `${count} of ${body.rows.length} cells shown`;
    all.hidden = count === body.rows.length;
      charts.forEach((chart) => stop(chart));
  };
  const told = () => document.dispatchEvent(new CustomEvent("setting-picked", { detail: picked }));
  const pick = (setting) => { picked = setting === picked ? null : setting; apply(); told(); };
  groups.forEach((group) => group.addEventListener("change", apply));
  all.addEventListener("click", () => {
    picked = null;
    groups.forEach((group) => group.querySelectorAll("input").forEach((box) => { box.checked = true; }));
    apply();
    told();
    shown.focus();
  });

  // Each chart is one stop of the Tab key; arrow keys go from point to point, left to right.
  const charts = [...document.querySelectorAll(".chart")].map((chart) => [...chart.querySelectorAll(".point")]
    .sort((p, q) => p.querySelector(".halo").cx.baseVal.value - q.querySelector(".halo").cx.baseVal.value));
  const stop = (chart, at) => {
    const there = chart.filter((p) => !p.classList.contains("out"));
    const one = there.includes(at) ? at : there.find((p) => p.tabIndex === 0) ?? there[0];
    chart.forEach((p) => { p.tabIndex = p === one ? 0 : -1; });
  };
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity };
  const go = (point, by) => {
    const chart = charts.find((one) => one.includes(point));
    const there = chart.filter((p) => !p.classList.contains("out"));
    const to = there[Math.min(Math.max(there.indexOf(point) + by, 0), there.length - 1)];
    stop(chart, to);
    to.focus();
  };

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
    point.addEventListener("focus", () => show(point));
    point.addEventListener("blur", hide);
    point.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(point.dataset.setting); }
      if (event.key in steps) { event.preventDefault(); go(point, steps[event.key]); }
      if (event.key === "Escape") hide();
    });
  });
  // The mouse means the nearest point: where they are close together, whichever is on top.
  const nearest = (chart, event) => {
    let best = null, least = 22;
    for (const point of chart) {
      if (point.classList.contains("out")) continue;
      const box = point.querySelector(".mark").getBoundingClientRect();
      const far = Math.hypot(event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
      if (far < least) [best, least] = [point, far];
    }
    return best;
  };
  document.querySelectorAll("svg.chart").forEach((svg, index) => {
    let near = null;
    const meet = (point) => {
      near?.classList.remove("near");
      near = point;
      near?.classList.add("near");
      svg.style.cursor = near ? "pointer" : "";
      if (near) show(near); else hide();
    };
    svg.addEventListener("mousemove", (event) => meet(nearest(charts[index], event)));
    svg.addEventListener("mouseleave", () => meet(null));
    svg.addEventListener("click", (event) => {
      const point = nearest(charts[index], event);
      if (point) { meet(point); pick(point.dataset.setting); stop(charts[index], point); }
    });
  });
  // Going to a point by keyboard may scroll the page; the tooltip then stays with its point.
  addEventListener("scroll", () => {
    const point = document.activeElement;
    if (!tip.hidden && point.matches(".chart .point:focus-visible")) show(point); else hide();
  }, { passive: true });

  // The animation: paused on request, and from the start where less motion is preferred.
  const image = document.getElementById("animation");
  const button = document.getElementById("motion");
  if (image) {
    const source = image.parentElement.querySelector("source");
    const still = source.srcset, moving = image.src;
    let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    const update = () => {
      image.src = playing ? moving : still;
      button.textContent = playing ? "Pause" : "Play";
    };
    button.hidden = false;
    button.addEventListener("click", () => { source.remove(); playing = !playing; update(); });
    button.textContent = playing ? "Pause" : "Play";
  }
})();
