"""A linear layer and the cross-entropy of its logits as one loss."""

import math
from typing import Any, NamedTuple

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import functional
from tinygrad_dl.nn.checks import probability
from tinygrad_dl.nn.layers.linear import Linear
from tinygrad_dl.nn.layers.loss import WeightedLoss

__all__ = ["LinearCrossEntropyLoss", "LinearCrossEntropyOptions"]


class LinearCrossEntropyOptions(NamedTuple):
    """How PyTorch cuts the batch of a `LinearCrossEntropyLoss` into parts; known here, and changes nothing.

    >>> td.nn.LinearCrossEntropyOptions(batch_chunk_size=8, chunking_method=None).batch_chunk_size
    8
    """

    allow_retain_graph: bool = False
    """Whether a second backward pass is allowed; here it always is."""
    batch_chunk_size: int | None = None
    """The rows of a part."""
    chunking_method: str | None = "auto"
    """How that number is chosen."""
    acc_policy: str = "auto"
    """What is kept in `acc_dtype`."""
    acc_dtype: Any = None
    """The dtype of sums."""


class LinearCrossEntropyLoss(WeightedLoss):
    """The cross-entropy of logits that a linear layer of its own makes: see `functional.linear_cross_entropy`.

    Args:
        in_features: the size of each input.
        num_classes: C.
        out_features: d1, ..., for a loss at each of d1 x ... places.
        bias: whether the linear layer has one.
        reduction, weight, label_smoothing: as those of `CrossEntropyLoss`.
        ignore_index: a class whose examples do not count; by default -100. None of probabilities.
        options: accepted, and changes nothing.

    Raises:
        ValueError: a weight that is not (C,), a label_smoothing that is not between 0 and 1.

    >>> td.nn.LinearCrossEntropyLoss(5, 10, out_features=(4, 3))(td.ones(2, 5), td.zeros(2, 4, 3).long()).shape
    ()
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ):
        if weight is not None and weight.shape != (num_classes,):
            raise ValueError(f"LinearCrossEntropyLoss: expected a weight of shape ({num_classes},), got {weight.shape}")
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features, self.options = num_classes, tuple(out_features), options
        self.ignore_index, self.label_smoothing = ignore_index, probability(self, "label_smoothing", label_smoothing)
        self.linear = Linear(in_features, num_classes * math.prod(self.out_features), bias, device, dtype)

    def forward(self, input: Any, target: Any) -> Any:
        shape, linear = (self.num_classes, *self.out_features), self.linear
        return functional.linear_cross_entropy(
            input,
            linear.weight.reshape(*shape, linear.in_features),
            target,
            linear_bias=None if linear.bias is None else linear.bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
