"""What PyTorch's files hold: tensors over memory that they share, as NumPy arrays.

A tensor in the pickle is a call of `_rebuild_tensor_v2`: a storage, which is a record of the archive, and where in it
the elements are. Each storage is read once, so that tensors that shared memory share it again.

Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.archive import Archive
from tinygrad_dl.core.device import device
from tinygrad_dl.core.dtypes import Dtype, as_dtype
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn.parameter import Buffer, Parameter
from tinygrad_dl.pth.unpickler import SCALARS, Function, Refused, Unpickler, of_type

__all__ = ["PICKLE", "STORAGES", "UNTYPED", "read"]

PICKLE = "data.pkl"
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
UNTYPED = ("uint16", "uint32", "uint64")  # dtypes that have no class of storages
DTYPES = {*STORAGES.values(), *UNTYPED}

STRANGE: dict[str, tuple[str, ...]] = {
    "torch._utils._rebuild_sparse_tensor": ("a sparse tensor", "save tensor.to_dense()"),
    "torch._utils._rebuild_qtensor": ("a quantised tensor", "save tensor.dequantize()"),
    "torch._utils._rebuild_nested_tensor": ("a nested tensor", "save tensor.to_padded_tensor(0.0)"),
    "torch._utils._rebuild_meta_tensor_no_storage": ("a tensor of the device meta, without elements",),
    "numpy._core.multiarray.scalar": ("a number of NumPy", "save number.item()"),
    "numpy.core.multiarray.scalar": ("a number of NumPy", "save number.item()"),
    "numpy._core.multiarray._reconstruct": ("an array of NumPy", "save torch.from_numpy(array)"),
    "numpy.core.multiarray._reconstruct": ("an array of NumPy", "save torch.from_numpy(array)"),
}


def read(archive: Archive, memory: Any = None) -> Any:
    """What was saved.

    Args:
        memory: a map of the file, in which the tensors' elements are to stay.

    Raises:
        Refused: it holds something that is not built here.
        Exception: of many kinds (zipfile's own among them): it is not such a file.
        ImportError: bfloat16, without ml_dtypes.
    """
    return _Reader(archive, memory).content()


class Kind(NamedTuple):
    """A class of storages, and the dtype of its elements, if it says it."""

    name: str
    dtype: np.dtype[Any] | None


class Storage:
    """Memory that tensors share: the bytes of a record."""

    def __init__(self, content: np.ndarray, kind: Kind, swapped: bool):
        self.content, self.kind, self.swapped = content, kind, swapped
        self.made: dict[Any, np.ndarray] = {}

    def elements(self, dtype: np.dtype[Any], conj: bool = False, neg: bool = False) -> np.ndarray:
        """All of it as elements of a dtype; the same array for all that ask for it."""
        array = self.made.get((dtype, conj, neg))
        if array is None:
            if conj or neg:  # views that are computed when read, in PyTorch; here they have memory of their own
                array = self.elements(dtype)
                array = np.conj(array) if conj else array
                array = np.negative(array) if neg else array
            else:
                content, part = self.content, dtype.itemsize // (2 if dtype.kind == "c" else 1)
                content = content[: len(content) // dtype.itemsize * dtype.itemsize]
                if self.swapped and part > 1:
                    content = content.view(f"u{part}").byteswap().view(np.uint8)
                if dtype == np.bool_ and content.size and content.max() > 1:
                    raise ValueError("a tensor of bool with bytes that are neither 0 nor 1")
                array = content.view(dtype)
                array = array if array.flags.aligned else array.copy()
            self.made[dtype, conj, neg] = array
        return array


class _Reader:
    def __init__(self, archive: Archive, memory: Any):
        self.archive, self.memory = archive, memory
        self.storages: dict[str, Storage] = {}
        pickles = [name for name in archive.members if name.rpartition("/")[2] == PICKLE]
        if len(pickles) != 1:
            raise ValueError(f"{len(pickles)} records {PICKLE}")
        self.folder = pickles[0].removesuffix(PICKLE)
        if f"{self.folder}constants.pkl" in archive.members:
            raise Refused("a TorchScript archive")
        order = b"little"
        if f"{self.folder}byteorder" in archive.members:
            order = self.record("byteorder").tobytes()
        if order not in (b"little", b"big"):
            raise ValueError(f"the byte order {order[:20]!r}")
        self.swapped = order.decode() != sys.byteorder

    def record(self, name: str, memory: Any = None) -> np.ndarray:
        name = f"{self.folder}{name}"
        if name not in self.archive.members:
            raise ValueError(f"no record {name!r:.60}")
        if self.archive.members[name].compress_type:
            raise ValueError(f"the record {name!r:.60} compressed")
        return self.archive.read(name) if memory is None else self.archive.mapped(name, memory)

    def content(self) -> Any:
        data = self.record(PICKLE).tobytes()
        return Unpickler(data, self.find, self.storage, (Tensor, Dtype, device)).load()

    def storage(self, key: Any) -> Storage:
        """The storage that an id outside of the pickle stands for."""
        word, kind, name, _, count = of_type(tuple, key)
        if word != "storage" or type(kind) is not Kind or type(name) is not str or type(count) is not int:
            raise ValueError("no storage in the place of one")
        storage = self.storages.get(name)
        if storage is None:
            storage = self.storages[name] = Storage(self.record(f"data/{name}", self.memory), kind, self.swapped)
        size = 1 if kind.dtype is None else kind.dtype.itemsize
        if storage.kind != kind or len(storage.content) // size != count:
            raise ValueError(f"the storage {name!r:.20} with another type or length than its record's")
        return storage

    def find(self, name: str) -> Any:
        """What one of PyTorch's names stands for."""
        module, _, last = name.rpartition(".")
        if module == "torch" and last in STORAGES:
            return Kind(last, as_dtype(STORAGES[last]))
        if module == "torch" and last in DTYPES:
            return Dtype(last)
        if name in FUNCTIONS:
            return Function(name, FUNCTIONS[name])
        if name in VALUES:
            return VALUES[name]
        raise Refused(*STRANGE.get(name, (f"the name {name[:80]!r}",)))


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any,
) -> Tensor:
    """A tensor that shows elements of a storage; of its dtype, if none is given."""
    if type(storage) is not Storage or hooks or type(requires_grad) is not bool:
        raise ValueError("no tensor in the place of one")
    numbers = (offset, *of_type(tuple, size), *of_type(tuple, strides))
    if len(size) != len(strides) or any(type(each) is not int or not 0 <= each < 1 << 63 for each in numbers):
        raise ValueError(f"a tensor of shape {size!s:.60} and strides {strides!s:.60}")
    bits = {} if metadata is None else of_type(dict, metadata)
    if not bits.keys() <= {"conj", "neg"}:
        raise Refused(f"a tensor with the metadata {list(bits)!s:.60}")
    dtype = storage.kind.dtype if dtype is None else dtype.dtype if isinstance(dtype, Dtype) else None
    if dtype is None or (bits and dtype.kind not in "fc"):
        raise ValueError("a tensor without a dtype" if dtype is None else f"a tensor of {dtype} with bits")
    elements = storage.elements(dtype, **bits)
    if math.prod(size) == 0:
        array = np.empty(size, elements.dtype)
    else:
        last = offset + sum((count - 1) * stride for count, stride in zip(size, strides, strict=True))
        if last >= len(elements):
            raise ValueError(
                f"a tensor of shape {size} and strides {strides} that ends at element {last} of {len(elements)}"
            )
        step = elements.itemsize
        array = np.ndarray(size, elements.dtype, elements, offset * step, [stride * step for stride in strides])
    tensor = wrap(array)
    return tensor.requires_grad_() if requires_grad else tensor


