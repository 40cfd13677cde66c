// The steps: forward through all operations, one for the gradient 1 that the backward pass starts from, and backward
// through them; each parameter has a step of its own once its gradient is whole.

class Steps {
  constructor(graph, groups) {
    this.graph = graph;
    this.groups = groups;
    const all = (this.all = [{ kind: "start", node: null }]);
    const count = graph.nodes.length;
    this.valueAt = new Array(count).fill(0); // the step from which on a node's value is known
    this.gradientAt = new Array(count).fill(Infinity); // and its gradient, whole
    this.backAt = new Array(count).fill(Infinity); // the step in which its gradient goes on to its inputs
    for (const node of graph.nodes) {
      if (node.kind !== OP) continue;
      this.valueAt[node.id] = all.length;
      all.push({ kind: "forward", node: node.id });
    }
    this.gradientAt[graph.loss] = all.length;
    all.push({ kind: "seed", node: graph.loss });

    const reached = new Set(graph.backward);
    const open = graph.nodes.map((node) => node.uses.filter((use) => reached.has(use.node)).length);
    for (const id of graph.backward) {
      this.backAt[id] = all.length;
      all.push({ kind: "backward", node: id });
      const whole = [];
      for (const edge of graph.nodes[id].edges) {
        if (--open[edge.source]) continue;
        this.gradientAt[edge.source] = this.backAt[id];
        if (isLearned(graph.nodes[edge.source])) whole.push(edge.source);
      }
      for (const leaf of whole) {
        this.gradientAt[leaf] = all.length;
        all.push({ kind: "leaf", node: leaf });
      }
    }
    all.push({ kind: "end", node: null });
    this.time = 0;
    this.refresh();
  }

  // Steps in one folded group that follow each other are one step.
  refresh() {
    const seen = (this.seen = this.groups.seen());
    this.shown = [];
    this.all.forEach((step, i) => {
      const box = step.node === null ? null : seen[step.node];
      const phase = ["backward", "leaf"].includes(step.kind) ? "backward" : step.kind;
      const before = this.shown[this.shown.length - 1];
      if (before && box && box[0] === "g" && before.box === box && before.phase === phase) before.last = i;
      else this.shown.push({ first: i, last: i, kind: step.kind, phase, box, node: step.node });
    });
    this.position = this.shown.findIndex((step) => step.last >= this.time);
    this.time = this.current.last;
  }

  get current() {
    return this.shown[this.position];
  }

  go(position) {
    this.position = Math.max(0, Math.min(this.shown.length - 1, position));
    this.time = this.current.last;
  }

  // The step in which a box is dealt with in the pass that is on.
  stepOf(box) {
    const forward = this.shown.findIndex((step) => step.box === box && step.phase === "forward");
    const inBackward = !["start", "forward"].includes(this.current.kind);
    const backward = this.shown.findIndex((step) => step.box === box && step.phase === "backward");
    return inBackward && backward >= 0 ? backward : forward >= 0 ? forward : backward;
  }

  hasValue(node) {
    return this.valueAt[node] <= this.time;
  }

  hasGradient(node) {
    return this.gradientAt[node] <= this.time;
  }
}
