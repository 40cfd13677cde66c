"""Runs a program in one library, and keeps all that can be observed."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from fuzz.programs import FILLED, WEIGHTS, Program, Step, line

torch = pytest.importorskip("torch")  # all modules that need PyTorch have it from here

HIGHER = {"float16": "float64", "float32": "float64", "complex64": "complex128"}


class Raised:
    """A library, with float64 and complex128 under the names of the smaller dtypes."""

    def __init__(self, library: Any):
        self.library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, HIGHER.get(name, name))


@dataclass(frozen=True)
class Library:
    """One of the two, or PyTorch in double precision."""

    name: str
    T: Any
    double: bool = False

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Silent about what is no number, and with float64 by default if in double precision."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            before = td.get_default_dtype(), torch.get_default_dtype()
            try:
                if self.double:
                    td.set_default_dtype(td.float64)
                    torch.set_default_dtype(torch.float64)
                yield
            finally:
                td.set_default_dtype(before[0])
                torch.set_default_dtype(before[1])

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, td.Tensor | torch.Tensor)

    def scope(self) -> dict[str, Any]:
        scope = {"T": self.T, "F": self.T.nn.functional, "N": self.T.nn, "inf": float("inf"), "nan": float("nan")}
        exec(code(FILLED), scope)
        exec(code(WEIGHTS), scope)
        return scope


OURS, THEIRS = Library("tinygrad_dl", td), Library("torch", torch)
OURS_DOUBLE, DOUBLE = Library("tinygrad_dl", Raised(td), True), Library("torch", Raised(torch), True)
torch.set_num_threads(1)


@lru_cache(maxsize=4096)
def code(source: str, mode: str = "exec") -> CodeType:
    return compile(source, "<program>", mode)


@dataclass(frozen=True)
class Seen:
    """What can be observed of a tensor."""

    dtype: str
    array: np.ndarray
    requires_grad: bool

    def __repr__(self) -> str:
        graph = ", requires_grad" if self.requires_grad else ""
        return f"{np.array2string(self.array, precision=9, threshold=24)} {self.dtype} {self.array.shape}{graph}"


@dataclass(frozen=True)
class Refusal:
    """An exception in place of a result."""

    error: Exception

    def __repr__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}".splitlines()[0]


@dataclass
class Trace:
    """What a program did: each step's result, all that is there at its end, gradients and second ones."""

    results: list[Any] = field(default_factory=list)
    final: dict[str, Any] = field(default_factory=dict)
    first: Any = ()
    second: Any = ()
    plain: Any = ()  # the first gradients of a pass that is not recorded


def seen(value: Any) -> Any:
    """A copy of what a step returned."""
    if isinstance(value, torch.Tensor):
        plain = torch.zeros(value.shape, dtype=value.dtype) if value._is_zerotensor() else value.detach()
        if plain.dtype == torch.complex32:  # which NumPy does not have
            plain = plain.to(torch.complex64)
        array = plain.resolve_conj().resolve_neg().numpy()
        return Seen(str(value.dtype).removeprefix("torch."), np.array(array), value.requires_grad)
    if isinstance(value, td.Tensor):
        return Seen(value.dtype.name, np.array(value.detach().numpy()), value.requires_grad)
    if isinstance(value, tuple | list):
        return [seen(each) for each in value]
    if isinstance(value, td.dtype | torch.dtype):
        return str(value).removeprefix("torch.")
    if hasattr(value, "state_dict"):
        return [seen(each) for each in value.state_dict().values()]
    return value


# Called with a step and its result: PyTorch's results are changed by it in their last digits.
Change = Callable[[Step, Any], None]


def run(program: Program, library: Library, change: Change | None = None, leader: Trace | None = None) -> Trace:
    """The program's trace. A step that raises has a `Refusal` for a result, and the program goes on.

    With a `leader` each step starts from the numbers that the leader had, whatever the steps before it gave.
    """
    trace, scope = Trace(), library.scope()
    with library.ready():
        for i, step in enumerate(program.steps):
            trace.results.append(perform(step, scope, change, library.double))
            if leader is not None and not isinstance(trace.results[-1], Refusal):
                follow(target(step, scope), leader.results[i])
        for step in program.steps:
            if step.result in scope:
                try:
                    trace.final[step.result] = seen(scope[step.result])
                except RuntimeError as error:  # PyTorch lets nobody look at one of several views whose base was changed
                    trace.final[step.result] = Refusal(error)
        if program.outputs and program.leaves():
            differentiate(program, scope, library, trace, change)
    return trace


