// Where boxes and arrows lie: the layered drawing of Sugiyama, Tagawa and Toda (1981).
//
// 1. Each item gets a row, below all that lead to it; what only leads on stands right above its first use.
// 2. Arrows over several rows pass through a bend in each; arrows from one item share their bends.
// 3. Rows are ordered so that few arrows cross, by the mean place of neighbours, then by exchanging neighbours.
// 4. Each row is placed as near to its neighbours as the widths allow (isotonic regression, row after row).

const BESIDE = 18; // between two boxes of a row
const AROUND_BENDS = 12;

// Items: { key, width, height, leaf, port: "in" | "out" | undefined }; leaves give way to others. Arrows: { from, to,
// fromAt, toAt }; the last two say how far from the middle of a box they leave and arrive, if that is given.
// Gives back { width, height, items: key -> { x, y }, routes: one list of points an arrow }.
function arrange(items, arrows) {
  // What comes in from outside stands first, so that parameters stand on the other side of it.
  const order = (item, i) => (item.port === "in" && !item.leaf ? -1 : i);
  const vertex = (item, i) => ({ ...item, order: order(item, i), ins: [], outs: [], x: 0, row: 0 });
  const vertices = new Map(items.map((item, i) => [item.key, vertex(item, i)]));
  setRows(vertices, arrows);
  const rows = addBends(vertices, arrows);
  orderRows(rows);
  placeAcross(rows);
  return placeDown(rows, vertices, arrows);
}

function setRows(vertices, arrows) {
  const ports = [...vertices.values()].some((v) => v.port === "in") ? 1 : 0;
  const inner = [...vertices.values()].filter((v) => !v.port);
  const next = new Map(), missing = new Map();
  for (const arrow of arrows) {
    const from = vertices.get(arrow.from), to = vertices.get(arrow.to);
    if (!next.has(from)) next.set(from, []);
    next.get(from).push(to);
    missing.set(to, (missing.get(to) || 0) + 1);
  }
  const ready = [...vertices.values()].filter((v) => !missing.get(v));
  for (const v of inner) v.row = ports;
  for (const v of ready) {
    for (const to of next.get(v) || []) {
      to.row = Math.max(to.row, v.row + 1);
      missing.set(to, missing.get(to) - 1);
      if (!missing.get(to)) ready.push(to);
    }
  }
  const arrived = new Set(arrows.map((arrow) => arrow.to));
  for (const v of inner) {
    if (!arrived.has(v.key) && next.has(v)) v.row = Math.max(ports, Math.min(...next.get(v).map((to) => to.row)) - 1);
  }
  const last = Math.max(0, ...inner.map((v) => v.row)) + 1;
  for (const v of vertices.values()) if (v.port === "out") v.row = last;
}

// The rows with bends in them, and each arrow's chain of vertices.
function addBends(vertices, arrows) {
  const rows = [];
  const put = (v) => { (rows[v.row] = rows[v.row] || []).push(v); };
  for (const v of vertices.values()) put(v);
  const bends = new Map(), joined = new Map();
  for (const arrow of arrows) {
    const from = vertices.get(arrow.from), to = vertices.get(arrow.to);
    const start = `${arrow.from}@${arrow.fromAt || 0}`;
    arrow.chain = [from];
    for (let row = from.row + 1; row < to.row; row++) {
      const key = `${start}|${row}`;
      if (!bends.has(key)) {
        const place = { order: from.order, row, ins: [], outs: [], x: 0 };
        const bend = { key, bend: true, leaf: from.leaf, width: 0, height: 0, ...place };
        bends.set(key, bend);
        put(bend);
      }
      arrow.chain.push(bends.get(key));
    }
    arrow.chain.push(to);
    for (let i = 1; i < arrow.chain.length; i++) {
      const a = arrow.chain[i - 1], b = arrow.chain[i];
      const aAt = i === 1 ? arrow.fromAt || 0 : 0, bAt = i === arrow.chain.length - 1 ? arrow.toAt || 0 : 0;
      const key = `${a.key}@${aAt}|${b.key}@${bAt}`;
      if (joined.has(key)) continue;
      joined.set(key, true);
      a.outs.push({ to: b, own: aAt, other: bAt });
      b.ins.push({ to: a, own: bAt, other: aAt });
    }
  }
  for (let row = 0; row < rows.length; row++) (rows[row] = rows[row] || []).sort((a, b) => a.order - b.order);
  return rows;
}

