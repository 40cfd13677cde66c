"""Saving and loading: every dtype and layout, nested dicts, damaged files, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_dl as td

DTYPES = ["float16", "float32", "float64", "complex64", "int8", "int16", "int32", "int64", "uint8", "bool"]
SUFFIXES = [".npz", ".safetensors", ".pth"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"file{request.param}"


def assert_same(a, b):
    """The same structure, numbers and bits."""
    if isinstance(a, td.Tensor | np.ndarray | np.generic):
        assert type(b) is td.Tensor
        array = a.detach().numpy() if isinstance(a, td.Tensor) else np.asarray(a)
        assert b.shape == array.shape
        assert b.dtype == array.dtype.newbyteorder("=")
        assert b.numpy().tobytes() == array.astype(b.dtype).tobytes()
    elif isinstance(a, dict):
        assert set(a) == set(b)
        for key, value in a.items():
            assert_same(value, b[key])
    elif isinstance(a, list | tuple):
        assert type(a) is type(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert type(a) is type(b)
        assert a == b or a != a


@st.composite
def arrays(draw):
    """Arrays of any dtype and shape, 0-d, empty, strided, transposed and byte-swapped ones too."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = draw(hnp.arrays(draw(st.sampled_from(DTYPES)), shape))
    turn = draw(st.sampled_from(["as it is", "transposed", "reversed", "every other", "broadcast", "swapped"]))
    if turn == "transposed":
        return array.T
    if turn == "reversed" and array.ndim:
        return array[::-1]
    if turn == "every other" and array.ndim:
        return array[..., ::2]
    if turn == "broadcast":
        return np.broadcast_to(array, (2, *array.shape))
    return array.astype(array.dtype.newbyteorder(">")) if turn == "swapped" else array


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
names = names.filter(lambda name: name != "__metadata__")
leaves = arrays() | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda each: st.lists(each, max_size=3) | st.tuples(each, each) | st.dictionaries(names | st.integers(), each),
    max_leaves=6,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.dictionaries(names, arrays(), max_size=4) | st.dictionaries(names | st.integers(), trees, max_size=4))
def test_round_trip(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"round{suffix}"
    td.save(content, path)
    assert_same(content, td.load(path))


def test_bfloat16(path):
    pytest.importorskip("ml_dtypes")
    content = {"a": td.tensor([1.0, -2.5], dtype="bfloat16"), "b": td.ones(2)}
    td.save(content, path)
    assert_same(content, td.load(path))


def test_complex128(tmp_path):
    content = {"a": td.tensor([1 + 2j], dtype=td.complex128)}
    td.save(content, tmp_path / "a.npz")
    assert_same(content, td.load(tmp_path / "a.npz"))
    with pytest.raises(TypeError, match="got 'a' of complex128, expected a dtype that safetensors holds"):
        td.save(content, tmp_path / "a.safetensors")
    assert os.listdir(tmp_path) == ["a.npz"]


def test_names_that_look_alike(path):
    content = {"a.b": td.ones(1), "a": {"b": td.zeros(2), "b_": td.zeros(3)}, "a.npy": td.ones(4), "file": td.ones(5)}
    td.save(content, path)
    assert_same(content, td.load(path))


def test_loaded_tensors_can_be_changed(path):
    td.save({"a": td.ones(3, requires_grad=True)}, path)
    loaded = td.load(path)["a"]
    assert loaded.requires_grad == (path.suffix == ".pth")
    loaded = loaded.detach()
    loaded += 1
    assert loaded.tolist() == [2.0, 2.0, 2.0]


def test_an_optimizer_goes_on_the_same(path):
    params = [td.ones(2, requires_grad=True), td.ones(3, requires_grad=True)]
    optimizer = td.optim.Adam(params, lr=0.1, betas=(0.8, 0.9))
    schedule = td.optim.lr_scheduler.StepLR(optimizer, 2)
    for p in params:
        p.grad = td.ones(*p.shape)
    optimizer.step()
    schedule.step()
    td.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "epoch": 1}, path)
    saved = td.load(path)
    again = [td.tensor(p.tolist(), requires_grad=True) for p in params]
    other = td.optim.Adam(again)
    other_schedule = td.optim.lr_scheduler.StepLR(other, 2)
    other.load_state_dict(saved["optimizer"])
    other_schedule.load_state_dict(saved["schedule"])
    assert other.param_groups[0]["betas"] == (0.8, 0.9)
    for ps, each, plan in ((params, optimizer, schedule), (again, other, other_schedule)):
        for p in ps:
            p.grad = td.ones(*p.shape)
        each.step()
        plan.step()
    assert [p.tolist() for p in params] == [p.tolist() for p in again]
    assert other_schedule.get_last_lr() == schedule.get_last_lr() == [pytest.approx(0.01)]


