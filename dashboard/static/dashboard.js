"use strict";
// Charts over pages that are complete without them: ECharts is loaded after the first paint, and only where something is drawn.
(() => {
  const source = document.currentScript.dataset.echarts;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let library = null;
  const load = () => library ??= new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: source, onload: done, onerror: failed });
    document.head.append(script);
  });

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const ACCENTS = ["accent", "accent-2", "accent-3", "accent-4"];
  const spoken = (value, unit) => value == null ? "–"
    : unit === "share" ? `${(100 * value).toFixed(1)}%`
    : value.toLocaleString("en", { maximumFractionDigits: unit === "number" ? 1 : 2 });
  const text = (value) => String(value).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

  // A day that is not over is a dot at the end of a dashed line.
  function line({ kind, days, series, unfinished }) {
    const isStack = kind === "stack", last = days.indexOf(unfinished);
    const one = series.length === 1;
    const drawn = series.flatMap(({ name, values, before, below }, at) => {
      const paint = colour(ACCENTS[at % ACCENTS.length]);
      const main = {
        name, type: isStack ? "bar" : "line", stack: isStack ? "all" : undefined, data: below ? values.map((value) => value && -value) : values, color: paint, showSymbol: days.length < 3,
        symbolSize: 6, lineStyle: { width: 2.2 }, areaStyle: one && !isStack ? { color: paint, opacity: .09 } : undefined,
        connectNulls: false, barMaxWidth: 42,
        markPoint: last >= 0 && values[last] != null && !isStack
          ? { symbol: "circle", symbolSize: 8, silent: true, label: { show: false }, data: [{ coord: [last, values[last]] }] } : undefined,
      };
      return before ? [{ name: "before", type: "line", data: before, color: colour("before"), symbol: "none", lineStyle: { width: 1.4, type: "dashed" }, connectNulls: false }, main] : [main];
    });
    return {
      grid: { left: 6, right: 14, top: one ? 14 : 36, bottom: 4, containLabel: true },
      legend: one ? undefined : { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4, textStyle: { color: colour("soft") } },
      xAxis: {
        type: "category", data: days, boundaryGap: isStack, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("line") } },
        axisLabel: { color: colour("soft"), hideOverlap: true, formatter: (day) => new Date(`${day}T00:00Z`).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" }) },
      },
      yAxis: {
        type: "value", splitNumber: 4, splitLine: { lineStyle: { color: colour("line") } },
        axisLabel: { color: colour("soft"), formatter: (value) => spoken(value, series[0].unit) },
      },
      tooltip: {
        trigger: "axis", axisPointer: { type: isStack ? "shadow" : "line", lineStyle: { color: colour("before") } },
        formatter: (points) => `<b>${text(points[0].axisValue)}${points[0].axisValue === unfinished ? " (unfinished)" : ""}</b><br>` + points.map((point) =>
          `${point.marker}${text(point.seriesName.replaceAll("_", " "))}: <b>${spoken(isStack && point.value ? Math.abs(point.value) : point.value, series[0].unit)}</b>`).join("<br>"),
      },
      series: drawn,
    };
  }

  function flows({ nodes, links, align }) {
    const short = (name) => { const place = name.replace(/^\d+ /, "").replace(/^https?:\/\/[^/]+/, ""); return place.length > 26 ? `${place.slice(0, 25)}…` : place || "/"; };
    return {
      tooltip: {
        formatter: ({ data }) => data.source ? `${text(short(data.source))} → ${text(short(data.target))}: <b>${spoken(data.value)}</b>` : text(data.name.replace(/^\d+ /, "")),
      },
      series: [{
        type: "sankey", left: 4, right: 130, top: 8, bottom: 8, nodeAlign: align, nodeWidth: 12, nodeGap: 10, layoutIterations: 24, draggable: false,
        data: nodes.map(({ name }) => ({ name, itemStyle: { color: /^\d+ \(/.test(name) ? colour("before") : colour("accent") } })),
        links, lineStyle: { color: "source", opacity: .22, curveness: .5 },
        label: { color: colour("text"), fontSize: 11, formatter: ({ name }) => short(name) },
        emphasis: { focus: "adjacency" },
      }],
    };
  }

  const KINDS = { line, stack: line, flows };
  const shown = new Map();

  function draw(place) {
    shown.get(place)?.dispose();
    const facts = JSON.parse(place.querySelector("script").textContent);
    const at = place.querySelector(".drawing") ?? place.appendChild(Object.assign(document.createElement("div"), { className: "drawing" }));
    const chart = echarts.init(at, null, { renderer: "svg", height: place.clientHeight, width: place.clientWidth });
    chart.setOption({
      animation: !calm, animationDuration: 350, aria: { enabled: false }, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      ...KINDS[facts.kind](facts),
      tooltip: { backgroundColor: colour("surface"), borderColor: colour("line"), textStyle: { color: colour("text"), fontSize: 13 }, confine: true, ...KINDS[facts.kind](facts).tooltip },
    });
    shown.set(place, chart);
  }

  async function drawAll() {
    for (const [place, chart] of shown) if (!place.isConnected) { chart.dispose(); shown.delete(place); }
    const places = [...document.querySelectorAll(".chart")];
    if (!places.length) return;
    await load();
    for (const place of places) if (place.isConnected) draw(place);
    document.documentElement.dataset.drawn = location.href;
  }

  let stream = null;
  function follow() {
    const place = document.querySelector("[data-live]");
    if (stream?.place === place) return;
    stream?.source.close();
    stream = place && { place, source: new EventSource(place.dataset.live) };
    if (place) stream.source.onmessage = ({ data }) => { if (document.visibilityState === "visible") place.innerHTML = data; };
  }

  const showCurrent = () => document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  const afterPaint = (act) => requestAnimationFrame(() => setTimeout(act, 0));
  document.addEventListener("change", ({ target }) => { const form = target.closest("form[data-sends]"); if (form?.checkValidity()) form.requestSubmit(); });
  let path = location.pathname;
  document.addEventListener("htmx:afterSettle", () => {
    if (path !== location.pathname) { path = location.pathname; scrollTo(0, 0); document.getElementById("main").focus({ preventScroll: true }); }
    afterPaint(drawAll);
    follow();
    showCurrent();
  });
  addEventListener("load", () => { afterPaint(drawAll); follow(); showCurrent(); });
  let resized;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => shown.forEach((chart, place) => chart.resize({ width: place.clientWidth, height: place.clientHeight })), 120); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
