"use strict";
// The drawer: one setting in detail, beside the page. Opened by a point, a row, or #cell-ID in the
// address; what is picked is told to the charts and tables by the event "shown".
(() => {
  const drawer = document.getElementById("drawer");
  const title = document.getElementById("drawer-title");
  const body = document.getElementById("drawer-body");
  let setting = null, opener = null;

  const tell = () => document.dispatchEvent(new CustomEvent("shown", { detail: setting }));
  const place = (hash) => history.replaceState(null, "", hash || location.pathname + location.search);
  const mark = (cell) => {
    body.querySelectorAll("tr[data-cell]").forEach((row) =>
      row.classList.toggle("leads", row.dataset.cell === cell));
    const failed = body.querySelector(`tr[data-cell="${cell}"] .bad`);
    const command = body.querySelector(".command");
    if (command && !failed) {
      command.textContent = `sport-ray export ${cell} --results . --out policy-${cell.slice(0, 8)}`;
    }
    place(`#cell-${cell}`);
  };
  // The learning curves of this setting, which their section has drawn by now.
  const curves = () => {
    const place = body.querySelector(".curves");
    if (!document.querySelector(`#learning-settings input[data-settings~="${setting}"]`)) return;
    const panels = [...document.querySelectorAll("#learning-panels figure:not([hidden])")];
    place.querySelector(".learning-panels").replaceChildren(...panels.map((one) => one.cloneNode(true)));
    place.hidden = false;
  };
  const open = (which, cell, from) => {
    const source = document.getElementById(`detail-${which}`);
    if (!source) return;
    opener = from ?? opener;
    setting = which;
    title.textContent = source.dataset.title;
    body.replaceChildren(source.content.cloneNode(true));
    body.querySelectorAll(".term").forEach((term) =>
      document.dispatchEvent(new CustomEvent("term", { detail: term })));
    mark(cell ?? source.dataset.cell);
    // On a small screen nothing else is to be seen, so nothing else can be reached either.
    if (!drawer.open) {
      if (innerWidth < 760) drawer.showModal(); else drawer.show();
    }
    drawer.scrollTop = 0;
    title.focus();
    tell();
    curves();
  };
  const close = () => { if (drawer.open) drawer.close(); };
  drawer.addEventListener("close", () => {
    setting = null;
    place("");
    tell();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    opener = null;
  });
  document.getElementById("drawer-close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drawer.open) close();
  });
  document.addEventListener("show", (event) => {
    const { which, from } = event.detail;
    if (which === null || (which === setting && drawer.open)) close(); else open(which, null, from);
  });

  const cellOf = (hash) => /^#cell-[0-9a-f]+$/.test(hash) ? document.getElementById(hash.slice(1)) : null;
  const follow = (hash, from) => {
    const row = cellOf(hash);
    if (row) open(row.dataset.setting, row.id.slice(5), from);
    return row;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#cell-"]');
    if (link && follow(link.getAttribute("href"), drawer.contains(link) ? opener : link)) event.preventDefault();
    if (event.target.closest(".copy")) {
      const text = body.querySelector(".command").textContent;
      navigator.clipboard?.writeText(text).then(() => { event.target.textContent = "Copied"; }, () => {});
    }
  });
  addEventListener("hashchange", () => follow(location.hash));
  follow(location.hash);
})();
