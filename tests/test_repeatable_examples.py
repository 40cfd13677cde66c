"""A training gives the same bits each time: twice in one process, and with one thread as with two."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import pytest

import tinygrad_dl as td

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = ["01_logistic_regression", "10_batch_normalisation", "22_transfer_learning"]


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs an example's `--quick` without its pictures; returns all that its optimisers hold."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", ["example", "--quick", "--out", str(tmp_path)])
    monkeypatch.setattr(importlib.import_module("show"), "save", lambda *arguments: None)
    made, initialise, threads = [], td.optim.Optimizer.__init__, td.get_num_threads()

    def noted(self, *arguments, **options):
        made.append(self)
        initialise(self, *arguments, **options)

    monkeypatch.setattr(td.optim.Optimizer, "__init__", noted)

    def run(name: str, threads: int) -> list[str]:
        td.set_num_threads(threads)
        made.clear()
        sys.modules.pop(name, None)
        importlib.import_module(name).main()
        parameters = [[p for group in each.param_groups for p in group["params"]] for each in made]
        return [hashlib.sha1(b"".join(p.detach().numpy().tobytes() for p in each)).hexdigest() for each in parameters]

    yield run
    td.set_num_threads(threads)
    for name in ("show", *EXAMPLES):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_second_run_and_another_number_of_threads_give_the_same_bits(run, name):
    first = run(name, 2)
    assert len(first) == len(set(first)) > 1, "several trainings that differ from each other"
    assert run(name, 2) == first
    assert run(name, 1) == first
