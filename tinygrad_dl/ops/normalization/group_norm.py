"""Group normalisation, and instance normalisation, whose groups are the channels: one node with a joint rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.along_rows import SHORT, along_rows
from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.batching import Batch, every, folded, scaled_channels, unfolded
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.promotion import in_single
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.normalization.batch_norm import batch_norm, move_inside, move_running
from tinygrad_dl.ops.normalization.layer_norm import evenly
from tinygrad_dl.ops.pointwise._selection import straight
from tinygrad_dl.ops.reduction._channels import over_samples, spread
from tinygrad_dl.ops.reduction._sums import add_up, dot_rows


def _rows(x: Any, groups: int) -> Any:
    """(N, C, ...) as (N * groups, the rest): a row for each group."""
    count = x.shape[0] * groups
    return np.reshape(x, (count, math.prod(x.shape) // count if count else 0))


def _row_means(x: Any) -> Any:
    return product(x, evenly(x.shape[1], x.dtype))


def _inverse_std(input: Any, num_groups: int, eps: float) -> Any:
    rows = _rows(input, num_groups)
    centered = rows - _row_means(rows)
    return 1 / np.sqrt(_row_means(centered * centered) + eps)


def _group_mean(input: Any, num_groups: int) -> Any:
    return _row_means(_rows(input, num_groups))


def _by_channel(rows: Any, shape: Any) -> Any:
    """Rows of groups as (N, C, L)."""
    return np.reshape(rows, (shape[0], shape[1], math.prod(shape[2:])))


def _naive_group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    n, c = input.shape[:2]
    groups = input.reshape(n, num_groups, c // num_groups * math.prod(input.shape[2:]))
    out = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + eps)
    out, shape = out.reshape(input.shape), (-1,) + (1,) * (input.ndim - 2)
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@op(
    name="group_norm",
    keeps_format=True,
    namespace="functional",
    aux={"mean": _group_mean, "inverse": _inverse_std},
    real=True,
    inputs=[
        {
            "input": real(shape="n 4 3", min_side=1),
            "num_groups": one_of(1, 2),
            "weight": real(shape="4"),
            "bias": real(shape="4"),
            "eps": one_of(1e-5, 0.1),
        },
        {"input": real(shape="n 6 2 2", min_side=1), "num_groups": one_of(2, 3, 6), "weight": real(shape="6")},
        {"input": real(shape="n 4", min_side=1), "num_groups": one_of(2)},
    ],
    errors=[
        error(ValueError, "expected channels that num_groups=2 divides", array(1, 3, 2), 2),
        error(ValueError, "a weight of shape \\(4,\\)", array(1, 4, 2), 2, array(3)),
        error(ValueError, "\\(N, C, ...\\)", array(4), 2),
    ],
    reference=_naive_group_norm,
)
def normalize_groups(
    input: Array, num_groups: int, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Any:
    """(x - mean) / sqrt(variance + eps) over each of `num_groups` groups of channels of each element of the batch.

    Args:
        input: (N, C, ...).
        num_groups: how many groups the channels make.
        weight, bias: (C,) or None: what each channel is then multiplied by, and what is added.

    Raises:
        ValueError: num_groups does not divide the channels, or the shapes do not fit.

    >>> import tinygrad_dl as td
    >>> td.nn.functional.group_norm(td.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html
    """
    if input.ndim < 2:
        raise ValueError(f"group_norm: expected an input of shape (N, C, ...), got {input.shape}")
    count = input.shape[1]
    if num_groups < 1 or count % num_groups:
        raise ValueError(
            f"group_norm: expected channels that num_groups={num_groups} divides, got {count} in shape {input.shape}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and value.shape != (count,):
            raise ValueError(f"group_norm: expected a {name} of shape {(count,)}, got {value.shape}")
    x = _by_channel(input, input.shape)
    out, rows = module_of(x).empty(x.shape, x.dtype), len(x) * num_groups
    mean, inverse = module_of(x).zeros((rows, 1), x.dtype), module_of(x).zeros((rows, 1), x.dtype)
    options = num_groups, weight, bias, eps

    def work(start: int, stop: int) -> None:
        own = slice(start * num_groups, stop * num_groups)
        mean[own], inverse[own] = _normalize(x[start:stop], out[start:stop], *options)

    if x.size:
        over_samples(work, x)
    return out.reshape(input.shape), mean, inverse


def _normalize(x: np.ndarray, out: np.ndarray, groups: int, weight: Any, bias: Any, eps: float) -> Any:
    """Normalises (N, C, L) into `out`; returns the means and 1 / sqrt(variance + eps) of each group."""
    rows, results = _rows(x, groups), _rows(out, groups)
    mean = add_up(rows, 1, True) / rows.shape[1]
    with along_rows(rows.shape[1]):
        np.subtract(rows, mean, results)
        inverse = 1 / np.sqrt(dot_rows(results, results, 1) * (1 / rows.shape[1]) + eps)
        if weight is None or x.shape[2] < SHORT:
            results *= inverse
    with along_rows(x.shape[2]):
        if weight is not None:
            out *= spread(weight[:, None], x) if x.shape[2] < SHORT else _factors(inverse, weight, groups, x.shape)
        if bias is not None:
            out += spread(bias[:, None], x)
    return mean, inverse


def _factors(inverse: Any, weight: Any, groups: int, shape: Any) -> Any:
    """What each channel of each sample is multiplied by, (N, C, 1)."""
    factors = np.reshape(inverse, (shape[0], groups, 1))
    if weight is not None:
        factors = factors * np.reshape(weight, (groups, shape[1] // groups))
    return np.reshape(np.broadcast_to(factors, (shape[0], groups, shape[1] // groups)), (shape[0], shape[1], 1))


normalize_groups.op.node_name = "GroupNorm"


@normalize_groups.joint_vjp("input", "weight", "bias")
def _group_norm_rule(g: Any, input: Any, num_groups: int, weight: Any, mean: Any, inverse: Any, needs: Any) -> Any:
    shape = input.shape
    if not math.prod(shape):
        nothing = straight(g * 0, input)
        zeros = module_of(g).zeros(shape[1], g.dtype)
        return nothing, zeros, zeros.copy()
    x, g = _by_channel(input, shape), _by_channel(g, shape)
    if all(type(each) is np.ndarray for each in (g, x, mean)) and not isinstance(weight, Tensor):
        result = module_of(x).empty(shape, x.dtype)
        gx = _by_channel(result, shape)
        sums, products = module_of(x).empty((2, *shape[:2]), x.dtype)

        def work(start: int, stop: int) -> None:
            own, groups = slice(start, stop), slice(start * num_groups, stop * num_groups)
            options = num_groups, weight, mean[groups], inverse[groups]
            _, sums[own], products[own] = _slopes(g[own], x[own], *options, gx[own])

        over_samples(work, x)
    else:
        gx, sums, products = _slopes(g, x, num_groups, weight, mean, inverse)
        result = np.reshape(gx, shape)
    return result, np.add.reduce(products, axis=0), np.add.reduce(sums, axis=0)


def _slopes(g: Any, x: Any, groups: int, weight: Any, mean: Any, inverse: Any, out: Any = None) -> Any:
    """The gradient of (N, C, L); and those of bias and weight for each sample, (N, C)."""
    shape = x.shape
    rows, (n, c, _) = _rows(x, groups), shape
    with along_rows(rows.shape[1]):
        centered = rows - mean if out is None else np.subtract(rows, mean, _rows(out, groups))
    sums = add_up(g, 2, False)
    products = _channel_dots(g, np.reshape(centered, shape))
    products = np.reshape(np.reshape(products, (n * groups, c // groups)) * inverse, (n, c))
    # What the change of the mean and of the variance bring: the same for all of a group.
    shift, tilt = ((each if weight is None else each * weight) for each in (sums, products))
    shift, tilt = (
        np.add.reduce(np.reshape(each, (n * groups, c // groups)), axis=1, keepdims=True) * (-1 / rows.shape[1])
        for each in (shift, tilt)
    )
    with along_rows(rows.shape[1]):
        gx = np.reshape(add_(mul_(centered, tilt * inverse * inverse), shift * inverse), shape)
    with along_rows(shape[2]):
        gx = add_(gx, g * _factors(inverse, weight, groups, shape))
    return gx, sums, products


@normalize_groups.joint_jvp("input", "weight", "bias")
def _group_norm_tangent(t: Any, input: Any, num_groups: int, weight: Any, mean: Any, inverse: Any) -> Any:
    shape, (change, tw, tb) = input.shape, t
    if not math.prod(shape):
        return input * 0
    out: Any = 0.0
    normal = mul_(_rows(input, num_groups) - mean, inverse)
    if tw is not None:
        out = _by_channel(normal, shape) * np.expand_dims(tw, -1)
    if change is not None:
        change = _rows(change, num_groups)
        change = change - _row_means(change)
        share = 1 / change.shape[1]
        change = mul_(add_(mul_(normal, _dots(normal, change) * -share), change), inverse)
        change = _by_channel(change, shape)
        out = (change if weight is None else mul_(change, np.expand_dims(weight, -1))) + out
    if tb is not None:
        out = out + np.expand_dims(tb, -1)
    return np.reshape(np.broadcast_to(out, (shape[0], shape[1], math.prod(shape[2:]))), shape)


@normalize_groups.vmap
def _group_norm_batch(input: Any, weight: Any, bias: Any, num_groups: int, eps: float, batch: Batch) -> Any:
    x = every(input, "input", batch)
    if not {"weight", "bias"} & batch.of:
        return unfolded(normalize_groups(folded(x), num_groups, weight, bias, eps), batch.size)
    out = unfolded(normalize_groups(folded(x), num_groups, None, None, eps), batch.size)
    return scaled_channels(out, weight, bias, batch)


def _dots(a: Any, b: Any) -> Any:
    """The sum of a * b along the last dimension, which is kept."""
    if type(a) is type(b) is np.ndarray:
        return dot_rows(a, b, a.ndim - 1)
    return np.add.reduce(a * b, axis=a.ndim - 1, keepdims=True)


def _channel_dots(a: Any, b: Any) -> Any:
    """(N, C) from two (N, C, L)."""
    return np.reshape(_dots(a, b), a.shape[:2])


group_norm = normalize_groups


@composition
def instance_norm(
    input: Array,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Array | None = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) over each channel of each element of the batch, (N, C, ...).

    Args:
        running_mean, running_var: (C,) or None: moved towards the mean and (unbiased) variance of the batch's
            channels, and used instead of them if `use_input_stats` is False.
        weight, bias: (C,) or None: what each channel is then multiplied by, and what is added.

    Raises:
        ValueError: one value per channel, or no statistics to use.

    >>> td.nn.functional.instance_norm(td.tensor([[[1.0, 3.0], [5.0, 5.0]]]), eps=0.01)[0, 0]
    tensor([-0.9950,  0.9950])
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3 or math.prod(input.shape[2:]) == 1:
        raise ValueError(
            f"instance_norm: expected an input (N, C, ...) with more than one value per channel, got {input.shape}"
        )
    require_constants("instance_norm", running_mean=running_mean, running_var=running_var, momentum=momentum)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and running.shape != input.shape[1:2]:
            raise ValueError(
                f"instance_norm: expected a {name} of shape {input.shape[1:2]} for an input of shape {input.shape}, "
                f"got {running.shape}"
            )
    if running_mean is None or running_var is None or not math.prod(input.shape):
        pass
    elif not (is_known(input) and is_known(running_mean) and is_known(running_var)):
        spatial = tuple(range(2, input.ndim))
        move_inside("instance_norm", input, running_mean, running_var, spatial, (0,), momentum)
    else:
        x = in_single(input._data).reshape(*input.shape[:2], -1)
        for running, found in ((running_mean, x.mean((0, 2))), (running_var, x.var(2, ddof=1).mean(0))):
            move_running(running._data, found, momentum)
    return group_norm(input, max(input.shape[1], 1), weight, bias, eps)
