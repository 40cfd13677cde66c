"""A batch norm in evaluation mode, taken into the weights of the layer before it."""

from __future__ import annotations

import copy
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.parameter import Parameter

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]


@composition
def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what this one and the batch norm after it do, in evaluation mode.

    Args:
        conv: `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d`, or a transposed one.
        bn: the batch norm, with running statistics.
        transpose: whether the convolution is a transposed one.

    Raises:
        ValueError: one is in training mode, or the batch norm has no running statistics.

    >>> conv, bn = td.nn.Conv2d(3, 4, 3).eval(), td.nn.BatchNorm2d(4).eval()
    >>> x = td.randn(2, 3, 8, 8)
    >>> td.allclose(td.nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-5)
    True
    """
    fused = copied(conv, bn, "fuse_conv_bn_eval")
    statistics = (bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    fused.weight, fused.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics, transpose)
    return fused


def copied(layer: Any, bn: Any, what: str) -> Any:
    """A copy of the layer, if it can be fused with the batch norm."""
    if layer.training or bn.training:
        raise ValueError(f"{what}: got a module in training mode, expected both in evaluation mode; call .eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError(f"{what}: got a batch norm without running statistics, expected track_running_stats=True")
    return copy.deepcopy(layer)


@composition
def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and the bias of a convolution with the batch norm after it.

    Args:
        conv_w, conv_b: of the convolution, (out, in, ...), or (in, out, ...) with `transpose`, and (out,) or None.
        bn_rm, bn_rv: the running mean and variance of the batch norm, (out,).
        bn_eps: what it adds to the variance.
        bn_w, bn_b: its weight and bias, (out,) or None.

    >>> one = td.ones(1)
    >>> weight, bias = td.nn.utils.fuse_conv_bn_weights(td.ones(1, 1, 3), None, one, one * 4, 0.0, None, one)
    >>> weight.detach(), bias.detach()
    (tensor([[[0.5000, 0.5000, 0.5000]]]), tensor([0.5000]))
    """
    shape = [1] * conv_w.ndim
    shape[1 if transpose else 0] = -1
    return fused_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fused_weights(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    scale: Tensor | None,
    shift: Tensor | None,
    shape: list[int],
) -> tuple[Parameter, Parameter]:
    """The weight times the batch norm's factor, in this shape, and the bias that goes with it."""
    factor = (var + eps).rsqrt() if scale is None else scale * (var + eps).rsqrt()
    moved = (-mean if bias is None else bias - mean) * factor
    moved = moved if shift is None else moved + shift
    kind = weight.dtype if bias is None else bias.dtype
    return (
        Parameter((weight * factor.reshape(shape)).detach().to(weight.dtype), weight.requires_grad),
        Parameter(moved.detach().to(kind), bias is not None and bias.requires_grad),
    )


@composition
def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what this one and the batch norm after it do, in evaluation mode.

    Raises:
        ValueError: one is in training mode, the batch norm has no running statistics, or it is for another number of
            features.

    >>> linear, bn = td.nn.Linear(3, 4).eval(), td.nn.BatchNorm1d(4).eval()
    >>> x = td.randn(2, 3)
    >>> td.allclose(td.nn.utils.fuse_linear_bn_eval(linear, bn)(x), bn(linear(x)), atol=1e-5)
    True
    """
    if bn.num_features not in (linear.out_features, 1):
        raise ValueError(
            f"fuse_linear_bn_eval: got a batch norm of {bn.num_features} features, expected {linear.out_features}, as "
            "the linear layer has, or 1"
        )
    fused = copied(linear, bn, "fuse_linear_bn_eval")
    statistics = (bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)
    fused.weight, fused.bias = fuse_linear_bn_weights(linear.weight, linear.bias, *statistics)
    return fused


@composition
def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The weight and the bias of a linear layer with the batch norm after it: see `fuse_conv_bn_weights`.

    >>> one = td.ones(1)
    >>> weight, bias = td.nn.utils.fuse_linear_bn_weights(td.ones(1, 2), one * 3, one, one * 4, 0.0, one, None)
    >>> weight.detach(), bias.detach()
    (tensor([[0.5000, 0.5000]]), tensor([1.]))
    """
    return fused_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
