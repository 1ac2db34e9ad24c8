// Behaviour beyond links and forms: menu, dialogs, copying, tabs, labels of narrow tables.
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
    const close = dialog.querySelector("[data-closes]"); // named otherwise where the action itself is to cancel
    close.textContent = form.dataset.confirmClose || close.dataset.text;
    const sure = dialog.querySelector("[data-sure]");
    sure.textContent = form.dataset.confirmAction;
    sure.className = event.submitter?.matches(".danger") ? "button danger" : "button main-action"; // red only for what destroys
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

  // Shown by toasts.js.
  const toast = (text) => document.dispatchEvent(new CustomEvent("toast", { detail: text }));

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
    const opened = document.querySelector("dialog[data-open]");
    opened?.showModal();
    if (opened?.querySelector(".alert.bad")) document.querySelector("main > .alert.bad")?.remove(); // said in the dialog
    takeFragment();
  });
  // A form that stays on the page can be sent again once it has its answer.
  document.addEventListener("htmx:afterRequest", (event) => {
    for (const button of event.target.querySelectorAll?.("button:disabled") ?? []) button.disabled = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => label(event.target));
})();
