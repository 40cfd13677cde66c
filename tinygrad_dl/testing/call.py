"""One call of an op: its arguments by name, as arrays; in other dtypes, with tensors, as source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.op import Op
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.random import manual_seed
from tinygrad_dl.testing.report import pasteable

SEED = 20_000


def record_of(op: Any) -> Op:
    """The declaration behind an op function, its `.op`, or its key in the registry: "mul", "my_module::norm"."""
    if isinstance(op, Op):
        return op
    if isinstance(op, str):
        if op not in REGISTRY:
            alike = [key for key in REGISTRY if key.endswith(f"::{op}")]
            meant = f"did you mean {' or '.join(map(repr, alike))}?" if alike else "see tinygrad_dl.testing.all_ops()"
            raise ValueError(f"got {op!r}, expected the name of an op; {meant}")
        return REGISTRY[op]
    found = getattr(op, "op", None)
    if not isinstance(found, Op):
        raise TypeError(f"expected an op declared with @td.op, got {op!r}")
    return found


def is_floating(value: Any) -> bool:
    """Whether it is a floating or complex array."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc"


def label(place: tuple[str, int | None]) -> str:
    """How a place is named in reports."""
    name, i = place
    return name if i is None else f"{name}[{i}]"


class Call:
    """An op and its arguments by name; tensors are bare arrays."""

    def __init__(self, op: Op, values: dict[str, Any]):
        self.op, self.values = op, values

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments: none, all are given by name."""
        return ()

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments by name."""
        return self.values

    def places(self) -> list[tuple[str, int | None]]:
        """Where the floating tensors are: (argument, position in a sequence or None)."""
        found: list[tuple[str, int | None]] = []
        for name in self.op.tensors:
            value = self.values.get(name)
            if isinstance(value, list | tuple):
                found += [(name, i) for i, each in enumerate(value) if is_floating(each)]
            elif is_floating(value):
                found.append((name, None))
        return found

    def differentiable(self) -> list[tuple[str, int | None]]:
        """Those of the places at which the op has a gradient."""
        return [place for place in self.places() if place[0] in self.op.differentiable]

    def arrays(self, places: list[tuple[str, int | None]]) -> list[Any]:
        """The values at these places."""
        return [self.values[name] if i is None else self.values[name][i] for name, i in places]

    def map(self, change: Callable[[np.ndarray], Any], floating: bool = True) -> Call:
        """The call with every tensor argument (only floating ones, if so) changed."""

        def changed(value: Any) -> Any:
            if isinstance(value, list):
                return [changed(each) for each in value]
            if isinstance(value, np.ndarray) and (is_floating(value) or not floating):
                return change(value)
            return value

        tensors = self.op.tensors
        return Call(self.op, {k: changed(v) if k in tensors else v for k, v in self.values.items()})

    def copy(self) -> Call:
        """The call with copies of all tensors, contiguous in memory."""
        return self.map(lambda a: np.array(a, order="C"), floating=False)

    def wrapped(self, places: list[tuple[str, int | None]]) -> tuple[dict[str, Any], list[Tensor]]:
        """Keyword arguments with leaf tensors at the places and constants elsewhere, and the leaves."""
        values: dict[str, Any] = {
            k: [wrap(v) if isinstance(v, np.ndarray) else v for v in value] if k == self.op.sequence else value
            for k, value in self.values.items()
        }
        for name in self.op.tensors:
            if isinstance(values.get(name), np.ndarray):
                values[name] = wrap(values[name])
        leaves = []
        for name, i in places:
            tensor = values[name] if i is None else values[name][i]
            leaves.append(tensor.requires_grad_())
        return values, leaves

    def run(self, values: dict[str, Any] | None = None, seeded: bool = False) -> list[Tensor]:
        """The results, as a list; with the random numbers that every call of the checks gets."""
        if seeded:
            manual_seed(SEED)
        result = self.op.function(**(self.values if values is None else values))
        return list(result) if isinstance(result, tuple | list) else [result]

    def reference(self) -> list[np.ndarray]:
        """The results of the op's reference, as a list of arrays."""
        reference = self.op.reference
        assert reference is not None
        code = getattr(reference, "__code__", None)
        if code is None or (getattr(reference, "__module__", None) or "").startswith("numpy"):
            tensors = [self.values[name] for name in self.op.tensors if name in self.values]
            defaults = default_values(self.op)
            names = {"dim": "axis", "keepdim": "keepdims"}
            options = {
                names.get(name, name): value
                for name, value in self.values.items()
                if name not in self.op.tensors and not (name in defaults and value is defaults[name])
            }
            result = reference(*tensors, **options)
        else:
            everything = {**default_values(self.op), **self.values}
            taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if set(taken) <= set(self.op.parameters):
                result = reference(**{name: everything[name] for name in taken})
            else:
                result = reference(*[everything[name] for name in self.op.parameters])
        if self.op.outputs is None:
            return [np.asarray(result)]
        return [np.asarray(each) for each in result]

    def __repr__(self) -> str:
        return f"{self.op.name}({self.source()})"

    def source(self) -> str:
        """The arguments as Python source."""
        return ", ".join(f"{name}={pasteable(value)}" for name, value in self.values.items())


def default_values(op: Op) -> dict[str, Any]:
    """The defaults of the op's parameters."""
    values, by_name = op.defaults
    found = dict(zip(op.positional[len(op.positional) - len(values or ()) :], values or (), strict=True))
    return {**found, **{k: v for k, v in by_name.items() if k in op.parameters}}
