"""tinygrad_dl beside PyTorch on this machine's CPU: the same model source, in turn, in separate processes.

    python benchmarks/compare.py [--rounds 5] [--seconds 1.0] [--only NAME] [--markdown FILE]

Prints a table of the time of a step (median over the rounds), the ratio of the medians (under 1: tinygrad_dl is
faster), the budget for that ratio, and the peak memory of each process. Needs torch, which the package itself
never does: `pip install torch`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from cases import CASES

HERE = Path(__file__).parent
LIBRARIES = ("tinygrad_dl", "torch")


def environment() -> dict[str, str]:
    """The user's environment: with the library found, BLAS's own choice of kernel and imports from cached bytecode."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "PYTHONDONTWRITEBYTECODE")}
    env["PYTHONPATH"] = str(HERE.parent)
    return env


def machine() -> str:
    """What the figures depend on: versions, BLAS kernel, threads."""
    code = (
        "import numpy as np, torch, json, threadpoolctl\n"
        "np.ones((2, 2), np.float32) @ np.ones((2, 2), np.float32)\n"
        "pools = [p for p in threadpoolctl.threadpool_info() if 'numpy' in p['filepath']]\n"
        "blas = ', '.join(f\"{p['internal_api']} {p['version']} {p.get('architecture', '')}, "
        "{p['num_threads']} threads\" for p in pools)\n"
        "print(f'NumPy {np.__version__} ({blas}); PyTorch {torch.__version__} ({torch.get_num_threads()} threads, '\n"
        "      f'{torch.backends.cpu.get_cpu_capability()})')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    return f"Python {platform.python_version()}; {os.cpu_count()} cores; {found.stdout.strip()}"


def measure(library: str, case: str, seconds: float) -> dict[str, float]:
    """One process, one case, one library."""
    command = [sys.executable, str(HERE / "measure.py"), library, case, str(seconds)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case} on {library} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def readable(seconds: float) -> str:
    """A time with its unit."""
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def compare(case: str, rounds: int, seconds: float) -> list[str]:
    """A row of the table."""
    results: dict[str, list[dict[str, float]]] = {library: [] for library in LIBRARIES}
    for turn in range(rounds):
        for library in LIBRARIES if turn % 2 == 0 else reversed(LIBRARIES):
            results[library].append(measure(library, case, seconds))

    def middle(key: str) -> list[float]:
        return [statistics.median(r[key] for r in results[library]) for library in LIBRARIES]

    ours, theirs = middle("seconds")
    peak, peak_theirs = (b / 2**20 for b in middle("peak"))
    over, over_theirs = (b / 2**20 for b in middle("over_import"))
    ratio, budget = ours / theirs, CASES[case][1]
    return [
        case,
        readable(ours),
        readable(theirs),
        f"{ratio:.2f}",
        f"{budget:.2f}" + ("" if ratio <= budget else " (missed)"),
        f"{peak:.0f} / {peak_theirs:.0f} MB",
        f"{over:.1f} / {over_theirs:.1f} MB",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each turn takes")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    header = ["case", "tinygrad_dl", "PyTorch", "ratio", "budget", "peak memory", "over the import"]
    lines = [machine(), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    print("\n".join(lines), flush=True)
    for case in CASES:
        if options.only in case:
            lines.append("| " + " | ".join(compare(case, options.rounds, options.seconds)) + " |")
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
