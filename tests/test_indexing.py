"""Indexing: what `t[index]` gives and `t[index] = value` stores, beside NumPy and naive loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.testing import indices, shapes

SHAPES = shapes(min_dims=1, max_dims=3)


def as_tensors(index):
    """The index with td tensors in the place of lists and arrays."""
    if isinstance(index, tuple):
        return tuple(as_tensors(part) for part in index)
    return td.tensor(index) if isinstance(index, list | np.ndarray) and np.size(index) else index


def counting(shape):
    return np.arange(1.0, np.prod(shape, dtype=int) + 1).reshape(shape)


def picked(array, index):
    """array[index] with the integers taken first: NumPy's result but for the order of dimensions."""
    parts = list(index) if isinstance(index, tuple) else [index]
    named = sum(part is not None and part is not Ellipsis for part in parts)
    parts = parts if Ellipsis in [p for p in parts if not isinstance(p, np.ndarray)] else [*parts, Ellipsis]
    dim, rest = 0, []
    for part in parts:
        if part is Ellipsis:
            rest += [slice(None)] * (array.ndim - named)
            dim = sum(p is not None for p in rest)
        elif isinstance(part, int):
            array, named = array.take(part, dim), named - 1
        else:
            rest.append(part)
            dim += part is not None
    return array[tuple(rest)]


@given(st.data())
def test_an_index_gives_what_numpy_gives(data):
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    array = counting(shape)
    expected = picked(array, index)
    for each in (index, as_tensors(index)):
        got = td.tensor(array)[each]
        assert isinstance(got, td.Tensor)
        assert got.shape == np.shape(expected)
        np.testing.assert_array_equal(got.numpy(), expected)


@given(st.data())
def test_the_gradient_counts_how_often_each_element_was_picked(data):
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    x = td.tensor(counting(shape), requires_grad=True)
    y = x[as_tensors(index)]
    weights = np.random.default_rng(0).standard_normal(y.shape)
    (first,) = td.autograd.grad((y * weights).sum(), x)
    expected = np.zeros(shape)
    np.add.at(expected.reshape(-1), picked(np.arange(x.numel()).reshape(shape), index), weights)
    np.testing.assert_allclose(first.numpy(), expected)


@given(st.data())
def test_second_order(data):
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    x = td.tensor(counting(shape), requires_grad=True)
    y = x[index]
    (first,) = td.autograd.grad((y * y * y).sum(), x, create_graph=True)
    (second,) = td.autograd.grad(first.sum(), x)
    counts = np.zeros(shape)
    np.add.at(counts, index, 1.0)
    np.testing.assert_allclose(second.numpy(), 6 * counting(shape) * counts)


@given(st.data(), st.booleans())
def test_assignment_stores_what_numpy_stores(data, recorded):
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    array = counting(shape)
    spots = picked(np.arange(array.size).reshape(shape), index)
    target = np.shape(spots)
    value = -counting(data.draw(st.sampled_from([target, (), target[-1:]])))
    expected = array.copy()
    for spot, each in zip(spots.reshape(-1), np.broadcast_to(value, target).reshape(-1), strict=True):
        expected.reshape(-1)[spot] = each
    x = td.tensor(array, requires_grad=recorded)
    y = x * 1.0
    y[as_tensors(index)] = td.tensor(value)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    np.testing.assert_array_equal(x.detach().numpy(), array)
    assert y.requires_grad == recorded


@given(st.data())
def test_gradient_of_assignment(data):
    """What was overwritten has no gradient; the value that stays has it, those overwritten in turn have none."""
    shape = data.draw(SHAPES)
    index = data.draw(indices(shape))
    spots = picked(np.arange(np.prod(shape, dtype=int)).reshape(shape), index)
    target = np.shape(spots)
    x = td.tensor(counting(shape), requires_grad=True)
    v = td.tensor(counting(target), requires_grad=True)
    y = x * 1.0
    y[as_tensors(index)] = v
    weights = np.random.default_rng(0).standard_normal(shape)
    gx, gv = td.autograd.grad((y * weights).sum(), (x, v))
    expected_x, expected_v = weights.copy().reshape(-1), np.zeros(int(np.prod(target)))
    last = {spot: place for place, spot in enumerate(spots.reshape(-1))}
    for spot, place in last.items():
        expected_v[place] = weights.reshape(-1)[spot]
        expected_x[spot] = 0
    np.testing.assert_allclose(gx.numpy(), expected_x.reshape(shape))
    np.testing.assert_allclose(gv.numpy(), expected_v.reshape(target))


