"""Elementwise functions at nan, infinities, zeros, tiny and huge numbers; gradients that are infinite or nan."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import tinygrad_dl as td
from parity.counterpart import as_numpy, call_torch, torch, undefined
from parity.test_ops import FEW
from tinygrad_dl.testing import all_ops, arguments
from tinygrad_dl.testing.op_checks import note_random
from tinygrad_dl.testing.running import Run, Tally, has_gradient

ONE = [
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "celu", "clone", "cos", "cosh", "elu", "erf"),
    *("erfc", "exp", "exp2", "expm1", "fix", "floor", "frac", "gelu", "hardshrink", "hardsigmoid", "hardswish"),
    *("hardtanh", "leaky_relu", "log", "log10", "log1p", "log2", "logit", "logsigmoid", "mish", "nan_to_num", "neg"),
    *("reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid", "sign", "silu", "sin", "sinh", "softplus"),
    *("softshrink", "softsign", "sqrt", "square", "tan", "tanh", "tanhshrink", "trunc", "clamp", "threshold"),
]
TWO = [
    *("add", "sub", "mul", "div", "atan2", "hypot", "fmax", "fmin", "maximum", "minimum", "fmod", "remainder"),
    *("floor_divide", "logaddexp", "xlogy", "pow", "isclose", "eq", "ne", "lt", "le", "gt", "ge"),
    *("l1_loss", "mse_loss", "huber_loss", "smooth_l1_loss", "kl_div", "hinge_embedding_loss", "poisson_nll_loss"),
]
EACH = {"reduction": "none"}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "threshold": [{"threshold": 0.5, "value": -2.0}, {"threshold": -1.0, "value": 3.0}],
    "clamp": [{"min": -1.0, "max": 1.0}, {"min": -1.0}, {"max": 0.5}, {"min": 1.0, "max": -1.0}],
    "leaky_relu": [{}, {"negative_slope": 1.5}, {"negative_slope": 0.0}, {"negative_slope": -0.5}],
    "elu": [{}, {"alpha": 0.5}],
    "celu": [{}, {"alpha": 0.5}],
    "hardtanh": [{}, {"min_val": -2.0, "max_val": 0.5}],
    "softplus": [{}, {"beta": 2.0}, {"beta": 0.5, "threshold": 3.0}],
    "gelu": [{}, {"approximate": "tanh"}],
    "logit": [{}, {"eps": 0.05}],
    "hardshrink": [{}, {"lambd": 0.0}],
    "softshrink": [{}, {"lambd": 0.0}],
    "nan_to_num": [{}, {"nan": 1.0, "posinf": 2.0, "neginf": -3.0}],
    "round": [{}, {"decimals": 1}],
    "huber_loss": [EACH, {"delta": 0.5, **EACH}],
    "smooth_l1_loss": [EACH, {"beta": 0.5, **EACH}, {"beta": 0.0, **EACH}],
    "kl_div": [EACH, {"log_target": True, **EACH}],
    "poisson_nll_loss": [EACH, {"log_input": False, **EACH}, {"full": True, **EACH}],
    "l1_loss": [EACH],
    "mse_loss": [EACH],
    "hinge_embedding_loss": [EACH],
}


def numbers(dtype: Any) -> np.ndarray:
    """Special values of a dtype, and usual ones on both sides of every kink."""
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal * 8, info.tiny, info.max, math.inf, 1e-5, 1e5]
    positive += [0.3, 0.5, 1.0, 2.0, 2.5, 3.0, 6.0, 7.25, 20.5, 100.0]
    return np.array([math.nan, *(sign * x for x in positive for sign in (1.0, -1.0))], dtype)


def nan(x: Any, *_: Any) -> Any:
    return np.isnan(x)


def unbounded(x: Any, *_: Any) -> Any:
    return np.isinf(x)


def huge(x: Any, *_: Any) -> Any:
    return np.abs(x) > 1e30


def where_differs(x: Any, y: Any) -> Any:
    return np.isnan(x - y)


def tiny(x: Any, y: Any) -> Any:
    return np.minimum(np.abs(x), np.abs(y)) <= 4 * np.finfo(x.dtype).tiny


Condition = Callable[..., Any]
# (function, "value" or "gradient") -> where we mean to differ. The reasons stand in docs/differences.md.
MEANT: dict[tuple[str, str], Condition] = {
    ("sign", "value"): nan,
    ("abs", "gradient"): nan,
    ("l1_loss", "gradient"): where_differs,
    ("smooth_l1_loss", "gradient"): where_differs,  # with beta = 0
    **{(name, "gradient"): nan for name in ("hardshrink", "softshrink", "hardtanh", "relu6", "hardswish")},
    **{(name, "value"): unbounded for name in ("silu", "mish")},
    ("gelu", "value"): lambda x: np.isinf(x) | ((x < -4) & (x.dtype == np.float32)),  # 1 + erf(x) loses all digits
    **{(name, "gradient"): huge for name in ("silu", "mish", "softsign")},
    ("gelu", "gradient"): lambda x: np.abs(x) > 5,  # PyTorch's share of x loses its digits
    ("tanhshrink", "gradient"): lambda x: np.abs(x) < 1e-3,  # PyTorch's is 1 - (1 - x * x)
    ("softplus", "gradient"): lambda x: x > 20,  # PyTorch's slope is 1 from its threshold on
    ("atan2", "gradient"): tiny,
    ("hypot", "gradient"): lambda x, y: (x == 0) & (y == 0),
    **{(name, "value"): lambda x, y: np.abs(x / y) > 1e6 for name in ("fmod", "remainder")},
    ("kl_div", "gradient"): lambda x, y: (y == 0) | (np.abs(x) > 50) | (np.abs(y) > 50),  # inf - inf, 0 / 0
    ("poisson_nll_loss", "gradient"): lambda x, y: np.isinf(x) | (y <= 1),  # 0 times the infinity of Stirling's slope
}
# Where PyTorch's own formula loses digits that ours keeps, or computes a constant in float32.
LOOSE = {"hardsigmoid": 1e-7, "sigmoid": 1e-6, "gelu": 1e-3, "softsign": 1e-3, "kl_div": 1e-2}


def functions(name: str) -> tuple[Any, Any]:
    """PyTorch's function of that name and ours."""
    theirs = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    return theirs, getattr(td.nn.functional, name, None) or getattr(td, name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", [*ONE, *TWO])
@pytest.mark.filterwarnings("ignore")
def test_special_values(name, dtype):
    theirs, ours = functions(name)
    values = numbers(dtype)
    inputs = [values] if name in ONE else [each.ravel() for each in np.meshgrid(values, values, indexing="ij")]
    rtol = max(1e-9 if dtype is np.float64 else 2e-4, LOOSE.get(name, 0))
    for options in OPTIONS.get(name, [{}]):
        a = [torch.tensor(x, requires_grad=True) for x in inputs]
        b = [td.tensor(x, requires_grad=True) for x in inputs]
        with np.errstate(all="ignore"):
            expected, found = theirs(*a, **options), ours(*b, **options)
            compare(name, "value", inputs, found.detach().numpy(), as_numpy(expected), rtol)
            if not (expected.requires_grad and found.requires_grad) or name == "floor_divide":
                continue
            slopes = torch.autograd.grad(expected.sum(), a, allow_unused=True)
            for mine, other in zip(td.autograd.grad(found.sum(), b, allow_unused=True), slopes, strict=True):
                assert (mine is None) == (other is None)
                if mine is None:
                    continue
                compare(name, "gradient", inputs, mine.numpy(), as_numpy(other), rtol)


def compare(name: str, what: str, inputs: Any, found: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    """Fails with the first inputs at which the two differ, where that is not meant."""
    assert found.dtype == expected.dtype
    if found.dtype.kind == "b":
        same = found == expected
    else:
        close = np.abs(found - expected) <= rtol * np.abs(expected) + 10 * np.finfo(found.dtype).tiny
        same = close | (found == expected) | (np.isnan(found) & np.isnan(expected))
    meant = MEANT.get((name, what))
    wrong = ~same if meant is None else ~same & ~meant(*inputs)
    if wrong.any():
        i = int(np.argmax(wrong))
        pytest.fail(f"{what} of {name} at {[float(x[i]) for x in inputs]}: {found[i]}, PyTorch has {expected[i]}")


# -- gradients from above that are infinite or nan -----------------------------------------------------


def comparable(call: Any, tally: Tally) -> bool:
    """Whether a call has a gradient, and one that is the same each time and defined."""
    note_random(call, tally)
    return not (undefined(call) or tally.random) and has_gradient(call)


RECORDED = [op for op in all_ops() if op.records and op.namespace != "rules"]
# An infinite gradient of a running sum belongs to all that were summed; PyTorch's way by logarithms loses it.
LOST_IN_PYTORCH = {"logcumsumexp"}


@pytest.mark.parametrize("op", RECORDED, ids=lambda op: op.name)
@pytest.mark.filterwarnings("ignore")
def test_what_was_not_selected_gets_no_nan(op):
    """Where PyTorch's gradient is finite though infinities or nan come from above, so is ours."""

    @FEW
    @given(arguments(op))
    def run(call):
        tally = Tally(op)
        if not comparable(call, tally) or op.name in LOST_IN_PYTORCH:
            return
        try:
            theirs, leaves = call_torch(call.copy())
        except (RuntimeError, ValueError, IndexError):
            return
        with np.errstate(all="ignore"):
            mine = Run(call, tally)
            for special in (math.inf, math.nan):
                rng = np.random.default_rng(0)
                real = [w.dtype.kind == "f" for w in mine.weights]
                weights = [
                    np.where((rng.random(w.shape) < 0.5) | (w.size == 1), special, w) if floats else w
                    for w, floats in zip(mine.weights, real, strict=True)
                ]
                starts = [(t, torch.tensor(w)) for t, w in zip(theirs, weights, strict=True) if t.requires_grad]
                if not starts:
                    return
                try:
                    expected = torch.autograd.grad(
                        [t for t, _ in starts],
                        leaves,
                        [w for _, w in starts],
                        retain_graph=True,
                        allow_unused=True,
                        materialize_grads=True,
                    )
                except RuntimeError:
                    return
                for place, found, other in zip(call.differentiable(), mine.gradients(weights), expected, strict=True):
                    spoilt = np.isnan(found) & np.isfinite(as_numpy(other))
                    assert not spoilt.any(), f"{place}: nan where PyTorch has {as_numpy(other)[spoilt]}"

    run()


# -- second derivatives that are 0 ---------------------------------------------------------------------

# Ours is None, PyTorch's zeros: they would have to keep the input alive for it.
UNCONNECTED = {"nll_loss", "pad"}


@pytest.mark.parametrize("op", RECORDED, ids=lambda op: op.name)
@pytest.mark.filterwarnings("ignore")
def test_the_second_order_reaches_what_it_reaches_in_pytorch(op):
    """Where PyTorch's second derivative is there, if only as zeros, ours is: None makes optimisers skip a parameter."""

    @FEW
    @given(arguments(op))
    def run(call):
        if not comparable(call, Tally(op)) or op.name in UNCONNECTED:
            return
        if any(x.size == 0 or x.dtype.kind == "c" for x in call.arrays(call.places())):
            return
        try:
            theirs, leaves = call_torch(call.copy())
            expected = second_order(torch, theirs, leaves)
        except (RuntimeError, ValueError, IndexError):
            return
        values, own = call.wrapped(call.differentiable())
        with np.errstate(all="ignore"):
            found = second_order(td, call.run(values), own)
        for place, mine, other in zip(call.differentiable(), found, expected, strict=True):
            assert mine or not other, f"{place}: None, PyTorch has a tensor"

    run()


def second_order(library: Any, results: Any, leaves: Any) -> list[bool]:
    """Which leaves a function of the gradient depends on."""
    results = [r for r in results if r.requires_grad]
    seeds = [library.full(tuple(r.shape), 1.5, dtype=r.dtype, requires_grad=True) for r in results]
    slopes = library.autograd.grad(results, leaves, seeds, create_graph=True, allow_unused=True)
    parts = [(g * g).sum() for g in slopes if g is not None and g.requires_grad]
    if not parts:
        return [False] * len(leaves)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return [g is not None for g in library.autograd.grad(total, leaves, allow_unused=True)]
