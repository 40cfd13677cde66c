"""What a picture is of: tensors that have a graph, or a model, which is called for it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tinygrad_dl.core.graph import Edge
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.viz.known.calls import run
from tinygrad_dl.viz.known.recording import Run, run_of
from tinygrad_dl.viz.texts import plural


class Source(NamedTuple):
    """A tensor that the model was given; `edge` is its place in the graph, None if it has none."""

    name: str
    shape: tuple[int, ...]
    dtype: Any
    edge: Edge | None
    tensor: Any  # a weak reference to it


def computation(
    subject: Any, inputs: tuple[Any, ...], params: Any, values: bool, options: Mapping[str, Any] | None
) -> tuple[Run, Any, list[Source]]:
    """The computation that is to be drawn, the names of its tensors, and what the model was given.

    With `values` what operations of a model returned is remembered.
    """
    if isinstance(subject, Module):
        seen = run_model(subject, inputs, options or {}, values)
        return seen, subject if params is None else params, sources_of(subject, seen, inputs, options or {})
    if options is not None:
        raise TypeError(
            f"graph: got options= with a {type(subject).__name__} first, expected a model, which takes them"
        )
    if len(inputs) > 1 or (inputs and params is not None):
        got = f"{plural(len(inputs) + 1, 'positional argument')}{' and params=' if params is not None else ''}"
        raise TypeError(
            f"graph: got {got} with a {type(subject).__name__} first, expected viz.graph(tensor, params) or "
            "viz.graph(model, *inputs)"
        )
    outputs = checked_outputs(subject)
    return run_of(outputs), inputs[0] if inputs else params, []


def checked_outputs(tensor: Any) -> list[Tensor]:
    """The tensors to draw, each of which has a graph."""
    outputs = list(tensor) if isinstance(tensor, tuple | list) else [tensor]
    if not outputs:
        raise ValueError("there is nothing to draw: got no tensor, expected at least one")
    for i, output in enumerate(outputs):
        if not isinstance(output, Tensor):
            raise TypeError(no_tensor(output))
        if output._edge is None:
            which = "a tensor" if len(outputs) == 1 else f"as tensor {i} one"
            raise RuntimeError(
                f"got {which} that has no graph to draw, expected one computed from a tensor with requires_grad=True; "
                "compute it outside no_grad() and inference_mode(), and do not detach it"
            )
    return outputs


def no_tensor(value: Any) -> str:
    """What is said of a value that stands in the place of a tensor."""
    if isinstance(value, Module):
        return f"got the model {type(value).__name__}, expected a tensor that it computed, such as its loss"
    return f"expected a tinygrad_dl.Tensor, got {type(value).__name__}"


def check_inputs(what: str, model: Module, inputs: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Refuses inputs that a model's forward() does not take, and a model without one."""
    name, signature = type(model).__name__, inspect.signature(model.forward)
    if type(model).forward is Module.forward:
        raise TypeError(f"{what}: got a {name}, which has no forward(), expected a model that computes something")
    try:
        signature.bind(*inputs, **options)
    except TypeError as error:
        got = plural(len(inputs), "input") + (f" and {', '.join(options)}" if options else "")
        raise TypeError(
            f"{what}: got {got} for {name}, expected those of forward{signature} ({error}); "
            f"give them behind the model: viz.{what}(model, x)"
        ) from None


def run_model(model: Module, inputs: tuple[Any, ...], options: Mapping[str, Any], values: bool) -> Run:
    """Calls a model that is to be drawn.

    Raises:
        TypeError: it does not take these inputs. RuntimeError: it failed, or returned no tensor that has a graph.
    """
    name, given = type(model).__name__, (*inputs, *options.values())
    check_inputs("graph", model, inputs, options)
    try:
        seen = run(model, inputs, options, values)
    except Exception as error:
        shapes = ", ".join(str(tuple(x.shape)) if isinstance(x, Tensor) else repr(x) for x in given)
        raise RuntimeError(
            f"graph: got the inputs {shapes}, with which {name} failed ({type(error).__name__}: {error}), expected "
            "inputs that model(*inputs) takes"
        ) from error
    tensors = [leaf for leaf in flatten(seen.output)[0] if isinstance(leaf, Tensor)]
    if not any(tensor._edge is not None for tensor in tensors):
        if not tensors:
            raise RuntimeError(
                f"graph: got {type(seen.output).__name__} from {name}, in which there is no tensor, expected a tensor, "
                "or a tuple, list or dict of some; return them so from forward()"
            )
        raise RuntimeError(
            f"graph: got only tensors without a graph from {name}, expected one that was computed from a parameter or "
            "a floating input; it may detach its result, or compute it in no_grad()"
        )
    return seen


def sources_of(model: Module, seen: Run, inputs: Sequence[Any], options: Mapping[str, Any]) -> list[Source]:
    """What a model was given, by the names that its forward() has for it; what was given twice has both."""
    if not seen.calls:
        return []
    signature = inspect.signature(model.forward)
    named: list[tuple[str, Any]] = []
    for name, value in signature.bind(*inputs, **options).arguments.items():
        kind = signature.parameters[name].kind
        pairs = value.items() if kind is inspect.Parameter.VAR_KEYWORD else [(name, value)]
        for each, part in pairs:
            leaves = flatten(part)[0]
            several = kind is inspect.Parameter.VAR_POSITIONAL or len(leaves) > 1
            named += [(f"{each}[{i}]" if several else each, leaf) for i, leaf in enumerate(leaves)]
    names = [name for name, leaf in named if isinstance(leaf, Tensor)]
    found: dict[int, Source] = {}
    for name, passed in zip(names, seen.calls[0].inputs, strict=False):
        edge = None if passed.edge is None else passed.edge()
        both = f"{found[id(passed.tensor)].name}, {name}" if id(passed.tensor) in found else name
        found[id(passed.tensor)] = Source(both, passed.shape, passed.dtype, edge, passed.tensor)
    return list(found.values())


def heading(model: Module) -> str:
    """The line above a picture of a model."""
    count = sum(p.numel() for p in model.parameters())
    return f"{type(model).__name__} · {plural(count, 'parameter')}" if count else type(model).__name__
