"""class Module: parameters, buffers and submodules by name, and a `forward`.

Assigning a Parameter, a Module or a Buffer as an attribute registers it; they are found again in the
order of assignment. The parts of the class: what it contains (`parameters`, `modules`) is in `members.py`, its state
in `state.py`, hooks in `hooks.py`; none of them knows this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.composition import Composed
from tinygrad_dl.core.contents import zero_gradient
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.device import TYPES, check_device, no_device
from tinygrad_dl.core.device import device as Device
from tinygrad_dl.core.layout import ORDERS, preserve_format
from tinygrad_dl.core.messages import reraise
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn import hooks
from tinygrad_dl.nn.errors import explain
from tinygrad_dl.nn.hooks import (
    EVERYWHERE,
    Hooked,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from tinygrad_dl.nn.parameter import Buffer, Parameter
from tinygrad_dl.nn.state import State

__all__ = [
    "Module",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]

REGISTRIES = ("_parameters", "_buffers", "_modules")
SET_UP = ("training", "_hooks", "_non_persistent", *REGISTRIES)  # what `Module.__init__` makes


class Module(State["Module"], Hooked, Composed):
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

    def __init__(self) -> None:
        # Past __setattr__, which needs these to be there.
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"], fields["_buffers"], fields["_modules"] = {}, {}, {}
        fields["_non_persistent"] = set()
        fields["_hooks"] = None

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
            return hooks.call(self, args, kwargs)
        except Exception as error:
            reraise(error, explain(error, self, args, kwargs))

    # -- attributes ------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if isinstance(value, Parameter | Module | Buffer):
            if "_modules" not in fields:
                raise AttributeError(
                    f"{type(self).__name__}: got a {type(value).__name__} for {name!r} before super().__init__() was "
                    "called, expected that call first, in __init__"
                )
            taken = next((r for r in REGISTRIES if name in fields[r]), None)
            if taken == "_parameters" and not isinstance(value, Parameter):
                raise TypeError(
                    f"{type(self).__name__}: got a {type(value).__name__} for {name!r}, expected a Parameter or None, "
                    "as it is registered as one; or delete the attribute first"
                )
            if isinstance(value, Parameter):
                forget(self, name, keep="_parameters")
                self.register_parameter(name, value)
            elif isinstance(value, Module):
                forget(self, name, keep="_modules")
                self.add_module(name, value)
            else:
                forget(self, name, keep="_buffers")
                self.register_buffer(name, value, value.persistent)
            return
        registry = next((r for r in REGISTRIES if name in fields.get(r, ())), None)
        if registry is None:
            object.__setattr__(self, name, value)
        elif value is None or (registry == "_buffers" and isinstance(value, Tensor)):
            fields[registry][name] = value
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
        return sorted(name for name in names if name.isidentifier())

    def __setstate__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)

    def __getstate__(self) -> dict[str, Any]:
        # A tensor that a hook computes before each call is no leaf: its values stand for it until the next call.
        fields = self.__dict__.copy()
        for name in hooks.computed(self):
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
        self._parameters[check_name(self, name, "_parameters")] = param

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
        self._buffers[check_name(self, name, "_buffers")] = tensor
        if persistent:
            self._non_persistent.discard(name)
        else:
            self._non_persistent.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a submodule under a name.

        Raises:
            TypeError: not a Module. KeyError: the name is taken or not allowed.
        """
        if module is not None:
            require_module(module, "add_module", name)
        self._modules[check_name(self, name, "_modules")] = module

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
        for module in self.modules():
            module.__dict__["training"] = mode
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

    def to(
        self,
        *args: Any,
        device: Any = None,
        dtype: Any = None,
        non_blocking: bool = False,
        memory_format: Any = preserve_format,
    ) -> Self:
        """Casts floating and complex parameters and buffers to a dtype, in place; the device is always the CPU.

        Args:
            memory_format: the order of dimensions in memory, such as `td.channels_last`, of those of 4 (5) dimensions.

        Raises:
            TypeError: the dtype is neither floating nor complex. ValueError: another device.

        >>> import tinygrad_dl as td
        >>> td.nn.Linear(1, 1).to(td.float64).weight.dtype
        tinygrad_dl.float64
        """
        for value in (*args, device, dtype):
            if isinstance(value, Tensor):
                dtype = value.dtype
            elif isinstance(value, Device) or (isinstance(value, str) and value.partition(":")[0] in TYPES):
                check_device(value)
            elif value is not None and not isinstance(value, bool):
                dtype = dtypes.as_dtype(value)
        if dtype is None:
            return self._lay(memory_format)
        found = dtypes.as_dtype(dtype)
        if not promotion.is_differentiable(found):
            raise TypeError(
                f"to: got dtype {found}, expected a floating or complex one for a module; pass td.float32 or td.float64"
            )
        return self._cast(found, promotion.is_differentiable)._lay(memory_format)

    def cuda(self, *_: Any, **__: Any) -> Self:
        """Raises ValueError: tensors live on the CPU."""
        raise no_device("cuda")

    def _lay(self, memory_format: Any) -> Self:
        """Lays parameters and buffers in the order of the format, those that have as many dimensions as it orders."""
        if memory_format is preserve_format:
            return self
        for tensor in (*self.parameters(), *self.buffers()):
            if memory_format not in ORDERS or len(ORDERS[memory_format]) == tensor.ndim:
                tensor.data = tensor.detach().contiguous(memory_format)
        return self

    def _cast(self, dtype: Any, kinds: Callable[[Any], bool] = promotion.is_floating) -> Self:
        for tensor in (*self.parameters(), *self.buffers()):
            if kinds(tensor.dtype):
                tensor.data = tensor._data.astype(dtype, copy=False)
                if tensor._grad is not None:
                    tensor._grad = wrap(tensor._grad._data.astype(dtype, copy=False))
        return self

    def float(self) -> Self:
        """Casts to float32."""
        return self._cast(promotion.FLOAT32)

    def double(self) -> Self:
        """Casts to float64."""
        return self._cast(promotion.FLOAT64)

    def half(self) -> Self:
        """Casts to float16."""
        return self._cast(promotion.FLOAT16)

    def bfloat16(self) -> Self:
        """Casts to bfloat16, which needs the package ml_dtypes."""
        return self._cast(promotion.bfloat16())

    def type(self, dst_type: Any) -> Self:
        """Casts to a floating dtype."""
        return self.to(dst_type)

    def cpu(self) -> Self:
        """Itself: modules live on the CPU."""
        return self

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


def indented(text: str) -> str:
    """The text with all lines but the first two spaces further in."""
    return text.replace("\n", "\n  ")


def forget(module: Module, name: str, keep: str = "") -> bool:
    """Takes a name out of wherever it stands, except the registry `keep`; whether it stood anywhere."""
    fields = module.__dict__
    found = False
    for registry in REGISTRIES:
        if registry != keep and name in fields.get(registry, ()):
            del fields[registry][name]
            found = True
    if found:
        module._non_persistent.discard(name)
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


def check_name(module: Module, name: str, registry: str) -> str:
    """The name, if a parameter, buffer or submodule may have it."""
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
    return name
