"""Corners of ops where a rule, a dtype or a limit is easily lost: the values are PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.nn import functional as F


def second_at(function, value):
    """The second derivative at this number."""
    x = td.tensor(value, dtype=td.float64, requires_grad=True)
    (first,) = td.autograd.grad(function(x), x, create_graph=True)
    return td.autograd.grad(first, x)[0].item()


@pytest.mark.parametrize(
    "function",
    [F.elu, F.selu, F.celu, lambda x: F.huber_loss(x, td.tensor(1.0, dtype=td.float64))],
    ids=["elu", "selu", "celu", "huber_loss"],
)
def test_second_derivative_at_a_kink_is_zero(function):
    assert second_at(function, 0.0) == 0.0


def test_gradient_of_class_weights_where_targets_are_probabilities():
    x, target = td.zeros(2, 2, dtype=td.float64), td.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=td.float64)
    weight = td.ones(2, dtype=td.float64, requires_grad=True)
    F.cross_entropy(x, target, weight=weight, reduction="sum").backward()
    np.testing.assert_allclose(weight.grad.numpy(), np.log(2) * np.array([1.5, 0.5]))


def test_hidden_scores_do_not_overflow_in_a_recorded_pass():
    query, key = td.tensor([[1e4], [1.0]], dtype=td.float64), td.tensor([[-1.0], [1.0]], dtype=td.float64)
    value = td.ones(2, 1, dtype=td.float64, requires_grad=True)
    mask = td.tensor([[True, False], [True, False]])
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    (g,) = td.autograd.grad(out.sum(), value, create_graph=True)
    assert g.tolist() == [[2.0], [0.0]]


def test_variance_of_no_degrees_of_freedom():
    assert td.var(td.tensor([1.0, 2.0]), correction=2).item() == np.inf
    assert np.isnan(td.var(td.tensor([1.0, 1.0]), correction=2).item())
    assert np.isnan(td.var(td.tensor([1.0])).item())


def test_unbiased_for_both_results():
    assert [t.item() for t in td.std_mean(td.tensor([1.0, 3.0]), unbiased=False)] == [1.0, 2.0]
    assert [t.item() for t in td.var_mean(td.tensor([1.0, 3.0]), False)] == [1.0, 2.0]


def test_trace_of_integers_is_int64():
    found = td.trace(td.full((2, 2), 200, dtype=td.uint8))
    assert found.dtype == td.int64 and found.item() == 400


def test_complex_0d_takes_the_precision_of_floats_with_dimensions():
    assert (td.ones(2) + td.tensor(1j, dtype=td.complex128)).dtype == td.complex64
    assert (td.ones(2, dtype=td.float64) * td.tensor(1j, dtype=td.complex64)).dtype == td.complex128
    assert (td.ones(2, dtype=td.int64) * td.tensor(1j, dtype=td.complex128)).dtype == td.complex128
    assert (td.ones(()) + td.tensor(1j, dtype=td.complex128)).dtype == td.complex128
    half, one = td.ones(2, dtype=td.float16), td.tensor(1j, dtype=td.complex128)
    assert (half * one).dtype == td.where(td.tensor([True, False]), half, one).dtype == td.complex64


def test_alpha_of_a_number_decides_no_dtype():
    assert td.add(td.ones((), dtype=td.float16), True, alpha=0.5).dtype == td.float16


def test_what_has_no_gradient_takes_half_precision_that_requires_one():
    x = td.tensor([1.0, 2.0], dtype=td.float16, requires_grad=True)
    assert x.isclose(x).tolist() == [True, True] and not x.isclose(x).requires_grad
    assert x.allclose(x)


def test_adjoint_of_a_0d_tensor():
    assert td.tensor(1 + 2j).adjoint().item() == 1 - 2j


def test_an_infinity_stays_in_the_results_that_see_it():
    x = td.tensor([[[1.0, 2.0, np.inf]]])
    assert F.adaptive_avg_pool1d(x, 2).tolist() == [[[1.5, np.inf]]]
    assert F.interpolate(td.tensor([[[1.0, np.nan]]]), 4, mode="linear")[0, 0, 0].item() == 1.0


def test_lerp_reaches_its_end():
    assert td.lerp(td.tensor(-np.inf), td.tensor(0.0), 0.7).item() == -np.inf
    assert td.lerp(td.tensor(1e8), td.tensor(0.5), 1.0).item() == 0.5
    assert td.lerp(td.tensor([1.0, 3.0]), td.tensor([2.0, 5.0]), td.tensor([0.25, 0.75])).tolist() == [1.25, 4.5]


def test_0d_tensors_have_one_slice():
    x = td.tensor(3.0, requires_grad=True)
    picked = x.index_select(0, td.tensor([0]))
    picked.backward()
    assert picked.shape == () and x.grad.item() == 1.0
    assert td.tensor(3.0).index_fill(0, td.tensor([0]), 2.0).tolist() == 2.0
    assert td.tensor(3.0).index_fill(-1, td.zeros(0, dtype=td.int64), 2.0).tolist() == 3.0
    with pytest.raises(IndexError, match=r"expected an index of one element for a 0-d tensor, got shape \(2,\)"):
        x.index_select(0, td.tensor([0, 0]))


def test_python_numbers_keep_their_digits_beside_double_precision():
    mask, index = td.tensor([True, False]), td.tensor([0])
    for dtype in (td.float64, td.complex128):
        x = td.ones(2, dtype=dtype)
        assert x.masked_fill(mask, -0.3)[0].item() == -0.3
        assert x.scatter(0, index, -0.3)[0].item() == -0.3
        assert x.scatter(0, index, -0.3, reduce="add")[0].item() == 1 + -0.3
        assert x.index_fill(0, index, -0.3)[0].item() == -0.3
    assert td.ones(2, dtype=td.complex128).masked_fill(mask, 0.1 + 0.3j)[0].item() == 0.1 + 0.3j


def test_bincount():
    x = td.tensor([1, 3, 1], dtype=td.uint8)
    assert x.bincount().tolist() == [0, 2, 0, 1] and x.bincount(minlength=5).tolist() == [0, 2, 0, 1, 0]
    assert td.bincount(td.tensor([], dtype=td.int64), minlength=2).tolist() == [0, 0]
    for dtype, expected in ((td.float32, td.float32), (td.float64, td.float64), (td.int64, td.float64)):
        found = td.bincount(x, td.tensor([1, 2, 3], dtype=dtype))
        assert found.tolist() == [0.0, 4.0, 0.0, 2.0] and found.dtype is expected
    for arguments, error, message in (
        ((td.tensor([-1]),), ValueError, "bincount: got negative integers, expected 1-D input"),
        ((td.tensor([[1]]),), ValueError, r"bincount: got shape \(1, 1\), expected 1-D input"),
        ((td.tensor([1.0]),), TypeError, "bincount: got float32, expected integers"),
        ((x, td.ones(2)), ValueError, r"bincount: got weights of shape \(2,\), expected \(3,\)"),
        ((x, None, -1), ValueError, "bincount: got minlength=-1, expected at least 0"),
    ):
        with pytest.raises(error, match=message):
            td.bincount(*arguments)


def test_unique_keeps_every_nan():
    values, counts = td.unique(td.tensor([np.nan, 1.0, np.nan]), return_counts=True)
    assert values.shape == (3,) and counts.tolist() == [1, 1, 1]


def test_where_of_a_condition_alone_says_where():
    rows, columns = td.where(td.tensor([[True, False], [False, True]]))
    assert rows.tolist() == [0, 1] and columns.tolist() == [0, 1]


def test_numbers_that_a_dtype_cannot_hold_are_refused():
    for make in (lambda v, d: td.tensor([v], dtype=d), lambda v, d: td.full((1,), v, dtype=d)):
        with pytest.raises(TypeError, match="got complex numbers, expected real ones for dtype float64"):
            make(1.5 - 0.5j, td.float64)
        for value, dtype in ((300, td.uint8), (-300, td.uint8), (1e10, td.int32), (np.nan, td.int64)):
            with pytest.raises(OverflowError, match=f"expected what dtype {dtype} can hold"):
                make(value, dtype)
        assert make(-1, td.uint8).item() == 255
        assert make(1e5, td.float32).item() == 1e5
        assert make(1.5, td.int64).item() == 1


def test_alpha_counts_in_the_dtype_of_the_sum():
    small = td.tensor([1, 200], dtype=td.uint8)
    assert td.sub(td.ones(2), small, alpha=-1).tolist() == [2.0, 201.0]
    assert td.add(td.ones(2, dtype=td.int64), small, alpha=2).tolist() == [3, 401]
    assert small.add(small, alpha=-1).tolist() == [0, 0]


@pytest.mark.parametrize(
    "make",
    [
        lambda x: F.pixel_shuffle(x.view(1, 8, 1, 1), 2),
        lambda x: F.pixel_unshuffle(x.view(1, 2, 2, 2), 2),
        lambda x: F.channel_shuffle(x.view(1, 2, 2, 2), 1),
        lambda x: F.pad(x, (0, 0), mode="circular"),
    ],
    ids=["pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "pad"],
)
def test_a_copy_is_one_though_nothing_had_to_move(make):
    x = td.zeros(2, 4)
    made = make(x)
    x.fill_(1.0)
    assert made.tolist() == td.zeros(made.shape).tolist()


def test_a_real_tensor_is_its_own_real_part():
    x = td.zeros(2)
    assert x.real is x and td.real(x) is x and x.conj() is x


@pytest.mark.parametrize(
    "call",
    [
        lambda x, v, i: x.masked_fill(td.tensor([True, False]), v),
        lambda x, v, i: x.index_fill(0, i, v),
        lambda x, v, i: x.index_put((i,), v),
        lambda x, v, i: v.expand(2).sum(dtype=td.int64),
        lambda x, v, i: v.expand(2).cumsum(0, dtype=td.int64),
        lambda x, v, i: v.expand(2).prod(dtype=td.int64),
        lambda x, v, i: v.half().expand(2).sum(dtype=td.int64),
    ],
)
def test_integers_never_require_a_gradient(call):
    found = call(td.zeros(2, dtype=td.int64), td.tensor(2.5, requires_grad=True), td.tensor([0, 1]))
    assert found.dtype == td.int64 and not found.requires_grad


def test_grad_refuses_a_view_of_unknown_origin_even_if_unused_is_allowed():
    base, new = td.zeros(3), td.ones(3, requires_grad=True)
    with td.no_grad():
        view = base[:2]
    base.copy_(new)
    with pytest.raises(RuntimeError, match="a view that was made under no_grad, whose base was changed in place"):
        td.autograd.grad(view.sum(), [new], allow_unused=True)


@pytest.mark.parametrize(
    "store",
    [
        lambda x, v: x.fill_(v),
        lambda x, v: x.__setitem__(0, v),
        lambda x, v: x.__setitem__(td.tensor([0]), v),
        lambda x, v: x.masked_fill(td.tensor([True, False]), v),
        lambda x, v: x.masked_fill_(td.tensor([True, False]), v),
        lambda x, v: x.index_fill(0, td.tensor([0]), v),
        lambda x, v: x.scatter(0, td.tensor([0]), v),
        lambda x, v: td.threshold(x, 0.5, v),
        lambda x, v: F.pad(x, (1, 1), value=v),
        lambda x, v: td.linspace(0.0, v, 2, dtype=x.dtype),
        lambda x, v: x.new_full((1,), v),
        lambda x, v: td.full_like(x, v),
        lambda x, v: td.scalar_tensor(v, dtype=x.dtype),
        lambda x, v: td.tensor(v, dtype=x.dtype),
    ],
)
def test_numbers_that_a_dtype_cannot_hold_are_refused_where_they_are_stored(store):
    for value, dtype in ((300, "uint8"), (-1.5, "uint8"), (256.0, "uint8"), (2**31, "int32"), (2.0**63, "int64")):
        before = td.tensor([1, 2], dtype=getattr(td, dtype))
        x = before.clone()
        with pytest.raises(OverflowError, match=f"got .*expected what dtype {dtype} can hold"):
            store(x, value)
        assert x.tolist() == before.tolist()
    store(td.tensor([1, 2], dtype=td.uint8), 255.5)
    store(td.tensor([1, 2], dtype=td.int32), -(2**31))


def test_integer_tensors_are_cast_as_in_c_where_they_are_stored():
    x = td.zeros(2, dtype=td.uint8)
    x[0] = td.tensor(300)
    assert x.tolist() == [44, 0]
    assert x.fill_(-1).tolist() == [255, 255]
    assert x.copy_(td.tensor([256, 257])).tolist() == [0, 1]


@pytest.mark.parametrize(
    "truth",
    [
        lambda z: z.bool(),
        lambda z: z.to(td.bool),
        lambda z: z.type_as(td.tensor(True)),
        lambda z: td.zeros(2, dtype=td.bool).copy_(z),
        lambda z: td.zeros(2, dtype=td.bool).masked_fill(td.tensor([True, False]), z[0]),
        lambda z: td.logical_not(td.logical_not(z)),
        lambda z: td.stack([z[0].any(), z[1].all()]),
    ],
)
def test_a_complex_number_is_true_if_one_of_its_parts_is_not_0(truth):
    assert truth(td.tensor([2j, 0j])).tolist() == [True, False]


def test_alpha_of_bools_is_a_bool():
    yes, no = td.tensor([True]), td.tensor([False])
    assert no.add(True, alpha=3).tolist() == no.add(yes, alpha=-1).tolist() == [True]
    assert no.add(yes, alpha=0).dtype == td.bool
    assert no.add(1, alpha=3).tolist() == [3]


def test_factors_of_small_integers_wrap_around():
    nine, two = td.tensor([[9]], dtype=td.uint8), td.tensor([[2]], dtype=td.uint8)
    assert td.addmm(nine, two, two, alpha=-1).item() == 5
    assert td.addmm(nine, two, two, beta=-1).item() == 251
    assert td.baddbmm(nine[None], two[None], two[None], alpha=-1).item() == 5
    assert td.addcmul(nine, two, two, value=-1).item() == 5
    assert td.tensor([1], dtype=td.uint8).index_add(0, td.tensor([0]), two[0], alpha=-1).item() == 255


def test_dimensions_are_looked_at_even_where_nothing_is_to_be_done():
    with pytest.raises(IndexError, match="a 0-d tensor has no dimensions"):
        td.tensor(1.0).roll(1, 0)
    with pytest.raises(IndexError, match="a 0-d tensor has no dimensions"):
        td.tensor(1.0).repeat_interleave(2, dim=0)
    for softmax in (td.softmax, td.log_softmax, F.softmin):
        with pytest.raises(IndexError, match="out of "):
            softmax(td.zeros(0, 2), -5)
        assert softmax(td.zeros(0, 2), 0).shape == (0, 2)
    with pytest.raises(ValueError, match="each dimension once"):
        td.zeros(5, 1).squeeze((1, 1))
    with pytest.raises(ValueError, match="two different dimensions"):
        td.rot90(td.zeros(5, 2), 1, (0, -2))


@pytest.mark.parametrize("function", [td.softmax, td.log_softmax])
def test_softmax_of_a_single_number_has_gradient_zero(function):
    x = td.tensor(2.0, requires_grad=True)
    function(x, 0).backward()
    assert x.grad.shape == () and x.grad.item() == 0


def test_sums_of_small_integers_in_einsum_are_int64():
    a, b = td.tensor([[200, 200]], dtype=td.uint8), td.tensor([1], dtype=td.uint8)
    for equation, dtype in (("ij,k->ik", td.int64), ("ij,j->i", td.int64), ("ij,k->ijk", td.uint8)):
        found = td.einsum(equation, a, b)
        assert found.dtype == dtype and found.flatten()[0].item() in (400, 200)


def test_linear_interpolation_to_the_same_size_changes_nothing():
    x = td.tensor([[[[1.0, -1.0, 3.0], [1.0, 5.0, 2.0]]]])
    assert F.interpolate(x, scale_factor=1.3, mode="bilinear").tolist() == x.tolist()
    line = F.interpolate(x[0], scale_factor=1.3, mode="linear")
    assert line.tolist() == x[0].tolist()
    wider = F.interpolate(x, scale_factor=(2.2, 1.3), mode="bilinear")  # each dimension by itself
    assert wider[0, 0, :, 0].tolist() == [1.0] * 4
    assert wider[0, 0, 1].tolist() == pytest.approx([1.0, 0.0909091, 2.8181818])


def test_the_gradient_of_the_largest_of_a_short_window_goes_to_its_last_nan():
    x = td.tensor([[1.0, np.nan, 2.0, np.nan, 5.0]], requires_grad=True)
    top, places = F.adaptive_max_pool1d(x, 3, return_indices=True)
    top.sum().backward()
    assert places.tolist() == [[1, 3, 3]]
    assert x.grad.tolist() == [[0.0, 1.0, 0.0, 2.0, 0.0]]


def test_prelu_at_0_has_no_second_derivative():
    x, w = td.zeros(2, 3, requires_grad=True), td.full((3,), 0.25, requires_grad=True)
    gx, gw = td.autograd.grad(F.prelu(x, w).sum(), (x, w), create_graph=True)
    assert gx.tolist() == [[0.25] * 3] * 2 and gw.tolist() == [0.0] * 3
    by_x, by_w = td.autograd.grad(gx.sum() + gw.sum(), (x, w))
    assert by_x.tolist() == [[0.0] * 3] * 2 and by_w.tolist() == [0.0] * 3


def relu_net(x):
    """A recurrent net whose first weight is 1, all others 0, over a sequence of single numbers."""
    net = td.nn.RNN(1, 1, nonlinearity="relu", dtype=td.float64)
    with td.no_grad():
        for p in net.parameters():
            p.fill_(1.0 if p is net.weight_ih_l0 else 0.0)
    return net, net(td.tensor(x, dtype=td.float64).reshape(-1, 1, 1))


def test_a_recurrent_net_with_relu_passes_nan_on_and_stops_infinite_gradients():
    net, (out, _) = relu_net([np.nan])
    out.sum().backward()
    assert net.bias_ih_l0.grad.item() == 1.0
    net, (out, _) = relu_net([-1.0])
    out.backward(td.full((1, 1, 1), np.inf, dtype=td.float64))
    assert net.bias_ih_l0.grad.item() == 0.0


def test_a_recurrent_net_with_relu_has_no_second_derivative_at_0():
    net, (out, _) = relu_net([0.0, 1.0])
    (g,) = td.autograd.grad(out.sum(), [net.weight_hh_l0], create_graph=True)
    second = td.autograd.grad(g, list(net.parameters()), allow_unused=True)
    assert [0.0 if each is None else each.item() for each in second] == [0.0] * 4


def test_running_statistics_that_are_infinite_stay_so():
    mean, var = td.tensor([np.inf, 0.0]), td.tensor([1.0, np.inf])
    F.batch_norm(td.tensor([[1.0, 2.0], [3.0, 4.0]]), mean, var, training=True)
    assert mean.tolist() == [np.inf, pytest.approx(0.3)] and var.tolist() == [pytest.approx(1.1), np.inf]
    mean, var = td.tensor([np.inf, 0.0]), td.tensor([1.0, np.inf])
    F.instance_norm(td.tensor([[[1.0, 3.0], [2.0, 4.0]]]), mean, var)
    assert mean.tolist() == [np.inf, pytest.approx(0.3)] and var.tolist() == [pytest.approx(1.1), np.inf]
    mean, var = td.zeros(1), td.ones(1)
    with np.errstate(invalid="ignore"):
        for _ in range(2):
            F.instance_norm(td.tensor([[[1.0, np.inf]]]), mean, var)
    assert mean.item() == np.inf and np.isnan(var.item())


def test_what_becomes_a_float_is_not_made_a_small_integer_first():
    small, minus = td.tensor([1], dtype=td.uint8), td.tensor(-1)
    assert (small / minus).tolist() == (small / -1).tolist() == [-1.0]
    assert td.atan2(small, minus).tolist() == pytest.approx([3 * np.pi / 4])
    assert (td.tensor([1], dtype=td.int32) / td.tensor(2**40)).item() == 2.0**-40
    assert td.xlogy(small, td.tensor(300)).item() == pytest.approx(np.log(300))


@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize("columns", [1, 2])
def test_zero_times_an_infinity_is_nan_in_every_product(rows, columns):
    a, b = td.ones(rows, 1), td.zeros(1, columns)
    a[0, 0] = np.inf
    bias = td.zeros(columns)
    with np.errstate(invalid="ignore"):
        found = [a @ b, F.linear(a, b.T), F.linear(a, b.T, bias), td.addmm(bias, a, b), (b.T @ a.T).T, a * b]
    for product in found:
        assert product[0].isnan().all() and not product[1:].isnan().any()


def test_xlogy_passes_a_gradient_of_0_on_as_0():
    x = td.ones(2, dtype=td.float64, requires_grad=True)
    with np.errstate(divide="ignore"):
        (g,) = td.autograd.grad(td.xlogy(x, td.zeros(2)), x, td.tensor([0.0, 1.0], dtype=td.float64))
    assert g.tolist() == [0.0, -np.inf]


def test_a_margin_just_kept_has_no_slope():
    x = td.tensor([[1.0, 0.0]], requires_grad=True)
    F.multi_margin_loss(x, td.tensor([0])).backward()
    assert x.grad.tolist() == [[0.0, 0.0]]
    x = td.tensor([1.0, 1.0, -1.0, -2.0], requires_grad=True)
    F.multilabel_margin_loss(x, td.tensor([1, 2, 0, 0])).backward()
    assert x.grad.tolist() == [0.0] * 4


def test_nothing_is_written_to_a_read_only_view_of_nothing():
    _, columns = td.meshgrid(td.zeros(0), td.ones(1), indexing="ij")
    assert columns.sub_(columns).shape == (0, 1)
    shared = td.ones(1).expand(3)
    with pytest.raises(ValueError, match="read-only view"):
        shared.sub_(1.0)


def test_broadcast_tensors_returns_what_has_the_shape_itself():
    a, b = td.zeros(2, 3), td.tensor([1.0, 2.0, 3.0])
    first, second = td.broadcast_tensors(a, b)
    assert first is a and second.tolist() == [[1.0, 2.0, 3.0]] * 2


def test_the_sign_bit():
    x = td.tensor([1.0, -0.0, float("-inf"), 0.0], requires_grad=True)
    found = td.signbit(x)
    assert found.tolist() == [False, True, True, False] and found.dtype == td.bool and not found.requires_grad
    assert td.signbit(td.tensor([-1, 0])).tolist() == [True, False]
    with pytest.raises(TypeError, match="signbit: expected real numbers"):
        td.signbit(td.tensor([1j]))


def test_differences_of_neighbours():
    x = td.tensor([[1.0, 4.0, 9.0], [16.0, 25.0, 36.0]], requires_grad=True)
    assert x.diff().tolist() == [[3, 5], [9, 11]] and td.diff(x, dim=0).tolist() == [[15, 21, 27]]
    assert td.diff(x, n=2).tolist() == [[2], [2]] and td.diff(x, n=0) is not x and td.diff(x, 5).shape == (2, 0)
    assert td.diff(x, prepend=td.zeros(2, 1), append=td.ones(2, 1)).tolist() == [[1, 3, 5, -8], [16, 9, 11, -35]]
    assert td.diff(td.tensor([True, False, False])).tolist() == [True, False]
    td.diff(x, 2).square().sum().backward()
    assert x.grad.tolist() == [[4, -8, 4], [4, -8, 4]]
    with pytest.raises(RuntimeError, match="diff: expected an input of at least one dimension"):
        td.diff(td.tensor(1.0))
    with pytest.raises(RuntimeError, match="diff: expected n of 0 or more, got -1"):
        td.diff(x, -1)
    with pytest.raises(RuntimeError, match="diff: sizes differ outside of `dim`"):
        td.diff(x, append=td.zeros(3, 1))
    with pytest.raises(IndexError, match="got dim 3"):
        td.diff(x, dim=3)


def test_distances_between_rows():
    a, b = td.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True), td.tensor([[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    assert td.cdist(a, b).tolist() == [[5, 1, 0], [0, pytest.approx(18**0.5), 5]]
    assert td.cdist(a, b, 1.0).tolist() == [[7, 1, 0], [0, 6, 7]]
    assert td.cdist(a, b, 0.0).tolist() == [[2, 1, 0], [0, 2, 2]]
    assert td.cdist(a, b, float("inf")).tolist() == [[4, 1, 0], [0, 3, 4]]
    assert td.cdist(td.ones(2, 1, 4, 3), td.ones(5, 6, 3)).shape == (2, 5, 4, 6)
    for mode in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
        a.grad = None
        found = td.cdist(a, b, compute_mode=mode)
        found[:, 0].sum().backward()
        assert found[:, [0, 2]].tolist() == [[5, 0], [0, 5]]
        assert a.grad.tolist() == [[pytest.approx(-0.6), pytest.approx(-0.8)], [0, 0]]
    with pytest.raises(RuntimeError, match=r"cdist: expected tensors \(..., P, M\) and \(..., R, M\)"):
        td.cdist(a, td.ones(2, 3))
    with pytest.raises(TypeError, match="cdist: expected floating tensors"):
        td.cdist(td.ones(2, 2).long(), b)
    with pytest.raises(RuntimeError, match=r"cdist: expected p of 0 or more, got -1"):
        td.cdist(a, b, -1.0)
    with pytest.raises(RuntimeError, match="cdist: expected compute_mode as one of"):
        td.cdist(a, b, compute_mode="fast")
