"""The whole idea on a few screens: the engine of tinygrad_dl, retold without its speed, checks and errors.

Read it from top to bottom; then `core/engine.py` and `core/declaration.py` hold no surprise. A test runs the same
expressions through this file and through the real engine and demands equal gradients.

An op is a function of arrays and rules that name what they read. The names decide what is saved. Rules are called with
arrays in a first-order pass, and with tensors when the pass itself is to be recorded: every order from one rule.

    python docs/engine_in_200_lines.py
"""

from __future__ import annotations

import inspect
import itertools

import numpy as np

counter = itertools.count()
NUMPY = {}  # NumPy function -> our op: how `np.exp(tensor)` finds us


# -- tensors and nodes -----------------------------------------------------------------------------


class Tensor:
    """An array, and the node that made it (or a Leaf, if a gradient is wanted here)."""

    def __init__(self, data, edge=None, requires_grad=False):
        self.data = np.asarray(data)
        self.edge = Leaf(self.data.shape) if requires_grad else edge

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return NUMPY[ufunc if method == "__call__" else (ufunc, method)](*inputs, **options)

    def __array_function__(self, function, types, args, options):
        return NUMPY[function](*args, **options)

    def __add__(self, other):
        return add(self, other)

    def __mul__(self, other):
        return mul(self, other)

    def reshape(self, shape):
        return reshape(self, shape=shape)

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other):
        return self + mul(other, -1.0)


class Leaf:
    """The end of the graph."""

    edges, seq = (), -1

    def __init__(self, shape):
        self.shape = shape


class Node:
    """One recorded operation. It points to what made its inputs, and never to its own output: no cycles."""

    def __init__(self, op, edges, saved, shape):
        self.op, self.edges, self.saved, self.shape = op, edges, saved, shape
        self.seq = next(counter)


# -- operations ------------------------------------------------------------------------------------


class Op:
    """A function of arrays, and a rule for the gradient of each argument."""

    def __init__(self, forward, *numpy):
        self.forward, self.rules = forward, {}
        self.arguments = list(inspect.signature(forward).parameters)
        for function in numpy:
            NUMPY[function] = self

    def vjp(self, **rules):
        """Declares rules; `reads` is what their parameters name, and so all that a node has to keep."""
        self.rules.update(rules)
        self.reads = {name: list(inspect.signature(rule).parameters)[1:] for name, rule in rules.items()}

    def __call__(self, *args, **options):
        options = {"axis": None, **options} if "axis" in self.arguments else options
        arrays = [a.data if isinstance(a, Tensor) else np.asarray(a) for a in args]
        edges = [a.edge if isinstance(a, Tensor) else None for a in args]
        out = np.asarray(self.forward(*arrays, **options))
        if not any(edges):
            return Tensor(out)
        known = dict(zip(self.arguments, arrays, strict=False)) | options | {"out": out}
        known |= {f"{name}_shape": a.shape for name, a in zip(self.arguments, arrays, strict=False)}
        wanted = [name for name, edge in zip(self.arguments, edges, strict=False) if edge is not None]
        saved = {name: known[name] for argument in wanted for name in self.reads[argument]}
        return Tensor(out, Node(self, edges, saved, out.shape))


def op(*numpy):
    """Declares an op for a function of arrays, and for NumPy functions that are to reach it."""
    return lambda forward: Op(forward, *numpy)


@op(np.add)
def add(x, y):
    return x + y


add.vjp(x=lambda g: g, y=lambda g: g)


@op(np.multiply)
def mul(x, y):
    return x * y


mul.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@op(np.tanh)
def tanh(x):
    return np.tanh(x)


tanh.vjp(x=lambda g, out: g - g * (out * out))
exp = Op(lambda x: np.exp(x), np.exp)
exp.vjp(x=lambda g, out: g * out)


@op(np.sum, (np.add, "reduce"))
def total(x, axis=None):
    return np.sum(x, axis=axis)


def spread(g, axis, x_shape):
    kept = tuple(1 if axis in (None, i) else n for i, n in enumerate(x_shape))
    return np.broadcast_to(g.reshape(kept), x_shape)


total.vjp(x=spread)


broadcast_to = Op(lambda x, shape=None: np.broadcast_to(x, shape), np.broadcast_to)
broadcast_to.vjp(x=lambda g: g)  # the engine sums what was repeated


reshape = Op(lambda x, shape=None: np.reshape(x, shape))
reshape.vjp(x=lambda g, x_shape: g.reshape(x_shape))


# -- the backward pass -----------------------------------------------------------------------------


def propagate(root, start, recorded=False):
    """The chain rule from the root to every leaf. With `recorded`, on tensors, so that it is recorded itself."""
    seen, stack = {root}, [root]  # no recursion: graphs are deep
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    grads = {root: Tensor(start) if recorded else start}
    for node in sorted(seen, key=lambda node: -node.seq):  # newest first: what reads comes before what is read
        if isinstance(node, Leaf):
            break
        g = grads.pop(node)
        saved = reconnected(node) if recorded else node.saved
        for name, edge in zip(node.op.arguments, node.edges, strict=False):
            if edge is not None:
                gx = unbroadcast(node.op.rules[name](g, *(saved[read] for read in node.op.reads[name])), edge.shape)
                grads[edge] = grads[edge] + gx if edge in grads else gx
    return grads


def reconnected(node):
    """Saved arrays as tensors, on the edges from which they came."""
    edges = dict(zip(node.op.arguments, node.edges, strict=False)) | {"out": node}
    return {name: Tensor(v, edges[name]) if edges.get(name) else v for name, v in node.saved.items()}


def unbroadcast(g, shape):
    """Sums over what broadcasting repeated."""
    extra = g.ndim - len(shape)
    axes = tuple(i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1))
    return np.add.reduce(g, axis=axes).reshape(shape) if g.shape != tuple(shape) else g


if __name__ == "__main__":
    x = Tensor([0.5, -1.0], requires_grad=True)
    y = np.sum(np.tanh(x * x) * np.exp(x))
    first = propagate(y.edge, np.ones(()), recorded=True)[x.edge]
    second = propagate(np.sum(first).edge, np.ones(()))[x.edge]
    print(y.data, first.data, second)
