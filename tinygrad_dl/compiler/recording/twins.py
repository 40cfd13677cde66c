"""Functions with hooks: of a function another one, compiled from its instrumented source.

It has the globals, the closure and the defaults of the original. The source is parsed when a function is first met, and
what came of it is kept for the process.
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
    """The functions in the source of a file, by first line and name, each with the class it is defined in."""

    def __init__(self, filename: str):
        self.lines = linecache.getlines(filename)
        try:
            self.tree: Any = ast.parse("".join(self.lines))
        except (SyntaxError, ValueError):
            self.tree = ast.Module([], [])
        self.functions: dict[tuple[int, str], list[tuple[Any, str]]] = {}
        self.lambdas: dict[int, list[tuple[Any, str]]] | None = None
        self._find(self.tree.body, "")

    def _find(self, body: list[Any], inside: str) -> None:
        for node in body:
            kind = type(node)
            if kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
                first = node.decorator_list[0] if node.decorator_list else node
                self.functions.setdefault((first.lineno, node.name), []).append((node, inside))
                self._find(node.body, inside)
            elif kind is ast.ClassDef:
                self._find(node.body, node.name)
            elif kind not in SIMPLE:
                for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                    self._find(getattr(node, part, ()), inside)  # type: ignore[arg-type]

    def candidates(self, line: int, name: str) -> list[tuple[Any, str]]:
        """The functions that begin in a line."""
        if name != "<lambda>":
            return self.functions.get((line, name), [])
        if self.lambdas is None:
            self.lambdas = {}
            todo: list[tuple[Any, str]] = [(self.tree, "")]
            for node, inside in todo:
                if type(node) is ast.Lambda:
                    self.lambdas.setdefault(node.lineno, []).append((node, inside))
                inside = node.name if type(node) is ast.ClassDef else inside
                todo += [(child, inside) for child in ast.iter_child_nodes(node) if type(child) not in LEAVES]
        return self.lambdas.get(line, [])


SIMPLE = frozenset(
    (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Import, ast.ImportFrom, ast.Pass)
)
LEAVES = frozenset((ast.Name, ast.Constant, ast.Load, ast.Store, ast.alias))


def file_of(filename: str) -> File:
    found = _files.get(filename)
    if found is None:
        found = _files[filename] = File(filename)
    return found


def _make(code: types.CodeType, users: bool) -> Made | None:
    if HOOKS in code.co_freevars:  # made inside of an instrumented function, perhaps of another run
        return Made(code, tuple([-1 if name == HOOKS else i for i, name in enumerate(code.co_freevars)]), users)
    generated = code.co_filename.startswith("<tinygrad_dl ")
    file = file_of(code.co_filename)
    name = "generated" if generated else code.co_name
    candidates = [each for each in file.candidates(code.co_firstlineno, name) if fits(each[0], code)]
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
