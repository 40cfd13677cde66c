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

__all__ = ["Embedding"]


class Embedding(Module):
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

    weight: Parameter

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
        if padding_idx is not None:
            if not -self.num_embeddings <= padding_idx < self.num_embeddings:
                raise ValueError(
                    f"Embedding: expected padding_idx between {-self.num_embeddings} and {self.num_embeddings - 1}, "
                    f"got {padding_idx}"
                )
            padding_idx %= self.num_embeddings
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.weight = empty_parameter((self.num_embeddings, self.embedding_dim), dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight._data[self.padding_idx] = 0

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