function orderRows(rows) {
  const number = () => rows.forEach((row) => row.forEach((v, i) => { v.place = i; }));
  number();
  let best = rows.map((row) => [...row]), fewest = crossings(rows);
  for (let sweep = 0; sweep < 12 && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (let i = 1; i < rows.length; i++) {
      const row = rows[down ? i : rows.length - 1 - i];
      for (const v of row) {
        const near = down ? v.ins : v.outs;
        const sum = near.reduce((total, link) => total + link.to.place + link.other / 1000, 0);
        v.wish = near.length ? sum / near.length : v.place;
      }
      row.sort((a, b) => a.wish - b.wish || a.place - b.place);
      row.forEach((v, place) => { v.place = place; });
    }
    exchange(rows);
    const count = crossings(rows);
    if (count < fewest) [best, fewest] = [rows.map((row) => [...row]), count];
  }
  best.forEach((row, i) => { rows[i] = row; });
  number();
}

// Exchanges neighbours as long as that takes crossings away.
function exchange(rows) {
  for (let better = true, round = 0; better && round < 8; round++) {
    better = false;
    for (const row of rows) {
      for (let i = 1; i < row.length; i++) {
        const a = row[i - 1], b = row[i];
        if (inverted(a.ins, b.ins) + inverted(a.outs, b.outs) > inverted(b.ins, a.ins) + inverted(b.outs, a.outs)) {
          [row[i - 1], row[i]] = [b, a];
          [a.place, b.place] = [i, i - 1];
          better = true;
        }
      }
    }
  }
}

const end = (link) => link.to.place + link.other / 1e4;

function inverted(left, right) {
  let count = 0;
  for (const a of left) for (const b of right) if (end(a) > end(b)) count++;
  return count;
}

function crossings(rows) {
  let count = 0;
  for (const row of rows) {
    const seen = [];
    for (const v of row) {
      for (const link of v.outs) for (const before of seen) if (before > end(link)) count++;
      for (const link of v.outs) seen.push(end(link));
    }
  }
  return count;
}

function placeAcross(rows) {
  const gap = (a, b) => (a.width + b.width) / 2 + (a.bend || b.bend || a.port || b.port ? AROUND_BENDS : BESIDE);
  for (const row of rows) {
    let x = 0;
    row.forEach((v, i) => { x += i ? gap(row[i - 1], v) : 0; v.x = x; });
    const middle = x / 2;
    for (const v of row) v.x -= middle;
  }
  const strength = (a, b) => (a.leaf || b.leaf ? 0.02 : a.bend && b.bend ? 8 : 4);
  for (let round = 0; round < 24; round++) {
    const down = round % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const v of row) {
        // At first each row looks at the one before it alone: so what belongs in a line gets there at once.
        const near = round < 8 ? (down ? v.ins : v.outs) : [...v.ins, ...v.outs];
        let sum = 0, weight = 0;
        for (const link of near) {
          const w = strength(v, link.to);
          sum += w * (link.to.x + link.other - link.own);
          weight += w;
        }
        v.wish = weight ? sum / weight : v.x;
        v.weight = weight ? (v.leaf ? 0.05 : 1 + weight) : 0.01;
      }
      separate(row, gap);
    }
  }
  straighten(rows, gap);
}

// The nearest places to those wished for at which the boxes of a row keep their distance.
function separate(row, gap) {
  const mean = (block) => block.sum / block.weight;
  const blocks = [];
  let offset = 0;
  row.forEach((v, i) => {
    offset += i ? gap(row[i - 1], v) : 0;
    v.offset = offset;
    let block = { sum: v.weight * (v.wish - offset), weight: v.weight, members: [v] };
    while (blocks.length && mean(blocks[blocks.length - 1]) > mean(block)) {
      const { sum, weight, members } = blocks.pop();
      block = { sum: sum + block.sum, weight: weight + block.weight, members: members.concat(block.members) };
    }
    blocks.push(block);
  });
  for (const block of blocks) for (const v of block.members) v.x = v.offset + mean(block);
}

