"""The instructions that both libraries may use: chosen by the environment, and read back from the process that ran.

`environment("avx2")` lets NumPy, OpenBLAS, PyTorch, oneDNN and MKL work as on a processor without AVX-512; "native"
leaves the choice to them, whatever the user's shell says. A library may ignore a setting, so `in_effect`, called in the
process that was measured, tells what ran there, and `faults` compares that with what was asked for.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

ISAS = ("native", "avx2")
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
NUMPY = "NPY_DISABLE_CPU_FEATURES"
UNREADABLE = "not told"


def numpy_features() -> list[str]:
    """The groups of instructions over its baseline for which NumPy has loops, and which it uses in this process."""
    from numpy._core import _multiarray_umath as umath

    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def wide(features: list[str]) -> list[str]:
    """Those of NumPy's groups that need AVX-512: X86_V4 is the name of the first of them since NumPy 2.4."""
    return [name for name in features if name.startswith("AVX512") or name == "X86_V4"]


@cache
def wide_features() -> str:
    """NumPy's groups of AVX-512 on this processor: disabling one that it lacks would only bring a warning."""
    code = "import processor; print(*processor.wide(processor.numpy_features()))"
    env = {name: value for name, value in os.environ.items() if name != NUMPY}
    here = os.path.dirname(__file__)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def environment(isa: str) -> dict[str, str]:
    """The user's environment, with the instructions that a process started in it may use."""
    env = {name: value for name, value in os.environ.items() if name not in (*AVX2, NUMPY)}
    if isa == "avx2":
        env.update(AVX2)
        if wide_features():
            env[NUMPY] = wide_features()
    return env


@contextmanager
def printed() -> Iterator[list[str]]:
    """What C code prints inside, as one text in the list: oneDNN and MKL tell about themselves in no other way."""
    found: list[str] = []
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield found
        finally:
            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            found.append(file.read().decode(errors="replace"))


def in_effect(library: str) -> dict[str, str]:
    """What this process uses, by part: called when all has been measured."""
    import numpy as np
    import threadpoolctl

    np.ones((2, 2), np.float32) @ np.ones((2, 2), np.float32)
    pools = [each for each in threadpoolctl.threadpool_info() if "numpy" in each["filepath"]]
    found = {
        "NumPy": " ".join(numpy_features()) or "its baseline",
        "OpenBLAS": ", ".join(each.get("architecture", UNREADABLE) for each in pools) or UNREADABLE,
    }
    return {**found, **torch_parts()} if library == "torch" else found


def torch_parts() -> dict[str, str]:
    """The same of PyTorch and of the two libraries inside it."""
    import torch

    with printed() as lines, torch.backends.mkldnn.verbose(1), torch.backends.mkl.verbose(1), torch.no_grad():
        torch.nn.functional.conv2d(torch.ones(4, 16, 32, 32), torch.ones(16, 16, 3, 3))
        torch.ones(64, 64) @ torch.ones(64, 64)
    onednn = re.search(r"info,cpu,isa:(.*)", lines[0])
    mkl = re.search(r"Advanced Vector Extensions (2|512)", lines[0])
    return {
        "PyTorch": torch.backends.cpu.get_cpu_capability(),
        "oneDNN": onednn[1].strip() if onednn else UNREADABLE,
        "MKL": f"AVX{'-512' if mkl[1] == '512' else '2'}" if mkl else UNREADABLE,  # on other makers' processors
    }


def kind(parts: Mapping[str, str]) -> str:
    """The kind of processor that a process had, which decides the budget: AVX-512 or AVX2."""
    return "AVX-512" if wide(parts["NumPy"].split()) else "AVX2"


def faults(isa: str, parts: Mapping[str, str]) -> list[str]:
    """The settings that did not take effect, a line each."""
    if isa == "native":
        return []
    expected = {"OpenBLAS": "Haswell", "PyTorch": "AVX2"}
    wrong = [
        f"{name}: expected {expected[name]}, got {parts[name]}"
        for name in expected
        if parts.get(name, expected[name]) != expected[name]
    ]
    for name, told in parts.items():
        if re.search(r"AVX-?512|X86_V4|AVX10", told) and name not in expected:
            wrong.append(f"{name}: expected no AVX-512, got {told}")
    if "X86_V3" not in parts["NumPy"] and "AVX2" not in parts["NumPy"]:
        wrong.append(f"NumPy: expected AVX2, got {parts['NumPy']}")
    return wrong


def described(parts: Mapping[str, Any]) -> str:
    """One line for the head of a table."""
    return "; ".join(f"{name}: {told}" for name, told in parts.items())
