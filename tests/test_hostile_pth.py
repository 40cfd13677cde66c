"""Files in PyTorch's format that nobody's `save` has written: nothing in them runs, and none costs too much."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
import sys
import tracemalloc
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.pth.unpickler import Refused, Unpickler

KINDS = (type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set, dict, OrderedDict, Counter)


def archive(data, compression=zipfile.ZIP_STORED, **records):
    """An open file with this pickle, and these records in `data/`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as out:
        out.writestr("archive/data.pkl", data)
        for name, content in records.items():
            out.writestr(
                f"archive/{name}" if name == "byteorder" else f"archive/data/{name.removeprefix('_')}", content
            )
    file.seek(0)
    return file


def program(*parts):
    return b"\x80\x02" + b"".join(parts) + b"."


def load(*parts, **records):
    return td.load(archive(program(*parts), **records))


def refused(data, said="", **records):
    with pytest.raises(ValueError, match="damaged or of another kind: got ") as caught:
        td.load(archive(data, **records))
    assert said in str(caught.value)


def text(value):
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def name(module, last):
    return b"c" + module.encode() + b"\n" + last.encode() + b"\n"


def storage(kind="FloatStorage", key="0", count=6, module="torch"):
    return b"(" + text("storage") + name(module, kind) + text(key) + text("cpu") + integer(count) + b"tQ"


def integer(value):
    return pickle.dumps(value, 2)[2:-1]


def tensor(shape, strides, offset=0, memory=None, grad=b"\x89", hooks=None, rest=b"", version=2):
    hooks = name("collections", "OrderedDict") + b")R" if hooks is None else hooks
    parts = storage() if memory is None else memory
    parts += integer(offset) + b"".join(b"(" + b"".join(map(integer, each)) + b"t" for each in (shape, strides))
    return name("torch._utils", f"_rebuild_tensor_v{version}") + b"(" + parts + grad + hooks + rest + b"tR"


SIX = np.arange(6, dtype="<f4").tobytes()


# -- names ---------------------------------------------------------------------------------------------

