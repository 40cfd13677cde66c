"""PyTorch's files: what is in them comes back, from paths and from open files, with the memory that tensors share."""

from __future__ import annotations

import base64
import collections
import gzip
import io
import json
import os
import pickle
import socket
import tempfile
import zipfile
import zlib

import numpy as np
import pytest

import tinygrad_dl as td

# What PyTorch 2.13 wrote: a model, its optimiser after a step, and some of everything else.
WRITTEN_BY_PYTORCH = """
eNqlV11s21QUdpo2Tb2t7cZPtwHjHzLY0vy3HdtSspEChq31fjCDYhznpvHm2Dn2dbsOAh0jhb6g8QhICB54Q+IJJp5AQuJpkwAB4gEhIR4ACYnX
ISGNe6/T1PbUhrVXsh3b9zvnO9+551xnUgh3c1w0yl03BrltnGKpVW0WDZcVrMTrZ/RioZ875RsLXQ3gYlIPAdTMMtIhpKqmriMVa6Zh80etMrJQ
+bCmYh66dosQjkkRMncOaTNVDN0qNomLuOxgTbd52UIlR9PLMkaGbVrybIqHnlhM6iUIm8xUZhBEXAhf1E0FH3Mf8tArhcicBESlMLmqdQf6hC4M
/JTACSGhaxE2CV1CaBE2L1Upiy0Y+kUYkEjoXElTbBisEj/VSNW1k4St1T4hhGEbwzfhJnq62cXeguFWEYacBmyX+shkuYawQgWCHez9TomqB7c1
4HZGfBZZNtEC7hBCtm2XGMasY62mnUMW7GrAna58NlYwgrsacHdM4BpwjzTANK0hAzs1ueRUKmT6vT6eKbivyuK8vx3nA26cD7pcYxjI+SFbCDXg
4aofnIY9bpB7W0HG6WnYBSYwJEVI2Y60mUytK5ZSk2cs06nbkJ6GTAOyMamLvNEtyE3kP3+HjnelqIcxjEzk/7pMxxUWclmp1ZGhGTMwKnDMqrsG
5DJSlXkYIw8p3EA2RpY5C/uWXHPKWaYUPLLE1KyYFlLUKuw/IvVTqxqVhTjUlJKO4MASk7Li2KgMB49IPLnRDI281WVCNb9CNbIclg3j0/BojEqA
HMVheFQ3iYuCEGYLRDdtGw5N5L9x64I9M5QagsNssVmOAY8xe9ixDOK36JM5AxNE5giGx6nMYZqjJ0iqwovwpCu1gOEpEZ52bZlzcGQZXm0Bj04R
WLgJkzQ/Uy5IxHBMhONMWRYGIqrBiVXKqT2Dh5Ou9VYRHTJrdR2d9dfSM4x3FiR3eTzbWh6n6Ok51/3zGKZFeOFNdiO/AS+KoDBdbJqqUsv6MXLD
g0pWJIm23AQkQoUl1VarqOyQfM00oMqSVNN0kniTZB80XwM5ZDoGI366AWdidHEL3ULIaYIuQs12C4e4scHo0ErSPJgrkcdb7YQ/YeD5Oiq3g6+z
4HMArvYWS1oTbBo8doN3WuE5moGTOR5mMcyJcJZxKVNrMN+aQSbkMjycc3OrzMFLqqySLqnaPDLoDx5eZu+4r76ABltDuoI1IwmvLMKrIiwwm2c0
o2zDeVWWaUTktSzzNiL99LVpuBCjZY+a8LoITSc+KfRGPxk8v+MtgqPH5KrdfYjb2+7ucVJUNQXLrU5VLOwONPk1RpK6vPT3zxeobPRY3eVObmTF
ZUt/WdG1GYN2jGIh/f+9roxchhLIz8GftB11rUlgK5dvEyjNY2TSzalYeGQ9fpeHrmGsI8qheeC3HTSDkTU59HMHfbvqcKJY2LcBApVKJV+pRL6k
DH79LPsPdRntwGC/n0GyWBhdN4Mrly8fpL758NX3aAPo7uB73O87VSzs34j8pzhuIU8PyuHiVOSHdcSf3kj8y75Pn/7w43XEn9l4/HRQDYhpbpwc
C+T4YJxyGrr4+9vbyYvtHTjt8XPKFgsx7sb055i/2Y/y8XXon9uY/iHu2jXqfex76VLn+hvgDrS9t/vd2PpTkOap72/fnznRuf/s4lIrDZCFbiOL
fJpo5xS62clauViI3yCVRG50LJsay+YyI6PZVCKXzY6MJnKZ0cxIIjGay2WyyUwunUqkKct/P019HSM8YoxliJJt8/TuGoPXMQ/+DwiivRvAkA/5
Sw+32j4TNOJt4jt9RqYi3Bo7R9COtxFv9dn5zmOnvQEE4d4u2u+Dn+zlAr07iPV2QT/2pyA2GcR6u5cfezwawKaCWG/3CfgNYtNBrLdLBPz2BbCZ
INZb8X7sH0FsNoj11qsfS78I/R0iiPXW24AP+6MHu8o685bBLh9Y3MR1KNBJIRLZs1zO4b1t5JbAdSTsXq9ucq8ER/+9cMMttu6XUk/ExWxh8925
/wGcK8ug
"""
# `torch.save(..., _use_new_zipfile_serialization=False)`.
WRITTEN_BEFORE_VERSION_1_6 = """
eNptTz1LA0EQvdu7eLoasbWzPJuAiZGkspE0h1+x2UaWc29JVpbbzO5cQCGQJqD+Bn+Af82fIFg4Mdg5MAPz5s2bN0v2xu33++jr6PHj5rCzZJef
CdUFRLk4iKJo5h065aycax+MqyEmgmjTxBpEq6WuK1PWwF4EJxCfZloG86wDJAtIc9EiMEydR2gVTCTUmRphq0hFutZw9QSyIm2azU0RE1hCrNB5
Ne3IBo0NXHr90BhbSdR1cF7OuxxYnotsrU3McqIh2azwkXUl3m1ADqnYJ87wtDcYDgbDfq/fPTmD1q8NNWvIBrtCyG6LqGAr2C7iFey8KvrWaoX0
bODXvtJeVxdGIQd+PIZdhL0xtAP5vSe//8jHZYdFf7E8X+cPJbhkTA==
"""


