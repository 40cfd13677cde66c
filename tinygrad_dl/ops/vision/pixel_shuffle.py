"""Elements moved between channels and places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.inputs import array, error, one_of, real


def _naive_shuffle(input: Any, upscale_factor: int) -> Any:
    r = upscale_factor
    *lead, c, h, w = input.shape
    out = np.zeros((*lead, c // r**2, h * r, w * r), input.dtype)
    for i in range(r):
        for j in range(r):
            out[..., i::r, j::r] = input[..., i * r + j :: r * r, :, :]
    return out


def _naive_unshuffle(input: Any, downscale_factor: int) -> Any:
    r = downscale_factor
    *lead, c, h, w = input.shape
    out = np.zeros((*lead, c * r**2, h // r, w // r), input.dtype)
    for i in range(r):
        for j in range(r):
            out[..., i * r + j :: r * r, :, :] = input[..., i::r, j::r]
    return out


def _check(name: str, shape: Any, factor: Any) -> None:
    if len(shape) < 3:
        raise ValueError(f"{name}: expected an input of shape (..., C, H, W), got {shape}")
    if factor < 1:
        raise ValueError(f"{name}: expected a factor of at least 1, got {factor}")


@op(
    kind="batched",
    keeps_format=True,
    linear=("input",),
    namespace="functional",
    exact=True,
    inputs=[
        {"input": real(shape="... 8 h w", min_side=1), "upscale_factor": one_of(2, 1)},
        {"input": real(shape="9 h 2", min_side=1), "upscale_factor": one_of(3)},
    ],
    errors=[
        error(ValueError, "channels that 4 divides", array(3, 2, 2), 2),
        error(ValueError, "\\(..., C, H, W\\)", array(4, 4), 2),
    ],
    reference=_naive_shuffle,
)
def pixel_shuffle(input: Array, upscale_factor: int) -> Array:
    """(..., C r², H, W) to (..., C, H r, W r): r² channels become the pixels of one.

    Raises:
        ValueError: r² does not divide the channels.

    >>> td.nn.functional.pixel_shuffle(td.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    _check("pixel_shuffle", input.shape, r)
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise ValueError(f"pixel_shuffle: expected channels that {r * r} divides, got {c} in shape {input.shape}")
    parts = input.reshape(math.prod(lead), c // (r * r), r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return copied(parts.reshape(*lead, c // (r * r), h * r, w * r), input)


@op(
    kind="batched",
    keeps_format=True,
    linear=("input",),
    namespace="functional",
    exact=True,
    inputs=[
        {"input": real(shape="3 c 4 2", min_side=1), "downscale_factor": one_of(2, 1)},
        {"input": real(shape="c 3 6", min_side=1), "downscale_factor": one_of(3)},
    ],
    errors=[error(ValueError, "height and width that 2 divides", array(1, 4, 3), 2)],
    reference=_naive_unshuffle,
)
def pixel_unshuffle(input: Array, downscale_factor: int) -> Array:
    """(..., C, H r, W r) to (..., C r², H, W): `pixel_shuffle` undone.

    Raises:
        ValueError: r does not divide height and width.

    >>> td.nn.functional.pixel_unshuffle(td.arange(4.0).reshape(1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    r = downscale_factor
    _check("pixel_unshuffle", input.shape, r)
    *lead, c, h, w = input.shape
    if h % r or w % r:
        raise ValueError(f"pixel_unshuffle: expected height and width that {r} divides, got shape {input.shape}")
    parts = input.reshape(math.prod(lead), c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
    return copied(parts.reshape(*lead, c * r * r, h // r, w // r), input)


pixel_shuffle.vjp(input=lambda g, upscale_factor: pixel_unshuffle.generic(g, upscale_factor))
pixel_unshuffle.vjp(input=lambda g, downscale_factor: pixel_shuffle.generic(g, downscale_factor))


@op(
    kind="folded",
    keeps_format=True,
    linear=("input",),
    namespace="functional",
    exact=True,
    inputs={"input": real(shape="n 6 h 2", min_side=1), "groups": one_of(1, 2, 3)},
    errors=[error(ValueError, "channels that 2 groups divide", array(1, 3, 2), 2)],
    reference=lambda input, groups: input[:, np.arange(6).reshape(groups, -1).T.ravel()],
)
def channel_shuffle(input: Array, groups: int) -> Array:
    """(N, C, ...) with the channels of `groups` groups dealt out in turn: one of each group, then the next of each.

    Raises:
        ValueError: the groups do not divide the channels.

    >>> td.nn.functional.channel_shuffle(td.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html
    """
    shape = input.shape
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise ValueError(
            f"channel_shuffle: expected an input (N, C, ...) with channels that {groups} groups divide, got {shape}"
        )
    parts = input.reshape(shape[0], groups, shape[1] // groups, math.prod(shape[2:]))
    return copied(parts.swapaxes(1, 2).reshape(shape), input)


def copied(result: np.ndarray, input: np.ndarray) -> np.ndarray:
    """The result, which is never a view, though nothing may have had to move."""
    return result.copy() if np.may_share_memory(result, input) else result


channel_shuffle.vjp(input=lambda g, groups, input_shape: channel_shuffle.generic(g, max(1, input_shape[1] // groups)))


native_channel_shuffle = channel_shuffle  # PyTorch has it under both names
