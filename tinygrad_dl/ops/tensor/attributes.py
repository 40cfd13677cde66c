"""Functions that read what a tensor is: its dtype and size."""

from __future__ import annotations

from typing import Any, TypeGuard

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dtypes import DTYPES, dtype
from tinygrad_dl.core.promotion import result_dtype
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.ops._overload import method
from tinygrad_dl.ops.tensor.storage import UntypedStorage


def is_tensor(obj: object) -> TypeGuard[Tensor]:
    """Whether an object is a tensor.

    >>> td.is_tensor(td.ones(2)), td.is_tensor([1.0, 1.0])
    (True, False)
    """
    return isinstance(obj, Tensor)


def is_storage(obj: object) -> bool:
    """Whether an object is a tensor's memory: an `UntypedStorage`, or a `TypedStorage`.

    >>> td.is_storage(td.ones(2).untyped_storage()), td.is_storage(td.ones(2))
    (True, False)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_storage.html
    """
    return isinstance(obj, UntypedStorage)


def typename(obj: Any) -> str:
    """The name of an object's type with its module; of a tensor PyTorch's name, which says the dtype.

    >>> td.typename(td.ones(2)), td.typename(td.nn.Linear), td.typename(3)
    ('torch.FloatTensor', 'tinygrad_dl.nn.layers.linear.Linear', 'int')

    Source: https://docs.pytorch.org/docs/stable/generated/torch.typename.html
    """
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    return kind.__qualname__ if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{kind.__qualname__}"


@method
def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether two tensors show the same elements of the same memory in the same shape.

    >>> import tinygrad_dl as td
    >>> x = td.ones(2)
    >>> x.is_set_to(x.view(2)), x.is_set_to(x.view(2, 1))
    (True, False)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.is_set_to.html
    """
    return self.data_ptr() == tensor.data_ptr() and self.shape == tensor.shape and self.stride() == tensor.stride()


@method
def dim_order(self: Tensor) -> tuple[int, ...]:
    """The dimensions in the order in which they lie in memory, the one of the largest step first.

    >>> import tinygrad_dl as td
    >>> td.ones(2, 3).T.dim_order()
    (1, 0)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.dim_order.html
    """
    return tuple(sorted(range(self.ndim), key=lambda dim: -self.stride(dim)))


@composition
def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are real floating-point numbers.

    >>> td.is_floating_point(td.ones(2)), td.is_floating_point(td.tensor(1))
    (True, False)
    """
    return input.dtype.is_floating_point


@composition
def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers.

    >>> td.is_complex(td.tensor(1j)), td.is_complex(td.tensor(1.0))
    (True, False)
    """
    return input.dtype.is_complex


@composition
def numel(input: Tensor) -> int:
    """The number of elements.

    >>> td.numel(td.ones(2, 3))
    6
    """
    return input.numel()


@composition
def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype of an operation between two tensors or numbers, by PyTorch's rules.

    >>> td.result_type(td.tensor([1, 2]), 1.0)
    tinygrad_dl.float32
    """
    numbers = bool | int | float | complex

    def shown(value: Any) -> Any:  # inside of a transform: what has the dtype, and as many dimensions
        return as_array(value) if is_known(value) else module_of(value).empty((1,) * value.ndim, value.dtype)

    return DTYPES[result_dtype(tuple(v if isinstance(v, numbers) else shown(v) for v in (tensor1, tensor2)))]
