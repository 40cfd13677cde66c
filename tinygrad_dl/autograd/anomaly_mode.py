"""Anomaly mode: errors of a backward pass say which line of the forward computation made the operation.

While it is on, each node remembers where it was made, and each gradient is looked at. While it is off, nothing of this
file is loaded and nothing is asked.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.engine import gradients
from tinygrad_dl.core.graph import Gradient, Node, Useful, observers

__all__ = ["detect_anomaly", "set_detect_anomaly"]

OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep, "<tinygrad_dl "  # how the names of our files begin
DEPTH = 16  # lines of the user's that a node remembers, the innermost last


class _State:
    """Whether the mode is on, in all threads, and whether it looks for nan."""

    enabled = False
    check_nan = True


state = _State()


class _Current(threading.local):
    """The nodes whose rules are running in this thread, innermost last."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []


current = _Current()


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on.

    >>> import tinygrad_dl as td
    >>> with td.autograd.detect_anomaly():
    ...     td.is_anomaly_enabled()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_anomaly_enabled.html
    """
    return state.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode, when it is on, looks for nan.

    >>> import tinygrad_dl as td
    >>> with td.autograd.detect_anomaly(check_nan=False):
    ...     td.is_anomaly_check_nan_enabled()
    False

    Source: https://docs.pytorch.org/docs/stable/generated/torch.is_anomaly_check_nan_enabled.html
    """
    return state.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turns anomaly mode on or off.

    >>> import tinygrad_dl as td
    >>> td.set_anomaly_enabled(True)
    >>> td.is_anomaly_enabled()
    True
    >>> td.set_anomaly_enabled(False)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.set_detect_anomaly.html
    """
    for name, value in (("mode", mode), ("check_nan", check_nan)):
        if not isinstance(value, bool):
            raise TypeError(f"set_anomaly_enabled: got {name}={summary(value)}, expected True or False")
    with observers.lock:
        if mode and not state.enabled:
            observers.watch(note_origin)
            observers.step = watched_step
        elif not mode and state.enabled:
            observers.leave(note_origin)
            observers.step = None
        state.enabled, state.check_nan = mode, check_nan


class set_detect_anomaly:
    """Turns anomaly mode on or off at once; as a context manager, puts the old state back at the end.

    Args:
        mode: on or off.
        check_nan: whether a gradient with nan is an error.

    >>> import tinygrad_dl as td
    >>> with td.autograd.set_detect_anomaly(True):
    ...     td.is_anomaly_enabled()
    True

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.set_detect_anomaly
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = state.enabled, state.check_nan
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        set_anomaly_enabled(*self._before)


class detect_anomaly(set_detect_anomaly):
    """Inside, errors of backward name the line that made the operation, its module, and the ranges of its inputs.

    Run the forward computation and backward inside. It takes several times as long: for finding a fault only.

    Args:
        check_nan: raise if a backward rule returns nan.

    Raises:
        RuntimeError: in backward: a rule returned nan.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 0.0], requires_grad=True)
    >>> with td.autograd.detect_anomaly():
    ...     y = (x.sqrt() * 0).sum()
    ...     y.backward()
    Traceback (most recent call last):
    RuntimeError: backward: got nan from SqrtBackward0 in the gradient of input 0 (1 of 2 elements), expected numbers
    made by File "<doctest tinygrad_dl.autograd.anomaly_mode.detect_anomaly[2]>", line 2, in <module>
    from input: float32 (2,) from 0 to 1
    given a gradient: float32 (2,) from 0 to 0

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.detect_anomaly
    """

    def __init__(self, check_nan: bool = True):
        super().__init__(True, check_nan)


