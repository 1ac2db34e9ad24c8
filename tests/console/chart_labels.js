// Problems of the labels of all charts of a page, as a list of sentences: one over another, or cut by the edge.
() => {
  const found = [];
  const places = [...document.querySelectorAll("[data-chart]")];
  for (const place of places) {
    const chart = echarts.getInstanceByDom(place);
    if (!place.clientWidth) continue;
    const boxes = [];
    for (const each of chart.getZr().storage.getDisplayList(true)) {
      const text = each.style?.text;
      if (each.type !== "tspan" || !text?.trim() || each.ignore || each.invisible) continue;
      const box = each.getBoundingRect().clone();
      if (each.transform) box.applyTransform(each.transform);
      boxes.push({ text, left: box.x, right: box.x + box.width, top: box.y, bottom: box.y + box.height });
    }
    if (boxes.length < 5) found.push(`${place.ariaLabel}: ${boxes.length} labels`);
    for (const [index, one] of boxes.entries()) {
      if (one.left < -1 || one.top < -1 || one.right > place.clientWidth + 1 || one.bottom > place.clientHeight + 1) {
        found.push(`${place.ariaLabel}: cut off: ${one.text}`);
      }
      for (const other of boxes.slice(index + 1)) {
        const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (across > 1 && down > 2) found.push(`${place.ariaLabel}: ${one.text} over ${other.text}`);
      }
    }
  }
  return places.length ? [...new Set(found)] : ["no chart"];
}