EVIL = """
open({path!r}, "w").close()
class Evil:
    def __new__(cls, *args): open({path!r}, "a").close(); return object.__new__(cls)
    def __setstate__(self, state): open({path!r}, "a").close()
    def __reduce__(self): return Evil, (), {{"a": 1}}
def evil(*args, **kwargs): open({path!r}, "a").close()
"""


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module that leaves a file behind when it is imported, and whatever of it is called; and that file."""
    trace = tmp_path / "trace"
    (tmp_path / "evil_module.py").write_text(EVIL.format(path=str(trace)))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield trace
    sys.modules.pop("evil_module", None)


EVIL_NAME = name("evil_module", "evil")
STACK_NAME = text("evil_module") + text("evil") + b"\x93"
CALLS = {
    "GLOBAL": EVIL_NAME,
    "STACK_GLOBAL": STACK_NAME,
    "REDUCE": EVIL_NAME + b")R",
    "REDUCE of a text": text("evil_module.evil") + b")R",
    "REDUCE of a tensor": tensor((2,), (1,)) + b")R",
    "REDUCE of a dtype": name("torch", "float32") + b")R",
    "REDUCE of a class": name("torch", "Tensor") + b")R",
    "REDUCE with a list": name("collections", "OrderedDict") + b"]R",
    "NEWOBJ": name("evil_module", "Evil") + b")\x81",
    "NEWOBJ of a known name": name("collections", "OrderedDict") + b")\x81",
    "NEWOBJ_EX": name("evil_module", "Evil") + b")}\x92",
    "NEWOBJ_EX of a known name": name("collections", "OrderedDict") + b")}\x92",
    "OBJ": b"(" + EVIL_NAME + b"o",
    "INST": b"(ievil_module\nevil\n",
    "INST of a known name": b"(icollections\nOrderedDict\n",
    "BUILD": b"}}" + text("__setstate__") + STACK_NAME + b"sb",
    "BUILD of a tensor": tensor((2,), (1,)) + b"}" + text("_data") + b"Nsb",
    "BUILD of a dict": b"}}" + text("_metadata") + b"}sb",
    "BUILD of methods": name("collections", "OrderedDict") + b")R}" + text("items") + b"Nsb",
    "BUILD with slots": name("collections", "OrderedDict") + b")RN}" + text("_metadata") + b"}s\x86b",
    "BUILD of metadata with a function": name("collections", "OrderedDict")
    + b")R}"
    + text("_metadata")
    + name("torch", "Size")
    + b"sb",
    "EXT1": b"\x82\x01",
    "EXT2": b"\x83\x01\x00",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "PERSID": b"Pevil_module\n",
    "BINPERSID of a text": text("storage") + b"Q",
    "BINPERSID of a tuple": b"(" + text("evil_module") + b"K\x00K\x00K\x00K\x00tQ",
    "BINPERSID of a list": b"]Q",
    "a dotted name": name("collections", "OrderedDict.fromkeys"),
    "a dotted module": name("collections.OrderedDict", "fromkeys"),
    "the name of a module": name("torch", "_utils._rebuild_tensor_v2"),
    "an attribute": name("torch._utils", "_rebuild_tensor_v2.__globals__"),
    "no name": name("", ""),
    "eval": name("builtins", "eval") + b"(" + text("1") + b"tR",
    "exec": name("__builtin__", "exec"),
    "getattr": name("builtins", "getattr"),
    "import": name("builtins", "__import__"),
    "os": name("os", "system"),
    "posix": name("posix", "system"),
    "pickle": name("pickle", "loads"),
    "codecs": name("_codecs", "lookup"),
    "copyreg": name("copyreg", "_reconstructor"),
    "operator": name("operator", "attrgetter"),
    "numpy": name("numpy", "memmap"),
    "a name that is no text": b"K\x01K\x02\x93",
    "a name that is no unicode": b"c\xff\xfe\n\xff\n",
    "an encoding": name("_codecs", "encode") + b"(" + text("a") + text("zlib_codec") + b"tR",
    "an encoding of nothing": name("_codecs", "encode") + b")R",
    "huge bytes": name("builtins", "bytearray") + b"(" + integer(10**12) + b"tR",
    "a set of a text": name("builtins", "set") + b"(" + text("ab") + b"tR",
    "a complex of a text": name("builtins", "complex") + b"(" + text("1") + text("1") + b"tR",
    "a Counter of a text": name("collections", "Counter") + b"(" + text("ab") + b"tR",
    "a dict of a text": name("collections", "OrderedDict") + b"(" + text("ab") + b"tR",
    "a subclass of another function": name("torch._tensor", "_rebuild_from_type_v2")
    + b"("
    + name("torch._tensor", "_rebuild_from_type_v2")
    + name("torch", "Tensor")
    + b")}tR",
}


@pytest.mark.parametrize("case", CALLS)
def test_no_name_is_resolved_and_nothing_called(evil, case):
    refused(program(CALLS[case]), _0=SIX)
    refused(program(b"]", CALLS[case], b"a"), _0=SIX)
    assert not evil.exists() and "evil_module" not in sys.modules


@pytest.mark.parametrize("protocol", range(6))
def test_objects_of_classes(evil, protocol):
    import evil_module

    data = pickle.dumps({"a": [1, evil_module.Evil()]}, protocol)
    os.remove(evil)
    refused(data)
    assert not evil.exists()


@pytest.mark.parametrize(
    "value",
    [name("collections", "OrderedDict"), name("torch", "FloatStorage"), name("torch", "Tensor"), storage()],
    ids=["function", "class of storages", "class", "storage"],
)
@pytest.mark.parametrize("around", [b"%b", b"]%ba", b"}K\x01%bs", b"%b\x85", b"]]%baa"], ids=range(5))
def test_what_is_used_within_is_not_given_away(around, value):
    refused(program(around.replace(b"%b", value)), "by itself", _0=SIX)


TEXT_OPCODES = {
    "INT",
    "LONG",
    "FLOAT",
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "GET",
    "PUT",
    "DICT",
    "LIST",
}
REFUSED_OPCODES = {
    *TEXT_OPCODES,
    *("POP", "POP_MARK", "DUP", "PERSID", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "FROZENSET"),
    *("NEXT_BUFFER", "READONLY_BUFFER", "PROTO"),
}


def test_every_opcode_is_known_or_refused_by_name():
    for opcode in pickletools.opcodes:
        code = opcode.code.encode("latin1")
        if opcode.name in REFUSED_OPCODES:
            refused(program(b"NN(NN", code), f"a pickle with the opcode {opcode.name}")
    for code in {*range(256)} - {ord(each.code) for each in pickletools.opcodes}:
        refused(program(bytes([code])), f"a pickle with the opcode 0x{code:02x}")


@pytest.mark.parametrize("code", range(256))
def test_opcodes_that_find_nothing(code):
    for before in (b"", b"N", b"(", b"N(", b"NNN("):
        for after in (b"", b"\0", b"\xff" * 8):
            try:
                found = load(before + bytes([code]) + after)
            except ValueError:
                continue
            assert isinstance(found, KINDS)


# -- lengths -------------------------------------------------------------------------------------------

ENDLESS = {
    "BINUNICODE": b"X\xff\xff\xff\xff",
    "BINUNICODE8": b"\x8d" + b"\xff" * 8,
    "SHORT_BINUNICODE": b"\x8c\xff",
    "BINBYTES": b"B\xff\xff\xff\xff",
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 2**40),
    "SHORT_BINBYTES": b"C\xff",
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 2**40),
    "LONG1": b"\x8a\xff",
    "LONG4": b"\x8b\xff\xff\xff\x7f",
    "LONG4, negative": b"\x8b\xff\xff\xff\xff",
    "LONG4, most negative": b"\x8b\x00\x00\x00\x80",
    "FRAME": b"\x95" + struct.pack("<Q", 2**40) + b"N",
    "FRAME, longer by one": b"\x95" + struct.pack("<Q", 3) + b"N",
    "GLOBAL without an end": b"ctorch",
    "BINFLOAT": b"G\0",
    "memo": b"h\x05",
    "a far memo": b"j\xff\xff\xff\xff",
    "no unicode": b"X\x01\0\0\0\xff",
    "TUPLE3 of two": b"NN\x87",
    "SETITEMS of three": b"}(K\x01K\x02K\x03u",
    "APPENDS to a tuple": b")(Ne",
    "ADDITEMS to a list": b"](N\x90",
    "SETITEM of a list": b"]K\x00Ns",
    "a mark in a mark": b"((N",
    "two values": b"NN",
    "nothing": b"",
}


@pytest.mark.parametrize("case", ENDLESS)
def test_lengths_and_places_that_are_not_there(case):
    refused(program(ENDLESS[case]))


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x02", b"\x80\x02N", b"N.", b"\x80\x01N.", b"\x80\x06N.", b"(dp0\n."]
)
def test_pickles_that_do_not_begin_or_end(data):
    refused(data)


def test_bytes_after_the_end():
    refused(program(b"N") + b"N")


def test_a_far_place_in_the_memo_costs_nothing():
    tracemalloc.start()
    assert load(b"]K\x01r\xff\xff\xff\xffaj\xff\xff\xff\xff\x86") == ([1], 1)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


# -- what grows ----------------------------------------------------------------------------------------


def twice(make, depth, last=b""):
    """One in a list, in each further place of the list what is before it twice, and then something else."""
    levels = (make.replace(b"it", b"h" + bytes([i])) + b"q" + bytes([i + 1]) for i in range(depth))
    return b"](K\x01q\x00" + b"".join(levels) + last + b"e"


def within(*parts):
    """All of these in a list."""
    return b"](" + b"".join(parts) + b"e"


def call(module, last, *arguments):
    return name(module, last) + b"(" + b"".join(arguments) + b"tR"


def spread(before, numbers, after, end):
    """A container of many numbers."""
    return before + b"(" + b"".join(integer(i) + after for i in numbers) + end


TUPLES, LISTS = b"itit\x86", b"](itite"
LARGE = text("a" * 100_000)
ALIKE = range(2**61 - 1, 20_000 * (2**61 - 1), 2**61 - 1)
SETS = call("builtins", "set", b"h\x00") * 2000
COUNTERS = call("collections", "Counter", b"h\x00") * 2000
GROWING = {
    "a tuple of tuples as a key": (twice(TUPLES, 60, b"}h\x3cNs"), "a tuple as a key"),
    "a set of tuples": (twice(TUPLES, 60, b"\x8f(h\x3c\x90"), "a tuple as a key"),
    "tuples in tuples as a key": (b"})" + b"\x85" * 20_000 + b"Ns", "more containers than it names"),
    "lists in lists": (b"]" * 20_000 + b"a" * 19_999, "more than 100 containers"),
    "lists in lists, named": (b"]q\x00" * 20_000 + b"a" * 19_999, "more than 100 containers"),
    "102 lists": (b"]q\x00" * 102 + b"a" * 101, "more than 100 containers"),
    "tuples in tuples": (b")" + b"\x85q\x00" * 20_000, "more than 100 containers"),
    "references that are too deep": (twice(LISTS, 101), "more than 100 containers"),
    "itself": (b"]q\x00h\x00a", "a container that contains itself"),
    "itself in a dict": (b"}q\x00K\x01h\x00s", "a container that contains itself"),
    "itself, through a tuple": (b"]q\x00h\x00\x85a", "a container that contains itself"),
    "a text copied to bytes": (
        within(LARGE, b"q\x00", call("_codecs", "encode", b"h\x00", text("latin1")) * 2000),
        "copies more than it holds",
    ),
    "a list copied to sets": (
        within(spread(b"]", range(2000), b"", b"e"), b"q\x00", SETS),
        "copies more than it holds",
    ),
    "a dict copied": (within(spread(b"}", range(2000), b"N", b"u"), b"q\x00", COUNTERS), "copies more than it holds"),
    "sets of nothing": (within(b"\x8f" * 200_000), "more containers than it names"),
    "dicts of nothing": (within(b"}" * 200_000), "more containers than it names"),
    "calls": (
        within(name("collections", "OrderedDict"), b"q\x00", b"h\x00)R" * 80_000),
        "more containers than it names",
    ),
    "one tuple of arguments": (
        within(name("torch", "device"), b"q\x00", b"(" + b"N" * 50_000 + b"t", b"q\x01", b"h\x00h\x01R" * 10_000),
        "TypeError: _device",
    ),
    "one dict of attributes": (
        within(spread(b"}", range(50_000), b"N", b"u"), b"q\x00", name("collections", "OrderedDict") + b")Rh\x00b"),
        "sets attributes of a OrderedDict",
    ),
    "keys of one hash": (spread(b"}", ALIKE, b"N", b"u"), "more than 64 keys of the same hash"),
    "tuples of one hash": (spread(b"}", ALIKE, b"\x85N", b"u"), "more than 64 keys of the same hash"),
    "a set of one hash": (spread(b"\x8f", ALIKE, b"", b"\x90"), "more than 64 keys of the same hash"),
    "a huge number as a key": (b"}\x8b" + struct.pack("<i", 200_000) + bytes(199_999) + b"\x01Ns", "bits as a key"),
    "a long text as a key": (b"}" + LARGE + b"Ns", "a str of length 100000 as a key"),
    "a long tuple as a key": (b"}(" + b"N" * 17 + b"tNs", "a tuple of 17 as a key"),
    "a tensor as a key": (b"}" + tensor((6,), (1,)) + b"Ns", "a Tensor as a key"),
    "a list as a key": (b"}]Ns", "a list as a key"),
    "a list in a set": (b"\x8f(]\x90", "a list as a key"),
}


@pytest.mark.parametrize("case", GROWING)
def test_what_grows_is_refused_cheaply(case):
    parts, said = GROWING[case]
    data = program(parts)
    file = archive(data, _0=SIX)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said):
            td.load(file)
        assert tracemalloc.get_traced_memory()[1] < 20e6 + 120 * len(data)
    finally:
        tracemalloc.stop()


def test_what_is_named_often_is_looked_at_once():
    found = load(twice(LISTS, 90))[-1]
    for _ in range(90):
        assert len(found) == 2 and found[0] is found[1]
        found = found[0]


def test_ordinary_keys_that_have_the_same_hash():
    keys = [-1, -2, 0, 2**61 - 1, 0.5, None, (1, 2)]
    assert td.load(archive(pickle.dumps(dict.fromkeys(keys), 2))) == dict.fromkeys(keys)


# -- tensors -------------------------------------------------------------------------------------------


def test_the_helpers_make_what_load_reads():
    found = load(tensor((2, 3), (3, 1)), _0=SIX)
    assert found.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "expected"),
    [
        ((3, 4), (1, 1), 0, [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]]),
        ((2, 2), (0, 0), 5, [[5, 5], [5, 5]]),
        ((), (), 5, 5),
        ((1, 1), (10**9, 7), 5, [[5]]),
        ((0, 3), (3, 1), 0, []),
        ((3,), (2,), 1, [1, 3, 5]),
    ],
)
def test_strides_inside_of_the_storage(shape, strides, offset, expected):
    assert load(tensor(shape, strides, offset), _0=SIX).tolist() == expected


def test_a_tensor_that_is_expanded_far_costs_nothing():
    found = load(tensor((10**6, 10**9), (0, 0)), _0=SIX)
    assert found.shape == (10**6, 10**9) and found[5, 7].item() == 0.0


STRANGE_TENSORS = {
    "an element too many": tensor((7,), (1,)),
    "an offset too far": tensor((6,), (1,), 1),
    "an offset behind": tensor((1,), (1,), 6),
    "a stride too long": tensor((2, 3), (4, 1)),
    "a negative offset": tensor((2,), (1,), -1),
    "a negative size": tensor((-2,), (1,)),
    "two negative sizes": tensor((-2, -3), (3, 1)),
    "a negative stride": tensor((2,), (-1,), 1),
    "a huge size": tensor((2**62,), (1,)),
    "sizes whose product overflows": tensor((2**32, 2**32), (0, 0)),
    "a huge stride": tensor((2,), (2**62,)),
    "strides whose sum overflows": tensor((3, 3), (2**63 - 1, 2**63 - 1)),
    "a number of a thousand digits": tensor((10**1000,), (0,)),
    "empty and huge": tensor((0, 2**62, 2**62), (0, 0, 0)),
    "too many dimensions": tensor((1,) * 70, (1,) * 70),
    "a stride too few": tensor((2, 3), (1,)),
    "a shape of texts": tensor((), (), rest=b"").replace(b"(t(t", b"(" + text("a") + b"t(K\x01t"),
    "a shape of bools": tensor((), ()).replace(b"(t(t", b"(\x88t(K\x01t"),
    "a shape of floats": tensor((), ()).replace(b"(t(t", b"(" + integer(1.0) + b"t(K\x01t"),
    "a shape that is a list": tensor((), ()).replace(b"(t(t", b"](t"),
    "no bool for requires_grad": tensor((6,), (1,), grad=b"K\x01"),
    "hooks": tensor((6,), (1,), hooks=b"}K\x01Ns"),
    "metadata": tensor((6,), (1,), rest=b"}" + text("evil") + b"\x88s"),
    "metadata of integers": tensor((6,), (1,), memory=storage("IntStorage"), rest=b"}" + text("neg") + b"\x88s"),
    "metadata of a list": tensor((6,), (1,), rest=b"]"),
    "no storage": tensor((6,), (1,), memory=b"N"),
    "a record that is not there": tensor((6,), (1,), memory=storage(key="7")),
    "a record elsewhere": tensor((6,), (1,), memory=storage(key="../../../etc/passwd")),
    "a record of another name": tensor((6,), (1,), memory=storage(key="../data.pkl")),
    "a count too large": tensor((6,), (1,), memory=storage(count=7)),
    "a count too small": tensor((5,), (1,), memory=storage(count=5)),
    "a negative count": tensor((5,), (1,), memory=storage(count=-6)),
    "a huge count": tensor((6,), (1,), memory=storage(count=2**62)),
    "a wider dtype": tensor((6,), (1,), memory=storage("DoubleStorage")),
    "a quantised storage": tensor((6,), (1,), memory=storage("QUInt8Storage")),
    "a storage without a dtype": tensor((6,), (1,), memory=storage("UntypedStorage", count=24, module="torch.storage")),
    "version 3 without a dtype": tensor((6,), (1,), version=3),
    "version 3 with a text": tensor((6,), (1,), version=3, rest=text("float32")),
    "a storage of two types": b"](" + tensor((6,), (1,)) + tensor((6,), (1,), memory=storage("IntStorage")) + b"e",
    "an integer that requires a gradient": tensor((6,), (1,), memory=storage("IntStorage"), grad=b"\x88"),
    "bools that are neither": tensor((24,), (1,), memory=storage("BoolStorage", count=24)),
    "a parameter of nothing": name("torch._utils", "_rebuild_parameter") + b"(N\x88)tR",
    "a parameter with hooks": name("torch._utils", "_rebuild_parameter")
    + b"("
    + tensor((6,), (1,))
    + b"\x88}K\x01NstR",
    "an attribute that is a method": name("torch._utils", "_rebuild_parameter_with_state")
    + b"("
    + tensor((6,), (1,))
    + b"\x88}}"
    + text("backward")
    + b"NstR",
    "an attribute of the inside": name("torch._utils", "_rebuild_parameter_with_state")
    + b"("
    + tensor((6,), (1,))
    + b"\x88}}"
    + text("_data")
    + b"NstR",
    "an attribute that is a function": name("torch._utils", "_rebuild_parameter_with_state")
    + b"("
    + tensor((6,), (1,))
    + b"\x88}}"
    + text("note")
    + name("torch", "Size")
    + b"stR",
}


@pytest.mark.parametrize("case", STRANGE_TENSORS)
def test_tensors_that_do_not_fit(case):
    refused(program(STRANGE_TENSORS[case]), _0=SIX)


@pytest.mark.parametrize(
    ("global_", "said"),
    [
        (("torch._utils", "_rebuild_sparse_tensor"), "got a sparse tensor, expected tensors, numbers, texts"),
        (("torch._utils", "_rebuild_qtensor"), "a quantised tensor"),
        (("torch._utils", "_rebuild_nested_tensor"), "a nested tensor"),
        (("torch._utils", "_rebuild_meta_tensor_no_storage"), "a tensor of the device meta"),
        (("numpy.core.multiarray", "scalar"), "a number of NumPy"),
        (("torch", "float8_e4m3fn"), "the name 'torch.float8_e4m3fn'"),
        (("__main__", "Net"), "the name '__main__.Net'"),
        (("torch.nn.modules.linear", "Linear"), "in PyTorch, save what is plain: torch.save(model.state_dict(), path)"),
    ],
)
def test_what_is_not_built_is_named(global_, said):
    refused(program(name(*global_)), said)


ORDERED = {
    "FloatStorage": [1.5, -2.0],
    "DoubleStorage": [1.5, -2.0],
    "HalfStorage": [1.5, -2.0],
    "LongStorage": [1, -2],
    "IntStorage": [1, -2],
    "ShortStorage": [1, -2],
    "CharStorage": [1, -2],
    "ByteStorage": [1, 2],
    "BoolStorage": [True, False],
    "ComplexFloatStorage": [1 + 2j, -3j],
    "ComplexDoubleStorage": [1 + 2j, -3j],
}


@pytest.mark.parametrize("kind", ORDERED)
def test_both_byte_orders(kind):
    from tinygrad_dl.pth.reading import STORAGES

    dtype = np.dtype(STORAGES[kind])
    for order, sign in (("little", "<"), ("big", ">")):
        content = np.array(ORDERED[kind], dtype.newbyteorder(sign)).tobytes()
        found = load(tensor((2,), (1,), memory=storage(kind, count=2)), _0=content, byteorder=order)
        assert found.tolist() == ORDERED[kind] and found.numpy().dtype == dtype


def test_byte_orders_of_what_has_no_class():
    memory = storage("UntypedStorage", count=4, module="torch.storage")
    data = tensor((2,), (1,), memory=memory, version=3, rest=name("torch", "uint16"))
    assert load(data, _0=b"\0\1\2\0", byteorder="big").tolist() == [1, 512]
    assert load(data, _0=b"\0\1\2\0", byteorder="little").tolist() == [256, 2]
    assert load(data, _0=b"\0\1\2\0").tolist() == [256, 2]
    refused(program(data), "the byte order b'middle'", _0=b"\0\1\2\0", byteorder="middle")


def test_numbers_that_are_conjugated_when_they_are_read():
    z = np.array([1 + 2j, 3 - 4j], "<c8").tobytes()
    bits = b"}(" + text("conj") + b"\x88" + text("neg") + b"\x88u"
    data = tensor((2,), (1,), memory=storage("ComplexFloatStorage", count=2), rest=bits)
    assert load(data, _0=z).tolist() == [-1 + 2j, -3 - 4j]


# -- archives ------------------------------------------------------------------------------------------


def test_a_compressed_record():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("archive/data.pkl", program(b"](" + b"}" * 10_000_000 + b"e"))
    file.seek(0)
    with pytest.raises(ValueError, match=r"the record 'archive/data\.pkl' compressed"):
        td.load(file)


def entries(*records):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for each, content in records:
            out.writestr(each, content)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([("a/data.pkl", program(b"N")), ("b/data.pkl", program(b"N"))], "2 records data.pkl"),
        ([("a/data.pkl", program(b"N")), ("a/constants.pkl", b"")], "a TorchScript archive"),
        ([("a/data.pkl/", b"")], "is damaged"),
    ],
)
def test_archives_of_other_kinds(records, said):
    with pytest.raises(ValueError, match=said):
        td.load(entries(*records))


def test_records_that_are_there_twice():
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = entries(("a/data.pkl", program(b"N")), ("a/data.pkl", program(b"K\x01")))
    with pytest.raises(ValueError, match=r"the name 'a/data.pkl' twice"):
        td.load(file)


@pytest.mark.parametrize("folder", ["", "archive/", "../", "/", "a/b/"])
def test_the_folder_in_the_archive_is_a_name_and_no_place(folder):
    file = entries(
        (f"{folder}data.pkl", program(tensor((6,), (1,)))), (f"{folder}data/0", SIX), (f"{folder}version", "3")
    )
    assert td.load(file).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_changed_checksum():
    content = bytearray(archive(program(tensor((6,), (1,))), _0=SIX).getvalue())
    content[content.index(SIX)] ^= 1
    with pytest.raises(ValueError, match="Bad CRC-32"):
        td.load(io.BytesIO(bytes(content)))


def test_a_map_that_leads_beyond_the_file(tmp_path):
    """The length of the extra field stands in the record's own header, which no directory guards."""
    content = bytearray(archive(program(tensor((6,), (1,))), _0=SIX).getvalue())
    header = content.index(SIX) - 30 - len("archive/data/0")
    content[header + 28 : header + 30] = b"\xff\xff"
    (tmp_path / "a.pth").write_bytes(content)
    for mmap in (False, True):
        with pytest.raises(ValueError, match="damaged or of another kind"):
            td.load(tmp_path / "a.pth", mmap=mmap)


