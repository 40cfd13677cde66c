"""Elementwise functions as rows of a table: NumPy's function, what it is, an example, the gradient.

    sin = unary(np.sin, "The sine.", "[0.0, 1.0] -> [0.0000, 0.8415]", lambda g, input: g * np.cos(input))

A row is an op like those of `@op`, by the name of NumPy's function unless it gives another; its docstring, legal inputs
and in-place form are derived. A row without a gradient is an op whose result never has one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from tinygrad_dl.core.declaration import Array, OpFunction, op
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import Case, broadcasting, real

Rule = Callable[..., Any] | None
ANY = real()


class Unary(OpFunction[..., Tensor], Protocol):
    """An elementwise function of one tensor."""

    def __call__(self, input: Any) -> Tensor: ...


class Binary(OpFunction[..., Tensor], Protocol):
    """An elementwise function of two tensors."""

    def __call__(self, input: Any, other: Any) -> Tensor: ...


def unary(
    function: Any,
    what: str,
    example: str,
    vjp: Rule = None,
    inputs: Any = ANY,
    *,
    inplace: bool = True,
    **declared: Any,
) -> Unary:
    """An elementwise function of one tensor, `input`.

    Args:
        function: NumPy's, or several of which the first computes.
        what: the first line of the docstring.
        example: an argument and the result, or a call and the result: "[0.0, 1.0] -> [0.0000, 0.8415]".
        vjp: the gradient's rule.
        inputs: what its elements are drawn from, or a list of such; by default all numbers.
        declared: more keywords of `op`.
    """
    cases = [case if isinstance(case, Case) else Case(input=case) for case in each(inputs)]

    def body(input: Array) -> Array:
        """Left to NumPy."""

    declared.update(inputs=cases, inplace=inplace)
    made: Any = declare(body, function, what, example, {"input": vjp}, declared)
    return made  # type: ignore[no-any-return]


def binary(
    function: Any,
    what: str,
    example: str,
    vjp: Rule = None,
    vjp_other: Rule = None,
    inputs: Any = (ANY, ANY),
    *,
    inplace: bool = True,
    **declared: Any,
) -> Binary:
    """An elementwise function of two tensors that broadcast, `input` and `other`; see `unary`."""
    cases = [broadcasting(*pair) for pair in (inputs if isinstance(inputs, list) else [inputs])]

    def body(input: Array, other: Array) -> Array:
        """Left to NumPy."""

    declared = {"inputs": cases, "inplace": inplace, **declared}
    made: Any = declare(body, function, what, example, {"input": vjp, "other": vjp_other}, declared)
    return made  # type: ignore[no-any-return]


def each(value: Any) -> list[Any]:
    """A list of one or more values."""
    return value if isinstance(value, list) else [value]


def declare(body: Any, function: Any, what: str, example: str, rules: dict[str, Rule], declared: dict[str, Any]) -> Any:
    """The op of a row, whose module is the one that holds the table."""
    functions = each(function)
    name = declared.get("name") or functions[0].__name__
    body.__name__ = body.__qualname__ = name
    body.__module__ = sys._getframe(2).f_globals["__name__"]
    rules = {argument: rule for argument, rule in rules.items() if rule is not None}
    decorator: Any = op(*functions, kind="elementwise", differentiable=bool(rules), **declared)
    made = decorator(body)
    made.vjp(**rules)
    made.__doc__ = docstring(made.op, what, example)
    return made


def docstring(record: Record, what: str, example: str) -> str:
    """A row's docstring: what it is, what all of its kind take and return, and the example."""
    lines = [what, "", "    Args:", "        input: a tensor, array or number"]
    lines[-1] += "; integers become the default floating dtype." if record.floating else "."
    lines += ["        other: another, whose shape broadcasts with it."] if record.broadcasts else []
    shape = "the broadcast shape" if record.broadcasts else "the same shape"
    lines += [
        "",
        "    Returns:",
        f"        A tensor of {shape}{'' if record.records else ', which has no gradient'}.",
        "",
    ]
    given, arrow, result = example.partition(" -> ")
    if arrow:
        if "td." not in given:
            parts = given.replace("] [", "]; [").split("; ")
            given = f"td.{record.name}({', '.join(f'td.tensor({part})' for part in parts)})"
        lines += [f"    >>> {given}", f"    tensor({result})", ""]
    return "\n".join(lines) + "    "
