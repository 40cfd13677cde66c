"""`interpolate` by the names that it had before."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.ops.vision.interpolate import interpolate


@composition
def upsample(
    input: Array, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """`interpolate`, which new programs call; warns of that.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     td.nn.functional.upsample(td.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    """
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composition
def upsample_nearest(input: Array, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` in mode "nearest"; warns that new programs call that.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     td.nn.functional.upsample_nearest(td.tensor([[[1.0, 3.0]]]), size=3)
    tensor([[[1., 1., 3.]]])
    """
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


@composition
def upsample_bilinear(input: Array, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` in mode "bilinear" with aligned corners; warns that new programs call that.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     td.nn.functional.upsample_bilinear(td.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)


def _deprecated(name: str) -> None:
    warn(f"nn.functional.{name} is deprecated: call nn.functional.interpolate instead")
