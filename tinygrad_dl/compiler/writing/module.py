"""The text of a program: arrays made once, and a function of one line for each call."""

from __future__ import annotations

import builtins
import linecache
import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_dl.compiler.arrays import memory_of, shown
from tinygrad_dl.compiler.passes.uses import contiguous, flat, scalars_made, scalars_read, span
from tinygrad_dl.compiler.program import Buffer, Call, Constant, Program, Scalar, View
from tinygrad_dl.compiler.writing.layout import Layout
from tinygrad_dl.compiler.writing.lines import Writer
from tinygrad_dl.compiler.writing.names import Names
from tinygrad_dl.compiler.writing.views import whole_of, written

LONG = 60  # letters: a number whose text is no longer stands where it is used, if that is in one place


@dataclass
class Text:
    """A program as text, and what the text refers to."""

    source: str
    outside: dict[str, np.ndarray]  # the arrays that live on, by name
    things: dict[str, Any]  # what is neither NumPy's nor Python's, by name
    numpy: list[str]  # the names that come from NumPy
    arrays: dict[Buffer, str]  # how the arrays of whole buffers are called
    functions: list[str]  # "step", or "step" and "step_backward"
    lanes: bool = False
    guarded: bool = False
    notes: dict[str, str] = field(default_factory=dict)


