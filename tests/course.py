"""Loads the examples of the course, so that tests can call their functions."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent.parent / "examples"


@functools.cache
def example(name: str) -> ModuleType:
    """The example `examples/<name>.py` as a module, such as `example("04_initialisation")`.

    A name that begins with digits can't be imported by a statement; and what an example imports from its own folder
    is found because Python puts a script's folder on the path, which is done here too.
    """
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None, f"no example {name}.py in {FOLDER}"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up by name
    spec.loader.exec_module(module)
    return module
