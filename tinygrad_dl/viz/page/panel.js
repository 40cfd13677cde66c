// The words beside the picture: what the current step does, with its formula and its numbers.

class Panel {
  constructor(element, graph, groups, steps, actions) {
    Object.assign(this, { element, graph, groups, steps, actions });
  }

  show(path) {
    const step = this.steps.current;
    const content = step.box && step.box[0] === "g" ? this.group(step) : this[step.kind](this.graph.nodes[step.node]);
    this.element.replaceChildren(
      make("p", { class: `kicker ${step.phase}` }, `Step ${this.steps.position + 1} of ${this.steps.shown.length} · ${this.phase(step)}`),
      ...content.flat(2).filter(Boolean),
      ...(path ? this.way(path) : []),
    );
    this.element.scrollTop = 0;
  }

  phase(step) {
    return { start: "before the start", forward: "forward pass", seed: "where the backward pass begins", end: "the end" }[step.kind] || "backward pass";
  }

  // For screen readers, when the step changes.
  announce() {
    const step = this.steps.current, node = step.node === null ? null : this.graph.nodes[step.node];
    const where = `Step ${this.steps.position + 1} of ${this.steps.shown.length}, ${this.phase(step)}`;
    if (!node) return `${where}.`;
    if (step.box[0] === "g") return `${where}: module ${this.groups.nameOf(Number(step.box.slice(1)))}.`;
    if (step.kind === "forward") return `${where}: ${this.title(node)}. Value ${inWords(node.values[0])}.`;
    const gradient = inWords(node.gradients[0]);
    return `${where}: ${step.kind === "backward" ? `back through ${this.title(node)}; gradient` : `gradient of ${node.name}`} ${gradient}.`;
  }

  title(node) {
    return node.kind === OP ? `${node.name} = ${node.expression}` : node.name;
  }

  get loss() {
    return this.graph.nodes[this.graph.loss].name;
  }

  // --- one kind of step each

  start() {
    const leaves = this.graph.nodes.filter((node) => node.kind === PARAMETER);
    const example = leaves[0] || this.graph.nodes.find((node) => node.kind === INPUT);
    return [
      make("h2", null, "How backpropagation works"),
      make("p", null, "This is a program as a graph. Each round box is one operation; the square boxes above it are what it reads. ",
        "The last box is ", code(this.loss), ", one number that says how wrong the result is."),
      make("p", null, "The question is: ", make("em", null, `how does ${this.loss} change if a parameter changes a little?`),
        " The answer is called the gradient. It has the shape of the parameter, one number for each of its elements. It is found in two passes:"),
      make("ol", null,
        make("li", null, make("b", { class: "value" }, "Forward"), ", from top to bottom: each operation computes its ", make("b", { class: "value" }, "value"), " from the values above."),
        make("li", null, make("b", { class: "gradient" }, "Backward"), ", from bottom to top: each operation gets the ", make("b", { class: "gradient" }, "gradient"),
          ` of its result, multiplies it by its own derivative, and hands it on to what it read. That is the chain rule. Where a value was used twice, two gradients arrive, and they are added.`)),
      example && make("p", null, "Press ", make("kbd", null, "→"), " for one step, or ", make("kbd", null, "space"), " to play. Click a parameter, such as ",
        this.link(example.id), ", to follow it to the loss."),
      this.legend(),
      this.graph.note && make("p", { class: "note" }, this.graph.note),
    ];
  }

  legend() {
    const sample = (kind, text) => make("li", null, make("span", { class: `swatch ${kind}` }), text);
    const values = { shape: [2, 3], data: [1, -0.6, 0.3, -0.2, 0.5, -1] };
    const many = { shape: [99], data: null, low: -1, high: 1, counts: [1, 2, 4, 6, 9, 13, 15, 16, 14, 12, 8, 6, 4, 2, 1, 1] };
    const picture = (each, role) => draw("svg", { width: 54, height: 30, viewBox: "0 0 54 30", "aria-hidden": "true" }, miniature(each, role, 1, 1, 52, 28));
    return make("section", { class: "legend", "aria-label": "legend" },
      make("h3", null, "What the boxes mean"),
      make("ul", { class: "kinds" }, sample("op", "operation"), sample("output", "loss"), sample("parameter", "parameter: learns"),
        sample("input", "input with a gradient"), sample("constant", "constant: no gradient"), sample("folded", "module, folded: + unfolds it")),
      make("div", { class: "row" }, picture(values, "value"), make("p", null, "A small array: one field for each element. The stronger the colour, the larger; a minus sign marks negative ones.")),
      make("div", { class: "row" }, picture(many, "gradient"), make("p", null, "A large array: its histogram. Point at a box to see the numbers.")));
  }

