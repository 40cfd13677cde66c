"""A program as plain data: steps, each of which is one line of Python that runs in either library.

A line speaks of `T`, which is `tinygrad_dl` or `torch`, of `F`, its `nn.functional`, and of `N`, its `nn`.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Name:
    """A tensor, or a module, made by an earlier step: `c`, or `c[1]` where a step returned several."""

    text: str

    @property
    def root(self) -> str:
        return self.text.split("[")[0]


@dataclass(frozen=True)
class Attribute:
    """Something of the library by its name, such as the dtype `T.float32`."""

    text: str


@dataclass(frozen=True)
class Step:
    """One line.

    `call` is `T.name`, `F.name` or `N.Name` for a function; `.name` for a method of the first argument and `@name` for
    an attribute of it; an operator such as `+`, `+=` or `~`; `getitem`, `setitem`; `new` for a tensor from numbers,
    whose arguments are shape, dtype, values and whether it requires a gradient; `module` for one with known weights,
    `apply` for a call of one.
    """

    result: str
    call: str
    args: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def op(self) -> str:
        """What the step does, however it is spelled: the name without its place."""
        name = str(self.args[0].text) if self.call == "module" else self.call
        if name in BINARY:
            return name
        return name.lstrip(".@").removeprefix("T.").removeprefix("F.").removeprefix("N.")

    @property
    def is_leaf(self) -> bool:
        return self.call == "new"

    @property
    def in_place(self) -> bool:
        changes = self.call.startswith(".") and self.call.endswith("_")
        return changes or self.call == "setitem" or (self.call.endswith("=") and self.call[:-1] in BINARY)

    def names(self) -> list[Name]:
        """What it reads."""
        return [each for each in flat((self.args, tuple(v for _, v in self.options))) if isinstance(each, Name)]


BINARY = ("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=")
UNARY = ("~", "u-", "u+")


@dataclass(frozen=True)
class Program:
    """The steps, and the results from which gradients start."""

    steps: tuple[Step, ...] = ()
    outputs: tuple[Name, ...] = ()

    def leaves(self) -> list[str]:
        """Expressions, with a star for those of several, of what gradients are asked for."""
        found = []
        for step in self.steps:
            if step.call == "new" and step.args[3]:
                found.append(step.result)
            elif step.call == "module":
                found.append(f"*{step.result}.parameters()")
        return found

    def op_of(self, step: Step) -> str:
        """What a step does; of a call of a module, the module's class."""
        if step.call != "apply":
            return step.op
        return next((made.op for made in self.steps if made.result == step.args[0].root), step.op)

    def ops(self) -> list[str]:
        """What its steps do, each once."""
        return list(dict.fromkeys(self.op_of(step) for step in self.steps if not step.is_leaf))

    def with_steps(self, steps: list[Step]) -> Program:
        """The program of these steps, without outputs that are no longer made."""
        made = {step.result for step in steps}
        return replace(self, steps=tuple(steps), outputs=tuple(o for o in self.outputs if o.root in made))

    def source(self, library: str = "tinygrad_dl") -> str:
        """The whole as a Python program."""
        steps = [line(step) for step in self.steps]
        start = ["from math import inf, nan", f"import {library} as T", "F, N = T.nn.functional, T.nn"]
        if any(step.call == "module" for step in self.steps):
            start.append(FILLED)
        end = []
        if self.outputs and self.leaves():
            start.append(WEIGHTS)
            end = GRADIENTS.format(outputs=", ".join(o.text for o in self.outputs), leaves=", ".join(self.leaves()))
            end = end.splitlines()
        return "\n".join([*start, *steps, *end]) + "\n"


WEIGHTS = """
def weights(x):  # of the elements, each its own
    values = [0.5 + 7 * i % 11 / 11 for i in range(x.numel())]
    if x.is_complex():
        values = [complex(v, 5 * i % 7 / 7) for i, v in enumerate(values)]
    return T.tensor(values, dtype=x.dtype).reshape(x.shape)
"""

