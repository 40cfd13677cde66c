"""What nodes keep for their rules, packed by hooks: loaded when somebody asks for it.

While `saved_tensors_hooks` are on in a thread, each node that it makes becomes a `PackedNode`, whose `saved` packs what
is put there and unpacks what is read. Plain nodes know nothing of it.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.core import engine
from tinygrad_dl.core.engine import conjugate
from tinygrad_dl.core.graph import Node, ShownNode, freed, saved_arrays
from tinygrad_dl.core.modes import modes, no_grad
from tinygrad_dl.core.mutations import buffer_owner as owner_of
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, wrap

Pair: TypeAlias = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]


class _Active(threading.local):
    """The hooks of this thread, innermost last, and what is raised instead of using more."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self.disabled: str | None = None


active = _Active()


def pack_new(node: Node) -> None:
    """Makes a new node of this thread one that packs, if the thread has hooks."""
    if active.pairs:
        node.__class__ = PackedNode


class Packed:
    """One array as the hooks packed it. Keeps no reference to the array."""

    __slots__ = ("array", "content", "pair")

    def __init__(self, array: np.ndarray, pair: Pair):
        self.pair = pair
        self.array = weakref.ref(array)
        before = mutations.log.get(id(owner_of(array)))
        with no_grad():
            self.content = pair[0](wrap(array))
        if mutations.log.get(id(owner_of(array))) != before:
            raise RuntimeError(
                "saved_tensors_hooks: got a pack hook that changed its argument in place, expected it unchanged: the "
                "operation still uses it; change a clone() of it"
            )

    def unpacked(self) -> np.ndarray:
        """The array again."""
        tensor = self.pair[1](self.content)
        if not isinstance(tensor, Tensor):
            raise TypeError(f"saved_tensors_hooks: got {type(tensor).__name__} from the unpack hook, expected a tensor")
        return tensor._data


class PackedNode(ShownNode):
    """A node whose saved arrays went through the pack hook that was on when it was made."""

    __slots__ = ()

    @property
    def saved(self) -> Any:
        """What the rules read, unpacked anew each time."""
        return mapped(_slot.__get__(self), Packed, Packed.unpacked)

    @saved.setter
    def saved(self, values: Any) -> None:
        if values is not None:
            pair, constants = active.pairs[-1], constants_of(self)
            values = tuple(
                # A number beside a tensor is kept as it is.
                value
                if i in constants and np.ndim(value) == 0
                else mapped(value, np.ndarray, lambda a: Packed(a, pair))
                for i, value in enumerate(values)
            )
        _slot.__set__(self, values)

    @property
    def packed(self) -> Any:
        """The values with `Packed` in the place of arrays; None once they were freed."""
        return _slot.__get__(self)

    @packed.setter
    def packed(self, values: Any) -> None:
        _slot.__set__(self, values)

    def kept_arrays(self) -> Iterable[np.ndarray]:
        """None: what the hooks keep is theirs, and so is noticing that it was changed."""
        return saved_arrays(self.packed)

    def keep_copy(self, array: np.ndarray) -> None:
        """Packs a copy of an array that its own rules read and that is about to be overwritten."""
        self.packed = mapped(
            self.packed, Packed, lambda each: Packed(array.copy(), each.pair) if each.array() is array else each
        )

    def keep_result(self, array: np.ndarray) -> None:
        """Packs a copy of its result, in whose memory an array is about to be changed."""

        def again(each: Packed) -> Packed:
            own = each.array()
            return each if own is None or owner_of(own) is not owner_of(array) else Packed(own.copy(), each.pair)

        self.packed = mapped(self.packed, Packed, again)


_slot: Any = Node.__dict__["saved"]


def constants_of(node: Node) -> set[int]:
    """The positions, among the values that an op's node saves, of arguments that require no gradient."""
    plan: Any = node.plan
    tensors = plan.op.tensors if hasattr(plan, "op") and not plan.op.sequence else ()
    constants = [name for name, edge in zip(tensors, node.edges, strict=False) if edge is None]
    return {i for i, name in enumerate(plan.saves) if name in constants} if constants else set()


