"""Convolution: refusals, what is saved and computed, memory limits, numerical error; values stand in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.backends import blas, threads
from tinygrad_dl.nn import functional
from tinygrad_dl.ops.convolution import (
    _choice,
    _columns,
    _compute,
    _deep,
    _depthwise,
    _geometry,
    _lines,
    _phases,
    _rows,
    _shifted,
    _winograd,
)
from tinygrad_dl.ops.convolution._shapes import conv_size


def forget_choices():
    for each in (_choice.way, _choice.way_back, _choice.shared):
        each.cache_clear()


@pytest.fixture(autouse=True)
def _choices_of_this_test():
    forget_choices()
    yield
    forget_choices()


def test_the_texts_example():
    image = td.tensor([[10.0, 10, 10, 0, 0, 0]] * 6)[None, None]
    edges = functional.conv2d(image, td.tensor([[1.0, 0, -1]] * 3)[None, None])
    assert edges[0, 0].tolist() == [[0, 30, 30, 0]] * 4


@pytest.mark.parametrize(
    "call, match",
    [
        (
            lambda: nn.Conv2d(3, 2, 5)(td.ones(1, 3, 4, 6)),
            r"of size \(5, 5\) is larger than the padded input of size \(4, 6\): got an input of shape \(1, 3, 4",
        ),
        (
            lambda: nn.Conv1d(3, 2, 3, dilation=2, padding=1)(td.ones(1, 3, 2)),
            r"\(3,\), \(5,\) with dilation \(2,\), is larger than the padded input of size \(4,\).*more padding",
        ),
        (lambda: nn.Conv2d(3, 2, 3)(td.ones(1, 4, 5, 5)), r"expected 3 channels .* shape \(1, 4, 5, 5\)"),
        (
            lambda: nn.Conv2d(4, 2, 3, groups=2)(td.ones(1, 6, 5, 5)),
            r"expected 4 channels .* weight of shape \(2, 2, 3, 3\) and groups=2",
        ),
        (lambda: nn.Conv2d(3, 2, 3)(td.ones(3, 5)), r"expected an input of 4 dimensions .* got .* shape \(3, 5\)"),
        (lambda: nn.Conv2d(3, 2, 3)(td.ones(1, 1, 3, 5, 5)), r"expected an input of 4 dimensions .*\(1, 1, 3, 5, 5\)"),
        (
            lambda: functional.conv2d(td.ones(1, 3, 5, 5), td.ones(2, 3, 3)),
            r"weight of 4, .* weight of shape \(2, 3, 3\)",
        ),
        (
            lambda: functional.conv1d(td.ones(1, 4, 5), td.ones(3, 2, 3), groups=2),
            r"out_channels divisible by groups=2",
        ),
        (lambda: functional.conv1d(td.ones(1, 2, 5), td.ones(3, 2, 3), td.ones(2)), r"a bias of shape \(3,\)"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels divisible by groups=2, got 3"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "out_channels divisible by groups=2, got 3"),
        (lambda: nn.Conv2d(4, 3, 3, groups=0), "groups >= 1, got 0"),
        (lambda: nn.Conv2d(4, 3, 3, stride=0), "Conv2d: expected stride >= 1, got 0"),
        (lambda: nn.Conv2d(4, 3, 3, padding=-1), "Conv2d: expected padding >= 0, got -1"),
        (lambda: nn.Conv2d(4, 3, (3, 3, 3)), r"kernel_size to be one integer or 2 of them, got \(3, 3, 3\)"),
        (
            lambda: nn.Conv2d(4, 3, 3, stride=2, padding="same"),
            r"got padding='same' with stride \(2, 2\), expected a stride of 1",
        ),
        (lambda: nn.Conv2d(4, 3, 3, padding="full"), "padding 'same', 'valid' or numbers, got 'full'"),
        (lambda: nn.Conv2d(4, 3, 3, padding_mode="mirror"), "padding_mode among .*, got 'mirror'"),
        (lambda: nn.Conv2d(1, 1, 3, padding=5, padding_mode="reflect")(td.ones(1, 1, 4, 4)), "at most 3 elements"),
        (lambda: nn.ConvTranspose2d(3, 2, 3)(td.ones(1, 4, 5, 5)), r"got an input of shape \(1, 4, 5, 5\)"),
        (lambda: nn.ConvTranspose2d(3, 2, 3)(td.ones(3, 5)), r"conv_transpose2d: expected an input of 4 dimensions"),
        (lambda: nn.ConvTranspose2d(3, 2, 3, padding_mode="reflect"), "padding_mode='zeros', the only one"),
        (lambda: nn.ConvTranspose2d(3, 2, 3, padding="same"), "numbers as padding, got 'same'"),
        (
            lambda: nn.ConvTranspose1d(1, 1, 3, output_padding=1)(td.ones(1, 1, 4)),
            "less than the stride or the dilation",
        ),
        (lambda: nn.ConvTranspose1d(1, 1, 3, padding=4)(td.ones(1, 1, 4)), r"gives a result of size \(-2,\)"),
        (
            lambda: nn.ConvTranspose2d(1, 1, 3, stride=2)(td.ones(1, 1, 4, 4), output_size=(9, 12)),
            r"output_size between \(9, 9\) and \(10, 10\) for an input of size \(4, 4\), got \(9, 12\)",
        ),
        (lambda: nn.ConvTranspose2d(1, 1, 3)(td.ones(1, 1, 4, 4), output_size=(1, 6, 6)), "output_size between"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_refusals_of_types():
    with pytest.raises(TypeError, match=r"same dtype, got float64 and float32; cast the input with input\.to"):
        nn.Conv1d(1, 1, 2)(td.ones(1, 1, 4, dtype=td.float64))
    with pytest.raises(TypeError, match=r"stride: expected an integer or 2 of them, got 1\.5"):
        nn.Conv2d(1, 1, 2, stride=1.5)


def test_one_node_and_the_input_saved_as_it_is():
    x = td.randn(2, 3, 8, 8, requires_grad=True)
    layer = nn.Conv2d(3, 4, 3, padding=1)
    out = layer(x)
    assert out.grad_fn.name() == "ConvolutionBackward0"
    assert out.grad_fn.nbytes == 4 * (x.numel() + layer.weight.numel())


def test_the_first_layers_input_gradient_is_never_computed(monkeypatch):
    layer = nn.Conv2d(3, 4, 3)
    out = layer(td.randn(2, 3, 8, 8))

    def refuse(*_):
        raise AssertionError("computed")

    monkeypatch.setattr("tinygrad_dl.ops.convolution._convolution.convolution_transpose.generic", refuse, raising=False)
    out.sum().backward()
    assert layer.weight.grad.shape == (4, 3, 3, 3)


def test_lists_as_options():
    x = td.randn(1, 2, 6, 6)
    a = functional.conv2d(x, td.ones(3, 2, 3, 3), None, [1, 2], [1, 0], [1, 2])
    b = functional.conv2d(x, td.ones(3, 2, 3, 3), None, (1, 2), (1, 0), (1, 2))
    assert (a == b).all()


def test_a_reflected_input_gives_the_kernel_something_else_than_zeros():
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode="replicate", bias=False)
    layer.weight.data = td.ones(1, 1, 3)
    assert layer(td.tensor([[[1.0, 2.0, 5.0]]])).tolist() == [[[4, 8, 12]]]


def test_a_transposed_convolution_is_the_transpose():
    """<conv(x), y> = <x, transposed(y)>."""
    x, y, w = td.randn(2, 3, 7, 8), td.randn(2, 4, 3, 4), td.randn(4, 3, 3, 2)
    out = functional.conv2d(x, w, stride=2, padding=0)
    back = functional.conv_transpose2d(y, w, stride=2, padding=0)
    left, right = (out * y).sum().item(), (x[:, :, : back.shape[2], : back.shape[3]] * back).sum().item()
    assert abs(left - right) < 1e-3 * (1 + abs(left))


def test_fold_undoes_unfold_up_to_how_often_each_element_was_seen():
    x = td.randn(2, 3, 6, 7)
    options = {"kernel_size": (2, 3), "stride": (2, 2), "padding": (0, 1)}
    counts = functional.fold(functional.unfold(td.ones(2, 3, 6, 7), **options), (6, 7), **options)
    again = functional.fold(functional.unfold(x, **options), (6, 7), **options)
    np.testing.assert_allclose((again / counts).numpy(), x.numpy(), rtol=1e-6)


def test_a_convolution_is_a_product_with_columns():
    x, w = td.randn(2, 3, 6, 7), td.randn(4, 3, 2, 3)
    columns = functional.unfold(x, (2, 3))
    out = (w.reshape(4, -1) @ columns).reshape(2, 4, 5, 5)
    np.testing.assert_allclose(out.numpy(), functional.conv2d(x, w).numpy(), rtol=1e-4, atol=1e-5)


# -- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count, rows, row_bytes",
    [
        (1, 1, 10),
        (1, 3, 0),
        (64, 28, 2800),
        (32, 32, 18432),
        (4, 1000, 2**20),
        (2, 3, 50 * 2**20),
        (0, 5, 100),
        (3, 10, 2**16),
    ],
)
def test_blocks_cover_everything_once_and_stay_below_the_limit(count, rows, row_bytes):
    seen = np.zeros((count, rows), int)
    for n0, n1, r0, r1 in _columns.blocks(count, rows, row_bytes):
        seen[n0:n1, r0:r1] += 1
        assert (n1 - n0) * (r1 - r0) * row_bytes <= max(_columns.BLOCK, row_bytes) <= _columns.LARGEST
    assert (seen == 1).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_of_every_size_give_the_same(monkeypatch, stride):
    td.manual_seed(0)
    x, w = td.randn(3, 4, 9, 8, dtype=td.float64), td.randn(4, 2, 3, 3, dtype=td.float64)
    found = []
    for block, few in ((1, 0), (3000, 0), (3000, 99), (2**20, 0), (2**20, 99)):
        monkeypatch.setattr(_columns, "BLOCK", block)
        monkeypatch.setattr(_columns, "FEW", few)
        leaves = [x.clone().requires_grad_(), w.clone().requires_grad_()]
        out = functional.conv2d(*leaves, stride=stride, padding=1, groups=2)
        out.square().sum().backward()
        found.append([out.detach().numpy(), *[leaf.grad.numpy() for leaf in leaves]])
    for each in found[1:]:
        for a, b in zip(each, found[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels, made, groups", [(8, 6, 1), (3, 9, 1), (9, 3, 3), (10, 10, 5), (8, 8, 8)])
@pytest.mark.parametrize("stride", [1, 2])
def test_where_one_row_is_too_large_the_channels_are_halved(monkeypatch, channels, made, groups, stride):
    td.manual_seed(0)
    x, w = td.randn(2, channels, 7, 8, dtype=td.float64), td.randn(made, channels // groups, 3, 3, dtype=td.float64)
    g = td.randn(2, made, 7, 8, dtype=td.float64)
    rows, found = [], []  # the bytes of each row that columns were made for
    blocks, job = _columns.blocks, _rows.Job
    monkeypatch.setattr(_columns, "blocks", lambda n, count, size: rows.append(size) or blocks(n, count, size))

    def noted(*args):
        made = job(*args)
        rows.append(made.width * made.behind * 8)
        return made

    monkeypatch.setattr(_rows, "Job", noted)
    for limit in (_choice.LARGEST, 3000):
        monkeypatch.setattr(_choice, "LARGEST", limit)
        forget_choices()
        rows.clear()
        results = []
        for function in (functional.conv2d, functional.conv_transpose2d):
            leaves = [(x if function is functional.conv2d else g).clone().requires_grad_(), w.clone().requires_grad_()]
            out = function(*leaves, stride=stride, padding=1, groups=groups)
            out.square().sum().backward()
            results += [out.detach().numpy(), *[leaf.grad.numpy() for leaf in leaves]]
        found.append(results)
    assert 0 < max(rows) <= 3000
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


def test_rows_stay_below_the_limit_too():
    x = np.ones((3, 8, 20, 20), np.float32)
    lines = _rows.forward_lines((20, 20), (20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2)
    for block in (1, 2**14, 2**19):
        job = _rows.Job(x, lines, block)
        row_bytes = job.width * job.behind * 4
        seen = np.zeros((3, lines[0].number), int)
        for n0, n1, r0, r1 in job.pieces:
            seen[n0:n1, r0:r1] += 1
            assert (n1 - n0) * (r1 - r0) * row_bytes <= max(block, row_bytes) <= _rows.LARGEST
        assert (seen == 1).all()


# -- the ways of computing it --------------------------------------------------------------------------


def close(a, b, tolerance=1e-12):
    assert a.shape == b.shape and a.dtype == b.dtype
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("t", [1, 2, 3, 9])
@pytest.mark.parametrize("stride, padding, kernel", [(1, 0, 3), (1, 2, 3), (2, 1, 3), (3, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("block", [1, 2**19])
def test_rows_equal_columns(monkeypatch, t, stride, padding, kernel, block):
    monkeypatch.setattr(_rows, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4, 8, 9)), rng.standard_normal((5, 4, kernel, 2))
    size, options = (8, 9), ((stride, stride), ((padding, 0), (0, padding)), (1, 1))
    out = conv_size(size, w.shape[2:], *options)
    lines = _rows.forward_lines(size, out, w.shape[2:], *options, t)
    back = _rows.backward_lines(out, size, w.shape[2:], *options[:2], t)
    flat = w.reshape(5, 4, -1)
    y = _columns.convolve(x, w, out, *options, 1)
    close(_rows.apply(x, flat.transpose(2, 1, 0), lines, w.shape[2:], out), y)
    gw = _rows.apply_weight(x, y, lines, w.shape[2:]).transpose(2, 1, 0).reshape(w.shape)
    close(gw, _columns.convolve_weight(x, y, w.shape[2:], *options, 1))
    gx = _rows.apply(y, flat.transpose(2, 0, 1), back, w.shape[2:], size)
    close(gx, _columns.convolve_transposed(y, w, size, *options, 1))


@pytest.mark.parametrize(
    "size, kernel, stride, pads, dilation",
    [
        ((6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
        ((7, 6), (3, 2), (2, 1), ((0, 2), (1, 0)), (1, 2)),
        ((8, 8), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),
        ((9,), (4,), (3,), ((2, 2),), (2,)),
        ((4, 3, 5), (2, 3, 3), (1, 1, 2), ((0, 0), (1, 1), (2, 2)), (1, 1, 1)),
        ((3, 2), (3, 7), (1, 1), ((0, 2), (5, 1)), (1, 1)),
        ((2, 3), (5, 3), (1, 1), ((8, 8), (2, 2)), (4, 2)),
        ((6,), (3,), (1,), ((4, 0),), (2,)),
        ((4, 3, 2), (3, 1, 3), (1, 1, 1), ((1, 1), (0, 0), (1, 1)), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_one_product_for_the_batch_equals_columns(size, kernel, stride, pads, dilation, groups):
    rng = np.random.default_rng(0)
    out = conv_size(size, kernel, stride, pads, dilation)
    x, w, g = (rng.standard_normal(shape) for shape in ((3, 4, *size), (6, 4 // groups, *kernel), (3, 6, *out)))
    options = (stride, pads, dilation, groups)
    close(_deep.convolve(x, w, out, *options), _columns.convolve(x, w, out, *options))
    gx = _columns.convolve_transposed(g, w, size, *options)
    close(_deep.convolve_transposed(g, w, size, *options), gx)
    close(_deep.convolve_weight(x, g, kernel, *options), _columns.convolve_weight(x, g, kernel, *options))


LINES = [
    ((6, 5), (3, 3), (1, 1), ((1, 1), (1, 1))),
    ((7, 6), (3, 2), (1, 1), ((0, 2), (1, 0))),
    ((9, 8), (5, 5), (1, 1), ((0, 0), (0, 0))),
    ((3, 2), (5, 7), (1, 1), ((4, 3), (6, 5))),
    ((4, 4), (1, 3), (1, 1), ((0, 0), (1, 1))),
    ((8, 7), (3, 1), (1, 1), ((2, 2), (0, 0))),
    ((8, 9), (3, 4), (2, 3), ((1, 1), (2, 1))),
    ((9, 7), (2, 2), (3, 2), ((0, 1), (1, 0))),
    ((3, 4), (2, 2), (2, 2), ((4, 4), (1, 0))),
]


@pytest.mark.parametrize("block", [1, 500, 2**20])
@pytest.mark.parametrize("size, kernel, stride, pads", LINES)
@pytest.mark.parametrize("groups", [1, 2])
def test_lines_of_all_samples_equal_columns(monkeypatch, size, kernel, stride, pads, groups, block):
    monkeypatch.setattr(_lines, "BLOCK", block)
    rng = np.random.default_rng(0)
    out = conv_size(size, kernel, stride, pads, (1, 1))
    x, w, g = (rng.standard_normal(shape) for shape in ((7, 4, *size), (6, 4 // groups, *kernel), (7, 6, *out)))
    options, all_options = (stride, pads, groups), (stride, pads, (1, 1), groups)
    y, gw = _columns.convolve(x, w, out, *all_options), _columns.convolve_weight(x, g, kernel, *all_options)
    close(_lines.convolve(x, w, out, *options), y)
    close(_lines.convolve_weight(x, g, kernel, *options), gw)
    for a, b in zip(_lines.gradients(x, g, w, *options), (y, gw), strict=True):
        close(a, b)
    if stride == (1, 1):
        gx = _columns.convolve_transposed(g, w, size, *all_options)
        turned, around = _compute.turned(w, groups), _geometry.around(size, out, kernel, pads, (1, 1))
        close(_lines.spread(x, w, out, pads, groups), y)
        close(_lines.spread(g, turned, size, around, groups), gx)
        for a, b in zip(_lines.spread_gradients(x, g, turned, pads, around, groups), (gx, gw), strict=True):
            close(a, b)


@pytest.mark.parametrize(
    "samples, channels, made, kernel, stride, padding, groups, size",
    [
        (32, 6, 16, 5, 1, 0, 1, 14),  # terms for the input's gradient
        (32, 8, 8, 3, 1, 1, 1, 8),  # columns of the slopes for both
        (32, 3, 8, 5, 2, 2, 1, 12),
        (32, 1, 6, 5, 1, 2, 1, 12),
        (40, 32, 32, 3, 1, 1, 8, 6),
    ],
)
def test_small_images_of_large_batches_go_by_lines(samples, channels, made, kernel, stride, padding, groups, size):
    rng = np.random.default_rng(0)
    options = (stride,) * 2, ((padding,) * 2,) * 2, (1, 1), groups
    kernels, sizes = (kernel, kernel), (size, size)
    out = conv_size(sizes, kernels, *options[:3])
    x, w = rng.standard_normal((samples, channels, *sizes)), rng.standard_normal((made, channels // groups, *kernels))
    g = rng.standard_normal((samples, made, *out))
    assert _choice.way(_geometry.geometry(x, w, out, *options)) == "lines"
    close(_compute.convolve(x, w, out, *options), _columns.convolve(x, w, out, *options))
    expected = _columns.convolve_transposed(g, w, sizes, *options), _columns.convolve_weight(x, g, kernels, *options)
    alone = _compute.convolve_transposed(g, w, sizes, *options), _compute.convolve_weight(x, g, kernels, *options)
    for a, b, c in zip(_compute.gradients(g, x, w, *options), alone, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        close(a, c)
    for at in ((3, 0, 2, 2), (1, 0, 0, size - 1)):  # infinities and nans stand where they do by columns
        for array in (x, w, g):
            place = tuple([min(i, n - 1) for i, n in zip(at, array.shape, strict=True)])
            before, array[place] = array[place], np.inf
            with np.errstate(invalid="ignore"):
                found = _compute.convolve(x, w, out, *options), *_compute.gradients(g, x, w, *options)
                expected = (
                    _columns.convolve(x, w, out, *options),
                    _columns.convolve_transposed(g, w, sizes, *options),
                    _columns.convolve_weight(x, g, kernels, *options),
                )
            array[place] = before
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("block", [1, 2**20])
@pytest.mark.parametrize(
    "size, kernel, stride, pads, groups",
    [
        ((7, 6), (3, 3), (2, 2), ((1, 1), (1, 1)), 1),
        ((8, 9), (2, 2), (2, 2), ((0, 0), (0, 0)), 1),
        ((9, 7), (4, 1), (3, 2), ((2, 1), (0, 0)), 2),
        ((6, 8), (1, 5), (2, 3), ((0, 0), (4, 2)), 1),
        ((11,), (4,), (2,), ((1, 2),), 2),
    ],
)
def test_transposed_convolutions_by_phases_equal_those_by_columns(
    monkeypatch, size, kernel, stride, pads, groups, block
):
    monkeypatch.setattr(_columns, "BLOCK", block)
    rng = np.random.default_rng(0)
    assert _phases.fits(size, (1,) * len(size))
    out = conv_size(size, kernel, stride, pads, (1,) * len(size))
    w, g = rng.standard_normal((6, 4 // groups, *kernel)), rng.standard_normal((3, 6, *out))
    expected = _columns.convolve_transposed(g, w, size, stride, pads, (1,) * len(size), groups)
    close(_phases.convolve_transposed(g, w, size, stride, pads, groups), expected)


@pytest.mark.parametrize("kernel, dilation, pads", [(5, 1, (2, 2)), (3, 2, (2, 2)), (4, 1, (3, 0)), (9, 1, (4, 4))])
def test_lines_copied_as_one_run_are_the_same_columns(monkeypatch, kernel, dilation, pads):
    rng, options = np.random.default_rng(0), ((1, 1), ((1, 0), pads), (1, dilation), 2)
    x, w = rng.standard_normal((3, 48, 7, 8)), rng.standard_normal((4, 24, 2, kernel))
    found = []
    for run in (0, 32):
        monkeypatch.setattr(_columns, "RUN", run)
        _columns._copies.cache_clear()
        found.append(_columns.convolve(x, w, (7, 8), *options))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    "size, kernel, dilation, pads",
    [
        ((9, 8), (3, 3), (1, 1), ((1, 1), (1, 1))),
        ((9, 8), (3, 2), (1, 2), ((0, 2), (4, 1))),
        ((7, 6), (1, 1), (1, 1), ((0, 0), (0, 0))),
        ((7, 6), (2, 2), (1, 1), ((1, 3), (0, 2))),
        ((40,), (3,), (2,), ((2, 2),)),
    ],
)
def test_both_gradients_by_the_same_columns_equal_each_alone(monkeypatch, groups, size, kernel, dilation, pads):
    rng, stride = np.random.default_rng(0), (1,) * len(size)
    out = conv_size(size, kernel, stride, pads, dilation)
    x, w, g = (
        rng.standard_normal(shape)
        for shape in ((8, 32, *size), (16 * groups, 32 // groups, *kernel), (8, 16 * groups, *out))
    )
    monkeypatch.setattr(_choice, "PLACES", 0)
    monkeypatch.setattr(_lines, "fits", lambda *_: False)
    forget_choices()
    calls, shared = [], _columns.gradients
    monkeypatch.setattr(_columns, "gradients", lambda *args: calls.append(args) or shared(*args))
    gx, gw = _compute.gradients(g, x, w, stride, pads, dilation, groups)
    assert len(calls) == 1
    close(gx, _columns.convolve_transposed(g, w, size, stride, pads, dilation, groups))
    close(gw, _columns.convolve_weight(x, g, kernel, stride, pads, dilation, groups))


# Kernel, stride, padding, dilation
DEPTHWISE = [
    ((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ((3, 3), (1, 1), ((0, 2), (3, 0)), (1, 2)),
    ((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    ((4, 2), (2, 1), ((0, 0), (0, 0)), (2, 1)),
    ((2, 1), (3, 2), ((0, 1), (0, 0)), (1, 1)),
]


@pytest.mark.parametrize("block", [1, 2**21])
@pytest.mark.parametrize("kernel, stride, padding, dilation", DEPTHWISE)
@pytest.mark.parametrize("channels_last", [False, True])
def test_depthwise_convolutions_equal_those_by_columns(
    monkeypatch, block, kernel, stride, padding, dilation, channels_last
):
    monkeypatch.setattr(_depthwise, "BLOCK", block)
    monkeypatch.setattr(_shifted, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 17, 8, 9)), rng.standard_normal((17, 1, *kernel))
    out = conv_size((8, 9), kernel, stride, padding, dilation)
    g = rng.standard_normal((3, 17, *out))
    if channels_last:
        x, g = (np.ascontiguousarray(each.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for each in (x, g))
    options = (stride, padding, dilation, 17)
    of = _geometry.geometry(x, w, out, *options)
    assert _choice.way(of) == "depthwise" != _choice.way(of._replace(made=34))  # two kernels for each channel
    close(_compute.convolve(x, w, out, *options), _columns.convolve(x, w, out, *options))
    close(_compute.convolve_transposed(g, w, (8, 9), *options), _columns.convolve_transposed(g, w, (8, 9), *options))
    gw = _columns.convolve_weight(x, g, kernel, *options)
    close(_compute.convolve_weight(x, g, kernel, *options), gw)
    close(_depthwise.convolve_weight(x, g, kernel, stride, padding, dilation), gw)
    if _shifted.fits(of):
        close(_shifted.convolve_weight(x, g, kernel, padding, dilation), gw)


def gradients(x, w, g, padding=1, **options):
    """The result of a convolution, the input's gradient and the weight's."""
    leaves = [td.tensor(x).requires_grad_(), td.tensor(w).requires_grad_()]
    out = functional.conv2d(*leaves, padding=padding, **options)
    return [out.detach().numpy(), *[each.numpy() for each in td.autograd.grad(out, leaves, td.tensor(g))]]


def by_columns(x, w, g, stride=1, padding=1, groups=1):
    """The same by columns alone, in double precision."""
    x, w, g = (each.astype(np.float64) for each in (x, w, g))
    options = ((stride, stride), ((padding, padding),) * 2, (1, 1), groups)
    return [
        _columns.convolve(x, w, g.shape[2:], *options),
        _columns.convolve_transposed(g, w, x.shape[2:], *options),
        _columns.convolve_weight(x, g, w.shape[2:], *options),
    ]


def arrays(x, w, stride=1, padding=1):
    """An input, a weight and a gradient of the result, in single precision."""
    rng = np.random.default_rng(0)
    out = conv_size(x[2:], w[2:], (stride, stride), ((padding, padding),) * 2, (1, 1))
    return [rng.standard_normal(shape, np.float32) for shape in (x, w, (x[0], w[0], *out))]


@pytest.fixture
def winograd(monkeypatch):
    """Winograd's way is taken for small convolutions too."""
    monkeypatch.setattr(_winograd, "LEAST", 0)
    monkeypatch.setattr(_winograd, "FEWEST", 24)


