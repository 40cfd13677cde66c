"""Random programs with views and in-place changes give what PyTorch gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from inplace_programs import COUNT, Direct, check, programs

import tinygrad_dl as td

torch = pytest.importorskip("torch")


@settings(max_examples=COUNT)
@given(programs)
def test_programs_with_views_and_in_place_changes(program):
    check(program, Direct(td), Direct(torch), as_pytorch=True)
