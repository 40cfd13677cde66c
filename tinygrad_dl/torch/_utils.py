"""What other libraries call of PyTorch's helpers."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_dl import cat
from tinygrad_dl.core.tensor import Tensor


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """The elements of all tensors, one after the other."""
    return cat([each.reshape(-1) for each in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of the elements in the shapes of these tensors, one after the other."""
    parts = flat.split([each.numel() for each in tensors])
    return tuple([part.view(each.shape) for part, each in zip(parts, tensors, strict=True)])
