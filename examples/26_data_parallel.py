"""Data-parallel training: one model in several processes, each with a share of every batch.

    python examples/26_data_parallel.py                  one process
    mpirun -n 2 python examples/26_data_parallel.py      two, with 24 samples each at a time; any number goes

The mean over a batch is the mean of the means over equal parts of it, and so are their gradients. So each process takes
a part, goes forward and backward with its own copy of the model, and averages its gradients with those of all others;
then all make the same step. `DistributedSampler` deals the samples out, `DistributedDataParallel` averages.

What to see:

- A network learns digits in 1, 2, 3 and 4 parts, one after the other in this process, their gradients averaged: in
  every step it is the training by whole batches, up to the order in which numbers are added, some 1e-16 each time.
- The processes that are there do the same. Their parameters are those of one process with batches as large as theirs
  together, to 1e-12 in float64, and the program ends with an error if they are not.
- `train.fit` needs no line more than in one process, and ends with the same bits as the loop written by hand.
- Adam remembers two numbers for each parameter. `ZeroRedundancyOptimizer` leaves each process those of its share: the
  same bits again, and the memory divided among all, as evenly as whole parameters can be dealt out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import show
from sklearn.datasets import load_digits

import tinygrad_dl as td
from tinygrad_dl import data, nn, viz
from tinygrad_dl import distributed as dist

BATCH, RATE = 24, 0.1  # BATCH: of each process
Make = Callable[[Iterable[Any]], td.optim.Optimizer]


def load() -> data.TensorDataset:
    """1,152 digits in float64."""
    x, y = load_digits(return_X_y=True)
    return data.TensorDataset(td.tensor(x[:1152] / 16), td.tensor(y[:1152]))


def network(seed: int) -> nn.Module:
    td.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)).double()


def momentum(parameters: Iterable[Any]) -> td.optim.Optimizer:
    return td.optim.SGD(parameters, lr=RATE, momentum=0.9)


def values(model: nn.Module) -> np.ndarray:
    """All parameters in one array."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().numpy().copy()


def in_parts(dataset: data.Dataset, seed: int, parts: int, epochs: int) -> tuple[list[float], list[np.ndarray]]:
    """Training in this process by the averaged gradients of parts of a batch of 48: losses and parameters by step."""
    model, loss, losses, path = network(seed), nn.CrossEntropyLoss(), [], []
    optimizer = momentum(model.parameters())
    for _ in range(epochs):
        for x, y in data.DataLoader(dataset, batch_size=48):
            optimizer.zero_grad()
            found = [loss(model(a), b) for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True)]
            for each in found:
                (each / parts).backward()  # gradients add up, so this is their mean
            optimizer.step()
            losses.append(sum(each.item() for each in found) / parts)
            path.append(values(model))
    return losses, path


def train(dataset: data.Dataset, seed: int, batch: int, rank: int, ranks: int, make: Make, epochs: int) -> nn.Module:
    """The loop by hand, as one of several processes, or as one alone: `ranks=1` averages with nobody."""
    model, loss = network(seed), nn.CrossEntropyLoss()
    sampler = data.DistributedSampler(dataset, ranks, rank, seed=seed)
    loader = data.DataLoader(dataset, batch, sampler=sampler, drop_last=True)
    parallel = nn.parallel.DistributedDataParallel(model) if ranks > 1 else model
    optimizer = make(model.parameters())
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for x, y in loader:
            optimizer.zero_grad()
            loss(parallel(x), y).backward()
            optimizer.step()
    return model


def with_fit(dataset: data.Dataset, seed: int, make: Make, epochs: int) -> tuple[nn.Module, td.train.History]:
    """The same by `fit`, which finds out by itself that there are several processes."""
    model = network(seed)
    loader = data.DataLoader(dataset, BATCH, shuffle=True, drop_last=True)
    return model, td.train.fit(model, nn.CrossEntropyLoss(), make(model.parameters()), loader, epochs=epochs)


def shared_adam(parameters: Iterable[Any]) -> td.optim.Optimizer:
    return td.optim.ZeroRedundancyOptimizer(parameters, td.optim.Adam, lr=0.01)


def adam(parameters: Iterable[Any]) -> td.optim.Optimizer:
    return td.optim.Adam(parameters, lr=0.01)


