"""Checks an exercise blank by blank: which one is wrong, and how.

    python examples/exercises/backward.py                               an exercise checks itself
    python examples/exercises/checker.py                                all of them, one after the other
    python examples/exercises/checker.py my_copy/backward.py            any copy of one, by the name of its file

Each blank is tried by itself: all other blanks of the file are taken as filled in rightly, so a mistake in one does not
spoil those after it. The exit status is 0 if all blanks are right, otherwise 1.
"""

from __future__ import annotations

import ast
import copy
import importlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

try:
    import numpy as np
    from compare import Difference, difference, no_numbers
except ImportError as error:
    raise SystemExit(
        f"The checker needs tinygrad_dl, which this Python does not find ({error}).\n"
        f"Install it from the folder that holds pyproject.toml, `{sys.executable} -m pip install .`, "
        "or let `make test` make .venv and use its Python."
    ) from None

import blanks

NAMES = (
    *("forward", "backward", "initialisation", "dropout"),
    *("gradient_check", "adam", "batch_norm", "convolution"),
)
"""The exercises, in the order of the course."""

Check = Callable[["Probe"], Iterator["Difference | None"]]


class Attempt:
    """A student's file, taken apart into what is given and the blanks.

    Raises:
        blanks.Damaged: the markers of a blank are missing, or what stands outside the blanks cannot be run.
    """

    def __init__(self, path: Path):
        self.path = path
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.blanks = blanks.find(self.lines)
        for number in checks_of(path.stem)[0]:
            if number not in self.blanks:
                raise blanks.Damaged(f"the lines that mark blank {number} are missing; put them back as they were")
        try:
            exec(compile(self.source(0, set()), str(path), "exec"), {"__name__": "exercise"})
        except Exception as error:
            line = error.lineno if isinstance(error, SyntaxError) else _where(error.__traceback__, str(path))[0]
            raise blanks.Damaged(f"line {line}, outside the blanks, raises {type(error).__name__}: {error}") from None

    def changed_line(self) -> int | None:
        """The first line, counted from 1, that was changed outside the blanks; not known without the solutions."""
        solution = blanks.FOLDER / "solutions" / self.path.name
        if not solution.is_file():
            return None
        original = blanks.exercise(solution.read_text(encoding="utf-8")).split("\n")
        given = blanks.outside(original)
        end = next(i for i, (_, line) in enumerate(given) if line.startswith("if __name__"))
        for (number, line), (_, expected) in zip(blanks.outside(self.lines), given[:end], strict=False):
            if line != expected:
                return number
        return None

    def source(self, number: int, given: set[str]) -> str:
        """The file with each blank but one filled with what is right, and that one followed by a look at its variables.

        With 0 as the number, all blanks are left out.
        Line numbers stay as they are: what is added stands in the marker lines.
        """
        lines = list(self.lines)
        for blank in self.blanks.values():
            if blank.number == number:
                lines[blank.end] = f"{blank.indent}__seen__(locals())"
                continue
            filled = [f"{name} = __given__({name!r}, locals())" for name in blank.names if name in given]
            lines[blank.start : blank.end] = [""] * (blank.end - blank.start)
            lines[blank.start] = blank.indent + "; ".join(filled or ["pass"])
        return "\n".join(lines)


class Result:
    """What the variables of a blank were each time it was passed, and what went wrong, if anything did."""

    def __init__(self, passages: list[dict[str, Any]], failure: Difference | None):
        self.passages, self.failure = passages, failure

    def __getitem__(self, name: str) -> Any:
        return self.passages[-1].get(name)


