// Parts of sentences: names, fractions, lists, and paragraphs made of them.

const paragraph = (...children) => make("p", null, ...children);
const faint = (...children) => make("p", { class: "faint" }, ...children);
const heading = (...children) => make("h3", null, ...children);
const equation = (...children) => make("div", { class: "equation" }, ...children);

// A name or formula of the program. What is written from right to left stays in its place.
function code(text, role) {
  return make("code", { class: role }, make("bdi", null, text));
}

// An array with the sign before it, which stay together where a line ends.
function signed(sign, ...arrays) {
  return make("div", { class: "signed" }, sign && make("span", { class: "sign" }, sign), arrays);
}

// ∂a/∂b, one above the other.
function fraction(above, below) {
  const part = (name) => make("span", { "aria-hidden": "true" }, "∂", make("bdi", null, name));
  const label = `d ${above} by d ${below}`;
  return make("span", { class: "fraction", role: "math", "aria-label": label }, part(above), part(below));
}

function listed(parts) {
  return parts.map((part, i) => [i === 0 ? "" : i === parts.length - 1 ? " and " : ", ", part]);
}

// Where an element stands in an array, as a program writes it.
function indexText(flat, shape) {
  const index = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    index.unshift(flat % shape[i]);
    flat = Math.floor(flat / shape[i]);
  }
  return shape.length ? `[${index.join(", ")}]` : "";
}

function isLearned(node) {
  return node.kind === PARAMETER || node.kind === INPUT;
}
