"""The dtypes of tensors, by PyTorch's names and with its attributes; NumPy takes them for its own.

`promotion.py` has the dtypes of arrays, which the engine works with.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, TypeAlias

import numpy as np

from tinygrad_dl.core.promotion import COMPLEX64, COMPLEX_OF, DType, category, default, promote
from tinygrad_dl.core.promotion import bfloat16 as find_bfloat16

# Beside NumPy's names. What PyTorch calls float and int, Python and NumPy call float32 and int32.
NAMES: Final = {
    "float": "float32",
    "half": "float16",
    "double": "float64",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "cfloat": "complex64",
    "cdouble": "complex128",
}
# PyTorch's first names of tensors, by their elements.
TENSOR_TYPES: Final = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "ByteTensor": "uint8",
    "CharTensor": "int8",
    "ShortTensor": "int16",
    "IntTensor": "int32",
    "LongTensor": "int64",
    "BoolTensor": "bool",
    "ComplexFloatTensor": "complex64",
    "ComplexDoubleTensor": "complex128",
    "UInt16Tensor": "uint16",
    "UInt32Tensor": "uint32",
    "UInt64Tensor": "uint64",
}
# NumPy's types of numbers, without the abstract ones, which mean no dtype.
CONCRETE: Final = frozenset(np.sctypeDict.values())


class dtype:
    """The type of a tensor's elements: `td.float32`, `td.int64`, `td.bool` and so on; `td.dtype(of)` finds the others'.

    There is one object for each type. NumPy takes it wherever it takes a dtype, it is equal to NumPy's dtype and hashes
    as that does, and it has NumPy's attributes (`kind`, `char`, `type`...) beside PyTorch's.

    Args:
        of: a dtype of NumPy's or of ours, its name, or a Python type: `float` is float64, and "float" float32.

    Raises:
        TypeError: it means no type of numbers. ImportError: bfloat16, without the package ml_dtypes.

    >>> import numpy as np
    >>> td.ones(2).dtype
    tinygrad_dl.float32
    >>> td.float32.is_floating_point, td.float32.itemsize, td.float32 == np.float32
    (True, 4, True)
    >>> np.zeros(2, td.float32).dtype
    dtype('float32')

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype
    """

    __slots__ = ("dtype", "is_complex", "is_floating_point", "is_signed", "itemsize", "kind", "name")

    dtype: DType  # NumPy's, which NumPy asks for by this name
    name: str
    kind: str
    itemsize: int
    is_floating_point: bool
    is_complex: bool
    is_signed: bool

    def __new__(cls, of: Any) -> Dtype:
        return DTYPES[as_dtype(of)]

    @property
    def __numpy_dtype__(self) -> DType:
        return self.dtype

    def to_complex(self) -> Dtype:
        """The dtype of complex numbers with parts of this one; of half precision, complex64.

        Raises:
            TypeError: it is a dtype of integers or bools.

        >>> import tinygrad_dl as td
        >>> td.float64.to_complex()
        tinygrad_dl.complex128
        """
        if not (self.is_floating_point or self.is_complex):
            raise TypeError(f"to_complex: got {self}, expected a floating or complex dtype")
        return self if self.is_complex else DTYPES[COMPLEX_OF.get(self.dtype, COMPLEX64)]

    def to_real(self) -> Dtype:
        """The dtype of the parts of complex numbers of this one; itself if it is real.

        >>> import tinygrad_dl as td
        >>> td.complex64.to_real()
        tinygrad_dl.float32
        """
        return DTYPES[np.empty(0, self.dtype).real.dtype] if self.is_complex else self

    def __eq__(self, other: object) -> bool:
        if other is self or other is self.dtype:
            return True
        if isinstance(other, dtype):
            return False
        if isinstance(other, str) and "bfloat16" in (other, self.name):
            return other == self.name
        if isinstance(other, type) and issubclass(other, np.generic) and other not in CONCRETE:
            return other is self.dtype.type
        if not isinstance(other, np.dtype | str | type):
            return NotImplemented
        try:
            return bool(self.dtype == as_dtype(other))
        except TypeError:
            return False

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"tinygrad_dl.{self.name}" if self.name in NUMBERS else f"tinygrad_dl.dtype({self.name!r})"

    def __reduce__(self) -> Any:
        return dtype, (self.name,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"dtype {self} has no attribute {name!r}")
        return getattr(self.dtype, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"dtype {self} cannot be changed: got {name}={value!r}, expected no assignment")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"dtype {self} cannot be changed: got del {name}, expected no deletion")


Dtype: TypeAlias = dtype  # where `dtype` is an attribute or an argument


class _Absent(dtype):
    """bfloat16 without the package that brings it: programs can compare with it, and are told when they use it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(find_bfloat16(), name)  # raises, for `dtype` too

    def __eq__(self, other: object) -> bool:
        return other is self

    def __hash__(self) -> int:
        return hash(self.name)