def decoded(text):
    return zlib.decompress(base64.b64decode(text))


def saved(obj):
    """An open file with what `save` writes."""
    file = io.BytesIO()
    td.save(obj, file)
    file.seek(0)
    return file


def again(obj):
    return td.load(saved(obj))


def address(tensor):
    return tensor.untyped_storage().data_ptr() + tensor.storage_offset() * tensor.element_size()


def test_what_pytorch_wrote(tmp_path):
    path = tmp_path / "run.ckpt"
    path.write_bytes(decoded(WRITTEN_BY_PYTORCH))
    found = td.load(path)
    assert list(found["model"]) == ["weight", "bias"] and found["model"]._metadata == {"": {"version": 1}}
    model = td.nn.Linear(2, 1)
    model.load_state_dict(found["model"])
    assert model.weight.tolist() == [[np.float32(0.9), np.float32(-2.1)]] and model.bias.tolist() == [np.float32(0.4)]
    optimizer = td.optim.SGD(model.parameters(), lr=1.0)
    optimizer.load_state_dict(found["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.1 and optimizer.param_groups[0]["momentum"] == 0.9
    assert found["optimizer"]["state"][0]["momentum_buffer"].tolist() == [[1.0, 1.0]]
    assert (found["epoch"], found["loss"], found["name"]) == (3, 0.25, "run")
    assert found["turned"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]] and found["turned"].stride() == (1, 3)
    assert found["row"].tolist() == [3.0, 4.0, 5.0]
    found["row"].fill_(7.0)
    assert found["turned"].tolist() == [[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]]
    assert type(found["parameter"]) is td.nn.Parameter and found["parameter"].tolist() == [1 + 2j]
    assert found["size"] == (2, 3) and found["dtype"] == td.int64 and found["raw"] == b"\0\xff"
    assert found["kinds"] == {1, 2} and found["schedule"] == {"milestones": collections.Counter([2, 4])}
    assert found["sizes"].tolist() == [0, 1, 65535] and found["sizes"].dtype == np.uint16


def test_the_format_before_version_1_6_is_refused_with_what_converts_it(tmp_path):
    path = tmp_path / "old.pth"
    path.write_bytes(decoded(WRITTEN_BEFORE_VERSION_1_6))
    with pytest.raises(ValueError, match=r"got a file of PyTorch from before version 1\.6") as caught:
        td.load(path)
    line = str(caught.value).splitlines()[0]
    assert str(path) in line
    assert line.endswith("in PyTorch: torch.save(torch.load(path, weights_only=True), new_path)")


PLAIN = {
    "none": None,
    "bools": [True, False],
    "integers": [0, 255, 256, 65535, 65536, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**2100, -(2**2100)],
    "floats": [0.0, -0.0, 1e300, float("inf")],
    "complex": 1 - 2j,
    "texts": ["", "ä\U0001f600", "\ud800", "a" * 300],
    "bytes": [b"", bytes(range(256))],
    "bytearray": bytearray(b"\0\1"),
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "set": {1, "a", (2, 3)},
    "empty": [[], {}, set()],
    (1, "a", 2.5, None, b"k"): "a tuple as a key",
    7: "an integer as a key",
    "ordered": collections.OrderedDict(b=1, a=2),
    "counts": collections.Counter("aab"),
    "dtypes": [td.float32, td.bool, td.complex128, td.uint8],
    "device": td.device("cpu"),
}


def test_plain_values():
    found = again(PLAIN)
    assert found == PLAIN
    for name, value in PLAIN.items():
        assert type(found[name]) is type(value)
    assert np.signbit(found["floats"][1])


@pytest.mark.parametrize(
    "dtype",
    [
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bool",
    ],
)
def test_dtypes(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    found = again(array)
    assert found.dtype == array.dtype and found.numpy().tobytes() == array.tobytes()


def test_bfloat16():
    pytest.importorskip("ml_dtypes")
    found = again(td.tensor([1.0, -2.5], dtype="bfloat16"))
    assert str(found.dtype).endswith("bfloat16") and found.tolist() == [1.0, -2.5]


def test_parameters_buffers_and_what_requires_a_gradient():
    parameter, frozen = td.nn.Parameter(td.ones(2)), td.nn.Parameter(td.ones(2), requires_grad=False)
    buffer = td.nn.Buffer(td.zeros(1), persistent=False)
    leaf = td.ones(2, requires_grad=True)
    found = again([parameter, frozen, buffer, leaf, leaf * 2, parameter])
    assert [type(each) for each in found[:4]] == [td.nn.Parameter, td.nn.Parameter, td.nn.Buffer, td.Tensor]
    assert [each.requires_grad for each in found] == [True, False, False, True, True, True]
    assert found[4].is_leaf and found[5] is found[0] and found[2].persistent is False


def test_attributes_of_tensors():
    tensor, parameter = td.ones(1), td.nn.Parameter(td.ones(1))
    tensor.unit, parameter.rate = "m", 0.5
    found = again([tensor, parameter])
    assert (found[0].unit, found[1].rate) == ("m", 0.5)
    tensor.unit = [1]
    with pytest.raises(TypeError, match=r"got a tensor with attributes \['unit'\] for 'a', expected plain ones"):
        saved({"a": tensor})


# -- memory --------------------------------------------------------------------------------------------


def test_tensors_that_share_memory_share_it_again():
    base = td.arange(12.0).reshape(3, 4)
    found = again({"base": base, "row": base[1], "turned": base.T, "column": base[:, 2], "other": td.ones(2)})
    found["column"].fill_(-1.0)
    assert found["base"].tolist() == [[0.0, 1.0, -1.0, 3.0], [4.0, 5.0, -1.0, 7.0], [8.0, 9.0, -1.0, 11.0]]
    assert found["row"].tolist() == [4.0, 5.0, -1.0, 7.0] and found["turned"][2].tolist() == [-1.0] * 3
    assert found["other"].tolist() == [1.0, 1.0]


def test_memory_seen_as_two_dtypes():
    bits = np.array([0.0, 1.0], np.float32)
    found = again(
        {"floats": bits, "integers": bits.view(np.int32), "parts": np.array([1 + 2j]), "bytes": bits.view("u1")}
    )
    assert found["integers"].tolist() == [0, 0x3F800000]
    found["integers"][0] = 0x40000000
    assert found["floats"].tolist() == [2.0, 1.0] and found["bytes"].tolist() == [0, 0, 0, 64, 0, 0, 128, 63]


def test_real_parts_of_complex_numbers_share_their_memory():
    z = np.array([1 + 2j, 3 + 4j])
    found = again([z, z.imag])
    found[1].fill_(0.0)
    assert found[0].tolist() == [1, 3]


def test_a_slice_costs_no_more_than_itself():
    large = td.zeros(100_000)
    assert len(saved(large[10:20]).getvalue()) < 2000
    assert len(saved(large[::10_000]).getvalue()) < 2000
    assert len(saved([large[:10], large[90_000:]]).getvalue()) < 42_000
    assert len(saved(td.ones(1).expand(1000, 1000)).getvalue()) < 2000


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0)[::-1],
        np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2].transpose(2, 0, 1),
        np.broadcast_to(np.arange(3.0), (2, 3)),
        np.zeros((0, 3)),
        np.zeros((3, 0))[:, ::-1],
        np.array(5.0),
        np.ones((1, 1, 4))[::-1],
        np.arange(6, dtype=">i4"),
        np.frombuffer(bytes(range(9)), np.uint8)[1:].view(np.float64),
        np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3),
        np.array([(1, 2.0), (3, 4.0)], [("a", "i1"), ("b", "f8")])["b"],
    ],
    ids=[
        "reversed",
        "turned",
        "expanded",
        "empty",
        "nothing",
        "0-d",
        "one",
        "swapped",
        "unaligned",
        "windows",
        "field",
    ],
)
def test_layouts(array):
    found = again({"a": array})["a"]
    assert found.shape == array.shape and found.tolist() == array.tolist()


