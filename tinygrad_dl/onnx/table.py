"""The table of converters: what each operation becomes in ONNX.

A converter makes an op's nodes. A rewriting says the op in other ops, and is run in its place; ops that declare their
parts themselves (`Record.decomposed`) need neither.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_dl.core.plan import reads

F = TypeVar("F", bound=Callable[..., Any])

CONVERTERS: dict[str, Callable[..., Any]] = {}  # by the key of the op
REWRITINGS: dict[str, Callable[..., Any]] = {}
REASONS: dict[str, str] = {}  # why an op has neither


class Unsupported(Exception):
    """Why a call of an operation can't be exported: collected for all calls into one `UnsupportedOperators`."""


class OnnxExporterError(RuntimeError):
    """Raised for a model that can't be exported as it is.

    Source: https://docs.pytorch.org/docs/stable/onnx_export.html
    """


class UnsupportedOperators(OnnxExporterError):
    """Raised for a model with operations that can't be exported.

    Attributes:
        lines: for each of them where it is, what it is and why it can't be exported.
    """

    def __init__(self, message: str, lines: list[str]):
        super().__init__(message)
        self.lines = lines


def converter(*keys: str) -> Callable[[F], F]:
    """Decorates the function that makes the ONNX nodes of an operation, of one of yours as well.

    Args:
        keys: the names of ops in the registry, `op.key`.

    The function gets the graph as `g`, and by name those parameters of the op that it reads: tensors as values with
    `dtype` and `shape`, those that the op promotes in one dtype already, options as they were given; `out` is a list of
    the results' dtypes and shapes. It returns a value for each result: `g.op(type, *inputs, **attributes)` adds a node
    and returns what comes out of it. What can't be exported it refuses by raising `td.onnx.Unsupported(reason)`.

    >>> import tinygrad_dl as td
    >>> @td.op(inputs=dict(x=td.inputs.real()))
    ... def twice(x):
    ...     return 2 * x
    >>> @td.onnx.converter(twice.op.key)
    ... def add_to_itself(g, x):
    ...     return g.op("Add", x, x)
    """

    def decorate(function: F) -> F:
        CONVERTERS.update(dict.fromkeys(keys, function))
        return function

    return decorate


def rewriting(*keys: str) -> Callable[[F], F]:
    """Decorates a function of tensors that does with other ops what an op does; it takes those arguments it reads."""

    def decorate(function: F) -> F:
        REWRITINGS.update(dict.fromkeys(keys, function))
        return function

    return decorate


def without(reason: str, *keys: str) -> None:
    """Says why ops have no converter."""
    REASONS.update(dict.fromkeys(keys, reason))


@functools.cache
def wanted(function: Callable[..., Any]) -> tuple[str, ...]:
    """The arguments that a converter or a rewriting reads."""
    return reads(function)
