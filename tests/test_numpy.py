"""NumPy's functions on tensors take NumPy's own arguments: names, places, defaults."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.protocol import CONSTANT, METHODS, WITHOUT_EFFECT, called, signature, spelling
from tinygrad_dl.testing import gradcheck

X = np.array([[3.0, 1.0, 2.5], [0.5, 4.0, -2.0]])
V = np.array([2.0, 0.5, 1.5, -1.0])
S = np.array([[1.5, 0.5], [-0.5, 2.0]])
MASK = np.array([[True, False, True], [True, True, False]])

SQUARE = X @ X.T + np.eye(2)
# Legal calls by NumPy's own names; arrays X, V, S become tensors.
CALLS = {
    np.isclose: [{"a": X, "b": X + 1e-9, "rtol": 1e-5, "atol": 1e-8, "equal_nan": True}],
    np.where: [{"": (MASK, X, X * 2)}],
    np.clip: [{"a": X, "a_min": 0.75, "a_max": 2.75}, {"a": X, "min": 0.75, "max": 2.75}],
    np.nan_to_num: [{"x": X, "copy": True, "nan": 1.0, "posinf": 2.0, "neginf": 3.0}],
    np.sum: [{"a": X, "axis": 1, "dtype": np.float64, "keepdims": True, "initial": 2.0, "where": MASK}, {"a": X}],
    np.prod: [{"a": X, "axis": (0, 1), "dtype": np.float64, "keepdims": True, "initial": 2.0, "where": MASK}],
    np.mean: [{"a": X, "axis": 1, "dtype": np.float64, "keepdims": True, "where": MASK}],
    np.var: [{"a": X, "axis": 0, "dtype": np.float64, "ddof": 1, "keepdims": True}, {"a": X}],
    np.std: [{"a": X, "axis": 0, "dtype": np.float64, "ddof": 1, "keepdims": True}, {"a": X}],
    np.any: [{"a": X > 2, "axis": 1, "keepdims": True, "where": MASK}],
    np.all: [{"a": X > 2, "axis": 1, "keepdims": True, "where": MASK}],
    np.count_nonzero: [{"a": X, "axis": 1, "keepdims": True}],
    np.max: [{"a": X, "axis": 1, "keepdims": True, "initial": 2.0, "where": MASK}, {"a": X}],
    np.min: [{"a": X, "axis": 1, "keepdims": True, "initial": 2.0, "where": MASK}, {"a": X}],
    np.amax: [{"a": X, "axis": 1, "keepdims": True, "initial": 2.0, "where": MASK}, {"a": X}],
    np.amin: [{"a": X, "axis": 1, "keepdims": True, "initial": 2.0, "where": MASK}, {"a": X}],
    np.argmax: [{"a": X, "axis": 1, "keepdims": True}],
    np.argmin: [{"a": X, "axis": 1, "keepdims": True}],
    np.zeros_like: [{"a": X, "dtype": np.float64, "shape": (2, 1)}],
    np.full_like: [{"a": X, "fill_value": 2.5, "dtype": np.float64}],
    np.fix: [{"x": X}],
    np.round: [{"a": X, "decimals": 1}],
    np.around: [{"a": X, "decimals": 1}],
    np.reshape: [{"": (X,), "shape": (3, 2), "order": "F", "copy": True}],
    np.swapaxes: [{"a": X, "axis1": 0, "axis2": 1}],
    np.transpose: [{"a": X, "axes": (1, 0)}, {"a": X}],
    np.expand_dims: [{"a": X, "axis": 0}, {"a": X, "axis": (0, 3)}],
    np.squeeze: [{"a": X[None], "axis": 0}],
    np.broadcast_to: [{"array": X, "shape": (2, 2, 3)}],
    np.take: [{"a": X, "indices": [2, 0], "axis": 1}, {"a": X, "indices": [4, 0]}],
    np.take_along_axis: [{"arr": X, "indices": np.array([[2], [0]]), "axis": 1}],
    np.pad: [{"array": X, "pad_width": 1, "mode": "constant", "constant_values": 7.0}],
    np.concatenate: [{"": ([X, X],), "axis": 1, "dtype": np.float32, "casting": "same_kind"}],
    np.stack: [{"arrays": [X, X], "axis": 1, "dtype": np.float32, "casting": "same_kind"}],
    np.split: [{"ary": X, "indices_or_sections": [1], "axis": 1}],
    np.array_split: [{"ary": X, "indices_or_sections": 2, "axis": 1}],
    np.hsplit: [{"ary": X, "indices_or_sections": 3}],
    np.vsplit: [{"ary": X, "indices_or_sections": 2}],
    np.dsplit: [{"ary": X[None], "indices_or_sections": 3}],
    np.hstack: [{"tup": [X, X], "dtype": np.float32, "casting": "same_kind"}],
    np.vstack: [{"tup": [X, X], "dtype": np.float32, "casting": "same_kind"}],
    np.dstack: [{"tup": [X, X]}],
    np.column_stack: [{"tup": [V, V]}],
    np.atleast_1d: [{"": (X, V)}],
    np.atleast_2d: [{"": (V,)}],
    np.atleast_3d: [{"": (V, X)}],
    np.meshgrid: [{"": (V, V[:2]), "copy": True, "sparse": True, "indexing": "xy"}, {"": (V, V[:2]), "indexing": "ij"}],
    np.real: [{"val": X}],
    np.imag: [{"val": X}],
    np.copy: [{"a": X, "order": "K", "subok": False}],
    np.moveaxis: [{"a": X, "source": 0, "destination": 1}],
    np.ravel: [{"a": X, "order": "F"}],
    np.broadcast_arrays: [{"": (X, V[:3]), "subok": False}],
    np.matrix_transpose: [{"": (X,)}],
    np.ndim: [{"a": X}],
    np.shape: [{"a": X}],
    np.size: [{"a": X, "axis": 1}],
    np.repeat: [{"a": X, "repeats": 2, "axis": 1}, {"a": X, "repeats": 2}],
    np.diagonal: [{"a": X, "offset": 1, "axis1": 1, "axis2": 0}],
    np.flip: [{"m": X, "axis": 1}, {"m": X}],
    np.roll: [{"a": X, "shift": 1, "axis": 1}],
    np.tril: [{"m": X, "k": 1}],
    np.triu: [{"m": X, "k": 1}],
    np.fliplr: [{"m": X}],
    np.flipud: [{"m": X}],
    np.tile: [{"A": X, "reps": 2}, {"A": X, "reps": (2, 1)}],
    np.rot90: [{"m": X, "k": 1, "axes": (1, 0)}],
    np.diag: [{"v": V, "k": 1}],
    np.einsum: [{"": ("ij,ij->i", X, X), "optimize": True}],
    np.tensordot: [{"a": X, "b": X, "axes": 2}],
    np.dot: [{"a": X, "b": X.T}],
    np.inner: [{"": (X, X)}],
    np.kron: [{"a": X, "b": X}],
    np.outer: [{"a": X, "b": V}],
    np.vdot: [{"": (X, X)}],
    np.trace: [{"a": X, "offset": 1, "axis1": 1, "axis2": 0, "dtype": np.float64}],
    np.cumsum: [{"a": X, "axis": 1, "dtype": np.float64}, {"a": X}],
    np.cumprod: [{"a": X, "axis": 1, "dtype": np.float64}, {"a": X}],
    np.sort: [{"a": X, "axis": 0, "stable": True}],
    np.argsort: [{"a": X, "axis": 0, "kind": "stable"}],
    np.nansum: [{"a": X, "axis": 1, "dtype": np.float64, "keepdims": True}],
    np.nanprod: [{"a": X, "axis": 1, "dtype": np.float64, "keepdims": True}],
    np.nanmean: [{"a": X, "axis": 1, "dtype": np.float64, "keepdims": True}],
    np.ptp: [{"a": X, "axis": 1, "keepdims": True}],
    np.median: [{"a": X, "axis": 0, "keepdims": True}, {"a": X}, {"a": X, "axis": (0, 1)}, {"a": X, "axis": 1}],
    np.quantile: [
        {"a": X, "q": [[0.1, 0.5]], "axis": (0, 1), "method": "higher", "keepdims": True},
        {"a": X, "q": 0.3},
    ],
    np.nanquantile: [{"a": X, "q": 0.3, "axis": 1}],
    np.percentile: [{"a": X, "q": [0, 30], "axis": 1}],
    np.nanpercentile: [{"a": X, "q": 30.0}],
    np.cov: [{"m": X, "y": X[:1], "bias": True, "aweights": [1.0, 2.0, 3.0]}, {"m": X, "rowvar": False}],
    np.corrcoef: [{"x": X, "y": X}],
    np.gradient: [{"f": X, "axis": 1, "edge_order": 2}],
    np.trapezoid: [{"y": X, "x": V[:3], "axis": 1}, {"y": X, "dx": 2.0, "axis": 0}],
    np.histogram: [{"a": X, "bins": 3, "range": (-1.0, 1.0), "density": True}],
    np.average: [{"a": X, "axis": 1, "weights": [1.0, 2.0, 3.0]}, {"a": X, "weights": X * X, "returned": True}],
    np.unique: [{"ar": V, "return_index": True, "return_inverse": True, "return_counts": True}, {"ar": X, "axis": 0}],
    np.diff: [{"a": X, "n": 2, "axis": 1, "prepend": 0.0, "append": X[:, :1]}],
    np.append: [{"arr": X, "values": X, "axis": 1}, {"arr": X, "values": V}],
    np.block: [{"arrays": [[X, X], [X, X]]}, {"arrays": [V, V]}],
    np.linalg.norm: [
        {"x": X, "ord": 1, "axis": (0, 1), "keepdims": True},
        {"x": X},
        {"x": X, "ord": 3, "axis": 1},
        {"x": X, "ord": -np.inf},
        {"x": X, "ord": "fro"},
        {"x": V, "ord": np.inf},
    ],
    np.linalg.inv: [{"a": SQUARE}],
    np.linalg.det: [{"a": SQUARE}],
    np.linalg.slogdet: [{"a": SQUARE}],
    np.linalg.solve: [{"a": SQUARE, "b": X}, {"a": SQUARE, "b": X[:, 0]}],
    np.linalg.cholesky: [{"": (SQUARE,)}, {"": (SQUARE,), "upper": True}],
    np.linalg.qr: [{"a": X}, {"a": X.T, "mode": "complete"}],
    np.linalg.svd: [{"a": X, "hermitian": False}, {"a": X, "full_matrices": False}, {"a": X, "compute_uv": False}],
    np.linalg.multi_dot: [{"arrays": [X, X.T, X]}],
    np.astype: [{"": (X, np.float32), "copy": True}],
    np.angle: [{"z": X - 1.6}, {"z": X * 1j, "deg": True}],
    np.fft.fftshift: [{"x": X}, {"x": X, "axes": (0,)}],
    np.fft.ifftshift: [{"x": X}, {"x": X, "axes": 1}],
    np.linalg.eig: [{"a": np.array([[1.0, -2.0], [3.0, 0.5]])}],
    np.linalg.eigh: [{"a": SQUARE + SQUARE.T}, {"a": SQUARE + SQUARE.T, "UPLO": "U"}],
    np.linalg.eigvals: [{"a": np.array([[1.0, -2.0], [3.0, 0.5]])}],
    np.linalg.eigvalsh: [{"a": SQUARE + SQUARE.T}, {"a": SQUARE + SQUARE.T, "UPLO": "U"}],
    np.linalg.pinv: [{"a": X}],
    np.linalg.cond: [{"x": X}, {"x": SQUARE, "p": 1}],
    np.linalg.matrix_power: [{"a": SQUARE, "n": 3}],
    np.linalg.tensorinv: [{"a": SQUARE, "ind": 1}],
    np.linalg.tensorsolve: [{"a": SQUARE, "b": X[:, 0]}],
    np.vander: [{"x": V}, {"x": V, "N": 2, "increasing": True}],
    np.nanmax: [{"a": X, "axis": 0}],
    np.nanmin: [{"a": X, "axis": 0}],
    np.nanvar: [{"a": X, "axis": 0, "ddof": 1}],
    np.nanstd: [{"a": X, "axis": 0, "ddof": 1}],
    np.nancumsum: [{"a": X, "axis": 1}],
    np.nancumprod: [{"a": X, "axis": 1}],
    np.convolve: [{"a": V, "v": V, "mode": "same"}],
    np.correlate: [{"a": V, "v": V, "mode": "same"}],
    np.interp: [{"x": X, "xp": np.array([0.0, 1.0, 9.0]), "fp": np.array([0.0, 1.0, 5.0])}],
    np.polyval: [{"p": V, "x": X}],
    np.select: [{"condlist": [X > 2, X > 1], "choicelist": [X, 2 * X]}],
    np.delete: [{"arr": X, "obj": 0, "axis": 1}, {"arr": X, "obj": [1]}],
    np.compress: [{"condition": np.array([True, False]), "a": X, "axis": 0}],
    np.resize: [{"a": X, "new_shape": (3, 5)}],
    np.extract: [{"condition": X > 1, "arr": X}],
    np.choose: [{"a": np.array([1, 0]), "choices": [X[:, 0], X[:, 1]]}],
    np.partition: [{"a": np.array([2.0, 1.0, 4.0]), "kth": 1}],
    np.ediff1d: [{"ary": X}],
}
for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    CALLS[getattr(np.fft, name)] = [{"a": X}, {"a": X, "n": 4, "axis": 0, "norm": "ortho"}]
    for suffix in ("2", "n"):
        if hasattr(np.fft, name + suffix):
            over = {"a": X, "s": (4, 3), "axes": (-2, -1), "norm": "forward"}
            CALLS[getattr(np.fft, name + suffix)] = [{"a": X, "axes": (-2, -1)}, over]
if np.lib.NumpyVersion(np.__version__) < "2.1.0":  # which has not got these words yet
    CALLS[np.clip].pop()
    CALLS[np.reshape] = [{"": (X, (3, 2)), "order": "F"}]
LATER = {
    "unstack": [{"": (X,), "axis": 1}],
    "cumulative_sum": [{"": (X,), "axis": 1, "dtype": np.float64}],
    "cumulative_prod": [{"": (X,), "axis": 1, "dtype": np.float64}],
    "linalg.vector_norm": [{"": (X,), "axis": 1, "keepdims": True, "ord": 3}],
    "linalg.matrix_norm": [{"": (X,), "keepdims": True, "ord": "fro"}],
    "linalg.matmul": [{"": (X, X.T)}],
    "linalg.outer": [{"": (V, V)}],
    "linalg.matrix_transpose": [{"": (X,)}],
    "linalg.tensordot": [{"": (X, X), "axes": 2}],
    "linalg.diagonal": [{"": (X,), "offset": 1}],
    "linalg.trace": [{"": (X,), "offset": 1, "dtype": np.float64}],
    "linalg.svdvals": [{"": (X,)}],
    "isneginf": [{"": (X,)}],
    "isposinf": [{"": (X,)}],
    "i0": [{"": (X,)}],
    "sinc": [{"": (X,)}],
    "linalg.vecdot": [{"": (X, X), "axis": 0}],
}
for name, calls in LATER.items():
    home = np.linalg if name.startswith("linalg") else np
    if hasattr(home, name.split(".")[-1]):
        CALLS[getattr(home, name.split(".")[-1])] = calls
lazy.load_all()
FUNCTIONS = [f for f in dict.fromkeys([*NUMPY, *CALLS]) if not isinstance(f, np.ufunc | tuple)]
WRITTEN_TO = {"out"}  # has a test of its own


def tensors(value, requires_grad=False):
    if isinstance(value, np.ndarray):
        return td.tensor(value, requires_grad=requires_grad and value.dtype.kind == "f")
    if type(value) in (list, tuple):
        return type(value)(tensors(each, requires_grad) for each in value)
    return value


def run(function, call, convert):
    call = dict(call)
    args = call.pop("", ())
    return function(*convert(args), **{name: convert(value) for name, value in call.items()})


def arrays(result):
    if isinstance(result, list | tuple) and any(isinstance(r, np.ndarray | np.generic | td.Tensor) for r in result):
        return [np.asarray(each.detach() if isinstance(each, td.Tensor) else each) for each in result]
    return [np.asarray(result.detach() if isinstance(result, td.Tensor) else result)]


def compare(found, expected):
    assert len(arrays(found)) == len(arrays(expected))
    for a, b in zip(arrays(found), arrays(expected), strict=True):
        assert a.shape == b.shape
        assert a.dtype.kind == b.dtype.kind
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS, ids=called)
def test_every_function_has_calls(function):
    """By name and by place, with and without a gradient, as NumPy does it."""
    for call in CALLS[function]:
        expected = run(function, call, lambda value: value)
        compare(run(function, call, tensors), expected)
        if "" not in call:
            kinds = {n: p.kind for n, p in signature(function).parameters.items()}
            given = list(call)
            leading = []
            for name in kinds:
                if name not in call or kinds[name] is inspect.Parameter.KEYWORD_ONLY:
                    break
                leading.append(name)
            rest = {n: tensors(call[n]) for n in given if n not in leading}
            compare(function(*[tensors(call[n]) for n in leading], **rest), expected)
        recorded = run(function, call, lambda value: tensors(value, True))
        compare(recorded, expected)


@pytest.mark.parametrize("function", FUNCTIONS, ids=called)
def test_every_keyword_is_known_or_refused_by_name(function):
    call = CALLS[function][0]
    for name, parameter in signature(function).parameters.items():
        positional = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY)
        if name in call or name in WRITTEN_TO or positional:
            continue
        if parameter.default is not inspect.Parameter.empty:
            usual = {**call, name: parameter.default}
            compare(run(function, usual, tensors), run(function, usual, lambda value: value))
        try:
            found = run(function, {**call, name: "unheard-of"}, tensors)
        except (TypeError, ValueError) as error:
            known = name in spelling(function)[1]
            assert known or f"{called(function)}: got {name}='unheard-of', expected it left out" in str(error)
        else:
            odd = {} if name in WITHOUT_EFFECT else {name: "unheard-of"}
            compare(found, run(function, {**call, **odd}, lambda value: value))
    with pytest.raises(TypeError, match="unknown"):
        run(function, {**call, "unknown": 1}, tensors)


SMOOTH = [
    np.sum,
    np.prod,
    np.mean,
    np.var,
    np.std,
    np.max,
    np.min,
    np.median,
    np.average,
    np.ptp,
    np.diff,
    np.append,
    np.tile,
    np.concatenate,
    np.vstack,
    np.expand_dims,
    np.broadcast_to,
    np.swapaxes,
    np.block,
    np.nansum,
    np.nanmean,
    np.linalg.norm,
    np.linalg.inv,
    np.linalg.solve,
    np.linalg.multi_dot,
    np.cumsum,
    np.trace,
    np.unique,
    np.repeat,
]


@pytest.mark.parametrize("function", SMOOTH, ids=called)
def test_gradients(function):
    for call in CALLS[function]:
        options = {n: tensors(v) for n, v in call.items() if n not in ("dtype", "")}
        name = next(iter(call))
        first = call[name][0] if name == "" else options.pop(name).numpy() if isinstance(call[name], np.ndarray) else X
        several = not isinstance(call[name] if name else call[name][0], np.ndarray)
        options.pop(name, None)

        def of(x, name=name, options=options, several=several):
            value = [x, x.T, x] if function is np.linalg.multi_dot else [x, x] if several else x
            result = function(value, **options)
            return result[0] if isinstance(result, tuple) else result

        assert gradcheck(of, (td.tensor(X if several else first, requires_grad=True),))


def test_mixed_arguments():
    x = td.tensor(X, requires_grad=True)
    out = np.concatenate([X, x], axis=0)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.ones_like(X))
    assert isinstance(np.add(X, x), td.Tensor)
    assert isinstance(np.where(MASK, X, x), td.Tensor)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: np.allclose(a, X),
        lambda a: np.array_equal(a, X),
        lambda a: np.isclose(a, X).all(),
        lambda a: np.nonzero(a)[0],
        lambda a: np.argwhere(a),
        lambda a: np.isin(a, [1.0, 3.0]),
        lambda a: np.searchsorted(np.sort(np.ravel(a)), 1.5),
        lambda a: np.ones_like(a),
        lambda a: np.signbit(a),
        lambda a: np.flatnonzero(a),
    ],
)
def test_results_without_a_gradient(call):
    x = td.tensor(X, requires_grad=True)
    result = call(x)
    assert not getattr(result, "requires_grad", False)
    np.testing.assert_array_equal(np.asarray(result), np.asarray(call(X)))


def test_a_constant_has_no_gradient_rule_elsewhere():
    assert CONSTANT.isdisjoint(NUMPY)


# -- ufuncs ------------------------------------------------------------------------------------------


def test_out_and_where():
    x = td.tensor(X)
    out = td.zeros(2, 3, dtype=td.float64)
    assert np.add(x, 1, out=out) is out
    np.testing.assert_array_equal(out.numpy(), X + 1)
    assert np.multiply(x, 2, out) is out  # by its place
    np.testing.assert_array_equal(out.numpy(), X * 2)
    array = np.zeros((2, 3))
    assert np.add(x, 1, out=array) is array
    np.testing.assert_array_equal(array, X + 1)
    out = td.full((2, 3), 7.0, dtype=td.float64)
    np.sqrt(np.abs(x), where=MASK, out=out)
    np.testing.assert_array_equal(out.numpy(), np.sqrt(np.abs(X), where=MASK, out=np.full((2, 3), 7.0)))
    out = td.full((2, 3), 7.0, dtype=td.float64)
    np.cbrt(x, where=MASK, out=out)  # a ufunc without an op
    np.testing.assert_array_equal(out.numpy(), np.cbrt(X, where=MASK, out=np.full((2, 3), 7.0)))
    assert np.sum(x, 1, None, td.zeros(2, dtype=td.float64)).tolist() == X.sum(1).tolist()
    whole, rest = td.zeros(2, 3, dtype=td.float64), td.zeros(2, 3, dtype=td.float64)
    np.divmod(x, 2.0, out=(whole, rest))
    np.testing.assert_array_equal(rest.numpy(), X % 2)
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


def test_dtype_of_ufuncs():
    x = td.tensor([1, 2])
    assert np.add(x, 1, dtype=np.float64).dtype == td.float64
    with pytest.raises(TypeError, match="got casting='no', expected it left out: it is not supported with tensors"):
        np.add(x, 1, casting="no")


def test_methods_of_ufuncs():
    x = td.tensor(X, requires_grad=True)
    assert set(METHODS) == {"reduce", "accumulate", "reduceat"}
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp):
        compare(ufunc.reduce(x), ufunc.reduce(X))  # along the first dimension
        compare(ufunc.reduce(x, axis=1, keepdims=True), ufunc.reduce(X, axis=1, keepdims=True))
        compare(ufunc.outer(x, V), ufunc.outer(X, V))
    compare(np.add.reduce(x, axis=1, initial=5.0, where=MASK), np.add.reduce(X, axis=1, initial=5.0, where=MASK))
    compare(np.add.reduce(x, 1, np.float64), np.add.reduce(X, 1, np.float64))
    compare(np.add.accumulate(x), np.add.accumulate(X))
    compare(np.multiply.accumulate(x, axis=1), np.multiply.accumulate(X, axis=1))
    assert np.multiply.outer(x, V).requires_grad
    compare(np.logical_or.reduce(x > 2), np.logical_or.reduce(X > 2))


def test_at_changes_a_tensor_in_place():
    x, expected = td.tensor(X), X.copy()
    np.add.at(x, (np.array([0, 0]), 1), 10.0)
    np.add.at(expected, (np.array([0, 0]), 1), 10.0)
    np.testing.assert_array_equal(x.numpy(), expected)
    w = td.tensor(X, requires_grad=True)
    y = w * 1
    square = y * y
    with td.no_grad():
        np.add.at(y, (0, 0), 1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        square.sum().backward()
    with pytest.raises(
        TypeError, match=r"got a tensor that requires a gradient, expected one that does not: it has no"
    ):
        np.add.at(w, (0, 0), 1.0)


def test_names_in_errors():
    x = td.tensor(S, requires_grad=True)
    with pytest.raises(TypeError, match="got a tensor that requires a gradient, expected one that does not: it has no"):
        np.roots(x[0])
    with pytest.raises(TypeError, match="got a tensor that requires a gradient, expected one that does not: it has no"):
        np.unwrap(x)
    with pytest.raises(TypeError, match=r"np\.subtract\.reduce: got a tensor that requires a gradient"):
        np.subtract.reduce(x)
    with pytest.raises(ValueError, match=r"np\.linalg\.norm: got ord=3, expected 'fro', 'nuc'"):
        np.linalg.norm(x, 3)
    with pytest.raises(TypeError, match=r"np\.concatenate: got a result of float64, expected one that casts to int64"):
        np.concatenate([x, x], dtype=np.int64)


NAN = [[1.0, np.nan, 3.0], [4.0, 2.5, -1.0]]
RARE = {
    "nanmax": (lambda x: np.nanmax(x, axis=0), NAN),
    "nanmin": (lambda x: np.nanmin(x), NAN),
    "nanvar": (lambda x: np.nanvar(x, axis=1, ddof=1), NAN),
    "nanstd": (lambda x: np.nanstd(x, axis=1, keepdims=True), NAN),
    "nancumsum": (lambda x: np.nancumsum(x, axis=1), NAN),
    "nancumprod": (lambda x: np.nancumprod(x, axis=0), NAN),
    "convolve": (lambda x: np.convolve(x, [1.0, 2.0, -1.0], "same"), [1.0, 2.0, 4.0, 3.0]),
    "convolve of a shorter one": (lambda x: np.convolve(x, np.arange(4.0), "same"), [1.0, 2.0]),
    "correlate": (lambda x: np.correlate(x, [1.0, 2.0], "full"), [1.0, 2.0, 4.0]),
    "correlate with a longer one": (lambda x: np.correlate(x, [1.0, 2.0, 5.0], "same"), [1.0, 2.0]),
    "interp": (lambda x: np.interp(x, [0.0, 1.0, 3.0], [1.0, 5.0, 2.0]), [-1.0, 0.5, 2.0, 4.0]),
    "interp between values": (
        lambda x: np.interp([0.5, 2.0, 3.0, 9.0], [0.0, 1.0, 3.0], x, right=7.0),
        [1.0, 5.0, 2.0],
    ),
    "polyval": (lambda x: np.polyval(x, 3.0), [1.0, 2.0, 4.0]),
    "select": (lambda x: np.select([x > 3, x > 1], [x * 2, x * 3], 0.5), [1.0, 2.0, 4.0]),
    "delete": (lambda x: np.delete(x, [0, 2], axis=1), [[1.0, 2.0, 4.0]]),
    "compress": (lambda x: np.compress([True, False], x, axis=1), [[1.0, 2.0, 4.0]]),
    "extract": (lambda x: np.extract([[True, False, True]], x), [[1.0, 2.0, 4.0]]),
    "choose": (lambda x: np.choose(np.array([1, 0, 1]), [x, x * 5]), [1.0, 2.0, 4.0]),
    "resize": (lambda x: np.resize(x, (2, 4)), [1.0, 2.0, 4.0]),
    "partition": (lambda x: np.partition(x, 1), [2.0, 1.0, 4.0]),
    "ediff1d": (lambda x: np.ediff1d(x, to_end=9.0), [[1.0, 2.0], [4.0, 3.0]]),
    "svdvals": (lambda x: np.linalg.svdvals(x), [[1.0, 2.0], [4.0, 3.0]]),
}


@pytest.mark.parametrize(("function", "data"), RARE.values(), ids=RARE)
def test_rare_functions_give_numpys_values_and_have_gradients(function, data):
    array = np.array(data)
    x = td.tensor(array, requires_grad=True)
    found, wanted = function(x), function(array)
    assert found.requires_grad
    assert found.shape == np.shape(wanted)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12)
    if not np.isnan(array).any():
        assert td.autograd.gradcheck(function, (x,))
    else:
        found.sum().backward()
        assert np.isfinite(x.grad.numpy()).all()
        assert x.grad[0, 1] == 0
