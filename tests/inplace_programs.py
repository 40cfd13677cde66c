"""Random programs of operations, views, in-place changes, detach, no_grad and hooks, and two ways to run them.

A program is a list of instructions, each (name, three numbers, whether under no_grad); the numbers choose among the
variables that there are, and among what an instruction knows. `Direct` runs it with a library that has PyTorch's names.
`Copying` runs it without views or in-place changes: memory is an array of values, and its graph a tensor of the same
elements that each change makes anew, by operations out of place.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

import tinygrad_dl as td

SHAPES = [(4,), (2, 3), (3, 2), (2, 2, 2)]


def moved(t):
    """The first dimension last; of a tensor or an array."""
    return t.movedim(0, -1) if hasattr(t, "movedim") else np.moveaxis(t, 0, -1)


def windows(t):
    """Pairs of neighbours along the last dimension."""
    if t.shape[-1] < 2:
        return t[...]
    if hasattr(t, "unfold"):
        return t.unfold(-1, 2, 2)
    return np.lib.stride_tricks.sliding_window_view(t, 2, -1)[..., ::2, :]


VIEWS = [
    lambda t: t[0],
    lambda t: t[-1:],
    lambda t: t[..., 1:],
    lambda t: t[..., ::2],
    lambda t: t[..., 0],
    lambda t: t[None],
    lambda t: t[...],
    lambda t: t.T if t.ndim == 2 else t[:1],
    lambda t: t.reshape(-1),
    lambda t: t.reshape((*t.shape[:-1], -1, 1)),
    lambda t: t.swapaxes(0, -1),
    lambda t: t.diagonal(0, 0, -1) if t.ndim > 1 else t[1:],
    moved,
    windows,
]
PIECES = [  # the last of several views: of a tensor, of an array
    (lambda t: t.unbind()[-1], lambda a: a[-1]),
    (lambda t: t.split(1)[-1], lambda a: a[-1:]),
    (lambda t: t.chunk(2, -1)[-1], lambda a: a[..., (a.shape[-1] + 1) // 2 :] if a.shape[-1] > 1 else a),
]
UNARY = [lambda x: x * x, lambda x: x.sin(), lambda x: x.tanh(), lambda x: x * 0.5, lambda x: x.clone()]
BINARY = [lambda x, y: x * y, lambda x, y: x + y, lambda x, y: x - 2 * y]
CHANGES = [  # out of place, and the same in place
    (lambda x, y: x * 1.5, lambda x, y: x.mul_(1.5)),
    (lambda x, y: x + y, lambda x, y: x.add_(y)),
    (lambda x, y: x * y, lambda x, y: x.mul_(y)),
    (lambda x, y: x.sin(), lambda x, y: x.sin_()),
    (lambda x, y: x * 0 + y, lambda x, y: x.copy_(y)),
    (lambda x, y: x * 0, lambda x, y: x.zero_()),
    (lambda x, y: x * 0 + 0.75, lambda x, y: x.fill_(0.75)),
    (lambda x, y: x.clamp(-0.51, 0.97), lambda x, y: x.clamp_(-0.51, 0.97)),
    (lambda x, y: x + (y - x) * 0.25, lambda x, y: x.lerp_(y, 0.25)),
    (lambda x, y: x + y * y * 0.5, lambda x, y: x.addcmul_(y, y, value=0.5)),
    (lambda x, y: x.masked_fill(x > 0.603, 0.25), lambda x, y: x.masked_fill_(x > 0.603, 0.25)),
]
NAMES = "leaf plain unary unary unary binary binary view view view view view view pieces change change change change"
NAMES += " change change store detach hook retain grad"

instructions = st.tuples(
    st.sampled_from(NAMES.split()),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from([False] * 5 + [True]),
)
programs = st.lists(instructions, min_size=3, max_size=30)
COUNT = 10_000 if settings.get_current_profile_name() == "nightly" else 200


class Direct:
    """Runs the instructions with a library as it stands."""

    def __init__(self, T):
        self.T, self.leaves, self.variables = T, [], []

    def new(self, tensor, leaf=False):
        """Takes a tensor as a variable."""
        self.variables.append(tensor)
        if leaf:
            self.leaves.append(tensor)

    def read(self, v):
        return v

    def view(self, v, look, several):
        self.new(look(v))
        return self.variables[-1]._is_view()

    def detach(self, v):
        self.new(v.detach())

    def change(self, v, y, out_of_place, in_place):
        _ = v.grad_fn  # without this, PyTorch takes a view whose base has just joined the graph for a leaf
        in_place(v, y)

    def values(self, v):
        return v.detach().tolist()

    def place(self, v):
        return v

    def retained(self, v):
        return v.grad


class Variable:
    """Elements of a memory: `where` they are in it, and where `inside` the variable that they are a view of."""

    age, node, kept, lost = -1, None, False, False

    def __init__(self, memory, graph, where, parent=None, inside=None, fixed=False, several=False):
        self.memory, self.graph, self.where, self.parent, self.inside = memory, graph, where, parent, inside
        self.fixed = fixed or bool(parent and parent.fixed)  # a constant: made under no_grad
        self.several = several or bool(parent and parent.several)
        graph["family"].append(self)


class Copying:
    """Runs the instructions with operations out of place alone."""

    T = td

    def __init__(self):
        self.leaves, self.variables = [], []

    def new(self, tensor, leaf=False):
        graph = {"node": tensor if tensor.requires_grad else None, "age": 0, "leaf": leaf, "family": []}
        where = np.arange(tensor.numel()).reshape(tensor.shape)
        self.variables.append(Variable([tensor.detach().numpy().reshape(-1).copy()], graph, where))
        if leaf:
            self.leaves.append(tensor)

    def place(self, v):
        """The variable's place in the graph, one tensor until the graph is made anew; None: a constant."""
        if v.graph["node"] is None or v.fixed:
            return None
        if v.age != v.graph["age"]:
            v.age, v.node = v.graph["age"], v.graph["node"]
            if v.parent is not None:
                with td.enable_grad():
                    v.node = self.place(v.parent).reshape(-1)[td.tensor(v.inside)]
        return v.node

    def read(self, v):
        """Its values as they are in memory, with its place in the graph."""
        data, node = td.tensor(v.memory[0][v.where]), self.place(v)
        return data if node is None else node + (data - node.detach())

    def view(self, v, look, several):
        inside = look(np.arange(v.where.size).reshape(v.where.shape))
        fixed = not td.is_grad_enabled()
        made = Variable(v.memory, v.graph, v.where.reshape(-1)[inside], v, inside, fixed, several)
        self.variables.append(made)
        return True

    def detach(self, v):
        graph = {"node": None, "age": 0, "leaf": False, "family": []}
        self.variables.append(Variable(v.memory, graph, v.where))

    def change(self, v, y, out_of_place, in_place):
        new, graph, root = out_of_place(self.read(v), y) + td.zeros(v.where.shape), v.graph, v.graph["family"][0]
        if td.is_grad_enabled() and (new.requires_grad or graph["node"] is not None):
            if graph["leaf"] or v.fixed or v.several:
                raise RuntimeError("refused")
            at = self.place(root)
            whole = td.tensor(v.memory[0][root.where]) if at is None else at
            spots = np.arange(root.where.size).reshape(root.where.shape)
            for inside in reversed([each.inside for each in line(v)][:-1]):
                spots = spots.reshape(-1)[inside]
            whole = whole.reshape(-1).index_put((td.tensor(spots.reshape(-1)),), new.reshape(-1))
            graph.update(node=whole.reshape(root.where.shape), age=graph["age"] + 1)
            for each in graph["family"]:
                each.lost = each.lost or each.fixed
                if each.kept:
                    self.place(each).retain_grad()
        v.memory[0][v.where] = new.detach().numpy()

    def values(self, v):
        return v.memory[0][v.where].tolist()

    def retained(self, v):
        return self.place(v).grad