def test_arrays_that_begin_in_the_middle_of_each_others_elements():
    memory = np.arange(40, dtype=np.uint8)
    found = again([memory[4:33], memory[8:40].view(np.float64), memory[6:14].view(np.int16)])
    assert found[0].tolist() == list(range(4, 33))
    assert found[1].numpy().tobytes() == bytes(range(8, 40)) and found[2].numpy().tobytes() == bytes(range(6, 14))


def test_containers_that_are_the_same_are_so_again():
    shared = [1, td.ones(1)]
    found = again({"a": shared, "b": (shared, shared[1])})
    assert found["a"] is found["b"][0] and found["b"][1] is found["a"][1]


def test_values_that_nobody_else_keeps():
    class Doubled(dict):
        def items(self):
            return ((name, [value * 2]) for name, value in super().items())

    found = again(Doubled((f"{i}", td.full((2,), float(i))) for i in range(50)))
    assert [found[f"{i}"][0].tolist() for i in range(50)] == [[2.0 * i] * 2 for i in range(50)]


def test_parameters_after_an_optimizer_has_put_them_side_by_side():
    model = td.nn.Sequential(td.nn.Linear(2, 3), td.nn.Linear(3, 1))
    td.optim.Adam(model.parameters())
    found = again(model.state_dict())
    assert len({address(each) for each in found.values()}) == 4
    assert found._metadata == model.state_dict()._metadata
    for name, value in model.state_dict().items():
        assert found[name].tolist() == value.tolist()


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.ckpt", "a.bin", "a.pth.tar"])
def test_suffixes(tmp_path, name):
    td.save([td.ones(2)], str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / name) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "archive/data.pkl",
            "archive/byteorder",
            "archive/data/0",
            "archive/version",
        ]
    os.rename(tmp_path / name, tmp_path / "a.npz")
    assert td.load(tmp_path / "a.npz")[0].tolist() == [1.0, 1.0]


