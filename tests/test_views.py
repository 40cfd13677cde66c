"""Views and in-place changes: all tensors of one memory continue together in the graph, as in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from leaves import leaf

import tinygrad_dl as td
from tinygrad_dl import autograd, nn


def grads(output, *inputs):
    """The gradients of the output's weighted sum, as lists; the weights are 1, 2, 3, ..."""
    weights = td.arange(1, output.numel() + 1, dtype=output.dtype).reshape(output.shape)
    found = autograd.grad((output * weights).sum(), inputs, retain_graph=True)
    return [g.tolist() for g in found]


# -- changes of views --------------------------------------------------------------------------


def test_a_change_of_a_view_reaches_its_base():
    x = leaf(3, 5)
    y = td.zeros(2, 3)
    y[:, 0] += x
    assert y.tolist() == [[3, 0, 0], [5, 0, 0]]
    assert y.grad_fn.name() == "CopySlices"
    assert grads(y, x) == [[1, 4]]


def test_changes_through_chains_of_views_of_every_kind():
    x = leaf(1, 2, 3, 4, 5, 6)
    y = x * 1
    square = y.view(2, 3)
    square.T[1].mul_(10)  # elements 1 and 4
    square.unsqueeze(0)[0, 1].squeeze().narrow(0, 1, 2).mul_(2)  # 4 and 5
    square.transpose(0, 1).reshape(3, 2).diagonal().mul_(3)  # 0 and 4
    square.permute(1, 0)[2:].flatten().mul_(0.5)  # 2 and 5
    square.T.reshape(-1).mul_(0.5)  # a copy: nothing changes
    y.unflatten(0, (3, 2)).select(1, 0).mul_(7)  # 0, 2 and 4
    assert y.tolist() == [21, 20, 10.5, 4, 5 * 420, 6]
    assert grads(y, x) == [[21, 20, 10.5, 4, 5 * 420, 6]]


def test_what_was_there_before_has_no_gradient_any_more():
    x, w = leaf(1, 2, 3), leaf(5)
    y = x * x
    y[1:2] = w
    z = y * 1
    y[0].zero_()
    assert grads(z, x, w) == [[2, 0, 18], [2]]
    assert y.tolist() == [0, 5, 9]
    assert grads(y, x, w) == [[0, 0, 18], [2]]


def test_a_view_continues_with_other_views_and_with_the_base():
    x = leaf(1, 2, 3)
    y = x * 2
    first, last, all_of_it = y[:2], y[1:], y.view(3)
    first.mul_(3)
    last.mul_(5)
    y.mul_(7)
    assert grads(first, x) == [[42, 2 * 210, 0]]
    assert grads(last, x) == [[0, 210, 2 * 70]]
    assert grads(all_of_it, x) == grads(y, x) == [[42, 2 * 210, 3 * 70]]


def test_views_of_views_and_outputs_of_one_operation_follow():
    x = leaf(1, 2, 3, 4)
    y = td.zeros(4)
    rows, pieces = y.view(2, 2).T, y.split(3)
    inner = rows[1]
    y += x
    assert grads(inner, x) == [[0, 1, 0, 2]]
    assert grads(pieces[0], x) == [[1, 2, 3, 0]]
    assert grads(pieces[1], x) == [[0, 0, 0, 1]]


def test_a_change_of_a_view_whose_own_rule_reads_the_old_values():
    x = leaf(2, 3, 4)
    y = x * 1
    view = y[1:]
    view.mul_(view)
    y[:1].sin_()
    assert np.allclose(grads(y, x), [[np.cos(2), 2 * 6, 3 * 8]])


def test_a_saved_value_that_another_view_changed_is_an_error():
    x = leaf(1, 2, 3)
    y = x * 1
    z = y[:2] * y[:2]
    y[2:].add_(1)  # elsewhere, but PyTorch too counts changes by the memory
    with pytest.raises(RuntimeError, match="changed in place afterwards, by add_"):
        z.sum().backward()


