"""Element types, PyTorch's promotion rules between them, and the device that all tensors share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

float16: Final = np.dtype(np.float16)
float32: Final = np.dtype(np.float32)
float64: Final = np.dtype(np.float64)
complex64: Final = np.dtype(np.complex64)
complex128: Final = np.dtype(np.complex128)
int8: Final = np.dtype(np.int8)
int16: Final = np.dtype(np.int16)
int32: Final = np.dtype(np.int32)
int64: Final = np.dtype(np.int64)
uint8: Final = np.dtype(np.uint8)
bool_: Final = np.dtype(np.bool_)
half, double, long, short = float16, float64, int64, int16

NAMES: Final[dict[str, np.dtype[Any]]] = {
    "float": float32,
    "half": half,
    "double": double,
    "long": long,
    "int": int32,
    "short": short,
    "bool": bool_,
    "cfloat": complex64,
    "cdouble": complex128,
}
DType = np.dtype[Any]
COMPLEX_OF: Final[dict[DType, DType]] = {float32: complex64, float64: complex128}
COMPLEX: Final = frozenset(COMPLEX_OF.values())


class _Default:
    dtype: DType = float32


def get_default_dtype() -> DType:
    """The dtype that Python floats become (float32 unless set).

    >>> td.get_default_dtype()
    dtype('float32')
    """
    return _Default.dtype


def set_default_dtype(dtype: Any) -> None:
    """Sets the dtype that Python floats become: float16, float32 or float64.

    >>> td.set_default_dtype(td.float64)
    >>> td.tensor(1.0).dtype
    dtype('float64')
    >>> td.set_default_dtype(td.float32)
    """
    found = as_dtype(dtype)
    if not is_floating(found):
        raise TypeError(f"set_default_dtype: expected a floating dtype, got {found}; pass td.float32 or td.float64")
    _Default.dtype = found


def as_dtype(dtype: Any) -> DType:
    """The NumPy dtype meant by a dtype, one of PyTorch's names, or a Python type."""
    if isinstance(dtype, np.dtype):
        return dtype
    if isinstance(dtype, str):
        if dtype in NAMES:
            return NAMES[dtype]
        if dtype == "bfloat16":
            return bfloat16()
    try:
        found: DType = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"expected a dtype such as td.float32 or 'float32', got {dtype!r}") from None
    return found


def bfloat16() -> DType:
    """The bfloat16 dtype, which the package ml_dtypes brings."""
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError("bfloat16 needs ml_dtypes: pip install 'tinygrad_dl[io]'") from None
    found: DType = np.dtype(ml_dtypes.bfloat16)
    return found


def category(dtype: DType) -> int:
    """0 for bool, 1 for integers, 2 for floats, 3 for complex: the order in which types promote."""
    kind = dtype.kind
    if kind == "f" or (kind == "V" and dtype.name == "bfloat16"):
        return 2
    try:
        return {"b": 0, "i": 1, "u": 1, "c": 3}[kind]
    except KeyError:
        raise TypeError(f"got dtype {dtype}, expected bool, integer, float or complex numbers") from None


def is_floating(dtype: DType) -> bool:
    """Whether it is a real floating dtype."""
    return category(dtype) == 2


def is_half(dtype: DType) -> bool:
    """Whether it is float16 or bfloat16, in which nothing is computed: arithmetic is float32's, rounded once."""
    return dtype is float16 or (dtype.itemsize == 2 and dtype.kind == "V")


def require_real(numbers: np.ndarray, dtype: DType) -> None:
    """Refuses complex numbers for a place of real ones: their imaginary parts would be lost."""
    if numbers.dtype.kind == "c" and dtype.kind not in "cb":
        raise TypeError(f"got complex numbers, expected real ones for dtype {dtype}; give their parts, .real and .imag")


def require_room(numbers: np.ndarray, dtype: DType) -> None:
    """Refuses numbers for a place of an integer dtype that cannot hold them; other dtypes round, or ask only for truth.

    Negative integers may stand for unsigned ones, as everywhere in C: -1 among uint8 is 255.

    Raises:
        OverflowError: a number is too large, or no number. TypeError: it is complex, and the place real.
    """
    require_real(numbers, dtype)
    if dtype.kind not in "iu" or numbers.dtype.kind not in "iuf" or not numbers.size:
        return
    low, high, limits = numbers.min(), numbers.max(), np.iinfo(dtype)
    least, most = int(limits.min), int(limits.max)
    if not least and numbers.dtype.kind == "i":
        least = -most
    if not (least <= low and (high <= most if numbers.dtype.kind != "f" else high < most + 1)):
        got = f"numbers from {low} to {high}" if numbers.size > 1 else f"the number {low}"
        raise OverflowError(f"got {got}, expected what dtype {dtype} can hold, {least} to {most}")


