"use strict";
(() => {
  const own = document.getElementById("live-script").dataset.page;
  const bar = document.getElementById("live");
  const sentence = document.getElementById("live-sentence");
  const changed = document.getElementById("live-changed");
  const failed = document.getElementById("live-failed");
  const refresh = document.getElementById("live-refresh");
  const waiting = document.getElementById("waiting-now");
  const part = document.getElementById("completeness"), only = part?.textContent;
  const KEY = `sport-ray-live ${location.pathname}`, SEEN = 2000, HIDDEN = 10000, QUIET = 2000;
  let answered = null;
  const set = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };
  const clock = (time) => new Date(time).toLocaleTimeString();

  // What the reader has set, so that the next page is as this one is: by words, not by numbers,
  // since settings and cells may be more there.
  const name = (node) => {
    if (node.id) return `#${node.id}`;
    const group = node.closest("[data-filter], [id]");
    const title = node.querySelector(":scope > summary")?.textContent.replace(/\d+/g, "");
    return `${group?.dataset.filter ?? group?.id ?? ""} ${title ?? node.dataset.name ?? node.value ?? ""}`;
  };
  const first = (point) => point.getAttribute("aria-label")?.split("\n")[0];
  const boxes = () => [...document.querySelectorAll('input[type="checkbox"], input[type="radio"]')];
  const fields = () => [...document.querySelectorAll('input:not([type="checkbox"], [type="radio"]), select')];
  const details = () => [...document.querySelectorAll("details")];
  const initial = new Map([...boxes().map((box) => [box, box.checked]), ...details().map((one) => [one, one.open])]);
  const top = () => [...document.querySelectorAll("[id]")].filter((one) => one.matches("section, h1, h2, h3, figure"))
    .map((one) => [one.id, one.getBoundingClientRect().top]).sort((a, b) => Math.abs(a[1]) - Math.abs(b[1]))[0];
  const keep = () => {
    const sorted = document.querySelector("#cells th[aria-sort]");
    const differs = (node, now) => !initial.has(node) || initial.get(node) !== now;
    sessionStorage.setItem(KEY, JSON.stringify({
      state: answered, scroll: [scrollX, scrollY], anchor: scrollY > 40 ? top() : null,
      boxes: boxes().filter((box) => differs(box, box.checked)).map((box) => [name(box), box.checked]),
      fields: fields().map((field) => [name(field), field.value]),
      details: details().filter((one) => differs(one, one.open)).map((one) => [name(one), one.open]),
      picked: [...document.querySelectorAll('.chart .point[aria-pressed="true"]')].map(first)[0] ?? null,
      expanded: [...document.querySelectorAll('button[aria-expanded="true"][id]')].map((button) => button.id),
      sorted: sorted && [sorted.textContent.trim(), sorted.getAttribute("aria-sort")],
      inside: [...document.querySelectorAll(".scroll")].map((one) => [one.getAttribute("aria-label"), one.scrollTop, one.scrollLeft])
        .filter((one) => one[1] || one[2]),
    }));
  };
  const paint = (state) => {
    bar.dataset.phase = state.phase;
    const over = state.phase === "ended" || state.phase === "gone"; // red from then on, also while nothing answers
    bar.toggleAttribute("data-over", over);
    set(part, over ? only : only?.replace(/^Only/, "So far"));
    part?.setAttribute("role", over ? "alert" : "note");
    set(sentence, state.problem ?? state.sentence);
    set(changed, state.changed ? `last change ${clock(state.changed)}` : "");
    set(waiting, state.problem ?? state.sentence);
    if (state.problem) set(document.getElementById("waiting-title"), "Nothing to show yet");
    failed.hidden = state.failed.length === 0;
    if (!failed.hidden) {
      const count = state.failed.length + state.more_failed;
      set(failed.querySelector("summary"), `${count} failed cell${count > 1 ? "s" : ""}, with reasons`);
      const lines = state.failed.map((one) => `${one.where}: ${one.reason} (cell ${one.cell})`);
      if (state.more_failed) lines.push(`and ${state.more_failed} more, in the table below`);
      const list = failed.querySelector("ul");
      if (list.dataset.lines !== lines.join("\n")) {
        list.dataset.lines = lines.join("\n");
        list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
      }
    }
  };
  const restore = () => {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    sessionStorage.removeItem(KEY);
    if (!kept) return;
    if (kept.state) paint(kept.state); // the bar as high as it was
    const point = kept.picked && [...document.querySelectorAll(".chart .point")].find((one) => first(one) === kept.picked);
    if (point?.getAttribute("aria-pressed") === "false") point.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    const by = (nodes, pairs, apply) => {
      const wanted = new Map(pairs);
      nodes.forEach((node) => { if (wanted.has(name(node))) apply(node, wanted.get(name(node))); });
    };
    const change = (node) => node.dispatchEvent(new Event("change", { bubbles: true }));
    by(boxes(), kept.boxes, (box, on) => { if (box.checked !== on) { box.checked = on; change(box); } });
    by(fields(), kept.fields, (field, value) => { if (field.value !== value) { field.value = value; change(field); } });
    by(details(), kept.details, (one, open) => { one.open = open; });
    kept.expanded.forEach((id) => {
      const button = document.getElementById(id);
      if (button && button.getAttribute("aria-expanded") !== "true") button.click();
    });
    if (kept.sorted) {
      const header = [...document.querySelectorAll("#cells th")].find((th) => th.textContent.trim() === kept.sorted[0]);
      for (let i = 0; header && i < 2 && header.getAttribute("aria-sort") !== kept.sorted[1]; i += 1) header.querySelector("button")?.click();
    }
    for (const [label, down, right] of kept.inside) {
      const one = [...document.querySelectorAll(".scroll")].find((box) => box.getAttribute("aria-label") === label);
      one?.scrollTo(right, down);
    }
    scrollTo({ left: kept.scroll[0], top: kept.scroll[1], behavior: "instant" });
    const there = kept.anchor && document.getElementById(kept.anchor[0]);
    if (there) scrollBy({ top: there.getBoundingClientRect().top - kept.anchor[1], behavior: "instant" });
  };
  if ("scrollRestoration" in history) history.scrollRestoration = "manual";
  restore();

  // A newer page is taken once the reader's hands are still, or on request.
  let touched = 0, newer = false, told = Date.now();
  for (const kind of ["pointerdown", "keydown", "wheel", "touchmove", "input"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true, capture: true });
  }
  const go = () => { keep(); location.reload(); };
  refresh.addEventListener("click", go);
  const take = () => {
    const busy = Date.now() - touched < QUIET || !getSelection().isCollapsed;
    refresh.hidden = !newer || !busy;
    if (newer && !busy) go();
  };

  const show = (state) => {
    paint(state);
    newer = state.page !== "" && state.page !== own;
    take();
  };
  const away = () => {
    bar.dataset.phase = "away";
    const ended = answered?.phase === "ended" ? " The study had ended." : "";
    set(sentence, `No answer from the server since ${clock(told)}: trying again.${ended} What is shown stays as it was.`);
  };
  const ask = async () => {
    try {
      const answer = await fetch("state", { cache: "no-store", signal: AbortSignal.timeout(8000) });
      if (!answer.ok) throw new Error(String(answer.status));
      answered = await answer.json();
      told = Date.now();
      show(answered);
    } catch { away(); }
  };
  let timer = null;
  const again = async () => {
    clearTimeout(timer);
    await ask();
    clearTimeout(timer);
    timer = setTimeout(again, document.hidden ? HIDDEN : SEEN);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) again(); });
  again();
})();
