// The words beside the picture: what the current step does, with its formula and its numbers.

const SIGNS = ["@", "+", "-", "*", "/"]; // of operations between two arrays
const PASSES = {
  start: "before the start", forward: "forward pass", seed: "where the backward pass begins", end: "the end",
};
const MOST_PARTS = 6; // of a sum
const MOST_READ = 4; // what a folded module reads
const MOST_NAMES = 12;

class Panel {
  constructor(element, graph, groups, steps, actions) {
    Object.assign(this, { element, graph, groups, steps, actions, time: null });
  }

  show(path) {
    const { current, position, shown, time } = this.steps;
    const node = this.graph.nodes[current.node];
    const say = { start: () => beginning(this), end: () => ending(this) };
    const folded = current.box && current.box[0] === "g";
    const content = folded ? this.group(current) : say[current.kind] ? say[current.kind]() : this[current.kind](node);
    this.element.replaceChildren(
      make("p", { class: `kicker ${current.phase}` }, `Step ${position + 1} of ${shown.length} · ${this.pass}`),
      ...content.flat(2).filter(Boolean),
      ...(path ? [chainRule(this, path)] : []),
    );
    if (this.time !== time) this.element.scrollTop = 0;
    this.time = time;
  }

  get pass() {
    return PASSES[this.steps.current.kind] || "backward pass";
  }

  get loss() {
    return this.graph.nodes[this.graph.loss].name;
  }

  // For screen readers, when the step changes.
  announce() {
    const { current, position, shown } = this.steps, node = this.graph.nodes[current.node];
    const where = `Step ${position + 1} of ${shown.length}, ${this.pass}`;
    if (!node) return `${where}.`;
    if (current.box[0] === "g") return `${where}: module ${this.groups.nameOf(Number(current.box.slice(1)))}.`;
    if (current.kind === "forward") return `${where}: ${this.title(node)}. Value ${inWords(node.values[node.main])}.`;
    const back = current.kind === "backward";
    const what = back ? `back through ${this.title(node)}; gradient` : `gradient of ${node.name}`;
    return `${where}: ${what} ${inWords(node.gradients[node.main])}.`;
  }

  title(node) {
    return node.kind === OP ? `${node.name} = ${node.expression}` : node.name;
  }

  // --- one kind of step each

  forward(node) {
    const read = node.edges.filter((edge, i) => i === node.edges.findIndex((each) => sameValue(each, edge)));
    const names = read.map((edge) => this.graph.nodes[edge.source].name);
    const sign = names.length === 2 && SIGNS.find((each) => node.expression === names.join(` ${each} `));
    const links = listed(read.map((edge) => this.link(edge.source)));
    return [
      make("h2", { class: "formula" }, make("bdi", null, this.title(node))),
      paragraph(`The operation ${node.op} computes `, code(node.name), read.length > 0 && [" from ", links], "."),
      this.line(node),
      equation(
        read.map((edge, i) => signed(i > 0 && sign && minus(sign), this.array(edge.source, "value", edge.output))),
        signed(sign ? "=" : "→", node.values.map((_, i) => this.array(node.id, "value", i)))),
    ];
  }

  seed(node) {
    return [
      make("h2", null, "The backward pass begins with 1"),
      paragraph("All values are known now. How does ", code(node.name), " change if ", code(node.name),
        " changes? By just as much, so its gradient is 1:"),
      make("p", { class: "chain" }, fraction(node.name, node.name), " = 1"),
      paragraph("From here each step goes one operation back."),
    ];
  }

  backward(node) {
    const sent = node.edges.filter((edge) => edge.rule), idle = node.edges.filter((edge) => !edge.rule);
    const names = idle.map((edge) => code(this.graph.nodes[edge.source].name));
    return [
      make("h2", null, "Back through ", make("span", { class: "formula" }, make("bdi", null, this.title(node)))),
      this.line(node),
      heading("What arrives: ", code(`${node.name}.grad`), " = ", fraction(this.loss, node.name)),
      this.arrived(node),
      heading("What it hands on: that, times its own derivative"),
      sent.map((edge) => this.handedOn(node, edge)),
      idle.length > 0 && faint(listed(names), ` need${idle.length > 1 ? "" : "s"} no gradient, so nothing goes there.`),
    ];
  }

  leaf(node) {
    const gradient = node.gradients[0], at = gradient && gradient.data ? largestAt(gradient.data) : -1;
    const most = at < 0 ? 0 : gradient.data[at];
    return [
      make("h2", null, "The gradient of ", code(node.name), " is known"),
      make("div", { class: "beside" },
        this.array(node.id, "value"), this.arrived(node, fraction(this.loss, node.name))),
      most !== 0 && paragraph("Read it like this: if ", code(node.name + indexText(at, gradient.shape)),
        " grew by 0.01, ", code(this.loss), ` would ${most > 0 ? "grow" : "shrink"} by about `,
        make("b", null, number(Math.abs(most * 0.01))), "."),
      node.kind === PARAMETER && paragraph("Gradient descent moves ", code(node.name),
        " a little against its gradient, so that ", code(this.loss), " gets smaller."),
    ];
  }

