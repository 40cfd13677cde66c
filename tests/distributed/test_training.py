"""Optimisers with shared states in several processes: programs in `programs/`."""


def test_states_are_shared_out_and_taken_over_by_other_numbers_of_ranks(ranks, tmp_path):
    for count, task in ((2, "write"), (3, "read"), (1, "read"), (4, "read")):
        done = ranks(count, "zero_redundancy.py", str(tmp_path), task)
        assert not done.returncode, done.stderr