def perform(step: Step, scope: dict[str, Any], change: Change | None = None, double: bool = False) -> Any:
    text = line(step)
    if double:
        text = text.replace(".half()", ".double()").replace(".float()", ".double()")
    try:
        exec(code(text), scope)
    except Exception as error:  # whatever it is, the other library is asked whether it says no, too
        return Refusal(error)
    changed = target(step, scope)
    try:
        if change:
            change(step, changed)
        return seen(changed)
    except RuntimeError as error:
        return Refusal(error)


def target(step: Step, scope: dict[str, Any]) -> Any:
    """What the step made or changed."""
    return scope[step.args[0].root] if step.in_place else scope[step.result]


def follow(result: Any, leading: Any) -> None:
    """Gives our tensors the leading numbers, where shape and dtype are the same."""
    if isinstance(result, tuple | list) and isinstance(leading, list):
        for each, other in zip(result, leading, strict=False):
            follow(each, other)
    if isinstance(result, td.Tensor) and isinstance(leading, Seen):
        data = result.data.numpy()
        if data.shape == leading.array.shape and data.dtype == leading.array.dtype and data.flags.writeable:
            np.copyto(data, leading.array)


def differentiate(
    program: Program, scope: dict[str, Any], library: Library, trace: Trace, change: Change | None
) -> None:
    grad = library.T.autograd.grad
    try:
        outputs = [eval(code(o.text, "eval"), scope) for o in program.outputs]
        leaves = eval(code(f"[{', '.join(program.leaves())}]", "eval"), scope)
        starts = [scope["weights"](o) for o in outputs]
        if change:
            for start in starts:
                change(Step("", "weights"), start)
        if library in (OURS, OURS_DOUBLE):
            trace.plain = [seen(g) for g in grad(outputs, leaves, starts, retain_graph=True, allow_unused=True)]
        first = grad(outputs, leaves, starts, create_graph=True, allow_unused=True)
    except Exception as error:
        trace.first = Refusal(error)
        return
    trace.first = [seen(g) for g in first]
    again = [g for g in first if g is not None and g.requires_grad]
    if not again:
        trace.second = [None] * len(leaves)
        return
    try:
        starts = [scope["weights"](g) for g in again]
        trace.second = [seen(g) for g in grad(again, leaves, starts, allow_unused=True)]
    except Exception as error:
        trace.second = Refusal(error)


EPS = {"float16": 1e-3, "float32": 1.2e-7, "float64": 2.3e-16, "complex64": 1.2e-7, "complex128": 2.3e-16}


def wobble(seed: int, exact: frozenset[str]) -> Change:
    """Moves PyTorch's numbers by a few units in the last place, except results of steps that do not round.

    Of the given numbers whole ones stay, and equal ones move together: ties stay ties, and zeros zeros.
    """
    rng = random.Random(seed)
    ways: dict[float, int] = {}

    def way(step: Step, size: float) -> int:
        if step.call != "new":
            return rng.choice((-1, 1))
        return 0 if size % 1 == 0 else ways.setdefault(size, rng.choice((-3, -2, -1, 1, 2, 3)))

    def change(step: Step, result: Any) -> None:
        if isinstance(result, tuple | list):
            for each in result:
                change(step, each)
        if step.op in exact or not isinstance(result, torch.Tensor) or not result.numel():
            return
        dtype = str(result.dtype).removeprefix("torch.")
        if dtype not in EPS:
            return
        sizes = result.detach().abs().ravel().tolist()
        factors = np.reshape([1 + EPS[dtype] * way(step, size) for size in sizes], result.shape)
        try:
            data = result.data
            data.copy_((data if data.is_complex() else data.double()) * torch.from_numpy(factors))
        except RuntimeError:
            return  # an expanded tensor, of which several elements are one

    return change
