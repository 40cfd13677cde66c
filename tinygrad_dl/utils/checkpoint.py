"""Checkpointing: less memory for more time. What backward needs of a function is not kept, but computed again.

Without reentrant backward (`use_reentrant=False`, the better choice) the function runs as usual, with hooks that keep a
place instead of each saved tensor. When backward asks for the first of them, the function runs again and fills all
places. With it (`use_reentrant=True`) the function is one node, whose backward runs the function again, recorded, and
backward through that.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from tinygrad_dl.autograd import backward
from tinygrad_dl.autograd.graph import saved_tensors_hooks
from tinygrad_dl.autograd.saved import Packed, active
from tinygrad_dl.core.function import Function
from tinygrad_dl.core.hooks import running
from tinygrad_dl.core.modes import enable_grad, modes
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.warning import warn
from tinygrad_dl.random import get_rng_state, set_rng_state
from tinygrad_dl.utils.selective import (
    CheckpointPolicy,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)

__all__ = [
    "CheckpointError",
    "CheckpointPolicy",
    "SelectiveCheckpointContext",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function was not like the first.

    >>> import tinygrad_dl as td
    >>> issubclass(td.utils.checkpoint.CheckpointError, RuntimeError)
    True

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html
    """


class _Settings:
    """What the two context managers below override: None leaves it to the call."""

    early_stop: bool | None = None
    debug: bool | None = None


settings = _Settings()


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Whether checkpoints made inside stop computing again as soon as they have all that backward needs.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.utils.checkpoint import checkpoint, set_checkpoint_early_stop
    >>> def f(x):
    ...     y = x.exp()
    ...     print("to the end")
    ...     return y + 1
    >>> x = td.tensor(0.0, requires_grad=True)
    >>> with set_checkpoint_early_stop(False):
    ...     y = checkpoint(f, x, use_reentrant=False)
    to the end
    >>> y.backward()
    to the end

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.set_checkpoint_early_stop
    """
    before, settings.early_stop = settings.early_stop, enable
    try:
        yield
    finally:
        settings.early_stop = before


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Whether errors of checkpoints made inside list all saved tensors of both runs; None leaves it to each call.

    >>> from tinygrad_dl.utils.checkpoint import set_checkpoint_debug_enabled
    >>> with set_checkpoint_debug_enabled(True):
    ...     pass

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.set_checkpoint_debug_enabled
    """
    before, settings.debug = settings.debug, enabled
    try:
        yield
    finally:
        settings.debug = before


