"""Negative log-likelihoods: of classes, after log_softmax; of a Gaussian, of a Poisson distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, contiguous, module_of, truth
from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import checked_array
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import array, error, integers, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.loss._classes import check_targets, class_axis, class_weights, places, weights_of
from tinygrad_dl.ops.loss._classes_of_batches import losses_of_classes
from tinygrad_dl.ops.loss._reduction import former_reduction, reduce_losses, reduced, require_floats
from tinygrad_dl.ops.pointwise._selection import keep
from tinygrad_dl.ops.pointwise.exponential import exp, log
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.shape.expand import expand


def _naive_nll(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    x = np.moveaxis(input[None] if input.ndim == 1 else input, 1, -1)
    t = target[None] if input.ndim == 1 else target
    w = np.ones(x.shape[-1]) if weight is None else weight
    losses, total = np.zeros(t.shape), 0.0
    for place in np.ndindex(t.shape):
        if t[place] != ignore_index:
            losses[place] = -w[t[place]] * x[place][t[place]]
            total += w[t[place]]
    if reduction == "mean":
        return losses.sum() / total if total else np.nan
    return losses.sum() if reduction == "sum" else losses.reshape(target.shape)


@op(
    name="nll_loss",
    linear=("input",),
    constants=("weight",),
    namespace="functional",
    inputs=[
        {
            "input": real(shape="n 3", min_side=1),
            "target": integers(0, 2, shape="n", min_side=1),
            "weight": real(0.5, 2.0, shape="3"),
            "reduction": one_of("none", "mean", "sum"),
        },
        {
            "input": real(shape="2 3 k"),
            "target": integers(0, 2, shape="2 k"),
            "ignore_index": one_of(-100, 1),
            "reduction": one_of("none", "sum"),
        },
        {"input": real(shape="5"), "target": integers(0, 4, shape="")},
    ],
    errors=[
        error(IndexError, "got class 1 at position \\(0,\\)", array(2, 1), array(2, dtype="int64")),
        error(TypeError, "\\.long\\(\\)", array(2, 3), array(2)),
        error(TypeError, "got numbers of int64", array(2, 3, dtype="int64"), array(2, dtype="int64")),
    ],
    reference=_naive_nll,
)
def likelihood_loss(
    input: Array, target: Array, weight: Array | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """The op of `nll_loss`."""
    weights, safe, total = _likelihood_weights(input, target, weight, ignore_index, reduction)
    flat = contiguous(input).reshape(-1)
    losses = np.where(weights != 0, -flat[places(safe, input.shape)], module_of(input).zeros((), input.dtype)) * weights
    if reduction != "mean":
        return reduced(losses, reduction)
    return array_from(np.add.reduce(losses, None) / total if total else np.full((), np.nan)).astype(input.dtype)


def _likelihood_weights(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str) -> Any:
    counts = check_targets(input, target, ignore_index, "nll_loss")
    if weight is not None:
        class_weights(weight, input, "nll_loss")
    weights, safe = weights_of(target, counts, weight, input.dtype)
    return weights, safe, weights.sum(dtype=np.float64).item() if reduction == "mean" else 1.0


likelihood_loss.vjp(target=None)


@likelihood_loss.joint_vjp("input")
def _likelihood_rule(g: Any, target: Any, weight: Any, input_shape: Any, ignore_index: int, reduction: str) -> Any:
    blank = module_of(g).empty(input_shape, g.dtype)
    weights, safe, total = _likelihood_weights(blank, target, weight, ignore_index, reduction)
    q = module_of(g).zeros(input_shape, g.dtype)
    q.reshape(-1)[places(safe, input_shape)] = weights * (-1 / total if total else 0.0)
    g = np.broadcast_to(np.expand_dims(g, class_axis(blank)) if reduction == "none" else g, input_shape)
    return (keep(g, q != 0) * q,)


@likelihood_loss.vmap
def _likelihood_batch(input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, batch: Batch) -> Any:
    def losses(x: Any, t: Any) -> Any:
        return likelihood_loss(x, t, None if "weight" in batch.of else weight, ignore_index, "none")

    return losses_of_classes(losses, input, target, weight, ignore_index, reduction, batch)


@overload(likelihood_loss)
@composition
def nll_loss(
    input: Tensor,
    target: Array,
    weight: Array | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input at the target class, averaged over the examples: `cross_entropy` of what `log_softmax` gives.

    Args:
        input: log-probabilities, (N, C), (N, C, d1, ...) or (C,).
        target: class indices, of shape (N,), (N, d1, ...) or ().
        weight, ignore_index, reduction: as in `cross_entropy`.

    Raises:
        IndexError: a class index out of range. TypeError: the targets are no integers.

    >>> td.nn.functional.nll_loss(td.tensor([[-0.5, -1.0]]), td.tensor([1]))
    tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("nll_loss", size_average, reduce)
    return likelihood_loss(input, target, weight, ignore_index, reduction)


@composition
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """0.5 * (log(var) + (input - target)**2 / var), with var no smaller than `eps`.

    Args:
        input: the means. var: the variances, of the input's shape, with a size of 1 in one dimension or without the
            last one; or a number.
        full: add the constant 0.5 * log(2 pi).

    Raises:
        ValueError: a variance is negative, or they have another shape.

    >>> td.nn.functional.gaussian_nll_loss(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)
    """
    require_floats("gaussian_nll_loss", input)
    if not isinstance(var, Tensor):
        var = wrap(checked_array(var, "gaussian_nll_loss", "var").astype(input.dtype))
        var = expand(var, input.shape) if not var.ndim else var
    if is_known(var) and var._data.size and truth(var._data.min() < 0):
        raise ValueError(f"gaussian_nll_loss: expected variances >= 0, got one of {var._data.min()}")
    if var.shape == input.shape[:-1] and var.shape != input.shape:
        var = var.unsqueeze(-1)
    others = [size for size, wanted in zip(var.shape, input.shape, strict=False) if size != wanted]
    if var.ndim != input.ndim or others not in ([], [1]):
        raise ValueError(
            f"gaussian_nll_loss: got variances of shape {var.shape}, expected the input's {input.shape}, or one for "
            "a whole dimension"
        )
    # The bound acts on the value alone: the gradient passes, as in PyTorch.
    bounded = where(var < eps, var + (eps - var.detach()), var)
    losses = 0.5 * (log(bounded) + (input - target) ** 2 / bounded)
    return reduce_losses(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@composition
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target * input; without `log_input`: input - target * log(input + eps).

    Args:
        full: add Stirling's approximation of log(target!) where the target is above 1.

    >>> td.nn.functional.poisson_nll_loss(td.tensor([0.0]), td.tensor([2.0]))
    tensor(1.)
    """
    if size_average is not None or reduce is not None:
        reduction = former_reduction("poisson_nll_loss", size_average, reduce)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        above = where(target <= 1, 1.0, target)
        stirling = above * log(above) - above + 0.5 * log(2 * math.pi * above)
        losses = losses + where(target <= 1, 0.0, stirling)
    return reduce_losses(losses, reduction)
