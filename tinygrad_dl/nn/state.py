"""The state of a module: saved as a dict of tensors by name, and loaded whole or not at all."""

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements
from tinygrad_dl.core.device import moved
from tinygrad_dl.core.hooks import Registered
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn.members import Members
from tinygrad_dl.nn.parameter import is_lazy

S = TypeVar("S", bound="State[Any]")

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find in the module or in the state."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Loading(NamedTuple):
    """One call of `load_state_dict`: what is to be written at its end, if nothing is wrong."""

    writes: list[Callable[[], None]]
    assign: bool


# The call that is under way in this thread; `_load_from_state_dict`, whose signature is PyTorch's, finds it here.
_local = threading.local()


class State(Members[S]):
    """The part of `Module` that saves and loads its state."""

    _version = 1  # of what the state of this class looks like: saved beside it
    _hooks_on_state: dict[str, Registered] | None = None

    T_destination = TypeVar("T_destination", bound=dict[str, Any])

    def state_dict(
        self, *args: Any, destination: dict[str, Any] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by name, and what `get_extra_state` of the modules returns.

        The tensors share the module's memory and are outside the graph; with `keep_vars` they are the very
        parameters. Copy them if they are to outlast training.

        >>> import tinygrad_dl as td
        >>> {name: t.shape for name, t in td.nn.Linear(2, 3).state_dict().items()}
        {'weight': (3, 2), 'bias': (3,)}

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.state_dict
        """
        if args:
            warn("state_dict: positional arguments are deprecated; name them", FutureWarning)
            given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
            return self.state_dict(**{"destination": destination, "prefix": prefix, "keep_vars": keep_vars, **given})
        state: Any = destination
        if state is None:
            state = OrderedDict()
            state._metadata = {}  # for each module what `load_state_dict` should know: the `_version` of its class
        metadata = {"version": self._version}
        if hasattr(state, "_metadata"):
            state._metadata[prefix[:-1]] = metadata
        for _, hook in self._state_hooks("_state_dict_pre_hooks"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(state, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for number, hook in self._state_hooks("_state_dict_hooks"):
            changed = hook(self, state, prefix, metadata)
            if changed is not None:
                if self._with_option("_state_dict_hooks_return_nothing", number):
                    raise RuntimeError("a state_dict post-hook changes the dict that it gets and returns None")
                state = changed
        found: dict[str, Any] = state
        return found

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Puts this module's own parameters, buffers and extra state into `destination`; subclasses may add to it."""
        for name, tensor in self._parameters.items():
            if tensor is not None:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if self._defines("get_extra_state"):
            destination[prefix + EXTRA] = self.get_extra_state()

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies values into the parameters and buffers of the same names, casting to their dtypes.

        Args:
            state_dict: tensors or arrays by name, as `state_dict()` gives them.
            strict: whether names missing from or unknown to the module are an error.
            assign: take over the given arrays instead of copying their values.

        Returns:
            The missing and unexpected names (both empty if `strict`).

        Raises:
            RuntimeError: names are missing or unexpected (if `strict`), shapes differ, complex values are to go into a
                real parameter, or values into read-only memory; all are listed, and no parameter or buffer is changed.

        >>> import tinygrad_dl as td
        >>> a, b = td.nn.Linear(2, 3), td.nn.Linear(2, 3)
        >>> a.load_state_dict(b.state_dict())
        <All keys matched successfully>

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected a mapping of names to tensors, got {type(state_dict).__name__}")
        metadata: dict[str, Any] = getattr(state_dict, "_metadata", {})
        state = dict(state_dict)  # hooks may rename entries
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        before, loading = getattr(_local, "loading", None), Loading([], assign)
        _local.loading = loading
        try:
            load(self, state, "", metadata, IncompatibleKeys(missing, unexpected), problems)
        finally:
            _local.loading = before
        if strict and missing:
            problems.insert(0, f"missing (in the module, not in the state): {', '.join(missing)}")
        if strict and unexpected:
            problems.insert(
                min(1, len(problems)), f"unexpected (in the state, not in the module): {', '.join(unexpected)}"
            )
        if problems:
            lines, first = "\n  ".join(problems), "; ".join(f"{p[:100]}..." if len(p) > 100 else p for p in problems)
            hint = "; load_state_dict(..., strict=False) leaves out missing and unexpected names" if strict else ""
            raise RuntimeError(
                f"load_state_dict: the state does not fit {type(self).__name__}: got one that differs, {first}, "
                f"expected the module's names, shapes and dtypes\n  {lines}\nnothing was changed{hint}"
            )
        for write in loading.writes:
            write()
        return IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Loads this module's own parameters, buffers and extra state; subclasses may rename entries before.

        What is to be written is noted, and written once the whole state was found to fit.

        Args:
            state_dict: the entries below `prefix`, of submodules too.
            local_metadata: what was saved beside the tensors: "version", the `_version` of the class.
            strict: whether to look for unexpected names.
            missing_keys, unexpected_keys, error_msgs: lists to add to.
        """
        for number, hook in self._state_hooks("_load_state_dict_pre_hooks"):
            module = (self,) if self._with_option("_load_state_dict_pre_hooks_with_module", number) else ()
            hook(*module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        loading: Loading | None = getattr(_local, "loading", None)
        now = Loading([], False) if loading is None else loading
        buffers = {name: each for name, each in self._buffers.items() if name not in self._non_persistent_buffers_set}
        own = {name: each for name, each in (*self._parameters.items(), *buffers.items()) if each is not None}
        for name, tensor in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            problem = self._load_tensor(name, key, tensor, state_dict[key], now)
            if problem:
                error_msgs.append(problem)
        key = prefix + EXTRA
        if self._defines("set_extra_state"):
            if key in state_dict:
                now.writes.append(functools.partial(self.set_extra_state, state_dict[key]))
            elif strict:
                missing_keys.append(key)
        if strict:
            known = {*own, *self._modules} | ({EXTRA} if self._defines("set_extra_state") else set())
            for key in state_dict:
                first, dot, _ = key.removeprefix(prefix).partition(".")
                if key.startswith(prefix) and (first not in known or bool(dot) != (first in self._modules)):
                    unexpected_keys.append(key)
        if loading is None:  # called by itself
            for write in now.writes:
                write()

    def _load_tensor(self, name: str, key: str, tensor: Any, value: Any, now: Loading) -> str:
        """Notes what is to be written into a parameter or buffer; returns what does not fit, "" if all does."""
        if is_lazy(value):
            return "" if is_lazy(tensor) else f"shape: {key} has none yet in the state, {tensor.shape} in the module"
        try:
            array = as_array(value)
        except (TypeError, ValueError):
            return f"not a tensor: {key} is {type(value).__name__}"
        if is_lazy(tensor):
            now.writes.append(functools.partial(filled, tensor, array))
            return ""
        if tensor.shape == () and array.shape == (1,):
            array, value = array.reshape(()), array.reshape(())  # as such were saved long ago
        if array.shape != tensor.shape:
            return f"shape: {key} has {array.shape} in the state, {tensor.shape} in the module"
        if now.assign:
            now.writes.append(functools.partial(assigned, self, name, tensor, value, array))
        elif array.dtype.kind == "c" != tensor.dtype.kind:
            return f"dtype: {key} has {array.dtype} in the state, {tensor.dtype} in the module"
        elif tensor._data is not array:
            if not has_own_elements(tensor._data):
                return f"read-only: {key} is an array in the module that can't be changed; use assign=True"
            now.writes.append(functools.partial(copied, tensor, array))
        return ""

    def get_extra_state(self) -> Any:
        """What belongs to the state beside parameters and buffers; a subclass that has such a thing defines it."""
        raise RuntimeError(
            f"{type(self).__name__}: got a module without get_extra_state(), expected it, to save more than tensors"
        )

    def set_extra_state(self, state: Any) -> None:
        """Takes over what `get_extra_state` returned; a subclass that has such a thing defines it."""
        raise RuntimeError(
            f"{type(self).__name__}: got a module without set_extra_state(state), expected it, to load what "
            "get_extra_state saved"
        )

    def _defines(self, method: str) -> bool:
        """Whether a subclass defines a method of this class anew."""
        return getattr(type(self), method) is not getattr(State, method)

    def _state_hooks(self, kind: str) -> list[tuple[int, Callable[..., Any]]]:
        return [] if self._hooks_on_state is None else list(self._hooks_on_state[kind].items())

    def _with_option(self, option: str, number: int) -> bool:
        return self._hooks_on_state is not None and number in self._hooks_on_state[option]


def load(
    module: State[Any],
    state: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
    keys: IncompatibleKeys,
    problems: list[str],
) -> None:
    """Loads the entries below `prefix` into a module and those in it, and calls its hooks."""
    module._load_from_state_dict(state, prefix, metadata.get(prefix[:-1], {}), True, *keys, problems)
    for name, child in module._modules.items():
        if child is not None:
            inner = f"{prefix}{name}."
            own = {key: value for key, value in state.items() if key.startswith(inner)}
            load(child, own, inner, metadata, keys, problems)
    for _, hook in module._state_hooks("_load_state_dict_post_hooks"):
        if hook(module, keys) is not None:
            raise AssertionError("a load_state_dict post-hook changes the lists that it gets and returns None")


def filled(tensor: Any, array: np.ndarray) -> None:
    """Gives a tensor without a shape that of an array, and its numbers."""
    tensor.materialize(array.shape)
    tensor._data[...] = moved(array, tensor.device)


def copied(tensor: Tensor, array: np.ndarray) -> None:
    """Copies a loaded value into a tensor of the module."""
    tensor._write(moved(array.astype(tensor.dtype, copy=False), tensor.device), "load_state_dict")


def assigned(module: State[Any], name: str, old: Tensor, value: Any, array: np.ndarray) -> None:
    """Puts a loaded value in the place of a tensor of the module."""
    if name in module._parameters:
        new = value if isinstance(value, type(old)) else type(old)(array, requires_grad=old.requires_grad)
        module._parameters[name] = new.requires_grad_(old.requires_grad)  # type: ignore[assignment]
    else:
        module._buffers[name] = value if isinstance(value, Tensor) else wrap(array)
