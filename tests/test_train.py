"""The training loop: what it computes, what it refuses, and what it leaves behind when something fails."""

from __future__ import annotations

import io
import math
import multiprocessing

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.train import (
    Callback,
    ClipGradients,
    EarlyStopping,
    Progress,
    Schedule,
    TensorBoard,
    evaluate,
    fit,
    predict,
)
from tinygrad_dl.train.callback import HOOKS


def problem(samples=50, batch=16):
    """Batches of a small classification problem, the last one smaller."""
    generator = td.Generator().manual_seed(3)
    x = td.randn(samples, 4, generator=generator)
    y = (x[:, 0] > x[:, 1]).long()
    return list(zip(x.split(batch), y.split(batch), strict=True))


def parts(seed=0, lr=0.1):
    """A model, a loss and an optimiser."""
    td.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    return model, nn.CrossEntropyLoss(), td.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def accuracy(output, target):
    return (output.argmax(1) == target).float().mean()


class Named(Callback):
    """Notes each hook that is called."""

    def __init__(self):
        self.calls = []


for hook in (*HOOKS, "teardown"):
    setattr(Named, hook, lambda self, training, hook=hook: self.calls.append(hook))


# -- what it computes ------------------------------------------------------------------------------------


def test_it_is_the_plain_loop():
    train, dev = problem(), problem(20)
    model, loss_of, optimizer = parts()
    history = fit(model, loss_of, optimizer, train, dev, epochs=3, metrics={"accuracy": accuracy})

    plain, loss_of, optimizer = parts()
    for epoch in range(3):
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = loss_of(plain(x), y)
            loss.backward()
            optimizer.step()
            total += len(x) * loss.item()
        assert history["train_loss"][epoch] == pytest.approx(total / 50, rel=1e-12)
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        assert td.equal(a, b)
    x, y = (td.cat(values) for values in zip(*dev, strict=True))
    with td.no_grad():
        output = plain.eval()(x)
    assert history["dev_loss"][-1] == pytest.approx(loss_of(output, y).item(), rel=1e-6)
    assert history["dev_accuracy"][-1] == pytest.approx(accuracy(output, y).item(), rel=1e-6)
    assert list(history) == ["train_loss", "train_accuracy", "dev_loss", "dev_accuracy"]
    assert history.stopped is None and history.kept is None


def test_every_module_is_left_in_the_mode_in_which_it_came():
    model, loss, optimizer = parts()
    model.train()
    model[2].eval()
    fit(model, loss, optimizer, problem(), problem(), epochs=1)
    evaluate(model, problem(), loss)
    predict(model, problem())
    assert [module.training for module in model.modules()] == [True, True, True, False, True]


def test_the_order_of_hooks():
    model, loss, optimizer = parts()
    named = Named()
    fit(model, loss, optimizer, problem(32), epochs=2, callbacks=[named])
    step = ["on_before_step", "on_batch_end"]
    epoch = ["on_epoch_start", *step, *step, "on_epoch_end"]
    assert named.calls == ["on_fit_start", *epoch, *epoch, "on_fit_end", "teardown"]


def test_arrays_and_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, a, b):
            return self.layer(a + b)

    model = Sum()
    ones = np.ones((3, 2), np.float32)
    data = [((ones, ones), np.ones((3, 1), np.float32))]
    history = fit(model, nn.MSELoss(), td.optim.Adam(model.parameters()), data, epochs=2)
    assert len(history["train_loss"]) == 2
    assert predict(model, data).shape == (3, 1)


def test_predict_takes_inputs_alone():
    model = nn.Linear(4, 2)
    x = td.randn(5, 4)
    whole = predict(model, x)
    assert not whole.requires_grad and whole.shape == (5, 2)
    assert td.equal(predict(model, x.numpy()), whole)
    assert td.allclose(predict(model, list(x.split(2))), whole)


def test_a_second_fit_begins_a_history_of_its_own():
    model, loss, optimizer = parts()
    first = fit(model, loss, optimizer, problem(), epochs=2)
    second = fit(model, loss, optimizer, problem(), epochs=2)
    assert len(first["train_loss"]) == len(second["train_loss"]) == 2


# -- callbacks -------------------------------------------------------------------------------------------


