"""td.dtype: one object for each type of elements, with PyTorch's attributes, that NumPy takes for its own."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td

NAMES = ["float16", "float32", "float64", "complex64", "complex128", "int8", "int16", "int32", "int64"]
NAMES += ["uint8", "uint16", "uint32", "uint64", "bool"]
DTYPES = [getattr(td, name) for name in NAMES]
every = pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)


@pytest.fixture
def bfloat16():
    pytest.importorskip("ml_dtypes")
    return td.bfloat16


@every
def test_there_is_one_object_for_each_and_tensors_have_it(dtype):
    numpy = np.dtype(dtype.name)
    tensor = td.zeros(2, dtype=dtype)
    assert isinstance(dtype, td.dtype) and tensor.dtype is dtype and td.from_numpy(np.zeros(2, numpy)).dtype is dtype
    for of in (dtype, numpy, numpy.type, dtype.name):
        assert td.dtype(of) is dtype
    assert pickle.loads(pickle.dumps(dtype)) is copy.copy(dtype) is copy.deepcopy(dtype) is dtype
    assert eval(repr(dtype), {"tinygrad_dl": td}) is dtype and str(dtype) == f"{dtype}" == numpy.name


@every
def test_it_is_equal_to_numpys_and_found_by_it(dtype):
    numpy, other = np.dtype(dtype.name), np.dtype("int16" if dtype is td.int8 else "int8")
    for same in (numpy, numpy.type, dtype.name, dtype):
        assert (dtype == same) is (same == dtype) is True
        assert (dtype != same) is (same != dtype) is False
    for different in (other, other.type, other.name, td.dtype(other), None, np.generic, np.number, np.inexact, "no", 3):
        assert (dtype == different) is (different == dtype) is False
    assert {numpy: 1}[dtype] == {dtype: 1}[numpy] == 1 and dtype in {numpy} and numpy in {dtype} and dtype in [numpy]
    assert td.zeros(2, dtype=dtype).numpy().dtype == dtype


def test_strings_and_pythons_types_mean_what_they_mean_everywhere_else():
    assert td.float32 == "float" and td.int32 == "int" and td.int64 == "long" and td.float16 == "half"
    for dtype, python in ((td.float64, float), (td.int64, int), (td.bool, bool), (td.complex128, complex)):
        assert (dtype == python) is (python == dtype) is True and (td.float32 == python) is False
    assert td.float64 != "float" and td.float32 != ["float32"]
    assert (td.float, td.half, td.double) == (td.float32, td.float16, td.float64)
    assert (td.int, td.long, td.short) == (td.int32, td.int64, td.int16)
    assert (td.cfloat, td.cdouble, td.bool) == (td.complex64, td.complex128, td.bool_)


@every
def test_numpy_takes_it_wherever_it_takes_a_dtype(dtype):
    numpy = np.dtype(dtype.name)
    assert np.dtype(dtype) is numpy and np.dtype([("a", dtype)]) == np.dtype([("a", numpy)])
    array = np.ones(3, np.int8)
    for made in (
        np.zeros(3, dtype=dtype),
        np.full(3, 1, dtype),
        np.asarray([1, 0], dtype),
        np.empty_like(array, dtype=dtype),
        array.astype(dtype),
        array.astype(numpy).view(dtype),
        np.frombuffer(bytes(16), dtype),
        np.fromiter([1], dtype),
        np.eye(2, dtype=dtype),
    ):
        assert type(made) is np.ndarray and made.dtype is numpy
    assert np.result_type(dtype, np.int8) == np.result_type(numpy, np.int8)
    assert np.promote_types(dtype, "float32") == np.promote_types(numpy, "float32")
    assert np.can_cast(dtype, td.complex128) and np.can_cast(np.int64, dtype) == np.can_cast(np.int64, numpy)
    assert np.issubdtype(dtype, numpy.type) and np.issubdtype(dtype, np.floating) == (numpy.kind == "f")
    if numpy.kind in "fc":
        assert np.finfo(dtype) is np.finfo(numpy)
        assert np.add(1, 2, dtype=dtype).dtype is array.sum(dtype=dtype).dtype is numpy
    if numpy.kind in "iu":
        assert np.iinfo(dtype).max == np.iinfo(numpy).max


@every
def test_it_has_numpys_attributes(dtype):
    numpy = np.dtype(dtype.name)
    for name in ("kind", "name", "itemsize", "type", "char", "str", "num", "byteorder", "alignment", "fields", "shape"):
        assert getattr(dtype, name) == getattr(numpy, name)
    assert dtype.type(1) == 1 and type(dtype.type(1)) is numpy.type


# Name: whether real floating, complex and signed, and bytes; from PyTorch.
PROPERTIES = {
    "float16": (True, False, True, 2),
    "float32": (True, False, True, 4),
    "float64": (True, False, True, 8),
    "complex64": (False, True, True, 8),
    "complex128": (False, True, True, 16),
    "int8": (False, False, True, 1),
    "int64": (False, False, True, 8),
    "uint8": (False, False, False, 1),
    "uint64": (False, False, False, 8),
    "bool": (False, False, False, 1),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_it_has_pytorchs_attributes(name):
    dtype = getattr(td, name)
    found = (dtype.is_floating_point, dtype.is_complex, dtype.is_signed, dtype.itemsize)
    assert found == PROPERTIES[name]
    x = td.zeros(2, dtype=dtype)
    assert x.is_floating_point() is td.is_floating_point(x) is found[0] and td.is_complex(x) is found[1]


def test_real_and_complex():
    assert td.float32.to_complex() is td.complex64.to_complex() is td.complex64
    assert td.float64.to_complex() is td.complex128 and td.float16.to_complex() is td.complex64
    assert td.complex64.to_real() is td.float32.to_real() is td.float32 and td.complex128.to_real() is td.float64
    assert td.int8.to_real() is td.int8
    with pytest.raises(TypeError, match="to_complex: got int8, expected a floating or complex dtype"):
        td.int8.to_complex()


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError, match="dtype float32 cannot be changed"):
        td.float32.name = "float64"
    with pytest.raises(AttributeError, match="dtype float32 cannot be changed"):
        del td.float32.name
    with pytest.raises(AttributeError, match="missing"):
        td.float32.missing  # noqa: B018
    with pytest.raises(TypeError, match="expected bool, integer, float or complex numbers"):
        td.dtype("U3")
    with pytest.raises(TypeError, match="expected a dtype such as"):
        td.dtype(td.ones(2))


def test_bfloat16(bfloat16):
    import ml_dtypes

    x = td.ones(2).bfloat16()
    assert x.dtype is bfloat16 and td.dtype(ml_dtypes.bfloat16) is td.dtype("bfloat16") is bfloat16
    assert bfloat16 == ml_dtypes.bfloat16 and bfloat16 == "bfloat16" and bfloat16 != td.float16 and bfloat16 != "float"
    assert bfloat16.is_floating_point and bfloat16.is_signed and not bfloat16.is_complex and bfloat16.itemsize == 2
    assert pickle.loads(pickle.dumps(bfloat16)) is bfloat16 and repr(bfloat16) == "tinygrad_dl.bfloat16"
    found = td.finfo(bfloat16)
    assert (found.bits, found.eps, found.max, found.tiny) == (16, 0.0078125, 3.3895313892515355e38, 2.0**-126)
    assert td.float32 != "bfloat16" and td.promote_types(bfloat16, td.float16) is td.float32


def test_the_limits_of_dtypes():
    single = td.finfo(td.float32)
    assert (single.bits, single.dtype, single.eps, single.resolution) == (32, "float32", 2.0**-23, 1e-6)
    assert single.max == -single.min == 3.4028234663852886e38 and single.tiny == single.smallest_normal == 2.0**-126
    assert type(single.max) is float and td.finfo().dtype == td.finfo(td.complex64).dtype == "float32"
    byte = td.iinfo(td.uint8)
    assert (byte.bits, byte.dtype, byte.min, byte.max) == (8, "uint8", 0, 255) and type(byte.max) is int
    assert td.iinfo(td.int64).min == -(2**63)
    with pytest.raises(TypeError, match="finfo: got int8, expected a floating or complex dtype"):
        td.finfo(td.int8)
    with pytest.raises(TypeError, match="iinfo: got float32, expected an integer dtype"):
        td.iinfo(td.float32)


def test_what_dtypes_results_have():
    assert td.result_type(td.tensor([1, 2], dtype=td.int8), 2.5) is td.float32
    assert td.result_type(td.ones(2), td.tensor(1.0, dtype=td.float64)) is td.float32
    assert td.result_type(1, 1j) is td.complex64
    assert td.promote_types(td.int8, td.uint8) is td.int16 and td.promote_types(np.dtype("i8"), td.half) is td.float16
    for low, high in (("bool", "uint8"), ("uint8", "int8"), ("int64", "float16"), ("float64", "complex64")):
        assert td.can_cast(getattr(td, low), getattr(td, high))
    for high, low in (("uint8", "bool"), ("float16", "int64"), ("complex64", "float64")):
        assert not td.can_cast(getattr(td, high), getattr(td, low))


@every
def test_ops_and_gradients_take_it(dtype):
    x = td.ones(2, 3, requires_grad=True)
    assert x.to(dtype).dtype is x.astype(dtype).dtype is x.type(dtype).dtype is x.sum(dtype=dtype).dtype is dtype
    assert td.zeros_like(x, dtype=dtype).dtype is x.new_zeros(2, dtype=dtype).dtype is dtype
    if dtype.is_floating_point:
        y = td.ones(2, dtype=dtype, requires_grad=True)
        (y * y).sum().backward(create_graph=True)
        assert y.grad.dtype is dtype and y.grad.tolist() == [2, 2]
        assert td.nn.Linear(2, 2, dtype=dtype)(y).dtype is dtype


def test_bfloat16_is_a_name_without_the_package_that_brings_it():
    """Programs compare with it and have it in dicts; what uses it says what to install."""
    program = """
import sys
sys.modules["ml_dtypes"] = None
import tinygrad_dl as td
dtype = td.bfloat16
assert dtype is td.bfloat16 and dtype != td.float32 and td.float32 not in [td.float16, dtype] and {dtype: 2}[dtype] == 2
assert repr(dtype) == "tinygrad_dl.bfloat16" and dtype.is_floating_point and dtype.itemsize == 2
for use in (lambda: td.ones(2, dtype=dtype), lambda: td.ones(2).to(dtype), lambda: td.promote_types(dtype, td.float32)):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    assert done.stdout.splitlines() == ["bfloat16 needs ml_dtypes: pip install 'tinygrad_dl[io]'"] * 3
