"""Signatures as the site shows them: with the types of arguments and results, as users give and get them."""

from __future__ import annotations

import inspect
import re
from typing import Any

EMPTY = inspect.Parameter.empty


def annotation(found: Any) -> str:
    """A type as it is written; marks of declarations are what callers pass and get."""
    text = found if isinstance(found, str) else inspect.formatannotation(found)
    text = re.sub(r"\b(?:tinygrad_dl|numpy|np|collections|typing)\.(?:\w+\.)*", "", text)
    text = re.sub(r"\bArrays\b", "Sequence[Tensor]", text)
    return re.sub(r"\bArray\b", "Tensor", text)


def default(value: Any) -> str:
    """A default as Python source, short."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return str(value.__name__)
    text = repr(value)
    return "..." if text.startswith("<") or len(text) > 40 else text


def parameter(found: inspect.Parameter) -> str:
    star = {found.VAR_POSITIONAL: "*", found.VAR_KEYWORD: "**"}.get(found.kind, "")
    kind = "" if found.annotation is EMPTY else f": {annotation(found.annotation)}"
    value = "" if found.default is EMPTY else f" = {default(found.default)}" if kind else f"={default(found.default)}"
    return f"{star}{found.name}{kind}{value}"


def parts(parameters: list[inspect.Parameter]) -> str:
    """Parameters in brackets, with the marks of those that go by name or by place alone."""
    shown: list[str] = []
    for i, each in enumerate(parameters):
        before = parameters[i - 1].kind if i else None
        if each.kind is each.KEYWORD_ONLY and before not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL):
            shown.append("*")
        if before is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            shown.append("/")
        shown.append(parameter(each))
    if parameters and parameters[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        shown.append("/")
    return f"({', '.join(shown)})"


def signature(value: Any, bound: bool = False) -> str:
    """The signature of a function or a class; of a method without its first argument if `bound`."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "()"
    parameters = [*found.parameters.values()][bound:]
    op = None if inspect.isclass(value) else getattr(value, "op", None)
    if op is not None and getattr(op, "signature", None) is not None and op.signature.takes_out:
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter("out", kind, default=None, annotation="Tensor | None"))
    result = found.return_annotation
    if op is not None and hasattr(op.outputs, "_fields"):
        result = op.outputs.__name__
    shown = "" if result is EMPTY or inspect.isclass(value) else f" -> {annotation(result)}"
    return parts(parameters) + shown
