"""The names of tensors in pictures and tables: those that the caller gave, and which leaves are parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_dl.core.graph import Edge, Leaf
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.parameter import Parameter


class Names:
    """The names of tensors: those that the caller gave, and others for the rest.

    Attributes:
        of: by the id of a tensor or of its edge, and of a constant's array. given: which of these the caller gave.
        tensors: those that have a name, kept alive.
    """

    def __init__(self, params: Any):
        self.of: dict[int, str] = {}
        self.tensors: list[Any] = []
        for name, tensor in named(params):
            self.tensors.append(tensor)
            for key in keys_of(tensor):
                self.of[key] = f"{self.of[key]}, {name}" if key in self.of else name
        self.given = frozenset(self.of)
        self._used = set(self.of.values())

    def add(self, name: str, held: Any, *keys: int) -> None:
        """Gives a name that no other has to a tensor, edge or array that has none, known by these ids."""
        if name not in self._used and not any(key in self.of for key in keys):
            self._used.add(name)
            self.tensors.append(held)
            self.of |= dict.fromkeys(keys, name)

    def find(self, edge: Edge) -> str | None:
        """The name of the tensor at this edge, if it has one."""
        variable = edge.variable if type(edge) is Leaf else None
        return self.of.get(id(edge)) or (None if variable is None else self.of.get(id(variable)))

    def is_given(self, edge: Edge) -> bool:
        """Whether the caller named the tensor at this edge."""
        variable = edge.variable if type(edge) is Leaf else None
        return id(edge) in self.given or (variable is not None and id(variable) in self.given)


def keys_of(tensor: Tensor) -> set[int]:
    """By what a tensor is known: itself, its place in the graph or, of a constant, its array."""
    return {id(tensor), id(tensor._data) if tensor._edge is None else id(tensor._edge)}


def named(params: Any) -> Iterable[tuple[str, Tensor]]:
    """The (name, tensor) pairs of a dict, of a module, or of an iterable of pairs."""
    if params is None:
        return []
    if isinstance(params, Mapping):
        pairs = params.items()
    elif hasattr(params, "named_parameters"):
        pairs = params.named_parameters()
    else:
        pairs = params
    found = []
    try:
        for name, tensor in pairs:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"got a {type(tensor).__name__} named {name!r}, expected a tensor")
            found.append((str(name), tensor))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"params: expected a dict of name -> tensor, a module, or (name, tensor) pairs, got "
            f"{type(params).__name__} ({error}); pass model.named_parameters() or dict(w=w)"
        ) from None
    return found


def kind_of(leaf: Leaf, names: Names) -> str:
    """Whether a leaf is a parameter (it was named, or is an `nn.Parameter`) or an input."""
    known = isinstance(leaf.variable, Parameter) or names.is_given(leaf)
    return "parameter" if known else "input"
