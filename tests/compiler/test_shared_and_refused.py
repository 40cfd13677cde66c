"""Arguments that share memory, values that NumPy refuses, and results that are one object: as in eager steps."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tinygrad_dl as td

pytestmark = pytest.mark.filterwarnings("ignore:compile:UserWarning")


def numbers(seed, *shape):
    return td.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def apart(seed):
    return numbers(seed, 4), numbers(seed + 50, 4)


def twice(seed):
    x = numbers(seed, 4)
    return x, x


def overlapping(seed):
    whole = numbers(seed, 6)
    return whole[:4], whole[2:]


def expanded(seed):
    return numbers(seed, 1).expand(4), numbers(seed + 50, 4)


@pytest.mark.parametrize("first", [apart, twice, overlapping])
def test_arguments_that_share_memory(first):
    def step(x, y):
        x.mul_(2)
        return x * y

    compiled = td.compile(step)
    for seed, make in enumerate([first] * 4 + [apart, twice, overlapping] * 2):
        eager, mine = make(seed), make(seed)
        assert (compiled(*mine) == step(*eager)).all()
        assert all((a == b).all() for a, b in zip(mine, eager, strict=True))


def test_an_argument_whose_elements_are_repeated_in_memory():
    def step(x, y):
        return x.tanh() + y

    compiled = td.compile(step)
    for seed in range(4):
        assert (compiled(*expanded(seed)) == step(*expanded(seed))).all()


def test_an_argument_that_shows_a_parameter():
    def training():
        w = numbers(0, 4, 4).requires_grad_()
        optimizer = td.optim.SGD([w], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (x @ w).square().sum()
            loss.backward()
            optimizer.step()
            return loss.detach() + x.sum()

        return w, step

    (w, eager), (v, step) = training(), training()
    compiled = td.compile(step)
    for turn in range(8):
        given = [p.detach() if turn % 2 else numbers(turn, 4, 4) for p in (w, v)]
        assert compiled(given[1]) == eager(given[0])
        assert (v == w).all()


def test_what_numpy_refuses_is_refused_as_in_eager_steps_and_changes_nothing():
    total, table = td.zeros(()), numbers(0, 5, 2)

    def step(index):
        total.add_(1.0)
        return table[index]

    compiled = td.compile(step)
    for index in [[0, 1], [2, 3], [4, -1]]:
        compiled(td.tensor(index))
    with pytest.raises(IndexError, match=re.escape("index: index 5 is out of bounds for axis 0 with size 5")):
        compiled(td.tensor([0, 5]))
    before = total.item()
    assert before == 4  # the eager step adds before it looks the index up
    assert (compiled(td.tensor([1, 1])) == table[td.tensor([1, 1])]).all()
    assert total == 5


def test_a_singular_matrix():
    compiled = td.compile(lambda x: td.linalg.inv(x))
    for seed in range(3):
        compiled(numbers(seed, 3, 3))
    with pytest.raises(np.linalg.LinAlgError, match="inv: got a singular matrix"):
        compiled(td.zeros(3, 3))


def test_a_scheduler_inside_of_the_step():
    w = td.ones(2, requires_grad=True)
    optimizer = td.optim.SGD([w], lr=1.0)
    scheduler = td.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step():
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        scheduler.step()

    compiled = td.compile(step)
    for turn in range(1, 6):
        compiled()
        assert optimizer.param_groups[0]["lr"] == 0.5**turn
    assert w.tolist() == [1 - (2 - 0.5**4)] * 2


def test_a_result_that_is_returned_twice_is_one_tensor():
    def step(x):
        y = x + 1
        return y, {"again": y}

    compiled = td.compile(step)
    for seed in range(4):
        y, more = compiled(numbers(seed, 3))
        assert more["again"] is y


def test_an_iterator_from_outside_goes_on():
    batches = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    compiled = td.compile(lambda x: x * next(batches))
    assert [compiled(td.ones(1)).item() for _ in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_results_keep_their_order_in_memory():
    compiled = td.compile(lambda x: x.T + 1)
    for _ in range(4):
        assert compiled(numbers(0, 3, 4)).stride() == (1, 4)


def test_the_backward_pass_of_a_function_that_makes_constants():
    """What is made once and for all in the forward pass does not move the place where the backward pass begins."""
    td.manual_seed(0)
    cell = td.nn.LSTMCell(2, 3)

    def run(x):
        state = td.zeros(2, 3), td.zeros(2, 3)
        for part in x.split(2, 1):
            state = cell(part, state)
        return state[0]

    compiled = td.compile(run, fullgraph=True)
    for seed in range(4):
        found = []
        for function in (run, compiled):
            cell.zero_grad()
            function(numbers(seed, 2, 6)).square().sum().backward()
            found.append([p.grad for p in cell.parameters()])
        assert all((a == b).all() for a, b in zip(*found, strict=True))


def test_a_backward_pass_that_is_refused_runs_eagerly():
    """An argument hangs together with an eager graph, and the parameter that the function uses lies in that, too."""
    w = numbers(0, 3).requires_grad_()
    compiled = td.compile(lambda h: h * w)
    for seed in range(4):
        x, found = numbers(seed, 3), []
        for function in (lambda h: h * w, compiled):
            w.grad = None
            function((x * w).relu()).sum().backward()
            found.append(w.grad)
        assert (found[0] == found[1]).all()
