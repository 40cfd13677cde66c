"""From tensors to what MPI sends and receives: flat arrays without gaps, of the tensor's own memory where that is one.

No element is pickled and none is converted on its way: MPI gets bytes, and numbers where it computes with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.errors import ArgumentError, ArgumentTypeError
from tinygrad_dl.core.graph import observers
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.mutations import changed_at, mutations
from tinygrad_dl.core.tensor import Tensor, before_write
from tinygrad_dl.core.transforms import Lifted


def tensor_of(value: Any, name: str, argument: str) -> Tensor:
    """The argument, which must be a tensor with elements of its own."""
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(f"{name}: got {argument}={summary(value)}, expected a tensor")
    if isinstance(value, Lifted):
        raise RuntimeError(
            f"{name}: got a tensor inside of {value.level.name}, expected one outside of any transform; exchange what "
            "the transform returns"
        )
    require_cpu(name, value)
    return value


def require_cpu(name: str, tensor: Tensor) -> None:
    """Raises unless MPI can read the tensor's memory."""
    if not isinstance(tensor._data, np.ndarray):
        raise RuntimeError(
            f"{name}: got a tensor on {tensor.device}, expected one on the CPU, from where MPI takes it; use .cpu()"
        )


def tensors_of(values: Any, name: str, argument: str, count: int) -> list[Tensor]:
    """The argument, which must be as many tensors as there are ranks."""
    if not isinstance(values, list | tuple):
        raise ArgumentTypeError(f"{name}: got {argument}={summary(values)}, expected a list of {count} tensors")
    if len(values) != count:
        raise ArgumentError(
            f"{name}: got {len(values)} tensors as {argument}, expected {count}, one for each rank of the group"
        )
    return [tensor_of(value, name, f"{argument}[{i}]") for i, value in enumerate(values)]


def require_alike(name: str, tensor: Tensor, *others: Tensor) -> None:
    """Raises unless all have one dtype."""
    for other in others:
        if other.dtype != tensor.dtype:
            raise ArgumentError(
                f"{name}: got tensors of dtypes {tensor.dtype} and {other.dtype}, expected one dtype; convert one of "
                "them with .to()"
            )


def bytes_of(array: np.ndarray) -> np.ndarray:
    """The bytes of a flat array without gaps: the same memory."""
    return array.view(np.uint8)


def flat(tensor: Tensor) -> np.ndarray:
    """The elements in order, to be read: the tensor's own memory, or a copy where that has gaps or another order."""
    return np.ascontiguousarray(tensor._data).reshape(-1)


def joined(tensors: Sequence[Tensor]) -> np.ndarray:
    """The elements of several tensors, one after the other."""
    return np.concatenate([flat(tensor) for tensor in tensors])


class Place:
    """Where elements arrive that are meant for a tensor.

    Attributes:
        array: flat and without gaps, for MPI to write into: the tensor's memory, or other memory until `settle`.
    """

    def __init__(self, tensor: Tensor, name: str, carrier: np.dtype[Any] | None = None, filled: bool = False):
        """`carrier`: the dtype in which they arrive, if not the tensor's. `filled`: with the elements there are now."""
        self._data = writable(tensor, name)
        self._own = self._data.flags.c_contiguous and carrier in (None, self._data.dtype)
        if self._own:
            self.array = self._data.reshape(-1)
        elif filled:
            self.array = np.array(self._data, carrier, order="C").reshape(-1)
        else:
            self.array = np.empty(self._data.size, carrier or self._data.dtype)

    def settle(self) -> None:
        """Puts into the tensor what has arrived, rounded once if it came in another dtype."""
        if not self._own:
            self._data[...] = self.array.reshape(self._data.shape)


class Places:
    """Where elements arrive that are meant for several tensors, one after the other in one array."""

    def __init__(self, tensors: Sequence[Tensor], name: str):
        self._data = [writable(tensor, name) for tensor in tensors]
        self.array = np.empty(sum(data.size for data in self._data), self._data[0].dtype)

    def settle(self) -> None:
        """Puts into the tensors what has arrived."""
        begin = 0
        for data in self._data:
            data[...] = self.array[begin : begin + data.size].reshape(data.shape)
            begin += data.size


def writable(tensor: Tensor, name: str) -> np.ndarray:
    """The array of a tensor that is about to be changed, which backward passes are told of.

    As in PyTorch, the values of a leaf that requires a gradient may be exchanged, and no graph knows of it. Of a
    computed tensor PyTorch goes on with the gradient that it had before; here it is refused.
    """
    data = tensor._data
    if modes.grad and not tensor.is_leaf:
        raise RuntimeError(
            f"{name}: got a tensor that was computed from one that requires a gradient, expected one that was not: "
            "there is no gradient of what other ranks have sent; pass tensor.detach(), or call it under td.no_grad()"
        )
    if not data.flags.writeable and data.size:
        raise ValueError(
            f"{name}: got a read-only view (from expand?), expected a tensor that can be changed; clone() it"
        )
    if observers.writers or tensor._edge is not None or tensor._view is not None:
        before_write(tensor, name)
    mutations.record(data, changed_at(name))
    return data
