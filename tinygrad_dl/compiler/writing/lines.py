"""The line of source for a call."""

from __future__ import annotations

import math
import operator
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_dl.compiler.passes.uses import contiguous
from tinygrad_dl.compiler.program import Call, Constant, Items, Operand, Scalar, View

INFIX: dict[Any, str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.matmul: "@",
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.lshift: "<<",
    operator.rshift: ">>",
    operator.is_: "is",
    operator.is_not: "is not",
}
PREFIX: dict[Any, str] = {operator.neg: "-", operator.pos: "+", operator.invert: "~", operator.not_: "not "}

ROWS = 4096  # bytes from which on `take` is faster than a subscript

# Functions that write their result where `out` says, and give the same numbers then.
TAKES_OUT = {np.take, np.concatenate, np.stack, np.cumsum, np.cumprod, np.einsum, np.argmax, np.argmin, np.ndarray.take}


class Writer:
    """Writes calls, given how views, numbers and things are called.

    Args:
        view: the name of a view. thing: the name of a constant that has no text of its own, such as a function.
        small: the name of a number as a 0-d array of a dtype. slot: the name of a new 0-d array of a dtype.
    """

    def __init__(
        self,
        view: Callable[[View], str],
        thing: Callable[[Any], str],
        small: Callable[[Any, np.dtype[Any]], str],
        slot: Callable[[np.dtype[Any]], str],
    ):
        self.view, self.thing, self.small, self.slot = view, thing, small, slot
        self.scalars: dict[str, str] = {}  # the text of a number
        self.pythons: set[str] = set()  # the numbers that are Python's int or float
        self.before: list[str] = []  # what has to stand before the next line

    def operand(self, operand: Operand) -> str:
        """The text of an operand."""
        if type(operand) is View:
            return self.view(operand)
        if type(operand) is Scalar:
            return self.scalars[operand.name]
        if type(operand) is Items:
            items = [self.operand(item) for item in operand.items]
            if operand.kind is tuple:
                return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
            return f"[{', '.join(items)}]" if operand.kind is list else f"slice({', '.join(items)})"
        assert type(operand) is Constant
        return self.constant(operand.value)

    def constant(self, value: Any) -> str:
        """The text of a constant."""
        if value is None or value is Ellipsis or type(value) in (bool, int, str):
            return "..." if value is Ellipsis else repr(value)
        if type(value) is float and math.isfinite(value):
            return repr(value)
        if type(value) is tuple:
            items = [self.constant(item) for item in value]
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        if type(value) is list:
            return f"[{', '.join(map(self.constant, value))}]"
        if type(value) is slice:
            return f"slice({', '.join(map(self.constant, (value.start, value.stop, value.step)))})"
        return self.thing(value)

    def index(self, operand: Operand) -> str:
        """The text of what stands between square brackets."""
        if type(operand) is Constant and type(operand.value) is tuple:
            operand = Items(tuple, tuple(map(Constant, operand.value)))
        if type(operand) is Items and operand.kind is tuple and operand.items:
            return ", ".join(map(self.index, operand.items)) + ("," if len(operand.items) == 1 else "")
        ends: tuple[Operand, ...] | None = None
        if type(operand) is Constant and type(operand.value) is slice:
            ends = tuple(map(Constant, (operand.value.start, operand.value.stop, operand.value.step)))
        elif type(operand) is Items and operand.kind is slice:
            ends = operand.items
        if ends is None:
            return self.operand(operand)
        texts = ["" if type(end) is Constant and end.value is None else self.operand(end) for end in ends]
        return ":".join(texts if len(texts) > 2 and texts[2] else texts[:2])

    def arguments(self, call: Call) -> list[str]:
        """The texts of a call's arguments, numbers beside arrays as arrays where that means the same."""
        dtype = _common_dtype(call)
        texts = []
        for operand in call.arguments:
            value = operand.value if type(operand) is Constant else None
            if dtype is not None and type(value) in (int, float) and same_as_array(value, dtype):
                texts.append(self.small(value, dtype))
            elif isinstance(value, np.generic) and value.dtype.kind in "iufc" and call.form == "ufunc":
                texts.append(self.small(value.item(), value.dtype))
            elif dtype is not None and dtype.kind in "fc" and type(operand) is Scalar and operand.name in self.pythons:
                texts.append(self.slot(dtype))
                self.before.append(f"{texts[-1]}[()] = {self.operand(operand)}")
            else:
                texts.append(self.operand(operand))
        return texts

    def options(self, call: Call) -> list[str]:
        return [f"{name}={self.operand(option)}" for name, option in call.options.items()]

    def line(self, call: Call) -> str:
        """The statement of a call that is none of "scalar", "guard" and "lanes"."""
        write: Callable[[Call], str] = getattr(self, f"line_of_{call.form}")
        return write(call)

    def line_of_ufunc(self, call: Call) -> str:
        arguments, options = self.arguments(call), self.options(call)
        function = self.thing(call.function)
        if type(call.out) is Scalar:
            return f"{self.scalars[call.out.name]} = {function}({', '.join(arguments + options)})"
        assert call.out is not None
        outs = [call.out] if type(call.out) is View else list(call.out.items)  # type: ignore[union-attr]
        targets = [self.operand(out) for out in outs]
        if call.function in (np.maximum, np.minimum):  # NumPy deprecates a third argument without its name
            targets = [f"out={targets[0]}"]
        return f"{function}({', '.join(arguments + targets + options)})"

    def line_of_reduce(self, call: Call) -> str:
        arguments = [self.operand(call.arguments[0]), *self.options(call)]
        function = f"{self.thing(call.function)}.reduce"
        if type(call.out) is Scalar:
            return f"{self.scalars[call.out.name]} = {function}({', '.join(arguments)})"
        assert call.out is not None
        return f"{function}({', '.join(arguments)}, out={self.operand(call.out)})"

    def line_of_product(self, call: Call) -> str:
        left, right = (self.operand(operand) for operand in call.arguments[:2])
        direct = call.function in (np.dot, np.ndarray.dot) and type(call.arguments[0]) is View
        expression = f"{left}.dot({right}" if direct else f"{self.thing(call.function)}({left}, {right}"
        if type(call.out) is Scalar:
            return f"{self.scalars[call.out.name]} = {expression})"
        assert type(call.out) is View
        if call.function is np.matmul or contiguous(call.out):
            return f"{expression}, {self.operand(call.out)})"
        return f"{self.operand(call.out)}[...] = {expression})"

    def line_of_write(self, call: Call) -> str:
        target, *others = call.arguments
        if call.function is np.copyto and set(call.options) <= {"casting"}:
            return f"{self.operand(target)}[...] = {self.operand(others[0])}"
        if call.function is operator.setitem:
            return f"{self.operand(target)}[{self.index(others[0])}] = {self.operand(others[1])}"
        return f"{self.called(call)})"

    def called(self, call: Call) -> str:
        """The text of a function and its arguments, up to the closing parenthesis."""
        function = call.function
        arguments = [self.operand(operand) for operand in call.arguments]
        options = self.options(call)
        if method_of(function) and call.arguments and type(call.arguments[0]) in (View, Scalar):
            return f"{arguments[0]}.{function.__name__}({', '.join(arguments[1:] + options)}"
        if type(getattr(function, "__self__", None)) is np.ufunc:
            return f"{self.thing(function.__self__)}.{function.__name__}({', '.join(arguments + options)}"
        return f"{self.thing(function)}({', '.join(arguments + options)}"

    def expression(self, call: Call) -> str:
        """The text of the value of a call."""
        function = call.function
        if call.form == "scalar" or function in INFIX or function in PREFIX:
            texts = [self.operand(operand) for operand in call.arguments]
            if function in INFIX and len(texts) == 2:
                return f"{in_parentheses(texts[0])} {INFIX[function]} {in_parentheses(texts[1])}"
            if function in PREFIX and len(texts) == 1:
                return f"{PREFIX[function]}{in_parentheses(texts[0])}"
            if function is bool or function is operator.truth:
                return f"bool({texts[0]})"
        if function is getattr and len(call.arguments) == 2:
            return f"{self.operand(call.arguments[0])}.{call.arguments[1].value}"  # type: ignore[union-attr]
        if function is operator.getitem:
            return f"{self.operand(call.arguments[0])}[{self.index(call.arguments[1])}]"
        return f"{self.called(call)})"

    def line_of_function(self, call: Call) -> str:
        out = call.out
        if out is None:
            return self.expression(call)
        if type(out) is Scalar:
            return f"{self.scalars[out.name]} = {self.expression(call)}"
        if type(out) is View and _is_rows(call, out):
            array, index = (self.operand(operand) for operand in call.arguments)
            return f"{array}.take({index}, 0, {self.view(out)})"
        if type(out) is Items:
            targets = [f"{self.view(o)}[...]" if type(o) is View else self.operand(o) for o in out.items]
            return f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = {self.expression(call)}"
        assert type(out) is View
        if "out" in call.takes or takes_out(call, out):
            if "dtype" in call.options and call.function in (np.concatenate, np.stack):  # which take one of both
                call = replace(call, options={k: v for k, v in call.options.items() if k != "dtype"})
            return f"{self.called(call)}{', ' if call.arguments or call.options else ''}out={self.view(out)})"
        return f"{self.view(out)}[...] = {self.expression(call)}"

    def line_of_guard(self, call: Call) -> str:
        """The condition under which the run must end."""
        expression = self.expression(call)
        if call.function in (bool, operator.truth):
            expression = self.operand(call.arguments[0])
        return f"if {'not ' + in_parentheses(expression) if call.expected else expression}:"


