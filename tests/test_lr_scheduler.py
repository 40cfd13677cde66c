"""Learning-rate schedules: their rates, resuming, the warning about order, and what they refuse."""

from __future__ import annotations

import math
import warnings

import pytest

import tinygrad_dl as td
from tinygrad_dl.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from tinygrad_dl.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn, update_bn


def optimizer(*rates):
    return td.optim.SGD([{"params": [td.zeros(1, requires_grad=True)], "lr": lr} for lr in rates or (1.0,)])


def rates(scheduler, epochs):
    found = [scheduler.get_last_lr()]
    for _ in range(epochs):
        scheduler.optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr())
    return found


def test_step():
    assert rates(StepLR(optimizer(1.0, 2.0), 2, 0.5), 4) == [[1, 2], [1, 2], [0.5, 1], [0.5, 1], [0.25, 0.5]]


def test_exponential():
    assert rates(ExponentialLR(optimizer(), 0.5), 3) == [[1], [0.5], [0.25], [0.125]]


def test_cosine_down_and_up_again():
    found = rates(CosineAnnealingLR(optimizer(1.0), 5, eta_min=0.2), 20)
    expected = [0.2 + 0.8 * (1 + math.cos(math.pi * epoch / 5)) / 2 for epoch in range(21)]
    assert [lr for (lr,) in found] == pytest.approx(expected, abs=1e-12)


def test_changes_from_elsewhere_are_kept():
    scheduler = ExponentialLR(optimizer(), 0.5)
    scheduler.optimizer.param_groups[0]["lr"] = 8.0
    assert rates(scheduler, 1)[-1] == [4.0]


def test_plateau():
    scheduler = ReduceLROnPlateau(optimizer(1.0, 0.2), factor=0.5, patience=1, min_lr=[0, 0.15])
    found = []
    for metric in (1.0, 1.0, td.tensor(1.0), 0.5, math.nan, 0.5):
        scheduler.step(metric)
        found.append(scheduler.get_last_lr())
    assert found == [[1, 0.2], [1, 0.2], [0.5, 0.15], [0.5, 0.15], [0.5, 0.15], [0.25, 0.15]]


def test_plateau_after_a_group_was_added():
    scheduler = ReduceLROnPlateau(optimizer(), patience=0)
    scheduler.optimizer.add_param_group({"params": td.zeros(2, requires_grad=True)})
    for metric in (1.0, 1.0):
        scheduler.step(metric)
    assert scheduler.get_last_lr() == pytest.approx([0.1, 1e-4])
    listed = ReduceLROnPlateau(optimizer(), patience=0, min_lr=[0.1])
    listed.optimizer.add_param_group({"params": td.zeros(2, requires_grad=True)})
    listed.step(1.0)
    with pytest.raises(RuntimeError, match="got 1 rates in min_lr, expected one for each of the optimiser's 2 groups"):
        listed.step(1.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 3, 0.5),
        lambda o: ExponentialLR(o, 0.9),
        lambda o: CosineAnnealingLR(o, 6),
        lambda o: MultiStepLR(o, [2, 6]),
        lambda o: ConstantLR(o, 0.5, 6),
        lambda o: LinearLR(o, 0.5, 0.9, 7),
        lambda o: PolynomialLR(o, 20),
        lambda o: LambdaLR(o, lambda epoch: 0.9**epoch),
        lambda o: MultiplicativeLR(o, lambda epoch: 0.9),
        lambda o: CosineAnnealingWarmRestarts(o, 2, 2),
        lambda o: OneCycleLR(o, 1.0, 12, cycle_momentum=False),
        lambda o: SequentialLR(o, [ConstantLR(o, 0.5, 3), StepLR(o, 2)], [6]),
        lambda o: ChainedScheduler([ConstantLR(o, 0.5, 6), ExponentialLR(o, 0.9)]),
        lambda o: CyclicLR(o, 0.1, 1.0, 3, 2, "triangular2", cycle_momentum=False),
        lambda o: SWALR(o, 0.1, 6),
        lambda o: SequentialLR(
            o, [ConstantLR(o, 0.5, 3), SequentialLR(o, [StepLR(o, 2), ExponentialLR(o, 0.5)], [3])], [2]
        ),
    ],
)
def test_a_saved_state_goes_on_the_same(make):
    whole = [lr for (lr,) in rates(make(optimizer()), 10)]
    first = make(optimizer())
    start = [lr for (lr,) in rates(first, 4)]
    second = make(optimizer(7.0))
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert start + [lr for (lr,) in rates(second, 6)][1:] == pytest.approx(whole)
    assert "optimizer" not in first.state_dict()


