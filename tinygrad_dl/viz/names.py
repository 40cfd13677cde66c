"""The names of tensors in pictures and tables: those that the caller gave, and which leaves are parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinygrad_dl.core.graph import Edge, Leaf
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.parameter import Parameter


class Names:
    """The names that the caller gave to tensors."""

    def __init__(self, params: Any):
        self.of: dict[int, str] = {}  # the id of a tensor, which `pairs` keeps alive, or of its edge
        self.pairs = list(named(params))
        for name, tensor in self.pairs:
            for key in {id(tensor), id(tensor._edge)} if tensor._edge is not None else {id(tensor)}:
                self.of[key] = f"{self.of[key]}, {name}" if key in self.of else name

    def find(self, edge: Edge) -> str | None:
        """The name of the tensor at this edge, if it has one."""
        variable = edge.variable if type(edge) is Leaf else None
        return self.of.get(id(edge)) or (None if variable is None else self.of.get(id(variable)))


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
    known = isinstance(leaf.variable, Parameter) or names.find(leaf) is not None
    return "parameter" if known else "input"
