// The data of the page: compact lists in the JSON of the document become objects.

const OP = 0, PARAMETER = 1, INPUT = 2, CONSTANT = 3;
const KINDS = ["op", "parameter", "input", "constant"];

// Nodes are in the order of the forward pass: what a node reads stands before it.
function decode(raw) {
  const text = (i) => (i < 0 ? "" : raw.strings[i]);
  const values = raw.values.map((row) => ({
    shape: raw.shapes[row[0]],
    dtype: text(row[1]),
    data: row.length === 3 ? row[2] : null,
    low: row[2], high: row[3], mean: row[4], counts: row[5], notFinite: row[6],
  }));
  const value = (i) => (i < 0 ? null : values[i]);
  const nodes = raw.nodes.map((row, id) => ({
    id,
    kind: row[0],
    name: text(row[1]),
    op: text(row[2]),
    expression: text(row[3]),
    group: row[4],
    line: row[5] < 0 ? null : raw.lines[row[5]],
    shapes: row[6].map((i) => raw.shapes[i]),
    values: row[7].map(value),
    gradients: row[8].map(value),
    edges: row[9].map((edge) => ({
      source: edge[0],
      output: edge[1],
      argument: text(edge[2]),
      rule: text(edge[3]),
      gradient: value(edge[4]),
      local: edge[5] ? { diagonal: edge[5][0] === 1, value: value(edge[5][1]), shape: edge[5][2] } : null,
    })),
    uses: [],
  }));
  for (const node of nodes) {
    node.edges.forEach((edge, i) => nodes[edge.source].uses.push({ node: node.id, edge: i }));
  }
  // Of several outputs a box shows the one that is used first.
  for (const node of nodes) {
    const [use] = node.uses;
    node.main = use ? nodes[use.node].edges[use.edge].output : Math.max(0, node.gradients.findIndex(Boolean));
  }
  // A gradient that only one operation sends is stored once, at the node where it arrives.
  for (const node of nodes) {
    for (const edge of node.edges) {
      if (!edge.gradient && edge.rule) edge.gradient = nodes[edge.source].gradients[edge.output] || null;
    }
  }
  return {
    title: raw.title, note: raw.note, nodes, backward: raw.backward, loss: raw.loss,
    groups: raw.groups.map((row, id) => ({ id, parent: row[0], path: text(row[1]), type: text(row[2]) })),
  };
}

// How a number is written: so many digits that count, as short as that goes.
function number(value, digits = 4) {
  if (value === null || typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 10 ** digits) return minus(String(value));
  if (size < 1e-3 || size >= 10 ** Math.max(6, digits)) {
    const [first, exponent] = value.toExponential(digits - 2).split("e");
    return minus(`${Number(first)}e${Number(exponent)}`);
  }
  return minus(String(Number(value.toPrecision(digits))));
}

function minus(text) {
  return text.replace(/-/g, "−");
}

function shapeText(shape) {
  return shape.length ? shape.join(" × ") : "a number";
}

function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

// Values in one line, for small boxes and for screen readers.
function inWords(values) {
  if (!values) return "not recorded";
  if (values.data && values.data.length === 1) return number(values.data[0]);
  if (values.data && values.data.length <= 4) return `[${values.data.map((each) => number(each)).join(", ")}]`;
  const [low, high] = extent(values);
  return `${shapeText(values.shape)}, from ${number(low)} to ${number(high)}`;
}

function extent(values) {
  if (!values.data) return [values.low || 0, values.high || 0];
  const finite = values.data.filter((each) => typeof each === "number");
  return finite.length ? [Math.min(...finite), Math.max(...finite)] : [0, 0];
}

// A small array as rows of numbers: the last dimension lies in a row, all others below each other.
function rowsOf(values) {
  const columns = values.shape.length ? values.shape[values.shape.length - 1] : 1;
  const rows = [];
  for (let i = 0; i < values.data.length; i += columns) rows.push(values.data.slice(i, i + columns));
  return rows;
}
