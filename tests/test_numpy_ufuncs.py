"""Ufuncs on tensors: NumPy's options, and their methods."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy_calls import MASK, THREE, V, X, compare

import tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.dispatch import NUMPY, called
from tinygrad_dl.core.untracked import CONSTANT
from tinygrad_dl.testing import gradcheck

lazy.load_all()
UFUNCS = list(dict.fromkeys(f for f in (getattr(np, name) for name in sorted(dir(np))) if isinstance(f, np.ufunc)))
PLAIN = [f for f in UFUNCS if f.signature is None and f is not np.isnat]
BINARY = [f for f in PLAIN if f.nin == 2 and f.nout == 1]
FLAT = {
    "bitwise", "equal", "gcd", "greater", "invert", "isfinite", "isinf", "isnan", "lcm", "left_shift", "less",
    "logical", "not_equal", "right_shift", "signbit", "spacing",
}  # fmt: skip


def operands(ufunc, shape=(2, 3)):
    """Arrays that a ufunc takes: positive floats in the domains of all, or integers."""
    rng = np.random.default_rng(len(ufunc.__name__))
    floats = any("d" in types for types in ufunc.types) and ufunc is not np.ldexp
    lower = 1.2 if ufunc is np.arccosh else 0.2
    return [rng.uniform(lower, lower + 0.7, shape) if floats else rng.integers(1, 6, shape) for _ in range(ufunc.nin)]


def is_flat(ufunc):
    return ufunc in CONSTANT or any(ufunc.__name__.startswith(name) for name in FLAT)


def quiet(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **options)


def has_that_gradient(function, arrays):
    """Whether a gradient comes back for each array, and is right."""
    tensors = [td.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    if not any(t.requires_grad for t in tensors):
        return
    found = function(*tensors)
    first = found[0] if isinstance(found, tuple) else found
    assert first.requires_grad
    assert gradcheck(lambda *ts: (lambda r: r[0] if isinstance(r, tuple) else r)(function(*ts)), tuple(tensors))


@pytest.mark.parametrize("ufunc", PLAIN, ids=called)
def test_every_ufunc_gives_numpys_values_and_gradients(ufunc):
    arrays = operands(ufunc)
    expected = quiet(ufunc, *arrays)
    compare("", quiet(ufunc, *map(td.tensor, arrays)), expected)
    if not is_flat(ufunc) and ufunc not in (np.ldexp, np.frexp):
        has_that_gradient(ufunc, arrays)
    tensors = [td.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    if is_flat(ufunc):
        found = quiet(ufunc, *tensors)
        assert not any(getattr(f, "requires_grad", False) for f in (found if isinstance(found, tuple) else (found,)))
    outs = tuple(td.zeros(e.shape, dtype=e.dtype) for e in (expected if isinstance(expected, tuple) else (expected,)))
    written = quiet(ufunc, *map(td.tensor, arrays), out=outs)
    assert all(a is b for a, b in zip(written if isinstance(written, tuple) else (written,), outs, strict=True))
    compare("", list(outs), list(expected) if isinstance(expected, tuple) else [expected])
    start = [np.full_like(e.numpy(), 1) for e in outs]
    theirs = quiet(ufunc, *arrays, out=tuple(s.copy() for s in start), where=MASK)
    ours = quiet(ufunc, *map(td.tensor, arrays), out=tuple(map(td.tensor, start)), where=MASK)
    compare("", ours, theirs)


def reduces_as_it_accumulates(ufunc, array):
    """Not so arctan2 and power of some versions of NumPy, whose `reduce` gives other numbers."""
    if ufunc not in (np.arctan2, np.power):
        return True
    ends = [np.take(ufunc.accumulate(array, axis=d), -1, axis=d) for d in (0, 1)]
    return all(np.allclose(ufunc.reduce(array, axis=d), end) for d, end in zip((0, 1), ends, strict=True))


@pytest.mark.parametrize("ufunc", BINARY, ids=called)
def test_methods_of_every_ufunc_of_two(ufunc):
    array, other = operands(ufunc, (3, 4))
    x = td.tensor(array, requires_grad=array.dtype.kind == "f")
    calls = [
        lambda a: ufunc.reduce(a), lambda a: ufunc.reduce(a, axis=1, keepdims=True),
        lambda a: ufunc.reduce(a, axis=1, initial=other[0, 0], where=array > array.mean()),
        lambda a: ufunc.accumulate(a),
        lambda a: ufunc.accumulate(a, axis=1), lambda a: ufunc.reduceat(a, [0, 2, 1]),
        lambda a: ufunc.reduceat(a, [0, 2], axis=1), lambda a: ufunc.outer(a, other[0]),
    ]  # fmt: skip
    for call in calls:
        try:
            expected = quiet(call, array)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                quiet(call, td.tensor(array))
            continue
        compare("", quiet(call, td.tensor(array)), expected)
        if call not in calls[:3] or reduces_as_it_accumulates(ufunc, array):
            compare("", quiet(call, x), expected)
        if not is_flat(ufunc) and x.requires_grad and expected.dtype.kind == "f":
            assert gradcheck(call, (x,))


@pytest.mark.parametrize("ufunc", BINARY, ids=called)
def test_at_of_every_ufunc_of_two(ufunc):
    array, other = operands(ufunc, (5,))
    places = np.array([3, 0, 3, 3])
    expected = array.copy()
    try:
        quiet(ufunc.at, expected, places, other[:4])
    except TypeError:
        with pytest.raises(TypeError):
            ufunc.at(td.tensor(array), places, other[:4])
        return
    changed = td.tensor(array)
    quiet(ufunc.at, changed, td.tensor(places), td.tensor(other[:4]))
    compare("", changed, expected)
    if is_flat(ufunc) or array.dtype.kind != "f":
        return

    def of(x, y):
        target = x * 1
        ufunc.at(target, places, y)
        return target

    x, y = td.tensor(array, requires_grad=True), td.tensor(other[:4], requires_grad=True)
    compare("", of(x, y), expected)
    assert gradcheck(of, (x, y))


def test_at_of_one():
    x = td.tensor(V, requires_grad=True)
    y = x * 1
    np.square.at(y, [0, 0, 2])
    expected = V.copy()
    np.square.at(expected, [0, 0, 2])
    compare("", y, expected)
    (gradient,) = td.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(gradient.numpy(), [4 * V[0] ** 3, 1, 2 * V[2], 1])


def test_reduce_takes_initial_where_dtype_and_several_dimensions():
    x = td.tensor(X, requires_grad=True)
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp):
        options = {"axis": None, "initial": 1.5, "where": MASK, "keepdims": True}
        compare("", ufunc.reduce(x, **options), ufunc.reduce(X, **options))
        compare("", ufunc.reduce(x, axis=(0, 1)), ufunc.reduce(X, axis=(0, 1)))
    compare("", np.hypot.reduce(x, axis=(0, 1)), np.hypot.reduce(X, axis=(0, 1)))
    compare("", np.hypot.reduce(x, axis=1, where=MASK), np.hypot.reduce(X, axis=1, where=MASK))
    compare("", np.add.reduce(x, 1, np.float64), np.add.reduce(X, 1, np.float64))
    compare("", np.subtract.reduce(x, dtype=np.complex128), np.subtract.reduce(X, dtype=np.complex128))
    with pytest.raises(ValueError, match="not reorderable"):
        np.subtract.reduce(x, axis=(0, 1))
    with pytest.raises(ValueError, match=r"np\.subtract\.reduce: got where= without initial=, expected it"):
        np.subtract.reduce(x, where=MASK)
    with pytest.raises(ValueError, match="got no elements without initial="):
        np.subtract.reduce(x[:0])
    with pytest.raises(IndexError, match=r"np\.subtract\.reduceat: got index 5, expected 0 to 1"):
        np.subtract.reduceat(x, [5])


def test_out_and_where():
    x = td.tensor(X)
    out = td.zeros(2, 3, dtype=td.float64)
    assert np.add(x, 1, out=out) is out
    np.testing.assert_array_equal(out.numpy(), X + 1)
    assert np.multiply(x, 2, out) is out  # by its place
    array = np.zeros((2, 3))
    assert np.add(x, 1, out=array) is array
    np.testing.assert_array_equal(array, X + 1)
    assert np.sum(x, 1, None, td.zeros(2, dtype=td.float64)).tolist() == X.sum(1).tolist()
    rest = td.zeros(2, 3, dtype=td.float64)
    whole, found = np.divmod(x, 2.0, out=(None, rest))
    assert found is rest
    compare("", (whole, rest), np.divmod(X, 2.0))
    total = td.zeros(3, dtype=td.float64)
    assert np.subtract.reduce(x.requires_grad_(), out=total) is total
    with pytest.raises(
        TypeError, match=r"got where= alone, which leaves elements of the result undefined, expected out="
    ):
        np.add(x, 1, where=MASK)
    assert np.add(x, 1, where=True).tolist() == (X + 1).tolist()


def test_out_and_where_have_gradients():
    x = td.tensor(X, requires_grad=True)
    out = td.full((2, 3), 7.0, dtype=td.float64)
    np.multiply(x, 2, out=out, where=MASK)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2.0 * MASK)
    with pytest.raises(RuntimeError, match="requires a gradient"):
        np.multiply(x, 2, out=np.zeros((2, 3)))


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.add(a, 1, dtype=np.float64), lambda a: np.add(a, 1.5, dtype="f4", casting="unsafe"),
        lambda a: np.multiply(a, a, signature="dd->d"), lambda a: np.multiply(a, a, sig=(None, None, np.float32)),
        lambda a: np.sqrt(a, dtype=np.float64), lambda a: np.add(a, 1, casting="no"),
        lambda a: np.less(a, 2, dtype=bool), lambda a: np.true_divide(a, 2, dtype=np.float64, order="C", subok=False),
    ],
)  # fmt: skip
def test_dtype_signature_and_casting(call):
    for array in (np.array([1, 2]), np.array([1.0, 2.0])):
        try:
            expected = call(array)
        except TypeError:
            with pytest.raises(TypeError):
                call(td.tensor(array))
            continue
        found = call(td.tensor(array))
        compare("", found, expected)
        assert found.dtype == expected.dtype


def test_casting_is_checked():
    x = td.tensor([1.5, 2.0], dtype=td.float64)
    with pytest.raises(TypeError, match="Cannot cast"):
        np.add(x, 1, dtype=np.int64)
    with pytest.raises(TypeError, match="Cannot cast"):
        np.add(td.tensor([1]), x[:1], casting="no")


PRODUCTS = [
    ("matmul", (X, X.T), {}), ("matmul", (X, X), {"axes": [(0, 1), (1, 0), (0, 1)]}),
    ("matmul", (X, X.T), {"axes": [(-2, -1), (-2, -1), (1, 0)]}), ("vecdot", (X, X), {}),
    ("vecdot", (X, X), {"axis": 0}), ("vecdot", (X, X), {"axis": 0, "keepdims": True}),
    ("vecdot", (X, X.T), {"axes": [1, 0]}), ("vecdot", (X * (1 + 2j), X * 1j), {}),
    ("matvec", (X, V[:3]), {}), ("matvec", (X, THREE), {"axes": [(0, 1), 1, 0]}), ("vecmat", (V[:2], X), {}),
    ("vecmat", (X[0] * 1j, THREE.T + 0j), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arrays", "options"), [p for p in PRODUCTS if hasattr(np, p[0])])
def test_ufuncs_of_vectors_and_matrices(name, arrays, options):
    ufunc = getattr(np, name)
    compare("", ufunc(*map(td.tensor, arrays), **options), ufunc(*arrays, **options))
    tensors = tuple(td.tensor(a, requires_grad=True) for a in arrays)
    assert gradcheck(lambda *ts: ufunc(*ts, **options), tensors)


def test_axis_is_of_vectors():
    with pytest.raises(TypeError, match=r"np\.matmul: got axis or keepdims, expected axes="):
        np.matmul(td.tensor(X), td.tensor(X.T), axis=0)


def test_at_changes_a_tensor_in_place():
    w = td.tensor(X, requires_grad=True)
    y = w * 1
    square = y * y
    with td.no_grad():
        np.add.at(y, (0, 0), 1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        square.sum().backward()
    with pytest.raises(RuntimeError, match=r"np\.add\.at: got a leaf tensor that requires a gradient"):
        np.add.at(w, (0, 0), 1.0)
    with pytest.raises(TypeError, match=r"np\.add\.at: got a tensor that requires a gradient"):
        np.add.at(X.copy(), (0, 0), w[0, 0])


def test_a_ufunc_of_others_is_refused_where_a_gradient_would_be_lost():
    other = np.frompyfunc(lambda a, b: a + b, 2, 1)
    x = td.tensor(V)
    assert other(x, 1.0).tolist() == (V + 1).tolist()
    with pytest.raises(TypeError, match=r"got a tensor that requires a gradient.*call it on t\.detach"):
        other(x.requires_grad_(), 1.0)
    assert other not in NUMPY
