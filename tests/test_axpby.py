"""Weighted sums through the BLAS: the same bits as NumPy's, whoever computes them, and steps of optimisers by them."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from cores import threads

import tinygrad_dl as td
from tinygrad_dl.backends import axpby as module
from tinygrad_dl.backends import blas
from tinygrad_dl.backends.axpby import LEAST, axpby, find, rounds_like_numpy
from tinygrad_dl.optim.block import CHUNK
from tinygrad_dl.optim.flat import SHARE

DTYPES = (np.float32, np.float64)


def normal(size, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(dtype)


@pytest.fixture(params=["BLAS", "NumPy"])
def way(request, monkeypatch):
    """Both ways of adding, one after the other."""
    if request.param == "NumPy":
        monkeypatch.setattr(module, "_functions", {})
    return request.param


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 7, LEAST - 1, LEAST, LEAST + 13, 5 * LEAST + 3])
@pytest.mark.parametrize(("a", "b"), [(0.1, 0.9), (-1e-3, 1), (1, 0.5), (1, 1), (2, -3)])
def test_the_sum_is_numpys_to_the_last_bit(dtype, size, a, b):
    x, y = normal(size, dtype), normal(size, dtype, 1)
    expected = dtype(a) * x + dtype(b) * y
    kept, work = x.copy(), np.empty_like(x)
    axpby(a, x, b, y, work)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.usefixtures("way")
def test_what_is_added_may_be_the_array_that_is_written_over_and_the_sum_itself():
    work = np.arange(LEAST, dtype=np.float32)
    y = np.ones(LEAST, np.float32)
    axpby(2, work, 3, y, work)
    np.testing.assert_array_equal(y, 2 * np.arange(LEAST, dtype=np.float32) + 3)
    axpby(2, y, 3, y, work)
    np.testing.assert_array_equal(y, 5 * (2 * np.arange(LEAST, dtype=np.float32) + 3))


@pytest.mark.usefixtures("way")
def test_zero_times_nan_is_nan():
    for a, b in ((0.0, 1), (1, 0.0)):
        x, y = np.ones(LEAST), np.ones(LEAST)
        (x if a == 0 else y)[5] = np.nan
        axpby(a, x, b, y, np.empty(LEAST))
        assert np.flatnonzero(np.isnan(y)).tolist() == [5]


def test_the_work_array_is_left_alone_where_the_blas_adds():
    if not find():
        pytest.skip("NumPy's BLAS has no such function here")
    work = np.zeros(LEAST)
    axpby(2.0, np.ones(LEAST), 0.5, np.ones(LEAST), work)
    assert not work.any()


def in_numpy(product_of_x):
    """A function with the arguments of BLAS's, that takes the product of a and x in this dtype into the sum."""

    def add(size, a, x, _, b, y, __):
        floats = ctypes.POINTER(ctypes.c_float)
        left, right = (np.ctypeslib.as_array(ctypes.cast(each, floats), (size,)) for each in (x, y))
        right[:] = product_of_x(np.float32(a)) * left + np.float32(b) * right

    return add


def test_a_blas_that_rounds_in_another_way_is_not_taken():
    find()  # how arrays are passed is known from then on
    assert rounds_like_numpy(in_numpy(np.float32), np.float32)
    assert not rounds_like_numpy(in_numpy(np.float64), np.float32)  # as FMA does


@pytest.mark.parametrize("core", [None, object()])
def test_without_the_library_numpy_adds(monkeypatch, core):
    monkeypatch.setattr(blas, "library", lambda kind: core)
    monkeypatch.setattr(module, "_functions", None)
    y = np.ones(LEAST)
    axpby(2.0, np.ones(LEAST), 0.5, y, np.empty(LEAST))
    assert module._functions == {}
    np.testing.assert_array_equal(y, 2.5)


def steps(kind, dtype, **options):
    """Parameters after three steps: one of several chunks, one small, one that lies in memory in another order."""
    sizes = (3 * CHUNK + 5, 2 * SHARE - 3 * CHUNK - 5, 100)
    params = [td.tensor(normal(size, dtype), requires_grad=True) for size in sizes]
    params.append(td.tensor(normal((70, 60), dtype).T, requires_grad=True))
    optimizer = kind(params, lr=0.01, **options)
    for step in range(3):
        for i, p in enumerate(params):
            p.grad = td.tensor(normal(p.shape, dtype, 10 * step + i))
        optimizer.step()
    return [p.detach().numpy() for p in params]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "options"),
    [(td.optim.AdamW, {}), (td.optim.SGD, {"momentum": 0.9, "dampening": 0.1}), (td.optim.RMSprop, {"momentum": 0.5})],
)
def test_steps_have_the_same_bits_with_the_blas_and_without_on_any_number_of_threads(monkeypatch, kind, options, dtype):
    expected = steps(kind, dtype, **options)
    monkeypatch.setattr(module, "_functions", {})
    for number in (1, 2, 3):
        with threads(number):
            for found, right in zip(steps(kind, dtype, **options), expected, strict=True):
                np.testing.assert_array_equal(found, right)


@pytest.mark.usefixtures("way")
def test_a_gradient_that_may_not_be_written_is_taken_too():
    p = td.zeros(LEAST, requires_grad=True)
    frozen = np.ones(LEAST, np.float32)
    frozen.flags.writeable = False
    seen = p.detach()  # so that it is stepped where it is
    p.grad = td.from_numpy(frozen)
    td.optim.SGD([p], lr=0.5, momentum=0.9).step()
    assert seen.unique().tolist() == [-0.5]
    assert (frozen == 1).all()


def test_gradients_of_another_set_of_parameters_at_each_step_need_no_more_memory():
    params = [td.zeros(SHARE, requires_grad=True) for _ in range(4)]
    optimizer = td.optim.Adam(params)
    for step in range(1, 16):
        for i, p in enumerate(params):
            p.grad = td.ones(SHARE) if step >> i & 1 else None
        optimizer.step()
    with threads(3):
        optimizer.step()
    (layout,) = optimizer._layouts
    assert 1 <= len(layout.scratches) <= 3
    assert all(optimizer.state[p]["step"].item() == 9.0 for p in params)


def test_nothing_is_stepped_where_a_later_gradient_does_not_fit():
    p, q = td.zeros(3, requires_grad=True), td.zeros(2, dtype=td.float64, requires_grad=True)
    optimizer = td.optim.SGD([p, q], lr=1.0)
    p.grad, q.grad = td.ones(3), td.ones(2, dtype=td.float64)
    q.data = td.zeros(1, 2, dtype=td.float64)
    with pytest.raises(RuntimeError, match=r"got a gradient of shape \(2,\) for a parameter of shape \(1, 2\)"):
        optimizer.step()
    assert p.tolist() == [0.0, 0.0, 0.0]