def test_the_content_decides_what_is_read(tmp_path):
    for suffix in ("npz", "safetensors", "pth"):
        td.save({"a": td.ones(2)}, tmp_path / f"a.{suffix}")
        os.rename(tmp_path / f"a.{suffix}", tmp_path / "weights")
        assert td.load(tmp_path / "weights")["a"].tolist() == [1.0, 1.0]
        with open(tmp_path / "weights", "rb") as file:
            assert td.load(file)["a"].tolist() == [1.0, 1.0]


def test_records_lie_at_multiples_of_64_bytes():
    content = saved([td.ones(3), td.ones(70), td.ones(2)]).getvalue()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            name, extra = (int.from_bytes(content[member.header_offset + i :][:2], "little") for i in (26, 28))
            assert (member.header_offset + 30 + name + extra) % 64 == 0


def test_open_files(tmp_path):
    content = {"a": td.ones(2)}
    with open(tmp_path / "a", "wb", buffering=0) as file:
        td.save(content, file)
    with open(tmp_path / "a", "rb", buffering=0) as file:
        assert td.load(file)["a"].tolist() == [1.0, 1.0]
    with tempfile.NamedTemporaryFile() as file:
        td.save(content, file)
        file.seek(0)
        assert td.load(file)["a"].tolist() == [1.0, 1.0]
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        td.save(content, file)
    with gzip.open(tmp_path / "a.gz", "rb") as file:
        assert td.load(file)["a"].tolist() == [1.0, 1.0]
    one, other = socket.socketpair()
    with one, other, one.makefile("wb") as out, other.makefile("rb") as into:
        td.save(content, out)
        out.close()
        one.close()
        assert td.load(into)["a"].tolist() == [1.0, 1.0]