  forward(node) {
    const inputs = this.inputsOf(node), names = inputs.map((edge) => this.graph.nodes[edge.source].name);
    const sign = ["@", "+", "-", "*", "/"].find((each) => names.length === 2 && node.expression === names.join(` ${each} `));
    return [
      make("h2", { class: "formula" }, make("bdi", null, this.title(node))),
      make("p", null, `The operation ${node.op} computes `, code(node.name), inputs.length ? " from " : "", listed(inputs.map((edge) => this.link(edge.source))), "."),
      this.line(node),
      make("div", { class: "equation" },
        inputs.map((edge, i) => signed(i > 0 && sign && minus(sign), this.array(edge.source, "value", edge.output))),
        signed(sign ? "=" : "→", node.values.map((each, i) => arrayTable(each, "value", this.outputName(node, i))))),
    ];
  }

  inputsOf(node) {
    return node.edges.filter((edge, i) => node.edges.findIndex((each) => each.source === edge.source && each.output === edge.output) === i);
  }

  outputName(node, i) {
    return node.values.length > 1 ? `${node.name}, output ${i + 1}` : node.name;
  }

  seed(node) {
    return [
      make("h2", null, "The backward pass begins with 1"),
      make("p", null, "All values are known now. How does ", code(node.name), " change if ", code(node.name), " changes? By just as much, so its gradient is 1:"),
      make("p", { class: "chain" }, fraction(this.loss, node.name), " = 1"),
      make("p", null, "From here each step goes one operation back."),
      node.gradients.map((each, i) => arrayTable(each, "gradient", this.outputName(node, i))),
    ];
  }

  backward(node) {
    const sent = node.edges.filter((edge) => edge.rule);
    const idle = node.edges.filter((edge) => !edge.rule);
    return [
      make("h2", null, "Back through ", make("span", { class: "formula" }, make("bdi", null, this.title(node)))),
      this.line(node),
      make("h3", null, "What arrives: ", code(`${node.name}.grad`), " = ", fraction(this.loss, node.name)),
      this.arrived(node),
      make("h3", null, "What it hands on: that, times its own derivative"),
      sent.map((edge) => this.handedOn(node, edge)),
      idle.length > 0 && make("p", { class: "faint" }, listed(idle.map((edge) => code(this.graph.nodes[edge.source].name))),
        idle.length > 1 ? " need no gradient, so nothing goes there." : " needs no gradient, so nothing goes there."),
    ];
  }

  // The gradient at a node; if several operations used it, what each of them sent and the sum.
  arrived(node, name = `${node.name}.grad`) {
    const uses = node.uses.filter((use) => this.graph.nodes[use.node].edges[use.edge].rule);
    const totals = node.gradients.map((each, i) => arrayTable(each, "gradient", uses.length > 1 ? ["the sum"] : [name, node.gradients.length > 1 && `, output ${i + 1}`]));
    if (uses.length < 2 || node.gradients.length > 1) return make("div", { class: "equation" }, totals);
    const shown = uses.slice(0, 6), left = uses.length - shown.length;
    return [
      make("p", null, code(node.name), ` was used ${uses.length === 2 ? "twice" : `${uses.length} times`}, so ${uses.length} gradients arrive. They are added:`),
      make("div", { class: "equation" },
        shown.map((use, i) => {
          const user = this.graph.nodes[use.node], edge = user.edges[use.edge];
          return signed(i > 0 && "+", arrayTable(edge.gradient, "gradient", ["from ", this.link(use.node)]));
        }),
        left > 0 && make("span", { class: "sign" }, `+ ${left} more`),
        signed("=", totals)),
    ];
  }

  handedOn(node, edge) {
    const source = this.graph.nodes[edge.source], local = edge.local;
    const diagonal = local && local.diagonal && local.value, scalar = diagonal && local.value.shape.length === 0;
    const narrow = diagonal && local.value.data && rowsOf(local.value)[0].length <= 2; // three fit beside each other
    const derivative = fraction(node.name, source.name), shared = source.uses.length > 1;
    const count = local ? local.shape.reduce((a, b) => a * b, 1) : 0;
    return make("section", { class: "rule" },
      make("p", { class: "formula" }, this.link(edge.source, `${source.name}.grad`), shared ? " += " : " = ", make("code", { class: "gradient" }, edge.rule)),
      diagonal && !scalar && make("p", { class: "faint" }, "Each element by itself: what arrives, times the derivative ", derivative, "."),
      make("div", { class: "equation" },
        diagonal && [narrow ? arrayTable(node.gradients[0], "gradient", `${node.name}.grad`) : make("code", { class: "gradient" }, `${node.name}.grad`), signed("×", arrayTable(local.value, "value", [fraction(node.name, source.name)]))],
        signed(diagonal && "=", arrayTable(edge.gradient, "gradient", [shared ? "a part of " : "", fraction(this.loss, source.name)]))),
      local && !diagonal && count > 1 && make("p", { class: "faint" }, "Written out, ", derivative, ` has ${shapeText(local.shape)}${local.shape.length > 1 ? ` = ${count.toLocaleString("en")}` : ""} numbers: how each element of `,
        code(node.name), " changes with each of ", code(source.name), ". The rule multiplies by all of them without writing them out."),
      local && !diagonal && local.value && count > 1 && make("details", null, make("summary", null, "see them"),
        arrayTable(local.value, "value", [fraction(node.name, source.name), " a row for each element of ", code(node.name)])));
  }

