"""vmap as a transform: tensors with a hidden batch dimension, and what each kind of op does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import is_array
from tinygrad_dl.core import promotion
from tinygrad_dl.core.batching import Batch, every, flat, folded, inner_dims, unfolded
from tinygrad_dl.core.contents import is_row_major
from tinygrad_dl.core.plan import reads
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import Escape, Level, Lifted, called, lifted_among, may_hold, over_values, rebuilt
from tinygrad_dl.core.warning import warn
from tinygrad_dl.func.custom import of_examples
from tinygrad_dl.func.received import Received
from tinygrad_dl.ops.shape.joining import stack


def _refused(name: str) -> Any:
    """The method that asks a tensor for its numbers, inside of vmap."""

    def method(self: Any, *_: Any, **__: Any) -> Any:
        raise Escape(self, name)

    method.__name__ = name
    return method


class Batched(Lifted):
    """One example's view of a batch: `value` has the batch as its first dimension."""

    __slots__ = ()

    level: BatchLevel

    @property
    def shape(self) -> Size:
        return self.value.shape[1:]

    def stride(self, dim: int | None = None) -> Any:
        steps = self.value.stride()[1:]
        return steps if dim is None else steps[dim]

    # What is asked of numbers, which are those of all examples at once.
    item, tolist, numpy = _refused("item"), _refused("tolist"), _refused("numpy")
    __bool__, __array__ = _refused("bool"), _refused("numpy")
    __float__, __int__, __index__ = _refused("float"), _refused("int"), _refused("index")

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return not self.numel() or is_row_major(self.shape, self.stride())

    def with_value(self, value: Tensor) -> Batched:
        return self.level.lift(value)

    def beside(self, tensor: Tensor) -> Tensor:
        return self.level.lift(self.level.lowered(tensor).clone())

    def filled(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        return self.level.lift(make(self.value))

    def _assign(self, result: Tensor, what: str) -> Tensor:
        self.value._assign(self.level.lowered(result), what)
        return self


class BatchLevel(Level):
    """One call of vmap while it runs."""

    name, marks = "vmap", "differs between examples"

    def __init__(self, size: int, randomness: str = "error", alike: bool = False):
        super().__init__()
        self.size, self.randomness = size, randomness
        self.alike = alike  # whether examples differ in their tangents alone, as those of `jacfwd` do
        self.received = Received()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.received.give_back(lambda tensor: tensor.value[0])

    def receive(self, tensor: Tensor, escape: Escape) -> Tensor:
        """Repeats a plain tensor, in its place, as one is written into it that is the same for all examples."""
        if not self.alike:
            raise escape
        self.received.take(tensor, lambda twin: self.lift(self.lowered(twin).clone()), escape)
        return tensor

    def lift(self, value: Tensor) -> Batched:
        """A batch as one example."""
        new = object.__new__(Batched)
        new.level, new.value = self, value
        return new

    def enter(self, tensor: Any) -> Batched:
        return self.lift(self.lowered(tensor))

    def lowered(self, tensor: Any) -> Any:
        """A tensor with the batch in front: repeated if it belongs to all examples alike."""
        if isinstance(tensor, Batched) and tensor.level is self:
            return tensor.value
        return tensor.expand(self.size, *tensor.shape)

    def draws_apart(self, depends: tuple[Any, ...]) -> bool:
        if self.randomness == "error":
            raise RuntimeError(
                "vmap: got a random operation with randomness='error', expected none; pass randomness='different' to "
                "vmap for numbers of its own for each example, or 'same' for the same for all"
            )
        if self.randomness == "same" and any(each.level is self for each in lifted_among(depends)):
            raise RuntimeError(
                "vmap: got parameters of a distribution that differ between examples with randomness='same', expected "
                "the same for all; pass randomness='different', or draw outside of vmap"
            )
        return self.randomness == "different"

    def apply(self, op: Record, given: dict[str, Any]) -> Any:
        values, of = dict(given), []
        for name, value in given.items():
            if isinstance(value, Lifted):
                if value.level is self:
                    # What is an option, say an index, a rule takes apart itself.
                    values[name] = value.value if name in op.tensors or op.batching is None else value
                    of.append(name)
            elif may_hold(value) and any(each.level is self for each in lifted_among((value,))):
                of.append(name)
        batch = Batch(self.size, frozenset(of), self)
        if op.decomposed is not None:
            out = op.decomposed(*[given[name] for name in reads(op.decomposed)])
            if out is not NotImplemented:
                return out
        if op.batching is not None:
            if op.sequence:
                values[op.sequence] = [self.lowered_like(each) for each in given[op.sequence]]
            for name in op.tensors:  # what gradient rules have kept comes as arrays
                if is_array(values[name]):
                    values[name] = wrap(values[name])
            out = op.batching(*[batch if name == "batch" else values[name] for name in reads(op.batching)])
        else:
            rule = KINDS.get(op.kind)
            out = NotImplemented if rule is None else rule(op, values, batch)
        if out is NotImplemented:  # no rule, or none for a batch of just these arguments
            out = looped(op, given, batch)
        return self.lift(out) if op.outputs is None else rebuilt(op, out, lambda _, each: self.lift(each))

    def apply_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return of_examples(function, self, args, kwargs)

    def lowered_like(self, tensor: Any) -> Any:
        """An element of a sequence, as a batch; numbers and arrays as tensors first."""
        return self.lowered(tensor if isinstance(tensor, Tensor) else wrap(as_array(tensor)))


# -- kinds --------------------------------------------------------------------------------------------


def elementwise(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """Dimensions are aligned: examples of fewer than others get ones in front, behind the batch."""
    ndims = {}
    for name in op.tensors:
        if isinstance(given[name], Tensor) or is_array(given[name]):
            ndims[name] = given[name].ndim - (name in batch.of)
    if len(set(ndims.values())) < 2:
        return called(op, given)
    most = max(ndims.values())
    joined = [name for name in ndims if op.promotes is True or name in (op.promotes or ())]
    if len({given[name].dtype for name in joined}) > 1 and len({ndims[name] for name in joined}) > 1:
        # By PyTorch's promotion a 0-d tensor gives way to others, also where a batch makes it 1-d.
        shown = tuple([np.empty((1,) * ndims[name], given[name].dtype) for name in joined])
        dtype = promotion.result_dtype(shown)
        for name in joined:
            if name in batch.of and ndims[name] == 0:
                given[name] = given[name].to(dtype)
    for name in ndims:
        if name in batch.of and ndims[name] < most:
            value = given[name]
            given[name] = value.reshape(batch.size, *(1,) * (most - ndims[name]), *value.shape[1:])
    return called(op, given)


def along(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """Reductions and scans: `dim` is one further back, and None means all but the batch's."""
    if batch.of != {op.tensors[0]}:
        return NotImplemented
    name = op.tensors[0]
    value, dim = given[name], given["dim"]
    ndim = value.ndim - 1
    if ndim == 0:
        value, dim, ndim = value.reshape(batch.size, 1), 0 if dim is None or dim == () else dim, 1
        out = called(op, {**given, name: value, "dim": inner_dims(dim, 1)})
        return rebuilt(op, out, lambda _, each: each.reshape(batch.size))
    if dim is None or (isinstance(dim, tuple) and not dim and op.kind == "reduction"):
        if op.kind == "scan" or op.key in ONE_DIM:
            out = called(op, {**given, name: flat(value), "dim": 1})
            if given.get("keepdim"):
                return out.reshape(batch.size, *(1,) * ndim)
            return out
        return called(op, {**given, name: value, "dim": tuple(range(1, ndim + 1))})
    return called(op, {**given, name: value, "dim": inner_dims(dim, ndim)})


# Reductions that take one dimension, or None.
ONE_DIM = frozenset(("argmax", "argmin", "prod"))


def in_front(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """Ops that take any dimensions in front as they are."""
    return called(op, {**given, **{n: every(given[n], n, batch) for n in op.tensors}})


def losses(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """Losses of an input and a target: each loss by itself, and then `reduction` over those of one example."""
    first, second = op.tensors[:2]
    given = {**given, first: every(given[first], first, batch), second: every(given[second], second, batch)}
    whole = Batch(batch.size, batch.of | {first, second}, batch.level)
    found = elementwise(op, {**given, "reduction": "none"}, whole)
    if given["reduction"] == "none" or found.ndim == 1:
        return found
    dims = tuple(range(1, found.ndim))
    if given["reduction"] == "mean":
        return found.mean(dims)
    total = found.sum(dims)
    return total / found.shape[1] if given["reduction"] == "batchmean" else total


def each_folded(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """Ops of several tensors, all of which have a batch as their first dimension."""
    changed = {n: folded(every(given[n], n, batch)) for n in op.tensors if given[n] is not None}
    return unfolded(called(op, {**given, **changed}), batch.size)


_warned: set[str] = set()


def looped(op: Record, given: dict[str, Any], batch: Batch) -> Any:
    """The op on one example after the other: right for every op, and slow."""
    if op.key not in _warned:
        _warned.add(op.key)
        warn(
            f"vmap: the op {op.key} has no rule for batches and goes through the {batch.size} examples one by one; "
            f"declare one with {op.name}.vmap"
        )
    if not batch.size:
        raise ValueError(f"{op.name}: got a batch of no examples, expected at least one: there is no rule for batches")
    results = []
    for i in range(batch.size):

        def example(tensor: Any, i: int = i) -> Any:
            return tensor.value[i] if isinstance(tensor, Batched) else tensor

        results.append(called(op, {n: over_values(v, example) if n in batch.of else v for n, v in given.items()}))
    return stacked(op, results)


def stacked(op: Record, results: list[Any]) -> Any:
    """The results of examples as those of a batch."""
    for shapes in zip(*[shapes_of(each) for each in results], strict=True):
        if len(set(shapes)) > 1:
            shown = ", ".join(map(str, sorted(set(shapes))))
            raise RuntimeError(
                f"{op.name}: got examples inside of vmap whose results have the shapes {shown}, expected the same for "
                "all: they depend on values; call it outside of vmap, or make the results equally long"
            )
    if op.outputs is None:
        return stack(results)
    columns = [stack(list(column)) for column in zip(*results, strict=True)]
    return tuple(columns) if op.outputs is tuple else op.outputs(*columns)


def shapes_of(result: Any) -> list[tuple[int, ...]]:
    """The shapes of an op's results."""
    return [each.shape for each in (result if isinstance(result, tuple | list) else (result,))]


KINDS: dict[str, Callable[..., Any]] = {
    "elementwise": elementwise,
    "reduction": along,
    "scan": along,
    "batched": in_front,
    "folded": each_folded,
    "loss": losses,
}
