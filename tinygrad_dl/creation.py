"""Making tensors: from data, and filled."""

from __future__ import annotations

import builtins
import inspect
import math
import operator
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar, Unpack

import numpy as np

from tinygrad_dl.backends.arrays import array_from, at_hand, is_array, module_of, share_memory
from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.device import (
    check_device,
    choices,
    default_device,
    device_of,
    foreign_array,
    module_for,
    moved,
)
from tinygrad_dl.core.inference import fresh
from tinygrad_dl.core.layout import contiguous_format, laid, preserve_format, strided
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import Lifted, onlookers
from tinygrad_dl.core.warning import warn

# fmt: off
__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_permuted", "empty_strided", "eye", "from_dlpack",
    "from_numpy", "frombuffer", "full", "full_like", "linspace", "logspace", "ones", "ones_like", "scalar_tensor",
    "tensor", "zeros", "zeros_like",
]
# fmt: on


class Options(TypedDict, total=False):
    """What all functions take that make tensors.

    layout: `td.strided`, the only one here. device: where the tensor lives; by default what `td.device` as a context
    says, or the CPU. pin_memory: accepted, copies start from any memory. requires_grad: whether the tensor records
    what is computed with it.
    """

    layout: Any
    device: Any
    pin_memory: bool
    requires_grad: bool


DEFAULTS = {"layout": strided, "device": None, "pin_memory": False, "requires_grad": False}
OPTIONS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Options.__annotations__[name])
    for name, default in DEFAULTS.items()
]
F = TypeVar("F", bound=Callable[..., Any])


def creation(body: F) -> F:
    """A composition whose `**options` are `Options`, which its signature names."""
    function: Any = composition(body)
    whole = inspect.signature(body)
    named = [p for p in whole.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = whole.replace(parameters=[*named, *OPTIONS])
    return function  # type: ignore[no-any-return]


def finish(array: Any, what: str, options: Any) -> Tensor:
    """A tensor around a new array, with the options that `what` got."""
    if choices.made or (options and options.get("device") is not None):
        array = placed(array, options.get("device"))
    made = array if isinstance(array, Tensor) else fresh(wrap(array_from(array)))
    for level in onlookers:
        made = level.made(made, what)
    if not options:
        return made
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"{what}() got an unexpected keyword argument {name!r}")
    if options.get("layout", strided) not in (strided, None):
        raise ValueError(f"{what}: got layout={options['layout']!r}, expected td.strided: tensors here are dense")
    return made.requires_grad_() if options.get("requires_grad") else made


def placed(array: Any, device: Any) -> Any:
    """A new array, or tensor, on the device that it is asked for on; None: where tensors are made by default."""
    wanted = default_device() if device is None else device
    check_device(wanted)
    return array.to(wanted) if isinstance(array, Tensor) else moved(array_from(array), wanted)


def maker(options: Any) -> Any:
    """The module to make an array with that needs no data, for the options of a creation function."""
    return module_for(options.get("device")) if options or choices.made else np


def sizes(given: tuple[Any, ...], what: str, size: Any = None) -> tuple[int, ...]:
    """The shape meant by `f(2, 3)`, `f((2, 3))`, `f([2, 3])` or `f(size=(2, 3))`."""
    if size is not None and given:
        raise TypeError(f"{what}: got size={size!r} beside {given!r}, expected one of them")
    size = given if size is None else (size,)
    if len(size) == 1 and isinstance(size[0], list | tuple):
        size = tuple(size[0])
    try:
        found = tuple(operator.index(n) for n in size)
    except TypeError:
        raise TypeError(
            f"{what}: sizes are integers, got {size!r}, expected integers; pass them as {what}(2, 3) or {what}((2, 3))"
        ) from None
    if any(n < 0 for n in found):
        raise ValueError(f"{what}: sizes can't be negative, got {found}, expected integers of 0 or more")
    return found


@creation
def tensor(data: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor with a copy of the data: numbers, nested sequences, arrays or tensors.

    Python floats become the default dtype (float32), integers int64; arrays keep their dtype.

    Raises:
        TypeError: the data are not numbers, or complex ones for a real dtype. ValueError: the sequences have unequal
            lengths. OverflowError: a number that an integer dtype can't hold.

    >>> td.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, Tensor) and data.requires_grad:
        warn("tensor: the copy of a tensor that requires a gradient has no graph; use clone(), or detach().clone()")
    array, found = given(data, dtype)
    return finish(module_of(array).array(array, found), "tensor", options)


