"""When a compiled function runs eagerly whatever its programs are, and what a thread is doing."""

from __future__ import annotations

import threading
from typing import Any

from tinygrad_dl.backends import threads
from tinygrad_dl.compiler.checks import Checks
from tinygrad_dl.compiler.now import now
from tinygrad_dl.core import promotion
from tinygrad_dl.core.graph import observers
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.transforms import stack
from tinygrad_dl.nn.hooks import EVERYWHERE
from tinygrad_dl.optim.hooks import _global_hooks
from tinygrad_dl.random import default_generator

# One step is recorded at a time, in whichever thread: what traces it sees all of them.
one_recording = threading.RLock()


def must_be_eager() -> bool:
    """Whether this call is part of something that wants to see each operation.

    That is another recording, a transform such as vmap or grad, inference mode, hooks on saved tensors, anomaly mode,
    or a recording of `viz`.
    """
    return bool(
        now.recording
        or now.disabled
        or stack.levels
        or stack.differentiating
        or modes.inference
        or observers.recorders
        or observers.step is not None
        or EVERYWHERE
        or any(_global_hooks.values())
    )


def check_settings(checks: Checks) -> None:
    """What holds for all of the library: the mode of this thread, the number of threads, the default dtype."""
    scope = {"modes": modes, "threads": threads, "default": promotion.default, "generator": default_generator}
    checks.scope.update(scope)
    checks.add(f"modes.grad is {modes.grad}", "whether gradients are recorded")
    checks.add(f"threads._number == {threads._number}", "the number of threads")
    checks.same("default.dtype", promotion.default.dtype, "the default dtype")


def describe(value: Any) -> str:
    """An argument in short, for the list of programs."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}".replace("tinygrad_dl.", "")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {describe(each)}" for key, each in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(describe, value)) + ")"
    return "float" if type(value) is float else repr(value) if isinstance(value, int | str) else type(value).__name__


def form(value: Any) -> Any:
    """What an argument looks like, as something that can be looked up: a new form runs eagerly once."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return type(value).__name__, tuple(value.shape), str(value.dtype), bool(getattr(value, "requires_grad", False))
    if isinstance(value, dict):
        return tuple((key, form(each)) for key, each in value.items())
    if isinstance(value, tuple | list):
        return tuple(map(form, value))
    if type(value) is float:
        return "float"
    return (type(value), value) if isinstance(value, int | str | None) else id(value)
