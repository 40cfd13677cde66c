"""Nested content as one message of bytes, and back: what any program can save."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tinygrad_dl as td
from tinygrad_dl.distributed.contents import from_bytes, to_bytes

DTYPES = "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128"
TENSORS = arrays.arrays(
    st.sampled_from(DTYPES.split()), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text(st.characters(exclude_characters="\0")) | st.integers()  # no tensor's name has a zero, as in files
CONTENT = st.recursive(
    PLAIN | TENSORS,
    lambda inside: st.lists(inside) | st.lists(inside).map(tuple) | st.dictionaries(KEYS, inside, max_size=4),
)


def same(one, other):
    if isinstance(one, np.ndarray):
        assert isinstance(other, td.Tensor) and other.numpy().dtype == one.dtype and other.shape == one.shape
        assert other.numpy().tobytes() == one.tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key, value in one.items():
            same(value, other[key])
    elif isinstance(one, list | tuple):
        assert type(one) is type(other) and len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair)
    else:
        assert type(one) is type(other) and one == other


@given(CONTENT)
def test_content_comes_back_as_it_was(content):
    message = to_bytes(content)
    assert message.dtype == np.uint8 and message.ndim == 1
    found = from_bytes(message)
    message[...] = 0  # what has arrived does not lie in the message
    same(content, found)


def test_half_precision_and_memory_with_gaps_come_back_too():
    pytest.importorskip("ml_dtypes")
    x = td.arange(6.0).reshape(2, 3)
    found = from_bytes(to_bytes({"low": x.bfloat16(), "turned": x.T}))
    assert td.equal(found["low"], x.bfloat16()) and td.equal(found["turned"], x.T)


def test_what_can_not_be_saved_can_not_be_sent():
    with pytest.raises(TypeError, match="got a set"):
        to_bytes({"a": {1, 2}})
