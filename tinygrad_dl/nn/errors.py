"""Where in a model an error arose."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinygrad_dl.nn.module import Module


def explain(error: Exception, module: Module) -> None:
    """Says in an error's note in which module it arose: class, text and path from the outermost module.

    Called on the way out, at every module that the error passes; the note is written anew each time.
    """
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


def path_to(outer: Module, inner: Module) -> str:
    """The name under which a module is found in another."""
    return next((name for name, each in outer.named_modules() if each is inner), f"<{type(inner).__name__}>")
