"""Programs that run in several processes, started by the mpirun of MPICH's wheel."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture
def ranks():
    """Runs a program of `programs/` in several processes, and returns what came of it."""
    if reason := missing():
        pytest.skip(reason)

    def run(count, program, *arguments, timeout=60):
        command = [mpirun(), "-n", str(count), sys.executable, "-W", "error", str(PROGRAMS / program), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT)

    return run