def test_a_saved_plateau_goes_on_the_same():
    first, second = ReduceLROnPlateau(optimizer(), patience=2), ReduceLROnPlateau(optimizer(), mode="max")
    for metric in (1.0, 2.0, 2.0):
        first.step(metric)
    second.load_state_dict(first.state_dict())
    second.step(2.0)
    assert second.get_last_lr() == pytest.approx([0.1])


def test_resuming_needs_the_first_rate():
    with pytest.raises(
        KeyError, match="group 0 has no 'initial_lr', which resuming at an epoch needs: got last_epoch=3"
    ):
        StepLR(optimizer(), 2, last_epoch=3)


def test_the_order_of_the_steps():
    scheduler = StepLR(optimizer(), 2)
    with pytest.warns(UserWarning, match=r"scheduler\.step\(\) was called before optimizer\.step\(\)"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates(StepLR(optimizer(), 2), 3)


CONSTANT = {"a": 0.1, "b": 0.2, "c": 0.3}


def constant(o, name):
    return ConstantLR(o, CONSTANT[name], 100)


def halving(o):
    return ExponentialLR(o, 0.5)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        # A sequence inside of one, at each place, begins when its turn comes.
        (
            lambda o: SequentialLR(
                o, [SequentialLR(o, [constant(o, "a"), constant(o, "b")], [2]), constant(o, "c")], [5]
            ),
            [0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3],
        ),
        (
            lambda o: SequentialLR(
                o, [constant(o, "c"), SequentialLR(o, [constant(o, "a"), constant(o, "b")], [2])], [3]
            ),
            [0.3, 0.3, 0.3, 0.1, 0.1, 0.2, 0.2],
        ),
        (
            lambda o: SequentialLR(
                o,
                [
                    constant(o, "c"),
                    SequentialLR(o, [constant(o, "a"), SequentialLR(o, [halving(o), constant(o, "b")], [2])], [1]),
                ],
                [2],
            ),
            [0.3, 0.3, 0.1, 1.0, 0.5, 0.2, 0.2],
        ),
        # The changes of chained schedules come together, at each place.
        (
            lambda o: SequentialLR(o, [ChainedScheduler([halving(o), constant(o, "a")]), constant(o, "c")], [3]),
            [0.1, 0.05, 0.025, 0.3, 0.3],
        ),
        (
            lambda o: SequentialLR(o, [constant(o, "c"), ChainedScheduler([halving(o), constant(o, "a")])], [2]),
            [0.3, 0.3, 0.1, 0.05, 0.025],
        ),
        (lambda o: ChainedScheduler([ChainedScheduler([halving(o)]), halving(o)]), [1.0, 0.25, 0.0625]),
        (
            lambda o: SequentialLR(o, [constant(o, "c"), CosineAnnealingWarmRestarts(o, 2), halving(o)], [2, 5]),
            [0.3, 0.3, 1.0, 0.5, 1.0, 1.0, 0.5],
        ),
    ],
)
def test_schedules_in_schedules(make, expected):
    found = [lr for (lr,) in rates(make(optimizer()), len(expected) - 1)]
    assert found == pytest.approx(expected)


def test_going_to_an_epoch():
    scheduler = StepLR(optimizer(), 2, 0.5)
    scheduler.optimizer.step()
    with pytest.warns(UserWarning, match=r"scheduler\.step\(epoch\) is deprecated"):
        scheduler.step(5)
    assert (scheduler.get_last_lr(), scheduler.last_epoch) == ([0.25], 5)
    plateau = ReduceLROnPlateau(optimizer(), patience=0)
    with pytest.warns(UserWarning, match="is deprecated"):
        plateau.step(1.0, 7)
    assert plateau.last_epoch == 7


def test_asking_for_the_next_rates_warns():
    scheduler = ExponentialLR(optimizer(), 0.5)
    with pytest.warns(UserWarning, match=r"ExponentialLR\.get_lr\(\) gives the next rates, not those that were set"):
        assert scheduler.get_lr() == [0.5]
    assert scheduler.get_last_lr() == [1.0]


def test_a_rate_that_is_a_tensor_is_changed_in_place():
    lr = td.tensor(1.0)
    o = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=lr)
    scheduler = ExponentialLR(o, 0.5)
    assert rates(scheduler, 2) == [[1.0], [0.5], [0.25]]
    assert o.param_groups[0]["lr"] is lr and lr.item() == 0.25 and o.param_groups[0]["initial_lr"] == 1.0


