"""Large arrays go other ways than small ones (BLAS, blocks, bits); the results are the same, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from cores import on_one_and_on_three

import tinygrad_dl as td
import tinygrad_dl.nn.functional as F
from tinygrad_dl.backends.along_rows import along_rows

ROWS, COLUMNS = 1200, 60
ONE_BY_ONE = {
    "softmax": lambda x: td.softmax(x, -1),
    "log_softmax": lambda x: td.log_softmax(x, -1),
    "logsumexp": lambda x: td.logsumexp(x, -1, True),
    "sum": lambda x: x.sum(-1, True),
    "mean": lambda x: x.mean(-1, True),
    "var": lambda x: x.var(-1, keepdim=True),
    "amax": lambda x: x.amax(-1, True),
    "norm": lambda x: x.norm(2, -1, True),
    "cumsum": lambda x: x.cumsum(-1),
    "layer_norm": lambda x: F.layer_norm(x, (COLUMNS,), td.linspace(0.5, 2.0, COLUMNS, dtype=x.dtype)),
    "cross_entropy": lambda x: F.cross_entropy(x, td.arange(len(x)) % COLUMNS, reduction="none"),
    "relu": td.relu,
    "sigmoid": td.sigmoid,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, "tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "clamp": lambda x: x.clamp(-1, 1),
    "masked_fill": lambda x: x.masked_fill(x.detach() > 1, -2.0),
    "where": lambda x: td.where(x.detach() > 0, x, x * 3),
}


def with_gradient(function, array, weights):
    """The output, and the gradient of its weighted sum."""
    x = td.tensor(array, requires_grad=True)
    out = function(x)
    (out * td.from_numpy(weights.astype(array.dtype))[: out.numel()].reshape(out.shape)).sum().backward()
    return out.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_the_whole_is_its_parts(name, dtype):
    rng = np.random.default_rng(0)
    array = (3 * rng.standard_normal((ROWS, COLUMNS))).astype(dtype)
    array[5, 7] = -1e4
    weights = rng.standard_normal(ROWS * COLUMNS)
    function = ONE_BY_ONE[name]
    out, gradient = with_gradient(function, array, weights)
    width = out.size // ROWS
    tolerance = {"rtol": 2e-5, "atol": 2e-5} if dtype is np.float32 else {"rtol": 1e-10, "atol": 1e-11}
    for start in range(0, ROWS, COLUMNS):  # so that a part's classes in cross_entropy start at 0 again
        part = slice(start, start + 4)
        small, slope = with_gradient(function, array[part], weights[start * width :])
        np.testing.assert_allclose(out[part], small, **tolerance)
        np.testing.assert_allclose(gradient[part], slope, **tolerance)


@pytest.mark.parametrize("classes", [3, 60, 5000])
def test_mean_cross_entropy_is_the_mean_of_the_losses(classes):
    rng = np.random.default_rng(0)
    array, target = rng.standard_normal((300, classes)), td.from_numpy(rng.integers(0, classes, 300))
    mean, gradient = with_gradient(lambda x: F.cross_entropy(x, target), array, np.ones(1))
    losses, slopes = with_gradient(lambda x: F.cross_entropy(x, target, reduction="none"), array, np.full(300, 1 / 300))
    np.testing.assert_allclose(mean, losses.mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("count", [60, 500])
def test_an_infinite_gradient_stays_in_its_row_of_an_embedding(count):
    weight = td.zeros(count, 40, requires_grad=True)
    index = td.from_numpy(np.arange(100) % 50)
    g = td.ones(100, 40)
    g[3, 2] = float("inf")
    F.embedding(index, weight).backward(g)
    expected = np.zeros((count, 40), np.float32)
    expected[:50] = 2
    expected[3, 2] = np.inf
    np.testing.assert_array_equal(weight.grad.numpy(), expected)


@pytest.mark.parametrize("dim", [0, 1, 2, -3, -2])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_running_results_across_large_slices(name, dim):
    array = np.random.default_rng(0).uniform(0.9, 1.1, (4, 30, 200)).astype(np.float32)
    expected = getattr(np, name)(array, dim)
    np.testing.assert_array_equal(getattr(td.tensor(array), name)(dim).numpy(), expected)
    out, gradient = with_gradient(lambda x: x.cumsum(dim), array, np.ones(array.size))
    np.testing.assert_array_equal(gradient, np.flip(np.cumsum(np.ones_like(array), dim), dim))
    assert out.dtype == np.float32


def test_nan_is_the_largest_of_its_row():
    array = np.zeros((100, 60), np.float32)
    array[7, 3] = np.nan
    found = td.tensor(array).amax(-1).numpy()
    assert np.isnan(found[7])
    assert np.isnan(found).sum() == 1


@pytest.mark.parametrize("affine", ["weight", "weight and bias"])
def test_all_gradients_of_layer_norm(affine):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((6000, 60), (60,), (60,))][: 3 if "bias" in affine else 2]
    g = rng.standard_normal((6000, 60))
    large = [td.tensor(a, requires_grad=True) for a in arrays]
    F.layer_norm(large[0], (60,), *large[1:]).backward(td.tensor(g))
    small = [td.tensor(a, requires_grad=True) for a in arrays[1:]]
    for start in range(0, 6000, 500):
        part = td.tensor(arrays[0][start : start + 500], requires_grad=True)
        F.layer_norm(part, (60,), *small).backward(td.tensor(g[start : start + 500]))
        np.testing.assert_allclose(large[0].grad.numpy()[start : start + 500], part.grad.numpy(), rtol=1e-9, atol=1e-11)
    for mine, other in zip(large[1:], small, strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_relu_of_millions_of_elements():
    """On several threads; exact, whatever the gradient is."""
    x = np.random.default_rng(0).standard_normal(2**21 + 5).astype(np.float32)
    x[:4] = np.nan, np.inf, -np.inf, 0
    g = np.arange(x.size, dtype=np.float32)
    g[2:4] = np.inf, np.nan
    given = td.tensor(x, requires_grad=True)
    out = td.relu(given)
    out.backward(td.tensor(g))
    np.testing.assert_array_equal(out.detach().numpy(), np.maximum(x, 0))
    np.testing.assert_array_equal(given.grad.numpy(), np.where(x <= 0, 0, g))


def test_cross_entropy_of_many_classes():
    """In blocks of examples on several threads: by its formula, and the same on one thread."""
    rng = np.random.default_rng(0)
    logits, classes = 5 * rng.standard_normal((700, 500)), rng.integers(0, 500, 700)

    def run():
        x = td.tensor(logits, requires_grad=True)
        loss = F.cross_entropy(x, td.tensor(classes))
        loss.backward()
        return loss.item(), x.grad.numpy()

    (loss, slope), (again, other) = on_one_and_on_three(run)
    e = np.exp(logits)
    p = e / e.sum(1, keepdims=True)
    picked = np.arange(700), classes
    np.testing.assert_allclose(loss, -np.log(p[picked]).mean(), rtol=1e-12)
    p[picked] -= 1
    np.testing.assert_allclose(slope, p / 700, rtol=1e-9, atol=1e-14)
    assert loss == again
    np.testing.assert_array_equal(slope, other)


def test_gradient_of_many_uses_of_a_table():
    rng = np.random.default_rng(0)
    places, g = rng.integers(0, 300, 5000), rng.standard_normal((5000, 64))
    weight = td.zeros(300, 64, dtype=td.float64, requires_grad=True)
    F.embedding(td.tensor(places), weight).backward(td.tensor(g))
    expected = np.zeros((300, 64))
    np.add.at(expected, places, g)
    np.testing.assert_array_equal(weight.grad.numpy(), expected)


def test_threads_change_no_number():
    rng = np.random.default_rng(0)
    array = rng.standard_normal((9001, 60)).astype(np.float32)  # several blocks
    weights = rng.standard_normal(array.size)
    for name in ("gelu", "gelu tanh", "softmax", "sigmoid", "silu", "cross_entropy"):
        first, second = on_one_and_on_three(lambda name=name: with_gradient(ONE_BY_ONE[name], array, weights))
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)

    def normalized():
        x, weight, bias = (td.tensor(a, requires_grad=True) for a in (array, array[0], array[1]))
        out = F.layer_norm(x, (60,), weight, bias)
        out.backward(td.from_numpy(weights.astype(np.float32).reshape(out.shape)))
        return [each.detach().numpy() for each in (out, x.grad, weight.grad, bias.grad)]

    for a, b in zip(*on_one_and_on_three(normalized), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "NAdam"])
def test_threads_change_no_step(kind):
    def run():
        rng = np.random.default_rng(0)
        params = [td.tensor(rng.standard_normal(n), requires_grad=True) for n in (90000, 10, 200000, 70000, 33000)]
        optimizer = getattr(td.optim, kind)(params, lr=0.1)
        for _ in range(3):
            for p in params:
                p.grad = td.from_numpy(rng.standard_normal(p.shape))
            optimizer.step()
        return [p.detach().numpy() for p in params]

    for a, b in zip(*on_one_and_on_three(run), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(8, 40, 4, 900), (2, 5, 110000), (3, 70, 100)])
def test_batch_norm_of_many_channels_is_that_of_each(shape):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) + 1 for s in (shape, shape[1:2], shape[1:2])]
    g = rng.standard_normal(shape).astype(np.float32)

    def run(channels):
        x, weight, bias = (td.tensor(a, requires_grad=True) for a in (arrays[0][:, channels], *arrays[1:]))
        out = F.batch_norm(x, None, None, weight[channels], bias[channels], training=True)
        out.backward(td.from_numpy(g[:, channels]))
        own = weight.grad.numpy()[channels], bias.grad.numpy()[channels]
        return [out.detach().numpy(), x.grad.numpy(), *own]

    whole, shared = on_one_and_on_three(lambda: run(slice(None)))
    for a, b in zip(whole, shared, strict=True):
        np.testing.assert_array_equal(a, b)
    for channel in (0, shape[1] // 2, shape[1] - 1):
        own = slice(channel, channel + 1)
        alone = run(own)
        for a, b in zip((whole[0][:, own], whole[1][:, own], whole[2][own], whole[3][own]), alone, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
        x = arrays[0][:, own].astype(float)
        y = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * arrays[1][own] + arrays[2][own]
        np.testing.assert_allclose(alone[0], y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 12, 30, 700), (3, 6, 8, 70), (4, 8, 40)])
def test_group_norm_of_many_samples_is_that_of_each(shape):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) + 1 for s in (shape, shape[1:2], shape[1:2])]
    g = rng.standard_normal(shape).astype(np.float32)

    def run(samples):
        x, weight, bias = (td.tensor(a, requires_grad=True) for a in (arrays[0][samples], *arrays[1:]))
        out = F.group_norm(x, 2, weight, bias)
        out.backward(td.from_numpy(g[samples]))
        return [out.detach().numpy(), x.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()]

    whole, shared = on_one_and_on_three(lambda: run(slice(None)))
    for a, b in zip(whole, shared, strict=True):
        np.testing.assert_array_equal(a, b)
    each = [run(slice(i, i + 1)) for i in range(shape[0])]
    for i in (0, 1):
        np.testing.assert_allclose(whole[i], np.concatenate([one[i] for one in each]), rtol=1e-5, atol=1e-5)
    for i in (2, 3):
        np.testing.assert_allclose(whole[i], sum(one[i] for one in each), rtol=1e-3, atol=1e-3)
    halves = arrays[0].astype(float).reshape(shape[0], 2, -1)
    normal = (halves - halves.mean(2, keepdims=True)) / np.sqrt(halves.var(2, keepdims=True) + 1e-5)
    factors, shifts = (a.reshape(-1, *(1,) * (len(shape) - 2)) for a in arrays[1:])
    np.testing.assert_allclose(whole[0], normal.reshape(shape) * factors + shifts, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [0, 511, 512, 4096, 4097])
def test_the_buffer_along_rows_is_small_inside_alone(length):
    before = np.getbufsize()
    with along_rows(length):
        assert np.getbufsize() == (512 if 512 <= length <= 4096 else before)
    assert np.getbufsize() == before
