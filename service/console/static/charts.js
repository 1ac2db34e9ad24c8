// Charts: draws the JSON of each [data-chart] with ECharts, in the colours of the page.
(() => {
  "use strict";
  const probe = (index) => getComputedStyle(document.querySelector(`.probe-${index}`)).color;
  const LIGHT = ["#2f6fd6", "#1f9d86", "#c98a1b", "#7b5bd6", "#3f9dbd", "#8f8a2f", "#a9659f", "#6b7787"];
  const DARK = ["#6ea3ff", "#4fc7ae", "#e3b04f", "#a68bff", "#6cc4e0", "#bdb75a", "#cf93c6", "#9aa6b6"];
  const MARKED_POINTS = 50; // series with fewer points show each of them
  const COMPACT_FROM = 100000;
  const [LEGEND_SWATCH_PX, LEGEND_GAP_PX, LEGEND_ROW_PX] = [15, 16, 24];

  const language = document.documentElement.lang;
  const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });

  // The format of all labels of an axis: whole numbers, or thousands and millions where they would be long.
  function labels(wanted) {
    const values = wanted.names.map((_, at) => {
      const those = wanted.series.map((each) => each.data[at] ?? 0);
      return wanted.stack ? those.reduce((sum, each) => sum + each, 0) : Math.max(0, ...those);
    });
    return Math.max(...values) < COMPACT_FROM ? plain : compact;
  }

  function draw(place) {
    const wanted = JSON.parse(place.dataset.chart);
    wanted.named = wanted.series.filter((each) => each.data.some(Boolean));
    if (!wanted.named.length) wanted.named = wanted.series;
    const colours = { muted: probe(2), line: probe(3), surface: probe(4), text: probe(6) };
    const chart = echarts.init(place, null, { renderer: "canvas" });
    const option = {
      color: isDark() ? DARK : LIGHT,
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches && !navigator.webdriver,
      animationDuration: 300,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      aria: { enabled: true },
      ...axes(wanted, colours, place.dataset),
    };
    chart.setOption(option);
    const fit = () => {
      if (!place.clientWidth) return; // in a hidden tab
      chart.resize();
      chart.setOption({ grid: { bottom: legendHeight(wanted, place.clientWidth, option.textStyle.fontFamily) } });
    };
    fit();
    new ResizeObserver(fit).observe(place);
    return chart;
  }

  // The legend wraps; its height in pixels for a chart of this width.
  function legendHeight(wanted, width, family) {
    if (wanted.series.length < 2) return 4;
    const pen = (legendHeight.pen ??= document.createElement("canvas").getContext("2d"));
    pen.font = `12px ${family}`;
    let [rows, used] = [1, 0];
    for (const each of wanted.named) {
      const need = pen.measureText(each.name).width + LEGEND_SWATCH_PX + LEGEND_GAP_PX;
      if (used && used + need > width - 2 * LEGEND_GAP_PX) [rows, used] = [rows + 1, 0];
      used += need;
    }
    return rows * LEGEND_ROW_PX + LEGEND_GAP_PX;
  }

  // The colour scheme in use: that of the page, or of the system where the page follows it.
  function isDark() {
    const theme = document.documentElement.dataset.theme;
    return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  }

  function axes(wanted, { muted, line, surface, text }, words) {
    const several = wanted.series.length > 1;
    const numbers = labels(wanted);
    return {
      grid: { left: 4, right: 20, top: 44, containLabel: true },
      legend: several ? { data: wanted.named.map((each) => each.name), bottom: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, itemGap: LEGEND_GAP_PX - 4,
        textStyle: { color: muted } } : undefined,
      // Drawn on the canvas: an HTML tooltip needs inline styles, which the content security policy forbids.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: surface, borderColor: line,
        textStyle: { color: text, fontSize: 12 }, valueFormatter: (value) => amount(value, wanted.unit),
        axisPointer: { type: wanted.kind === "line" ? "line" : "shadow", lineStyle: { color: muted },
          shadowStyle: { color: muted, opacity: 0.12 }, label: { formatter: (at) => heading(wanted, at, words) } } },
      xAxis: { type: "category", data: wanted.names, boundaryGap: wanted.kind !== "line",
        axisLabel: { color: muted, hideOverlap: true },
        axisLine: { lineStyle: { color: line } }, axisTick: { show: false } },
      yAxis: { type: "value", name: wanted.unit, nameTextStyle: { color: muted, align: "left", padding: [0, 0, 0, -4] },
        nameGap: 12, axisLabel: { color: muted, formatter: (value) => numbers.format(value) },
        splitLine: { lineStyle: { color: line } }, splitNumber: 4, minInterval: wanted.whole ? 1 : 0 },
      series: wanted.series.map((each, index) => series(wanted, each, index, surface)),
    };
  }

  function series(wanted, each, index, surface) {
    const shape = { name: each.name, data: marked(wanted, each.data, surface), stack: wanted.stack };
    if (wanted.kind !== "line") {
      const top = index === wanted.series.length - 1 || !wanted.stack;
      return { ...shape, type: "bar", barMaxWidth: 26, barCategoryGap: "28%",
        itemStyle: { borderRadius: top ? [3, 3, 0, 0] : 0 } };
    }
    return { ...shape, type: "line", smooth: false, symbol: "circle", symbolSize: 5, connectNulls: true,
      lineStyle: { width: 2 }, showSymbol: each.data.length < MARKED_POINTS,
      areaStyle: wanted.series.length === 1 ? { opacity: 0.08 } : undefined };
  }

  // The hour or day that has not ended is hatched, or a hollow point.
  function marked(wanted, data, surface) {
    if (wanted.unfinished === undefined) return data;
    const hatched = { decal: { symbol: "rect", color: surface, dashArrayX: [1, 0], dashArrayY: [3, 3], rotation: -Math.PI / 4 } };
    return data.map((value, index) => {
      if (index !== wanted.unfinished || value === null) return value;
      return wanted.kind === "line" ? { value, symbol: "emptyCircle", symbolSize: 8 } : { value, itemStyle: hatched };
    });
  }

  const amount = (value, unit) => (value === null || value === undefined ? "–" : `${plain.format(value)} ${unit}`);

  // First line of a tooltip: the hour or day, whether it is unfinished, and the sum of stacked series.
  function heading(wanted, at, words) {
    const place = at.seriesData[0]?.dataIndex;
    const parts = [place === wanted.unfinished ? `${at.value} (${words.unfinished})` : at.value];
    if (wanted.stack && wanted.series.length > 1 && place !== undefined) {
      const sum = wanted.series.reduce((all, each) => all + (each.data[place] ?? 0), 0);
      parts.push(`${words.total} ${amount(sum, wanted.unit)}`);
    }
    return parts.join("  ");
  }

  let charts = [];
  function drawAll() {
    charts.forEach((each) => each.dispose());
    charts = typeof echarts === "undefined" ? [] : [...document.querySelectorAll("[data-chart]")].map(draw);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.querySelector?.("[data-chart]")) drawAll();
  });
})();
