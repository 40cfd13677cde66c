"""Max pooling undone: values, gradients, sizes, and what is refused."""

from __future__ import annotations

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional


def test_maxima_at_their_places():
    pool, undo = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    maxima, places = pool(td.arange(16.0).reshape(1, 4, 4))
    maxima.requires_grad_()
    out = undo(maxima, places)
    assert out.tolist() == [[[0, 0, 0, 0], [0, 5, 0, 7], [0, 0, 0, 0], [0, 13, 0, 15]]]
    (out * td.arange(16.0).reshape(1, 4, 4)).sum().backward()
    assert maxima.grad.tolist() == [[[5.0, 7.0], [13.0, 15.0]]]
    assert repr(undo) == "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"


def test_sizes():
    x = td.tensor([[1.0, 3.0, 2.0, 5.0, 4.0]])
    maxima, places = functional.max_pool1d(x, 2, return_indices=True)
    assert nn.MaxUnpool1d(2)(maxima, places).tolist() == [[0, 3, 0, 5]]
    for size in (x.shape[1:], (1, *x.shape)):
        assert nn.MaxUnpool1d(2)(maxima, places, output_size=size).tolist() == [[0, 3, 0, 5, 0]]
    maxima, places = functional.max_pool3d(td.ones(2, 1, 2, 2, 2), 2, return_indices=True)
    assert functional.max_unpool3d(maxima, places, 2).sum().item() == 2


ONE = td.ones(1, 2)


@pytest.mark.parametrize(
    "args, kind, match",
    [
        ((ONE, td.tensor([[0, 9]]), 2), RuntimeError, "max_unpool1d: index 9 is out of range"),
        ((ONE, td.tensor([[0]]), 2), ValueError, r"indices of the input's shape \(1, 2\), got \(1, 1\)"),
        ((ONE, ONE, 2), TypeError, "indices of int64, got float32"),
        ((ONE, td.tensor([[0, 2]]), 2, None, 0, (6,)), ValueError, r"less than \(2,\) from \(4,\), got \(6,\)"),
        ((ONE, td.tensor([[0, 2]]), 2, None, 0, (2, 4)), ValueError, "output_size"),
        ((td.ones(2), td.tensor([0, 2]), 2), ValueError, r"max_unpool1d: .*\(2,\)"),
    ],
)
def test_max_unpool_refuses(args, kind, match):
    with pytest.raises(kind, match=match):
        functional.max_unpool1d(*args)
