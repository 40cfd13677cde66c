"""Every public function of the installed NumPy: computed with a gradient, computed without, or refused by name."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy_calls import CALLS, FLAT, V, function_of

import tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.dispatch import NUMPY, called
from tinygrad_dl.core.untracked import CONSTANT

lazy.load_all()
# Dates, which no tensor holds.
DATES = {"busday_count", "busday_offset", "datetime_as_string", "is_busday", "isnat"}
# What writes files: it works, with or without a gradient.
FILES = {"save", "savetxt", "savez", "savez_compressed"}
DISPATCHED = type(np.sum)


def public():
    """The public functions of NumPy's own name, `linalg` and `fft`, each by one of its names."""
    found = {}
    for prefix, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for name in dir(module):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function = getattr(module, name)
            if name.startswith("_") or not callable(function) or isinstance(function, type):
                continue
            found.setdefault(function, prefix + name)
    return {name: function for function, name in found.items()}


FUNCTIONS = public()
GIVEN_TENSORS = {name: f for name, f in FUNCTIONS.items() if isinstance(f, DISPATCHED | np.ufunc)}


def given(function, *args):
    """What NumPy makes of a call with a tensor, whatever the function's own arguments are."""
    (tensor,) = [a for a in args if isinstance(a, td.Tensor)]
    if isinstance(function, np.ufunc):
        return tensor.__array_ufunc__(function, "__call__", *args)
    return tensor.__array_function__(function, (td.Tensor,), args, {})


@pytest.mark.parametrize("name", GIVEN_TENSORS)
def test_a_function_is_computed_or_refused_by_name(name):
    function = GIVEN_TENSORS[name]
    computed, constant = function in NUMPY, function in CONSTANT
    assert not (computed and constant)
    if computed or constant:
        return
    x = td.tensor(V, requires_grad=True)
    with pytest.raises(TypeError) as refused:
        given(function, x)
    message = str(refused.value)
    assert message.startswith(f"{called(function)}: got a tensor that requires a gradient")
    assert "call it on t.detach()" in message
    assert f"@td.op({called(function)})" in message


def test_what_is_refused_is_known():
    """What stands here is decided; a function that NumPy adds is refused, which the test above looks at."""
    refused = {n for n, f in GIVEN_TENSORS.items() if f not in NUMPY and f not in CONSTANT}
    if np.lib.NumpyVersion(np.__version__) < "2.5.0":
        assert refused <= {*DATES, "in1d"}  # the old name of isin, in some versions


def test_every_function_that_is_computed_has_calls_in_the_tests():
    computed = {f for f in {*NUMPY, *CONSTANT} if not isinstance(f, np.ufunc | tuple)}
    files = {function_of(name) for name in FILES}
    assert computed - files == {function_of(name) for name in CALLS}


def test_a_result_has_a_gradient_or_the_function_is_said_to_have_none():
    """`test_numpy.py` holds each call to it; a constant of the protocol is one of the tests."""
    assert {f for f in map(function_of, FLAT) if f is not None} >= {
        f for f in CONSTANT if not isinstance(f, np.ufunc) and called(f).removeprefix("np.") not in FILES
    }


def test_files_are_written_with_or_without_a_gradient(tmp_path):
    x = td.tensor(V, requires_grad=True)
    np.save(tmp_path / "a.npy", x)
    np.savez(tmp_path / "a.npz", x=x)
    np.savez_compressed(tmp_path / "b.npz", x=x)
    np.savetxt(tmp_path / "a.txt", x)
    for found in (np.load(tmp_path / "a.npy"), np.load(tmp_path / "a.npz")["x"], np.load(tmp_path / "b.npz")["x"]):
        np.testing.assert_array_equal(found, V)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "a.txt"), V)


def test_arrays_are_made_of_tensors_without_a_gradient_and_like_tensors():
    x = td.tensor(V)
    for make in (np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require):
        np.testing.assert_array_equal(make(x), V)
    assert np.asarray(x) is not x
    made = [np.zeros(2, like=x), np.ones(2, like=x), np.arange(3, like=x), np.asarray([1.0], like=x), np.eye(2, like=x)]
    assert all(isinstance(each, td.Tensor) for each in made)


MAKERS = {
    "array": np.array,
    "asarray": np.asarray,
    "asanyarray": np.asanyarray,
    "ascontiguousarray": np.ascontiguousarray,
    "asfortranarray": np.asfortranarray,
    "asarray_chkfinite": np.asarray_chkfinite,
    "require": np.require,
    "full": lambda x: np.full(4, x),
    "random": lambda x: np.random.default_rng(0).normal(x),
    "ndarray.dot": V.dot,
    "vectorize": lambda x: np.vectorize(lambda a: a)(x),
}


@pytest.mark.parametrize("name", MAKERS)
def test_functions_that_ask_no_tensor_take_numbers_and_name_a_way_out_where_a_gradient_would_be_lost(name):
    make = MAKERS[name]
    assert np.size(make(td.tensor(V))) == 4 or name == "ndarray.dot"
    with pytest.raises((RuntimeError, TypeError), match=r"requires a gradient.*detach\(\)"):
        make(td.tensor(V, requires_grad=True))


def test_the_page_lists_what_is_computed_with_gradients_and_without():
    page = (Path(__file__).parent.parent / "docs" / "numpy.md").read_text()
    rows = [line.split("|")[2:4] for line in page.split("\n") if line.count("|") == 4 and "ufuncs" not in line]
    listed = [{n for row in rows for n in re.findall(r"`([\w.]+)`", row[column])} for column in (0, 1)]
    assert not listed[0] & listed[1]
    computed = {name for name, calls in CALLS.items() if calls}
    assert computed - FLAT <= listed[0]
    assert (computed & FLAT) | FILES <= listed[1]
    known = {name for name in listed[0] | listed[1] if function_of(name) is not None and "." not in name}
    assert {n for n in known if callable(function_of(n)) and function_of(n) not in {*NUMPY, *CONSTANT}} <= DATES
