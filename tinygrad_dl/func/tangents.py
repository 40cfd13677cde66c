"""How tangents go through an op: by the rules that it declares, or by what its kind says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core import promotion
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.plan import reads
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted, called, memory_of
from tinygrad_dl.creation import ones_like, zeros_like
from tinygrad_dl.ops.reduction.sum import sum as total

Carrier = Callable[["Values", dict[str, Any]], Any]
"""What tangents of some arguments bring to the result's."""


def carriers(op: Record, names: tuple[str, ...]) -> list[Carrier] | None:
    """How tangents of these arguments go through an op; None if for one of them nothing says so."""
    if names not in op.carriers:
        op.carriers[names] = _carriers(op, names)
    found: list[Carrier] | None = op.carriers[names]
    return found


def _carriers(op: Record, names: tuple[str, ...]) -> list[Carrier] | None:
    found, left = [], list(names)
    if op.joint_tangents is not None and set(op.joint_tangents[0]) & set(left):
        together, rule = op.joint_tangents
        found.append(_jointly(rule, together))
        left = [name for name in left if name not in together]
    for name in left:
        if name in op.tangents:
            declared = op.tangents[name]
            if declared is not None:
                found.append(_declared(declared, name))
        elif name in op.linear:
            found.append(_linearly(op, name))
        elif op.kind in DIAGONAL and op.outputs is None:
            if name in op.rules and op.rules[name] is None:
                continue
            slope = _slope(op, name)
            if slope is None:
                return None
            found.append(DIAGONAL[op.kind](slope, name))
        else:
            return None
    return found


def _declared(rule: Callable[..., Any], name: str) -> Carrier:
    taken = reads(rule)[1:]

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        return rule(values.given(tangents[name]), *values.read(taken))

    return carry


def _jointly(rule: Callable[..., Any], names: tuple[str, ...]) -> Carrier:
    taken = reads(rule)[1:]

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        return rule(tuple([values.given(tangents.get(name)) for name in names]), *values.read(taken))

    return carry


def _linearly(op: Record, name: str) -> Carrier:
    """The op itself on the tangent."""

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        primals, t = values.primals, tangents[name]
        if type(t) is list:
            t = [zeros_like(v) if each is None else each for v, each in zip(primals[name], t, strict=True)]
        return called(op, {**primals, name: t})

    return carry


Slope = Callable[["Values", Callable[[], Any], dict[str, Any]], Any]
"""The gradient rule of one argument: of (values, what makes g, once the op ran, and what is read instead of the
arguments)."""


def _slope(op: Record, name: str) -> Slope | None:
    """The gradient rule of one argument, where what it reads can be had again."""
    rule: Any = op.rules.get(name)
    position = None
    if rule is None:
        if op.joint is None or name not in op.joint[0]:
            return None
        position, rule = op.joint[0].index(name), op.joint[1]
        needs = tuple([each == name for each in op.joint[0]])
    taken = reads(rule)[1:]
    if not all(op.aux.get(each, True) for each in taken):
        return None

    def slope(values: Values, g: Callable[[], Any], instead: dict[str, Any]) -> Any:
        if position is None:
            read = values.read(taken, instead)
            return rule(g(), *read)
        read = values.read(taken, {**instead, "needs": needs})
        return rule(g(), *read)[position]

    return slope


def _elementwise(slope: Slope, name: str) -> Carrier:
    """A diagonal matrix is its own transpose: the rule for gradients serves tangents as it is."""

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        return slope(values, lambda: values.given(broadcast_tangent(tangents[name], values.out)), {})

    return carry


def _reduction(slope: Slope, name: str) -> Carrier:
    """Each element goes into one element of the result: the gradients of ones are the matrix, and its rows sums."""

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        slopes = slope(values, lambda: values.given(ones_like(values.out)), {})
        dim, keepdim = values.primals["dim"], values.primals["keepdim"]
        return total.generic(slopes * values.given(tangents[name]), dim, keepdim)

    return carry


