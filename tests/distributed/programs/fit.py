"""`train.fit` in several processes: `fit.py FOLDER TASK`, where a task is a function below."""

import os
import signal
import sys

import numpy as np

import tinygrad_dl as td
from tinygrad_dl import data, nn
from tinygrad_dl.train import Callback, Checkpoint, EarlyStopping, Schedule, evaluate, fit

dist = td.distributed
dist.init_process_group()
rank, size = dist.get_rank(), dist.get_world_size()
folder = sys.argv[1]
accuracy = {"accuracy": lambda output, target: (output.argmax(1) == target).double().mean()}
BATCH = 12  # of all processes together


def problem(shared=False, dropout=0.0, seed=0):
    """A model in float64, its optimiser, and loaders: 48 samples to train on, 7 to measure on."""
    generator = np.random.default_rng(0)
    x = td.tensor(generator.standard_normal((55, 4)))
    y = (x.sum(1) > 0).long()
    td.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 2)).double()
    options = dict(lr=0.05, eps=1e-3)  # eps: or a gradient of nearly 0 would magnify rounding
    if shared:
        optimizer = td.optim.ZeroRedundancyOptimizer(model.parameters(), td.optim.Adam, **options)
    else:
        optimizer = td.optim.Adam(model.parameters(), **options)
    train = data.DataLoader(data.TensorDataset(x[:48], y[:48]), BATCH // size, shuffle=True)
    dev = data.DataLoader(data.TensorDataset(x[48:], y[48:]), 3)
    return model, optimizer, train, dev


def run(epochs, callbacks=(), **options):
    model, optimizer, train, dev = problem(**options)
    loss = nn.CrossEntropyLoss()
    history = fit(model, loss, optimizer, train, dev, epochs=epochs, metrics=accuracy, callbacks=callbacks)
    return model, optimizer, history


def values(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def everywhere(content):
    """What all ranks have."""
    found = [None] * size
    dist.all_gather_object(found, content)
    return found


def saved(name, model, history):
    if rank == 0:
        td.save({"values": values(model), "history": dict(history)}, f"{folder}/{name}.npz")


def close(name, model, history):
    before = td.load(f"{folder}/{name}.npz")
    np.testing.assert_allclose(values(model).numpy(), before["values"].numpy(), rtol=0, atol=1e-12)
    assert list(history) == list(before["history"])
    for measure, found in history.items():
        np.testing.assert_allclose(found, before["history"][measure], rtol=0, atol=1e-12)


def callbacks(path, resume=False):
    plateau = td.optim.lr_scheduler.ReduceLROnPlateau

    class Later(Schedule):
        """Made for the optimiser that is there only in `run`."""

        def __init__(self):
            pass

        def on_fit_start(self, training):
            super().__init__(plateau(training.optimizer, patience=0, threshold=0.05))

    return [Later(), EarlyStopping(patience=50), Checkpoint(path, resume=resume)]


def whole():
    """Without a stop; what the others are compared with."""
    model, _, history = run(6, callbacks(f"{folder}/whole.npz"))
    saved("result", model, history)


def same():
    """Any number of ranks trains alike, with shared states too; parameters and measures are those of all ranks."""
    for shared in (False, True):
        model, _, history = run(6, callbacks(f"{folder}/same{size}.npz"), shared=shared)
        close("result", model, history)
        assert len({values.tobytes() for values in everywhere(values(model).numpy())}) == 1
        assert len({str(dict(history)) for history in everywhere(dict(history))}) == 1
        dev = problem()[3]
        model.load_state_dict(td.load(f"{folder}/same{size}.npz")["model"])  # before the best weights were put back
        found = evaluate(model, dev, nn.CrossEntropyLoss(), accuracy)
        for name, value in found.items():
            np.testing.assert_allclose(history[f"dev_{name}"][-1], value, rtol=1e-14)


def first():
    """Half of the epochs, kept in one file."""
    run(3, callbacks(f"{folder}/half.npz"), shared=True)


class Dies(Callback):
    """The last rank is killed in the middle of the fourth epoch."""

    def on_batch_end(self, training):
        if (training.epoch, training.batch, rank) == (3, 1, size - 1):
            os.kill(os.getpid(), signal.SIGKILL)


def dies():
    """As `first`, but what ends it is no plan."""
    run(6, [*callbacks(f"{folder}/half.npz"), Dies()], shared=True)


def rest():
    """The other half, in as many ranks as there are: what the file does not hold may differ from rank to rank."""
    model, _, history = run(6, callbacks(f"{folder}/half.npz", resume=True), seed=rank, shared=size == 3)
    close("result", model, history)


def bits():
    """With random numbers of its own in each rank, a stop changes no bit."""
    path = f"{folder}/bits.npz"

    def seeded(epochs, *callbacks):
        td.manual_seed(0)
        model, optimizer, train, dev = problem(dropout=0.5, shared=True)
        td.manual_seed(rank)
        fit(model, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=epochs, callbacks=callbacks)
        return values(model).numpy()

    once = seeded(4)
    seeded(2, Checkpoint(path))
    np.testing.assert_array_equal(seeded(4, Checkpoint(path, resume=True)), once)
    assert size == 1 or len(td.load(path)["ranks"]) == size - 1


def compiled():
    """Compiled steps average their gradients too, whoever looks on and whatever the optimiser remembers where."""
    for shared in (False, True):
        for options in ({}, {"metrics": accuracy}, {"callbacks": td.train.ClipGradients(max_value=0.1)}):
            found = []
            for compile in (False, True):
                model, optimizer, train, dev = problem(shared=shared, seed=rank)  # the first rank's parameters count
                history = fit(model, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=3, compile=compile, **options)
                found.append((values(model).numpy(), history))
            np.testing.assert_allclose(found[0][0], found[1][0], rtol=0, atol=1e-12)
            for name in history:
                np.testing.assert_allclose(found[0][1][name], found[1][1][name], rtol=0, atol=1e-12)
            assert len({values.tobytes() for values in everywhere(found[1][0])}) == 1
    model = nn.Sequential(nn.Linear(4, 2), nn.Linear(4, 2)).double()
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    model.forward = lambda x: model[0](x)
    try:
        fit(model, nn.CrossEntropyLoss(), optimizer, [train.dataset[:4]], epochs=1, compile=True)
        raise AssertionError("a parameter without a gradient")
    except RuntimeError as error:
        assert "got no gradient for 1.weight, 1.bias" in str(error), error


class Stops(Callback):
    """Decides in one rank alone."""

    def __init__(self, where, hook):
        self.where, self.hook = where, hook

    def on_epoch_start(self, training):
        if self.hook == "start" and training.epoch == 2 and training.group.rank == self.where:
            training.stop(f"rank {self.where} says so")

    def on_epoch_end(self, training):
        if self.hook == "end" and training.epoch == 1 and training.group.rank == self.where:
            training.stop(f"rank {self.where} says so")


class Counts(Callback):
    first_only = True
    calls = 0

    def on_epoch_end(self, training):
        self.calls += 1


class Rates(Callback):
    """Another rate in each rank, of which the first one's counts."""

    def on_epoch_end(self, training):
        training.optimizer.param_groups[0]["lr"] *= 0.5 - 0.1 * training.group.rank


def decisions():
    for where in range(size):
        for hook in ("start", "end"):
            path = f"{folder}/{where}{hook}.npz"
            model, _, history = run(9, [Stops(where, hook), Checkpoint(path, every=5)])
            assert len(history["train_loss"]) == 2 and history.stopped == f"rank {where} says so"
            # Written in the last epoch, however many epochs apart, if it was known to be the last.
            assert hook == "start" or len(td.load(path)["history"]["train_loss"]) == 2
    counts = Counts()
    model, optimizer, _ = run(3, [counts, Rates()])
    assert counts.calls == (3 if rank == 0 else 0)
    assert optimizer.param_groups[0]["lr"] == 0.05 * 0.5**3
    assert len({values.tobytes() for values in everywhere(values(model).numpy())}) == 1


def order():
    """Of the samples: by the seed of the first rank's generator and the epoch, and all of them in each epoch."""

    class Seen(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.seen = nn.Parameter(td.ones(1)), []

        def forward(self, x):
            self.seen.append(x.flatten().tolist())
            return self.scale * x

    def seen(seed, own, epochs=2):
        td.manual_seed(seed)
        x = td.arange(12.0)[:, None]
        generator = td.Generator().manual_seed(seed) if own else None
        loader = data.DataLoader(data.TensorDataset(x, x), 12 // size, shuffle=True, generator=generator)
        model = Seen()
        fit(model, nn.MSELoss(), td.optim.SGD(model.parameters(), lr=0.0), loader, epochs=epochs)
        return [[x for part in epoch for x in part] for epoch in zip(*everywhere(model.seen), strict=True)]

    first = seen(5, own=False)
    assert [sorted(epoch) for epoch in first] == [list(range(12))] * 2 and first[0] != first[1]
    assert first == seen(5 + rank, own=False) == seen(5 + rank, own=True) != seen(6, own=False)


def nan():
    """A loss that is no number in one rank ends all."""
    model, optimizer, train, _ = problem()
    x = train.dataset[:6][0] * (float("nan") if rank == 1 else 1)
    fit(model, nn.CrossEntropyLoss(), optimizer, [(x, train.dataset[:6][1])] * 3, epochs=1)


def bars():
    model, optimizer, train, dev = problem()
    fit(model, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=2, progress=True)


def buffers():
    """Statistics of batches are each rank's own while it trains, and the first one's after each epoch."""
    model, optimizer, train, dev = problem()
    model.insert(1, nn.BatchNorm1d(8).double())
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    wrapped = nn.parallel.DistributedDataParallel(model)
    path = f"{folder}/buffers.npz"
    history = fit(wrapped, nn.CrossEntropyLoss(), optimizer, train, dev, epochs=2, callbacks=Checkpoint(path))
    states = everywhere({name: value.tolist() for name, value in model.state_dict().items()})
    assert all(state == states[0] for state in states)
    found = evaluate(model, dev, nn.CrossEntropyLoss())
    np.testing.assert_allclose(found["loss"], history["dev_loss"][-1], rtol=1e-14)
    assert set(td.load(path)["model"]) == set(model.state_dict())  # without the names of the wrapper
    again, history = problem()[0], []
    fit(again, nn.CrossEntropyLoss(), td.optim.SGD(again.parameters(), lr=0.1), train, epochs=1)
    fit(again, nn.CrossEntropyLoss(), td.optim.SGD(again.parameters(), lr=0.1), train, epochs=1)
    again(td.ones(2, 4).double()).sum().backward()  # no hook is left behind that waits for others
    assert not any(p._edge.with_hooks().accumulated for p in again.parameters())
    assert len({values.tobytes() for values in everywhere(values(again).numpy())}) == 1


def few():
    """Fewer samples to measure on than ranks, batches without a loader, and what does not go together."""
    model, optimizer, train, _ = problem()
    pair = train.dataset[:2]
    dev = data.DataLoader(data.TensorDataset(pair[0][:1], pair[1][:1]))
    history = fit(model, nn.CrossEntropyLoss(), optimizer, [pair] * 3, dev, epochs=1)
    np.testing.assert_allclose(history["dev_loss"][-1], evaluate(model, dev, nn.CrossEntropyLoss())["loss"], rtol=1e-14)
    wrapped = nn.parallel.DistributedDataParallel(model)
    for words, trained, batches, options in (
        ("expected the same number in each", model, [pair] * (rank + 1), {}),
        ("expected the module itself", wrapped, [pair], {"compile": True}),
    ):
        try:
            fit(trained, nn.CrossEntropyLoss(), optimizer, batches, epochs=1, **options)
            raise AssertionError(words)
        except ValueError as error:
            assert words in str(error), error


globals()[sys.argv[2]]()
dist.destroy_process_group()
