"""Fourier transforms of arrays over several dimensions, by NumPy's kernels in the precision of the array, on all cores.

`np.fft` hands the factor 1 to its kernels as a double, for which they compute single precision in double: four times as
slow as with a factor of the array's own precision. So they are called here without the function around them.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.threads import grain, parallel_for
from tinygrad_dl.ops.fft import _plain as plain

__all__ = ["complex_to_complex", "complex_to_real", "real_to_complex"]

LARGE = 2**15  # elements of an array that is worth several threads
LONG = 2**17  # elements of one transform that is computed as two of about its square root
ROUND = 16  # how far apart these may be

# Where NumPy keeps its kernels is no public knowledge, so nothing here may fail if they move.
_kernels: Any = getattr(np.fft, "_pocketfft_umath", None)


@functools.lru_cache(maxsize=256)
def factor(n: int, norm: str | None, inverse: bool, dtype: Any) -> Any:
    """What a transform of size n multiplies by, in the precision of `dtype`."""
    kind = np.empty(0, dtype).real.dtype.type
    if norm == "ortho":
        return kind(1) / np.sqrt(kind(n))
    return kind(1) / kind(n) if (norm == "forward") != inverse else kind(1)


def kernel(name: str, x: np.ndarray, dim: int, scale: Any, out: np.ndarray) -> None:
    """NumPy's transform along one dimension: "fft", "ifft", "rfft", or "irfft", times a factor."""
    if _kernels is None:
        n, norm = out.shape[dim] if name == "irfft" else x.shape[dim], "forward" if name[0] == "i" else None
        np.multiply(getattr(np.fft, name)(x, n, dim, norm), scale, out=out)
        return
    if name == "rfft":
        name = "rfft_n_odd" if x.shape[dim] % 2 else "rfft_n_even"
    options = {} if dim == -1 else {"axes": [(dim,), (), (dim,)]}
    getattr(_kernels, name)(x, scale, out=out, **options)


