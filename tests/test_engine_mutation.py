"""The tests of the engine can fail: each fault planted in it makes one of them fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import test_backward
import test_complex
import test_declaration
import test_function
import test_graph
import test_graph_hooks
import test_graph_memory
import test_inference
import test_inplace
import test_ownership
import test_recomputation
import test_saved_tensors
import test_views
from engine_mutants import MUTANTS, EngineMutant

import tinygrad_dl as td
from tinygrad_dl.autograd.saved import active
from tinygrad_dl.core.graph import observers
from tinygrad_dl.core.inference import memory

MODULES = [
    test_ownership,
    test_backward,
    test_inplace,
    test_views,
    test_graph,
    test_graph_hooks,
    test_saved_tensors,
    test_recomputation,
    test_inference,
    test_function,
    test_graph_memory,
    test_declaration,
    test_complex,
]
SLOW = {"test_a_million_operations_go_through_backward_and_are_freed"}


def cases(module: ModuleType) -> Iterator[tuple[str, Callable[[], object]]]:
    """The tests of a module that need no fixture and draw nothing, with each of their parameters."""
    for name, test in vars(module).items():
        if not name.startswith("test_") or name in SLOW or hasattr(test, "hypothesis"):
            continue
        for options in combinations(getattr(test, "pytestmark", [])):
            if set(inspect.signature(test).parameters) == set(options):
                yield name, lambda test=test, options=options: test(**options)


def combinations(marks: list[Any]) -> Iterator[dict[str, Any]]:
    """The arguments that `pytest.mark.parametrize` gives, all together."""
    if not marks:
        yield {}
        return
    names, values = marks[0].args[:2]
    names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    for value in values:
        given = getattr(value, "values", (value,) if len(names) == 1 else value)
        given = given if not callable(given) else value
        for rest in combinations(marks[1:]):
            yield {**dict(zip(names, given, strict=True)), **rest}


TESTS = [case for module in MODULES for case in cases(module)]


def killer(mutant: EngineMutant) -> str | None:
    """The first test that fails with the mutant in place, or None."""
    try:
        with mutant:
            for name, test in TESTS:
                try:
                    test()
                except (Exception, pytest.fail.Exception):
                    return name
        return None
    finally:
        td.set_grad_enabled(True)  # a mutant of the modes may have left it off
        active.pairs.clear()
        for recorder in list(observers.recorders.elements()):
            observers.leave(recorder)
        observers.writers.clear()
        memory.known.clear()
        memory.watching = False


def test_the_tests_pass_without_a_mutant():
    assert len(TESTS) > 100
    for _, test in TESTS:
        test()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_every_mutant_of_the_engine_is_caught(mutant):
    assert killer(mutant), f"no test fails with this fault: {mutant.what}"
