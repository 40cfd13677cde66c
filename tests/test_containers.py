"""Containers: Sequential as a sequence, ParameterDict and ParameterList as dict and list; helpers for gradients."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


def test_a_sequential_is_repeated_and_joined():
    pair = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    for many in (pair * 2, 2 * pair):
        assert list(many._modules) == ["0", "1", "2", "3"] and many[0] is many[2] is pair[0]
        assert len(list(many.parameters())) == 2
    assert len(pair) == 2
    joined = pair + nn.Sequential(nn.Tanh())
    assert [type(each).__name__ for each in joined] == ["Linear", "ReLU", "Tanh"] and len(pair) == 2
    pair += nn.Sequential(nn.Tanh())
    pair *= 2
    assert [type(each).__name__ for each in pair] == ["Linear", "ReLU", "Tanh"] * 2
    for wrong in (lambda: pair * 0, lambda: pair * -1, lambda: pair + nn.ModuleList([nn.ReLU()])):
        with pytest.raises(ValueError, match=r"^Sequential [*+]"):
            wrong()
    with pytest.raises(TypeError, match="got a float, expected an integer"):
        pair * 1.5


def test_the_order_of_a_parameter_dict():
    pairs = [("b", td.ones(1)), ("a", td.zeros(1))]
    assert list(nn.ParameterDict(dict(pairs))) == ["a", "b"]  # a plain dict is sorted, as in PyTorch
    assert list(nn.ParameterDict(OrderedDict(pairs))) == list(nn.ParameterDict(pairs)) == ["b", "a"]
    params = nn.ParameterDict(pairs)
    params.update({"d": td.ones(1), "c": td.ones(1)})
    assert list(params) == list(params.state_dict()) == ["b", "a", "c", "d"] and next(reversed(params)) == "d"


def test_a_parameter_dict_is_a_dict():
    params = nn.ParameterDict({"a": td.ones(1)})
    assert params.get("a") is params["a"] is params.a and params.get("z") is None and params.get("z", 5) == 5
    assert params.setdefault("q", td.zeros(1)) is params["q"] and type(params["q"]) is nn.Parameter
    params |= {"c": td.ones(1)}
    both = params | nn.ParameterDict({"z": td.ones(1)})
    assert list(params) == ["a", "q", "c"] and list(both) == ["a", "q", "c", "z"] and both["a"] is params["a"]
    assert params.popitem()[0] == "c" and params.pop("q").item() == 0 and list(params.parameters()) == [params["a"]]
    assert list(params.fromkeys(["x", "y"], 3).items()) == [("x", 3), ("y", 3)]
    params.clear()
    assert len(params) == 0 and params.state_dict() == {} and not hasattr(params, "a")
    with pytest.raises(KeyError, match="got key 'forward', which is an attribute already, expected another"):
        params["forward"] = td.ones(1)
    with pytest.raises(KeyError, match="got key 'a', expected one of \\[\\]\""):
        del params["a"]


def test_values_that_are_no_tensors_are_kept_outside_of_the_state():
    params = nn.ParameterDict({"w": td.ones(1), "name": "x"})
    values = nn.ParameterList([td.ones(1), "x", td.zeros(1)])
    assert params["name"] == "x" and list(params.state_dict()) == ["w"]
    assert values[1] == "x" and list(values.state_dict()) == ["0", "2"] and values[-1].item() == 0
    params["w"], values[0] = 5, 6
    assert params["w"] == 5 and list(params.state_dict()) == [] and next(iter(values)) == 6
    values[0] = td.ones(2)
    assert type(values[0]) is nn.Parameter and len(values[:2]) == 2
    with pytest.raises(IndexError, match="got index 3, expected -3 to 2"):
        values[3]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_containers_of_parameters_are_copied(again):
    params, values = again(nn.ParameterDict({"b": td.ones(1), "a": 3})), again(nn.ParameterList([td.ones(1)] * 2))
    assert next(iter(params.items())) == ("a", 3) and params["b"].item() == 1 and len(values) == 2
    assert values.append(td.zeros(1))[2].item() == 0


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (0, 2),
        (0.5, 35.61844),
        (1, 12),
        (2, 50**0.5),
        (-1, 0),
        (float("inf"), 5),
        (-float("inf"), 0),
    ],
)
def test_norms_of_gradients_of_any_order(order, expected):
    w, v = td.ones(2, requires_grad=True), td.ones(3, requires_grad=True)
    w.grad, v.grad = td.tensor([3.0, 4.0]), td.tensor([0.0, 0.0, 5.0])
    assert nn.utils.clip_grad_norm_([w, v], 1e9, order).item() == pytest.approx(expected)
    assert nn.utils.get_total_norm([w.grad, v.grad], order, foreach=False).item() == pytest.approx(expected)


def test_norms_take_one_tensor_and_name_their_function_in_errors():
    assert nn.utils.get_total_norm(td.tensor([3.0, 4.0])).item() == 5.0
    with pytest.raises(TypeError, match="get_total_norm: got None, expected a tensor or an iterable of tensors"):
        nn.utils.get_total_norm([td.ones(1), None])
    with pytest.raises(RuntimeError, match="get_total_norm: got gradients whose total norm"):
        nn.utils.get_total_norm([td.tensor(float("inf"))], error_if_nonfinite=True)


def test_clipping_by_a_norm_of_negative_order():
    w = td.ones(2, requires_grad=True)
    w.grad = td.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm_([w], 1.0, norm_type=-1.0, foreach=True).item() == pytest.approx(12 / 7)
    np.testing.assert_allclose(w.grad.numpy(), [1.75, 7 / 3], rtol=1e-5)


def test_clipping_complex_gradients():
    w = td.ones(2, dtype=td.complex64, requires_grad=True)
    w.grad = td.tensor([3 + 0j, 4j])
    norm = nn.utils.clip_grad_norm_(w, 1.0)
    assert norm.dtype == td.float32 and norm.item() == pytest.approx(5)
    np.testing.assert_allclose(w.grad.numpy(), [0.6, 0.8j], rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ((td.tensor(3),), [4, 3, 3]),
        ((td.tensor([2, 5]),), [2, 3, 5]),
        ((np.array([2, 5]),), [2, 3, 5]),
        (({"indices": (1, 2)}), [1, 1, 8]),
        (({"sections": 2}), [5, 5]),
    ],
)
def test_tensor_split_by_tensors_and_names(given, sizes):
    x = td.arange(10)
    parts = x.tensor_split(**given) if isinstance(given, dict) else td.tensor_split(x, *given)
    assert [len(part) for part in parts] == sizes and td.cat(parts).tolist() == list(range(10))


def test_tensor_split_refuses_what_it_cannot_read():
    for wrong in (td.tensor(3.0), td.tensor([[3]])):
        with pytest.raises(TypeError, match="expected a 0-d or 1-d tensor of integers"):
            td.tensor_split(td.arange(5), wrong)
    with pytest.raises(TypeError, match="got 0 of them"):
        td.tensor_split(td.arange(5))


def test_atleast_of_several_tensors():
    a, b = td.tensor(1.0), td.ones(2)
    for function, shapes in (
        (td.atleast_1d, [(1,), (2,)]),
        (td.atleast_2d, [(1, 1), (1, 2)]),
        (td.atleast_3d, [(1, 1, 1), (1, 2, 1)]),
    ):
        assert [t.shape for t in function(a, b)] == [t.shape for t in function([a, b])] == shapes
        assert function(b).shape == shapes[1] and function((a,))[0].shape == shapes[0]
    assert td.atleast_1d() == ()


def test_tensors_among_numbers():
    one, loss = td.tensor([2.0]), td.tensor(3.0, requires_grad=True)
    assert td.tensor([one, one]).tolist() == [2, 2] and td.tensor([[1.0, one], [one, 1.0]]).tolist() == [[1, 2], [2, 1]]
    for values in ([loss * 2, one], [1.0, loss]):
        with pytest.warns(UserWarning, match=r"no graph; keep the graph with td\.stack\(tensors\)"):
            t = td.tensor(values)
        assert t.shape == (2,) and not t.requires_grad and t.dtype == td.float32
    with pytest.raises(
        ValueError, match=r"got a tensor of shape \(2,\) in a sequence of numbers, expected tensors of one"
    ):
        td.tensor([td.ones(2), td.ones(2)])
    assert td.stack([loss, loss * 2]).requires_grad


def test_cartesian_prod_and_its_gradient():
    x, y = td.tensor([1.0, 2.0], requires_grad=True), td.tensor([3.0, 4.0, 5.0], requires_grad=True)
    rows = td.cartesian_prod(x, y)
    assert rows.tolist() == [[1, 3], [1, 4], [1, 5], [2, 3], [2, 4], [2, 5]]
    (rows * td.arange(12.0).reshape(6, 2)).sum().backward()
    assert x.grad.tolist() == [6.0, 24.0] and y.grad.tolist() == [8.0, 12.0, 16.0]
    assert td.cartesian_prod(x) is x and td.cartesian_prod(y[:0], x).shape == (0, 2)
    for wrong in ((), (td.ones(2, 2), x)):
        with pytest.raises(ValueError, match="cartesian_prod: expected 1-D tensors"):
            td.cartesian_prod(*wrong)


def test_ger_is_the_deprecated_name_of_outer():
    x, y = td.tensor([1, 2]), td.tensor([3, 4])
    assert td.ger(x, y).tolist() == x.ger(y).tolist() == td.outer(x, y).tolist() == [[3, 4], [6, 8]]
