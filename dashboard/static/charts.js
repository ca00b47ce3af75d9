"use strict";
// Charts over pages that are complete without them: ECharts is loaded after the first paint, and only where something is drawn.
const nextclickCharts = (() => {
  const source = document.currentScript.dataset.echarts;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let library = null;
  const load = () => library ??= new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: source, onload: done, onerror: failed });
    document.head.append(script);
  });

  // As it is drawn now: a variable's own text names both themes' colours.
  const probe = document.createElement("i");
  const colour = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
  const ACCENTS = ["accent", "accent-2", "accent-3", "accent-4"];
  // Made once: a formatter costs a hundred times what it says.
  const NUMBERS = [0, 1, 2, 3].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits }));
  const DAYS = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
  const spoken = (value, unit) => value == null ? "–"
    : unit === "share" ? `${NUMBERS[1].format(100 * value)}%`
    : NUMBERS[unit === "number" ? 1 : Math.abs(value) < 10 ? 3 : 2].format(value);
  const text = (value) => String(value).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const spaced = (name) => String(name).replaceAll("_", " ");
  const asDay = (day) => DAYS.format(new Date(`${day}T00:00Z`));
  const row = (marker, name, value) => `${marker}${text(spaced(name))}: <b>${value}</b>`;

  const grid = (hasLegend) => ({ left: 6, right: 24, top: hasLegend ? 36 : 14, bottom: 4, containLabel: true });
  const legend = (names) => names.length < 2 ? undefined : {
    data: names, top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 4, textStyle: { color: colour("soft") }, formatter: spaced,
  };
  const across = (data, isBar, formatter) => ({
    type: "category", data, boundaryGap: isBar, axisTick: { show: false }, axisLine: { lineStyle: { color: colour("line") } },
    axisLabel: { color: colour("soft"), hideOverlap: true, formatter },
  });
  const upward = (unit) => ({
    type: "value", splitNumber: 4, splitLine: { lineStyle: { color: colour("line") } },
    axisLabel: { color: colour("soft"), formatter: (value) => spoken(value, unit) },
  });

  // A day that is not over is a dot at the end of its line.
  function line({ kind, days, series, unfinished }) {
    const isStack = kind === "stack", last = days.indexOf(unfinished), unit = series[0].unit;
    const one = series.length === 1;
    const drawn = series.flatMap(({ name, values, before, below }, at) => {
      const paint = colour(ACCENTS[at % ACCENTS.length]);
      const main = {
        name, type: isStack ? "bar" : "line", stack: isStack ? "all" : undefined, data: below ? values.map((value) => value && -value) : values, color: paint, showSymbol: true,
        symbolSize: (_, { dataIndex: place }) => values[place - 1] == null && values[place + 1] == null ? 6 : 0, lineStyle: { width: 2.2 }, areaStyle: one && !isStack ? { color: paint, opacity: .09 } : undefined,
        connectNulls: false, barMaxWidth: 42,
        markPoint: last >= 0 && values[last] != null && !isStack
          ? { symbol: "circle", symbolSize: 8, silent: true, label: { show: false }, data: [{ coord: [last, values[last]] }] } : undefined,
      };
      return before ? [{ name: "before", type: "line", data: before, color: colour("before"), symbol: "none", lineStyle: { width: 1.4, type: "dashed" }, connectNulls: false }, main] : [main];
    });
    return {
      grid: grid(!one), legend: legend(series.map(({ name }) => name)), xAxis: across(days, isStack, asDay), yAxis: upward(unit), series: drawn,
      tooltip: {
        trigger: "axis", axisPointer: { type: isStack ? "shadow" : "line", lineStyle: { color: colour("before") } },
        formatter: (points) => [`<b>${text(points[0].axisValue)}${points[0].axisValue === unfinished ? " (unfinished)" : ""}</b>`,
          ...points.map(({ marker, seriesName, value }) => row(marker, seriesName, spoken(isStack && value ? Math.abs(value) : value, unit)))].join("<br>"),
      },
    };
  }

  const BARS = { barGap: "12%", barCategoryGap: "34%", barMaxWidth: 44 };
  // The ends of an interval over its column.
  function whiskers({ ends }, at, count) {
    const ink = { stroke: colour("text"), lineWidth: 1.3, opacity: .7 };
    return {
      type: "custom", silent: true, tooltip: { show: false }, z: 5, encode: { x: 0, y: [1, 2] }, data: (ends ?? []).map((pair, place) => [place, ...(pair ?? [NaN, NaN])]),
      renderItem: (_, api) => {
        const x = api.coord([api.value(0), 0])[0] + api.barLayout({ ...BARS, count })[at].offsetCenter;
        const [low, high] = [1, 2].map((end) => api.coord([api.value(0), api.value(end)])[1]);
        if (!Number.isFinite(low)) return null;
        const stroke = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: ink });
        return { type: "group", children: [stroke(x, low, x, high), stroke(x - 4, low, x + 4, low), stroke(x - 4, high, x + 4, high)] };
      },
    };
  }

  function columns({ names, series }) {
    const unit = series[0].unit;
    return {
      grid: grid(series.length > 1), legend: legend(series.map(({ name }) => name)), xAxis: across(names, true, spaced), yAxis: upward(unit),
      tooltip: {
        trigger: "axis", axisPointer: { type: "shadow" },
        formatter: (points) => [`<b>${text(spaced(points[0].axisValue))}</b>`, ...points.filter(({ seriesType }) => seriesType === "bar")
          .map(({ marker, seriesName, value }) => row(marker, seriesName, spoken(value, unit)))].join("<br>"),
      },
      series: series.flatMap((each, at) => [
        { name: each.name, type: "bar", ...BARS, data: each.values, color: colour(at ? "before" : "accent"), itemStyle: { borderRadius: [3, 3, 0, 0] } },
        ...(each.ends ? [whiskers(each, at, series.length)] : []),
      ]),
    };
  }

  // A value at each look, and the band that holds it at all of them at once.
  function sequence({ days, name, values, ends }) {
    const paint = colour("accent"), band = { type: "line", stack: "band", stackStrategy: "all", symbol: "none", lineStyle: { opacity: 0 }, silent: true };
    const points = (value) => `${value > 0 ? "+" : ""}${(100 * value).toFixed(2)}`;
    return {
      grid: grid(false), xAxis: { ...across(days, false, asDay), axisLine: { onZero: false, lineStyle: { color: colour("line") } } },
      yAxis: { ...upward(), axisLabel: { color: colour("soft"), formatter: (value) => NUMBERS[1].format(100 * value) } },
      tooltip: {
        trigger: "axis", formatter: ([{ dataIndex: at }]) =>
          `<b>${text(days[at])}</b><br>${row("", name, points(values[at]))}<br>${points(ends[at][0])} to ${points(ends[at][1])}`,
      },
      series: [
        { ...band, data: ends.map(([low]) => low) },
        { ...band, data: ends.map(([low, high]) => high - low), areaStyle: { color: paint, opacity: .16 } },
        {
          name, type: "line", data: values, color: paint, showSymbol: days.length < 3, lineStyle: { width: 2.2 },
          markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: colour("soft"), type: "solid", width: 1 }, data: [{ yAxis: 0 }] },
        },
      ],
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
        label: { color: colour("text"), fontSize: 11, formatter: ({ name }) => short(name) }, labelLayout: { hideOverlap: true },
        emphasis: { focus: "adjacency" },
      }],
    };
  }

  const KINDS = { line, stack: line, columns, sequence, flows };
  const shown = new Map();

  function draw(place) {
    shown.get(place)?.dispose();
    const facts = JSON.parse(place.querySelector("script").textContent);
    const at = place.querySelector(".drawing") ?? place.appendChild(Object.assign(document.createElement("div"), { className: "drawing" }));
    const chart = echarts.init(at, null, { renderer: "svg", height: place.clientHeight, width: place.clientWidth });
    const { tooltip, ...option } = KINDS[facts.kind](facts);
    chart.setOption({
      animation: !calm, animationDuration: 350, aria: { enabled: false }, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily }, ...option,
      tooltip: { backgroundColor: colour("surface"), borderColor: colour("line"), textStyle: { color: colour("text"), fontSize: 13 }, confine: true, ...tooltip },
    });
    shown.set(place, chart);
  }

  async function drawAll() {
    for (const [place, chart] of shown) if (!place.isConnected) { chart.dispose(); shown.delete(place); }
    const places = [...document.querySelectorAll(".chart")];
    if (!places.length) return;
    await load();
    document.body.append(probe);
    for (const place of places) if (place.isConnected) draw(place);
    probe.remove();
    document.documentElement.dataset.drawn = location.href;
  }

  const resize = () => shown.forEach((chart, place) => chart.resize({ width: place.clientWidth, height: place.clientHeight }));
  return { drawAll, resize };
})();