@pytest.mark.parametrize(
    "input, made",
    [
        ((2, 512, 4, 4), 512),
        ((1, 512, 13, 13), 512),
        ((4, 256, 8, 8), 256),
        ((2, 256, 15, 6), 96),
        ((8, 128, 7, 7), 128),
        ((2, 64, 32, 32), 64),
        ((2, 64, 28, 37), 256),
        ((2, 32, 64, 64), 32),
        ((3, 40, 6, 64), 32),
        ((4, 24, 17, 23), 24),
    ],
)
@pytest.mark.parametrize("kind", ["normal", "positive", "large"])
@pytest.mark.parametrize("fast", [False, True])
def test_relative_errors_in_single_precision_are_at_most_a_millionth(request, input, made, kind, fast):
    if fast:
        request.getfixturevalue("winograd")
    x, w, g = arrays(input, (made, input[1], 3, 3))
    if kind == "positive":
        x, g = np.maximum(x, 0), np.abs(g)
    if kind == "large":
        x, w = x * np.float32(1e6), w / np.float32(1e3)
    for found, exact in zip(gradients(x, w, g), by_columns(x, w, g), strict=True):
        assert found.dtype == np.float32
        assert np.sqrt(np.mean((found - exact) ** 2)) <= 1e-6 * np.sqrt(np.mean(exact**2))