class Pretend(Callback):
    """Puts given numbers in the place of the measured ones."""

    def __init__(self, *values, name="dev_loss"):
        self.values, self.name, self.weights = values, name, []

    def on_epoch_end(self, training):
        training.history[self.name][-1] = self.values[training.epoch]
        self.weights.append([p.clone() for p in training.model.parameters()])


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping(restore):
    model, loss, optimizer = parts()
    pretend = Pretend(3.0, 1.0, 2.0, 0.95, 5.0)
    stopping = EarlyStopping(patience=2, min_delta=0.1, restore_best=restore)
    history = fit(model, loss, optimizer, problem(), problem(), epochs=5, callbacks=[pretend, stopping])
    assert history.stopped == "dev_loss has not got better for 2 epochs"
    assert len(history["dev_loss"]) == 4
    assert history.kept == (1 if restore else None)
    for now, then in zip(model.parameters(), pretend.weights[1 if restore else 3], strict=True):
        assert td.equal(now, then)


def test_early_stopping_on_a_metric_and_on_nan():
    model, loss, optimizer = parts()
    callbacks = [Pretend(0.5, 0.6, math.nan, 0.55, name="dev_accuracy"), EarlyStopping("dev_accuracy", 2, mode="max")]
    options = {"epochs": 9, "metrics": {"accuracy": accuracy}, "callbacks": callbacks}
    history = fit(model, loss, optimizer, problem(), problem(), **options)
    assert len(history["dev_loss"]) == 4 and history.kept == 1


def test_schedules():
    model, loss, optimizer = parts(lr=1.0)
    rates = []

    class Rates(Callback):
        def on_epoch_start(self, training):
            rates.append(optimizer.param_groups[0]["lr"])

    by_batch = Schedule(td.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.5), every="batch")
    fit(model, loss, optimizer, problem(32), epochs=5, callbacks=[Rates(), by_batch])
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]
    model, loss, optimizer = parts(lr=1.0)
    rates.clear()
    plateau = Schedule(td.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5))
    callbacks = [Rates(), Pretend(1.0, 1.0, 0.5, 0.5), plateau]
    fit(model, loss, optimizer, problem(), problem(), epochs=4, callbacks=callbacks)
    assert rates == [1.0, 1.0, 0.5, 0.5] and optimizer.param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("clip", [ClipGradients(max_norm=0.01), ClipGradients(max_value=0.01)])
def test_clipping(clip):
    class Norms(Callback):
        def on_before_step(self, training):
            gradients = td.cat([p.grad.reshape(-1) for p in training.model.parameters()])
            found = gradients.norm() if clip.max_norm else gradients.abs().max()
            assert found.item() <= 0.01 * (1 + 1e-5)

    model, loss, optimizer = parts()
    fit(model, loss, optimizer, problem(), epochs=1, callbacks=[clip, Norms()])


def test_the_progress_bar_says_what_is_going_on():
    model, loss, optimizer = parts()
    text = io.StringIO()
    bar = Progress(file=text, mininterval=0, ncols=200)
    fit(model, loss, optimizer, problem(), problem(), epochs=2, callbacks=[bar])
    shown = text.getvalue()
    for piece in ("epoch 1/2", "epoch 2/2", "8/8", "loss=", "dev_loss=", "batch/s", "<00:"):
        assert piece in shown, piece
    assert bar.bar is None


def test_progress_without_a_length():
    class Stream:
        def __iter__(self):
            return iter(problem())

    model, loss, optimizer = parts()
    text = io.StringIO()
    fit(model, loss, optimizer, Stream(), Stream(), epochs=2, callbacks=[Progress(file=text, mininterval=0)])
    assert "8batch" in text.getvalue()


