"""Names for tensors that the caller gave none: those that modules and the program have for them.

A parameter has the name that the outermost module has for it, of the modules that were called inside of `recording`, or
are variables where it is asked. Any other tensor has the name of a variable: where it is asked, or where an operation
was given it inside of `recording`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tinygrad_dl.autograd.anomaly_mode import outwards
from tinygrad_dl.core.graph import Leaf, Node
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.nn.module import Module
from tinygrad_dl.viz.known.frames import is_ours, variables_of
from tinygrad_dl.viz.known.names import Names, keys_of
from tinygrad_dl.viz.known.recording import place_of


def names_for(nodes: Sequence[Node], params: Any, around: Mapping[str, Any]) -> Names:
    """The names of the tensors of a graph.

    Args:
        nodes: of the graph. params: names that the caller gave. around: variables where the names are asked.
    """
    names = Names(params)
    for name, tensor in [*of_modules(nodes, around), *of_variables(around)]:
        names.add(name, tensor, *keys_of(tensor))
    places: dict[str, dict[int, Any]] = {}  # by the names of variables: edges and, of constants, arrays
    for node in nodes:
        for name, place in noted(node):
            places.setdefault(name, {})[id(place)] = place
    for name, found in places.items():
        if len(found) == 1:  # a variable that stood for several tensors is the name of none
            (place,) = found.values()
            variable = place.variable if type(place) is Leaf else None
            names.add(name, place, *map(id, (place,) if variable is None else (place, variable)))
    return names


def noted(node: Node) -> Iterator[tuple[str, Any]]:
    """The variables that held what an operation was given, each with the edge, or the array of a constant."""
    place = place_of(node)
    if place is None or not place.names:
        return
    for edge, argument in zip(node.edges, map(node.plan.argument, range(len(node.edges))), strict=True):
        name, array = place.names.get(argument), place.arrays.get(argument)
        if name is not None and edge is not None:
            yield name, edge
        elif name is not None and array is not None and array() is not None:
            yield name, array()


def of_modules(nodes: Sequence[Node], around: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The parameters of outermost modules that were called or are variables; of several, with the module's name."""
    called: dict[int, tuple[str, Any]] = {}
    for place in map(place_of, nodes):
        if place is not None and place.calls:
            called[id(place.calls[0])] = place.calls[0].layer, place.calls[0].module
    variables = [(name, each) for name, each in around.items() if isinstance(each, Module) and is_own(name)]
    modules = {id(module): (name, module) for name, module in [*called.values(), *variables] if module is not None}
    used = {id(edge.variable) for node in nodes for edge in node.edges if type(edge) is Leaf}
    found = {key: (name, dict(module.named_parameters())) for key, (name, module) in modules.items()}
    found = {key: (name, own) for key, (name, own) in found.items() if used.intersection(map(id, own.values()))}
    inside = {id(part) for key in found for part in modules[key][1].modules() if id(part) != key}
    outermost = [found[key] for key in found if key not in inside]
    for name, own in outermost:
        yield from ((f"{name}.{path}" if len(outermost) > 1 else path, tensor) for path, tensor in own.items())


def of_variables(around: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among variables."""
    for name, value in around.items():
        if isinstance(value, Tensor) and not isinstance(value, Lifted) and is_own(name):
            yield name, value


def is_own(name: str) -> bool:
    """Whether a variable is one of the program's, and not of the interpreter or a notebook."""
    return not name.startswith("_")


def variables_around() -> dict[str, Any]:
    """The variables of the innermost function outside of this package that has led here."""
    frames = outwards(sys._getframe(1))
    frame = next((each for each in frames if not is_ours(each)), None)
    return {} if frame is None else {**frame.f_globals, **variables_of(frame)}
