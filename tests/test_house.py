"""The chapters of operations: each stands where PyTorch's documentation has it, and docs/operations.md says where."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import tinygrad_dl as td
from tinygrad_dl.core.declaration import REGISTRY

ROOT = Path(__file__).parent.parent
OPS = ROOT / "tinygrad_dl" / "ops"
spec = importlib.util.spec_from_file_location("make_operations", ROOT / "docs" / "make_operations.py")
operations = importlib.util.module_from_spec(spec)
spec.loader.exec_module(operations)
PLACES = operations.public_functions()

# Names that are in torch, and in a chapter of torch.nn.functional all the same: PyTorch documents them in both.
ACTIVATIONS = {"celu", "hardshrink", "log_softmax", "prelu", "relu", "selu", "sigmoid", "softmax", "threshold"}


def chapter_of(module):
    return module.removeprefix("tinygrad_dl.ops.").split(".")[0]


def test_a_folder_is_a_chapter_and_what_stands_beside_them_are_helpers():
    assert {path.name for path in OPS.iterdir() if path.is_dir() and not path.name.startswith("_")} == {
        *operations.CHAPTERS
    }
    assert all(path.name.startswith("_") for path in OPS.glob("*.py"))


@pytest.mark.parametrize("key", [key for key, op in REGISTRY.items() if op.home.startswith("tinygrad_dl.")])
def test_every_op_is_declared_in_a_chapter(key):
    """Or in a helper beside them, if users do not call it."""
    module = REGISTRY[key].home.rpartition(".")[0]
    place = chapter_of(module)
    helps = place.startswith("_") and not {key, f"F.{key}"} & PLACES.keys()
    assert place in operations.CHAPTERS or helps, f"{key} is declared in {module}"


@pytest.mark.parametrize("name", PLACES)
def test_every_public_function_is_in_a_family_and_not_in_a_helper(name):
    chapter, family = PLACES[name].removeprefix("tinygrad_dl.ops.").split(".")
    assert not family.startswith("_")
    if name.startswith("F."):
        page = operations.CHAPTERS[chapter][1]
        assert page.startswith("nn."), f"{name} is of torch.nn.functional, {chapter} a chapter of {page}"
    elif hasattr(td, name) and name not in ACTIVATIONS:
        page = operations.CHAPTERS[chapter][1]
        assert page.startswith(("torch.html", "tensors.html")), f"td.{name} stands in {chapter}, a chapter of {page}"


def test_the_page_that_says_where_operations_are_is_up_to_date():
    page = operations.page()
    assert operations.PAGE.read_text() == page, "run: python docs/make_operations.py"
    (row,) = [line for line in page.split("\n") if "`matmul`" in line]
    assert row.startswith("| [products](../tinygrad_dl/ops/linalg/products.py) |")
