// What the page says before the first step and after the last one.

function beginning(panel) {
  const { graph, loss } = panel;
  const example = graph.nodes.find((node) => node.kind === PARAMETER) || graph.nodes.find(isLearned);
  const value = (text) => make("b", { class: "value" }, text);
  const gradient = (text) => make("b", { class: "gradient" }, text);
  return [
    make("h2", null, "How backpropagation works"),
    paragraph("This is a program as a graph. Each round box is one operation; the square boxes above it are what it ",
      "reads. The last box is ", code(loss), ", one number that says how wrong the result is."),
    paragraph("The question is: ", make("em", null, `how does ${loss} change if a parameter changes a little?`),
      " The answer is called the gradient. It has the shape of the parameter, one number for each of its elements. ",
      "It is found in two passes:"),
    make("ol", null,
      make("li", null, value("Forward"), ", from top to bottom: each operation computes its ", value("value"),
        " from the values above."),
      make("li", null, gradient("Backward"), ", from bottom to top: each operation gets the ", gradient("gradient"),
        " of its result, multiplies it by its own derivative, and hands it on to what it read. That is the chain ",
        "rule. Where a value was used twice, two gradients arrive, and they are added.")),
    example && paragraph("Press ", make("kbd", null, "→"), " for one step, or ", make("kbd", null, "space"),
      " to play. Click a parameter, such as ", panel.link(example.id), ", to follow it to the loss."),
    legend(),
    graph.note && make("p", { class: "note" }, graph.note),
  ];
}

const SMALL_SAMPLE = { shape: [2, 3], data: [1, -0.6, 0.3, -0.2, 0.5, -1] };
const LARGE_SAMPLE = { shape: [99], low: -1, high: 1, counts: [1, 2, 4, 6, 9, 13, 15, 16, 14, 12, 8, 6, 4, 2, 1, 1] };

function legend() {
  const kind = (name, text) => make("li", null, make("span", { class: `swatch ${name}` }), text);
  const row = (values, role, text) => make("div", { class: "row" },
    draw("svg", { width: 54, height: 30, viewBox: "0 0 54 30", "aria-hidden": "true" },
      miniature(values, role, 1, 1, 52, 28)),
    paragraph(text));
  return make("section", { class: "legend", "aria-label": "legend" },
    heading("What the boxes mean"),
    make("ul", { class: "kinds" }, kind("op", "operation"), kind("output", "loss"),
      kind("parameter", "parameter: learns"), kind("input", "input with a gradient"),
      kind("constant", "constant: no gradient"), kind("folded", "module, folded: + unfolds it")),
    row(SMALL_SAMPLE, "value", "A small array: one field for each element. The stronger the colour, the larger; " +
      "a minus sign marks negative ones."),
    row(LARGE_SAMPLE, "gradient", "A large array: its histogram. Point at a box to see the numbers."));
}

const MOST_ROWS = 60;

function ending(panel) {
  const leaves = panel.graph.nodes.filter(isLearned);
  const cell = (values, role) => make("td", { class: role }, pictured(values, role));
  const row = (node) => make("tr", null, make("th", { scope: "row" }, panel.link(node.id)),
    cell(node.values[0], "value"), cell(node.gradients[0], "gradient"));
  const head = ["name", "value", "gradient"].map((name) => make("th", { scope: "col" }, name));
  return [
    make("h2", null, "All gradients are known"),
    paragraph("One pass forward and one back were enough for all of them, however many there are. The backward pass ",
      "took each operation once, and reused what it had found below."),
    make("table", { class: "leaves" }, make("thead", null, make("tr", null, head)),
      make("tbody", null, leaves.slice(0, MOST_ROWS).map(row))),
    leaves.length > MOST_ROWS && faint(`and ${leaves.length - MOST_ROWS} more: point at their boxes`),
    paragraph("Click a parameter to follow its path to the loss."),
  ];
}

function pictured(values, role) {
  if (!values) return "not recorded";
  const words = inWords(values);
  return draw("svg", { width: 70, height: 38, viewBox: "0 0 70 38", role: "img", "aria-label": words },
    draw("title", null, words), miniature(values, role, 2, 2, 66, 34));
}
