"""What a tensor says of its memory, PyTorch's first names of tensors, and shapes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_dl as td

# -- shapes ----------------------------------------------------------------------------------------------------------


def test_a_shape_is_a_size():
    x = td.ones(2, 3, 4)
    for shape in (x.shape, x.size(), td.vmap(lambda row: row)(x).shape):
        assert type(shape) is td.Size and shape == (2, 3, 4) and shape.numel() == 24
    assert repr(x.shape) == "(2, 3, 4)" and hash(x.shape) == hash((2, 3, 4)) and {(2, 3, 4): 1}[x.shape] == 1
    for made, wanted in (
        (x.shape[1:], (3, 4)),
        (x.shape[:-1] + (5,), (2, 3, 5)),  # noqa: RUF005
        ((1,) + x.shape, (1, 2, 3, 4)),  # noqa: RUF005
        (x.shape[:1] * 2, (2, 2)),
        (2 * x.shape[:1], (2, 2)),
        (pickle.loads(pickle.dumps(x.shape)), (2, 3, 4)),
    ):
        assert type(made) is td.Size and made == wanted
    assert x.shape[0] == 2 and x.shape[-1] == 4 and td.Size().numel() == 1 and td.Size([2, 0]).numel() == 0
    with pytest.raises(TypeError):
        x.shape + [1]  # noqa: RUF005


def test_operations_take_a_size_as_a_shape_and_as_an_index():
    x = td.arange(6).reshape(td.Size([2, 3]))
    assert td.zeros(x.shape).shape == td.rand(x.shape).shape == x.new_ones(x.shape).shape == (2, 3)
    assert x.view(td.Size([3, 2])).shape == td.ones(1).expand(td.Size([3, 2])).shape == (3, 2)
    assert x[td.Size([1, 2])].item() == 5
    x[td.Size([1, 2])] = 7
    assert x[1].tolist() == [3, 4, 7]


@pytest.mark.parametrize("make", [td.zeros, td.ones, td.empty, td.rand, td.randn])
def test_a_shape_may_be_given_as_size(make):
    assert make(size=(2, 3)).shape == make(2, 3).shape == (2, 3)
    with pytest.raises(TypeError, match=r"got size=\(2, 3\) beside \(4,\)"):
        make(4, size=(2, 3))


def test_new_tensors_like_this_one_may_be_given_a_size():
    x = td.ones(1, dtype=td.int16)
    assert x.new_zeros(size=(2,)).tolist() == [0, 0] and x.new_zeros(size=(2,)).dtype is td.int16


# -- types of tensors ------------------------------------------------------------------------------------------------


def test_a_tensor_of_sizes_or_of_data():
    assert td.Tensor(2, 3).shape == (2, 3) and td.Tensor(3).shape == (3,) and td.Tensor().shape == (0,)
    assert td.Tensor(td.Size([2, 3])).shape == (2, 3)
    assert td.Tensor((2, 3)).tolist() == td.Tensor([2, 3]).tolist() == [2.0, 3.0]
    assert td.Tensor(np.array([1, 2])).dtype is td.Tensor(2).dtype is td.float32
    with pytest.raises(TypeError, match="expected one sequence of data, or integers for a shape"):
        td.Tensor([1.0], [2.0])


TYPES = {
    "FloatTensor": td.float32,
    "DoubleTensor": td.float64,
    "HalfTensor": td.float16,
    "ByteTensor": td.uint8,
    "CharTensor": td.int8,
    "ShortTensor": td.int16,
    "IntTensor": td.int32,
    "LongTensor": td.int64,
    "BoolTensor": td.bool,
}


@pytest.mark.parametrize("name", TYPES)
def test_types_of_tensors(name):
    kind, dtype = getattr(td, name), TYPES[name]
    made = kind([1, 0])
    assert made.dtype is kind.dtype is dtype and made.tolist() == [1, 0]
    assert kind(2, 3).shape == (2, 3) and kind(2, 3).dtype is kind().dtype is dtype and kind().shape == (0,)
    assert isinstance(made, kind) and isinstance(td.ones(1, dtype=dtype), kind)
    assert not isinstance(td.ones(1, dtype=td.complex64), kind) and not isinstance(np.ones(1), kind)
    assert made.type() == f"torch.{name}"
    for of in (kind, f"torch.{name}", name, dtype):
        assert td.ones(2).type(of).dtype is dtype
    assert td.ones(1, dtype=dtype).new([1, 0]).dtype is td.ones(1, dtype=dtype).new(2, 3).dtype is dtype


def test_new_tensors_of_data_or_of_a_shape():
    x = td.ones(2, dtype=td.float64)
    assert x.new([1, 2]).tolist() == [1.0, 2.0] and x.new(2, 3).shape == (2, 3) and x.new().shape == (0,)
    assert x.new(x.size()).shape == (2,) and td.nn.Linear(2, 2).type(td.DoubleTensor).weight.dtype is td.float64


# -- memory ----------------------------------------------------------------------------------------------------------


def test_the_storage_of_a_tensor():
    x = td.arange(6).reshape(2, 3)
    storage = x[1].storage()
    assert len(storage) == storage.size() == 6 and storage.nbytes() == 48 and storage.dtype is td.int64
    assert storage.data_ptr() == x.data_ptr() and storage.tolist() == [0, 1, 2, 3, 4, 5]
    assert storage[4] == 4 and storage[:2] == [0, 1]
    assert repr(storage) == "<TypedStorage of 6 elements of int64>"


def test_the_bytes_of_a_storage():
    storage = td.tensor([1, 256], dtype=td.int16).untyped_storage()
    assert storage[0] == 1 and storage[3] == 1 and len(storage[2:]) == 2
    assert td.asarray(storage[2:], dtype=td.uint8).tolist() == [0, 1]
    assert td.tensor([1, 2], dtype=td.int16).storage().untyped().nbytes() == 4


@pytest.mark.parametrize("shared", [False, True])
def test_a_storage_of_a_file(tmp_path, shared):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(8)))
    storage = td.UntypedStorage.from_file(path, shared, nbytes=4)
    assert storage.nbytes() == 4 and td.asarray(storage, dtype=td.uint8).tolist() == [0, 1, 2, 3]
    assert td.UntypedStorage.from_file(path).nbytes() == 0
    with pytest.raises(ValueError, match="length"):
        td.UntypedStorage.from_file(path, nbytes=4096 * 4)
    assert path.read_bytes()[:8] == bytes(range(8))


def test_asarray_shares_memory_or_says_that_it_cannot():
    array, x = np.zeros(2, np.float32), td.zeros(2, requires_grad=True)
    assert np.shares_memory(td.asarray(array).numpy(), array) and not td.asarray(x).requires_grad
    assert not np.shares_memory(td.asarray(array, copy=True).numpy(), array)
    assert not np.shares_memory(td.asarray(array, dtype=td.float64).numpy(), array)
    assert td.asarray([1.0, 2.0], requires_grad=True).requires_grad
    for data, dtype in (([1, 2], None), (array, td.float64)):
        with pytest.raises(ValueError, match="asarray: got copy=False for"):
            td.asarray(data, dtype=dtype, copy=False)


def test_frombuffer_shares_memory():
    memory = bytearray([1, 0, 2, 0, 3, 0])
    x = td.frombuffer(memory, dtype=td.int16, count=1, offset=2)
    x += 4
    assert memory[2] == 6 and td.frombuffer(memory, dtype=td.int16).tolist() == [1, 6, 3]
    with pytest.raises(ValueError, match="frombuffer"):
        td.frombuffer(bytearray(3), dtype=td.int16)
    with pytest.raises(ValueError, match="frombuffer"):
        td.frombuffer(bytearray(4), dtype=td.int16, count=3)


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: td.zeros(4, 3), td.float64),  # three elements do not make whole new ones
        (lambda: td.zeros(4, 5)[:, 1:], td.float64),  # the first one begins within one
        (lambda: td.zeros(4, 5)[:, :2], td.float64),  # rows do
        (lambda: td.zeros(4, 4).T, td.int16),
        (lambda: td.zeros(4)[::2], td.int16),
        (lambda: td.zeros(()), td.int16),
        (lambda: td.zeros(()), td.float64),
    ],
)
def test_bytes_that_do_not_make_whole_new_elements_are_refused(make, dtype):
    with pytest.raises(RuntimeError, match="expected a last dimension of adjacent elements"):
        make().view(dtype)


def test_bytes_as_elements_of_another_size():
    x = td.arange(8, dtype=td.int16).reshape(2, 4)
    assert x.view(td.int32).tolist() == [[0x10000, 0x30002], [0x50004, 0x70006]]
    assert x[:, 2:].view(td.int32).tolist() == [[0x30002], [0x70006]]
    assert x.view(td.uint8).shape == (2, 8) and x.T.view(td.uint16).tolist() == x.T.tolist()
    assert td.zeros(3, 4).expand(2, 3, 4).view(td.float64).stride() == (0, 2, 1)


@pytest.mark.parametrize(
    ("shape", "steps"),
    [((0, 5, 64), (320, 64, 1)), ((5, 0, 64), (64, 64, 1)), ((5, 64, 0), (64, 1, 1)), ((0,), (1,)), ((2, 0), (1, 1))],
)
def test_the_steps_of_a_tensor_without_elements_are_those_of_its_shape(shape, steps):
    x = td.zeros(shape)
    assert x.stride() == steps and x.stride(0) == steps[0] and x.is_contiguous()
    y = x.view(td.int16)
    assert y.shape == (*shape[:-1], 2 * shape[-1]) and y.stride() == td.zeros(y.shape).stride()


# -- parts of complex numbers ------------------------------------------------------------------------------------------


def test_parts_of_complex_tensors_are_assigned_in_place():
    x = td.zeros(2, dtype=td.complex64)
    memory = x.data_ptr()
    x.real = td.tensor([1.0, 2.0])
    x.imag = 3
    assert x.tolist() == [1 + 3j, 2 + 3j] and x.data_ptr() == memory
    y = td.ones(2)
    y.real = 5
    assert y.tolist() == [5, 5]
    with pytest.raises(TypeError, match="got complex numbers, expected real ones"):
        x.real = td.tensor([1j, 2j])


def test_an_assigned_part_is_recorded():
    a, part = td.ones(2, dtype=td.complex128, requires_grad=True), td.ones(2, dtype=td.float64, requires_grad=True)
    x = a * 2
    x.imag = part * 3
    (x.real.sum() * 5 + x.imag.sum() * 7).backward()
    assert a.grad.tolist() == [10, 10] and part.grad.tolist() == [21, 21]


def test_narrow_takes_an_integer_or_a_0d_tensor():
    x = td.arange(4)
    assert x.narrow(0, td.tensor(1), 2).tolist() == [1, 2]
    for start in (td.tensor([1]), td.tensor([0, 1])):
        with pytest.raises(RuntimeError, match="expected an integer, or a 0-d tensor of one"):
            x.narrow(0, start, 2)


# -- memory that processes share ---------------------------------------------------------------------------------------


def test_a_module_moves_to_shared_memory():
    model = td.nn.Sequential(td.nn.Linear(2, 2), td.nn.BatchNorm1d(2))
    weight = model[0].weight
    assert model.share_memory() is model and model[0].weight is weight and weight.requires_grad
    assert all(t.is_shared() for t in model.state_dict().values()) and not td.ones(2).is_shared()
    assert td.empty(0).share_memory_().numel() == 0
    weight.sum().backward()
    assert weight.grad.tolist() == [[1, 1], [1, 1]]


PROGRAM = """
import os
import tinygrad_dl as td

shared, alone = td.ones(2).share_memory_(), td.ones(2)
child = os.fork()
if not child:
    shared.fill_(7), alone.fill_(7)
    os._exit(0)
os.waitpid(child, 0)
print(shared.tolist(), alone.tolist())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_forked_processes_write_into_shared_memory():
    # In a process of its own: one that has threads, as that of the tests may have, does not fork without a warning.
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert told.stdout == "[7.0, 7.0] [1.0, 1.0]\n"