# -- by chance -----------------------------------------------------------------------------------------


def only(value, seen=None):
    """Whether a value consists of what may be built."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return True
    seen.add(id(value))
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple | set):
        return type(value) in KINDS and all(only(each, seen) for each in parts)
    return isinstance(value, (*KINDS, td.Tensor, np.dtype, type(td.float32), td.device))


WHOLE = program(
    b"}(",
    text("a") + tensor((2, 3), (3, 1)) + text("b") + tensor((6,), (1,), grad=b"\x88"),
    text("c") + b"](K\x01" + integer(-5) + integer(2**70) + integer(1.5) + b"\x88Ne",
    text("d") + name("torch._utils", "_rebuild_parameter") + b"(" + tensor((3, 2), (1, 3)) + b"\x88)tR",
    text("e") + name("collections", "OrderedDict") + b")R}" + text("_metadata") + b"}sb",
    b"u",
)
PIECES = st.one_of(
    st.sampled_from([each.code.encode("latin1") for each in pickletools.opcodes]),
    st.sampled_from(
        [name("torch", "Size"), name("builtins", "set"), name("collections", "OrderedDict"), storage(), b"h\0"]
    ),
    st.sampled_from([tensor((6,), (1,)), text("a"), b"K\x01", b"]", b"}", b"(", b"q\0", b")"]),
    st.binary(max_size=3),
)


@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), PIECES), min_size=1, max_size=4),
)
@settings(max_examples=1500)
def test_changed_pickles_give_what_may_be_built_or_an_error(changes):
    data = bytearray(WHOLE)
    for at, dropped, piece in changes:
        data[at : at + dropped] = piece
    try:
        found = td.load(archive(bytes(data), _0=SIX))
    except ValueError as error:
        assert "damaged or of another kind" in str(error)
    else:
        assert only(found)


class Oracle(pickle.Unpickler):
    """Python's own, which knows no names."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid):
        raise pickle.UnpicklingError(repr(pid))


