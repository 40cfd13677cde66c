"""Random graphs: the engine's gradients against a naive tape written for this test alone.

Graphs share subexpressions, have several outputs, and leave values unused.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td

SHAPE = (2, 3)


class Naive:
    """A value with its parents and, for each of them, how its gradient follows from this one's."""

    def __init__(self, value, parents=()):
        self.value, self.parents = value, parents

    def gradients(self, g, into):
        """Every path on its own, recursively: no order to get wrong, and exponential in the depth."""
        into[id(self)] = into.get(id(self), 0) + g
        for parent, pull in self.parents:
            parent.gradients(pull(g), into)


def summed(a):
    def total(array):
        return np.broadcast_to(array.sum(1, keepdims=True), SHAPE)

    return Naive(total(a.value), [(a, total)])


def first_column(a):
    def pull(g):
        whole = np.zeros(SHAPE)
        whole[:, 0] = g.sum(1)
        return whole

    return Naive(np.broadcast_to(a.value[:, :1], SHAPE), [(a, pull)])


# name: (on tensors, on naive values)
UNARY = {
    "exp": (
        lambda a: (a * 0.1).exp(),
        lambda a: Naive(np.exp(0.1 * a.value), [(a, lambda g: g * 0.1 * np.exp(0.1 * a.value))]),
    ),
    "tanh": (lambda a: a.tanh(), lambda a: Naive(np.tanh(a.value), [(a, lambda g: g * (1 - np.tanh(a.value) ** 2))])),
    "neg": (lambda a: -a, lambda a: Naive(-a.value, [(a, lambda g: -g)])),
    "scale": (lambda a: a * 0.5, lambda a: Naive(a.value * 0.5, [(a, lambda g: g * 0.5)])),
    "sum": (lambda a: a.sum(1, keepdim=True).expand(SHAPE), summed),
    "reshape": (
        lambda a: a.reshape(3, 2).reshape(SHAPE),
        lambda a: Naive(a.value, [(a, lambda g: g)]),
    ),
    "index": (lambda a: a[:, :1].expand(SHAPE), first_column),
    "identity": (lambda a: a, lambda a: a),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: Naive(a.value + b.value, [(a, lambda g: g), (b, lambda g: g)])),
    "sub": (lambda a, b: a - b, lambda a, b: Naive(a.value - b.value, [(a, lambda g: g), (b, lambda g: -g)])),
    "mul": (
        lambda a, b: a * b * 0.3,
        lambda a, b: Naive(
            a.value * b.value * 0.3, [(a, lambda g: g * b.value * 0.3), (b, lambda g: g * a.value * 0.3)]
        ),
    ),
    "div": (
        lambda a, b: a / (b * b + 1),
        lambda a, b: Naive(
            a.value / (b.value**2 + 1),
            [
                (a, lambda g: g / (b.value**2 + 1)),
                (b, lambda g: -2 * g * a.value * b.value / (b.value**2 + 1) ** 2),
            ],
        ),
    ),
    "matmul": (
        lambda a, b: (a @ b.transpose(0, 1)) @ a * 0.1,
        lambda a, b: Naive(
            a.value @ b.value.T @ a.value * 0.1,
            [
                (a, lambda g: (g @ a.value.T @ b.value + (b.value @ a.value.T) @ g) * 0.1),
                (b, lambda g: (a.value @ g.T @ a.value) * 0.1),
            ],
        ),
    ),
}

steps = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 2**16), st.integers(0, 2**16)), min_size=3, max_size=12
)


def build(program, leaves, kind):
    """All values of a program: each step works on values made before, chosen by number."""
    values = list(leaves)
    for name, i, j in program:
        table = UNARY if name in UNARY else BINARY
        operands = [values[i % len(values)], values[j % len(values)]][: 1 if name in UNARY else 2]
        values.append(table[name][kind](*operands))
    return values


@given(steps, st.integers(0, 2**16), st.lists(st.integers(0, 2**16), min_size=1, max_size=3))
@settings(max_examples=60)
def test_gradients_of_random_graphs(program, seed, chosen):
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(-1, 1, SHAPE) for _ in range(3)]
    tensors = [td.tensor(a, requires_grad=True) for a in arrays]
    naive = [Naive(a) for a in arrays]
    ours, theirs = build(program, tensors, 0), build(program, naive, 1)
    outputs = [-1, *(i % len(ours) for i in chosen)]  # the last value, and others, perhaps twice or a leaf
    weights = [rng.uniform(-1, 1, SHAPE) for _ in outputs]
    expected: dict[int, np.ndarray] = {}
    for i, weight in zip(outputs, weights, strict=True):
        np.testing.assert_allclose(ours[i].detach().numpy(), theirs[i].value, rtol=1e-9, atol=1e-12)
        theirs[i].gradients(weight, expected)

    roots = [ours[i] for i in outputs]
    starts = [td.tensor(w) for w in weights]
    found = td.autograd.grad(roots, tensors, starts, retain_graph=True, materialize_grads=True)
    recorded = td.autograd.grad(roots, tensors, starts, create_graph=True, materialize_grads=True)
    td.autograd.backward(roots, starts)
    for tensor, leaf, g, again in zip(tensors, naive, found, recorded, strict=True):
        right = expected.get(id(leaf), np.zeros(SHAPE))
        np.testing.assert_allclose(g.numpy(), right, rtol=1e-8, atol=1e-9)
        np.testing.assert_array_equal(g.numpy(), again.detach().numpy())
        if tensor.grad is not None:
            np.testing.assert_array_equal(g.numpy(), tensor.grad.detach().numpy())


@given(steps, st.integers(0, 2**16))
@settings(max_examples=20)
def test_second_derivatives_of_random_graphs(program, seed):
    rng = np.random.default_rng(seed)
    tensors = [td.tensor(rng.uniform(-1, 1, SHAPE), requires_grad=True) for _ in range(2)]
    direction = [rng.uniform(-1, 1, SHAPE) for _ in tensors]

    def slope(step):
        """The derivative along the direction of the sum's gradient, as a number."""
        pairs = zip(tensors, direction, strict=True)
        moved = [td.tensor(t.detach().numpy() + step * d, requires_grad=True) for t, d in pairs]
        last = (build(program, moved, 0)[-1] ** 2).sum()
        found = td.autograd.grad(last, moved, create_graph=True, materialize_grads=True)
        return sum((g * td.tensor(d)).sum() for g, d in zip(found, direction, strict=True)), moved

    total, moved = slope(0.0)
    if total.requires_grad:
        found = td.autograd.grad(total, moved, materialize_grads=True)
        exact = sum(float((g.numpy() * d).sum()) for g, d in zip(found, direction, strict=True))
    else:
        exact = 0.0
    h = 1e-4
    numeric = (slope(h)[0].item() - slope(-h)[0].item()) / (2 * h)
    np.testing.assert_allclose(exact, numeric, rtol=1e-4, atol=1e-4)
