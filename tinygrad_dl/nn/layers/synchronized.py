"""Batch normalisation over the batches of several processes, as if they were one."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tinygrad_dl.core.function import Function, once_differentiable
from tinygrad_dl.core.promotion import FLOAT32, is_half
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.nn.layers.normalization import BatchNorm
from tinygrad_dl.nn.module import Module
from tinygrad_dl.ops.normalization.batch_norm import move_running
from tinygrad_dl.ops.reduction._channels import channel_dots, channel_sums, channels

__all__ = ["SyncBatchNorm"]


class SyncBatchNorm(BatchNorm):
    """Batch norm over the batches of all ranks together: `BatchNorm1d` for (N, C, ...), with one mean and variance.

    In training each rank sends how many samples it has, their means and variances, and in backward two sums for each
    channel; N may differ between ranks. In evaluation, and where there is one process, it is a batch norm as any.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as of `BatchNorm1d`.
        process_group: which ranks; None for all.

    >>> td.nn.SyncBatchNorm(3)(td.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    dims, shapes = tuple(range(2, 65)), "(N, C, ...)"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with a SyncBatchNorm in the place of each batch norm in it, with the same tensors.

        Returns:
            The module, or if it is a batch norm itself, the one that takes its place.

        >>> model = td.nn.Sequential(td.nn.Linear(2, 3), td.nn.BatchNorm1d(3))
        >>> type(td.nn.SyncBatchNorm.convert_sync_batchnorm(model)[1]).__name__
        'SyncBatchNorm'

        Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html
        """
        if isinstance(module, BatchNorm) and not isinstance(module, SyncBatchNorm):
            made = cls.__new__(cls)
            made.__setstate__({name: copy.copy(value) for name, value in module.__getstate__().items()})
            made.process_group = process_group
            return made
        for name, child in module.named_children():
            new = cls.convert_sync_batchnorm(child, process_group)
            if new is not child:
                module._modules[name] = new
        return module

    def compute(
        self, input: Any, mean: Any, var: Any, weight: Any, bias: Any, training: bool, momentum: Any, eps: float
    ) -> Any:
        """`functional.batch_norm`, with the statistics of all ranks."""
        members = self._members() if training else None
        if members is None:
            return BatchNorm.compute(input, mean, var, weight, bias, training, momentum, eps)
        from tinygrad_dl.distributed.memory import tensor_of

        tensor_of(input, type(self).__name__, "input")
        running = None if mean is None or var is None else (mean._data, var._data, momentum)
        return Normalization.apply(input, weight, bias, eps, members, running)

    def _members(self) -> Any:
        """The group of ranks, if there are several."""
        from tinygrad_dl.distributed.groups import is_initialized, resolved

        if not is_initialized():
            return None
        members = resolved(self.process_group, type(self).__name__)
        return members if members.size() > 1 else None


class Normalization(Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, with mean and variance of the samples of all ranks."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Any, bias: Any, eps: float, members: Any, running: Any) -> Tensor:
        x = single(channels(input._data))
        count, mean, variance = statistics(x, members)
        if running is not None:
            old_mean, old_variance, momentum = running
            move_running(old_mean, mean, momentum)
            move_running(old_variance, variance * (count / (count - 1)), momentum)
        inverse = 1 / np.sqrt(variance + eps)
        ctx.members, ctx.count = members, count
        ctx.mean, ctx.inverse = shaped(mean, x), shaped(inverse, x)
        ctx.save_for_backward(input, weight)
        scale = ctx.inverse if weight is None else ctx.inverse * shaped(weight._data, x)
        out = (x - ctx.mean) * scale
        if bias is not None:
            out += shaped(bias._data, x)
        return wrap(out.reshape(input.shape).astype(input._data.dtype, copy=False))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        input, weight = ctx.saved_tensors
        x, g = single(channels(input._data)), single(channels(grad._data))
        normal = (x - ctx.mean) * ctx.inverse
        sums, products = channel_sums(g).reshape(-1), channel_dots(g, normal).reshape(-1)
        gx = None
        if ctx.needs_input_grad[0]:
            total = np.concatenate([sums, products]).astype(np.float64)
            added(total, ctx.members)
            share, slope = (shaped(each, x) for each in np.split(total / ctx.count, 2))
            scale = ctx.inverse if weight is None else ctx.inverse * shaped(weight._data, x)
            gx = wrap(((g - share - normal * slope) * scale).reshape(input.shape))
        return gx, wrap(products), wrap(sums), None, None, None


def single(x: np.ndarray) -> np.ndarray:
    """Half precision as float32, all else as it is."""
    return x.astype(FLOAT32) if is_half(x.dtype) else x


def shaped(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A value for each channel, in x's dtype, as it broadcasts against (N, C) or (N, C, L)."""
    values = values.astype(x.dtype, copy=False)
    return values if x.ndim == 2 else values[:, None]


def statistics(x: np.ndarray, members: Any) -> tuple[int, np.ndarray, np.ndarray]:
    """How many samples of each channel all ranks have, their means and (biased) variances, in float64.

    The squares are those of distances from each rank's own mean, so nothing is lost where means are large.
    """
    size, number = x.shape[1], x.size // x.shape[1] if x.shape[1] else 0
    mean = channel_sums(x) / max(number, 1)
    centered = x - mean
    own = np.concatenate([[number], mean.reshape(-1), channel_dots(centered, centered).reshape(-1)], dtype=np.float64)
    found = np.empty((members.size(), own.size))
    members.begin("SyncBatchNorm", lambda comm: comm.Iallgather(own, found)).wait()
    numbers, means, squares = found[:, :1], found[:, 1 : 1 + size], found[:, 1 + size :]
    count = int(numbers.sum())
    if count < 2:
        raise ValueError(f"SyncBatchNorm: got {count} values per channel on all ranks, expected 2 or more in training")
    mean = (numbers * means).sum(0) / count
    return count, mean, (squares + numbers * (means - mean) ** 2).sum(0) / count


def added(values: np.ndarray, members: Any) -> None:
    """Adds up an array over the ranks, in place."""
    from tinygrad_dl.distributed.mpi import library

    in_place = library().IN_PLACE
    members.begin("SyncBatchNorm", lambda comm: comm.Iallreduce(in_place, values)).wait()
