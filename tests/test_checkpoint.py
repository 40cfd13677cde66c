"""Checkpoints: training goes on to the last bit, in another process, and a killed one loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.train import Callback, CallbackError, Checkpoint, EarlyStopping, Progress, fit

PROGRAM = Path(__file__).parent / "resumable.py"
DATA = [(td.ones(4, 2) * (i + 1), td.ones(4, 1)) for i in range(3)]


def run(*arguments):
    """Runs the training of resumable.py in a new process; returns how it ended."""
    return subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], timeout=120).returncode


def same(a, b):
    """Whether two saved structures are equal to the last bit."""
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, td.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder / "run.npz", 10, folder / "result.npz") == 0
    return td.load(folder / "result.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_five_epochs_and_five_more_equal_ten(uninterrupted, tmp_path, suffix):
    path, result = tmp_path / f"run{suffix}", tmp_path / "result.npz"
    assert run(path, 5, result) == 0
    assert len(td.load(result)["history"]["dev_loss"]) == 5
    assert run(path, 10, result) == 0
    assert same(td.load(result), uninterrupted)


def test_a_killed_training_goes_on_from_its_last_epoch(uninterrupted, tmp_path):
    path, result = tmp_path / "run.npz", tmp_path / "result.npz"
    assert run(path, 10, result, 3) == -signal.SIGKILL
    assert td.load(path)["epochs"] == 3
    assert run(path, 10, result) == 0
    assert same(td.load(result), uninterrupted)


def test_a_finished_training_is_not_run_again(uninterrupted, tmp_path):
    path, result = tmp_path / "run.npz", tmp_path / "result.npz"
    for _ in range(2):
        assert run(path, 2, result) == 0
        assert len(td.load(result)["history"]["train_loss"]) == 2


def train(callbacks, epochs=3, seed=0, **options):
    td.manual_seed(seed)
    model = nn.Linear(2, 1)
    optimizer = td.optim.SGD(model.parameters(), lr=0.01)
    return model, fit(model, nn.MSELoss(), optimizer, DATA, epochs=epochs, callbacks=callbacks, **options)


def test_every_and_the_last_epoch(tmp_path):
    seen = []

    class Look(Callback):
        order = 2

        def on_epoch_end(self, training):
            seen.append(td.load(path)["epochs"] if path.exists() else None)

    path = tmp_path / "run.npz"
    train([Look(), Checkpoint(path, every=2)], epochs=5)
    assert seen == [None, 2, 2, 4, 5]
    assert [each.name for each in tmp_path.iterdir()] == ["run.npz"]


def test_the_best_weights_are_a_file_of_their_own(tmp_path):
    losses = iter([3.0, 1.0, 2.0])
    weights = []

    class Pretend(Callback):
        def on_epoch_end(self, training):
            training.history["train_loss"][-1] = next(losses)
            weights.append(training.model.weight.clone())

    train([Checkpoint(tmp_path / "run.npz", best=tmp_path / "best.npz"), Pretend()])
    model = nn.Linear(2, 1)
    model.load_state_dict(td.load(tmp_path / "best.npz"))
    assert td.equal(model.weight, weights[1])


def test_an_early_stop_holds_when_resumed(tmp_path):
    def callbacks():
        return [EarlyStopping(patience=1, min_delta=1e6), Checkpoint(tmp_path / "run.npz", resume=True)]

    model, history = train(callbacks(), epochs=9)
    again, resumed = train(callbacks(), epochs=9, seed=5)
    assert len(history["train_loss"]) == 2 and resumed == history
    assert resumed.stopped == history.stopped and resumed.kept == history.kept == 0
    assert td.equal(model.weight, again.weight)


def test_bars_may_come_and_go(tmp_path):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    with open(os.devnull, "w") as nowhere:
        _, history = train([Progress(file=nowhere), Checkpoint(path, resume=True)], epochs=4)
    assert len(history["train_loss"]) == 4


def test_another_training_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    with pytest.raises(CallbackError, match=r"callbacks \['Checkpoint'\], and this one has \['EarlyStopping', "):
        train([EarlyStopping(), Checkpoint(path, resume=True)])
    with pytest.raises(CallbackError, match=r"measures \['train_loss'\], and .* \['train_loss', 'dev_loss'\]"):
        train([Checkpoint(path, resume=True)], dev=DATA)
    td.save(nn.Linear(2, 1).state_dict(), path)
    with pytest.raises(CallbackError, match="no checkpoint of a training; to load weights, use") as caught:
        train([Checkpoint(path, resume=True)])
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_damaged_file_is_an_error_and_not_a_new_start(tmp_path):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CallbackError, match=r"Checkpoint raised ValueError in on_fit_start.*damaged"):
        train([Checkpoint(path, resume=True)])


def test_a_write_that_fails_leaves_the_file_before(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinygrad_dl.serialization._write_npz", full)
    with pytest.raises(CallbackError, match=r"Checkpoint raised OSError in on_epoch_end, epoch 1: .*No space left"):
        train([Checkpoint(path)])
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Checkpoint("run.pt"), "ends in .npz or .safetensors, got 'run.pt'"),
        (lambda: Checkpoint("run.npz", best="best"), "got 'best'"),
        (lambda: Checkpoint("run.npz", every=0), "every is 0, expected 1 or more epochs"),
        (lambda: Checkpoint("run.npz", monitor="dev_accuracy"), "mode='min' or mode='max'"),
    ],
)
def test_options_out_of_range(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CallbackError, match=r"there is no folder .*missing; make it first"):
        train([Checkpoint(tmp_path / "missing" / "run.npz")])


def schedulers():
    """One of each scheduler, made for an optimiser."""
    schedules = td.optim.lr_scheduler
    return {
        "StepLR": lambda o: schedules.StepLR(o, 2),
        "MultiStepLR": lambda o: schedules.MultiStepLR(o, [1, 3, 3]),
        "LambdaLR": lambda o: schedules.LambdaLR(o, lambda epoch: 0.9**epoch),
        "MultiplicativeLR": lambda o: schedules.MultiplicativeLR(o, lambda epoch: 0.9),
        "OneCycleLR": lambda o: schedules.OneCycleLR(o, max_lr=0.1, total_steps=9),
        "CosineAnnealingLR": lambda o: schedules.CosineAnnealingLR(o, 7),
        "CosineAnnealingWarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 2),
        "ChainedScheduler": lambda o: schedules.ChainedScheduler([schedules.StepLR(o, 2), schedules.ConstantLR(o)]),
        "SequentialLR": lambda o: schedules.SequentialLR(
            o, [schedules.LinearLR(o), schedules.ExponentialLR(o, 0.9)], milestones=[2]
        ),
    }


@pytest.mark.parametrize("name", schedulers())
def test_every_schedule_goes_on(name, tmp_path):
    def rates(epochs, path):
        td.manual_seed(0)
        model = nn.Linear(2, 1)
        optimizer = td.optim.SGD(model.parameters(), lr=0.01)
        callbacks = [td.train.Schedule(schedulers()[name](optimizer)), Checkpoint(path, resume=True)]
        fit(model, nn.MSELoss(), optimizer, DATA, epochs=epochs, callbacks=callbacks)
        return optimizer.param_groups[0]["lr"], model.weight.tolist()

    rates(2, tmp_path / "run.npz")
    assert rates(6, tmp_path / "run.npz") == rates(6, tmp_path / "whole.npz")