def test_basic_indices_share_memory_and_advanced_ones_copy():
    x = td.zeros(2, 3)
    for index in (0, (0, 1), (slice(None), 1), ..., None, (..., slice(None, None, 2)), td.tensor(1), np.int64(1)):
        assert np.shares_memory(x[index].numpy(), x.numpy()), index
    for index in ([0, 1], td.tensor([1]), np.array([True, False]), x == 0, (0, [1]), True):
        assert not np.shares_memory(x[index].numpy(), x.numpy()), index
    x[0][1] = 5.0
    x[1, 2].fill_(7.0)
    assert x.tolist() == [[0, 5, 0], [0, 0, 7]]


def test_integers_are_taken_first_as_in_pytorch():
    x = td.arange(24).reshape(2, 3, 4)
    picks = td.tensor([1, 2])
    assert x[0, :, [1, 2]].tolist() == [[1, 2], [5, 6], [9, 10]]
    assert x[0, ..., picks].tolist() == [[1, 2], [5, 6], [9, 10]]
    assert x[0, None, picks].tolist() == [[[4, 5, 6, 7], [8, 9, 10, 11]]]
    assert x[picks[:1], :, 0].tolist() == [[12, 16, 20]]
    assert x[:, picks, :, None][..., 0].tolist() == x[:, 1:].tolist()
    pair = td.tensor([0, 1])
    assert td.arange(16).reshape(2, 2, 2, 2)[-1::2, pair, pair, None, 0].tolist() == [[[8], [14]]]
    x[0, :, picks] = td.tensor([[-1, -2], [-3, -4], [-5, -6]])
    assert x[0].tolist() == [[0, -1, -2, 3], [4, -3, -4, 7], [8, -5, -6, 11]]
    x[0, :, picks] += 10
    assert x[0].tolist() == [[0, 9, 8, 3], [4, 7, 6, 7], [8, 5, 4, 11]]
    x[1, None, picks] = td.tensor([[7], [8]]).expand(2, 4)
    assert x[1, 1:].tolist() == [[7, 7, 7, 7], [8, 8, 8, 8]]


def test_gradients_where_integers_are_taken_first():
    x = td.arange(12.0).reshape(2, 2, 3).requires_grad_()
    picks = td.tensor([2, 2, 0])
    weights = td.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (g,) = td.autograd.grad((x[1, :, picks] * weights).sum(), x)
    assert g.tolist() == [[[0, 0, 0], [0, 0, 0]], [[3, 0, 3], [6, 0, 9]]]
    v = td.ones(2, 2, requires_grad=True)
    y = x * 1.0
    y[1, :, picks[1:]] = v
    gx, gv = td.autograd.grad((y * td.arange(12.0).reshape(2, 2, 3)).sum(), (x, v))
    assert gx.tolist() == [[[0, 1, 2], [3, 4, 5]], [[0, 7, 0], [0, 10, 0]]]
    assert gv.tolist() == [[8, 6], [11, 9]]


def test_bools_of_no_dimension_add_one():
    x = td.arange(6).reshape(2, 3)
    for true in (True, np.array(True), td.tensor(True), np.bool_(True)):
        assert x[true].tolist() == [x.tolist()]
        assert x[0, :, true].tolist() == [[0], [1], [2]]
        assert x[~np.asarray(true)].shape == (0, 2, 3)
    scalar = td.tensor(3.0, requires_grad=True)
    assert scalar[True].tolist() == [3.0]
    changed = scalar * 1.0
    changed[td.tensor(True)] += 2.0
    assert changed.item() == 5.0
    changed[changed > 9] = 0.0
    assert td.autograd.grad(changed, scalar)[0].item() == 1.0


def test_a_list_of_lists_is_a_tuple_as_in_pytorch():
    x = td.arange(6).reshape(2, 3)
    with pytest.warns(UserWarning, match=r"x\[tuple\(list\)\]"):
        assert x[[[0, 1], [2, 1]]].tolist() == [2, 4]
    with pytest.warns(UserWarning, match="as PyTorch does"):
        x[[slice(None), 0]] = 9
    assert x.tolist() == [[9, 1, 2], [9, 4, 5]]
    assert x[([0, 1], [2, 1])].tolist() == [2, 4]
    assert x[np.array([[0, 1], [1, 0]])].shape == (2, 2, 3)


def test_an_index_of_dtype_uint8_is_a_mask_as_in_pytorch():
    x = td.arange(6).reshape(2, 3)
    for index in (td.tensor([1, 0, 1], dtype=td.uint8), np.array([1, 0, 1], np.uint8)):
        with pytest.warns(UserWarning, match="a uint8 index is a mask"):
            assert x[:, index].tolist() == [[0, 2], [3, 5]]
    with pytest.warns(UserWarning, match="a uint8 index is a mask"):
        x[td.tensor([0, 2], dtype=td.uint8)] = 0
    assert x.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert x[np.uint8(0)].tolist() == [0, 1, 2]


