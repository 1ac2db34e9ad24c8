// The try-it page: choosing, dropping and pasting an image; the call; drawing crops and linking lines to their marks.
(() => {
  "use strict";
  const form = document.getElementById("try-form");
  const place = document.getElementById("try-result");
  const input = document.getElementById("image");
  const drop = document.getElementById("drop");
  const LIMIT = 2 * 1024 * 1024;
  let shown = "";

  async function send(file, sample) {
    if (file && file.size > LIMIT) {
      say(form.dataset.tooLarge);
      return;
    }
    const data = new FormData(form);
    data.delete("image");
    if (sample) data.set("sample", "1");
    else data.set("image", file, file.name || "image");
    place.innerHTML = "";
    const waiting = document.createElement("div");
    waiting.className = "chart waiting";
    waiting.setAttribute("role", "status");
    waiting.setAttribute("aria-label", form.dataset.waiting);
    place.append(waiting);
    drop.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
      if (answer.headers.get("hx-redirect")) {
        location.assign(answer.headers.get("hx-redirect"));
        return;
      }
      place.innerHTML = await answer.text();
    } catch {
      say(form.dataset.failed);
    } finally {
      drop.removeAttribute("aria-busy");
    }
    URL.revokeObjectURL(shown);
    shown = file ? URL.createObjectURL(file) : sample;
    const image = place.querySelector(".stage img");
    if (image) {
      image.src = shown;
      image.addEventListener("load", () => crops(image));
    }
    place.querySelector("h2")?.focus();
  }

  function say(text) {
    place.innerHTML = "";
    const alert = document.createElement("div");
    alert.className = "alert bad";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    place.append(alert);
  }

  function crops(image) {
    for (const canvas of place.querySelectorAll("canvas[data-crop]")) {
      const [x, y, width, height] = canvas.dataset.crop.split(",").map(Number);
      canvas.width = width;
      canvas.height = height;
      canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
    }
  }

  const light = (event, lit) => {
    const line = event.target.closest?.("[data-mark]");
    if (!line) return;
    for (const each of place.querySelectorAll(`[data-mark="${line.dataset.mark}"]`)) each.classList.toggle("lit", lit);
  };
  place.addEventListener("mouseover", (event) => light(event, true));
  place.addEventListener("mouseout", (event) => light(event, false));

  input.addEventListener("change", () => { if (input.files[0]) send(input.files[0]); input.value = ""; });
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => send(null, button.dataset.sample));
  }
  for (const kind of ["dragover", "dragenter"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file) send(file);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
})();
