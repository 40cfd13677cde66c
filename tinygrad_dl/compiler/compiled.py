"""`td.compile`: functions and modules that record what they do, and from then on run it as a program over arrays."""

from __future__ import annotations

import functools
import os
import threading
import time
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_dl.compiler.backward import FAILURES
from tinygrad_dl.compiler.life import describe, form, must_be_eager
from tinygrad_dl.compiler.making import make
from tinygrad_dl.compiler.replay import Replay
from tinygrad_dl.compiler.touched import Refused, Touched
from tinygrad_dl.core.memory import release_freed_memory
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.warning import warn

__all__ = ["LIMIT", "CompileError", "Compiled", "reset"]

LIMIT = 8  # how many programs a function may have
PATIENCE = 4  # how many runs of a program may be given up, if that are more than half of them
VARYING = ("momentum", "betas", "eps", "dampening", "alpha")  # options of groups that schedules may change
_all: weakref.WeakSet[Compiled] = weakref.WeakSet()


class CompileError(RuntimeError):
    """What `fullgraph=True` raises: a function does something that no program can do.

    Attributes:
        reason: what it does. line: where, "model.py:12"; "" if that is not known.
    """

    def __init__(self, name: str, reason: str, line: str):
        where = f" at {line}" if line else ""
        super().__init__(
            f"compile: {reason}{where} in {name}, expected operations on tensors alone, which are the same in every "
            "run; do it outside of the function, or leave out fullgraph=True and it runs eagerly"
        )
        self.reason, self.line = reason, line


class Compiled:
    """A function that `td.compile` has compiled.

    Call it as the function. With arguments of a new form (shapes, dtypes, values of Python numbers) the first call
    runs as ever, the second is recorded while it runs, and from the third on the program runs.

    Attributes:
        programs: the programs, the last used first: of each `key`, `uses`, `redone`, `seconds`, `nbytes`, `source`.
        source: the program that ran last, as Python's text.

    >>> import tinygrad_dl as td
    >>> @td.compile
    ... def double(x):
    ...     return x + x
    >>> double(td.ones(2))
    tensor([2., 2.])
    >>> double
    <compiled double, 0 programs>
    """

    def __init__(self, function: Callable[..., Any], fullgraph: bool = False, name: str = ""):
        functools.update_wrapper(self, function, updated=())
        self._compiled_function = function
        self._fullgraph = fullgraph
        self._name = name or getattr(function, "__qualname__", type(function).__name__)
        self._lock = threading.RLock()
        self.reset()
        _all.add(self)

    def reset(self) -> None:
        """Forgets all programs."""
        with self._lock:
            self.programs: list[Replay] = []
            self._tried: dict[Any, int] = {}  # forms of arguments, and how often recording was tried in vain
            self._rates: frozenset[str] = frozenset()
            self._warned = self._full = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if must_be_eager():
            return self._compiled_function(*args, **kwargs)
        with self._lock:
            programs = self.programs
            for position, program in enumerate(programs):
                arrays = program.matches(args, kwargs)
                if arrays is not None:
                    if position:
                        programs.insert(0, programs.pop(position))
                    break
            else:
                return self._new(args, kwargs)
            if program.pool is not None:
                if program.again is not None and program.again.times > program.redone:
                    program.redone = program.again.times
                    self._lose_patience(program, args, kwargs, "in the backward pass")
                if not program.pool.ready() or program not in programs:
                    return self._compiled_function(*args, **kwargs)
            if not program.stands_apart(arrays):
                return self._compiled_function(*args, **kwargs)
            try:
                return program.run(arrays, args, kwargs)
            except FAILURES as failed:  # nothing was changed: the library's own errors say more
                program.give_up()
                reason = str(failed) or "a number differs from that of the program"
            self._lose_patience(program, args, kwargs, reason)
            return self._compiled_function(*args, **kwargs)

    def _lose_patience(self, program: Replay, args: Any, kwargs: Any, reason: str) -> None:
        """Drops a program of which most runs are given up."""
        if program.redone >= PATIENCE and 2 * program.redone > program.uses:
            self.programs.remove(program)
            self._tried[self._form(args, kwargs)] = PATIENCE
            self._say(f"values decide what is done: {reason}", "")

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return type(self), (self._compiled_function, self._fullgraph, self._name)

    def __repr__(self) -> str:
        return f"<compiled {self._name}, {len(self.programs)} programs>"

    @property
    def source(self) -> str:
        """The program that ran last, as Python's text.

        Raises:
            RuntimeError: there is none yet.
        """
        return self._last("source").source

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the program that ran last into a file of Python that runs with NumPy alone.

        Raises:
            RuntimeError: there is none yet.
        """
        self._last("save").written.save(Path(path))

    def _last(self, what: str) -> Replay:
        if not self.programs:
            raise RuntimeError(
                f"{what}: got a compiled function without a program, expected one that was called; call it twice with "
                "the same kinds of arguments, the second call makes the program"
            )
        return self.programs[0]

    def _form(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return form((modes.grad, args, kwargs))

    def _new(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call for which there is no program."""
        function, key = self._compiled_function, self._form(args, kwargs)
        tried = self._tried.get(key)
        if tried is None:
            self._tried[key] = 0
            return function(*args, **kwargs)  # states and caches come into being
        if tried >= 2:
            return function(*args, **kwargs)
        if len(self.programs) >= LIMIT:
            if not self._full:
                self._full = True
                changed = self.programs[0].checks.broken(args, kwargs) or "its arguments"
                warn(
                    f"compile: got more than {LIMIT} different kinds of calls of {self._name}, expected fewer; it runs "
                    f"eagerly for new ones. What differed last: {changed}"
                )
            return function(*args, **kwargs)
        self._watch_rates(args, kwargs)
        start = time.perf_counter()
        try:
            touched = Touched(function, args, kwargs, self._rates)
        except Refused as refused:
            self._tried[key] = 2
            self._refuse(refused.reason, refused.line)
            return function(*args, **kwargs)
        shown = f"{describe(args)[1:-1]}{describe(kwargs) if kwargs else ''}"
        out, replay, error = make(self._name.rpartition(".")[2], function, touched, args, kwargs, shown)
        if error is not None:
            self._tried[key] = tried + 1
            if tried:
                self._refuse(error.reason, error.line)
        if replay is None:
            return out
        release_freed_memory()  # that of the eager run before, and of the recording
        replay.seconds = time.perf_counter() - start
        self.programs.insert(0, replay)
        return out

    def _watch_rates(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Options of parameter groups that have changed since the last program was made are numbers from now on."""
        for program in self.programs:
            changed = program.checks.broken(args, kwargs)
            if changed is not None and changed.partition(" of group")[0] in VARYING:
                self._rates |= {changed.partition(" of group")[0]}

    def _refuse(self, reason: str, line: str) -> None:
        """Says why there is no program: raises with `fullgraph`, else warns once."""
        if self._fullgraph:
            raise CompileError(self._name, reason, line) from None
        self._say(reason, line)

    def _say(self, reason: str, line: str) -> None:
        if not self._warned:
            self._warned = True
            where = f" at {line}" if line else ""
            warn(
                f"compile: {reason}{where} in {self._name}, expected operations on tensors alone; it runs eagerly. Do "
                "it outside of the function, or compile a part of it"
            )


def reset() -> None:
    """Forgets all programs of all compiled functions.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compiler.reset.html
    """
    for each in tuple(_all):
        each.reset()
