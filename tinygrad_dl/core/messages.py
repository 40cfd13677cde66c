"""What errors say: the first line names the callable, what it got and what it expected.

Nothing here runs until something has failed. An op or a composition hands over the error on its way out, and `restated`
gives back the one to raise: NumPy's and Python's own words are put in terms of the callable and its arguments, an
argument of a wrong type is named as such, and a message of ours gets what it lacks.
"""

from __future__ import annotations

import operator
import re
import sys
import types
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tinygrad_dl.core.tensor import Tensor, as_array

# Errors that say that the code was handed something it was not made for -> what callers are told instead.
INSIDE: dict[type[BaseException], type[Exception]] = {
    AttributeError: TypeError,
    NameError: TypeError,
    LookupError: ValueError,
    AssertionError: ValueError,
    ArithmeticError: ValueError,
    SystemError: RuntimeError,
}
# Errors that say nothing of arguments: of the process, of files, of iteration.
AS_IT_IS = (RecursionError, ImportError, OSError, StopIteration, StopAsyncIteration, Warning)
# Python's methods by which a tensor becomes something else: what fails in them is a wrong argument.
CONVERSIONS = frozenset(("__index__", "__bool__", "__len__", "__iter__", "as_number"))
Match = re.Match[str]
NAMED = re.compile(r"(\w+(?:\.\w+)*): ")
LIMIT = 2**63


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
            return pointing_to_help(unfit(name, argument, arguments[argument], expected, kind), name)
    if told is None and ours:
        what, semicolon, step = without_name(first, arguments).partition("; ")
        told = Told(what, None, semicolon + step)
    elif told is None:
        what, wanted = in_our_words(error, first.strip(), arguments)
        told = Told(without_name(what, arguments).rstrip("."), wanted)
        kind = None if arose_in_users_code(error) else inside_kind(error)
    text = told.what
    if not re.search(r"\bgot\b", text):
        text += f": got {shown(function, arguments)}"
    if not re.search(r"\bexpected\b", text):
        text += f", expected {told.expected or signature(function, name)}"
    new = renewed(error, f"{name}: {text}{told.step}{newline}{rest}", kind)
    new._told = told  # type: ignore[attr-defined]
    return pointing_to_help(new, name)


def without_name(text: str, arguments: dict[str, Any]) -> str:
    """A message without the name of the callable in front; that of an argument stays."""
    said = NAMED.match(text)
    return text if said is None or said[1] in arguments else text[said.end() :]


def unfit(name: str, argument: str, value: Any, expected: str, kind: type[Exception] = TypeError) -> Exception:
    """The error for an argument that is not what its callable takes."""
    what = f"got {argument}={summary(value)}, expected {expected}"
    new = kind(f"{name}: {what}")
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
    """The error with another text: itself if its class shows its text as it is, or a new one that comes from it."""
    if kind is None and plain(error):
        error.args = (text,)
        return error
    if kind is None:
        kind = next(k for k in type(error).__mro__ if k.__module__ == "builtins")
        kind = np.exceptions.AxisError if isinstance(error, np.exceptions.AxisError) else kind
    new: Exception = kind(text)
    new.__cause__ = error
    new.__dict__.update(error.__dict__)
    return new


def plain(error: Exception) -> bool:
    """Whether an error shows its one argument, a str, as it is, or between quotes: it has no text of its own."""
    own = next(kind for kind in type(error).__mro__ if "__str__" in vars(kind))
    return own in (BaseException, Exception, KeyError) and (
        not error.args or (len(error.args) == 1 and isinstance(error.args[0], str))
    )


def inside_kind(error: Exception) -> type[Exception] | None:
    """The class raised in the place of an error that speaks of the inside; None for one that stays."""
    if isinstance(error, IndexError | UnicodeError | np.exceptions.AxisError):
        return None
    return next((told for kind, told in INSIDE.items() if isinstance(error, kind)), None)


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


def pointing_to_help(error: Exception, name: str) -> Exception:
    """The error with a note of where to read about the callable, in the place of that of another inside it."""
    notes = [note for note in getattr(error, "__notes__", ()) if not note.startswith("help(")]
    home = home_of(name)
    error.__notes__ = [*notes, *([f"help({home}.{name}) says what it takes"] if home else [])]
    return error


