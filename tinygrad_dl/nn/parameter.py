"""Parameter: a tensor that a module trains."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.device import check_device, module_for
from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.tensor import Tensor, as_array, rebuild

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to, and requires a gradient.

    Shares the memory of `data`.

    >>> layer = td.nn.Module()
    >>> layer.scale = td.nn.Parameter(td.ones(2))
    >>> [name for name, _ in layer.named_parameters()]
    ['scale']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html
    """

    @composition
    def __init__(self, data: Any = None, requires_grad: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if requires_grad:
            self.requires_grad_()

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # As in PyTorch, its gradient does not go with it: a copy of a model begins anew.
        new: Parameter = rebuild(type(self), self._data.copy(), self.requires_grad)  # type: ignore[assignment]
        memo[id(self)] = new
        return new


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to: state that is saved but not trained.

    >>> layer = td.nn.Module()
    >>> layer.total = td.nn.Buffer(td.zeros(1))
    >>> list(layer.state_dict())
    ['total']

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Buffer.html
    """

    persistent: bool = True

    @composition
    def __init__(self, data: Any = None, *, persistent: bool = True):
        self._data = np.empty(0, promotion.default.dtype) if data is None else as_array(data)
        self._edge = None
        if not persistent:
            self.persistent = False


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """The options with which a layer makes its tensors, out of the keyword arguments that it got.

    Args:
        kwargs: device, dtype, memory_format, or a dict of these as `factory_kwargs`, where a name has another meaning
            in the layer.

    Raises:
        TypeError: there are other keyword arguments, or one is given in both ways.

    >>> from tinygrad_dl.nn.parameter import factory_kwargs
    >>> factory_kwargs({"dtype": td.float64, "factory_kwargs": {"device": "cpu"}})
    {'device': 'cpu', 'dtype': tinygrad_dl.float64}
    """
    given = {} if kwargs is None else dict(kwargs)
    apart = dict(given.pop("factory_kwargs", {}))
    for name in given:
        if name not in ("device", "dtype", "memory_format") or name in apart:
            raise TypeError(
                f"factory_kwargs: got {name!r}{' twice' * (name in apart)}, expected device, dtype and memory_format, "
                "each once, here or in factory_kwargs"
            )
    return apart | given


ARRAY: Any = vars(Tensor)["_data"]  # the attribute of all tensors, which those without a shape hide


class UninitializedTensorMixin:
    """What tensors share that have a dtype but no shape yet: a lazy layer gives them one by `materialize`.

    They are tensors of no elements, which their class hides, so that no operation takes them for that.
    """

    __slots__ = ()
    _uninitialized = True
    cls_to_become: type[Tensor]

    @property
    def _data(self) -> np.ndarray:
        raise self._refusal("values")

    @_data.setter
    def _data(self, array: np.ndarray) -> None:
        ARRAY.__set__(self, array)

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is none."""
        raise self._refusal("a shape")

    def _refusal(self, what: str) -> ArgumentError:
        return ArgumentError(
            f"{type(self).__name__}: got an uninitialized parameter or buffer of a lazy layer, expected one that has "
            f"{what}; call the layer once with an input, or load its state"
        )

    @property
    def dtype(self) -> Any:
        """The dtype that its elements will have."""
        return dtypes.DTYPES[ARRAY.__get__(self).dtype]

    @property
    def data(self) -> Any:
        """Itself: there are no values to take out of the graph."""
        return self

    @data.setter
    def data(self, value: Any) -> None:
        array = ARRAY.__get__(value) if is_lazy(value) else value
        with shown(self):
            self.data = array

    def detach(self) -> Any:
        """Itself: there are no values to take out of the graph."""
        return self

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Makes it a parameter or buffer as any other, of this shape and numbers that nobody wrote yet."""
        check_device(device)
        tensor: Any = self
        tensor.__class__ = self.cls_to_become
        found = tensor.dtype if dtype is None else dtypes.as_dtype(dtype)
        tensor.data = module_for(device).empty(shape, found)

    def __reduce_ex__(self, protocol: Any) -> Any:
        tensor: Any = self
        return type(self), (tensor.requires_grad, None, self.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new = memo[id(self)] = type(self)(*self.__reduce_ex__(4)[1])
        return new

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@contextlib.contextmanager
def shown(tensor: Any) -> Iterator[None]:
    """Inside of it, a tensor without a shape is one of no elements."""
    lazy, tensor.__class__ = tensor.__class__, tensor.cls_to_become
    try:
        yield
    finally:
        tensor.__class__ = lazy


def hidden(name: str) -> Any:
    """A method of tensors, for those without a shape: what it returns has none either."""

    @functools.wraps(getattr(Tensor, name))
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        with shown(self):
            result = getattr(self, name)(*args, **kwargs)
        if isinstance(result, Tensor):
            result.__class__ = type(self)
        return result

    return method


for _name in ("to", "type", "half", "float", "double", "bfloat16", "cpu", "requires_grad_"):
    setattr(UninitializedTensorMixin, _name, hidden(_name))


def is_lazy(param: Any) -> bool:
    """Whether it is a tensor without a shape."""
    return isinstance(param, UninitializedTensorMixin)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter that has no shape yet, as those of lazy layers before their first call.

    >>> td.nn.LazyLinear(2).weight
    <UninitializedParameter>

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.UninitializedParameter.html
    """

    cls_to_become = Parameter

    @composition
    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None):
        check_device(device)
        super().__init__(
            np.empty(0, promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)), requires_grad
        )


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer that has no shape yet, as those of lazy layers before their first call.

    >>> td.nn.LazyBatchNorm1d().running_mean
    <UninitializedBuffer>

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.UninitializedBuffer.html
    """

    cls_to_become = Tensor

    @composition
    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True):
        check_device(device)
        data = np.empty(0, promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype))
        super().__init__(data, persistent=persistent)
        if requires_grad:
            self.requires_grad_()
