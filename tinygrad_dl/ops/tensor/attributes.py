"""Functions that read what a tensor is: its dtype and size."""

from __future__ import annotations

from typing import Any, TypeGuard

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dtypes import DTYPES, dtype
from tinygrad_dl.core.promotion import result_dtype
from tinygrad_dl.core.tensor import Tensor, as_array
from tinygrad_dl.core.transforms import is_known


def is_tensor(obj: object) -> TypeGuard[Tensor]:
    """Whether an object is a tensor.

    >>> td.is_tensor(td.ones(2)), td.is_tensor([1.0, 1.0])
    (True, False)
    """
    return isinstance(obj, Tensor)


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
