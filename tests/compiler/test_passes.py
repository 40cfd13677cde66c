"""Random programs: optimised and written they do what the naive interpreter does, bit for bit, memory included."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.drawing import programs
from compiler.interpreter import Stopped, interpret
from tinygrad_dl.compiler.passes import optimized
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


def test_the_draws_reach_what_they_are_meant_to_reach():
    """Guards that fail behind writes, copies that are forwarded, memory used again."""
    from compiler.drawing import made

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
