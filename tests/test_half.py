"""Half precision is worked out in float32 and rounded once; every op's own check is made by `check_op`."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.core.promotion import in_single
from tinygrad_dl.nn import functional as F
from tinygrad_dl.testing import all_ops, half
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.drawing import for_examples
from tinygrad_dl.testing.report import CheckError
from tinygrad_dl.testing.running import Tally

MANY = 100_000  # more than 65504, the largest number of float16


def full(value, *shape):
    return td.full(shape, value, dtype=td.float16, requires_grad=True)


def gradient(result, x):
    return td.autograd.grad(result, x)[0].numpy()


@pytest.mark.parametrize("reduce", [td.mean, td.amax, td.max])
def test_gradients_shared_by_many(reduce):
    x = full(1.0, MANY)
    assert (gradient(reduce(x), x) == np.float16(1 / MANY)).all()


def test_many_elements():
    x = full(0.5, MANY)
    assert td.sum(x).item() == 49_984.0  # 50000, rounded
    assert td.mean(x).item() == 0.5
    assert td.cumsum(x, 0)[-1].item() == 49_984.0
    assert td.norm(x).item() == 158.125
    assert td.logsumexp(x, 0).item() == pytest.approx(0.5 + np.log(MANY), abs=4e-3)
    assert td.matmul(x, x).item() == 24_992.0
    assert F.mse_loss(x, full(0.25, MANY)).item() == 0.0625


def test_large_numbers():
    x = full(60_000.0, 8)
    assert td.mean(x).item() == td.amax(x).item() == 60_000.0
    assert td.var(x).item() == td.std(x).item() == 0.0
    assert td.softmax(x, 0).tolist() == [0.125] * 8
    assert (td.var(td.tensor([-100.0, 100.0, 100.0, -100.0]).half(), correction=0)).item() == 10_000.0
    assert td.std(td.tensor([60_000.0, 59_000.0]).half()).item() == 701.5  # of 60000 and 59008, which is what 59000 is
    assert td.norm(td.tensor([30_000.0, 40_000.0]).half()).item() == 50_016.0 - 32  # 50000, rounded


def test_normalisation_of_a_constant_is_zero():
    out = F.batch_norm(full(60_000.0, 4, 3), None, None, training=True)
    assert out.tolist() == [[0.0] * 3] * 4
    assert F.instance_norm(full(3000.0, 2, 3, 5)).abs().max().item() == 0.0
    assert F.layer_norm(full(60_000.0, 2, 7), (7,)).abs().max().item() == 0.0
    assert F.group_norm(full(3000.0, 2, 4, 3), 2).abs().max().item() == 0.0


def test_batch_norm_moves_its_statistics():
    layer = nn.BatchNorm1d(2).half()
    layer(full(60_000.0, 4, 2))
    assert layer.running_mean.tolist() == [6000.0, 6000.0]
    assert layer.running_var.dtype == td.float16
    assert layer.running_var.tolist() == [np.float16(0.9)] * 2


def test_float32_weights_normalise_half_inputs():
    x = td.tensor([[1.0, 3.0], [5.0, 5.0]]).half()
    weight, bias = td.ones(2, requires_grad=True), td.zeros(2)
    out = F.batch_norm(x, td.zeros(2), td.ones(2), weight, bias, training=True)
    assert out.dtype == td.float16
    assert F.layer_norm(x, (2,), weight, bias).dtype == td.float16
    assert gradient(out.sum(), weight).dtype == np.float32


def test_mixed_layers_are_refused():
    with pytest.raises(TypeError, match="same dtype"):
        F.linear(td.ones(2, 3).half(), td.ones(4, 3))
    with pytest.raises(TypeError, match="same dtype"):
        F.conv1d(td.ones(1, 2, 4).half(), td.ones(3, 2, 2))


def test_numbers_beside_tensors_are_not_rounded():
    x = td.tensor([0.5], dtype=td.float16, requires_grad=True)
    assert (x * 1e5).tolist() == [49_984.0]  # 1e5 alone is infinite in float16
    assert (x.detach() * 1e5).tolist() == [49_984.0]
    assert (30_000.0 / (x * 2) / 1e5).tolist() == [np.float16(0.3)]
    assert (x * td.tensor(1e5)).dtype == td.float16
    # The gradient between the two nodes, 1e-5, is rounded to float16, as in PyTorch.
    assert gradient((x * 1e5) / 1e5, x).tolist() == [1.0009765625]
    assert (td.tensor([0.1]).half() == 0.1).item()  # compared in float16, as PyTorch does
    assert td.clamp(td.tensor([0.1]).half(), min=0.1).dtype == td.float16


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(("function", "at"), [(F.gelu, -0.751953125), (F.silu, -1.2783203125), (F.mish, -1.1923828125)])
def test_slopes_where_they_cross_zero(function, at, recorded):
    wide = td.tensor([at], requires_grad=True)
    (expected,) = td.autograd.grad(function(wide).sum(), wide)
    x = td.tensor([at], dtype=td.float16, requires_grad=True)
    (found,) = td.autograd.grad(function(x).sum(), x, create_graph=recorded)
    assert found.dtype == td.float16
    assert found.item() == pytest.approx(expected.item(), abs=2e-7)
    assert abs(found.item()) < 1e-3


def test_second_order():
    x = td.tensor([0.3, -2.0], dtype=td.float16, requires_grad=True)
    (g,) = td.autograd.grad(td.tanh(x).sum(), x, create_graph=True)
    (gg,) = td.autograd.grad(g.sum(), x)
    t = np.tanh(x.detach().numpy().astype(np.float64))
    assert g.dtype == gg.dtype == td.float16
    np.testing.assert_allclose(g.detach().numpy(), 1 - t * t, rtol=1e-2)
    np.testing.assert_allclose(gg.numpy(), -2 * t * (1 - t * t), rtol=1e-2)


def test_the_dtype_asked_for_is_the_results():
    x = full(60_000.0, 4)
    out = td.sum(x, dtype=td.float32)
    assert out.dtype == td.float32
    assert out.item() == 240_000.0
    assert gradient(out, x).dtype == np.float16
    assert F.softmax(x, 0, dtype=td.float32).dtype == td.float32
    assert td.prod(x[:2], dtype=td.float32).item() == 3.6e9


def test_there_are_no_complex_numbers_of_half_precision():
    with pytest.raises(TypeError, match="view_as_complex: expected float32 or float64, got float16"):
        td.view_as_complex(full(1.0, 2, 2))


def test_in_place():
    x = td.tensor([0.5]).half()
    x *= 1e5
    assert x.dtype == td.float16
    assert x.tolist() == [49_984.0]


def test_functions_see_half_gradients():
    seen = []

    class Same(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            seen.append(g.dtype)
            return g

    x = full(1.0, 2)
    x.register_hook(lambda g: seen.append(g.dtype))
    Same.apply(x).sum().backward()
    assert seen == [td.float16, td.float16]


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_those_in_float32(layer):
    td.manual_seed(0)
    narrow = layer(3, 4).half()
    wide = layer(3, 4)
    wide.load_state_dict({k: v.float() for k, v in narrow.state_dict().items()})
    x = td.randn(5, 2, 3).half()
    out, expected = narrow(x)[0], wide(x.float())[0]
    np.testing.assert_array_equal(out.detach().numpy(), expected.detach().half().numpy())


def test_the_check_notices_rounding_on_the_way():
    @td.op(exact=True, method=False, inputs={"x": td.inputs.real()}, reference=lambda x: x * x - x * x + x)
    def halfway(x):
        return x * x - np.float16(3) * x + x

    halfway.vjp(x=lambda g, x: g * (2 * x - 2))
    with pytest.raises(CheckError, match="rounded once"):
        half.check_half(Call(halfway.op, {"x": np.linspace(0.1, 3, 40)}), Tally(halfway.op))


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = td.full((MANY,), 1.0, dtype="bfloat16", requires_grad=True)
    assert td.sum(x).item() == 99_840.0  # 100000, rounded
    assert (gradient(td.mean(x), x) == ml_dtypes.bfloat16(1e-5)).all()
    assert (x.detach()[:1] * 0.1).item() == float(ml_dtypes.bfloat16(0.1))
    out = F.layer_norm(td.full((2, 4), 3e4, dtype="bfloat16"), (4,))
    assert out.dtype == ml_dtypes.bfloat16
    assert out.abs().max().item() == 0.0
    y = td.tensor([-0.75], dtype="bfloat16", requires_grad=True)
    wide = td.tensor([-0.75], requires_grad=True)
    (expected,) = td.autograd.grad(F.gelu(wide).sum(), wide)
    for recorded in (False, True):
        (found,) = td.autograd.grad(F.gelu(y).sum(), y, create_graph=recorded)
        assert found.item() == float(ml_dtypes.bfloat16(expected.item()))


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_bfloat16_results_are_those_in_float32(op):
    bfloat16 = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)

    if op.name == "view_as_complex":
        pytest.skip("NumPy has no complex numbers of half precision")

    def compare(call):
        places = call.places()
        if not places or call.values.get("dtype") is not None or any(a.dtype.kind == "c" for a in call.arrays(places)):
            return
        narrow = call.map(lambda a: a.astype(bfloat16))
        with np.errstate(all="ignore"):
            expected = narrow.map(in_single).run(seeded=True)
            if any(wide.is_complex() for wide in expected):
                return  # NumPy has no complex numbers of half precision
            results = narrow.run(seeded=True)
        for result, wide in zip(results, expected, strict=True):
            if wide.dtype == td.float32:
                assert result.dtype == bfloat16
                single = result._data.astype(np.float32)
                np.testing.assert_allclose(single, wide._data.astype(bfloat16).astype(np.float32), rtol=2**-7)

    for_examples(op, compare, 6)


OF_DTYPE = "nan_to_num", "nextafter"  # their results depend on the dtype
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 2.0], np.float32)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "op", [op for op in all_ops() if (op.real or op.exact) and op.name not in OF_DTYPE], ids=lambda op: op.name
)
def test_nan_and_infinities_are_compared_as_in_float32(op, dtype):
    """NumPy's functions that sort or search take bfloat16 but do not know its nan; others know its infinities alone."""
    pytest.importorskip("ml_dtypes")
    half = td.empty(0, dtype=dtype)._data.dtype

    def special(array):
        rng = np.random.default_rng(array.size)
        chosen = rng.choice(SPECIAL, array.shape).astype(half)
        return np.where(rng.random(array.shape) < 0.5, chosen, array.astype(half))

    def compare(call):
        places = call.places()
        if not places or call.values.get("dtype") is not None or any(a.dtype.kind == "c" for a in call.arrays(places)):
            return
        narrow = call.map(special)
        with np.errstate(all="ignore"):
            try:
                expected = narrow.map(in_single).run(seeded=True)
            except (ValueError, RuntimeError):
                return  # it refuses such values
            if any(wide.is_complex() for wide in expected):
                return
            results = narrow.run(seeded=True)
            for result, wide in zip(results, expected, strict=True):
                wanted = wide._data.astype(result._data.dtype)
                np.testing.assert_array_equal(in_single(result._data), in_single(wanted))

    for_examples(op, compare, 6)


