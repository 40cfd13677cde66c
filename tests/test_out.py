"""`out=`: results that are written into a given tensor."""

from __future__ import annotations

import types

import pytest

import tinygrad_dl as td
from tinygrad_dl.core.destination import LISTED

X = td.tensor([[1.0, -2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda out: td.mul(X, 2, out=out), [[2, -4], [6, 8]]),
        (lambda out: td.add(X, X, alpha=2, out=out), [[3, -6], [9, 12]]),
        (lambda out: td.clamp(X, 0, 3, out=out), [[1, 0], [3, 3]]),
        (lambda out: td.where(X > 0, X, 0.0, out=out), [[1, 0], [3, 4]]),
        (lambda out: td.sum(X, 0, out=out), [4, 2]),
        (lambda out: td.sum(X, out=out), -1 + 7),
        (lambda out: td.cumsum(X, 1, out=out), [[1, -1], [3, 7]]),
        (lambda out: td.matmul(X, X, out=out), [[-5, -10], [15, 10]]),
        (lambda out: td.mm(X, td.eye(2), out=out), [[1, -2], [3, 4]]),
        (lambda out: td.cat([X, X], 1, out=out), [[1, -2, 1, -2], [3, 4, 3, 4]]),
        (lambda out: td.zeros(2, 1, out=out), [[0], [0]]),
        (lambda out: td.arange(3, out=out), [0, 1, 2]),
        (lambda out: td.square(X, out=out), [[1, 4], [9, 16]]),
        (lambda out: td.tril(X, out=out), [[1, 0], [3, 4]]),
        (lambda out: td.ones(2, device="cpu", out=out), [1, 1]),
        (lambda out: td.full((2,), 3.0, requires_grad=False, out=out), [3, 3]),
        (lambda out: td.linspace(0, 1, 3, device="cpu", out=out), [0, 0.5, 1]),
        (lambda out: td.linalg.det(X, out=out), 10),
        (lambda out: td.norm(X[1], out=out), 5),
        (lambda out: td.diff(X, out=out), [[-3], [1]]),
        (lambda out: td.tensordot(X, X, 2, out=out), 30),
        (lambda out: td.nn.functional.linear(X, X[:1], out=out), [[5], [-5]]),
        (lambda out: td.permute_copy(X, (1, 0), out=out), [[1, 3], [-2, 4]]),
    ],
)
def test_an_empty_tensor_takes_the_result(call, expected):
    out = td.empty(0)
    assert call(out) is out
    assert out.tolist() == expected
    assert out.dtype == td.float32 and not out.requires_grad


def test_every_listed_function_has_it():
    missing = []
    for name in sorted(LISTED):
        function = getattr(td, name, None)
        if not isinstance(function, types.FunctionType):
            continue
        try:
            function(*["x"] * 9, out=1)
        except Exception as error:
            if "unexpected keyword argument 'out'" in str(error):
                missing.append(name)
    assert not missing


def test_the_memory_is_written_and_counted_as_changed():
    base = td.zeros(2, 4)
    out = base[:, 1:3]
    before = base._version
    assert td.neg(X, out=out) is out
    assert base.tolist() == [[0, -1, 2, 0], [0, -3, -4, 0]] and base._version == before + 1
    w = td.ones(2, requires_grad=True)
    y = w * out[0]
    td.mul(X[0], 5, out=out[0])
    with pytest.raises(RuntimeError, match="changed in place afterwards, by mul"):
        y.sum().backward()


def test_out_may_be_an_argument():
    x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    td.mul(x, x, out=x)
    assert x.tolist() == [[1, 4], [9, 16]]
    td.matmul(x, td.eye(2), out=x)
    assert x.tolist() == [[1, 4], [9, 16]]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: td.add(x, x.t(), out=x),
        lambda x: td.mul(x[0], 2, out=x[:, 0]),
        lambda x: td.neg(x[:, 0], out=td.zeros(1).expand(2)),
        lambda x: td.cat([x[0], x[1]], out=x.view(-1)),
        lambda x: td.take(x, td.tensor([0, 1]), out=x[1]),
        lambda x: td.gather(x, 0, td.zeros(2, 2, dtype=td.int64), out=x),
        lambda x: td.masked_select(x, x > 2, out=x[0]),
        lambda x: td.kthvalue(x, 1, out=(x[0], td.empty(0, dtype=td.int64))),
        lambda x: td.index_select(x, 0, td.tensor([1, 0]), out=x),
        lambda x: td.cat([x, x[1:]], out=x[:1]),  # which would grow over its argument
        lambda x: td.cat([empty := td.empty(0), x], out=empty),
    ],
)
def test_memory_that_the_result_may_not_have(call):
    x = td.tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(RuntimeError, match="unsupported operation: got out"):
        call(x)
    assert x.tolist() == [[1, 2], [3, 4]]


def test_memory_between_that_of_an_argument():
    base = td.arange(6.0)
    td.mul(base[::2], 10, out=base[1::2])
    assert base.tolist() == [0, 0, 2, 20, 4, 40]


def test_results_without_elements():
    out = td.empty(0, 3)
    assert td.neg(td.ones(0, 3), out=out) is out
    assert td.svd(td.ones(0, 3), out=(td.empty(0, 0), td.empty(0), td.empty(3, 0))).S.shape == (0,)


