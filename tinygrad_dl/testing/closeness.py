"""`assert_close`: two values are alike, or an error says where they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from tinygrad_dl.core.tensor import Tensor

__all__ = ["assert_close"]

Message = str | Callable[[str], str] | None

# By dtype: what two values may differ by, in proportion to the expected one, and beside that. Others are to be equal.
ALLOWED: Final = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Checks that |actual - expected| <= atol + rtol * |expected|, and that shapes and dtypes are the same.

    Args:
        actual, expected: tensors, arrays or numbers, or sequences and mappings of them, which are compared by place.
        allow_subclasses: whether tensors of different classes may be compared.
        rtol, atol: both or neither. By default they depend on the dtype: float32 1.3e-6 and 1e-5, float64 1e-7 and
            1e-7, float16 1e-3 and 1e-5, bfloat16 1.6e-2 and 1e-5, complex dtypes as their parts, all others 0 and 0.
        equal_nan: whether NaN is equal to NaN.
        check_dtype: whether the dtypes have to be the same; if not, values are compared in the common one.
        check_stride: whether the strides have to be the same.
        check_device, check_layout: accepted; all tensors are dense and on the CPU.
        msg: the text of the error, or a function that makes it of the usual one.

    Raises:
        AssertionError: they are not close; the text says how many are not, and which is the farthest off.
        TypeError: the two are not of types that can be compared.
        ValueError: one of rtol and atol is given alone.

    >>> td.testing.assert_close(td.tensor([1.0, 2.0]), td.tensor([1.0, 2.0 + 1e-7]))
    >>> td.testing.assert_close(td.tensor([1.0, 2.0]), td.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)

    Source: https://docs.pytorch.org/docs/stable/testing.html#torch.testing.assert_close
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"assert_close: got rtol={rtol} and atol={atol}, expected both or neither")
    options = {"equal_nan": equal_nan, "check_dtype": check_dtype, "check_stride": check_stride}
    for place, found, wanted in _pairs(actual, expected, ()):
        if not allow_subclasses and type(found) is not type(wanted):
            raise TypeError(
                f"assert_close: got {type(found).__name__} and {type(wanted).__name__}, expected one class, as "
                "allow_subclasses=False"
            )
        _compare(place, found, wanted, rtol, atol, msg, **options)


def _pairs(actual: Any, expected: Any, place: tuple[Any, ...]) -> list[tuple[tuple[Any, ...], Any, Any]]:
    """What is compared with what, and where it stands in its containers."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            missing, more = (sorted(a.keys() - b.keys(), key=str) for a, b in ((expected, actual), (actual, expected)))
            raise AssertionError(
                f"The keys of the mappings do not match:\nMissing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {more}{_where(place)}"
            )
        return [pair for key in actual for pair in _pairs(actual[key], expected[key], (*place, key))]
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise AssertionError(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{_where(place)}"
            )
        both = enumerate(zip(actual, expected, strict=True))
        return [pair for i, (found, wanted) in both for pair in _pairs(found, wanted, (*place, i))]
    if actual is None and expected is None:
        return []
    kinds = [_kind(actual), _kind(expected)]
    if "" in kinds or kinds[0] != kinds[1]:
        raise TypeError(
            f"assert_close: got {type(actual).__name__} and {type(expected).__name__}, expected two tensors, two "
            f"arrays, two numbers, or containers of them{_where(place)}"
        )
    return [(place, actual, expected)]


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _kind(value: Any) -> str:
    """Two values are compared if they are of the same kind."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, np.ndarray | np.generic):
        return "array"
    return "number" if isinstance(value, bool | int | float | complex) else ""


def _where(place: tuple[Any, ...]) -> str:
    return f"\n\nThe failure occurred for item {''.join(f'[{key!r}]' for key in place)}" if place else ""


def _compare(
    place: tuple[Any, ...],
    actual: Any,
    expected: Any,
    rtol: float | None,
    atol: float | None,
    msg: Message,
    *,
    equal_nan: bool,
    check_dtype: bool,
    check_stride: bool,
) -> None:
    """Raises an AssertionError if two tensors, arrays or numbers are not alike."""
    a, b = (np.asarray(value.detach() if isinstance(value, Tensor) else value) for value in (actual, expected))
    if a.shape != b.shape:
        said = f"The values for attribute 'shape' do not match: {tuple(a.shape)} != {tuple(b.shape)}."
    elif check_dtype and a.dtype != b.dtype:
        said = f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    elif check_stride and isinstance(actual, Tensor) and actual.stride() != expected.stride():
        said = f"The values for attribute 'stride()' do not match: {actual.stride()} != {expected.stride()}."
    else:
        defaults = [ALLOWED.get(each.dtype.name, (0.0, 0.0)) for each in (a, b)]
        relative = max(pair[0] for pair in defaults) if rtol is None else rtol
        absolute = max(pair[1] for pair in defaults) if atol is None else atol
        said = _difference(a, b, relative, absolute, equal_nan)
    if said:
        said += _where(place)
        raise AssertionError(said if msg is None else msg if isinstance(msg, str) else msg(said))


def _difference(a: np.ndarray, b: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> str:
    """What is to be said of two arrays that are not close; nothing if they are."""
    same = a == b
    a, b = (each.astype(np.promote_types(each.dtype, np.float64)) for each in (a, b))
    with np.errstate(all="ignore"):
        off = np.abs(a - b)
        close = (
            same
            | (np.isfinite(b) & (off <= atol + rtol * np.abs(b)) & (rtol + atol > 0))
            | (equal_nan & np.isnan(a) & np.isnan(b))
        )
        if close.all():
            return ""
        off = np.where(close, 0, off)
        ratio = off / np.where(close, 1, np.abs(b))
    allowed = [f" (up to {limit} allowed)" if rtol or atol else "" for limit in (atol, rtol)]
    differences = list(zip(("absolute", "relative"), (off, ratio), allowed, strict=True))
    head = f"{'Tensor-likes' if a.ndim else 'Scalars'} are not {'close' if rtol or atol else 'equal'}!\n\n"
    if not a.ndim:
        head += f"Expected {b.item()} but got {a.item()}."
        return head + "".join(f"\n{name.title()} difference: {each}{limit}" for name, each, limit in differences)
    wrong = int((~close).sum())
    head += f"Mismatched elements: {wrong} / {a.size} ({100 * wrong / a.size:.1f}%)"
    for name, each, limit in differences:
        place = tuple(map(int, np.unravel_index(int(each.argmax()), each.shape)))
        head += f"\nGreatest {name} difference: {each[place]} at index {place}{limit}"
    return head
