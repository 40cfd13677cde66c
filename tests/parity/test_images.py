"""What images are read and pooled with, and other functions of layers, beside PyTorch's: values and gradients."""

from __future__ import annotations

import inspect
import itertools
import warnings

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.nn import functional as F

torch = pytest.importorskip("torch")
TF = torch.nn.functional
RNG = np.random.default_rng(7)


def both(ours, theirs, *arrays, tolerance=1e-9):
    """Values and gradients of two functions of the same arrays, in float64."""
    mine = [td.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    other = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    a, b = ours(*mine), theirs(*other)
    np.testing.assert_allclose(a.detach(), b.detach(), rtol=tolerance, atol=tolerance)
    seed = RNG.standard_normal(tuple(b.shape))
    a.backward(td.tensor(seed))
    b.backward(torch.tensor(seed))
    for left, right in zip(mine, other, strict=True):
        assert (left.grad is None) == (right.grad is None)
        if left.grad is not None:
            np.testing.assert_allclose(left.grad, right.grad, rtol=tolerance, atol=tolerance)


def draw(*shape):
    return RNG.standard_normal(shape)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    "mode, dims", [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)]
)
def test_grid_sample(mode, dims, padding):
    for sides, align in itertools.product([(4, 3, 2), (1, 3, 1), (2, 1, 5)], [False, True]):
        for grid in (
            RNG.uniform(-3, 3, (2, *(2, 3, 2)[:dims], dims)),
            np.round(draw(2, *(3, 2, 1)[:dims], dims) * 4) / 4,
        ):
            both(
                lambda x, g, a=align: F.grid_sample(x, g, mode, padding, a),
                lambda x, g, a=align: TF.grid_sample(x, g, mode, padding, a),
                draw(2, 2, *sides[:dims]),
                grid,
            )


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")
@pytest.mark.parametrize("align", [False, True])
def test_affine_grid(align):
    for dims in (2, 3):
        for sides in itertools.product((1, 4), repeat=dims):
            both(
                lambda t, s=sides: F.affine_grid(t, (2, 3, *s), align),
                lambda t, s=sides: TF.affine_grid(t, (2, 3, *s), align),
                draw(2, dims, dims + 1),
                tolerance=1e-6,  # PyTorch places the points in float32
            )


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_max_pool(dims):
    name = f"fractional_max_pool{dims}d"
    for kernel, size in (((2, 3, 1), (3, 2, 4)), ((1, 1, 2), (1, 5, 1)), ((3, 3, 3), (2, 2, 2))):
        kernel, size = kernel[:dims], size[:dims]
        x, samples = draw(2, 3, *(9, 8, 7)[:dims]), RNG.random((2, 3, dims))
        mine, other = (lib.tensor(samples) for lib in (td, torch))
        both(
            lambda t, k=kernel, s=size, u=mine: getattr(F, name)(t, k, s, _random_samples=u),
            lambda t, k=kernel, s=size, u=other: getattr(TF, name)(t, k, s, _random_samples=u),
            x,
        )
        index = getattr(F, f"{name}_with_indices")(td.tensor(x), kernel, size, _random_samples=mine)[1]
        expected = getattr(TF, f"{name}_with_indices")(torch.tensor(x), kernel, size, _random_samples=other)[1]
        np.testing.assert_array_equal(index, expected)
    ours, theirs = (
        [
            3 * n
            for n in getattr(lib.nn, f"FractionalMaxPool{dims}d")(2, output_ratio=0.4)(
                lib.ones(1, 1, *(8,) * dims)
            ).shape
        ]
        for lib in (td, torch)
    )
    assert ours == theirs


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pools_with_indices(dims):
    x = draw(2, 3, *(6,) * dims)
    for name, args in ((f"max_pool{dims}d", (2, 1)), (f"adaptive_max_pool{dims}d", (4,))):
        ours = getattr(F, f"{name}_with_indices")(td.tensor(x), *args)
        theirs = getattr(TF, f"{name}_with_indices")(torch.tensor(x), *args)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_interpolate_without_aliases(mode):
    more = [{}] if mode == "lanczos" else [{}, {"align_corners": True}]
    for options, align in itertools.product(
        [
            {"size": (2, 3)},
            {"size": (9, 2)},
            {"size": (1, 11)},
            {"scale_factor": (0.4, 0.55)},
            {"scale_factor": 1.7},
            {"scale_factor": (0.3, 2.1), "recompute_scale_factor": True},
        ],
        more,
    ):
        options = {**options, **align, "mode": mode, "antialias": True}
        both(
            lambda t, o=options: F.interpolate(t, **o),
            lambda t, o=options: TF.interpolate(t, **o),
            draw(2, 2, 8, 7),
        )


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradients_of_convolutions(dims):
    for options in ({}, {"stride": 2}, {"padding": 1, "dilation": 2}, {"stride": 3, "padding": 2, "groups": 2}):
        groups = options.get("groups", 1)
        x, weight = draw(2, 2 * groups, *(7,) * dims), draw(3 * groups, 2, *(2,) * dims)
        g = draw(*getattr(TF, f"conv{dims}d")(torch.tensor(x), torch.tensor(weight), **options).shape)
        for kind, args in (("input", (x.shape, weight, g)), ("weight", (x, weight.shape, g))):
            ours, theirs = (
                getattr(lib.nn.grad, f"conv{dims}d_{kind}")(
                    *[lib.tensor(a) if isinstance(a, np.ndarray) else a for a in args], **options
                )
                for lib in (td, torch)
            )
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_products():
    for lead in ((), (4,), (2, 3)):
        both(F.bilinear, TF.bilinear, draw(*lead, 2), draw(*lead, 3), draw(4, 2, 3), draw(4))
    both(F.bilinear, TF.bilinear, draw(1, 2), draw(1, 3), draw(4, 2, 3))
    for pad in (0, 2):
        both(
            lambda *a, p=pad: F.conv_tbc(*a, p),
            lambda *a, p=pad: TF.conv_tbc(*a, p),
            draw(5, 2, 3),
            draw(2, 3, 4),
            draw(4),
        )


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5, np.inf])
@pytest.mark.parametrize("shapes", [((4, 3), (2, 3)), ((2, 1, 4, 3), (3, 5, 3)), ((30, 3), (26, 3)), ((0, 3), (2, 3))])
def test_cdist(p, shapes):
    both(lambda a, b: td.cdist(a, b, p), lambda a, b: torch.cdist(a, b, p), *(draw(*shape) for shape in shapes))
    for mode in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
        both(
            lambda a, b, mode=mode: td.cdist(a, b, compute_mode=mode),
            lambda a, b, mode=mode: torch.cdist(a, b, compute_mode=mode),
            *(draw(*shape) for shape in shapes),
        )


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, float("inf")])
def test_pdist(p):
    both(lambda x: F.pdist(x, p), lambda x: TF.pdist(x, p), draw(5, 3))
    assert F.pdist(td.ones(1, 3), p).shape == (0,)
    x = td.ones(2, 3, requires_grad=True)  # two rows without a distance
    F.pdist(x, p).sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_cross_map_lrn(size):
    ours, theirs = (lib.nn.CrossMapLRN2d(size, 0.5, 0.6, 2.0) for lib in (td, torch))
    assert repr(ours) == repr(theirs)
    x = draw(2, (size + 1) // 2, 3, 2)
    if size > 1:  # of more channels, PyTorch's sums keep the first one; its gradients miss some
        np.testing.assert_allclose(ours(td.tensor(x)), theirs(torch.tensor(x)), rtol=1e-12)
    if size % 2:
        both(ours, torch.nn.LocalResponseNorm(size, 0.5, 0.6, 2.0), draw(2, 7, 3, 2))


@pytest.mark.parametrize("more", [(), (2, 3)])
def test_linear_cross_entropy(more):
    target = RNG.integers(0, 4, (5, *more))
    for options in ({}, {"label_smoothing": 0.2, "reduction": "sum"}, {"ignore_index": 1}, {"reduction": "none"}):
        both(
            lambda x, w, b, t, o=options: F.linear_cross_entropy(x, w, t, linear_bias=b, **o),
            lambda x, w, b, t, o=options: TF.linear_cross_entropy(x, w, t, linear_bias=b, **o),
            draw(5, 3),
            draw(4, *more, 3),
            draw(4, *more),
            target,
        )
    ours, theirs = (lib.nn.LinearCrossEntropyLoss(3, 4, out_features=more, bias=True) for lib in (td, torch))
    assert repr(ours) == repr(theirs)
    assert {k: tuple(v.shape) for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }


@pytest.mark.parametrize(
    "name, args",
    [
        ("relu_", ()),
        ("elu_", (0.5,)),
        ("celu_", (0.5,)),
        ("selu_", ()),
        ("leaky_relu_", (0.3,)),
        ("hardtanh_", (-0.5, 0.7)),
        ("threshold_", (0.2, -3.0)),
        ("rrelu_", (0.1, 0.3)),
    ],
)
def test_activations_in_place(name, args):
    x = draw(3, 4)
    both(lambda t: getattr(F, name)(t * 1.0, *args), lambda t: getattr(TF, name)(t * 1.0, *args), x)
    t = td.tensor(x)
    assert getattr(F, name)(t, *args) is t
    assert getattr(F, name[:-1])(td.tensor(x), *args).tolist() == t.tolist()


def test_classes_are_related_as_in_pytorch():
    theirs = {
        n: c for n, c in vars(torch.nn).items() if inspect.isclass(c) and inspect.isclass(getattr(td.nn, n, None))
    }
    for (a, first), (b, second) in itertools.permutations(theirs.items(), 2):
        if a != "UninitializedBuffer":
            assert issubclass(getattr(td.nn, a), getattr(td.nn, b)) == issubclass(first, second), (a, b)


def test_nll_loss_2d_warns():
    for lib in (td, torch):
        with pytest.warns(FutureWarning):
            lib.nn.NLLLoss2d()
    with warnings.catch_warnings(action="ignore"):
        both(td.nn.NLLLoss2d(), torch.nn.NLLLoss2d(), draw(2, 3, 4, 2), RNG.integers(0, 3, (2, 4, 2)))
