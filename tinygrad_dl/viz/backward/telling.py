"""Steps of a backward pass as lines of text."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import numpy as np

from tinygrad_dl.core.printing import float_mode
from tinygrad_dl.viz.backward.steps import Input, LeafGradient, Local, Step, Sum
from tinygrad_dl.viz.known.values import Values
from tinygrad_dl.viz.texts import plural

WIDTH = 100  # characters of a line
INDENT, DEEPER = "   ", "       "


def in_words(values: Values | None) -> str:
    """Values as text: small arrays whole, of larger ones shape, range and mean.

    >>> from tinygrad_dl.viz.known.values import values_of
    >>> in_words(values_of(np.array([[0.5, 1.25]]))), in_words(values_of(np.arange(100.0)))
    ('[[0.5000, 1.2500]]', '(100,) from 0.0 to 99.0, mean 49.5')
    """
    if values is None:
        return "unknown"
    if values.array is None:
        shape = str(values.shape)
        if values.low is None or values.high is None or values.mean is None:
            return f"{shape} with no finite number"
        odd = f", {plural(values.not_finite, 'element')} not finite" if values.not_finite else ""
        return f"{shape} from {digits(values.low)} to {digits(values.high)}, mean {digits(values.mean)}{odd}"
    array = values.array.astype(np.float32) if values.dtype.kind == "V" else values.array
    if not array.ndim:
        return digits(array.item())
    if not array.size:
        return f"no elements, {values.shape}"
    room = WIDTH - 2 * len(DEEPER)
    return np.array2string(array, separator=", ", precision=4, floatmode=float_mode(array), max_line_width=room)


def in_a_row(values: Values | None) -> str:
    """Values in one line."""
    return re.sub(r"\[ +", "[", " ".join(in_words(values).split()))


def digits(number: Any) -> str:
    """A number with five digits that count, and a point if it is floating.

    >>> digits(2.0), digits(0.125), digits(1e-7), digits(3)
    ('2.0', '0.125', '1e-07', '3')
    """
    if not isinstance(number, float):
        return f"{number:.5g}" if isinstance(number, complex) else str(number)
    text = f"{number:.5g}"
    return text if not text.lstrip("-").isdigit() else f"{text}.0"


def equation(left: str, right: list[str], sign: str = "=") -> list[str]:
    """`left = right`, further right sides below the first, and each below its sign where it does not fit behind it."""
    lines: list[str] = []
    for number, text in enumerate(right):
        head = f"{INDENT}{left} {sign} " if not number else f"{INDENT}{' ' * len(left)} {'= '.rjust(len(sign) + 1)}"
        whole = (head + text.replace("\n", "\n" + " " * len(head))).split("\n")
        if max(map(len, whole)) > WIDTH:
            whole = [head, *wrapped(text, DEEPER)]
        lines += map(str.rstrip, whole)
    return lines


def wrapped(text: str, first: str = "") -> list[str]:
    """The lines of a text, in lines of no more than the width; `first` stands in front of each line of the text."""
    found = []
    for line in text.split("\n"):
        fits = len(first) + len(line) <= WIDTH
        found += [first + line] if fits else textwrap.wrap(line, WIDTH, initial_indent=first, subsequent_indent=DEEPER)
    return found


def parts_of(found: Sum) -> list[str]:
    """The parts of a sum, a line for each."""
    lines: list[str] = []
    for part in found.parts:
        origin = "what the pass starts with" if part.step is None else f"step {part.step}, {part.argument}"
        lines += equation(f"  from {origin}", [in_words(part.values)])
    return lines


def step_lines(step: Step, shared: set[str]) -> list[str]:
    """A step as lines: the operation, the gradient that arrives, and for each argument rule, numbers and derivative.

    Args:
        shared: the names of tensors that were used several times: their gradients are added up.
    """
    head = f"{step.number}. {step.name} = {step.formula}"
    origin = "  ".join(filter(None, [step.path, "" if step.line is None else str(step.line)]))
    room = WIDTH - len(head) - len(origin)
    lines = [f"{head}{' ' * room}{origin}".rstrip()]
    if room < 2:
        lines = [*wrapped(head), *([INDENT + origin] if origin else [])]
    sums = {each.output: each for each in step.sums}
    for index, (name, values) in enumerate(zip(step.outputs, step.incoming, strict=True)):
        if values is not None:
            lines += equation(f"{name}.grad", [in_words(values)])
            lines += parts_of(sums[index]) if index in sums else []
    for each in step.inputs:
        if each.argument in step.rules:
            lines += handed_on(step, each, shared)
            lines += local_lines(step, each.name, step.local[each.argument])
    return lines


def handed_on(step: Step, given: Input, shared: set[str]) -> list[str]:
    """What a step brings to the gradient of an argument: by which rule, and its numbers."""
    right = [step.rules[given.argument], in_words(step.outgoing[given.argument])]
    return equation(f"{given.name}.grad", right, "+=" if given.name in shared else "=")


def local_lines(step: Step, name: str, local: Local | None) -> list[str]:
    """The derivative of a step's result by an argument, if it is written out."""
    if local is None or local.values is None:
        return []
    kind = " (each element by its own)" if local.kind == "diagonal" and local.values.shape else ""
    return equation(f"∂{step.name}/∂{name}{kind}", [in_words(local.values)])


def leaf_lines(leaf: LeafGradient) -> list[str]:
    """What arrives at a leaf."""
    if leaf.gradient is None:
        return [f"{INDENT}{leaf.name}: no gradient arrives"]
    return [*equation(f"{leaf.name}.grad", [in_words(leaf.gradient)]), *(parts_of(leaf.sum) if leaf.sum else [])]