@pytest.mark.parametrize("pads", [((0, 0), (0, 0)), ((1, 1), (0, 2)), ((2, 3), (3, 0))])
@pytest.mark.parametrize("channels, made", [(32, 100), (100, 32)])
def test_winograd_equals_columns_with_any_padding(pads, channels, made):
    size = (14, 9)
    out = conv_size(size, (3, 3), (1, 1), pads, (1, 1))
    rng = np.random.default_rng(0)
    x, w, g = (
        rng.standard_normal(shape, np.float32)
        for shape in ((3, channels, *size), (made, channels, 3, 3), (3, made, *out))
    )
    options = ((1, 1), pads, (1, 1), 1)
    close(_winograd.convolve(x, w, out, pads), _columns.convolve(x, w, out, *options), 5e-6)
    gx = _columns.convolve_transposed(g, w, size, *options)
    close(_winograd.convolve_transposed(g, w, size, pads), gx, 5e-6)
    close(_winograd.convolve_weight(x, g, pads), _columns.convolve_weight(x, g, (3, 3), *options), 5e-6)


# -- infinities ----------------------------------------------------------------------------------------

EVERY_WAY = {
    "Winograd": ((2, 32, 9, 12), (40, 32, 3, 3), {}),
    "Winograd without padding": ((2, 100, 8, 9), (40, 100, 3, 3), {"padding": 0}),
    "columns": ((2, 16, 12, 12), (16, 16, 3, 3), {}),
    "strips of two": ((2, 8, 12, 12), (12, 8, 3, 3), {}),
    "whole lines": ((2, 6, 14, 14), (16, 6, 5, 5), {"padding": 0}),
    "columns by a stride": ((2, 16, 12, 13), (40, 16, 3, 3), {"stride": 2}),
    "columns with gaps": ((3, 16, 10, 10), (16, 16, 2, 2), {"stride": 3}),
    "columns of many by a stride": ((1, 64, 26, 26), (64, 64, 3, 3), {"stride": 2}),
    "one product": ((1, 256, 4, 4), (256, 256, 3, 3), {}),
    "groups": ((2, 8, 12, 12), (8, 4, 3, 3), {"groups": 2}),
    "depthwise": ((2, 8, 9, 10), (16, 1, 3, 3), {"groups": 8}),
    "few channels": ((2, 3, 12, 12), (8, 3, 5, 5), {"padding": 2}),
}


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinities_stay_where_they_are_seen(request, way, where, value):
    if way.startswith("Winograd"):
        request.getfixturevalue("winograd")
    input, weight, options = EVERY_WAY[way]
    options = {"padding": 1, "stride": 1, "groups": 1, **options}
    each = arrays(input, weight, options["stride"], options["padding"])
    rng = np.random.default_rng(1)
    for _ in range(2):
        each[where][tuple(rng.integers(each[where].shape))] = value
    for found, exact in zip(gradients(*each, **options), by_columns(*each, **options), strict=True):
        finite = np.isfinite(exact)
        np.testing.assert_array_equal(found[~finite], exact[~finite])
        np.testing.assert_allclose(found[finite], exact[finite], rtol=0, atol=1e-5 * np.abs(exact[finite]).max())