def test_what_is_made_of_numbers_has_the_dtype_of_out():
    assert td.arange(0, 3.7, out=td.empty(0, dtype=td.int64)).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="arange: got step=0"):
        td.arange(0, 64, 0.5, out=td.empty(0, dtype=td.int64))


def test_several_results():
    values, indices = td.empty(0), td.empty(0, dtype=td.int64)
    found = td.max(X, 1, out=(values, indices))
    assert found.values is values and found.indices is indices
    assert values.tolist() == [1, 4] and indices.tolist() == [0, 1]
    with pytest.raises(TypeError, match="sort: got 1 tensors as out, expected 2"):
        td.sort(X, out=values)
    pair = values.resize_(0), indices.resize_(0)
    assert td.topk(X, 1, out=pair).values is values and values.tolist() == [[1], [4]]


def test_dtypes():
    double = td.empty(0, dtype=td.float64)
    assert td.add(X, 0.1, out=double).dtype == td.float64
    big = td.tensor([1e8, 1.0], dtype=td.float32)
    assert td.sum(big, out=double.resize_(())).item() == 100000001.0  # computed in the dtype of the result
    assert td.eq(X, X, out=td.empty(0)).tolist() == [[1, 1], [1, 1]]
    assert td.add(td.arange(2), 300, out=td.empty(0, dtype=td.uint8)).tolist() == [44, 45]
    for call in (
        lambda: td.add(X, X, out=td.empty(0, dtype=td.int64)),
        lambda: td.matmul(X, X, out=double),
        lambda: td.max(X, 0, out=(double, td.empty(0, dtype=td.int64))),
        lambda: td.argmax(X, out=double),
    ):
        with pytest.raises(RuntimeError, match=r"got out of dtype \w+, expected that of the result"):
            call()


def test_another_shape_is_resized_with_a_warning():
    out = td.ones(3)
    with pytest.warns(UserWarning, match=r"neg: got out of shape \(3,\), which is resized to \(2, 2\)"):
        td.neg(X, out=out)
    assert out.tolist() == [[-1, 2], [-3, -4]]


def test_gradients_are_refused():
    w = td.ones(2, 2, requires_grad=True)
    out = td.zeros(2, 2)
    with pytest.raises(RuntimeError, match="mul: got out= with a tensor that requires a gradient"):
        td.mul(w, 2, out=out)
    with pytest.raises(RuntimeError, match="add: got out= with a tensor that requires a gradient"):
        td.add(X, X, out=w)
    assert out.tolist() == [[0, 0], [0, 0]] and w.tolist() == [[1, 1], [1, 1]]
    with td.no_grad():
        assert td.mul(w, 2, out=out).tolist() == [[2, 2], [2, 2]] and not out.requires_grad
        assert td.mul(X, 2, out=w) is w and w.requires_grad
    assert td.eq(w, w, out=td.empty(0, dtype=td.bool)).all()


def test_transforms_are_refused():
    from tinygrad_dl.autograd.forward_ad import dual_level, make_dual

    with dual_level():
        dual = make_dual(td.ones(2), td.ones(2))
        for args, out in (((dual, 1), td.zeros(2)), ((td.ones(2), 1), dual)):
            with pytest.raises(RuntimeError, match="got out= with a tensor inside of forward mode"):
                td.add(*args, out=out)
    with pytest.raises(RuntimeError, match="got out= with a tensor inside of vmap"):
        td.func.vmap(lambda x: td.mul(x, 2, out=td.zeros(2)))(X)


def test_what_is_no_tensor_and_what_is_too_much():
    with pytest.raises(TypeError, match="mul: got out=3, expected a tensor"):
        td.mul(X, X, out=3)
    with pytest.raises(TypeError, match=r"mul\(\) takes 2 positional arguments but 3 were given"):
        td.mul(X, X, X)
    with pytest.raises(TypeError, match=r"exp\(\) takes 1 positional arguments but 3 were given"):
        td.exp(X, X, X)
    assert td.mul(X, 2, out=None).tolist() == [[2, -4], [6, 8]]
    with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
        td.reshape(X, (4,), out=X)
    with td.inference_mode():
        frozen = td.zeros(2)
    with pytest.raises(RuntimeError, match="got an inference tensor"):
        td.exp(td.zeros(2), out=frozen)


def test_activations_that_take_out():
    x = td.tensor([-2.0, 0.0, 2.0])
    for function in (td.nn.functional.logsigmoid, td.nn.functional.softplus, td.nn.functional.softshrink):
        out = td.empty(0)
        assert function(x, out=out) is out and td.equal(out, function(x))


def test_numbers_at_equal_distances_keep_the_shape_of_out():
    x = td.zeros(2, 3)
    td.linspace(0, 3, 4, out=x.narrow(1, 1, 2))
    td.testing.assert_close(x, td.tensor([[0.0, 0, 1], [0, 2, 3]]))
    td.arange(4, out=x.narrow(1, 0, 2))
    td.testing.assert_close(x, td.tensor([[0.0, 1, 1], [2, 3, 3]]))
