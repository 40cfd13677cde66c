"""What a module with hooks does around its `forward`; without hooks none of this runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_dl.function import Function
from tinygrad_dl.tensor import Tensor, wrap

if TYPE_CHECKING:
    from tinygrad_dl.nn.module import Module

KINDS = ("forward_pre", "forward", "full_backward_pre", "full_backward")


class Hook:
    """One registered hook with its options."""

    def __init__(self, function: Callable[..., Any], with_kwargs: bool = False, always_call: bool = False):
        self.function, self.with_kwargs, self.always_call = function, with_kwargs, always_call


class HookHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    def __init__(self, module: Module, kind: str, hook: Hook):
        self._module, self._kind, self._hook = module, kind, hook

    def remove(self) -> None:
        """Takes the hook away; doing so twice is harmless."""
        hooks = self._module.__dict__["_hooks"]
        if hooks and self._hook in hooks[self._kind]:
            hooks[self._kind].remove(self._hook)
            if not any(hooks.values()):
                self._module.__dict__["_hooks"] = None

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register(module: Module, kind: str, hook: Hook, prepend: bool) -> HookHandle:
    """Adds a hook to a module and returns the handle that removes it."""
    if not callable(hook.function):
        raise TypeError(f"a {kind} hook must be callable, got {type(hook.function).__name__}")
    if module.__dict__["_hooks"] is None:
        module.__dict__["_hooks"] = {each: [] for each in KINDS}
    hooks = module.__dict__["_hooks"][kind]
    hooks.insert(0 if prepend else len(hooks), hook)
    return HookHandle(module, kind, hook)


def call(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module(*args, **kwargs)` of a module with hooks."""
    hooks: dict[str, list[Hook]] = {kind: list(found) for kind, found in module.__dict__["_hooks"].items()}
    for hook in hooks["forward_pre"]:
        if hook.with_kwargs:
            changed = hook.function(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "a forward pre-hook registered with with_kwargs=True returns None or a tuple (args, kwargs), "
                        f"got {type(changed).__name__}"
                    )
                args, kwargs = changed
        else:
            changed = hook.function(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
    backward = BackwardHooks(module, hooks) if hooks["full_backward_pre"] or hooks["full_backward"] else None
    called: set[Hook] = set()
    try:
        if backward is not None:
            args = backward.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        for hook in hooks["forward"]:
            called.add(hook)
            extra = (kwargs,) if hook.with_kwargs else ()
            changed = hook.function(module, args, *extra, result)
            if changed is not None:
                result = changed
        return result if backward is None else backward.watch_outputs(result)
    except Exception:
        for hook in hooks["forward"]:
            if hook.always_call and hook not in called:
                hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()), None)
        raise


class BackwardHooks:
    """Runs a module's backward hooks: identities around it see the gradients pass."""

    def __init__(self, module: Module, hooks: dict[str, list[Hook]]):
        self.module, self.hooks = module, hooks
        self.grad_output: tuple[Any, ...] | None = None
        self.inputs = 0
        self.watches_inputs = False

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, those tensors that require a gradient through an identity."""
        self.inputs = len(args)
        places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        if not places:
            return args
        self.watches_inputs = True
        watched = through(self.leave, places, args)
        return tuple(watched.get(i, a) for i, a in enumerate(args))

    def watch_outputs(self, result: Any) -> Any:
        """The result, its tensors that require a gradient through an identity."""
        several = isinstance(result, tuple | list)
        values: Sequence[Any] = result if several else [result]
        places = [i for i, t in enumerate(values) if isinstance(t, Tensor) and t.requires_grad]
        if not places:
            return result
        self.outputs = len(values)
        watched = through(self.enter, places, values)
        new = [watched.get(i, v) for i, v in enumerate(values)]
        if not several:
            return new[0]
        return type(result)(*new) if hasattr(result, "_fields") else type(result)(new)

    def enter(self, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients arrive at the module's outputs."""
        full = spread(places, gradients, self.outputs)
        for hook in self.hooks["full_backward_pre"]:
            changed = hook.function(self.module, full)
            if changed is not None:
                full = changed if isinstance(changed, tuple) else (changed,)
        self.grad_output = full
        if not self.watches_inputs:  # nothing will come out at the inputs: the hooks run now
            self.run_hooks((None,) * self.inputs)
        return tuple(full[i] for i in places)

    def leave(self, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients leave the module at its inputs."""
        full = self.run_hooks(spread(places, gradients, self.inputs))
        return tuple(full[i] for i in places)

    def run_hooks(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.hooks["full_backward"]:
            changed = hook.function(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = changed if isinstance(changed, tuple) else (changed,)
        return grad_input


def spread(places: list[int], values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """The values at their places in a tuple of `count`, None elsewhere."""
    full: list[Any] = [None] * count
    for place, value in zip(places, values, strict=True):
        full[place] = value
    return tuple(full)


def through(watcher: Callable[..., Any], places: list[int], values: Sequence[Any]) -> dict[int, Tensor]:
    """The tensors at these places through an identity whose backward asks `watcher` for the gradients."""
    passed = Watch.apply(watcher, places, *(values[i] for i in places))
    return dict(zip(places, passed, strict=True))


class Watch(Function):
    """An identity that shows the gradients, all at once, to a function."""

    @staticmethod
    def forward(ctx: Any, watcher: Any, places: list[int], *tensors: Tensor) -> Any:
        ctx.watcher, ctx.places = watcher, places
        return tuple(wrap(t._data) for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, None, *ctx.watcher(ctx.places, gradients)
