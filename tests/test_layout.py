"""Memory formats, layouts and devices: what PyTorch programs ask of a tensor, and which orders copies keep."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl.core.layout import in_order


def test_channels_last_is_the_order_in_memory_alone():
    array = np.arange(120.0).reshape(2, 3, 4, 5)
    x = td.tensor(array)
    y = x.contiguous(memory_format=td.channels_last)
    assert y.shape == x.shape and (y == x).all() and y.stride() == (60, 1, 15, 3)
    assert y.is_contiguous(memory_format=td.channels_last) and not y.is_contiguous()
    assert y.contiguous(memory_format=td.channels_last) is y
    for kept in (y.clone(), y + 1, y.to(td.float32), y.float()):
        assert kept.is_contiguous(memory_format=td.channels_last)
    for back in (y.contiguous(), y.clone(memory_format=td.contiguous_format), y.to(memory_format=td.contiguous_format)):
        assert back.is_contiguous() and (back == x).all()
    assert x.to("cpu", td.float32, memory_format=td.channels_last).stride() == (60, 1, 15, 3)
    assert td.ones(2, 3, 2, 2, 2).contiguous(memory_format=td.channels_last_3d).stride() == (24, 1, 12, 6, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda **options: td.tensor([1.0, 2.0], **options),
        lambda **options: td.zeros(2, **options),
        lambda **options: td.arange(2.0, **options),
        lambda **options: td.linspace(0, 1, 2, **options),
        lambda **options: td.eye(2, **options),
        lambda **options: td.full((2,), 1.0, **options),
        lambda **options: td.scalar_tensor(1.0, **options),
        lambda **options: td.ones_like(td.zeros(2), **options),
        lambda **options: td.randn(2, **options),
        lambda **options: td.rand_like(td.zeros(2), generator=td.Generator().manual_seed(0), **options),
        lambda **options: td.randint(0, 5, (2,), dtype=td.float32, **options),
        lambda **options: td.randperm(2, dtype=td.float32, **options),
        lambda **options: td.normal(0.0, 1.0, (2,), **options),
        lambda **options: td.zeros(2).new_ones(2, **options),
    ],
)
def test_options_of_all_functions_that_make_tensors(make):
    made = make(layout=td.strided, device="cpu", pin_memory=True, requires_grad=True)
    assert made.requires_grad and made.is_leaf and not make().requires_grad
    with pytest.raises(ValueError, match=r"got layout=tinygrad_dl.sparse_coo, expected td.strided"):
        make(layout=td.sparse_coo)
    with pytest.raises(ValueError, match="got 'cuda', expected 'cpu'"):
        make(device="cuda")
    with pytest.raises(TypeError, match="unexpected keyword argument 'pinned'"):
        make(pinned=True)


def test_formats_of_new_tensors_and_modules():
    x = td.ones(2, 3, 4, 5)
    for like in (td.zeros_like, td.empty_like, td.randn_like, lambda x, **options: td.full_like(x, 2.0, **options)):
        assert like(x, memory_format=td.channels_last).stride() == (60, 1, 15, 3)
        assert like(x, memory_format=td.preserve_format).stride() == x.stride()
        last = x.contiguous(memory_format=td.channels_last)
        assert like(last).stride() == (60, 1, 15, 3) and like(last, memory_format=td.contiguous_format).is_contiguous()
    assert (td.full_like(x, 2.0, memory_format=td.channels_last) == 2).all()
    model = td.nn.Sequential(td.nn.Conv2d(3, 4, 3), td.nn.Flatten(), td.nn.Linear(24, 2))
    before = model(x)
    assert model.to(memory_format=td.channels_last) is model
    assert model[0].weight.stride() == (27, 1, 9, 3) and model[2].weight.stride() == (24, 1)
    assert td.allclose(model(x.to(memory_format=td.channels_last)), before, atol=1e-6)


def test_gradients_and_vmap_go_through_formats():
    x = td.randn(2, 3, 4, 5, dtype=td.float64, requires_grad=True)
    assert td.autograd.gradcheck(lambda x: x.contiguous(memory_format=td.channels_last) ** 2, x)
    examples = td.vmap(lambda x: x.clone(memory_format=td.channels_last))(x.detach())
    assert (examples == x).all()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: td.ones(2, 3).contiguous(memory_format=td.channels_last), ValueError, "got a tensor of 2 dimensions"),
        (lambda: td.ones(2).contiguous(memory_format=td.preserve_format), ValueError, "expected td.contiguous_format"),
        (lambda: td.ones(2).clone(memory_format="C"), TypeError, "got memory_format='C'"),
        (lambda: td.zeros_like(td.ones(2), memory_format=td.channels_last), ValueError, "got a tensor of 1 dimensions"),
        (lambda: td.ones(2).to_sparse(), NotImplementedError, "tensors are dense"),
        (lambda: td.device("tpu"), RuntimeError, "got 'tpu', expected the name of a device"),
        (lambda: td.device("cuda:x"), RuntimeError, "got 'cuda:x'"),
        (lambda: td.device("cuda:0", 1), RuntimeError, "got 'cuda:0' and 1"),
        (lambda: td.ones(2, device=td.device("cuda")), ValueError, "unknown device: got 'cuda', expected 'cpu'"),
        (lambda: td.ones(2).to("cuda:1"), ValueError, "unknown device: got 'cuda:1'"),
        (lambda: td.nn.Linear(1, 1).to("cuda"), ValueError, "unknown device: got 'cuda'"),
        (lambda: td.device("cuda").__enter__(), ValueError, "unknown device: got 'cuda'"),
    ],
)
def test_refusals(call, error, said):
    with pytest.raises(error) as raised:
        call()
    assert said in str(raised.value)


def test_devices_are_names_to_compare_with():
    cuda = td.device("cuda:1")
    assert (cuda.type, cuda.index, str(cuda)) == ("cuda", 1, "cuda:1") and cuda == td.device("cuda", 1)
    assert repr(cuda) == "device(type='cuda', index=1)" and td.device(cuda) == cuda != td.device("cuda")
    x = td.ones(2)
    assert x.device == td.device("cpu") == "cpu" and x.device != td.device("cpu", 0) and x.device.type != "cuda"
    assert x.to("cpu:0") is x and x.get_device() == -1 and {td.device("cpu"): 1}[x.device] == 1
    with td.device("cpu") as here:
        assert td.ones(1).device == here


def test_what_a_tensor_is_not():
    x = td.ones(2)
    assert x.is_cpu and not (x.is_cuda or x.is_mps or x.is_meta or x.is_sparse or x.is_quantized or x.is_nested)
    assert x.layout is td.strided and x.layout != td.sparse_coo
    assert not x.is_pinned() and x.pin_memory() is x and not x.is_shared()
    assert x.nelement() == 2 and x.ndimension() == 1 and x.is_signed() and x.is_same_size(td.zeros(2))
    for constant in (td.channels_last, td.strided):
        assert pickle.loads(pickle.dumps(constant)) is copy.deepcopy(constant) is constant
    assert repr(td.channels_last) == "tinygrad_dl.channels_last"


def test_new_memory_in_the_order_of_a_format():
    assert td.empty(2, 3, 4, 5, memory_format=td.channels_last).stride() == (60, 1, 15, 3)
    assert td.empty(2, 3, memory_format=td.contiguous_format).stride() == (3, 1)
    with pytest.raises(ValueError, match="empty: got"):
        td.empty(2, 3, memory_format=td.channels_last)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 64, 32, 32), (1, 40, 3, 20, 9), (2, 1, 80, 80), (0, 4, 50, 50)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.float16])
def test_exchanged_channels_are_the_same_numbers(shape, dtype):
    array = (np.arange(np.prod(shape)) % 999).astype(dtype).reshape(shape)
    order = (0, *range(2, array.ndim), 1)
    last = in_order(array, order)
    np.testing.assert_array_equal(last, array)
    assert last.transpose(order).flags.c_contiguous
    back = in_order(last, None)
    np.testing.assert_array_equal(back, array)
    assert back.flags.c_contiguous and not np.shares_memory(back, last)
    assert not np.shares_memory(in_order(array, None), array)
