"""The checks of forward mode and of batches can fail: they catch every wrong rule made from a right one."""

from __future__ import annotations

import pytest

from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.func.batched import KINDS
from tinygrad_dl.func.tangents import DIAGONAL, carriers
from tinygrad_dl.testing import all_ops
from tinygrad_dl.testing.mutants import examples
from tinygrad_dl.testing.op_checks import OpError, examine
from tinygrad_dl.testing.running import Tally
from tinygrad_dl.testing.transform_mutants import batch_mutants, tangent_mutants
from tinygrad_dl.testing.transforms import check_batches, check_tangents

OPS = all_ops()


def missed(mutants, calls):
    """The mutants that no check noticed, and how many changed anything."""
    unseen, effective = [], 0
    for mutant in mutants:
        with mutant:
            error = mutant.caught(calls)
        effective += mutant.effective
        if error is None and mutant.effective:
            unseen.append(mutant)
    return unseen, effective


@pytest.mark.parametrize("op", [op for op in OPS if list(tangent_mutants(op))], ids=lambda op: op.name)
def test_every_wrong_rule_of_tangents_is_caught(op):
    mutants = list(tangent_mutants(op))
    unseen, effective = missed(mutants, examples(op))
    assert not unseen
    assert effective == len(mutants)


@pytest.mark.parametrize("op", [op for op in OPS if op.batching is not None], ids=lambda op: op.name)
def test_every_wrong_rule_of_batches_is_caught(op):
    unseen, effective = missed(batch_mutants(op), examples(op))
    assert not unseen
    assert effective


def rolled(rule):
    """A kind's rule for batches whose results are those of other examples."""
    return lambda op, given, batch: rule(op, given, batch).roll(1, 0)


def doubled(make):
    """A kind's rule for tangents, with a factor of 2 too much."""

    def made(slope, name):
        right = make(slope, name)
        return lambda values, tangents: right(values, tangents) * 2

    return made


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("elementwise", "exp"),
        ("reduction", "sum"),
        ("scan", "cumsum"),
        ("batched", "max_pool"),
        ("folded", "channel_shuffle"),
        ("loss", "mse_loss"),
    ],
)
def test_a_wrong_rule_of_a_kind_for_batches_is_caught(kind, name, monkeypatch):
    op = REGISTRY[name]
    assert op.kind == kind and op.batching is None
    monkeypatch.setitem(KINDS, kind, rolled(KINDS[kind]))
    with pytest.raises(OpError, match="vmap over"):
        for call in examples(op):
            examine(call, Tally(op), (check_batches,))


@pytest.mark.parametrize(("kind", "name"), [("elementwise", "exp"), ("reduction", "prod"), ("loss", "mse_loss")])
def test_a_wrong_rule_of_a_kind_for_tangents_is_caught(kind, name, monkeypatch):
    op = REGISTRY[name]
    assert op.kind == kind and "input" not in op.tangents
    monkeypatch.setattr(op, "carriers", {})
    monkeypatch.setitem(DIAGONAL, kind, doubled(DIAGONAL[kind]))
    with pytest.raises(OpError, match="the tangent by 'input' disagrees"):
        for call in examples(op):
            examine(call, Tally(op), (check_tangents,))


def test_no_op_goes_backwards_twice_for_forward_mode():
    """Each says how its tangents go on; a rule for gradients is gone through twice at several times the cost."""
    left = {op.name for op in OPS if op.records and any(carriers(op, (name,)) is None for name in op.differentiable)}
    assert left == set()