class _Dtypes(dict[DType, dtype]):
    """The dtype for each of NumPy's, made when it is first asked for."""

    def __missing__(self, of: DType) -> dtype:
        kind = category(of)  # refuses what holds no numbers
        new = object.__new__(dtype)
        object.__setattr__(new, "dtype", of)
        return self.setdefault(of, _described(new, of.name, of.kind, of.itemsize, kind))


def _described(new: dtype, name: str, kind: str, itemsize: int, category: int) -> dtype:
    """A new dtype with its attributes."""
    attributes: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "itemsize": itemsize,
        "is_floating_point": category == 2,
        "is_complex": category == 3,
        "is_signed": kind not in "bu",
    }
    for attribute, value in attributes.items():
        object.__setattr__(new, attribute, value)
    return new


DTYPES: Final = _Dtypes()


def as_dtype(dtype: Any) -> DType:
    """The NumPy dtype meant by a dtype of ours or of NumPy's, one of PyTorch's names, or a Python type."""
    if type(dtype) is Dtype:
        return dtype.dtype
    if isinstance(dtype, np.dtype):
        return dtype
    if isinstance(dtype, str):
        name = dtype.removeprefix("torch.")
        means: Any = NAMES.get(name) or TENSOR_TYPES.get(name, name)
    else:
        means = TENSOR_TYPES.get(getattr(dtype, "__name__", ""), dtype)
    try:
        if isinstance(means, str) and means == "bfloat16":
            return find_bfloat16()
        if means is None or (hasattr(means, "__array__") and not isinstance(means, type)):
            raise TypeError
        found: DType = np.dtype(means)
    except (TypeError, ValueError, SyntaxError):  # NumPy reads a string with commas as the parts of a structure
        raise TypeError(f"expected a dtype such as td.float32 or 'float32', got {dtype!r}") from None
    return found


float16: Final = dtype("float16")
float32: Final = dtype("float32")
float64: Final = dtype("float64")
complex64: Final = dtype("complex64")
complex128: Final = dtype("complex128")
int8: Final = dtype("int8")
int16: Final = dtype("int16")
int32: Final = dtype("int32")
int64: Final = dtype("int64")
uint8: Final = dtype("uint8")
uint16: Final = dtype("uint16")
uint32: Final = dtype("uint32")
uint64: Final = dtype("uint64")
bool_: Final = dtype("bool")
half, double, long, short, cfloat, cdouble = float16, float64, int64, int16, complex64, complex128
NUMBERS: Final = frozenset(each.name for each in DTYPES.values()) | {"bfloat16"}


def __getattr__(name: str) -> dtype:
    if name == "bfloat16":
        try:
            found = DTYPES[find_bfloat16()]
        except ImportError:
            found = _described(object.__new__(_Absent), "bfloat16", "V", 2, 2)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_default_dtype() -> dtype:
    """The dtype that Python floats become (float32 unless set).

    >>> td.get_default_dtype()
    tinygrad_dl.float32
    """
    return DTYPES[default.dtype]


