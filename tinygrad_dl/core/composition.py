"""@composition: a public function written in other functions, whose errors speak of its own arguments.

An op explains what goes wrong in it. A function that only calls ops, or looks at `input.shape` before it does, would
show its callers an error of its inside: of another callable, of arguments that they did not give, or of an attribute
that None does not have. Decorated, it is called through a function of the same signature, which costs that call alone.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from tinygrad_dl.core.descriptions import alternatives
from tinygrad_dl.core.destination import defaults_with_out, into, takes_out
from tinygrad_dl.core.generate import compiled, composed_source, named, with_out
from tinygrad_dl.core.messages import arose_in_users_code, mistaken, restated, unfit
from tinygrad_dl.core.tensor import Tensor

composed: Any = None  # another one in the scope of each composition's function

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")
# What docstrings of functions and layers of one, two and three dimensions say of their tensors.
DIMENSIONS: dict[int, dict[str, Any]] = {
    1: {
        "k": 1,
        "input": "(N, C, L) or (C, L)",
        "sides": "L",
        "kernel": "kernel",
        "fours": "4",
        "twos": "2",
        "eight": "8",
    },
    2: {
        "k": 2,
        "input": "(N, C, H, W) or (C, H, W)",
        "sides": "H, W",
        "kernel": "kernel height, kernel width",
        "fours": "4, 4",
        "twos": "2, 2",
        "eight": "2, 4",
    },
    3: {
        "k": 3,
        "input": "(N, C, D, H, W) or (C, D, H, W)",
        "sides": "D, H, W",
        "kernel": "kernel depth, kernel height, kernel width",
        "fours": "4, 4, 4",
        "twos": "2, 2, 2",
        "eight": "2, 2, 2",
    },
}


def composition(body: F) -> F:
    """Makes a function's errors name it, what it got and what it expected.

    Parameters annotated `Array` or `Tensor` are tensors (see `messages.fits` for what else is understood).

    >>> import tinygrad_dl as td
    >>> td.flatten(None)
    Traceback (most recent call last):
    ...
    tinygrad_dl.ArgumentTypeError: flatten: got input=None, expected a tensor; a function without `return` gives None
    help(tinygrad_dl.flatten) says what it takes
    """
    return Composition(body).function  # type: ignore[return-value]


def by_dimensions(body: Callable[Concatenate[int, P], R]) -> tuple[Callable[P, R], Callable[P, R], Callable[P, R]]:
    """Makes three compositions of a body that gets the number of dimensions first: of `pool`, `pool1d` to `pool3d`.

    The number may stand within a name: of `pool_nd_with_indices`, `pool1d_with_indices`. The docstring is theirs, with
    the words of DIMENSIONS.
    """
    one, two, three = [Composition(body, k).function for k in DIMENSIONS]
    return one, two, three


class Composed:
    """Base of the classes of this package whose constructors are compositions: their errors name the class."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        constructor = vars(cls).get("__init__")
        if constructor is not None and cls.__module__.startswith("tinygrad_dl."):
            type.__setattr__(cls, "__init__", composition(constructor))


