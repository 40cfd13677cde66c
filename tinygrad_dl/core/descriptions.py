"""What errors say of the values that a function got and of those that it expects."""

from __future__ import annotations

import operator
import types
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import is_array
from tinygrad_dl.core.dtypes import dtype
from tinygrad_dl.core.tensor import Tensor

LIMIT = 2**63


def shown(function: Any, arguments: dict[str, Any]) -> str:
    """The arguments as a message shows them; those left at their defaults are left out."""
    import inspect

    parameters = inspect.signature(function).parameters
    parts = [
        f"{name}={summary(value)}"
        for name, value in arguments.items()
        if not (name in parameters and is_default(value, parameters[name]))
    ]
    return ", ".join(parts) or "no arguments"


def is_default(value: Any, parameter: Any) -> bool:
    """Whether an argument was left out."""
    return value is parameter.default or (
        parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and not value
    )


def signature(function: Any, name: str) -> str:
    """The arguments that a callable takes, where nothing better can be said of what was expected."""
    import inspect

    parameters = list(inspect.signature(function).parameters.values())
    if function.__name__ in ("__init__", "forward"):
        del parameters[0]
    return f"arguments as in {name}({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"


def summary(value: Any) -> str:
    """A value as a message shows it: a tensor or an array as its dtype and shape, others short."""
    if isinstance(value, Tensor) or is_array(value):
        return f"{value.dtype}{list(value.shape)}"
    kind = type(value)
    full = (
        kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    )
    if kind.__module__.partition(".")[0] not in ("builtins", "numpy", "tinygrad_dl"):
        shape = getattr(value, "shape", None)
        return f"{full}{list(shape)}" if isinstance(shape, tuple) else full
    if isinstance(value, list | tuple):
        inner = ", ".join(summary(each) for each in value[:4]) + (", ..." if len(value) > 4 else "")
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{comma})"
    if isinstance(value, dict | set | frozenset):
        return f"{kind.__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, types.FunctionType | types.MethodType | types.BuiltinFunctionType):
        return f"the {'method' if isinstance(value, types.MethodType) else 'function'} {value.__name__}"
    if value is not None and not isinstance(value, SHOWN):
        return f"{full} object" if kind is not type(...) else "..."
    try:
        text = repr(value)
    except ValueError:  # an integer of too many digits
        return f"an {kind.__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


# Types of which messages show the values themselves.
SHOWN = (bool, int, float, complex, str, bytes, slice, np.generic, np.dtype, dtype)


def alternatives(annotation: str) -> list[str]:
    """The parts of an annotation between the bars outside of brackets."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def fits(value: Any, kind: str, numbers: bool = True) -> bool:
    """Whether a value is what one part of an annotation says; True for annotations that say nothing here."""
    outer, _, inner = kind.removesuffix("]").partition("[")
    if outer in ("Array", "Tensor"):
        return is_tensor(value) or (numbers and isinstance(value, bool | int | float | complex))
    if outer in ("Arrays", "Sequence", "Iterable", "list", "tuple"):
        element = "Array" if outer == "Arrays" else inner.partition(",")[0]
        if not isinstance(value, list | tuple):
            return hasattr(value, "__iter__") and not isinstance(value, str | bytes | dict)
        return not element or all(any(fits(v, part) for part in alternatives(element)) for v in value)
    if outer == "int":
        try:
            return -LIMIT <= operator.index(value) < LIMIT
        except (TypeError, RuntimeError):
            return False
    if outer in ("float", "complex"):
        try:
            return isinstance(value, int | float | complex | np.generic) or (is_tensor(value) and value.ndim == 0)
        except OverflowError:
            return False
    if outer == "bool":
        return isinstance(value, bool | int | np.bool_)
    if outer == "str":
        return isinstance(value, str)
    if outer == "None":
        return value is None
    return callable(value) if outer == "Callable" else True


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor or a numeric array."""
    return isinstance(value, Tensor) or (
        (is_array(value) or isinstance(value, np.generic)) and value.dtype.kind in "biufcV"
    )


WORDS = {
    "Array": "a tensor",
    "Tensor": "a tensor",
    "Arrays": "a list of tensors",
    "int": "an integer",
    "float": "a number",
    "complex": "a number",
    "bool": "True or False",
    "str": "a str",
    "Callable": "a callable",
}


def expected_for(value: Any, annotation: str) -> str:
    """What an annotation expects, in words, and how to make it of the value."""
    parts = alternatives(annotation)
    words = []
    for part in parts:
        outer, _, inner = part.removesuffix("]").partition("[")
        element = inner.partition(",")[0].strip()
        plural = {"int": "integers", "float": "numbers", "Array": "tensors", "Tensor": "tensors"}.get(element, "")
        words.append(f"a {outer.lower()} of {plural}" if plural else WORDS.get(outer, part))
    said = " or ".join(dict.fromkeys(words))
    return said + hint(value, parts)


def hint(value: Any, parts: list[str]) -> str:
    """How to make a tensor of something else; what else to do."""
    tensors = "Array" in parts or "Tensor" in parts
    if isinstance(value, list | tuple) and "Arrays" in parts:
        odd = next((v for v in value if not fits(v, "Array")), None)
        return f", got {summary(odd)} among them{hint(odd, ['Array'])}"
    if isinstance(value, int) and not isinstance(value, bool) and not -LIMIT <= value < LIMIT:
        return " between -2**63 and 2**63 - 1"
    if not tensors:
        several = is_tensor(value) and "int" in parts and value.ndim
        return "; several tensors go into one list: [a, b]" if several else ""
    module = type(value).__module__.partition(".")[0]
    if hasattr(value, "detach") and module != "tinygrad_dl":
        return " of tinygrad_dl: convert with td.from_numpy(t.detach().numpy())"
    if hasattr(value, "to_numpy"):
        return "; convert with td.tensor(x.to_numpy())"
    if isinstance(value, list | tuple | bool | int | float | complex | np.generic):
        return "; make it one with td.tensor(...)"
    if value is None:
        return "; a function without `return` gives None"
    if callable(value):
        return "; call it first"
    return ""