HOMES = ("", ".nn.functional", ".nn", ".nn.init", ".optim", ".optim.lr_scheduler", ".data", ".train", ".vision")


def home_of(name: str) -> str | None:
    """Where users find a callable: a module of the package, the class Tensor, or nowhere."""
    for home in HOMES:
        module = sys.modules.get(f"tinygrad_dl{home}")
        if module is not None and callable(vars(module).get(name)):
            return f"tinygrad_dl{home}"
    return "tinygrad_dl.Tensor" if hasattr(Tensor, name) else None


# -- what was got ------------------------------------------------------------------------------------


def shown(function: Any, arguments: dict[str, Any]) -> str:
    """The arguments as a message shows them; those left at their defaults are left out."""
    import inspect

    parameters = inspect.signature(getattr(function, "__wrapped__", function)).parameters
    parts = [
        f"{name}={summary(value)}"
        for name, value in arguments.items()
        if not (name in parameters and is_default(value, parameters[name]))
    ]
    return ", ".join(parts) or "no arguments"


def is_default(value: Any, parameter: Any) -> bool:
    """Whether an argument was left out."""
    return value is parameter.default or (
        parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and not value
    )


def signature(function: Any, name: str) -> str:
    """The arguments that a callable takes, where nothing better can be said of what was expected."""
    import inspect

    parameters = list(inspect.signature(getattr(function, "__wrapped__", function)).parameters.values())
    if function.__name__ in ("__init__", "forward"):
        del parameters[0]
    return f"arguments as in {name}({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"


def summary(value: Any) -> str:
    """A value as a message shows it: a tensor or an array as its dtype and shape, others short."""
    if isinstance(value, Tensor):
        value = value._data
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    kind = type(value)
    full = (
        kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    )
    if kind.__module__.partition(".")[0] not in ("builtins", "numpy", "tinygrad_dl"):
        shape = getattr(value, "shape", None)
        return f"{full}{list(shape)}" if isinstance(shape, tuple) else full
    if isinstance(value, list | tuple):
        inner = ", ".join(summary(each) for each in value[:4]) + (", ..." if len(value) > 4 else "")
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{comma})"
    if isinstance(value, dict | set | frozenset):
        return f"{kind.__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, types.FunctionType | types.MethodType | types.BuiltinFunctionType):
        return f"the {'method' if isinstance(value, types.MethodType) else 'function'} {value.__name__}"
    if value is not None and not isinstance(value, bool | int | float | complex | str | bytes | slice | np.generic):
        return f"{full} object" if kind is not type(...) else "..."
    try:
        text = repr(value)
    except ValueError:  # an integer of too many digits
        return f"an {kind.__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


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


def alternatives(annotation: str) -> list[str]:
    """The parts of an annotation between the bars outside of brackets."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def fits(value: Any, kind: str, numbers: bool = True) -> bool:
    """Whether a value is what one part of an annotation says; True for annotations that say nothing here."""
    outer, _, inner = kind.removesuffix("]").partition("[")
    if outer in ("Array", "Tensor"):
        return is_tensor(value) or (numbers and isinstance(value, bool | int | float | complex))
    if outer in ("Arrays", "Sequence", "Iterable", "list", "tuple"):
        element = "Array" if outer == "Arrays" else inner.partition(",")[0]
        if not isinstance(value, list | tuple):
            return hasattr(value, "__iter__") and not isinstance(value, str | bytes | dict)
        return not element or all(any(fits(v, part) for part in alternatives(element)) for v in value)
    if outer == "int":
        try:
            return -LIMIT <= operator.index(value) < LIMIT
        except (TypeError, RuntimeError):
            return False
    if outer in ("float", "complex"):
        try:
            return isinstance(value, int | float | complex | np.generic) or (is_tensor(value) and value.ndim == 0)
        except OverflowError:
            return False
    if outer == "bool":
        return isinstance(value, bool | int | np.bool_)
    if outer == "str":
        return isinstance(value, str)
    if outer == "None":
        return value is None
    return callable(value) if outer == "Callable" else True


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor or a numeric array."""
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcV")


WORDS = {
    "Array": "a tensor",
    "Tensor": "a tensor",
    "Arrays": "a list of tensors",
    "int": "an integer",
    "float": "a number",
    "complex": "a number",
    "bool": "True or False",
    "str": "a str",
    "Callable": "a callable",
}


