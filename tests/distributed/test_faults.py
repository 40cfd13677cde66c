"""A rank that is killed, raises, hangs or leaves: all end, the reason is said, and no process stays behind."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from distributed.starting import PROGRAMS, ROOT, mpirun


def alive(number):
    """Whether a process is there, and not only its exit status."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def numbers(folder):
    return [int(path.stem) for path in folder.glob("*.pid")]


def wait_for(condition, seconds):
    """Whether a condition has come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def nobody_left(folder):
    return wait_for(lambda: not any(map(alive, numbers(folder))), 10)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("raise", ["[rank 2] KeyError: 'a sample is missing'", "fails.py", "rank 2 of 3 has failed"]),
        ("raise in backward", ["[rank 2] ZeroDivisionError", "rank 2 of 3 has failed"]),
        ("hang", ["got no answer from the other ranks for 2 s", "DistributedDataParallel: rank "]),
        ("exit", ["got no answer from rank 2, which has ended its program", "DistributedDataParallel: rank "]),
        ("leave", ["got no answer from rank 2, which has ended its program"]),
        ("message", ["recv: rank ", "got no answer from rank 2, which has ended its program"]),
        (
            "other call",
            [
                "got different calls, all_reduce SUM float32 (3,) on rank 0 and all_reduce SUM float32 (3,) on rank 1 "
                "and broadcast float32 (3,) src=0 on rank 2, expected one on all ranks"
            ],
        ),
    ],
)
def test_one_rank_ends_all(ranks, tmp_path, what, words):
    done = ranks(3, "fails.py", str(tmp_path), what)
    assert done.returncode
    assert all(each in done.stderr for each in words), done.stderr
    assert len(numbers(tmp_path)) == 3 and nobody_left(tmp_path)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks for processes in /proc")
def test_a_killed_rank_ends_all_at_any_moment(ranks, tmp_path):
    """At ten moments from the start of Python on: while it imports, while the group is made, in training."""
    draw = random.Random(0)
    runs = []
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [mpirun(), "-n", "2", sys.executable, str(PROGRAMS / "fails.py"), str(folder), "nothing"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as run:
            try:
                assert wait_for(lambda folder=folder: len(numbers(folder)) == 2, 20)
                time.sleep(draw.uniform(0, 0.8))
                os.kill(draw.choice(numbers(folder)), signal.SIGKILL)
                run.communicate(timeout=20)
            finally:
                run.kill()
        assert run.returncode
        runs.append(folder)
    assert all(map(nobody_left, runs))
