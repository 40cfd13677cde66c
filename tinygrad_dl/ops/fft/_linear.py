"""The three linear maps that all Fourier transforms are: complex to complex, real to half of a spectrum, and back.

Each is over several dimensions, of which the last is the halved one, and goes forward, with exp(-2 pi i j k / n), or
is inverse, with exp(2 pi i j k / n). The matrix of a transform is symmetric, so a gradient goes through the same one,
in the same direction and with the same factor: real to half a spectrum and half a spectrum to real are each other's
transpose, up to weights. An element inside of the half stands for two of the whole, those at its ends for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.threads import GRAIN, grain, parallel_for
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import complexes, one_of, real

NORMS = (None, "backward", "ortho", "forward")  # which of a transform and its inverse has the factor 1/n: None, inverse
SWAPPED: dict[Any, Any] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
DIMS = one_of((-1,), (-2,), (-2, -1), (-1, -2))  # counted from the end, so that a batch may stand in front
WAYS = {"dim": DIMS, "norm": one_of(*NORMS), "inverse": one_of(False, True)}


def summed(x: Any, dim: int, n: int, norm: Any, inverse: bool, weights: Any = 1.0) -> Any:
    """The transform along one dimension as a product with its matrix, to test against."""
    angle = 2 * np.pi / n * np.outer(np.arange(x.shape[dim]), np.arange(n))
    scale = {"ortho": 1 / math.sqrt(n), "forward" if not inverse else "backward": 1 / n}.get(norm or "backward", 1.0)
    matrix = np.reshape(weights, (-1, 1)) * np.exp((1j if inverse else -1j) * angle) * scale
    return np.moveaxis(np.moveaxis(x, dim, -1) @ matrix, -1, dim)


def naive(x: Any, dim: Any, norm: Any, inverse: bool) -> Any:
    """A transform over several dimensions, to test against."""
    for d in dim:
        x = summed(x, d, x.shape[d], norm, inverse)
    return x


def weighted(x: Any, n: int, dim: int, inner: float) -> Any:
    """Half a spectrum of a signal of size n, with the elements that stand for two times `inner`."""
    weights = np.full(n // 2 + 1, inner, np.empty(0, x.dtype).real.dtype)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return x * weights.reshape(-1, *(1,) * (-dim - 1))


def resized(shape: tuple[int, ...], dim: int, n: int) -> tuple[int, ...]:
    """A shape with another size of one dimension, a negative number."""
    return (*shape[:dim], n, *shape[len(shape) + dim + 1 :])


def whole(x: np.ndarray, dim: Any, norm: Any, inverse: bool, out: np.ndarray) -> np.ndarray:
    """The transforms along dimensions one after the other, of which `x` may be `out` itself."""
    for d in reversed(dim):
        x = (np.fft.ifft if inverse else np.fft.fft)(x, axis=d, norm=norm, out=out)
    return x


def in_parts(
    work: Callable[[np.ndarray, np.ndarray], Any], x: np.ndarray, dim: Any, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
    """The result of `work(x, out)`, which is computed on several threads along a dimension that is not transformed."""
    out = np.empty_like(x, dtype, shape=shape)
    free = next((d for d in range(x.ndim) if d - x.ndim not in dim and x.shape[d] > 1), None)
    if free is None or x.size < GRAIN // 2:
        work(x, out)
        return out
    head = (slice(None),) * free

    def part(start: int, stop: int) -> None:
        here = (*head, slice(start, stop))
        work(x[here], out[here])

    parallel_for(part, x.shape[free], grain(4 * x.size // x.shape[free]))
    return out


@op(
    namespace="rules",
    kind="batched",
    linear=("input",),
    floating=True,
    inputs=[dict(input=complexes(shape="... 3 4"), **WAYS), dict(input=real(shape="... 5 2"), **WAYS)],
    reference=naive,
)
def fft_c2c(input: Array, dim: Any, norm: Any, inverse: bool) -> Array:
    """The transform over dimensions, which are negative numbers.

    >>> import numpy as np
    >>> fft_c2c(np.array([1.0, 2.0]), (-1,), None, False)
    tensor([ 3.+0.j, -1.+0.j], dtype=complex128)
    """
    dtype = np.result_type(input, np.complex64)
    if not dim:
        return input.astype(dtype)
    return in_parts(lambda x, out: whole(x, dim, norm, inverse, out), input, dim, input.shape, dtype)


@op(
    namespace="rules",
    kind="batched",
    linear=("input",),
    floating=True,
    real=True,
    inputs=[dict(input=real(shape="... 3 4"), **WAYS), dict(input=real(shape="... 4 1"), **WAYS)],
    reference=lambda input, dim, norm, inverse: naive(input, dim, norm, inverse).take(
        range(input.shape[dim[-1]] // 2 + 1), dim[-1]
    ),
)
def fft_r2c(input: Array, dim: Any, norm: Any, inverse: bool) -> Array:
    """The first half of the spectrum of real numbers, n // 2 + 1 elements along the last of the dimensions.

    >>> import numpy as np
    >>> fft_r2c(np.array([1.0, 2.0, 4.0]), (-1,), None, False).shape
    (2,)
    """
    *others, last = dim

    def work(x: np.ndarray, out: np.ndarray) -> None:
        np.fft.rfft(x, axis=last, norm=SWAPPED[norm] if inverse else norm, out=out)
        if inverse:
            np.conjugate(out, out)
        whole(out, others, norm, inverse, out)

    shape = resized(input.shape, last, input.shape[last] // 2 + 1)
    return in_parts(work, input, dim, shape, np.result_type(input, np.complex64))


@op(
    namespace="rules",
    kind="batched",
    linear=("input",),
    floating=True,
    inputs=[
        dict(input=complexes(shape="... 3 3"), n=one_of(4, 5), **WAYS),
        dict(input=real(shape="... 1 1"), n=one_of(1), **WAYS),
    ],
    reference=lambda input, n, dim, norm, inverse: (
        summed(
            naive(input, dim[:-1], norm, inverse), dim[-1], n, norm, inverse, weighted(np.ones(n // 2 + 1), n, -1, 2.0)
        ).real
    ),
)
def fft_c2r(input: Array, n: int, dim: Any, norm: Any, inverse: bool) -> Array:
    """The real numbers, n along the last of the dimensions, of which `input` is the first half of the spectrum.

    >>> import numpy as np
    >>> fft_c2r(np.array([3.0, -1.0]), 2, (-1,), None, True)
    tensor([1., 2.], dtype=float64)
    """
    *others, last = dim

    def work(x: np.ndarray, out: np.ndarray) -> None:
        if others:
            x = whole(x, others, norm, inverse, np.empty_like(x, np.result_type(x, np.complex64)))
        x = x if inverse else np.conjugate(x)
        np.fft.irfft(x, n, last, norm if inverse else SWAPPED[norm], out=out)

    return in_parts(work, input, dim, resized(input.shape, last, n), input.real.dtype)


fft_c2c.vjp(input=lambda g, dim, norm, inverse: fft_c2c.generic(g, dim, norm, inverse))
fft_r2c.vjp(
    input=lambda g, input_shape, dim, norm, inverse: fft_c2r.generic(
        weighted(g, input_shape[dim[-1]], dim[-1], 0.5), input_shape[dim[-1]], dim, norm, inverse
    )
)
fft_c2r.vjp(input=lambda g, n, dim, norm, inverse: weighted(fft_r2c.generic(g, dim, norm, inverse), n, dim[-1], 2.0))
