"""td.dtype beside torch.dtype: attributes, promotion, what may be stored in what, and limits."""

from __future__ import annotations

import itertools

import pytest
import torch

import tinygrad_dl as td

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"]
UNSIGNED = ["uint16", "uint32", "uint64"]
# The names of a dtype, and of types of tensors.
ALIASES = ["half", "float", "double", "short", "int", "long", "cfloat", "cdouble"]
TYPES = ["FloatTensor", "DoubleTensor", "HalfTensor", "ByteTensor", "CharTensor", "ShortTensor", "IntTensor"]
TYPES += ["LongTensor", "BoolTensor"]


def name(dtype):
    return str(dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", NAMES + UNSIGNED + ALIASES)
def test_attributes(dtype):
    ours, theirs = getattr(td, dtype), getattr(torch, dtype)
    assert name(ours) == name(theirs)
    for attribute in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert name(ours.to_real()) == name(theirs.to_real())
    if theirs.is_floating_point and theirs is not torch.float16:  # of which NumPy has no complex numbers
        assert name(ours.to_complex()) == name(theirs.to_complex())
    assert td.zeros(1, dtype=ours).type() == torch.zeros(1, dtype=theirs).type()


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
def test_promotion(a, b):
    ours, theirs = (getattr(td, a), getattr(td, b)), (getattr(torch, a), getattr(torch, b))
    assert td.can_cast(*ours) == torch.can_cast(*theirs)
    assert name(td.promote_types(*ours)) == name(torch.promote_types(*theirs))
    for left, right in ((1, 1), (0, 1), (1, 0)):  # with and without dimensions
        found = td.result_type(td.zeros((2,) * left, dtype=ours[0]), td.zeros((2,) * right, dtype=ours[1]))
        wanted = torch.result_type(
            torch.zeros((2,) * left, dtype=theirs[0]), torch.zeros((2,) * right, dtype=theirs[1])
        )
        if wanted is not torch.complex32:
            assert name(found) == name(wanted)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16", "complex64"])
def test_limits_of_floats(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    ours, theirs = td.finfo(getattr(td, dtype)), torch.finfo(getattr(torch, dtype))
    for limit in ("bits", "dtype", "eps", "max", "min", "smallest_normal", "tiny"):
        assert getattr(ours, limit) == getattr(theirs, limit)
    assert ours.resolution == theirs.resolution


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_limits_of_integers(dtype):
    ours, theirs = td.iinfo(getattr(td, dtype)), torch.iinfo(getattr(torch, dtype))
    assert (ours.bits, ours.dtype, ours.min, ours.max) == (theirs.bits, theirs.dtype, theirs.min, theirs.max)


@pytest.mark.parametrize("kind", TYPES)
def test_types_of_tensors(kind):
    ours, theirs = getattr(td, kind), getattr(torch, kind)
    assert name(ours.dtype) == name(theirs.dtype)
    assert ours([1, 0]).tolist() == theirs([1, 0]).tolist() and ours(2, 3).shape == theirs(2, 3).shape
    assert td.ones(2).type(ours).tolist() == torch.ones(2).type(theirs).tolist()


def test_shapes():
    for make in (
        lambda s: s[1:],
        lambda s: s[:-1] + (5,),  # noqa: RUF005
        lambda s: s + s,
        lambda s: s * 2,
        lambda s: type(s)([4, 0]),
    ):
        ours, theirs = make(td.ones(2, 3, 4).shape), make(torch.ones(2, 3, 4).shape)
        assert type(ours) is td.Size and type(theirs) is torch.Size
        assert tuple(ours) == tuple(theirs) and ours.numel() == theirs.numel()
