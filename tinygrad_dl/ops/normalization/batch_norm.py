"""Batch normalisation: one node, with all gradients in one hand-written rule.

The channels are dimension 1. With (N, C) the statistics are over the rows; with more dimensions the array is
taken as (N, C, L).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.backends.along_rows import along_rows
from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.batching import Batch, every, folded, scaled_channels, unfolded
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted, is_known
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.reduction._channels import channel_dots, channel_sums, channels, is_large, over_channels, spread

Observer = Callable[[Any, Any, int], None]


def _channel_means(x: Any) -> Any:
    return channel_sums(x) * (x.shape[1] / max(math.prod(x.shape), 1))


def _fit(values: Any, x: Any) -> Any:
    """A value for each channel, shaped to broadcast."""
    return values if x.ndim == 2 else np.reshape(values, (x.shape[1], 1))


def _batch_mean(input: Any) -> Any:
    return _channel_means(channels(input))


def _batch_inverse(input: Any, eps: float) -> Any:
    x = channels(input)
    centered = x - _channel_means(x)
    return 1 / np.sqrt(_channel_means(centered * centered) + eps)


def _naive_batch_norm(input: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, observe: Any = None) -> Any:
    axes = (0, *range(2, input.ndim))
    shape = (1, -1) + (1,) * (input.ndim - 2)
    out = (input - input.mean(axes, keepdims=True)) / np.sqrt(input.var(axes, keepdims=True) + eps)
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@op(
    name="batch_norm",
    keeps_format=True,
    namespace="rules",
    aux={"mean": _batch_mean, "inverse": _batch_inverse},
    real=True,
    inputs=[
        {
            "input": real(shape="5 c", min_side=1),
            "weight": real(shape="c", min_side=1),
            "bias": real(shape="c", min_side=1),
            "eps": one_of(1e-5, 0.1),
        },
        {
            "input": real(shape="2 c 3", min_side=1),
            "weight": real(shape="c", min_side=1),
            "bias": real(shape="c", min_side=1),
        },
        {"input": real(shape="2 c 3 2", min_side=1)},
    ],
    errors=[
        error(ValueError, "more than one value per channel", array(1, 3)),
        error(ValueError, "\\(N, C\\)", array(3)),
    ],
    reference=_naive_batch_norm,
)
def normalize_batch(
    input: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5, observe: Any = None
) -> Any:
    """`batch_norm` in training. `observe` is called with the batch's means, variances and count, if it is not empty."""
    x = _checked(input, weight, bias)
    count = math.prod(x.shape) // x.shape[1] if x.shape[1] else 0
    if count == 1:
        raise ValueError(
            f"batch_norm: expected more than one value per channel in training, got an input of shape {input.shape}; "
            f"use a larger batch, or module.eval()"
        )
    out = module_of(x).empty(x.shape, x.dtype)
    if x.size and not is_large(x):
        mean, variance, inverse = _normalize(x, weight, bias, eps, out)
    else:
        mean, variance, inverse = (module_of(x).zeros((x.shape[1], 1)[: x.ndim - 1], x.dtype) for _ in range(3))

        def work(own: slice) -> None:
            found = _normalize(x[:, own], _part(weight, own), _part(bias, own), eps, out[:, own])
            mean[own], variance[own], inverse[own] = found

        if x.size:
            over_channels(work, x)
    if observe is not None and x.size:
        observe(mean.reshape(-1), variance.reshape(-1), count)
    return out if x is input else out.reshape(input.shape), mean, inverse


def _part(values: Any, own: slice) -> Any:
    return None if values is None else values[own]


def _normalize(x: np.ndarray, weight: Any, bias: Any, eps: float, out: np.ndarray) -> Any:
    """The normalised (N, C) or (N, C, L), into `out`; returns means, variances and 1 / sqrt(variance + eps)."""
    mean = _channel_means(x)
    with along_rows(x.shape[-1] if x.ndim > 2 else 0):
        np.subtract(x, spread(mean, x), out)
        variance = channel_dots(out, out) * (x.shape[1] / x.size)
        inverse = 1 / np.sqrt(variance + eps)
        _scale(out, inverse, weight, bias)
    return mean, variance, inverse


