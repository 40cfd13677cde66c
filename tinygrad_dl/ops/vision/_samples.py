"""Weighted sums of chosen elements: what sampling at places between elements comes to.

`sample(x, index, w)[n, c, p] = sum over k of w[n, p, k] * x[n, c, index[n, p, k]]` is linear in x and in w. With the
gradient g of the result it is one number that is linear in all three, g . sample(x, index, w): the gradient with
respect to each is one of three ops, which are therefore the gradients of each other, to every order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, module_of, truth
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, integers, one_of, real


def with_zero(x: Any) -> Any:
    """(N, C, S) as (N, C, S + 1), with a zero at the end, which the index -1 names."""
    n, channels, size = x.shape
    padded = module_of(x).empty((n, channels, size + 1), x.dtype)
    padded[..., :size], padded[..., size] = x, 0
    return padded


def by_choice(values: Any) -> Any:
    """(N, P, K) as (N, K, P), so that what is chosen first at all places lies together."""
    return contiguous(values.swapaxes(1, 2))


def require_fit(what: str, index: np.ndarray, size: int, **others: tuple[int, ...]) -> None:
    """Refuses an index that names an element which is not there, and other tensors of which N or P differ."""
    if index.dtype.kind not in "iu" or (index.size and not truth((index.min() >= -1) & (index.max() < size))):
        raise IndexError(f"{what}: expected an index of integers from -1 to {size - 1}, got {index.dtype}")
    for name, shape in others.items():
        if shape != index.shape[: len(shape)]:
            raise ValueError(
                f"{what}: expected {name} of the size {index.shape[: len(shape)]} of the index, got {shape}"
            )


def _naive_sample(input: Any, index: Any, weights: Any) -> Any:
    total = np.zeros((*input.shape[:2], index.shape[1]), np.result_type(input, weights))
    for n, p, k in np.ndindex(index.shape):
        if index[n, p, k] >= 0:
            total[n, :, p] += weights[n, p, k] * input[n, :, index[n, p, k]]
    return total


def _naive_spread(slopes: Any, index: Any, weights: Any, size: int) -> Any:
    total = np.zeros((*slopes.shape[:2], size), np.result_type(slopes, weights))
    for n, p, k in np.ndindex(index.shape):
        if index[n, p, k] >= 0:
            total[n, :, index[n, p, k]] += weights[n, p, k] * slopes[n, :, p]
    return total


def _naive_match(slopes: Any, input: Any, index: Any) -> Any:
    total = np.zeros(index.shape, np.result_type(slopes, input))
    for n, p, k in np.ndindex(index.shape):
        if index[n, p, k] >= 0:
            total[n, p, k] = (slopes[n, :, p] * input[n, :, index[n, p, k]]).sum()
    return total


_INDEX = integers(-1, 3, shape="n p k")
_INPUT, _SLOPES, _WEIGHTS = real(shape="n c 4"), real(shape="n c p"), real(shape="n p k")


@op(
    kind="folded",
    linear=("input", "weights"),
    namespace="rules",
    promote=("input", "weights"),
    inputs=[{"input": _INPUT, "index": _INDEX, "weights": _WEIGHTS}],
    errors=[error(ValueError, "weights of the size", array(1, 1, 4), array(1, 2, 1, dtype="int64"), array(1, 3, 1))],
    reference=_naive_sample,
)
def sample(input: Array, index: Array, weights: Array) -> Array:
    """(N, C, S) to (N, C, P): sums of the elements that an index (N, P, K) names, times weights (N, P, K).

    The index -1 names nothing.
    """
    n, channels, size = input.shape
    require_fit("sample", index, size, weights=weights.shape)
    out = module_of(input).zeros((n, channels, index.shape[1]), input.dtype)
    for total, x, places, factors in zip(out, with_zero(input), by_choice(index), by_choice(weights), strict=True):
        for at, factor in zip(places, factors, strict=True):
            chosen = x.take(at, 1)
            chosen *= factor
            total += chosen
    return out


@op(
    kind="folded",
    linear=("slopes", "weights"),
    namespace="rules",
    promote=("slopes", "weights"),
    inputs=[{"slopes": _SLOPES, "index": _INDEX, "weights": _WEIGHTS, "size": one_of(4)}],
    errors=[error(IndexError, "from -1 to 0", array(1, 1, 1), array(1, 1, 1, dtype="int64"), array(1, 1, 1), 1)],
    reference=_naive_spread,
)
def sample_backward(slopes: Array, index: Array, weights: Array, size: int) -> Array:
    """The gradient of `sample` with respect to its input, (N, C, `size`), for gradients (N, C, P) of its result."""
    n, channels, count = slopes.shape
    require_fit("sample_backward", index, size, weights=weights.shape)
    several = index.shape[2]
    out = module_of(slopes).empty((n, channels, size), slopes.dtype)
    bins = by_choice(np.where(index < 0, size, index)).reshape(n, several * count)
    for total, g, places, factors in zip(out, slopes, bins, by_choice(weights), strict=True):
        for channel, slope in zip(total, g, strict=True):  # bincount is three times as fast as ufunc.at
            channel[...] = np.bincount(places, (factors * slope).reshape(-1), size + 1)[:size]
    return out


@op(
    kind="folded",
    linear=("slopes", "input"),
    namespace="rules",
    promote=("slopes", "input"),
    inputs=[{"slopes": _SLOPES, "input": _INPUT, "index": _INDEX}],
    errors=[error(ValueError, "slopes of the size", array(1, 1, 3), array(1, 1, 2), array(1, 2, 1, dtype="int64"))],
    reference=_naive_match,
)
def sample_weights_backward(slopes: Array, input: Array, index: Array) -> Array:
    """The gradient of `sample` with respect to its weights, (N, P, K), for gradients (N, C, P) of its result."""
    n, _, size = input.shape
    require_fit("sample_weights_backward", index, size, slopes=(slopes.shape[0], slopes.shape[2]))
    out = module_of(input).empty((n, index.shape[2], index.shape[1]), input.dtype)
    for total, g, x, places in zip(out, slopes, with_zero(input), by_choice(index), strict=True):
        for at, product in zip(places, total, strict=True):
            product[...] = np.einsum("cp,cp->p", x.take(at, 1), g)
    return out.swapaxes(1, 2)


sample.vjp(
    input=lambda g, index, weights, input_shape: sample_backward.generic(g, index, weights, input_shape[2]),
    index=None,
    weights=lambda g, input, index: sample_weights_backward.generic(g, input, index),
)
sample_backward.vjp(
    slopes=lambda g, index, weights: sample.generic(g, index, weights),
    index=None,
    weights=lambda g, slopes, index: sample_weights_backward.generic(slopes, g, index),
)
sample_weights_backward.vjp(
    slopes=lambda g, input, index: sample.generic(input, index, g),
    input=lambda g, slopes, index, input_shape: sample_backward.generic(slopes, index, g, input_shape[2]),
    index=None,
)