class Module:
    """Makes the text of a program for memory that is laid out.

    Args:
        program: after all passes. layout: the places of its buffers. memory: the block that they lie in.
    """

    def __init__(self, program: Program, layout: Layout, memory: np.ndarray):
        self.program, self.layout, self.memory = program, layout, memory
        self.names = Names()
        self.function = self.names.new(program.name or "step")
        self.parameters = [self.names.new(view.buffer.name or "x") for view in program.arguments]
        self.writer = Writer(self.view, self.thing, self.small, self.slot)
        self.outside: dict[str, np.ndarray] = {}
        self.things: dict[str, Any] = {}
        self.numpy: dict[str, Any] = {}
        self.known: dict[int, str] = {}  # things by their id
        self.smalls: dict[tuple[str, np.dtype[Any]], str] = {}
        self.views: dict[View, str] = {}
        self.shown: dict[Buffer, list[View]] = {}  # the views of a buffer, in order of their first use
        self.bases: dict[Buffer, tuple[str, np.ndarray]] = {}
        self.lines_of_arrays: dict[Buffer, list[str]] = {}
        self.parts: dict[Buffer, list[tuple[str, np.ndarray, int]]] = {}
        self.introduced: set[Buffer] = set()
        self.lane_functions: list[str] = []
        self.constants: list[str] = []
        self.slots: list[str] = []
        self.collect()

    # What is used

    def collect(self) -> None:
        program = self.program
        for number in program.numbers:
            self.writer.scalars[number.scalar.name] = self.names.new(number.name)
        for call in flat(program.calls):
            for name in scalars_made(call):
                if name not in self.writer.scalars:
                    self.writer.scalars[name] = self.names.new("s", numbered=True)
        self.writer.pythons = pythons(program)
        seen: dict[Buffer, dict[View, None]] = {}
        for view in program.arguments:
            seen.setdefault(view.buffer, {})[view] = None
        makers: dict[Buffer, Call] = {}
        for call in flat(program.calls):
            for view in call.writes():
                makers.setdefault(view.buffer, call)
            for view in (*call.writes(), *call.reads()):
                seen.setdefault(view.buffer, {})[view] = None
        for result in program.results:
            if type(result) is View:
                seen.setdefault(result.buffer, {})[result] = None
        self.shown = {buffer: list(views) for buffer, views in seen.items()}
        for buffer in self.shown:
            self.introduce(buffer, makers.get(buffer))

    def introduce(self, buffer: Buffer, maker: Call | None) -> None:
        """Gives a buffer a name, and the lines that make its array."""
        base = whole_of(buffer, self.shown[buffer])
        if buffer.kind == "outside":
            several = sum(view.buffer is buffer for view, _ in self.program.titles) > 1
            name = self.names.new("parameters" if several else buffer.name or "constant", numbered=not buffer.name)
            array = shown(base, memory_of(buffer))
            self.outside[name] = array
            text = f"outside[{name!r}]"
        else:
            name = self.names.new(_wish(buffer, maker), numbered=not buffer.name)
            if self.layout.offsets.get(buffer) is None:
                array = np.empty(base.shape, base.dtype)
                text = f"array(0, {base.shape}, {self.dtype(base.dtype)})"
            else:
                offset = self.layout.offsets[buffer]
                array = (
                    np.ndarray(base.shape, base.dtype, self.memory, offset)
                    if buffer.nbytes
                    else np.empty(base.shape, base.dtype)
                )
                text = f"array({offset}, {base.shape}, {self.dtype(base.dtype)})"
        self.bases[buffer] = name, array
        self.views[base] = name
        self.lines_of_arrays[buffer] = [
            f"{name} = {text}" + (f"  # {described(base)}" if buffer.kind == "outside" else "")
        ]

    # Names of what calls use

    def view(self, view: View) -> str:
        """The name of a view; the line that makes it, at its first use."""
        found = self.views.get(view)
        if found is None:
            name, array, origin = self.part(view)
            how = written(view._replace(offset=view.offset - origin), name, array, self.dtype(view.dtype))
            if how.text == name:
                found = name
            else:
                found = self.names.new(name + how.ending)
                for word in ("broadcast_to",):
                    if how.text.startswith(word):
                        self.thing(getattr(np, word))
                self.lines_of_arrays[view.buffer].append(f"{found} = {how.text}")
            self.views[view] = found
        return found

    def part(self, view: View) -> tuple[str, np.ndarray, int]:
        """The array from which a view is made, its name, and where it begins: of a parameter, if memory has several."""
        name, whole = self.bases[view.buffer]
        first, last = span(view)
        for title, array, start in self.titled(view.buffer) if 0 not in view.shape else ():
            if start <= first and last <= start + array.nbytes and array.nbytes < whole.nbytes:
                if title not in self.views.values():
                    place = next(v for v, each in self.program.titles if v.buffer is view.buffer and v.offset == start)
                    self.views[place] = title
                    how = written(place, name, whole, self.dtype(place.dtype))
                    self.lines_of_arrays[view.buffer].append(f"{title} = {how.text}  # {described(place)}")
                return title, array, start
        return name, whole, 0

    def titled(self, buffer: Buffer) -> list[tuple[str, np.ndarray, int]]:
        """The names, arrays and places of what a buffer consists of."""
        if buffer not in self.parts:
            whole = self.bases[buffer][1].reshape(-1).view(np.uint8)
            found = [(view, title) for view, title in self.program.titles if view.buffer is buffer and contiguous(view)]
            self.parts[buffer] = [(self.names.new(title), shown(view, whole), view.offset) for view, title in found]
        return self.parts[buffer]

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """The name of a dtype."""
        return self.thing(dtype)

    def thing(self, value: Any) -> str:
        """The name of a function, a dtype or whatever else a call refers to."""
        if isinstance(value, np.dtype) and value == np.dtype(value.type):
            value = value.type
        found = self.known.get(id(value))
        if found is not None:
            return found
        wish = (
            "constant" if isinstance(value, np.ndarray) else str(getattr(value, "__name__", "")) or type(value).__name__
        )
        if getattr(builtins, wish, None) is value:
            found = wish
        elif getattr(np, wish, None) is value:
            wish = "bool_" if value is np.bool_ else wish
            found = f"np.{wish}" if hasattr(builtins, wish) else wish
            self.numpy[found] = value
        else:
            constant = isinstance(value, np.ndarray)
            found = self.names.new("constant" if constant else wish.strip("<>_"), numbered=constant)
            if constant:
                self.outside[found] = value
                self.constants.append(f"{found} = outside[{found!r}]  # {value.dtype} {value.shape}")
            else:
                self.things[found] = value
        self.known[id(value)] = found
        return found

    def small(self, value: float, dtype: np.dtype[Any]) -> str:
        """The name of a number as a 0-d array."""
        key = repr(value), dtype
        if key not in self.smalls:
            if not math.isfinite(abs(value)):
                self.numpy[repr(value).lstrip("-")] = value
            wish = "c" + repr(value).replace("-", "_minus_" if value < 0 else "m").replace(".", "_").replace("+", "")
            self.smalls[key] = self.names.new(wish.removesuffix("_0"))
        return self.smalls[key]

    def slot(self, dtype: np.dtype[Any]) -> str:
        """The name of a new 0-d array, for a number that differs from run to run."""
        name = self.names.new("number", numbered=True)
        self.slots.append(f"{name} = number(0, {self.dtype(dtype)})")
        return name

    # The text

    def text(self) -> Text:
        """The whole."""
        program, calls = self.program, self.program.calls
        middle = len(calls) if program.boundary is None else program.boundary
        given, back = len(program.arguments) - program.seeds, len(program.results) - program.gradients
        self.second = calls[middle:]
        functions = [self.body(self.function, calls[:middle], range(given), program.results[:back], self.second)]
        names = [self.function]
        if program.boundary is not None:
            names.append(self.names.new(f"{self.function}_backward"))
            seeds = range(given, len(program.arguments))
            functions.append(self.body(names[1], self.second, seeds, program.results[back:], []))
        numbers = [f"{name} = number({value}, {self.dtype(dtype)})" for (value, dtype), name in self.smalls.items()]
        numbers += self.slots
        sections = [self.section_of_imports()]
        lasting = self.constants + [
            line for b, lines in self.lines_of_arrays.items() if b.kind == "outside" for line in lines
        ]
        own = [line for b, lines in self.lines_of_arrays.items() if b.kind != "outside" for line in lines]
        if lasting:
            sections.append(["# Memory that lives on.", *lasting])
        if own:
            size, before = f"{self.layout.nbytes:,}", f"{self.layout.unshared:,}"
            note = f"# Memory for what is made on the way: {size} bytes"
            sections.append([note + (f", shared by what would be {before}." if size != before else "."), *own])
        if numbers:
            sections.append(["# Numbers, as arrays: NumPy takes these faster.", *numbers])
        text = "\n\n".join("\n".join(section) for section in sections if section)
        text = (
            "\n\n\n".join([*filter(None, [text]), *self.lane_functions, *("\n".join(lines) for lines in functions)])
            + "\n"
        )
        guarded = any(call.form == "guard" for call in flat(calls))
        arrays = {buffer: name for buffer, (name, _) in self.bases.items()}
        return Text(
            text, self.outside, self.things, sorted(self.numpy), arrays, names, bool(self.lane_functions), guarded
        )

    def section_of_imports(self) -> list[str]:
        lines, line = [], ""
        first = ["import numpy as np"] if any(name.startswith("np.") for name in self.numpy) else []
        names = [name for name in self.numpy if not name.startswith("np.")]
        for name in sorted(names, key=lambda name: (name.lower(), name)):
            if line and len(line) + len(name) > 95:
                lines.append(line)
                line = ""
            line += f", {name}" if line else name
        lines.append(line)
        if len(lines) == 1:
            return [*first, f"from numpy import {line}"] if line else first
        return [*first, "from numpy import (", *(f"    {line}," for line in lines), ")"]

    def body(self, name: str, calls: list[Call], given: range, results: list[Any], later: list[Call]) -> list[str]:
        """A function: the arguments are copied in, the calls made, the results handed out."""
        program = self.program
        parameters = [self.parameters[i] for i in given]
        numbers = (
            [self.writer.scalars[number.scalar.name] for number in program.numbers] if calls is not self.second else []
        )
        lines = [f"def {name}({', '.join(parameters + numbers)}):", *self.explained(given, results)]
        crossing = self.crossing(calls, later)
        kept = {n.scalar.name: self.names.new(f"{n.name} kept") for n in program.numbers if n.scalar.name in crossing}
        whole = sorted([self.writer.scalars[n] for n in crossing if n not in kept] + [*kept.values()])
        if whole:
            lines.append(f"    global {', '.join(whole)}")
        lines += [f"    {there} = {self.writer.scalars[n]}" for n, there in kept.items()]
        for i in given:
            lines.append(f"    {self.view(program.arguments[i])}[...] = {self.parameters[i]}")
        lines += self.statements(calls, results, crossing)
        written_to = {view.buffer for call in calls for view in call.writes()}
        for i in given:
            if program.arguments[i].buffer in written_to:
                lines.append(f"    {self.parameters[i]}[...] = {self.view(program.arguments[i])}")
        handed = [self.handed_out(result, given) for result in results]
        self.writer.scalars.update(kept)
        if handed:
            lines.append(f"    return {', '.join(handed)}{',' if len(handed) == 1 else ''}")
        return lines

    def crossing(self, calls: list[Call], later: list[Call]) -> set[str]:
        """The numbers of the forward pass that the backward pass reads."""
        if later is not self.second:
            return set()
        made = {n for call in flat(calls) for n in scalars_made(call)} | {n.scalar.name for n in self.program.numbers}
        back = self.program.results[len(self.program.results) - self.program.gradients :]
        read = {n for call in flat(later) for n in scalars_read(call)}
        return made & (read | {result.name for result in back if type(result) is Scalar})

    def explained(self, given: range, results: list[Any]) -> list[str]:
        """The docstring of a function."""
        takes = [f"{self.parameters[i]}: {described(self.program.arguments[i])}" for i in given]
        makes = [described(result) if type(result) is View else "a number" for result in results]
        sentences = ["; ".join(takes) + "." if takes else "", f"Returns {'; '.join(makes)}." if makes else ""]
        found = " ".join(filter(None, sentences)) or "Changes the memory that lives on."
        return (
            [f'    """{found}"""']
            if len(found) < 110
            else [f'    """{sentences[0]}', "", f"    {sentences[1]}", '    """']
        )

    def handed_out(self, result: Any, given: range) -> str:
        """The text of a result: a copy of what the next run writes over; what lives on, and arguments, as they are."""
        if type(result) is not View:
            return self.writer.operand(result)
        for i in given:
            if result == self.program.arguments[i]:
                return self.parameters[i]
        name = self.view(result)
        order = "" if contiguous(result) else "'K'"
        return name if result.buffer.kind == "outside" else f"{name}.copy({order})"

    def statements(self, calls: list[Call], results: list[Any], crossing: set[str]) -> list[str]:
        """The lines of calls."""
        lines: list[str] = []
        uses: dict[str, int] = {}
        for call in flat(calls):
            for name in scalars_read(call):
                uses[name] = uses.get(name, 0) + 1
        for result in results:
            if type(result) is Scalar:
                uses[result.name] = uses.get(result.name, 0) + 2
        self.once = {name for name, count in uses.items() if count == 1 and name not in crossing}
        restore = self.restoring(calls)
        place = where = ""
        for call in calls:
            if call.line and call.line != where:
                where, place = call.line, ""
                lines += ["", f"    # {quoted(where)}"]
            if call.place != place:
                place = call.place
                if place:
                    lines.append(f"    # {place}")
            for line in self.statement(call, restore):
                lines.append(f"    {line}")
        return lines

    def restoring(self, calls: list[Call]) -> list[str]:
        """The numbers that are generators of which a draw stands before a guard."""
        found: dict[str, None] = {}
        drawn: dict[str, None] = {}
        numbers = self.program.numbers
        origins = {n.scalar.name: n.scalar.name for n in numbers if hasattr(n.read(), "bit_generator")}
        for call in flat(calls):
            read = [origins[name] for name in scalars_read(call) if name in origins]
            if call.form == "guard":
                found.update(drawn)
            elif call.effect:
                drawn.update(dict.fromkeys(read))
            elif read and type(call.out) is Scalar:  # part of a generator
                origins[call.out.name] = read[0]
        self.origins, self.drawing = origins, set(found)
        return [self.writer.scalars[name] for name in found]

    def statement(self, call: Call, restore: list[str]) -> Iterator[str]:
        """The lines of one call."""
        if call.form == "lanes":
            yield from self.lanes(call)
            return
        if call.form == "guard":
            yield self.writer.line_of_guard(call)
            for generator in restore:
                yield f"    {generator}.bit_generator.state = {generator}_before"
            yield f"    raise Stopped({call.place!r})"
            return
        for name in map(self.origins.get, scalars_read(call) if call.effect else ()):
            if name in self.drawing:
                generator = self.writer.scalars[name]
                yield f"{generator}_before = {generator}.bit_generator.state"
                self.drawing.discard(name)
        if call.form == "scalar":
            assert type(call.out) is Scalar
            text = self.writer.expression(call)
            if call.out.name in self.once and len(text) <= LONG:
                self.writer.scalars[call.out.name] = text
            else:
                yield f"{self.writer.scalars[call.out.name]} = {text}"
            return
        line = self.writer.line(call) + self.note(call)
        yield from self.writer.before
        self.writer.before.clear()
        yield line

    def lanes(self, call: Call) -> Iterator[str]:
        """Functions, and the line that runs them at the same time."""
        names = []
        for lane in call.lanes:
            name = self.names.new("lane", numbered=True)
            lines = []
            for inner in lane:
                for line in self.statement(inner, []):
                    lines.append(f"    {line}")
            made = [self.writer.scalars[n] for inner in lane for n in scalars_made(inner)]
            assigned = sorted(text for text in made if text.isidentifier())  # others stand where they are used
            lines[:0] = [f"def {name}():", *([f"    global {', '.join(assigned)}"] if assigned else [])]
            names.append(name)
            if any(True for inner in lane for _ in scalars_read(inner)):
                yield from lines
            else:
                self.lane_functions.append("\n".join(lines))
        yield f"at_once({', '.join(names)})"

    def note(self, call: Call) -> str:
        """What an array is, at the line that makes it."""
        if type(call.out) is not View or call.out.buffer in self.introduced:
            return ""
        self.introduced.add(call.out.buffer)
        return f"  # {described(call.out)}" if call.out.buffer.kind == "inside" else ""