def test_values_are_broadcast_and_cast_where_they_are_stored():
    x = leaf(1, 2)
    y = td.zeros(3, 2, dtype=td.float64)
    y[1:] = x
    y[0].copy_(x[0])
    y[0] += td.ones(2, dtype=td.float32) * x
    assert y.tolist() == [[2, 3], [1, 2], [1, 2]]
    assert y.dtype == td.float64
    (y * 2).sum().backward()
    assert x.grad.tolist() == [2 * 3 + 4, 2 * 3]
    assert x.grad.dtype == td.float32
    z = td.zeros(2)
    z.add_(td.ones(2, dtype=td.float64) * x)
    z.retain_grad()
    z.sum().backward()
    assert z.grad.dtype == td.float32


def test_a_leaf_that_is_stored_stays_a_leaf_and_the_place_becomes_none():
    x = leaf(1, 2)
    y, z = td.zeros(2), td.zeros(2, 2)
    y.copy_(x)
    z[0].copy_(x)
    assert not y.is_leaf
    y.register_hook(lambda g: g * 10)
    (y.sum() + z.sum()).backward()
    assert x.grad.tolist() == [11, 11]
    out = td.zeros(2)
    np.positive(x, out=out)
    assert not out.is_leaf


def test_picks_and_masks_of_views():
    x = leaf(1, 2)
    y = td.zeros(3, 3)
    y[1:][:, [0, 2]] = x
    y.T[y.T == 2] = x[0] * 5
    y[0].index_put_((td.tensor([1, 1]),), x, accumulate=True)
    y.view(-1).index_add_(0, td.tensor([8]), x[1:])
    assert y.tolist() == [[0, 3, 0], [1, 0, 5], [1, 0, 7]]
    assert grads(y, x) == [[2 + 4 + 5 * 6 + 7 + 5 * 9, 2 + 9]]


def test_modules_that_work_in_place_after_a_view():
    x = leaf(-1, 2, -3, 4)
    y = (x * 1).view(2, 2)
    base = y._base
    assert nn.ReLU(inplace=True)(y) is y
    assert base.tolist() == [0, 2, 0, 4]
    assert grads(base, x) == [[0, 2, 0, 4]]


def test_an_augmented_assignment_stores_once():
    x = leaf(3)
    y = td.zeros(4)
    y[1:3] += x
    assert [edge and edge.name() for edge, _ in y.grad_fn.next_functions] == [None, "AddBackward0"]
    assert y._version == 2
    y[1:3] = y[0:2]  # another view of the same shape
    assert y.tolist() == [0, 0, 3, 0]
    y[0:2] = y[0:4:2]  # with the same start
    y.view(2, 2)[:] = y.view(2, 2).T  # of the same shape, with the same start
    assert y.tolist() == [0, 3, 3, 0]
    assert grads(y, x) == [[2 + 3]]


# -- other layouts and types ----------------------------------------------------------------------


def test_bases_of_any_layout():
    x = leaf(1, 2, 3, dtype="float64")
    for memory in (np.zeros((3, 4), order="F"), np.zeros((6, 12))[::2, ::3], np.zeros((3, 4))[::-1, ::-1]):
        base = td.from_numpy(memory)
        flat = base.T.reshape(-1)
        if flat._is_view():
            flat[:3].add_(x)
        base[:, 1] = x
        base.unsqueeze(0)[0, :, 2].mul_(x)
        expected = np.zeros((3, 4))
        expected[:, 1] = 1
        assert np.array_equal(autograd.grad(base[:, 1:].sum(), x)[0], [1, 1, 1])
        assert base[:, 1].tolist() == [1, 2, 3]
    fortran = td.from_numpy(np.zeros((2, 3), order="F"))
    turned = fortran.T.view(6)
    turned[::2] = x
    assert fortran.tolist() == [[1, 2, 3], [0, 0, 0]]
    assert grads(fortran, x) == [[1, 2, 3]]


