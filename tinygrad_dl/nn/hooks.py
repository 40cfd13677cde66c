"""What a module with hooks does around its `forward`; without hooks none of this runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.function import Function
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.warning import warn

KINDS = ("forward_pre", "forward", "full_backward_pre", "full_backward")
EVERYWHERE: dict[str, list[Hook]] = {}  # hooks of all modules by kind; kinds without any are left out
STATE_KINDS = ("state_dict_pre", "state_dict", "load_state_dict_pre", "load_state_dict")


class Hook:
    """One registered hook with its options."""

    with_module = True  # of hooks before loading: whether it is called with the module first
    returns_nothing = False  # of hooks on a state: whether a returned value is an error

    def __init__(self, function: Callable[..., Any], with_kwargs: bool = False, always_call: bool = False):
        self.function, self.with_kwargs, self.always_call = function, with_kwargs, always_call


class HookHandle:
    """What registering a hook returns: `remove()` takes the hook away again."""

    def __init__(self, module: Any, kind: str, hook: Hook):
        self._module, self._kind, self._hook = module, kind, hook

    def remove(self) -> None:
        """Takes the hook away; doing so twice is harmless."""
        fields, where = self._module.__dict__, place(self._kind)
        hooks = fields[where]
        if hooks and self._hook in hooks[self._kind]:
            hooks[self._kind].remove(self._hook)
            if not any(hooks.values()):
                fields[where] = None

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register(module: Any, kind: str, hook: Hook, prepend: bool) -> HookHandle:
    """Adds a hook to a module and returns the handle that removes it."""
    if not callable(hook.function):
        raise TypeError(f"a {kind} hook: got a {type(hook.function).__name__}, expected a callable")
    where = place(kind)
    if module.__dict__.get(where) is None:
        module.__dict__[where] = {each: [] for each in (KINDS if where == "_hooks" else STATE_KINDS)}
    hooks = module.__dict__[where][kind]
    hooks.insert(0 if prepend else len(hooks), hook)
    return HookHandle(module, kind, hook)


class Hooked:
    """The part of `Module` that registers hooks."""

    _hooks: dict[str, list[Hook]] | None

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Calls `hook(module, args)` before `forward`; what it returns replaces the arguments.

        With `with_kwargs`, it is `hook(module, args, kwargs)` and returns a tuple of both.
        """
        return register(self, "forward_pre", Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> HookHandle:
        """Calls `hook(module, args, output)` after `forward`; what it returns replaces the output.

        With `with_kwargs`, it is `hook(module, args, kwargs, output)`; with `always_call`, it is called with
        the output None when `forward` raised.

        >>> import tinygrad_dl as td
        >>> layer = td.nn.ReLU()
        >>> handle = layer.register_forward_hook(lambda module, args, output: output * 10)
        >>> layer(td.ones(1))
        tensor([10.])
        >>> handle.remove()
        """
        return register(self, "forward", Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> HookHandle:
        """Calls `hook(module, grad_output)` before the module's gradient; what it returns replaces `grad_output`."""
        return register(self, "full_backward_pre", Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> HookHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradient has passed the module.

        What it returns replaces `grad_input`, the gradients of the positional arguments.
        """
        return register(self, "full_backward", Hook(hook), prepend)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return register(self, "state_dict_pre", Hook(hook), False)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after; it may change the dict in place."""
        found = Hook(hook)
        found.returns_nothing = True
        return register(self, "state_dict", found, False)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """As `register_state_dict_post_hook`; what it returns, if anything, replaces the dict."""
        return register(self, "state_dict", Hook(hook), False)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls a hook before `load_state_dict` reads the entries of this module, which it may rename in place.

        It is `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`.
        """
        return self._register_load_state_dict_pre_hook(hook, True)

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any], with_module: bool = False) -> HookHandle:
        """The same, called without the module unless `with_module`."""
        found = Hook(hook)
        found.with_module = with_module
        return register(self, "load_state_dict_pre", found, False)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Calls `hook(module, incompatible_keys)` after; it may change the lists of names in place."""
        return register(self, "load_state_dict", Hook(hook), False)


class GlobalHandle:
    """What registering a hook of all modules returns: `remove()` takes the hook away again."""

    def __init__(self, kind: str, hook: Hook):
        self._kind, self._hook = kind, hook
        EVERYWHERE.setdefault(kind, []).append(hook)

    def remove(self) -> None:
        """Takes the hook away; doing so twice is harmless."""
        found = EVERYWHERE.get(self._kind, [])
        if self._hook in found:
            found.remove(self._hook)
        if not found:
            EVERYWHERE.pop(self._kind, None)

    def __enter__(self) -> GlobalHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> GlobalHandle:
    """Calls `hook(module, args)` before the `forward` of every module: see `Module.register_forward_pre_hook`."""
    return GlobalHandle("forward_pre", Hook(hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> GlobalHandle:
    """Calls `hook(module, args, output)` after the `forward` of every module, before the module's own hooks.

    >>> import tinygrad_dl as td
    >>> names = []
    >>> with td.nn.modules.module.register_module_forward_hook(lambda m, args, out: names.append(type(m).__name__)):
    ...     td.nn.Sequential(td.nn.ReLU())(td.ones(1))
    tensor([1.])
    >>> names
    ['ReLU', 'Sequential']
    """
    return GlobalHandle("forward", Hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> GlobalHandle:
    """Calls `hook(module, grad_output)` before the gradient of every module."""
    return GlobalHandle("full_backward_pre", Hook(hook))


def register_module_full_backward_hook(hook: Callable[..., Any]) -> GlobalHandle:
    """Calls `hook(module, grad_input, grad_output)` when the gradient has passed any module."""
    return GlobalHandle("full_backward", Hook(hook))


def place(kind: str) -> str:
    """The attribute of a module that holds hooks of a kind: those on calls stand apart, so that others cost nothing."""
    return "_hooks" if kind in KINDS else "_hooks_on_state"


def computed(module: Any) -> list[str]:
    """The names of the tensors that hooks compute before each call: a hook says it by `computes`."""
    own = module.__dict__.get("_hooks") or {}
    found = (getattr(hook.function, "computes", "") for hook in own.get("forward_pre", ()))
    return [name for name in found if name]


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module(*args, **kwargs)` of a module with hooks."""
    own = module.__dict__["_hooks"] or {}
    hooks: dict[str, list[Hook]] = {kind: [*EVERYWHERE.get(kind, ()), *own.get(kind, ())] for kind in KINDS}
    for hook in hooks["forward_pre"]:
        if hook.with_kwargs:
            changed = hook.function(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"a forward pre-hook registered with with_kwargs=True: got a {type(changed).__name__} from it, "
                        "expected None or a tuple (args, kwargs)"
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

    def __init__(self, module: Any, hooks: dict[str, list[Hook]]):
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
            if isinstance(result, dict):
                warn(
                    f"backward hooks of {type(self.module).__name__} are not called: its output is a dict, expected a "
                    f"tensor or a tuple of tensors"
                )
            return result
        self.outputs = len(values)
        watched = through(self.enter, places, values)
        new = [watched.get(i, v) for i, v in enumerate(values)]
        if not several:
            return new[0]
        return type(result)(*new) if hasattr(result, "_fields") else type(result)(new)

    def enter(self, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients arrive at the module's outputs."""
        full = at_places(places, gradients, self.outputs)
        for hook in self.hooks["full_backward_pre"]:
            changed = hook.function(self.module, full)
            if changed is not None:
                full = replaced(changed, full, "grad_output")
        self.grad_output = full
        if not self.watches_inputs:  # nothing will come out at the inputs: the hooks run now
            self.run_hooks((None,) * self.inputs)
        return tuple(full[i] for i in places)

    def leave(self, places: list[int], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients leave the module at its inputs."""
        if self.grad_output is None:  # a second derivative comes along here, and passed no output
            return gradients
        full = self.run_hooks(at_places(places, gradients, self.inputs))
        return tuple(full[i] for i in places)

    def run_hooks(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        grad_output, self.grad_output = self.grad_output, None
        for hook in self.hooks["full_backward"]:
            changed = hook.function(self.module, grad_input, grad_output)
            if changed is not None:
                grad_input = replaced(changed, grad_input, "grad_input")
        return grad_input


def replaced(changed: Any, old: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """The gradients that a backward hook returned, if there are as many as before."""
    new = changed if isinstance(changed, tuple) else (changed,)
    if len(new) != len(old):
        raise RuntimeError(f"a backward hook: got {len(new)} gradients as {what} from it, expected {len(old)}")
    for each in new:
        if each is not None and not isinstance(each, Tensor):
            raise TypeError(f"a backward hook: got a {type(each).__name__} as {what} from it, expected tensors")
    return new


def at_places(places: list[int], values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
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
        ctx.set_materialize_grads(False)  # hooks see None for an output that was not used
        return tuple(wrap(t._data) for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, None, *ctx.watcher(ctx.places, gradients)
