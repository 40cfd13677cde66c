// The chain rule, written out along the path that is followed.

const MOST_FACTORS = 24;
const MOST_NUMBERS = 12;

function chainRule(panel, path) {
  const start = panel.graph.nodes[path.start], loss = panel.loss;
  const factors = [...path.links].reverse().map((link) => factorOf(panel, link));
  const left = factors.length - (MOST_FACTORS - 1);
  const half = MOST_FACTORS / 2;
  const shown = left > 1 ? [...factors.slice(0, half), null, ...factors.slice(1 - half)] : factors;
  const product = (write) => shown.map((factor, i) => {
    const times = i < shown.length - 1 ? " · " : "";
    return make("span", { class: `factor ${factor && factor.on ? "on" : ""}` }, factor ? write(factor) : "…", times);
  });
  const several = path.count > 1;
  const numbers = factors.length <= MOST_NUMBERS && factors.every((factor) => typeof factor.number === "number");
  return make("section", { class: "way", "aria-label": `the path from ${start.name} to ${loss}` },
    heading("The chain rule from ", code(start.name), " to ", code(loss)),
    make("p", { class: "chain" }, fraction(loss, start.name),
      several ? ` = the sum over ${paths(path.count)}, one of them: ` : " = ",
      product((factor) => fraction(factor.node.name, factor.source.name))),
    numbers && make("p", { class: "numbers" }, "= ", product((factor) => inProduct(factor.number)),
      ` = ${number(factors.reduce((total, factor) => total * factor.number, 1))}`),
    make("p", { class: "buttons" },
      several && make("button", { class: "inline", onclick: () => panel.actions.nextPath() },
        `path ${path.number.toLocaleString("en")} of ${paths(path.count, "")}: show the next`),
      make("button", { class: "inline", onclick: () => panel.actions.follow(null) }, "stop following")),
    make("ol", { class: "links" },
      shown.map((factor) => (factor ? factorLine(panel, factor) : make("li", null, `… ${left} more`)))));
}

// One operation on the path: its derivative by what comes before it, which is a number if both are.
function factorOf(panel, link) {
  const node = panel.graph.nodes[link.node], edge = node.edges[link.edge], local = edge.local && edge.local.value;
  return {
    node, edge, source: panel.graph.nodes[link.from], on: panel.steps.current.node === link.node,
    number: local && local.data && local.data.length === 1 ? local.data[0] : null,
  };
}

function factorLine(panel, { node, edge, source, on, number: value }) {
  return make("li", { class: on ? "on" : "" },
    fraction(node.name, source.name), value !== null && [" = ", make("b", null, number(value))],
    make("span", { class: "faint" }, " by ", panel.link(node.id, node.op)), code(edge.rule, "gradient"));
}

function inProduct(value) {
  return value < 0 ? `(${number(value)})` : number(value);
}

function paths(count, word = count === 1 ? " path" : " paths") {
  return (count > 1e6 ? count.toExponential(1).replace("e+", "·10^") : count.toLocaleString("en")) + word;
}
