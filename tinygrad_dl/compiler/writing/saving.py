"""A program as a file of its own: NumPy is all that it needs."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np

from tinygrad_dl import npz
from tinygrad_dl.backends.axpby import weighted_sum
from tinygrad_dl.compiler.writing import helpers
from tinygrad_dl.writing import Path, destination, replacing

WHAT = "save"


def save(written: Any, path: Path) -> None:
    """Writes `step.py`, and beside it `step.npz`, the values of the memory that lives on, if there is any.

    The file imports NumPy alone. It computes the same numbers; but products that the library shares among threads are
    computed by NumPy's BLAS on as many threads as that likes, which may change their last bits.

    Args:
        path: where to, ending in ".py".

    Raises:
        TypeError: the path is none. ValueError: it does not end in ".py", or the program calls functions that are
            neither NumPy's nor Python's. OSError: nothing can be written there.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{WHAT}: got {type(path).__name__}, expected a path, such as 'step.py'")
    name = os.fspath(path)
    if not isinstance(name, str) or not name.endswith(".py"):
        raise ValueError(f"{WHAT}: got {name!r}, expected a path that ends in .py, such as 'step.py'")
    things = _as_text(written)
    values = f"{name.removesuffix('.py')}.npz"
    destination(name, WHAT)
    source = _source(written, things, os.path.basename(values))
    if written.text.outside:
        destination(values, WHAT)
        with replacing(values, WHAT) as file:
            npz.write(file, {**written.text.outside, "stamp": _stamp(written)}, {})
    with replacing(name, WHAT) as file:
        file.write(source.encode())


def _stamp(written: Any) -> np.ndarray:
    """A number that says to which program values belong."""
    digest = hashlib.sha256(written.source.encode()).digest()
    return np.frombuffer(digest[:8], np.uint64)


def _as_text(written: Any) -> list[str]:
    """Lines that make what the program refers to beside NumPy's names."""
    lines = []
    for name, thing in written.text.things.items():
        if thing is getattr(np._core.umath, "clip", None):  # type: ignore[attr-defined]
            lines.append(f"{name} = getattr(np._core.umath, 'clip', np.clip)  # the ufunc, which is quicker")
        elif thing is weighted_sum:
            lines.append(f"{name} = in_numpy")
        elif isinstance(thing, np.dtype):
            lines.append(f"{name} = np.dtype({thing.str!r})")
        elif isinstance(thing, float | complex | np.generic):
            lines.append(f"{name} = {_number(thing)}")
        elif getattr(thing, "__module__", None) in ("math", "operator", "_operator", "builtins", "cmath"):
            lines.append(f"from {thing.__module__.lstrip('_')} import {thing.__name__} as {name}")
        elif getattr(getattr(thing, "__objclass__", None), "__module__", "") == "builtins":
            lines.append(f"{name} = {thing.__objclass__.__name__}.{thing.__name__}")
        else:
            raise ValueError(
                f"{WHAT}: got a program that calls {getattr(thing, '__module__', '')}.{name}, expected NumPy's alone; "
                "the program can be run by this library only"
            )
    return lines


def _number(value: Any) -> str:
    if isinstance(value, np.generic):
        kind = "bool_" if isinstance(value, np.bool_) else type(value).__name__
        return f"np.{kind}({_number(value.item())})"
    return f"float({str(value)!r})" if isinstance(value, float) else repr(value)


def _source(written: Any, things: list[str], values: str) -> str:
    """The text of the file."""
    text = written.text
    ours: list[Any] = [helpers.aligned, helpers.array_in, helpers.number, helpers.strided]
    if text.lanes:
        ours.append(helpers.in_turn)
    if text.guarded:
        ours.append(helpers.Stopped)
    if weighted_sum in text.things.values():
        ours.append(helpers.in_numpy)
    head = [
        f'"""{_explained(written, values.replace(chr(34), chr(39)).replace(chr(92), "/"))}"""',
        "from __future__ import annotations",
        "import os\nfrom collections.abc import Callable\nfrom functools import cache\nfrom typing import Any",
        "import numpy as np",
        helpers.sources(*ours),
        f"array = array_in(aligned({written.arena}))" + ("\nat_once = in_turn" if text.lanes else ""),
    ]
    if text.outside:
        head.append(
            f"with np.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), {values!r})) as file:\n"
            "    outside = dict(file)\n"
            f'if outside.pop("stamp") != {int(_stamp(written)[0])}:\n'
            f'    raise ValueError({values!r} + " belongs to another program; save both again")'
        )
    if things:
        head.append("\n".join(things))
    silent = [f'\n\n{name} = np.errstate(all="ignore")({name})' for name in text.functions if written.program.errstate]
    source: str = "\n\n".join(head) + f"\n\n{written.source}" + "\n".join(silent)
    return source


def _explained(written: Any, values: str) -> str:
    """What stands at the head of the file."""
    name = written.text.functions[0]
    lines = [f"{name}, as a program over NumPy arrays, recorded by tinygrad_dl: nothing but NumPy is needed.", ""]
    if written.text.outside:
        lines += [
            f"The arrays in `outside`, from {values}, live on from run to run: parameters, and what optimisers",
            "keep. A run changes them in place; np.savez(path, **outside) keeps them.",
            "",
        ]
    if written.text.guarded:
        lines += [
            "Where the recorded way does not hold for the values given, `Stopped` is raised, and nothing is changed.",
            "",
        ]
    return "\n".join(lines)
