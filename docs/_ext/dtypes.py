"""Which dtypes an op takes and gives: tried on legal inputs that are drawn from its declaration."""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import tinygrad_dl as td
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.strategies import arguments

FAMILIES = {
    "bool": ["bool"],
    "integers": ["uint8", "int8", "int16", "int32", "int64"],
    "half precision": ["float16", "bfloat16"],
    "floating": ["float32", "float64"],
    "complex": ["complex64", "complex128"],
}
FEW = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def accepted(op: Any, function: Any) -> str:
    """A sentence: the dtypes of the tensors whose dtype may be chosen, and those of the results; "" if none was tried.

    The function is the op's own, or one that takes the same arguments and checks them first.
    """
    taken = inspect.signature(function).parameters
    calls = [call for call in drawn(op) if set(call.values) <= set(taken) and not is_empty(call)]
    results = {name: tried(calls, function, getattr(td, name)) for names in FAMILIES.values() for name in names}
    if results["float64"] is None and results["int64"] is None:
        return ""
    always_bool = results["bool"] == results["int64"] == "bool"  # as of comparisons
    by_result: dict[str | None, list[str]] = defaultdict(list)
    for family, names in FAMILIES.items():
        found = [results[name] if results[name] != name or always_bool else "the same" for name in names]
        for name, result in [(family, found[0])] if len(set(found)) == 1 else zip(names, found, strict=True):
            by_result[result].append(name)
    refused = by_result.pop(None, [])
    parts = [f"{', '.join(names)} give {result}" for result, names in by_result.items()]
    if refused:
        parts.append(f"refused: {', '.join(refused)}")
    return "; ".join(parts) + "."


def is_empty(call: Call) -> bool:
    """Whether a tensor has no elements, which every dtype fits."""
    return any(isinstance(value, np.ndarray) and not value.size for value in call.values.values())


def drawn(op: Any) -> list[Call]:
    """A few legal calls."""
    calls: list[Call] = []

    @FEW
    @given(arguments(op))
    def collect(call: Call) -> None:
        calls.append(call)

    if op.cases:
        collect()
    return calls


def tried(calls: list[Call], function: Any, dtype: Any) -> str | None:
    """The dtype of the first result when the floating tensors have this dtype; None if every call is refused."""
    kind = np.dtype(dtype).kind

    def cast(array: Any) -> Any:
        if not isinstance(array, np.ndarray):
            return array
        numbers = array if kind == "c" else array.real
        return (np.abs(numbers) if kind in "bui" else numbers).astype(dtype)

    for call in calls:
        first = call.op.tensors[0]  # of integers, if the op takes no floats
        cast_call = call.map(cast) if call.places() else Call(call.op, call.values | {first: cast(call.values[first])})
        values, _ = cast_call.wrapped([])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(**values)
        except Exception:  # refused: the next call may be one that this dtype fits
            continue
        return str((result[0] if isinstance(result, tuple | list) else result).dtype)
    return None
