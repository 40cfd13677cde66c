"""Optimisers with shared states, `train.fit` and the example in several processes: programs in `programs/`."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "26_data_parallel.py"


def test_states_are_shared_out_and_taken_over_by_other_numbers_of_ranks(ranks, tmp_path):
    for count, task in ((2, "write"), (3, "read"), (1, "read"), (4, "read")):
        done = ranks(count, "zero_redundancy.py", str(tmp_path), task)
        assert not done.returncode, done.stderr


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fit_gives_the_same_in_any_number_of_ranks_and_goes_on_in_another(ranks, tmp_path, count):
    other = {1: 2, 2: 3, 3: 1}[count]
    for task, number in (("whole", 1), ("same", count), ("first", count), ("rest", other)):
        done = ranks(number, "fit.py", str(tmp_path), task)
        assert not done.returncode, f"{task} in {number}:\n{done.stderr}"


def test_after_a_rank_was_killed_another_number_of_ranks_goes_on(ranks, tmp_path):
    for task, number in (("whole", 1), ("dies", 2), ("rest", 3)):
        done = ranks(number, "fit.py", str(tmp_path), task)
        assert bool(done.returncode) == (task == "dies"), f"{task} in {number}:\n{done.stderr}"


@pytest.mark.parametrize("task", ["bits", "compiled", "decisions", "order", "buffers", "few"])
def test_fit_with_two_ranks(ranks, tmp_path, task):
    done = ranks(2, "fit.py", str(tmp_path), task)
    assert not done.returncode, done.stderr


def test_a_loss_that_is_no_number_in_one_rank_ends_all_with_its_traceback(ranks, tmp_path):
    done = ranks(2, "fit.py", str(tmp_path), "nan")
    assert done.returncode and done.stderr.count("FloatingPointError: fit: the loss of batch 1 in epoch 1 is nan") == 1


def test_there_is_one_bar(ranks, tmp_path):
    pytest.importorskip("tqdm")
    done = ranks(2, "fit.py", str(tmp_path), "bars")
    assert not done.returncode, done.stderr
    assert done.stderr.count(" 0/8 [00:00<") == 1 and "8/8" in done.stderr


@pytest.mark.parametrize("count", [2, 3])
def test_the_example_equals_one_process_with_larger_batches(ranks, tmp_path, count):
    for needed in ("matplotlib", "sklearn"):
        pytest.importorskip(needed)
    done = ranks(count, EXAMPLE, "--quick", "--out", str(tmp_path))
    assert not done.returncode, done.stderr
    assert f"{count} processes, 2 epochs of 1,152 digits" in done.stdout
    assert f"{count} x 24 samples and 1 x {24 * count}" in done.stdout
    assert done.stdout.count("wrote") == 1


def test_the_example_runs_in_one_process_without_mpirun(tmp_path):
    for needed in ("matplotlib", "sklearn"):
        pytest.importorskip(needed)
    command = [sys.executable, "-W", "error", str(EXAMPLE), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert "In one process, gradients averaged over parts of each batch" in done.stdout
