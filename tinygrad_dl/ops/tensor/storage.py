"""The memory of a tensor: untyped_storage, storage_offset, and other memory in its place: resize_, resize_as_, set_."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dtypes import DTYPES
from tinygrad_dl.core.graph import Leaf, observers
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.mutations import buffer_owner, changed_at, mutations, offset
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops._overload import alias
from tinygrad_dl.ops.shape.inplace import shown_otherwise
from tinygrad_dl.ops.shape.strided import as_strided
from tinygrad_dl.ops.tensor.inplace import root_of


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

    @classmethod
    def from_file(cls, filename: Any, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """The first `nbytes` bytes of a file, mapped into memory: read when they are used.

        Args:
            shared: whether what is written to the memory is written to the file.

        Raises:
            ValueError: the file has fewer bytes.
        """
        if nbytes == 0:
            return cls(np.empty(0, np.uint8))
        return cls(np.asarray(np.memmap(filename, np.uint8, "r+" if shared else "c", shape=(nbytes,))))

    def untyped(self) -> UntypedStorage:
        """Itself, or the bytes of a `TypedStorage`."""
        return UntypedStorage(self._owner)

    def __getitem__(self, index: Any) -> Any:
        """One byte as a number, or the storage of a slice of them."""
        found = np.asarray(self)[index]
        if not isinstance(index, slice):
            return int(found)
        part = UntypedStorage(found)
        part._owner = found  # not all that it is a slice of
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.lib.stride_tricks.as_strided(self._owner, (self._owner.size,), (self._owner.itemsize,))
        return np.array(whole.view(np.uint8), dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<UntypedStorage of {self.nbytes()} bytes>"


class TypedStorage(UntypedStorage):
    """The elements that a tensor and its views share.

    >>> import tinygrad_dl as td
    >>> storage = td.arange(6)[2:].storage()
    >>> len(storage), storage[0]
    (6, 0)

    Source: https://docs.pytorch.org/docs/stable/storage.html
    """

    def __init__(self, array: np.ndarray):
        super().__init__(array)
        self.dtype = DTYPES[array.dtype]

    def size(self) -> int:
        """The number of elements."""
        return self.nbytes() // self.dtype.itemsize

    __len__ = size

    def __getitem__(self, index: Any) -> Any:
        return self._elements()[index].tolist()

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        found: list[Any] = self._elements().tolist()
        return found

    def _elements(self) -> np.ndarray:
        return np.lib.stride_tricks.as_strided(self._owner, (len(self),), (self.dtype.itemsize,))

    def __repr__(self) -> str:
        return f"<TypedStorage of {len(self)} elements of {self.dtype}>"


def storage(self: Tensor) -> TypedStorage:
    """The elements that the tensor shares with its views and its base.

    Source: https://docs.pytorch.org/docs/stable/storage.html
    """
    return TypedStorage(self._data)


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
    return offset(self._data) // self._data.itemsize


def resize_(self: Tensor, *sizes: Any) -> Tensor:
    """Changes the shape in place, and the number of elements: they keep their order in memory; new ones are 0.

    If its memory has room for more elements behind, as that of a slice has, they are what stands there, as in PyTorch.

    Args:
        sizes: the new shape, as numbers or in a tuple.

    Raises:
        RuntimeError: the tensor requires a gradient (but in `inference_mode`). Or it needs more memory, and shares
            the one that it has.
        ValueError: a size is negative.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.resize_(3)
    tensor([1., 2., 3.])
    >>> x.resize_(2, 3)
    tensor([[1., 2., 3.],
            [0., 0., 0.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_.html
    """
    shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    shape = tuple(operator.index(n) for n in shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"resize_: got the shape {shape}, expected sizes of 0 or more")
    if self.requires_grad and not modes.inference:
        raise RuntimeError("resize_: got a tensor that requires a gradient, expected one that does not; use reshape()")
    if shape == self.shape:
        return self
    count = math.prod(shape)
    if count <= room_of(self):
        steps = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
        return shown_otherwise(self, lambda tensor: as_strided(tensor, shape, steps), "resize_")
    if self._view is not None or (self._views and self._views.living()):
        raise RuntimeError(
            f"resize_: got a tensor that shows the memory of another, or whose memory others show, expected one of its "
            f"own, as it needs more: {count} elements; resize a clone() of it"
        )
    new = np.zeros(shape, self.dtype)
    new.reshape(-1)[: self.numel()] = self._data.reshape(-1)
    take_memory(self, new, "resize_")
    return self


@composition
def resize_as_(self: Tensor, other: Tensor) -> Tensor:
    """Changes the shape in place to that of another tensor: see `resize_`.

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0, 3.0]).resize_as_(td.zeros(1, 2))
    tensor([[1., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.resize_as_.html
    """
    return resize_(self, other.shape)


def set_(self: Tensor, source: Tensor | None = None) -> Tensor:
    """Takes the memory of another tensor, and its shape: both are then changed together. Without one it is empty.

    Views of the tensor keep the old memory. Not recorded; a leaf begins a new place in the graph.

    Raises:
        RuntimeError: one of the two requires a gradient, and operations are recorded; or their dtypes differ.

    >>> import tinygrad_dl as td
    >>> x, y = td.zeros(2), td.ones(3)
    >>> x.set_(y)
    tensor([1., 1., 1.])
    >>> y[0] = 5.0
    >>> x
    tensor([5., 1., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.set_.html
    """
    if source is not None and not isinstance(source, Tensor):
        raise TypeError(f"set_: got {type(source).__name__}, expected a tensor")
    array = np.empty(0, self.dtype) if source is None else source._data
    if array.dtype != self.dtype:
        raise RuntimeError(f"set_: got a tensor of dtype {array.dtype}, expected that of the tensor, {self.dtype}")
    if modes.grad and (self.requires_grad or (source is not None and source.requires_grad)):
        raise RuntimeError(
            "set_: got a tensor that requires a gradient, expected none that does, as it is not recorded; do it under "
            "td.no_grad(), or use copy_()"
        )
    take_memory(self, array, "set_")
    return self


def room_of(tensor: Tensor) -> int:
    """How many elements the memory has from the tensor's first one on."""
    root = root_of(tensor)
    if not root.is_contiguous() or root.dtype != tensor.dtype:
        return 0
    return root.numel() + root.storage_offset() - tensor.storage_offset()


def take_memory(tensor: Tensor, array: np.ndarray, what: str) -> None:
    """Puts another array in the place of a tensor's own, and notes it as a change."""
    if observers.writers:
        observers.before_write(tensor._data, what)
    old = tensor._data
    tensor._data, tensor._view = array, None
    if type(tensor._edge) is Leaf:
        tensor._edge = Leaf(tensor)
    mutations.replaced(old, array, changed_at(what))


for _method in (resize_, resize_as_, set_):
    alias(_method.__name__, _method)
alias("storage", storage)
alias("untyped_storage", untyped_storage)
alias("storage_offset", storage_offset)
