"""Calls of every function of NumPy that tensors are given to, as NumPy's users write them.

In `CALLS` arrays of numbers stand where tests put tensors. What the installed NumPy has not got, functions and words
for their arguments, is left out.
"""

from __future__ import annotations

import operator
import warnings
from typing import Any, NamedTuple

import numpy as np

import tinygrad_dl as td
from tinygrad_dl.core.protocol import signature

X = np.array([[3.0, 1.0, 2.5], [0.5, 4.0, -2.0]])
V = np.array([2.0, 0.5, 1.5, -1.0])
W = np.array([0.5, 1.5, 1.0, 3.0])
S = np.array([[1.5, 0.5], [-0.5, 2.0]])
POSITIVE = np.array([0.3, 2.0, 0.7])
UNIT = np.array([0.3, -0.6, 0.7])
INTEGERS = np.array([[3, 1, 2], [0, 4, 2]])
MASK = np.array([[True, False, True], [True, True, False]])
NAN = np.array([[3.0, np.nan, 2.5], [0.5, 4.0, -2.0]])
SQUARE = X @ X.T + np.eye(2)
SYMMETRIC = np.array([[2.0, 0.5, 0.7], [0.5, -1.0, 0.3], [0.7, 0.3, 4.0]])
COMPLEX = np.array([1.0 + 2.0j, -0.5 + 0.3j, 2.0 - 1.0j])
THREE = np.array([[1.0, -2.0, 0.5], [0.3, 1.5, 2.0]])


class Call(NamedTuple):
    """Arguments by their places, and by their names."""

    args: tuple[Any, ...]
    options: dict[str, Any]
    gradient: str = "by differences"


def c(*args: Any, **options: Any) -> Call:
    """A call whose gradient is that of finite differences."""
    return Call(args, options)


def flat(*args: Any, **options: Any) -> Call:
    """A call whose result has no gradient."""
    return Call(args, options, "none")


def there(*args: Any, **options: Any) -> Call:
    """A call that has a gradient where values are equal, or which eigenvectors there are, may not change."""
    return Call(args, options, "there")


def axes(**more: Any) -> list[Call]:
    """A reduction of X: of all, of one dimension, of several, kept."""
    return [c(X), c(X, axis=1), c(X, axis=(0, 1), keepdims=True), *([c(X, axis=-1, **more)] if more else [])]


def missing(**more: Any) -> list[Call]:
    """The same where NaN counts as missing."""
    return [c(NAN), c(NAN, axis=1, keepdims=True), c(X, axis=0), *([c(NAN, axis=0, **more)] if more else [])]


