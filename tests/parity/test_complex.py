"""Every function that takes complex tensors: values, gradients and second ones against PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import as_numpy, torch

ONE = [
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "conj", "cos", "cosh", "exp", "exp2", "expm1", "log"),
    *("log10", "log1p", "log2", "neg", "reciprocal", "rsqrt", "sigmoid", "sin", "sinh", "sqrt", "square", "tan"),
    *("tanh", "clone", "real", "imag", "view_as_real", "sum", "mean", "prod", "var", "std", "norm", "ravel", "trace"),
    *("tril", "triu", "diagonal"),
]
TWO = ["add", "sub", "mul", "div", "pow", "matmul", "mm", "kron"]
FIRST_ZERO = [[0.0, 1, 1], [1, 1, 1], [0, 0, 1]]
CONDITION = [[True, False, True], [False, True, True], [True, True, False]]


def stored(x: Any, y: Any) -> Any:
    changed = x.clone()
    changed[0] = y[1]
    return changed


# name -> (number of tensors, function of a library and that many 3x3 matrices).
CASES: dict[str, tuple[int, Any]] = {
    **{name: (1, lambda L, x, name=name: getattr(L, name)(x)) for name in ONE},
    **{name: (2, lambda L, x, y, name=name: getattr(L, name)(x, y)) for name in TWO},
    **{
        f"{name} along": (1, lambda L, x, name=name: getattr(L, name)(x, dim=1))
        for name in ("sum", "mean", "prod", "var", "std", "norm", "cumsum", "cumprod", "logsumexp")
    },
    **{f"x ** {n}": (1, lambda L, x, n=n: x**n) for n in (0, 1, 2, 3, 0.5, -1, -2, -0.5, 2.5, 1 + 2j)},
    **{f"{n} ** x": (1, lambda L, x, n=n: n**x) for n in (2, 0.5, 1 + 1j)},
    **{f"norm {p}": (1, lambda L, x, p=p: x.norm(p, dim=1)) for p in (1, 2, 3, 0.5, math.inf, -math.inf)},
    "pow of a number": (1, lambda L, x: x ** L.tensor(2.0)),
    "real ** complex": (1, lambda L, x: x.real**x),
    "softsign": (1, lambda L, x: L.nn.functional.softsign(x)),
    "logaddexp": (2, lambda L, x, y: L.logaddexp(x, y)),
    "lerp": (2, lambda L, x, y: L.lerp(x, y, 0.3)),
    "where": (2, lambda L, x, y: L.where(L.tensor(CONDITION), x, y)),
    "masked_fill": (1, lambda L, x: x.masked_fill(L.tensor(CONDITION), 0)),
    "addcmul": (2, lambda L, x, y: L.addcmul(x, x, y, value=0.5)),
    "addcdiv": (2, lambda L, x, y: L.addcdiv(x, x, y, value=0.5)),
    "dot": (2, lambda L, x, y: L.dot(x[0], y[0])),
    "vdot": (2, lambda L, x, y: L.vdot(x[0], y[0])),
    "outer": (2, lambda L, x, y: L.outer(x[0], y[0])),
    "vector @": (2, lambda L, x, y: x[0] @ y),
    "bmm": (2, lambda L, x, y: L.bmm(x[None], y[None])),
    "addmm": (2, lambda L, x, y: L.addmm(x, x, y)),
    "tensordot": (2, lambda L, x, y: L.tensordot(x, y, 1)),
    "mH": (2, lambda L, x, y: x.mH @ y),
    "einsum": (2, lambda L, x, y: L.einsum("ij,kj->ik", x, y)),
    "einsum, all": (2, lambda L, x, y: L.einsum("ij,ij->", x, y)),
    "einsum, diagonal": (1, lambda L, x: L.einsum("ii", x)),
    "linear": (2, lambda L, x, y: L.nn.functional.linear(x, y)),
    "conv1d": (2, lambda L, x, y: L.nn.functional.conv1d(x[None], y[:, :, None])),
    "times a real": (1, lambda L, x: x * L.tensor([1.0, 2.0, 3.0])),
    "real squares": (1, lambda L, x: (x * x.conj()).real),
    "prod at zeros": (1, lambda L, x: (x * L.tensor(FIRST_ZERO)).prod(1)),
    "cumprod at zeros": (1, lambda L, x: (x * L.tensor(FIRST_ZERO)).cumprod(1)),
    "var, biased": (1, lambda L, x: L.var(x, dim=0, correction=0)),
    "std, kept": (1, lambda L, x: L.std(x, dim=1, keepdim=True)),
    "l1_loss": (2, lambda L, x, y: L.nn.functional.l1_loss(x, y)),
    "l1_loss, each": (2, lambda L, x, y: L.nn.functional.l1_loss(x, y, reduction="none")),
    "normalize": (1, lambda L, x: L.nn.functional.normalize(x)),
    "pairwise_distance": (2, lambda L, x, y: L.nn.functional.pairwise_distance(x, y)),
    "cat": (2, lambda L, x, y: L.cat([x, y])),
    "stack": (2, lambda L, x, y: L.stack([x, y])),
    "gather": (1, lambda L, x: x.gather(0, L.tensor([[0, 1, 0]]))),
    "index": (1, lambda L, x: x[[0, 0, 1]]),
    "index_add": (2, lambda L, x, y: x.index_add(0, L.tensor([0, 1, 0]), y)),
    "scatter_add": (2, lambda L, x, y: x.scatter_add(0, L.tensor([[0, 1, 0]] * 3), y)),
    "stored": (2, lambda L, x, y: stored(x, y)),
    "roll": (1, lambda L, x: x.roll(1, 0)),
    "repeat": (1, lambda L, x: x.repeat(2, 1)),
    "pad": (1, lambda L, x: L.nn.functional.pad(x, (1, 1))),
    "complex": (2, lambda L, x, y: L.complex(x.real, y.imag)),
    "view_as_complex": (1, lambda L, x: L.view_as_complex(L.view_as_real(x) * 2)),
    "to real": (1, lambda L, x: x.to(x.real.dtype)),
    "mean of abs": (1, lambda L, x: x.abs().mean()),
}


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64], ids=["complex128", "complex64"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore")
def test_complex(name, dtype):
    count, function = CASES[name]
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> np.ndarray:
        """Away from 0 and from the negative axis, where roots and logarithms jump."""
        return (rng.uniform(0.3, 2, shape) + 1j * rng.uniform(-2, 2, shape)).astype(dtype)

    arrays = [numbers(3, 3) for _ in range(count)]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    expected, found = function(torch, *theirs), function(td, *ours)
    tolerance = {"rtol": 1e-9, "atol": 1e-9} if dtype is np.complex128 else {"rtol": 2e-3, "atol": 2e-3}
    assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found.detach().numpy(), as_numpy(expected), **tolerance)

    seed: Any = numbers(*expected.shape)
    seed = np.asarray(seed if expected.is_complex() else seed.real)
    more = {"create_graph": True, "materialize_grads": True}
    slopes = torch.autograd.grad(expected, theirs, torch.tensor(seed), **more)
    mine = td.autograd.grad(found, ours, td.tensor(seed), **more)
    for a, b in zip(mine, slopes, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), as_numpy(b), **tolerance)
    if dtype is np.complex64:
        return
    recorded = [(a, b) for a, b in zip(mine, slopes, strict=True) if a.requires_grad and b.requires_grad]
    if not recorded:
        return
    total = sum((b * b.conj()).real.sum() for _, b in recorded)
    own = sum((a * a.conj()).real.sum() for a, _ in recorded)
    second = torch.autograd.grad(total, theirs, materialize_grads=True, allow_unused=True)
    for a, b in zip(td.autograd.grad(own, ours, materialize_grads=True, allow_unused=True), second, strict=True):
        np.testing.assert_allclose(a.numpy(), as_numpy(b), rtol=1e-7, atol=1e-7)
