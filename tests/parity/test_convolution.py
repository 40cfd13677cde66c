"""Convolutions beside PyTorch's: values, gradients of all arguments, second order, state, start values, text."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional

torch = pytest.importorskip("torch")
F = torch.nn.functional


def draw(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def both(ours, theirs, arrays, tolerance=1e-10):
    """The values of the two, and the gradients of a weighted sum."""
    mine = [td.tensor(a, requires_grad=True) for a in arrays]
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    a, b = ours(*mine), theirs(*others)
    assert a.shape == tuple(b.shape) and a._data.flags.c_contiguous
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance)
    seed = draw(99, *a.shape, dtype=arrays[0].dtype)
    a.backward(td.tensor(seed))
    b.backward(torch.tensor(seed))
    for one, other in zip(mine, others, strict=True):
        np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), rtol=tolerance, atol=10 * tolerance)


SIZE = {1: (9,), 2: (9, 8), 3: (5, 6, 5)}
KERNEL = {1: (3,), 2: (3, 2), 3: (3, 2, 2)}
GRID = list(itertools.product([1, 2, 3], [1, 2], [0, 1, 2], [1, 2], [1, 2, 4]))


@pytest.mark.parametrize("k, stride, padding, dilation, groups", GRID)
def test_convolution(k, stride, padding, dilation, groups):
    name = f"conv{k}d"
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arrays = [draw(0, 2, 4, *SIZE[k]), draw(1, 8, 4 // groups, *KERNEL[k]), draw(2, 8)]
    both(lambda *t: getattr(functional, name)(*t, **options), lambda *t: getattr(F, name)(*t, **options), arrays)


@pytest.mark.parametrize("k, stride, padding, dilation, groups", GRID)
def test_transposed_convolution(k, stride, padding, dilation, groups):
    name = f"conv_transpose{k}d"
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    options["output_padding"] = max(stride, dilation) - 1
    arrays = [draw(0, 2, 4, *(4,) * k), draw(1, 4, 3, *KERNEL[k]), draw(2, 3 * groups)]
    both(lambda *t: getattr(functional, name)(*t, **options), lambda *t: getattr(F, name)(*t, **options), arrays)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's, of what that costs
@pytest.mark.parametrize("padding", ["same", "valid", (2, 0)])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 1)])
def test_padding_by_word(padding, dilation, kernel):
    options = {"padding": padding, "dilation": dilation}
    arrays = [draw(0, 2, 3, 12, 13), draw(1, 2, 3, *kernel)]
    both(lambda *t: functional.conv2d(*t, **options), lambda *t: F.conv2d(*t, **options), arrays)


# Shapes large enough for each way of computing them: LeNet's, a small ResNet's, an autoencoder's, depthwise, 1 x 1.
LARGE = [
    ("conv2d", (64, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    ("conv2d", (64, 6, 14, 14), (16, 6, 5, 5), {}),
    ("conv2d", (32, 3, 32, 32), (16, 3, 3, 3), {"padding": 1}),
    ("conv2d", (32, 16, 32, 32), (16, 16, 3, 3), {"padding": 1}),
    ("conv2d", (32, 16, 32, 32), (32, 16, 3, 3), {"padding": 1, "stride": 2}),
    ("conv2d", (32, 16, 32, 32), (32, 16, 1, 1), {"stride": 2}),
    ("conv2d", (32, 32, 16, 16), (32, 32, 3, 3), {"padding": 1}),
    ("conv2d", (16, 64, 16, 16), (64, 64, 3, 3), {"padding": 1}),
    ("conv2d", (16, 64, 9, 7), (64, 64, 3, 3), {"padding": 1}),
    ("conv2d", (8, 64, 13, 11), (48, 64, 3, 3), {}),
    ("conv2d", (32, 64, 8, 8), (64, 64, 3, 3), {"padding": 1}),
    ("conv2d", (8, 32, 28, 28), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
    ("conv2d", (8, 32, 28, 28), (64, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 32}),
    ("conv2d", (8, 32, 28, 28), (64, 32, 1, 1), {}),
    ("conv1d", (8, 16, 500), (32, 16, 5), {"padding": 2}),
    ("conv1d", (8, 16, 500), (16, 1, 7), {"padding": 6, "dilation": 2, "groups": 16}),
    ("conv3d", (2, 4, 12, 14, 14), (8, 4, 3, 3, 3), {"padding": 1}),
    ("conv_transpose2d", (64, 32, 7, 7), (32, 16, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("conv_transpose2d", (64, 16, 14, 14), (16, 1, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("conv_transpose2d", (16, 32, 7, 7), (32, 16, 4, 4), {"stride": 2, "padding": 1}),
    ("conv_transpose2d", (16, 32, 7, 7), (32, 16, 2, 2), {"stride": 2}),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, input, weight, options", LARGE)
def test_large(name, input, weight, options, dtype):
    arrays = [draw(0, *input, dtype=dtype), draw(1, *weight, dtype=dtype) / np.sqrt(np.prod(weight[1:]), dtype=dtype)]
    mine = [td.tensor(a, requires_grad=True) for a in arrays]
    others = [torch.tensor(a.astype(np.float64), requires_grad=True) for a in arrays]
    ours = getattr(functional, name)(*mine, **options)
    theirs = getattr(F, name)(*others, **options)
    seed = draw(2, *ours.shape, dtype=dtype)
    ours.backward(td.tensor(seed))
    theirs.backward(torch.tensor(seed.astype(np.float64)))
    limit = 2e-5 if dtype == np.float32 else 1e-13
    for a, b in [(ours.detach(), theirs.detach()), *[(a.grad, b.grad) for a, b in zip(mine, others, strict=True)]]:
        assert a.dtype == dtype
        error = np.abs(a.numpy() - b.numpy()).max() / np.abs(b.numpy()).max()
        assert error < limit


@pytest.mark.parametrize("stride, padding, dilation", [(1, 1, 1), (2, 0, 1), (2, 1, 2)])
@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_second_order(name, stride, padding, dilation):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 2}
    arrays = [draw(0, 2, 4, 6, 5), draw(1, 4, 2, 3, 2)]
    found = []
    for lib, f in ((td, functional), (torch, F)):
        leaves = [lib.tensor(a, requires_grad=True) for a in arrays]
        out = getattr(f, name)(*leaves, **options)
        first = lib.autograd.grad((out**3).sum(), leaves, create_graph=True)
        second = lib.autograd.grad(sum((g**2).sum() for g in first), leaves)
        found.append([np.asarray(g.detach().numpy()) for g in (*first, *second)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


MODULES = [
    ("Conv1d", (4, 6, 3), {"padding": 1}, (2, 4, 9)),
    ("Conv1d", (4, 6, 3), {"padding": "same", "dilation": 2, "padding_mode": "reflect"}, (2, 4, 9)),
    ("Conv2d", (4, 6, 3), {}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (0, 2), "bias": False}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": "same", "groups": 2}, (4, 9, 8)),
    ("Conv2d", (4, 6, 4), {"padding": "same", "padding_mode": "circular"}, (4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "reflect"}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "replicate", "stride": 2}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": (1, 2), "padding_mode": "circular"}, (2, 4, 9, 8)),
    ("Conv2d", (4, 6, 3), {"padding": "valid", "padding_mode": "circular"}, (2, 4, 9, 8)),
    ("Conv2d", (4, 8, 3), {"dilation": (1, 2), "groups": 4}, (2, 4, 9, 8)),
    ("Conv3d", (2, 4, 3), {"stride": 2, "padding": 1}, (2, 2, 5, 6, 7)),
    ("Conv3d", (2, 4, 2), {"padding": (0, 1, 2), "padding_mode": "replicate"}, (2, 5, 6, 7)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2}, (2, 4, 5)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, (2, 4, 5, 6)),
    ("ConvTranspose2d", (4, 6, (3, 2)), {"dilation": 2, "bias": False}, (4, 5, 6)),
    ("ConvTranspose3d", (2, 4, 3), {"stride": (1, 2, 1)}, (2, 2, 3, 4, 3)),
    ("Unfold", ((2, 3),), {"padding": 1, "stride": 2}, (2, 3, 6, 7)),
    ("Fold", ((6, 7), (2, 3)), {}, (2, 12, 25)),
]


@pytest.mark.parametrize("name, args, kwargs, shape", MODULES, ids=[f"{m[0]}{m[1]}{m[2]}" for m in MODULES])
def test_module(name, args, kwargs, shape):
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [
        (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
    ]
    theirs.load_state_dict({k: torch.tensor(np.array(v.numpy())) for k, v in ours.state_dict().items()})
    both(ours, theirs, [draw(0, *shape, dtype=np.float32)], 2e-5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
)
def test_start_values(name):
    td.manual_seed(0), torch.manual_seed(0)
    ours, theirs = (getattr(lib, name)(60, 90, 3, groups=2) for lib in (nn, torch.nn))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        a, b = mine.detach().numpy(), other.detach().numpy()
        assert abs(a.max() - b.max()) < 0.06 * b.max() and abs(a.min() - b.min()) < 0.06 * b.max()
        assert abs(a.std() - b.std()) < 0.2 * b.std()


@pytest.mark.parametrize("size", [(9, 11), (10, 12), [2, 6, 10, 11]])
def test_output_size(size):
    ours, theirs = (lib.ConvTranspose2d(4, 6, 3, stride=2, padding=1) for lib in (nn, torch.nn))
    theirs.load_state_dict({k: torch.tensor(np.array(v.numpy())) for k, v in ours.state_dict().items()})
    x = draw(0, 2, 4, 5, 6, dtype=np.float32)
    a, b = ours(td.tensor(x), output_size=size), theirs(torch.tensor(x), output_size=size)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_integers():
    x, w = np.arange(30).reshape(1, 2, 3, 5), np.arange(24).reshape(3, 2, 2, 2)
    ours = functional.conv2d(td.tensor(x), td.tensor(w), padding=1)
    assert np.array_equal(ours.numpy(), F.conv2d(torch.tensor(x), torch.tensor(w), padding=1).numpy())


def test_complex():
    arrays = [draw(i, *shape) + 1j * draw(i + 5, *shape) for i, shape in enumerate([(2, 2, 5, 5), (3, 2, 3, 3)])]
    mine = [td.tensor(a, requires_grad=True) for a in arrays]
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    a, b = functional.conv2d(*mine, padding=1), F.conv2d(*others, padding=1)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-10)
    a.abs().sum().backward()
    b.abs().sum().backward()
    for one, other in zip(mine, others, strict=True):
        np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), rtol=1e-9, atol=1e-9)


def test_an_empty_batch():
    x = td.ones(0, 2, 5, 5, requires_grad=True)
    w = td.ones(3, 2, 3, 3, requires_grad=True)
    out = functional.conv2d(x, w)
    assert out.shape == (0, 3, 3, 3)
    out.sum().backward()
    assert x.grad.shape == x.shape and (w.grad == 0).all()


# Of every way of computing one: input, weight, stride; about as many sums as in the layers of networks.
PRECISE = {
    "columns": ((8, 32, 16, 16), (32, 32, 3, 3), 1),
    "columns by a stride": ((4, 32, 32, 32), (64, 32, 3, 3), 2),
    "phases": ((8, 32, 16, 16), (64, 32, 4, 4), 2),
    "rows": ((16, 6, 14, 14), (16, 6, 5, 5), 1),
    "one product": ((4, 256, 4, 4), (256, 256, 3, 3), 1),
    "Winograd": ((8, 64, 32, 32), (64, 64, 3, 3), 1),
    "Winograd of many channels": ((4, 256, 14, 14), (256, 256, 3, 3), 1),
    "groups": ((4, 64, 14, 14), (64, 4, 3, 3), 1),
}


@pytest.mark.parametrize("way", PRECISE)
def test_errors_in_single_precision_are_within_three_times_of_pytorchs_or_a_millionth(way):
    x, w, stride = PRECISE[way]
    options = {"stride": stride, "padding": 1, "groups": x[1] // w[1]}
    arrays = [draw(0, *x, dtype=np.float32), draw(1, *w, dtype=np.float32)]

    def results(lib, function, dtype):
        leaves = [lib.tensor(each.astype(dtype), requires_grad=True) for each in arrays]
        out = function(*leaves, **options)
        seed = lib.tensor(draw(2, *out.shape, dtype=np.float32).astype(dtype))
        return [each.detach().numpy() for each in (out, *lib.autograd.grad((out * seed).sum(), leaves))]

    exact = results(torch, F.conv2d, np.float64)
    mine, theirs = results(td, functional.conv2d, np.float32), results(torch, F.conv2d, np.float32)
    for a, b, right in zip(mine, theirs, exact, strict=True):
        ours, others = (np.sqrt(np.mean(np.square(each - right))) for each in (a, b))
        assert ours <= max(3 * others, 1e-6 * np.sqrt(np.mean(np.square(right))))
