"""Parametrizations: parameters that are computed from others, such as a weight that is always symmetric.

A module with a parametrization has a class of its own, which computes the tensor when it is read. What it is computed
from stands in the submodule `parametrizations`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from tinygrad_dl.autograd.grad_mode import no_grad
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.containers import ModuleDict, ModuleList
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter

# fmt: off
__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]
# fmt: on


class Cache(threading.local):
    """What was computed since the outermost `cached()` of this thread was entered, by module and name."""

    depth = 0

    def __init__(self) -> None:
        self.values: dict[tuple[Module, str], Tensor] = {}


cache = Cache()


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Inside, each parametrized tensor is computed once, at its first use.

    >>> parametrize = td.nn.utils.parametrize
    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 3))
    >>> with parametrize.cached():
    ...     layer.weight is layer.weight
    True
    """
    cache.depth += 1
    try:
        yield
    finally:
        cache.depth -= 1
        if not cache.depth:
            cache.values.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in the order of application, and what they start from.

    That is `original`, or `original0`, `original1`, ... if the first one's `right_inverse` returns several tensors.
    Made by `register_parametrization`.

    Args:
        modules: the parametrizations.
        original: the parameter or buffer.
        unsafe: whether they may change its shape and dtype.

    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 3))
    >>> [name for name, _ in layer.parametrizations.weight.named_parameters()]
    ['original0', 'original1']
    """

    def __init__(self, modules: Sequence[Module], original: Any, unsafe: bool = False):
        if not modules:
            raise ValueError("ParametrizationList: got no modules, expected at least one")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            start = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with contextlib.suppress(NotImplementedError):
                        start = module.right_inverse(start)
        self.is_tensor = isinstance(start, Tensor)
        tensors = [start] if self.is_tensor else several(start)
        self.ntensors = len(tensors)
        if self.is_tensor:
            require_same(start, "right_inverse", dtype=dtype)
        if not unsafe:
            require_same(self.applied(tensors), "forward", shape, dtype)
        if self.is_tensor:
            put(original, start)
            hold(self, "original", original)
        else:
            for i, each in enumerate(tensors):
                kept = Parameter(each.detach(), original.requires_grad) if isinstance(original, Parameter) else each
                hold(self, f"original{i}", kept.requires_grad_(original.requires_grad))

    def right_inverse(self, value: Tensor) -> None:
        """Sets what the tensor is computed from, such that it gets this value.

        Raises:
            RuntimeError: a parametrization has no `right_inverse`. ValueError: it returns what does not fit.
        """
        with no_grad():
            found: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"right_inverse: got the parametrization {type(module).__name__} without this method, expected "
                        "it, to assign a value to the tensor"
                    )
                found = module.right_inverse(found)
        originals = self.originals()
        tensors = [found] if isinstance(found, Tensor) and self.is_tensor else several(found)
        if len(tensors) != len(originals):
            raise ValueError(f"right_inverse: got {len(tensors)} tensors from it, expected {len(originals)}")
        for old, new in zip(originals, tensors, strict=True):
            require_same(new, "right_inverse", dtype=old.dtype)
        for old, new in zip(originals, tensors, strict=True):
            put(old, new)

    def originals(self) -> list[Any]:
        """What the tensor is computed from."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def forward(self) -> Tensor:
        """The tensor."""
        return self.applied(self.originals())

    def applied(self, tensors: list[Any]) -> Tensor:
        """What the parametrizations make of these tensors."""
        first, *others = self
        value: Tensor = first(*tensors)
        for module in others:
            value = module(value)
        return value


def several(value: Any) -> list[Tensor]:
    """The tensors of a sequence that a `right_inverse` returned."""
    if not isinstance(value, Sequence) or not all(isinstance(each, Tensor) for each in value):
        raise ValueError(f"right_inverse: got a {type(value).__name__} from it, expected a tensor or several")
    return list(value)


def require_same(value: Any, method: str, shape: Any = None, dtype: Any = None) -> None:
    """Raises ValueError if a method of a parametrization changes more than values."""
    what, step = "register_parametrization: got", "; unsafe=True allows it" if shape is not None else ""
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} a {type(value).__name__} from {method}, expected a tensor")
    if dtype is not None and value.dtype != dtype:
        raise ValueError(f"{what} dtype {value.dtype} from {method}, expected {dtype}{step}")
    if shape is not None and value.shape != shape:
        raise ValueError(f"{what} shape {value.shape} from {method}, expected {shape}{step}")


def put(tensor: Tensor, value: Tensor) -> None:
    """Gives a tensor, which optimizers know, other memory."""
    if value is not tensor:
        tensor.data = value.detach()


