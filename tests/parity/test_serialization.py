"""Weights and checkpoints travel between PyTorch and this library: safetensors, and PyTorch's own format."""

from __future__ import annotations

import collections
import io

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")


def test_weights_from_pytorch(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    safetensors.save_file(model.state_dict(), tmp_path / "model.safetensors")
    loaded = td.load(tmp_path / "model.safetensors")
    assert loaded.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(loaded[name].numpy(), tensor.numpy())
        assert loaded[name].shape == tuple(tensor.shape)


def test_weights_to_pytorch(tmp_path):
    weights = {"weight": td.randn(3, 4), "scale": td.tensor(2.0), "half": td.ones(3, dtype=td.float16)}
    weights["turned"] = td.from_numpy(np.arange(6.0).reshape(2, 3).T)
    td.save(weights, tmp_path / "model.safetensors")
    loaded = safetensors.load_file(tmp_path / "model.safetensors")
    assert loaded.keys() == weights.keys()
    for name, tensor in weights.items():
        np.testing.assert_array_equal(loaded[name].numpy(), tensor.numpy())


def test_bfloat16_both_ways(tmp_path):
    pytest.importorskip("ml_dtypes")
    path = tmp_path / "model.safetensors"
    safetensors.save_file({"a": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}, path)
    loaded = td.load(path)
    assert str(loaded["a"].dtype) == "bfloat16"
    td.save(loaded, path)
    assert safetensors.load_file(path)["a"].tolist() == [1.5, -2.0]


# -- PyTorch's own format ------------------------------------------------------------------------------


def to_pytorch(obj):
    """What `torch.load` finds in what `td.save` writes."""
    file = io.BytesIO()
    td.save(obj, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def from_pytorch(obj, **options):
    """What `td.load` finds in what `torch.save` writes."""
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return td.load(file)


def compare(ours, theirs):
    """The same structure and types, and the same numbers, dtypes, shapes and strides in tensors."""
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, td.nn.Parameter) == isinstance(theirs, torch.nn.Parameter)
        assert ours.requires_grad == theirs.requires_grad and ours.shape == tuple(theirs.shape)
        assert str(ours.dtype).removeprefix("torch.") == str(theirs.dtype).removeprefix("torch.")
        assert ours.tolist() == theirs.tolist()
        if theirs.numel() > 1:
            assert ours.stride() == theirs.stride()
    elif isinstance(theirs, dict):
        assert isinstance(ours, dict) and list(ours) == list(theirs)
        assert getattr(ours, "_metadata", None) == getattr(theirs, "_metadata", None)
        for key, value in theirs.items():
            compare(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs) and isinstance(ours, list | tuple)
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)
    else:
        assert ours == theirs and type(ours) is type(theirs)


MODULES = {
    "Linear": lambda nn: nn.Linear(3, 4),
    "MLP": lambda nn: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2)),
    "Conv2d": lambda nn: nn.Conv2d(2, 4, 3, groups=2),
    "ConvTranspose1d": lambda nn: nn.ConvTranspose1d(2, 3, 2, bias=False),
    "BatchNorm2d": lambda nn: nn.BatchNorm2d(3),
    "LayerNorm": lambda nn: nn.LayerNorm((2, 3)),
    "GroupNorm": lambda nn: nn.GroupNorm(2, 4),
    "Embedding": lambda nn: nn.Embedding(5, 3, padding_idx=0),
    "LSTM": lambda nn: nn.LSTM(2, 3, num_layers=2, bidirectional=True),
    "GRU": lambda nn: nn.GRU(2, 3),
    "MultiheadAttention": lambda nn: nn.MultiheadAttention(4, 2),
    "Transformer": lambda nn: nn.TransformerEncoderLayer(4, 2, 8),
    "PReLU": lambda nn: nn.PReLU(),
    "Bilinear": lambda nn: nn.Bilinear(2, 3, 4),
}


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_state_dicts_of_pytorch(kind, protocol):
    theirs = MODULES[kind](torch.nn)
    found = from_pytorch(theirs.state_dict(), pickle_protocol=protocol)
    compare(found, theirs.state_dict())
    ours = MODULES[kind](td.nn)
    ours.load_state_dict(found)
    compare(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("kind", MODULES)
def test_state_dicts_to_pytorch(kind):
    ours, theirs = MODULES[kind](td.nn), MODULES[kind](torch.nn)
    found = to_pytorch(ours.state_dict())
    assert isinstance(found, collections.OrderedDict)
    compare(ours.state_dict(), found)
    theirs.load_state_dict(found)
    compare(ours.state_dict(), theirs.state_dict())


OPTIMIZERS = {
    "SGD": dict(lr=0.1, momentum=0.9, nesterov=True),
    "Adam": dict(lr=0.1, amsgrad=True),
    "AdamW": dict(lr=0.1, weight_decay=0.1),
    "RMSprop": dict(lr=0.1, centered=True, momentum=0.5),
    "Adagrad": dict(lr=0.1),
    "Adadelta": dict(lr=0.1),
    "NAdam": dict(lr=0.1),
    "RAdam": dict(lr=0.1),
}


def trained(package, name, state=None, steps=2):
    """A parameter and its optimiser after some steps, the last of them from a state that was loaded."""
    parameter = package.nn.Parameter(package.tensor([1.0, -2.0, 3.0]))
    optimizer = getattr(package.optim, name)([parameter], **OPTIMIZERS[name])
    if state is not None:
        parameter.data = package.tensor(state["parameter"].tolist())
        optimizer.load_state_dict(state["optimizer"])
    for _ in range(steps):
        parameter.grad = package.tensor([0.5, -1.0, 2.0])
        optimizer.step()
    return {"parameter": parameter, "optimizer": optimizer.state_dict()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_go_on_in_the_other_library(name):
    expected = trained(torch, name, steps=5)["parameter"].tolist()
    found = from_pytorch(trained(torch, name))
    assert trained(td, name, found, 3)["parameter"].tolist() == pytest.approx(expected, rel=1e-5)
    found = to_pytorch(trained(td, name))
    assert trained(torch, name, found, 3)["parameter"].tolist() == pytest.approx(expected, rel=1e-5)


def test_schedules():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    for schedule in (
        torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4]),
        torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10),
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5),
    ):
        state = schedule.state_dict()
        assert from_pytorch(state) == state


