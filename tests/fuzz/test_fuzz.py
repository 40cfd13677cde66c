"""Seeded programs give the same in both libraries, and every op that both have is drawn."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from fuzz.campaign import try_program
from fuzz.catalogue import CATALOGUE
from fuzz.compare import compare
from fuzz.drawing import draw_program
from fuzz.left_out import LEFT_OUT
from fuzz.programs import Name, Program, Step
from fuzz.running import torch
from fuzz.shrink import shrink

PLACES = {
    "T": (td, torch),
    "T.Tensor": (td.Tensor, torch.Tensor),
    "F": (td.nn.functional, torch.nn.functional),
    "N": (td.nn, torch.nn),
}


@pytest.mark.parametrize("first", range(0, 300, 25))
def test_programs_of_seed_0(first):
    found = [found for number in range(first, first + 25) if (found := try_program(0, number)[1])]
    unmeant = [each for each in found if not isinstance(each, str)]
    assert not unmeant, "\n\n".join(map(str, unmeant))


def test_every_shared_op_is_drawn_or_left_out_with_a_reason():
    drawn = {
        way.lstrip(".@").removeprefix("T.").removeprefix("F.").removeprefix("N.")
        for e in CATALOGUE.values()
        for way in e.spellings
    }
    for place, (ours, theirs) in PLACES.items():
        shared = {n for n in set(dir(ours)) & set(dir(theirs)) if not n.startswith("_") and callable(getattr(ours, n))}
        missing = sorted(shared - drawn - set(LEFT_OUT))
        assert not missing, f"{place}: draw these in fuzz.catalogue, or say in fuzz.left_out why not: {missing}"


def test_no_reason_is_given_for_what_is_drawn_or_not_there():
    for name in LEFT_OUT:
        assert any(hasattr(ours, name) and hasattr(theirs, name) for ours, theirs in PLACES.values()), name
        assert name not in CATALOGUE, name


def test_a_program_is_the_same_however_many_are_run():
    assert draw_program(CATALOGUE, 3, 7) == draw_program(CATALOGUE, 3, 7)
    assert draw_program(CATALOGUE, 3, 7) != draw_program(CATALOGUE, 4, 7)


def test_a_wrong_value_is_found_and_made_small(monkeypatch):
    monkeypatch.setattr(td, "tanh", lambda x: td.sin(x))
    leaf = Step("a", "new", ((2, 2), "float64", (0.5, 1.0, 2.0, -1.5), True))
    more = Step("b", "T.exp", (Name("a"),))
    wrong = Step("c", "T.tanh", (Name("b"),))
    program = Program((leaf, more, wrong), (Name("c"),))
    difference = compare(program)
    assert (difference.kind, difference.op) == ("value", "tanh")
    small, _ = shrink(program, difference)
    assert [step.call for step in small.steps] == ["new", "T.tanh"]
    assert small.steps[0].args[0] == (1, 1) and not small.outputs


def test_a_wrong_gradient_is_found(monkeypatch):
    monkeypatch.setattr(td, "exp", lambda x: x.exp().detach() + 0 * x)
    program = Program(
        (Step("a", "new", ((2,), "float64", (0.5, 1.0), True)), Step("b", "T.exp", (Name("a"),))), (Name("b"),)
    )
    assert compare(program).kind == "plain value"
