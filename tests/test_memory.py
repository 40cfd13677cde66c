"""Freed memory is kept for the next arrays, unless the user says otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

CODE = "from tinygrad_dl.core.memory import keep_freed_memory; print(keep_freed_memory())"
GLIBC = sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [({}, GLIBC), ({"TINYGRAD_DL_MALLOC": "0"}, False), ({"MALLOC_TRIM_THRESHOLD_": "100000"}, False)],
)
def test_malloc_is_set_only_where_the_user_has_not(variable, expected):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")} | variable
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(expected)


HANDED_BACK = """
import numpy as np
from tinygrad_dl.core.memory import keep_freed_memory, release_freed_memory

def held():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))

assert keep_freed_memory()
arrays = [np.ones(2**18) for _ in range(64)]  # 128 MB
del arrays
before = held()
release_freed_memory()
print(before - held() > 100)
"""


@pytest.mark.skipif(not GLIBC, reason="other C libraries keep no memory, or have no way to hand it back")
def test_freed_memory_is_handed_back_when_asked():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "TINYGRAD_DL_"))}
    done = subprocess.run([sys.executable, "-c", HANDED_BACK], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
