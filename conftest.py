"""The examples in docstrings know the package as `td`, whichever part of it was imported first."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_dl


@pytest.fixture(autouse=True)
def names_of_examples(doctest_namespace: dict[str, Any]) -> None:
    """What `core/namespaces.py` writes into the examples of a namespace when that is imported."""
    doctest_namespace["td"] = tinygrad_dl
