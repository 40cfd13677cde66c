"""Checkpoints: training goes on to the last bit, in another process, and a killed one loses nothing."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.train import Callback, Checkpoint, EarlyStopping, Progress, fit
from tinygrad_dl.train.checkpoint import captured

PROGRAM = Path(__file__).parent / "resumable.py"
DATA = [(td.ones(4, 2) * (i + 1), td.ones(4, 1)) for i in range(3)]


def run(*arguments):
    """Runs the training of resumable.py in a new process; returns how it ended."""
    return subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], timeout=120).returncode


def same(a, b):
    """Whether two saved structures are equal to the last bit."""
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, td.Tensor):
        return a.dtype == b.dtype and a.numpy().tobytes() == b.numpy().tobytes()
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder / "run.npz", 10, folder / "result.npz") == 0
    return td.load(folder / "result.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pth"])
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
        return [EarlyStopping("train_loss", patience=1, min_delta=1e6), Checkpoint(tmp_path / "run.npz", resume=True)]

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
    with pytest.raises(ValueError, match=r"got the state of a training with the callbacks \['Checkpoint'\], expected"):
        train([EarlyStopping("train_loss"), Checkpoint(path, resume=True)])
    with pytest.raises(ValueError, match=r"measures \['train_loss'\], expected \['train_loss', 'dev_loss'\]"):
        train([Checkpoint(path, resume=True)], dev=DATA)
    td.save(nn.Linear(2, 1).state_dict(), path)
    with pytest.raises(ValueError, match="got another file, expected a checkpoint of a training") as caught:
        train([Checkpoint(path, resume=True)])
    assert caught.value.__notes__ == ["raised by the callback Checkpoint in on_fit_start"]


def everything(training):
    """All that a checkpoint holds of a training, as values."""
    state, _ = captured(training)
    return {name: state[name] for name in ("model", "optimizer", "callbacks", "random")}


def change(state, where, value):
    *way, last = where
    for step in way:
        state = state[step]
    state[last] = value


NAN = float("nan")
BAD_STATES = {
    "epochs NaN": (["epochs"], NAN, "got epochs=nan, expected 1 or more"),
    "epochs below 0": (["epochs"], -5, "got epochs=-5, expected 1 or more"),
    "epochs a fraction": (["epochs"], 1.5, r"got epochs=1\.5, expected 1 or more"),
    "steps": (["steps"], -1, "got steps=-1, expected 0 or more"),
    "history too short": (
        ["history", "train_loss"],
        [1.0],
        r"got the history \[1\.0\] of train_loss, expected a number for each of 3 epochs",
    ),
    "history of texts": (
        ["history", "train_loss"],
        ["a"] * 3,
        r"got the history \['a', 'a', 'a'\] of train_loss, expected a number for each of 3",
    ),
    "random": (["random"], [], r"got random=\[\], expected a dict"),
    "callbacks": (["callbacks"], [1, 2, 3], r"got callbacks=\[1, 2, 3\], expected pairs"),
    "a weight's shape": (["model", "weight"], td.zeros(1, 3), r"shape: weight has \(1, 3\) in the state"),
    "a weight's kind": (["model", "weight"], td.zeros(1, 2, dtype=td.complex64), "dtype: weight has complex64"),
    "a weight less": (["model"], {"bias": td.zeros(1)}, "missing .*: weight"),
    "step NaN": (["optimizer", "state", 0, "step"], td.tensor(NAN), "got nan, expected a whole number from 0 on"),
    "step below 0": (["optimizer", "state", 0, "step"], td.tensor(-1.0), "expected a whole number from 0 on"),
    "squares": (
        ["optimizer", "state", 1, "exp_avg_sq"],
        td.tensor([-1.0]),
        "got values below 0, expected a mean or sum of squares: 0 or more",
    ),
    "complex mean": (
        ["optimizer", "state", 1, "exp_avg"],
        td.tensor([1j]),
        "got complex64, expected real numbers, as the parameter is float32",
    ),
    "lr inf": (["optimizer", "param_groups", 0, "lr"], float("inf"), "got lr=inf, expected finite numbers"),
    "lr NaN": (["optimizer", "param_groups", 0, "lr"], NAN, "got lr=nan, expected finite numbers"),
    "betas": (
        ["optimizer", "param_groups", 0, "betas"],
        (0.9, NAN),
        r"got betas=\(0\.9, nan\), expected finite numbers",
    ),
    "no groups": (["optimizer", "param_groups"], 3, "got param_groups=3, expected a list of dicts with 'params'"),
    "state a list": (["optimizer", "state"], [], r"got state=\[\], expected a dict of dicts"),
    "gamma NaN": (["callbacks", 0, 1, "gamma"], NAN, "got gamma=nan, expected finite numbers"),
    "rates NaN": (["callbacks", 0, 1, "base_lrs"], [NAN], r"got base_lrs=\[nan\], expected finite numbers"),
    "too many rates": (["callbacks", 0, 1, "base_lrs"], [0.1, 0.1], "expected a number for each of 1 groups"),
    "last_epoch": (["callbacks", 0, 1, "last_epoch"], -5, "got last_epoch=-5, expected a whole number from -1 on"),
    "last_epoch NaN": (["callbacks", 0, 1, "last_epoch"], NAN, "got last_epoch=nan, expected finite numbers"),
    "best": (["callbacks", 1, 1, "best"], NAN, "got best=nan, expected a number"),
    "waited": (["callbacks", 1, 1, "waited"], -1, "got waited=-1, expected a number of epochs"),
    "best weights": (
        ["callbacks", 1, 1, "weights"],
        {"a": td.ones(2)},
        r"got weights=\{'a': tensor\(\[1\., 1\.\]\)\}, expected the model's names and shapes",
    ),
    "one's own callback": (["callbacks", 2, 1], {"half": 1}, "no other"),
    "the checkpoint's best": (["callbacks", 3, 1, "best"], "a", "Checkpoint.load_state_dict: got best='a'"),
    "a generator": (["random", "td.random"], {"bit_generator": "MT19937"}, ""),
    "the last generator": (["random", "random"], (3, (1, 2), None), ""),
}


class HalfLoaded(Callback):
    """Changes itself before it looks at what it was given."""

    def __init__(self):
        self.a = self.b = 1

    def state_dict(self):
        return {"a": self.a, "b": self.b}

    def load_state_dict(self, state_dict):
        self.a = 7
        if "b" not in state_dict:
            raise ValueError("no other half")
        self.a, self.b = state_dict["a"], state_dict["b"]


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_that_is_refused_changes_nothing_at_all(tmp_path, name):
    path = tmp_path / "run.npz"
    held = []

    class Hold(Callback):
        order = -1

        def on_fit_start(self, training):
            held[:] = [training, copy.deepcopy(everything(training))]

    def start(epochs, seed):
        td.manual_seed(seed)
        model = nn.Linear(2, 1)
        optimizer = td.optim.Adam(model.parameters(), lr=0.01)
        schedule = td.train.Schedule(td.optim.lr_scheduler.StepLR(optimizer, 2))
        callbacks = [schedule, EarlyStopping("train_loss"), HalfLoaded(), Checkpoint(path, resume=True), Hold()]
        return fit(model, nn.MSELoss(), optimizer, DATA, epochs=epochs, callbacks=callbacks)

    start(3, seed=0)
    state = td.load(path)
    where, value, said = BAD_STATES[name]
    change(state, where, value)
    td.save(state, path)
    with pytest.raises((ValueError, RuntimeError, TypeError, KeyError), match=said or None):
        start(6, seed=5)
    training, before = held
    assert training.epoch == training.steps == 0 and not any(training.history.values())
    training.callbacks[-1].load_state_dict({"best": before["callbacks"][-1][1]["best"]})
    assert same(everything(training), before)


def test_read_only_weights_and_complex_ones_are_refused_before_any_is_changed():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    frozen = np.ones((2, 2), np.float32)
    frozen.flags.writeable = False
    model[1].weight.data = frozen
    before = model[0].weight.tolist()
    state = {name: td.full(p.shape, 7.0) for name, p in model.state_dict().items()}
    with pytest.raises(RuntimeError, match=r"read-only: 1\.weight is an array .*; use assign=True"):
        model.load_state_dict(state)
    assert model[0].weight.tolist() == before
    model.load_state_dict(state, assign=True)
    assert model[1].weight.tolist() == [[7.0, 7.0], [7.0, 7.0]]
    state["1.weight"] = td.full((2, 2), 1j)
    with pytest.raises(RuntimeError, match=r"dtype: 1\.weight has complex64 in the state, float32 in the module"):
        model.load_state_dict(state)


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_options_that_are_no_finite_numbers(value):
    schedules = td.optim.lr_scheduler
    weights = [td.zeros(2, requires_grad=True)]
    for make in (td.optim.SGD, td.optim.Adam, td.optim.RMSprop, td.optim.Adagrad, td.optim.Adadelta):
        with pytest.raises(ValueError, match=f"{make.__name__}: got lr={value}, expected finite numbers"):
            make(weights, lr=value)
    optimizer = td.optim.SGD(weights, lr=0.1)
    for make in (
        lambda: schedules.StepLR(optimizer, 2, gamma=value),
        lambda: schedules.ExponentialLR(optimizer, value),
        lambda: schedules.CosineAnnealingLR(optimizer, 3, eta_min=value),
        lambda: schedules.ReduceLROnPlateau(optimizer, threshold=value),
        lambda: schedules.OneCycleLR(optimizer, value, total_steps=5),
        lambda: schedules.LambdaLR(optimizer, lambda epoch: value),
    ):
        with pytest.raises(ValueError, match="expected finite numbers"):
            make()
        assert optimizer.param_groups[0]["lr"] == 0.1
    later = schedules.LambdaLR(optimizer, lambda epoch: 1.0 if epoch < 1 else value)
    optimizer.step()
    with pytest.raises(ValueError, match=r"got the learning rates .* for epoch 1, expected finite numbers"):
        later.step()
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_chain_of_schedules_takes_all_its_states_or_none():
    schedules = td.optim.lr_scheduler
    optimizer = td.optim.SGD([td.zeros(2, requires_grad=True)], lr=0.1)
    chain = schedules.ChainedScheduler([schedules.ConstantLR(optimizer), schedules.ExponentialLR(optimizer, 0.9)])
    before = copy.deepcopy(chain.state_dict())
    state = copy.deepcopy(before)
    state["_schedulers"][0]["last_epoch"] = 3
    state["_schedulers"][1]["gamma"] = NAN
    with pytest.raises(ValueError, match="got gamma=nan, expected finite numbers"):
        chain.load_state_dict(state)
    assert chain.state_dict() == before


def test_path_and_best_are_two_files(tmp_path):
    (tmp_path / "link.npz").symlink_to("run.npz")
    with pytest.raises(ValueError, match=r"got one file for path and best, .*run\.npz, expected two"):
        train([Checkpoint(tmp_path / "run.npz", best=tmp_path / "link.npz")])


def test_a_damaged_file_is_an_error_and_not_a_new_start(tmp_path):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        train([Checkpoint(path, resume=True)])


def test_a_write_that_fails_leaves_the_file_before(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    train([Checkpoint(path)])
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinygrad_dl.npz.write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        train([Checkpoint(path)])
    assert caught.value.__notes__ == ["raised by the callback Checkpoint in on_epoch_end, epoch 1"]
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Checkpoint("run.pkl"), "got 'run.pkl', expected a path that ends in one of .pth, .pt,"),
        (lambda: Checkpoint("run.npz", best="best"), "got 'best'"),
        (lambda: Checkpoint("run.npz", every=0), "got every=0, expected 1 or more epochs"),
        (lambda: Checkpoint("run.npz", monitor="dev_accuracy"), "mode='min' or mode='max'"),
    ],
)
def test_options_out_of_range(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"got the folder .*missing, expected one that is there; make it first"):
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


@pytest.mark.parametrize("state", [{}, {"bit_generator": "MT19937"}, None, 3, {"bit_generator": "SFC64", "state": 1}])
def test_a_generator_refuses_what_is_no_state_of_it(state):
    generator = td.Generator().manual_seed(3)
    whole = generator.get_state()
    for bad in (state, {**whole, "state": {"state": np.array([1, 2, 3], np.uint64)}}):
        with pytest.raises(ValueError, match=r"Generator\.set_state: got .*, expected what get_state returned"):
            generator.set_state(bad)
    assert td.equal(td.rand(3, generator=generator), td.rand(3, generator=td.Generator().manual_seed(3)))
