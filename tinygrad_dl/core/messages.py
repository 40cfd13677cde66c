"""What errors say: the first line names the callable, what it got and what it expected.

Nothing here runs until something has failed. An op or a composition hands over the error on its way out, and `restated`
gives back the one to raise: NumPy's and Python's own words are put in terms of the callable and its arguments, an
argument of a wrong type is named as such, and a message of ours gets what it lacks.
"""

import re
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_dl.core.descriptions import LIMIT, alternatives, expected_for, fits, shown, signature, summary
from tinygrad_dl.core.errors import (
    ArgumentDivisionError,
    ArgumentError,
    ArgumentIndexError,
    ArgumentOverflowError,
    ArgumentTypeError,
)
from tinygrad_dl.core.modes import is_grad_enabled
from tinygrad_dl.core.numpy_errors import in_our_words, inside_kind
from tinygrad_dl.core.tensor import Tensor, as_array

# Errors that say nothing of arguments: of the process, of files, of iteration.
AS_IT_IS = (RecursionError, ImportError, OSError, StopIteration, StopAsyncIteration, Warning)


# Python's methods by which a tensor becomes something else: what fails in them is a wrong argument.
CONVERSIONS = frozenset(("__index__", "__bool__", "__len__", "__iter__", "as_number"))
NAMED = re.compile(r"(\w+(?:\.\w+)*): ")


# What errors become that pass a callable of this package.
ALSO: dict[type[Exception], type[Exception]] = {
    ValueError: ArgumentError,
    TypeError: ArgumentTypeError,
    IndexError: ArgumentIndexError,
    ZeroDivisionError: ArgumentDivisionError,
    OverflowError: ArgumentOverflowError,
}


class Told(NamedTuple):
    """What was said of an error, apart from the callable and its arguments: kept by the error on its way out."""

    what: str  # with what was got and expected, if that was said where it was raised
    expected: str | None = None  # None: said in `what`, or not known
    step: str = ""  # what to do next, with a "; " in front
    unfit: bool = False  # whether an argument is of a wrong type


def restated(
    error: Exception, function: Any, name: str, arguments: dict[str, Any], annotations: dict[str, Any]
) -> Exception:
    """The error to raise in the place of one that arose inside a callable, called with these arguments.

    An error of the same class is the same object with a new text, so that its traceback shows where it arose. Called
    for each callable that the error passes: its text names the outermost, which is the one that the user called.
    """
    if isinstance(error, AS_IT_IS):
        return error
    told: Told | None = error.__dict__.get("_told")
    first, newline, rest = (error.args[0] if plain(error) and error.args else str(error)).partition("\n")
    ours, kind = told is not None or raised_here(error), None
    if not ours or (told is not None and told.unfit):
        wrong = mistaken(arguments, annotations, ours or inside_kind(error) is not None)
        if wrong is not None:
            argument, expected, kind = wrong
            return pointing_to_help(unfit(name, argument, arguments[argument], expected, kind), name, function)
    if told is None and ours:
        what, semicolon, step = without_name(first, arguments, name).partition("; ")
        told = Told(what, None, semicolon + step)
    elif told is None:
        what, wanted = in_our_words(error, first.strip(), arguments)
        told = Told(without_name(what, arguments, name).rstrip("."), wanted)
        kind = None if arose_in_users_code(error) else inside_kind(error)
    text = told.what
    if not re.search(r"\bgot\b", text):
        text += f": got {shown(function, arguments)}"
    if not re.search(r"\bexpected\b", text):
        text += f", expected {told.expected or signature(function, name)}"
    new = renewed(error, f"{name}: {text}{told.step}{newline}{rest}", kind)
    new._told = told  # type: ignore[attr-defined]
    return pointing_to_help(new, name, function)


def without_name(text: str, arguments: dict[str, Any], name: str) -> str:
    """A message without the name of the callable in front; that of an argument stays, unless it is the same."""
    said = NAMED.match(text)
    return text if said is None or (said[1] in arguments and said[1] != name) else text[said.end() :]


def unfit(name: str, argument: str, value: Any, expected: str, kind: type[Exception] = TypeError) -> Exception:
    """The error for an argument that is not what its callable takes."""
    what = f"got {argument}={summary(value)}, expected {expected}"
    new = ALSO.get(kind, kind)(f"{name}: {what}")
    new._told = Told(what, unfit=True)  # type: ignore[attr-defined]
    new.__suppress_context__ = True  # what the inside made of it tells nothing more
    return new


def reraise(error: Exception, told: Exception) -> NoReturn:
    """Raises what callers are told in the place of an error: the same one, or a new one made of it."""
    if told is error:
        raise error
    raise told from told.__cause__


def raised_here(error: Exception) -> bool:
    """Whether a `raise` of this package raised it, and not Python or NumPy in the midst of a computation."""
    import opcode

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not trace.tb_frame.f_globals.get("__name__", "tinygrad_dl").startswith("tinygrad_dl"):
        return False
    if trace.tb_frame.f_code.co_name in CONVERSIONS:  # a tensor was taken for a number
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opcode.opmap["RAISE_VARARGS"]