def noop_context_fn() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Two context managers that do nothing: the default of `context_fn`.

    >>> from tinygrad_dl.utils.checkpoint import noop_context_fn
    >>> len(noop_context_fn())
    2

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html
    """
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Calls a function and keeps nothing for backward, which will call it a second time.

    Args:
        function: what to call; it must do the same both times.
        args, kwargs: its arguments; keywords only with `use_reentrant=False`.
        use_reentrant: which of the two ways, see above. False is recommended, and works with `autograd.grad`, keyword
            arguments, and functions that use other tensors than their arguments. None warns, and is True.
        context_fn: returns two context managers, for the first and for the second run; see
            `create_selective_checkpoint_contexts`.
        determinism_check: "default" compares number, shapes and dtypes of the tensors saved in both runs; "none".
        debug: errors list all tensors that were saved in both runs.
        early_stop: ends the second run when all is known that backward needs.
        preserve_rng_state: lets the second run draw the same random numbers.

    Returns:
        What the function returns.

    Raises:
        CheckpointError: in backward: the second run saved other tensors than the first.
        RuntimeError: `use_reentrant=True` and no output requires a gradient; in backward: it was asked for gradients
            of certain inputs only.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.utils.checkpoint import checkpoint
    >>> layer = td.nn.Sequential(td.nn.Linear(4, 4), td.nn.Tanh(), td.nn.Dropout(0.5))
    >>> x = td.ones(2, 4, requires_grad=True)
    >>> loss = checkpoint(layer, x, use_reentrant=False).sum()
    >>> loss.backward()
    >>> x.grad.shape
    (2, 4)

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint
    """
    if use_reentrant is None:
        warn(
            "checkpoint: use_reentrant should be passed; without it it is True as in PyTorch, where that will change; "
            "pass use_reentrant=False, which has fewer restrictions"
        )
        use_reentrant = True
    if determinism_check not in CHECKS:
        raise ValueError(
            f"checkpoint: got determinism_check={determinism_check!r}, expected one of {', '.join(map(repr, CHECKS))}"
        )
    if not use_reentrant:
        stop = early_stop if settings.early_stop is None else settings.early_stop
        told = debug if settings.debug is None else settings.debug
        forward_context, context = context_fn()
        region = Region(function, args, kwargs, preserve_rng_state, context, determinism_check, told, stop)
        with saved_tensors_hooks(region.pack, region.unpack), forward_context:
            found = function(*args, **kwargs)
        region.complete = True
        return found
    if kwargs:
        raise ValueError(f"checkpoint: got {', '.join(kwargs)} with use_reentrant=True, expected no keyword arguments")
    if context_fn is not noop_context_fn or debug:
        raise ValueError("checkpoint: got context_fn or debug with use_reentrant=True, expected use_reentrant=False")
    if modes.grad and not any(isinstance(a, Tensor) and a.requires_grad for a in args):
        warn("checkpoint: no argument requires a gradient, so there will be none; see use_reentrant=False")
    found = Reentrant.apply(function, preserve_rng_state, *args)
    for each in found if isinstance(found, tuple) else (found,):
        if isinstance(each, Tensor) and each.requires_grad:
            each.register_hook(refuse_targets)
    return found


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Calls functions one after the other, in segments that are checkpointed each; the last one is not.

    Args:
        functions: a Sequential, or a list of functions of one argument.
        segments: how many segments to make.
        input: the argument of the first.
        use_reentrant: as for `checkpoint`.
        kwargs: `preserve_rng_state`.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.utils.checkpoint import checkpoint_sequential
    >>> model = td.nn.Sequential(*[td.nn.Linear(4, 4) for _ in range(6)])
    >>> x = td.ones(2, 4, requires_grad=True)
    >>> checkpoint_sequential(model, 3, x, use_reentrant=False).sum().backward()
    >>> x.grad.shape
    (2, 4)

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint_sequential
    """
    if use_reentrant is None:
        warn("checkpoint_sequential: use_reentrant should be passed; pass use_reentrant=False")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"checkpoint_sequential: got {', '.join(kwargs)}, expected preserve_rng_state alone")
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(steps) // segments
    for start in range(0, size * (segments - 1), size) if size else ():
        segment = steps[start : start + size]
        input = checkpoint(chained(segment), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return chained(steps[size * (segments - 1) :])(input)


def chained(steps: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """The functions one after the other."""

    def call(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return call


CHECKS = ("default", "none")


class Place:
    """What stands in the graph for a saved tensor."""

    __slots__ = ("__weakref__",)


class Stop(BaseException):
    """Ends the second run of a region; no error, so that nothing on its way takes it for one."""

    def __init__(self, region: Region):
        self.region = region


class Argument:
    """An argument of a checkpointed function, kept for the second run.

    Inside of another checkpoint it is itself one of the tensors that are packed.
    """

    def __init__(self, value: Any):
        self.value, self.packed = value, None
        if active.pairs and isinstance(value, Tensor):
            self.requires_grad = value.requires_grad
            self.value, self.packed = None, Packed(value._data, active.pairs[-1])

    def get(self) -> Any:
        """The value again."""
        if self.packed is None:
            return self.value
        tensor = wrap(self.packed.unpacked())
        return tensor.requires_grad_() if self.requires_grad else tensor


class Region:
    """One call of a checkpointed function: the places of what it saved, and how to fill them."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        preserve: bool,
        context: Any,
        check: str,
        debug: bool,
        early_stop: bool,
    ):
        self.function, self.context = function, context
        self.args = [Argument(a) for a in args]
        self.kwargs = {name: Argument(a) for name, a in kwargs.items()}
        self.check, self.debug, self.early_stop = check, debug, early_stop
        self.random = get_rng_state() if preserve else None
        self.places: list[weakref.ref[Place]] = []
        self.first: list[Any] = []  # shape and dtype of each saved tensor, in the first run
        self.second: list[Any] = []
        self.values: weakref.WeakKeyDictionary[Place, Tensor] = weakref.WeakKeyDictionary()
        self.complete = False  # the first run
        self.filled = 0  # when; an in-place change since then makes the values old

    def pack(self, tensor: Tensor) -> Place:
        """Keeps the place of a tensor instead of the tensor."""
        place = Place()
        self.places.append(weakref.ref(place))
        self.first.append((tensor.shape, tensor.dtype))
        return place

    def unpack(self, place: Place) -> Tensor:
        """The tensor of a place, which forgets it."""
        if self.filled != mutations.latest:
            self.values.clear()
        if place not in self.values:
            self.run_again()
        tensor = self.values.pop(place, None)
        if tensor is None:
            raise CheckpointError(self.fault("fewer tensors"))
        return tensor

    def run_again(self) -> None:
        """Calls the function a second time, recorded, and fills the places."""
        self.second.clear()
        args = [a.get() for a in self.args]
        kwargs = {name: a.get() for name, a in self.kwargs.items()}
        now = get_rng_state()
        if self.random is not None:
            set_rng_state(self.random)
        try:
            with enable_grad(), saved_tensors_hooks(self.fill, lambda tensor: tensor), self.context:
                self.function(*args, **kwargs)
        except Stop as stop:
            if stop.region is not self:
                raise
        finally:
            if self.random is not None:
                set_rng_state(now)
        self.filled = mutations.latest
        if self.check != "none" and self.complete:  # the function may call backward itself
            if len(self.second) != len(self.first):
                raise CheckpointError(self.fault("another number of tensors"))
            if self.second != self.first:
                raise CheckpointError(self.fault("other tensors"))

    def fill(self, tensor: Tensor) -> Tensor:
        """Takes what the second run saves."""
        position = len(self.second)
        self.second.append((tensor.shape, tensor.dtype))
        place = self.places[position]() if position < len(self.places) else None
        if place is not None:
            self.values[place] = tensor
        if self.early_stop and len(self.second) == len(self.places):
            raise Stop(self)
        return tensor

    def fault(self, what: str) -> str:
        """The words of the error."""
        count = f"{len(self.second)}, expected the {len(self.first)} of the first run"
        differ = [
            f"saved tensor {i}: got {named(new)}, expected {named(old)}"
            for i, (old, new) in enumerate(zip(self.first, self.second, strict=False))
            if old != new
        ]
        if self.debug:
            differ += [f"first run: {', '.join(map(named, self.first))}"]
            differ += [f"second run: {', '.join(map(named, self.second))}"]
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        text = f"checkpoint: got {what} from the second run of {name}: {count}; it must do the same both times"
        return "\n".join([text, *differ])