def line(v):
    """A variable, what it is a view of, and so on."""
    return [v] if v.parent is None else [v, *line(v.parent)]


class Refused(Exception):
    """An instruction that a machine refuses, with what the library said."""


class Lockstep:
    """Runs a program on several machines at once, the last of which is a `Copying`, and compares them."""

    def __init__(self, *machines, as_pytorch=False):
        self.machines, self.copying, self.as_pytorch = machines, machines[-1], as_pytorch
        self.done = {"refused": 0, "stale": 0, "compared": 0}

    def run(self, program):
        self.leaf(1, 0, 0)
        for name, a, b, c, without_grad in program:
            modes = [m.T.no_grad() if without_grad else nullcontext() for m in self.machines]
            self.modes, self.recording = modes, not without_grad
            getattr(self, name)(a, b, c)
            for i, v in enumerate(self.copying.variables):
                for m in self.machines[:-1]:
                    expected = self.copying.values(v)
                    np.testing.assert_allclose(m.values(m.variables[i]), expected, rtol=1e-4, atol=1e-5)
        self.modes = [nullcontext() for _ in self.machines]
        self.backward()
        return self.done

    # What the instructions choose from.

    def choose(self, number):
        """The index of a variable that may be read; None: there is none."""
        usable = [i for i, v in enumerate(self.copying.variables) if not self.is_lost(v)]
        return usable[number % len(usable)] if usable else None

    def is_lost(self, v):
        """Whether it is not known on what its values depend, or PyTorch says so."""
        return v.lost or (self.as_pytorch and v.graph["node"] is not None and (v.fixed or v.several))

    def each(self, function):
        """Calls the function with each machine; that one refuses, all must."""
        results, errors = [], []
        for m, mode in zip(self.machines, self.modes, strict=True):
            with mode:
                try:
                    results.append(function(m))
                except RuntimeError as error:
                    errors.append(error)
                    results.append(None)
        if errors:
            self.done["refused"] += 1
            assert len(errors) == len(results), f"only some refused: {results}, {errors}"
            raise Refused(errors) from errors[0]
        return results

    def operand(self, m, x, i):
        """A copy of a variable's values for an operation with `x`; of another shape, their sum."""
        y = m.read(m.variables[i])
        return y.clone() if tuple(y.shape) == tuple(x.shape) else y.sum()

    # The instructions.

    def leaf(self, a, b, c, requires_grad=True):
        shape = SHAPES[a % len(SHAPES)]
        count = int(np.prod(shape))
        values = (0.25 + (np.arange(count) * 7 + b * 3 + c) % 11 / 16).reshape(shape).tolist()
        for m in self.machines:
            m.new(m.T.tensor(values, requires_grad=requires_grad), leaf=requires_grad)

    def plain(self, a, b, c):
        self.leaf(a, b, c, False)

    def unary(self, a, b, c):
        i = self.choose(a)
        if i is not None:
            self.each(lambda m: m.new(UNARY[b % len(UNARY)](m.read(m.variables[i]))))

    def binary(self, a, b, c):
        i, j = self.choose(a), self.choose(b)
        if i is None or j is None:
            return

        def combine(m):
            x = m.read(m.variables[i])
            m.new(BINARY[c % len(BINARY)](x, self.operand(m, x, j)))

        self.each(combine)

    def view(self, a, b, c):
        look = VIEWS[b % len(VIEWS)]
        self.taken(a, look, look, several=False)

    def pieces(self, a, b, c):
        self.taken(a, *PIECES[b % len(PIECES)], several=True)

    def taken(self, a, of_tensor, of_array, several):
        """Takes a view, if all machines have one: of which a copy was made is no variable."""
        i = self.choose(a)
        if i is None or (of_array is not VIEWS[5] and not self.copying.variables[i].where.ndim):
            return
        made = of_array(self.copying.variables[i].where)
        if made.size:
            looks = [of_tensor if m is not self.copying else of_array for m in self.machines]
            views = self.each(lambda m: m.view(m.variables[i], looks[self.machines.index(m)], several))
            if not all(views):
                for m in self.machines:
                    gone = m.variables.pop()
                    if m is self.copying:
                        gone.graph["family"].remove(gone)

    def change(self, a, b, c, index=None):
        i, j = self.choose(a), self.choose(b)
        if i is None or j is None:
            return
        out_of_place, in_place = CHANGES[c % len(CHANGES)]

        def change(m):
            v = m.variables[i]
            y = self.operand(m, m.read(v), j)
            m.change(v, y, out_of_place, in_place)

        try:
            self.each(change)
        except Refused:
            return
        self.forget(self.copying.variables[i])

    def forget(self, changed):
        """PyTorch makes no use of some views once their memory was changed by whatever."""
        for v in self.copying.variables:
            if self.as_pytorch and v.memory is changed.memory and (v.fixed or v.several):
                v.lost = True

    def store(self, a, b, c):
        i, j = self.choose(a), self.choose(b)
        if i is None or j is None or not self.copying.variables[i].where.ndim:
            return
        index = [0, slice(-1, None), (..., 0), (..., slice(None, None, 2))][c % 4]

        def put(m):
            v = m.variables[i]
            y = m.read(m.variables[j]).sum()
            if m is self.copying:
                m.view(v, lambda t: t[index], False)
                part = m.variables.pop()
                part.fixed = v.fixed
                try:
                    m.change(part, y, *CHANGES[4])
                finally:
                    v.graph["family"].remove(part)
            else:
                _ = v.grad_fn
                v[index] = y

        try:
            self.each(put)
        except Refused:
            return
        self.forget(self.copying.variables[i])

    def detach(self, a, b, c):
        i = self.choose(a)
        if i is not None:
            self.each(lambda m: m.detach(m.variables[i]))

    def in_graph(self, a):
        """The index of a variable that has a place in the graph, which leads somewhere."""
        i = self.choose(a)
        if i is None or not self.recording:
            return None
        if self.as_pytorch and self.copying.variables[i].parent:
            return None  # PyTorch leaves hooks of views out once their base was changed: see docs/differences.md
        place = self.copying.place(self.copying.variables[i])
        return i if place is not None and place.requires_grad else None

    def hook(self, a, b, c):
        i = self.in_graph(a)
        if i is not None:
            self.each(lambda m: m.place(m.variables[i]).register_hook(lambda g: g * 2))

    def retain(self, a, b, c):
        i = self.in_graph(a)
        if i is not None and not self.copying.place(self.copying.variables[i]).is_leaf:
            self.copying.variables[i].kept = True
            self.each(lambda m: m.place(m.variables[i]).retain_grad())

    def grad(self, a, b, c):
        i = self.in_graph(a)
        if i is None or any(v.kept for v in self.copying.variables):
            return
        self.compare(lambda m: m.T.autograd.grad(self.loss(m, [i]), m.leaves, retain_graph=True, allow_unused=True))

    def backward(self):
        if any(self.in_graph_at(i) for i in range(len(self.copying.variables))):
            chosen = [i for i, v in enumerate(self.copying.variables) if not self.is_lost(v)]

            def grads(m):
                self.loss(m, chosen).backward()
                kept = [i for i, v in enumerate(self.copying.variables) if v.kept and not self.is_lost(v)]
                return [*(leaf.grad for leaf in m.leaves), *(m.retained(m.variables[i]) for i in kept)]

            self.compare(grads)

    def in_graph_at(self, i):
        v = self.copying.variables[i]
        place = None if self.is_lost(v) else self.copying.place(v)
        return place is not None and place.requires_grad

    def loss(self, m, chosen):
        """A sum of all elements of some variables, each with a weight of its own."""
        total = 0
        for i in chosen:
            x = m.read(m.variables[i])
            weights = 1 + np.arange(int(np.prod(x.shape))).reshape(tuple(x.shape)) % 5 * 0.25 + i % 3
            total = (x * m.T.tensor(weights.tolist())).sum() + total
        return total

    def compare(self, function):
        """Compares gradients, or that a value was changed that the direct machines need."""
        found = []
        for m in self.machines:
            try:
                found.append(function(m))
            except RuntimeError as error:
                if self.as_pytorch and "view was created in no_grad mode" in str(error):
                    return  # PyTorch looks again at a view that was used before it was lost
                assert "in place afterwards" in str(error) or "modified by an inplace operation" in str(error), error
                found.append("stale")
        if found[0] == "stale":
            self.done["stale"] += 1
            assert all(each == "stale" for each in found[:-1]), found
            return
        self.done["compared"] += 1
        for other in found[1:]:
            assert other != "stale"
            for mine, theirs in zip(found[0], other, strict=True):
                mine, theirs = (np.zeros(()) if g is None else np.array(g.tolist()) for g in (mine, theirs))
                np.testing.assert_allclose(*np.broadcast_arrays(mine, theirs), rtol=1e-3, atol=1e-4)


def check(program, *machines, as_pytorch=False):
    """Runs a program on the machines and on a copying one; says what it did."""
    lockstep = Lockstep(*machines, Copying(), as_pytorch=as_pytorch)
    try:
        return lockstep.run(program)
    except (Refused, AssertionError) as error:
        pytest.fail(f"{error}")
