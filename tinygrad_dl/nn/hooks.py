"""Hooks of modules: where they are kept, and how they get there. What a call does with them is in `calls.py`.

They stand in tables by number, under PyTorch's names, since programs read and clear those: `module._forward_hooks`.
A module has no tables until somebody asks for one, and a call of such a module costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.hooks import Registered, RemovableHandle

# Tables that begin with the name of another say of its hooks how they are to be called.
ON_CALLS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_backward_hooks_of_node",
)
ON_STATE = (
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_hooks_return_nothing",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks_with_module",
    "_load_state_dict_post_hooks",
)
GLOBAL = {name: Registered() for name in ON_CALLS}  # the hooks of all modules
EVERYWHERE: dict[str, Registered] = {}  # the same tables, or empty while no hook is in them
ON_REGISTRATION = {registry: Registered() for registry in ("_parameters", "_buffers", "_modules")}


class Table:
    """A table of hooks as an attribute of a module; the module gets all tables of its kind when one is asked for."""

    name: str
    names: tuple[str, ...]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.place, self.names = ("_hooks", ON_CALLS) if name in ON_CALLS else ("_hooks_on_state", ON_STATE)

    def __get__(self, module: Any, owner: type | None = None) -> Any:
        if module is None:
            return self
        fields = module.__dict__
        if "_parameters" not in fields:
            raise AttributeError(self.name)  # `__getattr__` says that the module is not set up
        if fields.get(self.place) is None:
            fields[self.place] = {name: Registered() for name in self.names}
        return fields[self.place][self.name]

    def __set__(self, module: Any, hooks: dict[int, Any]) -> None:
        self.__get__(module)
        module.__dict__[self.place][self.name] = hooks

    def __delete__(self, module: Any) -> None:
        self.__set__(module, Registered())


def added(
    tables: dict[str, Any], kind: str, hook: Any, options: dict[str, bool], prepend: bool = False
) -> RemovableHandle:
    """The handle of a hook that is put into a table, and into those of its options."""
    if not callable(hook):
        raise TypeError(f"a hook for {kind}: got {summary(hook)}, expected a callable")
    extra = [tables[kind + option] for option, given in options.items() if given]
    handle = RemovableHandle(tables[kind], hook, extra_dict=extra, prepend=prepend)
    for table in extra:
        table[handle.id] = True
    return handle


def refuse_mixing(tables: dict[str, Registered], of_node: bool, whose: str) -> None:
    """Raises if there are backward hooks of the other kind."""
    of_nodes = tables["_backward_hooks_of_node"].keys()
    if tables["_backward_hooks"].keys() - of_nodes if of_node else of_nodes:
        names = "register_full_backward_hook", "register_backward_hook"
        raise RuntimeError(
            f"{names[of_node]}: got {whose} with hooks of {names[not of_node]}, expected hooks of one kind; use "
            f"{names[0]} for all"
        )


class Hooked:
    """The part of `Module` that registers hooks."""

    _hooks: dict[str, Registered] | None
    _hooks_on_state: dict[str, Registered] | None = None
    _forward_pre_hooks, _forward_pre_hooks_with_kwargs = Table(), Table()
    _forward_hooks, _forward_hooks_with_kwargs, _forward_hooks_always_called = Table(), Table(), Table()
    _backward_pre_hooks, _backward_hooks, _backward_hooks_of_node = Table(), Table(), Table()
    _state_dict_pre_hooks, _state_dict_hooks, _state_dict_hooks_return_nothing = Table(), Table(), Table()
    _load_state_dict_pre_hooks, _load_state_dict_pre_hooks_with_module = Table(), Table()
    _load_state_dict_post_hooks = Table()

    def _register(self, kind: str, hook: Any, prepend: bool = False, **options: bool) -> RemovableHandle:
        getattr(self, kind)  # makes the tables
        tables = self._hooks if kind in ON_CALLS else self._hooks_on_state
        assert tables is not None
        return added(tables, kind, hook, options, prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before `forward`; what it returns replaces the arguments.

        With `with_kwargs`, it is `hook(module, args, kwargs)` and returns a tuple of both.
        """
        return self._register("_forward_pre_hooks", hook, prepend, _with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
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
        options = {"_with_kwargs": with_kwargs, "_always_called": always_call}
        return self._register("_forward_hooks", hook, prepend, **options)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before the module's gradient; what it returns replaces `grad_output`."""
        return self._register("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradient has passed the module.

        What it returns replaces `grad_input`, the gradients of the positional arguments.
        """
        if self._hooks is not None:
            refuse_mixing(self._hooks, False, "a module")
        return self._register("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Deprecated: calls `hook(module, grad_input, grad_output)` with the gradients of the last operation alone.

        That operation is the one that made the first tensor of the output: where a module is several operations,
        `grad_input` are not the gradients of its arguments, and the call warns. `register_full_backward_hook` sees
        those.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_backward_hook
        """
        if self._hooks is not None:
            refuse_mixing(self._hooks, True, "a module")
        return self._register("_backward_hooks", hook, _of_node=True)

    @property
    def _is_full_backward_hook(self) -> bool | None:
        """Whether the backward hooks are of `register_full_backward_hook`; None if there are none."""
        tables = self._hooks
        return None if not tables or not tables["_backward_hooks"] else not tables["_backward_hooks_of_node"]

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return self._register("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after; it may change the dict in place."""
        return self._register("_state_dict_hooks", hook, _return_nothing=True)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`; what it returns, if anything, replaces the dict."""
        return self._register("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls a hook before `load_state_dict` reads the entries of this module, which it may rename in place.

        It is `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`.
        """
        return self._register_load_state_dict_pre_hook(hook, True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """The same, called without the module unless `with_module`."""
        return self._register("_load_state_dict_pre_hooks", hook, _with_module=with_module)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after; it may change the lists of names in place."""
        return self._register("_load_state_dict_post_hooks", hook)


def everywhere(kind: str, hook: Any, **options: bool) -> RemovableHandle:
    """The handle of a hook of all modules."""
    handle = added(GLOBAL, kind, hook, options)
    EVERYWHERE.update(GLOBAL)
    return handle


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, args)` before the `forward` of every module: see `Module.register_forward_pre_hook`."""
    return everywhere("_forward_pre_hooks", hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Calls `hook(module, args, output)` after the `forward` of every module, before the module's own hooks.

    >>> import tinygrad_dl as td
    >>> names = []
    >>> with td.nn.modules.module.register_module_forward_hook(lambda m, args, out: names.append(type(m).__name__)):
    ...     td.nn.Sequential(td.nn.ReLU())(td.ones(1))
    tensor([1.])
    >>> names
    ['ReLU', 'Sequential']
    """
    return everywhere("_forward_hooks", hook, _with_kwargs=with_kwargs, _always_called=always_call)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_output)` before the gradient of every module."""
    return everywhere("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, grad_input, grad_output)` when the gradient has passed any module."""
    refuse_mixing(GLOBAL, False, "a process")
    return everywhere("_backward_hooks", hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Deprecated: `Module.register_backward_hook` of all modules."""
    refuse_mixing(GLOBAL, True, "a process")
    return everywhere("_backward_hooks", hook, _of_node=True)


def computed(module: Any) -> list[str]:
    """The names of the tensors that hooks compute before each call: a hook says it by `computes`."""
    own = module.__dict__.get("_hooks") or {}
    found = (getattr(hook, "computes", "") for hook in own.get("_forward_pre_hooks", {}).values())
    return [name for name in found if name]


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, param)` when a module gets a parameter; what it returns takes the parameter's place.

    >>> import tinygrad_dl as td
    >>> names = []
    >>> def note(module, name, param):
    ...     names.append(name)
    >>> with td.nn.modules.module.register_module_parameter_registration_hook(note):
    ...     layer = td.nn.Linear(2, 3)
    >>> names
    ['weight', 'bias']
    """
    return added(ON_REGISTRATION, "_parameters", hook, {})


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, buffer)` when a module gets a buffer; what it returns takes the buffer's place."""
    return added(ON_REGISTRATION, "_buffers", hook, {})


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Calls `hook(module, name, submodule)` when a module gets a submodule; what it returns takes its place."""
    return added(ON_REGISTRATION, "_modules", hook, {})


def registered(module: Any, registry: str, name: str, member: Any) -> Any:
    """A new parameter, buffer or submodule, or what the hooks on registration make of it."""
    for hook in tuple(ON_REGISTRATION[registry].values()):
        changed = hook(module, name, member)
        member = member if changed is None else changed
    return member
