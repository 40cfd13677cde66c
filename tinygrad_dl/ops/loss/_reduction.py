"""What losses share: the reduction, and its part in their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.inputs import broadcasting, one_of, real
from tinygrad_dl.ops.reduction.statistics import mean
from tinygrad_dl.ops.reduction.sum import sum


def reduce_losses(losses: Any, reduction: str) -> Tensor:
    """The mean of the losses, their sum, or themselves."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction != "none":
        raise ValueError(f"expected a reduction among 'none', 'mean' and 'sum', got {reduction!r}")
    return losses  # type: ignore[no-any-return]


REDUCTIONS = ("none", "mean", "sum")


def former_reduction(name: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that the arguments mean by which programs written before PyTorch 1.0 say it; None means True."""
    for what, value in (("size_average", size_average), ("reduce", reduce)):
        if isinstance(value, str):
            raise TypeError(
                f"{name}: got {what}={value!r}, expected True or False; say reduction={value!r} by its name"
            )
    no_mean = size_average is not None and not size_average
    found = "none" if reduce is not None and not reduce else "sum" if no_mean else "mean"
    warn(f"{name}: size_average and reduce are deprecated, use reduction={found!r}")
    return found


def require_floats(name: str, numbers: Any) -> None:
    """Raises for integers and bools, of which a loss would have another dtype and no gradient."""
    if numbers.dtype.kind in "biu":
        raise TypeError(f"{name}: got numbers of {numbers.dtype}, expected floating ones; convert them with .float()")


def reduced(losses: Any, reduction: str) -> Any:
    """The losses themselves, their mean (nan of none) or their sum."""
    if reduction == "mean":
        if not losses.size:
            return module_of(losses).full((), np.nan, losses.dtype)
        if losses.itemsize < 4:  # a tensor of half precision, whose sum would overflow
            return losses.mean()
        return np.add.reduce(losses, None) / losses.size
    if reduction == "sum":
        return np.add.reduce(losses, None)
    if reduction == "none":
        return losses
    raise ValueError(f"expected a reduction among 'none', 'mean' and 'sum', got {reduction!r}")


def reduction_vjp(g: Any, size: int, reduction: str) -> Any:
    """The gradient of each loss, before broadcasting, from that of the reduced ones."""
    return g * (1.0 / size) if reduction == "mean" and size else g


def extent(input: Any, target: Any) -> int:
    """The number of losses of an input and a target of these shapes."""
    if input == target:
        size = 1
        for n in input:
            size *= n
        return size
    return int(np.prod(np.broadcast_shapes(input, target)))


def naive(losses: Callable[..., Any]) -> Callable[..., Any]:
    """A reference from a formula of float64 arrays: the losses, then their reduction."""

    def reference(input: Any, target: Any, *args: Any, reduction: str = "mean", **kwargs: Any) -> Any:
        found = losses(input, target, *args, **kwargs)
        return {"none": lambda: found, "mean": lambda: found.mean(), "sum": lambda: found.sum()}[reduction]()

    return reference


def pairs(low: float = -3.0, high: float = 3.0, **options: Any) -> list[Any]:
    """Legal inputs of a loss: same shapes (which may be empty unless averaged), and shapes that broadcast."""
    return [
        broadcasting(real(low, high, min_side=1), real(low, high, min_side=1), reduction=one_of("mean"), **options),
        broadcasting(real(low, high), real(low, high), reduction=one_of("none", "sum"), **options),
    ]


def warn_of_broadcasting(name: str, input: Any, target: Any) -> None:
    """Warns if the shapes differ: the loss would compare each element with many."""
    if input.shape != target.shape:
        warn(
            f"{name}: the input has shape {input.shape} and the target {target.shape}; they are broadcast, which is "
            f"likely not what was meant; give both the same shape, for example with squeeze() or unsqueeze()"
        )
