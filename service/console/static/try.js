// The try-it page: choosing, dropping, pasting and checking an image; the call; drawing crops and linking lines to
// their marks. One call at a time; a repeated request carries the token of the first, so that it is not charged again.
(() => {
  "use strict";
  const form = document.getElementById("try-form");
  const controls = document.getElementById("try-controls");
  const place = document.getElementById("try-result");
  const drop = document.getElementById("drop");
  const app = document.getElementById("app");
  const texts = document.getElementById("try-texts").dataset;
  const [MAX_BYTES, LOW, HIGH] = [form.dataset.maxBytes, form.dataset.low, form.dataset.high].map(Number);
  const SHRUNK_SIDE = 4096; // pixels; beyond it recognition gains nothing and browsers run out of memory
  const MIN_SHRUNK_SIDE = 512; // pixels
  const SMALLER = 0.8; // the side of each further attempt
  const QUALITIES = [0.92, 0.85, 0.75]; // of JPEG, for each size
  const KINDS = [
    ["jpg", [0xff, 0xd8, 0xff]], ["png", [0x89, 0x50, 0x4e, 0x47]], ["bmp", [0x42, 0x4d]],
    ["GIF", [0x47, 0x49, 0x46, 0x38]], ["PDF", [0x25, 0x50, 0x44, 0x46]], ["TIFF", [0x49, 0x49, 0x2a, 0x00]],
    ["TIFF", [0x4d, 0x4d, 0x00, 0x2a]],
  ];
  const SENT = ["jpg", "png", "bmp"];
  let shown = ""; // the address of the image that is shown
  let running = false;

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // The kind of a file by its first bytes; "" for an unknown one.
  async function kindOf(file) {
    const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
    const tag = String.fromCharCode(...head.slice(4, 12));
    if (String.fromCharCode(...head.slice(0, 4)) === "RIFF" && tag.endsWith("WEBP")) return "WebP";
    if (tag.startsWith("ftyp")) return tag.endsWith("avif") ? "AVIF" : "HEIC";
    return KINDS.find(([, magic]) => magic.every((byte, index) => head[index] === byte))?.[0] ?? "";
  }

  async function choose(file) {
    if (running) return;
    hold(true);
    try {
      const kind = await kindOf(file);
      const bitmap = await createImageBitmap(file).catch(() => null);
      const problem = check(file, kind, bitmap);
      if (problem) ask(problem, bitmap, file.name);
      else await send(file);
      bitmap?.close();
    } finally {
      hold(false);
    }
  }

  // Why a file is not sent as it is, and the label of the button that converts it ("": there is no way).
  function check(file, kind, bitmap) {
    if (!SENT.includes(kind)) {
      if (kind && bitmap) return { text: fill(texts.convert, { kind }), action: texts.converts };
      return { text: kind ? fill(texts.kind, { kind }) : texts.unknown, action: "" };
    }
    if (!bitmap) return { text: file.size > MAX_BYTES ? texts.tooLarge : texts.broken, action: "" };
    const { width, height } = bitmap;
    if (Math.min(width, height) < LOW) return { text: fill(texts.small, { width, height, low: LOW }), action: "" };
    if (file.size > MAX_BYTES || Math.max(width, height) > HIGH) {
      const size = `${(file.size / 1048576).toFixed(1)} MiB`;
      return { text: fill(texts.big, { width, height, size, high: HIGH }), action: texts.shrink };
    }
    return null;
  }

  function ask(problem, bitmap, name) {
    const actions = [];
    if (problem.action) {
      const redrawn = redraw(bitmap); // begins now: the bitmap is closed soon
      actions.push([problem.action, async () => {
        const file = await redrawn;
        if (file) await exclusively(() => send(new File([file], `${name || "image"}.jpg`, { type: "image/jpeg" })));
        else say(texts.cannot);
      }]);
      actions.push([texts.cancel, () => { place.replaceChildren(); }]);
    }
    say(problem.text, actions, problem.action ? "warn" : "bad");
  }

  // A JPEG of the image that keeps within the limits, on white; null when there is none.
  async function redraw(bitmap) {
    const canvas = document.createElement("canvas");
    const source = document.createElement("canvas");
    const longest = Math.max(bitmap.width, bitmap.height);
    let side = Math.min(longest, HIGH, SHRUNK_SIDE);
    paint(source, bitmap, side / longest);
    for (const first = side; side >= MIN_SHRUNK_SIDE || side === first; side = Math.floor(side * SMALLER)) {
      paint(canvas, source, side / first);
      for (const quality of QUALITIES) {
        const blob = await new Promise((done) => { canvas.toBlob(done, "image/jpeg", quality); });
        if (blob && blob.size <= MAX_BYTES && Math.min(canvas.width, canvas.height) >= LOW) return blob;
      }
    }
    return null;
  }

  function paint(canvas, image, scale) {
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  function hold(held) {
    running = held;
    controls.disabled = held;
    controls.setAttribute("aria-busy", String(held));
  }

  async function exclusively(work) {
    if (running) return;
    hold(true);
    try {
      await work();
    } finally {
      hold(false);
    }
  }

  // Sends a file, or the sample at an address. Called while the controls are held.
  async function send(file, sample = "") {
    const data = new FormData(form);
    for (const field of document.querySelectorAll("#try-controls select")) data.set(field.name, field.value);
    for (const hidden of document.querySelectorAll("#try-token input")) data.set(hidden.name, hidden.value);
    if (sample) data.set("sample", "1");
    else data.set("image", file, file.name || "image");
    wait();
    let answer;
    let text;
    try {
      answer = await fetch(form.action, { method: "POST", body: data, headers: { "HX-Request": "true" } });
      text = await answer.text();
    } catch {
      say(texts.failed, [[texts.retry, () => exclusively(() => send(file, sample))]]);
      return;
    }
    const left = answer.redirected || answer.headers.get("hx-redirect");
    if (left || answer.status === 403) over(file, sample);
    else if (answer.status === 413) say(texts.tooLarge);
    else show(answer, text, file, sample);
  }

  function show(answer, text, file, sample) {
    const answered = new DOMParser().parseFromString(text, "text/html");
    const fresh = answered.getElementById("fresh-token");
    if (!fresh) { // an error page, which has its message in main
      say(answered.querySelector("main h1 + p, main .alert")?.textContent ?? `${texts.failed} (${answer.status})`);
      return;
    }
    document.getElementById("try-token").replaceChildren(...fresh.children);
    fresh.remove();
    place.replaceChildren(...answered.body.childNodes);
    const image = place.querySelector(".stage img");
    if (image) {
      if (shown.startsWith("blob:")) URL.revokeObjectURL(shown);
      shown = file ? URL.createObjectURL(file) : sample;
      image.addEventListener("load", () => placeMarks(image));
      image.src = shown;
    }
    place.querySelector("h2, .alert")?.focus();
  }

  // Marks are in pixels of the image as it is shown, after its EXIF turn, which naturalWidth and drawImage follow.
  function placeMarks(image) {
    const marks = place.querySelector(".stage svg");
    marks.setAttribute("viewBox", `0 0 ${image.naturalWidth} ${image.naturalHeight}`);
    for (const canvas of place.querySelectorAll("canvas[data-crop]")) {
      const [x, y, width, height] = canvas.dataset.crop.split(",").map(Number);
      canvas.width = width;
      canvas.height = height;
      canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
    }
  }

  function wait() {
    const waiting = document.createElement("div");
    waiting.className = "chart waiting";
    waiting.setAttribute("role", "status");
    waiting.setAttribute("aria-label", texts.waiting);
    place.replaceChildren(waiting);
  }

  // A message in the place of the result, with buttons [text, function].
  function say(text, actions = [], tone = "bad") {
    const alert = document.createElement("div");
    alert.className = `alert row ${tone}`;
    alert.setAttribute("role", "alert");
    alert.tabIndex = -1;
    const words = document.createElement("span");
    words.textContent = text;
    alert.append(words, ...actions.map(([label, act]) => button(label, act)));
    place.replaceChildren(alert);
    (alert.querySelector("button, a") ?? alert).focus();
    return alert;
  }

  function button(label, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "button";
    made.textContent = label;
    made.addEventListener("click", act);
    return made;
  }

  // The session has ended, or is another one: the image stays here while the user signs in elsewhere.
  function over(file, sample) {
    const alert = say(texts.over, [[texts.goOn, () => exclusively(() => resume(file, sample))]], "warn");
    const link = document.createElement("a");
    link.className = "button main-action";
    link.href = texts.login;
    link.target = "_blank";
    link.rel = "noopener";
    link.textContent = texts.signIn;
    alert.querySelector("button").before(link);
    link.focus();
  }

  // Takes the tokens of the new session from a new page, and sends the same image.
  async function resume(file, sample) {
    const page = await fetch(location.href).then((answer) => answer.text()).catch(() => "");
    const fresh = new DOMParser().parseFromString(page, "text/html");
    const token = fresh.getElementById("try-token");
    const apps = fresh.getElementById("app");
    if (!token || !apps) {
      over(file, sample);
      return;
    }
    document.getElementById("try-token").replaceChildren(...token.children);
    const wanted = app.value;
    app.replaceChildren(...apps.children);
    if ([...app.options].some((each) => each.value === wanted)) app.value = wanted;
    notice();
    await send(file, sample);
  }

  // Says so while the chosen app has not opened the capability.
  function notice() {
    const closed = app.selectedOptions[0]?.dataset.closed !== undefined;
    const note = document.getElementById("not-opened");
    note.hidden = !closed;
    const link = note.querySelector("[data-app-page]");
    if (link) link.href = `${link.dataset.appPage}${app.value}#open`;
  }

  const light = (event, lit) => {
    const line = event.target.closest?.("[data-mark]");
    if (!line) return;
    for (const each of place.querySelectorAll(`[data-mark="${line.dataset.mark}"]`)) each.classList.toggle("lit", lit);
  };
  place.addEventListener("mouseover", (event) => light(event, true));
  place.addEventListener("mouseout", (event) => light(event, false));

  app.addEventListener("change", notice);
  for (const input of [document.getElementById("image"), document.getElementById("camera")]) {
    input.addEventListener("change", () => {
      const file = input.files[0];
      input.value = "";
      if (file) choose(file);
    });
  }
  for (const each of document.querySelectorAll("[data-sample]")) {
    each.addEventListener("click", () => exclusively(() => send(null, each.dataset.sample)));
  }
  for (const kind of ["dragover", "dragenter"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) choose(file);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
})();
