"""Random programs: optimised and written they do what the naive interpreter does, bit for bit, memory included."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.building import Builder, sliced, transposed
from compiler.drawing import made, programs
from compiler.interpreter import Stopped, interpret
from tinygrad_dl.compiler.passes import optimized
from tinygrad_dl.compiler.program import Call, Constant, Number, Scalar, View
from tinygrad_dl.compiler.writing import Stopped as StoppedProgram
from tinygrad_dl.compiler.writing import write


def memory(program):
    """The content of all memory that lives on."""
    return {b.name: b.owner.tobytes() for b in program.buffers if b.kind == "outside"}


def outcome(run, ending, program, arguments, numbers):
    """All that one can see after a run."""
    arguments = [array.copy() for array in arguments]
    state = numbers[1].bit_generator.state
    try:
        results = [(np.asarray(r).tobytes(), np.shape(r)) for r in run(arguments, numbers) or ()]
    except ending:
        assert numbers[1].bit_generator.state == state
        results = "stopped"
    return results, memory(program), [a.tobytes() for a in arguments], numbers[1].bit_generator.state


@given(make=programs(), limits=st.lists(st.sampled_from([np.inf, np.inf, 0.0, -np.inf]), min_size=2, max_size=3))
@settings(max_examples=150)
def test_optimised_and_written_programs_do_what_the_naive_interpreter_does(make, limits):
    naive, plain, better = make(), make(), make()
    written = [(plain, write(plain)), (better, write(optimized(better)))]
    rng = np.random.default_rng(0)
    generators = [np.random.default_rng(3) for _ in range(3)]
    with np.errstate(all="ignore"):
        for limit in limits:
            arguments = [rng.standard_normal(view.shape).astype(np.float32) for view in naive.arguments]
            expected = outcome(lambda a, n: interpret(naive, a, n), Stopped, naive, arguments, [limit, generators[0]])
            for k, (program, form) in enumerate(written):
                if k == 0 and expected[0] == "stopped":  # without the passes a guard may stand behind writes
                    break
                found = outcome(
                    lambda a, n, f=form: f.function(*a, *n),
                    StoppedProgram,
                    program,
                    arguments,
                    [limit, generators[k + 1]],
                )
                assert found == expected, form.source
            if expected[0] == "stopped":
                break


@given(make=programs(boundary=True))
@settings(max_examples=100)
def test_a_forward_and_a_backward_function_do_together_what_the_naive_interpreter_does(make):
    naive, plain, better = make(), make(), make()
    rng = np.random.default_rng(0)
    arguments = [rng.standard_normal(view.shape).astype(np.float32) for view in naive.arguments]

    def run(program, written, limit, generator):
        written.function(*arguments[:-1], limit, generator)
        return written.backward(arguments[-1]) or ()

    for limit in (np.inf, np.inf):
        with np.errstate(all="ignore"):
            numbers = [limit, np.random.default_rng(3)]
            try:
                expected = [np.asarray(r).tobytes() for r in interpret(naive, [a.copy() for a in arguments], numbers)]
            except Stopped:  # by NaN
                break
            for program in (plain, optimized(better)):
                written = write(program)
                kept = [a.copy() for a in arguments]
                found = [np.asarray(r).tobytes() for r in run(program, written, limit, np.random.default_rng(3))]
                for array, before in zip(arguments, kept, strict=True):
                    array[...] = before
                assert found == expected, written.source
            assert memory(plain) == memory(naive) == memory(better)


def test_the_draws_reach_what_they_are_meant_to_reach():
    """Guards that fail behind writes, copies that are forwarded, memory used again."""
    seen = set()
    for seed in range(300):
        steps = [int(n) for n in np.random.default_rng(seed).integers(0, 2**32, 20)]
        program = made(steps, True, False)
        better = optimized(program)
        if len(better.calls) < len(program.calls):
            seen.add("shorter")
        if any(buffer.name.endswith(" next") for buffer in better.buffers):
            seen.add("copied at the beginning")
        copies = sum(call.function is np.copyto for call in program.calls)
        if sum(call.function is np.copyto for call in better.calls) < copies:
            seen.add("fewer copies")
        forms = {call.form for call in better.calls}
        seen.update(forms)
    assert seen >= {
        "shorter",
        "copied at the beginning",
        "fewer copies",
        "ufunc",
        "reduce",
        "product",
        "guard",
        "lanes",
    }


def test_a_generator_that_numbers_were_drawn_from_by_a_part_of_it_is_set_back():
    b = Builder("step")
    source, bits = Scalar("generator"), Scalar("bits")
    b.program.numbers.append(Number(source, lambda: np.random.default_rng(0), "generator"))
    b.call("scalar", getattr, source, "bit_generator", out=bits)
    drawn = b.inside((4,), np.uint64)
    b.call("function", np.random.BitGenerator.random_raw, bits, 4, out=drawn, effect=True)
    x = b.argument((1,), "x")
    b.call("guard", operator.lt, b.call("reduce", np.add, x, out=Scalar("s")), 1.0)
    b.program.results.append(drawn)
    written = write(optimized(b.program))
    generator = np.random.default_rng(0)
    (first,) = written.function(np.zeros(1, np.float32), generator)
    assert first.tolist() == np.random.default_rng(0).bit_generator.random_raw(4).tolist()
    state = generator.bit_generator.state
    with pytest.raises(StoppedProgram):
        written.function(np.ones(1, np.float32), generator)
    assert generator.bit_generator.state == state


def test_gradients_that_are_kept_are_made_where_the_optimiser_reads_them():
    b = Builder("step")
    x = b.argument((4,), "x")
    gradient = b.inside((4,), kept=True)
    b.ufunc(np.negative, x, out=gradient)
    flat = b.whole(b.buffer("scratch", 32, "gradients"), (8,))
    b.copy(sliced(flat, slice(4, 8)), gradient)
    b.copy(sliced(flat, slice(0, 4)), x)
    b.program.results.append(b.call("reduce", np.add, flat, out=Scalar("total")))
    program = optimized(b.program)
    assert [call.function for call in program.calls] == [np.negative, np.copyto, np.add]
    written = write(program)
    assert written.function(np.arange(4, dtype=np.float32)) == (0.0,)
    assert written.array(gradient.buffer).view(np.float32).tolist() == [0.0, -1.0, -2.0, -3.0]


def test_parts_of_memory_go_by_their_own_names():
    b = Builder("step")
    memory = np.arange(10, dtype=np.float32)
    flat = b.outside(memory, "first")
    weight = View(flat.buffer, 0, (2, 3), (12, 4), flat.dtype)
    bias = sliced(flat, slice(6, 10))
    b.program.titles += [(weight, "0.weight"), (bias, "0.bias")]
    b.ufunc(np.negative, transposed(weight), out=transposed(weight))
    b.ufunc(np.negative, sliced(bias, slice(1, 3)), out=sliced(bias, slice(1, 3)))
    b.ufunc(np.add, flat, 1.0, out=flat)
    written = write(b.program)
    for line in (
        "layer0_weight = parameters[0:6].reshape(2, 3)  # float32 (2, 3)",
        "layer0_weight_T = layer0_weight.T",
        "layer0_bias_1_3 = layer0_bias[1:3]",
        "    negative(layer0_weight_T, layer0_weight_T)",
    ):
        assert line in written.source.splitlines(), written.source
    written.function()
    assert memory.tolist() == [1, 0, -1, -2, -3, -4, 7, -6, -7, 10]


def test_numbers_that_lanes_make_are_known_after_them():
    b = Builder("step")
    x = b.argument((4,), "x")
    halves = [sliced(x, slice(0, 2)), sliced(x, slice(2, 4))]
    sums = [Scalar("first"), Scalar("second")]
    lanes = [
        [
            Call("reduce", np.add, [half], out=total),
            Call("scalar", operator.mul, [total, Constant(2.0)], out=Scalar(f"twice {i}")),
        ]
        for i, (half, total) in enumerate(zip(halves, sums, strict=True))
    ]
    b.program.calls.append(Call("lanes", None, lanes=lanes))
    both = b.call("scalar", operator.add, Scalar("twice 0"), Scalar("twice 1"), out=Scalar("both"))
    b.program.results += [both, sums[0], b.ufunc(np.multiply, x, sums[1])]
    found = write(optimized(b.program)).function(np.arange(4, dtype=np.float32))
    assert found[:2] == (12.0, 1.0)
    assert found[2].tolist() == [0.0, 5.0, 10.0, 15.0]


def test_what_lanes_ask_of_numbers_is_asked_once_before_them_and_lasting_memory_is_written_in_place():
    b = Builder("step")
    memory = np.zeros(8, np.float32)
    whole = b.outside(memory, "weight")
    b.program.numbers.append(Number(Scalar("count"), lambda: 2, "count"))
    parts = [sliced(whole, slice(0, 4)), sliced(whole, slice(4, 8))]
    lanes = [
        [
            Call("scalar", operator.add, [Scalar("count"), Constant(1)], out=Scalar(f"next {i}")),
            Call("guard", operator.lt, [Scalar("count"), Constant(10)]),
            Call("guard", operator.lt, [Scalar(f"next {i}"), Constant(9 - i)]),
            Call("ufunc", np.add, [part, Constant(1.0)], out=part),
        ]
        for i, part in enumerate(parts)
    ]
    b.program.calls.append(Call("lanes", None, lanes=lanes))
    program = optimized(b.program)
    assert [call.form for call in program.calls if call.form != "scalar"] == ["guard"] * 3 + ["lanes"]
    assert [[call.form for call in lane] for lane in program.calls[-1].lanes] == [["ufunc"], ["ufunc"]]
    assert [buffer.kind for buffer in program.buffers] == ["outside"]
    written = write(program)
    written.function(2)
    assert memory.tolist() == [1] * 8
    for count in (7, 20):  # count + 1 is no longer below 8; count is not below 10
        with pytest.raises(StoppedProgram):
            written.function(count)
    assert memory.tolist() == [1] * 8
