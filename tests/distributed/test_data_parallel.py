"""Models in several processes, beside one process that has the whole batch."""

import pytest


@pytest.mark.parametrize("count", [1, 2, 3])
def test_distributed_data_parallel(ranks, count):
    done = ranks(count, "ddp.py")
    assert not done.returncode, done.stderr


def test_different_models_are_named_at_the_start(ranks):
    done = ranks(3, "models_differ.py")
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("count", [1, 2, 3])
def test_synchronised_batch_norm(ranks, count):
    done = ranks(count, "sync_batch_norm.py")
    assert not done.returncode, done.stderr
