"""Asking for gradients: `backward` and `grad`; `Function`, from function.py, has its hand-written backward."""

from __future__ import annotations

import importlib
import math
import os
import threading
from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements, module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.engine import ALONE, held_alone, propagate
from tinygrad_dl.core.function import Function
from tinygrad_dl.core.graph import Edge, Leaf, Node, observers
from tinygrad_dl.core.hooks import named
from tinygrad_dl.core.layout import laid, preserve_format
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted, gradients, innermost, stack
from tinygrad_dl.core.warning import warn

# fmt: off
__all__ = [
    "Function", "SavedTensor", "Variable", "backward", "detect_anomaly", "enable_grad", "forward_ad", "function",
    "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "graph", "inference_mode",
    "is_multithreading_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled",
]
# fmt: on


# Loaded when they are first used: these modules, and where the names of others are.
MODULES = ("anomaly_mode", "forward_ad", "function", "functional", "grad_mode", "graph", "saved")
ELSEWHERE = {
    "gradcheck": "tinygrad_dl.testing",
    "gradgradcheck": "tinygrad_dl.testing",
    "detect_anomaly": "tinygrad_dl.autograd.anomaly_mode",
    "set_detect_anomaly": "tinygrad_dl.autograd.anomaly_mode",
    "set_multithreading_enabled": "tinygrad_dl.autograd.compat",
    "is_multithreading_enabled": "tinygrad_dl.autograd.compat",
    "Variable": "tinygrad_dl.autograd.compat",
    "SavedTensor": "tinygrad_dl.autograd.saved",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(f"tinygrad_dl.autograd.{name}")
    if name in ELSEWHERE:
        return getattr(importlib.import_module(ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _attribute(node: Node, name: str) -> Any:
    """What a node answers to a name that is none of its attributes."""
    return importlib.import_module("tinygrad_dl.autograd.saved").attribute(node, name)


observers.attribute = _attribute
_accumulating = threading.RLock()  # two threads may bring a gradient to the same leaf, or a signal's handler


def _renew_lock() -> None:
    """In a forked child the lock may be held by a thread that is not there."""
    global _accumulating
    _accumulating = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    inputs: Any = None,
) -> None:
    """Adds the gradients of the given tensors to the `.grad` of the leaves that they came from.

    Args:
        tensors: one tensor or a sequence of them.
        grad_tensors: the gradient to start from for each; may be None for scalars.
        retain_graph: keep the saved values for another pass. Default: as `create_graph`.
        create_graph: record the pass, so that gradients can be differentiated again.
        inputs: accumulate into these tensors only.

    Raises:
        RuntimeError: no graph, a gradient is needed for a non-scalar, or the graph was freed already.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> td.autograd.backward([x.sum(), (x * x).sum()])
    >>> x.grad
    tensor([3., 5.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.backward.html
    """
    if stack.levels:
        tensors, grad_tensors = _of_values(_sequence(tensors)), _of_values(grad_tensors)
    roots, seeds = starts(_sequence(tensors), grad_tensors, create_graph, "backward")
    callbacks: list[Any] = []  # callbacks.py puts there what is to be called at the end
    into: dict[Edge, Any] = {}
    if inputs is not None:
        given = _sequence(inputs)
        into = dict(zip(_targets(given, "backward"), given, strict=True))

    def bring(found: dict[Edge, Any], edge: Edge) -> None:
        tensor = into.get(edge, edge)
        if not isinstance(tensor, Tensor):  # an edge, which stands for its leaf if it is one
            tensor = edge.variable if isinstance(edge, Leaf) else None
        if tensor is not None and tensor._edge is not None:  # or it requires no gradient any more
            with _accumulating:
                _accumulate(tensor, found, edge)

    def arrive(found: dict[Edge, Any], leaf: Leaf) -> None:
        _around(bring, found, leaf, create_graph)
        del found[leaf]

    found = _propagate(roots, seeds, None if inputs is None else [*into], retain_graph, create_graph, arrive)
    for edge in [*found]:
        bring(found, edge)
        del found[edge]  # of leaves with one gradient, the last may keep it uncopied
    for callback in callbacks:
        callback()


def tensor_backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Adds the gradient of this tensor to the `.grad` of every leaf that it came from.

    Args:
        gradient: the gradient to start from, of this tensor's shape; may be left out for a scalar.
        retain_graph: keep the saved values, so that the same graph can be gone through again.
        create_graph: record the pass itself, for second derivatives; implies `retain_graph`.
        inputs: accumulate into these tensors only.

    Raises:
        RuntimeError: no graph, not a scalar and no gradient given, or the graph was freed already.

    >>> import tinygrad_dl as td
    >>> x = td.tensor(3.0, requires_grad=True)
    >>> (x ** 2).backward()
    >>> x.grad
    tensor(6.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.backward.html
    """
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


tensor_backward.__name__ = tensor_backward.__qualname__ = "backward"
attach("backward", tensor_backward)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the outputs at the inputs, without touching any `.grad`.

    Args:
        outputs: one tensor or a sequence of them; their gradients are added up.
        inputs: the tensors (leaves or computed) at which the gradients are wanted.
        grad_outputs: the gradient to start from for each output; may be None for scalars.
        retain_graph: keep the saved values for another pass. Default: as `create_graph`.
        create_graph: record the pass, so that the result can be differentiated again.
        only_inputs: True, and it makes no difference: gradients are found for the inputs alone.
        allow_unused: give None for an input that no output depends on, rather than raise.
        is_grads_batched: the starting gradients have one more dimension in front, and so have the results: as one call
            for each, with `td.func.vmap`.
        materialize_grads: give zeros in its place, which require a gradient with `create_graph`.

    Returns:
        A tuple with a gradient, of its input's shape and dtype, for each input.

    Raises:
        RuntimeError: an input requires no gradient or was not used, or the graph was freed already.

    >>> import tinygrad_dl as td
    >>> x = td.tensor(3.0, requires_grad=True)
    >>> (g,) = td.autograd.grad(x ** 3, x, create_graph=True)
    >>> td.autograd.grad(g, x)
    (tensor(18.),)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html
    """
    if not only_inputs:
        warn(
            "grad: only_inputs=False is ignored; call backward() to add the gradients of all leaves to their .grad",
            FutureWarning,
        )
    if allow_unused is None:
        allow_unused = materialize_grads
    elif materialize_grads and not allow_unused:
        raise ValueError(
            "grad: got materialize_grads=True with allow_unused=False, expected allow_unused=True, or none"
        )
    if is_grads_batched:
        return _grad_of_batch(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads
        )
    ends, places = _sequence(outputs), _sequence(inputs)
    level = innermost((*ends, *places))
    if level is not None:
        given = [None] * len(ends) if grad_outputs is None else list(_sequence(grad_outputs))
        options = {"retain_graph": retain_graph, "create_graph": create_graph, "allow_unused": allow_unused}
        return tuple(gradients[type(level)](level, list(ends), list(places), given, options))
    targets = _targets(places, "grad")
    roots, seeds = starts(ends, grad_outputs, create_graph, "grad")
    callbacks: list[Any] = []  # as those of `backward`
    found = _propagate(roots, seeds, targets, retain_graph, create_graph)
    results = []
    for position, edge in enumerate(targets):
        if edge not in found:
            if not allow_unused:
                raise RuntimeError(
                    f"grad: got input {position} of shape {edge.shape}, which was not used to compute the outputs, "
                    "expected one that was; pass allow_unused=True for None in its place, or materialize_grads=True "
                    "for zeros"
                )
            if materialize_grads and not isinstance(places[position], Tensor):
                raise RuntimeError(
                    f"grad: got materialize_grads=True and a GradientEdge as input {position}, which was not used, "
                    "expected a tensor there, or allow_unused=True for None"
                )
            zero = module_of(places[position]).zeros(edge.shape, edge.dtype) if materialize_grads else None
            results.append(None if zero is None else wrap(zero).requires_grad_(create_graph))
        else:
            results.append(_own(found, edge))
    for callback in callbacks:
        callback()
    return tuple(results)


def _of_values(given: Any) -> Any:
    """Tensors without their tangents, which a `.grad` does not have either; those inside of vmap are refused."""
    if given is None or isinstance(given, Tensor):
        return given if given is None else _of_values((given,))
    level = innermost(given)
    if level is None:
        return given
    if level.name == "vmap":
        raise RuntimeError(
            "backward: got a tensor inside of vmap, expected one outside of it, as a leaf has one .grad for all "
            "examples; use td.func.grad inside, or call backward() outside"
        )
    return _of_values([level.released(each) for each in given])


def _propagate(
    roots: list[Edge],
    seeds: list[Any],
    targets: list[Edge] | None,
    retain_graph: bool | None,
    create_graph: bool,
    arrive: Any = None,
) -> dict[Edge, Any]:
    retain = create_graph if retain_graph is None else retain_graph
    if not create_graph and stack.levels and any(isinstance(seed, Lifted) for seed in seeds):
        with no_grad():  # the rules go through ops, as those of a recorded pass do: the transform is in these
            return propagate(roots, seeds, targets, retain, recorded=True)
    if not create_graph:
        return propagate(roots, seeds, targets, retain, arrive=arrive)
    with enable_grad():
        return propagate(roots, seeds, targets, retain, recorded=True, arrive=arrive)


def _grad_of_batch(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any,
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool,
    materialize_grads: bool,
) -> tuple[Any, ...]:
    """`grad` for each of a batch of starting gradients."""
    seeds = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs or ())
    if not seeds or not all(isinstance(seed, Tensor) for seed in seeds):
        raise ValueError(
            f"grad: got grad_outputs={summary(grad_outputs)} with is_grads_batched=True, expected a tensor for "
            "each output"
        )
    used: list[bool] = []

    def once(*each: Tensor) -> tuple[Any, ...]:
        found = grad(outputs, inputs, each, retain_graph, create_graph, True, allow_unused, False, materialize_grads)
        used[:] = [g is not None for g in found]
        return tuple(g for g in found if g is not None)

    vmap: Any = importlib.import_module("tinygrad_dl.func").vmap
    results = iter(vmap(once)(*seeds))
    return tuple(next(results) if there else None for there in used)


def _around(bring: Any, found: dict[Edge, Any], leaf: Leaf, recorded: bool) -> None:
    """Brings a leaf its gradient, with the leaf's hooks before and after that."""
    hooks, tensor = leaf.hooks, leaf.variable
    if hooks is None or tensor is None:
        return
    (found[leaf],) = hooks.run_before([found[leaf]], recorded)
    if found[leaf] is None:
        return
    bring(found, leaf)
    with set_grad_enabled(recorded):
        for hook in tuple(hooks.accumulated.values()):
            if hook(tensor) is not None:
                raise RuntimeError(
                    f"backward: got a value from {named(hook)}, expected None: hooks after a gradient was accumulated "
                    "replace nothing"
                )
    hooks.run_after([], [found[leaf]], recorded)


def _sequence(tensors: Any) -> Sequence[Any]:
    """Tensors and edges of the graph, of which one may stand by itself."""
    return (tensors,) if isinstance(tensors, Tensor) or hasattr(tensors, "output_nr") else tuple(tensors)


def _place(tensor: Any, what: str, name: str) -> Edge | None:
    """Where a tensor, or what `graph.get_gradient_edge` returned, stands in the graph."""
    if isinstance(tensor, Tensor):
        return tensor._edge
    if hasattr(tensor, "output_nr"):
        return tensor.place  # type: ignore[no-any-return]
    raise TypeError(f"{what}: got {summary(tensor)} for {name}, expected a tensor or a GradientEdge")


def _targets(tensors: Sequence[Any], what: str) -> list[Edge]:
    edges = []
    if not tensors:
        raise RuntimeError(f"{what}: got no inputs, expected at least one tensor")
    for position, tensor in enumerate(tensors):
        edge = _place(tensor, what, f"input {position}")
        if edge is None:
            raise RuntimeError(
                f"{what}: got input {position} of shape {tensor.shape} that does not require a gradient, expected one "
                f"that does; call requires_grad_() on it before computing the outputs"
            )
        edges.append(edge)
    return edges


def starts(tensors: Sequence[Any], gradients: Any, create_graph: bool, what: str) -> tuple[list[Edge], list[Any]]:
    """The edges to start from and the gradient that each starts with."""
    given = [None] * len(tensors) if gradients is None else gradients
    if not isinstance(given, list | tuple):
        given = [given]
    if not all(g is None or isinstance(g, Tensor) for g in given):
        raise TypeError(
            f"{what}: got gradient={summary(gradients)}, expected a tensor of shape {tensors[0].shape}; make it one "
            f"with td.tensor(...)"
        )
    if len(given) != len(tensors):
        raise ValueError(f"{what}: got {len(given)} starting gradients for {len(tensors)} tensors, expected one each")
    edges, seeds = [], []
    for position, (tensor, g) in enumerate(zip(tensors, given, strict=True)):
        edge = _place(tensor, what, f"output {position}")
        if edge is None:
            raise RuntimeError(
                f"{what}: this tensor has no graph: got one that does not require a gradient, expected one computed "
                f"from a tensor that does; set requires_grad=True on the inputs, and compute outside of no_grad()"
            )
        shape, dtype = edge.shape, edge.dtype
        if g is None:
            if math.prod(shape) != 1:
                raise RuntimeError(
                    f"{what}: a gradient can start by itself from a scalar only, got shape {shape}, expected "
                    f"(); reduce the tensor with sum() or mean(), or pass a starting gradient of its shape"
                )
            if dtype.kind == "c":
                raise RuntimeError(
                    f"{what}: a gradient can start by itself from a real scalar only, got dtype {dtype}, "
                    f"expected a floating one; start from its abs() or real part, or pass the starting gradient"
                )
            here = type(tensor) is Tensor and type(tensor._data) is np.ndarray
            g = (np if here else module_of(tensor)).ones(shape, dtype)
        if g.shape != shape:
            raise RuntimeError(
                f"{what}: got a starting gradient of shape {g.shape}, expected the shape of the tensor it starts from, "
                f"{shape}"
            )
        if g.dtype != dtype:
            if promotion.category(g.dtype) > promotion.category(dtype) or dtype.kind == "c" != g.dtype.kind:
                raise RuntimeError(f"{what}: got a starting gradient of {g.dtype}, expected the tensor's {dtype}")
            g = g.astype(dtype)
        if not create_graph and isinstance(g, Tensor) and not isinstance(g, Lifted):
            g = g._data
        elif create_graph and not isinstance(g, Tensor):
            g = wrap(g)
        edges.append(edge)
        seeds.append(g)
    return edges, seeds


def _accumulate(tensor: Tensor, found: dict[Edge, Any], edge: Edge) -> None:
    """Adds what was found at an edge to a tensor's `.grad`, which from then on is the user's."""
    if tensor._grad is None:
        new = _own(found, edge)
        if not tensor._data.flags.c_contiguous and not isinstance(found[edge], Tensor):
            new = wrap(laid(new._data, preserve_format, "backward", tensor._data))
        if tensor._grad is None:  # a signal's handler may have been here since, but can't come in between now
            tensor._grad = new
            return
    old, g = tensor._grad, found[edge]
    if isinstance(g, Tensor):
        with enable_grad():
            tensor._grad = old + g
    elif old._edge is None and old.shape == g.shape and has_own_elements(old._data):
        np.add(old._data, g, out=old._data)
        mutations.record(old._data, "backward, which added to a .grad")  # somebody may have computed with it
    else:
        tensor._grad = old + wrap(g)


def _own(found: dict[Edge, Any], edge: Edge) -> Tensor:
    """The gradient found at an edge as a tensor whose array nobody else holds: it is going to be the user's."""
    if not isinstance(found[edge], Tensor):
        return wrap(found[edge] if held_alone(found, edge) else found[edge].copy())
    if isinstance(found[edge], Lifted):
        return found[edge]  # type: ignore[no-any-return]
    if getrefcount(found[edge]) <= ALONE and getrefcount(found[edge]._data) <= ALONE and found[edge]._data.base is None:
        own: Tensor = found[edge]
        return own
    with enable_grad():
        own = found[edge].clone()
    return own
