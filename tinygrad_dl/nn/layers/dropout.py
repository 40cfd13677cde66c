"""Dropout."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.checks import probability
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.dropout.alpha_dropout import alpha_dropout, feature_alpha_dropout
from tinygrad_dl.ops.dropout.dropout import dropout, dropout1d, dropout2d, dropout3d

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class Dropping(Module):
    """What all of them share: their options."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p, self.inplace = probability(self, "p", p), inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(Dropping):
    """In training, zeroes each element with probability `p` and scales the others by 1 / (1 - p).

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> td.nn.Dropout(0.5).eval()(td.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Any) -> Any:
        """The input, with elements dropped in training."""
        return dropout(input, self.p, self.training, self.inplace)


class Dropout1d(Dropping):
    """In training, zeroes each whole channel of (N, C, L) or (C, L) with probability `p`, and scales the others.

    >>> td.nn.Dropout1d(0.5).eval()(td.ones(1, 2, 2)).shape
    (1, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """The input, with channels dropped in training."""
        return dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Dropping):
    """In training, zeroes each whole channel of (N, C, H, W) with probability `p`, and scales the others.

    With a warning it takes (N, C, ...) of any number of dimensions; three are (N, C, L), not (C, H, W).

    >>> td.nn.Dropout2d(0.5).eval()(td.ones(1, 2, 2, 2)).shape
    (1, 2, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """The input, with channels dropped in training."""
        return dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(Dropping):
    """In training, zeroes whole channels of (N, C, D, H, W) or (C, D, H, W) with probability `p`; scales the others.

    >>> td.nn.Dropout3d(0.5).eval()(td.ones(1, 2, 2, 2, 2)).shape
    (1, 2, 2, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """The input, with channels dropped in training."""
        return dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(Dropping):
    """In training, sets elements to the lowest value of `SELU` with probability `p`, and keeps mean and variance.

    >>> td.nn.AlphaDropout(0.5).eval()(td.ones(2))
    tensor([1., 1.])
    """

    def forward(self, input: Any) -> Any:
        """The input, with elements set to the lowest value in training."""
        return alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(Dropping):
    """`AlphaDropout` of whole channels, of (N, C, ...).

    >>> td.nn.FeatureAlphaDropout(0.5).eval()(td.ones(1, 2, 2)).shape
    (1, 2, 2)
    """

    def forward(self, input: Any) -> Any:
        """The input, with channels set to the lowest value in training."""
        return feature_alpha_dropout(input, self.p, self.training, self.inplace)
