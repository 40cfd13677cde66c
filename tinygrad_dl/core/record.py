"""What a declaration says of its op: read by the parts that stand below `declaration.py`, which makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Record:
    """The record of a declaration; `Op` fills it."""

    name: str
    key: str  # its name in the registry: "mul"; of an op from outside "module::name"
    home: str  # where it is declared
    node_name: str  # begins PyTorch's name of its nodes
    forward: Callable[..., Any]
    function: Any  # what users call
    operator: Any  # and what an operator calls, if it is one
    parameters: tuple[str, ...]
    positional: tuple[str, ...]
    tensors: tuple[str, ...]
    sequence: str | None  # the parameter that takes a sequence of tensors
    outputs: Any  # a namedtuple class if there are several outputs, or `tuple` for a varying number
    aux: dict[str, Callable[..., Any] | None]
    reference: Callable[..., Any] | None
    namespace: str  # where users find it
    kind: str
    linear: tuple[str, ...]
    rules: dict[str, Callable[..., Any] | None]  # of `vjp`, by argument
    joint: tuple[tuple[str, ...], Callable[..., Any]] | None
    tangents: dict[str, Callable[..., Any] | None]  # of `jvp`, by argument
    joint_tangents: tuple[tuple[str, ...], Callable[..., Any]] | None  # of `joint_jvp`
    value_with_tangent: Callable[..., Any] | None  # of `value_and_jvp`
    carriers: dict[tuple[str, ...], Any]  # how tangents of these arguments go through it, once found
    batching: Callable[..., Any] | None  # of `vmap`
    decomposed: Callable[..., Any] | None
    view: bool
    floating: bool
    broadcasts: bool
    promotes: bool | tuple[str, ...]
    exact: bool
    changeable: bool
    alike: tuple[str, ...]
    real: bool
    scalars: str  # in the place of which of its tensors a Python number may stand
    keeps_format: bool  # whether results have channels last if its first tensor has
    constants: tuple[str, ...]  # floating tensors of which no gradient may be required
    records: bool  # whether its result ever has a gradient

    @property
    def output_names(self) -> tuple[str, ...]:
        return getattr(self.outputs, "_fields", ())

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The tensor parameters that have a gradient rule."""
        return tuple(t for t in self.tensors if self.rules.get(t) or (self.joint and t in self.joint[0]))

    def plan(self, mask: int) -> Any:
        """The plan for the pattern of tensor arguments that require a gradient."""
        raise NotImplementedError

    def evaluated(self, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The result for arguments by name, not recorded, and the arrays that rules read, by name."""
        raise NotImplementedError

    def evaluated_with_tangent(self, given: dict[str, Any], t: tuple[Any, ...]) -> Any:
        """The result and its tangent, not recorded, by the rule of `value_and_jvp`, which may be NotImplemented."""
        raise NotImplementedError
