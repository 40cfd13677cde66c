"""Hooks of the graph: functions of the user's that a backward pass calls where a gradient arrives.

A place in the graph without hooks has None, and costs a backward pass one comparison. All that happens
otherwise happens here.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.core.modes import no_grad

Function: TypeAlias = Callable[..., Any]


class Registered(dict[int, Function]):
    """Hooks of one kind by their number, in the order in which they were registered."""

    __slots__ = ("__weakref__",)


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again. Used with `with`, at the end of the block.

    >>> import tinygrad_dl as td
    >>> x = td.tensor(1.0, requires_grad=True)
    >>> with x.register_hook(lambda g: g * 10):
    ...     (x * 2).backward()
    >>> (x * 2).backward()
    >>> x.grad
    tensor(22.)
    """

    _numbers = itertools.count()

    def __init__(
        self,
        hooks_dict: dict[int, Any],
        function: Function | None = None,
        *,
        extra_dict: dict[int, Any] | Sequence[dict[int, Any]] = (),
        prepend: bool = False,
    ):
        # A hook may hold its own handle, so a handle must not hold the hook.
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.extra_dict_ref = tuple(map(weakref.ref, (extra_dict,) if isinstance(extra_dict, dict) else extra_dict))
        self.id = next(number for number in self._numbers if number not in hooks_dict)  # it may come from a file
        if function is not None:
            before = list(hooks_dict) if prepend else ()
            hooks_dict[self.id] = function
            for number in before:
                hooks_dict[number] = hooks_dict.pop(number)

    def remove(self) -> None:
        """Takes the hook away; doing so twice is harmless."""
        for found in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = found()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, ...]:
        # The copy of a handle beside the copy of its hooks is their handle.
        return self.id, self.hooks_dict_ref(), *(found() for found in self.extra_dict_ref)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.id, *tables = state
        self.hooks_dict_ref, *others = (weakref.ref(Registered() if each is None else each) for each in tables)
        self.extra_dict_ref = tuple(others)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _Running(threading.local):
    """The passes that run hooks in this thread, innermost last: each the `engine.Places` that it visits."""

    def __init__(self) -> None:
        self.passes: list[Any] = []


running = _Running()


class Hooks:
    """The hooks of one place in the graph.

    Attributes:
        gradient: called with the gradient that arrived; what they return takes its place.
        kept: what `retain_grad` asked for: sees what the others made of the gradient.
        before: of an operation, called with the gradients of its outputs, which they may replace.
        after: of an operation, called with the gradients of its inputs, which they may replace, and of its outputs.
        accumulated: of a leaf, called with the tensor after its `.grad` has changed.
    """

    __slots__ = ("accumulated", "after", "before", "gradient", "kept")

    # From an array to a tensor; class Tensor, which stands above this module, puts it here.
    wrap: Callable[[np.ndarray], Any]

    def __init__(self) -> None:
        self.gradient = Registered()
        self.before, self.after, self.accumulated = Registered(), Registered(), Registered()
        self.kept: Function | None = None

    @property
    def around(self) -> bool:
        """Whether there are hooks of the operation itself, or of a leaf's accumulation."""
        return bool(self.before or self.after or self.accumulated)

    def run_on_gradient(self, g: Any, places: Any) -> Any:
        """What the hooks make of a gradient that arrived; in an array pass nothing that they compute is recorded."""
        running.passes.append(places)
        try:
            if hasattr(g, "_edge"):
                return self._on_gradient(g)
            with no_grad():
                return self._on_gradient(self.wrap(g))._data
        finally:
            running.passes.pop()

    def _on_gradient(self, g: Any) -> Any:
        for hook in tuple(self.gradient.values()):
            g = replacement(hook, hook(g), g)
        if self.kept is not None:
            self.kept(g)
        return g

    def run_before(self, gradients: Sequence[Any], recorded: bool) -> Sequence[Any]:
        """What the hooks before an operation make of the gradients of its outputs; None: there is none."""
        if not self.before:
            return gradients
        return self._run_around(self.before, tuple(gradients), (), recorded)

    def run_after(self, gradients: Sequence[Any], outputs: Sequence[Any], recorded: bool) -> Sequence[Any]:
        """What the hooks after an operation make of the gradients of its inputs."""
        if not self.after:
            return gradients
        return self._run_around(self.after, tuple(gradients), (self._shown(outputs, recorded),), recorded)

    def _run_around(
        self, hooks: Registered, gradients: tuple[Any, ...], others: tuple[Any, ...], recorded: bool
    ) -> Sequence[Any]:
        if recorded:
            return self._around(hooks, gradients, others)
        with no_grad():
            found = self._around(hooks, self._shown(gradients, recorded), others)
        return [None if each is None else each._data for each in found]

    def _around(self, hooks: Registered, gradients: tuple[Any, ...], others: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in tuple(hooks.values()):
            new = hook(gradients, *others)
            if new is None:
                continue
            if not isinstance(new, tuple):
                raise TypeError(f"a hook: got {type(new).__name__} from {named(hook)}, expected a tuple or None")
            if len(new) != len(gradients):
                raise RuntimeError(
                    f"a hook: got {len(new)} gradients from {named(hook)}, expected {len(gradients)}, or None to leave "
                    "them as they are"
                )
            gradients = tuple(replacement(hook, *pair, keeps=False) for pair in zip(new, gradients, strict=True))
        return gradients

    def _shown(self, gradients: Sequence[Any], recorded: bool) -> tuple[Any, ...]:
        """The gradients as hooks see them: tensors, which hooks must not change in place."""
        if recorded:
            return tuple(gradients)
        return tuple(None if g is None else self.wrap(g) for g in gradients)


def replacement(hook: Function, new: Any, old: Any, keeps: bool = True) -> Any:
    """The gradient that a hook returned; None leaves it as it is, or where the hook returned several, takes it away."""
    if new is None:
        return old if keeps else None
    if old is None:
        raise RuntimeError(f"a gradient hook: got a gradient from {named(hook)} where there was None, expected None")
    if not hasattr(new, "_edge"):
        raise TypeError(f"a gradient hook: got {type(new).__name__} from {named(hook)}, expected a tensor or None")
    if new.shape != old.shape:
        raise RuntimeError(
            f"a gradient hook: got shape {new.shape} from {named(hook)}, expected the gradient's shape {old.shape}"
        )
    if new.dtype != old.dtype:
        raise RuntimeError(
            f"a gradient hook: got dtype {new.dtype} from {named(hook)}, expected the gradient's dtype {old.dtype}"
        )
    return new


def named(hook: Function) -> str:
    """What an error calls a hook."""
    return getattr(hook, "__qualname__", None) or type(hook).__name__


class Keeper:
    """Keeps the gradient of a computed tensor in its `.grad`: what `retain_grad` puts among the hooks of its place."""

    def __init__(self, tensor: Any, hooks: Hooks):
        self._tensor, self._hooks = weakref.ref(tensor), hooks
        hooks.kept = self

    def __call__(self, g: Any) -> None:
        tensor = self._tensor()
        if tensor is not None:
            new = Hooks.wrap(g._data.copy()) if g._edge is None else g.clone()
            tensor._grad = new if tensor._grad is None else tensor._grad + new

    def remove(self) -> None:
        """The tensor has another place in the graph."""
        self._hooks.kept = None
