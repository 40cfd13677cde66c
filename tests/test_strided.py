"""as_strided, and tensors with other memory in their place: resize_, resize_as_, set_."""

from __future__ import annotations

import pytest
from leaves import leaf

import tinygrad_dl as td


def test_the_whole_memory_can_be_seen():
    x = td.arange(12.0).reshape(3, 4)
    assert x.t()[1:3].as_strided((2, 3), (2, 1), 1).tolist() == [[1, 2, 3], [3, 4, 5]]
    assert x[1].as_strided((2,), (8,), 0).tolist() == [0, 8]
    assert x[1].as_strided((2, 2), (1, 1)).tolist() == [[4, 5], [5, 6]]
    assert x[2].as_strided((), ()).item() == 8 and td.ones(0).as_strided((0, 1), (1, 1), 0).shape == (0, 1)
    with pytest.raises(RuntimeError, match="as_strided: got elements up to 12, expected some among the 12"):
        x[1].as_strided((2,), (8,))
    with pytest.raises(RuntimeError, match="expected row-major order"):
        td.from_numpy(x.numpy().T).as_strided((2,), (1,))


def test_gradients_of_elements_that_are_seen_twice_are_added():
    x = leaf(1, 2, 3, 4, dtype="float64")
    y = (x * 1).as_strided((3, 2), (1, 1))
    assert y.tolist() == [[1, 2], [2, 3], [3, 4]]
    (y * td.tensor([[1.0, 10.0], [100.0, 1000.0], [1e4, 1e5]])).sum().backward()
    assert x.grad.tolist() == [1, 110, 11000, 100000]
    with pytest.raises(ValueError, match="got a read-only view"):
        y.detach().mul_(2)


def test_changes_of_the_view_reach_the_base():
    x = leaf(*range(12), dtype="float64")
    y = (x * 2).reshape(3, 4)
    view = y[1:].as_strided((2, 2), (4, 1))
    view.mul_(10)
    assert y.tolist() == [[0, 2, 4, 6], [80, 100, 12, 14], [160, 180, 20, 22]]
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 8, 16, 24, 3200, 4000, 48, 56, 6400, 7200, 80, 88]


def test_in_place():
    x = leaf(1, 2, 3, 4)
    y = x * 1
    assert y.as_strided_((2, 2), (1, 2)) is y and y.tolist() == [[1, 3], [2, 4]]
    (y * td.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    assert x.grad.tolist() == [1, 100, 10, 1000]


def test_resizing():
    x = td.arange(4.0)
    assert x.resize_(2, 2) is x and x.tolist() == [[0, 1], [2, 3]] and x._version == 1
    assert x.resize_(2, 3).tolist() == [[0, 1, 2], [3, 0, 0]] and x._version == 2
    x.resize_((2, 3))
    assert x._version == 2
    assert x.resize_as_(td.zeros(1)).tolist() == [0] and x._version == 3
    assert td.empty(0).resize_(2).tolist() == [0, 0]


def test_resizing_within_shared_memory():
    x = td.arange(6.0)
    part = x[1:4]
    assert part.resize_(2, 2).tolist() == [[1, 2], [3, 4]]
    part[0, 0] = 100.0
    assert x.tolist() == [0, 100, 2, 3, 4, 5]
    for tensor in (part, x):
        with pytest.raises(RuntimeError, match="resize_: got a tensor that shows the memory of another"):
            tensor.resize_(7)


def test_resizing_is_not_recorded():
    w = leaf(1, 2)
    with pytest.raises(RuntimeError, match="resize_: got a tensor that requires a gradient"):
        w.resize_(1)
    with pytest.raises(ValueError, match="expected sizes of 0 or more"):
        td.ones(2).resize_(-1)
    c = td.tensor([2.0, 3.0])
    loss = (w * c).sum()
    c.resize_(1)
    with pytest.raises(RuntimeError, match="changed in place afterwards, by resize_"):
        loss.backward()
    with td.inference_mode():
        frozen = td.ones(2)
    with pytest.raises(RuntimeError, match="resize_: got an inference tensor"):
        frozen.resize_(1)


def test_another_tensors_memory():
    x, y = td.zeros(2), td.ones(3)
    assert x.set_(y) is x and x.tolist() == [1, 1, 1]
    y[0] = 5.0
    assert x.tolist() == [5, 1, 1] and td.ones(2).set_().shape == (0,)
    with pytest.raises(RuntimeError, match="set_: got a tensor of dtype int64, expected that of the tensor, float32"):
        x.set_(td.arange(2))
    with pytest.raises(RuntimeError, match="set_: got a tensor that requires a gradient"):
        leaf(1).set_(y)
    with pytest.raises(TypeError, match="set_: got list, expected a tensor"):
        x.set_([1.0])


def test_a_leaf_with_other_memory_is_another_place_in_the_graph():
    w = leaf(1, 2, 3)
    edge, out = td.autograd.graph.get_gradient_edge(w), w * 2
    with td.no_grad():
        w.set_(w[1:])
    assert td.autograd.grad(out.sum(), edge, retain_graph=True)[0].tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="was not used to compute the outputs"):
        td.autograd.grad(out.sum(), w)
    td.cat([w, w]).sum().backward()
    assert w.grad.tolist() == [2, 2]


def test_directions_of_complex_numbers():
    z = td.tensor([3 + 4j, 0j, 2j], requires_grad=True)
    assert td.allclose(td.sgn(z), td.tensor([0.6 + 0.8j, 0j, 1j]))
    assert td.sgn(td.tensor([2.0, 0.0, -3.0])).tolist() == [1, 0, -1] and td.sgn(-3).item() == -1
    td.sgn(z).real.sum().backward()
    assert td.allclose(z.grad, td.tensor([0.128 - 0.096j, 0j, 0.5 + 0j]))
    w = td.tensor([3 + 4j])
    assert w.sgn_() is w and td.allclose(w, td.tensor([0.6 + 0.8j]))
