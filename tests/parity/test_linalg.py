"""`linalg` beside torch.linalg: values, gradients, shapes, dtypes, and what both refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

INF = float("inf")
X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)

NORMS = [
    ("norm", {}),
    ("norm", {"ord": 2, "dim": 1}),
    ("norm", {"ord": 0, "dim": 1}),
    ("norm", {"ord": 3, "dim": -1}),
    ("norm", {"ord": INF, "dim": [2]}),
    ("norm", {"dim": (0, 1)}),
    ("norm", {"ord": "fro", "dim": (0, 2)}),
    ("norm", {"ord": 1, "dim": (1, 2)}),
    ("norm", {"ord": -INF, "dim": (2, 0), "keepdim": True}),
    ("norm", {"dtype": "float64"}),
    ("vector_norm", {}),
    ("vector_norm", {"ord": 1.5, "dim": (0, 2)}),
    ("vector_norm", {"ord": -INF, "dim": -1, "keepdim": True}),
    ("vector_norm", {"ord": -2, "dim": 0}),
    ("matrix_norm", {}),
    ("matrix_norm", {"ord": -1, "keepdim": True}),
    ("matrix_norm", {"ord": INF, "dim": (0, 1), "dtype": "float64"}),
]


def options(library, given):
    return {name: getattr(library, value) if name == "dtype" else value for name, value in given.items()}


@pytest.mark.parametrize("name, given", NORMS)
def test_norms(name, given):
    found = []
    for library in (td, torch):
        x = library.tensor(X, requires_grad=True)
        norm = getattr(library.linalg, name)(x, **options(library, given))
        if norm.requires_grad:
            norm.sum().backward()
        found.append((norm.detach().numpy(), None if x.grad is None else x.grad.numpy()))
    (ours, our_grad), (theirs, their_grad) = found
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    if their_grad is not None:
        np.testing.assert_allclose(our_grad, their_grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name, given",
    [
        ("norm", {"ord": 2}),
        ("norm", {"ord": "fro", "dim": 1}),
        ("norm", {"ord": 3, "dim": (0, 1)}),
        ("norm", {"dim": (0, 1, 2)}),
        ("norm", {"dim": (0, 0)}),
        ("vector_norm", {"ord": "fro"}),
        ("matrix_norm", {"ord": 3}),
        ("matrix_norm", {"dim": (1, 1)}),
        ("matrix_norm", {"dim": 1}),
    ],
)
def test_norms_that_both_refuse(name, given):
    for library in (td, torch):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            getattr(library.linalg, name)(library.tensor(X), **given)
