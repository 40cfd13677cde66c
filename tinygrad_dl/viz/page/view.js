// The graph on the screen: boxes, frames and arrows; moving and enlarging it.

class View {
  constructor(svg, graph, groups, steps, actions) {
    Object.assign(this, { svg, graph, groups, steps, actions });
    this.boxes = new Boxes(graph, groups);
    this.layers = ["frames", "arrows", "labels", "boxes"].map((name) => draw("g", { class: name }));
    this.stage = draw("g", { class: "stage" }, this.layers);
    svg.append(this.stage);
    this.made = new Map(); // the elements of boxes, which are kept when they are out of the picture for a while
    this.at = { x: 0, y: 0, scale: 1 };
    this.focus = null;
    this.listen();
  }

  // Lays the picture out anew, after something was folded or unfolded.
  build() {
    const [frames, arrows, labels, boxes] = this.layers;
    this.layers.forEach((layer) => layer.replaceChildren());
    this.picture = lay(this.groups, (key) => this.boxes.sizeOf(key), (id) => this.boxes.headerWidth(id));
    for (const frame of this.picture.frames) {
      const { id, x, y, width, height } = frame, group = this.groups.groups[id];
      frames.append(draw("rect", { class: `frame level${group.depth % 2}`, x, y, width, height, rx: 10 }));
      const name = this.boxes.header(id);
      const label = draw("g", { class: "label", transform: `translate(${x} ${y})`, "aria-hidden": "true" });
      const type = group.path && group.type ? group.type : "";
      const wide = measure(name, `600 12px ${SANS}`);
      label.append(
        draw("rect", { class: "back", x: 4, y: 3, width: this.boxes.headerWidth(id) - 14, height: 21, rx: 6 }),
        foldSign(9, 6, false, () => this.actions.fold(id)),
        draw("text", { class: "name", x: 31, y: 18 }, name),
        type && draw("text", { class: "type", x: 39 + wide, y: 18 }, type),
      );
      labels.append(label);
    }
    this.segments = new Map();
    for (const segment of this.picture.segments) {
      const line = draw("path", { class: "line", d: curve(segment.points) });
      const element = draw("g", { class: "arrow" }, line);
      if (segment.last) element.append(draw("path", { class: "head", d: arrowHead(segment.points) }));
      this.segments.set(segment.key, element);
      arrows.append(element);
    }
    this.elements = new Map();
    for (const [key, { x, y }] of this.picture.boxes) {
      if (!this.made.has(key)) this.made.set(key, this.boxes.element(key, this.actions));
      const element = this.made.get(key);
      element.setAttribute("transform", `translate(${round(x)} ${round(y)})`);
      this.elements.set(key, element);
    }
    // In the order of the program, which is the order in which the arrow keys go through them.
    this.order = this.groups.boxes().sort((a, b) => this.firstOf(a) - this.firstOf(b));
    boxes.append(...this.order.map((key) => this.elements.get(key)));
    this.focus = this.focus || this.order[0];
  }

  firstOf(key) {
    const id = Number(key.slice(1));
    return key[0] === "n" ? id : this.groups.groups[id].operations[0];
  }

  // The node whose value and gradient a box shows: of a folded group its last result.
  nodeOf(key) {
    const id = Number(key.slice(1));
    if (key[0] === "n") return id;
    const inside = this.groups.groups[id].operations;
    return inside[inside.length - 1];
  }