FILLED = """
def filled(module):  # with parameters that are the same in both libraries
    with T.no_grad():
        for p in module.parameters():
            p.copy_(T.tensor([(7 * i % 11 - 5) / 8 for i in range(p.numel())], dtype=p.dtype).reshape(p.shape))
    return module
"""

GRADIENTS = """\
outputs, leaves = [{outputs}], [{leaves}]
first = T.autograd.grad(outputs, leaves, [weights(o) for o in outputs], create_graph=True, allow_unused=True)
again = [g for g in first if g is not None and g.requires_grad]
second = T.autograd.grad(again, leaves, [weights(g) for g in again], allow_unused=True)
"""


def flat(value: Any) -> list[Any]:
    """What a nested argument holds."""
    if isinstance(value, tuple | list):
        return [each for part in value for each in flat(part)]
    return [value]


def line(step: Step) -> str:
    """The step as a line of Python."""
    call, args = step.call, step.args
    if call == "setitem":
        return f"{text(args[0])}[{index_text(args[1])}] = {text(args[2])}"
    if call.endswith("=") and call[:-1] in BINARY and call not in BINARY:
        return f"{text(args[0])} {call} {text(args[1])}"
    return f"{step.result} = {expression(step)}"


def expression(step: Step) -> str:
    call, args = step.call, step.args
    if call == "new":
        return tensor_text(*args)
    if call == "getitem":
        return f"{operand(args[0])}[{index_text(args[1])}]"
    if call in BINARY:
        return f"{operand(args[0])} {call} {operand(args[1])}"
    if call in UNARY:
        return f"{call[-1]}{operand(args[0])}"
    if call.startswith("@"):
        return f"{text(args[0])}.{call[1:]}"
    if call == "module":
        return f"filled({text(args[0])}({arguments(args[1:], step.options)}))"
    if call == "apply":
        return f"{text(args[0])}({arguments(args[1:], step.options)})"
    if call.startswith("."):
        return f"{text(args[0])}{call}({arguments(args[1:], step.options)})"
    return f"{call}({arguments(args, step.options)})"


def arguments(args: tuple[Any, ...], options: tuple[tuple[str, Any], ...]) -> str:
    return ", ".join([*(text(each) for each in args), *(f"{name}={text(value)}" for name, value in options)])


def operand(value: Any) -> str:
    """In parentheses where a sign in front would bind less than the operator after it."""
    written = text(value)
    return f"({written})" if written.startswith("-") else written


def text(value: Any) -> str:
    if isinstance(value, Name | Attribute):
        return value.text
    if isinstance(value, tuple):
        return f"({', '.join(map(text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    if value is Ellipsis:
        return "..."
    if isinstance(value, complex) and not (value.real and value.imag and cmath.isfinite(value)):
        return f"complex({value.real!r}, {value.imag!r})"
    return repr(value)  # inf and nan are imported under these names


def index_text(index: Any) -> str:
    if isinstance(index, tuple) and index:
        return ", ".join(map(index_text, index)) + ("," if len(index) == 1 else "")
    if isinstance(index, slice):
        ends = ["" if end is None else str(end) for end in (index.start, index.stop)]
        return ":".join(ends) + ("" if index.step is None else f":{index.step}")
    return text(index)


def tensor_text(shape: tuple[int, ...], dtype: str, values: tuple[Any, ...], requires_grad: bool) -> str:
    """`T.tensor(...)` of these numbers."""
    end = f"dtype=T.{dtype}" + (", requires_grad=True" if requires_grad else "")
    if not values:
        return f"T.zeros({text(shape)}, {end})"
    return f"T.tensor({text(nested(shape, list(values)))}, {end})"


def nested(shape: tuple[int, ...], values: list[Any]) -> Any:
    if not shape:
        return values[0]
    size = len(values) // shape[0]
    return [nested(shape[1:], values[i * size : (i + 1) * size]) for i in range(shape[0])]


@dataclass
class Names:
    """Hands out `a`, `b`, ... `z`, `a1`, ..."""

    taken: int = field(default=0)

    def new(self) -> str:
        number, letter = divmod(self.taken, 26)
        self.taken += 1
        return "abcdefghijklmnopqrstuvwxyz"[letter] + (str(number) if number else "")
