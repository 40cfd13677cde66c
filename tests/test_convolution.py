"""Convolution: refusals, what is saved and computed, memory limits, numerical error; values stand in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import blas, nn, threads
from tinygrad_dl.nn import functional
from tinygrad_dl.ops import conv_columns, conv_depthwise, conv_rows, conv_ways, winograd
from tinygrad_dl.ops.conv_shapes import conv_size


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
        (lambda: nn.Conv2d(3, 2, 3)(td.ones(1, 4, 5, 5)), r"conv2d: expected 3 channels .* shape \(1, 4, 5, 5\)"),
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
        (lambda: nn.Conv2d(4, 3, 3, stride=2, padding="same"), "padding='same' needs a stride of 1"),
        (lambda: nn.Conv2d(4, 3, 3, padding="full"), "padding 'same', 'valid' or numbers, got 'full'"),
        (lambda: nn.Conv2d(4, 3, 3, padding_mode="mirror"), "padding_mode among .*, got 'mirror'"),
        (lambda: nn.Conv2d(1, 1, 3, padding=5, padding_mode="reflect")(td.ones(1, 1, 4, 4)), "at most 3 elements"),
        (lambda: nn.ConvTranspose2d(3, 2, 3)(td.ones(1, 4, 5, 5)), r"conv_transpose2d: expected 3 channels"),
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
    assert out.grad_fn.name() == "Convolution"
    assert out.grad_fn.nbytes == 4 * (x.numel() + layer.weight.numel())


def test_the_first_layers_input_gradient_is_never_computed(monkeypatch):
    layer = nn.Conv2d(3, 4, 3)
    out = layer(td.randn(2, 3, 8, 8))

    def refuse(*_):
        raise AssertionError("computed")

    monkeypatch.setattr("tinygrad_dl.ops.conv.convolution_transpose.duck", refuse, raising=False)
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
    [(1, 1, 10), (64, 28, 2800), (32, 32, 18432), (4, 1000, 2**20), (2, 3, 50 * 2**20), (0, 5, 100), (3, 10, 2**16)],
)
def test_blocks_cover_everything_once_and_stay_below_the_limit(count, rows, row_bytes):
    seen = np.zeros((count, rows), int)
    for samples, lines in conv_columns.blocks(count, rows, row_bytes):
        seen[samples, lines] += 1
        size = len(range(*samples.indices(count))) * len(range(*lines.indices(rows))) * row_bytes
        assert size <= max(conv_columns.BLOCK, row_bytes) <= conv_columns.LARGEST
    assert (seen == 1).all()


@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_of_every_size_give_the_same(monkeypatch, stride):
    td.manual_seed(0)
    x, w = td.randn(3, 4, 9, 8, dtype=td.float64), td.randn(4, 2, 3, 3, dtype=td.float64)
    found = []
    for block in (1, 3000, 2**20):
        monkeypatch.setattr(conv_columns, "BLOCK", block)
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
    blocks, job = conv_columns.blocks, conv_rows.Job
    monkeypatch.setattr(conv_columns, "blocks", lambda n, count, size: rows.append(size) or blocks(n, count, size))

    def noted(*args):
        made = job(*args)
        rows.append(made.width * made.behind * 8)
        return made

    monkeypatch.setattr(conv_rows, "Job", noted)
    for limit in (conv_ways.LARGEST, 3000):
        monkeypatch.setattr(conv_ways, "LARGEST", limit)
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
    lines = conv_rows.forward_lines((20, 20), (20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2)
    for block in (1, 2**14, 2**19):
        job = conv_rows.Job(x, lines, block)
        row_bytes = job.width * job.behind * 4
        seen = np.zeros((3, lines[0].number), int)
        for n0, n1, r0, r1 in job.pieces:
            seen[n0:n1, r0:r1] += 1
            assert (n1 - n0) * (r1 - r0) * row_bytes <= max(block, row_bytes) <= conv_rows.LARGEST
        assert (seen == 1).all()


# -- the ways of computing it --------------------------------------------------------------------------


def close(a, b, tolerance=1e-12):
    assert a.shape == b.shape and a.dtype == b.dtype
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize("t", [1, 2, 3, 9])
@pytest.mark.parametrize("stride, padding, kernel", [(1, 0, 3), (1, 2, 3), (2, 1, 3), (3, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("block", [1, 2**19])
def test_rows_equal_columns(monkeypatch, t, stride, padding, kernel, block):
    monkeypatch.setattr(conv_rows, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4, 8, 9)), rng.standard_normal((5, 4, kernel, 2))
    size, options = (8, 9), ((stride, stride), ((padding, 0), (0, padding)), (1, 1))
    out = conv_size(size, w.shape[2:], *options)
    lines = conv_rows.forward_lines(size, out, w.shape[2:], *options, t)
    back = conv_rows.backward_lines(out, size, w.shape[2:], *options[:2], t)
    flat = w.reshape(5, 4, -1)
    y = conv_columns.convolve(x, w, out, *options, 1)
    close(conv_rows.apply(x, flat.transpose(2, 1, 0), lines, w.shape[2:], out), y)
    gw = conv_rows.apply_weight(x, y, lines, w.shape[2:]).transpose(2, 1, 0).reshape(w.shape)
    close(gw, conv_columns.convolve_weight(x, y, w.shape[2:], *options, 1))
    gx = conv_rows.apply(y, flat.transpose(2, 0, 1), back, w.shape[2:], size)
    close(gx, conv_columns.convolve_transposed(y, w, size, *options, 1))


@pytest.mark.parametrize("block", [1, 2**18])
@pytest.mark.parametrize(
    "dilation, padding", [((1, 1), ((1, 1), (1, 1))), ((1, 2), ((0, 2), (3, 0))), ((2, 1), ((0, 0),) * 2)]
)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_depthwise_weight_gradients_equal_those_by_columns(monkeypatch, block, dilation, padding, multiplier):
    monkeypatch.setattr(conv_depthwise, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((3, 4, 8, 9)), rng.standard_normal((4 * multiplier, 1, 3, 3))
    out = conv_size((8, 9), (3, 3), (1, 1), padding, dilation)
    options = ((1, 1), padding, dilation, 4)
    assert conv_depthwise.fits(4, w.shape, (1, 1), padding, dilation, 4, "d")
    y = conv_columns.convolve(x, w, out, *options)
    gw = conv_columns.convolve_weight(x, y, (3, 3), *options)
    close(conv_depthwise.convolve_weight(x, y, (3, 3), padding, dilation), gw)


@pytest.mark.parametrize("size", [(16, 16), (13, 9), (4, 30)])
@pytest.mark.parametrize("channels", [24, 64, 128])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_winograds_error_is_below_one_in_a_hundred_thousand(size, channels, scale):
    rng = np.random.default_rng(0)
    pads = ((1, 1), (0, 2))
    x = (rng.standard_normal((4, channels, *size)) * scale).astype(np.float32)
    w = (rng.standard_normal((32, channels, 3, 3)) / np.sqrt(9 * channels)).astype(np.float32)
    g = rng.standard_normal((4, 32, *size)).astype(np.float32)
    options = ((1, 1), pads, (1, 1), 1)
    exact_x, exact_w, exact_g = (a.astype(np.float64) for a in (x, w, g))
    for found, exact in (
        (winograd.convolve(x, w, size, pads), conv_columns.convolve(exact_x, exact_w, size, *options)),
        (
            winograd.convolve_transposed(g, w, size, pads),
            conv_columns.convolve_transposed(exact_g, exact_w, size, *options),
        ),
        (winograd.convolve_weight(x, g, pads), conv_columns.convolve_weight(exact_x, exact_g, (3, 3), *options)),
    ):
        assert found.dtype == np.float32
        assert np.abs(found - exact).max() < 2e-5 * np.abs(exact).max()


def test_winograd_is_for_float32_and_small_kernels_only():
    fitting = {
        "channels": 32,
        "made": 32,
        "kernel": (3, 3),
        "stride": (1, 1),
        "pads": ((1, 1), (1, 1)),
        "dilation": (1, 1),
        "groups": 1,
        "out": (16, 16),
        "dtype": np.dtype(np.float32),
    }
    assert winograd.fits(**fitting)
    for change in (
        {"channels": 8},
        {"made": 8},
        {"kernel": (5, 5)},
        {"stride": (2, 2)},
        {"dilation": (2, 2)},
        {"groups": 2},
        {"out": (5, 5)},
        {"dtype": np.dtype(np.float64)},
    ):
        assert not winograd.fits(**{**fitting, **change})


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


def test_without_the_blas_switch_one_thread_does_all(monkeypatch):
    monkeypatch.setattr(blas, "_switch", [])
    test_the_number_of_threads_changes_no_bit(32)
    seen = []
    threads.spread_products(lambda start, stop: seen.append((start, stop)), 10)
    assert seen == [(0, 10)]
