"""NumPy's ufuncs, products and reductions as calls of a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.compiler.program import Constant, Items, Operand, Scalar, View
from tinygrad_dl.compiler.recording.functions import plain_options
from tinygrad_dl.compiler.recording.numbers import plain
from tinygrad_dl.compiler.recording.record import Record

clip_ufunc: Any = np._core.umath.clip  # type: ignore[attr-defined]


class Ufuncs:
    """Runs ufuncs and writes them down."""

    def __init__(self, record: Record):
        self.record = record

    def unsafe(self) -> dict[str, Operand]:
        """The options of a copy that may lose something, as assignments do."""
        return {"casting": Constant("unsafe")}

    def known(self, array: np.ndarray) -> bool:
        """Whether the memory of an array was met before: then a result is a view of it."""
        return self.record.memories.find(array) is not None

    def ufunc(self, function: np.ufunc, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        record = self.record
        inputs, outs = args[: function.nin], args[function.nin :]
        given = options.pop("out", None) if options else None
        if outs:
            given = outs[0] if len(outs) == 1 else outs
        if type(given) is tuple and len(given) == 1:
            given = given[0]
        if given is None and not any(map(record.depends, inputs)):
            return function(*inputs, **options)
        operands = [record.operand(each) for each in inputs]
        more = {name: record.operand(value) for name, value in options.items()}
        if given is not None:
            options = {**options, "out": given}
        result = function(*map(plain, inputs), **plain_options(options))
        out = record.result(result) if given is None else record.operand(given, read=False)
        if isinstance(out, Scalar) and not any(isinstance(each, np.ndarray) for each in inputs):
            record.add("scalar", function, operands, more, out)
        elif function is np.matmul and isinstance(out, View) and not more:
            record.add("product", np.matmul, operands, out=out)
        else:
            record.add("ufunc", function, operands, more, out)
        return result

    def operator(self, function: np.ufunc, python: Callable[..., Any], *operands: Any) -> Any:
        """An operator of which at least one operand is an array, or a number of NumPy's."""
        record = self.record
        if function is np.power and type(operands[0]) is np.ndarray:
            return self.power(*operands)
        taken = [record.operand(each) for each in operands]
        result = python(*map(plain, operands))
        if not any(type(each) in (View, Scalar, Items) for each in taken):
            return result
        if isinstance(result, np.ndarray):
            form = "product" if function is np.matmul else "ufunc"
            record.add(form, function, taken, out=record.result(result))
        elif not any(isinstance(each, np.ndarray) for each in operands):
            if isinstance(result, np.generic):
                record.add("scalar", python, taken, out=record.result(result))
            else:
                return record.computed(python, operands, result)
        else:
            record.add("ufunc", function, taken, out=record.result(result))
        return result

    def power(self, base: np.ndarray, exponent: Any) -> Any:
        """base ** exponent, for which NumPy takes other functions where the exponent is a certain number."""
        record = self.record
        result = base ** plain(exponent)
        simple = None
        if type(exponent) in (int, float) and not record.is_number(exponent) and base.dtype.kind in "fc":
            simple = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}.get(exponent)
        if simple is None and type(exponent) is int and exponent == 2 and base.dtype.kind in "iu":
            simple = np.square
        operands = [record.operand(base)] if simple else [record.operand(base), record.operand(exponent)]
        record.add("ufunc", simple or np.power, operands, out=record.result(result))
        return result

    def changed(self, function: np.ufunc, python: Callable[..., Any], target: Any, value: Any) -> Any:
        """target op= value, of an array."""
        record = self.record
        taken = [record.operand(target), record.operand(value)]
        result = python(target, plain(value))
        if function is np.power and type(value) in (int, float) and value in (2, 0.5, -1) and target.dtype.kind in "fc":
            function = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal}[value]
            taken = taken[:1]
        form = "product" if function is np.matmul else "ufunc"
        record.add(form, function, taken, out=record.operand(result, read=False))
        return result

    def clip(self, array: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **options: Any) -> Any:
        low, high = options.pop("min", a_min), options.pop("max", a_max)
        if out is not None:
            options["out"] = out
        if low is None or high is None:
            if low is None and high is None:
                return self.ufunc(np.positive, (array,), options)
            return self.ufunc(np.minimum if low is None else np.maximum, (array, high if low is None else low), options)
        return self.ufunc(clip_ufunc, (array, low, high), options)

    def product(self, a: Any, b: Any, out: Any = None) -> Any:
        record = self.record
        operands = [record.operand(a), record.operand(b)]
        result = np.dot(a, b) if out is None else np.dot(a, b, out)
        kept = record.result(result)
        record.add("product" if isinstance(kept, View) else "function", np.dot, operands, out=kept)
        return result

    def reduce(
        self, ufunc: np.ufunc, array: np.ndarray, options: dict[str, Any], compute: Callable[[], Any], name: str = ""
    ) -> Any:
        record = self.record
        options.pop("out", None)  # it is what the call returns
        axis = options.pop("axis", None if name else 0)
        source = record.operand(array)
        more: dict[str, Operand] = {"axis": Constant(axis)}
        if name in ("any", "all"):
            options.setdefault("dtype", bool)
        for option, value in options.items():
            if value is None or value is np._NoValue or (option, value) in (("keepdims", False), ("where", True)):
                continue
            more[option] = record.operand(value)
        result = compute()
        record.add("reduce", ufunc, [source], more, record.result(result))
        return result
