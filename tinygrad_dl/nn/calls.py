"""What a module with hooks does around its `forward`; without hooks none of this runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.function import Function
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn.hooks import EVERYWHERE


def call(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module(*args, **kwargs)` of a module with hooks."""
    own: dict[str, Any] | None = module.__dict__["_hooks"]
    hooks: dict[str, Any] = own or {**EVERYWHERE}
    if own and EVERYWHERE:
        hooks = {kind: {**EVERYWHERE[kind], **own[kind]} for kind in own}
    if not any(hooks.values()):  # all were removed
        EVERYWHERE.clear()
        return module.forward(*args, **kwargs)
    result, called = None, set()

    def after(number: int, hook: Callable[..., Any]) -> None:
        nonlocal result
        called.add(number)
        extra = (kwargs,) if number in hooks["_forward_hooks_with_kwargs"] else ()
        changed = hook(module, args, *extra, result)
        if changed is not None:
            result = changed

    try:
        for number, hook in tuple(hooks["_forward_pre_hooks"].items()):
            args, kwargs = before(module, hook, number in hooks["_forward_pre_hooks_with_kwargs"], args, kwargs)
        backward = None
        if hooks["_backward_hooks"] or hooks["_backward_pre_hooks"]:
            backward = BackwardHooks(module, hooks)
            args = backward.watch_inputs(args)
        result = module.forward(*args, **kwargs)
        for number, hook in tuple(hooks["_forward_hooks"].items()):
            after(number, hook)
        return result if backward is None else backward.watch_outputs(args, result)
    except Exception:
        for number, hook in tuple(hooks["_forward_hooks"].items()):
            if number in called or number not in hooks["_forward_hooks_always_called"]:
                continue
            try:
                after(number, hook)
            except Exception as error:
                warn(
                    f"a forward hook with always_call=True of {type(module).__name__} raised {error!r}, which is left "
                    "out for what the call itself raised"
                )
        raise


def before(
    module: Any, hook: Callable[..., Any], with_kwargs: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, or what a forward pre-hook makes of them."""
    changed = hook(module, args, kwargs) if with_kwargs else hook(module, args)
    if changed is None:
        return args, kwargs
    if not with_kwargs:
        return changed if isinstance(changed, tuple) else (changed,), kwargs
    if isinstance(changed, tuple) and len(changed) == 2:
        return changed
    raise RuntimeError(
        f"a forward pre-hook registered with with_kwargs=True: got a {type(changed).__name__} from it, "
        "expected None or a tuple (args, kwargs)"
    )


class BackwardHooks:
    """Runs a module's backward hooks: identities around it see the gradients pass."""

    def __init__(self, module: Any, hooks: dict[str, dict[int, Any]]):
        self.module = module
        self.before = [*hooks["_backward_pre_hooks"].values()]
        of_node, own = hooks["_backward_hooks_of_node"], hooks["_backward_hooks"].items()
        self.of_node = [hook for number, hook in own if number in of_node]
        self.after = [hook for number, hook in own if number not in of_node]
        self.grad_output: tuple[Any, ...] | None = None
        self.inputs = 0
        self.watches_inputs = False

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, those tensors that require a gradient through an identity."""
        self.inputs = len(args)
        places = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        if not places or not (self.before or self.after):
            return args
        self.watches_inputs = True
        watched = through(self.leave, places, args)
        return tuple(watched.get(i, a) for i, a in enumerate(args))

    def watch_outputs(self, args: tuple[Any, ...], result: Any) -> Any:
        """The result, its tensors that require a gradient through an identity."""
        if self.of_node:
            watch_node(self.module, self.of_node, args, result)
        if not (self.before or self.after):
            return result
        several = isinstance(result, tuple | list)
        values: Sequence[Any] = result if several else [result]
        if not isinstance(result, Tensor | tuple | list):
            warn(
                f"backward hooks of {type(self.module).__name__} are not called: its output is a "
                f"{type(result).__name__}, expected a tensor or a tuple of tensors"
            )
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
        full = at_places(places, gradients, self.outputs)
        for hook in self.before:
            changed = hook(self.module, full)
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
        """The gradients of the inputs, as the hooks change them."""
        grad_output, self.grad_output = self.grad_output, None
        for hook in self.after:
            changed = hook(self.module, grad_input, grad_output)
            if changed is not None:
                grad_input = replaced(changed, grad_input, "grad_input")
                if not self.watches_inputs and any(each is not None for each in grad_input):
                    raise RuntimeError(
                        f"a backward hook of {type(self.module).__name__}: got gradients from it where no input "
                        "requires a gradient, expected None"
                    )
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
    """An identity that shows the gradients, all at once, to a function. What it returns can't be changed in place."""

    @staticmethod
    def forward(ctx: Any, watcher: Any, places: list[int], *tensors: Tensor) -> Any:
        ctx.watcher, ctx.places = watcher, places
        ctx.set_materialize_grads(False)  # hooks see None for an output that was not used
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, None, *ctx.watcher(ctx.places, gradients)


def watch_node(module: Any, hooks: list[Any], args: tuple[Any, ...], result: Any) -> None:
    """Puts hooks of `register_backward_hook` on the operation that made the first tensor of the output."""
    first = result
    while not isinstance(first, Tensor):
        first = next(t for t in first.values() if isinstance(t, Tensor)) if isinstance(first, dict) else first[0]
    node = first.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(functools.partial(hook, module))
    outputs = (result,) if isinstance(result, Tensor) else result
    if not isinstance(outputs, tuple) or not all(isinstance(each, Tensor) for each in outputs):
        seen = "that does not return a single Tensor or a tuple of Tensors: grad_output"
    elif not all(isinstance(each, Tensor) for each in args):
        seen = "that does not take as input a single Tensor or a tuple of Tensors: grad_input"
    elif {each.grad_fn for each in outputs} - {None, node}:
        seen = "whose outputs are generated by different autograd Nodes: grad_output"
    elif {each.grad_fn for each in args} - {None} != {each for each, _ in node.next_functions}:
        seen = "whose forward contains multiple autograd Nodes: grad_input"
    else:
        return
    warn(
        f"register_backward_hook is deprecated: got {type(module).__name__}, a module {seen} lacks gradients; use "
        "register_full_backward_hook",
        FutureWarning,
    )
