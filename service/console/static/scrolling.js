// What scrolls sideways: tabs and tables have a faded edge where more of them is, and the current tab is in sight.
(() => {
  "use strict";
  const SCROLLING = ".tabs, .scroll";
  const ROUNDING_PX = 2; // of scroll positions

  function fade(place) {
    const hidden = place.scrollWidth - place.clientWidth - place.scrollLeft;
    place.classList.toggle("more-left", place.scrollLeft > ROUNDING_PX);
    place.classList.toggle("more-right", hidden > ROUNDING_PX);
  }

  function centre(tabs) {
    const chosen = tabs.querySelector(":scope > :is([aria-current], [aria-selected=true])");
    if (chosen) tabs.scrollLeft = chosen.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - chosen.offsetWidth) / 2;
  }

  const widths = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (target.matches(".tabs")) centre(target);
      fade(target);
    }
  });
  const watch = (scope) => scope.querySelectorAll?.(SCROLLING).forEach((each) => widths.observe(each));

  document.addEventListener("scroll", (event) => {
    if (event.target instanceof Element && event.target.matches(SCROLLING)) fade(event.target);
  }, { capture: true, passive: true });
  document.addEventListener("DOMContentLoaded", () => watch(document));
  document.addEventListener("htmx:afterSwap", (event) => watch(event.target));
})();
