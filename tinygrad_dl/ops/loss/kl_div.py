"""The Kullback-Leibler divergence: one node, the reduction included."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, broadcasting, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.loss._reduction import extent, former_reduction, naive, reduced, reduction_vjp, require_floats


def _naive_divergence(input: Any, target: Any, log_target: bool = False) -> Any:
    if log_target:
        return np.exp(target) * (target - input)
    return np.where(target > 0, target * (np.log(np.where(target > 0, target, 1)) - input), 0)


@op(
    kind="loss",
    name="kl_div",
    namespace="functional",
    real=True,
    inputs=[
        broadcasting(real(min_side=1), real(0.1, 2.0, min_side=1), reduction=one_of("mean"), log_target=one_of(False)),
        broadcasting(real(), real(0.1, 2.0), reduction=one_of("none", "sum"), log_target=one_of(False, True)),
    ],
    errors=[
        error(ValueError, "reduction", array(2), array(2), reduction="average"),
        error(TypeError, "got numbers of int64", array(2, dtype="int64"), array(2, dtype="int64")),
    ],
    reference=lambda input, target, reduction="mean", log_target=False: naive(_naive_divergence)(
        input, target, log_target=log_target, reduction=reduction
    ),
)
def divergence(input: Array, target: Array, reduction: str = "mean", log_target: bool = False) -> Any:
    """The op of `kl_div`."""
    require_floats("kl_div", input)
    if log_target:
        return reduced(np.exp(target) * (target - input), reduction)
    # 0 log 0 is 0: where the target is 0, its logarithm is taken as 0.
    known = (
        np.log(np.where(target == 0, 1, target))
        if target.size and not (at_hand(target) and target.min() > 0)
        else np.log(target)
    )
    return reduced(target * known - target * input, reduction)


@divergence.joint_vjp("input", "target")
def _divergence_rule(g: Any, input: Any, target: Any, reduction: str, log_target: bool, needs: Any) -> Any:
    g = reduction_vjp(g, extent(input.shape, target.shape), reduction)
    mass = np.exp(target) if log_target else target
    gx, gt = (-g * mass if needs[0] else None), None
    if needs[0] and reduction != "none" and input.shape != target.shape:
        gx = gx + module_of(target).zeros(np.broadcast_shapes(input.shape, target.shape), target.dtype)
    if needs[1]:
        gt = g * mass * (target - input + 1) if log_target else g * (np.log(target) - input + 1)
    return gx, gt


@overload(divergence)
@composition
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The Kullback-Leibler divergence, target * (log(target) - input): `input` holds logarithms.

    Args:
        reduction: "batchmean" (the sum over the batch size: the divergence proper), "mean" (over all
            elements), "sum" or "none".
        log_target: whether the target holds logarithms too.

    >>> p = td.tensor([[0.5, 0.5]])
    >>> td.nn.functional.kl_div(p.log(), p, reduction="batchmean")
    tensor(0.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("kl_div", size_average, reduce)
    result: Tensor
    if reduction == "batchmean":
        result = divergence(input, target, "sum", log_target)
        return result / input.shape[0] if input.ndim else result
    result = divergence(input, target, reduction, log_target)
    return result