def test_cycles_with_momentum():
    o = td.optim.SGD([td.zeros(1, requires_grad=True)], lr=7.0, momentum=0.5)
    scheduler = CyclicLR(o, 0.0, 1.0, step_size_up=2, step_size_down=1, mode="triangular2")
    found = []
    for _ in range(6):
        found.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        o.step()
        scheduler.step()
    assert [lr for lr, _ in found] == pytest.approx([0, 0.5, 1, 0, 0.25, 0.5])
    assert [momentum for _, momentum in found] == pytest.approx([0.9, 0.85, 0.8, 0.9, 0.875, 0.85])


def test_averages():
    model = td.nn.Linear(1, 1, bias=False)
    means = AveragedModel(model), AveragedModel(model, avg_fn=get_ema_avg_fn(0.5))
    for value in (1.0, 3.0, 5.0):
        td.nn.init.constant_(model.weight, value)
        for mean in means:
            mean.update_parameters(model)
    assert [mean(td.ones(1, 1)).item() for mean in means] == [3.0, 3.5]
    assert means[0].n_averaged.item() == 3 and "n_averaged" in means[0].state_dict()
    again = AveragedModel(model)
    again.load_state_dict(means[0].state_dict())
    again.update_parameters(model)
    assert again.module.weight.item() == 3.5
    with pytest.raises(ValueError, match="got both avg_fn and multi_avg_fn, expected one"):
        AveragedModel(model, avg_fn=get_ema_avg_fn(), multi_avg_fn=get_ema_multi_avg_fn())
    with pytest.raises(ValueError, match=r"got decay=1\.5, expected a number from 0 to 1"):
        get_ema_multi_avg_fn(1.5)


def test_update_bn_leaves_modes_and_momenta_as_they_were():
    model = td.nn.Sequential(td.nn.BatchNorm1d(1, momentum=0.3), td.nn.InstanceNorm1d(1, track_running_stats=True))
    model.eval()

    def batches():
        yield td.tensor([[[1.0, 3.0]]]), "label"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        update_bn(batches(), model)
    assert not model.training and model[0].momentum == 0.3
    assert model[0].running_mean.tolist() == [2.0] and model[1].momentum == 0.1
    model = td.nn.SyncBatchNorm(1)  # of this base too
    update_bn([td.tensor([[1.0], [3.0]])], model)
    assert model.running_mean.tolist() == [2.0]
    update_bn([], td.nn.Linear(1, 1))


def test_a_schedule_of_ones_own():
    class Linear(LRScheduler):
        def get_lr(self):
            return [lr * (1 - self.last_epoch / 4) for lr in self.base_lrs]

    assert rates(Linear(optimizer(4.0)), 3) == [[4], [3], [2], [1]]
    with pytest.raises(NotImplementedError, match="got a schedule without get_lr, expected one that returns a rate"):
        LRScheduler(optimizer())


def test_refusals():
    with pytest.raises(TypeError, match="StepLR: expected an optimiser, got a list"):
        StepLR([], 2)
    with pytest.raises(TypeError, match="ReduceLROnPlateau: expected an optimiser, got a int"):
        ReduceLROnPlateau(3)
    with pytest.raises(ValueError, match="got step_size=0, expected 1 or more epochs"):
        StepLR(optimizer(), 0)
    with pytest.raises(ValueError, match="got T_max=0, expected 1 or more epochs"):
        CosineAnnealingLR(optimizer(), 0)
    with pytest.raises(ValueError, match=r"got factor=1\.5, expected less than 1"):
        ReduceLROnPlateau(optimizer(), factor=1.5)
    with pytest.raises(ValueError, match="got mode='least', expected 'min' or 'max'"):
        ReduceLROnPlateau(optimizer(), "least")
    with pytest.raises(ValueError, match="got threshold_mode='x', expected 'rel' or 'abs'"):
        ReduceLROnPlateau(optimizer(), threshold_mode="x")
    with pytest.raises(ValueError, match="got 2 values in min_lr, expected one for each of 1 parameter groups"):
        ReduceLROnPlateau(optimizer(), min_lr=[0, 0])
    with pytest.raises(ValueError, match=r"unknown entries \['T_max', 'eta_min'\].*was it saved by another schedule"):
        StepLR(optimizer(), 2).load_state_dict(CosineAnnealingLR(optimizer(), 2).state_dict())