  // A folded module, all of whose operations are one step.
  group(step) {
    const id = Number(step.box.slice(1)), group = this.groups.groups[id], forward = step.phase === "forward";
    const result = group.operations[group.operations.length - 1];
    const parameters = group.leaves.filter((leaf) => this.graph.nodes[leaf].kind === PARAMETER);
    const read = this.groups.readBy(id).filter((node) => forward || this.graph.nodes[node].kind !== CONSTANT);
    const unfold = make("button", { class: "inline", onclick: () => this.actions.unfold(id) }, "Unfold it");
    const role = forward ? "value" : "gradient";
    const whole = forward ? read : read.filter((node) => this.steps.hasGradient(node));
    const parts = read.filter((node) => !whole.includes(node)).map((node) => code(this.graph.nodes[node].name));
    const inputs = [
      whole.length > 0 && heading(forward ? "What it reads" : "What has come back to what it read"),
      equation(whole.slice(0, MOST_READ).map((node) => this.array(node, role))),
      parts.length > 0 && faint("A part of the gradient of ", listed(parts.slice(0, MOST_NAMES)),
        " comes from here; more is added later."),
    ];
    const output = [heading(forward ? "Its result" : "What arrives at its result"), this.array(result, role)];
    const own = (leaf) => within(this.graph.nodes[leaf].name, group.path);
    const names = parameters.slice(0, MOST_NAMES).map((leaf) => this.link(leaf, own(leaf)));
    const more = parameters.length - names.length;
    return [
      make("h2", null, !forward && "Back through ", code(this.groups.nameOf(id)),
        group.path && group.type && ` (${group.type})`),
      paragraph(`${plural(group.operations.length, "operation")} in one step`,
        parameters.length > 0 && `, with ${plural(parameters.length, "parameter")}`, ". ", unfold, " to see inside."),
      forward ? [inputs, output] : [output, inputs],
      parameters.length > 0 && paragraph("Its parameters: ", listed(names), more > 0 && `, and ${more} more`, "."),
    ];
  }

  // --- parts

  // The gradient at a node; if several operations used it, what each of them sent and the sum.
  arrived(node, name = `${node.name}.grad`) {
    const uses = node.uses.filter((use) => this.edgeOf(use).rule), several = node.gradients.length > 1;
    const label = (i) => (uses.length > 1 && !several ? "the sum" : [name, several && `, output ${i + 1}`]);
    const totals = node.gradients.map((each, i) => arrayTable(each, "gradient", label(i)));
    if (uses.length < 2 || several) return equation(totals);
    const times = uses.length === 2 ? "twice" : `${uses.length} times`, left = uses.length - MOST_PARTS;
    return [
      paragraph(code(node.name), ` was used ${times}, so ${uses.length} gradients arrive. They are added:`),
      equation(
        uses.slice(0, MOST_PARTS).map((use, i) => signed(i > 0 && "+",
          arrayTable(this.edgeOf(use).gradient, "gradient", ["from ", this.link(use.node)]))),
        left > 0 && make("span", { class: "sign" }, `+ ${left} more`),
        signed("=", totals)),
    ];
  }

  edgeOf(use) {
    return this.graph.nodes[use.node].edges[use.edge];
  }

  // What goes back along one edge: the rule, the derivative as far as it can be shown, and the result.
  handedOn(node, edge) {
    const source = this.graph.nodes[edge.source], local = edge.local, shared = source.uses.length > 1;
    const derivative = () => fraction(node.name, source.name), own = `${node.name}.grad`;
    const target = shared ? ["a part of ", fraction(this.loss, source.name)] : fraction(this.loss, source.name);
    const result = arrayTable(edge.gradient, "gradient", target);
    const rule = make("p", { class: "formula" }, this.link(edge.source, `${source.name}.grad`), shared ? " += " : " = ",
      code(edge.rule, "gradient"));
    if (!local || !local.diagonal || !local.value) {
      const whole = local && !local.diagonal && this.matrix(node, source, local);
      return make("section", { class: "rule" }, rule, equation(result), whole);
    }
    const narrow = local.value.data && rowsOf(local.value)[0].length <= 2; // three fit beside each other
    return make("section", { class: "rule" }, rule,
      local.value.shape.length > 0
        && faint("Each element by itself: what arrives, times the derivative ", derivative(), "."),
      equation(narrow ? arrayTable(node.gradients[0], "gradient", own) : code(own, "gradient"),
        signed("×", arrayTable(local.value, "value", derivative())), signed("=", result)));
  }

  // A derivative that has a number for each pair of elements.
  matrix(node, source, local) {
    const count = local.shape.reduce((a, b) => a * b, 1);
    if (count < 2) return null;
    const size = shapeText(local.shape) + (local.shape.length > 1 ? ` = ${count.toLocaleString("en")}` : "");
    return [
      faint("Written out, ", fraction(node.name, source.name), ` has ${size} numbers: how each element of `,
        code(node.name), " changes with each of ", code(source.name),
        ". The rule multiplies by all of them without writing them out."),
      local.value && make("details", null, make("summary", null, "see them"), arrayTable(local.value, "value",
        [fraction(node.name, source.name), " a row for each element of ", code(node.name)])),
    ];
  }

  array(id, role, output = this.graph.nodes[id].main) {
    const node = this.graph.nodes[id], several = node.values.length > 1 && `, output ${output + 1}`;
    if (role === "gradient") return arrayTable(node.gradients[output], role, [fraction(this.loss, node.name), several]);
    return arrayTable(node.values[output], role, [node.name, several]);
  }

  link(id, text = this.graph.nodes[id].name) {
    const visit = () => this.actions.visit(id);
    return make("button", { class: "name", "data-node": id, onclick: visit }, make("bdi", null, text));
  }

  line(node) {
    if (!node.line) return null;
    const [file, lineNumber, where, text] = node.line;
    const place = make("span", { class: "faint" }, `${file}:${lineNumber}${where ? ` in ${where}` : ""}\n`);
    return make("pre", { class: "line" }, place, make("code", null, text));
  }
}

// Where the element of the largest size stands; -1 if there is no number.
function largestAt(data) {
  let most = -1;
  data.forEach((each, i) => {
    if (typeof each === "number" && (most < 0 || Math.abs(each) > Math.abs(data[most]))) most = i;
  });
  return most;
}

function sameValue(a, b) {
  return a.source === b.source && a.output === b.output;
}