@pytest.mark.usefixtures("winograd")
def test_what_is_not_computed_directly_warns_of_nothing():
    x, w, g = arrays((1, 32, 12, 12), (32, 32, 3, 3))
    x[0, 0, 0, 0] = np.inf
    w[:, 0] = 1
    out = gradients(x, w, g)[0]
    assert np.isposinf(out[0, :, :2, :2]).all()
    assert np.isfinite(out).sum() == 32 * (144 - 4)


@pytest.mark.usefixtures("winograd")
def test_numbers_near_the_largest_do_not_overflow_in_between():
    x, w, g = arrays((2, 32, 8, 8), (32, 32, 3, 3))
    x, w, g = x * np.float32(4e37), w * np.float32(1e-3), g * np.float32(1e-3)
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(_winograd.convolve(x, w, (8, 8), ((1, 1), (1, 1)))).all()
    for found, exact in zip(gradients(x, w, g), by_columns(x, w, g), strict=True):
        close(found.astype(np.float64), exact, 1e-6)


# -- the choice ----------------------------------------------------------------------------------------


SQUARE = _geometry.Geometry(
    samples=16,
    channels=64,
    made=64,
    kernel=(3, 3),
    size=(16, 16),
    out=(16, 16),
    stride=(1, 1),
    pads=((1, 1), (1, 1)),
    dilation=(1, 1),
    groups=1,
    dtype=np.dtype(np.float32),
)