def _loss(slope: Slope, name: str) -> Carrier:
    """The losses themselves are elementwise, and then reduced."""

    def carry(values: Values, tangents: dict[str, Any]) -> Any:
        primals = values.primals
        first, second = [np.shape(primals[each]) for each in values.op.tensors[:2]]
        shape = first if first == second else np.broadcast_shapes(first, second)
        t = tangents[name]
        wide = t if t.shape == shape else t.expand(shape)
        losses = slope(values, lambda: values.given(wide), {"reduction": "none"})
        reduction = primals["reduction"]
        if reduction == "none":
            return losses
        summed = total.generic(losses, None)
        return summed if reduction == "sum" else summed * (1.0 / (math.prod(shape) or math.nan))

    return carry


DIAGONAL: dict[str, Callable[[Slope, str], Carrier]] = {
    "elementwise": _elementwise,
    "reduction": _reduction,
    "loss": _loss,
}


class Values:
    """What rules read in one call of an op: arrays, where nothing is recorded or transformed, else tensors.

    The op runs when its result is first asked for. If arrays will do, it hands over what it would keep for the way
    back, auxiliary values too: they serve the rules for tangents as well.
    """

    def __init__(self, op: Record, primals: dict[str, Any], tangents: dict[str, Any]):
        self.op, self.primals, self.tangents = op, primals, tangents
        self.bare = all(map(is_bare, primals.values())) and all(map(is_bare, tangents.values()))
        self.kept: dict[str, Any] = {}
        self._out: Any = None

    @property
    def out(self) -> Any:
        """The result of the op, as tensors."""
        if self._out is None:
            self._out = called(self.op, self.primals)
        return self._out

    def given(self, tensor: Any) -> Any:
        """A tangent, or several, as the rules get it."""
        if type(tensor) is list:
            return [self.given(each) for each in tensor]
        return tensor._data if self.bare and tensor is not None else tensor

    def read(self, names: tuple[str, ...], instead: dict[str, Any] | None = None) -> list[Any]:
        """What a rule reads under these names."""
        if names and self.bare and self._out is None:
            self._out, self.kept = self.op.evaluated(self.primals)
        return [instead[name] if instead and name in instead else self._read(name) for name in names]

    def _array(self, number: Any) -> Any:
        """A number as an array, where the operation's tensors are."""
        dtype = self.out.dtype if self.op.promotes else None
        beside = [value for name, value in self.primals.items() if name in self.op.tensors and hasattr(value, "dtype")]
        return like(number, memory_of(beside[0]), dtype) if beside else np.asarray(number, dtype)

    def _read(self, name: str) -> Any:
        op, primals = self.op, self.primals
        if name in self.kept:
            return self.kept[name]
        if name in primals:
            value = primals[name]
            if name in op.tensors:
                if isinstance(value, bool | int | float | complex):  # rules get arrays
                    return self._array(value)
                return [constant(each) for each in value] if type(value) is list else constant(value)
            return value
        if name == "out":
            return constant(self.out)
        if name in op.output_names:
            return constant(self.out[op.output_names.index(name)])
        if name in op.aux:
            derive: Any = op.aux[name]
            return derive(*self.read(reads(derive)))
        value = primals[name.removesuffix("_shape")]
        return [np.shape(each) for each in value] if type(value) is list else np.shape(value)


def is_bare(value: Any) -> bool:
    """Whether an array may take the place of a tensor: nothing records it, and no transform knows it.

    Rules compute in single precision, so tensors of half precision stay what they are.
    """
    if isinstance(value, Tensor):
        if isinstance(value, Lifted) or (value._edge is not None and modes.grad):
            return False
        return value._data.itemsize != 2 or not promotion.is_half(value.dtype)
    if type(value) is tuple or type(value) is list:
        return all(map(is_bare, value))
    return type(value) is not slice or all(map(is_bare, (value.start, value.stop, value.step)))


def constant(value: Any) -> Any:
    """A tensor as an array, if that will do."""
    return value._data if isinstance(value, Tensor) and is_bare(value) else value


def broadcast_tangent(t: Any, out: Any) -> Any:
    """A tangent broadcast to the result's shape."""
    return t if t.shape == out.shape else t.expand(out.shape)
