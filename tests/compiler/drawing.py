"""Random programs over views of memory of all kinds, for hypothesis."""

from __future__ import annotations

import operator

import numpy as np
from hypothesis import strategies as st

from compiler.building import Builder, sliced
from tinygrad_dl.compiler.program import Call, Constant, Number, Scalar

UNARY = [np.negative, np.tanh, np.square, np.abs]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum]
SHAPES = [(6,), (2, 3), (3, 2), (3, 4), (4, 3), (1, 3), (2, 1, 3)]


@st.composite
def programs(draw, guards=True, boundary=False):
    """A function that makes the same program anew each time, with memory of its own."""
    steps = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=25))
    return lambda: made(steps, guards, boundary)


def made(steps, guards, boundary):
    """The program that a list of seeds describes, one for each step."""
    rng = np.random.default_rng(steps[0])
    b = Builder("step")
    views = [b.outside(rng.standard_normal(shape).astype(np.float32), f"p{i}") for i, shape in enumerate(SHAPES[:4])]
    views += [b.argument((3, 4), "x"), b.argument((6,), "y")]
    b.program.numbers += [
        Number(Scalar("limit"), lambda: np.inf, "limit"),
        Number(Scalar("generator"), lambda: np.random.default_rng(0), "generator"),
    ]
    numbers = []
    middle = int(rng.integers(0, len(steps))) if boundary else None
    for i, seed in enumerate(steps):
        if i == middle:
            b.program.boundary, b.program.seeds = len(b.program.calls), 1
            views.append(b.argument((3, 4), "grad"))
        step(b, views, numbers, np.random.default_rng(seed), guards and (middle is None or i < middle))
    count = int(rng.integers(0, 3))
    b.program.results += [views[int(rng.integers(len(views)))] for _ in range(count)]
    b.program.results += [Scalar(name) for name in numbers[-1:]]
    b.program.gradients = len(b.program.results) if boundary else 0
    for view in views:
        if view.buffer.kind == "inside" and rng.random() < 0.1:
            view.buffer.kept = True
    return b.program


def step(b, views, numbers, rng, guards):
    """Adds one thing to a program."""

    def pick(shape=None):
        found = [v for v in views if shape is None or v.shape == shape]
        return found[int(rng.integers(len(found)))]

    kind = ["view", "view", "new", "new", "into", "into", "copy", "copy", "fresh", "wide", "sum", "product", "guard"][
        int(rng.integers(13))
    ]
    if rng.random() < 0.1:
        kind = ["draw", "where", "lanes", "take", "scalar"][int(rng.integers(5))]
    one = pick()
    other = pick(one.shape)
    if kind == "view":
        views.append(another(one, rng))
    elif kind == "new":
        number = round(float(rng.standard_normal()), 2)
        operand = [other, number, 2][int(rng.integers(3))]
        views.append(b.ufunc(BINARY[int(rng.integers(5))], one, operand))
    elif kind == "into" and single(one):
        b.ufunc(UNARY[int(rng.integers(4))], other, out=one) if rng.random() < 0.5 else b.ufunc(
            BINARY[int(rng.integers(5))], other, pick(one.shape), out=one
        )
    elif kind == "copy" and single(one):
        b.copy(one, other)
    elif kind == "fresh":
        target = b.inside(one.shape)
        b.copy(target, one)
        views.append(target)
    elif kind == "wide" and single(one) and one.shape:
        rows = [v for v in views if v.shape == one.shape[-1:]]
        b.copy(one, rows[0] if rows else Constant(np.float32(0.5)))
    elif kind == "sum":
        name = f"t{len(b.program.calls)}"
        b.call("reduce", np.add, one, out=Scalar(name), options={"axis": None})
        numbers.append(name)
    elif kind == "product":
        pairs = [(u, v) for u in views for v in views if len(u.shape) == len(v.shape) == 2 and u.shape[1] == v.shape[0]]
        if pairs:
            views.append(b.product(*pairs[int(rng.integers(len(pairs)))]))
    elif kind == "guard" and guards and numbers:
        b.call("guard", operator.lt, Scalar(numbers[-1]), Scalar("limit"))
    elif kind == "draw" and single(one) and contiguous(one):
        options = {"dtype": Constant(np.float32), "out": one}
        call = Call("write", draw_into, [one, Scalar("generator")], effect=True)
        del options
        b.program.calls.append(call)
    elif kind == "where" and single(one):
        mask = b.call("ufunc", np.greater, other, 0.0, out=b.inside(one.shape, bool))
        call = Call("ufunc", np.add, [one, Constant(1.0)], {"where": mask}, out=one)
        b.program.calls.append(call)
    elif kind == "lanes":
        target, (u, v) = b.inside((2, *one.shape)), (one, other)
        parts = [sliced(target, i) for i in (0, 1)]
        lanes = [[Call("ufunc", np.add, [u, v], out=parts[0])], [Call("ufunc", np.multiply, [u, v], out=parts[1])]]
        b.program.calls.append(Call("lanes", None, lanes=lanes))
        views += parts
    elif kind == "take" and one.shape:
        index = b.inside((2,), np.int64)
        b.copy(index, Constant(0))
        out = b.inside((2, *one.shape[1:]))
        views.append(b.call("function", np.ndarray.take, one, index, 0, out=out, options={"mode": "wrap"}))
    elif kind == "scalar" and numbers:
        name = f"t{len(b.program.calls)}"
        b.call("scalar", operator.mul, Scalar(numbers[-1]), 0.5, out=Scalar(name))
        views.append(b.call("ufunc", np.multiply, one, Scalar(name), out=b.inside(one.shape)))


def draw_into(target, generator):
    """Fills an array with random numbers."""
    target[...] = generator.random(target.shape, np.float32)


def single(view):
    """Whether each element is shown once."""
    return all(stride or n == 1 for n, stride in zip(view.shape, view.strides, strict=True))


def contiguous(view):
    from tinygrad_dl.compiler.passes.uses import contiguous

    return contiguous(view)


def another(view, rng):
    """Another view of the same elements, or of some."""
    kind = int(rng.integers(6))
    shape = view.shape
    if kind == 0:
        return view._replace(shape=shape[::-1], strides=view.strides[::-1])
    if kind == 1 and contiguous(view) and int(np.prod(shape)) in (6, 12):
        new = [s for s in SHAPES if np.prod(s) == np.prod(shape)]
        new = new[int(rng.integers(len(new)))]
        strides = tuple(4 * int(np.prod(new[i + 1 :])) for i in range(len(new)))
        return view._replace(shape=new, strides=strides)
    if kind == 2 and len(shape) < 3:
        return view._replace(shape=(2, *shape), strides=(0, *view.strides))
    if kind == 3 and shape and shape[-1] > 2:
        return sliced(view, ..., slice(1, None))
    if kind == 4 and shape and shape[-1] > 2:
        return sliced(view, ..., slice(None, None, 2))
    return sliced(view, ..., slice(0, max(1, shape[-1] - 1))) if shape else view