def given(data: Any, dtype: Any) -> tuple[np.ndarray, np.dtype[Any]]:
    """The data as an array and the dtype that is asked for, if that can hold Python's numbers."""
    array = as_array(data, exact=dtype is not None)
    if dtype is None:
        return array, array.dtype
    found = dtypes.as_dtype(dtype)
    if not isinstance(data, Tensor) and not is_array(data):
        if found == np.uint64 and array.dtype.kind == "f":  # NumPy makes floats of integers of which some need 64 bits
            whole = np.array(data, dtype=object)
            array = whole.astype(found) if all(isinstance(each, int) for each in whole.flat) else array
        promotion.require_room(array, found)
    return array, found


@composition
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor with the data, sharing memory when it can; a tensor of the right dtype is returned itself.

    >>> x = td.ones(2)
    >>> td.as_tensor(x) is x
    True
    """
    if isinstance(data, Tensor):
        if device is not None:
            return data.to(device, dtype)
        return data if dtype is None or data.dtype == dtypes.as_dtype(dtype) else data.to(dtype)
    array, found = given(data, dtype)
    array = module_of(array).asarray(array, found)
    return finish(array, "as_tensor", {"device": device or (None if at_hand(array) else device_of(array))})


@composition
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with the data of a tensor, an array, or what can be made one; outside of the graph.

    Args:
        copy: True copies, False shares memory or raises, None shares it where it can.

    Raises:
        ValueError: memory is to be shared and cannot be: that of lists, or that of another dtype.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = td.asarray(a, copy=False)
    >>> a[0] = 1.0
    >>> x
    tensor([1., 0.], dtype=float64)
    """
    made = as_tensor(obj, dtype, device).detach()
    known = isinstance(obj, Tensor | memoryview) or is_array(obj)
    shared = known and share_memory(made._data, as_array(obj))
    if copy is False and not shared:
        raise ValueError(
            f"asarray: got copy=False for {summary(obj)}, expected a tensor or an array of the dtype asked for"
        )
    if copy and shared:
        made = made.clone()
    return made.requires_grad_() if requires_grad else made


@composition
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-D tensor that shares the memory of an object such as `bytearray`; it cannot be changed if that cannot.

    Args:
        count: the number of elements; all by default.
        offset: the number of bytes to pass over.

    Raises:
        ValueError: there is no memory to share, or it is empty, not that long, or no whole number of elements.

    >>> td.frombuffer(bytearray([1, 0, 2, 0]), dtype=td.int16)
    tensor([1, 2], dtype=int16)
    """
    try:
        size = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError(f"frombuffer: got {summary(buffer)}, expected an object with memory, as bytearray") from None
    if not size or not count or not 0 <= offset < size:
        raise ValueError(
            f"frombuffer: got {size} bytes, count={count} and offset={offset}, expected one element or more behind it"
        )
    array = np.frombuffer(buffer, dtypes.as_dtype(dtype), count, offset)
    return finish(array, "frombuffer", {"requires_grad": requires_grad})


@composition
def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory: changes in one show in the other.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = td.from_numpy(a)
    >>> a[0] = 1.0
    >>> x
    tensor([1., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}; use td.tensor for other data")
    if not array.dtype.isnative:
        raise ValueError(
            f"from_numpy: got an array of {array.dtype}, expected this machine's byte order, as memory is shared; use "
            "td.tensor"
        )
    return fresh(wrap(as_array(array)))


@composition
def from_dlpack(data: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's array, through DLPack.

    Args:
        device: the CPU, to which the other library copies what lies elsewhere.
        copy: True copies, False shares memory or raises, None shares it where it can.

    Raises:
        BufferError: the memory can't be shared.

    >>> import numpy as np
    >>> td.from_dlpack(np.ones(2))
    tensor([1., 1.], dtype=float64)
    """
    check_device(device)
    if foreign_array(data):
        return fresh(wrap(data if device is None else moved(data, device)))
    if copy is None and device is None:
        return fresh(wrap(as_array(np.from_dlpack(data))))
    return fresh(wrap(as_array(np.from_dlpack(data, device=None if device is None else "cpu", copy=copy))))