def _scale(own: np.ndarray, inverse: np.ndarray, weight: Any, bias: Any) -> None:
    """own * inverse * weight + bias, written over `own`."""
    own *= spread(inverse if weight is None else inverse * _fit(weight, own), own)
    if bias is not None:
        own += spread(_fit(bias, own), own)


@normalize_batch.joint_vjp("input", "weight", "bias")
def _batch_norm_rule(g: Any, input: Any, weight: Any, mean: Any, inverse: Any, needs: Any) -> Any:
    x, g = channels(input), channels(g)
    shape, gx = (x.shape[1],), None
    if needs[0] and type(g) is type(x) is type(mean) is np.ndarray and not isinstance(weight, Tensor) and x.size:
        made = module_of(x).empty(input.shape, x.dtype)
        sums, products = _slopes(g, x, weight, mean, inverse, made if x is input else made.reshape(x.shape))
        return made, products.reshape(shape), sums.reshape(shape)
    sums = channel_sums(g)
    if not (needs[0] or needs[1]):
        return None, None, np.reshape(sums, shape)
    centered = x - mean
    products = channel_dots(g, centered) * inverse
    if needs[0]:
        share = x.shape[1] / math.prod(x.shape) if math.prod(x.shape) else 0.0
        scale = inverse if weight is None else inverse * _fit(weight, x)
        gx = (centered * (products * inverse * -share) + g + sums * -share) * scale
        gx = gx if x.ndim == input.ndim else np.reshape(gx, input.shape)
    return gx, np.reshape(products, shape), np.reshape(sums, shape)


def _slopes(g: np.ndarray, x: np.ndarray, weight: Any, mean: Any, inverse: Any, out: np.ndarray) -> Any:
    """The gradient of a batch normalisation of (N, C) or (N, C, L), into `out`; returns those of bias and weight."""
    if not is_large(x):
        return _slopes_at_once(g, x, weight, mean, inverse, out)
    sums, products = (module_of(x).empty(mean.shape, x.dtype) for _ in range(2))

    def work(own: slice) -> None:
        found = _slopes_at_once(g[:, own], x[:, own], _part(weight, own), mean[own], inverse[own], out[:, own])
        sums[own], products[own] = found

    over_channels(work, x)
    return sums, products


def _slopes_at_once(g: np.ndarray, x: np.ndarray, weight: Any, mean: Any, inverse: Any, out: np.ndarray) -> Any:
    share = x.shape[1] / x.size
    sums = channel_sums(g)
    with along_rows(x.shape[-1] if x.ndim > 2 else 0):
        np.subtract(x, spread(mean, x), out)
        products = channel_dots(g, out) * inverse
        out *= spread(products * inverse * -share, x)
        out += g
        out += spread(sums * -share, x)
        _scale(out, inverse, weight, None)
    return sums, products


@normalize_batch.joint_jvp("input", "weight", "bias")
def _batch_norm_tangent(t: Any, input: Any, weight: Any, mean: Any, inverse: Any) -> Any:
    x, (change, tw, tb) = channels(input), t
    if not math.prod(x.shape):
        return input * 0
    normal = mul_(x - mean, inverse)
    out: Any = 0.0
    if tw is not None:
        out = normal * _fit(tw, x)
    if change is not None:
        change = channels(change)
        change = change - _channel_means(change)
        share = x.shape[1] / math.prod(x.shape)
        change = add_(mul_(normal, channel_dots(normal, change) * -share), change)
        out = mul_(change, inverse if weight is None else inverse * _fit(weight, x)) + out
    return _placed(out, tb, x, input.shape)


def _placed(out: Any, tb: Any, x: Any, shape: Any) -> Any:
    """What the other arguments bring, and the tangent of the bias, in the shape of the result."""
    out = np.broadcast_to(out if tb is None else out + _fit(tb, x), x.shape)
    return out if x.shape == shape else np.reshape(out, shape)


