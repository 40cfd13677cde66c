"""Layers that differ in the number of dimensions alone."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import DIMENSIONS
from tinygrad_dl.nn.module import Module


class OfDimensions(Module):
    """Base of such a family: `class Pool2d(Pool, dims=2)` has the docstring that `Pool.described` is, in its words."""

    dims = 0
    described = ""

    def __init_subclass__(cls, dims: int = 0, **options: Any) -> None:
        super().__init_subclass__(**options)
        if dims:
            cls.dims, cls.__doc__ = dims, cls.described.format(**DIMENSIONS[dims])