def test_sorting_bfloat16_puts_nan_last():
    pytest.importorskip("ml_dtypes")
    x = td.tensor([float("nan"), float("inf"), 1e4, 0, -1e4, -float("inf")], dtype=td.bfloat16)
    assert x.sort().indices.tolist() == [5, 4, 3, 2, 1, 0]
    assert x.topk(4).indices.tolist() == [0, 1, 2, 3]
    assert x.median().isnan()
    assert x.nanmedian().item() == 0.0
    assert td.unique(td.stack([x, x])).tolist()[:5] == [-float("inf"), -9984.0, 0.0, 9984.0, float("inf")]
    assert td.searchsorted(td.tensor([0.0, 1.0], dtype=td.bfloat16), x).tolist() == [2, 2, 2, 0, 0, 0]
    assert td.nan_to_num(x).tolist() == [
        0.0,
        td.finfo(td.bfloat16).max,
        9984.0,
        0.0,
        -9984.0,
        td.finfo(td.bfloat16).min,
    ]


def test_the_runs_of_nothing():
    found = td.unique_consecutive(td.empty(0, 0, 3), return_inverse=True, return_counts=True)
    assert [list(each.shape) for each in found] == [[0], [0, 0, 3], [0]]


def test_every_op_says_how_it_treats_half_precision():
    ways = {op.name: (bool(op.exact), op.rounds_once) for op in all_ops()}
    assert ways["where"] == (True, False)
    assert ways["mul"] == (False, True)
    assert ways["mean"] == (False, False)
