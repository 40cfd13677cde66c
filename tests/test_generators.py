"""Every random generator that a training draws from is in its checkpoint: 3 epochs and 3 more are 6, bit for bit."""

from __future__ import annotations

import functools
import itertools
import random
import subprocess
import sys
import textwrap
import types
import warnings

import numpy as np
import pytest
from data_for_workers import Drawing

import tinygrad_dl as td
from tinygrad_dl import data, nn
from tinygrad_dl.train import Callback, Checkpoint, fit, generators

OWN = np.random.default_rng(0)  # a variable of this module, which functions here draw from
X, Y = td.randn(24, 4, generator=td.Generator().manual_seed(5)), td.arange(24) % 2


def noisy(x, y):
    return x + td.from_numpy(OWN.normal(size=x.shape).astype(np.float32)), y


class Noise:
    """A transform with a generator of its own."""

    def __init__(self, rng):
        self.rng = rng

    def __call__(self, x, *labels):
        draw = self.rng.gauss if isinstance(self.rng, random.Random) else self.rng.normal
        return (x + draw(0.0, 1.0), *labels)


class Slotted(Noise):
    __slots__ = ("hidden",)

    def __init__(self, rng):
        self.hidden = Noise(rng)
        self.rng = None

    def __call__(self, x, *labels):
        return self.hidden(x, *labels)


class Images(data.transforms.Transform):
    def __init__(self, seed):
        self.generator = td.Generator().manual_seed(seed)

    def apply(self, images, rng):
        return images + rng.normal(size=images.shape).astype(images.dtype)


class Own:
    """A user's iterable of batches."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __iter__(self):
        for rows in self.rng.permutation(24).reshape(3, 8):
            yield X[rows], Y[rows]


class FromModule:
    """An iterable that draws from a variable of its module."""

    def __iter__(self):
        for rows in OWN.permutation(24).reshape(3, 8):
            yield X[rows], Y[rows]


class Foreign(data.Dataset):
    """Draws from the global generators of NumPy and Python, in this process."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        return X[index] + float(np.random.normal()) + random.random(), Y[index]


class Stream(data.IterableDataset):
    def __init__(self):
        self.rng = np.random.Generator(np.random.Philox(3))

    def __iter__(self):
        return iter([(X[i], Y[i]) for i in self.rng.permutation(24)])


