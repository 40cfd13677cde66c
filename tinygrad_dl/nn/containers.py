"""Modules that hold other modules or parameters: in a row, in a list, by name."""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from tinygrad_dl.nn.module import Module, indented
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.tensor import Tensor

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def position(index: Any, length: int, what: str, extra: int = 0) -> int:
    """An index counted from the front. IndexError if it is out of range."""
    found = operator.index(index)
    if not -length <= found < length + extra:
        raise IndexError(f"{what}: index {found} is out of range, it has {length} entries")
    return found % length if found < 0 else found


class ModuleSequence(Module):
    """What `Sequential` and `ModuleList` share: modules named "0", "1", ..."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)._of(list(self._modules.values())[index])
        return list(self._modules.values())[position(index, len(self), type(self).__name__)]

    @classmethod
    def _of(cls, modules: list[Any]) -> Any:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        name = list(self._modules)[position(index, len(self), type(self).__name__)]
        self.add_module(name, module)

    def __delitem__(self, index: Any) -> None:
        names = list(self._modules)
        gone = names[index] if isinstance(index, slice) else [names[position(index, len(self), type(self).__name__)]]
        self._renew([module for name, module in self._modules.items() if name not in gone])

    def _renew(self, modules: list[Any]) -> None:
        """Holds these modules now, named by their places."""
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(f"{type(self).__name__} holds modules, got {type(module).__name__}")
        self.__dict__["_modules"] = {str(i): module for i, module in enumerate(modules)}

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Any:
        """Adds a module at the end; returns itself."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Adds modules at the end; returns itself."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"extend: expected a sequence of modules, got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Puts a module before the one at `index`; returns itself."""
        modules = list(self._modules.values())
        modules.insert(position(index, len(self), type(self).__name__, extra=1), module)
        self._renew(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Takes out the module at `index` and returns it."""
        module: Module = self[index]
        del self[index]
        return module


class Sequential(ModuleSequence):
    """Calls its modules one after the other, each with what the one before returned.

    Args:
        args: modules, or one dict of modules by name.

    >>> import tinygrad_dl as td
    >>> model = td.nn.Sequential(td.nn.Linear(4, 2), td.nn.ReLU())
    >>> model(td.ones(3, 4)).shape
    (3, 2)
    >>> model[0]
    Linear(in_features=4, out_features=2, bias=True)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """

    def __init__(self, *args: Any):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        """The modules applied in order."""
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Sequential(dict(list(self._modules.items())[index]))
        return super().__getitem__(index)

    def __add__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise TypeError(f"a Sequential is joined with a Sequential, got {type(other).__name__}")
        return Sequential(*self, *other)


class ModuleList(ModuleSequence):
    """A list of modules whose parameters are found; it has no forward of its own.

    >>> import tinygrad_dl as td
    >>> layers = td.nn.ModuleList(td.nn.Linear(2, 2) for _ in range(3))
    >>> len(list(layers.parameters()))
    6

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleList.html
    """

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    @classmethod
    def _of(cls, modules: list[Any]) -> Any:
        return cls(modules)

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        found: ModuleList = self.extend(modules)
        return found

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        texts = [repr(module) for module in self]
        if not texts:
            return f"{self._get_name()}()"
        lines = []
        start = 0
        while start < len(texts):  # equal neighbours are shown once, with their count
            end = start
            while end < len(texts) and texts[end] == texts[start]:
                end += 1
            label = f"({start})" if end == start + 1 else f"({start}-{end - 1})"
            count = "" if end == start + 1 else f"{end - start} x "
            lines.append(f"{label}: {count}{indented(texts[start])}")
            start = end
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules whose parameters are found; it has no forward of its own.

    >>> import tinygrad_dl as td
    >>> heads = td.nn.ModuleDict({"a": td.nn.Linear(2, 1), "b": td.nn.Linear(2, 5)})
    >>> heads["b"].out_features
    5

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ModuleDict.html
    """

    def __init__(self, modules: Any = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            raise KeyError(f"ModuleDict has no module {key!r}; it has {list(self._modules)}")
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Takes out all modules."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Takes out a module and returns it."""
        module: Module = self[key]
        del self[key]
        return module

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Any]:
        """(name, module) pairs."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Adds modules from a mapping or from (name, module) pairs."""
        for key, module in dict(modules).items():
            self[key] = module


def as_parameter(value: Any) -> Any:
    """A tensor as a parameter; other things as they are."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


class ParameterList(Module):
    """A list of parameters that a module finds; tensors become parameters.

    >>> import tinygrad_dl as td
    >>> scales = td.nn.ParameterList([td.ones(2), td.zeros(3)])
    >>> [p.shape for p in scales]
    [(2,), (3,)]

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterList.html
    """

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        if values is not None:
            self.extend(values)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: Any) -> Any:
        values = list(self._parameters.values())
        if isinstance(index, slice):
            return ParameterList(values[index])
        return values[position(index, len(self), "ParameterList")]

    def __setitem__(self, index: int, value: Any) -> None:
        self.register_parameter(str(position(index, len(self), "ParameterList")), as_parameter(value))

    def append(self, value: Any) -> ParameterList:
        """Adds a parameter at the end; returns itself."""
        self.register_parameter(str(len(self)), as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Adds parameters at the end; returns itself."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def __repr__(self) -> str:
        return described(self)


class ParameterDict(Module):
    """A dict of parameters that a module finds; tensors become parameters.

    >>> import tinygrad_dl as td
    >>> params = td.nn.ParameterDict({"left": td.ones(2)})
    >>> params["left"].requires_grad
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ParameterDict.html
    """

    def __init__(self, parameters: Any = None):
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._parameters:
            raise KeyError(f"ParameterDict has no parameter {key!r}; it has {list(self._parameters)}")
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> ValuesView[Any]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> ItemsView[str, Any]:
        """(name, parameter) pairs."""
        return self._parameters.items()

    def update(self, parameters: Any) -> None:
        """Adds parameters from a mapping or from (name, parameter) pairs."""
        for key, value in dict(parameters).items():
            self[key] = value

    def pop(self, key: str) -> Any:
        """Takes out a parameter and returns it."""
        value = self[key]
        del self[key]
        return value

    def __repr__(self) -> str:
        return described(self)


def described(module: Module) -> str:
    """The text of a container of parameters: name, dtype and shape of each."""
    lines = [
        f"({name}): Parameter of {value.dtype}, shape {value.shape}"
        for name, value in module._parameters.items()
        if value is not None
    ]
    return f"{module._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"
