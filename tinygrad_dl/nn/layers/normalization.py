"""Normalisation layers: over batches, layers, groups and single channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.device import check_device
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.core.warning import warn
from tinygrad_dl.creation import ones, zeros
from tinygrad_dl.nn import functional, init
from tinygrad_dl.nn.checks import whole
from tinygrad_dl.nn.layers.linear import empty_parameter
from tinygrad_dl.nn.module import Module, member
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.ops.normalization.batch_norm import batch_norm
from tinygrad_dl.ops.normalization.group_norm import group_norm, instance_norm
from tinygrad_dl.ops.normalization.layer_norm import normalize_rows

# fmt: off
__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "CrossMapLRN2d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d",
    "InstanceNorm3d", "LayerNorm", "LocalResponseNorm", "RMSNorm",
]
# fmt: on


class Affine(Module):
    """What all norms share: a weight that the normalised input is multiplied by, and a bias that is added."""

    weight: Parameter | None
    bias: Parameter | None

    def _add_affine(self, shape: tuple[int, ...], affine: bool, bias: bool, dtype: Any, device: Any) -> None:
        self.register_parameter("weight", empty_parameter(shape, dtype, device) if affine else None)
        self.register_parameter("bias", empty_parameter(shape, dtype, device) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class RunningNorm(Affine):
    """What batch norms and instance norms share: their options, and statistics that run from batch to batch."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _version = 2  # the first one did not save num_batches_tracked
    dims: tuple[int, ...] = ()
    shapes = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        check_device(device)
        self.num_features = whole(self, "num_features", num_features)
        if not eps >= 0:
            raise ValueError(f"{type(self).__name__}: expected eps >= 0, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"{type(self).__name__}: expected momentum between 0 and 1 or None, got {momentum}")
        self.eps, self.momentum, self.affine = eps, momentum, affine
        self.track_running_stats = track_running_stats
        shape = (self.num_features,)
        self._add_affine(shape, affine, bias, dtype, device)
        found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
        for name, make in (("running_mean", zeros), ("running_var", ones)):
            self.register_buffer(name, make(shape, dtype=found, device=device) if track_running_stats else None)
        count = zeros((), dtype=np.int64, device=device) if track_running_stats else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forgets the running mean and variance."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean._data[...] = 0
            self.running_var._data[...] = 1
        if self.num_batches_tracked is not None:
            self.num_batches_tracked._data[...] = 0

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and the running statistics forgotten."""
        self.reset_running_stats()
        super().reset_parameters()

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *more: Any
    ) -> None:
        if local_metadata.get("version", 1) < 2 and self.track_running_stats and self.num_batches_tracked is not None:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *more)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(RunningNorm):
    """What the batch norms share: they differ in the number of dimensions that they take."""

    compute: Any = staticmethod(batch_norm)

    def forward(self, input: Any) -> Any:
        """The normalised input; in training the running statistics move."""
        if input.ndim not in self.dims or input.shape[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected an input of shape {self.shapes} with C={self.num_features} channels "
                f"in dimension 1, got {input.shape}"
            )
        mean, var, momentum = member(self, "running_mean"), member(self, "running_var"), self.momentum
        training = self.training or (mean is None and var is None)
        if self.training and self.track_running_stats:
            tracked = member(self, "num_batches_tracked")
            if tracked is not None:
                if is_known(tracked):
                    tracked._data += 1
                else:
                    tracked.add_(1)
                if momentum is None:  # the plain average of all batches so far
                    momentum = 1.0 / tracked.item() if is_known(tracked) else 1.0 / tracked
        elif self.training:  # switched off later: there are statistics, which stay
            mean = var = None
        return self.compute(
            input,
            mean,
            var,
            member(self, "weight"),
            member(self, "bias"),
            training,
            0.0 if momentum is None else momentum,
            self.eps,
        )


class BatchNorm1d(BatchNorm):
    """Normalises each channel over the batch: (N, C) or (N, C, L).

    In training with the batch's mean and variance, which also move the running ones; in evaluation with
    the running ones. Then multiplies by `weight` and adds `bias`, (C,) each, if `affine`.

    Args:
        num_features: C.
        momentum: the weight of each batch in the running statistics; None for the average of all batches.
        affine, bias: whether there are a weight and a bias.
        track_running_stats: if False there are none, and evaluation uses the batch's too.

    Raises:
        ValueError: the input has other dimensions, or one value per channel in training.

    >>> layer = td.nn.BatchNorm1d(2)
    >>> layer(td.tensor([[1.0, 0.0], [3.0, 4.0]]))
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]], grad_fn=<BatchNormBackward0>)
    >>> layer.running_mean
    tensor([0.2000, 0.2000])
    """

    dims, shapes = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for (N, C, H, W).

    >>> td.nn.BatchNorm2d(3)(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    dims, shapes = (4,), "(N, C, H, W)"


class BatchNorm3d(BatchNorm):
    """`BatchNorm1d` for (N, C, D, H, W).

    >>> td.nn.BatchNorm3d(3)(td.ones(2, 3, 1, 2, 2)).shape
    (2, 3, 1, 2, 2)
    """

    dims, shapes = (5,), "(N, C, D, H, W)"


class LayerNorm(Affine):
    """Normalises over the last dimensions, then multiplies by `weight` and adds `bias` of their shape.

    Args:
        normalized_shape: the sizes of the dimensions to normalise over; an int for the last alone.
        elementwise_affine: whether there are weight and bias.

    >>> td.nn.LayerNorm(2)(td.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]], grad_fn=<LayerNormBackward0>)
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.normalized_shape = sizes_of(self, normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._add_affine(self.normalized_shape, elementwise_affine, bias, dtype, device)
        self.reset_parameters()

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return normalize_rows(input, self.normalized_shape, member(self, "weight"), member(self, "bias"), self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Affine):
    """Divides by the root of the mean of squares over the last dimensions, then multiplies by `weight` of their shape.

    Args:
        normalized_shape: the sizes of the dimensions to normalise over; an int for the last alone.
        eps: is added to the mean; None for what `functional.rms_norm` says.
        elementwise_affine: whether there is a weight; it starts as ones.

    >>> td.nn.RMSNorm(2, elementwise_affine=False)(td.tensor([[1.0, 7.0]]))
    tensor([[0.2000, 1.4000]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        check_device(device)
        self.normalized_shape = sizes_of(self, normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter(
            "weight", empty_parameter(self.normalized_shape, dtype, device) if elementwise_affine else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return functional.rms_norm(input, self.normalized_shape, member(self, "weight"), self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def sizes_of(owner: Module, normalized_shape: Any) -> tuple[int, ...]:
    """The sizes of the dimensions that a layer normalises over."""
    sizes = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    if not sizes:
        raise ValueError(
            f"{type(owner).__name__}: got an empty normalized_shape, expected the size of at least one dimension"
        )
    return tuple([whole(owner, "normalized_shape", n) for n in sizes])


class ResponseNorm(Module):
    """What the norms over neighbouring channels share."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size = whole(self, "size", size, 1)
        self.alpha, self.beta, self.k = alpha, beta, k

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LocalResponseNorm(ResponseNorm):
    """input / (k + alpha / size * sum of the squares of `size` neighbouring channels) ** beta, of (N, C, ...).

    >>> td.nn.LocalResponseNorm(3, alpha=3.0, beta=1.0)(td.ones(1, 3, 1)).flatten()
    tensor([0.3333, 0.2500, 0.3333])
    """

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)


