"""Training in several processes: what each does by itself, what all do alike, and what is done by one for all.

`Alone` is a training in one process: everything is as it was given. `Together` is one of the processes of the group
that `td.distributed.init_process_group` has made: each goes through its share of the samples, gradients are averaged by
`DistributedDataParallel`, and measures, decisions and files are the same for all.
"""

from __future__ import annotations

import copy
from typing import Any

from tinygrad_dl import distributed as dist
from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.data.loader import DataLoader
from tinygrad_dl.data.samplers import BatchSampler, DistributedSampler, RandomSampler, SequentialSampler
from tinygrad_dl.distributed.contents import broadcast_content, gather_content
from tinygrad_dl.nn import Module
from tinygrad_dl.nn.parallel import DistributedDataParallel
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.optim import Optimizer, ZeroRedundancyOptimizer
from tinygrad_dl.random import default_generator
from tinygrad_dl.train.batches import Means

__all__ = ["Alone", "Together", "ranks"]


class Alone:
    """A training in one process."""

    rank, size = 0, 1
    averages = False  # whether `average` has something to do

    def parallel(self, model: Module, compile: bool) -> Module:
        """The module whose outputs lead to gradients averaged over all processes; `average` does it where it can't."""
        return model

    def average(self) -> None:
        """Averages the gradients of a compiled step."""

    def share(self, data: Any) -> Any:
        """What this process trains on."""
        return data

    def part(self, data: Any) -> Any:
        """What this process measures on; all parts together are the data, and none is measured twice."""
        return data

    def reduced(self, means: Means) -> Means:
        """Sums and number of samples of all processes."""
        return means

    def agree(self, training: Any) -> None:
        """Makes decisions of callbacks the same in all processes."""

    def even(self, model: Module) -> None:
        """Makes buffers the same in all processes: those of the first count."""

    def state_of(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state of the whole optimiser; in other processes than the first it may be empty. Called by all."""
        return optimizer.state_dict()

    def from_first(self, content: Any) -> Any:
        """The first process's content, in all processes."""
        return content

    def to_first(self, content: Any) -> list[Any]:
        """The contents of all processes, in the first; in all others nothing."""
        return [content]


class Together(Alone):
    """A training in one of the processes of a group."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def parallel(self, model: Module, compile: bool) -> Module:
        if self.size == 1:
            return model
        if not isinstance(model, DistributedDataParallel):
            wrapped = DistributedDataParallel(model)  # which compares the models, and sends the first one's weights
            self.averages, self.model = compile, model
            return model if compile else wrapped
        if compile:
            raise ValueError(
                "fit: got compile=True and a model in DistributedDataParallel, expected the module itself: a compiled "
                "step averages its gradients when it is over; pass model.module"
            )
        return model

    def average(self) -> None:
        """In one message for each dtype, since a program has no place where it could begin earlier."""
        if not self.averages:
            return
        named = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        missing = [name for name, p in named if p.grad is None]
        if missing:
            raise RuntimeError(
                f"fit: got no gradient for {', '.join(missing)}, expected one for each parameter, as in all processes; "
                "freeze what is not trained with requires_grad_(False)"
            )
        by_dtype: dict[Any, list[Tensor]] = {}
        for _, p in named:
            assert p.grad is not None
            by_dtype.setdefault(p.grad.dtype, []).append(p.grad)
        for grads in by_dtype.values():
            flat = cat([grad.flatten() for grad in grads])
            dist.all_reduce(flat, dist.ReduceOp.AVG)
            with no_grad():
                for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
                    grad.copy_(part.reshape(grad.shape))

    def share(self, data: Any) -> Any:
        """A loader of a dataset, in order or shuffled, gets a `DistributedSampler`; all else is a share already."""
        if ordered(data):
            shuffle, seed = isinstance(data.sampler, RandomSampler), self._seed(data.sampler)
            data = with_sampler(data, DistributedSampler(data.dataset, self.size, self.rank, shuffle, seed))
        if self.size > 1 and hasattr(type(data), "__len__"):
            counts = self._all(len(data))
            if len(set(counts)) > 1:
                raise ValueError(
                    f"fit: train: got {counts} batches in the {self.size} processes, expected the same number in each, "
                    "as every step is made together; pass a DataLoader with a data.DistributedSampler"
                )
        return data

    def _seed(self, sampler: Any) -> int:
        """What the order of all epochs depends on: the seed of the first process's generator, wherever that stands."""
        generator = getattr(sampler, "generator", None) or default_generator
        return int(self._all(generator.initial_seed() % 2**32)[0])

    def part(self, data: Any) -> Any:
        return with_sampler(data, range(self.rank, len(data.dataset), self.size)) if ordered(data) else data

    def reduced(self, means: Means) -> Means:
        """Added up in the order of the ranks, so that the sums are the same everywhere to the last bit."""
        found = Means()
        for count, totals in self._all((means.count, means.totals)):
            found.count += count
            for name, total in totals.items():  # a process that has no batch of a small dev set has none
                found.totals[name] = found.totals.get(name, 0.0) + total
        return found

    def _all(self, few: Any) -> list[Any]:
        """What is a few numbers or texts in each process."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, few)
        return found

    def agree(self, training: Any) -> None:
        """The first process that ends training ends it for all; the options of the optimiser are those of rank 0."""
        groups = training.optimizer.param_groups
        options = [{key: value for key, value in group.items() if plain(value)} for group in groups]
        said = self._all((training.history.stopped, options if self.rank == 0 else []))
        training.history.stopped = next((reason for reason, _ in said if reason is not None), None)
        for group, decided in zip(groups, said[0][1], strict=True):
            group.update(decided)

    def even(self, model: Module) -> None:
        buffers = dict(model.named_buffers())
        if self.size > 1 and buffers:
            for name, value in self.from_first(buffers).items():
                if self.rank:
                    buffers[name].detach().copy_(value)

    def state_of(self, optimizer: Optimizer) -> dict[str, Any]:
        if isinstance(optimizer, ZeroRedundancyOptimizer):
            optimizer.consolidate_state_dict(to=0)
        return optimizer.state_dict() if self.rank == 0 else {}

    def from_first(self, content: Any) -> Any:
        return broadcast_content(content)

    def to_first(self, content: Any) -> list[Any]:
        return gather_content(content) or []


def ranks() -> Alone:
    """How this process trains: with the others of its group, if one was made."""
    return Together() if dist.is_available() and dist.is_initialized() else Alone()


def ordered(data: Any) -> bool:
    """Whether it is a loader that goes through its dataset once, in order or shuffled."""
    if not isinstance(data, DataLoader) or type(data.batch_sampler) not in (BatchSampler, type(None)):
        return False
    sampler = data.sampler
    whole = type(sampler) is RandomSampler and not sampler.replacement and sampler._num_samples is None
    return whole or type(sampler) is SequentialSampler


def with_sampler(loader: DataLoader, sampler: Any) -> DataLoader:
    """A loader that differs in the order of its samples alone."""
    changed = copy.copy(loader)
    changed.sampler = sampler
    if loader.batch_size is not None:
        changed.batch_sampler = BatchSampler(sampler, loader.batch_size, loader.drop_last)
    return changed


def begin_epoch(data: Any, epoch: int) -> None:
    """Tells a sampler that has an order for each epoch which one it is."""
    set_epoch = getattr(getattr(data, "sampler", None), "set_epoch", None)
    if set_epoch is not None:
        set_epoch(epoch)


def unwrapped(model: Module) -> Module:
    """The module itself, whose names are the same in one process as in many."""
    return model.module if isinstance(model, DistributedDataParallel) else model


def plain(value: Any) -> bool:
    """Whether an option is a number, a text or nothing, or a pair of such."""
    if isinstance(value, tuple):
        return all(map(plain, value))
    return value is None or type(value) in (bool, int, float, str)
