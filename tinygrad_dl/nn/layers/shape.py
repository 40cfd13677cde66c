"""Layers that reshape their input."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.nn.layers._families import WithOptions
from tinygrad_dl.nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(WithOptions):
    """Makes one dimension of those from `start_dim` to `end_dim`; by default of all but the first.

    >>> td.nn.Flatten()(td.ones(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__(start_dim=start_dim, end_dim=end_dim)

    def forward(self, input: Any) -> Any:
        """The input, flattened."""
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Module):
    """Makes several dimensions of one.

    >>> td.nn.Unflatten(1, (3, 4))(td.ones(2, 12)).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Any):
        super().__init__()
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(f"Unflatten: expected a tuple of sizes, got {type(unflattened_size).__name__}")
        for each in unflattened_size:
            if isinstance(each, bool) or not hasattr(each, "__index__"):
                raise TypeError(f"Unflatten: expected sizes that are integers, got {each!r} among {unflattened_size}")
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        """The input, unflattened."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
