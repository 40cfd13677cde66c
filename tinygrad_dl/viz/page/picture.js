// The whole picture: every unfolded group is laid out by itself, the innermost first, and is then one item of the group
// around it. Arrows that cross the border of a group go through a port on it; arrows from one box share their ports.

const HEADER = 32, PADDING = 14;

// Gives back { width, height, boxes: key -> rectangle, frames: rectangles of unfolded groups, segments, arrows }.
function lay(groups, sizeOf, headerWidth) {
  const nodes = groups.graph.nodes;
  const seen = groups.seen();
  const arrows = new Map(); // "a>b" -> { from, to, edges }
  for (const node of nodes) {
    node.edges.forEach((edge, i) => {
      const from = seen[edge.source], to = seen[node.id];
      if (from === to) return;
      const key = `${from}>${to}`;
      if (!arrows.has(key)) arrows.set(key, { key, from, to, edges: [], segments: [] });
      arrows.get(key).edges.push({ node: node.id, edge: i });
    });
  }

  const around = new Map(); // box -> the unfolded groups around it, outermost first
  const chainOf = (box) => {
    if (!around.has(box)) {
      const chain = [];
      for (let at = groups.parentOf(box); at >= 0; at = groups.groups[at].parent) chain.unshift(at);
      around.set(box, chain);
    }
    return around.get(box);
  };

  const segments = new Map(); // group -> key -> segment
  const segment = (arrow, group, from, to, last) => {
    if (!segments.has(group)) segments.set(group, new Map());
    const key = `${from.item}/${from.port || ""}>${to.item}/${to.port || ""}`;
    const own = segments.get(group);
    if (!own.has(key)) own.set(key, { key: `${group}:${key}`, group, from, to, last, arrows: [] });
    own.get(key).arrows.push(arrow.key);
    arrow.segments.push(own.get(key));
  };
  for (const arrow of arrows.values()) {
    const up = chainOf(arrow.from), down = chainOf(arrow.to);
    let shared = 0;
    while (shared < up.length && shared < down.length && up[shared] === down[shared]) shared++;
    const port = arrow.from;
    let from = { item: arrow.from };
    for (let i = up.length - 1; i >= shared; i--) {
      segment(arrow, up[i], from, { item: `out:${port}` }, false);
      from = { item: `f${up[i]}`, port: `out:${port}` };
    }
    for (let i = shared - 1; i < down.length; i++) {
      const inside = i === down.length - 1;
      const to = inside ? { item: arrow.to } : { item: `f${down[i + 1]}`, port: `in:${port}` };
      segment(arrow, down[i], from, to, inside);
      from = { item: `in:${port}` };
    }
  }

  const layGroup = (id) => {
    const group = groups.groups[id], own = [...(segments.get(id) || new Map()).values()];
    const inner = new Map(), items = [];
    for (const child of group.children) {
      if (child.node !== undefined) {
        const key = `n${child.node}`;
        items.push({ key, ...sizeOf(key), leaf: nodes[child.node].kind !== OP });
      } else if (groups.groups[child.group].open) {
        const found = layGroup(child.group);
        inner.set(`f${child.group}`, found);
        items.push({ key: `f${child.group}`, width: found.width, height: found.height });
      } else {
        items.push({ key: `g${child.group}`, ...sizeOf(`g${child.group}`) });
      }
    }
    const known = new Set(items.map((item) => item.key));
    const links = own.map((each) => {
      for (const [end, kind] of [[each.from.item, "in"], [each.to.item, "out"]]) {
        if (known.has(end)) continue;
        known.add(end);
        const leaf = kind === "in" && end[3] === "n" && nodes[Number(end.slice(4))].kind !== OP;
        items.push({ key: end, width: 0, height: 0, port: kind, leaf });
      }
      const at = (end) => {
        const found = end.port && inner.get(end.item);
        return found ? found.ports.get(end.port) - found.width / 2 : undefined;
      };
      return { from: each.from.item, to: each.to.item, fromAt: at(each.from), toAt: at(each.to) };
    });
    const found = items.length ? arrange(items, links) : { width: 0, height: 0, items: new Map(), routes: [] };
    return frame(id, found, own, inner, headerWidth);
  };
  const whole = layGroup(0);
  const result = { width: whole.width, height: whole.height, boxes: new Map(), frames: [], segments: [], arrows };
  collect(whole, 0, 0, result, sizeOf);
  return result;
}

// A group with its border and the line that names it; the outermost one has none.
function frame(id, found, own, inner, headerWidth) {
  const bare = id === 0;
  const width = bare ? found.width : Math.max(found.width + 2 * PADDING, headerWidth(id));
  const left = (width - found.width) / 2, top = bare ? 0 : HEADER;
  const height = bare ? found.height : found.height + HEADER + PADDING;
  const ports = new Map();
  for (const [key, place] of found.items) if (/^(in|out):/.test(key)) ports.set(key, place.middle + left);
  return { id, width, height, left, top, found, own, inner, ports };
}

function collect(group, x, y, result, sizeOf) {
  if (group.id !== 0) result.frames.push({ id: group.id, x, y, width: group.width, height: group.height });
  const left = x + group.left, top = y + group.top;
  for (const [key, place] of group.found.items) {
    if (group.inner.has(key)) collect(group.inner.get(key), left + place.x, top + place.y, result, sizeOf);
    else if (key[0] === "n" || key[0] === "g") {
      result.boxes.set(key, { x: left + place.x, y: top + place.y, ...sizeOf(key) });
    }
  }
  group.own.forEach((segment, i) => {
    const points = group.found.routes[i].map(([px, py]) => [left + px, top + py]);
    // Ports lie on the border itself.
    if (segment.from.item.startsWith("in:")) points[0][1] = y;
    if (segment.to.item.startsWith("out:")) points[points.length - 1][1] = y + group.height;
    result.segments.push(Object.assign(segment, { points }));
  });
}
