"""Copies, and other element types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.device import check_device, is_name, moved
from tinygrad_dl.core.device import device as Device
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    in_order,
    kept_order,
    laid,
    order_of,
    preserve_format,
)
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.inputs import array, error, one_of
from tinygrad_dl.inputs import real as real_tensor
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.pointwise.complex import real


@op(
    kind="elementwise",
    linear=("input",),
    exact=True,
    inputs=dict(input=real_tensor()),
    errors=[error(TypeError, "got memory_format='C'", array(2, 3), memory_format="C")],
    reference=lambda input: np.array(input),
)
def clone(input: Array, *, memory_format: Any = preserve_format) -> Array:
    """A copy, which stays in the graph; its elements lie in memory as those of `input`, or in the order of the format.

    >>> td.tensor([1.0, 2.0]).clone()
    tensor([1., 2.])
    """
    if memory_format is preserve_format:
        return input.copy("K")
    return laid(input, memory_format, "clone")


clone.vjp(input=lambda g: g)


@clone.vmap
def _clone_batch(input: Any, memory_format: Any) -> Any:
    # Row-major order shows outside; that of channels belongs to examples, whose dimensions stand elsewhere there.
    return clone(input, memory_format=memory_format if memory_format is contiguous_format else preserve_format)


@op(
    kind="elementwise",
    linear=("input",),
    name="contiguous",
    method=False,
    exact=True,
    inputs=dict(input=real_tensor()),
    reference=lambda input: np.array(input),
)
def contiguous_copy(input: Array) -> Array:
    """A copy in row-major order; `Tensor.contiguous` is what users call.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).T.contiguous().stride()
    (2, 1)
    """
    return in_order(input, None)


contiguous_copy.vjp(input=lambda g: g)


@op(
    kind="elementwise",
    linear=("input",),
    method=False,
    exact=True,
    inputs=dict(input=real_tensor(), dtype=one_of(np.dtype("float32"), np.dtype("float64"))),
    reference=lambda input, dtype: np.array(input, dtype),
)
def cast(input: Array, dtype: Any) -> Array:
    """A copy with elements of another floating or complex dtype; `Tensor.to` is what users call.

    >>> import tinygrad_dl as td
    >>> td.ones(2).to(td.float64).dtype
    tinygrad_dl.float64
    """
    return input.astype(dtype)


# The engine gives every gradient its input's dtype, and takes the real part for a real input.
cast.vjp(input=lambda g: g)


@method
def astype(input: Array, dtype: Any, copy: bool = False) -> Tensor:
    """The tensor with elements of `dtype`: itself if they are already, unless `copy`. Differentiable.

    A cast to integers or bool cuts the graph.

    >>> td.tensor([1, 2]).astype(td.float32)
    tensor([1., 2.])
    """
    tensor = input if isinstance(input, Tensor) else wrap(as_array(input))
    found = dtypes.as_dtype(dtype)
    if tensor.dtype == found:
        return tensor.clone() if copy else tensor
    if tensor.dtype.kind == "c" and 0 < promotion.category(found) < 3:
        tensor = real(tensor)  # without NumPy's warning that the imaginary part is lost
    if not isinstance(tensor, Lifted) and (tensor._edge is None or not promotion.is_differentiable(found)):
        return wrap(tensor._data.astype(found))
    return cast(tensor, found)


@op(
    linear=("input",),
    method=False,
    namespace="rules",
    exact=True,
    inputs=dict(input=real_tensor(), device=one_of("cpu"), origin=one_of("cpu")),
    reference=lambda input, device, origin: np.array(input),
)
def moved_to(input: Array, device: Any, origin: Any) -> Array:
    """A copy on another device; `Tensor.to` is what users call.

    >>> import numpy as np
    >>> moved_to(np.ones(2), "cpu", "cpu")
    tensor([1., 1.], dtype=float64)
    """
    found = moved(input, device)
    return found.copy() if found is input else found


moved_to.vjp(input=lambda g, device, origin: moved_to.generic(g, origin, device))
moved_to.vmap(lambda input, device, origin: moved_to(input, device, origin))


def on_device(tensor: Any, device: Any) -> Any:
    """The tensor on a device: itself if it lives there."""
    if device is None:
        return tensor
    check_device(device)
    wanted, place = Device(device), tensor.device
    if wanted.type == place.type and (place.type == "cpu" or wanted.index in (None, place.index)):
        return tensor
    return moved_to(tensor, str(wanted), str(place))


def targets(args: tuple[Any, ...], dtype: Any, device: Any, copy: bool) -> tuple[Any, Any, bool]:
    """The dtype, the device and `copy` that the arguments of `to` without names mean: (device, dtype, True, True)."""
    flags = 0
    for value in args:
        if isinstance(value, bool):
            flags += 1
            copy = value if flags == 2 else copy
        elif flags:
            flags = 3  # too late
        elif isinstance(value, Tensor):
            dtype, device = value.dtype, value.device
        elif isinstance(value, Device) or (isinstance(value, str) and is_name(value)):
            device = value
        elif value is not None:
            dtype = value
    if flags > 2 or len(args) - flags > 2:
        raise TypeError(f"to: got {args}, expected (device, dtype), a dtype or a tensor, then non_blocking and copy")
    return dtype, device, copy


@method
def to(
    self: Tensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: Any = preserve_format,
) -> Tensor:
    """The tensor in another dtype: `t.to(td.float64)`, `t.to("cpu")`, `t.to("cpu", td.float64)`, `t.to(other)`,
    or on another device.

    Args:
        memory_format: the order of the dimensions in memory, `td.channels_last` for instance.

    Returns:
        Itself if nothing is to change, unless `copy`. The cast and the move are differentiable.

    Raises:
        ValueError: there is no such device.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).to(td.float64)
    tensor([1., 2.], dtype=float64)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    if len(args) == 1 and type(args[0]) is dtypes.dtype:
        dtype = args[0]
    elif args:
        dtype, device, copy = targets(args, dtype, device, copy)
    here = on_device(self, device)
    copy = copy and here is self
    result: Tensor = (clone(here) if copy else here) if dtype is None else astype(here, dtype, copy)
    return result if memory_format is preserve_format else contiguous(result, memory_format)


