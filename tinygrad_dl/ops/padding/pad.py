"""pad: more elements at the edges, constant, mirrored, repeated or taken from the other side."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import require_room
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops.indexing.getitem import accumulate

MODES = ("constant", "reflect", "replicate", "circular")


def amounts(pad: Any, ndim: int) -> list[tuple[int, int]]:
    """PyTorch's numbers, last dimension first, as a pair (before, after) for each dimension, first dimension first."""
    pad = tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * ndim:
        raise ValueError(
            f"expected a pair of numbers for each of at most {ndim} dimensions, the last one first, got {pad}"
        )
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def source(before: int, after: int, size: int, mode: str, module: Any = np) -> Any:
    """For each place of a padded dimension, the index of the element that stands there.

    What a negative number cuts off is still mirrored, but it is not part of the circle.
    """
    if size + before + after < 0:
        raise ValueError(f"expected to cut off no more than a dimension's size, {size}, got {(before, after)}")
    if mode == "circular":
        return circle(before, after, size, module)
    places = module.arange(-before, size + after)
    if mode == "replicate":
        if not size:
            raise ValueError("got an empty dimension, expected one with elements to repeat; use mode 'constant'")
        return places.clip(0, size - 1)
    require_at_most(size - 1, before, after, size, mode)
    places = np.abs(places)
    return np.where(places >= size, 2 * (size - 1) - places, places)


def circle(before: int, after: int, size: int, module: Any) -> Any:
    """`source` in circular mode: cut first, then continue from the other end of what is left."""
    first, left = max(-before, 0), size + min(before, 0) + min(after, 0)
    require_at_most(left, before, after, size, "circular")
    return module.arange(-max(before, 0), left + max(after, 0)) % max(left, 1) + first


def require_at_most(limit: int, before: int, after: int, size: int, mode: str) -> None:
    """Raises if more is to be added to one side than there is to take it from."""
    if max(before, after) > max(limit, 0):
        raise ValueError(
            f"expected at most {max(limit, 0)} elements to add to a side of a dimension of size {size} in mode "
            f"{mode!r}, got {(before, after)}"
        )


