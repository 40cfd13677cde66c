"""Asking for gradients: `backward`, `grad`, and `Function` for operations with a hand-written backward."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl import dtypes
from tinygrad_dl.calls import connect_outputs, output_edge
from tinygrad_dl.engine import Edge, Node, conjugate, next_seq, propagate
from tinygrad_dl.modes import enable_grad, modes, no_grad, set_grad_enabled
from tinygrad_dl.tensor import Tensor, as_array, wrap

if TYPE_CHECKING:
    from tinygrad_dl.testing.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "no_grad",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    """The checks of the testing kit, which is loaded when they are first used."""
    if name not in ("gradcheck", "gradgradcheck"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tinygrad_dl import testing

    return getattr(testing, name)


_accumulating = threading.Lock()  # two threads may bring a gradient to the same leaf


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
    roots, seeds = _starts(_sequence(tensors), grad_tensors, create_graph, "backward")
    targets = None if inputs is None else _targets(_sequence(inputs), "backward")
    if targets is not None and not targets:
        raise ValueError("backward: inputs is empty; leave it out to reach every leaf")
    found, owned = _propagate(roots, seeds, targets, retain_graph, create_graph)
    into = {} if inputs is None else dict(zip(targets or (), _sequence(inputs), strict=True))
    with _accumulating:
        for edge, g in found.items():
            tensor = into[edge] if into else edge.variable  # type: ignore[union-attr]
            if tensor is not None:
                _accumulate(tensor, g, edge in owned)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the outputs at the inputs, without touching any `.grad`.

    Args:
        outputs: one tensor or a sequence of them; their gradients are added up.
        inputs: the tensors (leaves or computed) at which the gradients are wanted.
        grad_outputs: the gradient to start from for each output; may be None for scalars.
        retain_graph: keep the saved values for another pass. Default: as `create_graph`.
        create_graph: record the pass, so that the result can be differentiated again.
        allow_unused: give None for an input that no output depends on, rather than raise.
        materialize_grads: give zeros in its place.

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
    if allow_unused is None:
        allow_unused = materialize_grads
    elif materialize_grads and not allow_unused:
        raise ValueError("grad: materialize_grads=True needs allow_unused=True, or leave allow_unused out")
    tensors = _sequence(inputs)
    targets = _targets(tensors, "grad")
    roots, seeds = _starts(_sequence(outputs), grad_outputs, create_graph, "grad")
    found, owned = _propagate(roots, seeds, targets, retain_graph, create_graph)
    results = []
    for position, (edge, tensor) in enumerate(zip(targets, tensors, strict=True)):
        g = found.get(edge)
        if g is None:
            if not allow_unused:
                raise RuntimeError(
                    f"grad: input {position} of shape {tensor.shape} was not used to compute the outputs; pass "
                    f"allow_unused=True for None in its place, or materialize_grads=True for zeros"
                )
            results.append(wrap(np.zeros(tensor.shape, tensor.dtype)) if materialize_grads else None)
        elif isinstance(g, Tensor):
            results.append(g)
        else:
            results.append(wrap(g if edge in owned else g.copy()))
    return tuple(results)


def _propagate(
    roots: list[Edge],
    seeds: list[Any],
    targets: list[Edge] | None,
    retain_graph: bool | None,
    create_graph: bool,
) -> tuple[dict[Edge, Any], set[Edge]]:
    retain = create_graph if retain_graph is None else retain_graph
    if not create_graph:
        return propagate(roots, seeds, targets, retain)
    with enable_grad():
        return propagate(roots, seeds, targets, retain, taped=True)


def _sequence(tensors: Any) -> Sequence[Tensor]:
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _targets(tensors: Sequence[Tensor], what: str) -> list[Edge]:
    edges = []
    for position, tensor in enumerate(tensors):
        if tensor._edge is None:
            raise RuntimeError(
                f"{what}: input {position} of shape {tensor.shape} does not require a gradient; call "
                f"requires_grad_() on it before computing the outputs"
            )
        edges.append(tensor._edge)
    return edges


def _starts(tensors: Sequence[Tensor], gradients: Any, create_graph: bool, what: str) -> tuple[list[Edge], list[Any]]:
    """The edges to start from and the gradient that each starts with."""
    given = [None] * len(tensors) if gradients is None else gradients
    if isinstance(given, Tensor | np.ndarray | int | float):
        given = [given]
    if len(given) != len(tensors):
        raise ValueError(f"{what}: got {len(given)} starting gradients for {len(tensors)} tensors, expected one each")
    edges, seeds = [], []
    for tensor, g in zip(tensors, given, strict=True):
        if tensor._edge is None:
            raise RuntimeError(
                f"{what}: this tensor has no graph: it does not require a gradient and was not computed from one that "
                f"does; set requires_grad=True on the inputs, and compute outside of no_grad()"
            )
        if g is None:
            if tensor._data.size != 1:
                raise RuntimeError(
                    f"{what}: a gradient can start by itself from a scalar only, got shape {tensor.shape}; reduce the "
                    f"tensor with sum() or mean(), or pass a starting gradient of that shape"
                )
            g = np.ones(tensor.shape, tensor.dtype)
        elif not isinstance(g, Tensor):
            g = as_array(g)
        if g.shape != tensor.shape:
            raise RuntimeError(f"{what}: a starting gradient of shape {g.shape} for a tensor of shape {tensor.shape}")
        if g.dtype != tensor.dtype:
            if dtypes.category(g.dtype) > dtypes.category(tensor.dtype):
                raise RuntimeError(f"{what}: a starting gradient of {g.dtype} for a tensor of {tensor.dtype}")
            g = g.astype(tensor.dtype)
        if not create_graph and isinstance(g, Tensor):
            g = g._data
        elif create_graph and not isinstance(g, Tensor):
            g = wrap(g)
        edges.append(tensor._edge)
        seeds.append(g)
    return edges, seeds


def _accumulate(tensor: Tensor, g: Any, owned: bool) -> None:
    old = tensor.grad
    if isinstance(g, Tensor):
        tensor.grad = g if old is None else old + g
    elif old is None:
        tensor.grad = wrap(g if owned else g.copy())
    elif old._edge is None and old.shape == g.shape and old._data.flags.writeable:
        np.add(old._data, g, out=old._data)
    else:
        tensor.grad = old + wrap(g)


class Function:
    """An operation with a hand-written backward, as in PyTorch.

    Subclass it with static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`, which returns a
    gradient (or None) for each argument, and call `apply`. For an operation of NumPy functions, `@td.op` is
    shorter and is tested by `tinygrad_dl.testing.check_op`.

    >>> import tinygrad_dl as td
    >>> class Cube(td.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = td.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Computes the result; nothing in it is recorded."""
        raise NotImplementedError("a subclass of Function defines forward(ctx, *args) as a static method")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Returns the gradient of each argument of `forward`."""
        raise NotImplementedError("a subclass of Function defines backward(ctx, *grad_outputs) as a static method")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward` and records one node."""
        ctx = Context()
        tensors = [a if isinstance(a, Tensor) else None for a in args]
        ctx.needs_input_grad = tuple(t is not None and t._edge is not None for t in tensors)
        with no_grad():
            out = cls.forward(ctx, *args, **kwargs)
        results = [out] if isinstance(out, Tensor) else list(out)
        for result in results:
            if not isinstance(result, Tensor):
                raise TypeError(f"{cls.__name__}.forward: expected tensors, got {type(result).__name__}")
        # An argument handed back as it is gets a place of its own in the graph.
        results = [wrap(r._data) if any(r is t for t in tensors) else r for r in results]
        if modes.grad and any(ctx.needs_input_grad):
            node = Node()
            node.plan, node.hooks = FunctionRules(cls, ctx, not isinstance(out, Tensor)), None
            node.edges = tuple(None if t is None else t._edge for t in tensors)
            # Outputs are saved as bare arrays: a node must not refer to its own output.
            node.saved = tuple(ctx._pack(tensors, results))
            node.seq = next_seq()
            if isinstance(out, Tensor):
                node.shape, node.dtype, results[0]._edge = results[0].shape, results[0].dtype, node
            else:
                connect_outputs(node, results)
            for result in results:
                if any(result is t for t in ctx._non_differentiable):
                    result._edge = None
        return results[0] if isinstance(out, Tensor) else tuple(results)


class Context:
    """What `forward` and `backward` of a `Function` share: saved tensors and any attributes."""

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Any, ...] = ()
    _to_save: tuple[Any, ...] = ()
    _non_differentiable: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps tensors (arguments, outputs or others, or None) for `saved_tensors` in backward."""
        self._to_save = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says that these outputs have no gradient."""
        self._non_differentiable = tensors

    def _pack(self, arguments: Sequence[Any], results: Sequence[Tensor]) -> list[Any]:
        """The saved tensors as (array, where its edge is found: argument i, output i, or nowhere)."""
        packed: list[Any] = []
        for tensor in self._to_save:
            place = None
            for kind, known in (("in", arguments), ("out", results)):
                for i, each in enumerate(known):
                    if tensor is not None and each is not None and each._data is tensor._data:
                        place = (kind, i)
            packed.append((None if tensor is None else tensor._data, place))
        self._to_save = ()
        return packed


class FunctionRules:
    """The rules of a node that a `Function` made."""

    broadcasts = False

    def __init__(self, function: type[Function], ctx: Context, multiple: bool):
        self.function, self.ctx, self.multiple, self.frees = function, ctx, multiple, bool(ctx._to_save)
        self.name = function.__name__

    def run(self, g: Any, saved: Any) -> Sequence[Any]:
        taped = isinstance(saved, list)
        self.ctx.saved_tensors = tuple(t if t is None or isinstance(t, Tensor) else wrap(t) for t in _arrays(saved))
        gradients = [t if isinstance(t, Tensor) or t is None else wrap(t) for t in (g if self.multiple else [g])]
        gradients = [None if t is None else conjugate(t) for t in gradients]
        with set_grad_enabled(taped):
            out = self.function.backward(self.ctx, *gradients)
        out = (out,) if out is None or isinstance(out, Tensor) else tuple(out)
        expected = len(self.ctx.needs_input_grad)
        if len(out) != expected:
            raise RuntimeError(
                f"{self.name}.backward returned {len(out)} gradients, expected {expected}: one for each argument of "
                f"forward, None for those without"
            )
        self.ctx.saved_tensors = ()
        out = tuple(None if t is None else conjugate(t) for t in out)
        return out if taped else [t._data if isinstance(t, Tensor) else t for t in out]

    def taped(self, node: Node) -> Any:
        values: list[Any] = []
        for array, place in node.saved:
            edge: Edge | None = None
            if place is not None and place[0] == "in":
                edge = node.edges[place[1]]
            elif place is not None:
                edge = output_edge(node, place[1]) if self.multiple else node
            tensor = None if array is None else wrap(array)
            if tensor is not None:
                tensor._edge = edge
            values.append(tensor)
        return values

    def argument(self, position: int) -> str:
        return f"argument {position}"


def _arrays(saved: Any) -> list[Any]:
    """The saved values: tensors of a taped pass, or arrays out of (array, place)."""
    return saved if isinstance(saved, list) else [array for array, _ in saved]