class Halving:
    """A factor with a memory of its own."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 0.5**self.calls


def test_the_state_of_a_factor_is_saved():
    first, second = LambdaLR(optimizer(), Halving()), LambdaLR(optimizer(), Halving())
    rates(first, 3)
    saved = first.state_dict()
    assert saved["lr_lambdas"] == [{"calls": 4}] and LambdaLR(optimizer(), abs).state_dict()["lr_lambdas"] == [None]
    second.load_state_dict(saved)
    second.optimizer.step()
    second.step()
    assert second.get_last_lr() == pytest.approx([0.5**5])


def test_one_cycle_ends():
    scheduler = OneCycleLR(optimizer(), 1.0, 3, cycle_momentum=False)
    rates(scheduler, 3)
    with pytest.raises(ValueError, match="got step 4, expected at most 3"):
        scheduler.step()
    whole = OneCycleLR(optimizer(), 1.0, epochs=2, steps_per_epoch=5, cycle_momentum=False)
    assert whole.total_steps == 10


def test_refusals_of_more_schedules():
    o = optimizer()
    plateau = ReduceLROnPlateau(o)
    for match, make in {
        r"got factor=1\.5, expected a number from 0 to 1": lambda: ConstantLR(o, 1.5),
        "LinearLR: got start_factor=0,": lambda: LinearLR(o, 0),
        r"LinearLR: got end_factor=1\.5,": lambda: LinearLR(o, end_factor=1.5),
        "PolynomialLR: got total_iters=0,": lambda: PolynomialLR(o, 0),
        "LambdaLR: got 2 functions in lr_lambda, expected one for each of 1": lambda: LambdaLR(o, [abs, abs]),
        "got T_0=0, expected an integer": lambda: CosineAnnealingWarmRestarts(o, 0),
        r"got T_mult=1\.5, expected an integer": lambda: CosineAnnealingWarmRestarts(o, 1, 1.5),
        "expected an epoch of 0 or more, got -1": lambda: CosineAnnealingWarmRestarts(o, 2).step(-1),
        "got no total_steps, expected it, or both": lambda: OneCycleLR(o, 1.0, epochs=3),
        "got total_steps=0": lambda: OneCycleLR(o, 1.0, 0),
        "got pct_start=2": lambda: OneCycleLR(o, 1.0, 5, pct_start=2),
        "got anneal_strategy='log'": lambda: OneCycleLR(o, 1.0, 5, anneal_strategy="log"),
        "SWALR: got anneal_strategy='log'": lambda: SWALR(o, 1.0, 5, "log"),
        "SWALR: got anneal_epochs=-1": lambda: SWALR(o, 1.0, -1),
        "CyclicLR: got mode='x' and no scale_fn": lambda: CyclicLR(o, 0.1, 1.0, mode="x"),
        "CyclicLR: got scale_mode='x'": lambda: CyclicLR(o, 0.1, 1.0, scale_mode="x"),
        "CyclicLR: got step_size_up=0 and step_size_down=None": lambda: CyclicLR(o, 0.1, 1.0, 0),
        "got 2 values in max_lr, expected one for each of 1": lambda: OneCycleLR(o, [1.0, 2.0], 5),
        "got Adagrad, which has neither momentum nor betas": lambda: OneCycleLR(
            td.optim.Adagrad([td.zeros(2, requires_grad=True)]), 1.0, 5
        ),
        "ChainedScheduler: got no schedules": lambda: ChainedScheduler([]),
        "got a ReduceLROnPlateau as item 0": lambda: ChainedScheduler([plateau]),
        "got item 1 of another optimiser": lambda: SequentialLR(o, [StepLR(o, 2), StepLR(optimizer(), 2)], [2]),
        "got 2 milestones for 2 schedules": lambda: SequentialLR(o, [StepLR(o, 2), StepLR(o, 2)], [2, 3]),
        "states of 1 schedules, expected 2": lambda: ChainedScheduler([StepLR(o, 2), StepLR(o, 3)]).load_state_dict(
            ChainedScheduler([StepLR(o, 2)]).state_dict()
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            make()
    with pytest.raises(TypeError, match="got a float for lr_lambda, expected a function of the epoch"):
        MultiplicativeLR(o, 0.5)
    with pytest.raises(TypeError, match="got a int as item 0, expected a schedule"):
        ChainedScheduler([3], o)