@pytest.mark.parametrize("histograms", [False, True])
def test_tensorboard_files(tmp_path, histograms):
    model, loss, optimizer = parts()
    board = TensorBoard(tmp_path / "run", histograms)
    fit(model, loss, optimizer, problem(), problem(), epochs=2, callbacks=[board])
    (file,) = (tmp_path / "run").iterdir()
    content = file.read_bytes()
    for tag in (b"loss/train", b"loss/dev", b"lr/0"):
        assert content.count(tag) == 2
    assert (b"0.weight/gradient" in content) == histograms


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_histograms_of_weights_that_are_no_numbers(tmp_path, value):
    class Spoil(Callback):
        order = -1

        def on_epoch_end(self, training):
            with td.no_grad():
                training.model[0].weight[0] = value
                training.model[0].bias[...] = value
            training.model[3].weight.grad = td.full(training.model[3].weight.shape, -value)

    model, loss, optimizer = parts()
    board = TensorBoard(tmp_path / "run", histograms=True)
    history = fit(model, loss, optimizer, problem(), epochs=1, callbacks=[Spoil(), board], stop_on_nan=False)
    assert len(history["train_loss"]) == 1
    (file,) = (tmp_path / "run").iterdir()
    content = file.read_bytes()
    for name in (b"not_finite/0.weight/value", b"not_finite/0.bias/value", b"not_finite/3.weight/gradient"):
        assert name in content
    assert b"not_finite/3.weight/value" not in content and content.count(b"0.weight/value") == 2


def test_an_exception_of_a_callback_is_the_one_that_was_raised():
    """A study of trials (Optuna's, for one) ends a trial by an exception of its own, which it must know again."""

    class TrialPruned(Exception):
        pass

    pruned = TrialPruned("worse than the others")

    class Prune(Callback):
        def on_epoch_end(self, training):
            if training.epoch == 1:
                raise pruned

    model, loss, optimizer = parts()
    with pytest.raises(TrialPruned) as caught:
        fit(model, loss, optimizer, problem(), epochs=3, callbacks=Prune())
    assert caught.value is pruned
    assert pruned.__notes__ == ["raised by the callback Prune in on_epoch_end, epoch 2"]


def test_a_study_prunes_its_trials():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    class Prune(Callback):
        def on_epoch_end(self, training):
            raise optuna.TrialPruned("seen enough")

    def objective(trial):
        model, loss, optimizer = parts(lr=trial.suggest_float("lr", 1e-3, 1e-1))
        fit(model, loss, optimizer, problem(), epochs=3, callbacks=[Prune()])

    study = optuna.create_study()
    study.optimize(objective, n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "PRUNED"]


def test_one_callback_and_numpy_s_numbers_of_epochs():
    model, loss, optimizer = parts()
    named = Named()
    history = fit(model, loss, optimizer, problem(), epochs=np.int64(2), callbacks=named)
    assert len(history["train_loss"]) == 2 and named.calls[-1] == "teardown"
    assert len(fit(model, loss, optimizer, problem(), epochs=1, callbacks=None)["train_loss"]) == 1
    with pytest.raises(TypeError, match=r"got metrics=\['accuracy'\], expected a dict of functions by name, such as"):
        evaluate(model, problem(), loss, ["accuracy"])


