"""Losses as modules. `reduction` is "mean", "sum" or "none" (no reduction)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn import functional
from tinygrad_dl.nn.checks import probability, reduction_name
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.loss._reduction import former_reduction

# fmt: off
__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss",
    "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss",
    "SoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
]
# fmt: on


class Loss(Module):
    """What the losses share: a reduction, and perhaps a weight, which is a buffer."""

    more_reductions: tuple[str, ...] = ()
    weight: Tensor | None

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"):
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = former_reduction(type(self).__name__, size_average, reduce)
        self.reduction = reduction_name(self, reduction, *self.more_reductions)


class WeightedLoss(Loss):
    """A loss with a weight."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class MSELoss(Loss):
    """(input - target) ** 2: see `functional.mse_loss`.

    >>> td.nn.MSELoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """|input - target|: see `functional.l1_loss`.

    >>> td.nn.L1Loss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Half the square of the difference over beta up to beta, then linear: see `functional.smooth_l1_loss`.

    >>> td.nn.SmoothL1Loss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(0.7500)
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        return functional.smooth_l1_loss(input, target, beta=self.beta, reduction=self.reduction)


class HuberLoss(Loss):
    """Half the square of the difference up to delta, then linear: see `functional.huber_loss`.

    >>> td.nn.HuberLoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(0.7500)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        return functional.huber_loss(input, target, delta=self.delta, reduction=self.reduction)


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence of log-probabilities from probabilities: see `functional.kl_div`.

    >>> td.nn.KLDivLoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(-1.7274)
    """

    more_reductions = ("batchmean",)

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        return functional.kl_div(input, target, log_target=self.log_target, reduction=self.reduction)


class PoissonNLLLoss(Loss):
    """exp(input) - target * input: see `functional.poisson_nll_loss`.

    >>> td.nn.PoissonNLLLoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(0.5537)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, input: Any, target: Any) -> Any:
        return functional.poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class SoftMarginLoss(Loss):
    """log(1 + exp(-target * input)): see `functional.soft_margin_loss`.

    >>> td.nn.SoftMarginLoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, 4.0]))
    tensor(0.1568)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.soft_margin_loss(input, target, reduction=self.reduction)


class HingeEmbeddingLoss(Loss):
    """input where the target is 1, max(0, margin - input) where it is -1: see `functional.hinge_embedding_loss`.

    >>> td.nn.HingeEmbeddingLoss()(td.tensor([1.0, 2.0]), td.tensor([1.0, -1.0]))
    tensor(0.5000)
    """

    def __init__(
        self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        return functional.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class CrossEntropyLoss(WeightedLoss):
    """-log(softmax(input)) at the target class: see `functional.cross_entropy`.

    Args:
        weight: a factor for each class.
        ignore_index: a class index whose examples do not count.
        label_smoothing: the share of each target that is spread over all classes.

    >>> td.nn.CrossEntropyLoss()(td.zeros(3, 2), td.tensor([0, 1, 1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, probability(self, "label_smoothing", label_smoothing)

    def forward(self, input: Any, target: Any) -> Any:
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(WeightedLoss):
    """-input at the target class, input being log-probabilities: see `functional.nll_loss`.

    >>> td.nn.NLLLoss()(td.tensor([[-0.5, -1.0]]), td.tensor([1]))
    tensor(1.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """`NLLLoss`, which new programs call; warns of that.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     td.nn.NLLLoss2d()(td.tensor([[[[-0.5]], [[-1.0]]]]), td.tensor([[[1]]]))
    tensor(1.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        warn("nn.NLLLoss2d is deprecated: make an nn.NLLLoss instead", FutureWarning)
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class BCELoss(WeightedLoss):
    """The cross-entropy of two classes from probabilities: see `functional.binary_cross_entropy`.

    >>> td.nn.BCELoss()(td.tensor([0.5]), td.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """The cross-entropy of two classes from logits: see `functional.binary_cross_entropy_with_logits`.

    >>> td.nn.BCEWithLogitsLoss()(td.tensor([0.0]), td.tensor([1.0]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class GaussianNLLLoss(Loss):
    """0.5 * (log(var) + (input - target)**2 / var): see `functional.gaussian_nll_loss`.

    >>> td.nn.GaussianNLLLoss()(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        return functional.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """max(0, -target * (input1 - input2) + margin): see `functional.margin_ranking_loss`.

    >>> td.nn.MarginRankingLoss()(td.tensor([1.0]), td.tensor([3.0]), td.tensor([1.0]))
    tensor(2.)
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return functional.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    >>> td.nn.CosineEmbeddingLoss()(td.tensor([[1.0, 0.0]]), td.tensor([[1.0, 0.0]]), td.tensor([1]))
    tensor(0.)
    """

    def __init__(
        self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return functional.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin).

    >>> a = td.tensor([[0.0]])
    >>> td.nn.TripletMarginLoss(margin=4.0)(a, a + 1, a + 3)
    tensor(2.)
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(f"TripletMarginLoss: expected margin > 0, got {margin}")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return functional.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class MultiMarginLoss(WeightedLoss):
    """sum(max(0, margin - input[target] + input[i])**p) / C: see `functional.multi_margin_loss`.

    >>> td.nn.MultiMarginLoss()(td.tensor([[0.5, 0.0, 1.0]]), td.tensor([2]))
    tensor(0.1667)
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: expected p = 1 or 2, got {p}")
        self.p, self.margin = p, margin

    def forward(self, input: Any, target: Any) -> Any:
        weight = self.weight
        return functional.multi_margin_loss(input, target, self.p, self.margin, weight, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """sum(max(0, 1 - input[j] + input[i])) / C, j of the example's classes: see `functional.multilabel_margin_loss`.

    >>> td.nn.MultiLabelMarginLoss()(td.tensor([[0.1, 0.2, 0.4, 0.8]]), td.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross-entropy of each class, averaged: see `functional.multilabel_soft_margin_loss`.

    >>> td.nn.MultiLabelSoftMarginLoss()(td.zeros(1, 2), td.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def forward(self, input: Any, target: Any) -> Any:
        return functional.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """`TripletMarginLoss` by any distance: see `functional.triplet_margin_with_distance_loss`.

    >>> a = td.tensor([[0.0]])
    >>> td.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))(a, a + 3, a + 1)
    tensor(3.)
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        super().__init__(reduction=reduction)
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


class CTCLoss(Loss):
    """-log of the probability of a sequence of labels, however they stand in time: see `functional.ctc_loss`.

    >>> log_probs = td.zeros(5, 2, 3).log_softmax(-1)
    >>> td.nn.CTCLoss()(log_probs, td.tensor([[1, 2], [2, 2]]), [5, 5], [2, 2]).shape
    ()
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        lengths = (input_lengths, target_lengths)
        return functional.ctc_loss(log_probs, targets, *lengths, self.blank, self.reduction, self.zero_infinity)
