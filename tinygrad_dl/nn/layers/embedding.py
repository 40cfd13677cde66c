"""Tables of vectors."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.embedding.embedding import embedding
from tinygrad_dl.ops.embedding.embedding_bag import MODES, embedding_bag

__all__ = ["Embedding", "EmbeddingBag"]


class Table(Module):
    """What the layers share that look up rows of a table."""

    num_embeddings: int
    padding_idx: int | None
    weight: Parameter

    def _row(self, padding_idx: int | None) -> int | None:
        """The row of the padding, counted from the first."""
        count = self.num_embeddings
        if padding_idx is not None and not -count <= padding_idx < count:
            raise ValueError(
                f"{type(self).__name__}: expected padding_idx between {-count} and {count - 1}, got {padding_idx}"
            )
        return None if padding_idx is None else padding_idx % count

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight._data[self.padding_idx] = 0


class Embedding(Table):
    """A table of `num_embeddings` vectors; integers of any shape give (*shape, embedding_dim).

    The weight starts standard normal, the row `padding_idx` zero; that row gets no gradient.

    Args:
        max_norm: rows that are used are first scaled down, in place, to at most this norm.
        norm_type: the p of that norm.

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
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.num_embeddings = whole(self, "num_embeddings", num_embeddings)
        self.embedding_dim = whole(self, "embedding_dim", embedding_dim)
        padding_idx = self._row(padding_idx)
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.weight = empty_parameter((self.num_embeddings, self.embedding_dim), dtype)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
    ) -> Embedding:
        """A layer around a given table, which requires no gradient if `freeze`."""
        if embeddings.ndim != 2:
            raise ValueError(f"Embedding.from_pretrained: expected a table of 2 dimensions, got {embeddings.shape}")
        rows, dim = embeddings.shape
        layer = cls(rows, dim, padding_idx, max_norm, norm_type)
        layer.weight = Parameter(embeddings, requires_grad=not freeze)
        return layer

    def forward(self, input: Any) -> Any:
        """The rows that the integers name."""
        return embedding(input, member(self, "weight"), self.padding_idx, self.max_norm, self.norm_type)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        text += "" if self.max_norm is None else f", max_norm={self.max_norm}"
        return text + ("" if self.norm_type == 2 else f", norm_type={self.norm_type}")


class EmbeddingBag(Table):
    """The sum, the mean or the maximum of the rows of a table that each bag of integers names; see `embedding_bag`.

    The weight starts standard normal, the row `padding_idx` zero.

    Args:
        max_norm, norm_type: as for `Embedding`.
        mode: "sum", "mean" or "max".
        include_last_offset: whether the last offset is the end of the last bag, and begins none.
        padding_idx: a row that no bag takes in.
        scale_grad_by_freq, sparse: not supported.

    Raises:
        ValueError: the mode or padding_idx. IndexError: an index out of range. TypeError: no integers.

    >>> layer = td.nn.EmbeddingBag(10, 4)
    >>> layer(td.tensor([[1, 2, 3], [4, 5, 6]])).shape
    (2, 4)
    >>> layer(td.tensor([1, 2, 3, 4]), td.tensor([0, 1, 1])).shape
    (3, 4)
    """

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
        super().__init__()
        check_device(device)
        if mode not in MODES:
            raise ValueError(f"EmbeddingBag: expected a mode among {MODES}, got {mode!r}")
        if scale_grad_by_freq or sparse:
            raise NotImplementedError("EmbeddingBag: got scale_grad_by_freq or sparse, expected neither")
        self.num_embeddings = whole(self, "num_embeddings", num_embeddings)
        self.embedding_dim = whole(self, "embedding_dim", embedding_dim)
        self.padding_idx, self.max_norm, self.norm_type = self._row(padding_idx), max_norm, norm_type
        self.mode, self.include_last_offset = mode, include_last_offset
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        shape = (self.num_embeddings, self.embedding_dim)
        if _weight is None:
            self.weight = empty_parameter(shape, dtype)
            self.reset_parameters()
        elif _weight.shape == shape:
            self.weight = Parameter(_weight)
        else:
            raise ValueError(f"EmbeddingBag: expected a _weight of shape {shape}, got {_weight.shape}")

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
        if embeddings.ndim != 2:
            raise ValueError(f"EmbeddingBag.from_pretrained: expected a table of 2 dimensions, got {embeddings.shape}")
        rows, dim = embeddings.shape
        options = (max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset, padding_idx)
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
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        text += "" if self.max_norm is None else f", max_norm={self.max_norm}"
        text += "" if self.norm_type == 2 else f", norm_type={self.norm_type}"
        text += f", mode={self.mode!r}"
        return text + ("" if self.padding_idx is None else f", padding_idx={self.padding_idx}")