class Origin:
    """Where a node was made: the user's lines, the module that ran, and what the operation was given."""

    def __init__(self, frame: FrameType | None):
        made_by = frame.f_locals if frame is not None else {}
        self.inputs = {name: described(value) for name, value in made_by.items() if isinstance(value, np.ndarray)}
        for name in ("out", "result"):
            self.inputs.pop(name, None)
        modules: list[Any] = []
        lines: list[str] = []
        for each in outwards(frame):
            owner = each.f_locals.get(each.f_code.co_varnames[0]) if each.f_code.co_argcount else None
            if each.f_code.co_name == "forward" and hasattr(owner, "named_modules"):
                modules.append(owner)
            if len(lines) < DEPTH and not each.f_code.co_filename.startswith(OURS):
                lines.append(f'File "{each.f_code.co_filename}", line {each.f_lineno}, in {each.f_code.co_name}')
        self.lines, self.module = lines[::-1], path_of(modules)
        self.parent = current.nodes[-1] if current.nodes else None

    def __str__(self) -> str:
        source = self.lines[-1] if self.lines else "an unknown line"
        module = f", in module {self.module}" if self.module else ""
        inputs = "".join(f"\nfrom {name}: {text}" for name, text in self.inputs.items())
        return f"made by {source}{module}{inputs}"


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def path_of(modules: Sequence[Any]) -> str:
    """How to get from the outermost of the running modules to the innermost, as `Net.encoder.0`."""
    if not modules:
        return ""
    inner, outer = modules[0], modules[-1]
    name = next((name for name, module in outer.named_modules() if module is inner), type(inner).__name__)
    return f"{type(outer).__name__}.{name}" if name else type(outer).__name__


def described(array: np.ndarray) -> str:
    """Type, shape and range of an array."""
    text = f"{array.dtype.name} {array.shape}"
    if array.dtype.kind not in "fiu" or not array.size:
        return text
    finite = array[np.isfinite(array)]
    if finite.size:
        text += f" from {finite.min():.6g} to {finite.max():.6g}"
    for what, number in (("nan", np.isnan(array).sum()), ("infinite", np.isinf(array).sum())):
        text += f", {number} {what}" if number else ""
    return text


def note_origin(node: Node) -> None:
    """Remembers where a node is being made. Called by its class, which was called by the function of the operation."""
    node.metadata["origin"] = Origin(sys._getframe(2))


def watched_step(node: Node, g: Gradient, retain: bool, recorded: bool, useful: Useful = None) -> Sequence[Gradient]:
    """One step of a backward pass, whose errors tell where the node was made."""
    current.nodes.append(node)
    try:
        with np.errstate(all="ignore"):  # what NumPy would warn of is told more exactly here
            results = gradients(node, g, retain, recorded, useful)
        if state.check_nan:
            for position, each in enumerate(results):
                bad = int(np.isnan(array_of(each)).sum()) if each is not None and each.dtype.kind in "fc" else 0
                if bad:
                    total = array_of(each).size
                    raise RuntimeError(
                        f"backward: got nan from {node.name()} in the gradient of input {position} ({bad} of {total} "
                        f"elements), expected numbers\n{story(node)}\n{given(g)}"
                    )
        return results
    except Exception as error:
        if not str(error).startswith("backward: got nan from"):
            error.add_note(f"{node.name()} was {story(node)}")
        raise
    finally:
        current.nodes.pop()


def array_of(g: Gradient) -> np.ndarray:
    """The numbers of a gradient."""
    return np.asarray(getattr(g, "_data", g))


def given(g: Gradient) -> str:
    """The gradients that a step started from."""
    several = g if isinstance(g, list) else [g]
    return "\n".join(f"given a gradient: {described(array_of(each))}" for each in several if each is not None)


def story(node: Node) -> str:
    """Where a node was made; of one made by a backward pass also the nodes that led to it."""
    parts = []
    step: Node | None = node
    while step is not None:
        origin = step.metadata.get("origin")
        parts.append(str(origin) if origin else "made outside of anomaly mode, which knows nothing of it")
        step = origin.parent if origin else None
        if step is not None:
            parts[-1] += f"\nwhile the gradient of {step.name()} was recorded, which was "
    return "".join(parts)