def test_a_nested_checkpoint():
    model = torch.nn.Linear(2, 2)
    content = {
        "model": model.state_dict(),
        "whole": dict(model.named_parameters()),
        "history": [0.5, 0.25],
        "epoch": 3,
        "name": "a run",
        "nothing": None,
        "flags": (True, False),
        "large": 2**100,
        "complex": 1 - 2j,
        "raw": b"\0\xff",
        "set": {1, 2},
        "array": bytearray(b"abc"),
    }
    compare(from_pytorch(content), content)
    compare(content["history"], to_pytorch(from_pytorch(content))["history"])
    compare(from_pytorch(content), to_pytorch(from_pytorch(content)))


def test_dtypes_devices_and_shapes_as_values():
    found = from_pytorch([torch.float32, torch.bool, torch.uint16, torch.device("cuda", 1), torch.Size([2, 3])])
    assert found == [td.float32, td.bool, np.dtype("uint16"), td.device("cuda", 1), (2, 3)]
    assert to_pytorch([td.float32, td.bool, td.device("cpu")]) == [torch.float32, torch.bool, torch.device("cpu")]
    assert to_pytorch([td.device("cuda", 1)]) == [torch.device("cuda", 1)]


TENSORS = {
    "turned": lambda torch: torch.arange(6.0).reshape(2, 3).T,
    "expanded": lambda torch: torch.ones(1, 3).expand(4, 3),
    "0-d": lambda torch: torch.tensor(5),
    "empty": lambda torch: torch.zeros(0, 3),
    "requires_grad": lambda torch: torch.ones(2).requires_grad_(),
    "not a leaf": lambda torch: torch.ones(2).requires_grad_() * 2,
    "conjugated": lambda torch: torch.tensor([1 + 2j]).conj(),
    "parameter": lambda torch: torch.nn.Parameter(torch.ones(2), requires_grad=False),
    **{
        dtype: lambda torch, dtype=dtype: torch.tensor([1, 0, 3]).to(getattr(torch, dtype))
        for dtype in ("float16", "float64", "int8", "int16", "int32", "uint8", "bool", "complex64", "complex128")
    },
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_of_all_kinds_both_ways(name):
    theirs = TENSORS[name](torch)
    compare(from_pytorch(theirs), theirs)
    ours = TENSORS[name](td)
    compare(ours, to_pytorch(ours))


def test_the_bits_of_conjugates_and_negatives():
    z = torch.tensor([1 + 2j, 3 - 4j])
    for theirs in (z.conj(), torch._neg_view(z), torch._neg_view(z.conj()), z.conj().imag):
        assert from_pytorch(theirs).tolist() == theirs.tolist()


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_integers_both_ways(dtype):
    array = np.array([0, 1, np.iinfo(dtype).max], dtype)
    assert from_pytorch(torch.from_numpy(array)).tolist() == array.tolist()
    assert to_pytorch(array).dtype == getattr(torch, dtype) and to_pytorch(array).tolist() == array.tolist()


def test_bfloat16_in_pytorchs_format():
    pytest.importorskip("ml_dtypes")
    theirs = torch.tensor([1.5, -2.0], dtype=torch.bfloat16)
    found = from_pytorch({"a": theirs, "dtype": torch.bfloat16})
    assert found["a"].dtype == found["dtype"] and found["a"].tolist() == [1.5, -2.0]
    assert torch.equal(to_pytorch(found)["a"], theirs) and to_pytorch(found)["dtype"] is torch.bfloat16


def test_memory_is_shared_both_ways():
    base = torch.arange(12.0).reshape(3, 4)
    found = from_pytorch([base, base[1], base.T, base.view(-1)[2:7]])
    found[1].fill_(0.0)
    assert found[0].tolist() == [[0, 1, 2, 3], [0, 0, 0, 0], [8, 9, 10, 11]] and found[3].tolist() == [2, 3, 0, 0, 0]
    back = to_pytorch(found)
    assert back[1].storage_offset() == 4 and back[2].stride() == (1, 4)
    back[2].fill_(7.0)
    assert back[0].tolist() == [[7.0] * 4] * 3 and back[3].tolist() == [7.0] * 5
    parameter = torch.nn.Parameter(torch.ones(2))
    tied = from_pytorch({"a": parameter, "b": parameter})
    assert tied["a"] is tied["b"]


def test_memory_seen_as_two_dtypes_goes_to_pytorch():
    bits = np.array([0.0, 1.0], np.float32)
    floats, integers = to_pytorch([bits, bits.view(np.int32)])
    integers[0] = 0x40000000
    assert floats.tolist() == [2.0, 1.0]


def test_attributes_both_ways():
    tensor, parameter = torch.zeros(2), torch.nn.Parameter(torch.zeros(2))
    tensor.unit, parameter.rate = "m", 0.5
    found = from_pytorch([tensor, parameter])
    assert (found[0].unit, found[1].rate) == ("m", 0.5)
    back = to_pytorch(found)
    assert (back[0].unit, back[1].rate) == ("m", 0.5) and type(back[1]) is torch.nn.Parameter
    buffer = to_pytorch([td.nn.Buffer(td.ones(1), persistent=False)])[0]
    assert isinstance(buffer, torch.nn.Buffer) and buffer.persistent is False
    found = from_pytorch([torch.nn.Buffer(torch.ones(1)), torch.nn.Buffer(torch.ones(1), persistent=False)])
    assert [type(each) for each in found] == [td.nn.Buffer] * 2 and [each.persistent for each in found] == [True, False]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.eye(2).to_sparse(), "a sparse tensor"),
        (lambda: torch.eye(2).to_sparse_csr(), "a sparse tensor"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "a quantised tensor"),
        (lambda: torch.ones(2, device="meta"), "a tensor of the device meta"),
        (lambda: torch.ones(2, dtype=torch.float8_e4m3fn), r"torch\.float8_e4m3fn"),
        (lambda: torch.nn.Linear(2, 2), r"'torch\.nn\.modules\.linear\.Linear'"),
        (lambda: np.float64(1.0), "a number of NumPy"),
        (lambda: np.ones(2), "an array of NumPy"),
        (lambda: torch.ones(2).untyped_storage(), "a Storage by itself"),
        (lambda: collections.defaultdict(list), r"'collections\.defaultdict'"),
        (lambda: frozenset([1]), r"'builtins\.frozenset'"),
        (lambda: print, r"'builtins\.print'"),
        (lambda: slice(1), r"'builtins\.slice'"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_is_refused(make, said):
    with pytest.raises(ValueError, match=f"damaged or of another kind: got .*{said}.*, expected tensors, numbers"):
        from_pytorch({"a": make()})


@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated
def test_files_of_pytorch_with_other_options(tmp_path):
    model = torch.nn.Linear(3, 2)
    path = tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    for mmap in (False, True):
        compare(td.load(path, mmap=mmap), model.state_dict())
    torch.save(model.state_dict(), path, _disable_byteorder_record=True)
    compare(td.load(path), model.state_dict())
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"a file of PyTorch from before version 1\.6"):
        td.load(path)
    torch.jit.script(model).save(path)
    with pytest.raises(ValueError, match="a TorchScript archive"):
        td.load(path)
    with open(path, "wb") as file:
        file.write(b"header")
        torch.save(model.state_dict(), file)
    with open(path, "rb") as file:
        file.seek(6)
        compare(td.load(file), model.state_dict())


def test_files_that_pytorch_maps_and_finds_behind_a_header(tmp_path):
    content = {"a": td.arange(5.0), "b": td.ones(3, dtype=td.int64), "c": td.zeros(0)}
    path = tmp_path / "a.pth"
    td.save(content, path)
    found = torch.load(path, weights_only=True, mmap=True)
    assert {name: each.tolist() for name, each in found.items()} == {"a": [0, 1, 2, 3, 4], "b": [1, 1, 1], "c": []}
    file = io.BytesIO()
    file.write(b"header")
    td.save(content, file)
    file.seek(6)
    assert torch.load(file, weights_only=True)["b"].tolist() == [1, 1, 1]


def test_our_own_checkpoint_in_pytorch():
    model = td.nn.Sequential(td.nn.Linear(2, 3), td.nn.BatchNorm1d(3))
    optimizer = td.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = td.ones_like(parameter)
    optimizer.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 1,
        "parameter": model[0].weight,
    }
    compare(content, to_pytorch(content))
