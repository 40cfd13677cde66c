"""class Module: parameters, buffers and submodules by name, and a `forward`.

Assigning a Parameter, a Module or a Buffer as an attribute registers it; they are found again in the
order of assignment. The parts of the class: what it contains (`parameters`, `modules`) is in `members.py`, its state
in `state.py`, casts in `conversion.py`, hooks in `hooks.py`; none of them knows this file.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import Any, Self

from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.contents import zero_gradient
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.messages import reraise
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.calls import call
from tinygrad_dl.nn.conversion import Converted
from tinygrad_dl.nn.errors import explain
from tinygrad_dl.nn.hooks import (
    EVERYWHERE,
    GLOBAL,
    ON_CALLS,
    ON_REGISTRATION,
    ON_STATE,
    Hooked,
    computed,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    registered,
)
from tinygrad_dl.nn.parameter import Buffer, Parameter
from tinygrad_dl.nn.state import EXTRA, IncompatibleKeys, State

# fmt: off
__all__ = [
    "Module", "register_module_backward_hook", "register_module_buffer_registration_hook",
    "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
# fmt: on

# What programs take from here by PyTorch's names; the hooks of all modules, to look at them or clear them.
_EXTRA_STATE_KEY_SUFFIX, _IncompatibleKeys = EXTRA, IncompatibleKeys
_global_forward_pre_hooks, _global_forward_hooks = GLOBAL["_forward_pre_hooks"], GLOBAL["_forward_hooks"]
_global_forward_hooks_always_called = GLOBAL["_forward_hooks_always_called"]
_global_forward_hooks_with_kwargs = GLOBAL["_forward_hooks_with_kwargs"]
_global_backward_pre_hooks, _global_backward_hooks = GLOBAL["_backward_pre_hooks"], GLOBAL["_backward_hooks"]
_global_parameter_registration_hooks = ON_REGISTRATION["_parameters"]
_global_buffer_registration_hooks = ON_REGISTRATION["_buffers"]
_global_module_registration_hooks = ON_REGISTRATION["_modules"]

REGISTRIES = ("_parameters", "_buffers", "_modules")
SET_UP = (
    "training",
    "_hooks",
    "_non_persistent_buffers_set",
    *ON_CALLS,
    *ON_STATE,
    *REGISTRIES,
)  # what `Module.__init__` makes


class Module(State["Module"], Converted["Module"], Hooked, Composed):
    """The base of all layers and models.

    A subclass calls `super().__init__()`, assigns its parameters and submodules as attributes and defines
    `forward`; calling the module runs `forward` and the hooks around it.

    >>> class Model(td.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = td.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> model = Model()
    >>> model
    Model(
      (layer): Linear(in_features=3, out_features=1, bias=True)
    )
    >>> model(td.ones(2, 3)).shape
    (2, 1)
    """

    training: bool
    call_super_init = False  # whether __init__ hands its arguments on to the next class, for multiple inheritance
    dump_patches = False
    _compiled_call_impl: Any = None  # what `compile` has made of its calls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Past __setattr__, which needs these to be there.
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"], fields["_buffers"], fields["_modules"] = {}, {}, {}
        fields["_non_persistent_buffers_set"] = set()
        fields["_hooks"] = None
        if self.call_super_init:
            super().__init__(*args, **kwargs)
        elif args or kwargs:
            given = ", ".join([*map(summary, args), *(f"{name}={summary(value)}" for name, value in kwargs.items())])
            raise TypeError(f"{type(self).__name__}: got ({given}) for Module.__init__, expected no arguments")

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__}: got a module without forward(), expected one; define `def forward(self, x): ...` "
            "in the class"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None and not EVERYWHERE:
                return self.forward(*args, **kwargs)
            return call(self, args, kwargs)
        except Exception as error:
            reraise(error, explain(error, self, args, kwargs))

    _call_impl = _wrapped_call_impl = __call__  # PyTorch's names of it

    # -- attributes ------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if isinstance(value, MEMBERS):
            if "_modules" not in fields:
                raise AttributeError(
                    f"{type(self).__name__}: got a {type(value).__name__} for {name!r} before super().__init__() was "
                    "called, expected that call first, in __init__"
                )
            taken = next((r for r in REGISTRIES if name in fields[r]), None)
            if taken in KEPT and not isinstance(value, KEPT[taken]):
                raise TypeError(
                    f"{type(self).__name__}: got a {type(value).__name__} for {name!r}, expected a "
                    f"{KEPT[taken][-1].__name__} or None, as it is registered as one; or delete the attribute first"
                )
            if isinstance(value, Parameter):
                forget(self, name, keep="_parameters")
                self.register_parameter(name, value)
            elif isinstance(value, Module):
                forget(self, name, keep="_modules")
                fields["_modules"][name] = registered(self, "_modules", name, value)
            else:
                put_buffer(self, name, value, value.persistent)
            return
        registry = next((r for r in REGISTRIES if name in fields.get(r, ())), None)
        if registry is None:
            object.__setattr__(self, name, value)
        elif registry == "_buffers" and (value is None or isinstance(value, Tensor)):
            put_buffer(self, name, value, name not in fields["_non_persistent_buffers_set"])
        elif value is None:
            fields[registry][name] = registered(self, registry, name, value)
        else:
            if registry == "_modules":
                require_module(value, type(self).__name__, name)
            kind = {"_parameters": "a Parameter", "_buffers": "a Tensor"}[registry]
            wrapped = f"{type(self).__name__}.{name} = nn.Parameter(tensor), " if isinstance(value, Tensor) else ""
            raise TypeError(
                f"{type(self).__name__}: got {name}={summary(value)}, expected {kind} or None, as {name} is registered "
                f"as one; {wrapped}or delete the attribute first"
            )

    def __getattr__(self, name: str) -> Any:
        # Only reached when the attribute is not found in the usual way.
        fields = self.__dict__
        parameters = fields.get("_parameters")
        if parameters is not None:
            if name in parameters:
                return parameters[name]
            modules = fields["_modules"]
            if name in modules:
                return modules[name]
            buffers = fields["_buffers"]
            if name in buffers:
                return buffers[name]
        if parameters is None and name in SET_UP:
            raise AttributeError(
                f"{type(self).__name__}: got a module that is not set up, expected that its __init__ calls "
                "super().__init__() before anything else"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        if not forget(self, name):
            object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        for registry in REGISTRIES:
            names.update(self.__dict__.get(registry, ()))
        return sorted(name for name in names if not name[:1].isdigit())

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)

    def __getstate__(self) -> dict[str, Any]:
        # A tensor that a hook computes before each call is no leaf: its values stand for it until the next call.
        fields = self.__dict__.copy()
        if fields.pop("_compiled_call_impl", None) is not None:
            del fields["forward"]
        for name in computed(self):
            if isinstance(fields.get(name), Tensor):
                fields[name] = fields[name].detach()
        return fields

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter under a name; None keeps the name without a parameter.

        Raises:
            TypeError: not a Parameter. KeyError: the name is taken or not allowed.
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter {name!r}: expected a Parameter or None, got {type(param).__name__}; wrap the "
                f"tensor: nn.Parameter(tensor)"
            )
        if param is not None and not param.is_leaf:
            raise ValueError(f"register_parameter {name!r}: got a computed tensor, expected a leaf")
        check_name(self, name, "_parameters")
        self._parameters[name] = param if param is None else registered(self, "_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is part of the module's state but not trained, such as a running mean.

        Args:
            persistent: whether it is part of `state_dict`.

        Raises:
            TypeError: not a tensor. KeyError: the name is taken or not allowed.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"register_buffer {name!r}: expected a Tensor or None, got {type(tensor).__name__}; make it one: "
                f"td.tensor(...)"
            )
        check_name(self, name, "_buffers")
        self._buffers[name] = registered(self, "_buffers", name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a submodule under a name.

        Raises:
            TypeError: not a Module. KeyError: the name is taken or not allowed.
        """
        if module is not None:
            require_module(module, "add_module", name)
        check_name(self, name, "_modules")
        self._modules[name] = registered(self, "_modules", name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    # -- changing it as a whole --------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Calls `fn` with every submodule, children first, and with itself; returns itself.

        >>> import tinygrad_dl as td
        >>> def clear(m):
        ...     if isinstance(m, td.nn.Linear):
        ...         td.nn.init.zeros_(m.weight)
        >>> model = td.nn.Sequential(td.nn.Linear(2, 2)).apply(clear)
        >>> model[0].weight.abs().sum().item()
        0.0
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Sets training mode (or evaluation mode) here and in all submodules; returns itself."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: got mode={mode!r}, expected True or False")
        self.training = mode
        for child in self.children():
            child.train(mode)  # a submodule may define it, to stay in evaluation mode
        return self

    def eval(self) -> Self:
        """Sets evaluation mode: dropout passes everything, batch norm uses its running statistics."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Sets whether the parameters require a gradient; returns itself."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            else:
                zero_gradient(parameter)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the calls of this module in place, with the arguments of `td.compile`.

        >>> import tinygrad_dl as td
        >>> model = td.nn.Linear(2, 1)
        >>> model.compile()
        >>> [model(td.ones(3, 2)).shape for _ in range(3)][-1]
        (3, 1)

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.compile
        """
        fields = vars(self)
        fields.pop("forward", None)
        found = import_module("tinygrad_dl.compiler.modules").compile(self.forward, *args, **kwargs)
        fields["forward"] = fields["_compiled_call_impl"] = found

    # -- text ----------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses in the module's text; subclasses define it."""
        return ""

    def _get_name(self) -> str:
        return self.__class__.__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        body = lines + children
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(body) + "\n)"

    def _repr_html_(self) -> str | None:
        from tinygrad_dl.nn.notebook import module_page

        return module_page(self)


MEMBERS = Parameter, Module, Buffer  # what is registered when it is assigned
KEPT = {"_parameters": (Parameter,), "_modules": (Parameter, Module)}  # what may take the place of what is registered


def require_module(value: Any, owner: str, name: str = "") -> None:
    """Raises TypeError for anything but a module, in words that say how to make one of it."""
    if isinstance(value, Module):
        return
    step = ""
    if isinstance(value, type) and issubclass(value, Module):
        step = f"; make one: {value.__name__}(...)"
    elif isinstance(value, list | tuple):
        step = "; pass the modules one by one, as in nn.Sequential(*modules)"
    elif callable(value):
        step = "; a function has a layer of its own, such as nn.ReLU(), or is called in forward()"
    raise TypeError(f"{owner}: got {f'module {name!r} = ' if name else ''}{summary(value)}, expected a Module{step}")


def indented(text: str, spaces: int = 2) -> str:
    """The text with all lines but the first further in, empty ones as they are."""
    first, *lines = text.split("\n")
    return "\n".join([first, *(" " * spaces + line if line.strip() else "" for line in lines)])


def forget(module: Module, name: str, keep: str = "") -> bool:
    """Takes a name out of wherever it stands, except the registry `keep`; whether it stood anywhere."""
    fields = module.__dict__
    found = False
    for registry in REGISTRIES:
        if registry != keep and name in fields.get(registry, ()):
            del fields[registry][name]
            found = True
    if found:
        module._non_persistent_buffers_set.discard(name)
    elif keep:
        fields.pop(name, None)
    return found


def member(module: Module, name: str) -> Any:
    """`module.name` for a name that is usually a parameter or a buffer: five times faster than by `__getattr__`.

    Something else may stand there: a weight that is computed from other parameters, a property of a subclass.
    """
    own: dict[str, Any] = module._parameters
    if name in own:
        return own[name]
    own = module._buffers
    return own[name] if name in own else getattr(module, name)


def put_buffer(module: Module, name: str, tensor: Tensor | None, persistent: bool) -> None:
    """Registers a buffer by the module's own method, which in some programs has no argument `persistent`."""
    register: Any = module.register_buffer
    if getattr(register, "__func__", None) is Module.register_buffer or "persistent" in signature(register).parameters:
        register(name, tensor, persistent)
    elif persistent:
        register(name, tensor)
    else:
        raise RuntimeError(
            f"{type(module).__name__}: got a buffer {name!r} with persistent=False, expected a persistent one, as its "
            "register_buffer has no argument persistent"
        )


def check_name(module: Module, name: str, registry: str) -> None:
    """Raises unless a parameter, buffer or submodule may have the name."""
    if not isinstance(name, str):
        raise TypeError(f"a name in a module: got a {type(name).__name__}, expected a str")
    if not name or "." in name:
        raise KeyError(f"a name in a module: got {name!r}, expected one that is not empty and contains no dot")
    if "_modules" not in module.__dict__:
        raise AttributeError(
            f"{type(module).__name__}: got {name!r} before super().__init__() was called, expected that call first, in "
            "__init__"
        )
    if name not in module.__dict__[registry] and hasattr(module, name):
        raise KeyError(
            f"{type(module).__name__}: got the name {name!r}, which is an attribute already, expected another"
        )


_addindent = indented
