"""torch.distributed's collectives over MPI: each test is a program that several processes run."""

import pytest


@pytest.mark.parametrize("count", [1, 2, 3])
def test_collectives_and_messages(ranks, count):
    done = ranks(count, "collectives.py")
    assert not done.returncode, done.stderr


@pytest.mark.parametrize(("program", "count"), [("groups.py", 3), ("mistakes.py", 2)])
def test_programs(ranks, program, count):
    done = ranks(count, program)
    assert not done.returncode, done.stderr
