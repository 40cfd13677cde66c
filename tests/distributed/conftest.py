"""Programs that run in several processes, started by the mpirun of MPICH's wheel."""

from __future__ import annotations

import subprocess
import sys

import pytest

from distributed.starting import PROGRAMS, ROOT, missing, mpirun


@pytest.fixture
def ranks():
    """Runs a program of `programs/` in several processes, and returns what came of it."""
    if reason := missing():
        pytest.skip(reason)

    def run(count, program, *arguments, timeout=60):
        command = [mpirun(), "-n", str(count), sys.executable, "-W", "error", str(PROGRAMS / program), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT)

    return run
