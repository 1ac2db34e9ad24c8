// Toasts: short results, after a form (data-notice of the page) or of a script (the event "toast").
(() => {
  "use strict";
  const SHOWN_MS = 6000;
  const MOST = 3;

  // A reload or a bookmark must not show the result again.
  function forget() {
    const address = new URL(location.href);
    address.searchParams.delete("done");
    history.replaceState(history.state, "", address);
  }

  function show(text, after = () => {}) {
    const place = document.getElementById("toast");
    if (!place || !text) return;
    const toast = document.getElementById("toast-shape").content.firstElementChild.cloneNode(true);
    toast.querySelector("[data-text]").textContent = text;
    let timer;
    const leave = () => {
      clearTimeout(timer);
      toast.remove();
      after();
    };
    const wait = () => { clearTimeout(timer); timer = setTimeout(leave, SHOWN_MS); };
    toast.querySelector("button").addEventListener("click", leave);
    // A toast stays while the pointer or the focus is on it.
    for (const kind of ["pointerenter", "focusin"]) toast.addEventListener(kind, () => clearTimeout(timer));
    for (const kind of ["pointerleave", "focusout"]) toast.addEventListener(kind, wait);
    place.append(toast);
    while (place.children.length > MOST) place.firstElementChild.remove();
    wait();
  }

  document.addEventListener("toast", (event) => show(event.detail));
  document.addEventListener("DOMContentLoaded", () => show(document.getElementById("toast")?.dataset.notice, forget));
})();