@pytest.mark.parametrize(
    ("module", "make", "said"),
    [
        ("tqdm", Progress, "Progress needs tqdm; install it with: pip install 'tinygrad_dl[progress]'"),
        (
            "tensorboardX",
            lambda: TensorBoard("runs"),
            "TensorBoard needs tensorboardX; install it with: pip install 'tinygrad_dl[tensorboard]'",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(module, make, said, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ImportError) as caught:
        make()
    assert str(caught.value) == said


# -- what it refuses -------------------------------------------------------------------------------------


def refused(kind, said, train=None, dev=None, model=None, optimizer=None, loss=None, epochs=1, **options):
    own, own_loss, own_optimizer = parts()
    before = [p.clone() for p in own.parameters()]
    with pytest.raises(kind) as caught:
        fit(
            model or own,
            loss or own_loss,
            optimizer or own_optimizer,
            problem() if train is None else train,
            dev,
            epochs=epochs,
            **options,
        )
    assert said in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert all(td.equal(a, b) for a, b in zip(before, own.parameters(), strict=True)), "a step was made"
    return caught.value


class Empty:
    def __iter__(self):
        return iter(())


REFUSED = {
    "empty train": (ValueError, "fit: train: got no batch at all; is the dataset empty", {"train": []}),
    "empty dev": (ValueError, "fit: dev: got no batch at all", {"dev": []}),
    "stream train": (ValueError, "fit: train: got no batch at all", {"train": Empty()}),
    "stream dev": (ValueError, "fit: dev: got no batch at all", {"dev": Empty()}),
    "dropped": (
        ValueError,
        "smaller than one batch with drop_last=True",
        {"train": td.data.DataLoader(td.data.TensorDataset(td.ones(3, 4)), 8, drop_last=True)},
    ),
    "iterator": (TypeError, "got a list_iterator, which can be gone through only once,", {"train": iter([])}),
    "tensor": (TypeError, "expected batches of (input, target), got a Tensor", {"train": td.ones(3, 4)}),
    "no pair": (TypeError, "batch 1 of train: expected a pair (input, target), got a list of 1", {"train": [[1]]}),
    "epochs": (ValueError, "got epochs=0, expected 1 or more", {"epochs": 0}),
    "epochs, fraction": (TypeError, "got epochs=1.5, expected an integer", {"epochs": 1.5}),
    "model": (TypeError, "got a function for model, expected an nn.Module", {"model": lambda x: x}),
    "loss class": (TypeError, "got the class MSELoss for loss, expected a function of", {"loss": nn.MSELoss}),
    "optimizer": (TypeError, "got a type for optimizer, expected one such as", {"optimizer": td.optim.SGD}),
    "another model's": (
        ValueError,
        "got an optimiser with none of the model's parameters, expected one made with",
        {"optimizer": td.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)},
    ),
    "metric": (TypeError, "got metrics['a']=1, expected a function of (output, target) under", {"metrics": {"a": 1}}),
    "metric loss": (TypeError, "metrics['loss']", {"metrics": {"loss": accuracy}}),
    "callback class": (TypeError, "got the class EarlyStopping", {"callbacks": [EarlyStopping]}),
    "no reduction": (
        ValueError,
        "got shape (16,) from it, expected one number: the mean over the batch",
        {"loss": nn.CrossEntropyLoss(reduction="none")},
    ),
    "loss of nothing": (TypeError, "got a NoneType from it, expected one number", {"loss": lambda o, t: None}),
    "monitor": (
        ValueError,
        "got monitor='dev_loss', which is not measured, expected one of ['train_loss']",
        {"callbacks": [EarlyStopping("dev_loss")]},
    ),
    "nothing to watch": (ValueError, "got no dev set to watch, expected one in fit", {"callbacks": EarlyStopping()}),
    "metric names": (
        TypeError,
        "got metrics=['accuracy'], expected a dict of functions by name, such as",
        {"metrics": ["accuracy"]},
    ),
}


@pytest.mark.parametrize(("kind", "said", "options"), REFUSED.values(), ids=REFUSED)
def test_refused_before_any_step(kind, said, options):
    refused(kind, said, **options)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: EarlyStopping(patience=0), "got patience=0, expected 1 or more epochs"),
        (lambda: EarlyStopping("dev_accuracy"), "got monitor='dev_accuracy' without mode, expected mode='min' or"),
        (lambda: EarlyStopping(mode="best"), "got mode='best', expected 'min' or 'max'"),
        (lambda: EarlyStopping(min_delta=-1.0), "got min_delta=-1.0, expected 0 or more"),
        (lambda: ClipGradients(), "expected one limit above 0, got max_norm=None and max_value=None"),
        (lambda: ClipGradients(1.0, 1.0), "got max_norm=1.0 and max_value=1.0"),
        (lambda: ClipGradients(max_norm=0.0), "one limit above 0"),
        (lambda: Schedule(None), "expected one of td.optim.lr_scheduler, got None"),
        (lambda: Schedule(td.optim.lr_scheduler.StepLR(parts()[2], 1), every="step"), "got every='step', expected"),
        (lambda: Schedule(td.optim.lr_scheduler.ReduceLROnPlateau(parts()[2]), every="batch"), "got every='batch'"),
    ],
)
def test_callbacks_out_of_range(make, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert said in str(caught.value)


def test_a_schedule_of_another_optimiser():
    schedule = Schedule(td.optim.lr_scheduler.StepLR(parts()[2], 1))
    refused(ValueError, "got a scheduler of another optimiser, expected one made with the", callbacks=[schedule])


def test_a_batch_of_another_shape_names_the_layer():
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)
    data = [problem()[0], (td.ones(5, 3), td.zeros(5).long())]
    error = refused(ValueError, "expected in_features=4", model=model, optimizer=optimizer, train=data)
    said = "\n".join([str(error), *error.__notes__])
    assert "an input of shape (5, 3)" in said
    assert "in module Linear(in_features=4, out_features=2, bias=True) at Sequential.1.1" in said
    assert "in epoch 1, batch 2 of train: input float32[5, 3], target int64[5]" in said
    error = refused(ValueError, "in batch 1 of dev", model=model, optimizer=optimizer, train=data[:1], dev=data[1:])


