"""Softmax over very many classes, of which most are rare."""

import itertools
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.nn import functional
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.containers import ModuleList, Sequential
from tinygrad_dl.nn.layers.linear import Linear
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.shape.joining import cat

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class ASMoutput(NamedTuple):
    """The logarithm of the target's probability for each example, and minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """The logarithm of the softmax of a linear layer whose classes come sorted, the frequent ones first.

    The `head` knows the first classes, and a class for each cluster of the others; the `tail` has two linear layers for
    each cluster, which are computed for the examples that need them alone.

    Args:
        in_features: the width of the input.
        n_classes: the number of classes.
        cutoffs: the first class of each cluster, ascending.
        div_value: the layers of cluster i pass through in_features / div_value ** (i + 1) features.
        head_bias: whether the head has a bias.

    Raises:
        ValueError: cutoffs that are not ascending from 1 to n_classes - 1; a target that is no class.

    >>> layer = td.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10])
    >>> output, loss = layer(td.ones(3, 8), td.tensor([0, 7, 19]))
    >>> output.shape, layer.log_prob(td.ones(3, 8)).shape
    ((3,), (3, 20))

    Source: https://arxiv.org/abs/1609.04309
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Any,
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in_features = whole(self, "in_features", in_features)
        self.n_classes = whole(self, "n_classes", n_classes)
        edges = [0, *(whole(self, "cutoffs", n) for n in cutoffs), self.n_classes]
        if len(edges) == 2 or any(a >= b for a, b in itertools.pairwise(edges)):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: expected cutoffs that ascend from 1 to n_classes - 1 = {n_classes - 1}, "
                f"got {list(cutoffs)}"
            )
        self.cutoffs, self.div_value, self.head_bias = edges[1:], div_value, head_bias
        self.shortlist_size, self.n_clusters = edges[1], len(edges) - 2
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(self.in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i, size in enumerate(np.diff(self.cutoffs).tolist()):
            width = int(self.in_features // div_value ** (i + 1))
            self.tail.append(
                Sequential(
                    Linear(self.in_features, width, False, device, dtype), Linear(width, size, False, device, dtype)
                )
            )

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> ASMoutput:
        """The logarithms of the targets' probabilities, (N,), and the loss: of (N, in_features) and (N,), or of one."""
        if input_.ndim == 1 and target_.ndim == 0:
            batch = self(input_.unsqueeze(0), target_.unsqueeze(0))
            return ASMoutput(batch.output.squeeze(0), batch.loss)
        if target_.ndim != 1 or input_.ndim != 2 or len(target_) != len(input_):
            raise ValueError(
                "AdaptiveLogSoftmaxWithLoss: expected an input of shape (N, in_features) and a target of shape (N,), "
                f"got {input_.shape} and {target_.shape}"
            )
        target = as_array(target_)
        if target.dtype.kind not in "iu" or ((target < 0) | (target >= self.n_classes)).any():
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: expected integers from 0 to {self.n_classes - 1} as targets, got "
                f"{target.tolist()}"
            )
        cluster = np.searchsorted(self.cutoffs, target, "right")  # 0 for those that the head knows
        place = np.where(cluster > 0, self.shortlist_size + cluster - 1, target)
        head: Any = functional.log_softmax(self.head(input_), 1)
        output: Any = head.gather(1, wrap(place[:, None])).squeeze(1)
        for i, layers in enumerate(self.tail):
            rows = np.flatnonzero(cluster == i + 1)
            if len(rows):
                inside: Any = functional.log_softmax(layers(input_[wrap(rows)]), 1)
                own = inside.gather(1, wrap(target[rows][:, None] - self.cutoffs[i])).squeeze(1)
                output = output.index_add(0, wrap(rows), own)
        return ASMoutput(output, -output.mean())

    def log_prob(self, input: Any) -> Tensor:
        """The logarithms of the probabilities of all classes, (N, n_classes), for (N, in_features)."""
        head: Any = functional.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, layers in enumerate(self.tail):
            place = self.shortlist_size + i
            parts.append(functional.log_softmax(layers(input), 1) + head[:, place : place + 1])
        return cat(parts, 1)

    def predict(self, input: Any) -> Tensor:
        """The most probable class for each row, (N,)."""
        best: Tensor = self.log_prob(input).argmax(1)
        return best