# -- what goes wrong -----------------------------------------------------------------------------------


def test_a_file_is_whole_or_not_there(path, monkeypatch):
    td.save({"a": td.ones(3)}, path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        td.save({"a": td.zeros(3)}, path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_files_are_as_readable_as_others(path, tmp_path):
    td.save({"a": td.ones(3)}, path)
    (tmp_path / "other").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_damaged_files(path):
    td.save({"a": td.ones(30), "b": td.ones(4)}, path)
    whole = path.read_bytes()
    for content in (b"", whole[:5], whole[: len(whole) // 2], whole[:-3], b"hello" * 50, pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged or of another kind: got .*, expected tensors, numbers"):
            td.load(path)


def test_a_changed_byte_is_noticed(path):
    td.save({"a": td.ones(30)}, path)
    content = bytearray(path.read_bytes())
    content[-150 if path.suffix == ".npz" else -20] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or of another kind"):
        td.load(path)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_arrays(path, dtype):
    content = {"a": np.array([0, 1, np.iinfo(dtype).max], dtype)}
    td.save(content, path)
    assert_same(content, td.load(path))


def test_the_safetensors_package_reads_what_is_written(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    content = {"b": np.arange(3, dtype=np.int8), "a": np.ones((2, 2)), "c": np.array(True), "d": np.zeros((0, 3), "f2")}
    td.save(content, tmp_path / "a.safetensors")
    found = numpy.load_file(tmp_path / "a.safetensors")
    assert set(found) == set(content)
    for name, array in content.items():
        assert found[name].dtype == array.dtype and found[name].tolist() == array.tolist()
    numpy.save_file(content, tmp_path / "b.safetensors", metadata={"format": "np"})
    assert_same(content, td.load(tmp_path / "b.safetensors"))


def test_an_npz_with_python_objects_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="of dtype object, expected numbers"):
        td.load(path)


def test_paths_that_are_refused(tmp_path):
    for name, end in (("a.txt", "'.txt'"), ("a.pkl", "'.pkl'")):
        with pytest.raises(ValueError, match=rf"which ends in {end}, expected one of \.pth, \.pt, "):
            td.save({}, tmp_path / name)
        with pytest.raises(FileNotFoundError, match="expected a file: there is none"):
            td.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="expected a file: there is none"):
        td.load(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError, match=r"got the folder .*missing, expected one that is there; make it first"):
        td.save({}, tmp_path / "missing" / "a.npz")


@pytest.mark.parametrize("suffix", SUFFIXES[:2])
def test_contents_that_are_refused(tmp_path, suffix):
    path = tmp_path / f"file{suffix}"
    with pytest.raises(TypeError, match=r"save: expected a dict, got Tensor; pass model\.state_dict\(\)"):
        td.save(td.ones(2), path)
    with pytest.raises(TypeError, match=r"got a function for 'a\.0', expected a tensor, array, number, string,"):
        td.save({"a": [assert_same]}, path)
    with pytest.raises(TypeError, match=r"got the key \(1, 2\) in 'a', expected a str or an integer"):
        td.save({"a": {(1, 2): 3}}, path)
    with pytest.raises(TypeError) as error:
        td.save({"a": np.array(["text"])}, path)
    assert error.value.__notes__[0] == "while saving 'a'"
    for name in ("__metadata__", "a\0b"):
        with pytest.raises(
            ValueError, match="as the name of a tensor, expected another: files can't have it; rename it"
        ):
            td.save({name: td.ones(2)}, path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("name", ["checkpoint", "model-1"])
def test_a_name_without_suffix_is_a_file_of_pytorchs_format(tmp_path, name):
    td.save(td.tensor([1.0, 2.0]), tmp_path / name)
    assert (tmp_path / name).read_bytes()[:2] == b"PK" and os.listdir(tmp_path) == [name]
    assert td.load(tmp_path / name).tolist() == [1.0, 2.0]
    with pytest.raises(OSError, match=r"folder|directory"):
        td.save(td.ones(2), tmp_path)