  leaf(node) {
    const gradient = node.gradients[0];
    let most = null;
    if (gradient && gradient.data) {
      gradient.data.forEach((each, i) => { if (typeof each === "number" && (most === null || Math.abs(each) > Math.abs(gradient.data[most]))) most = i; });
    }
    const index = most === null ? "" : indexText(most, gradient.shape);
    return [
      make("h2", null, "The gradient of ", code(node.name), " is known"),
      make("div", { class: "beside" }, this.array(node.id, "value", 0), this.arrived(node, fraction(this.loss, node.name))),
      most !== null && gradient.data[most] !== 0 && make("p", null, "Read it like this: if ", code(node.name + index), " grew by 0.01, ", code(this.loss), ` would ${gradient.data[most] > 0 ? "grow" : "shrink"} by about `,
        make("b", null, number(Math.abs(gradient.data[most] * 0.01))), "."),
      node.kind === PARAMETER && make("p", null, "Gradient descent moves ", code(node.name), " a little against its gradient, so that ", code(this.loss), " gets smaller."),
    ];
  }

  end() {
    const leaves = this.graph.nodes.filter((node) => node.kind === PARAMETER || node.kind === INPUT);
    const rows = leaves.slice(0, 60).map((node) => make("tr", null, make("th", { scope: "row" }, this.link(node.id)),
      make("td", { class: "value" }, this.small(node.values[0], "value")), make("td", { class: "gradient" }, this.small(node.gradients[0], "gradient"))));
    return [
      make("h2", null, "All gradients are known"),
      make("p", null, "One pass forward and one back were enough for all of them, however many there are. The backward pass took each operation once, and reused what it had found below."),
      make("table", { class: "leaves" }, make("thead", null, make("tr", null, ["name", "value", "gradient"].map((each) => make("th", { scope: "col" }, each)))), make("tbody", null, rows)),
      leaves.length > 60 && make("p", { class: "faint" }, `and ${leaves.length - 60} more: point at their boxes`),
      make("p", null, "Click a parameter to follow its path to the loss."),
    ];
  }

  small(values, role) {
    if (!values) return "not recorded";
    return draw("svg", { width: 70, height: 38, viewBox: "0 0 70 38", role: "img", "aria-label": inWords(values) }, draw("title", null, inWords(values)), miniature(values, role, 2, 2, 66, 34));
  }

  group(step) {
    const id = Number(step.box.slice(1)), group = this.groups.groups[id];
    const result = this.graph.nodes[group.operations[group.operations.length - 1]];
    const inside = new Set(group.operations), parameters = group.leaves.filter((leaf) => this.graph.nodes[leaf].kind === PARAMETER);
    const outside = new Set();
    for (const node of group.operations) {
      for (const edge of this.graph.nodes[node].edges) if (!inside.has(edge.source) && !group.leaves.includes(edge.source)) outside.add(edge.source);
    }
    const forward = step.phase === "forward";
    const read = [...outside].slice(0, 4);
    return [
      make("h2", null, forward ? "" : "Back through ", code(this.groups.nameOf(id)), group.type && group.path ? ` (${group.type})` : ""),
      make("p", null, `${plural(group.operations.length, "operation")} in one step`, parameters.length ? `, with ${plural(parameters.length, "parameter")}` : "", ". ",
        make("button", { class: "inline", onclick: () => this.actions.unfold(id) }, "Unfold it"), " to see inside."),
      forward ? [
        read.length > 0 && make("h3", null, "What it reads"), make("div", { class: "equation" }, read.map((node) => this.array(node, "value", 0))),
        make("h3", null, "Its result"), this.array(result.id, "value", 0),
      ] : [
        make("h3", null, "What arrives at its result"), this.array(result.id, "gradient", 0),
        read.length > 0 && make("h3", null, "What has come back to what it read"),
        make("div", { class: "equation" }, read.filter((node) => this.graph.nodes[node].kind !== CONSTANT).map((node) => this.array(node, "gradient", 0))),
      ],
      parameters.length > 0 && make("p", null, "Its parameters: ", listed(parameters.slice(0, 12).map((leaf) => this.link(leaf, within(this.graph.nodes[leaf].name, group.path)))), parameters.length > 12 ? `, and ${parameters.length - 12} more` : "", "."),
    ];
  }

