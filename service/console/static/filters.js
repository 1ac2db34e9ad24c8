// Filters: forms with method=get update the page in place. Focus, caret and scroll position stay, the address follows,
// and back and forward work. Without this script a filter is a form with a button. Also what any in-place update says
// when the session has ended or the server does not answer.
(() => {
  "use strict";
  const ROOT = "content"; // id of the part of the page that is replaced
  let current = null; // AbortController of the update under way
  let shown = location.pathname + location.search;

  const texts = () => document.getElementById("update-texts").dataset;

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const inside = form.method === "get" && !form.target && form.closest(`#${ROOT}`);
    if (!inside || new URL(form.action).origin !== location.origin) return;
    event.preventDefault();
    const address = new URL(form.action);
    address.search = new URLSearchParams([...new FormData(form, event.submitter)].filter(([, value]) => value !== ""));
    update(address, true);
  });

  addEventListener("popstate", (event) => {
    if (event.state?.htmx || shown === location.pathname + location.search) return; // of htmx, or of a fragment only
    update(new URL(location.href), false);
  });

  // Replaces the content of the page by that of another address of the console.
  async function update(address, moves) {
    current?.abort();
    const mine = current = new AbortController();
    const content = document.getElementById(ROOT);
    content.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { signal: mine.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(ROOT);
      const reached = new URL(answer.url).pathname;
      if (reached === `${texts().root}/login`) sessionOver(content, address).focus();
      else if (reached !== address.pathname) location.assign(answer.url);
      else if (!answer.ok || !fresh) say(content, texts().failed, () => update(address, moves));
      else {
        if (moves) history.pushState({ filtered: true }, "", address);
        shown = address.pathname + address.search;
        document.title = page.title;
        swap(content, fresh);
      }
    } catch (error) {
      if (error.name !== "AbortError") say(content, texts().failed, () => update(address, moves));
    } finally {
      if (current === mine) content.removeAttribute("aria-busy");
      for (const held of content.querySelectorAll("form[method=get] button:disabled")) held.disabled = false;
    }
  }

  function swap(content, fresh) {
    const focus = document.activeElement;
    const id = content.contains(focus) ? focus.id : "";
    const caret = id && "selectionStart" in focus ? [focus.selectionStart, focus.selectionEnd] : [null, null];
    const open = [...content.querySelectorAll("details")].map((each) => each.open);
    content.replaceChildren(...document.adoptNode(fresh).childNodes);
    content.querySelectorAll("details").forEach((each, index) => { each.open ||= open[index] ?? false; });
    const again = id && document.getElementById(id);
    if (again) {
      again.focus({ preventScroll: true });
      if (caret[0] !== null && again.value) again.setSelectionRange(...caret);
    }
    htmx.process(content);
    for (const name of ["htmx:afterSwap", "htmx:afterSettle"]) htmx.trigger(content, name); // labels and charts
    document.getElementById("update-said").textContent = texts().done;
  }

  // A message above what could not be updated, once; `act` tries again.
  function say(near, text, act) {
    const alert = document.createElement("div");
    alert.className = "alert warn row update-problem";
    alert.setAttribute("role", "alert");
    const words = document.createElement("span");
    words.textContent = text;
    alert.append(words);
    if (act) {
      const again = document.createElement("button");
      again.type = "button";
      again.className = "button";
      again.textContent = texts().again;
      again.addEventListener("click", () => { alert.remove(); act(); });
      alert.append(again);
    }
    document.querySelector(".update-problem")?.remove();
    near.prepend(alert);
    return alert;
  }

  function sessionOver(near, address) {
    const alert = say(near, texts().over);
    const link = document.createElement("a");
    link.className = "button main-action";
    const where = address.pathname.slice(texts().root.length) + address.search;
    link.href = `${texts().root}/login?next=${encodeURIComponent(where)}`;
    link.textContent = texts().signIn;
    alert.append(link);
    return link;
  }

  // Fragments of htmx: say so beside the fragment instead of leaving the page, or doing nothing.
  const near = (event) => (event.target instanceof Element && event.target.closest(`#${ROOT} section`)) || document.getElementById(ROOT);

  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const leads = event.detail.xhr.getResponseHeader("HX-Redirect");
    if (!leads || new URL(leads, location.href).pathname !== `${texts().root}/login`) return;
    event.preventDefault();
    for (const polled of document.querySelectorAll("[hx-trigger*=every]")) { // a copy without attributes stops asking
      const still = polled.cloneNode(true);
      still.removeAttribute("hx-get");
      still.removeAttribute("hx-trigger");
      polled.replaceWith(still);
    }
    event.target.classList?.remove("waiting");
    sessionOver(near(event), new URL(location.href));
  });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      const trigger = event.detail.elt?.getAttribute("hx-trigger") ?? "";
      if (trigger.includes("every")) return; // asks again by itself
      event.target.classList?.remove("waiting");
      say(near(event), texts().failed, trigger === "load" ? () => location.reload() : null);
    });
  }
})();