def mapped(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A nested tuple or list with each object of a kind exchanged."""
    if isinstance(value, kind):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(mapped(each, kind, change) for each in value)
    return value


class SavedTensor:
    """One saved value of a node, `grad_fn._raw_saved_<name>`, on which hooks of its own can be put.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x.exp()
    >>> y.grad_fn._raw_saved_result.register_hooks(lambda t: t.numpy(), td.from_numpy)
    >>> y.sum().backward()
    >>> x.grad
    tensor([2.7183, 7.3891])

    Source: https://docs.pytorch.org/docs/stable/notes/autograd.html#registering-hooks-on-a-saved-tensor
    """

    _node: Node
    _position: int

    def __init__(self) -> None:
        raise RuntimeError("SavedTensor: got a call, expected none: read grad_fn._raw_saved_<name>, which makes one")

    @classmethod
    def at(cls, node: Node, position: int) -> SavedTensor:
        """The value that a node keeps at a position."""
        new = object.__new__(cls)
        new._node, new._position = node, position
        return new

    def register_hooks(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        """Packs the value now, and unpacks it whenever it is read.

        Raises:
            RuntimeError: it has hooks already, or it was freed, or it is no tensor.
            TypeError: a hook can't be called.
        """
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError(f"register_hooks: got {type(hook).__name__} as a hook, expected a function")
        node = self._node
        values = _slot.__get__(node)
        if values is None:
            raise freed(node)
        entry = values[self._position]
        value = entry[0] if isinstance(entry, tuple) else entry  # a Function keeps where the tensor is in the graph too
        if isinstance(value, Packed):
            raise RuntimeError("register_hooks: got a saved tensor that has hooks already, expected one without")
        if not isinstance(value, np.ndarray):
            raise RuntimeError(f"register_hooks: got {type(value).__name__}, expected a saved tensor")
        packed = Packed(value, (pack_hook, unpack_hook))
        node.__class__ = PackedNode
        kept = (packed, *entry[1:]) if isinstance(entry, tuple) else packed
        _slot.__set__(node, (*values[: self._position], kept, *values[self._position + 1 :]))


def attribute(node: Node, name: str) -> Any:
    """What a node answers to a name that is none of its own attributes."""
    if name == "__call__":
        return functools.partial(called, node)
    raw = name.startswith("_raw_saved_")
    asked = name.removeprefix("_raw_saved_" if raw else "_saved_")
    plan: Any = node.plan
    ctx = getattr(plan, "ctx", None)
    if asked != name and ctx is None:
        names = getattr(plan, "saves", ())
        given = {"self": next(iter(plan.op.tensors), ""), "result": "out"}.get(asked, asked) if names else ""
        if given in names:
            position = names.index(given)
            if raw:
                return SavedTensor.at(node, position)
            return shown(node, position)
    elif name in ("saved_tensors", "_raw_saved_tensors") and ctx is not None:
        if _slot.__get__(node) is None:
            raise freed(node)
        if name == "saved_tensors":
            return tuple(node.plan.reconnected(node, node.saved))
        return tuple(SavedTensor.at(node, position) for position in range(len(_slot.__get__(node))))
    elif ctx is not None and not name.startswith("__"):
        return getattr(ctx, name)
    raise AttributeError(f"{node!r} has no attribute {name!r}")


def called(node: Node, *gradients: Tensor) -> Any:
    """What a node makes of the gradients of its outputs: those of its inputs, one by itself or several in a tuple.

    Nothing is freed. The result belongs to the graph if one of the gradients does.
    """
    several = node.plan.multiple
    count = len(node.shape) if several else 1
    if len(gradients) != count or not all(g is None or isinstance(g, Tensor) for g in gradients):
        raise TypeError(
            f"{node!r}: got {len(gradients)} arguments, expected {count}: the gradient of each output, a tensor or None"
        )
    recorded = modes.grad and any(g is not None and g.requires_grad for g in gradients)
    given = [conjugate(g if recorded or g is None else g._data) for g in gradients]
    found = engine.gradients(node, given if several else given[0], True, recorded)
    results = []
    for g, edge in zip(found, node.edges, strict=False):
        each = None if g is None or edge is None else conjugate(engine.match_input(g, edge, node))
        results.append(each if each is None or isinstance(each, Tensor) else wrap(each))
    return results[0] if len(results) == 1 else tuple(results)


def shown(node: Node, position: int) -> Any:
    """A saved value as users see it: an array as a tensor, in its place in the graph."""
    if _slot.__get__(node) is None:
        raise freed(node)
    value = node.plan.reconnected(node, node.saved)[position]
    return wrap(value) if isinstance(value, np.ndarray) else value
