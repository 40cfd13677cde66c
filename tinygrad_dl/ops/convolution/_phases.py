"""Transposed convolution with a stride: a convolution of its own for each phase of the result.

The places of the result that are a stride apart see the same places of the kernel. So no phase multiplies by the zeros
that a stride would put between the slopes, and the columns of all phases are the same few.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.ops.convolution._columns import Columns, Parts, Piece, over_pieces
from tinygrad_dl.ops.convolution._shapes import Pads, Sizes, spatial


class Phase(NamedTuple):
    """The places of the result of one phase, along one dimension."""

    number: int
    first: int  # which slope the first of these places sees first
    kernel: tuple[int, ...]  # the kernel's place for this slope and those that follow it


def fits(size: Sizes, dilation: Sizes) -> bool:
    """Whether this way can compute a transposed convolution: in one or two dimensions, without dilation."""
    return max(dilation) == 1 and len(size) < 3


def phases_of(kernel: int, stride: int, before: int) -> list[Phase]:
    """The phases along a dimension, with `before` places of padding."""
    found = []
    for number in range(stride):
        places = [k for k in reversed(range(kernel)) if (number + before - k) % stride == 0]
        first = (number + before - places[0]) // stride if places else 0
        found.append(Phase(number, first, tuple(places)))
    return found


def convolve_transposed(
    g: np.ndarray, weight: np.ndarray, size: Sizes, stride: Sizes, pads: Pads, groups: int
) -> np.ndarray:
    """(N, O, *out) with (O, C / groups, *kernel) gives (N, C, *size)."""
    (o, c, *kernel), k = weight.shape, len(size)
    phases = [phases_of(n, s, a) for n, s, (a, _) in zip(kernel, stride, pads, strict=True)]
    low = [min(phase.first for phase in own) for own in phases]
    high = [max(phase.first + len(phase.kernel) - 1 for phase in own) for own in phases]
    places = tuple([-(-n // s) for n, s in zip(size, stride, strict=True)])  # of a phase
    seen = tuple([last - first + 1 for first, last in zip(low, high, strict=True)])
    around = tuple([(-a, n + b - m) for a, b, n, m in zip(low, high, places, g.shape[2:], strict=True)])
    columns = Columns(g, places, seen, (1,) * k, around, (1,) * k, groups, whole=False)
    full = tuple([n * s for n, s in zip(places, stride, strict=True)])
    result = np.empty((len(g), groups * c, *full), g.dtype)
    parted = result.reshape(len(g), groups, c, *itertools.chain(*zip(places, stride, strict=True)))
    kernels = weight.reshape(groups, o // groups, c, *kernel)

    alike: dict[Any, list[tuple[Phase, ...]]] = {}  # phases that see the same slopes
    for each in itertools.product(*phases):
        alike.setdefault(tuple([(phase.first, len(phase.kernel)) for phase in each]), []).append(each)
    jobs = []
    for (down, *across), own in alike.items():
        begin, length = ((across[0][0] - low[1]) * (o // groups), across[0][1]) if across else (0, 1)
        matrices = []
        for i in range(down[1]):
            parts = []
            for phase, *others in own:
                part = kernels[:, :, :, phase.kernel[i]]
                part = part[..., list(others[0].kernel)] if others else part[..., None]
                parts.append(part.transpose(0, 2, 3, 1))  # (groups, C / groups, places, O / groups)
            matrices.append(np.stack(parts, axis=1).reshape(groups, len(own) * c, length * (o // groups)))
        jobs.append((own, down[0] - low[0], slice(begin, begin + length * (o // groups)), matrices))

    def multiply(parts: list[Parts], piece: Piece) -> None:
        n0, n1, r0, r1 = piece
        for own, line, height, matrices in jobs:
            total = None
            for part, matrix in zip(parts[0][line : line + len(matrices)], matrices, strict=True):
                product = np.matmul(matrix, part[:, :, height])
                total = product if total is None else np.add(total, product, out=total)
            for i, each in enumerate(own):
                here: list[Any] = [slice(n0, n1), slice(None), slice(None), slice(r0, r1), each[0].number]
                for phase in each[1:]:
                    here += slice(None), phase.number
                target = parted[tuple(here)]
                target[...] = 0 if total is None else total[:, :, i * c : (i + 1) * c].reshape(target.shape)

    over_pieces([columns], multiply, c * groups)
    return result if full == size else np.ascontiguousarray(result[spatial(*[slice(0, n) for n in size])])