@op(
    kind="batched",
    keeps_format=True,
    namespace="functional",
    exact=True,
    inputs=[
        dict(input=real(shape="... n m"), pad=one_of((1, 2), (0, 1, 2, 0), (0, 0)), value=one_of(None, 2.5)),
        dict(input=real(shape="3 4"), pad=one_of((-1, 2), (-2, -1, 1, 0), (1, 1, -1, -1))),
        dict(input=real(shape="n 3 4"), pad=one_of((2, 1), (1, 3, 2, 0)), mode=one_of("reflect")),
        dict(input=real(shape="n 3 4"), pad=one_of((2, 5), (1, 0, 4, 1)), mode=one_of("replicate")),
        dict(input=real(shape="n 3 4"), pad=one_of((2, 4), (1, 0, 3, 1), (-1, 2, 1, -2)), mode=one_of("circular")),
        dict(input=real(shape="n 3 4"), pad=one_of((-1, 2), (2, -3, -1, -1)), mode=one_of("replicate")),
        dict(input=real(shape="n 3 4"), pad=one_of((1, -1, -2, 2)), mode=one_of("reflect")),
    ],
    errors=[
        error(ValueError, "a pair of numbers for each of at most 1 dimensions", array(3), (1, 1, 1, 1)),
        error(ValueError, "at most 2 elements", array(1, 3), (3, 0), mode="reflect"),
        error(ValueError, "at most 1 elements", array(1, 3), (-2, 2), mode="circular"),
        error(ValueError, "cut off no more", array(1, 3), (-2, -2), mode="replicate"),
        error(ValueError, "expected a mode among", array(1, 3), (1, 1), mode="wrap"),
    ],
    reference=lambda input, pad, mode="constant", value=None: _naive_pad(input, pad, mode, value),
)
def pad(input: Array, pad: Any, mode: str = "constant", value: float | None = None) -> Array:
    """The tensor with elements added at both ends of its last dimensions.

    Args:
        pad: (before, after) of the last dimension, then of the one before it, and so on. Negative numbers cut off
            first; in mode "reflect" what they cut off is mirrored nevertheless.
        mode: "constant"; "reflect" (mirrored, without the edge); "replicate" (the edge again); "circular" (from
            the other end).
        value: what is added in constant mode; 0 if None.

    Raises:
        ValueError: an unknown mode, too many numbers, or more to mirror than there is.

    >>> td.nn.functional.pad(td.tensor([1, 2, 3]), (1, 2))
    tensor([0, 1, 2, 3, 0, 0])
    >>> td.nn.functional.pad(td.tensor([[1, 2, 3]]), (2, 0), mode="reflect")
    tensor([[3, 2, 1, 2, 3]])
    """
    pairs = amounts(pad, input.ndim)
    if mode not in MODES:
        raise ValueError(f"expected a mode among {MODES}, got {mode!r}")
    if mode != "constant":
        for dim, (before, after) in enumerate(pairs):
            if before or after:
                input = input.take(source(before, after, input.shape[dim], mode, module_of(input)), dim)
        return input if any(map(any, pairs)) else input.copy()
    shape = [n + a + b for n, (a, b) in zip(input.shape, pairs, strict=True)]
    if any(n + min(a, 0) + min(b, 0) < 0 for n, (a, b) in zip(input.shape, pairs, strict=True)):
        raise ValueError(f"got {pad}, which cuts off more than there is, expected less for shape {input.shape}")
    if value:
        require_room(np.asarray(value), input.dtype)
    out = module_of(input).full(shape, value, input.dtype) if value else module_of(input).zeros(shape, input.dtype)
    out[tuple([slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(shape, pairs, strict=True)])] = input[
        tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape, pairs, strict=True)])
    ]
    return out


def _naive_pad(input: np.ndarray, pad: Any, mode: str, value: float | None) -> np.ndarray:
    """`pad` by NumPy, to test against."""
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    pairs = [*[(0, 0)] * (input.ndim - len(pad) // 2), *list(zip(pad[::2], pad[1::2], strict=True))[::-1]]

    def cut(array: np.ndarray) -> np.ndarray:
        return array[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(array.shape, pairs, strict=True))]

    widths = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if mode == "constant":
        return np.pad(cut(input), widths, constant_values=value or 0)
    numpy_pad: Any = np.pad  # its overloads know literal modes only
    if mode == "circular":
        input = cut(input)
    found: np.ndarray = numpy_pad(input, widths, mode=names[mode])
    return found if mode == "circular" else cut(found)


def _pad_rule(g: Any, input_shape: tuple[int, ...], pad: Any, mode: str) -> Any:
    pairs = amounts(pad, g.ndim)
    if mode == "constant":
        if any(a < 0 or b < 0 for a, b in pairs):
            return _pad.generic(g, [-n for n in pad])
        return g[tuple([slice(a, a + n) for n, (a, _) in zip(input_shape, pairs, strict=True)])]
    for dim, (before, after) in enumerate(pairs):
        if before or after:
            size = input_shape[dim]
            index = (*(slice(None),) * dim, source(before, after, size, mode, module_of(g)))
            g = accumulate.generic(g, index, (*g.shape[:dim], size, *g.shape[dim + 1 :]))
    return g


_pad = pad
pad.vjp(input=_pad_rule)
pad.jvp(input=lambda t, pad, mode: _pad.generic(t, pad, mode))


@composition
def constant_pad_nd(input: Array, pad: Any, value: float = 0) -> Tensor:
    """`nn.functional.pad` in mode "constant".

    >>> import tinygrad_dl as td
    >>> td.constant_pad_nd(td.tensor([1, 2]), (1, 0), 9)
    tensor([9, 1, 2])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """
    return _pad(input, pad, "constant", value)
