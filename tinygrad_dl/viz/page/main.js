// The page: buttons, keys, the pointer, and what they change.

const graph = decode(JSON.parse(document.getElementById("data").textContent));
const groups = new Groups(graph);
const steps = new Steps(graph, groups);
const byId = (id) => document.getElementById(id);
const page = { path: null, timer: null };

const actions = {
  go(position) {
    steps.go(position);
    update();
    if (steps.current.box) view.show(steps.current.box);
  },
  choose(key) {
    if (view.elements.has(key)) view.focus = key;
    const id = Number(key.slice(1));
    const followed = page.path && page.path.start === id;
    if (key[0] === "n" && isLearned(graph.nodes[id])) return actions.follow(followed ? null : id);
    const position = steps.stepOf(key);
    return position >= 0 && actions.go(position);
  },
  follow(id) {
    page.path = id === null ? null : new Path(graph, id);
    update();
    if (page.path) {
      status(`Following ${graph.nodes[id].name} to ${panel.loss}: ${plural(page.path.links.length, "operation")}.`);
      const section = byId("panel").querySelector(".way");
      if (section) section.scrollIntoView({ block: "nearest" });
    }
  },
  nextPath() {
    page.path.next();
    update();
  },
  moved() {
    tip.hide();
  },
  // From the text to the picture: a parameter is followed, an operation shown in its step.
  visit(id) {
    if (!view.elements.has(`n${id}`)) refold(() => groups.reveal(id));
    if (graph.nodes[id].kind === CONSTANT) view.setFocus(`n${id}`);
    else actions.choose(`n${id}`);
    view.show(`n${id}`);
  },
  unfold(id) {
    refold(() => groups.unfold(id), () => groups.boxes().find((box) => groups.isInside(box, id)));
    status(`Unfolded ${groups.nameOf(id)}.`);
  },
  fold(id) {
    refold(() => groups.fold(id), () => `g${id}`);
    status(`Folded ${groups.nameOf(id)}.`);
  },
};

const view = new View(byId("graph"), graph, groups, steps, actions);
const panel = new Panel(byId("panel"), graph, groups, steps, actions);
const tip = new Tip(byId("tip"), graph, groups, steps, view);

// Folds or unfolds, and keeps in its place on the screen what the picture was about. `focus` says which box the
// keyboard goes to if the one that it was at is gone.
function refold(change, focus) {
  const shown = (key) => key && view.picture.boxes.has(key);
  const anchor = () => [view.focus, steps.current.box].find(shown) || view.order[0];
  const focused = document.activeElement && document.activeElement.closest(".box");
  const before = anchor(), old = view.picture.boxes.get(before);
  change();
  steps.refresh();
  view.build();
  if (focus && !view.elements.has(view.focus)) view.focus = focus() || view.order[0];
  const now = view.picture.boxes.get(view.picture.boxes.has(before) ? before : anchor());
  if (old && now) view.pan((old.x - now.x) * view.at.scale, (old.y - now.y) * view.at.scale);
  update();
  if (focused) view.setFocus(view.focus);
  else view.show(steps.current.box || view.focus);
}

function update() {
  view.mark(page.path);
  panel.show(page.path);
  tip.hide();
  const slider = byId("time");
  slider.max = steps.shown.length - 1;
  slider.value = steps.position;
  slider.setAttribute("aria-valuetext", panel.announce());
  byId("count").textContent = `${steps.position + 1} / ${steps.shown.length}`;
  byId("back").disabled = byId("first").disabled = steps.position === 0;
  byId("next").disabled = byId("last").disabled = steps.position === steps.shown.length - 1;
  slider.style.setProperty("--done", `${(100 * steps.position) / Math.max(1, steps.shown.length - 1)}%`);
  status(panel.announce());
}

function status(text) {
  byId("status").textContent = text;
}

// --- playing

function play(on) {
  clearInterval(page.timer);
  page.timer = null;
  if (on) {
    if (steps.position === steps.shown.length - 1) actions.go(0);
    page.timer = setInterval(() => {
      actions.go(steps.position + 1);
      if (steps.position === steps.shown.length - 1) play(false);
    }, Number(byId("speed").value));
  }
  byId("play").setAttribute("aria-label", on ? "pause" : "play");
  byId("play").title = on ? "pause (space)" : "play (space)";
  byId("play").classList.toggle("playing", on);
}

const step = (by) => { play(false); actions.go(steps.position + by); };
byId("first").onclick = () => step(-Infinity);
byId("back").onclick = () => step(-1);
byId("play").onclick = () => play(!page.timer);
byId("next").onclick = () => step(1);
byId("last").onclick = () => step(Infinity);
byId("time").oninput = (event) => { play(false); actions.go(Number(event.target.value)); };
byId("speed").onchange = () => { if (page.timer) play(true); };
byId("larger").onclick = () => view.zoom(1.25);
byId("smaller").onclick = () => view.zoom(0.8);
byId("fit").onclick = () => view.fit(true);
byId("help").onclick = () => byId("keys").showModal();
byId("theme").onclick = () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
};

// --- keys

// Folds the module around the box that the keyboard is at.
function foldAround() {
  const around = groups.parentOf(view.focus);
  if (around > 0) actions.fold(around);
}

const KEYS = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  " ": () => play(!page.timer),
  ArrowDown: () => view.moveFocus(1),
  ArrowUp: () => view.moveFocus(-1),
  f: () => {
    if (view.focus[0] === "g") actions.unfold(Number(view.focus.slice(1)));
    else foldAround();
  },
  F: foldAround,
  n: () => { if (page.path) actions.nextPath(); },
  "+": () => view.zoom(1.25),
  "=": () => view.zoom(1.25),
  "-": () => view.zoom(0.8),
  0: () => view.fit(true),
  t: () => byId("theme").click(),
  "?": () => byId("help").click(),
  Escape: () => { tip.hide(); if (page.path) actions.follow(null); },
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const target = event.target, tag = target.tagName;
  const scrolls = ["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key);
  if (tag === "SELECT" || (tag === "INPUT" && (scrolls || event.key.startsWith("Arrow")))) return;
  if (["BUTTON", "SUMMARY"].includes(tag) && event.key === " ") return; // it presses them
  const box = target.closest(".box");
  if (box && event.key === "Enter") {
    event.preventDefault();
    return actions.choose(box.dataset.key);
  }
  if (!box && target.closest("#panel") && scrolls) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// --- arrays under the pointer, and at the keyboard's place

byId("graph").addEventListener("pointerover", (event) => {
  const box = event.target.closest(".box");
  if (box && event.pointerType === "mouse" && !event.buttons) tip.show(box);
  else if (!box) tip.hide();
});
byId("graph").addEventListener("click", (event) => {
  const box = event.target.closest(".box");
  if (!box) tip.hide();
  else if (event.pointerType === "touch" || box.matches(".constant")) tip.show(box);
});
byId("graph").addEventListener("pointerleave", () => tip.hide());
byId("graph").addEventListener("focusin", (event) => {
  const box = event.target.closest(".box");
  if (!box) return;
  view.focus = box.dataset.key;
  if (box.matches(":focus-visible")) {
    view.show(box.dataset.key, true);
    tip.show(box);
  }
});
byId("graph").addEventListener("focusout", () => tip.hide());

let resized;
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => view.fit(), 150); });

view.build();
update();
view.fit();