class CrossMapLRN2d(ResponseNorm):
    """`LocalResponseNorm` of (N, C, H, W), over an odd number of channels: one less where `size` is even.

    The factor of their squares is alpha / size, with the size that was given.

    >>> td.nn.CrossMapLRN2d(4, alpha=4.0, beta=1.0)(td.ones(1, 3, 1, 1)).flatten()
    tensor([0.3333, 0.2500, 0.3333])
    """

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        if input.ndim != 4:
            raise ValueError(f"CrossMapLRN2d: expected an input of shape (N, C, H, W), got {input.shape}")
        width = self.size - (self.size % 2 == 0)
        return functional.local_response_norm(input, width, self.alpha * width / self.size, self.beta, self.k)


class GroupNorm(Affine):
    """Normalises over groups of channels of each element, (N, C, ...), then multiplies by `weight` and adds `bias`.

    Args:
        num_groups: how many groups the channels make; 1 for all channels in one.
        num_channels: C.
        affine: whether there are weight and bias, (C,) each.

    Raises:
        ValueError: the groups do not divide the channels.

    >>> td.nn.GroupNorm(2, 4)(td.tensor([[1.0, 3.0, 5.0, 5.0]]))
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]], grad_fn=<GroupNormBackward0>)
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
        check_device(device)
        self.num_groups = whole(self, "num_groups", num_groups, 1)
        self.num_channels = whole(self, "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"GroupNorm: expected num_channels that num_groups={num_groups} divides, got {num_channels}"
            )
        self.eps, self.affine = eps, affine
        self._add_affine((self.num_channels,), affine, bias, dtype, device)
        self.reset_parameters()

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return group_norm(input, self.num_groups, member(self, "weight"), member(self, "bias"), self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
            f", bias={self.bias is not None}"
        )


class InstanceNorm(RunningNorm):
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
        fits = input.ndim in self.dims
        if not fits or input.shape[int(batch)] != self.num_features:
            said = (
                f"{type(self).__name__}: expected an input of shape {self.shapes} with C={self.num_features} channels, "
                f"got {input.shape}"
            )
            if not fits or self.affine or self.track_running_stats:
                raise ValueError(said)
            warn(f"{said}; without affine and track_running_stats their number does not matter")
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

    >>> td.nn.InstanceNorm1d(1, eps=0.0)(td.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]])
    """

    dims, shapes = (2, 3), "(N, C, L) or (C, L)"


class InstanceNorm2d(InstanceNorm):
    """`InstanceNorm1d` for (N, C, H, W) or (C, H, W).

    >>> td.nn.InstanceNorm2d(3)(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    dims, shapes = (3, 4), "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(InstanceNorm):
    """`InstanceNorm1d` for (N, C, D, H, W) or (C, D, H, W).

    >>> td.nn.InstanceNorm3d(3)(td.ones(2, 3, 1, 2, 2)).shape
    (2, 3, 1, 2, 2)
    """

    dims, shapes = (4, 5), "(N, C, D, H, W) or (C, D, H, W)"