def test_a_file_that_only_reads_and_one_that_only_writes():
    class Writer:
        content = b""

        def write(self, data):
            self.content += bytes(data[:7])
            return len(data[:7])

        def flush(self):
            pass

    class Reader:
        def __init__(self, content):
            self.read = io.BytesIO(content).read

    class Silent(Writer):
        def write(self, data):
            self.content += data

    class Full(Writer):
        def write(self, data):
            return 0

    for kind in (Writer, Silent):
        writer = kind()
        td.save([td.ones(20)], writer)
        assert td.load(Reader(writer.content))[0].tolist() == [1.0] * 20
    with pytest.raises(OSError, match="the file took none of"):
        td.save([td.ones(20)], Full())


def test_behind_something_else_in_a_file():
    file = io.BytesIO()
    file.write(b"header")
    td.save([1, td.ones(1)], file)
    file.seek(6)
    assert td.load(file)[0] == 1
    td.save([2], file)
    file.seek(6)
    with pytest.raises(ValueError, match="bytes before the first member"):  # the first of two is not to be had
        td.load(file)


def test_nothing_is_written_of_what_can_not_be(tmp_path):
    path = tmp_path / "a.pth"
    td.save([1], path)
    file = io.BytesIO()
    loop: list[object] = []
    loop.append(loop)
    for obj, kind, said in (
        ({"a": [1, object()]}, TypeError, r"got a object for 'a\.1', expected a tensor, array, number, text, bytes,"),
        (td.nn.Linear(1, 1), TypeError, r"got a Linear for '', .*; save its state_dict\(\)"),
        ([np.array(["a"])], TypeError, "expected bool, integer, float or complex numbers"),
        ([np.dtype("<U3")], TypeError, "for '0', expected a tensor"),
        ({frozenset([1]): 1}, TypeError, "got a frozenset as a key in '', expected a text, a number or a short tuple"),
        ({"a": {td.ones(1): 2}}, TypeError, r"got a Tensor as a key in 'a\.'"),
        (loop, ValueError, "a container within itself, expected at most 100; does something contain itself"),
    ):
        for place in (path, file):
            with pytest.raises(kind, match=said):
                td.save(obj, place)
    assert td.load(path) == [1] and os.listdir(tmp_path) == ["a.pth"] and file.getvalue() == b""


@pytest.mark.parametrize("option", ["save", "load"])
@pytest.mark.parametrize("f", [None, 3, io.StringIO()], ids=["None", "number", "text file"])
def test_what_is_no_file(option, f):
    with pytest.raises(
        TypeError, match=rf"{option}: got f=.*, expected a path or a file that is open for bytes; use open"
    ):
        td.save([1], f) if option == "save" else td.load(f)


