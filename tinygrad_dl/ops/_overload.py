"""Public functions that take more than the op they lead to.

`td.add(a, b, alpha=2)` is rare and `a + b` is everywhere: the op and the operator know nothing of `alpha`, so
that the usual call does not pay for it. The public function looks at its extra arguments and picks the op.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.methods import inplace_form
from tinygrad_dl.core.tensor import Tensor

F = TypeVar("F", bound=Any)


def overload(declared: Any, *, method: bool | None = None, inplace: bool = False) -> Callable[[F], F]:
    """Makes a function the public form of a declared op and, unless that is of `nn.functional`, a method of Tensor.

    The function carries the op's declaration (`.op`, `.generic`, `.vjp`), so it passes for the op wherever one
    is expected. `inplace` adds the method `<name>_`.
    """

    def declare(function: F) -> F:
        shared = {name: value for name, value in vars(declared).items() if name != "__wrapped__"}
        vars(function).update(shared)  # but for the op's signature: `help` shows the function's own
        if declared.op.namespace == "td" if method is None else method:
            attach(function.__name__, function)
        if inplace:
            attach(f"{function.__name__}_", inplace_form(function, f"{function.__name__}_"))
        return function

    return declare


def alias(name: str, function: F, *, inplace: bool = False) -> F:
    """Gives a function a second name as a method of Tensor, and returns it."""
    attach(name, function)
    if inplace:
        attach(f"{name}_", inplace_form(function, f"{name}_"))
    return function


def method(body: F) -> F:
    """A composition that is a method of Tensor, under its own name."""
    return alias(body.__name__, composition(body))


def variadic(declared: F) -> F:
    """An op whose method takes its first option as separate numbers too: `t.permute(1, 0)`."""

    @functools.wraps(declared)
    def with_numbers(self: Tensor, *numbers: Any, **kwargs: Any) -> Any:
        return declared(self, *([numbers] if len(numbers) > 1 else numbers), **kwargs)

    alias(declared.op.name, with_numbers)
    return declared
