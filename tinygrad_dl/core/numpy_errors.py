"""NumPy's errors, in terms of tensors and of the arguments that led to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor

Match = re.Match[str]


def in_our_words(error: Exception, text: str, arguments: dict[str, Any]) -> tuple[str, str | None]:
    """What is wrong and what was expected, for an error that NumPy or Python raised."""
    if isinstance(error, np.exceptions.AxisError) and error.ndim is not None:
        n = error.ndim
        what = f"dim {error.axis} is out of range (axis {error.axis} is out of bounds for {n} dimensions)"
        return what, f"a dimension from {-n} to {n - 1}" if n else "no dimension: a 0-d tensor has none"
    for pattern, told, expected in ADVICE:
        found = re.match(pattern, text)
        if found:
            what = found.expand(told) if told else text
            return what, expected(arguments, found) if callable(expected) else expected
    if inside_kind(error) is not None and not isinstance(error, ArithmeticError):
        return f"{type(error).__name__} inside, {text}", None
    return text.strip() or type(error).__name__, None


def matching_sizes(arguments: dict[str, Any], _: Match) -> str:
    """What a matrix product expects of the sizes of its last two operands."""
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray | Tensor)][-2:]
    general = "(..., n, k) @ (..., k, m)"
    if len(arrays) < 2 or not (arrays[0].ndim and arrays[1].ndim):
        return general
    k, other, last = arrays[0].shape[-1], arrays[1].shape[-2:][0], "last but one" if arrays[1].ndim > 1 else "only"
    return (
        f"the last size of the first ({k}) to equal the {last} of the second ({other}), as in {general}; swap "
        f"dimensions with .mT, or reshape()"
    )


def broadcasting_sizes(arguments: dict[str, Any], _: Match) -> str:
    """What broadcasting expects, and the dimension that does not fit."""
    shapes = [v.shape for v in arguments.values() if isinstance(v, np.ndarray | Tensor)]
    for place in range(1, max(map(len, shapes), default=0) + 1):
        sizes = sorted({shape[-place] for shape in shapes if len(shape) >= place} - {1})
        if len(sizes) > 1:
            found = f" (dimension {-place} has sizes {' and '.join(map(str, sizes))})"
            break
    else:
        found = ""
    return (
        f"shapes that broadcast: counted from the last dimension, sizes are equal or one of them is 1{found}; "
        f"reshape() or unsqueeze() one of the tensors"
    )


def index_range(_: dict[str, Any], found: Match) -> str:
    """The indices that a dimension has."""
    size = int(found[1])
    return f"{-size} to {size - 1}: indices start at 0" if size else "no index: the dimension is empty"


NOTHING_TO_CHOOSE = r"zero-size array to reduction|.*of an empty sequence"
# The start of NumPy's or Python's text -> what is wrong (None: that text), and what was expected and what to do.
ADVICE: list[tuple[str, str | None, str | Callable[[dict[str, Any], Match], str] | None]] = [
    (r"(?:\w+\.)*\w+\(\) (got an unexpected keyword argument .*)", r"\1", None),
    (r"matmul: .*core dimension|shapes .* not aligned", "the inner sizes differ", matching_sizes),
    (
        r"matmul: .*does not have enough dimensions",
        "a 0-d tensor has no matrix product",
        "tensors of 1 or more dimensions; multiply by a number with *",
    ),
    (
        r"operands could not be broadcast together with remapped shapes.*newaxis",
        "the sizes before the last two dimensions do not broadcast",
        "sizes before the last two dimensions that are equal, or one of them 1; use unsqueeze()",
    ),
    (
        r"operands could not be broadcast together with remapped shapes",
        "a size cannot be expanded",
        "each size as it is, or in the place of a 1, or new in front; use repeat() to copy",
    ),
    (
        r"input operand has more dimensions than allowed by the axis remapping",
        "fewer sizes than dimensions",
        "as many sizes as the tensor has dimensions, or more; -1 keeps a size",
    ),
    (r"operands could not be broadcast|.*broadcast|.*objects cannot be broadcast", None, broadcasting_sizes),
    (
        r".*concatenation axis must match",
        "sizes differ outside of `dim`",
        "shapes that are equal but for `dim`; reshape() them, or join along another dim",
    ),
    (
        r".*same number of dimensions",
        "the tensors differ in their number of dimensions",
        "tensors of one number of dimensions; use unsqueeze(), or stack()",
    ),
    (
        r"zero-dimensional arrays cannot be concatenated",
        None,
        "tensors of 1 or more dimensions; stack() joins 0-d ones",
    ),
    (
        r"cannot reshape|total size of new array",
        None,
        "sizes whose product is the number of elements; one of them may be -1: what is left",
    ),
    (r"can only specify one unknown dimension", None, "-1 for one size at most: it stands for what is left"),
    (r"axes don't match|repeated axis", None, "each dimension exactly once, as in permute(1, 0)"),
    (r"duplicate value in 'axis'", None, "each dimension once at most"),
    (NOTHING_TO_CHOOSE, None, "at least one element; look at numel() first"),
    (
        r"only integers, slices|arrays used as indices must be",
        "an index of another type",
        "integers, slices, None, ..., or tensors of integers or bools; a quotient of integers is an index with // or "
        "int()",
    ),
    (r".*out of bounds for axis \d+ with size (\d+)", None, index_range),
    (r"too many indices", None, "at most one index a dimension; None makes a new one"),
    (r"boolean index did not match", None, "a mask of the tensor's shape, or of its first dimensions"),
    (
        r".*negative integer powers",
        None,
        "exponents of 0 or more for integers; make the base a float first, with .float()",
    ),
    (r"ufunc 'bitwise|ufunc 'invert", None, "integer or bool tensors; compare, or convert with .long() or .bool()"),
    (
        r"ufunc '.*' not supported|numpy boolean subtract",
        None,
        "tensors of other dtypes; convert them with .float() first",
    ),
    (r"cannot convert float NaN|cannot convert float infinity", None, "a finite number"),
    (r"(integer )?(division|modulo)|.*by zero", None, "numbers other than 0"),
    (r"setting an array element with a sequence|.*inhomogeneous", None, "nested lists of equal lengths, of numbers"),
    (r"maximum (supported|allowed)|array is too big|Maximum allowed", None, "sizes whose product fits in memory"),
    (r"Unable to allocate", None, "sizes whose elements fit in memory"),
    (r"negative dimensions", None, "sizes of 0 or more"),
]


# Errors that say that the code was handed something it was not made for -> what callers are told instead.
INSIDE: dict[type[BaseException], type[Exception]] = {
    AttributeError: TypeError,
    NameError: TypeError,
    LookupError: ValueError,
    AssertionError: ValueError,
    ArithmeticError: ValueError,
    SystemError: RuntimeError,
}


def inside_kind(error: Exception) -> type[Exception] | None:
    """The class raised in the place of an error that speaks of the inside; None for one that stays."""
    if isinstance(error, IndexError | UnicodeError | np.exceptions.AxisError):
        return None
    if isinstance(error, ValueError) and re.match(NOTHING_TO_CHOOSE, str(error)):
        return IndexError  # as PyTorch has it
    return next((told for kind, told in INSIDE.items() if isinstance(error, kind)), None)
