"""Reads a pickle without the module pickle: an interpreter of those opcodes that PyTorch's files are made of.

A pickle is a program for a machine with a stack. What makes one dangerous are the opcodes that import a name and call
it. Here a name is looked up in a table of the caller's and nowhere else: nothing is imported, no method of an object is
called, and what may be called is a `Function` of the table. All other opcodes make numbers, texts and containers.

Three things bound what a pickle of some size can cost. Lengths are compared with what is left of it. Containers are
counted, and so is what calls copy: a name of two bytes may stand for a list of a million. And keys are texts, numbers
and short tuples of these, as a tuple in tuples by reference could take for ever to be hashed.

Source: https://github.com/python/cpython/blob/main/Lib/pickletools.py
"""

from __future__ import annotations

import functools
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

__all__ = ["CONTAINERS", "DEEPEST", "SCALARS", "Function", "Refused", "Unpickler", "of_type", "unfit_key"]

PROTOCOLS = range(2, 6)
STATE = "in PyTorch, save what is plain: torch.save(model.state_dict(), path)"
DEEPEST = 100  # containers in one another
LONGEST_KEY = 1 << 14  # bytes or characters; of keys alone, as the next two
LONGEST_INTEGER = 1 << 10  # bits
LONGEST_TUPLE = 16  # elements
ALIKE = 64  # keys of the same hash
KEYS = (type(None), bool, int, float, complex, str, bytes)
SCALARS = (*KEYS, bytearray)
CONTAINERS = (list, tuple, set, dict, OrderedDict, Counter)


class Refused(ValueError):
    """What may be whole, but is nothing that a file may hold here; `step` says what helps."""

    def __init__(self, what: str, step: str = STATE):
        super().__init__(what)
        self.step = step


