"""Files that nobody's `save` has written: `load` gives what was saved, or refuses with the path, fast and cheaply."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td

CONTENT = {
    "weights": td.arange(60.0).reshape(3, 20),
    "half": td.ones(7, dtype=td.float16),
    "mask": td.tensor([True, False, True]),
    "none": td.zeros(0, 3),
    "one": td.tensor(5),
}
NESTED = {"model": CONTENT, "epoch": 3, "rates": [0.1, None, "text", (True, 2)]}
SUFFIXES = [".npz", ".safetensors", ".pth"]


def saved(folder, suffix, content):
    path = folder / f"whole{suffix}"
    td.save(content, path)
    return path.read_bytes()


def flat(content):
    """Everything in a nested structure, with dtypes and bits."""
    if isinstance(content, dict):
        return {key: flat(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content), [flat(value) for value in content]
    if isinstance(content, td.Tensor):
        return content.dtype, content.shape, content.numpy().tobytes()
    return type(content), content


def refused(path, said="damaged or of another kind"):
    with pytest.raises(ValueError, match=said) as caught:
        td.load(path)
    assert str(path) in str(caught.value).splitlines()[0]
    return str(caught.value)


CHANGES = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 10**6), st.integers(0, 7)),
    st.tuples(st.just("cut"), st.integers(0, 10**6), st.just(0)),
    st.tuples(st.just("set"), st.integers(0, 10**6), st.integers(0, 255)),
    st.tuples(st.just("insert"), st.integers(0, 10**6), st.integers(0, 255)),
    st.tuples(st.just("drop"), st.integers(0, 10**6), st.integers(1, 40)),
    st.tuples(st.just("double"), st.integers(0, 10**6), st.integers(1, 200)),
)


def changed(content, changes):
    """The bytes after some damage."""
    data = bytearray(content)
    for kind, place, value in changes:
        at = place % max(len(data), 1)
        if kind == "cut":
            del data[at:]
        elif kind == "insert":
            data.insert(at, value)
        elif kind == "drop":
            del data[at : at + value]
        elif kind == "double":
            data[at:at] = data[at : at + value]
        elif data:
            data[at] = data[at] ^ (1 << value) if kind == "flip" else value
    return bytes(data)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [CONTENT, NESTED], ids=["plain", "nested"])
def test_damage_is_noticed_or_harmless(tmp_path, suffix, content):
    whole = saved(tmp_path, suffix, content)
    right = flat(content)
    path = tmp_path / f"damaged{suffix}"

    @given(changes=st.lists(CHANGES, min_size=1, max_size=3))
    @settings(max_examples=400)
    def check(changes):
        path.write_bytes(changed(whole, changes))
        try:
            found = td.load(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert flat(found) == right

    check()


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.binary(max_size=200))
def test_noise(tmp_path_factory, suffix, content):
    path = tmp_path_factory.getbasetemp() / f"noise{suffix}"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_cut_is_noticed(tmp_path, suffix):
    whole = saved(tmp_path, suffix, CONTENT)
    path = tmp_path / f"cut{suffix}"
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        refused(path)


# -- npz -----------------------------------------------------------------------------------------------


def npy(shape="(10,)", descr="'<f4'", data=bytes(40), order="False", version=1):
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def archive(path, *members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def test_the_helper_makes_what_load_reads(tmp_path):
    found = td.load(archive(tmp_path / "a.npz", ("a.npy", npy()), ("b.npy", npy(version=2))))
    assert found["a"].shape == found["b"].shape == (10,)


HEADERS = {
    "a shorter shape": npy("(5,)"),
    "a longer shape": npy("(11,)"),
    "a narrower type": npy(descr="'<f2'"),
    "a wider type": npy(descr="'<f8'"),
    "huge": npy("(10**18,)"),
    "huge product": npy("(4000000000, 4000000000)"),
    "negative": npy("(-10,)"),
    "two negatives": npy("(-2, -5)"),
    "too many dimensions": npy(f"({'1,' * 90})"),
    "a dimension that is a bool": npy("(True, 10.0)"),
    "empty and huge": npy("(0, 1000000000000000000, 1000000000000000000)", data=b""),
    "no tuple": npy("10"),
    "objects": npy(descr="'|O'"),
    "texts": npy(descr="'<U10'"),
    "records": npy(descr="[('a', '<f4')]"),
    "arrays in arrays": npy("(1,)", descr="('<f4', (10,))"),
    "no type": npy(descr="'nothing'"),
    "dates": npy("(5,)", descr="'<M8[s]'"),
    "not closed": b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4', " + bytes(40),
    "open brackets": b"\x93NUMPY\x01\x00" + struct.pack("<H", 5000) + b"(" * 5000,
    "many minuses": b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 8999 + b"1",
    "a header without an end": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "code": npy("__import__('os').abort()"),
    "a version to come": npy().replace(b"\x93NUMPY\x01", b"\x93NUMPY\x07"),
    "no array": b"hello",
    "nothing": b"",
    "metadata of one number": ("__metadata__.npy", npy("()", "'<i8'", struct.pack("<q", 1_500_000_000))),
    "metadata of floats": ("__metadata__.npy", npy()),
    "metadata that are a list": ("__metadata__.npy", npy("(2,)", "'|u1'", b"[]")),
    "metadata of numbers": ("__metadata__.npy", npy("(7,)", "'|u1'", b'{"a":1}')),
    "metadata without an end": ("__metadata__.npy", npy("(3,)", "'|u1'", b'{"a')),
    "metadata in too many brackets": ("__metadata__.npy", npy("(90000,)", "'|u1'", b"[" * 90000)),
    "bits that are not there": ("__metadata__.npy", npy("(21,)", "'|u1'", b'{"bfloat16":"[\\"a\\"]"}')),
    "bits that are no list": ("__metadata__.npy", npy("(16,)", "'|u1'", b'{"bfloat16":"1"}')),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_of_arrays(tmp_path, name):
    content = HEADERS[name]
    member = content if isinstance(content, tuple) else ("a.npy", content)
    refused(archive(tmp_path / "a.npz", member))


def test_names_that_are_there_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.npz", ("a.npy", npy()), ("a.npy", npy(data=b"\1" * 40)))
    assert "'a' twice" in refused(path)
    path = archive(tmp_path / "b.npz", ("a.npy", npy()), ("a", npy(data=b"\1" * 40)))
    assert "'a' twice" in refused(path)


def test_entries_that_another_takes_for_its_comment(tmp_path):
    """The length of the first entry's comment is not guarded by any checksum."""
    path = archive(tmp_path / "a.npz", ("a.npy", npy()), ("b.npy", npy()), ("c.npy", npy()))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    for swallowed in (1, 2):
        content[entry + 32] = swallowed * (46 + len("b.npy"))
        path.write_bytes(content)
        assert len(zipfile.ZipFile(path).infolist()) == 3 - swallowed
        refused(path, f"{3 - swallowed} members, expected 3")


