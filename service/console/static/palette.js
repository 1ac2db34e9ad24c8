// Command palette: a search over pages, apps and orders, opened with Ctrl-K or ⌘K. The server searches; htmx loads.
(() => {
  "use strict";
  const dialog = () => document.getElementById("palette");
  const field = () => document.getElementById("palette-search");
  const options = () => [...dialog().querySelectorAll("[role=option]")];

  function open() {
    if (!dialog() || dialog().open || document.querySelector("dialog[open]")) return;
    dialog().showModal();
    field().select();
    field().dispatchEvent(new Event("palette"));
  }

  function mark(option) {
    for (const each of options()) each.setAttribute("aria-selected", String(each === option));
    if (option) {
      field().setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else {
      field().removeAttribute("aria-activedescendant");
    }
  }

  function move(step) {
    const all = options();
    if (!all.length) return;
    const now = all.findIndex((each) => each.getAttribute("aria-selected") === "true");
    mark(all[(now + step + all.length) % all.length]);
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      if (!dialog()) return;
      event.preventDefault();
      if (dialog().open) dialog().close();
      else open();
      return;
    }
    if (event.target.id !== "palette-search" || event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      options().find((each) => each.getAttribute("aria-selected") === "true")?.click();
    }
  });

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-palette]")) open();
    else if (event.target === dialog()) dialog().close(); // the backdrop
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "palette-results") mark(options()[0]);
  });
})();