def test_parts_of_complex_numbers():
    x = leaf(1, 2)
    z = td.zeros(2, dtype=td.complex64)
    z.real.copy_(x)
    z.imag.add_(x * 3)
    td.view_as_real(z)[1].mul_(2)
    assert z.tolist() == [1 + 3j, 4 + 12j]
    # |1+3j|^2 x0^2 + 4 |1+3j|^2 x1^2
    assert grads((z * z.conj()).real, x) == [[20, 2 * 160]]
    pairs = td.zeros(2, 2)
    td.view_as_complex(pairs)[0] = td.complex(x[0], x[1])
    pairs[1] = x
    assert pairs.tolist() == [[1, 2], [1, 2]]
    assert grads(pairs, x) == [[1 + 3, 2 + 4]]


def test_complex_gradients_of_a_changed_view():
    w = td.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    y = w * 1
    y[0].mul_(1j)
    y.imag[1:].mul_(3)
    (g,) = autograd.grad((y * td.tensor([2 + 1j, 1 - 2j])).real.sum(), w)
    # d/dw of Re((2+i) i w0) and of Re((1-2i)(a + 3bi)) = a + 6b
    assert g.tolist() == [np.conj((2 + 1j) * 1j), 1 + 6j]


def test_half_precision():
    x = td.tensor([1.0, 2.0], dtype=td.float16, requires_grad=True)
    y = td.zeros(2, 2, dtype=td.float16)
    y[0] += x
    y.T[1].mul_(3)
    y.sum().backward()
    assert x.grad.dtype == td.float16
    assert x.grad.tolist() == [1, 3]


def test_second_derivatives_go_through_changed_views():
    x = leaf(2, 3, dtype="float64")
    y = td.zeros(3, dtype=td.float64)
    y[1:] = x
    y[:2].mul_(y[1:].clone())  # 0 * x0, x0 * x1
    (g,) = autograd.grad((y**3).sum(), x, create_graph=True)  # (x0 x1)^3 + x1^3
    assert g.tolist() == [3 * 4 * 27, 3 * 8 * 9 + 27]
    (h,) = autograd.grad(g.sum(), x)
    assert h.tolist() == [6 * 2 * 27 + 9 * 36, 9 * 36 + 6 * 8 * 3 + 18]
    assert td.testing.gradcheck(lambda v: changed(v), (x,))
    assert td.testing.gradgradcheck(lambda v: changed(v), (x,))


def changed(v):
    y = td.zeros(3, 2, dtype=td.float64)
    y.T[1][1:] = v
    y.view(-1)[2:5].sin_()
    y[1:].mul_(v[0])
    return y


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda y, x: x[:1], "a view of a leaf tensor that requires a gradient"),
        (lambda y, x: x.view(2, 1)[0], "a view of a leaf tensor that requires a gradient"),
        (lambda y, x: y.unbind()[0], "one of several views that one operation made"),
        (lambda y, x: y.split(1)[0][:1], "one of several views that one operation made"),
        (lambda y, x: under_no_grad(y), "a view that was made under no_grad"),
        (lambda y, x: under_no_grad(td.zeros(2)), "a view that was made under no_grad"),
        (lambda y, x: under_no_grad(y)[:1], "a view that was made under no_grad"),
    ],
)
def test_views_that_a_recorded_operation_may_not_change(make, reason):
    x = leaf(1, 2)
    y = x * 1
    view = make(y, x)
    for change in (lambda: view.add_(x[0]), lambda: view.__setitem__(0, x[0])):
        before = view.tolist(), view.grad_fn, view._version
        with pytest.raises(RuntimeError, match=reason):
            change()
        assert before == (view.tolist(), view.grad_fn, view._version)
    with td.no_grad():
        view.mul_(0)
    assert view._base.tolist()[0] == 0


def under_no_grad(base):
    with td.no_grad():
        return base[:1]


