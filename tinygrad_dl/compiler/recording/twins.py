"""Functions with hooks: of a function another one, compiled from its instrumented source.

It has the globals, the closure and the defaults of the original. Its source is parsed when it is first met, and what
came of it is kept for the process.
"""

from __future__ import annotations

import ast
import linecache
import types
from collections.abc import Callable
from typing import Any, NamedTuple

from tinygrad_dl.compiler.recording.transform import HOOKS, instrumented

Hooks = Any


class Made(NamedTuple):
    """The instrumented code of a function."""

    code: types.CodeType
    variables: tuple[int, ...]  # where each variable of its closure stands in that of the original; -1: the hooks
    users: bool


# By the id of the code, which is kept, so that no other gets its id.
_made: dict[int, tuple[types.CodeType, Made | None]] = {}
_files: dict[str, File] = {}
FUTURE = 0x1FE0000  # the flags of compile() that a code keeps in its own


def code_of(function: types.FunctionType, users: bool) -> Made | None:
    """The instrumented code of a function; None if there is no source."""
    code = function.__code__
    found = _made.get(id(code))
    if found is None:
        found = _made[id(code)] = code, _make(code, users)
    return found[1]


def twin(function: types.FunctionType, made: Made, hooks: Hooks) -> Callable[..., Any]:
    """The function with instrumented code."""
    closure = function.__closure__ or ()
    cells = tuple([types.CellType(hooks) if i < 0 else closure[i] for i in made.variables])
    new = types.FunctionType(made.code, function.__globals__, function.__name__, function.__defaults__, cells)
    new.__kwdefaults__ = function.__kwdefaults__
    return new


class File:
    """The source of a file, of which those statements are parsed whose functions are met."""

    def __init__(self, filename: str):
        self.lines = linecache.getlines(filename)
        self.parsed: dict[tuple[int, int], list[tuple[Any, str]]] = {}

    def candidates(self, code: types.CodeType, name: str) -> list[tuple[Any, str]]:
        """The functions of a name that begin where a code does, each with the class it is defined in."""
        line = code.co_firstlineno
        found: list[tuple[Any, str]] = []
        for start, stop in (self.statement(line), (0, len(self.lines))):  # all, if a text looked like a statement
            if (start, stop) not in self.parsed:
                self.parsed[start, stop] = functions_in("\n" * start + "".join(self.lines[start:stop]))
            for node, inside in self.parsed[start, stop]:
                first = getattr(node, "decorator_list", None) or [node]
                if first[0].lineno == line and getattr(node, "name", "<lambda>") == name and fits(node, code):
                    found.append((node, inside))
            if found:
                break
        return found

    def statement(self, line: int) -> tuple[int, int]:
        """The lines, counted from 0, of the outermost statement that a line belongs to."""
        start = min(line, len(self.lines)) - 1
        while start > 0 and not begins(self.lines[start]):
            start -= 1
        stop = start
        while stop < len(self.lines) - 1 and self.lines[stop].startswith("@"):  # to what is decorated
            stop += 1
            while stop < len(self.lines) - 1 and not begins(self.lines[stop]):
                stop += 1
        stop += 1
        while stop < len(self.lines) and not begins(self.lines[stop]):
            stop += 1
        return max(start, 0), stop


def begins(line: str) -> bool:
    """Whether a line seems to begin an outermost statement."""
    return line[:1] not in " \t\r\n)]}#" and not line.startswith(("else", "elif", "except", "finally"))


def functions_in(source: str) -> list[tuple[Any, str]]:
    """The functions of a source, each with the class it is defined in; those within others after them."""
    try:
        todo: list[tuple[Any, str]] = [(ast.parse(source), "")]
    except (SyntaxError, ValueError):
        return []
    found = []
    for node, inside in todo:  # which grows meanwhile
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found.append((node, inside))
        inside = node.name if type(node) is ast.ClassDef else inside
        todo += [(child, inside) for child in ast.iter_child_nodes(node) if type(child) not in LEAVES]
    return found


LEAVES = frozenset((ast.Name, ast.Constant, ast.Load, ast.Store, ast.alias))


def file_of(filename: str) -> File:
    found = _files.get(filename)
    if found is None or found.lines != linecache.getlines(filename):  # a cell or a file may have been written anew
        found = _files[filename] = File(filename)
    return found


def _make(code: types.CodeType, users: bool) -> Made | None:
    if HOOKS in code.co_freevars:  # made inside of an instrumented function, perhaps of another run
        return Made(code, tuple([-1 if name == HOOKS else i for i, name in enumerate(code.co_freevars)]), users)
    generated = code.co_filename.startswith("<tinygrad_dl ")
    file = file_of(code.co_filename)
    name = "generated" if generated else code.co_name
    candidates = file.candidates(code, name)
    if not candidates:
        return None
    node, inside = candidates[-1]  # of lambdas in each other the innermost
    found: Any = ast.parse(text_of(file.lines, node)).body[0]
    if isinstance(found, ast.If):
        found = found.body[0]
    elif isinstance(found, ast.Expr):
        found = found.value
    found = instrumented(found, users, frozenset(code.co_freevars))
    free = [name for name in code.co_freevars if name != "__class__"]
    wrapped: list[Any] = [ast.Expr(found) if isinstance(found, ast.Lambda) else found]
    if not isinstance(found, ast.Lambda):
        found.name = "_recorded"  # its own name is a global variable
    if inside:  # names with two underscores in front are the class's own
        wrapped = [ast.ClassDef(inside, [], [], wrapped, [])]
        if inside not in free:
            wrapped.insert(0, ast.Global([inside]))
    names = [ast.copy_location(ast.arg(each), found) for each in (HOOKS, *free)]
    outer = ast.FunctionDef("outer", ast.arguments([], names, None, [], [], None, []), wrapped, [], None)
    for each in wrapped:
        ast.copy_location(each, found)
    module = ast.Module([ast.copy_location(outer, found)], [])
    compiled: Any = compile(module, code.co_filename, "exec", flags=code.co_flags & FUTURE, dont_inherit=True)
    for _ in range(3 if inside else 2):
        compiled = next(each for each in compiled.co_consts if isinstance(each, types.CodeType))
    compiled = compiled.replace(co_name=code.co_name, co_qualname=code.co_qualname)
    places = {name: i for i, name in enumerate(code.co_freevars)}
    return Made(compiled, tuple([places.get(name, -1) for name in compiled.co_freevars]), users)


def fits(node: Any, code: types.CodeType) -> bool:
    """Whether a code may come from this node: several lambdas may begin in one line."""
    arguments = node.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    if tuple(names) != code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return False
    if not isinstance(node, ast.Lambda):
        return True
    body = node.body
    start, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    return all(start <= (line, column) < end for line, _, column, _ in code.co_positions() if line and column)


def text_of(lines: list[str], node: Any) -> str:
    """The source of a function alone, in the lines where it stands."""
    if isinstance(node, ast.Lambda):
        first, *rest = [line.encode() for line in lines[node.lineno - 1 : node.end_lineno]]
        if rest:
            rest[-1] = rest[-1][: node.end_col_offset]
            first = first[node.col_offset :]
        else:
            first = first[node.col_offset : node.end_col_offset]
        return "".join(["\n" * (node.lineno - 1), "(", b"".join([first, *rest]).decode(), ")"])
    body = lines[node.lineno - 1 : node.end_lineno]
    indented = body[0][:1].isspace()
    return "".join(["\n" * (node.lineno - 1 - indented), "if 1:\n" * indented, *body])
