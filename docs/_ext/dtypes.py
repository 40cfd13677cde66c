"""Which dtypes an op takes and gives: tried on legal inputs that are drawn from its declaration."""

from __future__ import annotations

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
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def accepted(op: Any) -> str:
    """A sentence: the dtypes of the tensors whose dtype may be chosen, and those of the results."""
    calls = drawn(op)
    results = {name: tried(calls, getattr(td, name)) for names in FAMILIES.values() for name in names}
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


def tried(calls: list[Call], dtype: Any) -> str | None:
    """The dtype of the first result when the floating tensors have this dtype; None if every call is refused."""
    for call in calls:
        places = call.places()
        name = call.op.tensors[0]

        def cast(array: np.ndarray) -> Any:
            numbers = array.real if np.dtype(dtype).kind != "c" else array
            return np.abs(numbers).astype(dtype) if np.dtype(dtype).kind in "bui" else numbers.astype(dtype)

        changed = (
            call.map(cast) if places else Call(call.op, {**call.values, name: cast_first(call.values.get(name), cast)})
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return str(changed.run()[0].dtype)
        except Exception:  # refused: the next call may be one that this dtype fits
            continue
    return None


def cast_first(value: Any, cast: Any) -> Any:
    """An integer tensor in another dtype."""
    return cast(value) if isinstance(value, np.ndarray) else value
