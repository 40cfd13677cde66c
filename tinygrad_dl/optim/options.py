"""The options of parameter groups: which values are allowed, and what a step reads of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core import promotion
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.tensor import Tensor

Group = dict[str, Any]
Range = tuple[Callable[[Any], bool], str]  # whether a value is allowed, and what is, in words


class Required:
    """What stands in `defaults` for an option that each parameter group has to give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required: Any = Required()


def require(group: Group, option: str, holds: Callable[[Any], Any], expected: str) -> None:
    """Checks an option of a parameter group.

    Raises:
        ValueError: `holds(value)` is false. TypeError: it cannot be said, of a str for example.
    """
    value = group[option]
    kind: type[Exception] = ValueError
    try:
        fits = holds(value)
    except (TypeError, ValueError):
        fits, kind = False, TypeError
    if not fits:
        raise kind(f"invalid {option}: got {option}={summary(value)}, expected {expected}")


def at_least_0(*options: str) -> dict[str, Range]:
    """`ranges` of options that are no negative numbers."""
    return dict.fromkeys(options, (lambda value: value >= 0, "a number of 0 or more"))


FRACTIONS: Range = (
    lambda betas: len(betas) == 2 and all(0 <= beta < 1 for beta in betas),
    "two numbers in [0, 1)",
)


def numbers(group: Group) -> Group:
    """A group's options with Python's numbers for tensors of one element and for NumPy's, which would widen float32.

    A learning rate that is a float32 tensor becomes NumPy's float32, which widens nothing: what is made of it and of
    other numbers is rounded to float32, as in PyTorch (but for `fused=True`).
    """
    if PLAIN.issuperset(map(type, group.values())) and PLAIN.issuperset(map(type, group.get("betas", ()))):
        return group
    found = {option: value if option == "params" else number(value) for option, value in group.items()}
    if isinstance(group.get("lr"), Tensor) and group["lr"].dtype == promotion.FLOAT32 and not group.get("fused"):
        found["lr"] = np.float32(found["lr"])
    return found


def exact(value: Any) -> Any:
    """A float32 as Python's number, so that no further product is rounded to float32; all else as it is."""
    return float(value) if isinstance(value, np.float32) else value


PLAIN = frozenset((float, int, bool, str, tuple, list, type(None)))


def number(value: Any) -> Any:
    """A tensor or NumPy number of one element as Python's, those in pairs too; all else as it is."""
    if isinstance(value, Tensor | np.generic):
        return value.item()
    return tuple(map(number, value)) if isinstance(value, tuple | list) else value


def options(arguments: dict[str, Any]) -> dict[str, Any]:
    """The `defaults` of an optimiser whose options are the arguments of its constructor: `options(locals())`."""
    return {name: value for name, value in arguments.items() if name not in ("self", "params", "__class__")}
