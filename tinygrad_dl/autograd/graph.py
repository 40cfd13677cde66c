"""The graph itself: its nodes and edges, hooks on what nodes keep, hooks on several gradients at once."""

from __future__ import annotations

import abc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.autograd.saved import active, pack_new
from tinygrad_dl.core import graph
from tinygrad_dl.core.graph import Edge, observers
from tinygrad_dl.core.hooks import RemovableHandle, running
from tinygrad_dl.core.mutations import buffer_owner, changed_at, mutations
from tinygrad_dl.core.tensor import Tensor, wrap

# fmt: off
__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]
# fmt: on


class Node(abc.ABC):
    """What `isinstance` knows the places in a graph by: operations (`grad_fn`) and the ends in leaves.

    A node has `name()`, `next_functions`, `metadata`, `register_hook` and `register_prehook`. None can be made by hand.

    >>> import tinygrad_dl as td
    >>> x = td.ones(2, requires_grad=True)
    >>> y = (x * 3).exp()
    >>> isinstance(y.grad_fn, td.autograd.graph.Node), y.grad_fn.name(), y.grad_fn.next_functions
    (True, 'ExpBackward0', ((<MulBackward0>, 0),))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.Node.html
    """

    @abc.abstractmethod
    def name(self) -> str:
        """PyTorch's name of the operation."""


Node.register(graph.Node)
Node.register(graph.Leaf)


class GradientEdge(NamedTuple):
    """A place in the graph at which a gradient arrives: a node, and which of its outputs.

    It stands for its tensor in `autograd.grad` and `autograd.backward`, and does not keep the tensor alive.

    >>> import tinygrad_dl as td
    >>> x = td.tensor(3.0, requires_grad=True)
    >>> edge = td.autograd.graph.get_gradient_edge(x * x)
    >>> td.autograd.grad(edge, x)
    (tensor(6.),)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.GradientEdge.html
    """

    node: Any
    output_nr: int
    ownership_token: Any = None  # the place itself, where the node has several outputs

    @property
    def place(self) -> Edge:
        """The engine's own edge."""
        if self.ownership_token is not None:
            return self.ownership_token  # type: ignore[no-any-return]
        if self.output_nr or getattr(self.node.plan, "multiple", False):
            raise RuntimeError(
                f"GradientEdge: got output {self.output_nr} of {self.node!r}, which has several, without the tensor's "
                "place; take the edge from the tensor: get_gradient_edge(tensor)"
            )
        return self.node  # type: ignore[no-any-return]


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place at which the gradient of a tensor arrives.

    Raises:
        RuntimeError: the tensor requires no gradient.

    >>> import tinygrad_dl as td
    >>> x = td.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> edge = td.autograd.graph.get_gradient_edge(y)
    >>> td.autograd.grad(y * 2, edge)
    (tensor(2.),)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.get_gradient_edge.html
    """
    edge = tensor._edge
    if edge is None:
        raise RuntimeError(
            "get_gradient_edge: got a tensor that requires no gradient, expected one that does; call requires_grad_() "
            "on it, or compute it from one that does"
        )
    return GradientEdge(graph.shown(edge.node), edge.index, None if edge.node is edge else edge)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Notes that the memory of a tensor, or of several, was changed by something that the library can't see.

    A backward pass then refuses values of it that were saved before.

    >>> import tinygrad_dl as td
    >>> x = td.ones(2, requires_grad=True)
    >>> w = td.ones(2)
    >>> loss = (x * w).sum()
    >>> w.numpy()[0] = 5.0  # NumPy's own change
    >>> td.autograd.graph.increment_version(w)
    >>> loss.backward()  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    RuntimeError: backward: got a value of shape (2,) that was changed in place afterwards

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.graph.increment_version.html
    """
    for each in (tensor,) if isinstance(tensor, Tensor) else tensor:
        mutations.record(each._data, changed_at("increment_version"))