def test_positions_of_dtype_uint8_stay_positions_in_every_order():
    x = td.arange(3.0, requires_grad=True)
    index = td.tensor([2, 0], dtype=td.uint8)
    for pick in (
        lambda: x.gather(0, index),
        lambda: x.index_select(0, index),
        lambda: np.take(x, index.numpy()),
        lambda: np.take_along_axis(x, index.numpy(), 0),
    ):
        (g,) = td.autograd.grad((pick() ** 2).sum(), x, create_graph=True)
        assert g.tolist() == [0, 0, 4]
        (h,) = td.autograd.grad(g.sum(), x)
        assert h.tolist() == [2, 0, 2]


def test_values_of_one_element_and_with_dimensions_of_size_1_in_front():
    x = td.zeros(2, 3)
    x[0, 1] = td.tensor([5.0])
    x[1, 0] = td.tensor([[[6.0]]])
    x[1, 1] = [7.0]
    x[1, 2] = np.array([[8.0]])
    assert x.tolist() == [[0, 5, 0], [6, 7, 8]]
    x[x > 5] = td.tensor([[1.0]])
    x[x == 0] = td.tensor([[2.0, 3.0]])
    assert x.tolist() == [[2, 5, 3], [1, 1, 1]]
    x[0] = td.tensor([[[4.0]]])
    x[1] = [[1.0, 2.0, 3.0]]
    x[[0], [1]] = td.tensor([[9.0]])
    assert x.tolist() == [[4, 9, 4], [1, 2, 3]]
    leaf, value = td.zeros(2, 3, requires_grad=True), td.tensor([[5.0]], requires_grad=True)
    for index in ((0, 1), td.tensor([[True, False, False], [False, False, False]]), (0, [2])):
        y = leaf * 1.0
        y[index] = value
        (g,) = td.autograd.grad((y * y).sum(), value)
        assert g.tolist() == [[10]]
    for index in ((0, 1), leaf == 0):
        with pytest.raises(ValueError, match=r"could not broadcast a value .* got shape \(2, 1\), expected"):
            x[index] = td.ones(2, 1)


def test_negative_steps_work_as_in_numpy():
    x = td.arange(5.0)
    assert x[::-2].tolist() == [4, 2, 0]
    x[::-1] = td.arange(5.0)
    assert x.tolist() == [4, 3, 2, 1, 0]


def test_overlapping_assignment_reads_before_it_writes():
    x = td.arange(5.0)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("index", "kind", "said"),
    [
        (2, IndexError, "index 2 is out of bounds for axis 0 with size 2"),
        ((0, 0, 0), IndexError, "too many indices"),
        ([0, 5], IndexError, "index 5 is out of bounds for axis 0 with size 2"),
        (1.5, IndexError, "expected integers, slices"),
        ([0.5], IndexError, "expected integers, slices"),
        (np.ones(3, bool), IndexError, "boolean index did not match"),
        (([0, 1], [0, 1, 2]), IndexError, "could not be broadcast"),
    ],
)
def test_a_wrong_index_says_what_was_wrong_and_where(index, kind, said):
    x = td.zeros(2, 3)
    with pytest.raises(kind, match=said) as caught:
        x[index]
    assert "[2, 3]" in str(caught.value)
    with pytest.raises(kind, match=said) as caught:
        x[index] = 1.0
    assert str(caught.value).startswith("x[index] = value: ") and "[2, 3]" in str(caught.value)
    assert x.tolist() == td.zeros(2, 3).tolist()


def test_a_failed_assignment_changes_nothing():
    x = td.zeros(2, 3)
    leaf = td.zeros(2, 3, requires_grad=True)
    scaled = leaf * 1.0
    edge = scaled.grad_fn
    for target in (x, scaled):
        with pytest.raises(ValueError, match="could not broadcast"):
            target[0] = td.ones(2)
        with pytest.raises(TypeError, match="got complex numbers, expected real ones for dtype float32"):
            target[0] = 1j
        with pytest.raises(TypeError, match=r"a tensor holds numbers|takes tensors"):
            target[0] = "one"
        assert target.tolist() == td.zeros(2, 3).tolist()
    assert scaled.grad_fn is edge
    with pytest.raises(RuntimeError, match=r"got a leaf tensor that requires a gradient, expected another, as"):
        leaf[0] = 1.0
    assert leaf.tolist() == td.zeros(2, 3).tolist()
    with td.no_grad():
        leaf[0] = 1.0
    assert leaf.tolist() == [[1, 1, 1], [0, 0, 0]]
    with pytest.raises(ValueError, match="read-only"):
        x.expand(4, 2, 3)[0] = 1.0
    scaled[0][0] = leaf[0, 0]
    assert scaled.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_assignment_keeps_the_dtype():
    x = td.zeros(3, dtype=td.int64)
    x[0] = 1.9
    x[1:] = td.tensor([2.5, 3.5])
    assert x.dtype == td.int64
    assert x.tolist() == [1, 2, 3]
    y = td.zeros(2, requires_grad=True) * 1.0
    y[0] = td.tensor(2.0, dtype=td.float64)
    assert y.dtype == td.float32


