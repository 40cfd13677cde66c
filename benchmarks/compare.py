"""tinygrad_dl beside PyTorch on this machine's CPU: the same model source, in turn, in separate processes.

    python benchmarks/compare.py [--rounds 5] [--seconds 1.0] [--only NAME] [--before FOLDER] [--markdown FILE]

Prints a table of the time of a step (median over the rounds), the ratio of the medians (under 1: tinygrad_dl is
faster), the budget for that ratio, and the peak memory of each process. With `--before`, another checkout of this
repository takes its turns too, and the table tells its time and how ours changed. Needs torch, which the package itself
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
PINNED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")


def environment(folder: Path = HERE.parent) -> dict[str, str]:
    """The user's environment: with the library found, BLAS's own choice of kernel and imports from cached bytecode."""
    env = {k: v for k, v in os.environ.items() if k not in PINNED}
    env["PYTHONPATH"] = str(folder)
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


def measure(library: str, folder: Path, case: str, seconds: float) -> dict[str, float]:
    """One process, one case, one library, which is looked for in a folder first."""
    command = [sys.executable, str(HERE / "measure.py"), library, case, str(seconds)]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case} on {library} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def readable(seconds: float) -> str:
    """A time with its unit."""
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def compare(case: str, rounds: int, seconds: float, before: Path | None) -> list[str]:
    """A row of the table."""
    sides = {"ours": ("tinygrad_dl", HERE.parent), "theirs": ("torch", HERE.parent)}
    if before:
        sides["before"] = ("tinygrad_dl", before)
    results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for turn in range(rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            results[side].append(measure(*sides[side], case, seconds))

    def middle(key: str) -> list[float]:
        return [statistics.median(each[key] for each in results[side]) for side in ("ours", "theirs")]

    ours, theirs = middle("seconds")
    peak, peak_theirs = (b / 2**20 for b in middle("peak"))
    over, over_theirs = (b / 2**20 for b in middle("over_import"))
    ratio, budget = ours / theirs, CASES[case][1]
    earlier = statistics.median(each["seconds"] for each in results["before"]) if before else 0.0
    return [
        case,
        *([readable(earlier), f"{100 * (ours / earlier - 1):+.0f} %"] if before else []),
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
    parser.add_argument("--before", type=Path, help="another checkout, which takes its turns too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    earlier = ["before", "change"] if options.before else []
    header = ["case", *earlier, "tinygrad_dl", "PyTorch", "ratio", "budget", "peak memory", "over the import"]
    lines = [machine(), "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    print("\n".join(lines), flush=True)
    for case in CASES:
        if options.only in case:
            lines.append("| " + " | ".join(compare(case, options.rounds, options.seconds, options.before)) + " |")
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
