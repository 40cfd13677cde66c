"""grid_sample and affine_grid: values known from the formulas, derivatives in every mode, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.nn import functional as F

IMAGE = td.tensor([[[[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]]])
IDENTITY = td.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_the_identity_gives_the_image(mode, align):
    grid = F.affine_grid(IDENTITY, IMAGE.shape, align)
    np.testing.assert_allclose(F.grid_sample(IMAGE, grid, mode, align_corners=align), IMAGE, rtol=1e-5)


@pytest.mark.parametrize("align", [False, True])
def test_a_turned_map_mirrors_the_image(align):
    grid = F.affine_grid(IDENTITY * -1, IMAGE.shape, align)
    out = F.grid_sample(IMAGE, grid, align_corners=align)
    np.testing.assert_allclose(out, IMAGE.flip(2, 3), rtol=1e-5)


@pytest.mark.parametrize(
    "padding, expected", [("zeros", [0, 0, 0]), ("border", [8, 32, 32]), ("reflection", [16, 16, 2])]
)
def test_what_lies_outside(padding, expected):
    far = td.tensor([[[[-2.0, 1.0], [2.0, 1.0], [4.0, 3.0]]]])  # in elements: (-1, 1), (3, 1) and (5, 2)
    assert F.grid_sample(IMAGE, far, "nearest", padding, True).flatten().tolist() == expected


def test_an_infinity_outside_is_not_seen():
    image = td.tensor([[[[np.inf, 1.0]]]])
    assert F.grid_sample(image, td.tensor([[[[3.0, 0.0], [np.inf, 0.0], [1e30, 0.0]]]])).flatten().tolist() == [0, 0, 0]


def test_volumes():
    x = td.arange(8.0).reshape(1, 1, 2, 2, 2)
    middle = td.zeros(1, 1, 1, 1, 3)
    assert F.grid_sample(x, middle).item() == 3.5
    assert F.grid_sample(x, middle + td.tensor([1.0, -1.0, 1.0]), align_corners=True).item() == 5  # x=1, y=0, z=1


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode, dims", [("bilinear", 2), ("bicubic", 2), ("nearest", 2), ("bilinear", 3)])
def test_derivatives_of_every_kind(mode, dims, padding):
    rng = np.random.default_rng(dims)
    x = td.tensor(rng.standard_normal((2, 2, 3, 2, 3)[: dims + 2]), requires_grad=True)
    grid = td.tensor(rng.uniform(-1.4, 1.4, (2, *(2,) * dims, dims)), requires_grad=True)

    def sampled(x, grid):
        return F.grid_sample(x, grid, mode, padding, False)

    assert td.autograd.gradcheck(sampled, (x, grid), check_forward_ad=True, check_batched_grad=True)
    assert td.autograd.gradgradcheck(sampled, (x, grid))


def test_a_nearest_place_has_a_slope_of_zero():
    grid = td.zeros(1, 1, 1, 2, requires_grad=True)
    F.grid_sample(IMAGE, grid, "nearest").sum().backward()
    assert grid.grad.tolist() == [[[[0, 0]]]]


def test_vmap_goes_through_the_examples():
    rng = np.random.default_rng(0)
    x, grids = td.tensor(rng.standard_normal((1, 2, 3, 3))), td.tensor(rng.uniform(-1, 1, (4, 1, 2, 2, 2)))
    alone = td.stack([F.grid_sample(x, grid) for grid in grids])
    np.testing.assert_allclose(td.vmap(F.grid_sample, (None, 0))(x, grids), alone)


def test_half_precision_is_sampled_in_float32():
    rng = np.random.default_rng(0)
    x, grid = td.tensor(rng.standard_normal((1, 1, 50, 50))).half(), td.tensor(rng.uniform(-1, 1, (1, 9, 9, 2))).half()
    out = F.grid_sample(x, grid)
    assert out.dtype == td.float16
    np.testing.assert_array_equal(out, F.grid_sample(x.float(), grid.float()).half())


@pytest.mark.parametrize(
    "call, kind, match",
    [
        (lambda: F.grid_sample(IMAGE, td.zeros(1, 1, 1, 3)), ValueError, r"with a grid \(N, H', W', 2\)"),
        (lambda: F.grid_sample(IMAGE, td.zeros(2, 1, 1, 2)), ValueError, r"got shapes .*\(2, 1, 1, 2\)"),
        (lambda: F.grid_sample(IMAGE[0], td.zeros(1, 1, 1, 2)), ValueError, "grid_sample: expected an input"),
        (lambda: F.grid_sample(IMAGE, td.zeros(1, 1, 1, 2), "cubic"), ValueError, "expected mode as one of .*'cubic'"),
        (lambda: F.grid_sample(IMAGE, td.zeros(1, 1, 1, 2), padding_mode="x"), ValueError, "padding_mode as one of"),
        (lambda: F.grid_sample(IMAGE[:, :, :0], td.zeros(1, 1, 1, 2)), ValueError, "an image with elements"),
        (lambda: F.grid_sample(IMAGE.long(), td.zeros(1, 1, 1, 2)), TypeError, "a floating input, got int64"),
        (lambda: F.grid_sample(IMAGE, td.zeros(1, 1, 1, 2).long()), TypeError, "a floating grid, got int64"),
        (
            lambda: F.grid_sample(td.ones(1, 1, 2, 2, 2), td.zeros(1, 1, 1, 1, 3), "bicubic"),
            ValueError,
            "4 dimensions for mode 'bicubic'",
        ),
        (lambda: F.affine_grid(IDENTITY, (1, 1, 2)), ValueError, r"affine_grid: expected theta \(N, 2, 3\)"),
        (lambda: F.affine_grid(IDENTITY, (2, 1, 2, 2)), ValueError, r"size \(2, 1, 2, 2\)"),
        (lambda: F.affine_grid(IDENTITY, (1, 1, 0, 2)), ValueError, "size of at least 1"),
        (lambda: F.affine_grid(IDENTITY.long(), (1, 1, 2, 2)), TypeError, "a floating theta, got int64"),
    ],
)
def test_refusals(call, kind, match):
    with pytest.raises(kind, match=match):
        call()