SIMPLE = st.one_of(
    st.sampled_from([b"N", b"\x88", b"\x89", b"(", b"t", b")", b"]", b"}", b"\x8f", b"a", b"e", b"s", b"u", b"\x90"]),
    st.sampled_from([b"\x85", b"\x86", b"\x87", b"\x94", b"q\0", b"q\1", b"h\0", b"h\1", b"h\2", b"K\5", b"M\1\2"]),
    st.sampled_from(
        [text("a"), b"\x8c\1b", b"C\1c", b"G" + struct.pack(">d", 0.5), b"J\xff\xff\xff\xff", b"\x8a\1\xff"]
    ),
)


def same(a, b):
    """Whether two values are equal, with the types and the order of all their parts; nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, set):
        return a == b
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@given(parts=st.lists(SIMPLE, max_size=25))
@settings(max_examples=1500)
def test_what_is_built_is_what_python_builds(parts):
    data = program(*parts)
    try:
        found = Unpickler(data, None, None).load()
    except (ValueError, TypeError, LookupError):
        return
    assert same(found, Oracle(io.BytesIO(data)).load())


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
        lambda each: (
            st.lists(each, max_size=4)
            | st.tuples(each, each)
            | st.dictionaries(st.text(max_size=3) | st.integers(), each, max_size=3)
            | st.sets(st.integers() | st.text(max_size=3), max_size=3)
        ),
        max_leaves=20,
    ),
    protocol=st.integers(2, 5),
)
def test_what_python_pickles(value, protocol):
    assert same(td.load(archive(pickle.dumps(value, protocol))), value)


def test_refusals_are_of_one_kind():
    assert issubclass(Refused, ValueError)
