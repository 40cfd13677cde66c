"""Tables of vectors."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.embedding.embedding import embedding, row_of
from tinygrad_dl.ops.embedding.embedding_bag import MODES, embedding_bag

__all__ = ["Embedding", "EmbeddingBag"]


# What is left out of what a layer prints as.
USUAL = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}


class Table(Module):
    """What the layers share that look up rows of a table."""

    shown: tuple[str, ...] = tuple(USUAL)  # the options that a layer prints

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Tensor | None,
        freeze: bool,
        dtype: Any,
        device: Any,
    ):
        super().__init__()
        self.num_embeddings = whole(self, "num_embeddings", num_embeddings)
        self.embedding_dim = whole(self, "embedding_dim", embedding_dim)
        shape = (self.num_embeddings, self.embedding_dim)
        self.padding_idx = row_of(padding_idx, shape, type(self).__name__)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if weight is None:
            self.weight = empty_parameter(shape, dtype, device).requires_grad_(not freeze)
            self.reset_parameters()
        elif weight.shape == shape:
            self.weight = Parameter(weight, requires_grad=not freeze)
        else:
            raise ValueError(f"{type(self).__name__}: expected a _weight of shape {shape}, got {weight.shape}")

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight._data[self.padding_idx] = 0

    def extra_repr(self) -> str:
        told = [name for name in self.shown if name not in USUAL or getattr(self, name) != USUAL[name]]
        options = [f"{name}={getattr(self, name)!r}" for name in told]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *options])


def table(embeddings: Tensor, name: str) -> tuple[int, int]:
    """The sizes of a table that a layer is made around."""
    if not isinstance(embeddings, Tensor):
        raise TypeError(
            f"{name}.from_pretrained: got {summary(embeddings)}, expected a tensor; make one with td.tensor"
        )
    if embeddings.ndim != 2:
        raise ValueError(f"{name}.from_pretrained: expected a table of 2 dimensions, got {embeddings.shape}")
    rows, dim = embeddings.shape
    return rows, dim


class Embedding(Table):
    """A table of `num_embeddings` vectors; integers of any shape give (*shape, embedding_dim).

    The weight starts standard normal, the row `padding_idx` zero; that row gets no gradient.

    Args:
        max_norm: rows that are used are first scaled down, in place, to at most this norm.
        norm_type: the p of that norm.
        scale_grad_by_freq: whether the gradient of a row is divided by the number of times that a call names it.
        sparse: accepted; the gradient is dense, with the same values.

    Raises:
        IndexError: an index out of range. TypeError: no integers.

    >>> td.nn.Embedding(10, 4)(td.tensor([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        check_device(device)
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, _freeze, dtype, device)
        super().__init__(num_embeddings, embedding_dim, *options)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer around a given table, which requires no gradient if `freeze`."""
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        rows, dim = table(embeddings, "Embedding")
        return cls(rows, dim, *options, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Any) -> Any:
        """The rows that the integers name."""
        options = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return embedding(input, member(self, "weight"), *options)


class EmbeddingBag(Table):
    """The sum, the mean or the maximum of the rows of a table that each bag of integers names; see `embedding_bag`.

    The weight starts standard normal, the row `padding_idx` zero.

    Args:
        max_norm, norm_type: as for `Embedding`.
        mode: "sum", "mean" or "max".
        include_last_offset: whether the last offset is the end of the last bag, and begins none.
        padding_idx: a row that no bag takes in.
        scale_grad_by_freq, sparse: as for `Embedding`, but not in mode "max".

    Raises:
        ValueError: the mode or padding_idx. IndexError: an index out of range. TypeError: no integers.

    >>> layer = td.nn.EmbeddingBag(10, 4)
    >>> layer(td.tensor([[1, 2, 3], [4, 5, 6]])).shape
    (2, 4)
    >>> layer(td.tensor([1, 2, 3, 4]), td.tensor([0, 1, 1])).shape
    (3, 4)
    """

    shown = ("max_norm", "norm_type", "scale_grad_by_freq", "mode", "padding_idx")

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ):
        check_device(device)
        if mode not in MODES:
            raise ValueError(f"EmbeddingBag: expected a mode among {MODES}, got {mode!r}")
        options = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, False, dtype, device)
        super().__init__(num_embeddings, embedding_dim, *options)
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer around a given table, which requires no gradient if `freeze`."""
        options = (max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
        rows, dim = table(embeddings, "EmbeddingBag")
        layer = cls(rows, dim, *options)
        layer.weight.requires_grad_(not freeze)
        return layer

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """What becomes of each bag."""
        return embedding_bag(
            input,
            member(self, "weight"),
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
