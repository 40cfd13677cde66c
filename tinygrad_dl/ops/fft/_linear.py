"""The three linear maps that all Fourier transforms are: complex to complex, real to half of a spectrum, and back.

Each is over several dimensions, of which the last is the halved one, and goes forward, with exp(-2 pi i j k / n), or
is inverse, with exp(2 pi i j k / n). The matrix of a transform is symmetric, so a gradient goes through the same one,
in the same direction and with the same factor: real to half a spectrum and half a spectrum to real are each other's
transpose, up to weights. An element inside of the half stands for two of the whole, those at its ends for one.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import complexes, one_of, real
from tinygrad_dl.ops.fft._kernels import complex_to_complex, complex_to_real, real_to_complex

NORMS = (None, "backward", "ortho", "forward")  # which of a transform and its inverse has the factor 1/n: None, inverse
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
    weights = weights_of(n, inner, module_of(x).empty(0, x.dtype).real.dtype, module_of(x))
    return x * weights.reshape(-1, *(1,) * (-dim - 1))


@functools.lru_cache(maxsize=64)
def weights_of(n: int, inner: float, dtype: Any, module: Any) -> Any:
    """1 for the elements at the ends of half a spectrum, and `inner` for those that stand for two."""
    weights = module.full(n // 2 + 1, inner, dtype)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    if module is np:
        weights.flags.writeable = False
    return weights


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
    return complex_to_complex(input, dim, norm, inverse)


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
    return real_to_complex(input, dim, norm, inverse)


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
    return complex_to_real(input, n, dim, norm, inverse)


fft_c2c.vjp(input=lambda g, dim, norm, inverse: fft_c2c.generic(g, dim, norm, inverse))
fft_r2c.vjp(
    input=lambda g, input_shape, dim, norm, inverse: fft_c2r.generic(
        weighted(g, input_shape[dim[-1]], dim[-1], 0.5), input_shape[dim[-1]], dim, norm, inverse
    )
)
fft_c2r.vjp(input=lambda g, n, dim, norm, inverse: weighted(fft_r2c.generic(g, dim, norm, inverse), n, dim[-1], 2.0))
