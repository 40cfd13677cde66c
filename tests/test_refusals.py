"""What PyTorch refuses is refused, with an error of the same kind whose first line names the function."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

X = td.tensor([1.0, 2.0, 3.0])
WHOLE = td.tensor([1, 2, 3])
NONE = (
    *("arctan2", "atan2", "complex", "fmax", "fmin", "hypot", "isclose", "logaddexp"),
    *("logical_and", "logical_or", "logical_xor", "maximum", "minimum"),
)
OTHER = ("clamp_max", "clamp_min", "eq", "fmod", "ne")
SOME = ("bitwise_and", "bitwise_or", "bitwise_xor", "pow", "remainder", "xlogy")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *((name, given) for name in NONE for given in ((X, 2.0), (2, X), (2.0, 3))),
        *((name, given) for name in OTHER for given in ((2, X), (2, 3))),
        *((name, (2, 3)) for name in SOME),
        *((name, (2, X)) for name in ("max", "min")),
    ],
)
def test_numbers_where_tensors_are_expected(name, given):
    with pytest.raises(TypeError, match=rf"^{name}|^atan2|^clamp|^m(ax|in)imum"):
        getattr(td, name)(*given)


@pytest.mark.parametrize("name", [name for name in OTHER + SOME if name != "complex"])
def test_numbers_beside_tensors(name):
    function, x = getattr(td, name), WHOLE if name.startswith("bitwise") else X
    assert function(x, 2).tolist() == function(x, td.tensor(2)).tolist()
    if name in SOME:
        assert function(2, x).tolist() == function(td.tensor(2), x).tolist()


@pytest.mark.parametrize("dtype", [td.float16, td.float32, td.float64, td.int64])
@pytest.mark.parametrize("ufunc", [np.maximum, np.fmin, np.hypot, np.logaddexp, np.arctan2, np.logical_and])
def test_functions_of_numpy_take_numbers(ufunc, dtype):
    x = X.to(dtype)
    for given in ((x, 1.7), (1.7, x)):
        found = ufunc(*given)
        expected = ufunc(*(each.double().numpy() if each is x else each for each in given))
        wanted = td.bool if ufunc is np.logical_and else td.float32 if dtype == td.int64 else dtype
        assert found.dtype == wanted
        assert np.allclose(found.double().numpy(), expected, rtol=1e-3 if dtype == td.float16 else 1e-6)


def test_numpy_takes_one_array_as_several():
    x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.concatenate(x).tolist() == [1, 2, 3, 4]
    assert np.stack(x, axis=1).tolist() == [[1, 3], [2, 4]]
    assert np.isclose(x, 2.0).tolist() == [[False, True], [False, False]]


INDEX = td.tensor([[0, 1]])
LINE = td.tensor([0, 1])
WIDE = td.ones(2, 2)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: td.cat(WIDE), TypeError, "cat: got tensors=float32"),
        (lambda: td.complex(X, X.double()), RuntimeError, "complex: got tensors of float32 and float64"),
        (lambda: td.equal(X, 2), TypeError, "equal: got other=2"),
        (lambda: WIDE.scatter(0, INDEX, WIDE.double()), RuntimeError, "scatter: got values of float64"),
        (lambda: WIDE.scatter_add(0, INDEX, WIDE.double()), RuntimeError, "scatter_add: got values of float64"),
        (lambda: WIDE.scatter_reduce(0, INDEX, WIDE.int(), "sum"), RuntimeError, "scatter_reduce: got values of int32"),
        (lambda: WIDE.index_add(0, LINE, WIDE.double()), RuntimeError, "index_add: got values of float64"),
        (lambda: WIDE.index_copy(0, LINE, WIDE.half()), RuntimeError, "index_copy: got values of float16"),
        (lambda: WIDE.masked_scatter(WIDE > 0, WIDE.int()), RuntimeError, "masked_scatter: got values of int32"),
        (lambda: WIDE.scatter(0, INDEX, td.ones(1, 2, 1)), RuntimeError, "scatter: expected a src with as many"),
        (lambda: WIDE.gather(0, LINE), RuntimeError, "gather: expected an index with as many"),
        (lambda: WIDE.gather(0, INDEX + 5), RuntimeError, "gather: index 5 is out of range"),
        (lambda: WIDE.masked_fill(WIDE > 0, td.ones(1)), RuntimeError, r"masked_fill: got a value of shape \(1,\)"),
        (lambda: td.isclose(X, X, atol=-0.1), RuntimeError, "isclose: got rtol=1e-05 and atol=-0.1"),
        (lambda: td.arange(0, 5, -1), RuntimeError, "arange: got start=0, end=5 and step=-1"),
        (lambda: td.linspace(td.ones(1), 2, 3), RuntimeError, "linspace: expected numbers or 0-d tensors"),
        (lambda: td.narrow(X, 0, td.tensor(1.0), 1), RuntimeError, "narrow: got start=float32"),
        (lambda: td.flipud(td.tensor(1.0)), RuntimeError, "flipud: got a 0-d tensor"),
        (lambda: td.fliplr(X), RuntimeError, "fliplr: got a tensor of shape"),
        (lambda: td.rot90(X), RuntimeError, "rot90: got a tensor of shape"),
        (lambda: td.roll(X, ()), RuntimeError, "roll: got no shifts"),
        (lambda: WIDE.vsplit("abc"), TypeError, "vsplit: got indices_or_sections='abc'"),
        (lambda: td.ones(2, 0).amax(1), IndexError, "amax: expected dimensions with elements"),
        (lambda: td.ones(2, 0).argmin(1), IndexError, "argmin: attempt to get argmin of an empty sequence"),
        (lambda: td.ones(2, 0).max(1), IndexError, "max: attempt to get argmax of an empty sequence"),
    ],
)
def test_arguments(call, kind, message):
    with pytest.raises(kind, match=f"^{message}"):
        call()


def test_a_function_named_like_its_argument_says_its_name_once():
    with pytest.raises(RuntimeError, match=r"^threshold: got a read-only view"):
        td.nn.functional.threshold(td.ones(1).expand(3), 0.5, 1.0, inplace=True)


@pytest.mark.parametrize("in_dims", [(0, 0, 0), (None, 0, 0), (0, None, 0), (None, None, 0), (0, 0, None)])
def test_masked_fill_of_examples(in_dims):
    x, mask, value = td.rand(3, 2, 4), td.rand(3, 4) > 0.5, td.tensor([5.0, 6.0, 7.0])
    given = [t if dim is not None else t[0] for t, dim in zip((x, mask, value), in_dims, strict=True)]
    found = td.func.vmap(td.masked_fill, in_dims)(*given)
    for i in range(3):
        one = [t[i] if dim is not None else t for t, dim in zip(given, in_dims, strict=True)]
        assert found[i].tolist() == td.masked_fill(*one).tolist()


def test_in_place_forms():
    x = td.zeros(2, 2)
    assert x.addmm_(WIDE, WIDE, alpha=2) is x and x.tolist() == [[4, 4], [4, 4]]
    y = td.ones(1, 2, 2)
    assert y.baddbmm_(WIDE[None], WIDE[None], beta=3).tolist() == [[[5, 5], [5, 5]]]
    assert td.tensor([1.7, -1.7]).fix_().tolist() == [1, -1]