class Composition:
    """A decorated function: its body, and the function that users call, whose code is written at the first call."""

    def __init__(self, body: Callable[..., Any], dimensions: int | None = None):
        self.body, self.given = body, [] if dimensions is None else [str(dimensions)]
        name = body.__name__
        if dimensions is not None:
            name = name.replace("_nd", f"{dimensions}d") if "_nd" in name else f"{name}{dimensions}d"
        self.name = name
        scope = {
            "body": body,
            "composed": self,
            "explain": explain,
            "refuse_tensors": refuse_tensors,
            "into": into,
            "Tensor": Tensor,
            "__name__": body.__module__,
        }
        function: Any = types.FunctionType(_first_call.__code__, scope, self.name)
        function.__dict__.update(body.__dict__)
        function.__doc__, function.__qualname__ = body.__doc__, body.__qualname__
        function.__annotations__ = body.__annotations__
        if dimensions is None:
            function.__wrapped__ = body
        else:
            function.__qualname__, function.__doc__ = self.name, (body.__doc__ or "").format(**DIMENSIONS[dimensions])
            whole = inspect.signature(body)
            function.__signature__ = whole.replace(parameters=list(whole.parameters.values())[1:])
        self.function: types.FunctionType = function

    def compile(self) -> None:
        """Gives the function its code."""
        code, function, body = self.body.__code__, self.function, self.body
        count, first = code.co_argcount + code.co_kwonlyargcount, len(self.given)
        names = code.co_varnames[: count + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)]
        positional, keywords, more = names[first : code.co_argcount], names[code.co_argcount : count], [*names[count:]]
        names, count = names[first:], count - first
        head, passed = list(positional), [*self.given, *positional]
        if code.co_flags & 0x04:
            head.append(f"*{more[0]}")
            passed.append(f"*{more.pop(0)}")
        elif keywords:
            head.append("*")
        head += keywords
        passed += [f"{name}={name}" for name in keywords]
        if more:
            head.append(f"**{more[0]}")
            passed.append(f"**{more[0]}")
        asked: list[str] = []
        defaults, named_defaults = body.__defaults__, body.__kwdefaults__
        if takes_out(body, body.__name__):
            rest = [*names[count:]]
            star = [f"*{rest.pop(0)}"] if code.co_flags & 0x04 else []
            options = "".join(f" | {name}" for name in rest)
            given = f"out, ({''.join(f'{name}, ' for name in (*positional, *star))}), {named(keywords)}{options}"
            head, asked = with_out(head, "composed", given)
            defaults, named_defaults = defaults_with_out(head, defaults, named_defaults)
        # A layer is made and then called: what is given to the call is often given to the constructor.
        plain = [n for n in names[:count] if is_plain(body.__annotations__.get(n)) and body.__name__ == "__init__"]
        made = compiled(composed_source, ", ".join(head), ", ".join(passed), names, tuple(plain), tuple(asked))
        self.names = names
        # The code comes last: another thread may call the function in between.
        function.__defaults__, function.__kwdefaults__ = defaults, named_defaults
        function.__code__ = made.replace(co_name=self.name, co_qualname=function.__qualname__)


def _first_call(*args: Any, **kwargs: Any) -> Any:
    """The code of a composition's function until it is called: its names are those of the function's own scope."""
    composed.compile()
    return composed.function(*args, **kwargs)


def explain(error: Exception, composed: Composition, values: tuple[Any, ...]) -> Exception:
    """The error to raise for one that arose in a composition, called with these values."""
    if arose_in_users_code(error):
        return error
    name, arguments = called(composed, values)
    return restated(error, composed.function, name, arguments, {**TENSOR_NAMES, **composed.body.__annotations__})


def called(composed: Composition, values: tuple[Any, ...]) -> tuple[str, dict[str, Any]]:
    """The name under which users call a composition, and its arguments by name."""
    arguments, name = dict(zip(composed.names, values, strict=True)), composed.name
    if name == "__init__":
        name = type(arguments.pop("self")).__name__
    return name, arguments


def refuse_tensors(composed: Composition, values: tuple[Any, ...]) -> None:
    """Raises TypeError if a tensor was given for a number, a bool or a str; one of one element is a number."""
    name, arguments = called(composed, values)
    tensors = {n: value for n, value in arguments.items() if isinstance(value, Tensor)}
    wrong = mistaken(tensors, {n: a for n, a in composed.body.__annotations__.items() if is_plain(a)}, False)
    if wrong is not None:
        argument, expected, kind = wrong
        step = "; what the layer is applied to goes to its call: make it first, then layer(x)"
        raise unfit(name, argument, arguments[argument], expected.partition(";")[0] + step, kind)


def is_plain(annotation: Any) -> bool:
    """Whether an annotation is of numbers, bools and texts alone."""
    return isinstance(annotation, str) and PLAIN.issuperset(alternatives(annotation))


PLAIN = frozenset(("bool", "int", "float", "str", "None"))
# `self` of a method of Tensor has no annotation, in most.
TENSOR_NAMES = {"self": "Tensor"}