class saved_tensors_hooks:
    """Packs what operations keep for backward, and unpacks it when backward reads it. Thread-local.

    Args:
        pack_hook: called with each tensor, detached, that a node made inside is to keep; what it returns is kept.
        unpack_hook: called with that when the value is read; returns a tensor with the same values.

    The innermost pair is used. Values may be packed to files, compressed, or computed again. The hooks must not change
    the tensor in place; that a packed value was changed later is not noticed.

    >>> import tinygrad_dl as td
    >>> def pack(t):
    ...     print("pack", t.tolist())
    ...     return t.numpy().astype("float16")
    >>> def unpack(packed):
    ...     return td.from_numpy(packed.astype("float32"))
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> with td.autograd.graph.saved_tensors_hooks(pack, unpack):
    ...     y = x.exp()
    pack [2.7182819843292236, 7.3890557289123535]
    >>> y.sum().backward()
    >>> x.grad
    tensor([2.7188, 7.3906])

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.saved_tensors_hooks
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> Any:
        if active.disabled is not None:
            raise RuntimeError(active.disabled)
        active.pairs.append((self.pack_hook, self.unpack_hook))
        observers.watch(pack_new)
        return None

    def __exit__(self, *_: object) -> None:
        if active.pairs:
            active.pairs.pop()
            observers.leave(pack_new)


class save_on_cpu(saved_tensors_hooks):
    """Keeps what operations save in the CPU's memory, where tensors are anyway: accepted, and changes nothing.

    Args:
        pin_memory: accepted.
        device_type: accepted.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> with td.autograd.graph.save_on_cpu():
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 4.])

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.save_on_cpu
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(lambda tensor: tensor, lambda tensor: tensor)


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Refuses `saved_tensors_hooks` inside, with this message.

    Raises:
        RuntimeError: hooks are on already.

    >>> import tinygrad_dl as td
    >>> with td.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with td.autograd.graph.save_on_cpu():
    ...         pass
    Traceback (most recent call last):
    RuntimeError: not here

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.disable_saved_tensors_hooks
    """
    if active.pairs:
        raise RuntimeError(error_message)
    before, active.disabled = active.disabled, error_message
    try:
        yield
    finally:
        active.disabled = before


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[[Sequence[Tensor | None]], None] | Callable[[Tensor], None],
    *,
    mode: str = "all",
) -> MultiHandle:
    """Calls a function in each backward pass when the gradients of several tensors are known.

    Args:
        tensors: each requires a gradient.
        fn: with `mode="all"` called with the list of their gradients, once all those are there that the pass computes;
            None stands for the others. With `mode="any"` called with the first gradient alone. Replaces nothing.

    Returns:
        A handle whose `remove()` takes the hook away.

    >>> import tinygrad_dl as td
    >>> a, b = td.tensor(2.0, requires_grad=True), td.tensor(3.0, requires_grad=True)
    >>> handle = td.autograd.graph.register_multi_grad_hook([a, b], print)
    >>> (a * b).backward()
    [tensor(3.), tensor(2.)]

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.register_multi_grad_hook
    """
    if mode not in ("all", "any"):
        raise ValueError(f"register_multi_grad_hook: expected mode 'all' or 'any', got {mode!r}")
    edges = [get_gradient_edge(tensor).place for tensor in tensors]
    call: Callable[[Any], None] = fn

    def hook_of(position: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            places = running.passes[-1]
            if hook_of not in places.notes:
                expected = 1 if mode == "any" else len(set(edges).intersection(places))
                places.notes[hook_of] = Gradients([None] * len(edges), expected)
            state = places.notes[hook_of]
            state.known[position] = g
            state.missing -= 1
            if state.missing == 0:
                call(g if mode == "any" else state.known)

        return hook

    return MultiHandle(RemovableHandle(edge.with_hooks().gradient, hook_of(i)) for i, edge in enumerate(edges))


class Gradients:
    """The gradients that a multi-gradient hook has seen in one pass, and how many it waits for."""

    def __init__(self, known: list[Any], missing: int):
        self.known, self.missing = known, missing


class MultiHandle:
    """The handle of a hook on several tensors."""

    def __init__(self, handles: Iterable[RemovableHandle]):
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Takes the hook away from all its tensors."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> MultiHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Kept:
    """A saved value that may be changed in place: shares the memory until then, and has a copy afterwards."""

    def __init__(self, array: np.ndarray):
        self.array = array


class MutationContext:
    """What `allow_mutation_on_saved_tensors` gives: which saved values it has copied."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets all saved values: what was recorded inside can no longer be gone through."""
        self.cloned: weakref.WeakKeyDictionary[Kept, np.ndarray] = weakref.WeakKeyDictionary()
        self.kept: weakref.WeakValueDictionary[Any, Kept] = weakref.WeakValueDictionary()
        self.known: weakref.WeakSet[Kept] = weakref.WeakSet()

    def pack(self, tensor: Tensor) -> Kept:
        """The value for the graph; the same for the same memory in the same state."""
        array = tensor._data
        changed = mutations.log.get(id(buffer_owner(array)), (0,))[0]
        key = array.ctypes.data, array.shape, array.strides, array.dtype, changed
        kept = self.kept.get(key)
        if kept is None:
            kept = self.kept[key] = Kept(array)
            self.known.add(kept)
        return kept

    def unpack(self, kept: Kept) -> Tensor:
        """The value for a backward pass."""
        if kept not in self.known:
            raise RuntimeError(
                "backward: got a graph that was recorded inside allow_mutation_on_saved_tensors, outside of it, "
                "expected backward inside the same `with` block"
            )
        return wrap(kept.array)

    def before_change(self, array: np.ndarray, what: str) -> None:
        """Copies the saved values that are about to be overwritten."""
        owner = buffer_owner(array)
        for kept in list(self.kept.values()):
            if buffer_owner(kept.array) is owner:
                kept.array = self.cloned[kept] = kept.array.copy()


_allowing: list[MutationContext] = []


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[MutationContext]:
    """Inside, tensors that backward still needs may be changed in place: it keeps copies of the old values.

    Only what is overwritten is copied, once, and only if a graph still needs it. Backward must run inside too.

    Raises:
        RuntimeError: inside another one; in backward: the graph was recorded in another context.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> with td.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x.clone()
    ...     loss = (y ** 2).sum()
    ...     _ = y.zero_()
    ...     loss.backward()
    >>> x.grad
    tensor([2., 4.])

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.graph.allow_mutation_on_saved_tensors
    """
    if _allowing:
        raise RuntimeError("allow_mutation_on_saved_tensors: got one inside another, expected one at a time")
    context = MutationContext()
    with saved_tensors_hooks(context.pack, context.unpack):
        _allowing.append(context)
        observers.writers.append(context.before_change)
        try:
            yield context
        finally:
            observers.writers.remove(context.before_change)
            _allowing.clear()
            context.clear()