  // Shows the state after the current step, and the way that is followed.
  mark(path = this.path) {
    this.path = path;
    const { steps, graph } = this, current = steps.current;
    const onWay = new Set(), near = new Set(), wayArrows = new Set();
    if (path) {
      for (const node of path.reached) near.add(steps.seen[node]);
      onWay.add(steps.seen[path.start]);
      for (const link of path.links) {
        onWay.add(steps.seen[link.node]);
        wayArrows.add(`${steps.seen[link.from]}>${steps.seen[link.node]}`);
      }
    }
    this.svg.classList.toggle("following", Boolean(path));
    for (const [key, element] of this.elements) {
      const id = this.nodeOf(key), node = graph.nodes[id];
      const known = [steps.hasValue(id), steps.hasGradient(id)];
      this.boxes.fillIn(element.slots[0], known[0], node.values[node.main]);
      if (element.slots[1]) this.boxes.fillIn(element.slots[1], known[1], node.gradients[node.main]);
      const set = (name, on) => element.classList.toggle(name, on);
      set("current", current.box === key);
      set("back", current.box === key && current.phase !== "forward");
      set("way", onWay.has(key));
      set("near", near.has(key));
      element.setAttribute("aria-label", this.describe(key, known));
      element.setAttribute("tabindex", key === this.focus ? 0 : -1);
      if (current.box === key) element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
    }
    const states = new Map();
    for (const arrow of this.picture.arrows.values()) {
      const state = { value: false, gradient: false, active: "", way: wayArrows.has(arrow.key) };
      for (const each of arrow.edges) {
        if (steps.valueAt[each.node] <= steps.time) state.value = true;
        const { rule } = graph.nodes[each.node].edges[each.edge];
        if (steps.backAt[each.node] <= steps.time && rule) state.gradient = true;
      }
      if (current.box === arrow.to && current.kind === "forward") state.active = "forward";
      if (current.box === arrow.to && current.kind === "backward" && state.gradient) state.active = "backward";
      for (const segment of arrow.segments) {
        const all = states.get(segment.key) || {};
        for (const name of Object.keys(state)) all[name] = all[name] || state[name];
        states.set(segment.key, all);
      }
    }
    for (const [key, state] of states) {
      const classes = ["arrow", state.value && "value", state.gradient && "gradient", state.active, state.way && "way"];
      this.segments.get(key).setAttribute("class", classes.filter(Boolean).join(" "));
    }
  }

  describe(key, known) {
    const face = this.boxes.face(key), node = this.graph.nodes[this.nodeOf(key)];
    const folded = key[0] === "g";
    const what = `${folded ? "folded module " : ""}${face.title}, ${face.subtitle}${folded ? ` ${face.third}` : ""}`;
    const value = known[0] ? inWords(node.values[node.main]) : "not computed yet";
    const gradient = known[1] ? inWords(node.gradients[node.main]) : "not known yet";
    const parent = this.groups.parentOf(key), where = parent > 0 ? `, in module ${this.groups.nameOf(parent)}` : "";
    return `${what}${where}; value ${value}; ${face.gradient ? `gradient ${gradient}` : "needs no gradient"}`;
  }

  // --- moving and enlarging

  place() {
    this.actions.moved();
    const { x, y, scale } = this.at;
    this.stage.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  }

  size() {
    const { width, height } = this.svg.getBoundingClientRect();
    return [Math.max(width, 50), Math.max(height, 50)];
  }

  // The whole picture if it is still legible, else as much of it as is; its width matters more than its height.
  fit(all = false) {
    const [width, height] = this.size(), margin = width < 500 ? 10 : 24;
    const wide = (width - 2 * margin) / this.picture.width;
    const whole = Math.min(wide, (height - 2 * margin) / this.picture.height);
    const scale = all ? Math.min(1.2, whole) : Math.max(Math.min(1.2, whole), Math.min(0.8, Math.max(0.65, wide)));
    const x = (width - this.picture.width * scale) / 2, y = (height - this.picture.height * scale) / 2;
    this.at = { scale, x, y: Math.max(margin, y) };
    this.place();
    if (whole < scale && this.steps.current.box) this.show(this.steps.current.box, true);
  }

  zoom(factor, cx, cy) {
    const [width, height] = this.size(), { x, y, scale } = this.at;
    const next = Math.max(0.08, Math.min(3, scale * factor));
    [cx, cy] = [cx === undefined ? width / 2 : cx, cy === undefined ? height / 2 : cy];
    this.at = { scale: next, x: cx - ((cx - x) * next) / scale, y: cy - ((cy - y) * next) / scale };
    this.place();
  }

  pan(dx, dy) {
    this.at.x += dx;
    this.at.y += dy;
    this.place();
  }

  // Whether there is something of the picture out of sight in a direction.
  reaches(dx, dy) {
    const [width, height] = this.size(), { x, y, scale } = this.at, { picture } = this;
    const past = (d, low, high, room) => (d < 0 && low < 0) || (d > 0 && high > room);
    return past(dx, x, x + picture.width * scale, width) || past(dy, y, y + picture.height * scale, height);
  }

