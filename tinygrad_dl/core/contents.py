"""What a tensor holds: its shape and dtype, and its elements as numbers, arrays and what other libraries take."""

from __future__ import annotations

import importlib
import math
from typing import Any, Self

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements, module_of, to_numpy
from tinygrad_dl.core.device import CPU, check_device, device_of
from tinygrad_dl.core.device import device as Device
from tinygrad_dl.core.dtypes import DTYPES, dtype
from tinygrad_dl.core.layout import contiguous_format, lies_so, preserve_format, strided
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.size import Size


class Contents:
    """The part of class Tensor that reads its array."""

    __slots__ = ()

    _data: np.ndarray
    _edge: Any

    # Where a tensor lives if neither on the CPU nor in CuPy's arrays, and how it keeps its elements.
    is_ipu = is_maia = is_meta = is_mps = is_mtia = is_vulkan = is_xla = is_xpu = False
    is_mkldnn = is_nested = is_quantized = is_sparse = is_sparse_csr = False
    layout = strided
    _uninitialized = False  # whether it has no shape yet

    @property
    def shape(self) -> Size:
        """The sizes of its dimensions."""
        return Size(self._data.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        return Size(self._data.shape) if dim is None else of_dimension(self._data.shape, dim, "size")

    @property
    def dtype(self) -> dtype:
        """The type of its elements."""
        return DTYPES[self._data.dtype]

    @property
    def ndim(self) -> int:
        """The number of its dimensions."""
        return self._data.ndim

    def dim(self) -> int:
        """The number of its dimensions."""
        return self._data.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of its elements."""
        return self._data.size

    nelement = numel

    @property
    def device(self) -> Device:
        """Where it lives: the type of its array says it."""
        return CPU if type(self._data) is np.ndarray else device_of(self._data)

    @property
    def is_cpu(self) -> bool:
        """Whether it lives on the CPU."""
        return self.device.type == "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether it lives on a GPU, in an array of CuPy."""
        return self.device.type == "cuda"

    @property
    def _module(self) -> Any:
        """The module that makes arrays like its own."""
        return module_of(self._data)

    def to_dense(self) -> Any:
        """The tensor: all are dense."""
        return self

    @property
    def nbytes(self) -> int:
        """The bytes of its elements."""
        return self._data.nbytes

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self._data.itemsize

    def get_device(self) -> int:
        """The number of its GPU; -1 for the CPU."""
        return -1 if self.is_cpu else self.device.index or 0

    def is_pinned(self, device: Any = None) -> bool:
        """Whether its memory is locked, for copies to a GPU: False."""
        return False

    def pin_memory(self, device: Any = None) -> Self:
        """Itself: a copy to a GPU starts from any memory."""
        return self

    def is_shared(self) -> bool:
        """Whether it lies in memory that forked processes share; workers of `data.DataLoader` copy."""
        import mmap

        base: Any = self._data
        while isinstance(base, np.ndarray):
            base = base.base
        return isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap)

    def share_memory_(self) -> Self:
        """Moves it to memory that processes share which are forked from this one; returns itself.

        What one of them writes, all see. A tensor that is pickled, as for a process that is spawned, is copied as any.

        >>> td.ones(2).share_memory_().is_shared()
        True

        Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.share_memory_.html
        """
        import mmap

        if self._data.size and not self.is_shared():
            shared = np.frombuffer(mmap.mmap(-1, self._data.nbytes), self._data.dtype).reshape(self._data.shape)
            shared[...] = self._data
            tensor: Any = self
            tensor._data = shared
        return self

    def to_sparse(self, *_: Any, **__: Any) -> Self:
        """Raises NotImplementedError: tensors keep all of their elements."""
        raise NotImplementedError(
            "to_sparse: got a call for a sparse tensor, expected none: tensors are dense; compute with it as it is"
        )

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._data.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """The steps between neighbours in each dimension, in elements."""
        data = self._data
        steps = tuple(s // data.itemsize for s in data.strides)
        if (
            not data.size and 0 in steps
        ):  # NumPy's arrays without elements have no steps, PyTorch's those of their shape
            steps = tuple(math.prod([max(n, 1) for n in data.shape[i + 1 :]]) for i in range(data.ndim))
        return steps if dim is None else of_dimension(steps, dim, "stride")

    def is_contiguous(self, memory_format: Any = contiguous_format) -> bool:
        """Whether its elements lie in memory without gaps, in row-major order or that of the format."""
        return lies_so(self._data, memory_format)

    def data_ptr(self) -> int:
        """The address of its first element."""
        array: Any = self._data
        return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr)

    def is_floating_point(self) -> bool:
        """Whether its elements are real floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether its elements are complex numbers."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether its elements can be below 0."""
        return self.dtype.is_signed

    def is_same_size(self, other: Contents) -> bool:
        """Whether another tensor has the same shape."""
        if not isinstance(other, Contents):
            raise TypeError(f"is_same_size: got {other!r}, expected a tensor; compare the shapes of anything else")
        return self.shape == other.shape

    # -- conversion ---------------------------------------------------------------------------------

    def item(self) -> Any:
        """The one element as a Python number."""
        if self._data.size != 1:
            raise not_one(self, "item")
        return self._data.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return to_numpy(self._data).tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The data as an array that shares memory. `force=True` detaches first; so it is under `no_grad`."""
        if self._edge is not None and not force and modes.grad:
            raise RuntimeError(
                "numpy: got a tensor that requires a gradient, expected one that does not, as an array has no graph; "
                "use t.detach().numpy()"
            )
        if not isinstance(self._data, np.ndarray) and not force:
            raise TypeError(
                f"numpy: got a tensor on {self.device}, expected one on the CPU, as nothing is copied in silence; use "
                "t.cpu().numpy()"
            )
        return to_numpy(self._data)

    def cpu(self) -> Self:
        """The tensor on the CPU: itself if it lives there. Differentiable, as `to`."""
        moved: Any = self
        return self if type(self._data) is np.ndarray else moved.to(CPU)

    def cuda(self, device: Any = None, non_blocking: bool = False, memory_format: Any = preserve_format) -> Self:
        """The tensor on a GPU, in an array of CuPy.

        Raises:
            ValueError: CuPy is not installed. TypeError: `device` is neither a number nor the name of a device.
        """
        moved: Any = self
        if not (device is None or isinstance(device, int | str | Device)):
            raise TypeError(f"cuda: got device={device!r}, expected the number of a GPU, or a td.device")
        place = Device("cuda", device) if device is None or isinstance(device, int) else device
        return moved.to(place, memory_format=memory_format)  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Self:
        """The tensor on a device; the array API standard's name. ValueError: there is no such device, or a stream."""
        try:
            check_device(device)
        except ValueError as error:
            raise ValueError(f"to_device: {error}") from None
        moved: Any = self
        if stream is not None:
            raise ValueError(f"to_device: got stream={stream!r}, expected None, as the CPU has no streams")
        return moved.to(device)  # type: ignore[no-any-return]

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """`td.array_api`, the array API standard's functions. ValueError: a version of it that is not there."""
        return importlib.import_module("tinygrad_dl.array_api").version(api_version)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The memory as a DLPack capsule, which another library makes an array of.

        Raises:
            RuntimeError: the tensor requires a gradient. BufferError: `dl_device` is not the CPU, or the memory can't
                be shared.
        """
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        array = self.numpy() if isinstance(self._data, np.ndarray) or self._edge is not None else self._data
        return array.__dlpack__(**{name: value for name, value in asked.items() if value is not None})

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __float__(self) -> float:
        return float(as_number(self, "float"))

    def __int__(self) -> int:
        return int(as_number(self, "int"))

    def __complex__(self) -> complex:
        return complex(as_number(self, "complex"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iub":
            raise TypeError(
                f"index: got a tensor of dtype {self.dtype}, expected an integer tensor of one element; convert it "
                f"with .long(), or int(t)"
            )
        return int(as_number(self, "index"))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise RuntimeError(
                f"bool: got a tensor of shape {self.shape}, expected one element: the truth of several is ambiguous; "
                f"use any() or all()"
            )
        return bool(self._data.item())

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len: got a 0-d tensor, expected 1 or more dimensions; numel() counts the elements")
        return len(self._data)

    def __contains__(self, value: Any) -> bool:
        return bool((self._data == (value._data if isinstance(value, Contents) else value)).any())

    def __hash__(self) -> int:
        return id(self)

    def __format__(self, spec: str) -> str:
        return format(self._data.item(), spec) if spec and self._data.ndim == 0 else format(str(self), spec)


def not_one(tensor: Contents, name: str) -> RuntimeError:
    """The error of what needs a tensor of one element."""
    return RuntimeError(
        f"{name}: got a tensor of shape {tensor.shape} with {tensor._data.size} elements, expected exactly one; index "
        f"one element, reduce it with sum() or mean(), or use tolist()"
    )


def as_number(tensor: Contents, name: str) -> Any:
    """The one element of a tensor, for Python's function of this name."""
    if tensor._data.size != 1:
        raise not_one(tensor, name)
    return tensor._data.item()


def of_dimension(values: tuple[int, ...], dim: Any, name: str) -> Any:
    """What one dimension has of a tuple with a value for each."""
    try:
        return values[dim]
    except (IndexError, TypeError) as error:
        count = len(values)
        expected = f"an integer from {-count} to {count - 1}" if count else "no dim: a 0-d tensor has no dimensions"
        raise type(error)(f"{name}: got dim={dim!r}, expected {expected}") from None


def is_row_major(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether elements with these steps between them lie in row-major order without gaps."""
    steps = 1
    for size, step in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and step != steps:
            return False
        steps *= size
    return True


def zero_gradient(tensor: Any) -> None:
    """Fills the gradient of a tensor with zeros, in place, and takes it out of the graph; nan becomes 0 too."""
    grad = tensor._grad
    if grad is None:
        return
    if grad._edge is not None and grad._view is None:
        grad.detach_()
    if grad._edge is not None or not has_own_elements(grad._data):  # of a view of the graph, or of an expanded tensor
        grad = tensor._grad = grad.detach().clone()
    grad._data[...] = 0
    mutations.record(grad._data, "zero_grad")
