// Forms keep what was typed: over a refusal, a sign-in and a change of language. Passwords, codes and files are never kept.
(() => {
  "use strict";
  const STORE = "inkgate.form";
  const KEPT_MILLISECONDS = 30 * 60 * 1000;
  const NOT_KEPT = "input[type=password], input[type=file], input[type=hidden], [autocomplete=one-time-code], [data-secret]";
  const TOKENS = ["csrf", "next"]; // hidden fields that differ each time a form is shown

  const action = (form) => new URL(form.getAttribute("action") || location.href, location.href).pathname;
  const inputs = (form) => [...form.elements].filter((each) => each.name && each.tagName !== "BUTTON" && !each.matches(NOT_KEPT));
  const hidden = (form) => JSON.stringify([...form.elements].filter((each) => each.type === "hidden" && !TOKENS.includes(each.name)).map((each) => [each.name, each.value]));
  const posts = () => [...document.forms].filter((form) => form.method === "post");

  const read = (form) => ({
    action: action(form),
    hidden: hidden(form),
    open: Boolean(form.closest("dialog")?.open),
    fields: inputs(form).map((each) => [each.name, each.value, Boolean(each.checked)]),
  });

  function write(form, typed) {
    const left = [...typed.fields];
    for (const field of inputs(form)) {
      const index = left.findIndex(([name, value]) => name === field.name && (field.type !== "radio" || value === field.value));
      if (index < 0) continue;
      const [[, value, checked]] = left.splice(index, 1);
      if (field.type === "checkbox" || field.type === "radio") field.checked = checked;
      else if (field.tagName !== "SELECT" || [...field.options].some((each) => each.value === value)) field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  function store(record) {
    try {
      sessionStorage.setItem(STORE, JSON.stringify({ ...record, user: document.body.dataset.user, at: Date.now() }));
    } catch {
      // The browser stores nothing; the form is sent all the same.
    }
  }

  function take() {
    try {
      const record = JSON.parse(sessionStorage.getItem(STORE));
      sessionStorage.removeItem(STORE);
      return record && record.user === document.body.dataset.user && Date.now() - record.at < KEPT_MILLISECONDS ? record : null;
    } catch {
      return null;
    }
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || !document.body.dataset.user) return;
    if (action(form).endsWith("/preferences")) store({ page: location.pathname, forms: posts().filter((each) => each !== form).map(read) });
    else if (!action(form).endsWith("/logout")) store({ forms: [read(form)] });
  });

  // The dialog of a form that was refused or kept opens again, with the reason in it.
  function reopen(form, text) {
    const dialog = form.closest("dialog");
    if (dialog && !dialog.open) dialog.showModal();
    if (dialog && text) document.querySelector("main > .alert.bad")?.remove(); // said once, in the dialog
    if (!text || form.querySelector(".alert") || (!dialog && document.querySelector("main .alert.bad"))) return;
    const alert = document.createElement("div");
    alert.className = "alert bad";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    if (form.querySelector("h2")) form.querySelector("h2").after(alert);
    else form.before(alert);
  }

  function restore() {
    const { form: state, user } = document.body.dataset;
    const notice = document.getElementById("toast")?.dataset.notice;
    const problem = document.querySelector("main > .alert.bad")?.textContent;
    if (!user) return; // the sign-in: what was typed waits for the page behind it
    const record = take();
    if (!record || (record.page ? record.page !== location.pathname : !state)) return;
    for (const typed of record.forms) {
      const form = posts().find((each) => action(each) === typed.action && hidden(each) === typed.hidden);
      if (!form) continue;
      write(form, typed);
      if (record.page && typed.open) reopen(form, "");
      if (!record.page) reopen(form, problem || notice);
    }
  }

  // A limit of characters is said; the browser's own cuts what is pasted, without a word.
  function limit(scope) {
    for (const field of scope.querySelectorAll("input[maxlength], textarea[maxlength]")) {
      field.dataset.most = field.getAttribute("maxlength");
      field.removeAttribute("maxlength");
    }
  }
  document.addEventListener("input", (event) => {
    const most = Number(event.target.dataset?.most);
    if (!most) return;
    const length = [...event.target.value].length;
    const text = document.body.dataset.tooLong.replace("{most}", most).replace("{n}", length);
    event.target.setCustomValidity(length > most ? text : "");
    if (length > most && event.inputType === "insertFromPaste") event.target.reportValidity();
  });

  // Secrets leave the page when their time is over, and do not come back with the browser's "back".
  function hideSecrets() {
    for (const shown of document.querySelectorAll("[data-expires]")) {
      setTimeout(() => { shown.remove(); }, Number(shown.dataset.expires) * 1000);
    }
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted && document.querySelector("[data-expires]")) location.reload();
  });

  document.addEventListener("DOMContentLoaded", () => {
    limit(document);
    restore();
    hideSecrets();
  });
  document.addEventListener("htmx:afterSwap", (event) => limit(event.target));
})();
