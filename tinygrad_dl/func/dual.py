"""Forward mode as a transform: tensors with a tangent, and how ops carry it along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.backends.arrays import has_own_elements, module_of
from tinygrad_dl.core.engine import held_alone
from tinygrad_dl.core.graph import keep_copies
from tinygrad_dl.core.modes import enable_grad, modes
from tinygrad_dl.core.mutations import buffer_owner, next_seq
from tinygrad_dl.core.promotion import in_single, is_differentiable, is_half
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import (
    Escape,
    Level,
    Lifted,
    called,
    cut,
    entered,
    levels_of,
    may_hold,
    memory_of,
    over_values,
    rebuilt,
    stack,
)
from tinygrad_dl.creation import zeros_like
from tinygrad_dl.func.custom import with_tangents
from tinygrad_dl.func.lowering import batches_within, fresh, own_place, plain_edges
from tinygrad_dl.func.received import Received
from tinygrad_dl.func.tangents import Values, broadcast_tangent, carriers


class Dual(Lifted):
    """A tensor with its derivative in one direction: `value` is the tensor, `tangent` the derivative, of its shape."""

    __slots__ = ()

    level: DualLevel
    tangent: Tensor

    def stride(self, dim: int | None = None) -> Any:
        return self.value.stride(dim)

    def within(self) -> tuple[Tensor, ...]:
        return self.value, self.tangent

    def with_value(self, value: Tensor) -> Dual:
        return self.level.lift(value, self.tangent)

    def detach(self) -> Tensor:
        return self.value.detach()

    def detach_(self) -> Tensor:
        """Leaves forward mode and the graph: becomes what `detach` returns."""
        value = self.value.detach()
        for name in ("level", "value", "tangent"):
            del self.__dict__[name]
        self.__class__ = type(value)  # type: ignore[assignment]
        if isinstance(value, Lifted):
            self.__dict__.update(value.__dict__)
        else:
            self._data, self._edge = value._data, None
        return self

    def cut(self) -> Tensor:
        return self.level.lift(cut(self.value), cut(self.tangent))

    def become(self, other: Any) -> Tensor:
        self.tangent = other.tangent
        return super().become(other)

    def beside(self, tensor: Tensor) -> Tensor:
        return self.level.enter(tensor)

    def filled(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        return self.level.enter(make(self.value))  # so that tensors with tangents can be written into it

    def _assign(self, result: Tensor, what: str) -> Tensor:
        primal, tangent = self.level.parts(result)
        tangent = zeros_like(self.value) if tangent is None else tangent
        if edges := plain_edges(result):
            keep_copies(edges, arrays_of(self), self.level.began)
        self.value._assign(primal, what)
        if tangent is not self.tangent:  # in place too, for views of this tensor have views of its tangent
            self.hold(tangent)
            self.tangent._assign(tangent, what)
        return self

    def hold(self, what: Tensor) -> None:
        """Makes the tangent one that can hold tensors like this one: lifted to all its levels, in memory of its own.

        A tangent that is the same for all examples is one array for all of them until then.
        """
        if levels_of(what).keys() - levels_of(self.tangent).keys():
            self.tangent = entered(self.tangent, what).clone()

    def __repr__(self) -> str:
        if not self.level.alive:
            return repr(self.value)
        return f"{repr(self.value).removesuffix(')')}, tangent={self.tangent!r})"

    # What is asked of numbers is asked of the tensor itself.
    def item(self) -> Any:
        return self.value.item()

    def tolist(self) -> Any:
        return self.value.tolist()

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __index__(self) -> int:
        return self.value.__index__()


class DualLevel(Level):
    """One `jvp`, or one `forward_ad.dual_level`, while it runs."""

    name, marks = "forward mode", "has a tangent"

    def __init__(self, releases: bool = False):
        super().__init__()
        self.releases = releases
        self.began = 0  # when the latest op did
        self.received = Received()

    def lift(self, primal: Tensor, tangent: Tensor) -> Dual:
        """A tensor with a tangent."""
        new = object.__new__(Dual)
        new.level, new.value, new.tangent = self, primal, tangent
        return new

    def enter(self, tensor: Any) -> Dual:
        """A tensor with a tangent of zeros, into which one that differs between examples can be written too."""
        around: list[Any] = [level for level in stack.levels if level.depth < self.depth]
        sizes = [level.size for level in around if hasattr(level, "size")]
        tangent = wrap(module_of(memory_of(tensor)).zeros((*sizes, *tensor.shape), tensor.dtype))
        for level in around:
            tangent = level.enter(tangent) if isinstance(level, DualLevel) else level.lift(tangent)
        return self.lift(tensor, tangent)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.received.give_back(lambda tensor: tensor.value)

    def receive(self, tensor: Tensor, escape: Escape) -> Tensor:
        """Gives a plain tensor a tangent of zeros, in its place, as one with a tangent is written into it."""
        began = self.began  # of the op whose result is to be written
        self.received.take(tensor, self.enter, escape)
        self.began = began
        return tensor

    def parts(self, tensor: Any) -> tuple[Any, Any]:
        """A tensor without its tangent, and the tangent, or None."""
        if isinstance(tensor, Dual) and tensor.level is self:
            return tensor.value, tensor.tangent
        return tensor, None

    def apply(self, op: Record, given: dict[str, Any]) -> Any:
        self.began = next_seq()
        primals = dict(given)
        tangents: dict[str, Any] = {}
        for name, value in given.items():
            if isinstance(value, Dual) and value.level is self:
                primals[name] = value.value
                if op.view and isinstance(value.value, Lifted):
                    value.hold(value.value)  # before there are views of it, which have to share its memory
                if name in op.tensors:
                    tangents[name] = value.tangent
            elif may_hold(value):
                primals[name] = over_values(value, self.primal)
                if name == op.sequence:
                    found = [self.parts(each)[1] for each in value]
                    if any(each is not None for each in found):
                        tangents[name] = found
        if not op.records or not tangents:
            return called(op, primals)
        out, found = self.carried(op, primals, tangents)
        if op.outputs is None:
            return out if found is None else self.lift(out, found)
        return rebuilt(op, out, lambda i, each: each if found[i] is None else self.lift(each, found[i]))

    def primal(self, tensor: Any) -> Any:
        """A tensor without its tangent."""
        return tensor.value if isinstance(tensor, Dual) and tensor.level is self else tensor

    def apply_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return with_tangents(function, self, args, kwargs)

    def carried(self, op: Record, primals: dict[str, Any], tangents: dict[str, Any]) -> tuple[Any, Any]:
        """The result and its tangent, by the rules that the op declares, or by going through it backwards twice."""
        values = Values(op, primals, tangents)
        if not values.bare and not op.exact and any(has_half(primals[name]) for name in op.tensors):
            # The op computes in float32 and rounds once. So do the rules, whose factors are not rounded in between.
            out = called(op, primals)
            single = {name: in_single(value) if name in op.tensors else value for name, value in primals.items()}
            _, found = self.carried(op, single, {name: in_single(t) for name, t in tangents.items()})
            return out, fitted(found, out, op)
        rules = carriers(op, tuple(tangents))
        if rules is None:
            return by_reverse(op, primals, tangents)
        if values.bare and op.value_with_tangent is not None:
            given = tuple([values.given(tangents.get(name)) for name in op.tensors])
            together = op.evaluated_with_tangent(primals, given)
            if together is not NotImplemented:
                out, tangent = together
                return out, fit(tangent, out)
        parts = [part for part in [rule(values, tangents) for rule in rules] if part is not None]
        out = values.out
        if not parts:
            return out, fitted(None, out, op)
        if op.outputs is None and not op.view and len(parts) == 1 and not is_own(parts):
            parts[0] = in_own_memory(parts[0], (*tangents.values(), *primals.values()))
        total = parts[0]
        for part in parts[1:]:
            total = added(total, part)
        return out, fitted(total, out, op)


def is_own(parts: list[Any]) -> bool:
    """Whether the first of these tangents is an array that a rule has just made: nobody else refers to it."""
    return type(parts[0]) is np.ndarray and held_alone(parts, 0)


def has_half(value: Any) -> bool:
    """Whether a tensor, or one of several, is of half precision."""
    if type(value) in (tuple, list):
        return any(map(has_half, value))
    return isinstance(value, Tensor) and value.itemsize == 2 and is_half(value.dtype)


def in_own_memory(part: Any, others: tuple[Any, ...]) -> Any:
    """A tangent in memory of its own, as its primal is: each of the two may be changed in place."""
    array = memory_of(part)
    if has_own_elements(array):
        owner = buffer_owner(array)
        if not any(buffer_owner(memory_of(each)) is owner for each in tensors_among(others)):
            return part
    return part.copy() if part is array else part.clone()


def tensors_among(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among values, those in lists too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif type(value) is list:
            yield from tensors_among(value)


def arrays_of(value: Any) -> list[np.ndarray]:
    """The arrays that a tensor of any level has its numbers in, and its tangents theirs."""
    if isinstance(value, Lifted):
        return [array for each in value.within() for array in arrays_of(each)]
    return [value._data]


def fitted(total: Any, out: Any, op: Record) -> Any:
    """The tangent in the result's shape and dtype; None where there is none."""
    if op.outputs is not None:
        total = total if type(total) in (tuple, list) or hasattr(total, "_fields") else [total] * len(out)
        return [fit(t, each) for t, each in zip(total, out, strict=True)]
    return fit(total, out)


