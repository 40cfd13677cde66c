// Elements of the document, and arrays as tables, small heat maps and histograms.

// An element with attributes and children; text is never read as markup.
function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The largest size among the elements, by which all are tinted.
function largest(values) {
  return Math.max(...extent(values).map(Math.abs)) || 1;
}

const WIDE = 8; // numbers in a line; longer rows of an array go on below

// All of a small array; of a large one its range, mean and histogram. `role` is "value" or "gradient".
function arrayTable(values, role, label) {
  if (!values) return faint(label, label && ": ", role === "gradient" ? "no gradient arrives" : "not recorded");
  const shape = values.shape.length > 0 && make("span", { class: "shape" }, shapeText(values.shape));
  const caption = make("div", { class: "caption" }, label || "", shape);
  const figure = (content) => make("figure", { class: `array ${role}` }, caption, content);
  if (!values.data) return figure(histogram(values));
  if (!values.data.length) return figure(faint("no elements"));
  const most = largest(values);
  const cell = (each) => {
    const td = make("td", { title: String(each) }, number(each));
    const size = typeof each === "number" ? Math.abs(each) / most : 0;
    td.style.setProperty("--tint", `${Math.round(size * 34)}%`);
    return td;
  };
  const rows = rowsOf(values).flatMap((row, i) => {
    const lines = [];
    for (let j = 0; j < row.length; j += WIDE) lines.push(row.slice(j, j + WIDE));
    const next = (j) => (lines.length > 1 && i > 0 && j === 0 ? "next" : null);
    return lines.map((line, j) => make("tr", { class: next(j) }, line.map(cell)));
  });
  return figure(make("table", { "aria-label": typeof label === "string" ? label : role }, make("tbody", null, rows)));
}

function histogram(values) {
  const odd = values.notFinite ? faint(`${plural(values.notFinite, "element")} not finite`) : null;
  if (values.low === null) return [odd];
  const most = Math.max(...values.counts, 1);
  const bars = values.counts.map((count, i) => {
    const height = count ? Math.max(1, (count / most) * 40) : 0;
    return draw("rect", { x: i * 12 + 0.5, y: 44 - height, width: 11, height, class: "bar" });
  });
  const words = `histogram from ${number(values.low)} to ${number(values.high)}, mean ${number(values.mean)}`;
  return [
    draw("svg", { viewBox: "0 0 192 45", class: "histogram", role: "img", "aria-label": words },
      draw("title", null, words), bars, draw("line", { x1: 0, x2: 192, y1: 44.5, y2: 44.5, class: "base" })),
    make("div", { class: "range" }, make("span", null, number(values.low)),
      make("span", { class: "faint" }, `mean ${number(values.mean, 3)}`), make("span", null, number(values.high))),
    odd,
  ];
}

const SHADES = [0.12, 0.3, 0.48, 0.66, 0.84, 1];

// An array drawn small, in the middle of a rectangle: a number, a map of its elements, or a histogram. In the map the
// colour is stronger the larger an element is, and negative ones bear a minus.
function miniature(values, role, x, y, width, height) {
  const middle = x + width / 2;
  if (values.data && values.data.length === 1) {
    return draw("text", { x: middle, y: y + height / 2 + 4.5, class: `figure ${role}` }, number(values.data[0], 3));
  }
  if (values.data && !values.data.length) {
    return draw("text", { x: middle, y: y + height / 2 + 4, class: "hint" }, "empty");
  }
  const paths = new Map();
  const add = (shade, path) => paths.set(shade, (paths.get(shade) || "") + path);
  let minuses = "";
  if (values.data) {
    const rows = rowsOf(values), most = largest(values);
    const cell = Math.min(11, height / rows.length, width / rows[0].length);
    const left = middle - (cell * rows[0].length) / 2, top = y + height / 2 - (cell * rows.length) / 2;
    rows.forEach((row, i) => row.forEach((each, j) => {
      const size = typeof each === "number" ? Math.abs(each) / most : 0;
      const cx = left + j * cell, cy = top + i * cell, side = cell - 0.8;
      add(SHADES[Math.min(5, Math.floor(size * 5.999))], `M${cx} ${cy}h${side}v${side}h${-side}z`);
      if (each < 0 && cell > 3) minuses += `M${cx + side * 0.25} ${cy + side / 2}h${side * 0.5}`;
    }));
  } else {
    const most = Math.max(...values.counts, 1), step = Math.min(4, width / values.counts.length);
    const left = middle - (step * values.counts.length) / 2;
    values.counts.forEach((count, i) => {
      const size = count ? Math.max(1, (count / most) * height) : 0;
      if (size) add(0.84, `M${left + i * step} ${y + height}v${-size}h${step - 0.8}v${size}z`);
    });
  }
  return draw("g", { class: `map ${role}` },
    [...paths].map(([shade, d]) => draw("path", { d, "fill-opacity": shade })),
    minuses && draw("path", { d: minuses, class: "minus" }));
}