def _tensor_v2(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> Tensor:
    return _tensor(storage, offset, size, strides, requires_grad, hooks, None, metadata)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, strides: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    return _tensor(storage, offset, size, strides, requires_grad, hooks, dtype, metadata)


def _parameter(data: Any, requires_grad: Any, hooks: Any, state: Any = None) -> Parameter:
    if hooks:
        raise ValueError("a parameter with hooks")
    parameter = Parameter(of_type(Tensor, data), of_type(bool, requires_grad))
    _set_attributes(parameter, {} if state is None else state)
    return parameter


def _subclass(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor with attributes."""
    if type(function) is not Function or function.call not in (_tensor_v2, _tensor_v3) or kind is not Tensor:
        raise ValueError("no tensor in the place of one")
    tensor: Tensor = function.call(*of_type(tuple, arguments))
    state = dict(of_type(dict, state))
    if state.pop("_is_buffer", False) is True:
        tensor = Buffer(tensor, persistent=state.pop("persistent", True) is True)
    _set_attributes(tensor, state)
    return tensor


def _set_attributes(tensor: Tensor, state: Any) -> None:
    for name, value in of_type(dict, state).items():
        if type(name) is not str or name.startswith("_") or hasattr(type(tensor), name) or type(value) not in SCALARS:
            raise Refused(f"a tensor with the attribute {name!r:.60}, of type {type(value).__name__}")
        setattr(tensor, name, value)


def _size(sizes: Any) -> Any:
    return of_type(tuple, sizes)


def _device(kind: Any, index: Any = None) -> device:
    return device(of_type(str, kind)) if index is None else device(kind, of_type(int, index))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "torch.Size": _size,
    "torch.device": _device,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _subclass,
}
VALUES = {"torch.Tensor": Tensor, "torch.storage.UntypedStorage": Kind("UntypedStorage", None)}
