"""Layers that pad: values, what they refuse, and the bases of layers by the names that PyTorch's programs ask about."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


@pytest.mark.parametrize(
    "layer, expected",
    [
        (nn.ZeroPad1d((1, 2)), [0, 1, 2, 3, 0, 0]),
        (nn.ConstantPad1d(1, 9.0), [9, 1, 2, 3, 9]),
        (nn.ConstantPad1d((-1, 1), 9.0), [2, 3, 9]),
        (nn.ReflectionPad1d(2), [3, 2, 1, 2, 3, 2, 1]),
        (nn.ReplicationPad1d((0, 2)), [1, 2, 3, 3, 3]),
        (nn.CircularPad1d([1, 2]), [3, 1, 2, 3, 1, 2]),
    ],
    ids=str,
)
def test_padded_values_and_gradients(layer, expected):
    x = td.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
    out = layer(x)
    assert out[0, 0].tolist() == expected
    out.sum().backward()
    assert x.grad[0, 0].tolist() == [expected.count(1), expected.count(2), expected.count(3)]


def test_two_and_three_dimensions():
    assert nn.ZeroPad2d((1, 0, 0, 1))(td.ones(1, 1, 1, 1)).tolist() == [[[[0, 1], [0, 0]]]]
    assert nn.ReflectionPad3d((1, 0, 0, 0, 0, 0))(td.arange(8.0).reshape(1, 2, 2, 2))[0, 0].tolist() == [
        [1, 0, 1],
        [3, 2, 3],
    ]


def test_padding_as_text():
    assert repr(nn.ConstantPad2d(1, 0.5)) == "ConstantPad2d(padding=(1, 1, 1, 1), value=0.5)"
    assert repr(nn.ReplicationPad1d((1, 2))) == "ReplicationPad1d((1, 2))"


@pytest.mark.parametrize(
    "run, kind, match",
    [
        (lambda: nn.ZeroPad2d(1.5), TypeError, "ZeroPad2d: expected an integer for padding, got 1.5"),
        (
            lambda: nn.ReflectionPad2d((1, 2)),
            ValueError,
            r"expected one number .* or 4, .* got \(1, 2\)",
        ),
        (lambda: nn.ZeroPad1d((1, 2, 3)), ValueError, "expected one number for padding, or 2"),
        (lambda: nn.CircularPad1d(1)(td.ones(3)), ValueError, r"expected an input of shape \(N, C, L\) or \(C, L\)"),
        (lambda: nn.Softmax2d()(td.ones(2, 3)), ValueError, r"Softmax2d: expected .* got \(2, 3\)"),
    ],
)
def test_padding_refuses(run, kind, match):
    with pytest.raises(kind, match=match):
        run()


def test_softmax_over_channels():
    out = nn.Softmax2d()(td.tensor([[[[0.0]], [[0.0]]], [[[1000.0]], [[0.0]]]]))
    assert out[..., 0, 0].tolist() == [[0.5, 0.5], [1.0, 0.0]]
    assert nn.Softmax2d()(td.zeros(2, 1, 1)).flatten().tolist() == [0.5, 0.5]


def test_bases_that_programs_ask_about():
    assert isinstance(nn.BatchNorm2d(1), nn._BatchNorm) and not isinstance(nn.InstanceNorm2d(1), nn._BatchNorm)
    assert isinstance(nn.InstanceNorm2d(1), nn._NormBase) and isinstance(nn.InstanceNorm1d(1), nn._InstanceNorm)
    assert isinstance(nn.ConvTranspose1d(1, 1, 1), nn._ConvNd) and isinstance(nn.Conv3d(1, 1, 1), nn._ConvNd)
    assert not isinstance(nn.Conv1d(1, 1, 1), nn._ConvTransposeNd)
    assert isinstance(nn.MSELoss(), nn._Loss) and not isinstance(nn.MSELoss(), nn._WeightedLoss)
    assert isinstance(nn.CrossEntropyLoss(), nn._WeightedLoss)
    assert isinstance(nn.AlphaDropout(), nn._DropoutNd) and not isinstance(nn.Dropout2d(), nn.Dropout)
    assert isinstance(nn.AdaptiveMaxPool1d(1), nn._AdaptiveMaxPoolNd)
    assert not isinstance(nn.AdaptiveAvgPool1d(1), nn._AdaptiveMaxPoolNd)
