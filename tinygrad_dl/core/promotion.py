"""The dtypes of arrays: their categories, PyTorch's rules of promotion between them, and what fits into which.

Inside the engine a dtype is NumPy's, as arrays have it; `dtypes.py` has those that tensors show.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from tinygrad_dl.backends.arrays import is_array

DType: TypeAlias = np.dtype[Any]
FLOAT16: Final = np.dtype(np.float16)
FLOAT32: Final = np.dtype(np.float32)
FLOAT64: Final = np.dtype(np.float64)
COMPLEX64: Final = np.dtype(np.complex64)
COMPLEX128: Final = np.dtype(np.complex128)
INT32: Final = np.dtype(np.int32)
INT64: Final = np.dtype(np.int64)
BOOL: Final = np.dtype(np.bool_)
COMPLEX_OF: Final[dict[DType, DType]] = {FLOAT32: COMPLEX64, FLOAT64: COMPLEX128}
COMPLEX: Final = frozenset(COMPLEX_OF.values())


class _Default:
    """The dtype that Python floats become."""

    dtype: DType = FLOAT32


default: Final = _Default()


class Elements(Protocol):
    """What is asked of a dtype, NumPy's or ours."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def itemsize(self) -> int: ...


def bfloat16() -> DType:
    """The bfloat16 dtype, which the package ml_dtypes brings."""
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError("bfloat16 needs ml_dtypes: pip install 'tinygrad_dl[io]'") from None
    found: DType = np.dtype(ml_dtypes.bfloat16)
    return found


def category(dtype: Elements) -> int:
    """0 for bool, 1 for integers, 2 for floats, 3 for complex: the order in which types promote."""
    kind = dtype.kind
    if kind == "f" or (kind == "V" and dtype.name == "bfloat16"):
        return 2
    try:
        return {"b": 0, "i": 1, "u": 1, "c": 3}[kind]
    except KeyError:
        raise TypeError(f"got dtype {dtype}, expected bool, integer, float or complex numbers") from None


def is_floating(dtype: Elements) -> bool:
    """Whether it is a real floating dtype."""
    return category(dtype) == 2


def is_half(dtype: Elements) -> bool:
    """Whether it is float16 or bfloat16, in which nothing is computed: arithmetic is float32's, rounded once."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def holds_half(dtype: Any) -> bool:
    """Whether the dtype of a node's output, or one of those of its outputs, is half precision."""
    return any(map(is_half, dtype)) if type(dtype) is tuple else is_half(dtype)


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


def require_same(source: Any, dtype: Any) -> None:
    """Refuses values of another dtype than that of the tensor which they are stored in or added to, as PyTorch does.

    Raises:
        TypeError: the dtypes differ.
    """
    if source != dtype:
        raise TypeError(f"got values of {source} for a tensor of {dtype}, expected the same dtype; convert one of them")


def factor(number: Any, dtype: DType) -> Any:
    """A number to multiply arrays of that dtype by: an int beside integers wraps around, as in all arithmetic."""
    return np.asarray(number).astype(dtype) if dtype.kind in "iu" and isinstance(number, int) else number


def in_single(value: Any) -> Any:
    """Arrays and tensors of half precision as float32, those in lists and tuples too; all else as it is.

    Nothing is lost: every number of half precision is one of float32.
    """
    if type(value) in (tuple, list):
        return type(value)([in_single(each) for each in value])
    dtype: Any = getattr(value, "dtype", None)
    return value.astype(FLOAT32) if getattr(dtype, "itemsize", 0) == 2 and is_half(dtype) else value


def is_differentiable(dtype: Elements) -> bool:
    """Whether tensors of this dtype can require a gradient: floats and complex numbers."""
    return category(dtype) >= 2


def promote(a: DType, b: DType) -> DType:
    """The dtype of an operation between arrays of these dtypes: see `dtypes.promote_types`."""
    high, low = (a, b) if category(a) >= category(b) else (b, a)
    if category(high) == category(low):
        found = FLOAT32 if a != b and is_half(a) and is_half(b) else np.promote_types(a, b)
        if category(found) != category(a):  # NumPy goes to float64, which does not hold all of either
            raise TypeError(
                f"got {a} and {b}, expected dtypes of which one can hold both; convert one of the tensors, with "
                f".to({b if b.kind == 'u' else a}) or .double()"
            )
        return found
    if category(high) == 3 and low == FLOAT64:
        return COMPLEX128
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
        if is_array(value):
            tier = 0 if value.ndim else 1
            before = tiers[tier]
            tiers[tier] = value.dtype if before is None else promote(before, value.dtype)
        else:
            number = max(number, scalar_category(value) or 0)
    dims, zero = tiers
    if dims is None:
        dims = zero
    elif zero is not None and category(zero) > category(dims):
        if category(zero) == 3:  # of half precision there is no complex dtype: the smallest that there is
            dims = COMPLEX64 if is_half(dims) else COMPLEX_OF.get(dims, zero)
        else:
            dims = promote(dims, zero)
    if dims is None or number > category(dims):
        by_number = [BOOL, INT64, default.dtype, COMPLEX_OF.get(dims or default.dtype, COMPLEX64)][number]
        dims = by_number if dims is None else promote(dims, by_number)
    return dims