STARTED = {"initial": 2.0, "where": MASK}
QUANTILES = [
    c(X, 0.3), c(X, [[0.1, 0.5]], axis=(0, 1), keepdims=True), c(X, np.array([0.2, 0.9]), axis=1),
    *[c(X, 0.3, method=m) for m in ("lower", "higher", "midpoint", "nearest", "hazen", "weibull", "inverted_cdf")],
    *[c(X, [0.1, 0.55], axis=1, method=m) for m in ("averaged_inverted_cdf", "closest_observation", "normal_unbiased")],
    *[c(X, 0.8, axis=1, method=m) for m in ("interpolated_inverted_cdf", "median_unbiased")],
    c(X, [0.3, 0.8], axis=1, weights=np.array([1.0, 3.0, 2.0]), method="inverted_cdf"),
    c(X, 0.4, weights=X * X, method="inverted_cdf", overwrite_input=True),
]  # fmt: skip
PERCENTILES = [Call((q.args[0], (np.array(q.args[1]) * 100).tolist()), q.options) for q in QUANTILES]
OPTIONS_OF_FFT = {"n": 4, "axis": 0, "norm": "ortho"}
CALLS: dict[str, list[Call]] = {
    # -- shapes
    "ndim": [c(X)], "shape": [c(X)], "size": [c(X), c(X, axis=1)],
    "reshape": [c(X, (3, 2), order="F"), c(X, shape=(3, 2), copy=True), c(X, -1)],
    "ravel": [c(X), c(X, order="F")],
    "swapaxes": [c(X, 0, 1)], "moveaxis": [c(X, 0, 1)], "rollaxis": [c(X[None], 2), c(X[None], 0, start=2)],
    "transpose": [c(X), c(X, axes=(1, 0))], "matrix_transpose": [c(X)],
    "expand_dims": [c(X, 0), c(X, axis=(0, 3))], "squeeze": [c(X[None]), c(X[None], axis=0)],
    "atleast_1d": [c(X, V), c(X)], "atleast_2d": [c(V)], "atleast_3d": [c(V), c(V, X)],
    "broadcast_to": [c(X, (2, 2, 3)), c(X, shape=(1, 2, 3), subok=False)],
    "broadcast_arrays": [c(X, V[:3]), c(X, V[:3], subok=False)],
    "copy": [c(X), c(X, order="K", subok=False)], "astype": [c(X, np.complex128, copy=True)],
    "flip": [c(X), c(X, axis=1)], "fliplr": [c(X)], "flipud": [c(X)], "rot90": [c(X), c(X, k=3, axes=(1, 0))],
    "roll": [c(X, 2), c(X, 1, axis=1), c(X, (1, 2), axis=(0, 1))],
    "lib.stride_tricks.sliding_window_view": [c(V, 2), c(X, (2, 2)), c(X, 2, axis=1)],
    # -- like others
    "zeros_like": [c(X), c(X, dtype=np.float64, shape=(2, 1))],
    "ones_like": [c(X), c(X, dtype=np.float64, shape=(2, 1))],
    "full_like": [flat(X, 2.5), c(X, V[:3]), c(X, V[:1], shape=(2, 1), dtype=np.float64)],
    "empty_like": [c(np.empty((0, 3)))],
    # -- joining and splitting
    "concatenate": [c([X, X * 2], axis=1), c([X, V], axis=None), c([X, X], 0, dtype=np.float64, casting="same_kind")],
    "stack": [c([X, X], axis=1, dtype=np.float64, casting="same_kind"), c([V, V])],
    "hstack": [c([X, X], dtype=np.float64, casting="same_kind"), c([V, V])],
    "vstack": [c([X, X], dtype=np.float64, casting="same_kind"), c([V, V])],
    "dstack": [c([X, X]), c([V, V])], "column_stack": [c([V, V]), c([X, X])],
    "block": [c([[X, X], [X, X]]), c([V, V]), c(X)],
    "append": [c(X, X, axis=1), c(X, V)],
    "split": [c(X, [1], axis=1), c(V, 2)], "array_split": [c(X, 2, axis=1), c(V, 3), c(V, [1, 3])],
    "hsplit": [c(X, 3), c(V, 2)], "vsplit": [c(X, 2)], "dsplit": [c(X[None], 3)], "unstack": [c(X, axis=1)],
    "tile": [c(X, 2), c(X, reps=(2, 1))], "repeat": [c(X, 2), c(X, 2, axis=1), c(X, [1, 2], axis=0)],
    "pad": [
        c(X, 1), c(X, ((1, 2), (0, 1)), mode="constant", constant_values=7.0), c(X, (1, 2), "edge"),
        c(X, ((0, 1), (2, 2)), mode="reflect"), c(X, 2, mode="symmetric"), c(X, 3, mode="wrap"),
        c(X, 1, constant_values=((1.0, 2.0), (3.0, 4.0))), c(X, 2, mode="linear_ramp", end_values=(5.0, -4.0)),
        c(X, 2, mode="mean"), c(X, 2, mode="median", stat_length=2), c(X, ((1, 2), (3, 0)), mode="maximum"),
        c(X, 1, mode="minimum", stat_length=((1, 1), (2, 3))), c(V, 2, mode="reflect", reflect_type="odd"),
        c(X, 1, mode="symmetric", reflect_type="odd"), c(V, 9, mode="reflect"), c(V, 11, mode="wrap"),
    ],
    "insert": [c(V, 1, 5.0), c(X, [0, 2], V[:2][:, None], axis=1), c(X, 1, V[:3], axis=0), c(V, [1, 1], V[:2])],
    "delete": [c(X, 0, axis=1), c(X, [1]), c(V, slice(0, 2)), c(V, np.array([True, False, True, False]))],
    "resize": [c(X, (3, 5)), c(X, 4)], "trim_zeros": [there(np.array([0.0, 0.0, 1.0, 0.0, 2.0, 0.0]), "f"), c(V),
                                                        there(np.pad(X, 2), axis=1), there(np.pad(X, 1), axis=None)],
    # -- parts
    "take": [c(X, [2, 0], axis=1), c(X, [4, 0]), c(X, [7, -1], mode="wrap"), c(X, [7, -1], axis=1, mode="clip")],
    "take_along_axis": [c(X, np.array([[2], [0]]), axis=1), c(X, np.array([2, 0]), axis=None)],
    "diagonal": [c(X), c(X, offset=1, axis1=1, axis2=0)], "diag": [c(V), c(X, k=1)], "diagflat": [c(X), c(V, k=1)],
    "tril": [c(X), c(X, k=1)], "triu": [c(X), c(X, k=1)], "trace": [c(X), c(X, offset=1, axis1=1, axis2=0)],
    "compress": [c(np.array([True, False]), X, axis=0), c([False, True, True], X)],
    "extract": [c(X > 1, X)], "choose": [c(np.array([1, 0]), [X[:, 0], X[:, 1]]),
                                         c(np.array([3, -1]), [X[:, 0], X[:, 1]], mode="wrap")],
    "select": [c([X > 2, X > 1], [X, 2 * X]), c([X > 2, X > 1], [X, 2 * X], default=X * 3)],
    "piecewise": [
        c(V, [V < 0, V > 1], [lambda x: x * x, np.exp, 7.0]), c(X, [X > 1], [lambda x, k: k * x, lambda x, k: x], 3.0),
        c(V, V > 1, [np.exp]),
        c(X, [X > 1, X < 0], [np.sin, lambda x: x**3]),
    ],
    "where": [c(MASK, X, X * 2), c(MASK, X, 1.0)],
    "apply_along_axis": [c(np.cumsum, 0, X), c(lambda x: (x * x).sum(), 1, X), c(lambda x: x[:, None] * x, -1, X)],
    "apply_over_axes": [c(np.sum, X, [0, 1]), c(np.mean, X, 1)],
    "meshgrid": [c(V, V[:2], copy=True, sparse=True, indexing="xy"), c(V, V[:2], indexing="ij"), c(V)],
    "ix_": [c(V, V[:2])],
    # -- in place
    "put": [c(X, [0, 4], [7.0, 8.0]), c(X, [0, 9], V, mode="clip"), c(X, [1, 1, 2], 5.0, mode="wrap")],
    "place": [c(X, MASK, V)], "putmask": [c(X, MASK, X * 2), c(X, MASK, V[:2])],
    "copyto": [c(X, V[:3], casting="same_kind", where=MASK), c(X, X * 3)],
    "fill_diagonal": [c(SYMMETRIC, V[:2]), c(np.outer(V, POSITIVE[:2]), 5.0, wrap=True)],
    "put_along_axis": [c(X, np.array([[2], [0]]), V[:2][:, None], axis=1)],
    # -- reductions
    "sum": axes(dtype=np.float64, **STARTED), "prod": axes(dtype=np.float64, **STARTED),
    "mean": axes(dtype=np.float64, where=MASK),
    "var": [*axes(dtype=np.float64, ddof=1), c(X, where=MASK), c(X, axis=1, mean=X.mean(1, keepdims=True)),
            c(X, correction=1)],
    "std": [*axes(dtype=np.float64, ddof=1), c(X, where=MASK), c(X, axis=1, mean=X.mean(1, keepdims=True)),
            c(X, correction=1)],
    "max": axes(**STARTED), "min": axes(**STARTED), "amax": axes(**STARTED), "amin": axes(**STARTED), "ptp": axes(),
    "any": [c(MASK), c(X > 2, axis=1, keepdims=True, where=MASK)], "all": [c(MASK), c(X > 2, axis=1, where=MASK)],
    "count_nonzero": [c(X), c(X, axis=1, keepdims=True)],
    "argmax": [c(X), c(X, axis=1, keepdims=True)], "argmin": [c(X), c(X, axis=1, keepdims=True)],
    "nansum": missing(dtype=np.float64, **STARTED), "nanprod": missing(dtype=np.float64, **STARTED),
    "nanmean": missing(dtype=np.float64, where=MASK), "nanmax": missing(**STARTED), "nanmin": missing(**STARTED),
    "nanvar": [*missing(ddof=0), c(NAN, axis=1, where=~MASK | (X > 0)), c(NAN, axis=1, mean=X[:, :1]),
               c(NAN, ddof=1), c(NAN, correction=1)],
    "nanstd": [*missing()[:2], c(NAN, axis=1, where=~MASK | (X > 0)), c(NAN, axis=1, mean=X[:, :1]),
               c(NAN, ddof=1), c(NAN, correction=1)],
    "nancumsum": [c(NAN, axis=1), c(NAN)], "nancumprod": [c(NAN, axis=0), c(NAN)],
    "nanargmax": [c(NAN), c(NAN, axis=1)], "nanargmin": [c(NAN), c(NAN, axis=1, keepdims=True)],
    "cumsum": [c(X), c(X, axis=1, dtype=np.float64)], "cumprod": [c(X), c(X, axis=1, dtype=np.float64)],
    "cumulative_sum": [c(V), c(X, axis=1, dtype=np.float64, include_initial=True)],
    "cumulative_prod": [c(V), c(X, axis=1, dtype=np.float64, include_initial=True)],
    "average": [c(X), c(X, axis=1, weights=POSITIVE), c(X, weights=X * X, returned=True), c(X, returned=True),
                c(X, axis=(1, 0), weights=(X * X).T, keepdims=True)],
    "median": [*axes(), c(X, axis=0, overwrite_input=True)], "nanmedian": missing(),
    "quantile": QUANTILES, "percentile": PERCENTILES,
    "nanquantile": [*QUANTILES[:15], c(NAN, 0.3, axis=1), c(NAN, [0.3, 0.9], axis=1, method="hazen")],
    "nanpercentile": [*PERCENTILES[:15], c(NAN, 30.0)],
    "cov": [c(X), c(X, X[:1], bias=True, aweights=POSITIVE), c(X, rowvar=False), c(X, ddof=0, fweights=[1, 2, 3])],
    "corrcoef": [c(X), c(THREE, X, rowvar=True), c(THREE.T, rowvar=False)],
    # -- counts
    "histogram": [flat(X), flat(X, bins=3, range=(-1.0, 1.0), density=True), c(INTEGERS, [0, 1, 4], weights=X),
                  c(INTEGERS, weights=X * X, density=True)],
    "histogram2d": [flat(V, W, bins=2), c(INTEGERS[0], INTEGERS[1], 2, [[0, 2], [0, 3]], True, weights=POSITIVE)],
    "histogramdd": [flat(X, bins=2), flat(X.T, density=True, bins=2), c(INTEGERS.T, 2, weights=POSITIVE),
                    c([INTEGERS[0], INTEGERS[1]], bins=(2, 3), weights=POSITIVE, density=True)],
    "histogram_bin_edges": [c(X, bins=3)],
    "bincount": [c(np.array([1, 0, 1])), c(np.array([1, 0, 1, 3]), weights=V, minlength=6)],
    "digitize": [c(X, [0.0, 1.0, 2.0]), c(X, [0.0, 1.0], right=True)],
    # -- sorting and sets
    "sort": [c(X), c(X, axis=0, stable=True), c(X, axis=None), c(X, kind="stable")],
    "argsort": [c(X), c(X, axis=0, kind="stable")], "sort_complex": [c(COMPLEX), c(V)],
    "partition": [c(X, range(6), axis=None), c(X, kth=[0, 1, 2], axis=1)],
    "argpartition": [c(np.array([2.0, 1.0, 4.0]), 1)], "lexsort": [c((V, W))],
    "searchsorted": [c(np.sort(V), V), c(np.sort(V), 0.7, side="right")],
    "unique": [c(V), c(V, return_index=True, return_inverse=True, return_counts=True), c(X, axis=0)],
    "unique_values": [c(V)], "unique_counts": [c(INTEGERS)], "unique_inverse": [c(V)], "unique_all": [c(V)],
    "intersect1d": [there(V, W), there(V, W, return_indices=True)], "union1d": [c(V, W + 0.1), there(V, W)],
    "setdiff1d": [there(V, W), c(V, W + 0.1, assume_unique=True)],
    "setxor1d": [there(V, W), c(V, W + 0.1, assume_unique=True)],
    "isin": [c(X, [1.0, 3.0]), c(X, [1.0], invert=True)],
    # -- sequences
    "linspace": [c(V[0], 5.0, num=4), c(V, W, num=3, endpoint=False, axis=1), c(V, W, 3, retstep=True)],
    "logspace": [c(V[0], 3.0, num=4), c(V, W, 3, endpoint=False, base=POSITIVE[1], axis=-1), c(V, W, 2, base=W)],
    "geomspace": [c(POSITIVE[0], 5.0, num=4), c(POSITIVE, POSITIVE * 3, 3, endpoint=False, axis=1), c(-W, -2 * W, 3)],
    "diff": [c(X), c(X, n=2, axis=1, prepend=0.0, append=X[:, :1])],
    "ediff1d": [c(X), c(X, to_end=9.0, to_begin=V[:2])],
    "gradient": [c(X, axis=1, edge_order=2), c(X), c(V, 2.0), c(V, np.array([0.0, 1.0, 2.5, 3.0])), c(X, 1.0, 2.0)],
    "trapezoid": [c(X, V[:3], axis=1), c(X, dx=2.0, axis=0)],
    "convolve": [c(V, POSITIVE), c(V, W, mode="same"), c(POSITIVE, V, "valid"), c(COMPLEX, V)],
    "correlate": [c(V, POSITIVE), c(V, W, mode="same"), c(POSITIVE, V, "full"), c(COMPLEX, COMPLEX)],
    "interp": [
        c(X, np.array([0.2, 1.1, 9.0]), np.array([0.0, 1.0, 5.0])), c(POSITIVE, np.array([0.5, 1.0]), V[:2], left=V[2]),
        c(X, np.array([0.2, 1.1, 3.9]), V[:3], right=4.0), c(X, np.array([4.9, 0.3, 2.0]), V[:3], period=2.6),
    ],
    "unwrap": [c(X * 3), c(X * 3, axis=0, discont=5.0), c(V * 2, period=1.5)],
    # -- polynomials
    "polyval": [c(V, X), c(V, 3.0)], "poly": [c(V), c(SYMMETRIC)],
    "polyadd": [c(V, POSITIVE)], "polysub": [c(V, POSITIVE)], "polymul": [c(V, POSITIVE)],
    "polydiv": [c(V, POSITIVE), c(POSITIVE, V)], "polyder": [c(V), c(V, m=2)], "polyint": [c(V), c(V, 2, k=V[:2])],
    "polyfit": [c(V, W, 1), c(V, W, 2, w=W), c(V, np.stack([W, V], 1), deg=1, full=True), c(V, W, 1, cov=True),
                c(V, W, 1, cov="unscaled")],
    "roots": [c(COMPLEX), there(np.array([1.0, 2.0, 5.0, 0.0])), c(np.array([1.0, 2.0, 5.0, 3.0]))],
    "vander": [c(V), c(V, N=2, increasing=True)],
    # -- elementwise
    "clip": [c(X, 0.75, 2.75), c(X, min=0.75, max=2.75), c(X, a_min=None, a_max=X * 0.7)],
    "nan_to_num": [c(NAN), c(X, copy=True, nan=1.0, posinf=2.0, neginf=3.0)], "fix": [c(X + 0.1)],
    "round": [c(X + 0.1), c(X + 0.01, decimals=1)], "around": [c(X + 0.01, decimals=1)],
    "real": [c(X), c(COMPLEX)], "imag": [c(X), c(COMPLEX)], "angle": [c(X - 1.6), c(COMPLEX, deg=True)],
    "real_if_close": [c(COMPLEX), there(V + 0j), c(V), there(V + 1e-9j, tol=1e9)],
    "i0": [c(X)], "sinc": [c(X)],
    "isclose": [c(X, X + 1e-9, rtol=1e-5, atol=1e-8, equal_nan=True)], "isneginf": [c(X)], "isposinf": [c(X)],
    "isreal": [c(X)], "iscomplex": [c(COMPLEX)], "isrealobj": [c(X)], "iscomplexobj": [c(COMPLEX)],
    # -- products
    "dot": [c(X, X.T), c(V, V), c(X, 2.0)], "inner": [c(X, X)], "outer": [c(X, V)],
    "vdot": [c(X, X), c(COMPLEX, COMPLEX)],
    "kron": [c(X, X)], "tensordot": [c(X, X, axes=2), c(X, X.T, axes=([1], [0]))],
    "einsum": [c("ij,ij->i", X, X, optimize=True), c("ij->ji", X), c(X, [0, 1], X, [2, 1], [0, 2]),
               c("i,i", V, V, dtype=np.float64, casting="same_kind", order="K")],
    "cross": [c(THREE, THREE[::-1]), c(THREE.T, THREE, axisa=0, axisc=0), c(THREE.T, THREE.T[:, ::-1], axis=0)],
    "linalg.cross": [c(THREE, THREE[::-1]), c(THREE.T, THREE.T[:, ::-1], axis=0)],
    "linalg.norm": [
        c(X), c(X, 1, (0, 1), True), c(X, ord=3, axis=1), c(X, -np.inf), c(X, "fro"), c(V, np.inf), c(X, "nuc"),
        c(X, 2), c(X, -2), c(V, 0), c(V, -1), c(X, axis=0, keepdims=True),
    ],
    "linalg.vector_norm": [c(X), c(X, axis=1, keepdims=True, ord=3)],
    "linalg.matrix_norm": [c(X), c(X, keepdims=True, ord="nuc")],
    "linalg.inv": [c(SQUARE)], "linalg.det": [c(SQUARE)], "linalg.slogdet": [c(SQUARE)],
    "linalg.solve": [c(SQUARE, X), c(SQUARE, X[:, 0])], "linalg.cholesky": [c(SQUARE), c(SQUARE, upper=True)],
    "linalg.qr": [c(X.T), c(X, mode="complete"), c(X, mode="r"), c(X.T, mode="r"), flat(X, mode="raw")],
    "linalg.svd": [c(X, full_matrices=False), c(X, compute_uv=False), c(SYMMETRIC, compute_uv=False, hermitian=True)],
    "linalg.svdvals": [c(X)], "linalg.eigh": [c(SYMMETRIC), there(SYMMETRIC, UPLO="L")],
    "linalg.eigvalsh": [c(SYMMETRIC), c(SYMMETRIC, UPLO="U")],
    "linalg.eig": [there(np.array([[1.0, -2.0], [3.0, 0.5]]))],
    "linalg.eigvals": [c(np.array([[1.0, -2.0], [3.0, 0.5]]))],
    "linalg.pinv": [c(X), c(SYMMETRIC, hermitian=True), c(X, rcond=1e-3), c(X, rtol=1e-3)],
    "linalg.cond": [c(X), *[c(SQUARE, p=p) for p in (1, -1, 2, -2, np.inf, "fro")]],
    "linalg.matrix_rank": [c(X), c(X, tol=1e-3), c(SYMMETRIC, hermitian=True)],
    "linalg.matrix_power": [c(SQUARE, 3), c(SQUARE, -1)], "linalg.multi_dot": [c([X, X.T, X])],
    "linalg.lstsq": [c(X.T, V[:3]), c(X.T, X.T, rcond=None), c(X, V[:2], rcond=1e-3)],
    "linalg.tensorinv": [c(SQUARE, ind=1)], "linalg.tensorsolve": [c(SQUARE, X[:, 0])],
    "linalg.matmul": [c(X, X.T)], "linalg.outer": [c(V, V)], "linalg.matrix_transpose": [c(X)],
    "linalg.tensordot": [c(X, X, axes=2)], "linalg.diagonal": [c(X, offset=1)],
    "linalg.trace": [c(X, offset=1, dtype=np.float64)], "linalg.vecdot": [c(X, X, axis=0), c(COMPLEX, COMPLEX)],
    # -- transforms
    "fft.fftshift": [c(X), c(X, axes=(0,))], "fft.ifftshift": [c(X), c(X, axes=1)],
    **{f"fft.{f}": [c(X), c(X, **OPTIONS_OF_FFT)] for f in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{f"fft.{f}{d}": [c(X, axes=(-2, -1)), c(X, s=(4, 3), axes=(-2, -1), norm="forward")]
       for f in ("fft", "ifft", "rfft", "irfft") for d in "2n"},
    # -- about tensors
    "allclose": [c(X, X)], "array_equal": [c(X, X), c(NAN, NAN, equal_nan=True)], "array_equiv": [c(X, X)],
    "argwhere": [c(X)], "nonzero": [c(X)], "flatnonzero": [c(X)], "may_share_memory": [c(X, X)],
    "shares_memory": [c(X, X)], "result_type": [c(X, X)], "can_cast": [c(np.float32, np.float64)],
    "common_type": [c(X, X)], "min_scalar_type": [c(X)], "einsum_path": [c("ij,jk", X, X.T)],
    "diag_indices_from": [c(SQUARE)], "tril_indices_from": [c(X), c(X, k=1)], "triu_indices_from": [c(X)],
    "ravel_multi_index": [c(([1, 0], [2, 1]), (2, 3))], "unravel_index": [c(np.array([4, 1]), (2, 3))],
    "packbits": [c(MASK), c(MASK, axis=1, bitorder="little")],
    "unpackbits": [c(np.array([3, 5], np.uint8)), c(np.array([3, 5], np.uint8), count=4)],
    "array2string": [c(X)], "array_repr": [c(X)], "array_str": [c(X)],
}  # fmt: skip
WRITING = frozenset({"put", "place", "putmask", "copyto", "fill_diagonal", "put_along_axis"})
SYMMETRIZED = frozenset(
    {"linalg.cholesky", "linalg.eigh", "linalg.eigvalsh", "linalg.svd", "linalg.pinv"}
)  # half of a matrix is read
# Results that are positions, truths, counts, or the same for all values nearby.
FLAT = frozenset({
    "ndim", "shape", "size", "zeros_like", "ones_like", "empty_like", "any", "all", "count_nonzero", "argmax", "argmin",
    "nanargmax", "nanargmin", "histogram_bin_edges", "digitize", "argsort", "argpartition", "lexsort", "searchsorted",
    "isin", "isclose", "isneginf", "isposinf", "isreal", "iscomplex", "isrealobj", "iscomplexobj", "linalg.matrix_rank",
    "allclose", "array_equal", "array_equiv", "argwhere", "nonzero", "flatnonzero", "may_share_memory", "shares_memory",
    "result_type", "can_cast", "common_type", "min_scalar_type", "einsum_path", "diag_indices_from",
    "tril_indices_from", "triu_indices_from", "ravel_multi_index", "unravel_index", "packbits", "unpackbits",
    "array2string", "array_repr", "array_str",
})  # fmt: skip


def function_of(name: str) -> Any:
    """NumPy's function of a name, or None where the installed version has none."""
    try:
        return operator.attrgetter(name)(np)
    except AttributeError:
        return None


def knows(function: Any, call: Call) -> bool:
    """Whether the installed version has the words of a call; pad takes words that depend on its mode."""
    return function is np.pad or signature(function).parameters.keys() >= call.options.keys()


CALLS = {
    name: [call for call in calls if knows(function_of(name), call)]
    for name, calls in CALLS.items()
    if function_of(name) is not None
}


# -- making calls ----------------------------------------------------------------------------------------

COMPLEX_ALWAYS = {"linalg.eig", "linalg.eigvals", "roots"}  # NumPy's are real where no imaginary part is left


def converted(value, make):
    """Arguments with what `make` makes of their arrays."""
    if isinstance(value, np.ndarray):
        return make(value)
    if type(value) in (list, tuple):
        return type(value)(converted(each, make) for each in value)
    return value


def run(name, call, make):
    """What a call gives, or for one that writes what it has written."""
    args, options = converted(call.args, make), {n: converted(v, make) for n, v in call.options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = function_of(name)(*args, **options)
    return args[0] if name in WRITING else result


def several(result):
    """The arrays and numbers of a result."""
    if isinstance(result, list | tuple):
        return [one for each in result for one in several(each)]
    return [result]


def as_array(value):
    return np.asarray(value.detach() if isinstance(value, td.Tensor) else value)


def compare(name, found, expected):
    found, expected = several(found), several(expected)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        if not isinstance(theirs, np.ndarray | np.generic | float | int):
            assert str(ours) == str(theirs)
            continue
        ours, theirs = as_array(ours), np.asarray(theirs)
        assert ours.shape == theirs.shape
        assert ours.dtype.kind == theirs.dtype.kind or name in COMPLEX_ALWAYS
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-13)
