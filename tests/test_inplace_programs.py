"""Random programs with views and in-place changes give what an interpreter gives that copies everything."""

from __future__ import annotations

from hypothesis import given, settings
from inplace_programs import COUNT, Direct, check, programs

import tinygrad_dl as td


@settings(max_examples=COUNT)
@given(programs)
def test_programs_with_views_and_in_place_changes(program):
    check(program, Direct(td))


def test_what_programs_do_is_compared():
    change, leaf = ("change", 1, 0, 1, False), ("change", 0, 0, 1, False)
    program = [("unary", 0, 3, 0, False), ("view", 1, 0, 0, False), change, leaf, ("grad", 1, 0, 0, False)]
    assert check(program, Direct(td)) == {"refused": 1, "stale": 0, "compared": 2}
    stale = [("unary", 0, 3, 0, False), ("unary", 1, 1, 0, False), change]
    assert check(stale, Direct(td)) == {"refused": 0, "stale": 1, "compared": 0}
