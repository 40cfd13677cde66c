"""Checks of the inputs that an op must refuse."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tinygrad_dl.core.op import Op
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import Boolean, BroadcastingCase, ErrorCase, Integers, SampleArray, array, error
from tinygrad_dl.testing.report import CheckError, pasteable


def refused(op: Op) -> list[ErrorCase]:
    """The arguments that an op must refuse: those that it declares, and what all of its kind refuse."""
    defaults = len(op.defaults[0] or ())
    required = op.positional[: len(op.positional) - defaults]
    options = [name for name in required if name not in op.tensors and name != "dim"]
    cases = [*op.errors]
    if op.kind in ("reduction", "scan") and "dim" in op.parameters and not options:
        cases.append(error(IndexError, "out of bounds|got dim 7", array(2, 3), dim=7))
    for case in op.cases[:1]:
        if op.kind == "elementwise" and isinstance(case, BroadcastingCase) and len(case.tensors) > 1:
            sizes = [(2,), (3,), *[()] * (len(case.tensors) - 2)]
            dtypes = {Boolean: "bool", Integers: "int64"}
            arrays = [
                array(*size, dtype=dtypes.get(type(sample), "float32"))
                for size, sample in zip(sizes, case.tensors, strict=True)
            ]
            cases.append(error(ValueError, "broadcast", *arrays))
    return cases


def check_refusal(op: Op, case: ErrorCase) -> None:
    """The declared arguments raise the declared error, whose first line says who, what was got and expected.

    They stay as they are.
    """
    args, kwargs = tuple(real(a) for a in case.args), {k: real(v) for k, v in case.kwargs.items()}
    shown = ", ".join([*map(pasteable, args), *(f"{k}={pasteable(v)}" for k, v in kwargs.items())])
    before = [t._data.copy() for t in tensors_in([*args, *kwargs.values()])]
    try:
        result = op.function(*args, **kwargs)
    except case.kind as error:
        first = str(error).partition("\n")[0]
        if not re.search(case.match, first):
            raise CheckError(
                f"{op.name}({shown}) raised {first!r}, expected a first line that matches {case.match!r}"
            ) from None
        lacking = lacks(first)
        if lacking:
            raise CheckError(
                f"{op.name}({shown}) raised {first!r}, expected a first line that begins with the name of the op or of "
                f"the function that users call, and says what was got and what was expected: no {lacking}"
            ) from None
    except Exception as error:
        raise CheckError(
            f"{op.name}({shown}) raised {type(error).__name__}: {error}, expected {case.kind.__name__}"
        ) from error
    else:
        raise CheckError(f"{op.name}({shown}) gave {result!r}, expected {case.kind.__name__} ({case.match})")
    for old, tensor in zip(before, tensors_in([*args, *kwargs.values()]), strict=True):
        if old.tobytes() != tensor._data.tobytes():
            raise CheckError(f"{op.name}({shown}) was refused but changed its arguments")


def lacks(first: str) -> str | None:
    """What the first line of an error does not say: who, got or expected; None if it says all of them."""
    if not re.match(r"[A-Za-z_]\w*: ", first):
        return "name"
    if "arguments as in" in first:  # what is said where nothing better is known
        return "words of its own for what was expected"
    return next((word for word in ("got", "expected") if not re.search(rf"\b{word}\b", first)), None)


def real(value: Any) -> Any:
    """The value with tensors of ones in the place of described arrays."""
    if isinstance(value, SampleArray):
        return wrap(np.ones(value.shape, value.dtype))
    if type(value) in (list, tuple):
        return type(value)(real(each) for each in value)
    return value


def tensors_in(values: Any) -> list[Tensor]:
    """All tensors in nested sequences."""
    if isinstance(values, Tensor):
        return [values]
    return [t for each in values for t in tensors_in(each)] if isinstance(values, list | tuple) else []
