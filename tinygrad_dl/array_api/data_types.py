"""Dtypes: their kinds and limits, which can be cast to which, what the namespace has."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import Tensor
from tinygrad_dl.array_api._operands import common
from tinygrad_dl.core import dtypes as declared
from tinygrad_dl.core.device import CPU, check_device
from tinygrad_dl.core.dtypes import DTYPES, as_dtype, dtype

# fmt: off
__all__ = [
    "__array_namespace_info__", "astype", "bool", "can_cast", "complex64", "complex128", "finfo", "float32", "float64",
    "iinfo", "int8", "int16", "int32", "int64", "isdtype", "result_type", "uint8", "uint16", "uint32", "uint64",
]
# fmt: on

bool = declared.bool_
complex64, complex128 = declared.complex64, declared.complex128
float32, float64 = declared.float32, declared.float64
int8, int16, int32, int64 = declared.int8, declared.int16, declared.int32, declared.int64
uint8, uint16, uint32, uint64 = declared.uint8, declared.uint16, declared.uint32, declared.uint64

LETTERS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}
OURS = (bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128)


def astype(x: Tensor, dtype: Any, /, *, copy: Any = True, device: Any = None) -> Tensor:
    """The tensor in another dtype; itself with `copy=False` if it has that dtype.

    >>> td.array_api.astype(td.tensor([1, 2]), td.float32)
    tensor([1., 2.])
    """
    check_device(device)
    return x.to(dtype, copy=copy)


def can_cast(from_: Any, to: Any, /) -> Any:
    """Whether a dtype, or a tensor's, promotes to another: nothing that it holds is lost.

    >>> td.array_api.can_cast(td.int8, td.int16)
    True
    """
    source = from_.dtype if isinstance(from_, Tensor) else from_
    return np.can_cast(as_dtype(source), as_dtype(to))


class finfo(td.finfo):
    """The limits of a floating dtype, or of a tensor's: bits, eps, max, min, smallest_normal, dtype.

    >>> td.array_api.finfo(td.float32).bits
    32

    Source: https://data-apis.org/array-api/2025.12/API_specification/generated/array_api.finfo.html
    """

    def __init__(self, type: Any, /):
        super().__init__(type.dtype if isinstance(type, Tensor) else type)
        self.dtype: Any = dtype(self.dtype)


class iinfo(td.iinfo):
    """The limits of an integer dtype, or of a tensor's: bits, max, min, dtype.

    >>> td.array_api.iinfo(td.int8).max
    127

    Source: https://data-apis.org/array-api/2025.12/API_specification/generated/array_api.iinfo.html
    """

    def __init__(self, type: Any, /):
        super().__init__(type.dtype if isinstance(type, Tensor) else type)
        self.dtype: Any = dtype(self.dtype)


def isdtype(dtype: Any, kind: Any) -> Any:
    """Whether a dtype is of a kind, is another dtype, or is one of several such.

    Args:
        kind: "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric",
            a dtype, or a tuple of these.

    Raises:
        ValueError: there is no such kind.

    >>> td.array_api.isdtype(td.int8, ("integral", td.float32))
    True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, each) for each in kind)
    if not isinstance(kind, str):
        return as_dtype(dtype) == as_dtype(kind)
    if kind not in LETTERS:
        raise ValueError(f"isdtype: got kind={kind!r}, expected one of {', '.join(map(repr, LETTERS))}, or a dtype")
    found = DTYPES[as_dtype(dtype)]
    return ("f" if found.is_floating_point else found.kind) in LETTERS[kind]


def result_type(*arrays_and_dtypes: Any) -> dtype:
    """The dtype that tensors, dtypes and numbers promote to; 0-d tensors count as any other.

    >>> td.array_api.result_type(td.int8, td.uint8, 1)
    tinygrad_dl.int16
    """
    return DTYPES[common(arrays_and_dtypes)]


class Info:
    """What the namespace can do, and the dtypes and devices that it has."""

    def capabilities(self) -> dict[str, Any]:
        """Shapes that depend on data, and indexing by masks, work; the number of dimensions is NumPy's at most."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Any:
        """Where tensors live: the CPU."""
        return CPU

    def devices(self) -> tuple[Any, ...]:
        """All devices: the CPU."""
        return (CPU,)

    def default_dtypes(self, *, device: Any = None) -> dict[str, dtype]:
        """The dtypes of Python's numbers; that of floats is `td.get_default_dtype()`."""
        check_device(device)
        real = td.get_default_dtype()
        numbers = td.complex128 if real == td.float64 else td.complex64
        return {"real floating": real, "complex floating": numbers, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, dtype]:
        """The standard's dtypes by name; those of a kind, as `isdtype` knows them, or of several."""
        check_device(device)
        return {each.name: each for each in OURS if kind is None or isdtype(each, kind)}


def __array_namespace_info__() -> Info:
    """What the namespace can do, and the dtypes and devices that it has.

    >>> td.array_api.__array_namespace_info__().default_device()
    device(type='cpu')
    """
    return Info()