def laid_as(result: Tensor, input: Tensor) -> Tensor:
    """A result with channels last if its input has them so: for compositions, as `keeps_format` is for ops."""
    order = None if isinstance(input, Lifted) else kept_order(input._data)
    return result if order is None else contiguous(result, channels_last if len(order) == 4 else channels_last_3d)


@method
def contiguous(self: Array, memory_format: Any = contiguous_format) -> Tensor:
    """The tensor in row-major order, or in the order of the format: itself if it lies so already, else a copy.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).T.contiguous().is_contiguous()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.contiguous.html
    """
    if memory_format is contiguous_format:
        return self if self.is_contiguous() else contiguous_copy(self)
    order_of(memory_format, self.ndim, "contiguous")
    return self if self.is_contiguous(memory_format) else clone(self, memory_format=memory_format)


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """`to(other.dtype)`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type_as.html
    """
    return to(self, other)


@composition
def type_(self: Tensor, dtype: Any = None) -> Any:
    """The tensor with elements of another dtype, or a type such as `td.FloatTensor`, itself or by name; else its own.

    >>> td.ones(2).type(td.LongTensor)
    tensor([1, 1])
    >>> td.ones(2).type()
    'torch.FloatTensor'

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html
    """
    if dtype is None:
        name = self.dtype.name
        return next((f"torch.{kind}" for kind, of in dtypes.TENSOR_TYPES.items() if of == name), name)
    return astype(self, dtype)


def _to_dtype(name: str, dtype: Any) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
        if memory_format is preserve_format:
            return astype(self, dtype)
        return to(self, dtype=dtype, memory_format=memory_format)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor with elements of dtype {dtype}: itself if they are already."
    return composition(method)


for _name in ("float", "double", "half", "bfloat16", "long", "int", "short", "bool", "cfloat", "cdouble"):
    alias(_name, _to_dtype(_name, dtypes.NAMES.get(_name, _name)))

alias("byte", _to_dtype("byte", dtypes.uint8))
alias("char", _to_dtype("char", dtypes.int8))
alias("type", type_)


@method
def chalf(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
    """Refused: NumPy has no complex numbers of half precision.

    Raises:
        TypeError: always.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.chalf.html
    """
    raise TypeError(
        "chalf: got complex32 to convert to, expected complex64 or complex128: NumPy has no complex numbers of half "
        "precision; use x.cfloat()"
    )


NUMPY[np.copy] = lambda a, order="K", subok=False: clone(a)


if hasattr(np, "astype"):  # from NumPy 2.1 on
    NUMPY[np.astype] = lambda x, dtype, *, copy=True, device=None: astype(x, dtype, copy)