def test_a_loss_that_is_no_number():
    bad = [(td.full((4, 4), math.nan), td.zeros(4).long())]
    error = refused(FloatingPointError, "the loss of batch 1 in epoch 1 is nan (no step was taken yet)", train=bad)
    assert "ClipGradients" in str(error) and "stop_on_nan=False" in str(error)
    model, loss, optimizer = parts()
    history = fit(model, loss, optimizer, bad, epochs=2, stop_on_nan=False)
    assert all(math.isnan(value) for value in history["train_loss"])
    model, loss, optimizer = parts()
    with pytest.raises(FloatingPointError, match="the dev loss in epoch 1 is nan"):
        fit(model, loss, optimizer, problem(), bad, epochs=2)


# -- what it leaves behind -------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [*HOOKS, "teardown"])
def test_a_callback_that_raises(hook):
    kind = type("Mine", (Callback,), {hook: lambda self, training: {}["mine"]})
    named, text = Named(), io.StringIO()
    bar = Progress(file=text)
    model, loss, optimizer = parts()
    model.eval()
    with pytest.raises(KeyError, match="'mine'") as caught:
        fit(model, loss, optimizer, problem(), problem(), epochs=2, callbacks=[named, bar, kind()])
    (note,) = caught.value.__notes__
    epoch = "" if hook in ("on_fit_start", "on_fit_end", "teardown") else ", epoch 1"
    assert note == f"raised by the callback Mine in {hook}{epoch}"
    assert named.calls[-1] == "teardown" and bar.bar is None
    assert not model.training


def test_an_error_in_teardown_does_not_hide_the_first():
    kind = type("Mine", (Callback,), {"teardown": lambda self, training: 1 / 0})
    model, loss, optimizer = parts()
    with pytest.raises(TypeError, match="expected a pair") as caught:
        fit(model, loss, optimizer, [[1]], epochs=1, callbacks=[kind()])
    said = "and then ZeroDivisionError: division by zero (raised by the callback Mine in teardown)"
    assert said in caught.value.__notes__


@pytest.mark.parametrize("where", ["callback", "model", "none"])
def test_no_worker_process_is_left_behind(where):
    x, y = (td.cat(values) for values in zip(*problem(), strict=True))
    loader = td.data.DataLoader(td.data.TensorDataset(x, y), 5, num_workers=2)
    before = set(multiprocessing.active_children())
    model, loss, optimizer = parts()
    if where == "none":
        fit(model, loss, optimizer, loader, epochs=1)
    elif where == "model":
        model[3] = nn.Linear(3, 2)
        with pytest.raises(ValueError) as held:  # the traceback keeps the loop's frame, and the loader's pass in it
            fit(model, loss, optimizer, loader, epochs=1)
        assert held.value.__traceback__ is not None
    else:
        kind = type("Mine", (Callback,), {"on_batch_end": lambda self, training: 1 / 0})
        with pytest.raises(ZeroDivisionError) as held:
            fit(model, loss, optimizer, loader, epochs=1, callbacks=[kind()])
        assert held.value.__traceback__ is not None
    assert set(multiprocessing.active_children()) <= before


def test_an_interrupt_passes_through():
    def interrupt(self, training):
        raise KeyboardInterrupt

    named = Named()
    kind = type("Mine", (Callback,), {"on_batch_end": interrupt})
    model, loss, optimizer = parts()
    with pytest.raises(KeyboardInterrupt):
        fit(model, loss, optimizer, problem(), epochs=1, callbacks=[named, kind()])
    assert named.calls[-1] == "teardown"
