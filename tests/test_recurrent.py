"""Recurrent layers: what they refuse, what they keep, dropout, extremes, half precision."""

from __future__ import annotations

import copy
import pickle

import cores
import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.utils import rnn as rnn_utils
from tinygrad_dl.ops.recurrent import _layer as layer
from tinygrad_dl.ops.recurrent import gru, lstm, rnn
from tinygrad_dl.testing import gradcheck, gradgradcheck

KINDS = [nn.RNN, nn.LSTM, nn.GRU]
CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]


@pytest.mark.parametrize(
    "make, kind, match",
    [
        (lambda: nn.RNN(0, 2), ValueError, "RNN: expected input_size >= 1, got 0"),
        (lambda: nn.LSTM(2, 2.0), TypeError, "LSTM: expected an integer for hidden_size, got 2.0"),
        (lambda: nn.GRU(2, 3, num_layers=0), ValueError, "GRU: expected num_layers >= 1, got 0"),
        (lambda: nn.GRU(2, 3, 2, dropout=1.5), ValueError, "GRU: expected dropout between 0 and 1, got 1.5"),
        (lambda: nn.RNN(2, 3, nonlinearity="elu"), ValueError, "'tanh' or 'relu', got 'elu'"),
        (lambda: nn.RNNCell(2, 3, nonlinearity="elu"), ValueError, "'tanh' or 'relu', got 'elu'"),
        (lambda: nn.LSTM(2, 3, proj_size=3), ValueError, "LSTM: got proj_size=3, expected less than hidden_size"),
        (lambda: nn.LSTM(2, 3, proj_size=-1), ValueError, "LSTM: expected proj_size >= 0, got -1"),
        (lambda: nn.GRU(2, 3, proj_size=2), ValueError, "only an LSTM has projections"),
        (lambda: nn.GRUCell(2, -1), ValueError, "GRUCell: expected hidden_size >= 0, got -1"),
    ],
)
def test_constructors_say_what_is_wrong(make, kind, match):
    with pytest.raises(kind, match=match):
        make()


