"""What a tensor is: creation, dtypes and promotion, conversions, printing, copying, NumPy's protocols."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaves import leaf

import tinygrad_dl as td

# -- creation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "shape", "dtype"),
    [
        (lambda: td.tensor(1), (), "int64"),
        (lambda: td.tensor(1.5), (), "float32"),
        (lambda: td.tensor(True), (), "bool"),
        (lambda: td.tensor([[1, 2.0], [3, 4]]), (2, 2), "float32"),
        (lambda: td.tensor(1j), (), "complex64"),
        (lambda: td.tensor([]), (0,), "float32"),
        (lambda: td.tensor(np.ones(2)), (2,), "float64"),
        (lambda: td.tensor([np.float64(1)]), (1,), "float64"),
        (lambda: td.tensor([td.tensor(1.0), td.tensor(2.0)]), (2,), "float32"),
        (lambda: td.tensor([1.0], dtype=td.float64), (1,), "float64"),
        (lambda: td.tensor(np.array([1.0], ">f8")), (1,), "float64"),
        (lambda: td.zeros(2, 3), (2, 3), "float32"),
        (lambda: td.zeros((2, 3), dtype="long"), (2, 3), "int64"),
        (lambda: td.ones([2]), (2,), "float32"),
        (lambda: td.full((2,), 7), (2,), "int64"),
        (lambda: td.full((2,), 7.0), (2,), "float32"),
        (lambda: td.empty(0, 3), (0, 3), "float32"),
        (lambda: td.arange(5), (5,), "int64"),
        (lambda: td.arange(0, 1, 0.25), (4,), "float32"),
        (lambda: td.linspace(0, 1, 5), (5,), "float32"),
        (lambda: td.eye(2, 3), (2, 3), "float32"),
        (lambda: td.zeros_like(td.arange(3)), (3,), "int64"),
        (lambda: td.ones_like(td.arange(3), dtype=td.float16), (3,), "float16"),
        (lambda: td.full_like(td.zeros(2, 2), 3), (2, 2), "float32"),
        (lambda: td.rand(2, 3), (2, 3), "float32"),
        (lambda: td.randn(2, dtype=td.float64), (2,), "float64"),
        (lambda: td.randint(0, 5, (3,)), (3,), "int64"),
        (lambda: td.randint(5, (3,)), (3,), "int64"),
        (lambda: td.randperm(4), (4,), "int64"),
        (lambda: td.normal(0.0, td.ones(3)), (3,), "float32"),
        (lambda: td.bernoulli(td.full((3,), 0.5)), (3,), "float32"),
        (lambda: td.multinomial(td.ones(3, 5), 4), (3, 4), "int64"),
        (lambda: td.ones(5, dtype=td.float64).multinomial(9, replacement=True), (9,), "int64"),
        (lambda: td.multinomial(td.ones(0, 5), 1), (0, 1), "int64"),
        (lambda: td.Tensor([1, 2]), (2,), "float32"),
    ],
)
def test_creation(made, shape, dtype):
    tensor = made()
    assert tensor.shape == shape and tensor.dtype == dtype
    assert isinstance(tensor._data, np.ndarray)


@pytest.mark.parametrize("grad", [False, True])
def test_numbers_are_rounded_once_to_the_dtype_that_is_asked_for(grad):
    stored = td.zeros(1, dtype=td.float64, requires_grad=grad) * 1
    stored[0] = 0.1
    wanted = {"dtype": td.float64}
    made = [td.tensor(0.1, **wanted), td.tensor([0.1], **wanted), td.as_tensor([0.1], **wanted), stored]
    made += [td.full((1,), 0.1, **wanted), td.scalar_tensor(0.1, **wanted), td.full_like(td.zeros(1, **wanted), 0.1)]
    assert [each.item() for each in made] == [0.1] * len(made)
    assert td.tensor(16777217.0, dtype=td.int64).item() == 16777217


def test_memory_is_shared_or_copied_as_named():
    array = np.zeros(2, np.float32)
    shared, viewed, copied = td.from_numpy(array), td.as_tensor(array), td.tensor(array)
    array[0] = 5
    assert shared.tolist() == viewed.tolist() == [5, 0] and copied.tolist() == [0, 0]
    assert td.as_tensor(shared) is shared
    assert np.shares_memory(td.from_dlpack(shared).numpy(), array)
    assert np.shares_memory(np.from_dlpack(shared), array)


@pytest.mark.parametrize(
    ("action", "kind", "text"),
    [
        (lambda: td.zeros(-1), ValueError, "can't be negative"),
        (lambda: td.zeros(1.5), TypeError, r"sizes are integers, got \(1\.5,\)"),
        (lambda: td.tensor("text"), TypeError, "a tensor holds numbers: got str"),
        (lambda: td.tensor([[1], [1, 2]]), ValueError, "inhomogeneous"),
        (lambda: td.zeros(2, dtype="nope"), TypeError, "expected a dtype"),
        (lambda: td.zeros(2, device="cuda"), ValueError, "unknown device: got 'cuda', expected 'cpu'"),
        (lambda: td.from_numpy([1]), TypeError, "expected a NumPy array, got list"),
        (lambda: td.from_numpy(np.ones(1, ">f4")), ValueError, "byte order"),
        (lambda: td.from_numpy(np.array(["a"])), TypeError, "integer, float or complex numbers"),
        (lambda: td.randint(5, 5, (1,)), ValueError, "low < high"),
        (lambda: td.randperm(-1), ValueError, "n >= 0"),
        (lambda: td.rand(2, dtype=td.int64), TypeError, "expected a floating dtype, got int64"),
        (lambda: td.bernoulli(td.full((1,), 2.0)), ValueError, "between 0 and 1"),
        (lambda: td.multinomial(td.arange(3), 1), TypeError, r"floating weights, got int64.*\.float\(\)"),
        (lambda: td.multinomial(td.ones(2, 2, 2), 1), ValueError, r"shape \(n,\).*got shape \(2, 2, 2\)"),
        (lambda: td.multinomial(td.ones(2), 0), ValueError, "num_samples >= 1.*and 0"),
        (lambda: td.multinomial(td.ones(2), 3), ValueError, "3 or more weights above 0.*got 2.*replacement=True"),
        (lambda: td.multinomial(td.zeros(2), 3, True), ValueError, "1 or more weights above 0.*got 0"),
        (lambda: td.multinomial(td.tensor([1.0, -1.0]), 1), ValueError, r"0 or more.*softmax"),
        (lambda: td.multinomial(td.tensor([1.0, np.nan]), 1), ValueError, "finite"),
        (lambda: td.normal(0.0, td.full((1,), -1.0)), ValueError, "std >= 0"),
        (lambda: td.arange(0, 1, 0), ValueError, "got step=0, expected a number other than 0"),
        (lambda: td.linspace(0, 1, -1), ValueError, "steps >= 0"),
        (lambda: td.set_default_dtype(td.int64), TypeError, "expected a floating dtype"),
        (lambda: td.ones(2).item(), RuntimeError, "2 elements, expected exactly one"),
        (lambda: bool(td.ones(2)), RuntimeError, r"ambiguous.*any\(\) or all\(\)"),
        (lambda: len(td.tensor(1)), TypeError, "0-d"),
        (lambda: iter(td.tensor(1)), TypeError, "0-d"),
        (
            lambda: [1, 2][td.tensor(1.0)],
            TypeError,
            "got a tensor of dtype float32, expected an integer tensor of one element",
        ),
    ],
)
def test_bad_input_is_explained(action, kind, text):
    with pytest.raises(kind, match=text):
        action()


def test_an_attribute_typo_is_an_error():
    with pytest.raises(AttributeError):
        getattr(td.ones(1), "shp" + "ae")
    with pytest.raises(AttributeError, match="no attribute 'zeroes'"):
        getattr(td, "zero" + "es")


# -- random -----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers():
    td.manual_seed(3)
    first = [td.rand(3).tolist(), td.randn(3).tolist(), td.randperm(5).tolist()]
    td.manual_seed(3)
    assert first == [td.rand(3).tolist(), td.randn(3).tolist(), td.randperm(5).tolist()]
    state = td.get_rng_state()
    again = td.rand(2).tolist()
    td.set_rng_state(state)
    assert td.rand(2).tolist() == again


def test_a_generator_of_ones_own_leaves_the_default_alone():
    td.manual_seed(0)
    expected = td.rand(2).tolist()
    td.manual_seed(0)
    own = td.Generator().manual_seed(7)
    assert td.rand(2, generator=own).tolist() != expected and own.initial_seed() == 7
    assert td.rand(2).tolist() == expected


def test_distributions():
    td.manual_seed(0)
    x = td.randn(100_000).numpy()
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02
    u = td.rand(100_000).numpy()
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01
    assert abs(td.bernoulli(td.full((100_000,), 0.3)).numpy().mean() - 0.3) < 0.01
    assert set(td.randint(2, 5, (1000,)).tolist()) == {2, 3, 4}


def test_fork_rng_gives_the_state_back():
    td.manual_seed(0)
    with pytest.raises(RuntimeError, match="inside"), td.random.fork_rng():
        first = td.rand(3)
        raise RuntimeError("inside")
    assert td.equal(td.rand(3), first)
    with td.random.fork_rng(devices=[], enabled=False):
        second = td.rand(3)
    assert not td.equal(td.rand(3), second)


def test_the_ways_to_say_the_range_and_size_of_integers():
    for call in (
        lambda: td.randint(2, (50,)),
        lambda: td.randint(2, size=(50,)),
        lambda: td.randint(high=2, size=(50,)),
        lambda: td.randint(size=(50,), high=2, low=0),
    ):
        assert set(call().tolist()) == {0, 1}
    assert td.randint(1, 2, size=[3]).tolist() == [1, 1, 1]
    for call in (lambda: td.randint(), lambda: td.randint(5)):
        with pytest.raises(TypeError, match="randint: got no size"):
            call()


def test_tensors_are_filled_by_other_distributions():
    td.manual_seed(0)
    x = td.empty(20000)
    assert abs(x.exponential_(2.0).mean().item() - 0.5) < 0.02 and x.min() >= 0
    assert abs(x.geometric_(0.25).mean().item() - 4.0) < 0.1 and x.min() == 1 and bool((x == x.round()).all())
    assert abs(x.log_normal_(0.5, 0.25).log().mean().item() - 0.5) < 0.01 and abs(x.log().std().item() - 0.25) < 0.01
    assert abs((x.cauchy_(3.0, 2.0) < 5.0).float().mean().item() - 0.75) < 0.02
    drawn = td.randint_like(td.empty(1000, dtype=td.int16), 3, 7)
    assert drawn.dtype == td.int16 and sorted(set(drawn.tolist())) == [3, 4, 5, 6]
    assert td.randint_like(td.empty(2), 5, dtype=td.float64, requires_grad=True).requires_grad
    found = td.normal(2.0, 0.0, (2,), dtype=td.float64, requires_grad=True)
    assert found.tolist() == [2.0, 2.0] and found.dtype == td.float64 and found.requires_grad
    refused = {
        "exponential_: got lambd=0.0, expected a rate above 0": lambda: x.exponential_(0.0),
        "geometric_: got p=1.0, expected a probability between 0 and 1": lambda: x.geometric_(1.0),
        "log_normal_: got std=0, expected a number above 0": lambda: x.log_normal_(0, 0),
        "cauchy_: got sigma=-1, expected a number above 0": lambda: x.cauchy_(0, -1),
    }
    for text, call in refused.items():
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError, match="cauchy_: got a tensor of dtype int64, expected a floating one"):
        td.ones(2).long().cauchy_()


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_by_weight(replacement):
    td.manual_seed(0)
    weights = td.tensor([0.0, 1.0, 0.0, 2.0, 5.0, 0.0])
    drawn = td.multinomial(weights.expand(20_000, 6), 2, replacement).numpy()
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=6) / 20_000, weights / 8, atol=0.01)
    again = (drawn[:, 0] == drawn[:, 1]).mean()
    # Either both are alike as often as two draws are, (1 + 4 + 25) / 64 of the time, or never.
    assert again == pytest.approx(30 / 64, abs=0.01) if replacement else again == 0


def test_filling_in_place():
    td.manual_seed(0)
    x = td.empty(1000)
    assert x.uniform_(2, 3).numpy().min() >= 2 and x.numpy().max() < 3
    assert abs(x.normal_(5, 0.1).numpy().mean() - 5) < 0.02
    assert set(x.bernoulli_(0.5).tolist()) == {0, 1}
    assert set(x.random_(3).tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="uniform_: got from_=1 and to=0, expected from_ <= to"):
        x.uniform_(1, 0)
    with pytest.raises(ValueError, match=r"bernoulli_: got numbers outside of \[0, 1\]"):
        x.bernoulli_(td.full((1000,), 2.0))
    with pytest.raises(TypeError, match="uniform_: got a tensor of dtype int8, expected a floating one"):
        td.zeros(2, dtype=td.int8).uniform_()
    with pytest.raises(RuntimeError, match="leaf tensor"):
        leaf(1).normal_()


def test_uniform_numbers_stay_below_1_in_half_precision_and_have_two_parts_if_complex():
    td.manual_seed(0)
    x = td.rand(100_000, dtype=td.float16)
    assert x.max().item() == 1 - 2**-11 and x.min().item() == 0
    assert td.empty(100_000, dtype=td.float16).uniform_(0, 2).max().item() == 2 - 2**-10
    z = td.rand(1000, dtype=td.complex64)
    for part in (z.real, z.imag):
        assert abs(part.mean().item() - 0.5) < 0.05 and part.min().item() >= 0 and part.max().item() < 1


def test_random_integers_fill_what_the_dtype_holds():
    td.manual_seed(0)
    for dtype, largest in ((td.int8, 127), (td.uint8, 255), (td.bool, 1), (td.float16, 2048)):
        x = td.zeros(100_000, dtype=dtype).random_()
        assert (x.min().item(), x.max().item()) == (0, largest)
    assert td.zeros(1000, dtype=td.int64).random_().max().item() > 2**62
    assert set(td.zeros(1000, dtype=td.int8).random_(-2, to=1).tolist()) == {-2, -1, 0}
    refused = {
        "random_: got from_=0 and to=0, expected from_ < to": (0,),
        "random_: got from_=0 and to=300, expected bounds from -128 to 128": (300,),
        "random_: got from_=0.5, expected an integer": (0.5,),
    }
    for text, bounds in refused.items():
        with pytest.raises((TypeError, ValueError), match=text):
            td.zeros(3, dtype=td.int8).random_(*bounds)


def test_new_tensors_take_the_dtype_of_theirs():
    x = td.ones(2, dtype=td.float64)
    assert x.new_zeros(3).dtype == x.new_full((2,), 1).dtype == x.new_tensor([1]).dtype == td.float64
    assert x.new_ones((2, 2), dtype=td.int64).dtype == td.int64 and x.new_empty(4).shape == (4,)


# -- dtypes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        (lambda: td.ones(2), lambda: 2.5, "float32"),
        (lambda: td.ones(2), lambda: 2, "float32"),
        (lambda: td.ones(2, dtype=td.float16), lambda: 2.5, "float16"),
        (lambda: td.arange(2), lambda: 2, "int64"),
        (lambda: td.arange(2), lambda: 2.5, "float32"),
        (lambda: td.arange(2), lambda: True, "int64"),
        (lambda: td.arange(2, dtype=td.int8), lambda: 2, "int8"),
        (lambda: td.arange(2), lambda: td.ones(2), "float32"),
        (lambda: td.arange(2), lambda: td.ones(2, dtype=td.float16), "float16"),
        (lambda: td.arange(2, dtype=td.int32), lambda: td.arange(2), "int64"),
        (lambda: td.arange(2, dtype=td.int8), lambda: td.arange(2, dtype=td.uint8), "int16"),
        (lambda: td.ones(2), lambda: td.ones(2, dtype=td.float64), "float64"),
        (lambda: td.ones(2), lambda: td.tensor(1.0, dtype=td.float64), "float32"),
        (lambda: td.arange(2), lambda: td.tensor(1.0, dtype=td.float64), "float64"),
        (lambda: td.tensor(True), lambda: td.tensor(1), "int64"),
        (lambda: td.ones(2), lambda: 1j, "complex64"),
        (lambda: td.ones(2, dtype=td.float64), lambda: 1j, "complex128"),
        (lambda: td.ones(2), lambda: td.tensor([1j]), "complex64"),
        (lambda: td.ones(2), lambda: np.float64(2), "float32"),
        (lambda: td.ones(2), lambda: np.ones(2), "float64"),
        (lambda: td.ones(2), lambda: np.float32(2), "float32"),
    ],
)
def test_promotion_is_pytorchs(a, b, dtype):
    assert (a() * b()).dtype == dtype
    assert (b() * a()).dtype == dtype


def test_the_default_dtype_can_be_set():
    td.set_default_dtype(td.float64)
    try:
        assert td.tensor(1.0).dtype == td.zeros(1).dtype == (td.arange(2) / 2).dtype == td.float64
    finally:
        td.set_default_dtype(td.float32)


@pytest.mark.parametrize("dtype", [td.float16, td.float32])
def test_small_floats_never_leak_into_float64(dtype):
    x = td.tensor(np.linspace(0.1, 1, 6).reshape(2, 3), dtype=dtype, requires_grad=True)
    y = td.where(x > 0.5, x, 0.0).mean() + (x / 3 - 1).std() + (2**x).prod() + x.norm() + x.softmax(1).amax()
    y.backward()
    assert y.dtype == x.grad.dtype == dtype


def test_results_are_arrays_never_numpy_scalars():
    x = td.tensor(2.0, requires_grad=True)
    y = (x * x + 1).sum().sqrt()
    y.backward()
    assert type(y._data) is np.ndarray and type(x.grad._data) is np.ndarray


# -- conversions ------------------------------------------------------------------------------------


def test_conversions():
    x = td.tensor([[1.5, 2.5]])
    assert x.tolist() == [[1.5, 2.5]] and x.numpy().dtype == np.float32
    assert float(td.tensor(2.5)) == 2.5 and int(td.tensor(2.5)) == 2 and td.tensor([3]).item() == 3
    assert complex(td.tensor(1j)) == 1j and [10, 20][td.tensor(1)] == 20
    assert x.long().dtype == td.int64 and x.double().dtype == td.float64 and x.to(td.float16).dtype == td.float16
    assert x.bool().tolist() == [[True, True]] and x.to("cpu") is x and x.float() is x
    assert len(x) == 1 and [row.tolist() for row in x] == [[1.5, 2.5]] and 2.5 in x and 7 not in x
    assert f"{td.tensor(1.23456):.2f}" == "1.23"
    assert str(x.device) == "cpu" and x.device == td.device("cpu")
    assert x.size() == (1, 2) and x.size(1) == 2 and x.dim() == x.ndim == 2 and x.numel() == 2
    assert x.stride() == (2, 1) and x.is_contiguous() and not x.expand(3, 2).is_contiguous()


def test_a_cast_is_differentiable():
    x = leaf(1, 2)
    (x.double() * 3).sum().backward()
    assert x.grad.tolist() == [3, 3] and x.grad.dtype == td.float32
    assert not x.long().requires_grad


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (lambda: td.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: td.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (lambda: td.tensor(3), "tensor(3)"),
        (lambda: td.tensor([True]), "tensor([True])"),
        (lambda: td.tensor([1.0], dtype=td.float64), "tensor([1.], dtype=float64)"),
        (lambda: leaf(1), "tensor([1.], requires_grad=True)"),
        (lambda: leaf(1) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: td.zeros(0), "tensor([])"),
        (lambda: td.zeros(0, 2), "tensor([], size=(0, 2))"),
        (lambda: td.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lambda: td.arange(2000), "tensor([   0,    1,    2, ..., 1997, 1998, 1999])"),
        (lambda: td.nn.Parameter(td.ones(1)), "Parameter containing:\ntensor([1.], requires_grad=True)"),
    ],
)
def test_printing(tensor, text):
    assert repr(tensor()) == text


def test_leaves_are_copied_and_pickled_and_others_say_why_not():
    x = leaf(1, 2)
    x.grad = td.ones(2)
    for again in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert again.tolist() == [1, 2] and again.requires_grad and again.is_leaf
        again.detach().add_(1)
    assert x.tolist() == [1, 2] and copy.deepcopy(x).grad.tolist() == [1, 1]
    parameter = pickle.loads(pickle.dumps(td.nn.Parameter(td.ones(1))))
    assert type(parameter) is td.nn.Parameter
    for action in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match=r"got a tensor computed by <MulBackward0>, expected a leaf"):
            action(x * 2)


def test_the_data_can_be_replaced():
    x = leaf(1, 2)
    x.data = td.ones(3, dtype=td.float64)
    x.sum().backward()
    assert x.grad.shape == (3,) and x.grad.dtype == td.float64 and x.requires_grad


# -- NumPy's protocols --------------------------------------------------------------------------------


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=4))
def test_operators_work_both_ways_round(values):
    array = np.array(values, np.float32)
    tensor = td.tensor(array, requires_grad=True)
    for result, expected in [
        (array + tensor, tensor + array),
        (array - tensor, -(tensor - array)),
        (array * tensor, tensor * array),
        (2 - tensor, -(tensor - 2)),
        (array > tensor, tensor < array),
        (array @ tensor, tensor @ array),
    ]:
        assert isinstance(result, td.Tensor)
        assert result.tolist() == expected.tolist()


def test_numpy_functions_are_differentiable():
    x = leaf(1, 2, dtype="float64")
    y = np.sin(x).sum() + np.mean(x, axis=0) + np.concatenate([x, x]).sum() + np.where(x > 1, x, 0.0).sum()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.cos([1, 2]) + 0.5 + 2 + [0, 1])


def test_numpy_functions_without_a_rule():
    assert np.median(td.tensor([1.0, 3.0, 2.0])).item() == 2
    with pytest.raises(
        TypeError, match=r"got a tensor that requires a gradient, expected one that does not: it has no"
    ):
        np.emath.sqrt(leaf(1))


def test_asarray_and_out():
    x = td.ones(2)
    assert np.asarray(x) is x.numpy() or np.shares_memory(np.asarray(x), x.numpy())
    with pytest.raises(RuntimeError, match="requires a gradient"):
        np.asarray(leaf(1))
    out = td.zeros(2)
    assert np.add(x, x, out=out) is out and out.tolist() == [2, 2]


@pytest.mark.parametrize(
    "fill",
    [
        lambda x: x.masked_fill(td.tensor([True, False]), 0.1),
        lambda x: x.index_fill(0, td.tensor([0]), 0.1),
        lambda x: x.scatter(0, td.tensor([0]), 0.1),
        lambda x: td.where(td.tensor([True, False]), 0.1, x),
    ],
)
def test_a_number_is_rounded_once_to_the_dtype_it_is_put_into(fill):
    assert fill(td.zeros(2, dtype=td.float64))[0].item() == 0.1
    assert fill(td.zeros(2)).dtype == td.float32


def test_what_to_takes_without_names():
    x = td.ones(2)
    assert x.to("cpu", td.float32, True) is x and x.to(None) is x and x.to(x, True) is x
    for copied in (x.to("cpu", td.float32, False, True), x.to(td.float32, False, True), x.to(x, True, True)):
        assert copied is not x and copied.tolist() == [1, 1]
    assert x.to(None, td.float64).dtype == td.float64 and x.to(td.float64, True).dtype == td.float64
    for wrong in (("cpu", td.float64, td.float64), (td.float64, False, False, False), (True, td.float64)):
        with pytest.raises(
            TypeError, match=r"to: got .*, expected \(device, dtype\), a dtype or a tensor, then non_bl"
        ):
            x.to(*wrong)
    with pytest.raises(TypeError, match=r"to: got .*, expected \(device, dtype\)"):
        td.nn.Linear(1, 1).to("cpu", td.float64, td.float32)


class Own:
    """Has operators of its own for tensors."""

    def _of(self, other):
        return "own"

    __radd__ = __rmul__ = __rpow__ = __rmatmul__ = __rsub__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _of
    __rand__ = __rlshift__ = __add__ = __gt__ = __eq__ = _of
    __hash__ = None


def test_other_classes_have_operators_of_their_own():
    x, n = td.ones(2), td.ones(2, dtype=td.int64)
    for found in (x + Own(), x * Own(), x - Own(), x / Own(), x // Own(), x % Own(), x ** Own(), x @ Own(), n & Own()):
        assert found == "own"
    assert n << Own() == "own" == (x < Own()) == (x == Own()) == Own() + x
    with pytest.raises(TypeError, match="unsupported operand"):
        x | Own()
    with pytest.raises(TypeError, match=r"add: got other=.*Own, expected a tensor"):
        td.add(x, Own())
    with pytest.raises(TypeError, match="add: got other='a', expected a tensor"):
        x + "a"
    y = x.clone()
    y += Own()
    assert y == "own"


def test_what_is_no_number_is_unequal():
    x = td.ones(2)
    assert (x == None, x != None, x == "a", x == [1, 1]) == (False, True, False, False)  # noqa: E711


def test_integers_beyond_int64():
    assert td.tensor(2**64, dtype=td.float32).item() == 2.0**64
    assert td.tensor([2**64, 1.5]).tolist() == [2.0**64, 1.5]
    with pytest.raises(OverflowError, match="what int64 can hold"):
        td.tensor([2**64, 1])
    with pytest.raises(OverflowError, match="what dtype int64 can hold"):
        td.tensor([2**64, 1], dtype=td.int64)


def test_bounds_of_random_integers():
    generator = td.Generator().manual_seed(0)
    assert td.empty(99, dtype=td.int8).random_(-3, None, generator=generator).min() >= -3
    with pytest.warns(UserWarning, match="some integers are rounded"):
        assert td.empty(9).random_(0, 2**40, generator=generator).max() > 2**24
    with pytest.raises(RuntimeError, match="expected bounds from -2048 to 2049"):
        td.empty(9, dtype=td.float16).random_(0, 2**20)
    with pytest.raises(RuntimeError, match="holds the distance"):
        td.empty(9).uniform_(-3e38, 3e38)
