"""Normalisation within each element of a batch: over groups of channels, and over each channel."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core import dtypes
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers.normalization import Affine, BatchNorm
from tinygrad_dl.nn.module import member
from tinygrad_dl.ops.normalization.group_norm import group_norm, instance_norm

__all__ = ["GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class GroupNorm(Affine):
    """Normalises over groups of channels of each element, (N, C, ...), then multiplies by `weight` and adds `bias`.

    Args:
        num_groups: how many groups the channels make; 1 for all channels in one.
        num_channels: C.
        affine: whether there are weight and bias, (C,) each.

    Raises:
        ValueError: the groups do not divide the channels.

    >>> import tinygrad_dl as td
    >>> td.nn.GroupNorm(2, 4)(td.tensor([[1.0, 3.0, 5.0, 5.0]]))
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]], grad_fn=<GroupNorm>)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        dtypes.check_device(device)
        self.num_groups = whole(self, "num_groups", num_groups, 1)
        self.num_channels = whole(self, "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"GroupNorm: expected num_channels that num_groups={num_groups} divides, got {num_channels}"
            )
        self.eps, self.affine = eps, affine
        self._add_affine((self.num_channels,), affine, bias, dtype)
        self.reset_parameters()

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return group_norm(input, self.num_groups, member(self, "weight"), member(self, "bias"), self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
            f", bias={self.bias is not None}"
        )


class InstanceNorm(BatchNorm):
    """What the instance norms share: they differ in the number of dimensions that they take."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Any) -> Any:
        """The normalised input; in training the running statistics, if any, move."""
        batch = input.ndim == self.dims[-1]
        if input.ndim not in self.dims or input.shape[int(batch)] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected an input of shape {self.shapes} with C={self.num_features} channels, "
                f"got {input.shape}"
            )
        # Statistics of the batch unless it evaluates with those that it tracks; they move in training alone.
        own = self.training or not self.track_running_stats
        out = instance_norm(
            input if batch else input.unsqueeze(0),
            member(self, "running_mean"),
            member(self, "running_var"),
            member(self, "weight"),
            member(self, "bias"),
            own or member(self, "running_mean") is None,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return out if batch else out.squeeze(0)


class InstanceNorm1d(InstanceNorm):
    """Normalises each channel of each element by its own mean and variance: (N, C, L) or (C, L).

    Args:
        num_features: C.
        affine: whether there are `weight` and `bias`, (C,) each.
        track_running_stats: whether running statistics are kept, and used in evaluation.

    Raises:
        ValueError: the input has other dimensions, or one value per channel.

    >>> import tinygrad_dl as td
    >>> td.nn.InstanceNorm1d(1, eps=0.0)(td.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm1d.html
    """

    dims, shapes = (2, 3), "(N, C, L) or (C, L)"


class InstanceNorm2d(InstanceNorm):
    """`InstanceNorm1d` for (N, C, H, W) or (C, H, W).

    >>> import tinygrad_dl as td
    >>> td.nn.InstanceNorm2d(3)(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
    """

    dims, shapes = (3, 4), "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(InstanceNorm):
    """`InstanceNorm1d` for (N, C, D, H, W) or (C, D, H, W).

    >>> import tinygrad_dl as td
    >>> td.nn.InstanceNorm3d(3)(td.ones(2, 3, 1, 2, 2)).shape
    (2, 3, 1, 2, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm3d.html
    """

    dims, shapes = (4, 5), "(N, C, D, H, W) or (C, D, H, W)"
