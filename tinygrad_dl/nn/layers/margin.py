"""Margin losses as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.nn import functional
from tinygrad_dl.nn.layers.loss import Loss, WeightedLoss

__all__ = ["MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "TripletMarginWithDistanceLoss"]


class MultiMarginLoss(WeightedLoss):
    """sum(max(0, margin - input[target] + input[i])**p) / C: see `functional.multi_margin_loss`.

    >>> import tinygrad_dl as td
    >>> td.nn.MultiMarginLoss()(td.tensor([[0.5, 0.0, 1.0]]), td.tensor([2]))
    tensor(0.1667)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiMarginLoss.html
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"):
        super().__init__(weight, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: expected p = 1 or 2, got {p}")
        self.p, self.margin = p, margin

    def forward(self, input: Any, target: Any) -> Any:
        weight = self.weight
        return functional.multi_margin_loss(input, target, self.p, self.margin, weight, self.reduction)


class MultiLabelMarginLoss(Loss):
    """sum(max(0, 1 - input[j] + input[i])) / C, j of the example's classes: see `functional.multilabel_margin_loss`.

    >>> import tinygrad_dl as td
    >>> td.nn.MultiLabelMarginLoss()(td.tensor([[0.1, 0.2, 0.4, 0.8]]), td.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelMarginLoss.html
    """

    def __init__(self, reduction: str = "mean"):
        super().__init__(reduction)

    def forward(self, input: Any, target: Any) -> Any:
        return functional.multilabel_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross-entropy of each class, averaged: see `functional.multilabel_soft_margin_loss`.

    >>> import tinygrad_dl as td
    >>> td.nn.MultiLabelSoftMarginLoss()(td.zeros(1, 2), td.tensor([[1.0, 0.0]]))
    tensor(0.6931)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelSoftMarginLoss.html
    """

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(weight, reduction)

    def forward(self, input: Any, target: Any) -> Any:
        return functional.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` by any distance: see `functional.triplet_margin_with_distance_loss`.

    >>> import tinygrad_dl as td
    >>> a = td.tensor([[0.0]])
    >>> td.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))(a, a + 3, a + 1)
    tensor(3.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginWithDistanceLoss.html
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginWithDistanceLoss: expected margin > 0, got {margin}")
        self.distance_function, self.margin, self.swap = distance_function, margin, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return functional.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