class Probe:
    """Runs one blank of an attempt, on inputs that the check chooses."""

    def __init__(self, attempt: Attempt, number: int):
        self.attempt, self.number, self.blank = attempt, number, attempt.blanks[number]

    def given(self, name: str) -> Callable[..., Any]:
        """A function that was given with the exercise."""
        return _function(self._module(set()), name)

    def _module(self, names: set[str], extra: dict[str, Any] | None = None) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": "exercise", **(extra or {})}
        exec(compile(self.attempt.source(self.number, names), str(self.attempt.path), "exec"), namespace)
        return namespace

    def run(self, function: str, *arguments: Any, **given: Any) -> Result:
        """Calls a function of the file and looks at the variables of the blank.

        Args:
            function: its name.
            arguments: they are copied; changing one in place is reported.
            given: the values of other blanks' variables, or functions of the local variables that give them; and
                functions that replace those of the file by the same name.
        """
        passages: list[dict[str, Any]] = []

        def seen(variables: dict[str, Any]) -> None:
            passages.append({name: copy.deepcopy(variables.get(name)) for name in self.blank.names})

        def fill(name: str, variables: dict[str, Any]) -> Any:
            value = given[name]
            return value(variables) if callable(value) else copy.deepcopy(value)

        passed = copy.deepcopy(arguments)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = self._module(set(given), {"__seen__": seen, "__given__": fill})
                module.update({name: value for name, value in given.items() if callable(module.get(name))})
                _function(module, function)(*passed)
        except blanks.Damaged:
            raise
        except (Exception, SystemExit) as error:
            # After the blank, given code may fail on what it was left; the blank's own variables say more of that.
            unassigned = isinstance(error, UnboundLocalError) and any(
                f"'{name}'" in str(error) for name in self.blank.names
            )
            line, _ = _where(error.__traceback__, str(self.attempt.path))
            if not passages or unassigned or self.blank.start < line - 1 < self.blank.end:
                return Result(passages, self._raised(error))
        for name, before, after in zip(_parameters(module, function), arguments, passed, strict=False):
            if not _unchanged(before, after):
                advice = f"work on a copy, np.array({name})" if isinstance(before, np.ndarray) else "make new arrays"
                text = f"the argument {name} is changed in place, and the caller still needs it: {advice}"
                return Result(passages, Difference(6, text))
        for passage in passages:
            for name, value in passage.items():
                if name != "cache" and value is not None and value is not ... and (found := no_numbers(name, value)):
                    return Result(passages, found)
        text = f"the blank leaves {function} with return: it should hold a line `{self.blank.names[0]} = ...`"
        failure = None if passages else Difference(6, text)
        return Result(passages, failure)

    def judge(self, name: str, result: Result, want: Any, **hints: Any) -> Difference | None:
        """The difference between a variable and what is right (see compare.py for the hints)."""
        if result.failure:
            return result.failure
        if name not in result.passages[-1] or result[name] is None:
            return Difference(6, f"nothing is assigned to {name}: the blank should hold a line `{name} = ...`")
        return difference(name, result[name], want, **hints)

    compare = staticmethod(difference)  # for variables of a loop, passage by passage

    def _raised(self, error: BaseException) -> Difference:
        """What an exception says of the blank, with the shapes of the arrays that stand in it."""
        if isinstance(error, SyntaxError):
            return Difference(6, f"line {error.lineno} is not Python: {error.msg}")
        if isinstance(error, UnboundLocalError):
            for name in self.blank.names:
                if f"'{name}'" in str(error):
                    return Difference(6, f"nothing is assigned to {name}: the blank should hold a line `{name} = ...`")
        line, variables = _where(error.__traceback__, str(self.attempt.path))
        place = f"line {line}" if line else self.blank.function
        text = f"{place} raises {type(error).__name__}: {error}".split("\n")[0].removesuffix(".").rstrip()
        if "truth value of an array" in text:
            return Difference(2, f"{text}. max, min, if and `and` take one number: np.maximum and np.where take arrays")
        if isinstance(error, ValueError) and re.search("mismatch|broadcast|not aligned", text):
            nodes = [node for s in blanks.statements(self.blank, self.attempt.lines) for node in ast.walk(s)]
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            shapes = [
                f"{key} {value.shape}"
                for key, value in variables.items()
                if key in names and key not in self.blank.names and isinstance(value, np.ndarray)
            ]
            text += f". The shapes are {', '.join(shapes)}: check the order of factors, and what is to be transposed"
        return Difference(2, text)