def test_a_view_made_under_no_grad_is_a_constant_until_its_base_changes():
    x = leaf(1, 2)
    y = x * 2
    with td.no_grad():
        view = y[:1]
        inner = view.view(1, 1)
    (view * y[:1]).sum().backward(retain_graph=True)
    assert x.grad.tolist() == [4, 0]
    with pytest.raises(RuntimeError, match="a view that was made under no_grad"):
        view.zero_()
    with td.no_grad():
        y.mul_(2)
    assert not view.requires_grad
    y.mul_(3)
    for each in (view, inner):
        with pytest.raises(RuntimeError, match="a view that was made under no_grad, whose base was changed in place"):
            each.sum().backward()
        with pytest.raises(RuntimeError, match="a view that was made under no_grad"):
            each.zero_()
    y[...].sum().backward()
    assert x.grad.tolist() == [4 + 6, 6]


def test_a_view_may_not_leave_the_graph_alone():
    y = leaf(1, 2) * 1
    with pytest.raises(RuntimeError, match="detach_: got a view"):
        y[0].detach_()
    view = y[0]
    y.detach_()
    assert view.requires_grad
    view.zero_()  # which belongs to the base, and has no graph any more
    assert not view.requires_grad
    assert y.tolist() == [0, 2]


# -- detach, versions, hooks ---------------------------------------------------------------------


def test_detach_shares_memory_and_versions_but_no_graph():
    x = leaf(1, 2)
    y = x * 1
    apart = y.detach()
    view = apart[:1]
    assert apart._base is None
    assert view._base is apart
    apart.add_(1)
    view.mul_(x[:1])
    assert y.tolist() == [2, 3]
    assert y._version == apart._version == view._version == 2
    assert y.grad_fn.name() == "MulBackward0"
    assert grads(y, x) == [[1, 2]]
    assert grads(apart, x) == [[2, 0]]


def test_versions_count_changes_of_the_memory():
    y = td.zeros(3)
    y.zero_()
    y.fill_(1)
    y[0] = 1
    y[td.tensor([0])] = 2
    y += 1
    y.copy_(td.ones(3))
    y.normal_()
    np.add(y, 1, out=y)
    y.view(3)[0].zero_()
    y.masked_fill_(y > 0, 1)
    assert y._version == 10
    assert y.data._version == 0
    y.data.add_(1)
    assert y._version == 10
    parameters = [td.nn.Parameter(td.ones(2)), td.nn.Parameter(td.ones(3))]
    optimizer = td.optim.SGD(parameters, lr=0.1)
    for _ in range(3):
        for p in parameters:
            p.grad = td.ones_like(p)
        optimizer.step()
    before = parameters[0]._version
    parameters[0].grad = parameters[1].grad = None
    with td.no_grad():
        parameters[1].zero_()
    for p in parameters:
        p.grad = td.ones_like(p)
    optimizer.step()
    assert parameters[0]._version == before + 1
    assert parameters[1]._version == before + 2
    del optimizer
    assert td.zeros(2)._version == 0


def test_bases_are_the_tensors_that_own_the_memory():
    y = td.zeros(2, 3)
    assert not y._is_view()
    assert y._base is None
    for view in (y[0], y[0][1:], y.T, y.view(-1)[2], *y.unbind(), y.T[0].expand(4, 2), y.diagonal()):
        assert view._is_view()
        assert view._base is y
    for other in (y.T.reshape(-1), y.clone(), y + 1, y[[0]], y.contiguous(), y.detach(), y.data):
        assert other._base is None


def test_hooks_stay_with_the_value_they_were_registered_on():
    seen = []
    y = leaf(1, 2, 3, 4) * 1
    view = y[:2]
    for name, tensor in {"y": y, "view": view}.items():
        tensor.register_hook(lambda g, name=name: seen.append((name, g.tolist())))
        tensor.retain_grad()
    y.mul_(3)
    (view.sum() * 5 + y.sum()).backward()
    assert view.grad.tolist() == [5, 5]
    assert y.grad.tolist() == [6, 6, 1, 1]
    assert seen == [("y", [18, 18, 3, 3])]


