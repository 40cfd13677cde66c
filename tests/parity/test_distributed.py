"""One program of two ranks, by PyTorch over gloo and by this library over MPI: the same numbers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from distributed.conftest import ranks as ranks  # a fixture

PROGRAM = Path(__file__).parent / "both_distributed.py"


def by_pytorch(folder):
    """Starts both ranks, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(PROGRAM), "gloo", str(folder)]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    running = [
        subprocess.Popen(command, env={**shared, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    for each in running:
        _, errors = each.communicate(timeout=100)
        assert not each.returncode, errors


def compare(ours, theirs, place):
    if isinstance(theirs, dict):
        assert [*ours] == [*theirs], place
        for name, value in theirs.items():
            compare(ours[name], value, f"{place} {name}")
    elif isinstance(theirs, list) and theirs and isinstance(theirs[0], list | dict | None.__class__):
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            compare(one, other, f"{place}[{i}]")
    elif theirs is None or ours is None:
        assert ours is theirs, place
    else:
        np.testing.assert_allclose(ours, theirs, 1e-12, 1e-12, err_msg=place)


def test_two_ranks_find_what_those_of_pytorch_find(ranks, tmp_path):
    folders = [tmp_path / name for name in ("ours", "theirs")]
    for folder in folders:
        folder.mkdir()
    done = ranks(2, "under_the_name_torch.py", str(PROGRAM), "mpi", str(folders[0]))
    assert not done.returncode, done.stderr
    by_pytorch(folders[1])
    for rank in range(2):
        ours, theirs = (json.loads((folder / f"{rank}.json").read_text()) for folder in folders)
        compare(ours, theirs, f"rank {rank}")
