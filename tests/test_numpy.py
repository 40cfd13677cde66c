"""NumPy's functions on tensors: its own arguments, its values, and gradients."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from numpy_calls import (
    CALLS,
    FLAT,
    MASK,
    SYMMETRIZED,
    WRITING,
    Call,
    V,
    X,
    compare,
    converted,
    function_of,
    run,
    several,
)

import tinygrad_dl as td
from tinygrad_dl.core.protocol import signature

EACH = [(name, i) for name, calls in CALLS.items() for i in range(len(calls))]
IDS = [f"{name}-{i}" for name, i in EACH]


@pytest.mark.parametrize(("name", "i"), EACH, ids=IDS)
def test_a_call_gives_numpys_values_and_gradients(name, i):
    call = CALLS[name][i]
    expected = run(name, call, np.copy)
    compare(name, run(name, call, td.tensor), expected)
    leaves = []

    def recorded(array):
        if array.dtype.kind not in "fc":
            return td.tensor(array)
        leaves.append(td.tensor(array, requires_grad=True))
        return leaves[-1] * 1 if name in WRITING else leaves[-1]

    found = run(name, call, recorded)
    compare(name, found, expected)
    results = several(found)
    places = [k for k, one in enumerate(results) if isinstance(one, td.Tensor) and one.requires_grad]
    has_none = name in FLAT or call.gradient == "none"
    assert bool(places) == (bool(leaves) and not has_none)
    if places and call.gradient == "by differences":
        gradients_are_those_of_differences(name, call, leaves, {k: results[k] for k in places})


def gradients_are_those_of_differences(name, call, leaves, results):
    """The gradient of a weighted sum of the results, at each leaf, beside NumPy's values around it."""
    rng = np.random.default_rng(0)
    weights = {k: rng.normal(size=(2, *result.shape)) for k, result in results.items()}

    def weighed(results):
        total = 0.0
        for k, weight in weights.items():
            one = results[k]
            one = np.where(np.isnan(one), 0, one)
            total = total + (np.real(one) * weight[0]).sum()
            if one.dtype.kind == "c":
                total = total + (np.imag(one) * weight[1]).sum()
        return total

    gradients = td.autograd.grad(weighed(results), leaves, allow_unused=True)
    for number, (leaf, gradient) in enumerate(zip(leaves, gradients, strict=True)):
        array = leaf.detach().numpy()
        measured, h = np.zeros_like(array), 1e-6
        for at in np.ndindex(array.shape):
            for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
                up, down = (weighed(several_arrays(name, call, number, at, d * unit)) for d in (h, -h))
                measured[at] += (up - down) / (2 * h) * unit
        own = np.zeros_like(array) if gradient is None else gradient.numpy()
        if name in SYMMETRIZED and array.ndim == 2 and array.shape[0] == array.shape[1]:
            own, measured = own + own.T, measured + measured.T
        counts = ~np.isnan(array)
        np.testing.assert_allclose(own[counts], measured[counts], rtol=1e-4, atol=1e-5, err_msg=f"argument {number}")


def several_arrays(name, call, number, at, step):
    """NumPy's results where one element of one argument is a step further."""
    seen = []

    def moved(array):
        array = array.copy()
        if array.dtype.kind in "fc":
            if len(seen) == number:
                array[at] += step
            seen.append(array)
        return array

    return [np.asarray(one) for one in several(run(name, call, moved))]


@pytest.mark.parametrize("name", CALLS)
def test_arguments_by_name_and_by_place(name):
    """Each call with as many arguments by their names as possible, and with as many by their places."""
    kinds = {n: p.kind for n, p in signature(function_of(name)).parameters.items()}
    places = [n for n, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if any(kind is inspect.Parameter.VAR_POSITIONAL for kind in kinds.values()) or not places:
        return
    first = [n for n, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_ONLY]
    order = [*first, *places]
    for call in CALLS[name]:
        named = dict(zip(order, call.args, strict=False)) | call.options
        held = named.pop(places[0]) if name in WRITING and not first else None  # run() looks at the first one
        given = [named.pop(n) for n in first if n in named] if held is None else [held]
        expected = run(name, call, np.copy)
        try:
            run(name, Call(tuple(given), named), np.copy)
        except TypeError:  # NumPy does not take them by their names, whatever the signature says
            continue
        compare(name, run(name, Call(tuple(given), named), td.tensor), expected)
        leading = list(given)
        for n in order[len(given) :]:
            if n not in named:
                break
            leading.append(named.pop(n))
        compare(name, run(name, Call(tuple(leading), named), td.tensor), expected)


@pytest.mark.parametrize("name", CALLS)
def test_every_argument_may_be_given_as_its_default(name):
    function, call = function_of(name), CALLS[name][0]
    for word, parameter in signature(function).parameters.items():
        if parameter.default is parameter.empty or word in call.options or parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        if list(signature(function).parameters).index(word) < len(call.args):
            continue
        usual = Call(call.args, {**call.options, word: parameter.default})
        compare(name, run(name, usual, td.tensor), run(name, usual, np.copy))
    with pytest.raises((TypeError, ValueError), match=r"unknown|unexpected|keyword"):
        run(name, Call(call.args, {**call.options, "unknown": 1}), td.tensor)


@pytest.mark.parametrize("name", [n for n in CALLS if "out" in signature(function_of(n)).parameters])
def test_out(name):
    for call in CALLS[name][:2]:
        expected = np.asarray(run(name, call, np.copy))
        if expected.dtype.kind not in "biuf":
            continue
        out = td.zeros(expected.shape, dtype=expected.dtype)
        found = run(name, Call(call.args, {**call.options, "out": out}), td.tensor)
        assert found is out
        compare(name, out, expected)
        array = np.zeros_like(expected)
        assert run(name, Call(call.args, {**call.options, "out": None}), td.tensor) is not None
        assert function_of(name)(*converted(call.args, td.tensor), **converted_options(call), out=array) is array
        compare(name, array, expected)


def converted_options(call):
    return {n: converted(v, td.tensor) for n, v in call.options.items()}


def test_mixed_arguments():
    x = td.tensor(X, requires_grad=True)
    out = np.concatenate([X, x], axis=0)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.ones_like(X))
    assert isinstance(np.add(X, x), td.Tensor)
    assert isinstance(np.where(MASK, X, x), td.Tensor)