// Arrows that are almost straight become straight where there is room, and long ones between their ends.
function straighten(rows, gap) {
  const room = (v) => {
    const row = rows[v.row], i = row.indexOf(v);
    return [
      i ? row[i - 1].x + gap(row[i - 1], v) : -Infinity,
      i < row.length - 1 ? row[i + 1].x - gap(v, row[i + 1]) : Infinity,
    ];
  };
  for (const row of rows) {
    for (const v of row) {
      Object.assign(v, { wish: v.x, weight: v.leaf ? 0.01 : 1 });
      const above = v.ins.filter((link) => !link.to.leaf);
      if (v.leaf || v.bend || above.length !== 1) continue;
      const alone = above[0].to.outs.length === 1;
      const x = above[0].to.x + above[0].other - above[0].own;
      if (alone || Math.abs(x - v.x) < 12) Object.assign(v, { wish: x, weight: 1000 });
    }
    separate(row, gap);
  }
  for (const first of rows.flat()) {
    if (!first.bend || first.ins[0].to.bend) continue;
    const chain = [first];
    for (let next; (next = chain[chain.length - 1].outs.find((link) => link.to.bend)); ) chain.push(next.to);
    const rooms = chain.map(room);
    const low = Math.max(...rooms.map((each) => each[0])), high = Math.min(...rooms.map((each) => each[1]));
    const x = Math.min(Math.max(chain.reduce((sum, v) => sum + v.x, 0) / chain.length, low), high);
    if (low <= high) chain.forEach((v) => { v.x = x; });
  }
}

function placeDown(rows, vertices, arrows) {
  const everything = rows.flat();
  const left = Math.min(...everything.map((v) => v.x - v.width / 2));
  for (const v of everything) v.x -= left;
  const width = Math.max(...everything.map((v) => v.x + v.width / 2));
  let y = 0;
  const tops = [], bottoms = [];
  rows.forEach((row, i) => {
    const height = Math.max(0, ...row.map((v) => v.height));
    tops[i] = y;
    bottoms[i] = y + height;
    for (const v of row) v.y = v.leaf ? y + height - v.height : y + (height - v.height) / 2;
    const across = (v, link) => Math.abs(link.to.x + link.other - v.x - link.own);
    const wide = Math.max(0, ...row.flatMap((v) => v.outs.map((link) => across(v, link))));
    const toPort = row.every((v) => v.port) || (rows[i + 1] && rows[i + 1].every((v) => v.port || v.bend));
    y += height + (toPort ? 14 : Math.min(64, 26 + wide / 12));
  });
  const height = bottoms[bottoms.length - 1] || 0;
  const routes = arrows.map((arrow) => route(arrow, tops, bottoms));
  const places = new Map([...vertices].map(([key, v]) => [key, { x: v.x - v.width / 2, y: v.y, middle: v.x }]));
  return { width, height, items: places, routes };
}

// The points of an arrow: it leaves each row and enters the next one straight down.
function route(arrow, tops, bottoms) {
  const chain = arrow.chain, points = [];
  chain.forEach((v, i) => {
    const first = i === 0, last = i === chain.length - 1;
    let x = v.x;
    if (first) x += arrow.fromAt || 0;
    if (last) x += arrow.toAt === undefined ? arrival(v, chain[i - 1], arrow) : arrow.toAt;
    if (!first) points.push([x, tops[v.row]]);
    if (first) points.push([x, v.y + v.height]);
    if (!last) points.push([x, bottoms[v.row]]);
    else if (v.y > tops[v.row]) points.push([x, v.y]);
  });
  return points;
}

// How far from the middle of a box an arrow arrives: straight below where it comes from if that is possible.
function arrival(v, before, arrow) {
  const room = Math.max(0, v.width / 2 - 16);
  const sources = v.ins.map((link) => [link.to, Math.min(room, Math.max(-room, link.to.x + link.other - v.x))]);
  sources.sort((a, b) => a[1] - b[1] || a[0].x - b[0].x);
  const wanted = sources.map((source) => ({ wish: source[1], width: 0, weight: 1, from: source[0] }));
  separate(wanted, () => Math.min(14, (2 * room) / Math.max(1, wanted.length - 1)));
  const found = wanted.find((each) => each.from === before);
  return found ? Math.min(room, Math.max(-room, found.x)) : arrow.toAt || 0;
}
