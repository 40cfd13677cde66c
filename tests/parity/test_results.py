"""Calls of which the dtype, the shape or the last case is easily missed: results are PyTorch's in each dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import torch

INDEX, SOURCE = [0, 0, 2], [5, 2, 4]
LOW = ("float16", "bfloat16")
WHOLE = ("int64", "int32", "uint8")
CALLS: dict[str, Any] = {}


def call(name: str, *dtypes: str) -> Any:
    """Registers a function of a library and of one of its dtypes, for each of these."""

    def register(function: Any) -> Any:
        CALLS.update({f"{name} {dtype}": (function, dtype) for dtype in dtypes})
        return function

    return register


for _reduce in ("sum", "prod", "mean", "amax", "amin"):
    for _self in (True, False):

        @call(f"scatter_reduce {_reduce} {_self}", *WHOLE, *LOW, *(["bool"] if _reduce != "mean" else []))
        def _scatter(L, dtype, how=_reduce, whole=_self):
            x, y = L.tensor([1, 0, 3, 7], dtype=dtype), L.tensor(SOURCE, dtype=dtype)
            return L.scatter_reduce(x, 0, L.tensor(INDEX), y, how, include_self=whole)

        if _reduce != "sum":

            @call(f"index_reduce {_reduce} {_self}", *WHOLE)
            def _index(L, dtype, how=_reduce, whole=_self):
                x, y = L.tensor([[1], [0], [3]], dtype=dtype), L.tensor([[4], [6], [2]], dtype=dtype)
                return L.index_reduce(x, 0, L.tensor(INDEX), y, how, include_self=whole)


@call("all", "uint8", "int32", "bool", "float32")
def _all(L, dtype):
    x = L.tensor([[1, 2], [0, 3]], dtype=dtype)
    return L.all(x), L.any(x, 1), L.all(x, 0, keepdim=True), L.any(x[:0])


@call("bilinear", "int32", "uint8", "float32")
def _bilinear(L, dtype):
    ones = [L.ones(shape, dtype=dtype) for shape in ((2, 3), (2, 4), (5, 3, 4), (5,))]
    return L.nn.functional.bilinear(*ones)


@call("places in numbers", "float32", "int64", "uint8")
def _places(L, dtype):
    x = L.tensor(1, dtype=dtype)
    return *L.max(x, 0), *L.min(x, 0, True), L.argmax(x, 0)


@call("diff, not once", "float32", "int64", "bool")
def _diff(L, dtype):
    x = L.ones((3, 2), dtype=dtype)
    return L.diff(x, 0, 0, x[:1], x[:2]), L.diff(x, 0)


@call("div of numbers", "float32", "bfloat16", "int64", "uint8")
def _div(L, dtype):
    x = L.tensor([3, 2], dtype=dtype)
    return [L.div(n, by, rounding_mode=how) for n in (7, -7.5) for by in (x, x[0], 2) for how in ("trunc", "floor")]


@call("histc", *LOW, "float32")
def _histc(L, dtype):
    return L.histc(L.tensor([1.0, 2.0, 1.5, 7.0], dtype=dtype), 4, min=0, max=8)


@call("logspace", *WHOLE, "float64")
def _logspace(L, dtype):
    return L.logspace(0, 1.2, 2, dtype=dtype), L.logspace(1.7, 3.9, 3, 2, dtype=dtype)


@call("cross_entropy of probabilities", *LOW, "float32")
def _cross_entropy(L, dtype):
    x, p = L.tensor([[1.0, 2.0], [0.5, 0.25]], dtype=dtype), L.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=dtype)
    return L.nn.functional.cross_entropy(x, p), L.nn.functional.cross_entropy(x, p, reduction="none")


@call("random layers", "bfloat16", "float32")
def _layers(L, dtype):
    x, F = L.ones((2, 3, 4), dtype=dtype), L.nn.functional
    found = F.alpha_dropout(x, training=True), F.feature_alpha_dropout(x, training=True), F.rrelu(x, training=True)
    return [each * 0 for each in found]


@call("nan", *LOW, "float64")
def _nan(L, dtype):
    x = L.tensor([2.0, float("nan"), 1.0, float("nan")], dtype=dtype)
    places = L.tensor([0.5, 1.0, float("nan")], dtype=dtype)
    found = [*L.cummax(x, 0), *L.cummin(x, 0), L.median(x, 0).values, *L.nanmedian(x, 0), *L.kthvalue(x, 2)]
    found += [*L.topk(x[:3], 2), *L.sort(x[:3], 0), L.msort(x), L.argsort(x[:3])]
    return [*found, L.searchsorted(L.msort(x)[:2], places), L.bucketize(places, x[2:3]), L.nan_to_num(x)]


@call("nothing", "float64", "complex64", "int64")
def _nothing(L, dtype):
    F, none = L.nn.functional, L.ones((0, 3, 2), dtype=dtype)
    return F.local_response_norm(none, 2), F.feature_alpha_dropout(none[:, 0, 0], training=False)


@call("norms of matrices without elements", "float64", "complex64")
def _norms(L, dtype):
    cases = [(shape, order) for shape in ((0, 0), (0, 3), (3, 0), (2, 0, 3)) for order in (1, 2, float("inf"), "nuc")]
    found = [
        L.linalg.matrix_norm(L.ones(shape, dtype=dtype), order, keepdim=kept)
        for shape, order in cases
        for kept in (False, True)
    ]
    return *found, L.linalg.norm(L.ones((0, 3), dtype=dtype), -1)


@call("batch_norm of nothing", "float64", "float32")
def _batch_norm(L, dtype):
    none = L.ones((0,), dtype=dtype)
    return [L.nn.functional.batch_norm(none, none, none, training=training) for training in (True, False)]


@call("native layers", *LOW, "float64")
def _native(L, dtype):
    none, ones = L.ones((0, 2), dtype=dtype), L.ones(2, dtype=dtype)
    backward = td.native_dropout_backward if L is td else torch.ops.aten.native_dropout_backward
    kept = backward(ones, L.tensor([True, False]), 2.0)
    return kept, *L.native_group_norm(none, ones, ones, 0, 2, 1, 1, 1e-5)


@call("multi_margin_loss of one number", "float32", "float64")
def _margin(L, dtype):
    loss = L.nn.functional.multi_margin_loss
    return loss(L.tensor(0.5, dtype=dtype), L.tensor(0)), loss(L.tensor(2.0, dtype=dtype), L.tensor([0]))


@call("complex sums of exponentials", "complex64", "complex128")
def _exponentials(L, dtype):
    x = L.tensor([1 + 3j, 2 - 2.5j, 0.5 + 3j], dtype=dtype)
    lowest = L.tensor([-np.inf + 0j, 1j, 2j], dtype=dtype)
    return L.logsumexp(x, 0), L.logsumexp(x[:1], 0), L.logaddexp(x, x.flip(0)), L.logaddexp(x, lowest)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_results(name):
    function, dtype = CALLS[name]
    expected, found = function(torch, getattr(torch, dtype)), function(td, getattr(td, dtype))
    if not isinstance(expected, tuple | list):
        expected, found = [expected], [found]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
        assert ours.shape == tuple(theirs.shape)
        wide, wider = (td.complex128, torch.complex128) if theirs.is_complex() else (td.float64, torch.float64)
        tolerance = 1e-2 if dtype in LOW else 1e-6
        np.testing.assert_allclose(ours.to(wide).numpy(), theirs.to(wider).numpy(), rtol=tolerance, atol=tolerance)


LOSSES = {
    **dict.fromkeys(("mse_loss", "huber_loss", "smooth_l1_loss", "kl_div", "binary_cross_entropy"), ([1, 0], [0, 1])),
    **dict.fromkeys(("binary_cross_entropy_with_logits", "soft_margin_loss", "l1_loss"), ([1, 3], [1, 0])),
    **dict.fromkeys(("multilabel_soft_margin_loss", "multilabel_margin_loss"), ([[1, 3]], [[1, 0]])),
    **dict.fromkeys(("nll_loss", "cross_entropy", "multi_margin_loss"), ([[1, 3]], [1])),
    "hinge_embedding_loss": ([1, 3], [1, -1]),
    "gaussian_nll_loss": ([1, 3], [1, 2], [1, 1]),
}


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.filterwarnings("ignore")
def test_losses_of_integers_are_refused(name, dtype):
    first, *rest = LOSSES[name]
    for L in (torch, td):
        input = L.tensor(first, dtype=getattr(L, dtype))
        with pytest.raises(RuntimeError):
            getattr(L.nn.functional, name)(input, *map(L.tensor, rest))
    with pytest.raises(TypeError, match=rf"^{name}: got numbers of"):
        getattr(td.nn.functional, name)(input, *map(td.tensor, rest))


def test_shapes_are_sizes():
    assert isinstance(td.broadcast_shapes((2, 1), 3), td.Size)


def test_complex_uniform_numbers():
    x = td.zeros(1000, dtype=td.complex64).uniform_(2, 3)
    for part in (x.real, x.imag):
        assert 2 <= part.min() < 2.1 and 2.9 < part.max() < 3


@pytest.mark.parametrize("name", ["amax", "relu", "erf", "cummax", "lt"])
def test_complex_numbers_are_refused_as_dtypes_are(name):
    x = td.tensor([1j])
    with pytest.raises(RuntimeError, match=rf"{name}: expected real numbers") as caught:
        getattr(td, name)(x, *{"cummax": (0,), "lt": (x,)}.get(name, ()))
    assert isinstance(caught.value, TypeError)
