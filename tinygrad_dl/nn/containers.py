"""Modules that hold other modules or parameters: in a row, in a list, by name."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.module import Module, indented, require_module
from tinygrad_dl.nn.parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def position(index: Any, length: int, what: str, extra: int = 0) -> int:
    """An index counted from the front. IndexError if it is out of range."""
    found = operator.index(index)
    if not -length <= found < length + extra:
        raise IndexError(f"{what}: got index {found}, expected {-length} to {length - 1}")
    return found % length if found < 0 else found


def repetitions(times: Any) -> int:
    """How often a Sequential is to be repeated: TypeError if it is no integer, ValueError if it is less than 1."""
    if not isinstance(times, int):
        raise TypeError(f"Sequential * times: got a {type(times).__name__}, expected an integer")
    if times < 1:
        raise ValueError(f"Sequential * times: got {times}, expected 1 or more")
    return times


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
            require_module(module, type(self).__name__)
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

    >>> model = td.nn.Sequential(td.nn.Linear(4, 2), td.nn.ReLU())
    >>> model(td.ones(3, 4)).shape
    (3, 2)
    >>> model[0]
    Linear(in_features=4, out_features=2, bias=True)
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
            raise ValueError(f"Sequential + other: got a {type(other).__name__}, expected a Sequential")
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"Sequential + other: got a {type(other).__name__}, expected a Sequential")
        found: Sequential = self.extend(other)
        return found

    def __mul__(self, times: int) -> Sequential:
        """The modules several times over: the very same modules, which share their parameters."""
        return Sequential(*list(self) * repetitions(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Sequential:
        found: Sequential = self.extend(list(self) * (repetitions(times) - 1))
        return found


class ModuleList(ModuleSequence):
    """A list of modules whose parameters are found; it has no forward of its own.

    >>> layers = td.nn.ModuleList(td.nn.Linear(2, 2) for _ in range(3))
    >>> len(list(layers.parameters()))
    6
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

    >>> heads = td.nn.ModuleDict({"a": td.nn.Linear(2, 1), "b": td.nn.Linear(2, 5)})
    >>> heads["b"].out_features
    5
    """

    def __init__(self, modules: Any = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            raise KeyError(f"ModuleDict: got key {key!r}, expected one of {list(self._modules)}")
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


class ParameterSequence(Module):
    """What the containers of parameters share: values by key, kept as attributes of that name.

    Tensors become parameters; what is no tensor is kept as it is, outside of the state.
    """

    def _put(self, key: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        if not isinstance(value, Parameter) and key in self._parameters:
            del self._parameters[key]
        setattr(self, key, value)

    def _entries(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [
            f"({name}): Parameter of {value.dtype}, shape {value.shape}"
            if isinstance(value, Parameter)
            else f"({name}): {type(value).__name__}"
            for name, value in self._entries()
        ]
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


class ParameterList(ParameterSequence):
    """A list of parameters that a module finds; tensors become parameters, other values are kept as they are.

    >>> scales = td.nn.ParameterList([td.ones(2), td.zeros(3)])
    >>> [p.shape for p in scales]
    [(2,), (3,)]
    """

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _entries(self) -> list[tuple[str, Any]]:
        return [(str(i), getattr(self, str(i))) for i in range(self._size)]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([value for _, value in self._entries()])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return getattr(self, str(position(index, len(self), "ParameterList")))

    def __setitem__(self, index: int, value: Any) -> None:
        self._put(str(position(index, len(self), "ParameterList")), value)

    def append(self, value: Any) -> ParameterList:
        """Adds a value at the end; returns itself."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Adds values at the end; returns itself."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList: expected a sequence of parameters, got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)


class ParameterDict(ParameterSequence):
    """A dict of parameters that a module finds; tensors become parameters, other values are kept as they are.

    The keys stand in the order of insertion, those of a plain dict in the order of the alphabet, as in PyTorch.

    >>> params = td.nn.ParameterDict({"right": td.zeros(2), "left": td.ones(2)})
    >>> params["left"].requires_grad, list(params)
    (True, ['left', 'right'])
    """

    def __init__(self, parameters: Any = None):
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def _entries(self) -> list[tuple[str, Any]]:
        return [(key, getattr(self, key)) for key in self._keys]

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(f"ParameterDict: got key {key!r}, expected one of {list(self._keys)}")
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict: got key {key!r} ({type(key).__name__}), expected a str")
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"ParameterDict: got key {key!r}, which is an attribute already, expected another")
        self._put(key, value)
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        self[key]
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: Any) -> ParameterDict:
        new = self.copy()
        new.update(other)
        return new

    def __ror__(self, other: Any) -> ParameterDict:
        new = ParameterDict(other)
        new.update(self)
        return new

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self

    def keys(self) -> KeysView[str]:
        """The keys."""
        return self._keys.keys()

    def values(self) -> ValuesView[Any]:
        """The values."""
        return dict(self._entries()).values()

    def items(self) -> ItemsView[str, Any]:
        """(key, value) pairs."""
        return dict(self._entries()).items()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is the default if it was not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new one with these keys and one value."""
        new = ParameterDict()
        for key in keys:
            new[key] = default
        return new

    def copy(self) -> ParameterDict:
        """A new one with the same values."""
        new = ParameterDict()
        for key, value in self.items():
            new[key] = value
        return new

    def update(self, parameters: Any) -> None:
        """Adds values from a mapping or from (key, value) pairs."""
        pairs = dict(parameters).items()
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs = dict(sorted(pairs)).items()
        for key, value in pairs:
            self[key] = value

    def pop(self, key: str) -> Any:
        """Takes out a value and returns it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Takes out the last pair and returns it."""
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        """Takes out all values."""
        for key in list(self):
            del self[key]
