"""Makes a program small that shows a difference, keeping the difference's kind: the same steps every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import Any

from fuzz.compare import Difference, compare
from fuzz.programs import Attribute, Name, Program, Step
from fuzz.running import THEIRS, Seen, perform


def kind_of(difference: Difference) -> tuple[str, str]:
    """What must stay: the kind, and for a step's own difference its op."""
    return difference.kind.replace("plain ", "first "), "" if difference.of_gradients else difference.op


def shrink(
    program: Program,
    difference: Difference,
    tries: int = 800,
    wanted: Callable[[Program, Difference], bool] = lambda program, difference: True,
) -> tuple[Program, Difference]:
    """A smaller program with a difference of the same kind that is `wanted`, and that difference."""
    kind, left = kind_of(difference), tries
    smaller = True
    while smaller and left > 0:
        smaller = False
        for candidate in candidates(program):
            left -= 1
            if left < 0:
                break
            found = compare(candidate)
            if found and kind_of(found) == kind and wanted(candidate, found):
                program, difference, smaller = candidate, found, True
                break
    return program, difference


def candidates(program: Program) -> Iterator[Program]:
    """Programs that are smaller by one change, boldest first."""
    steps = list(program.steps)
    for i in reversed(range(len(steps))):
        yield without(program, i)
    if len(program.outputs) > 1:
        for output in program.outputs:
            yield replace(program, outputs=(output,))
    if program.outputs:
        yield replace(program, outputs=())
    for i, step in enumerate(steps):
        if not step.is_leaf and step.call not in ("module", "apply") and not step.in_place:
            literal = as_leaves(program, i)
            if literal is not None:
                yield literal
    for i, step in enumerate(steps):
        for plainer in plainer_steps(step):
            yield program.with_steps([*steps[:i], plainer, *steps[i + 1 :]])
    yield from narrower(program)


def without(program: Program, i: int) -> Program:
    """The program without step i and what needs its result."""
    gone, kept = {program.steps[i].result}, []
    for j, step in enumerate(program.steps):
        if j == i or any(name.root in gone for name in step.names()):
            if not step.in_place:
                gone.add(step.result)
        else:
            kept.append(step)
    return program.with_steps(kept)


def as_leaves(program: Program, i: int) -> Program | None:
    """The program with the result of step i written out as numbers, if it is one tensor."""
    scope = THEIRS.scope()
    with THEIRS.ready():
        results = [perform(step, scope) for step in program.steps[: i + 1]]
    value = results[-1]
    if not isinstance(value, Seen) or not value.array.size:
        return None
    numbers = tuple(value.array.ravel().tolist())
    leaf = Step(program.steps[i].result, "new", (value.array.shape, value.dtype, numbers, value.requires_grad))
    if value.dtype not in (
        "float64",
        "float32",
        "float16",
        "int64",
        "int32",
        "uint8",
        "bool",
        "complex64",
        "complex128",
    ):
        return None
    return program.with_steps([*program.steps[:i], leaf, *program.steps[i + 1 :]])


def plainer_steps(step: Step) -> Iterator[Step]:
    """The step with a plainer argument, number by number."""
    for k in range(len(step.options)):
        yield replace(step, options=step.options[:k] + step.options[k + 1 :])
    if not step.is_leaf:
        return
    shape, dtype, values, requires = step.args

    def changed(values: tuple[Any, ...] = values, requires: bool = requires, dtype: str = dtype) -> Step:
        return replace(step, args=(shape, dtype, values, requires))

    if requires:
        yield changed(requires=False)
    for plain in ("float64", "float32"):
        if dtype in ("float16", "float32") and plain != dtype and (dtype, plain) != ("float64", "float32"):
            yield changed(dtype=plain)
    if dtype == "complex64":
        yield changed(dtype="complex128")
    for way in (lambda v: type(v)(1), lambda v: type(v)(0), simple):
        plainer = tuple(way(v) for v in values)
        if not same(plainer, values):
            yield changed(plainer)
    if len(values) <= 12:
        for i, value in enumerate(values):
            for way in (lambda v: type(v)(1), simple):
                if not same((way(value),), (value,)) and not (value == 0 and way(value) == 1):
                    yield changed((*values[:i], way(value), *values[i + 1 :]))


def simple(value: Any) -> Any:
    """A number of fewer digits, nearer to 0."""
    if isinstance(value, complex):
        return complex(simple(value.real), simple(value.imag))
    if isinstance(value, float) and value == value and abs(value) < 1e6:
        digits = next((d for d in (0, 1, 2, 3, 6) if round(value, d) and round(value, d) != value), None)
        return value if digits is None or len(repr(value)) <= len(repr(round(value, digits))) else round(value, digits)
    return value


def same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    return repr(a) == repr(b)


def narrower(program: Program) -> Iterator[Program]:
    """Leaves with one size less: in one dimension of one leaf, and wherever the size stands."""
    steps = list(program.steps)
    leaves = [i for i, step in enumerate(steps) if step.is_leaf]
    sizes = sorted({n for i in leaves for n in steps[i].args[0] if n > 1}, reverse=True)
    for size in sizes:
        for new in dict.fromkeys((1, size // 2, size - 1)):
            if new < 1:
                continue
            every = [
                cut(step, [k for k, n in enumerate(step.args[0]) if n == size], new) if step.is_leaf else step
                for step in steps
            ]
            yield program.with_steps(every)
            yield program.with_steps([step if step.is_leaf else numbers_changed(step, size, new) for step in every])
    for i in leaves:
        for k, n in enumerate(steps[i].args[0]):
            if n > 1:
                yield program.with_steps([*steps[:i], cut(steps[i], [k], n - 1), *steps[i + 1 :]])


def cut(step: Step, dims: list[int], size: int) -> Step:
    """The leaf without what lies beyond `size` in these dimensions."""
    shape, dtype, values, requires = step.args
    kept = []
    for position, value in enumerate(values):
        rest, index = position, []
        for n in reversed(shape):
            rest, j = divmod(rest, n)
            index.insert(0, j)
        if all(index[k] < size for k in dims):
            kept.append(value)
    new = tuple(size if k in dims else n for k, n in enumerate(shape))
    assert prod(new) == len(kept)
    return replace(step, args=(new, dtype, tuple(kept), requires))


def numbers_changed(step: Step, old: int, new: int) -> Step:
    """The step with this number replaced wherever it stands among the arguments."""

    def change(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(change(each) for each in value)
        if isinstance(value, Name | Attribute | bool):
            return value
        return new if value == old and isinstance(value, int) else value

    options = tuple((name, change(value)) for name, value in step.options)
    return replace(step, args=tuple(map(change, step.args)), options=options)
