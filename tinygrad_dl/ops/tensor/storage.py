"""The memory of a tensor: untyped_storage, storage_offset."""

from __future__ import annotations

import numpy as np

from tinygrad_dl.core.mutations import buffer_owner
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import alias


class UntypedStorage:
    """The bytes that a tensor and its views share.

    >>> import tinygrad_dl as td
    >>> x = td.zeros(3)
    >>> x.untyped_storage().nbytes()
    12
    >>> x[1:].untyped_storage().data_ptr() == x.data_ptr()
    True

    Source: https://docs.pytorch.org/docs/stable/storage.html
    """

    def __init__(self, array: np.ndarray):
        self._owner = buffer_owner(array)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return int(np.lib.array_utils.byte_bounds(self._owner)[0])

    def nbytes(self) -> int:
        """The number of bytes."""
        first, end = np.lib.array_utils.byte_bounds(self._owner)
        return int(end - first) if self._owner.size else 0

    size = __len__ = nbytes

    def __repr__(self) -> str:
        return f"<UntypedStorage of {self.nbytes()} bytes>"


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that the tensor shares with its views and its base.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.untyped_storage.html
    """
    return UntypedStorage(self._data)


def storage_offset(self: Tensor) -> int:
    """How many elements of the memory stand before the tensor's first one.

    >>> import tinygrad_dl as td
    >>> td.arange(5)[2:].storage_offset()
    2

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.storage_offset.html
    """
    return (self.data_ptr() - UntypedStorage(self._data).data_ptr()) // self._data.itemsize


alias("untyped_storage", untyped_storage)
alias("storage_offset", storage_offset)
