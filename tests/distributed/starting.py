"""Where the programs of these tests are, and what starts them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parent.parent.parent


def mpirun() -> str | None:
    """The mpirun beside this Python, or the first on the path."""
    beside = Path(sys.executable).parent / "mpirun"
    return str(beside) if beside.exists() else shutil.which("mpirun")


def missing() -> str:
    """What these tests need that is not here."""
    if importlib.util.find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return "" if mpirun() else "there is no mpirun"