def test_hooks_of_a_view_that_is_changed():
    seen = []
    y = leaf(1, 2, 3, 4) * 1
    view = y[:2]
    for name, tensor in {"y": y, "view": view}.items():
        tensor.register_hook(lambda g, name=name: seen.append((name, g.tolist())))
        tensor.retain_grad()
    view.mul_(3)
    (view.sum() * 5 + y.sum()).backward()
    assert view.grad.tolist() == [5, 5]
    assert y.grad.tolist() == [6, 6, 1, 1]
    assert seen == [("view", [18, 18]), ("y", [18, 18, 1, 1])]


def test_a_tensor_with_other_memory_is_no_view_any_more():
    x = leaf(1, 2)
    y = x * 1
    view, other = y[:1], y[1:]
    view.data = td.zeros(1)
    view.mul_(x[:1])
    y.mul_(2)
    assert y.tolist() == [2, 4]
    assert grads(view, x) == [[1, 0]]
    assert grads(other, x) == [[0, 2]]
    y.data = td.zeros(2)
    other.mul_(5)
    assert y.tolist() == [0, 0]
    assert grads(other, x) == [[0, 10]]


def test_views_of_other_types_do_not_join_the_graph():
    x = leaf(1, 0)
    y = td.zeros(2, dtype=td.int64)
    view = y[:1]
    y.copy_(x)
    view += 1
    assert not y.requires_grad
    assert not view.requires_grad
    assert y.tolist() == [2, 0]


# -- Function ------------------------------------------------------------------------------------


class Double_(autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx, g):
        assert ctx.saved_tensors[0].shape == g.shape
        return g * 2


def test_a_function_may_change_a_view():
    x = leaf(1, 2, 3)
    y = x * 1
    other = y.view(3, 1)
    view = y[1:]
    assert Double_.apply(view) is view
    assert y.tolist() == [1, 4, 6]
    assert y.grad_fn.name() == "CopySlices"
    assert grads(y, x) == [[1, 4, 6]]
    assert grads(other, x) == [[1, 4, 6]]
    assert grads(view, x) == [[0, 2, 4]]
    before = y.tolist()
    with pytest.raises(RuntimeError, match="one of several views"):
        Double_.apply(y.unbind()[0])
    with pytest.raises(RuntimeError, match="a view of a leaf tensor"):
        Double_.apply(x[:1])
    assert before[1:] == y.tolist()[1:]