def bytes_kept(optimizer: td.optim.Optimizer) -> int:
    """What an optimiser remembers here."""
    return sum(each.numpy().nbytes for entry in optimizer.state.values() for each in entry.values())


def together(dataset: data.Dataset, seed: int, epochs: int) -> list[tuple[str, float, float]]:
    """What the processes that are there find: what was compared, the largest difference, and what is allowed."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    by_hand = values(train(dataset, seed, BATCH, rank, ranks, momentum, epochs))
    alone = values(train(dataset, seed, BATCH * ranks, 0, 1, momentum, epochs))
    by_fit = values(with_fit(dataset, seed, momentum, epochs)[0])
    shared, whole = (values(with_fit(dataset, seed, make, epochs)[0]) for make in (shared_adam, adam))
    return [
        (f"{ranks} x {BATCH} samples and 1 x {ranks * BATCH}", float(np.abs(by_hand - alone).max()), 1e-12),
        ("the loop by hand and train.fit", float(np.abs(by_hand - by_fit).max()), 0.0),
        ("Adam shared out and Adam whole", float(np.abs(shared - whole).max()), 0.0),
    ]


def states(dataset: data.Dataset, seed: int) -> list[int]:
    """The bytes that Adam, and its share, remember in this process."""
    kept: list[int] = []
    for make in (adam, shared_adam):
        model = network(seed)
        optimizer = make(model.parameters())
        nn.CrossEntropyLoss()(model(dataset[:BATCH][0]), dataset[:BATCH][1]).backward()
        optimizer.step()
        kept.append(bytes_kept(getattr(optimizer, "optim", optimizer)))
    return kept


def main() -> None:
    options = show.options(__doc__)
    td.set_num_threads(1)  # one for each process: they share the cores
    epochs = 2 if options.quick else 15
    dataset = load()
    if not dist.is_available():
        print("One process, and no others: pip install 'tinygrad_dl[mpi]' brings mpirun\n")
        rank = 0
    else:
        dist.init_process_group()
        rank, ranks = dist.get_rank(), dist.get_world_size()
        found, kept = together(dataset, options.seed, epochs), states(dataset, options.seed)
        if rank == 0:
            print(f"{ranks} {'processes' if ranks > 1 else 'process'}, {epochs} epochs of {len(dataset):,} digits\n")
            rows = [(what, f"{most:.1e}", f"{allowed:g}") for what, most, allowed in found]
            show.table(("parameters of", "differ by", "at most"), rows)
            print(f"Adam remembers {kept[0]:,} bytes; of its share, process 0 remembers {kept[1]:,}\n")
        for what, most, allowed in found:
            assert most <= allowed, f"{what}: parameters differ by {most}, expected {allowed} at most"
        dist.destroy_process_group()
    if rank == 0:
        draw(dataset, options, epochs)


def draw(dataset: data.Dataset, options: Any, epochs: int) -> None:
    """Training in parts in one process: the table and the picture."""
    runs = {parts: in_parts(dataset, options.seed, parts, epochs) for parts in (1, 2, 3, 4)}
    whole = np.array(runs[1][1])
    apart = {parts: np.abs(np.array(path) - whole).max(1) for parts, (_, path) in runs.items()}
    print("In one process, gradients averaged over parts of each batch\n")
    rows = [
        (f"{parts}", f"{losses[0]:.4f}", f"{losses[-1]:.4f}", f"{apart[parts].max():.1e}")
        for parts, (losses, _) in runs.items()
    ]
    show.table(("parts", "first loss", "last loss", "parameters differ by"), rows)
    figure, axes = viz.figure(1, 2, title="A batch in parts, their gradients averaged", size=(12, 4.5))
    curves = {f"{parts} part{'s' * (parts > 1)}": losses for parts, (losses, _) in runs.items()}
    viz.plot_curves(curves, x=range(1, len(whole) + 1), xlabel="step", ylabel="loss", log=True, ax=axes[0])
    axes[0].set_title("Four lines, of which one is seen")
    gaps = {f"{parts} parts": np.where(apart[parts] > 0, apart[parts], math.nan) for parts in (2, 3, 4)}
    viz.plot_curves(gaps, x=range(1, len(whole) + 1), xlabel="step", ylabel="largest difference", log=True, ax=axes[1])
    axes[1].set_title("Parameters beside those of whole batches")
    show.save(figure, options, "26_data_parallel.png")


if __name__ == "__main__":
    main()