def test_backward_notices_that_a_needed_value_was_overwritten():
    x = td.ones(3, requires_grad=True)
    factor = td.ones(3)
    y = (x * factor).sum()
    factor[0] = 2.0
    with pytest.raises(RuntimeError, match=r"changed in place afterwards, by x\[index\] = value at .*test_indexing"):
        y.backward()


def test_backward_notices_that_an_index_was_changed():
    x = td.ones(3, requires_grad=True)
    index = td.tensor([0, 1])
    y = x[index].sum()
    index.fill_(2)
    with pytest.raises(RuntimeError, match="changed in place afterwards, by fill_"):
        y.backward()


def test_filling_in_place_cuts_off_what_was_there():
    x = td.ones(3, requires_grad=True)
    for change in (lambda t: t.zero_(), lambda t: t.fill_(2.0), lambda t: t.copy_(td.ones(3))):
        y = x * 2
        assert change(y) is y
        (g,) = td.autograd.grad(y.sum(), x)
        assert g.tolist() == [0, 0, 0]


def test_gather_and_its_kin_refuse_what_is_out_of_range():
    x = td.zeros(2, 3)
    for call in (
        lambda i: x.gather(1, td.tensor([[i]])),
        lambda i: x.scatter(1, td.tensor([[i]]), 1.0),
        lambda i: x.scatter_add(1, td.tensor([[i]]), td.ones(1, 1)),
        lambda i: x.index_select(1, td.tensor([i])),
        lambda i: x.index_add(1, td.tensor([i]), td.ones(2, 1)),
        lambda i: x.index_copy(1, td.tensor([i]), td.ones(2, 1)),
    ):
        for wrong in (3, -1):
            with pytest.raises(IndexError, match=f"index {wrong} is out of range for dim 1 of size 3"):
                call(wrong)
    with pytest.raises(IndexError, match="expected an index of integers, got dtype bool"):
        x.index_select(0, td.tensor([True]))


def test_a_change_by_scatter_in_place_is_recorded():
    x = td.ones(2, 2, requires_grad=True)
    y = x * 1.0
    y.scatter_(1, td.tensor([[0], [1]]), 5.0)
    assert y.tolist() == [[5, 1], [1, 5]]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 0]]


def test_numpy_functions_reach_the_same_operations():
    x = td.tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    picked = np.take_along_axis(x, np.array([[1], [0]]), axis=1)
    assert picked.tolist() == [[1], [2]]
    assert np.take(x, [1], axis=1).tolist() == [[1], [4]]
    picked.sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 0]]


def test_nothing_is_written_where_nothing_is_picked():
    expanded = td.zeros(1).expand(3)
    expanded[td.zeros(3, dtype=td.bool)] = 2.0
    assert expanded.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        expanded[0] = 2.0


def test_dots_that_stand_for_no_dimension_do_not_divide_the_picks_beside_them():
    x, rows, columns = td.arange(24.0).reshape(2, 3, 4), td.tensor([0, 1]), td.tensor([3, 1])
    assert x[:, rows, ..., columns].tolist() == [[3.0, 5.0], [15.0, 17.0]]
    assert x[:, rows, ..., columns].tolist() == x[:, rows, columns].tolist()
    y = td.zeros(2, 3, 4)
    y[:, rows, ..., columns] = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert y[:, rows, columns].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert x[rows, ..., columns].tolist() == [[3.0, 7.0, 11.0], [13.0, 17.0, 21.0]]  # here they stand for one


def test_what_is_picked_lies_in_memory_as_the_tensor_does():
    x, rows = td.arange(120.0).reshape(2, 3, 4, 5), td.tensor([2, 0])
    picked = [x[:, rows], x[:, [2, 0]], x[:, :, rows], x[..., rows], x[:, rows, rows], x[:, ::2][:, td.tensor([1, 0])]]
    picked += [x[:, rows[:, None]], x[:, None, rows], x[:, td.tensor([True, False, True])], x[:, :, :, -rows]]
    assert all(each.is_contiguous() for each in picked)
    assert x[:, rows].view(4, 20)[1].tolist() == x[0, 0].flatten().tolist()
    assert x[:, :, rows, None].stride() == (30, 10, 5, 5, 1)
    turned = x.permute(3, 2, 1, 0)[rows]
    assert turned.stride() == (24, 1, 4, 12)
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        x[:, td.tensor([7])]
