// What a box looks like: its size, its words, and the two places that fill in, the value and the gradient.

const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";
const SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";
const WORDS = 176; // the widest that the words of a box may be
const PLACE = 56; // the width of a place for a value or a gradient

const measure = (() => {
  const context = document.createElement("canvas").getContext("2d");
  const known = new Map();
  return (text, font) => {
    const key = `${font}|${text}`;
    if (!known.has(key)) {
      context.font = font;
      known.set(key, context.measureText(text).width);
    }
    return known.get(key);
  };
})();

// Text cut so that it fits; the end of a name says more than its middle.
function cut(text, font, room) {
  if (measure(text, font) <= room) return text;
  const letters = Array.from(text);
  for (let keep = letters.length - 1; keep > 2; keep--) {
    const head = Math.ceil(keep / 3);
    const shorter = `${letters.slice(0, head).join("")}…${letters.slice(letters.length - keep + head).join("")}`;
    if (measure(shorter, font) <= room) return shorter;
  }
  return letters.slice(0, 3).join("");
}

class Boxes {
  constructor(graph, groups) {
    this.graph = graph;
    this.groups = groups;
    this.faces = new Map();
  }

  // The two lines of a box, its size, and whether it has a place for a gradient.
  face(key) {
    const id = Number(key.slice(1));
    if (!this.faces.has(key)) this.faces.set(key, key[0] === "n" ? this.ofNode(id) : this.ofGroup(id));
    return this.faces.get(key);
  }

  ofNode(id) {
    const node = this.graph.nodes[id];
    const shape = node.shapes[0].length ? node.shapes[0].join(" × ") : "number";
    if (node.kind !== OP) {
      const name = within(node.name, this.groups.groups[node.group].path);
      return this.sized(name, `${KINDS[node.kind]} · ${shape}`, node.kind !== CONSTANT, KINDS[node.kind]);
    }
    const whole = node.name ? `${node.name} = ${node.expression}` : node.expression;
    const fits = measure(whole, `600 12.5px ${MONO}`) <= WORDS;
    const short = node.name ? `${node.name} = ${node.op}(…)` : `${node.op}(…)`;
    const kind = id === this.graph.loss ? "op output" : "op";
    return this.sized(fits ? whole : short, `${node.op} · ${shape}`, true, kind);
  }

  ofGroup(id) {
    const group = this.groups.groups[id];
    const inside = plural(group.operations.length, "operation");
    const parameters = group.leaves.filter((leaf) => this.graph.nodes[leaf].kind === PARAMETER).length;
    const type = group.type && group.path ? group.type : "";
    const third = !type ? "" : `${inside}${parameters ? `, ${plural(parameters, "parameter")}` : ""}`;
    return this.sized(this.groups.shortName(id), type || inside, true, "folded", third);
  }

  sized(title, subtitle, gradient, kind, third = "") {
    const font = `600 12.5px ${MONO}`, small = `11px ${SANS}`;
    const wide = Math.max(measure(title, font), measure(subtitle, small), measure(third, small), 44);
    const words = Math.ceil(Math.min(WORDS, wide));
    const places = (gradient ? 2 : 1) * (PLACE + 6), sign = kind === "folded" ? 22 : 0;
    return {
      title: cut(title, font, words), subtitle: cut(subtitle, small, words), third: cut(third, small, words),
      gradient, kind, words, width: 12 + words + 6 + places + 5 + sign, height: third ? 62 : 50,
    };
  }

  sizeOf(key) {
    const { width, height } = this.face(key);
    return { width, height };
  }

  headerWidth(id) {
    const group = this.groups.groups[id];
    const type = group.path && group.type ? measure(group.type, `11px ${SANS}`) + 10 : 0;
    return 50 + measure(this.header(id), `600 12px ${SANS}`) + type;
  }

  header(id) {
    return cut(this.groups.shortName(id), `600 12px ${SANS}`, 260);
  }

  // The element of a box; `fillIn` puts in what is known.
  element(key, actions) {
    const face = this.face(key), group = key[0] === "g";
    const { width, height } = face;
    const element = draw("g", {
      class: `box ${face.kind}`, role: "button", tabindex: -1, "data-key": key,
      "aria-expanded": group ? "false" : null,
    });
    const radius = face.kind.startsWith("op") || group ? 9 : 2;
    if (group) element.append(draw("rect", { class: "shadow", x: 4, y: 4, width, height, rx: radius }));
    element.append(draw("rect", { class: "body", width, height, rx: radius }));
    if (face.kind === "op output") {
      const inner = { class: "inner", x: 3, y: 3, width: width - 6, height: height - 6, rx: radius - 3 };
      element.append(draw("rect", inner));
    }
    element.append(
      draw("text", { class: "title", x: 12, y: face.third ? 20 : 22 }, face.title),
      draw("text", { class: "subtitle", x: 12, y: face.third ? 36 : 38 }, face.subtitle),
    );
    if (face.third) element.append(draw("text", { class: "subtitle", x: 12, y: 51 }, face.third));
    const left = 12 + face.words + 10, top = (height - 38) / 2;
    element.slots = [this.slot("value", left, top)];
    if (face.gradient) element.slots.push(this.slot("gradient", left + PLACE + 6, top));
    for (const slot of element.slots) element.append(slot);
    const unfold = () => actions.unfold(Number(key.slice(1)));
    if (group) element.append(foldSign(width - 22, (height - 15) / 2, true, unfold));
    return element;
  }

  slot(role, x, y) {
    const width = PLACE;
    const element = draw("g", { class: `slot ${role}` }, draw("rect", { x, y, width, height: 38, rx: 3 }));
    Object.assign(element, { role, box: [x + 2, y + 2, width - 4, 34], now: null });
    element.append(draw("text", { class: "hint", x: x + width / 2, y: y + 23 }, role));
    return element;
  }

  // Puts a value or gradient into its place, or takes it out; null stands for "not yet".
  fillIn(slot, known, values) {
    const now = known ? values || "none" : null;
    if (slot.now === now) return;
    slot.now = now;
    slot.lastChild.remove();
    slot.classList.toggle("known", known);
    const [x, y, width, height] = slot.box;
    const hint = !known ? slot.role : values ? null : "unknown";
    slot.append(hint
      ? draw("text", { class: "hint", x: x + width / 2, y: y + 21 }, hint)
      : miniature(values, slot.role, x, y, width, height));
  }
}

// The sign that folds or unfolds, large enough for a finger.
function foldSign(x, y, folded, act) {
  const sign = draw("g", { class: "sign", transform: `translate(${x} ${y})`, "aria-hidden": "true" },
    draw("title", null, folded ? "unfold (f)" : "fold (f)"),
    draw("rect", { class: "touch", x: -8, y: -8, width: 32, height: 30 }),
    draw("rect", { class: "face", width: 15, height: 15, rx: 3 }),
    draw("path", { d: folded ? "M3.5 7.5h8M7.5 3.5v8" : "M3.5 7.5h8" }));
  sign.addEventListener("click", (event) => { event.stopPropagation(); act(); });
  return sign;
}