def fit(t: Any, out: Any) -> Any:
    """One tangent in the shape and dtype of its result."""
    if type(t) is np.ndarray and type(out) is Tensor:  # the usual case
        array = out._data
        if t.dtype is array.dtype and t.shape == array.shape and t.dtype.kind in "fc":
            return wrap(t)
    if t is None or not is_differentiable(out.dtype):
        return None
    if not isinstance(t, Tensor):
        t = wrap(as_array(t))
    if t.dtype != out.dtype:
        t = t.real.to(out.dtype) if t.is_complex() and not out.is_complex() else t.to(out.dtype)
    return broadcast_tangent(t, out)


def added(a: Any, b: Any) -> Any:
    """The sum of two contributions; of several outputs one by one."""
    if type(a) in (tuple, list) or hasattr(a, "_fields"):
        return [y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True)]
    return a + b


def by_reverse(op: Record, primals: dict[str, Any], tangents: dict[str, Any]) -> tuple[Any, Any]:
    """Forward mode for every op: u -> vjp(u) is linear, so its own transpose, taken at the tangents, is the jvp.

    Two backward passes: the rules are run on tensors, recorded, and gone through again.
    """
    recorded = modes.grad and any(plain_edges(each) for each in (*primals.values(), *tangents.values()))
    batches = [level for _, level in sorted(batches_within(list(primals.values())).items())]
    with enable_grad():
        places, directions, entered = [], [], dict(primals)
        for name, tangent in tangents.items():
            if type(tangent) is list:
                entered[name] = [
                    v if t is None else own_place(v, batches) for v, t in zip(primals[name], tangent, strict=True)
                ]
                places += [v for v, t in zip(entered[name], tangent, strict=True) if t is not None]
                directions += [t for t in tangent if t is not None]
            else:
                entered[name] = own_place(primals[name], batches)
                places.append(entered[name])
                directions.append(tangent)
        out = called(op, entered)
        several = [out] if op.outputs is None else list(out)
        asked = [i for i, each in enumerate(several) if is_differentiable(each.dtype) and each._edge is not None]
        seeds = [fresh(zeros_like(several[i])) for i in asked]
        options = {"create_graph": True, "retain_graph": True, "allow_unused": True}
        gradients = autograd.grad([several[i] for i in asked], places, seeds, **options)
        pairs = [
            (g, t.to(g.dtype))
            for g, t in zip(gradients, directions, strict=True)
            if g is not None and g._edge is not None
        ]
        found: list[Any] = [None] * len(several)
        if pairs:
            options = {"create_graph": recorded, "retain_graph": True, "allow_unused": True}
            carried = autograd.grad([g for g, _ in pairs], seeds, [t for _, t in pairs], **options)
            for i, each in zip(asked, carried, strict=True):
                found[i] = each
    if not recorded:
        out = rebuilt(op, out, lambda _, each: cut(each))
    for i in asked:
        if found[i] is None:
            found[i] = zeros_like(several[i])
    return out, found[0] if op.outputs is None else found
