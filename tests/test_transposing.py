"""Transposed copies: the same numbers whether the BLAS makes them or NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_dl.backends import blas
from tinygrad_dl.backends import transposing as module
from tinygrad_dl.backends.transposing import copies, copy_transposed


@pytest.fixture(params=["BLAS", "NumPy"], autouse=True)
def way(request, monkeypatch):
    """Both ways of copying, one after the other."""
    if request.param == "NumPy":
        monkeypatch.setattr(module, "_functions", {})
    return request.param


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("rows, columns", [(0, 5), (1, 2000), (2000, 1), (37, 61), (64, 1024)])
def test_a_matrix_among_others(dtype, rows, columns):
    x = np.arange(3 * rows * (columns + 4)).astype(dtype).reshape(3, rows, columns + 4)
    out = np.full((3, columns, rows + 2), -1, dtype)
    copy_transposed(x[1, :, 2:-2], out[1, :, 1:-1])
    np.testing.assert_array_equal(out[1, :, 1:-1], x[1, :, 2:-2].T)
    out[1, :, 1:-1] = -1
    assert (out == -1).all()


def test_other_layouts_and_special_numbers():
    x = np.random.default_rng(0).standard_normal((80, 90)).astype(np.float32)
    x[3, 5:9] = np.nan, np.inf, -np.inf, -0.0
    for source, target in ((x[::-1], (90, 80)), (x[:, ::2], (45, 80)), (x.T, (80, 90)), (x[::2], (90, 40))):
        out = np.empty(target, np.float32)
        copy_transposed(source, out)
        np.testing.assert_array_equal(out, source.T)
        np.testing.assert_array_equal(np.signbit(out), np.signbit(source.T))
    wider = np.empty((90, 80))
    copy_transposed(x, wider)
    np.testing.assert_array_equal(wider, x.T)


def test_a_function_that_scales_is_not_taken():
    assert not copies(lambda *arguments: None, np.dtype(np.float32))


def test_without_the_library_numpy_copies(monkeypatch):
    monkeypatch.setattr(blas, "library", lambda kind: None)
    monkeypatch.setattr(module, "_functions", None)
    x, out = np.arange(2500.0).reshape(50, 50), np.empty((50, 50))
    copy_transposed(x, out)
    assert module._functions == {}
    np.testing.assert_array_equal(out, x.T)
