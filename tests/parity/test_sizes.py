"""Functions on tensors of no dimension and of dimensions of size 0 and 1: PyTorch's results, gradients and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import as_numpy, torch

SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (3,), (0, 3), (3, 0), (1, 1), (2, 3), (2, 0, 3)]
DIMS: list[Any] = [None, 0, -1, 1, -2, (), (0,), (0, 1), (-1, 0), (0, 0)]
REFUSED = (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError)

OVER_DIMS = ("sum", "mean", "amax", "amin", "var", "std", "logsumexp", "any", "all", "nansum", "norm")
ALONG_DIM = ("cumsum", "cumprod", "softmax", "log_softmax", "sort", "argsort", "argmax", "argmin", "prod")
ALONG_DIM += ("unsqueeze", "squeeze", "unbind", "max", "min")


def first(result: Any) -> Any:
    """The tensor, or the first of several."""
    return result[0] if isinstance(result, tuple | list) else result


def first_row(x: Any) -> Any:
    return x[:1] if x.ndim else x


def index(L: Any, *values: int) -> Any:
    return L.tensor(np.array(values, np.int64))


# name -> a function of a library and a tensor.
CASES: dict[str, Any] = {
    **{
        f"{name} {dim}{' kept' * keep}": lambda L, x, n=name, d=dim, k=keep: getattr(L, n)(
            x, **({} if d is None else {"dim": d}), **({"keepdim": True} if k else {})
        )
        for name in OVER_DIMS
        for dim in DIMS
        for keep in (False, True)
        if dim is not None or not (keep or name == "logsumexp")
    },
    **{
        f"{name} {dim}": lambda L, x, n=name, d=dim: getattr(L, n)(x, d)
        for name in ALONG_DIM
        for dim in (0, -1, 1, -2, 2)
    },
    **{
        name: lambda L, x, n=name: getattr(x, n)()
        for name in ("ravel", "flatten", "squeeze", "t", "clone", "argmax", "max", "min", "prod", "sort", "exp", "relu")
    },
    **{name: lambda L, x, n=name: getattr(x, n)() for name in ("tril", "trace", "diagonal", "nonzero", "item")},
    "unique": lambda L, x: x.detach().unique(),
    "flip": lambda L, x: x.flip((0,)),
    "flip nothing": lambda L, x: x.flip(()),
    "flip twice": lambda L, x: x.flip((0, -1)),
    "gather": lambda L, x: x.gather(0, L.zeros(x.shape, dtype=L.int64)),
    "gather 0-d": lambda L, x: x.gather(0, L.tensor(0)),
    "gather line": lambda L, x: x.gather(0, index(L, 0)),
    "index_select 0": lambda L, x: x.index_select(0, index(L, 0)),
    "index_select none": lambda L, x: x.index_select(0, index(L)),
    "index_select 0-d": lambda L, x: x.index_select(0, L.tensor(0)),
    "take": lambda L, x: x.take(index(L, 0)),
    "take 0-d": lambda L, x: x.take(L.tensor(0)),
    "take none": lambda L, x: x.take(index(L)),
    "scatter": lambda L, x: x.scatter(0, L.zeros(first_row(x).shape, dtype=L.int64), first_row(x)),
    "scatter 0-d": lambda L, x: x.scatter(0, L.tensor(0), 2.0),
    "scatter_add": lambda L, x: x.scatter_add(0, L.zeros(x.shape, dtype=L.int64), x),
    "index_add": lambda L, x: x.index_add(0, index(L, 0), x),
    "index_fill": lambda L, x: x.index_fill(0, index(L, 0), 2.0),
    "masked_select": lambda L, x: x.masked_select(x > 0),
    "masked_select one": lambda L, x: x.masked_select(L.tensor(True)),
    "masked_fill": lambda L, x: x.masked_fill(x > 0, 2.0),
    "mask": lambda L, x: x[x > 0],
    "[0]": lambda L, x: x[0],
    "[-1:]": lambda L, x: x[-1:],
    "[..., None]": lambda L, x: x[..., None],
    "[()]": lambda L, x: x[()],
    "[None]": lambda L, x: x[None],
    "[True]": lambda L, x: x[L.tensor(True)],
    "[[]]": lambda L, x: x[index(L)],
    "topk": lambda L, x: x.topk(1),
    "topk 0": lambda L, x: x.topk(0),
    "cat": lambda L, x: L.cat([x, x]),
    "cat -1": lambda L, x: L.cat([x, x], -1),
    "cat with nothing": lambda L, x: L.cat([x, L.zeros(0, dtype=x.dtype)]),
    "stack": lambda L, x: L.stack([x, x]),
    "stack -1": lambda L, x: L.stack([x, x], -1),
    "split": lambda L, x: x.split(1),
    "split 2, 1": lambda L, x: x.split([2, 1]),
    "chunk": lambda L, x: x.chunk(2),
    "narrow": lambda L, x: x.narrow(0, 0, 1),
    "narrow nothing": lambda L, x: x.narrow(0, 0, 0),
    "select": lambda L, x: x.select(0, 0),
    "reshape -1": lambda L, x: x.reshape(-1),
    "reshape 0": lambda L, x: x.reshape(0),
    "reshape ()": lambda L, x: x.reshape(()),
    "expand": lambda L, x: x.expand(2, *x.shape),
    "expand 0": lambda L, x: x.expand(0, *x.shape),
    "repeat": lambda L, x: x.repeat(*[2] * max(x.ndim, 1)),
    "repeat 0": lambda L, x: x.repeat(*[0] * max(x.ndim, 1)),
    "roll": lambda L, x: x.roll(1),
    "roll 0": lambda L, x: x.roll(1, 0),
    "transpose": lambda L, x: x.transpose(0, -1),
    "permute": lambda L, x: x.permute(*range(x.ndim)[::-1]),
    "movedim": lambda L, x: x.movedim(0, -1),
    "add": lambda L, x: x + x,
    "add (1,)": lambda L, x: x + L.ones(1, dtype=x.dtype),
    "mul (0,)": lambda L, x: x * L.ones(0, dtype=x.dtype),
    "add (3,)": lambda L, x: x + L.ones(3, dtype=x.dtype),
    "matmul": lambda L, x: x @ x,
    "matmul turned": lambda L, x: x @ x.transpose(-1, -2),
    "outer": lambda L, x: L.outer(x, x),
    "dot": lambda L, x: L.dot(x, x),
    "mm": lambda L, x: L.mm(x, x.t()),
    "where": lambda L, x: L.where(x > 0, x, x * 2),
    "clamp": lambda L, x: x.clamp(0, 1),
    "linear": lambda L, x: L.nn.functional.linear(x, L.ones(2, 3, dtype=x.dtype)),
    "embedding": lambda L, x: L.nn.functional.embedding(index(L, 0), x),
    "pad": lambda L, x: L.nn.functional.pad(x, (1, 1)),
    "mse_loss": lambda L, x: L.nn.functional.mse_loss(x, x * 2),
    "l1_loss": lambda L, x: L.nn.functional.l1_loss(x, x * 2),
    "cross_entropy": lambda L, x: L.nn.functional.cross_entropy(x, L.zeros(*x.shape[:1], dtype=L.int64)),
    "cross_entropy of one": lambda L, x: L.nn.functional.cross_entropy(x, L.tensor(0)),
    "cross_entropy, probabilities": lambda L, x: L.nn.functional.cross_entropy(x, x.detach() * 0 + 0.5),
    "nll_loss": lambda L, x: L.nn.functional.nll_loss(x, L.zeros(*x.shape[:1], dtype=L.int64)),
    "bce": lambda L, x: L.nn.functional.binary_cross_entropy_with_logits(x, x.detach() * 0 + 0.5),
    "kl_div": lambda L, x: L.nn.functional.kl_div(x, x.detach() * 0 + 0.5, reduction="sum"),
    "cosine_similarity": lambda L, x: L.nn.functional.cosine_similarity(x, x * 2, dim=0),
    "normalize": lambda L, x: L.nn.functional.normalize(x, dim=0),
    "layer_norm": lambda L, x: L.nn.functional.layer_norm(x, x.shape[-1:]),
    "glu": lambda L, x: L.nn.functional.glu(x),
    "dropout": lambda L, x: L.nn.functional.dropout(x, 0.0),
    "einsum": lambda L, x: L.einsum("...i->...", x),
    "tensordot": lambda L, x: L.tensordot(x, x, 0),
    "cumsum_": lambda L, x: x.clone().cumsum_(0),
    "tile": lambda L, x: L.tile(x, (2,)),
    "atleast_2d": lambda L, x: L.atleast_2d(x),
    "meshgrid": lambda L, x: L.meshgrid(x, x, indexing="ij"),
    "unflatten": lambda L, x: x.unflatten(0, (1, -1)),
    "repeat_interleave": lambda L, x: x.repeat_interleave(2),
    "repeat_interleave 0": lambda L, x: x.repeat_interleave(2, 0),
}
# (case, shape) where we differ on purpose, and why; a shape of None stands for all.
NO_CLASSES = "a sum over nothing is 0"
SPREAD = "PyTorch counts one element, and its gradient is infinite"
MEANT: dict[tuple[str, Any], str] = {
    **{(f"{name} (){kept}", None): SPREAD for name in ("var", "std") for kept in ("", " kept")},
    **{("cross_entropy, probabilities", shape): NO_CLASSES for shape in ((0,), (3, 0), (2, 0, 3))},
    ("logsumexp ()", None): "no dimensions are all, as of other sums",
    ("nll_loss", (1,)): "the class of one example is a 0-d tensor",
}


def outcome(L: Any, function: Any, shape: tuple[int, ...], taped: bool) -> Any:
    """The result's shape, dtype and values, and the gradient; None if it is refused."""
    x = L.tensor(np.linspace(0.5, 2.0, int(np.prod(shape))).reshape(shape), requires_grad=True)
    try:
        result = first(function(L, x))
    except REFUSED:
        return None
    if not isinstance(result, L.Tensor):
        return (), "", np.asarray(result), None
    values = as_numpy(result) if L is torch else result.detach().numpy()
    if not result.requires_grad:
        return values.shape, str(values.dtype), values, None
    (g,) = L.autograd.grad(result.sum(), x, create_graph=taped)
    return values.shape, str(values.dtype), values, g.detach().numpy()


@pytest.mark.filterwarnings("ignore")  # nan, of means of nothing; PyTorch's advice
@pytest.mark.parametrize("name", CASES)
def test_small_sizes(name):
    function = CASES[name]
    for shape in SHAPES:
        if (name, None) in MEANT or (name, shape) in MEANT:
            continue
        theirs = outcome(torch, function, shape, False)
        for taped in (False, True):
            ours = outcome(td, function, shape, taped)
            if theirs is None:
                assert ours is None, f"{shape}: PyTorch refuses it"
                continue
            assert ours is not None, f"{shape}: PyTorch takes it"
            assert ours[:2] == theirs[:2], shape
            np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-9, atol=1e-12, err_msg=f"{shape}")
            assert (ours[3] is None) == (theirs[3] is None), shape
            if theirs[3] is not None:
                np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-9, atol=1e-12, err_msg=f"gradient, {shape}")