@normalize_batch.vmap
def _batch_norm_batch(input: Any, weight: Any, bias: Any, eps: float, observe: Any, batch: Batch) -> Any:
    if observe is not None:
        raise RuntimeError(
            "batch_norm: got running statistics inside of vmap, expected none: those of all examples would go into "
            "one; use track_running_stats=False, call eval(), or replace the layers with GroupNorm"
        )
    x = every(input, "input", batch).movedim(0, 1)  # the channels of all examples side by side
    joined = x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])
    out = normalize_batch(joined, None, None, eps).reshape(x.shape).movedim(1, 0)
    return scaled_channels(out, weight, bias, batch)


def _naive_fixed(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    shape = (1, -1) + (1,) * (input.ndim - 2)
    out = (input - running_mean.reshape(shape)) / np.sqrt(running_var.reshape(shape) + eps)
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@op(
    name="batch_norm_eval",
    keeps_format=True,
    namespace="rules",
    aux={"mean": None, "inverse": None},
    real=True,
    constants=("running_mean", "running_var"),
    inputs=[
        {
            "input": real(shape="n c"),
            "running_mean": real(shape="c"),
            "running_var": real(0.5, 2.0, shape="c"),
            "weight": real(shape="c"),
            "bias": real(shape="c"),
        },
        {"input": real(shape="n c 2 k"), "running_mean": real(shape="c"), "running_var": real(0.5, 2.0, shape="c")},
    ],
    errors=[error(ValueError, "running_mean of shape", array(2, 3), array(4), array(4))],
    reference=_naive_fixed,
)
def normalize_fixed(
    input: Array,
    running_mean: Array,
    running_var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Any:
    """`batch_norm` in evaluation: with given means and variances, which have no gradient."""
    x = _checked(input, weight, bias, running_mean=running_mean, running_var=running_var)
    # Copies: the running statistics may change before the backward pass.
    mean = _fit(running_mean.astype(x.dtype), x)
    inverse = _fit((1 / np.sqrt(running_var + eps)).astype(x.dtype, copy=False), x)
    out = module_of(x).empty(x.shape, x.dtype)

    def normalize(x: np.ndarray, out: np.ndarray, mean: Any, inverse: Any, weight: Any, bias: Any) -> None:
        with along_rows(x.shape[-1] if x.ndim > 2 else 0):
            np.subtract(x, spread(mean, x), out)
            _scale(out, inverse, weight, bias)

    def work(own: slice) -> None:
        normalize(x[:, own], out[:, own], mean[own], inverse[own], _part(weight, own), _part(bias, own))

    if is_large(x):
        over_channels(work, x)
    else:
        normalize(x, out, mean, inverse, weight, bias)
    return out if x is input else out.reshape(input.shape), mean, inverse


normalize_fixed.op.node_name = "BatchNorm"


@normalize_fixed.joint_vjp("input", "weight", "bias")
def _fixed_norm_rule(g: Any, input: Any, weight: Any, mean: Any, inverse: Any, needs: Any) -> Any:
    x, g = channels(input), channels(g)
    shape = (x.shape[1],)
    gx = gw = gb = None
    if needs[0]:
        gx = g * (inverse if weight is None else inverse * _fit(weight, x))
        gx = gx if x.ndim == input.ndim else np.reshape(gx, input.shape)
    if needs[1]:
        gw = np.reshape(channel_dots(g, x - mean) * inverse, shape)
    if needs[2]:
        gb = np.reshape(channel_sums(g), shape)
    return gx, gw, gb


@normalize_fixed.joint_jvp("input", "weight", "bias")
def _fixed_norm_tangent(t: Any, input: Any, running_mean: Any, running_var: Any, weight: Any, eps: float) -> Any:
    x, (change, tw, tb) = channels(input), t
    inverse = _fit(1 / np.sqrt(running_var + eps), x)
    out: Any = 0.0
    if tw is not None:
        out = (x - _fit(running_mean, x)) * (inverse * _fit(tw, x))
    if change is not None:
        out = channels(change) * (inverse if weight is None else inverse * _fit(weight, x)) + out
    return _placed(out, tb, x, input.shape)


@normalize_fixed.vmap
def _batch_norm_eval_batch(
    input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, eps: float, batch: Batch
) -> Any:
    if batch.of == {"input"}:
        return unfolded(normalize_fixed(folded(input), running_mean, running_var, weight, bias, eps), batch.size)
    x = every(input, "input", batch).movedim(0, 1)
    joined = x.reshape(x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:])
    means = every(running_mean, "running_mean", batch).reshape(-1)
    variances = every(running_var, "running_var", batch).reshape(-1)
    out = normalize_fixed(joined, means, variances, None, None, eps).reshape(x.shape).movedim(1, 0)
    return scaled_channels(out, weight, bias, batch)


def _checked(input: Any, weight: Any, bias: Any, **others: Any) -> Any:
    """The input as `channels` gives it, if the shapes fit."""
    if input.ndim < 2:
        raise ValueError(f"batch_norm: expected an input of shape (N, C) or (N, C, ...), got {input.shape}")
    shape = (input.shape[1],)
    if (weight is not None and weight.shape != shape) or (bias is not None and bias.shape != shape) or others:
        for name, value in dict(weight=weight, bias=bias, **others).items():
            if value is not None and value.shape != shape:
                raise ValueError(
                    f"batch_norm: expected a {name} of shape {shape} for an input of shape {input.shape}, whose "
                    f"dimension 1 are the channels, got a {name} of shape {value.shape}"
                )
    return channels(input)


def move_running(old: np.ndarray, found: np.ndarray, momentum: float) -> None:
    """A running statistic's step towards what was found; an infinity stays one, which a difference of two would not.

    As in PyTorch, the log of in-place changes has no note of it: no graph that training makes holds these arrays.
    """
    np.add((1 - momentum) * old, momentum * found, out=old, casting="same_kind")


def move_inside(
    name: str, input: Tensor, mean: Tensor, var: Tensor, dims: tuple[int, ...], then: tuple[int, ...], momentum: Any
) -> None:
    """Moves running statistics inside of transforms towards those along `dims`, averaged along `then`."""
    x = input.detach()
    count = math.prod([input.shape[dim] for dim in dims])
    found = x.mean(dims), x.var(dims, correction=int(count > 1))
    for running, each in zip((mean, var), found, strict=True):
        if isinstance(each, Lifted) and is_known(running):
            raise RuntimeError(
                f"{name}: got an input inside of {each.level.name} and running statistics from outside, which would "
                "change with it, expected some for each example; pass stacked buffers to td.func.functional_call, or "
                "take a layer with track_running_stats=False, or GroupNorm"
            )
        with no_grad():
            new = (each.mean(then) if then else each).to(running.dtype)
            running.copy_(running + (new - running) * momentum)


@composition
def batch_norm(
    input: Array,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Array | None = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias for each channel (dimension 1).

    In training the mean and (biased) variance are the batch's, and the running ones, if given, move towards
    them in place: `running = (1 - momentum) * running + momentum * batch`, with the unbiased variance. In
    evaluation the running ones are used.

    Args:
        input: (N, C) or (N, C, ...).
        running_mean, running_var: (C,), changed in training; may be None then.
        weight, bias: (C,) or None.

    Raises:
        ValueError: the shapes do not fit, one value per channel in training, or no statistics in evaluation.

    >>> td.nn.functional.batch_norm(td.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]])
    """
    result: Tensor
    if input.shape == (0,):  # no channels
        result = input * 1
        return result
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: got training=False without running_mean and running_var, expected both")
        result = normalize_fixed(input, running_mean, running_var, weight, bias, eps)
        return result
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm: got one of running_mean and running_var, expected both or none")
    require_constants("batch_norm", running_mean=running_mean, running_var=running_var, momentum=momentum)
    observe: Observer | None = None
    if running_mean is None or running_var is None:
        pass
    elif not (is_known(input) and is_known(running_mean) and is_known(running_var)):
        dims = (0, *range(2, input.ndim))
        move_inside("batch_norm", input, running_mean, running_var, dims, (), momentum)
    else:
        old_mean, old_var = running_mean._data, running_var._data
        if old_mean.shape != (input.shape[1:2]) or old_var.shape != old_mean.shape:
            _checked(input._data, None, None, running_mean=old_mean, running_var=old_var)

        def observe(mean: Any, variance: Any, count: int) -> None:
            move_running(old_mean, mean, momentum)
            unbiased = variance * (count / (count - 1)) if count > 1 else variance
            move_running(old_var, unbiased, momentum)

    result = normalize_batch(input, weight, bias, eps, observe)
    return result