# -- functions that write --------------------------------------------------------------------------------


def test_functions_that_write_change_the_tensor_and_what_reads_it_afterwards():
    x = td.tensor(V, requires_grad=True)
    y = x * 1
    before = y * y
    np.put(y, [0, 2], x[1:3])
    assert y.tolist() == [0.5, 0.5, 1.5, -1.0]
    (gradient,) = td.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [0.0, 2.0, 1.0, 1.0]
    with pytest.raises(RuntimeError, match="changed in place"):
        before.sum().backward()


def test_functions_that_write_refuse_leaves_and_arrays_as_other_changes_do():
    x = td.tensor(V, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        np.put(x, [0], 1.0)
    array = V.copy()
    with pytest.raises(TypeError, match=r"np\.put: got a tensor that requires a gradient"):
        np.put(array, [0], x[:1])
    np.put(array, [0], x.detach()[1:2])
    assert array.tolist() == [0.5, 0.5, 1.5, -1.0]
    with pytest.raises(TypeError, match="expected what casts to int64"):
        np.copyto(td.tensor([1, 2]), td.tensor([0.5, 0.5]))


# -- what is refused -------------------------------------------------------------------------------------


def test_an_option_without_a_rule_names_the_function_and_the_option():
    x = td.tensor(X, requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.quantile: got q as a tensor that requires a gradient.*use q\.detach\(\)"):
        np.quantile(X, x[0] / 4, method="hazen")
    with pytest.raises(TypeError, match=r"np\.pad: got a function as mode, expected a mode by its name"):
        np.pad(x, 1, mode=lambda *args: None)


def test_an_argument_that_only_numpy_knows_is_left_to_numpy(monkeypatch):
    """As a keyword of a version to come: computed where nothing is lost, refused by name where something is."""
    from tinygrad_dl.core import protocol
    from tinygrad_dl.core.dispatch import DIRECT, NUMPY

    monkeypatch.setitem(NUMPY, np.sort, lambda a, axis=-1: a.sort(axis).values)
    monkeypatch.delitem(DIRECT, np.sort, raising=False)
    protocol.spelling.cache_clear()
    monkeypatch.setattr(protocol, "WITHOUT_EFFECT", frozenset())
    x = td.tensor(V)
    assert np.sort(x, kind="stable").tolist() == sorted(V)
    with pytest.raises(TypeError, match=r"np\.sort: got a tensor that requires a gradient and kind='stable'.*detach"):
        np.sort(x.requires_grad_(), kind="stable")
    protocol.spelling.cache_clear()
    DIRECT.pop(np.sort, None)


def test_errors_name_the_function():
    x = td.tensor(X[:, :2].copy(), requires_grad=True)
    with pytest.raises(ValueError, match=r"np\.linalg\.norm: got ord=3, expected 'fro', 'nuc'"):
        np.linalg.norm(x, 3)
    with pytest.raises(TypeError, match=r"np\.concatenate: got a result of float64, expected one that casts to int64"):
        np.concatenate([x, x], dtype=np.int64)
    with pytest.raises(RuntimeError, match=r"got a tensor that requires a gradient.*use t\.detach\(\)"):
        np.asarray(x)


# -- transforms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "i"), EACH, ids=IDS)
def test_forward_mode_is_the_gradient_in_a_direction_or_is_refused(name, i):
    call = CALLS[name][i]
    x = next((a for a in several(converted(list(call.args), lambda a: a)) if isinstance(a, np.ndarray)), None)
    if x is None or x.dtype.kind != "f" or name in WRITING or np.isnan(x).any() or call.gradient != "by differences":
        return

    def of(value):
        seen = []
        found = run(name, call, lambda a: value if not seen and (seen.append(a) or True) else td.tensor(a))
        return [one for one in several(found) if isinstance(one, td.Tensor) and one.dtype.kind in "fc"]

    t = np.random.default_rng(1).normal(size=x.shape)
    if name in SYMMETRIZED:
        t = t + t.T if t.ndim == 2 and t.shape[0] == t.shape[1] else t
    if name in FLAT:
        td.func.jvp(lambda v: (of(v), v)[1], (td.tensor(x),), (td.tensor(t),))
        return
    _, tangents = td.func.jvp(of, (td.tensor(x),), (td.tensor(t),))
    h = 1e-6
    for up, down, tangent in zip(of(td.tensor(x + h * t)), of(td.tensor(x - h * t)), tangents, strict=True):
        np.testing.assert_allclose(tangent.numpy(), (up - down).numpy() / (2 * h), rtol=1e-4, atol=1e-5)