def test_options_of_load(tmp_path):
    path = tmp_path / "a.pth"
    td.save([td.ones(1)], path)
    for location in (None, "cpu", td.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert td.load(path, map_location=location, weights_only=None)[0].device == td.device("cpu")
    assert td.load(path, weights_only=False)[0].tolist() == [1.0]
    with pytest.raises(ValueError, match="unknown device: got 'cuda', expected 'cpu'"):
        td.load(path, "cuda")
    with pytest.raises(ValueError, match="unknown device: got 'cuda:1'"):
        td.load(path, map_location={"cpu": "cuda:1"})
    with pytest.raises(ValueError, match=r"got pickle_module=<module 'json'.*made by running what the file"):
        td.load(path, pickle_module=json)


def test_code_is_refused_whatever_weights_only_is(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", pickle.dumps(os.system, 2))
        file.writestr("a/version", "3")
    for only in (True, False, None):
        with pytest.raises(ValueError, match="system"):
            td.load(path, weights_only=only)


def test_a_mapped_file(tmp_path):
    path = tmp_path / "a.pth"
    td.save({"a": td.arange(5.0), "b": td.zeros(0), "c": [td.ones(2), 3]}, path)
    before = path.read_bytes()
    found = td.load(path, mmap=True)
    assert found["a"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0] and found["b"].shape == (0,) and found["c"][1] == 3
    found["a"].add_(1.0)
    assert found["a"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0] and found["c"][0].tolist() == [1.0, 1.0]
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="got mmap=True and an open file, expected a path"):
        td.load(io.BytesIO(before), mmap=True)


def test_the_same_content_gives_the_same_bytes():
    content = {"a": td.ones(3), "b": [1, "x"]}
    assert saved(content).getvalue() == saved(content).getvalue()


# -- models in several files ---------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_an_index(tmp_path, suffix):
    td.save({"a": td.ones(1), "b": td.zeros(1)}, tmp_path / f"model-1.{suffix}")
    td.save({"c": td.ones(2)}, tmp_path / f"model-2.{suffix}")
    places = {"c": f"model-2.{suffix}", "a": f"model-1.{suffix}", "b": f"model-1.{suffix}"}
    index = tmp_path / f"model.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 16}, "weight_map": places}, indent=2))
    found = td.load(index)
    assert {name: each.tolist() for name, each in found.items()} == {"c": [1.0, 1.0], "a": [1.0], "b": [0.0]}
    index.write_text(json.dumps({"weight_map": {**places, "d": f"model-2.{suffix}"}}))
    with pytest.raises(ValueError, match=rf"no 'd' in 'model-2\.{suffix}'"):
        td.load(index)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "JSON without a weight_map"),
        ({"weight_map": [1]}, "JSON without a weight_map"),
        ({"weight_map": {"a": "../a.npz"}}, "as the name of a file"),
        ({"weight_map": {"a": "sub/a.npz"}}, "as the name of a file"),
        ({"weight_map": {"a": "sub\\a.npz"}}, "as the name of a file"),
        ({"weight_map": {"a": "/a.npz"}}, "as the name of a file"),
        ({"weight_map": {"a": "C:a.npz"}}, "as the name of a file"),
        ({"weight_map": {"a": ".."}}, "as the name of a file"),
        ({"weight_map": {"a": ""}}, "as the name of a file"),
        ({"weight_map": {"a": 3}}, "as the name of a file"),
        ({"weight_map": {"a": "index.json"}}, "bytes that begin with"),
    ],
)
def test_indexes_that_lead_elsewhere(tmp_path, content, said):
    td.save({"a": td.ones(1)}, tmp_path / "a.npz")
    (tmp_path / "sub").mkdir()
    td.save({"a": td.ones(1)}, tmp_path / "sub" / "a.npz")
    index = tmp_path / "sub" / "index.json"
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=said):
        td.load(index)


def test_an_index_in_an_open_file_has_no_folder():
    with pytest.raises(ValueError, match="damaged or of another kind"):
        td.load(io.BytesIO(b'{"weight_map": {"a": "a.npz"}}'))