  // --- the path that is followed

  way(path) {
    const start = this.graph.nodes[path.start], current = this.steps.current.node;
    const factors = [...path.links].reverse().map((link) => {
      const node = this.graph.nodes[link.node], edge = node.edges[link.edge], local = edge.local && edge.local.value;
      const single = local && local.data && local.data.length === 1;
      return { node, edge, source: this.graph.nodes[link.from], on: current === link.node, number: single ? local.data[0] : null };
    });
    const shown = factors.length > 24 ? [...factors.slice(0, 12), null, ...factors.slice(-11)] : factors;
    const joined = (write) => shown.map((link, i) => make("span", { class: `factor ${link && link.on ? "on" : ""}` },
      link ? write(link) : "…", i < shown.length - 1 ? " · " : ""));
    const several = path.count > 1, numbers = factors.every((link) => typeof link.number === "number") && factors.length < 12;
    const product = factors.reduce((total, link) => total * link.number, 1);
    const rows = shown.map((link) => link === null
      ? make("li", { class: "faint" }, `… ${factors.length - 23} more`)
      : make("li", { class: link.on ? "on" : "" }, fraction(link.node.name, link.source.name),
        link.number !== null ? [" = ", make("b", null, number(link.number))] : "",
        make("span", { class: "faint" }, " by ", this.link(link.node.id, link.node.op)), make("code", { class: "gradient" }, link.edge.rule)));
    return [make("section", { class: "way", "aria-label": `the path from ${start.name} to ${this.loss}` },
      make("h3", null, "The chain rule from ", code(start.name), " to ", code(this.loss)),
      make("p", { class: "chain" }, fraction(this.loss, start.name), several ? ` = the sum over ${paths(path.count)}, one of them: ` : " = ",
        joined((link) => fraction(link.node.name, link.source.name))),
      numbers && make("p", { class: "numbers" }, "= ", joined((link) => (link.number < 0 ? `(${number(link.number)})` : number(link.number))), ` = ${number(product)}`),
      make("p", { class: "buttons" }, several && make("button", { class: "inline", onclick: () => this.actions.nextWay() }, `path ${path.number.toLocaleString("en")} of ${path.count.toLocaleString("en")}: show the next`),
        make("button", { class: "inline", onclick: () => this.actions.follow(null) }, "stop following")),
      make("ol", { class: "links" }, rows))];
  }

  // --- parts

  array(id, role, output) {
    const node = this.graph.nodes[id];
    const label = role === "gradient" ? [fraction(this.loss, node.name)] : node.values.length > 1 ? `${node.name}, output ${output + 1}` : node.name;
    return arrayTable(role === "gradient" ? node.gradients[output] : node.values[output], role, label);
  }

  link(id, text) {
    return make("button", { class: "name", "data-node": id, onclick: () => this.actions.visit(id) }, make("bdi", null, text || this.graph.nodes[id].name));
  }

  line(node) {
    if (!node.line) return null;
    const [file, lineNumber, where, text] = node.line;
    return make("pre", { class: "line" }, make("span", { class: "faint" }, `${file}:${lineNumber}${where ? ` in ${where}` : ""}\n`), make("code", null, text));
  }
}

// An array with the sign before it, which stay together where a line ends.
function signed(sign, ...arrays) {
  return make("div", { class: "signed" }, sign && make("span", { class: "sign" }, sign), arrays);
}

function code(text) {
  return make("code", null, make("bdi", null, text));
}

// ∂a/∂b, one above the other.
function fraction(above, below) {
  return make("span", { class: "fraction", role: "math", "aria-label": `d ${above} by d ${below}` },
    make("span", { "aria-hidden": "true" }, "∂", make("bdi", null, above)), make("span", { "aria-hidden": "true" }, "∂", make("bdi", null, below)));
}

function listed(parts) {
  return parts.map((part, i) => [i === 0 ? "" : i === parts.length - 1 ? " and " : ", ", part]);
}

function paths(count) {
  return count > 1e6 ? `${count.toExponential(1).replace("e+", "·10^")} paths` : plural(count, "path");
}

function indexText(flat, shape) {
  const index = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    index.unshift(flat % shape[i]);
    flat = Math.floor(flat / shape[i]);
  }
  return shape.length ? `[${index.join(", ")}]` : "";
}
