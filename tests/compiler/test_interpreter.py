"""The naive interpreter itself: values, state, and a guard that does not hold."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from compiler.interpreter import Stopped, interpret
from tinygrad_dl.compiler.program import Buffer, Call, Constant, Number, Program, Scalar, View

FLOAT = np.dtype(np.float32)


def test_a_run_changes_outside_memory_and_a_failed_guard_puts_all_of_it_back():
    weight = np.arange(6, dtype=FLOAT)
    w = Buffer(0, "outside", 24, weight.__array_interface__["data"][0], weight)
    x, h = Buffer(1, "argument", 24, 0, None), Buffer(2, "inside", 24, 0, None)
    of_w, of_x, of_h = (View(buffer, 0, (6,), (4,), FLOAT) for buffer in (w, x, h))
    draws = Scalar("generator")
    calls = [
        Call("ufunc", np.multiply, [of_x, of_w], out=of_h),
        Call("ufunc", np.add, [of_w, Constant(1)], out=of_w),
        Call("function", np.random.Generator.random, [draws], out=Scalar("s2"), effect=True),
        Call("reduce", np.add, [of_h], out=Scalar("s1")),
        Call("guard", operator.lt, [Scalar("s1"), Constant(50)]),
    ]
    program = Program("step", calls, [w, x, h], arguments=[of_x], results=[of_h, Scalar("s1"), Scalar("s2")])
    program.numbers.append(Number(draws, lambda: None, "generator"))
    generator = np.random.default_rng(0)
    product, total, drawn = interpret(program, [np.ones(6, FLOAT)], [generator])
    assert product.tolist() == [0, 1, 2, 3, 4, 5] and total == 15
    assert drawn == np.random.default_rng(0).random()
    assert weight.tolist() == [1, 2, 3, 4, 5, 6]
    state = generator.bit_generator.state
    with pytest.raises(Stopped):
        interpret(program, [np.full(6, 10, FLOAT)], [generator])
    assert weight.tolist() == [1, 2, 3, 4, 5, 6]
    assert generator.bit_generator.state == state
