"""What can't be recorded is refused, with the line; what only looks like it is recorded."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import tinygrad_dl as td
from compiler.test_recording import compare, recorded
from tinygrad_dl.compiler.recording import Recorder, Unrecordable

COUNTED = 0


class Counting(td.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.calls = td.nn.Linear(3, 3), 0

    def forward(self, x):
        self.calls += 1
        return self.linear(x)


def refusal(step, *known):
    """Why a step is refused, and in which line of its own."""
    with pytest.raises(Unrecordable) as caught:
        recorded(step, known=[(each, "known") for each in known])
    assert caught.value.line.startswith("test_recording_refusals.py:"), caught.value.line
    return caught.value.reason, int(caught.value.line.partition(":")[2]) - step.__code__.co_firstlineno


def numbers(*shape):
    return td.tensor(np.random.default_rng(0).standard_normal(shape, dtype=np.float32), requires_grad=True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: x.tolist(),
        lambda x: x.detach().numpy(),
        lambda x: bool((x > 0).all()),
        lambda x: 1 if x.sum() > 0 else 2,
        lambda x: f"{x.sum().item()}",
        lambda x: max(x[0], x[1]),
        lambda x: x.sum() in [1.0],
    ],
)
def test_numbers_of_tensors_are_refused(ask):
    x = numbers(3)
    with pytest.raises(Unrecordable, match=r"numbers|compares|elements"):
        recorded(lambda: ask(x * 2), known=[(x._data, "x")])


def test_the_line_is_that_of_the_step():
    x = numbers(3)

    def step():
        y = x * 2
        if y.sum() > 0:
            y = y + 1
        return y

    assert refusal(step) == ("bool asks a tensor of shape () for numbers that differ from run to run,", 2)


def test_prints_and_clocks_and_random_numbers_of_others_are_refused():
    x, rng = numbers(3), np.random.default_rng(0)
    for effect, name in [
        (lambda: print("x"), "print"),
        (time.time, "time"),
        (random.random, "random"),
    ]:
        with pytest.raises(Unrecordable, match=name):
            recorded(lambda effect=effect: (effect(), x * 2)[1], known=[(x._data, "x")])
    with pytest.raises(Unrecordable, match="generator"):
        recorded(lambda: x * float(rng.random()), known=[(x._data, "x")])


def test_changes_of_objects_that_live_on_are_refused():
    x, losses, table, model = numbers(3), [], {}, Counting()

    def append():
        losses.append(x * 2)

    def store():
        table["x"] = x * 2

    def count():
        global COUNTED
        COUNTED = 1

    def attribute():
        return model(x)

    def remove():
        del table["x"]

    for step, words in [
        (append, "calls append of a list"),
        (store, "stores in a dict"),
        (count, "sets 'COUNTED'"),
        (attribute, "sets 'calls' of a Counting"),
        (remove, "deletes something of a dict"),
    ]:
        with pytest.raises(Unrecordable, match=words):
            recorded(step, known=[(p._data, "p") for p in (x, *model.parameters())])
    number = 0

    def outer():
        nonlocal number
        number += 1

    with pytest.raises(Unrecordable, match="sets 'number'"):
        recorded(outer)


def test_schedules_and_seeds_are_refused():
    x = numbers(3)
    optimizer = td.optim.SGD([x], lr=0.1)
    schedule = td.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.raises(Unrecordable, match="calls step"):
        recorded(lambda: schedule.step())
    with pytest.raises(Unrecordable, match="calls manual_seed"):
        recorded(lambda: td.manual_seed(0))
    model = td.nn.Linear(2, 2)
    with pytest.raises(Unrecordable, match="training=False"):
        recorded(lambda: model.eval())


def test_memory_that_is_not_known_is_refused():
    x, hidden = numbers(3), {"weight": np.ones(3, np.float32)}

    def step():
        return x * hidden["weight"]

    reason, line = refusal(step)
    assert "an array of shape (3,) that was made outside of the step and is not known" in reason and line == 1

    def write():
        hidden["weight"][0] = 2.0

    assert "writes to an array of shape (3,)" in refusal(write)[0]
    assert hidden["weight"][0] == 1


def test_lists_dicts_and_variables_of_the_step_itself_may_change():
    x = numbers(3)

    def step(*factors, **options):
        options["more"], found, total = 2.0, [], 0

        def add(value):
            nonlocal total
            total += 1
            found.append(value)

        for factor in (1.0, 2.0, options.pop("more")):
            add(x * factor)
        by_name = {str(i): each for i, each in enumerate(found)}
        by_name["sum"] = sum(found)
        assert total == 3
        return list(by_name.values())

    recorder = recorded(step)
    assert len(recorder.program.results) == 4
    compare(step, recorder)


def test_a_number_given_to_the_step_is_read_anew():
    x, values = numbers(3), {"rate": 0.5}
    recorder = Recorder("step", [(x._data, "x")])
    with recorder:
        rate = recorder.number(values["rate"], lambda: values["rate"], "rate")
        result = recorder.run(lambda rate: (x.detach() * (1 - rate) ** 2, rate * 2), rate)
    assert result[0].tolist() == (x.detach() * 0.25).tolist()
    from compiler.interpreter import interpret

    values["rate"] = 3.0
    product, doubled = interpret(recorder.program)
    np.testing.assert_array_equal(product, (x.detach() * 4.0).numpy())
    assert doubled == 6.0


def test_nothing_is_recorded_outside_of_the_run_or_in_other_threads():
    import threading

    x, found = numbers(3), []
    kept = []

    def step():
        kept_function = lambda: x * 3  # noqa: E731
        return x * 2, kept_function

    recorder = Recorder("step", [(x._data, "x")])
    with recorder:
        _, function = recorder.run(step)
        thread = threading.Thread(target=lambda: found.append(x * 5))
        thread.start()
        thread.join()
        kept.append(function)
    count = len(recorder.program.calls)
    assert kept[0]().tolist() == (x * 3).tolist()
    assert len(recorder.program.calls) == count > 0


def test_in_place_changes_are_told():
    x, buffer = numbers(3), td.zeros(3)

    def step():
        with td.no_grad():
            buffer.mul_(0.9).add_(x, alpha=0.1)
        return (x * buffer).sum()

    recorder = recorded(step)
    assert [each.nbytes for each in recorder.changed] == [12]
    assert recorder.view(buffer._data).buffer in recorder.changed
    compare(step, recorder)


def test_an_optimiser_that_is_made_in_the_step_is_refused():
    model = td.nn.Linear(2, 2)
    with pytest.raises(Unrecordable, match="finds the memory of its parameters within the step"):
        recorded(lambda: td.optim.SGD(model.parameters(), lr=0.1))


def test_an_argument_may_be_a_part_of_known_memory():
    whole = np.arange(12, dtype=np.float32).reshape(4, 3)
    row, all_rows = td.from_numpy(whole[1]), td.from_numpy(whole)
    recorder = Recorder("step", [(whole, "rows")], [whole[1]])
    with recorder:
        recorder.run(lambda x: x * 2 + all_rows.sum(0), row)
    from compiler.interpreter import interpret

    (found,) = interpret(recorder.program, [np.full(3, 10, np.float32)])
    np.testing.assert_array_equal(found, 20 + whole.sum(0))
    assert {view.buffer.kind for call in recorder.program.calls for view in call.reads()} >= {"argument", "outside"}