def _dtype(dtype: Any) -> np.dtype[Any]:
    return promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)


@creation
def zeros(*shape: Any, size: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    >>> td.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(maker(options).zeros(sizes(shape, "zeros", size), _dtype(dtype)), "zeros", options)


@creation
def ones(*shape: Any, size: Any = None, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor of ones.

    >>> td.ones(2, 3)
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    return finish(maker(options).ones(sizes(shape, "ones", size), _dtype(dtype)), "ones", options)


@creation
def empty(
    *shape: Any, size: Any = None, dtype: Any = None, memory_format: Any = contiguous_format, **options: Unpack[Options]
) -> Tensor:
    """A tensor with whatever lay in memory.

    Args:
        memory_format: the order of its dimensions in memory, such as `td.channels_last`.

    >>> td.empty(2, 3).shape
    (2, 3)
    """
    array = maker(options).empty(sizes(shape, "empty", size), _dtype(dtype))
    if memory_format is not contiguous_format:
        array = laid(array, memory_format, "empty")
    return finish(array, "empty", options)


@creation
def empty_strided(size: Any, stride: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor with whatever lay in memory, in which dimension i has the step `stride[i]`.

    Args:
        size: the shape.
        stride: the step of each dimension, in elements, 0 or more.

    Raises:
        RuntimeError: there are not as many steps as sizes, or one is negative.

    >>> td.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    shape, steps = sizes((size,), "empty_strided"), tuple(map(operator.index, stride))
    if len(shape) != len(steps) or any(step < 0 for step in steps):
        raise RuntimeError(f"empty_strided: got sizes {shape} and steps {steps}, expected as many of both, 0 or more")
    kind = _dtype(dtype)
    count = 1 + sum((n - 1) * step for n, step in zip(shape, steps, strict=True)) if math.prod(shape) else 0
    memory = np.empty(count, kind)
    array: Any = np.ndarray(shape, kind, memory, strides=[step * kind.itemsize for step in steps])
    return finish(array, "empty_strided", options)


@creation
def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor with whatever lay in memory, without gaps, whose dimensions lie there in the order given.

    Args:
        size: the shape.
        physical_layout: the dimensions, that with the largest step first: (0, 2, 3, 1) puts channels last.

    Raises:
        RuntimeError: the layout is no order of the dimensions.

    >>> td.empty_permuted((2, 3, 4), (2, 0, 1)).stride()
    (3, 1, 6)
    """
    shape, order = sizes((size,), "empty_permuted"), [operator.index(dim) for dim in physical_layout]
    if sorted(order) != [*builtins.range(len(shape))]:
        raise RuntimeError(
            f"empty_permuted: got physical_layout={tuple(order)}, expected an order of the dimensions 0 to "
            f"{len(shape) - 1} of size {shape}"
        )
    array = np.empty([shape[dim] for dim in order], _dtype(dtype))
    return finish(array.transpose(np.argsort(order).tolist()), "empty_permuted", options)


@creation
def full(size: Any, fill_value: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A tensor with every element `fill_value`, which gives the dtype too unless it is given.

    >>> td.full((2,), 3.0)
    tensor([3., 3.])
    """
    require_constants("full", fill_value=fill_value)
    value, found = given(fill_value, dtype)
    shape = sizes((size,), "full")
    return finish(np.full(shape, value, found), "full", options)


def counted(dtype: np.dtype[Any], what: str) -> np.dtype[Any]:
    """A dtype in which numbers can be counted through: any but bool."""
    if dtype.kind == "b":
        raise TypeError(f"{what}: expected a dtype of numbers, got bool; compare the result, or call .bool()")
    return dtype


@creation
def scalar_tensor(value: Any, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """A 0-d tensor.

    >>> td.scalar_tensor(2)
    tensor(2.)
    """
    require_constants("scalar_tensor", value=value)
    return tensor(value, dtype=_dtype(dtype), **options)


def like(what: str, make: Callable[..., Tensor], input: Tensor, memory_format: Any, **options: Any) -> Tensor:
    """What `make` makes of a shape, in that and the order of a tensor: inside of vmap for each example."""
    if isinstance(input, Lifted):
        return input.filled(lambda value: like(what, make, value, preserve_format, **options))
    array = as_array(input)  # rules hand in arrays
    if (choices.made or type(array) is not np.ndarray) and options.get("device") is None:
        options["device"] = device_of(array)
    made = make(input.shape, **options)
    usual = array.flags.c_contiguous if memory_format is preserve_format else memory_format is contiguous_format
    if not usual:
        made.data = laid(made._data, memory_format, what, array)
    return made


@creation
def zeros_like(
    input: Tensor, *, dtype: Any = None, memory_format: Any = preserve_format, **options: Unpack[Options]
) -> Tensor:
    """`zeros` in the shape and dtype of `input`.

    >>> td.zeros_like(td.ones(2))
    tensor([0., 0.])
    """
    return like("zeros_like", zeros, input, memory_format, dtype=dtype or input.dtype, **options)


@creation
def ones_like(
    input: Tensor, *, dtype: Any = None, memory_format: Any = preserve_format, **options: Unpack[Options]
) -> Tensor:
    """`ones` in the shape and dtype of `input`.

    >>> td.ones_like(td.zeros(2))
    tensor([1., 1.])
    """
    return like("ones_like", ones, input, memory_format, dtype=dtype or input.dtype, **options)


@creation
def empty_like(
    input: Tensor, *, dtype: Any = None, memory_format: Any = preserve_format, **options: Unpack[Options]
) -> Tensor:
    """`empty` in the shape and dtype of `input`.

    >>> td.empty_like(td.ones(2, 3)).shape
    (2, 3)
    """
    return like("empty_like", empty, input, memory_format, dtype=dtype or input.dtype, **options)


@creation
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    memory_format: Any = preserve_format,
    **options: Unpack[Options],
) -> Tensor:
    """`full` in the shape and dtype of `input`.

    >>> td.full_like(td.ones(2), 5.0)
    tensor([5., 5.])
    """

    def filled(shape: Any, **more: Any) -> Tensor:
        return full(shape, fill_value, **more)

    return like("full_like", filled, input, memory_format, dtype=dtype or input.dtype, **options)


@creation
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The numbers from `start` (0 if only the end is given) up to but without `end`.

    Integers give int64, floats the default dtype.

    >>> td.arange(5)
    tensor([0, 1, 2, 3, 4])
    >>> td.arange(0.0, 1.0, 0.25)
    tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    start, end, step = (each.item() if isinstance(each, Tensor) else each for each in (start, end, step))
    if end is None:
        start, end = 0, start
    if step == 0:
        raise ValueError("arange: got step=0, expected a number other than 0")
    if start != end and (start < end) != (step > 0):
        raise ValueError(
            f"arange: got start={start}, end={end} and step={step}, expected a step that leads from start to end"
        )
    whole = all(isinstance(n, int | np.integer) for n in (start, end, step))
    found = (promotion.INT64 if whole else promotion.default.dtype) if dtype is None else dtypes.as_dtype(dtype)
    counted(found, "arange")
    if found.kind not in "iu" or whole:
        return finish(np.arange(start, end, step).astype(found), "arange", options)
    # Of an integer dtype PyTorch cuts off what it starts with and what it adds, but counts as if it did not; int64
    # aside, of which all three are cut off.
    if found == promotion.INT64:
        return arange(int(start), int(end), int(step), dtype=found, **options)
    count = math.ceil((end - start) / step)
    return finish((int(start) + int(step) * np.arange(count)).astype(found), "arange", options)


@creation
def range(start: Any, end: Any, step: Any = 1, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The numbers from `start` up to and with `end`, of the default dtype; `arange` is what PyTorch advises instead.

    Raises:
        ValueError: `step` is 0, or does not lead from start to end.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     td.range(1, 3)
    tensor([1., 2., 3.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.range.html
    """
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"range: got start={start}, end={end}, step={step}, expected a step that leads to the end")
    warn("range: it is deprecated in PyTorch: its end is included, as in no other function; use arange")
    numbers = start + step * np.arange(math.floor((end - start) / step) + 1)
    return finish(numbers.astype(counted(_dtype(dtype), "range")), "range", options)


def _spaced(what: str, start: Any, end: Any, steps: int, dtype: Any) -> tuple[np.ndarray, np.dtype[Any]]:
    """Numbers at equal distances from one to the other, and the dtype to convert them to."""
    for limit in (start, end):
        if isinstance(limit, Tensor) and limit.ndim:
            raise ValueError(f"{what}: expected numbers or 0-d tensors, got one of shape {tuple(limit.shape)}")
    require_constants(what, start=start, end=end)
    limits = [limit.item() if isinstance(limit, Tensor) else limit for limit in (start, end)]
    if steps < 0:
        raise ValueError(f"{what}: expected steps >= 0, got {steps}")
    if dtype is None and any(isinstance(limit, complex) for limit in limits):
        found = np.result_type(promotion.default.dtype, np.complex64)
    else:
        found = counted(_dtype(dtype), what)
    if found.kind in "iu":
        limits = [int(limit) for limit in limits]
    if found.kind != "c" and any(isinstance(limit, complex) for limit in limits):
        raise RuntimeError(f"{what}: got complex limits and dtype {found}, expected a complex dtype")
    made: np.ndarray = np.linspace(limits[0], limits[1], steps)
    if steps > 1 and found.kind in "iu" and what == "linspace":
        # From both ends, as PyTorch counts, since what is cut off differs.
        low, high = limits
        step, there = (high - low) / (steps - 1), np.arange(steps)
        made = np.where(there < steps // 2, low + step * there, high - step * (steps - 1 - there))
    return made, found


@creation
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included.

    Args:
        start, end: numbers, or 0-d tensors.
        steps: how many.
        dtype: the default one, or complex if a limit is.

    Raises:
        ValueError: negative steps, or a tensor that is not 0-d.

    >>> td.linspace(0.0, 1.0, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    made, found = _spaced("linspace", start, end, steps, dtype)
    if made.size:
        promotion.require_room(made, found)
    return finish(made.astype(found), "linspace", options)


@creation
def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, **options: Unpack[Options]
) -> Tensor:
    """`steps` powers of `base` whose exponents lie at equal distances from `start` to `end`, both included.

    Args:
        start, end: exponents: numbers, or 0-d tensors.
        steps: how many.
        base: the base of the powers.
        dtype: the default one, or complex if a limit is.

    Raises:
        ValueError: negative steps, or a tensor that is not 0-d.

    >>> td.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    made, found = _spaced("logspace", start, end, steps, dtype)
    return finish(np.power(base, made).astype(found), "logspace", options)


@creation
def eye(n: int, m: int | None = None, *, dtype: Any = None, **options: Unpack[Options]) -> Tensor:
    """The n by n (or n by m) matrix with ones on its diagonal.

    >>> td.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = sizes((n, n if m is None else m), "eye")
    return finish(np.eye(*shape, dtype=_dtype(dtype)), "eye", options)


def _beside(lifted: Lifted, made: Tensor) -> Tensor:
    """A new tensor as one into which the lifted one can be written."""
    return lifted.beside(_beside(lifted.value, made) if isinstance(lifted.value, Lifted) else made)


def _new(name: str, make: Any) -> None:
    """Makes the method `new_<name>` of Tensor: creation in the tensor's own dtype."""

    def new(self: Tensor, *given: Any, **options: Any) -> Tensor:
        place = options.get("device") or (self.device if choices.made or not at_hand(self) else None)
        dtype = options.get("dtype") or self.dtype
        made: Tensor = make(*given, **{**options, "dtype": dtype, **({"device": place} if place else {})})
        return _beside(self, made) if isinstance(self, Lifted) and make is not tensor else made

    new.__name__ = new.__qualname__ = f"new_{name}"
    new.__doc__ = f"`td.{name}` in the dtype of this tensor."
    attach(f"new_{name}", new)


def _new_of_data_or_shape(self: Tensor, *args: Any) -> Tensor:
    """A tensor of this one's dtype with a copy of the data or, of integers or a `td.Size`, of that shape.

    >>> td.ones(2).new([1, 2])
    tensor([1., 2.])

    Source: https://docs.pytorch.org/docs/stable/tensors.html
    """
    made = Tensor(*args, dtype=self.dtype)
    return made if at_hand(self) else made.to(self.device)


_new_of_data_or_shape.__name__ = _new_of_data_or_shape.__qualname__ = "new"
attach("new", _new_of_data_or_shape)
for _make in (zeros, ones, empty, empty_strided, full, tensor):
    _new(_make.__name__, _make)