def set_default_dtype(dtype: Any) -> None:
    """Sets the dtype that Python floats become: float16, float32 or float64.

    >>> td.set_default_dtype(td.float64)
    >>> td.tensor(1.0).dtype
    tinygrad_dl.float64
    >>> td.set_default_dtype(td.float32)
    """
    found = as_dtype(dtype)
    if category(found) != 2:
        raise TypeError(f"set_default_dtype: expected a floating dtype, got {found}; pass td.float32 or td.float64")
    default.dtype = found


def promote_types(type1: Any, type2: Any) -> dtype:
    """The dtype of an operation between tensors of these dtypes, by PyTorch's rules.

    The higher category wins with its own precision, so int64 with float32 is float32.

    >>> td.promote_types(td.int64, td.float32)
    tinygrad_dl.float32
    """
    try:
        return DTYPES[promote(*_given("promote_types", type1=type1, type2=type2))]
    except TypeError as error:
        raise TypeError(f"promote_types: {str(error).removeprefix('promote_types: ')}") from None


def can_cast(from_: Any, to: Any) -> bool:
    """Whether results of dtype `from_` may be stored in tensors of dtype `to`: bool < integers < floats < complex.

    >>> td.can_cast(td.int64, td.float32), td.can_cast(td.float32, td.int64)
    (True, False)
    """
    before, after = _given("can_cast", from_=from_, to=to)
    return category(before) <= category(after)


def _given(what: str, **dtypes: Any) -> list[DType]:
    """Arguments that are dtypes, as NumPy's; refuses names and types: in their place a value is a mistake."""
    for name, each in dtypes.items():
        if not isinstance(each, dtype | np.dtype):
            raise TypeError(f"{what}: got {name}={each!r}, expected a dtype such as td.float32")
    return [as_dtype(each) for each in dtypes.values()]


class finfo:
    """The limits of a floating dtype, as Python floats; of a complex one, those of its parts.

    Args:
        dtype: the dtype; without one, the default dtype.

    Raises:
        TypeError: it is a dtype of integers or bools.

    >>> td.finfo(td.float32).eps, td.finfo(td.float16).max
    (1.1920928955078125e-07, 65504.0)

    Source: https://docs.pytorch.org/docs/stable/type_info.html#torch.torch.finfo
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, dtype: Any = None):
        real = (get_default_dtype() if dtype is None else Dtype(dtype)).to_real()
        if not real.is_floating_point:
            raise TypeError(f"finfo: got {real}, expected a floating or complex dtype; take td.iinfo for integers")
        limits: Any = _limits(real.dtype)
        self.bits, self.dtype = 8 * real.itemsize, real.name
        self.min, self.max, self.eps = float(limits.min), float(limits.max), float(limits.eps)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = 10.0**-limits.precision

    def __repr__(self) -> str:
        return f"finfo({', '.join(f'{name}={getattr(self, name)}' for name in self.__slots__)})"


def _limits(dtype: DType) -> Any:
    if dtype.kind == "V":
        import ml_dtypes

        finfo: Any = ml_dtypes.finfo
        return finfo(dtype)
    return np.finfo(dtype)


class iinfo:
    """The limits of an integer dtype.

    Raises:
        TypeError: it is no dtype of integers.

    >>> td.iinfo(td.int8)
    iinfo(bits=8, dtype=int8, max=127, min=-128)

    Source: https://docs.pytorch.org/docs/stable/type_info.html#torch.torch.iinfo
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, dtype: Any):
        found = as_dtype(dtype)
        if found.kind not in "iu":
            raise TypeError(f"iinfo: got {found}, expected an integer dtype; take td.finfo for floats")
        limits = np.iinfo(found)
        self.bits, self.dtype, self.min, self.max = limits.bits, found.name, int(limits.min), int(limits.max)

    def __repr__(self) -> str:
        return f"iinfo({', '.join(f'{name}={getattr(self, name)}' for name in self.__slots__)})"
