// Behaviour beyond links and forms: menu, dialogs, copying, toasts, charts, labels of narrow tables.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");

  const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

  document.addEventListener("click", async (event) => {
    const menu = closest(event, "[data-menu]");
    if (menu) {
      const nav = document.getElementById(menu.dataset.menu);
      menu.setAttribute("aria-expanded", String(nav.classList.toggle("open")));
    }
    const opener = closest(event, "[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    const closer = closest(event, "[data-closes]");
    if (closer) closer.closest("dialog").close();
    const copier = closest(event, "[data-copy]");
    if (copier) await copy(copier);
    const tab = closest(event, "[role=tab]");
    if (tab) choose(tab);
  });

  async function copy(button) {
    const text = button.dataset.copy || document.getElementById(button.dataset.copyFrom).textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // The clipboard API is missing over plain HTTP from another host.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    toast(button.dataset.copied);
  }

  function choose(tab) {
    for (const each of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    }
  }

  document.addEventListener("keydown", (event) => {
    const tab = closest(event, "[role=tab]");
    if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    const step = event.key === "ArrowRight" ? 1 : tabs.length - 1;
    const next = tabs[(tabs.indexOf(tab) + step) % tabs.length];
    choose(next);
    next.focus();
  });

  // Forms with an irreversible action ask for confirmation.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.sure) {
      for (const button of form.querySelectorAll("button[type=submit], button:not([type])")) {
        setTimeout(() => { button.disabled = true; }, 0);
      }
      return;
    }
    event.preventDefault();
    const dialog = document.getElementById("confirm");
    dialog.querySelector("h2").textContent = form.dataset.confirm;
    dialog.querySelector("p").textContent = form.dataset.confirmText || "";
    const sure = dialog.querySelector("[data-sure]");
    sure.textContent = form.dataset.confirmAction;
    sure.onclick = () => {
      form.dataset.sure = "1";
      dialog.close();
      form.requestSubmit(event.submitter || undefined);
    };
    dialog.showModal();
  }, true);

  // Forms with a slow action show a text until the next page loads.
  document.addEventListener("submit", (event) => {
    const button = event.target.dataset.waits && !event.defaultPrevented && event.target.querySelector("button");
    if (button) button.textContent = event.target.dataset.waits;
  });

  document.addEventListener("change", (event) => {
    const sender = closest(event, "[data-sends]");
    if (sender) sender.form.requestSubmit();
  });

  function toast(text) {
    const place = document.getElementById("toast");
    place.textContent = text;
    place.hidden = false;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => { place.hidden = true; }, 4000);
  }

  function label(scope) {
    for (const table of scope.querySelectorAll("table.stack")) {
      const names = [...table.querySelectorAll("thead th")].map((each) => each.textContent.trim());
      for (const row of table.tBodies[0]?.rows ?? []) {
        [...row.cells].forEach((cell, index) => {
          if (names[index]) cell.dataset.label = names[index];
        });
      }
    }
  }

  const probe = (index) => getComputedStyle(document.querySelector(`.probe-${index}`)).color;
  const PALETTE = ["#3b7ddd", "#2fa37c", "#d9902f", "#8a63d2", "#d1577a", "#3aa6b9", "#8d8f3c", "#b8673e"];

  function draw(place) {
    const wanted = JSON.parse(place.dataset.chart);
    const [muted, line, surface, text] = [probe(2), probe(3), probe(4), probe(6)];
    const chart = echarts.init(place, null, { renderer: "canvas" });
    const base = {
      color: PALETTE,
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches && !navigator.webdriver,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      aria: { enabled: true },
      // Drawn on the canvas: an HTML tooltip needs inline styles, which the content security policy forbids.
      tooltip: { trigger: wanted.kind === "pie" ? "item" : "axis", renderMode: "richText", confine: true,
        backgroundColor: surface, borderColor: line, textStyle: { color: text, fontSize: 12 } },
    };
    chart.setOption({ ...base, ...(wanted.kind === "pie" ? pie(wanted, muted, surface) : axes(wanted, muted, line)) });
    new ResizeObserver(() => chart.resize()).observe(place);
    return chart;
  }

  function pie(wanted, muted, surface) {
    return {
      legend: { bottom: 0, type: "scroll", textStyle: { color: muted }, pageTextStyle: { color: muted } },
      series: [{ type: "pie", radius: ["48%", "72%"], center: ["50%", "44%"], data: wanted.data,
        itemStyle: { borderColor: surface, borderWidth: 2 }, label: { color: muted, formatter: "{d}%" } }],
    };
  }

  function axes(wanted, muted, line) {
    const names = { type: "category", data: wanted.names, axisLabel: { color: muted, hideOverlap: true },
      axisLine: { lineStyle: { color: line } }, axisTick: { show: false } };
    const values = { type: "value", name: wanted.kind === "ranking" ? "" : wanted.unit, nameTextStyle: { color: muted }, axisLabel: { color: muted },
      splitLine: { lineStyle: { color: line } }, minInterval: wanted.whole ? 1 : 0 };
    const lying = wanted.kind === "ranking";
    return {
      grid: { left: 8, right: 20, top: 34, bottom: wanted.series.length > 1 ? 34 : 8, containLabel: true },
      legend: wanted.series.length > 1 ? { bottom: 0, type: "scroll", textStyle: { color: muted } } : undefined,
      xAxis: lying ? values : names,
      yAxis: lying ? { ...names, inverse: true } : values,
      series: wanted.series.map((each) => ({
        name: each.name, data: each.data, type: wanted.kind === "line" ? "line" : "bar", stack: wanted.stack,
        smooth: false, symbol: "circle", symbolSize: 5, showSymbol: each.data.length < 50, barMaxWidth: 22, connectNulls: true,
        areaStyle: wanted.kind === "line" && wanted.series.length === 1 ? { opacity: 0.08 } : undefined,
      })),
    };
  }

  let charts = [];
  function drawAll() {
    charts.forEach((each) => each.dispose());
    charts = typeof echarts === "undefined" ? [] : [...document.querySelectorAll("[data-chart]")].map(draw);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

  // Moves a key from the fragment, which is never sent to a server, into the form.
  function takeFragment() {
    const field = document.querySelector("[data-from-fragment]");
    const given = location.hash.slice(1);
    if (!field || !given) return;
    history.replaceState(null, "", location.pathname);
    try {
      field.value = decodeURIComponent(given);
    } catch {
      return; // malformed
    }
    if (!document.querySelector("[role=alert]")) field.form.requestSubmit();
  }

  document.addEventListener("DOMContentLoaded", () => {
    label(document);
    drawAll();
    const done = document.body.dataset.notice;
    if (done) toast(done);
    document.querySelector("dialog[data-open]")?.showModal();
    takeFragment();
  });
  // A form that stays on the page can be sent again once it has its answer.
  document.addEventListener("htmx:afterRequest", (event) => {
    for (const button of event.target.querySelectorAll?.("button:disabled") ?? []) button.disabled = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => label(event.target));
  document.addEventListener("htmx:afterSettle", drawAll);
})();
