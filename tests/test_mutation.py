"""The testing kit can fail: it catches every wrong gradient rule made from the right ones of every op."""

from __future__ import annotations

import pytest

from tinygrad_dl.testing import all_ops
from tinygrad_dl.testing.mutants import examples, mutants


@pytest.mark.parametrize("op", [op for op in all_ops() if list(mutants(op))], ids=lambda op: op.name)
def test_every_mutant_is_caught(op):
    calls = examples(op)
    missed = []
    for mutant in mutants(op):
        with mutant:
            if mutant.caught(calls) is None:
                missed.append(mutant)
    assert not missed
