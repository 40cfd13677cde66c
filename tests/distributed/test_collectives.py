"""torch.distributed's collectives over MPI: each test is a program that several processes run."""

import os
import subprocess
import sys

import pytest

from distributed.starting import PROGRAMS, ROOT


@pytest.mark.parametrize("count", [1, 2, 3])
def test_collectives_and_messages(ranks, count):
    done = ranks(count, "collectives.py")
    assert not done.returncode, done.stderr


@pytest.mark.parametrize(("program", "count"), [("groups.py", 3), ("mistakes.py", 2)])
def test_programs(ranks, program, count):
    done = ranks(count, program)
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_the_hook_of_exceptions_is_put_back(ranks, count):
    done = ranks(count, "hooks.py")
    assert not done.returncode, done.stderr


def test_a_program_written_for_pytorch(ranks):
    program = str(PROGRAMS / "torch_program.py")
    done = ranks(2, "under_the_name_torch.py", program)
    assert not done.returncode, done.stderr


def run(program, **environment):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)


def test_without_mpi4py_an_error_says_what_to_type(tmp_path):
    (tmp_path / "mpi4py.py").write_text("raise ImportError('no MPI here')\n")
    done = run("import tinygrad_dl as td\ntd.distributed.init_process_group()", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert 'pip install "tinygrad_dl[mpi]"' in done.stderr.splitlines()[-1], done.stderr
    assert run("import tinygrad_dl as td, sys\ntd.distributed.is_available()\nassert 'mpi4py' not in sys.modules")


@pytest.mark.parametrize(("variable", "starter"), [("WORLD_SIZE", "torchrun"), ("OMPI_COMM_WORLD_SIZE", "Open MPI's")])
def test_processes_that_mpi_does_not_know_are_told_how_to_start(ranks, variable, starter):
    done = run("import tinygrad_dl as td\ntd.distributed.init_process_group()", **{variable: "4"})
    last = next(line for line in done.stderr.splitlines() if line.startswith("tinygrad_dl.ArgumentError"))
    assert f"got 4 processes from {starter}" in last and "mpirun -n 4 python program.py" in last
