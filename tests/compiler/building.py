"""Programs made by hand."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.compiler.program import Buffer, Call, Constant, Items, Program, Scalar, View

Operand = View | Scalar | Constant | Items


class Builder:
    """Adds buffers and calls to a program: `b.ufunc(np.add, x, 2.0)` makes a new array of what it returns."""

    def __init__(self, name="step"):
        self.program = Program(name)
        self.place = self.line = ""

    def buffer(self, kind, nbytes, name="", owner=None, kept=False):
        address = 0 if owner is None else owner.__array_interface__["data"][0]
        made = Buffer(len(self.program.buffers), kind, nbytes, address, owner, name, kept)
        self.program.buffers.append(made)
        return made

    def whole(self, buffer, shape, dtype=np.float32):
        dtype = np.dtype(dtype)
        strides, step = [], dtype.itemsize
        for n in reversed(shape):
            strides.insert(0, step)
            step *= n
        return View(buffer, 0, tuple(shape), tuple(strides), dtype)

    def outside(self, array, name=""):
        return self.whole(self.buffer("outside", array.nbytes, name, array), array.shape, array.dtype)

    def argument(self, shape, name="", dtype=np.float32):
        view = self.whole(self.buffer("argument", int(np.prod(shape)) * np.dtype(dtype).itemsize, name), shape, dtype)
        self.program.arguments.append(view)
        return view

    def inside(self, shape, dtype=np.float32, kept=False):
        return self.whole(
            self.buffer("inside", int(np.prod(shape)) * np.dtype(dtype).itemsize, kept=kept), shape, dtype
        )

    def call(self, form, function, *arguments, out=None, **more):
        arguments = [a if isinstance(a, Operand) else Constant(a) for a in arguments]
        more["options"] = {name: Constant(value) for name, value in more.get("options", {}).items()}
        self.program.calls.append(Call(form, function, arguments, out=out, place=self.place, line=self.line, **more))
        return out

    def ufunc(self, function, *arguments, out=None):
        if out is None:
            views = [a for a in arguments if isinstance(a, View)]
            shape = np.broadcast_shapes(*(v.shape for v in views))
            out = self.inside(shape, views[0].dtype)
        return self.call("ufunc", function, *arguments, out=out)

    def product(self, a, b, out=None):
        return self.call("product", np.dot, a, b, out=out or self.inside((a.shape[0], b.shape[1]), a.dtype))

    def copy(self, target, source):
        self.call("write", np.copyto, target, source)


def transposed(view):
    return view._replace(shape=view.shape[::-1], strides=view.strides[::-1])


def sliced(view, *index):
    """A view of part of a view, by slices and integers."""
    memory = np.zeros(1, np.uint8)
    array = np.lib.stride_tricks.as_strided(memory.view(np.uint8), (1,), (1,))
    fake = np.ndarray(view.shape, view.dtype, np.zeros(view.buffer.nbytes + 64, np.uint8), view.offset, view.strides)
    del array
    part = fake[index]
    offset = part.__array_interface__["data"][0] - fake.__array_interface__["data"][0]
    return View(view.buffer, view.offset + offset, part.shape, part.strides, view.dtype)