def test_views_that_a_function_returns_may_not_be_changed():
    class First(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[:1]

        @staticmethod
        def backward(ctx, g):
            return td.cat([g * 10, td.zeros(1)])

    class Same(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10

    for function in (First, Same):
        x = leaf(1, 2)
        y = x * 1
        out = function.apply(y)
        assert out._base is y
        with pytest.raises(RuntimeError, match="a view that a Function returned, expected"):
            out.mul_(2)
        with pytest.raises(RuntimeError, match="a view that a Function returned, expected"):
            out[0].mul_(2)
        out[0].backward()
        assert x.grad.tolist() == [10, 0]
        out = function.apply(y)
        y.mul_(2)
        with pytest.raises(RuntimeError, match="a view that a Function returned, whose base was changed"):
            out.sum().backward()


# -- shapes in place -----------------------------------------------------------------------------


def test_shapes_change_in_place():
    x = leaf(1, 2, 3, 4, 5, 6)
    y = (x * 1).view(2, 3).clone()
    assert y.t_() is y
    assert y.shape == (3, 2)
    assert y._version == 1
    assert not y._is_view()
    y[0] *= 2  # elements 0 and 3
    y.unsqueeze_(0).squeeze_().transpose_(0, 1).swapaxes_(0, 1).swapdims_(0, 1)
    assert y.tolist() == [[2, 2, 3], [8, 5, 6]]
    assert grads(y, x) == [[2, 2, 3, 8, 5, 6]]


def test_views_and_their_bases_keep_their_places_when_shapes_change_in_place():
    x = leaf(1, 2, 3, 4, 5, 6)
    base = (x * 1).view(2, 3)
    row, y = base[0], base[:, 1:]
    inner = y[0]
    y.t_()
    y[0].mul_(2)  # elements 1 and 4
    assert y.tolist() == [[4, 10], [3, 6]]
    assert grads(y, x) == [[0, 2, 3, 0, 4, 4]]
    assert grads(inner, x) == [[0, 2, 2, 0, 0, 0]]
    assert grads(row, x) == [[1, 4, 3, 0, 0, 0]]
    whole = x * 1
    part = whole[1:3]
    whole.unsqueeze_(1)
    whole.mul_(3)
    assert whole.shape == (6, 1)
    assert grads(part, x) == [[0, 3, 6, 0, 0, 0]]
    part.mul_(0)
    assert grads(whole, x) == [[3, 0, 0, 12, 15, 18]]


def test_shapes_of_leaves_change_under_no_grad_alone():
    x = td.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="got a leaf tensor that requires a gradient"):
        x.t_()
    with pytest.raises(RuntimeError, match="got a view of a leaf tensor that requires a gradient"):
        x[0].unsqueeze_(0)
    view = x[0]
    with td.no_grad():
        with pytest.raises(RuntimeError, match="t_: got a leaf that requires a gradient and has views"):
            x.t_()
        del view
        x.t_()
    (x * td.arange(6.0).view(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_the_method_split_has_pytorchs_name_of_its_size():
    x = td.arange(5)
    assert [piece.tolist() for piece in x.split(split_size=3, dim=0)] == [[0, 1, 2], [3, 4]]
    assert [piece.tolist() for piece in td.split(x, split_size_or_sections=[1, 4])] == [[0], [1, 2, 3, 4]]
    with pytest.raises(TypeError, match=r"split\(\) missing 1 required positional argument: 'split_size'"):
        x.split()


def test_splits_in_rows_columns_and_depth():
    x = td.arange(8).view(2, 2, 2)
    assert [p.tolist() for p in x.dsplit(2)] == [[[[0], [2]], [[4], [6]]], [[[1], [3]], [[5], [7]]]]
    assert [p.tolist() for p in td.hsplit(x, 2)] == [[[[0, 1]], [[4, 5]]], [[[2, 3]], [[6, 7]]]]
    assert [p.shape for p in td.vsplit(x, (1,))] == [(1, 2, 2), (1, 2, 2)]
    assert [p.tolist() for p in td.arange(4).hsplit([1, 3])] == [[0], [1, 2], [3]]
    for split, parts in ((td.hsplit, 3), (td.vsplit, 3), (td.dsplit, 3), (td.hsplit, 0)):
        with pytest.raises(RuntimeError, match=f"{split.__name__}: got {parts} sections for a size of 2"):
            split(x, parts)
    for split, tensor in ((td.hsplit, x[0, 0, 0]), (td.vsplit, x[0, 0]), (td.dsplit, x[0])):
        with pytest.raises(RuntimeError, match=f"{split.__name__}: got a tensor of shape"):
            split(tensor, 1)
    w = leaf(1, 2)
    y = td.zeros(2, 2)
    y.hsplit(2)[1].add_(w[:, None])
    assert grads(y, w) == [[2, 4]]


# -- bytes ---------------------------------------------------------------------------------------


def test_bytes_as_another_dtype():
    x = td.tensor([1.0, -2.0], requires_grad=True)
    y = x * 1
    bits = y.view(td.int32)
    assert bits.tolist() == [0x3F800000, -0x40000000]
    assert not bits.requires_grad
    assert not bits._is_view()
    bits[0] = 0x40000000
    assert y.tolist() == [2, -2]
    assert y._version == bits._version == 1
    assert y.view(dtype=td.uint8).shape == (8,)
    assert td.zeros(2, 2, dtype=td.int16).view(td.float32).shape == (2, 1)
    assert y.view(td.int32).view(2, 1).shape == (2, 1)
    assert y.view(shape=(2, 1)).shape == (2, 1)
    for wrong in (lambda: td.zeros(3, 2).T.view(td.int64), lambda: td.zeros(3).view(td.float64)):
        with pytest.raises(RuntimeError, match=r"view_bytes: got dtype .*64 for a tensor of shape"):
            wrong()


def test_storages_are_the_memory_that_views_share():
    y = td.arange(6).view(2, 3)
    storage = y[1, 1:].untyped_storage()
    assert storage.data_ptr() == y.data_ptr() == y.untyped_storage().data_ptr()
    assert storage.nbytes() == len(storage) == storage.size() == 48
    assert [y[1, 1:].storage_offset(), y.storage_offset(), y.T[2].storage_offset()] == [4, 0, 2]
    assert td.zeros(0).untyped_storage().nbytes() == 0
    backwards = td.from_numpy(np.arange(4)[::-1])
    assert backwards.storage_offset() == 3
    assert repr(storage) == "<UntypedStorage of 48 bytes>"


# -- windows, indices, shapes --------------------------------------------------------------------


def test_windows_along_a_dimension_are_views():
    x = leaf(1, 2, 3, 4, 5)
    y = x * 1
    windows = y.unfold(0, 2, 1)
    assert windows.tolist() == [[1, 2], [2, 3], [3, 4], [4, 5]]
    assert windows._base is y
    y.mul_(2)
    assert grads(windows, x) == [[2, 2 * 5, 2 * 9, 2 * 13, 2 * 8]]
    with pytest.raises(ValueError, match="read-only"):
        windows.add_(1)
    apart = y.unfold(0, 2, 3)
    apart.mul_(10)
    assert y.tolist() == [20, 40, 6, 80, 100]
    assert grads(y, x) == [[20, 40, 6, 80, 100]]
    assert td.arange(6).view(2, 3).T.unfold(1, 2, 1).tolist() == [[[0, 3]], [[1, 4]], [[2, 5]]]
    assert td.zeros(4).unfold(0, 0, 2).shape == (3, 0)
    assert td.tensor(2.0).unfold(0, 1, 1).tolist() == [2]
    assert td.tensor(2.0).unfold(0, 0, 1).shape == (0,)


def test_indices_of_numbered_elements():
    assert [i.tolist() for i in td.unravel_index(td.tensor([[4], [1]]), (2, 3))] == [[[1], [0]], [[1], [1]]]
    assert [i.tolist() for i in td.unravel_index(td.tensor(3), 4)] == [3]
    with pytest.raises(TypeError, match="unravel_index: got indices of dtype float32, expected integers"):
        td.unravel_index(td.tensor([0.5]), (2,))
    with pytest.raises(ValueError, match="out of bounds"):
        td.unravel_index(td.tensor([6]), (2, 3))
    for shape in (td.tensor([2, 3]), (2, 3.0)):
        with pytest.raises(TypeError, match="expected an integer or a tuple of integers"):
            td.unravel_index(td.tensor([1]), shape)
    with pytest.raises(ValueError, match="not negative"):
        td.unravel_index(td.tensor(0), (2, -3))


def test_shapes_broadcast():
    assert td.broadcast_shapes((2, 1), (3,), (4, 1, 1)) == (4, 2, 3)
    assert td.broadcast_shapes() == ()
    with pytest.raises(ValueError, match="broadcast"):
        td.broadcast_shapes((2,), (3,))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: td.gather(x, 0, td.tensor(0)),
        lambda x: td.index_select(x, 0, td.tensor([0])),
        lambda x: x.index_add(0, td.tensor([0]), td.tensor(2.0)),
        lambda x: x.index_fill(0, td.tensor(0), 2.0),
        lambda x: x.scatter(0, td.tensor(0), 2.0),
        lambda x: td.kron(x.reshape(1), td.ones(2)),
    ],
    ids=["gather", "index_select", "index_add", "index_fill", "scatter", "kron"],
)
def test_what_was_made_is_no_view(make):
    x = td.tensor(1.0, requires_grad=True)
    y = make(x)
    assert not y._is_view() and y.requires_grad
    assert y.detach_() is y and not y.requires_grad


def test_another_shape_without_recording_keeps_the_graph():
    x = td.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y, z = x * 2, x * 3
    with td.no_grad():
        y.t_()
        z.unsqueeze_(0)
    assert y.requires_grad and z.requires_grad
    (y * td.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]]
    x.grad = None
    z.sum().backward()
    assert x.grad.tolist() == [[3.0] * 3] * 2