def test_winograd_is_for_float32_and_small_kernels_only():
    assert _winograd.fits(SQUARE)
    for change in (
        {"samples": 7},
        {"channels": 63, "made": 128},
        {"channels": 128, "made": 63},
        {"kernel": (5, 5)},
        {"stride": (2, 2)},
        {"dilation": (2, 2)},
        {"groups": 2},
        {"out": (5, 5)},
        {"dtype": np.dtype(np.float64)},
    ):
        assert not _winograd.fits(SQUARE._replace(**change))


def test_one_product_for_the_batch_is_for_few_places_only():
    deep = SQUARE._replace(samples=4, channels=512, made=512, out=(7, 7))
    assert _deep.fits(deep, fast=True)
    assert _deep.fits(deep._replace(samples=1, out=(32, 32)), fast=False)
    assert _deep.fits(deep._replace(samples=8, out=(4, 4), groups=2), fast=True)
    for change in ({"samples": 257, "out": (1, 1)}, {"groups": 2}, {"kernel": (20, 20)}):
        assert not _deep.fits(deep._replace(**change), fast=True)
    assert not _deep.fits(deep._replace(samples=1025, out=(1, 1)), fast=False)
    for name in ("samples", "channels", "made"):
        assert not _deep.fits(deep._replace(**{name: 0}), fast=True)