def renewed(error: Exception, text: str, kind: type[Exception] | None = None) -> Exception:
    """The error with another text: itself if its class shows its text as it is, or a new one that comes from it.

    A ValueError becomes an `ArgumentError` in its place, and so with the classes of `ALSO`.
    """
    also = ALSO.get(type(error))
    if also is not None and kind in (None, type(error)) and plain(error):
        new: Exception = also(text).with_traceback(error.__traceback__)
        new.__dict__.update(error.__dict__)
        new.__cause__, new.__suppress_context__ = error.__cause__, True
        return new
    if kind is None and plain(error):
        error.args = (text,)
        return error
    if kind is None:
        kind = next(k for k in type(error).__mro__ if k.__module__ == "builtins")
        kind = np.exceptions.AxisError if isinstance(error, np.exceptions.AxisError) else kind
    new = ALSO.get(kind, kind)(text)
    new.__cause__ = error
    new.__dict__.update(error.__dict__)
    return new


def plain(error: Exception) -> bool:
    """Whether an error shows its one argument, a str, as it is, or between quotes: it has no text of its own."""
    own = next(kind for kind in type(error).__mro__ if "__str__" in vars(kind))
    return own in (BaseException, Exception, KeyError) and (
        not error.args or (len(error.args) == 1 and isinstance(error.args[0], str))
    )


def arose_in_users_code(error: Exception) -> bool:
    """Whether a function that the user handed in (a metric, a hook, a data set) raised it."""
    return any(
        module not in ("tinygrad_dl", "numpy") and module not in sys.stdlib_module_names
        for module in passed(error.__traceback__)
    )


def passed(trace: TracebackType | None) -> Iterator[str]:
    """The top-level names of the modules that a traceback goes through."""
    while trace is not None:
        yield trace.tb_frame.f_globals.get("__name__", "tinygrad_dl").partition(".")[0]
        trace = trace.tb_next


def pointing_to_help(error: Exception, name: str, function: Any) -> Exception:
    """The error with a note of where to read about the callable, in the place of that of another inside it."""
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith("help(")]
    home = home_of(name, function)
    error.__notes__ = [*notes, *([f"help({home}.{name}) says what it takes"] if home else [])]
    return error


HOMES = ("", ".nn.functional", ".nn", ".nn.init", ".optim", ".optim.lr_scheduler", ".data", ".train", ".vision", ".viz")


def home_of(name: str, function: Any = None) -> str | None:
    """Where users find a callable: a module of the package, the class Tensor, or nowhere.

    Of several that have the name, the one whose it is, if that can be seen: `td.trace` is not `td.viz.trace`.
    """
    modules = {f"tinygrad_dl{home}": sys.modules.get(f"tinygrad_dl{home}") for home in HOMES}
    found = {home: vars(module).get(name) for home, module in modules.items() if module is not None}
    for home, value in found.items():
        if value is function and callable(value):
            return home
    for home, value in found.items():
        if callable(value):
            return home
    return "tinygrad_dl.Tensor" if hasattr(Tensor, name) else None


# -- which argument was wrong ------------------------------------------------------------------------


def mistaken(
    arguments: dict[str, Any], annotations: dict[str, Any], inside: bool
) -> tuple[str, str, type[Exception]] | None:
    """The first argument that is not what its annotation says: its name, what was expected, the error's class.

    `inside`: whether the error speaks of the inside, so that a number in a tensor's place is to blame too.
    """
    for numbers in (True, False) if inside else (True,):
        for name, value in arguments.items():
            annotation = annotations.get(name)
            text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
            if annotation is not None and not any(fits(value, part, numbers) for part in alternatives(text)):
                return name, expected_for(value, text), TypeError
    for name, value in arguments.items():
        for number in value if isinstance(value, list | tuple) else (value,):
            if isinstance(number, int) and not -LIMIT <= number < LIMIT:
                return name, "integers between -2**63 and 2**63 - 1", ValueError
    return None


def no_gradient_of(name: str, argument: str) -> NotImplementedError:
    """The error for a tensor that requires a gradient where only constants are taken."""
    return NotImplementedError(
        f"{name}: got {argument!r} that requires a gradient, expected one that does not: it is taken as a constant; "
        f"pass {argument}.detach()"
    )


def require_constants(name: str, **given: Any) -> None:
    """Raises if one of these arguments, of which a function knows no gradient, requires one."""
    for argument, value in given.items():
        if isinstance(value, Tensor) and value.requires_grad and is_grad_enabled():
            raise no_gradient_of(name, argument)


def unfit_for(value: Any, name: str, argument: str) -> Exception:
    """The error for an argument that is no tensor, array or number."""
    return unfit(name, argument, value, expected_for(value, "Array"))


def checked_array(value: Any, name: str, argument: str) -> np.ndarray:
    """The array of an argument that must be a tensor, an array or a number."""
    if not fits(value, "Array"):
        raise unfit_for(value, name, argument)
    try:
        return as_array(value)
    except OverflowError:
        raise ValueError(f"{name}: got {argument}={summary(value)}, expected a number that int64 holds") from None
