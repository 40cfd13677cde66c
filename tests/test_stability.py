"""Numbers at their extremes: right values, right gradients, no warnings (which are errors in this suite).

The expected values are PyTorch's, except where `docs/differences.md` says otherwise.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional as F

inf, nan = math.inf, math.nan
HUGE = [1e4, -1e4, inf, -inf, 0.0]
THIRD = [1 / 3] * 3
E = math.e


def like(values, x):
    return td.tensor(values).to(x.dtype)


def at_zero(p):
    return pytest.param(lambda x: td.norm(x, p=p, dim=1), [[[0, 0, 0]]], [0], [[[0, 0, 0]]], id=f"norm {p} of zeros")


def each(name, function, values, out, *slopes):
    """A case: the function, its inputs, the result, and each input's gradient of the result's sum."""
    return pytest.param(function, values, out, list(slopes), id=name)


CASES = [
    # -- softmax and its kin
    each(
        "softmax",
        lambda x: td.softmax(x, 1) * like([1, 2, 3], x),
        [[[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [-inf, 0, 0], [1e4, 1e4, -inf]]],
        [[1, 0, 0], [1 / 3, 2 / 3, 1], [0, 1, 1.5], [0.5, 1, 0]],
        [[0, 0, 0], [-1 / 3, 0, 1 / 3], [0, -0.25, 0.25], [-0.25, 0.25, 0]],
    ),
    each("softmax of only -inf", lambda x: td.softmax(x, 1), [[[-inf, -inf], [0, 0]]], [[nan, nan], [0.5, 0.5]]),
    each(
        "log_softmax",
        lambda x: td.log_softmax(x, 1),
        [[[1e4, -1e4, 0], [1e4, 1e4, 1e4], [-inf, 0, -inf]]],
        [[0, -2e4, -1e4], [-math.log(3)] * 3, [-inf, 0, -inf]],
        [[-2, 1, 1], [0, 0, 0], [1, -2, 1]],
    ),
    each(
        "log_softmax of only -inf", lambda x: td.log_softmax(x, 1), [[[-inf, -inf], [0, -inf]]], [[nan] * 2, [0, -inf]]
    ),
    each(
        "logsumexp",
        lambda x: td.logsumexp(x, 1),
        [[[1e4, -1e4, 0], [0, 0, 0], [-inf, 2, -inf], [-inf, -inf, -inf]]],
        [1e4, math.log(3), 2, -inf],
        [[1, 0, 0], THIRD, [0, 1, 0], [0, 0, 0]],
    ),
    # -- losses
    each(
        "cross_entropy, certain and right",
        lambda x: F.cross_entropy(x, td.tensor([0, 1]), reduction="none"),
        [[[1e4, -1e4, 0], [-1e4, 1e4, -inf]]],
        [0, 0],
        [[0, 0, 0], [0, 0, 0]],
    ),
    each(
        "cross_entropy, certain and wrong",
        lambda x: F.cross_entropy(x, td.tensor([0, 1]), reduction="none"),
        [[[-1e4, 1e4, 0], [1e4, -1e4, -inf]]],
        [2e4, 2e4],
        [[-1, 1, 0], [1, -1, 0]],
    ),
    each(
        "cross_entropy of an impossible class",
        lambda x: F.cross_entropy(x, td.tensor([0]), reduction="none"),
        [[[-inf, 1e4, 0]]],
        [inf],
        [[-1, 1, 0]],
    ),
    each(
        "cross_entropy, smoothed",
        lambda x: F.cross_entropy(x, td.tensor([0]), label_smoothing=0.3),
        [[[-1e4, 1e4, 0]]],
        17000,
        [[-0.8, 0.9, -0.1]],
    ),
    each(
        "cross_entropy of probabilities",
        lambda x: F.cross_entropy(x, like([[0.25, 0.75, 0.0]], x)),
        [[[1e4, -1e4, -inf]]],
        15000,
        [[0.75, -0.75, 0]],
    ),
    each(
        "nll_loss",
        lambda x: F.nll_loss(x, td.tensor([0, 1]), reduction="none"),
        [[[-1e4, 0, -inf], [-inf, 0, -inf]]],
        [1e4, 0],
        [[-1, 0, 0], [0, -1, 0]],
    ),
    each(
        "binary_cross_entropy",
        lambda x: F.binary_cross_entropy(x, like([0, 1, 1, 0], x), reduction="none"),
        [[0, 1, 0, 1]],
        [0, 0, 100, 100],
        [0, 0, -1e12, 1e12],
    ),
    each(
        "binary_cross_entropy_with_logits",
        lambda x: F.binary_cross_entropy_with_logits(x, like([0, 1, 1, 0, 0.5], x), reduction="none"),
        [[-1e4, 1e4, -1e4, 1e4, 1e4]],
        [0, 0, 1e4, 1e4, 5e3],
        [0, 0, -1, 1, 0.5],
    ),
    each(
        "binary_cross_entropy_with_logits, weighted",
        lambda x: F.binary_cross_entropy_with_logits(x, like([0, 1, 1, 0], x), reduction="none", pos_weight=like(3, x)),
        [[-1e4, 1e4, -1e4, 1e4]],
        [0, 0, 3e4, 1e4],
        [0, 0, -3, 1],
    ),
    each(
        "kl_div",
        lambda x: F.kl_div(x, like([1, 0, 0], x), reduction="none"),
        [[0, -1e4, -5]],
        [0, 0, 0],
        [-1, 0, 0],
    ),
    # -- activations: slopes at infinity are the limits (PyTorch: nan for gelu, silu, mish)
    each("sigmoid", td.sigmoid, [HUGE], [1, 0, 1, 0, 0.5], [0, 0, 0, 0, 0.25]),
    each("sigmoid, tail", td.sigmoid, [[-80, -60]], [math.exp(-80), math.exp(-60)], [math.exp(-80), math.exp(-60)]),
    each("tanh", td.tanh, [HUGE], [1, -1, 1, -1, 0], [0, 0, 0, 0, 1]),
    each("logsigmoid", F.logsigmoid, [HUGE], [0, -1e4, 0, -inf, -math.log(2)], [0, 1, 0, 1, 0.5]),
    each("softplus", F.softplus, [HUGE], [1e4, 0, inf, 0, math.log(2)], [1, 0, 1, 0, 0.5]),
    each("gelu", F.gelu, [HUGE], [1e4, 0, inf, 0, 0], [1, 0, 1, 0, 0.5]),
    each("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), [HUGE], [1e4, 0, inf, 0, 0], [1, 0, 1, 0, 0.5]),
    each("silu", F.silu, [HUGE], [1e4, 0, inf, 0, 0], [1, 0, 1, 0, 0.5]),
    each("mish", F.mish, [HUGE], [1e4, 0, inf, 0, 0], [1, 0, 1, 0, 0.6]),
    each("elu", F.elu, [HUGE], [1e4, -1, inf, -1, 0], [1, 0, 1, 0, 1]),
    each("celu", lambda x: F.celu(x, 2.0), [HUGE], [1e4, -2, inf, -2, 0], [1, 0, 1, 0, 1]),
    each(
        "selu",
        F.selu,
        [HUGE[:4]],
        [10507.009873554805, -1.7580993408473766, inf, -1.7580993408473766],
        [1.0507009873554805, 0, 1.0507009873554805, 0],
    ),
    # -- norms and spreads
    *(at_zero(p) for p in (0, 0.5, 1, 1.5, 2, 3, "fro", inf, -inf, -1, -2)),
    each("norm beside a zero", lambda x: td.norm(x, p=3), [[0, 1, 0]], 1, [0, 1, 0]),
    each("norm -1 beside a zero", lambda x: td.norm(x, p=-1), [[0, 3, 4]], 0, [0, 0, 0]),
    each("normalize", F.normalize, [[[0, 0], [3, 4]]], [[0, 0], [0.6, 0.8]]),
    each("std of equal values", td.std, [[3, 3, 3]], 0, [0, 0, 0]),
    each("var of equal values", td.var, [[3, 3, 3]], 0, [0, 0, 0]),
    each("var far from zero", td.var, [[10000, 10001, 10002]], 1, [-1, 0, 1]),
    each(
        "layer_norm of equal values",
        lambda x: F.layer_norm(x, (3,)),
        [[[7, 7, 7], [1e4, 1e4, 1e4]]],
        [[0] * 3] * 2,
        [[0] * 3] * 2,
    ),
    each(
        "batch_norm of equal values",
        lambda x: F.batch_norm(x, None, None, training=True),
        [[[3.0, 3.0], [3.0, 3.0]]],
        [[0, 0], [0, 0]],
        [[0, 0], [0, 0]],
    ),
    # -- products
    each(
        "prod with zeros",
        lambda x: td.prod(x, 1),
        [[[2, 3, 4], [0, 3, 4], [0, 3, 0], [0, 0, 0]]],
        [24, 0, 0, 0],
        [[12, 8, 6], [12, 0, 0], [0, 0, 0], [0, 0, 0]],
    ),
    each("prod of all, one zero", td.prod, [[2, 0, 5]], 0, [0, 10, 0]),
    each(
        "cumprod with zeros",
        lambda x: td.cumprod(x, 1),
        [[[2, 3, 4], [0, 3, 4], [0, 3, 0], [2, 0, 4]]],
        [[2, 6, 24], [0, 0, 0], [0, 0, 0], [2, 0, 0]],
        [[16, 10, 6], [16, 0, 0], [4, 0, 0], [1, 10, 0]],
    ),
    # -- powers and angles
    *(
        each(
            f"0 ** {n}",
            lambda x, n=n: x**n,
            [[0, 2]],
            [0.0**n, 2.0**n],
            [n * 0.0 ** (n - 1) if n else 0, n * 2.0 ** (n - 1)],
        )
        for n in (0, 1, 2, 3, 1.5)
    ),
    each("0 ** x", lambda x: td.pow(0.0, x), [[0, 1, 2, 0.5]], [1, 0, 0, 0], [0, 0, 0, 0]),
    each("x ** y at 0", td.pow, [[0, 0, 0], [0, 1, 2]], [1, 0, 0], [0, 1, 0], [0, 0, 0]),
    each("sqrt", td.sqrt, [[1e-30, 1e30]], [1e-15, 1e15], [0.5e15, 0.5e-15]),
    each(
        "atan2",
        td.atan2,
        [[0, 0, 1, -1, 1e30], [0, -1, 0, 0, 1e30]],
        [0, math.pi, math.pi / 2, -math.pi / 2, math.pi / 4],
        [0, -1, 0, 0, 5e-31],
        [0, 0, -1, 1, -5e-31],
    ),
    each("hypot", td.hypot, [[0, 3e30], [0, 4e30]], [0, 5e30], [0, 0.6], [0, 0.8]),
    # -- ties
    each("max of all", td.max, [[1, 3, 3, 2, 3]], 3, [0, 1 / 3, 1 / 3, 0, 1 / 3]),
    each("max along a dimension", lambda x: td.max(x, 0)[0], [[1, 3, 3]], 3, [0, 1, 0]),
    each("amin", lambda x: td.amin(x, 0), [[1, 3, 1]], 1, [0.5, 0, 0.5]),
    each("maximum", td.maximum, [[1, 2], [1, 0]], [1, 2], [0.5, 1], [0.5, 0]),
    # -- near zero and far out
    each("log1p", td.log1p, [[1e-14, -1e-20, 0]], [1e-14, -1e-20, 0], [1, 1, 1]),
    each("expm1", td.expm1, [[1e-14, -1e-20, -1e4]], [1e-14, -1e-20, -1], [1, 1, 0]),
    each("tanh near 0", td.tanh, [[1e-10, -1e-20]], [1e-10, -1e-20], [1, 1]),
    each(
        "logaddexp",
        td.logaddexp,
        [[1e4, -inf, inf, 1e30], [-1e4, 0, 2, 1e30]],
        [1e4, 0, inf, 1e30],
        [1, 0, 1, 0.5],
        [0, 1, 0, 0.5],
    ),
    each("xlogy at 0", lambda x: td.xlogy(x, like([0, 1], x)), [[0, 0]], [0, 0], [0, 0]),
    each(
        "erf, tails",
        td.erf,
        [[-1e4, -6, 6, inf]],
        [-1, -1, 1, 1],
        [0, *[2 / math.sqrt(math.pi) * math.exp(-36)] * 2, 0],
    ),
    each(
        "erfc, tails",
        td.erfc,
        [[2, 5, 9, -9, 1e4, inf, -inf]],
        [math.erfc(2), math.erfc(5), math.erfc(9), 2, 0, 0, 2],
        [*(-2 / math.sqrt(math.pi) * math.exp(-x * x) for x in (2, 5, 9, 9)), 0, 0, 0],
    ),
]


@pytest.mark.parametrize("dtype", [td.float32, td.float64], ids=str)
@pytest.mark.parametrize(("function", "values", "out", "slopes"), CASES)
def test_extremes(function, values, out, slopes, dtype):
    single = dtype == td.float32
    tolerance = {"rtol": 3e-6, "atol": 1e-37} if single else {"rtol": 1e-12, "atol": 1e-300}
    inputs = [td.tensor(np.array(each, dtype), requires_grad=True) for each in values]
    result = function(*inputs)
    assert result.dtype == dtype
    np.testing.assert_allclose(result.detach().numpy(), out, **tolerance)
    seed = td.ones_like(result)
    bare = td.autograd.grad(result, inputs, seed, retain_graph=True)
    recorded = td.autograd.grad(result, inputs, seed, create_graph=True)
    for x, a, b in zip(inputs, bare, recorded, strict=True):
        assert a.dtype == b.dtype == x.dtype and a.shape == x.shape
        np.testing.assert_array_equal(a.numpy(), b.detach().numpy())
    for expected, found in zip(slopes, bare, strict=False):
        np.testing.assert_allclose(found.numpy(), expected, **tolerance)


@pytest.mark.parametrize("dtype", [td.float32, td.float64], ids=str)
def test_infinite_results_are_numpys(dtype):
    """Where the result itself is infinite, NumPy's warning is kept: it is the first hint of what went wrong."""
    x = td.zeros(1, dtype=dtype, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert td.log(x).item() == -inf
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        td.sqrt(x).backward()
    assert x.grad.item() == inf
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert td.exp(x.detach() + 1e4).item() == inf


def test_the_spread_of_one_value_is_nan_with_a_word():
    for spread in (td.std, td.var):
        assert math.isnan(spread(td.tensor([3.0])).item())


def test_large_sums_in_float16():
    x = td.full((100_000,), 0.5, dtype=td.float16, requires_grad=True)
    total, mean = x.sum(), x.mean()
    assert total.dtype == mean.dtype == td.float16
    assert total.item() == 49984.0 and mean.item() == 0.5  # 49984 is the nearest number to 50000
    total.backward()
    assert (x.grad.numpy() == 1).all()
    y = td.full((70_000,), 100.0, dtype=td.float16)
    assert y.mean().item() == 100.0 and y.std().item() == 0.0
    assert td.logsumexp(y, 0).item() == pytest.approx(100 + math.log(70_000), abs=0.1)
    assert td.softmax(y, 0).sum().item() == pytest.approx(1.0, abs=0.02)
    assert F.layer_norm(y, (70_000,)).abs().max().item() == 0.0


def test_normalisations_of_constant_input_stay_finite_while_training():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LayerNorm(4))
    for weight in model.parameters():
        nn.init.constant_(weight, 1.0)
    loss = model(td.ones(5, 3)).pow(2).mean()
    loss.backward()
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.parameters())