def expected_for(value: Any, annotation: str) -> str:
    """What an annotation expects, in words, and how to make it of the value."""
    parts = alternatives(annotation)
    words = []
    for part in parts:
        outer, _, inner = part.removesuffix("]").partition("[")
        element = inner.partition(",")[0].strip()
        plural = {"int": "integers", "float": "numbers", "Array": "tensors", "Tensor": "tensors"}.get(element, "")
        words.append(f"a {outer.lower()} of {plural}" if plural else WORDS.get(outer, part))
    said = " or ".join(dict.fromkeys(words))
    return said + hint(value, parts)


def hint(value: Any, parts: list[str]) -> str:
    """How to make a tensor of something else; what else to do."""
    tensors = "Array" in parts or "Tensor" in parts
    if isinstance(value, list | tuple) and "Arrays" in parts:
        odd = next((v for v in value if not fits(v, "Array")), None)
        return f", got {summary(odd)} among them{hint(odd, ['Array'])}"
    if isinstance(value, int) and not isinstance(value, bool) and not -LIMIT <= value < LIMIT:
        return " between -2**63 and 2**63 - 1"
    if not tensors:
        several = is_tensor(value) and "int" in parts and value.ndim
        return "; several tensors go into one list: [a, b]" if several else ""
    module = type(value).__module__.partition(".")[0]
    if hasattr(value, "detach") and module != "tinygrad_dl":
        return " of tinygrad_dl: convert with td.from_numpy(t.detach().numpy())"
    if hasattr(value, "to_numpy"):
        return "; convert with td.tensor(x.to_numpy())"
    if isinstance(value, list | tuple | bool | int | float | complex | np.generic):
        return "; make it one with td.tensor(...)"
    if value is None:
        return "; a function without `return` gives None"
    if callable(value):
        return "; call it first"
    return ""


# -- NumPy's words in ours ---------------------------------------------------------------------------


def in_our_words(error: Exception, text: str, arguments: dict[str, Any]) -> tuple[str, str | None]:
    """What is wrong and what was expected, for an error that NumPy or Python raised."""
    if isinstance(error, np.exceptions.AxisError) and error.ndim is not None:
        n = error.ndim
        what = f"dim {error.axis} is out of range (axis {error.axis} is out of bounds for {n} dimensions)"
        return what, f"a dimension from {-n} to {n - 1}" if n else "no dimension: a 0-d tensor has none"
    for pattern, told, expected in ADVICE:
        found = re.match(pattern, text)
        if found:
            what = found.expand(told) if told else text
            return what, expected(arguments, found) if callable(expected) else expected
    if inside_kind(error) is not None and not isinstance(error, ArithmeticError):
        return f"{type(error).__name__} inside, {text}", None
    return text.strip() or type(error).__name__, None


def matching_sizes(arguments: dict[str, Any], _: Match) -> str:
    """What a matrix product expects of the sizes of its last two operands."""
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray | Tensor)][-2:]
    general = "(..., n, k) @ (..., k, m)"
    if len(arrays) < 2 or not (arrays[0].ndim and arrays[1].ndim):
        return general
    k, other, last = arrays[0].shape[-1], arrays[1].shape[-2:][0], "last but one" if arrays[1].ndim > 1 else "only"
    return (
        f"the last size of the first ({k}) to equal the {last} of the second ({other}), as in {general}; swap "
        f"dimensions with .mT, or reshape()"
    )


def broadcasting_sizes(arguments: dict[str, Any], _: Match) -> str:
    """What broadcasting expects, and the dimension that does not fit."""
    shapes = [v.shape for v in arguments.values() if isinstance(v, np.ndarray | Tensor)]
    for place in range(1, max(map(len, shapes), default=0) + 1):
        sizes = sorted({shape[-place] for shape in shapes if len(shape) >= place} - {1})
        if len(sizes) > 1:
            found = f" (dimension {-place} has sizes {' and '.join(map(str, sizes))})"
            break
    else:
        found = ""
    return (
        f"shapes that broadcast: counted from the last dimension, sizes are equal or one of them is 1{found}; "
        f"reshape() or unsqueeze() one of the tensors"
    )


def index_range(_: dict[str, Any], found: Match) -> str:
    """The indices that a dimension has."""
    size = int(found[1])
    return f"{-size} to {size - 1}: indices start at 0" if size else "no index: the dimension is empty"


