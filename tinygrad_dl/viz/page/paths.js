// The path of a parameter to the loss. A tensor that is used several times opens several paths; each of them brings a
// gradient of its own, and the gradient of the parameter is their sum.

class Path {
  constructor(graph, start) {
    this.graph = graph;
    this.start = start;
    this.choice = new Map(); // which use is taken where there are several
    this.reached = new Set([start]);
    for (const node of graph.nodes) {
      if (node.edges.some((edge) => edge.rule && this.reached.has(edge.source))) this.reached.add(node.id);
    }
    this.count = this.countPaths();
    this.number = 1;
    this.walk();
  }

  ways(node) {
    return this.graph.nodes[node].uses.filter((use) => this.graph.nodes[use.node].edges[use.edge].rule);
  }

  countPaths() {
    const counts = new Map();
    for (let id = this.graph.nodes.length - 1; id >= 0; id--) {
      if (!this.reached.has(id)) continue;
      const further = () => this.ways(id).reduce((sum, use) => sum + (counts.get(use.node) || 0), 0);
      counts.set(id, id === this.graph.loss ? 1 : further());
    }
    return counts.get(this.start) || 0;
  }

  // The links of the chosen path, from the parameter on: { from, node, edge }.
  walk() {
    this.links = [];
    for (let at = this.start; at !== this.graph.loss; ) {
      const ways = this.ways(at);
      if (!ways.length) break;
      const use = ways[this.choice.get(at) || 0];
      this.links.push({ from: at, node: use.node, edge: use.edge });
      at = use.node;
    }
  }

  // The next of all paths: the last fork with another use that was not taken yet takes it.
  next() {
    for (let i = this.links.length - 1; i >= 0; i--) {
      const at = this.links[i].from, taken = this.choice.get(at) || 0;
      this.choice.delete(at);
      if (taken + 1 < this.ways(at).length) {
        this.choice.set(at, taken + 1);
        this.number++;
        return this.walk();
      }
    }
    this.number = 1;
    return this.walk();
  }
}