def in_parentheses(text: str) -> str:
    """A text that may stand beside an operator."""
    simple = " " not in text and not text.startswith("-")
    return text if simple else f"({text})"


def method_of(function: Any) -> bool:
    """Whether it is a method of an array or of a generator, without its object."""
    if isinstance(function, types.MethodDescriptorType):
        return True
    return str(getattr(function, "__qualname__", "")).startswith(("Generator.", "BitGenerator."))


def takes_out(call: Call, out: View) -> bool:
    """Whether the function writes to `out` itself, with the same result, if it is told to."""
    if call.function not in TAKES_OUT or "out" in call.options or not contiguous(out):
        return False
    if call.function in (np.take, np.ndarray.take):  # with mode="raise" it makes a copy of `out` first
        return "mode" in call.options
    return True


def _is_rows(call: Call, out: View) -> bool:
    """Whether it takes rows by an array of indices, so long that `take` is the faster way."""
    if call.function is not operator.getitem or math.prod(out.shape) * out.dtype.itemsize < ROWS:
        return False
    index = call.arguments[1]
    return type(index) is View and index.dtype.kind == "i" and contiguous(out)


def _common_dtype(call: Call) -> np.dtype[Any] | None:
    """The dtype that all arrays of a ufunc have, if Python's numbers beside them take it."""
    if call.form != "ufunc" or not set(call.options) <= {"where", "dtype"}:
        return None
    dtypes = {operand.dtype for operand in call.arguments if type(operand) is View}
    if "dtype" in call.options:
        option = call.options["dtype"]
        dtypes.add(np.dtype(option.value if type(option) is Constant else None))
    if len(dtypes) != 1:
        return None
    (dtype,) = dtypes
    uniform = dtype.char * call.function.nin  # not so ldexp's, of a float and an int
    return dtype if dtype.kind in "iufc" and any(t.startswith(f"{uniform}->") for t in call.function.types) else None


def same_as_array(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a number beside arrays of this dtype means the same as a 0-d array of the dtype."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return type(value) is int and info.min <= value <= info.max
    if not math.isfinite(value):
        return type(value) is float
    largest = np.finfo(dtype).max
    return bool(-largest <= value <= largest)
