"""Where in a model an error arose."""

from __future__ import annotations

import itertools
from typing import Any

from tinygrad_dl.core.messages import NAMED, arose_in_users_code, restated
from tinygrad_dl.core.numpy_errors import inside_kind
from tinygrad_dl.nn.members import Members


def explain(error: Exception, module: Members[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
    """The error to raise for one that arose in a module: a note says where, by class, text and path from the outermost.

    Called on the way out, at every module that the error passes; the note is written anew each time.
    """
    if "_modules" not in error.__dict__ and type(module).__module__.startswith("tinygrad_dl."):
        error = of_layer(error, module, args, kwargs)
    passed = error.__dict__.setdefault("_modules", [])
    passed.append(module)
    inner = passed[0]
    text = repr(inner) if not inner._modules else f"{type(inner).__name__}(...)"
    path = ".".join(reversed([path_to(outer, found) for found, outer in itertools.pairwise(passed)]))
    note = f"in module {text}" + (f" at {type(module).__name__}.{path}" if path else "")
    notes = error.__dict__.setdefault("__notes__", [])
    if len(passed) == 1:
        error.__dict__["_module_note"] = len(notes)
        notes.append(note)
    else:
        notes[error.__dict__["_module_note"]] = note
    return error


def of_layer(error: Exception, module: Members[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
    """An error of the inside of a layer of this package, in terms of the layer's own arguments.

    What the function of a layer says in a way that names it (`linear: ...` in Linear) stays as it is.
    """
    import inspect

    name, said = type(module).__name__, NAMED.match(str(error))
    same = said is not None and name.lower().startswith(said[1].replace("_", "").lower())
    if same or arose_in_users_code(error):
        return error
    forward: Any = type(module).forward  # type: ignore[attr-defined]
    try:
        arguments = inspect.signature(forward).bind(module, *args, **kwargs).arguments
    except TypeError:  # too many or too few: Python's own words say so
        return error
    del arguments["self"]
    if said is None or inside_kind(error) is not None:
        return restated(error, forward, name, arguments, forward.__annotations__)
    return restated(error, forward, name, arguments, {})


def path_to(outer: Members[Any], inner: Members[Any]) -> str:
    """The name under which a module is found in another."""
    return next((name for name, each in outer.named_modules() if each is inner), f"<{type(inner).__name__}>")
