"use strict";
(() => {
  const place = document.getElementById("learning-data");
  if (!place) return;
  const data = JSON.parse(place.textContent);
  const boxes = [...document.querySelectorAll("#learning-settings input")];
  const atFirst = boxes.map((box) => box.checked);
  const panels = [...document.querySelectorAll("#learning-panels figure")];
  const legend = document.getElementById("learning-legend");
  const missing = document.getElementById("learning-missing");
  const W = 340, H = 190, LEFT = 46, RIGHT = 20, TOP = 8, BOTTOM = 24;
  const DASHES = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 2 1 2"];
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const words = (value) => {
    const size = Math.abs(value);
    if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
    if (size >= 1e3) return `${+(value / 1e3).toPrecision(3)}k`;
    if (size !== 0 && size < 1e-3) return value.toExponential(0).replace("-", "\u2212").replace("-", "\u2212");
    return String(+value.toPrecision(3)).replace("-", "\u2212");
  };
  const ticks = (low, high) => {
    const rough = (high - low) / 3, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) found.push(k * step);
    return found;
  };
  const range = (values) => {
    const known = values.filter((one) => one !== null);
    let low = Math.min(...known), high = Math.max(...known);
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    if (low >= 0 && low < 0.4 * high) low = room; // counts and shares begin at 0
    return [low - room, high + room];
  };
  const chosen = () => boxes.filter((box) => box.checked);

  // A panel: bands below, lines above, each line's number at its end, moved apart where they meet.
  const draw = (figure, shown) => {
    const quantity = figure.dataset.quantity;
    const curves = shown.map((box, index) => ({ box, index, all: data[box.value] }))
      .filter((one) => one.all[quantity]);
    figure.querySelector("svg")?.remove();
    figure.hidden = curves.length === 0;
    if (!curves.length) return;
    const [low, high] = range(curves.flatMap((one) => one.all[quantity].flat()));
    const last = Math.max(...curves.map((one) => one.all.steps[1]));
    const x = (step) => LEFT + (W - LEFT - RIGHT) * step / last;
    const y = (value) => H - BOTTOM - (H - BOTTOM - TOP) * (value - low) / (high - low);
    const label = curves.map((one) => {
      const [from, , to] = one.all[quantity].map((line) => line.at(-1));
      const median = one.all[quantity].length > 1 ? one.all[quantity][1].at(-1) : from;
      const spread = to === undefined ? "" : ` (${words(from)} to ${words(to)})`;
      return `${one.box.dataset.name}: ${words(median)}${spread}`;
    }).join("; ");
    const title = figure.querySelector("h3").textContent;
    const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title} at the end of training. ${label}` });
    for (const tick of ticks(low, high)) {
      svg.append(make("line", { class: "gridline", x1: LEFT, x2: W - RIGHT, y1: y(tick), y2: y(tick) }),
        make("text", { class: "axis", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, words(tick)));
    }
    const across = ticks(0, last);
    across.forEach((tick) => svg.append(make("text", { class: "axis", x: x(tick), y: H - 7, "text-anchor": "middle" }, words(tick))));
    const lines = [], ends = [];
    for (const { box, index, all } of curves) {
      const [first, end] = all.steps, rows = all[quantity], median = rows.length > 1 ? rows[1] : rows[0];
      const at = median.map((_, i) => x(median.length > 1 ? first + (end - first) * i / (median.length - 1) : end));
      const path = (row) => row.map((value, i) => (value === null ? "" : `${at[i].toFixed(1)},${y(value).toFixed(1)}`));
      const joined = (points) => `M${points.filter(Boolean).join("L")}`;
      if (rows.length > 1) {
        const outline = [...path(rows[2]), ...path(rows[0]).reverse()];
        svg.append(make("path", { class: `band ${box.dataset.class}`, d: `${joined(outline)}Z` }));
      }
      const single = median.length === 1 ? "h0.1" : "";
      lines.push(make("path", { class: `line ${box.dataset.class}`, d: joined(path(median)) + single,
        "stroke-dasharray": DASHES[index % DASHES.length], "stroke-linecap": single ? "round" : "butt" }));
      ends.push({ index, kind: box.dataset.class, x: at.at(-1) + 4, y: y(median.at(-1) ?? low) });
    }
    ends.sort((a, b) => a.y - b.y);
    ends.forEach((one, i) => { if (i) one.y = Math.max(one.y, ends[i - 1].y + 11); });
    const over = Math.max(0, (ends.at(-1)?.y ?? 0) - (H - BOTTOM));
    svg.append(...lines, ...ends.map((one) =>
      make("text", { class: `number ${one.kind}`, x: one.x, y: one.y - over + 4 }, String(one.index + 1))));
    figure.append(svg);
  };

  const update = () => {
    const shown = chosen();
    legend.replaceChildren(...shown.map((box, index) => {
      const item = document.createElement("li");
      const icon = make("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" });
      icon.append(make("path", { d: "M0,5H30", "stroke-dasharray": DASHES[index % DASHES.length] }));
      item.className = box.dataset.class;
      const number = document.createElement("b"), name = document.createElement("span");
      number.textContent = String(index + 1);
      name.className = "words";
      name.textContent = `${box.dataset.name} (${box.dataset.seeds} seed${box.dataset.seeds === "1" ? "" : "s"})`;
      item.append(number, icon, name);
      return item;
    }));
    document.querySelector("#learning-settings summary").textContent =
      `Choose settings (${shown.length} of ${boxes.length} shown)`;
    panels.forEach((figure) => draw(figure, shown));
    const none = panels.filter((figure) => figure.hidden).map((figure) => figure.querySelector("h3").textContent);
    missing.hidden = none.length === 0;
    missing.textContent = shown.length ? `Not measured in the settings shown: ${none.join("; ")}.` : "No setting is chosen.";
  };
  boxes.forEach((box) => box.addEventListener("change", update));
  document.querySelectorAll("[data-learning]").forEach((button) => button.addEventListener("click", () => {
    boxes.forEach((box, i) => { box.checked = button.dataset.learning === "first" && atFirst[i]; });
    update();
  }));
  // Picking a setting in a chart shows its curves alone; picking it again, those from before.
  let before = null;
  document.addEventListener("shown", (event) => {
    const picked = event.detail;
    before ??= boxes.map((box) => box.checked);
    const isOf = (box) => box.dataset.settings.split(" ").includes(picked);
    const known = boxes.some(isOf);
    boxes.forEach((box, i) => { box.checked = known ? isOf(box) : before[i]; });
    if (!known) before = null;
    update();
  });
  update();
})();
