"""PyTorch's first names of tensors, by their elements: `td.LongTensor([1, 2])`."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.dtypes import TENSOR_TYPES, dtype
from tinygrad_dl.core.tensor import Tensor

__all__ = [*TENSOR_TYPES]
TEXT = """Tensors of {of}: `td.{name}(2, 3)` of a shape, with whatever lay in memory, `td.{name}(data)` with a copy.

Tensors of this dtype are instances of it, whatever made them.

>>> import tinygrad_dl as td
>>> isinstance(td.zeros(2, dtype="{of}"), td.{name})
True

Source: https://docs.pytorch.org/docs/stable/tensors.html
"""


class TensorType(type):
    """The class of `td.FloatTensor` and its like."""

    @property
    def dtype(cls) -> dtype:
        """The dtype of its tensors."""
        return dtype(TENSOR_TYPES[cls.__name__])

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor) and value.dtype == TENSOR_TYPES[cls.__name__]

    def __call__(cls, *args: Any) -> Tensor:
        return Tensor(*args, dtype=cls.dtype)


for _name, _of in TENSOR_TYPES.items():
    globals()[_name] = TensorType(_name, (), {"__doc__": TEXT.format(name=_name, of=_of), "__module__": "tinygrad_dl"})
