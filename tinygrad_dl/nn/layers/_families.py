"""Families of layers: those that differ in the number of dimensions alone, and those that keep and show options."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import DIMENSIONS
from tinygrad_dl.nn.module import Module


class OfDimensions(Module):
    """Base of such a family: the docstring of `class Pool2d(Pool, dims=2)` becomes `Pool.described`, in its words."""

    dims = 0
    described = ""

    def __init_subclass__(cls, dims: int = 0, **options: Any) -> None:
        super().__init_subclass__(**options)
        if dims:
            cls.dims, cls.__doc__ = dims, cls.described.format(**DIMENSIONS[dims])


class WithOptions(Module):
    """Base of layers that keep what their constructor is given, and show it: `super().__init__(alpha=alpha)`."""

    def __init__(self, **options: Any):
        super().__init__()
        self._options = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def extra_repr(self) -> str:
        shown = [(name, getattr(self, name)) for name in self._options]
        return ", ".join(f"{name}={value!r}" for name, value in shown if name != "inplace" or value)