def factor(number: Any, dtype: DType) -> Any:
    """A number to multiply arrays of that dtype by: an int beside integers wraps around, as in all arithmetic."""
    return np.asarray(number).astype(dtype) if dtype.kind in "iu" and isinstance(number, int) else number


def in_single(value: Any) -> Any:
    """Arrays and tensors of half precision as float32, those in lists and tuples too; all else as it is.

    Nothing is lost: every number of half precision is one of float32.
    """
    if type(value) in (tuple, list):
        return type(value)([in_single(each) for each in value])
    dtype = getattr(value, "dtype", None)
    return value.astype(float32) if isinstance(dtype, np.dtype) and is_half(dtype) else value


def is_differentiable(dtype: DType) -> bool:
    """Whether tensors of this dtype can require a gradient: floats and complex numbers."""
    return category(dtype) >= 2


def promote_types(a: DType, b: DType) -> DType:
    """The dtype of an operation between tensors of dtypes `a` and `b`, by PyTorch's rules.

    The higher category wins with its own precision, so int64 with float32 is float32.

    >>> td.promote_types(td.int64, td.float32)
    dtype('float32')
    """
    for name, dtype in (("a", a), ("b", b)):
        if not isinstance(dtype, np.dtype):
            raise TypeError(f"promote_types: got {name}={dtype!r}, expected a dtype such as td.float32")
    high, low = (a, b) if category(a) >= category(b) else (b, a)
    if category(high) == category(low):
        return np.promote_types(a, b)
    if category(high) == 3 and low == float64:
        return complex128
    return high


_SCALARS: Final = {bool: 0, int: 1, float: 2, complex: 3}


def scalar_category(value: Any) -> int | None:
    """The category of a Python or NumPy number; None for anything else."""
    found = _SCALARS.get(type(value))
    if found is None:
        for kind, code in _SCALARS.items():
            if isinstance(value, kind):
                return code
        if isinstance(value, np.generic):
            return category(value.dtype)
    return found


def result_dtype(values: tuple[Any, ...]) -> DType:
    """The dtype in which an operation on these arrays and numbers is carried out.

    Arrays with dimensions decide; 0-d arrays, and then numbers, matter only if they are of a higher
    category.
    """
    tiers: list[DType | None] = [None, None]  # of arrays with dimensions, of 0-d arrays
    number = -1
    for value in values:
        if isinstance(value, np.ndarray):
            tier = 0 if value.ndim else 1
            before = tiers[tier]
            tiers[tier] = value.dtype if before is None else promote_types(before, value.dtype)
        else:
            number = max(number, scalar_category(value) or 0)
    dims, zero = tiers
    if dims is None:
        dims = zero
    elif zero is not None and category(zero) > category(dims):
        if category(zero) == 3:  # of half precision there is no complex dtype: the smallest that there is
            dims = complex64 if is_half(dims) else COMPLEX_OF.get(dims, zero)
        else:
            dims = promote_types(dims, zero)
    if dims is None or number > category(dims):
        by_number = [bool_, int64, _Default.dtype, COMPLEX_OF.get(dims or _Default.dtype, complex64)][number]
        dims = by_number if dims is None else promote_types(dims, by_number)
    return dims


class device:
    """Where a tensor lives: `device("cpu")`, the only one.

    >>> td.device("cpu")
    device(type='cpu')

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device
    """

    __slots__ = ("type",)

    type: str

    def __init__(self, type: Any = "cpu"):
        if isinstance(type, device):
            type = type.type
        if type not in ("cpu", "cpu:0"):
            raise unknown_device(type)
        self.type = "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) or other == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


CPU: Final = device()


def unknown_device(wanted: Any) -> ValueError:
    """The error for any device but the CPU."""
    return ValueError(
        f"unknown device: got {wanted!r}, expected 'cpu': tensors live on the CPU; pass device='cpu' or leave it out"
    )


def check_device(wanted: Any) -> None:
    """Raises ValueError for any device but the CPU; None is the default."""
    if wanted is not None:
        device(wanted)
