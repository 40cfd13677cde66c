"""`testing.assert_close`: what it accepts, and what it says of what it does not."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.testing import assert_close


def said(actual, expected, **options):
    with pytest.raises(AssertionError) as error:
        assert_close(actual, expected, **options)
    return str(error.value)


def test_what_is_close_by_dtype():
    for dtype, rtol in ((td.float16, 1e-3), (td.float32, 1.3e-6), (td.float64, 1e-7), (td.complex128, 1e-7)):
        one = td.full((2,), 1024.0, dtype=dtype)
        assert_close((one * (1 + 0.9 * rtol)).to(dtype), one)
        assert "not close" in said(one * (1 + 3 * rtol), one)
    assert_close(td.tensor([1, 2]), td.tensor([1, 2]))
    assert_close(td.tensor([2**62 + 1]), td.tensor([2**62 + 1]))
    assert "not equal" in said(td.tensor([2**62 + 1]), td.tensor([2**62]))
    assert_close(td.tensor([1.0, 2.0]), td.tensor([1.1, 2.1]), rtol=0, atol=0.11)
    assert_close(1.0, 1.0 + 1e-8)
    assert_close(np.ones(2), np.ones(2) + 1e-9)
    assert_close(td.ones(0, 3), td.ones(0, 3))


def test_infinities_and_nan():
    inf, nan = float("inf"), float("nan")
    assert_close(td.tensor([inf, -inf]), td.tensor([inf, -inf]))
    assert "Greatest absolute difference: inf at index (0,)" in said(td.tensor([1.0]), td.tensor([inf]))
    assert "Greatest absolute difference: nan at index (1,)" in said(td.tensor([0.0, nan]), td.tensor([0.0, nan]))
    assert_close(td.tensor([0.0, nan]), td.tensor([0.0, nan]), equal_nan=True)


def test_where_and_how_far_they_are_apart():
    assert said(td.tensor([[1.0, 2.0]]), td.tensor([[1.0, 2.5]])) == (
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\n"
        "Greatest absolute difference: 0.5 at index (0, 1) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.2 at index (0, 1) (up to 1.3e-06 allowed)"
    )
    assert said([1.0, 2.0], [1.0, 4.0]) == (
        "Scalars are not close!\n\nExpected 4.0 but got 2.0.\nAbsolute difference: 2.0 (up to 1e-07 allowed)\n"
        "Relative difference: 0.5 (up to 1e-07 allowed)\n\nThe failure occurred for item [1]"
    )
    assert said(td.tensor(3), td.tensor(2)).startswith("Scalars are not equal!\n\nExpected 2.0 but got 3.0.")


def test_shapes_dtypes_and_strides():
    one = td.ones(2, 3)
    assert "attribute 'shape' do not match: (2, 3) != (6,)" in said(one, one.reshape(6))
    assert "attribute 'dtype' do not match: float32 != float64" in said(one, one.double())
    assert_close(one, one.double(), check_dtype=False)
    turned = td.ones(3, 2).T
    assert_close(one, turned)
    assert "attribute 'stride()' do not match: (3, 1) != (1, 2)" in said(one, turned, check_stride=True)


def test_containers_are_compared_by_place():
    tree = {"a": [td.ones(1), None], "b": (1, 2.0)}
    assert_close(tree, {"b": [1, 2.0], "a": (td.ones(1), None)})
    assert said(tree, {"a": [td.ones(1), None], "b": (1, 3.0)}).endswith("failure occurred for item ['b'][1]")
    assert said([1], [1, 2]) == "The length of the sequences mismatch: 1 != 2"
    assert said({"a": 1, "c": 2}, {"b": 1, "c": 2}) == (
        "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\n"
        "Additional keys in the actual mapping: ['a']"
    )


def test_messages_and_refusals():
    assert said(1.0, 2.0, msg="off") == "off"
    assert said(1.0, 2.0, msg=lambda usual: "step 3: " + usual).startswith("step 3: Scalars are not close!")
    with pytest.raises(ValueError, match=r"got rtol=0.1 and atol=None, expected both or neither"):
        assert_close(1.0, 1.0, rtol=0.1)
    for pair in ((td.ones(1), np.ones(1, np.float32)), ("a", "a"), (td.ones(()), 1.0), (None, 1.0)):
        with pytest.raises(TypeError, match="expected two tensors, two arrays, two numbers, or containers"):
            assert_close(*pair)
    with pytest.raises(TypeError, match="got Parameter and Tensor, expected one class, as allow_subclasses=False"):
        assert_close(td.nn.Parameter(td.ones(1)), td.ones(1), allow_subclasses=False)
