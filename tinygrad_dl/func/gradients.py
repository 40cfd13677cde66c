"""Reverse mode under each transform: the gradients of its tensors from those of the tensors that they stand for."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.autograd import grad
from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import innermost, memory_of
from tinygrad_dl.creation import ones_like, zeros_like
from tinygrad_dl.func.batched import Batched, BatchLevel
from tinygrad_dl.func.dual import Dual, DualLevel


def of_batches(level: BatchLevel, outputs: Any, inputs: Any, cotangents: Any, options: dict[str, Any]) -> Any:
    """`autograd.grad` of examples is that of batches: the gradient of each depends on itself alone."""
    for position, each in enumerate(inputs):
        if not (isinstance(each, Batched) and each.level is level):
            raise RuntimeError(
                f"grad: got input {position} from outside of vmap, expected one that was made inside, as each "
                "example has a gradient of its own; use td.func.grad inside of vmap, or take the gradient outside"
            )
    reached = [i for i, each in enumerate(outputs) if isinstance(each, Batched) and each.level is level]
    if not reached:
        return [None] * len(inputs)
    found = grad(
        [outputs[i].value for i in reached],
        [each.value for each in inputs],
        [
            _ones(outputs[i].value) if g is None else into_front(level, g)
            for i, g in ((i, cotangents[i]) for i in reached)
        ],
        **options,
    )
    return [None if each is None else out_of_front(level, each) for each in found]


def of_duals(level: DualLevel, outputs: Any, inputs: Any, cotangents: Any, options: dict[str, Any]) -> Any:
    """Forward over reverse: the tangent of a gradient is the gradient of what the tangents say.

    With out(p + e t) = o + e o', and u the cotangent: grad(<u, o>) has the tangent grad(<u, o'> + <u', o>).
    """
    primals = [level.parts(each) for each in outputs]
    places = [level.parts(each)[0] for each in inputs]
    seeds = [(None, None) if each is None else dual_parts(level, each) for each in cotangents]
    kept = {**options, "retain_graph": True}
    first = grad([o for o, _ in primals], places, [u for u, _ in seeds], **kept)
    pairs = [(ot, ones_like(o) if u is None else u) for (o, ot), (u, _) in zip(primals, seeds, strict=True)]
    pairs += [(o, ut) for (o, _), (_, ut) in zip(primals, seeds, strict=True) if ut is not None]
    pairs = [(a, u) for a, u in pairs if a is not None and a._edge is not None]
    if not pairs:
        return first
    second = grad([a for a, _ in pairs], places, [u for _, u in pairs], **{**options, "allow_unused": True})
    return [
        None if g is None else g if gt is None else dual_of(level, g, gt) for g, gt in zip(first, second, strict=True)
    ]


def into_front(level: BatchLevel, tensor: Any) -> Any:
    """A tensor with a level's batch as its first dimension, however far inside that level lies."""
    if isinstance(tensor, Batched) and tensor.level is level:
        return tensor.value
    if isinstance(tensor, Batched) and tensor.level.depth > level.depth:
        return tensor.level.lift(into_front(level, tensor.value).movedim(0, 1))
    if isinstance(tensor, Dual) and tensor.level.depth > level.depth:
        return tensor.level.lift(into_front(level, tensor.value), into_front(level, tensor.tangent))
    if not isinstance(tensor, Tensor):
        tensor = wrap(tensor)
    return tensor.expand(level.size, *tensor.shape)


def out_of_front(level: BatchLevel, tensor: Any) -> Any:
    """What `into_front` has undone."""
    if isinstance(tensor, Batched) and tensor.level.depth > level.depth:
        return tensor.level.lift(out_of_front(level, tensor.value.movedim(1, 0)))
    if isinstance(tensor, Dual) and tensor.level.depth > level.depth:
        return tensor.level.lift(out_of_front(level, tensor.value), out_of_front(level, tensor.tangent))
    return level.lift(tensor)


def dual_of(level: DualLevel, primal: Any, tangent: Any) -> Any:
    """A tensor with a tangent, where each of them may be lifted to transforms further inside than `level`.

    Those further inside have to stay the outer shell, since ops meet the innermost transform first.
    """
    inside: Any = innermost((primal, tangent))
    if inside is None or inside.depth < level.depth:
        return level.lift(primal, tangent)
    if isinstance(inside, BatchLevel):
        return inside.lift(dual_of(level, inside.lowered(primal), inside.lowered(tangent)))
    (p, pt), (t, tt) = inside.parts(primal), inside.parts(tangent)
    return inside.lift(
        dual_of(level, p, t), dual_of(level, zeros_like(p) if pt is None else pt, zeros_like(t) if tt is None else tt)
    )


def dual_parts(level: DualLevel, tensor: Any) -> tuple[Any, Any]:
    """What `dual_of` has put together: the tensor and its tangent, None if it has none."""
    if isinstance(tensor, Batched) and tensor.level.depth > level.depth:
        primal, tangent = dual_parts(level, tensor.value)
        return tensor.level.lift(primal), None if tangent is None else tensor.level.lift(tangent)
    if isinstance(tensor, Dual) and tensor.level.depth > level.depth:
        (p, pt), (t, tt) = dual_parts(level, tensor.value), dual_parts(level, tensor.tangent)
        if pt is None and tt is None:
            return tensor, None
        pt, tt = zeros_like(p) if pt is None else pt, zeros_like(t) if tt is None else tt
        return tensor.level.lift(p, t), tensor.level.lift(pt, tt)
    return level.parts(tensor)


def _ones(value: Any) -> Tensor:
    """The gradient to start from, where a tensor's numbers are."""
    return wrap(module_of(memory_of(value)).ones(value.shape, value.dtype))
