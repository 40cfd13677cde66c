"""Whole programs, as people write PyTorch: from the same weights and random numbers to the same losses.

Each of `tests/programs` runs under PyTorch and under `python -m tinygrad_dl.torch`, unchanged.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent.parent / "programs"
SMALLER = {"resnet": ["--width", "8", "--batch-size", "4"]}
NEEDS = {"vit": "einops"}
STEPS = int(os.environ.get("STEPS", "4"))  # of 100 for the whole comparison


def losses(program, *options, ours):
    """What a program prints for each step."""
    command = [sys.executable, *(["-m", "tinygrad_dl.torch"] if ours else []), "launch.py", f"{program}.py", "--double"]
    done = subprocess.run(
        [*command, "--steps", str(STEPS), *SMALLER.get(program, []), *options],
        capture_output=True,
        text=True,
        cwd=PROGRAMS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert not done.returncode, done.stderr
    return [float(number) for number in re.findall(r"^step \d+ loss (\S+)", done.stdout, re.MULTILINE)]


@pytest.mark.parametrize("program", sorted(path.stem for path in PROGRAMS.glob("*.py") if path.stem != "launch"))
def test_program(program, tmp_path):
    if program in NEEDS:
        pytest.importorskip(NEEDS[program])
    weights = str(tmp_path / "weights.pth")
    theirs = losses(program, "--save", weights, ours=False)
    assert len(theirs) == STEPS
    assert losses(program, "--load", weights, ours=True) == pytest.approx(theirs, rel=1e-8)