class Function:
    """What a pickle may call, under the name that it has there."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]):
        self.name, self.call = name, call


class Unpickler:
    """The machine: a stack, those below its marks, and the memo.

    Args:
        data: the pickle.
        find: what a name is that is not one of Python's: a `Function`, or a value. Raises if it is unknown.
        persistent: what an id outside of the pickle stands for.
        leaves: the types, beside `SCALARS`, of which what is loaded may consist.
    """

    def __init__(
        self,
        data: bytes,
        find: Callable[[str], Any],
        persistent: Callable[[Any], Any],
        leaves: tuple[type, ...] = (),
    ):
        self.data, self.at = data, 0
        self.find, self.persistent, self.leaves = find, persistent, leaves
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.hashes: dict[int, list[Any]] = {}
        # A byte makes a container, and another one, or more, gives it its place in the memo.
        self.containers = 1000 + len(data) // 2
        self.copies = 1000 + len(data)

    def load(self) -> Any:
        """What was pickled.

        Raises:
            Refused: it holds something else than containers, scalars and `leaves`, or asks for something else.
            Exception: of many kinds: it is no such pickle.
        """
        if self.take(1) != b"\x80" or self.byte() not in PROTOCOLS:
            raise ValueError("no pickle of protocol 2 to 5")
        while (code := self.byte()) != STOP:
            action = ACTIONS.get(code)
            if action is None:
                raise Refused(f"a pickle with the opcode {_opcode(code)}")
            action(self)
        if self.at != len(self.data) or len(self.stack) != 1 or self.marks:
            raise ValueError("a pickle that ends too early")
        return checked(self.stack[0], self.leaves)

    # -- reading ---------------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """The next bytes."""
        end = self.at + count
        if not self.at <= end <= len(self.data):
            raise ValueError(f"a pickle that speaks of {count} bytes, with {len(self.data) - self.at} to come")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self, size: int) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.take(size), "little")

    def line(self) -> str:
        end = self.data.index(b"\n", self.at)
        line = self.take(end - self.at).decode()
        self.at += 1
        return line

    # -- the stack -------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_container(self, value: Any, size: int = 1) -> None:
        self.containers -= size
        if self.containers < 0:
            raise Refused("a pickle of more containers than it names")
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        """Takes what was pushed since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def memoize(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def tuple_of(self, size: int) -> None:
        items = self.stack[-size:]
        if len(items) != size:
            raise ValueError("a pickle that takes more than there is")
        del self.stack[-size:]
        self.push_container(tuple(items))

    def text(self, size: int) -> None:
        self.push(self.take(self.number(size)).decode("utf-8", "surrogatepass"))

    def integer(self, size: int) -> None:
        length = int.from_bytes(self.take(size), "little", signed=size == 4)
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    # -- containers ------------------------------------------------------------------------------------------------

    def append(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Refused(f"a pickle that appends to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(values)

    def add(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not set:
            raise Refused(f"a pickle that adds to a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(self.keys(values))

    def set_items(self, values: list[Any]) -> None:
        if type(self.stack[-1]) not in (dict, OrderedDict):
            raise Refused(f"a pickle that sets items of a {type(self.stack[-1]).__name__}")
        self.stack[-1].update(zip(self.keys(values[::2]), values[1::2], strict=True))

    def keys(self, values: list[Any]) -> list[Any]:
        """The values, if they can be hashed and compared in a time that does not depend on the pickle."""
        for value in values:
            wrong = unfit_key(value)
            if wrong:
                raise Refused(f"{wrong} as a key")
            # Only the hashes of texts and bytes can't be foreseen; of others a file may have thousands that are equal.
            if type(value) not in (str, bytes):
                alike = self.hashes.setdefault(hash(value), [])
                if value not in alike:
                    alike.append(value)
                if len(alike) > ALIKE:
                    raise Refused(f"more than {ALIKE} keys of the same hash")
        return values

    # -- names and calls -------------------------------------------------------------------------------------------

    def name(self, module: str, name: str) -> None:
        """Pushes what a name stands for."""
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        call = PYTHON.get(full)
        self.push(self.find(full) if call is None else Function(full, functools.partial(call, self)))

    def stack_name(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(of_type(str, module), of_type(str, name))

    def reduce(self) -> None:
        """Calls a function."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Function or type(arguments) is not tuple:
            raise Refused(f"a pickle that calls a {type(function).__name__}")
        self.copies -= len(arguments)
        if self.copies >= 0:
            self.copies -= sum(len(each) for each in arguments if isinstance(each, (*CONTAINERS, str, bytes)))
        if self.copies < 0:
            raise Refused("a pickle that copies more than it holds")
        self.push_container(function.call(*arguments), 3)  # of three opcodes

    def build(self) -> None:
        """Sets the one attribute that PyTorch's files set in this way: the versions of the modules, of a state dict."""
        state = self.stack.pop()
        if type(self.stack[-1]) is not OrderedDict or type(state) is not dict or state.keys() != {"_metadata"}:
            raise Refused(f"a pickle that sets attributes of a {type(self.stack[-1]).__name__}")
        self.stack[-1].__dict__.update(state)

    def frame(self) -> None:
        if self.number(8) > len(self.data) - self.at:
            raise ValueError("a pickle with a frame that is longer than it")


def unfit_key(value: Any) -> str:
    """Says what is wrong with a key, if it is not cheap to hash and to compare."""
    parts = value if type(value) is tuple else (value,)
    for part in parts:
        if type(part) not in KEYS:
            return f"a {type(part).__name__}"
        if type(part) in (str, bytes) and len(part) > LONGEST_KEY:
            return f"a {type(part).__name__} of length {len(part)}"
        if type(part) is int and part.bit_length() > LONGEST_INTEGER:
            return f"an integer of {part.bit_length()} bits"
    return f"a tuple of {len(parts)}" if len(parts) > LONGEST_TUPLE else ""


def of_type(kind: type, value: Any) -> Any:
    """A value, if it is of that type, and of no subclass."""
    if type(value) is not kind:
        raise Refused(f"a {type(value).__name__} in the place of a {kind.__name__}")
    return value


def _encoded(_: Unpickler, text: Any, coding: Any) -> bytes:
    if coding != "latin1":
        raise Refused("bytes that are not written as latin1")
    return bytes(of_type(str, text), "latin1")


# What is Python's own, under Python 3's names. Protocol 2 has no opcode for bytes and for sets.
PYTHON: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encoded,
    "builtins.bytearray": lambda _, content=b"": bytearray(of_type(bytes, content)),
    "builtins.bytes": lambda _: b"",
    "builtins.complex": lambda _, real, imag: complex(of_type(float, real), of_type(float, imag)),
    "builtins.set": lambda machine, items: set(machine.keys(of_type(list, items))),
    "collections.Counter": lambda _, counts: Counter(of_type(dict, counts)),
    "collections.OrderedDict": lambda _: OrderedDict(),
}
STOP = ord(".")
ACTIONS: dict[int, Callable[[Unpickler], None]] = {
    code[0]: action
    for code, action in {
        b"(": Unpickler.mark,
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"K": lambda m: m.push(m.byte()),
        b"M": lambda m: m.push(m.number(2)),
        b"J": lambda m: m.push(struct.unpack("<i", m.take(4))[0]),
        b"\x8a": lambda m: m.integer(1),
        b"\x8b": lambda m: m.integer(4),
        b"G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        b"\x8c": lambda m: m.text(1),
        b"X": lambda m: m.text(4),
        b"\x8d": lambda m: m.text(8),
        b"C": lambda m: m.push(m.take(m.byte())),
        b"B": lambda m: m.push(m.take(m.number(4))),
        b"\x8e": lambda m: m.push(m.take(m.number(8))),
        b"\x96": lambda m: m.push(bytearray(m.take(m.number(8)))),
        b")": lambda m: m.push(()),
        b"\x85": lambda m: m.tuple_of(1),
        b"\x86": lambda m: m.tuple_of(2),
        b"\x87": lambda m: m.tuple_of(3),
        b"t": lambda m: m.push_container(tuple(m.since_mark())),
        b"]": lambda m: m.push_container([]),
        b"a": lambda m: m.append([m.stack.pop()]),
        b"e": lambda m: m.append(m.since_mark()),
        b"}": lambda m: m.push_container({}),
        b"s": lambda m: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
        b"u": lambda m: m.set_items(m.since_mark()),
        b"\x8f": lambda m: m.push_container(set()),
        b"\x90": lambda m: m.add(m.since_mark()),
        b"q": lambda m: m.memoize(m.byte()),
        b"r": lambda m: m.memoize(m.number(4)),
        b"\x94": lambda m: m.memoize(len(m.memo)),
        b"h": lambda m: m.push(m.memo[m.byte()]),
        b"j": lambda m: m.push(m.memo[m.number(4)]),
        b"c": lambda m: m.name(m.line(), m.line()),
        b"\x93": Unpickler.stack_name,
        b"R": Unpickler.reduce,
        b"b": Unpickler.build,
        b"Q": lambda m: m.push(m.persistent(m.stack.pop())),
        b"\x95": Unpickler.frame,
    }.items()
}


def _opcode(code: int) -> str:
    """The name of an opcode."""
    import pickletools

    return next((each.name for each in pickletools.opcodes if each.code == chr(code)), f"0x{code:02x}")


def checked(value: Any, leaves: tuple[type, ...]) -> Any:
    """A value, if it consists of scalars, of these types, and of containers, not too many in one another.

    Each object is looked at once, however often others refer to it.
    """
    heights: dict[int, int] = {}  # of containers; 0 for those that are being looked into
    left = [value]
    while left:
        each = left[-1]
        height = heights.get(id(each))
        if type(each) not in CONTAINERS or height:
            if type(each) not in CONTAINERS + SCALARS and not isinstance(each, leaves):
                raise Refused(f"{_described(each)} by itself")
            left.pop()
            continue
        parts = [*each.keys(), *each.values()] if isinstance(each, dict) else list(each)
        parts += getattr(each, "__dict__", {}).values()  # of an OrderedDict
        inner = [part for part in parts if type(part) in CONTAINERS]
        if height is None:
            heights[id(each)] = 0
            if any(heights.get(id(part)) == 0 for part in inner):
                raise Refused("a container that contains itself")
            left += [part for part in parts if id(part) not in heights]
        else:
            left.pop()
            heights[id(each)] = 1 + max((heights[id(part)] for part in inner), default=0)
            if heights[id(each)] > DEEPEST + 1:
                raise Refused(f"more than {DEEPEST} containers in one another")
    return value


def _described(value: Any) -> str:
    return f"the function {value.name}" if type(value) is Function else f"a {type(value).__name__}"
