"""Buckets: gradients of several parameters side by side in one array, which is exchanged as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn.parameter import Parameter

FIRST = 2**20  # bytes of the first bucket: it is under way early, when backward has just begun


class GradBucket:
    """The gradients of some parameters, as a function for `register_comm_hook` gets them.

    >>> bucket = GradBucket(0, [td.nn.Parameter(td.ones(2, 3)), td.nn.Parameter(td.ones(3))])
    >>> bucket.buffer().shape, [g.shape for g in bucket.gradients()], bucket.is_last()
    ((9,), [(2, 3), (3,)], False)

    Source: https://docs.pytorch.org/docs/stable/ddp_comm_hooks.html#torch.distributed.GradBucket
    """

    def __init__(self, index: int, parameters: Sequence[Parameter]):
        self._index, self._parameters, self._last = index, list(parameters), False
        self.array = np.zeros(sum(p.numel() for p in parameters), parameters[0]._data.dtype)
        ends = np.cumsum([p.numel() for p in parameters])
        self.slots = [
            self.array[end - p.numel() : end].reshape(p.shape) for end, p in zip(ends, parameters, strict=True)
        ]
        self.left = len(self._parameters)  # gradients that are still to come in this pass

    def index(self) -> int:
        """Its number: the first one is exchanged first."""
        return self._index

    def buffer(self) -> Tensor:
        """All gradients, flat, one after the other."""
        return wrap(self.array)

    def set_buffer(self, buffer: Tensor) -> None:
        """Puts other numbers in their place."""
        self.array[...] = buffer._data.reshape(-1)

    def gradients(self) -> list[Tensor]:
        """The gradients: views of `buffer()`."""
        return [wrap(slot) for slot in self.slots]

    def parameters(self) -> list[Tensor]:
        """Their parameters."""
        return list(self._parameters)

    def is_last(self) -> bool:
        """Whether it is the last of the pass."""
        return self._last


def buckets_of(parameters: Sequence[Parameter], first: int, cap: int) -> list[list[int]]:
    """The numbers of the parameters in each bucket, from the last parameter to the first, as backward comes to them.

    A bucket has one dtype, and is full as soon as it has `cap` bytes; the first one of each dtype, `first`.
    """
    made: list[list[int]] = []
    open_ones: dict[np.dtype, list[int]] = {}
    limits: dict[np.dtype, int] = {}
    for number in reversed(range(len(parameters))):
        data = parameters[number]._data
        if data.dtype not in open_ones:
            open_ones[data.dtype] = []
            made.append(open_ones[data.dtype])
        bucket = open_ones[data.dtype]
        bucket.append(number)
        if sum(parameters[each]._data.nbytes for each in bucket) >= limits.get(data.dtype, first):
            limits[data.dtype] = cap
            del open_ones[data.dtype]
    return sorted(made, key=lambda bucket: -bucket[-1])  # which is full first, goes first