def hold(module: Module, name: str, tensor: Any) -> None:
    """Registers a parameter as such, and any other tensor as a buffer."""
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class Parametrized(Module):
    """The part of the class of a module with parametrizations that computes tensors when they are read."""

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__.get("_modules", {}).get("parametrizations")
        if found is None or name not in found._modules:
            return super().__getattr__(name)
        if not cache.depth:
            return found[name]()
        key = (self, name)
        if key not in cache.values:
            cache.values[key] = found[name]()
        return cache.values[key]

    def __setattr__(self, name: str, value: Any) -> None:
        if is_parametrized(self, name):
            self.parametrizations[name].right_inverse(value)
        else:
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.parametrizations})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        own: Any = getattr(super(), "__deepcopy__", None)
        if own is not None:  # of a class that copies in a way of its own
            return own(memo)
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return new

    def __getstate__(self) -> dict[str, Any]:
        raise RuntimeError(
            f"pickle: got a {type(self).__name__}, expected a module without parametrizations; save its state_dict(), "
            "or call remove_parametrizations before"
        )


@functools.cache
def parametrized(cls: type) -> type:
    """The class of modules of a class that have parametrizations."""
    return type(f"Parametrized{cls.__name__}", (Parametrized, cls), {})


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Lets a parameter or buffer of a module be computed by another module, and returns the first.

    `module.weight` is then `parametrization(original)`, where the original is the parameter that is trained,
    `module.parametrizations.weight.original`. More parametrizations of the same tensor are applied one after the other.

    Args:
        parametrization: its `forward` computes the tensor. If it has a method `right_inverse`, the original starts at
            what this returns for the value of now, and assigning to `module.weight` sets it so; several tensors are
            given to `forward` as several arguments.
        unsafe: whether the shape and the dtype may change.

    Raises:
        ValueError: the module has no such tensor, or its shape or dtype would change.

    >>> class Symmetric(td.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = td.nn.utils.parametrize.register_parametrization(td.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain: Any = module.parametrizations[tensor_name]
        if not unsafe:
            now = getattr(module, tensor_name)
            found = parametrization(now)
            require_same(found, "forward", now.shape, now.dtype)
            if hasattr(parametrization, "right_inverse"):
                with contextlib.suppress(NotImplementedError):
                    back = parametrization.right_inverse(found)
                    require_same(back, "right_inverse", now.shape, now.dtype)
        chain.append(parametrization)
        chain.unsafe |= unsafe
    elif (module._buffers | module._parameters).get(tensor_name) is not None:
        chain = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            cls: Any = type(module)
            module.__class__ = parametrized(cls)
            module.parametrizations = ModuleDict()
        module.parametrizations[tensor_name] = chain
    else:
        known = [name for name, tensor in (module._parameters | module._buffers).items() if tensor is not None]
        raise ValueError(
            f"register_parametrization: got the name {tensor_name!r}, expected a parameter or buffer of "
            f"{type(module).__name__}: {known}"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of the module, or any, has a parametrization.

    >>> td.nn.utils.parametrize.is_parametrized(td.nn.Linear(2, 3))
    False
    """
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes a parametrized tensor a parameter or buffer as others are, and returns the module.

    Args:
        leave_parametrized: with the value that it has now; or else that of its original.

    Raises:
        ValueError: it has no parametrization, or several originals that are to be left as they are.

    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 3))
    >>> [name for name, _ in td.nn.utils.parametrize.remove_parametrizations(layer, "weight").named_parameters()]
    ['bias', 'weight']
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"remove_parametrizations: got the name {tensor_name!r} of {type(module).__name__}, expected that of a "
            "parametrized tensor"
        )
    chain = module.parametrizations[tensor_name]
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError(
            f"remove_parametrizations: got leave_parametrized=False for {tensor_name!r}, which is computed from "
            f"{chain.ntensors} tensors, expected one; pass leave_parametrized=True"
        )
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach()
    if chain.is_tensor:
        tensor = chain.original
        if leave_parametrized:
            put(tensor, value)
    else:
        trained = any(each.requires_grad for each in chain.originals())
        tensor = Parameter(value) if trained else value
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type_of_parametrized(module)
    hold(module, tensor_name, tensor)
    return module


def type_of_parametrized(module: Module) -> type:
    """The class that a module with parametrizations had before."""
    return type(module).__bases__[1]


def type_before_parametrizations(module: Module) -> type:
    """The class of a module, or the one that it had before its first parametrization.

    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 3))
    >>> type(layer).__name__, td.nn.utils.parametrize.type_before_parametrizations(layer).__name__
    ('ParametrizedLinear', 'Linear')
    """
    return type_of_parametrized(module) if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives a module the parametrizations of another, and the tensors that they start from; returns the module.

    Args:
        tensor_name: of which tensor; of all by default.

    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(2, 3))
    >>> other = td.nn.utils.parametrize.transfer_parametrizations_and_params(layer, td.nn.Linear(2, 3))
    >>> other.parametrizations.weight.original1 is layer.parametrizations.weight.original1
    True
    """
    if not is_parametrized(from_module):
        return to_module
    for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        chain = from_module.parametrizations[name]
        for each in chain:
            register_parametrization(to_module, name, each)
        for key in ["original"] if chain.is_tensor else [f"original{i}" for i in range(chain.ntensors)]:
            setattr(to_module.parametrizations[name], key, getattr(chain, key))
    return to_module


public(globals(), "docs/stable/generated/torch.nn.utils.parametrize.{}.html")
