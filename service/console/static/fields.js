// Forms whose fields depend on a choice: data-when="kind=goods,credit" names the field and the values for which an
// element is of use. Without this script every field is shown. Also the name of a chosen file beside its button.
(() => {
  "use strict";

  function show(scope) {
    for (const element of scope.querySelectorAll("[data-when]")) {
      const [name, values] = element.dataset.when.split("=");
      const chosen = element.closest("form").elements[name].value;
      element.hidden = !values.split(",").includes(chosen);
    }
  }

  document.addEventListener("DOMContentLoaded", () => show(document));
  document.addEventListener("input", (event) => {
    if (event.target.form) show(event.target.form);
    const label = event.target.type === "file" && document.querySelector(`[data-name-of="${event.target.id}"]`);
    if (label && event.target.files.length) label.textContent = event.target.files[0].name;
  });
  document.addEventListener("htmx:afterSwap", (event) => show(event.target));
})();