def test_dropout_without_a_second_layer_warns():
    with pytest.warns(UserWarning, match="dropout=0.5 with num_layers=1 does nothing"):
        nn.GRU(2, 3, dropout=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_that_do_not_fit(kind):
    layer = kind(2, 3)
    with pytest.raises(ValueError, match=r"expected an input of \(L, N, 2\).* got shape \(2,\)"):
        layer(td.ones(2))
    with pytest.raises(ValueError, match=r"expected an input of \(N, L, 2\)"):
        kind(2, 3, batch_first=True)(td.ones(1, 1, 1, 2))
    with pytest.raises(ValueError, match=r"input_size=2 features in the last dimension, .* \(5, 4, 3\)"):
        layer(td.ones(5, 4, 3))
    with pytest.raises(ValueError, match="at least one step"):
        layer(td.ones(0, 4, 2))
    with pytest.raises(TypeError, match="same dtype, got float64 and float32"):
        layer(td.ones(5, 4, 2, dtype=td.float64))


def test_states_that_do_not_fit():
    x = td.ones(5, 4, 2)
    with pytest.raises(ValueError, match=r"GRU: expected h_0 of shape \(1, 4, 3\), .* got \(4, 3\)"):
        nn.GRU(2, 3)(x, td.ones(4, 3))
    with pytest.raises(ValueError, match=r"expected h_0 of shape \(2, 3\), which is .* got \(1, 3\)"):
        nn.GRU(2, 3, bidirectional=True)(td.ones(5, 2), td.ones(1, 3))
    with pytest.raises(ValueError, match=r"LSTM: expected c_0 of shape \(2, 4, 3\), .* got \(1, 4, 3\)"):
        nn.LSTM(2, 3, 2)(x, (td.ones(2, 4, 3), td.ones(1, 4, 3)))
    with pytest.raises(TypeError, match=r"LSTM: expected the first states as a tuple \(h_0, c_0\), got Tensor"):
        nn.LSTM(2, 3)(x, td.ones(1, 4, 3))
    with pytest.raises(TypeError, match="got a tuple of 1"):
        nn.LSTM(2, 3)(x, (td.ones(1, 4, 3),))


@pytest.mark.parametrize("kind", CELLS)
def test_what_cells_refuse(kind):
    cell = kind(2, 3)
    with pytest.raises(ValueError, match=r"expected an input of shape \(N, 2\) or \(2,\), got \(4, 3\)"):
        cell(td.ones(4, 3))
    wrong = td.ones(1, 3)
    with pytest.raises(ValueError, match=r"of shape \(4, 3\) beside that input, got \(1, 3\)"):
        cell(td.ones(4, 2), (wrong, wrong) if kind is nn.LSTMCell else wrong)


def test_an_lstm_cell_wants_both_states():
    with pytest.raises(TypeError, match=r"expected the states as a tuple \(h_0, c_0\), got Tensor"):
        nn.LSTMCell(2, 3)(td.ones(4, 2), td.ones(4, 3))


def test_packing_says_what_is_wrong():
    utils, x = nn.utils.rnn, td.ones(3, 2, 1)
    with pytest.raises(ValueError, match=r"lengths that fall, got \[1, 3\]; sort the batch"):
        utils.pack_padded_sequence(x, [1, 3])
    with pytest.raises(ValueError, match=r"lengths from 1 to 3, the number of steps, got \[4, 1\]"):
        utils.pack_padded_sequence(x, [4, 1])
    with pytest.raises(ValueError, match="expected 2 whole numbers as lengths"):
        utils.pack_padded_sequence(x, [3, 2, 1])
    packed = utils.pack_padded_sequence(x, [3, 1])
    with pytest.raises(ValueError, match="total_length >= 3"):
        utils.pad_packed_sequence(packed, total_length=2)
    with pytest.raises(ValueError, match="at least one sequence"):
        utils.pad_sequence([])
    with pytest.raises(ValueError, match="differ in their first dimension alone"):
        utils.pad_sequence([td.ones(2, 1), td.ones(2, 2)])
    with pytest.raises(ValueError, match="'left' or 'right', got 'top'"):
        utils.pad_sequence([td.ones(2)], padding_side="top")
    with pytest.raises(ValueError, match=r"expected 2 lengths, one a sequence, got lengths of shape \(3,\)"):
        utils.unpad_sequence(td.ones(4, 2), [1, 2, 3])


@pytest.mark.parametrize("kind", KINDS)
def test_cells_step_by_step_are_the_layer(kind):
    layer = kind(2, 3)
    cell = getattr(nn, f"{kind.__name__}Cell")(2, 3)
    cell.load_state_dict({key.removesuffix("_l0"): t for key, t in layer.state_dict().items()})
    x = td.randn(6, 4, 2)
    output, state = layer(x)[0], None
    for t in range(6):
        state = cell(x[t], state)
        h = state[0] if kind is nn.LSTM else state
        np.testing.assert_allclose(h.detach().numpy(), output[t].detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_between_layers_in_training_alone(kind):
    td.manual_seed(0)
    layer = kind(2, 8, 2, dropout=0.5)
    x = td.randn(5, 3, 2)
    assert (layer(x)[0] != layer(x)[0]).any()
    layer.eval()
    assert (layer(x)[0] == layer(x)[0]).all()
    with pytest.warns(UserWarning):
        single = kind(2, 8, dropout=0.5)
    assert (single(x)[0] == single(x)[0]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_give_no_nan_and_no_warning(kind):
    layer = kind(2, 3)
    x = td.tensor([[[1e4, -1e4]], [[-1e4, 1e4]], [[0.0, 1e4]]], requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        output = layer(x)[0]
        output.sum().backward()
    for found in (output, x.grad, *(p.grad for p in layer.parameters())):
        assert np.isfinite(found.detach().numpy()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_stays(kind):
    layer = kind(2, 3, 2, bidirectional=True, dtype=td.float16)
    x = td.randn(4, 2, 2).to(td.float16).requires_grad_()
    output = layer(x)[0]
    output.sum().backward()
    assert {t.dtype for t in (output, x.grad, *(p.grad for p in layer.parameters()))} == {td.float16}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_none(kind):
    layer = kind(2, 3, bidirectional=True)
    x = td.ones(4, 0, 2, requires_grad=True)
    output = layer(x)[0]
    assert output.shape == (4, 0, 6)
    output.sum().backward()
    assert x.grad.shape == (4, 0, 2)
    assert not layer.weight_hh_l0.grad.numpy().any()


@pytest.mark.parametrize("kind", KINDS)
def test_first_and_second_order_through_layers(kind):
    layer = kind(2, 2, 2, bidirectional=True, dtype=td.float64)
    x = td.randn(3, 2, 2, dtype=td.float64, requires_grad=True)
    gradcheck(lambda x, *_: layer(x)[0], (x, *layer.parameters()))
    gradgradcheck(lambda x: layer(x)[0], (x,))


def test_one_node_a_layer_and_direction():
    output = nn.LSTM(2, 3)(td.ones(5, 4, 2))[0]
    assert output.grad_fn.name() == "LstmLayerBackward0"
    places = [node for node, _ in output.grad_fn.next_functions if node is not None]
    assert places[0].name() == "AccumulateGrad"


def test_without_a_backward_pass_nothing_is_kept():
    x = np.ones((5, 4, 2), np.float32)
    four, three, one = (np.ones((n, 2), np.float32) for n in (4, 3, 1))
    assert lstm.lstm_layer.op.forward(x, None, None, four, four[:, :1], keep=False)[1] is None
    assert gru.gru_layer.op.forward(x, None, three, three[:, :1], keep=False)[1] is None
    assert rnn.rnn_layer.op.forward(x, None, one, one[:, :1], keep=False)[1] is None
    for kind in KINDS:
        layer = kind(2, 3)
        with td.no_grad():
            quiet = layer(td.tensor(x))[0]
        assert quiet.grad_fn is None
        assert (quiet == layer(td.tensor(x))[0]).all()


def test_learns_to_count():
    """The sign of the sum of a sequence: a state must be carried over all steps."""
    td.manual_seed(0)
    x = td.randn(64, 12, 1)
    y = (x.sum((1, 2)) > 0).long()
    layer, head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 2)
    optimizer = td.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(layer(x)[0][:, -1]), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lengths", [None, [1, 2, 5, 7]])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    ("function", "gates", "states"), [(lstm.lstm_layer, 4, 2), (gru.gru_layer, 3, 1), (rnn.rnn_layer, 1, 1)]
)
def test_layers_in_several_ranges_of_steps(
    function, gates, states, given, lengths, bias, reverse, threads, monkeypatch
):
    """Long sequences are gone through range by range, with products beside; many sequences are shared out."""
    rng = np.random.default_rng(0)
    shapes = [(7, 4, 3), *[(4, 5)] * (states * given), (gates * 5, 3), (gates * 5, 5), *[(gates * 5,)] * (2 * bias)]
    arrays = [0.5 * rng.standard_normal(shape) for shape in shapes]

    def results():
        tensors = [td.tensor(each, requires_grad=True) for each in arrays]
        first = tensors[1 : 1 + states] if given else [None] * states
        weights = tensors[1 + states * given :]
        output, *last = function(tensors[0], *first, *weights, reverse=reverse, lengths=lengths)
        (output.square().sum() + sum(each.sin().sum() for each in last)).backward()
        return [
            output.numpy(force=True),
            *(each.numpy(force=True) for each in last),
            *(t.grad.numpy() for t in tensors),
        ]

    with cores.threads(threads):
        expected = results()
        monkeypatch.setattr(layer, "DEEP", 1)
        monkeypatch.setattr(layer, "RANGE", 200)
        beside = results()
        monkeypatch.setattr(layer, "WORTH", 1)
        shared = results()
    for one, several, apart in zip(expected, beside, shared, strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(apart, one, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("function, gates", [(lstm.lstm_layer, 4), (gru.gru_layer, 3), (rnn.rnn_layer, 1)])
def test_a_state_of_zeros_multiplies_nothing(function, gates, reverse):
    x = td.ones(1, 2, 3)
    w_ih, w_hh = td.ones(5 * gates, 3), td.ones(5 * gates, 5, requires_grad=True)
    first = [None] * (1 + (gates == 4))
    output = function(x, *first, w_ih, w_hh, reverse=reverse)[0]
    with np.errstate(all="ignore"):
        output.backward(td.full(output.shape, np.inf))
    assert (w_hh.grad == 0).all()


def test_half_precision_is_computed_in_single():
    rng = np.random.default_rng(0)
    low = [td.tensor((0.5 * rng.standard_normal(shape)).astype(np.float16)) for shape in [(4, 8, 3), (20, 3), (20, 5)]]
    found = lstm.lstm_layer(low[0], None, None, *low[1:])
    expected = lstm.lstm_layer(low[0].float(), None, None, *(each.float() for each in low[1:]))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == td.float16
        np.testing.assert_array_equal(one.numpy(), other.half().numpy())


def test_packed_sequences_are_converted_and_copied():
    lengths = [1, 3, 2]
    packed = rnn_utils.pack_sequence([td.arange(n) + 10 for n in lengths], enforce_sorted=False)
    assert packed.sorted_indices.tolist() == [1, 2, 0] and packed.unsorted_indices.tolist() == [2, 0, 1]
    again = rnn_utils.PackedSequence(packed.data, packed.batch_sizes, packed.sorted_indices)
    assert again.unsorted_indices.tolist() == [2, 0, 1]
    for name, dtype in [("double", td.float64), ("half", td.float16), ("int", td.int32), ("byte", td.uint8)]:
        cast = getattr(packed, name)()
        assert type(cast) is rnn_utils.PackedSequence and cast.data.dtype == dtype and cast[1:] == packed[1:]
        assert [each.tolist() for each in rnn_utils.unpack_sequence(cast)] == [[10], [10, 11, 12], [10, 11]]
    assert packed.long() is packed.cpu() is packed.to("cpu") is packed.to("cpu", dtype=td.int64) is packed
    assert not packed.is_cuda and not packed.is_pinned() and packed.pin_memory() is packed
    with pytest.raises(ValueError, match="unknown device: got 'cuda'"):
        packed.cuda()
    for other in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed)), packed._replace(data=packed.data + 0)):
        assert type(other) is rnn_utils.PackedSequence and other.data.tolist() == packed.data.tolist()
        assert other.unsorted_indices.tolist() == [2, 0, 1]


def test_the_state_of_a_projected_lstm_is_projected():
    """Step by step, by the formula of one step."""
    layer = nn.LSTM(2, 3, proj_size=1).double()
    assert layer.weight_hr_l0.shape == (1, 3) and layer.weight_hh_l0.shape == (12, 1)
    assert repr(layer) == "LSTM(2, 3, proj_size=1)" and list(layer.state_dict())[-1] == "weight_hr_l0"
    x, h, c = td.randn(4, 2, 2).double(), td.randn(1, 2, 1).double(), td.randn(1, 2, 3).double()
    output, (h_n, c_n) = layer(x, (h, c))
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr = layer.all_weights[0]
    h, c = h[0], c[0]
    for step, out in zip(x, output, strict=True):
        gates = step @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
        i, f, a, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * a.tanh()
        h = (o.sigmoid() * c.tanh()) @ weight_hr.T
        assert td.allclose(out, h)
    assert td.allclose(h_n[0], h) and td.allclose(c_n[0], c)
    with pytest.raises(ValueError, match=r"h_0 of shape \(1, 2, 1\), .* proj_size\), got \(1, 2, 3\)"):
        layer(x, (c_n, c_n))


def test_lengths_may_be_floats_that_are_whole():
    x, mask = td.arange(6).reshape(2, 3), td.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    packed = rnn_utils.pack_padded_sequence(x, mask.sum(1), batch_first=True)
    assert packed.data.tolist() == [0, 3, 1, 2] and packed.batch_sizes.tolist() == [2, 1, 1]
    for wrong in ([2.5, 1.0], [np.nan, 1.0], [3], [True, True]):
        with pytest.raises(
            ValueError, match="pack_padded_sequence: expected 2 whole numbers as lengths, one a sequence"
        ):
            rnn_utils.pack_padded_sequence(x, wrong, batch_first=True)


@pytest.mark.parametrize("cell", [nn.RNNCell(3, 2), nn.GRUCell(3, 2), nn.RNN(3, 2), nn.GRU(3, 2)])
def test_refusals_are_runtime_errors_too(cell):
    for given in ((td.ones(2, 4),), (td.ones(2, 3), td.ones(5, 7))):
        with pytest.raises(RuntimeError, match=type(cell).__name__) as caught:
            cell(*given)
        assert isinstance(caught.value, ValueError)