def named(kind: Any) -> str:
    """Dtype and shape of a saved tensor."""
    shape, dtype = kind
    return f"{dtype} {shape}"


def refuse_targets(g: Tensor) -> None:
    """A hook that raises in a pass that was asked for certain gradients only."""
    if running.passes[-1].targeted:
        raise RuntimeError(
            "checkpoint: got autograd.grad(), or backward(inputs=...), with use_reentrant=True, expected backward() "
            "alone: the second run brings gradients to all leaves; pass use_reentrant=False to checkpoint"
        )


class Reentrant(Function):
    """A checkpointed function as one node."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        ctx.function = function
        ctx.random = get_rng_state() if preserve else None
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.rest = [None if isinstance(a, Tensor) else a for a in args]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        found = function(*args)
        # What it hands on as it is must be a result of its own: the graph continues behind it.
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        args = list(ctx.rest)
        for place, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
            args[place] = tensor.detach().requires_grad_(ctx.needs_input_grad[place + 2])
        now = get_rng_state()
        if ctx.random is not None:
            set_rng_state(ctx.random)
        try:
            with enable_grad():
                found = ctx.function(*args)
        finally:
            if ctx.random is not None:
                set_rng_state(now)
        outputs = found if isinstance(found, tuple | list) else (found,)
        pairs = [
            (output, g)
            for output, g in zip(outputs, gradients, strict=True)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "checkpoint: none of the outputs requires a gradient in the second run, expected one that does; "
                "checkpoint is not needed, or pass use_reentrant=False"
            )
        backward([output for output, _ in pairs], [g for _, g in pairs])
        return (None, None, *(a.grad if isinstance(a, Tensor) else None for a in args))


# PyTorch's, for functions of a program that run parts again: not in `__all__`.
def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The devices of the tensors that are not on the CPU, and the states of their generators: none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Any], *, device_type: str | None = None) -> None:
    """Nothing: no device has a generator of its own. `td.set_rng_state` sets the state of the CPU's."""
