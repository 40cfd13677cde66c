"""Hooks of optimisers: functions of the user's that are called around steps and state dictionaries."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.hooks import Registered, RemovableHandle


class Hooked(Composed):
    """What an optimiser does about hooks."""

    _hooks: defaultdict[str, Registered]
    _opt_called = False  # whether it ever stepped: schedules ask
    _stepping = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        made._hooks = defaultdict(Registered)  # for subclasses that leave out the constructor of their base too
        return made

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        step = vars(cls).get("step")
        if step is not None:
            type.__setattr__(cls, "step", with_hooks(step))

    def _register(self, kind: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        return RemovableHandle(self._hooks[kind], hook, prepend=prepend)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step; a pair that it returns replaces args and kwargs.

        `args` begins with the optimiser, as in PyTorch. The handle's `remove()` takes the hook away. Hooks stay
        behind when an optimiser is copied or pickled.

        >>> import tinygrad_dl as td
        >>> optimizer = td.optim.SGD([td.zeros(1, requires_grad=True)])
        >>> with optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print("before")):
        ...     optimizer.step()
        before

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_step_pre_hook.html
        """
        return self._register("before step", hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_step_post_hook.html
        """
        return self._register("after step", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., None], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` before `state_dict`; with `prepend` before the hooks that are there already.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_state_dict_pre_hook.html
        """
        return self._register("before state_dict", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` after `state_dict`; what it returns, if not None, replaces the dict.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_state_dict_post_hook.html
        """
        return self._register("after state_dict", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` before `load_state_dict`, with a copy of the dict that it may change.

        What it returns, if not None, is loaded instead.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_load_state_dict_pre_hook.html
        """
        return self._register("before load_state_dict", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` after `load_state_dict`.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.register_load_state_dict_post_hook.html
        """
        return self._register("after load_state_dict", hook, prepend)


_global_hooks: defaultdict[str, Registered] = defaultdict(Registered)


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` before each step of every optimiser, before the optimiser's own hooks.

    >>> import tinygrad_dl as td
    >>> hook = lambda optimizer, args, kwargs: print("a step of", type(optimizer).__name__)
    >>> with td.optim.optimizer.register_optimizer_step_pre_hook(hook):
    ...     td.optim.Adam([td.zeros(1, requires_grad=True)]).step()
    a step of Adam

    Source: https://docs.pytorch.org/docs/stable/optim.html
    """
    return RemovableHandle(_global_hooks["before step"], hook)


def register_optimizer_step_post_hook(hook: Callable[..., None]) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` after each step of every optimiser, after the optimiser's own hooks.

    >>> import tinygrad_dl as td
    >>> hook = lambda optimizer, args, kwargs: print("after a step of", type(optimizer).__name__)
    >>> with td.optim.optimizer.register_optimizer_step_post_hook(hook):
    ...     td.optim.SGD([td.zeros(1, requires_grad=True)]).step()
    after a step of SGD

    Source: https://docs.pytorch.org/docs/stable/optim.html
    """
    return RemovableHandle(_global_hooks["after step"], hook)


def with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A class's `step` that calls the hooks; once, where a subclass's step calls that of its base."""

    @functools.wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        self._opt_called = True
        if self._stepping or not (self._hooks or _global_hooks):
            return step(*args, **kwargs)
        self._stepping = True
        try:
            own, everywhere = self._hooks, _global_hooks
            for hook in itertools.chain(tuple(everywhere["before step"].values()), tuple(own["before step"].values())):
                result = first_given(hook(self, args, kwargs), (args, kwargs))
                if not isinstance(result, tuple) or len(result) != 2:
                    raise RuntimeError(
                        f"{type(self).__name__}.step: got {summary(result)} from a step_pre_hook, expected None or a "
                        "pair (args, kwargs)"
                    )
                args, kwargs = result
            out = step(*args, **kwargs)
            for hook in itertools.chain(tuple(own["after step"].values()), tuple(everywhere["after step"].values())):
                hook(self, args, kwargs)
            return out
        finally:
            self._stepping = False

    return hooked


def first_given(a: Any, b: Any) -> Any:
    """`a` unless it is None: what a hook returned, or what it got."""
    return b if a is None else a
