// What is shown beside a box that is pointed at, or that has the keyboard: its arrays, as far as they are known.

class Tip {
  constructor(element, graph, groups, steps, view) {
    Object.assign(this, { element, graph, groups, steps, view });
  }

  show(box) {
    const { key } = box.dataset, id = this.view.nodeOf(key), node = this.graph.nodes[id];
    const title = node.kind === OP ? `${node.name} = ${node.expression}` : node.name;
    const folded = key[0] === "g" && faint(`its last result, ${node.name}`);
    const name = folded ? this.groups.nameOf(Number(key.slice(1))) : title;
    this.element.replaceChildren(...[
      make("h4", null, make("bdi", null, name)), folded,
      this.steps.hasValue(id) ? this.tables(node.values, "value") : faint("value: not computed yet"),
      node.kind === CONSTANT ? faint("needs no gradient")
        : this.steps.hasGradient(id) ? this.tables(node.gradients, "gradient") : faint("gradient: not known yet"),
    ].flat().filter(Boolean));
    this.element.hidden = false;
    this.place(box.getBoundingClientRect());
    box.setAttribute("aria-describedby", this.element.id);
  }

  tables(values, role) {
    return values.map((each, i) => arrayTable(each, role, values.length > 1 ? `${role}, output ${i + 1}` : role));
  }

  // Beside the box if there is room, else below or above it.
  place(box) {
    const { width, height } = this.element.getBoundingClientRect(), gap = 10;
    const right = box.right + gap, left = box.left - gap - width;
    const beside = right + width < innerWidth || left > 0;
    const below = box.bottom + gap + height < innerHeight ? box.bottom + gap : box.top - gap - height;
    const x = right + width < innerWidth ? right : left > 0 ? left : gap, y = beside ? box.top : below;
    this.element.style.left = `${Math.max(gap, x)}px`;
    this.element.style.top = `${Math.max(gap, Math.min(y, innerHeight - height - gap))}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}
