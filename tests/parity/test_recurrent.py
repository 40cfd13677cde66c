"""Recurrent layers beside PyTorch's: values, gradients, state, text, for all options."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]
IDS = ["tanh", "relu", "LSTM", "GRU"]
PROJECTED = ("LSTM", {"proj_size": 2})


def draw(*shape):
    return RNG.standard_normal(shape)


def close(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-9)


def flat(result):
    """The tensors in an output and the last states."""
    found = []
    for each in result if isinstance(result, tuple) else (result,):
        found += flat(each) if isinstance(each, tuple) else [each]
    return found


def pair(name, *args, **kwargs):
    """The same layer, in float64, from both libraries."""
    ours = getattr(nn, name)(*args, **kwargs, dtype=td.float64)
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=torch.float64)
    assert {k: t.shape for k, t in ours.state_dict().items()} == {
        k: tuple(t.shape) for k, t in theirs.state_dict().items()
    }
    assert repr(ours) == repr(theirs)
    theirs.load_state_dict({key: torch.tensor(t.numpy()) for key, t in ours.state_dict().items()})
    return ours, theirs


def compare(ours, theirs, x, states):
    """Values and all gradients, of an input and the first states."""
    arrays = [x, *states]
    mine = [td.tensor(a, requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]

    def call(module, tensors):
        first = tensors[1:]
        return flat(module(tensors[0]) if not first else module(tensors[0], tuple(first) if first[1:] else first[0]))

    a, b = call(ours, mine), call(theirs, other)
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        assert left.shape == tuple(right.shape)
        close(left, right)
    seeds = [draw(*each.shape) for each in a]
    sum((each * td.tensor(seed)).sum() for each, seed in zip(a, seeds, strict=True)).backward()
    sum((each * torch.tensor(seed)).sum() for each, seed in zip(b, seeds, strict=True)).backward()
    for left, right in zip([*mine, *ours.parameters()], [*other, *theirs.parameters()], strict=True):
        close(left.grad, right.grad)


def draw_states(name, layers, *batch, size, proj_size=0, **_):
    """First states of a layer; the first of an LSTM with projections has their size."""
    sizes = [proj_size or size, size][: 2 if name == "LSTM" else 1]
    return [draw(layers, *batch, each) for each in sizes]


@pytest.mark.parametrize("name, kwargs", [*KINDS, PROJECTED], ids=[*IDS, "projected"])
@pytest.mark.parametrize(
    "num_layers, bias, batch_first, bidirectional", list(itertools.product([1, 2], *[[True, False]] * 3))
)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "h0"])
@pytest.mark.parametrize("batch", [3, None], ids=["batch", "single"])
def test_layers(name, kwargs, num_layers, bias, batch_first, bidirectional, given, batch):
    options = {"num_layers": num_layers, "bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
    ours, theirs = pair(name, 4, 5, **options, **kwargs)
    x = draw(6, 4) if batch is None else draw(batch, 6, 4) if batch_first else draw(6, batch, 4)
    sizes = (num_layers * (1 + bidirectional), *([] if batch is None else [batch]))
    states = draw_states(name, *sizes, size=5, **kwargs) if given else []
    compare(ours, theirs, x, states)


@pytest.mark.parametrize("name, kwargs", KINDS, ids=IDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("lead", [(3,), ()])
def test_cells(name, kwargs, bias, given, lead):
    ours, theirs = pair(f"{name}Cell", 4, 5, bias=bias, **kwargs)
    states = [draw(*lead, 5) for _ in range(2 if name == "LSTM" else 1)] if given else []
    compare(ours, theirs, draw(*lead, 4), states)


@pytest.mark.parametrize("name, kwargs", [*KINDS, PROJECTED], ids=[*IDS, "projected"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("lengths, sorted_", [([5, 3, 3, 1], True), ([2, 5, 1, 4], False)])
def test_packed(name, kwargs, bidirectional, given, lengths, sorted_):
    ours, theirs = pair(name, 3, 4, num_layers=2, bidirectional=bidirectional, **kwargs)
    x = draw(5, 4, 3)
    states = draw_states(name, 2 * (1 + bidirectional), 4, size=4, **kwargs) if given else []

    def wrapped(library, module):
        rnn = library.nn.utils.rnn

        def call(tensor, first=None):
            sizes = library.tensor(lengths)
            packed = rnn.pack_padded_sequence(tensor, sizes, enforce_sorted=sorted_)
            output, last = module(packed, first) if first is not None else module(packed)
            assert type(output).__name__ == "PackedSequence"
            again, found = rnn.pad_packed_sequence(output, total_length=6)
            assert found.tolist() == lengths
            return output.data, again, last

        call.parameters = module.parameters
        return call

    compare(wrapped(td, ours), wrapped(torch, theirs), x, states)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_and_packing(batch_first, side):
    arrays = [draw(n, 2) for n in (2, 4, 1)]
    results = []
    for library in (td, torch):
        rnn = library.nn.utils.rnn
        tensors = [library.tensor(a) for a in arrays]
        padded = rnn.pad_sequence(tensors, batch_first, -1.0, side)
        packed = rnn.pack_sequence(tensors, enforce_sorted=False)
        again = rnn.pad_packed_sequence(packed, batch_first, 7.0)
        sequences = [*rnn.unpack_sequence(packed), *rnn.unpad_sequence(again[0].clone(), again[1], batch_first)]
        results.append([padded, *packed, *again, *sequences])
    for left, right in zip(*results, strict=True):
        close(left, right)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_second_order(name):
    ours, theirs = pair(name, 3, 4, num_layers=2, bidirectional=True)
    x = draw(4, 2, 3)
    mine, other = td.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    (g,) = td.autograd.grad(ours(mine)[0].square().sum(), mine, create_graph=True)
    (h,) = torch.autograd.grad(theirs(other)[0].square().sum(), other, create_graph=True)
    close(g, h)
    g.square().sum().backward()
    h.square().sum().backward()
    for left, right in zip([mine, *ours.parameters()], [other, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(left.grad.numpy(), right.grad.numpy(), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_float32(name):
    ours = getattr(nn, name)(16, 24, num_layers=2)
    theirs = getattr(torch.nn, name)(16, 24, num_layers=2)
    theirs.load_state_dict({key: torch.tensor(t.numpy()) for key, t in ours.state_dict().items()})
    x = draw(20, 8, 16).astype(np.float32)
    a, b = ours(td.tensor(x))[0], theirs(torch.tensor(x))[0]
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)
    a.square().sum().backward()
    b.square().sum().backward()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(left.grad.numpy(), right.grad.numpy(), rtol=1e-3, atol=1e-3)