  // Moves a box into sight, no further than needed.
  show(key, atOnce = false) {
    const box = this.picture.boxes.get(key);
    if (!box) return;
    const [width, height] = this.size(), { x, y, scale } = this.at;
    const shift = (low, length, room) => {
      const margin = Math.min(24, Math.max(6, (room - length) / 2));
      if (low < margin) return margin - low;
      if (low + length > room - margin) return room - margin - low - length;
      return 0;
    };
    const dx = shift(x + box.x * scale, box.width * scale, width);
    const dy = shift(y + box.y * scale, box.height * scale, height);
    if (Math.abs(dx) + Math.abs(dy) > 0.5) (atOnce ? this.pan(dx, dy) : this.glide(dx, dy));
  }

  glide(dx, dy) {
    cancelAnimationFrame(this.gliding);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.pan(dx, dy);
    const from = { ...this.at }, begin = performance.now();
    const frame = (now) => {
      const t = Math.min(1, (now - begin) / 220), eased = t * (2 - t);
      this.at = { ...this.at, x: from.x + dx * eased, y: from.y + dy * eased };
      this.place();
      if (t < 1) this.gliding = requestAnimationFrame(frame);
    };
    this.gliding = requestAnimationFrame(frame);
  }

  listen() {
    const pointers = new Map();
    let moved = 0;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      cancelAnimationFrame(this.gliding);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      moved = 0;
    });
    addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
      moved += Math.abs(dx) + Math.abs(dy);
      if (pointers.size === 1 && moved > 4) {
        this.pan(dx, dy);
        this.svg.classList.add("held");
      } else if (pointers.size === 2) {
        const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        const distance = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
        const { left, top } = this.svg.getBoundingClientRect();
        this.zoom(distance(now) / distance(before), (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
      }
      pointers.set(event.pointerId, now);
    });
    const release = (event) => {
      pointers.delete(event.pointerId);
      this.svg.classList.remove("held");
    };
    addEventListener("pointerup", release);
    addEventListener("pointercancel", release);
    this.svg.addEventListener("wheel", (event) => {
      const { left, top } = this.svg.getBoundingClientRect(), larger = Math.exp(-event.deltaY / 200);
      const zooms = event.ctrlKey || event.metaKey;
      if (!zooms && !this.reaches(event.deltaX, event.deltaY)) return; // the page around may scroll
      event.preventDefault();
      if (zooms) this.zoom(larger, event.clientX - left, event.clientY - top);
      else this.pan(-event.deltaX, -event.deltaY);
    }, { passive: false });
    this.svg.addEventListener("click", (event) => {
      const box = event.target.closest("[data-key]");
      if (moved > 4) return;
      if (box) this.actions.choose(box.dataset.key);
    });
    this.svg.addEventListener("dblclick", (event) => {
      const box = event.target.closest("[data-key]");
      if (box && box.dataset.key[0] === "g") this.actions.unfold(Number(box.dataset.key.slice(1)));
    });
  }

  // The keyboard's place in the picture.
  setFocus(key) {
    if (!this.elements.has(key)) return;
    const old = this.elements.get(this.focus);
    if (old) old.setAttribute("tabindex", -1);
    this.focus = key;
    this.elements.get(key).setAttribute("tabindex", 0);
    this.elements.get(key).focus({ preventScroll: true });
    this.show(key);
  }

  moveFocus(by) {
    const at = this.order.indexOf(this.focus);
    this.setFocus(this.order[Math.max(0, Math.min(this.order.length - 1, at + by))]);
  }
}

function curve(points) {
  let path = `M${points[0].map(round).join(" ")}`;
  for (let i = 1; i < points.length; i++) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i].map(round);
    if (Math.abs(x0 - x1) < 0.5) path += `L${x1} ${y1}`;
    else path += `C${round(x0)} ${round((y0 + y1) / 2)} ${x1} ${round((y0 + y1) / 2)} ${x1} ${y1}`;
  }
  return path;
}

function arrowHead(points) {
  const [x, y] = points[points.length - 1].map(round);
  return `M${x} ${y}l-4 -7h8z`;
}

function round(number) {
  return Math.round(number * 10) / 10;
}
