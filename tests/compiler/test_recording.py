"""Recorded training steps, run again call after call, against eager ones from the same state: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_cases import cases

import tinygrad_dl as td
from compiler.interpreter import interpret
from tinygrad_dl.backends.blas import single
from tinygrad_dl.compiler.arrays import memory_of
from tinygrad_dl.compiler.recording import Recorder


def memory_known(step):
    """The memory of the tensors and modules that a function refers to."""
    found, todo = {}, [step]
    while todo:
        value = todo.pop()
        if isinstance(value, td.Tensor):
            found[id(value)] = value._data, f"tensor {len(found)}"
            if value._grad is not None:
                todo.append(value._grad)
        elif isinstance(value, td.nn.Module):
            todo += [*value.parameters(), *value.buffers()]
        elif isinstance(value, td.optim.Optimizer):
            todo += [p for group in value.param_groups for p in group["params"]]
        elif isinstance(value, list | tuple):
            todo += value
        elif isinstance(value, dict):
            todo += value.values()
        elif hasattr(value, "__closure__"):
            todo += [cell.cell_contents for cell in value.__closure__ or ()]
    return [*found.values()]


def recorded(step, name="step", known=()):
    recorder = Recorder(name, [*memory_known(step), *known])
    with recorder:
        recorder.run(step)
    return recorder


def numbers_of(result):
    """The arrays of a result, copied."""
    return [np.array(each.detach().numpy()) for each in (result if isinstance(result, tuple | list) else [result])]


def compare(step, recorder, times=5):
    """Replays and eager steps from the same state: results and all memory outside have the same bits."""
    program = recorder.program
    lasting = [memory_of(buffer) for buffer in program.buffers if buffer.kind == "outside"]
    state, rng = [each.copy() for each in lasting], td.get_rng_state()
    eager = [numbers_of(step()) for _ in range(times)]
    after, rng_after = [each.copy() for each in lasting], td.get_rng_state()
    for memory, before in zip(lasting, state, strict=True):
        memory[:] = before
    td.set_rng_state(rng)
    for expected in eager:
        with single:  # as the library holds the BLAS for each product
            results = interpret(program, fill=0xA5)
        for result, right in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, right)
    for buffer, memory, right in zip(
        [buffer for buffer in program.buffers if buffer.kind == "outside"], lasting, after, strict=True
    ):
        assert memory.tobytes() == right.tobytes(), buffer.name
    assert str(td.get_rng_state()) == str(rng_after)


NAMES = [
    "mlp_small",
    "mlp_batchnorm_dropout",
    "chain",
    "gradient_penalty",
    "lenet",
    "lstm",
    "cells",
    "gan",
    "autoencoder",
]


@pytest.mark.parametrize("name", NAMES)
def test_steps_of_the_benchmarks_are_recorded(name):
    td.manual_seed(0)
    step = getattr(cases, name)(td)
    for _ in range(2):
        step()
    recorder = recorded(step, name)
    compare(step, recorder)


def test_depthwise_convolutions_are_recorded():
    td.manual_seed(0)
    nn = td.nn
    model = nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, 2, 1, groups=16), nn.ReLU6(), nn.Conv2d(16, 16, 3, 1, 1, groups=16)
    )
    optimizer, x = td.optim.SGD(model.parameters(), lr=0.1), td.randn(2, 3, 40, 40)

    def step():
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    step()
    compare(step, recorded(step))