def _where(traceback: TracebackType | None, path: str) -> tuple[int, dict[str, Any]]:
    """The innermost line of the file that a traceback passed, and the variables there."""
    line, variables = 0, {}
    while traceback:
        if traceback.tb_frame.f_code.co_filename == path:
            line, variables = traceback.tb_lineno, traceback.tb_frame.f_locals
        traceback = traceback.tb_next
    return line, dict(variables)


def _function(module: dict[str, Any], name: str) -> Callable[..., Any]:
    if not callable(module.get(name)):
        raise blanks.Damaged(f"the function {name} is missing; put its line `def {name}(...)` back as it was")
    return module[name]


def _parameters(module: dict[str, Any], function: str) -> tuple[str, ...]:
    code = module[function].__code__
    return tuple(code.co_varnames[: code.co_argcount])


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray):
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(before[key], after[key]) for key in before)
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    return True


def checks_of(name: str) -> tuple[dict[int, Check], Callable[[dict[str, Any]], str]]:
    """The checks of an exercise by the numbers of the blanks, and the one of the whole file when all are right."""
    module = importlib.import_module(f"checks.{name}")
    return module.CHECKS, module.altogether


def verdict(attempt: Attempt, number: int) -> str:
    """What is to be said of a blank: "right", "open", or "wrong: " and how."""
    try:
        if blanks.is_open(attempt.blanks[number], attempt.lines):
            return "open"
    except SyntaxError as error:
        return f"wrong: line {error.lineno} is not Python: {error.msg}."
    check = checks_of(attempt.path.stem)[0][number]
    with np.errstate(all="ignore"):
        wrong = [difference for difference in check(Probe(attempt, number)) if difference is not None]
    return f"wrong: {max(wrong, key=lambda difference: difference.rank).text}." if wrong else "right"


def report(path: Path, title: str = "") -> tuple[str, bool]:
    """The text for a file, a line for each blank, and whether all are right.

    Args:
        path: the file, named as the exercise.
        title: what it is called in the first line, by default the file's name.
    """
    title = title or path.name
    try:
        attempt = Attempt(path)
        found = {number: verdict(attempt, number) for number in checks_of(path.stem)[0]}
        changed = attempt.changed_line()
    except blanks.Damaged as error:
        return f"{title}: {error}.", False
    except UnicodeDecodeError as error:
        return f"{title}: byte {error.start} is not text in UTF-8; save the file in that encoding.", False
    counts = {word: sum(text.startswith(word) for text in found.values()) for word in ("right", "wrong", "open")}
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count or word == "right")
    lines = [f"{title}: {len(found)} blanks, {summary}"]
    for number, text in found.items():
        blank = attempt.blanks[number]
        lines.append(f"  blank {number}, {', '.join(blank.names)} in {blank.function}: {text}")
    complete = counts["right"] == len(found)
    if changed:
        lines.append(f"  note: line {changed} was changed outside the blanks; the checks take the rest as it was given")
    elif complete:
        namespace: dict[str, Any] = {"__name__": "exercise"}
        exec(compile("\n".join(attempt.lines), str(path), "exec"), namespace)
        lines.append(f"  altogether: {checks_of(path.stem)[1](namespace)}")
    return "\n".join(lines), complete


def main(file: str | None = None) -> None:
    """Prints the report of a file, or of those on the command line, or of all exercises.

    The program ends with 0 if all blanks of all files are right, otherwise with 1.
    """
    complete = True
    named = [] if file else sys.argv[1:]
    for each in [file] if file else named or [str(blanks.FOLDER / f"{name}.py") for name in NAMES]:
        path = Path(each)
        if path.stem not in NAMES:
            expected = f"the file of an exercise: {', '.join(NAMES)}, with .py"
            raise SystemExit(f"checker: got {path.name}, expected {expected}")
        if not path.is_file():
            raise SystemExit(f"checker: there is no file {path}")
        text, right = report(path, each if named else "")
        print(text)
        complete = complete and right
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