def pythons(program: Program) -> set[str]:
    """The names of the numbers that are Python's int or float in each run."""
    found = {number.scalar.name for number in program.numbers if type(number.read()) in (int, float)}
    lists: set[str] = set()
    for call in flat(program.calls):
        if type(call.out) is not Scalar:
            continue
        name, names = call.out.name, set(scalars_read(call))
        if call.function is np.ndarray.tolist:
            lists.add(name)
        elif call.function in (np.ndarray.item, float, int) or (call.function is operator.getitem and names & lists):
            found.add(name)
        elif call.form == "scalar" and getattr(operator, call.function.__name__, None) is call.function:
            numbers = [operand.value for operand in call.arguments if type(operand) is Constant]
            if names <= found and all(type(number) in (int, float) for number in numbers):
                found.add(name)
    return found


def described(view: View) -> str:
    """The dtype and the shape of a view."""
    return f"{view.dtype} {view.shape if view.shape else 'number'}"


def quoted(line: str) -> str:
    """A line of the user's program: the file's name, the number, and what stands there."""
    path, _, number = line.rpartition(":")
    if not path or not number.isdigit():
        return line
    text = linecache.getline(path, int(number)).strip()
    name = path.replace("\\", "/").rpartition("/")[2]
    return f"{name}:{number}  {text}".rstrip()


def _wish(buffer: Buffer, maker: Call | None) -> str:
    """The name that a buffer of the step's own would like to have."""
    if buffer.kind == "argument":
        return f"{buffer.name or 'x'} in"
    if buffer.name or buffer.kind == "scratch":
        return buffer.name or "work"
    place = (maker.place if maker is not None else "").split(",")
    word = place[0].split(" ")[-1] or "a"
    return f"grad {word}" if len(place) > 1 and "backward" in place[1] else word