@pytest.mark.parametrize("count, size", [(1, 24), (2, 24), (5, 12), (32, 12), (3, 200)])
def test_there_is_something_for_a_second_thread(count, size):
    x = np.ones((count, 16, size, size), np.float32)
    lines = _rows.forward_lines((size, size), (size, size), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    seen = np.zeros((count, size), int)
    job = _rows.Job(x, lines, 2**20)
    for n0, n1, r0, r1 in job.pieces:
        seen[n0:n1, r0:r1] += 1
    assert (seen == 1).all() and len(job.pieces) > 1


@pytest.mark.parametrize("channels", [8, 32])
def test_the_number_of_threads_changes_no_bit(channels):
    td.manual_seed(0)
    x, w = td.randn(8, channels, 16, 16, requires_grad=True), td.randn(32, channels, 3, 3, requires_grad=True)
    before, found = td.get_num_threads(), []
    for number in (1, 2, 3):
        td.set_num_threads(number)
        try:
            out = functional.conv2d(x, w, padding=1)
            found.append([out, *td.autograd.grad(out.square().sum(), [x, w])])
        finally:
            td.set_num_threads(before)
    for each in found[1:]:
        for a, b in zip(each, found[0], strict=True):
            assert (a == b).all()


def test_a_recorded_pass_gives_the_same_bits():
    td.manual_seed(0)
    for channels in (3, 16, 32):
        x, w = td.randn(4, channels, 12, 12, requires_grad=True), td.randn(32, channels, 3, 3, requires_grad=True)
        found = [
            td.autograd.grad(functional.conv2d(x, w, padding=1).square().sum(), [x, w], create_graph=recorded)
            for recorded in (False, True)
        ]
        for a, b in zip(*found, strict=True):
            assert (a == b).all()


@pytest.mark.parametrize("channels, options", [(32, {"stride": 2}), (32, {"padding": 1}), (6, {"stride": 2})])
def test_a_recorded_pass_of_a_transposed_convolution_gives_the_same_bits(channels, options):
    td.manual_seed(0)
    x, w = td.randn(4, channels, 12, 12, requires_grad=True), td.randn(channels, 32, 3, 3, requires_grad=True)
    found = [
        td.autograd.grad(functional.conv_transpose2d(x, w, **options).square().sum(), [x, w], create_graph=recorded)
        for recorded in (False, True)
    ]
    for a, b in zip(*found, strict=True):
        assert (a == b).all()


def test_without_the_blas_switch_one_thread_does_all(monkeypatch):
    monkeypatch.setattr(blas, "_switch", [])
    test_the_number_of_threads_changes_no_bit(32)
    seen = []
    threads.parallel_for_products(lambda start, stop: seen.append((start, stop)), 10)
    assert seen == [(0, 10)]


@pytest.mark.parametrize("shape", [(2, 4, 0), (4, 0)])
def test_a_transposed_convolution_of_samples_without_elements_is_refused(shape):
    with pytest.raises(ValueError, match=r"got an input of shape .*0\), expected at least one element"):
        functional.conv_transpose1d(td.ones(shape), td.ones(4, 5, 3))
    assert functional.conv_transpose1d(td.ones(0, 4, 3), td.ones(4, 5, 3)).shape == (0, 5, 5)
