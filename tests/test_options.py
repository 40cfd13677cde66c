"""Options are read once, at the call; what has no gradient may not require one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import tinygrad_dl as td
from tinygrad_dl.nn import functional as F
from tinygrad_dl.testing import all_ops, arguments
from tinygrad_dl.testing.call import default_values


def numbers(op):
    """The options of an op that are numbers."""
    return [n for n, text in op.options.items() if {"float", "complex"} & set(text.split(" | "))]


WITH_NUMBERS = [op for op in all_ops() if numbers(op) and op.records]
WITH_CONSTANTS = [op for op in all_ops() if op.constants]


@pytest.mark.parametrize("op", WITH_NUMBERS, ids=lambda op: op.name)
def test_a_tensor_for_a_number_is_that_number_and_has_no_gradient(op):
    seen = []

    @given(arguments(op))
    def check(call):
        given = {**default_values(op), **call.values}
        for name in (n for n in numbers(op) if type(given[n]) is not str):
            value = 0.5 if given[name] is None else float(given[name])
            number = td.tensor(value, dtype=td.float64)
            expected, found = call.run({**call.values, name: value}), call.run({**call.values, name: number})
            for a, b in zip(found, expected, strict=True):
                assert a.dtype == b.dtype and np.array_equal(a.numpy(), b.numpy(), equal_nan=True)
            with pytest.raises(NotImplementedError, match=f"{name!r} that requires a gradient, expected one that does"):
                call.run({**call.values, name: number.requires_grad_()})
            with td.no_grad():
                call.run({**call.values, name: number})
            seen.append(name)

    check()
    assert seen


def test_which_ops_have_numbers():
    assert {"elu", "leaky_relu", "softplus", "addcmul", "layer_norm", "norm", "std", "huber_loss"} <= {
        op.name for op in WITH_NUMBERS
    }


@pytest.mark.parametrize("op", WITH_CONSTANTS, ids=lambda op: op.name)
def test_constants_may_not_require_a_gradient(op):
    seen = set()

    @given(arguments(op))
    def check(call):
        for name in op.constants:
            if isinstance(call.values.get(name), np.ndarray):
                values, (leaf,) = call.wrapped([(name, None)])
                with pytest.raises(NotImplementedError, match=rf"{name}.* constant; pass {name}\.detach\(\)"):
                    call.run(values)
                assert not call.run({**values, name: leaf.detach()})[0].requires_grad
                seen.add(name)

    check()
    assert seen == set(op.constants)


def test_constants_of_functions_that_are_made_of_ops():
    x, two = td.ones(2, 2, 3), td.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="multi_margin_loss: got 'weight' that requires a gradient"):
        F.multi_margin_loss(x[0], td.tensor([0, 1]), weight=td.ones(3, requires_grad=True))
    for function in (F.batch_norm, F.instance_norm):
        with pytest.raises(NotImplementedError, match="_norm: got 'running_mean' that requires a gradient"):
            function(x, two, td.ones(2), None, None, True)
    with td.no_grad():
        F.batch_norm(x, two, td.ones(2), training=True)
    assert td.allclose(two, td.tensor([1.0, 1.0]))


def test_dropout_probabilities_and_others_that_functions_take():
    p = td.tensor(0.5, requires_grad=True)
    x = td.ones(3, 4, requires_grad=True)
    for call in (
        lambda: F.dropout(x, p),
        lambda: F.dropout2d(x[None, None], p),
        lambda: F.interpolate(x[None], scale_factor=p * 4),
        lambda: F.batch_norm(x, td.zeros(4), td.ones(4), training=True, momentum=p),
        lambda: td.full_like(x, p),
        lambda: x.new_full((2,), p),
    ):
        with pytest.raises(NotImplementedError, match="that requires a gradient, expected one that does not"):
            call()


X = [[1.0, 2.0, 4.0], [3.0, 5.0, 8.0]]


@pytest.mark.parametrize(
    "call, option, expected",
    [
        (lambda x, dim: x.sum(dim), [0], [[1, 2, 3], [1, 2, 3]]),
        (lambda x, dim: x.mean(dim), [1], [[1 / 3] * 3, [2 / 3] * 3]),
        (lambda x, dim: x.amax(dim), [0], [[0, 0, 0], [1, 2, 3]]),
        (lambda x, dim: td.nansum(x, dim), [0], [[1, 2, 3], [1, 2, 3]]),
        (lambda x, dim: x.var(dim), [0], [[-2, -6, -12], [2, 6, 12]]),
        (lambda x, dims: x.flip(dims), [1], [[3, 2, 1], [6, 5, 4]]),
        (lambda x, shifts: x.roll(shifts, [1]), [1], [[2, 3, 1], [5, 6, 4]]),
        (lambda x, dims: x.roll([1], dims), [1], [[2, 3, 1], [5, 6, 4]]),
        (lambda x, dims: x.permute(dims), [1, 0], [[1, 3, 5], [2, 4, 6]]),
        (lambda x, repeats: x.repeat(repeats), [2, 1], [[8, 10, 12], [14, 16, 18]]),
        (lambda x, pad: F.pad(x, pad), [1, -1], [[2, 3, 0], [5, 6, 0]]),
        (lambda x, size: F.unfold(x[None, None], size), [1, 3], [[1, 3, 5], [2, 4, 6]]),
        (lambda x, index: x[index], np.array([0, 1]), [[1, 2, 3], [4, 5, 6]]),
        (lambda x, index: x[:, index], np.array([True, False, True]), [[1, 0, 2], [3, 0, 4]]),
        (lambda x, index: x[index], [0, 1], [[1, 2, 3], [4, 5, 6]]),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_lists_and_indices_may_change_after_the_call(call, option, expected, create_graph):
    x = td.tensor(X, dtype=td.float64, requires_grad=True)
    option = option.copy()
    y = call(x, option)
    option[0] = option[0] ^ 1  # another dimension, size or element
    weights = td.arange(1.0, y.numel() + 1, dtype=td.float64).reshape(y.shape)
    (g,) = td.autograd.grad((y * weights).sum(), x, create_graph=create_graph)
    assert np.allclose(g.detach().numpy(), expected)


def test_views_are_taken_again_with_the_options_of_the_call():
    dims, size = [1, 0], [6]
    x = td.tensor(X, requires_grad=True) * 1
    turned, flat = x.permute(dims), x.view(size)
    dims[:], size[:] = [0, 1], [3, 2]
    x[0, 1] = 7.0
    assert turned.shape == (3, 2) and turned[1, 0].item() == 7.0
    (turned[1] * td.tensor([1.0, 2.0])).sum().backward()
    assert flat.grad_fn.name() == "ViewBackward0"


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: F.binary_cross_entropy(x, x, w),
        lambda x, w: F.binary_cross_entropy_with_logits(x, x, pos_weight=w),
        lambda x, w: F.layer_norm(x, (2,), w),
        lambda x, w: F.batch_norm(x, None, None, w, training=True),
    ],
    ids=["binary_cross_entropy", "pos_weight", "layer_norm", "batch_norm"],
)
def test_complex_weights_of_real_operations_are_refused(call):
    with pytest.raises(TypeError, match="expected real numbers, got dtype complex64"):
        call(td.tensor([[0.25, 0.5], [0.5, 0.75]]), td.tensor([1.0, 1j]))