@pytest.mark.parametrize("look", [lambda y: y.T[0], lambda y: y[::2, 0], lambda y: y.flip(0)[:, 0]])
def test_windows_of_any_layout_are_views(look):
    base = td.ones(4, 3, requires_grad=True) * 1
    line = look(base)
    windows = line.unfold(0, 2, 2)
    assert windows._is_view() and windows._base is line._base if line._is_view() else windows._base is line
    windows.mul_(3)
    assert line.tolist() == [3.0] * line.numel()
    line.sum().backward()


def test_windows_share_memory_in_the_graph():
    x = td.ones(4, 3, requires_grad=True)
    y = x * 1
    y.T[0].unfold(0, 2, 2).mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [[3.0, 1.0, 1.0]] * 4


def test_pieces_with_memory_of_their_own():
    x = td.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    assert [p.tolist() for p in y.split_with_sizes([1, 2])] == [[1.0], [2.0, 3.0]]
    for pieces in (y.unsafe_split(2), y.unsafe_split_with_sizes((2, 1)), y.unsafe_chunk(2)):
        a, b = pieces
        assert a.tolist() == [1.0, 2.0] and b.tolist() == [3.0] and not a._is_view()
        x.grad = None
        a.mul_(10)
        (a.sum() + b.sum()).backward(retain_graph=True)
        assert x.grad.tolist() == [10.0, 10.0, 1.0] and y.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(RuntimeError, match="one of several views that one operation made"):
        y.split_with_sizes([1, 2])[0].mul_(2)


