"use strict";
// What moves between pages that the server makes: charts, the Live page, the theme, forms that send themselves.
(() => {
  let stream = null;
  function follow() {
    const place = document.querySelector("[data-live]");
    if (stream?.place === place) return;
    stream?.source.close();
    stream = place && { place, source: new EventSource(place.dataset.live) };
    if (place) stream.source.onmessage = ({ data }) => { if (document.visibilityState === "visible") place.innerHTML = data; };
  }

  function offerThemes() {
    const select = document.getElementById("theme");
    select.value = document.documentElement.dataset.theme ?? "";
    select.parentElement.hidden = false;
  }

  function choose(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    try { localStorage.setItem("nextclick-theme", theme); } catch {}
    nextclickCharts.drawAll();
  }

  // Values to choose a filter from, once somebody begins to write one.
  async function offerValues() {
    const { values: address } = document.getElementById("value").dataset;
    const [path, words] = address.split("?");
    const answer = await fetch(`${path}/${document.getElementById("filter").value}?${words ?? ""}`);
    if (answer.ok) document.getElementById("values").innerHTML = await answer.text();
  }

  const showCurrent = () => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  // Figures are seen before charts are loaded; what is never painted, such as a tab behind others, waits a moment.
  const painted = Promise.race([
    new Promise((done) => new PerformanceObserver(done).observe({ type: "paint", buffered: true })),
    new Promise((done) => setTimeout(done, 2000)),
  ]);
  const ready = () => { painted.then(nextclickCharts.drawAll); follow(); showCurrent(); offerThemes(); };

  document.addEventListener("change", ({ target }) => {
    if (target.id === "theme") choose(target.value);
    if (target.id === "filter") { document.getElementById("value").value = ""; offerValues(); }
    const form = target.closest("form[data-sends]");
    if (form?.checkValidity()) form.requestSubmit();
  });
  document.addEventListener("focusin", ({ target }) => { if (target.id === "value" && !document.getElementById("values").children.length) offerValues(); });
  let path = location.pathname;
  document.addEventListener("htmx:afterSettle", () => {
    if (path !== location.pathname) { path = location.pathname; scrollTo(0, 0); document.getElementById("main").focus({ preventScroll: true }); }
    ready();
  });
  addEventListener("load", ready);
  let resized;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(nextclickCharts.resize, 120); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nextclickCharts.drawAll);
})();
