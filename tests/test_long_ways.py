"""Ops on long arrays, which take other ways than short ones: the results are the same, bit for bit."""

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.backends.transposing import along_rows
from tinygrad_dl.ops.sorting._places import places_in

SHAPES = [(3000,), (40, 80), (4, 30, 50), (1030, 70), (2, 3, 5, 200)]


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """With ties and, of floating ones, with all that is special."""
    rng = np.random.default_rng(0)
    x = np.round(rng.standard_normal(shape) * 30).astype(dtype)
    if x.dtype.kind == "f":
        for value in (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0):
            x.reshape(-1)[rng.integers(0, x.size, x.size // 20)] = value
    return x


def alike(ours: td.Tensor, expected: np.ndarray) -> None:
    """The same dtype and numbers, zeros with the same sign."""
    found = ours.numpy()
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    floating = found.dtype.kind == "f"
    assert np.array_equal(found, expected, equal_nan=floating)
    assert not floating or ((np.signbit(found) == np.signbit(expected)) | np.isnan(found)).all()


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int64", "int32", "int16", "uint64", "bool"])
@pytest.mark.parametrize("shape", SHAPES)
def test_sorts_are_stable(shape: tuple[int, ...], dtype: str) -> None:
    x = numbers(shape, dtype)
    for dim in range(len(shape)):
        for descending in (False, True):
            turned = np.flip(x, dim) if descending else x
            order = turned.argsort(dim, kind="stable")
            order = np.flip(shape[dim] - 1 - order, dim) if descending else order
            found = td.from_numpy(x).sort(dim, descending)
            alike(found.indices, order)
            alike(found.values, np.take_along_axis(x, order, dim))


@pytest.mark.parametrize("wide", [10**15, 2**62])
def test_integers_of_any_range_are_sorted(wide: int) -> None:
    x = np.random.default_rng(0).choice(np.array([-wide, -1, 0, 1, wide]), 4000)
    alike(td.from_numpy(x).argsort(), x.argsort(kind="stable"))


@pytest.mark.parametrize("shape", SHAPES)
def test_extremes_and_the_largest_ones(shape: tuple[int, ...]) -> None:
    x = numbers(shape, "float32")
    for dim in range(len(shape)):
        alike(td.from_numpy(x).argmax(dim), x.argmax(dim))
        alike(td.from_numpy(x).min(dim, True).indices, x.argmin(dim, keepdims=True))
        if shape[dim] > 4:
            found = td.from_numpy(x).topk(4, dim)
            expected = np.flip(np.sort(x, dim), dim).take(range(4), dim)
            assert np.array_equal(found.values.numpy(), expected, equal_nan=True)
            alike(found.values, np.take_along_axis(x, found.indices.numpy(), dim))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_running_sums_along_many_rows(dtype: str) -> None:
    x = numbers((1030, 70), dtype)
    with np.errstate(all="ignore"):
        alike(td.from_numpy(x).cumsum(1), np.add.accumulate(x, 1))
        alike(td.from_numpy(x).cummax(1).values, np.maximum.accumulate(x, 1))
        alike(td.from_numpy(x).cumsum(1, dtype=td.float64), np.add.accumulate(x, 1, np.float64))


@pytest.mark.parametrize(
    "edges",
    [
        np.sort(np.random.default_rng(0).standard_normal(100)),
        np.linspace(-1, 1, 77),
        np.array([1.0, 1.0, 1.0]),
        np.array([-np.inf, 0.0, 1.0]),
        np.array([0.0, 1.0, np.nan]),
        np.array([0.0, 1e-30, 1.0]),
        np.array([-3e38, 3e38]),
        np.array([1.0, 1.0000001]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_places_among_edges(edges: np.ndarray, dtype: str, side: str) -> None:
    edges, values = edges.astype(dtype), np.random.default_rng(1).standard_normal(20000).astype(dtype)
    values[:300] = np.nextafter(np.resize(edges, 300), np.repeat([-np.inf, np.inf, 0], 100).astype(dtype))
    values[300:400] = np.resize(edges, 100)
    values[400:404] = np.nan, np.inf, -np.inf, -0.0
    assert np.array_equal(places_in(edges, values, side), np.searchsorted(edges, values, side))


@pytest.mark.parametrize("dtype", ["int64", "int16", "uint8", "uint64"])
def test_the_different_integers(dtype: str) -> None:
    x = np.abs(numbers((40, 80), "float64"))
    x = np.where(np.isfinite(x), x, 3).astype(dtype)
    found = td.from_numpy(x).unique(return_inverse=True, return_counts=True)
    for ours, expected in zip(found, np.unique(x, return_inverse=True, return_counts=True), strict=True):
        alike(ours, expected.reshape(ours.shape))


@pytest.mark.parametrize("dtype", ["float32", "int64", "int16"])
def test_copies_along_rows(dtype: str) -> None:
    for shape in [*SHAPES, (300, 200), (0, 5), (5, 0, 2)]:
        x = numbers(shape, dtype) if 0 not in shape else np.zeros(shape, dtype)
        for dim in range(len(shape)):
            for given in (x, x[::-1]):
                found = along_rows(given, dim)
                assert found.flags.c_contiguous
                assert np.array_equal(found, np.moveaxis(given, dim, -1), equal_nan=dtype == "float32")