def test_bytes_after_the_end(tmp_path):
    path = archive(tmp_path / "a.npz", ("a.npy", npy()))
    path.write_bytes(path.read_bytes() + b"more")
    refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_compression_that_numpy_does_not_write(tmp_path, method):
    refused(archive(tmp_path / "a.npz", ("a.npy", npy()), compression=method))


def test_compressed_files_of_numpy_are_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(100_000), b=np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    found = td.load(tmp_path / "a.npz")
    assert found["a"].shape == (100_000,) and found["b"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def cheaply(path):
    """Loading is refused without much memory or time."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 30e6
        assert time.perf_counter() - start < 10
    finally:
        tracemalloc.stop()


def directory(entries, locals_and_data):
    """A zip archive with these central entries (name, crc, packed size, size, offset, method)."""
    out = io.BytesIO()
    out.write(locals_and_data)
    start = out.tell()
    for name, crc, packed, size, offset, method in entries:
        fields = (0x02014B50, 20, 20, 0, method, 0, 33, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset)
        out.write(struct.pack("<IHHHHHHIIIHHHHHII", *fields) + name)
    end = out.tell()
    out.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(entries), len(entries), end - start, start, 0))
    return out.getvalue()


def local(name, crc, packed, size, method, data):
    return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, method, 0, 33, crc, packed, size, len(name), 0) + name + data


def test_members_that_share_their_bytes(tmp_path):
    """Each member's data are the headers and the data of all that follow: 4 MB from one of them, 600 times over."""
    kernel = npy("(4000000,)", "'|u1'", bytes(4_000_000))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(kernel) + packer.flush()
    crc = zlib.crc32(kernel)
    names = [b"%04d.npy" % i for i in range(600)]
    content = local(names[0], crc, len(packed), len(kernel), 8, packed)
    entries = [(name, crc, len(packed), len(kernel), 0, 8) for name in names]
    path = tmp_path / "shared.npz"
    path.write_bytes(directory(entries, content))
    cheaply(path)
    quoted = b"".join(local(name, crc, len(packed) + 50, len(kernel), 8, b"") for name in names) + packed
    offsets = range(0, 38 * 600, 38)
    path.write_bytes(
        directory(
            [(n, crc, len(packed) + 50, len(kernel), at, 8) for n, at in zip(names, offsets, strict=True)], quoted
        )
    )
    cheaply(path)


def test_sizes_that_the_file_cannot_hold(tmp_path):
    path = tmp_path / "a.npz"
    for method, size in ((0, 4_000_000_000), (8, 4_000_000_000), (0, 10)):
        content = npy("(3999999900,)", "'|u1'", b"")
        path.write_bytes(
            directory(
                [(b"a.npy", zlib.crc32(content), len(content), size, 0, method)],
                local(b"a.npy", zlib.crc32(content), len(content), size, method, content),
            )
        )
        assert path.stat().st_size < 400
        cheaply(path)


def test_a_bool_that_is_neither_true_nor_false(tmp_path):
    refused(archive(tmp_path / "a.npz", ("a.npy", npy("(3,)", "'|b1'", b"\0\1\2"))), "neither 0 nor 1")


# -- safetensors ---------------------------------------------------------------------------------------


def tensors(header, data=bytes(40), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="F32", shape=(10,), offsets=(0, 40), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def test_a_file_without_a_checksum_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(tensors({"a": entry(), "__metadata__": {"format": "pt"}}))
    assert td.load(path)["a"].tolist() == [0.0] * 10


DEEP = b"[" * 100_000 + b"]" * 100_000
SAFETENSORS = {
    "nothing": b"",
    "seven bytes": b"1234567",
    "a length beyond the end": tensors({}, length=2**63),
    "no JSON": tensors(b"{nothing"),
    "no UTF-8": tensors(b'{"\xff": 1}'),
    "a list": tensors([]),
    "deep": tensors(b'{"a": ' + DEEP + b"}"),
    "a shorter shape": tensors({"a": entry(shape=(5,))}),
    "a longer shape": tensors({"a": entry(shape=(11,))}),
    "a narrower type": tensors({"a": entry("F16")}),
    "negative": tensors({"a": entry(shape=(-2, -5))}),
    "fractions": tensors({"a": entry(shape=(10.0,))}),
    "bools": tensors({"a": entry(shape=(True, 10))}),
    "huge": tensors({"a": entry(shape=(10**18,), offsets=(0, 4 * 10**18))}),
    "empty and huge": tensors({"a": entry(shape=(0, 10**30), offsets=(0, 0))}, b""),
    "many dimensions": tensors({"a": entry(shape=[10**9] * 10**5)}),
    "an unknown type": tensors({"a": entry("F8_E4M3", offsets=(0, 10))}, bytes(10)),
    "a type that is a list": tensors({"a": entry(["F32"])}),
    "a type beside the name": tensors({"a": entry(more=1)}),
    "no place": tensors({"a": {"dtype": "F32", "shape": [10]}}),
    "backwards": tensors({"a": entry(offsets=(40, 0))}),
    "a gap": tensors({"a": entry(shape=(5,), offsets=(20, 40))}),
    "shared": tensors({"a": entry(), "b": entry()}),
    "data too short": tensors({"a": entry()}, bytes(39)),
    "data too long": tensors({"a": entry()}, bytes(41)),
    "data of nobody": tensors({}),
    "a name twice": tensors(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2)),
    "metadata twice": tensors(b'{"__metadata__": {"a": "1", "a": "2"}}', b""),
    "metadata of numbers": tensors({"__metadata__": {"a": 1}}, b""),
    "metadata that are a text": tensors({"__metadata__": "a"}, b""),
    "another checksum": tensors({"a": entry(), "__metadata__": {"tinygrad_dl.crc32": "00000000"}}),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_headers_of_safetensors(tmp_path, name):
    path = tmp_path / "a.safetensors"
    path.write_bytes(SAFETENSORS[name])
    cheaply(path)


# -- structures ----------------------------------------------------------------------------------------

STRUCTURES = {
    "no JSON": "[",
    "no container": "1",
    "no dict at the top": '["list", []]',
    "an object": '["dict", [["a", {"b": 1}]]]',
    "an unknown kind": '["set", []]',
    "three parts": '["dict", [], []]',
    "a key that is a list": '["dict", [[["a"], 1]]]',
    "a key that is a fraction": '["dict", [[1.5, 1]]]',
    "a key without a value": '["dict", [["a"]]]',
    "a key twice": '["dict", [["a", 1], ["a", 2]]]',
    "a tensor that is not there": '["dict", [["a", ["tensor", "b"]]]]',
    "a tensor twice": '["dict", [["a", ["tensor", "t"]], ["b", ["tensor", "t"]]]]',
    "a tensor by a list": '["dict", [["a", ["tensor", ["t"]]]]]',
    "a tensor of nobody": '["dict", []]',
    "a list of a text": '["dict", [["a", ["list", "text"]]]]',
    "deep": '["dict", [["a", ' + '["list", [' * 5000 + "]]" * 5000 + "]]]",
    "deeper": "[" * 100_000,
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(tmp_path, name, suffix):
    metadata = {"tinygrad_dl": STRUCTURES[name]}
    path = tmp_path / f"a{suffix}"
    if suffix == ".safetensors":
        path.write_bytes(tensors({"t": entry(), "__metadata__": metadata}))
    else:
        text = json.dumps(metadata).encode()
        archive(path, ("t.npy", npy()), ("__metadata__.npy", npy(f"({len(text)},)", "'|u1'", text)))
    assert "a structure that does not fit its tensors" in refused(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_save_takes_load_gives_back_however_deep(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    content: object = 1
    for _ in range(100):
        content = [content]
    td.save({"a": content}, path)
    assert td.load(path) == {"a": content}
    with pytest.raises(ValueError, match="container in one another, expected at most 100; does something contain"):
        td.save({"a": [content]}, path)
    loop: dict[str, object] = {}
    loop["self"] = loop
    with pytest.raises(ValueError, match="does something contain itself"):
        td.save(loop, path)
    assert td.load(path) == {"a": content}


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    refused(tmp_path / "folder.npz", "is no ordinary file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.npz")
        refused(tmp_path / "pipe.npz", "is no ordinary file")
