"""The examples in docstrings know the package as `td`, whichever part of it was imported first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

import tinygrad_dl

# What an earlier run found would change what the examples of strategies print.
settings.register_profile("examples", database=None, derandomize=True)
settings.load_profile("examples")


@pytest.fixture(autouse=True)
def names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    """What `core/namespaces.py` writes into the examples of a namespace when that is imported."""
    doctest_namespace["td"] = tinygrad_dl
