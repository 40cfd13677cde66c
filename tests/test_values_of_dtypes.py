"""Integers, bools and complex numbers: results and their dtypes in literal values from PyTorch, and what is refused."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np
import pytest

import tinygrad_dl as td
import tinygrad_dl.nn.functional as F
from tinygrad_dl.testing import all_ops
from tinygrad_dl.testing.drawing import for_examples

INTEGERS = [td.uint8, td.int8, td.int16, td.int32, td.int64]


@pytest.mark.parametrize("dtype", [td.bool_, *INTEGERS], ids=str)
@pytest.mark.parametrize("exponent", [2.0, 3.0, 1.0, 0.0, 0.5, -1.0, -2.0])
def test_a_float_exponent_makes_floats(dtype, exponent):
    x = td.ones(2, dtype=dtype)
    assert (x**exponent).dtype == td.pow(x, exponent).dtype == td.float32
    assert (x**exponent).tolist() == [1, 1]


def test_large_integers_to_a_float_power():
    assert (td.tensor([4000000000]) ** 2.0).tolist() == [pytest.approx(1.6e19)]
    assert (td.tensor([3]) ** -1.0).tolist() == [pytest.approx(1 / 3)]
    with pytest.raises(
        RuntimeError, match="got a result of dtype float32, expected one that can be stored in place in"
    ):
        x = td.tensor([3])
        x **= 2.0


def test_powers_of_bools():
    x = td.tensor([True, False])
    for exponent, expected in ((True, [True, False]), (False, [True, True])):
        assert (x**exponent).tolist() == expected and (x**exponent).dtype == td.bool_
    assert (x**2).dtype == td.square(x).dtype == x.square().dtype == td.int64
    assert td.square(x).tolist() == [1, 0]
    x **= True
    assert x.tolist() == [True, False]


def test_factors_of_a_sum_are_of_its_kind():
    x = td.tensor([1, 2])
    assert td.add(x, x, alpha=2).tolist() == [3, 6] and td.sub(x.float(), x, alpha=0.5).tolist() == [0.5, 1]
    for function in (td.add, td.sub, lambda x, y, alpha: x.add_(y, alpha=alpha)):
        with pytest.raises(TypeError, match=r"got alpha=2\.5 for tensors that make int64"):
            function(x, x, alpha=2.5)
        with pytest.raises(TypeError, match="got alpha=1j for tensors that make float32"):
            function(x.float(), x, alpha=1j)


def test_complex_numbers_are_not_stored_among_real_ones():
    x, first = td.zeros(2), td.tensor([0])
    for store in (
        lambda v: x.scatter(0, first, v),
        lambda v: x.index_fill(0, first, v),
        lambda v: x.masked_fill(x == 0, v),
        lambda v: F.pad(x, (1, 1), value=v),
        lambda v: F.threshold(x, 0.0, v),
        lambda v: td.full_like(x, v),
    ):
        with pytest.raises(TypeError, match="got complex numbers, expected real ones for dtype float32"):
            store(1 + 1j)


def test_numbers_beyond_all_integers_divide():
    quotient = td.tensor([1, 3], dtype=td.uint8) / 2**70
    assert quotient.dtype == td.float32 and quotient.tolist() == [2.0**-70, 3 * 2.0**-70]
    assert (2**70 / td.tensor(2)).item() == 2.0**69


SMALL = td.tensor([1, 2, 200], dtype=td.uint8)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x == -1, [False, False, False]),
        (lambda x: x == 257, [False, False, False]),
        (lambda x: x != -100, [True, True, True]),
        (lambda x: x < 1000, [True, True, True]),
        (lambda x: x > -1, [True, True, True]),
        (lambda x: x <= td.tensor(-1), [False, False, False]),
        (lambda x: x == td.tensor(257), [False, False, False]),
        (lambda x: x > -1, [True, True, True]),
        (lambda x: x + (-2), [255, 0, 198]),
        (lambda x: x - 1000, [25, 26, 224]),
        (lambda x: 1000 - x, [231, 230, 32]),
        (lambda x: x * 1000, [232, 208, 64]),
        (lambda x: 300**x, [44, 144, 0]),
        (lambda x: (-1) ** x, [255, 1, 1]),
        (lambda x: x // 1000, [0, 0, 0]),
        (lambda x: x % 1000, [1, 2, 200]),
        (lambda x: x & -1, [1, 2, 200]),
        (lambda x: x | 256, [1, 2, 200]),
        (lambda x: x ^ -1, [254, 253, 55]),
        (lambda x: x.clone().add_(300), [45, 46, 244]),
    ],
)
def test_small_integers_beside_large_numbers(function, expected):
    found = function(SMALL)
    assert found.tolist() == expected
    assert found.dtype in (td.uint8, td.bool_)


def test_more_integers_beside_large_numbers():
    assert (td.tensor([3], dtype=td.int32) | 0xFFFFFFFF).tolist() == [-1]
    assert (td.tensor([3], dtype=td.int32) == 0xFFFFFFFF).tolist() == [False]
    np.testing.assert_allclose((SMALL / 1000).numpy(), [0.001, 0.002, 0.2], rtol=1e-6)
    assert td.clamp(SMALL, -5, 300).tolist() == SMALL.tolist()  # no element reaches these bounds
    for refused in (lambda: td.clamp(SMALL, 300), lambda: td.where(SMALL > 0, SMALL, 300), lambda: SMALL**300):
        with pytest.raises((OverflowError, ValueError), match="out of bounds for uint8"):
            refused()


def test_complex_numbers_of_no_dimensions_say_nothing_of_precision():
    z = td.tensor(1 + 1j, dtype=td.complex128)
    assert (td.ones(2) * z).dtype == td.complex64
    assert (td.ones(2, dtype=td.float64) * z).dtype == td.complex128
    assert (td.ones(2) * z.reshape(1)).dtype == td.complex128


@pytest.mark.parametrize(
    ("python", "dtype"), [(float, "float64"), (int, "int64"), (bool, "bool"), (complex, "complex128")]
)
def test_python_types_as_dtypes(python, dtype):
    one = td.ones(2)
    made = [
        *(td.zeros(2, dtype=python), td.ones(2, dtype=python), td.empty(2, dtype=python), td.eye(2, dtype=python)),
        *(td.full((2,), 1, dtype=python), td.tensor([1.0], dtype=python), td.as_tensor([1.0], dtype=python)),
        *(td.zeros_like(one, dtype=python), td.full_like(one, 1, dtype=python), one.new_ones(2, dtype=python)),
        *(one.to(python), one.to(dtype=python), one.astype(python), one.sum(dtype=python), one.prod(dtype=python)),
    ]
    if python is not bool:
        made += [td.arange(3, dtype=python), td.linspace(0, 1, 3, dtype=python), one.cumsum(0, dtype=python)]
    if python in (float, complex):
        made += [td.randn(2, dtype=python), one.mean(dtype=python)]
    assert {str(t.dtype) for t in made} == {dtype}
    assert td.nn.Linear(2, 2, dtype=float).weight.dtype == td.float64
    assert td.tensor(1.0).dtype == td.zeros(1).dtype == td.float32  # the default is another matter


def test_no_counting_in_bools():
    for refused in (lambda: td.arange(3, dtype=td.bool_), lambda: td.linspace(0, 1, 3, dtype=bool)):
        with pytest.raises(TypeError, match="expected a dtype of numbers, got bool"):
            refused()


@pytest.mark.parametrize("dtype", [td.bool_, *INTEGERS], ids=str)
def test_sums_of_integers_are_int64(dtype):
    x = td.ones(2, 2, dtype=dtype)
    for found in (x.sum(), x.nansum(), x.prod(), x.cumsum(0), x.cumprod(0), x.trace(), td.einsum("ij->", x)):
        assert found.dtype == td.int64
    assert x.nansum().item() == 4 and td.einsum("ii", x).item() == 2
    assert td.einsum("ij->ji", x).dtype == dtype


def test_bools():
    x = td.tensor([True, False])
    assert td.sign(x).tolist() == [True, False] and td.sign(x).dtype == td.bool_
    assert td.conj(x).dtype == td.bool_
    for name in ("floor_divide", "remainder", "fmod"):
        with pytest.raises(TypeError, match="expected numbers, got bools"):
            getattr(td, name)(x, x)


def test_pooling_and_resizing_of_integers():
    x = td.arange(16).reshape(1, 1, 4, 4)
    assert F.avg_pool2d(x, 2).tolist() == [[[[2, 4], [10, 12]]]]
    assert F.avg_pool2d(x - 8, 3, 2, 1).tolist() == [[[[-2, -2], [0, 2]]]]
    assert F.avg_pool2d(x - 8, 3, 2, 1, count_include_pad=False).tolist() == [[[[-5, -4], [0, 2]]]]
    assert F.avg_pool2d(x, 2, divisor_override=3).tolist() == [[[[3, 6], [14, 16]]]]
    assert F.avg_pool1d(td.arange(5).reshape(1, 5), 2).tolist() == [[0, 2]]
    assert F.avg_pool2d(x, 2).dtype == td.int64
    for mode in ("nearest", "nearest-exact"):
        small = F.interpolate(td.arange(4, dtype=td.uint8).reshape(1, 1, 4), scale_factor=2, mode=mode)
        assert small.dtype == td.uint8 and small.tolist() == [[[0, 0, 1, 1, 2, 2, 3, 3]]]
        assert F.interpolate(td.arange(4, dtype=td.uint8).reshape(1, 1, 4), size=3, mode=mode).dtype == td.uint8
    assert F.interpolate(td.ones(1, 1, 2, 2), size=(0, 2), mode="area").shape == (1, 1, 0, 2)


def test_losses_of_nothing():
    nothing, classes = td.ones(0, 0), td.zeros(0, dtype=td.int64)
    for loss in (td.nn.CrossEntropyLoss, td.nn.NLLLoss):
        assert math.isnan(loss()(nothing, classes).item())
        assert loss(reduction="sum")(nothing, classes).item() == 0
        assert loss(reduction="none")(nothing, classes).shape == (0,)
    assert math.isnan(td.nn.CrossEntropyLoss()(nothing, nothing).item())
    assert math.isnan(td.nn.CrossEntropyLoss(label_smoothing=0.1)(nothing, classes).item())
    x = td.ones(0, 0, requires_grad=True)
    F.cross_entropy(x, classes, reduction="sum").backward()
    assert x.grad.shape == (0, 0)


def test_an_expanded_tensor_without_repeats_can_be_written_to():
    x = td.ones(1)
    assert x.expand(1, 1).add_(1).tolist() == [[2.0]]
    assert x.tolist() == [2.0]  # a view
    with pytest.raises(ValueError, match="read-only view"):
        x.expand(3).add_(1)


# -- complex numbers -----------------------------------------------------------------------------------


def test_ops_without_meaning_for_complex_numbers_refuse_them():
    z = td.ones(2, 2, dtype=td.complex64)
    names = [
        "amax",
        "amin",
        "argmax",
        "argmin",
        "sort",
        "argsort",
        "relu",
        "erf",
        "erfc",
        "sign",
        "round",
        "logit",
        "softmax",
        "log_softmax",
        "selu",
        "celu",
    ]
    unary = {name: getattr(td, name) for name in names} | {
        name: getattr(F, name)
        for name in [
            "elu",
            "gelu",
            "hardtanh",
            "hardsigmoid",
            "hardswish",
            "relu6",
            "leaky_relu",
            "softplus",
            "mish",
            "softshrink",
        ]
    }
    unary |= {
        "clamp": lambda x: td.clamp(x, 0, 1),
        "max": lambda x: x.max(0),
        "topk": lambda x: td.topk(x, 1),
        "kthvalue": lambda x: td.kthvalue(x, 1),
        "threshold": lambda x: F.threshold(x, 0.0, 1.0),
        "max_pool1d": lambda x: F.max_pool1d(x, 2),
        "layer_norm": lambda x: F.layer_norm(x, (2,)),
    }
    for name, function in unary.items():
        with pytest.raises(TypeError, match="expected real numbers, got dtype complex64"):
            function(z, -1) if name in ("softmax", "log_softmax") else function(z)
    pairs = [td.maximum, td.minimum, td.fmax, td.fmin, td.xlogy, F.huber_loss, F.mse_loss, F.kl_div]
    pairs += [operator.lt, operator.le, operator.gt, operator.ge]
    for function in pairs:
        with pytest.raises(TypeError, match="expected real numbers, got dtype complex64"):
            function(z, z)


@pytest.mark.parametrize("dtype", [td.complex64, td.complex128], ids=str)
def test_absolute_values_of_complex_numbers(dtype):
    real = td.float32 if dtype == td.complex64 else td.float64
    z = td.tensor([3 + 4j, 0j, -1 + 0j], dtype=dtype, requires_grad=True)

    def gradient(value):
        assert value.dtype == real
        return td.autograd.grad(value, z)[0].tolist()

    assert gradient(F.l1_loss(z, td.zeros(3, dtype=dtype), reduction="sum")) == pytest.approx([0.6 + 0.8j, 0, -1])
    assert gradient(z.norm(1)) == pytest.approx([0.6 + 0.8j, 0, -1])
    assert z.norm().item() == pytest.approx(math.sqrt(26))
    assert gradient(z.norm()) == pytest.approx([(3 + 4j) / math.sqrt(26), 0, -1 / math.sqrt(26)])
    assert gradient(z.norm(math.inf)) == pytest.approx([0.6 + 0.8j, 0, 0])
    assert z.var(correction=0).item() == pytest.approx(6.4444444)
    mean = (2 + 4j) / 3
    assert gradient(z.var(correction=0)) == pytest.approx([2 / 3 * (v - mean) for v in (3 + 4j, 0, -1)])


# -- dimensions and shifts that are not there ----------------------------------------------------------


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "flip", "softmax", "sum", "amax", "sort", "unsqueeze"])
@pytest.mark.parametrize("dim", [-3, 2])
def test_a_number_has_no_such_dimension(name, dim):
    with pytest.raises(IndexError):
        getattr(td.tensor(1.0), name)(dim)


def test_shifts_fit_dimensions():
    x = td.ones(3, 3)
    for arguments in (((1, 2), (0,)), ((1, 2),), (1, (0, 1))):
        with pytest.raises(ValueError, match="expected as many shifts as dims"):
            td.roll(x, *arguments)
    assert td.roll(td.arange(4).reshape(2, 2), (1, 1), (0, 1)).tolist() == [[3, 2], [1, 0]]
    assert td.roll(td.arange(4).reshape(2, 2), (1, 1), (0, 0)).tolist() == [[0, 1], [2, 3]]
    assert td.roll(td.tensor(1.0), 1).item() == 1
    assert td.movedim(td.tensor(1.0), 0, 0).shape == ()


def as_integers(value, floats):
    """A tensor of the values, as integers if it is not to be one of those that require a gradient."""
    if isinstance(value, list):
        return [as_integers(each, floats) for each in value]
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind in "biu":
        return td.tensor(value)
    return td.tensor(value, requires_grad=True) if floats else td.tensor(np.round(value.real).astype(np.int64))


def test_no_op_lets_integers_require_a_gradient():
    made = 0

    def use(call):
        nonlocal made
        op, names = call.op, [name for name in call.op.tensors if name in call.values]
        for floats in itertools.product((False, True), repeat=len(names)):
            given = {name: as_integers(call.values[name], each) for name, each in zip(names, floats, strict=True)}
            for options in ({"dtype": td.int64}, {}) if "dtype" in op.parameters else ({},):
                try:
                    out = op.function(**{**call.values, **given, **options})
                except (TypeError, ValueError, RuntimeError, ArithmeticError, IndexError):
                    continue  # what it takes is another matter
                for each in out if isinstance(out, tuple | list) else [out]:
                    if each.dtype.kind in "biu":
                        made += 1
                        assert not each.requires_grad, f"{call} with {floats} and {options}"

    with np.errstate(all="ignore"):
        for op in all_ops():
            if op.records and len(op.tensors) < 5:
                for_examples(op, use, max_examples=2, derandomize=True)
    assert made > 300