def test_what_a_part_replaces_has_no_gradient():
    x = td.tensor([1.0, 2.0, 3.0], requires_grad=True)
    src = td.tensor([5.0, 6.0], requires_grad=True)
    out = td.as_strided_scatter(x, src, (2,), (1,))
    (out * td.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert out.tolist() == [5, 6, 3] and x.tolist() == [1, 2, 3]
    assert x.grad.tolist() == [0, 0, 3] and src.grad.tolist() == [1, 2]


@pytest.mark.parametrize(
    "replaced",
    [
        lambda x: td.select_scatter(x, td.ones(2), 0, 1),
        lambda x: td.slice_scatter(x, td.ones(2, 3), 0, 1),
        lambda x: td.diagonal_scatter(x, td.ones(3)),
        lambda x: td.as_strided_scatter(x, td.ones(2, 2), (2, 1), (1, 1)),
    ],
)
def test_a_part_of_another_shape_is_refused(replaced):
    with pytest.raises(RuntimeError, match="expected a src of the shape of the part that it replaces"):
        replaced(td.zeros(2, 3))


def test_memory_by_steps():
    assert td.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert td.empty_strided((2, 2), (0, 1)).shape == (2, 2)
    assert td.ones(2).new_empty_strided((2, 2), (1, 2)).dtype == td.float32
    assert td.empty_permuted((2, 3, 4), (2, 0, 1)).stride() == (3, 1, 6)
    with pytest.raises(RuntimeError, match="expected an order of the dimensions 0 to 2"):
        td.empty_permuted((2, 3, 4), (2, 0))
    with pytest.raises(RuntimeError, match="as many of both"):
        td.empty_strided((2, 3), (1,))


def test_sums_to_a_shape():
    x = td.arange(12.0).reshape(3, 4)
    assert x.sum_to_size(4).tolist() == [12, 15, 18, 21]
    assert x.sum_to_size((3, 1)).tolist() == [[6], [22], [38]]
    with pytest.raises(RuntimeError, match="expected one that expands to"):
        x.sum_to_size(5)