# The start of NumPy's or Python's text -> what is wrong (None: that text), and what was expected and what to do.
ADVICE: list[tuple[str, str | None, str | Callable[[dict[str, Any], Match], str] | None]] = [
    (r"(?:\w+\.)*\w+\(\) (got an unexpected keyword argument .*)", r"\1", None),
    (r"matmul: .*core dimension|shapes .* not aligned", "the inner sizes differ", matching_sizes),
    (
        r"matmul: .*does not have enough dimensions",
        "a 0-d tensor has no matrix product",
        "tensors of 1 or more dimensions; multiply by a number with *",
    ),
    (
        r"operands could not be broadcast together with remapped shapes.*newaxis",
        "the sizes before the last two dimensions do not broadcast",
        "sizes before the last two dimensions that are equal, or one of them 1; use unsqueeze()",
    ),
    (
        r"operands could not be broadcast together with remapped shapes",
        "a size cannot be expanded",
        "each size as it is, or in the place of a 1, or new in front; use repeat() to copy",
    ),
    (
        r"input operand has more dimensions than allowed by the axis remapping",
        "fewer sizes than dimensions",
        "as many sizes as the tensor has dimensions, or more; -1 keeps a size",
    ),
    (r"operands could not be broadcast|.*broadcast|.*objects cannot be broadcast", None, broadcasting_sizes),
    (
        r".*concatenation axis must match",
        "sizes differ outside of `dim`",
        "shapes that are equal but for `dim`; reshape() them, or join along another dim",
    ),
    (
        r".*same number of dimensions",
        "the tensors differ in their number of dimensions",
        "tensors of one number of dimensions; use unsqueeze(), or stack()",
    ),
    (
        r"zero-dimensional arrays cannot be concatenated",
        None,
        "tensors of 1 or more dimensions; stack() joins 0-d ones",
    ),
    (
        r"cannot reshape|total size of new array",
        None,
        "sizes whose product is the number of elements; one of them may be -1: what is left",
    ),
    (r"can only specify one unknown dimension", None, "-1 for one size at most: it stands for what is left"),
    (r"axes don't match|repeated axis", None, "each dimension exactly once, as in permute(1, 0)"),
    (r"duplicate value in 'axis'", None, "each dimension once at most"),
    (r"zero-size array to reduction|.*of an empty sequence", None, "at least one element; look at numel() first"),
    (
        r"only integers, slices|arrays used as indices must be",
        "an index of another type",
        "integers, slices, None, ..., or tensors of integers or bools; a quotient of integers is an index with // or "
        "int()",
    ),
    (r".*out of bounds for axis \d+ with size (\d+)", None, index_range),
    (r"too many indices", None, "at most one index a dimension; None makes a new one"),
    (r"boolean index did not match", None, "a mask of the tensor's shape, or of its first dimensions"),
    (
        r".*negative integer powers",
        None,
        "exponents of 0 or more for integers; make the base a float first, with .float()",
    ),
    (r"ufunc 'bitwise|ufunc 'invert", None, "integer or bool tensors; compare, or convert with .long() or .bool()"),
    (
        r"ufunc '.*' not supported|numpy boolean subtract",
        None,
        "tensors of other dtypes; convert them with .float() first",
    ),
    (r"cannot convert float NaN|cannot convert float infinity", None, "a finite number"),
    (r"(integer )?(division|modulo)|.*by zero", None, "numbers other than 0"),
    (r"setting an array element with a sequence|.*inhomogeneous", None, "nested lists of equal lengths, of numbers"),
    (r"maximum (supported|allowed)|array is too big|Maximum allowed", None, "sizes whose product fits in memory"),
    (r"Unable to allocate", None, "sizes whose elements fit in memory"),
    (r"negative dimensions", None, "sizes of 0 or more"),
]


def unfit_for(value: Any, name: str, argument: str) -> Exception:
    """The error for an argument that is no tensor, array or number."""
    return unfit(name, argument, value, expected_for(value, "Array"))


def checked_array(value: Any, name: str, argument: str) -> np.ndarray:
    """The array of an argument that must be a tensor, an array or a number."""
    if not fits(value, "Array"):
        raise unfit_for(value, name, argument)
    return as_array(value)
