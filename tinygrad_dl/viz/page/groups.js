// Modules fold and unfold. A group is one call of a module; its operations follow each other in time, so a graph
// in which groups stand for their content has no circle either.

const MOST_CHILDREN = 40; // more operations in a row are parted into further groups
const MOST_BOXES = 120; // boxes in the picture; beyond that the groups unfolded longest ago are folded
const FIRST_BOXES = 36; // boxes in the picture at first

class Groups {
  constructor(graph) {
    this.graph = graph;
    this.groups = graph.groups.map((group) => ({ ...group, children: [], open: false, opened: 0 }));
    this.clock = 0;
    this.placeOperations();
    this.countCalls();
    for (const group of [...this.groups]) this.part(group);
    this.number();
    this.placeLeaves();
    this.openFirst();
  }

  // The operations in their modules, and modules in theirs, in the order of the forward pass.
  placeOperations() {
    const placed = new Set([0]);
    const place = (id) => {
      if (placed.has(id)) return;
      placed.add(id);
      place(this.groups[id].parent);
      this.groups[this.groups[id].parent].children.push({ group: id });
    };
    for (const node of this.graph.nodes) {
      if (node.kind !== OP) continue;
      place(node.group);
      this.groups[node.group].children.push({ node: node.id });
    }
  }

  // A module that was called several times has a group for each call.
  countCalls() {
    const calls = new Map();
    const walk = (group) => {
      const name = `${group.path} ${group.type}`;
      calls.set(name, [...(calls.get(name) || []), group]);
      for (const child of group.children) if (child.group !== undefined) walk(this.groups[child.group]);
    };
    for (const child of this.groups[0].children) if (child.group !== undefined) walk(this.groups[child.group]);
    for (const same of calls.values()) if (same.length > 1) same.forEach((group, i) => { group.call = i + 1; });
  }

  // A group of too many children gets groups in between, each of children that follow each other.
  part(group) {
    const children = group.children;
    if (children.length <= MOST_CHILDREN) return;
    const size = Math.min(MOST_CHILDREN, Math.max(12, Math.ceil(Math.sqrt(children.length))));
    group.children = [];
    for (let i = 0; i < children.length; i += size) {
      const some = children.slice(i, i + size);
      const types = new Set(some.map((child) => (child.group === undefined ? "" : this.groups[child.group].type)));
      const part = {
        id: this.groups.length, parent: group.id, path: `part ${i / size + 1} of ${Math.ceil(children.length / size)}`,
        type: types.size === 1 && [...types][0] ? `${some.length} × ${[...types][0]}` : "",
        children: some, open: false, opened: 0,
      };
      this.groups.push(part);
      for (const child of part.children) {
        if (child.group !== undefined) this.groups[child.group].parent = part.id;
        else this.graph.nodes[child.node].group = part.id;
      }
      group.children.push({ group: part.id });
    }
    this.part(group);
  }

  // How deep each group lies and which operations it holds.
  number() {
    const walk = (group, depth) => {
      Object.assign(group, { depth, operations: [], leaves: [] });
      for (const child of group.children) {
        if (child.node !== undefined) group.operations.push(child.node);
        else group.operations.push(...walk(this.groups[child.group], depth + 1));
      }
      return group.operations;
    };
    walk(this.groups[0], 0);
  }

  // A parameter or an input stands in the innermost group that holds all its uses.
  placeLeaves() {
    for (const node of this.graph.nodes) {
      if (node.kind === OP) continue;
      let group = null;
      for (const use of node.uses) {
        const other = this.graph.nodes[use.node].group;
        group = group === null ? other : this.common(group, other);
      }
      node.group = group === null ? 0 : group;
      for (let at = node.group; at >= 0; at = this.groups[at].parent) this.groups[at].leaves.push(node.id);
    }
    for (const node of this.graph.nodes) if (node.kind !== OP) this.groups[node.group].children.push({ node: node.id });
  }

