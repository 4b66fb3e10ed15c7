"use strict";
document.documentElement.classList.add("js");
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

  // Filters: the setting in the drawer, the checkboxes, and the most that may be promised.
  const points = [...document.querySelectorAll(".chart .point")];
  const lines = [...document.querySelectorAll(".chart path.series")];
  const groups = [...document.querySelectorAll("fieldset[data-filter]")];
  const best = document.getElementById("best");
  const answers = best ? [...best.tBodies[0].rows] : [];
  const limit = document.getElementById("risk-limit");
  const shown = document.getElementById("shown");
  const printed = [...document.querySelectorAll(".printed tbody tr")]; // of many cells, on paper
  const part = document.getElementById("printed-shown");
  const all = document.getElementById("show-all");
  let picked = null;
  const ask = (which, from) => document.dispatchEvent(new CustomEvent("show", { detail: { which, from } }));
  const apply = () => {
    const allowed = groups.map((group) => [group.dataset.filter,
      new Set([...group.querySelectorAll("input:checked")].map((box) => box.value))]);
    const most = parseFloat(limit.value);
    const kept = (item) => (Number.isNaN(most) || parseFloat(item.dataset.promised) <= most)
      && allowed.every(([name, values]) => !(name in item.dataset) || values.has(item.dataset[name]));
    lines.forEach((line) => line.classList.toggle("out", !Number.isNaN(most) || !kept(line)));
    points.forEach((p) => {
      p.classList.toggle("out", !kept(p));
      p.classList.toggle("picked", p.dataset.setting === picked);
      p.setAttribute("aria-pressed", String(p.dataset.setting === picked));
    });
    answers.forEach((row) => {
      row.hidden = !kept(row);
      row.classList.toggle("picked", row.dataset.setting === picked);
    });
    let count = 0;
    const there = new Set();
    for (const row of body.rows) {
      row.hidden = !kept(row) || (picked !== null && row.dataset.setting !== picked);
      count += !row.hidden;
      if (!row.hidden) there.add(row.dataset.setting);
    }
    printed.forEach((row) => { row.hidden = !there.has(row.dataset.setting); });
    if (part) part.textContent = there.size < printed.length ? ` Filtered: ${there.size} of ${printed.length} settings.` : "";
    shown.textContent = `${count} of ${body.rows.length} cells shown`;
    all.hidden = count === body.rows.length;
    charts.forEach((chart) => stop(chart));
  };
  document.addEventListener("shown", (event) => { picked = event.detail; apply(); });
  groups.forEach((group) => group.addEventListener("change", apply));
  limit.addEventListener("change", apply);
  all.addEventListener("click", () => {
    groups.forEach((group) => group.querySelectorAll("input").forEach((box) => { box.checked = true; }));
    limit.value = "";
    ask(null);
    apply();
    shown.focus();
  });
  document.querySelectorAll("button.open").forEach((button) =>
    button.addEventListener("click", () => ask(button.closest("[data-setting]").dataset.setting, button)));

  // Brushing: what belongs to one setting lights up in charts and tables alike.
  const related = new Map();
  const others = [...document.querySelectorAll(".heat td[data-setting], .parallel path")];
  [...points, ...answers, ...body.rows, ...others].forEach((item) => {
    const mine = related.get(item.dataset.setting) ?? [];
    related.set(item.dataset.setting, [...mine, item]);
  });
  let brushed = null;
  const brush = (setting) => {
    if (setting === brushed) return;
    related.get(brushed)?.forEach((item) => item.classList.remove("near"));
    related.get(setting)?.forEach((item) => item.classList.add("near"));
    brushed = setting;
  };
  [...answers, ...body.rows, ...others].forEach((row) => {
    row.addEventListener("mouseenter", () => brush(row.dataset.setting));
    row.addEventListener("mouseleave", () => brush(null));
    row.addEventListener("focusin", () => brush(row.dataset.setting));
    row.addEventListener("focusout", () => brush(null));
  });

  others.filter((one) => one.matches("path")).forEach((line) =>
    line.addEventListener("click", () => ask(line.dataset.setting)));

  // A table is one stop of the Tab key, too: arrow keys go from row to row, in a map also sideways.
  const rove = (place, selector, width) => {
    place.querySelectorAll(selector).forEach((item, index) => { item.tabIndex = index ? -1 : 0; });
    place.addEventListener("keydown", (event) => {
      const by = { ArrowDown: width, ArrowUp: -width, ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by || !event.target.matches(selector)) return;
      const there = [...place.querySelectorAll(`tr:not([hidden]) ${selector}`)];
      const to = there[there.indexOf(event.target) + by];
      event.preventDefault();
      if (!to) return;
      event.target.tabIndex = -1;
      to.tabIndex = 0;
      to.focus();
    });
  };
  rove(body, "a", 1);
  document.querySelectorAll(".heat").forEach((map) => rove(map, "button", map.rows[0].cells.length - 1));

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

  // Tooltips: for mouse and keyboard; the same text is the accessible name or description.
  const tip = document.getElementById("tip");
  const show = (lines, at) => {
    const [first, ...rest] = lines;
    const title = document.createElement("b");
    title.textContent = first;
    tip.replaceChildren(title, ...rest.flatMap((line) => [line, document.createElement("br")]));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - box.width / 2), innerWidth - box.width - 8);
    const above = at.top - box.height - 10;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 10}px`;
  };
  const showPoint = (point) => show(point.getAttribute("aria-label").split("\n"),
    point.querySelector(".mark").getBoundingClientRect());
  const showTerm = (term) => {
    const meaning = document.getElementById(term.getAttribute("aria-describedby"));
    show([meaning.previousElementSibling.textContent, meaning.textContent], term.getBoundingClientRect());
  };
  const hide = () => { tip.hidden = true; };
  points.forEach((point) => {
    point.addEventListener("focus", () => showPoint(point));
    point.addEventListener("blur", hide);
    point.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); ask(point.dataset.setting, point); }
      if (event.key in steps) { event.preventDefault(); go(point, steps[event.key]); }
      if (event.key === "Escape" && !tip.hidden) hide();
    });
  });
  const explain = (term) => {
    ["focus", "mouseenter", "click"].forEach((name) => term.addEventListener(name, () => showTerm(term)));
    ["blur", "mouseleave"].forEach((name) => term.addEventListener(name, hide));
    term.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !tip.hidden) { hide(); event.stopPropagation(); }
    });
  };
  document.querySelectorAll(".term").forEach(explain);
  document.addEventListener("term", (event) => explain(event.detail));
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
      near = point;
      brush(near?.dataset.setting ?? null);
      svg.style.cursor = near ? "pointer" : "";
      if (near) showPoint(near); else hide();
    };
    svg.addEventListener("mousemove", (event) => meet(nearest(charts[index], event)));
    svg.addEventListener("mouseleave", () => meet(null));
    svg.addEventListener("click", (event) => {
      const point = nearest(charts[index], event);
      if (point) { meet(point); ask(point.dataset.setting, point); stop(charts[index], point); }
    });
  });
  // Going to a point by keyboard may scroll the page; the tooltip then stays with its point.
  addEventListener("scroll", () => {
    const point = document.activeElement;
    if (!tip.hidden && point.matches(".chart .point:focus-visible")) showPoint(point); else hide();
  }, { passive: true });

  // The table of the answer: first what says most, all rows on request.
  const more = document.getElementById("more");
  if (more) {
    const label = more.textContent;
    more.hidden = false;
    more.addEventListener("click", () => {
      const all = best.classList.toggle("all");
      more.setAttribute("aria-expanded", String(all));
      more.textContent = all ? `Only ${best.dataset.brief} rows` : label;
    });
  }

  // Tables are packed in the page: unpacked on their way to the disk (without scripts: .csv.gz).
  document.querySelectorAll("a.packed").forEach((link) => link.addEventListener("click", async (event) => {
    event.preventDefault();
    const packed = Uint8Array.from(atob(link.href.split(",")[1]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const file = document.createElement("a");
    file.href = URL.createObjectURL(await new Response(stream).blob());
    file.download = link.download.replace(/\.gz$/, "");
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 10_000);
  }));

  // On paper nothing can be unfolded.
  addEventListener("beforeprint", () =>
    document.querySelectorAll("details").forEach((one) => { one.open = true; }));

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