def along(name: str, x: np.ndarray, dim: int, scale: Any, out: np.ndarray) -> None:
    """The same of a large array on several threads, along the longest of its other dimensions."""
    others = [d for d in range(x.ndim) if d != x.ndim + dim]
    if x.size < LARGE or not others:
        kernel(name, x, dim, scale, out)
        return
    longest = max(others, key=x.shape.__getitem__)
    head = (slice(None),) * longest

    def part(start: int, stop: int) -> None:
        here = (*head, slice(start, stop))
        kernel(name, x[here], dim, scale, out[here])

    parallel_for(part, x.shape[longest], grain(4 * x.size // x.shape[longest]))


def over(x: np.ndarray, dims: Any, norm: Any, inverse: bool, out: np.ndarray) -> None:
    """Complex transforms along dimensions one after the other, of which `x` may be `out` itself."""
    for dim in reversed(dims):
        n = x.shape[dim]
        scale, name = factor(n, norm, inverse, out.dtype), "ifft" if inverse else "fft"
        if LONG <= n == x.size and (first := near_root(n)):
            in_two_steps(x.reshape(-1), first, name, scale, out)
        else:
            along(name, x, dim, scale, out)
        x = out


@functools.lru_cache(maxsize=64)
def near_root(n: int) -> int:
    """The largest divisor of n up to its square root; 0 if it is far below."""
    root = math.isqrt(n)
    first = next(m for m in range(root, 0, -1) if n % m == 0)
    return first if first * ROUND >= root else 0


def in_two_steps(x: np.ndarray, rows: int, name: str, scale: Any, out: np.ndarray) -> None:
    """One long transform, as its elements in rows: along columns, times roots of unity, along rows, and turned.

    Each step works on several threads and on shorter stretches of memory, where one transform would use one thread.
    """
    columns = x.size // rows
    x, turned = x.reshape(rows, columns), module_of(out).empty((rows, columns), out.dtype)
    roots = roots_of_unity(rows, columns, name == "ifft", out.dtype)
    target, one = out.reshape(columns, rows).T, scale.dtype.type(1)

    def first(start: int, stop: int) -> None:
        here = turned[:, start:stop]
        kernel(name, x[:, start:stop], -2, one, here)
        np.multiply(here, roots[:, start:stop], out=here)

    def second(start: int, stop: int) -> None:
        kernel(name, turned[start:stop], -1, scale, target[start:stop])

    parallel_for(first, columns, grain(4 * rows))
    parallel_for(second, rows, grain(4 * columns))


@functools.lru_cache(maxsize=2)
def roots_of_unity(rows: int, columns: int, inverse: bool, dtype: Any) -> np.ndarray:
    """exp(-2 pi i j k / n), or its conjugate, for each row j and column k of n elements."""
    step = 2j * np.pi / (rows * columns) * (1 if inverse else -1)
    width = math.isqrt(columns)
    j, coarse = np.arange(rows)[:, None], np.arange(0, columns, width)
    blocks = np.exp(step * (j * coarse))[:, :, None] * np.exp(step * (j * np.arange(width)))[:, None]
    roots: np.ndarray = blocks.reshape(rows, -1)[:, :columns].astype(dtype)
    return roots


def complex_to_complex(x: Any, dims: Any, norm: Any, inverse: bool) -> Any:
    """The transform over dimensions, negative numbers. Of many real numbers, half of it is the mirror of the other."""
    if type(x) is not np.ndarray:
        return plain.complex_to_complex(x, dims, norm, inverse)
    dtype = np.result_type(x, np.complex64)
    if x.dtype.kind != "c" and dims and x.size >= LARGE:
        return mirrored(x, dims, norm, inverse, dtype)
    x = x.astype(dtype, copy=not dims)
    if not dims:
        return x
    out = np.empty_like(x)
    over(x, dims, norm, inverse, out)
    return out


def mirrored(x: np.ndarray, dims: Any, norm: Any, inverse: bool, dtype: Any) -> np.ndarray:
    """The whole spectrum of real numbers: X[-k] is the conjugate of X[k]."""
    n, last = x.shape[dims[-1]], dims[-1]
    out = np.empty_like(x, dtype)
    half = [slice(None)] * x.ndim
    half[last] = slice(n // 2 + 1)
    half_spectrum(x, dims, norm, inverse, out[tuple(half)])
    ways = [[(slice(1), slice(1)), (slice(1, None), slice(None, 0, -1))] for _ in dims[:-1]]
    for way in itertools.product(*ways):
        target, source = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        target[last], source[last] = slice(n // 2 + 1, None), slice((n - 1) // 2, 0, -1)
        for d, (to, come) in zip(dims[:-1], way, strict=True):
            target[d], source[d] = to, come
        np.conjugate(out[tuple(source)], out=out[tuple(target)])
    return out


def half_spectrum(x: np.ndarray, dims: Any, norm: Any, inverse: bool, out: np.ndarray) -> None:
    """The first half of the spectrum along the last of the dimensions, of real numbers."""
    *others, last = dims
    along("rfft", x, last, factor(x.shape[last], norm, inverse, out.dtype), out)
    if inverse:
        np.conjugate(out, out)
    over(out, others, norm, inverse, out)


def real_to_complex(x: Any, dims: Any, norm: Any, inverse: bool) -> Any:
    """The first half of the spectrum of real numbers, n // 2 + 1 elements along the last of the dimensions."""
    if type(x) is not np.ndarray:
        return plain.real_to_complex(x, dims, norm, inverse)
    shape = resized(x.shape, dims[-1], x.shape[dims[-1]] // 2 + 1)
    out = np.empty_like(x, np.result_type(x, np.complex64), shape=shape)
    half_spectrum(x, dims, norm, inverse, out)
    return out


def complex_to_real(x: Any, n: int, dims: Any, norm: Any, inverse: bool) -> Any:
    """The real numbers, n along the last of the dimensions, of which `x` is the first half of the spectrum."""
    if type(x) is not np.ndarray:
        return plain.complex_to_real(x, n, dims, norm, inverse)
    *others, last = dims
    x = x.astype(np.result_type(x, np.complex64), copy=False)
    if others:
        whole = np.empty_like(x)
        over(x, others, norm, inverse, whole)
        x = whole
    if not inverse:
        x = np.conjugate(x)
    out = np.empty_like(x, x.real.dtype, shape=resized(x.shape, last, n))
    along("irfft", x, last, factor(n, norm, inverse, x.dtype), out)
    return out


def resized(shape: tuple[int, ...], dim: int, n: int) -> tuple[int, ...]:
    """A shape with another size of one dimension, a negative number."""
    return (*shape[:dim], n, *shape[len(shape) + dim + 1 :])