class Layer(nn.Module):
    """A module with a generator of its own."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.RandomState(4)

    def forward(self, x):
        return x + float(self.rng.normal())


def tensors(transform=None):
    return data.TensorDataset(X, Y, transform=transform)


def loader(dataset, **options):
    return data.DataLoader(dataset, 8, **options)


def closure(rng):
    return lambda x, y: (x * float(rng.normal()), y)


def scale(x, y, rng):
    return x * float(rng.normal()), y


IMAGES = data.TensorDataset(td.rand(24, 1, 2, 2, generator=td.Generator().manual_seed(1)), Y)
KINDS = {
    "transform of a TensorDataset": lambda: loader(tensors(Noise(np.random.default_rng(1)))),
    "transform with slots": lambda: loader(tensors(Slotted(np.random.RandomState(1)))),
    "Python's Random": lambda: loader(tensors(Noise(random.Random(1)))),
    "MT19937": lambda: loader(tensors(Noise(np.random.Generator(np.random.MT19937(1))))),
    "inside a Subset": lambda: loader(data.Subset(tensors(Noise(np.random.default_rng(1))), range(0, 24, 2))),
    "inside a ConcatDataset": lambda: loader(
        data.ConcatDataset([data.Subset(tensors(Noise(np.random.default_rng(seed))), range(12)) for seed in (1, 2)])
    ),
    "inside Compose": lambda: loader(
        data.TensorDataset(
            IMAGES.tensors[0], Y, transform=data.transforms.Compose([Images(1), data.transforms.Compose([Images(2)])])
        )
    ),
    "a function and its module's variable": lambda: loader(tensors(noisy)),
    "a closure": lambda: loader(tensors(closure(np.random.default_rng(2)))),
    "a partial function": lambda: loader(tensors(functools.partial(scale, rng=np.random.default_rng(2)))),
    "a method": lambda: loader(tensors(Noise(np.random.default_rng(2)).__call__)),
    "a user's iterable": lambda: Own(1),
    "an iterable and its module's variable": FromModule,
    "global generators": lambda: loader(Foreign()),
    "a stream": lambda: loader(Stream()),
    "the loader's generator": lambda: loader(tensors(), shuffle=True, generator=td.Generator().manual_seed(1)),
    "the default generator": lambda: loader(tensors(), shuffle=True),
    "a sampler's generator": lambda: loader(
        tensors(), sampler=data.RandomSampler(range(24), generator=td.Generator().manual_seed(3))
    ),
    "a batch sampler's generator": lambda: data.DataLoader(
        tensors(),
        batch_sampler=data.BatchSampler(
            data.WeightedRandomSampler([1.0] * 24, 24, generator=td.Generator().manual_seed(3)), 8, False
        ),
    ),
    "workers": lambda: loader(Drawing(24), num_workers=1),
    "a list of loaders chained": lambda: Chained([Own(1), Own(2)]),
}


class Chained:
    def __init__(self, parts):
        self.parts = types.SimpleNamespace(inner={"parts": parts})

    def __iter__(self):
        return itertools.chain(*self.parts.inner["parts"])


def trained(make, epochs, path, seed=0, **options):
    """A new training, as in a new process: all generators begin at their seeds, or anywhere."""
    td.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    OWN.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    train = make()
    size = next(iter(train))[0][0].numel()
    td.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(size, 4), Layer(), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = td.optim.SGD(model.parameters(), lr=0.05)
    history = fit(model, nn.CrossEntropyLoss(), optimizer, make(), epochs=epochs, callbacks=Checkpoint(path, **options))
    return [p.tolist() for p in model.parameters()], history["train_loss"]


@pytest.mark.parametrize("name", KINDS)
def test_three_epochs_and_three_more_are_six(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half = 1 if name == "workers" else 3  # starting processes takes its time
        whole = trained(KINDS[name], 2 * half, tmp_path / "whole.npz")
        trained(KINDS[name], half, tmp_path / "run.npz")
        assert trained(KINDS[name], 2 * half, tmp_path / "run.npz", seed=9, resume=True) == whole


def lost(tmp_path, make, match):
    with pytest.warns(UserWarning, match=match) as caught:
        trained(make, 2, tmp_path / "run.npz")
    assert len([each for each in caught if "does not keep" in str(each.message)]) == 1, "said once, not in each epoch"


def test_what_cannot_be_kept_is_named(tmp_path):
    class System(Own):
        def __init__(self):
            super().__init__(0)
            self.dice = random.SystemRandom()

    class Endless(Own):
        def __init__(self):
            super().__init__(0)
            self.rows = (each for each in range(10**9))

    class Generator:
        """Of another library."""

    class Strange(Own):
        def __init__(self):
            super().__init__(0)
            self.source = Generator()

    lost(tmp_path, System, r"run\.npz does not keep the state of train\.dice \(it has no state: its numbers come from")
    lost(tmp_path, Endless, r"train\.rows \(it is under way, and Python says not where\)")
    lost(tmp_path, Strange, r"train\.source \(its kind, .*Generator, is not known here\)")


def test_copies_in_persistent_workers_are_named(tmp_path):
    def make():
        return loader(Drawing(24), num_workers=1, persistent_workers=True)

    lost(tmp_path, make, r"train\.dataset\.rng \(persistent workers have copies of it that go on by themselves\)")


def test_a_generator_that_comes_or_goes_is_named(tmp_path):
    path = tmp_path / "run.npz"
    trained(lambda: Own(1), 1, path)
    with pytest.warns(UserWarning, match=r"train\.rng \(in the file alone\), train\.__iter__: OWN \(in this"):
        trained(FromModule, 2, path, resume=True)
    path.unlink()
    trained(lambda: loader(tensors()), 1, path)
    with pytest.warns(UserWarning, match=r"train\.rng \(in this training alone\)"):
        trained(lambda: Own(1), 2, path, resume=True)


def test_the_search_does_not_go_astray():
    """Loops, a million samples, locks, modules, classes."""
    ring: list[object] = []
    ring.append(ring)
    rng = np.random.default_rng(0)
    training = types.SimpleNamespace(
        train=[
            ring,
            [(str(i), i) for i in range(300_000)],
            sys,
            random,
            [[[rng]]],
            Noise,
            print,
            open,
            np.random.normal,
        ],
        dev=None,
        model=None,
        loss=len,
        metrics={"a": np.mean},
        optimizer=None,
        callbacks=[Callback()],
    )
    found = generators.find(training)
    assert list(found.kept.values())[3:] == [rng] and not found.lost


def test_another_process_and_the_main_program(tmp_path):
    """What is defined in a program that is run counts as the user's."""
    program = textwrap.dedent("""
        import sys
        import numpy as np
        import tinygrad_dl as td

        rng = np.random.default_rng(0)

        def batches():
            return [(td.from_numpy(rng.normal(size=(4, 2)).astype(np.float32)), td.ones(4, 1)) for _ in range(3)]

        class Fresh:
            def __iter__(self):
                return iter(batches())

        td.manual_seed(0)
        model = td.nn.Linear(2, 1)
        optimizer = td.optim.Adam(model.parameters())
        checkpoint = td.train.Checkpoint(sys.argv[1], resume=True)
        td.train.fit(model, td.nn.MSELoss(), optimizer, Fresh(), epochs=int(sys.argv[2]), callbacks=checkpoint)
        print(model.weight.tolist(), model.bias.tolist())
    """)

    def run(path, epochs):
        command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / path), str(epochs)]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    whole = run("whole.npz", 4)
    run("run.npz", 2)
    assert run("run.npz", 4) == whole
