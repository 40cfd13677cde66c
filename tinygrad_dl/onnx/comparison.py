"""Comparisons, and operations on truth values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import BOOL, Graph
from tinygrad_dl.onnx.table import converter, rewriting
from tinygrad_dl.onnx.values import Value

COMPARISONS = {"eq": "Equal", "lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}


def _comparison(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, other: Value) -> Value:
        if input.dtype == BOOL and key != "eq":  # truth values have no order in ONNX
            input, other = g.cast(input, np.int32), g.cast(other, np.int32)
        return g.compare(type, input, other)


for _key, _type in COMPARISONS.items():
    _comparison(_key, _type)


@converter("ne")
def ne(g: Graph, input: Value, other: Value) -> Value:
    return g.op("Not", g.compare("Equal", input, other))


@converter("isnan")
def isnan(g: Graph, input: Value) -> Value:
    return g.op("IsNaN", floating(g, input), dtype=BOOL)


@converter("isinf")
def isinf(g: Graph, input: Value) -> Value:
    return g.op("IsInf", floating(g, input), dtype=BOOL)


@converter("isfinite")
def isfinite(g: Graph, input: Value) -> Value:
    return g.op("Not", g.op("Or", isnan(g, input), isinf(g, input)))


@converter("signbit")
def signbit(g: Graph, input: Value) -> Value:
    zero = g.like(0, input)
    below = g.compare("Less", input, zero)
    if input.dtype.kind != "f":
        return below
    return g.op("Or", below, g.compare("Less", g.op("Reciprocal", input), zero))  # that of -0.0 is below 0 too


def floating(g: Graph, value: Value) -> Value:
    """The value, integers as floats."""
    return value if value.dtype.kind == "f" else g.cast(value, np.float32)


@rewriting("isclose")
def isclose(input: Any, other: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    close = (input == other) | ((input - other).abs() <= atol + rtol * other.abs()) & other.isfinite()
    return close | (input.isnan() & other.isnan()) if equal_nan else close


LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}


def _logical(key: str, type: str) -> None:
    @converter(key)
    def convert(g: Graph, input: Value, other: Value) -> Value:
        return g.op(type, g.cast(input, BOOL), g.cast(other, BOOL))


for _key, _type in LOGICAL.items():
    _logical(_key, _type)


@converter("logical_not")
def logical_not(g: Graph, input: Value) -> Value:
    return g.op("Not", g.cast(input, BOOL))