  common(a, b) {
    while (a !== b) {
      if (this.groups[a].depth >= this.groups[b].depth) a = this.groups[a].parent;
      else b = this.groups[b].parent;
    }
    return a;
  }

  // As many levels as fit into one picture; a group with nothing but one other in it is no level.
  openFirst() {
    this.groups[0].open = true;
    for (let level = this.groups[0].children; level.length; ) {
      const inside = level.filter((child) => child.group !== undefined).map((child) => this.groups[child.group]);
      if (!inside.length) return;
      inside.forEach((group) => { group.open = true; });
      if (this.boxes().length > FIRST_BOXES && inside.length > 1) {
        inside.forEach((group) => { group.open = false; });
        return;
      }
      level = inside.flatMap((group) => group.children);
    }
  }

  unfold(id) {
    const group = this.groups[id];
    group.open = true;
    group.opened = ++this.clock;
    const above = new Set();
    for (let at = id; at >= 0; at = this.groups[at].parent) above.add(at);
    while (this.boxes().length > MOST_BOXES) {
      const others = this.groups.filter((each) => each.open && !above.has(each.id) && this.isShown(each.id));
      if (!others.length) return;
      const before = (a, b) => a.opened - b.opened || b.depth - a.depth;
      others.sort(before)[0].open = false;
    }
  }

  fold(id) {
    if (id !== 0) this.groups[id].open = false;
  }

  // Unfolds all that a node lies in.
  reveal(node) {
    for (let at = this.graph.nodes[node].group; at > 0; at = this.groups[at].parent) {
      if (!this.groups[at].open) this.unfold(at);
    }
  }

  isShown(id) {
    for (let at = this.groups[id].parent; at >= 0; at = this.groups[at].parent) if (!this.groups[at].open) return false;
    return true;
  }

  // What is drawn: "n3" for a node, "g2" for a folded group; each unfolded group's own are `inside`.
  boxes() {
    const found = [];
    const walk = (group) => {
      for (const child of group.children) {
        if (child.node !== undefined) found.push(`n${child.node}`);
        else if (this.groups[child.group].open) walk(this.groups[child.group]);
        else found.push(`g${child.group}`);
      }
    };
    walk(this.groups[0]);
    return found;
  }

  // For each node the box in which it is seen: its own, or the outermost folded group that it lies in.
  seen() {
    const found = new Array(this.graph.nodes.length);
    for (const box of this.boxes()) {
      const id = Number(box.slice(1));
      if (box[0] === "n") found[id] = box;
      else for (const node of [...this.groups[id].operations, ...this.groups[id].leaves]) found[node] = box;
    }
    return found;
  }

  // The group in which a box is drawn.
  parentOf(box) {
    const id = Number(box.slice(1));
    return box[0] === "n" ? this.graph.nodes[id].group : this.groups[id].parent;
  }

  // The nodes outside of a group that its operations read.
  readBy(id) {
    const own = new Set([...this.groups[id].operations, ...this.groups[id].leaves]);
    const edges = this.groups[id].operations.flatMap((node) => this.graph.nodes[node].edges);
    return [...new Set(edges.map((edge) => edge.source))].filter((node) => !own.has(node));
  }

  isInside(box, id) {
    for (let at = this.parentOf(box); at >= 0; at = this.groups[at].parent) if (at === id) return true;
    return false;
  }

  nameOf(id) {
    const group = this.groups[id];
    return `${group.path || group.type || "model"}${group.call ? `, call ${group.call}` : ""}`;
  }

  // Its name as it stands inside the module around it.
  shortName(id) {
    return within(this.nameOf(id), this.groups[Math.max(0, this.groups[id].parent)].path);
  }
}

// A name without the path of the module that it lies in.
function within(name, path) {
  return path && name.startsWith(`${path}.`) ? name.slice(path.length + 1) : name;
}
