"""What a module contains: parameters, buffers and submodules by name, and its state dict.

These functions are methods of `Module`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.tensor import Tensor, as_array

if TYPE_CHECKING:
    from tinygrad_dl.nn.module import Module
    from tinygrad_dl.nn.parameter import Parameter


def named_members(module: Module, registry: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Any]]:
    """(name, member) of a registry of the module and those in it; a member shared between names `once` only."""
    seen: set[int] = set()
    found = module.named_modules(prefix=prefix, remove_duplicate=once) if recurse else [(prefix, module)]
    for path, each in found:
        for name, member in each.__dict__[registry].items():
            if member is None or id(member) in seen:
                continue
            if once:
                seen.add(id(member))
            yield f"{path}.{name}" if path else name, member


def parameters(self: Module, recurse: bool = True) -> Iterator[Parameter]:
    """The parameters, in the order of assignment, each once; of submodules too if `recurse`."""
    for _, parameter in self.named_parameters(recurse=recurse):
        yield parameter


def named_parameters(
    self: Module, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
) -> Iterator[tuple[str, Parameter]]:
    """The parameters with their names, such as "layers.0.weight"."""
    yield from named_members(self, "_parameters", prefix, recurse, remove_duplicate)


def buffers(self: Module, recurse: bool = True) -> Iterator[Tensor]:
    """The buffers, in the order of registration, each once."""
    for _, buffer in self.named_buffers(recurse=recurse):
        yield buffer


def named_buffers(
    self: Module, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
) -> Iterator[tuple[str, Tensor]]:
    """The buffers with their names."""
    yield from named_members(self, "_buffers", prefix, recurse, remove_duplicate)


def children(self: Module) -> Iterator[Module]:
    """The direct submodules, each once."""
    for _, child in self.named_children():
        yield child


def named_children(self: Module) -> Iterator[tuple[str, Module]]:
    """The direct submodules with their names."""
    seen: set[int] = set()
    for name, child in self._modules.items():
        if child is not None and id(child) not in seen:
            seen.add(id(child))
            yield name, child


def modules(self: Module, remove_duplicate: bool = True) -> Iterator[Module]:
    """The module itself and all in it, each once."""
    for _, module in self.named_modules(remove_duplicate=remove_duplicate):
        yield module


def named_modules(
    self: Module, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
) -> Iterator[tuple[str, Module]]:
    """The module itself (named `prefix`) and all in it, with their paths."""
    memo = set() if memo is None else memo
    if self in memo:
        return
    if remove_duplicate:
        memo.add(self)
    yield prefix, self
    for name, child in self._modules.items():
        if child is not None:
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)


def get_submodule(self: Module, target: str) -> Module:
    """The submodule at a path such as "layers.0"; "" is the module itself.

    Raises:
        AttributeError: there is none.
    """
    found: Any = self
    for name in target.split(".") if target else ():
        if name not in found._modules:
            raise AttributeError(
                f"{type(found).__name__} has no submodule {name!r} (in the path {target!r}); it has "
                f"{list(found._modules)}"
            )
        found = found._modules[name]
    return found  # type: ignore[no-any-return]


def member_at(self: Module, target: str, registry: str, kind: str) -> Any:
    """The parameter or buffer of a registry that a dotted name leads to."""
    path, _, name = target.rpartition(".")
    owner = self.get_submodule(path)
    if owner.__dict__[registry].get(name) is None:
        known = list(owner.__dict__[registry])
        raise AttributeError(f"{type(owner).__name__} has no {kind} {name!r} (in the path {target!r}); it has {known}")
    return owner.__dict__[registry][name]


def get_parameter(self: Module, target: str) -> Parameter:
    """The parameter at a path such as "layers.0.weight". AttributeError if there is none."""
    found: Parameter = member_at(self, target, "_parameters", "parameter")
    return found


def get_buffer(self: Module, target: str) -> Tensor:
    """The buffer at a path. AttributeError if there is none."""
    found: Tensor = member_at(self, target, "_buffers", "buffer")
    return found


def state_dict(
    self: Module, *, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
) -> dict[str, Any]:
    """All parameters and persistent buffers by name.

    The tensors share the module's memory and are outside the graph; with `keep_vars` they are the very
    parameters. Copy them if they are to outlast training.

    >>> import tinygrad_dl as td
    >>> {name: t.shape for name, t in td.nn.Linear(2, 3).state_dict().items()}
    {'weight': (3, 2), 'bias': (3,)}

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
    """
    state: dict[str, Any] = {} if destination is None else destination
    for name, tensor in self._parameters.items():
        if tensor is not None:
            state[prefix + name] = tensor if keep_vars else tensor.detach()
    for name, buffer in self._buffers.items():
        if buffer is not None and name not in self._non_persistent:
            state[prefix + name] = buffer if keep_vars else buffer.detach()
    for name, child in self._modules.items():
        if child is not None:
            child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    return state


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find in the module or in the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def load_state_dict(
    self: Module, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
) -> IncompatibleKeys:
    """Copies values into the parameters and buffers of the same names, casting to their dtypes.

    Args:
        state_dict: tensors or arrays by name, as `state_dict()` gives them.
        strict: whether names missing from or unknown to the module are an error.
        assign: take over the given arrays instead of copying their values.

    Returns:
        The missing and unexpected names (both empty if `strict`).

    Raises:
        RuntimeError: names are missing or unexpected (if `strict`), shapes differ, complex values are to go into a real
            parameter, or values into read-only memory; all are listed, and nothing is changed.

    >>> import tinygrad_dl as td
    >>> a, b = td.nn.Linear(2, 3), td.nn.Linear(2, 3)
    >>> a.load_state_dict(b.state_dict())
    <All keys matched successfully>

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"load_state_dict: expected a mapping of names to tensors, got {type(state_dict).__name__}")
    own: dict[str, Tensor] = self.state_dict(keep_vars=True)
    missing = [name for name in own if name not in state_dict]
    unexpected = [name for name in state_dict if name not in own]
    problems = []
    if strict and missing:
        problems.append(f"missing (in the module, not in the state): {', '.join(missing)}")
    if strict and unexpected:
        problems.append(f"unexpected (in the state, not in the module): {', '.join(unexpected)}")
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in own.items():
        if name not in state_dict:
            continue
        try:
            arrays[name] = as_array(state_dict[name])
        except (TypeError, ValueError):
            problems.append(f"not a tensor: {name} is {type(state_dict[name]).__name__}")
            continue
        if arrays[name].shape != tensor.shape:
            problems.append(f"shape: {name} has {arrays[name].shape} in the state, {tensor.shape} in the module")
        elif dtypes.category(arrays[name].dtype) == 3 and dtypes.category(tensor.dtype) < 3 and not assign:
            problems.append(f"dtype: {name} has {arrays[name].dtype} in the state, {tensor.dtype} in the module")
        elif not assign and not tensor._data.flags.writeable and tensor._data is not arrays[name]:
            problems.append(f"read-only: {name} is an array in the module that can't be changed; use assign=True")
    if problems:
        lines = "\n  ".join(problems)
        hint = "; load_state_dict(..., strict=False) leaves out missing and unexpected names" if strict else ""
        raise RuntimeError(
            f"load_state_dict: the state does not fit {type(self).__name__}:\n  {lines}\nnothing was changed{hint}"
        )
    for name, array in arrays.items():
        tensor = own[name]
        if assign:
            tensor.data = array
        elif tensor._data is not array:
            tensor._write(array.astype(tensor.dtype, copy=False), "load_state_dict")
    return IncompatibleKeys(missing, unexpected)
