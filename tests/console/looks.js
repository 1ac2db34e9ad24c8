// Layout problems of a page, as a list of sentences. Evaluated in the page by tests/console/page_checks.py.
() => {
  const SHORT = 8;  // characters of a name that fits into every column
  const found = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide`);

  const name = (element) => {
    const text = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") || ""}"> “${text}”`;
  };
  const hidden = (element) => element.closest(".sr, .skip, [hidden], .toast, option, title, script, style") !== null
    || getComputedStyle(element.closest("thead") ?? element).clipPath !== "none"  // for screen readers only
    || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  // The part of a box that its scrolling or hiding ancestors do not clip.
  const seen = (box, element) => {
    let [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom];
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (getComputedStyle(each).overflow === "visible") continue;
      const edge = each.getBoundingClientRect();
      [left, top] = [Math.max(left, edge.left), Math.max(top, edge.top)];
      [right, bottom] = [Math.min(right, edge.right), Math.min(bottom, edge.bottom)];
    }
    return { left, top, right, bottom };
  };

  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("svg") || hidden(parent)) continue;
    range.selectNodeContents(node);
    // A short name, such as that of a capability, is not broken in two; the end of a sentence after <code> may be.
    const text = parent.textContent.trim();
    const lines = [...range.getClientRects()].filter((box) => box.width > 2);
    const broken = lines.length > 1 && lines[lines.length - 1].top > lines[0].top + 8;
    if (broken && text.length <= SHORT && !/[\d:/]/.test(text)) found.push(`broken in two: ${name(parent)}`);
    for (const box of range.getClientRects()) {
      const part = seen(box, parent);
      if (part.right - part.left < 2 || part.bottom - part.top < 2) continue;
      if (part.right > width + 1 || part.left < -1) found.push(`beyond the edge: ${name(parent)}`);
      boxes.push({ ...part, node, parent });
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  for (let first = 0; first < boxes.length; first += 1) {
    const one = boxes[first];
    for (let second = first + 1; second < boxes.length && boxes[second].top < one.bottom; second += 1) {
      const other = boxes[second];
      if (one.node === other.node) continue;
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (across > 2 && down > 4) found.push(`one over another: ${name(one.parent)} and ${name(other.parent)}`);
    }
  }

  // Text that is cut off and cannot be scrolled to, unless a title shows it.
  for (const element of document.querySelectorAll("body *")) {
    const style = getComputedStyle(element);
    const cuts = ["hidden", "clip"].includes(style.overflowX) || element.matches("button, .button, .badge, th, select");
    if (!cuts || element.title || element.closest("svg") || hidden(element) || !element.textContent.trim()) continue;
    if (element.scrollWidth > element.clientWidth + 1) found.push(`cut off: ${name(element)}`);
  }
  // A label that replaces a column heading beside its value must not overlap the next row.
  for (const cell of document.querySelectorAll("td[data-label]")) {
    if (hidden(cell) || getComputedStyle(cell, "::before").content === "none") continue;
    if (cell.scrollHeight > cell.clientHeight + 1) found.push(`a label overflows its cell: ${name(cell)}`);
  }
  // A message is said once: not above the page and in the dialog as well.
  const messages = [...document.querySelectorAll(".alert, .toast")].filter((each) => each.checkVisibility());
  const said = messages.map((each) => each.textContent.trim()).filter((text, index, all) => text && all.indexOf(text) !== index);
  for (const text of said) found.push(`said twice: “${text}”`);

  return [...new Set(found)].slice(0, 10);
}
