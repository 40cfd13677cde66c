"""`compile`, as PyTorch spells it, of functions and of modules."""

from __future__ import annotations

import functools
import os
from typing import Any

from tinygrad_dl.compiler.compiled import Compiled
from tinygrad_dl.compiler.replay import Replay
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.nn.module import Module

__all__ = ["OptimizedModule", "compile"]

MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


class OptimizedModule(Module):
    """A module whose calls are compiled: what `td.compile` makes of a module.

    It holds the module as `_orig_mod`, and has its parameters, its mode and its attributes. As in PyTorch, the names in
    `state_dict()` begin with "_orig_mod."; save that of the module itself.

    Attributes:
        programs, source, save, reset: as of `Compiled`.

    >>> import tinygrad_dl as td
    >>> model = td.nn.Linear(2, 1)
    >>> fast = td.compile(model)
    >>> fast.weight is model.weight, fast(td.ones(3, 2)).shape
    (True, (3, 1))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """

    def __init__(self, module: Module, fullgraph: bool = False):
        super().__init__()
        self.__dict__["_modules"]["_orig_mod"] = module
        self.__dict__["forward"] = Compiled(module.__call__, fullgraph, type(module).__name__)

    @property
    def training(self) -> bool:
        """Whether the module is in training mode."""
        return bool(self._orig_mod.training)

    @training.setter
    def training(self, mode: bool) -> None:
        self._orig_mod.training = mode

    @property
    def programs(self) -> list[Replay]:
        """The programs, the last used first."""
        found: list[Replay] = self._compiled.programs
        return found

    @property
    def source(self) -> str:
        """The program that ran last, as Python's text."""
        return str(self._compiled.source)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the program that ran last into a file of Python that runs with NumPy alone."""
        self._compiled.save(path)

    def reset(self) -> None:
        """Forgets all programs."""
        self._compiled.reset()

    @property
    def _compiled(self) -> Compiled:
        found: Compiled = self.__dict__["forward"]
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self.__dict__["_modules"]["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __getitem__(self, key: Any) -> Any:
        return self._orig_mod[key]

    def __reduce__(self) -> Any:
        return type(self), (self._orig_mod, self._compiled._fullgraph)


@composition
def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """Makes a function or module faster: records what it does, and runs that as a program over NumPy arrays.

    A whole training step is what it is for: forward, `backward()` and `optimizer.step()` in one function. The first
    call of a kind runs as ever, the second is recorded while it runs, from the third on the program runs. Shapes,
    dtypes, modes, options and Python values that it was recorded with are checked before each run; others get a
    program of their own, up to 8. Learning rates, weight decay and arguments that are floats are read at each run.

    Results are the same as without, bit for bit. `p.grad` is there after a step; read it before the next one, or keep
    what `p.grad` gave, which is a copy.

    Args:
        model: a function or a module; without one, a decorator.
        fullgraph: raise `CompileError` for what can't be a program; else it runs eagerly, with one warning.
        dynamic, mode, options: accepted, and change nothing: there is one program for each shape.
        backend: "eager" and "aot_eager" compile nothing; other names mean the same as none.
        disable: compile nothing.

    Returns:
        Of a function a `Compiled`, with `source`, `save(path)`, `programs` and `reset()`; of a module a module.

    Raises:
        TypeError: it can't be called, or `backend` is a function: there is no graph to give it.
        RuntimeError: both `mode` and `options` are given.
        CompileError: in a call, with `fullgraph=True`.

    >>> import tinygrad_dl as td
    >>> model = td.nn.Linear(4, 1)
    >>> optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    >>> @td.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = (model(x) - y).square().mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> step(td.ones(8, 4), td.zeros(8, 1)).shape
    ()

    Source: https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    given = {"dynamic": dynamic, "backend": backend, "mode": mode, "options": options, "disable": disable}
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, **given)
    if not callable(model) or isinstance(model, type):
        raise TypeError(f"compile: got {summary(model)}, expected a function or a module")
    if callable(backend):
        raise TypeError("compile: got a function for backend, expected a name: there is no graph to give it")
    if mode is not None and options is not None:
        raise RuntimeError(f"compile: got mode={mode!r} and options={options!r}, expected one of them")
    if mode not in MODES:
        raise RuntimeError(f"compile: got mode={mode!r}, expected one of {MODES[1:]}")
    if disable or backend in ("eager", "aot_eager"):
        return model
    if isinstance(model, Module):
        return OptimizedModule(model, fullgraph)
    return Compiled(model, fullgraph)
