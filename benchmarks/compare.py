"""tinygrad_dl beside PyTorch on this machine's CPU: the same model source, in turn, in separate processes.

    python benchmarks/compare.py [--isa avx2] [--rounds 5] [--seconds 1.0] [--only NAME] [--before FOLDER]
                                 [--markdown FILE]

Prints a table of the time of a step (median over the rounds), the ratio of the medians (under 1: tinygrad_dl is
faster), the budgets for that ratio by kind of processor (met or missed on the kind that ran), and the peak memory of
each process, which is to stay below PyTorch's. Both sides start from the same weights, and their losses must agree.
`--isa avx2` runs both as on a processor without AVX-512; each process tells what took effect. With `--before`, another
checkout of this repository takes its turns too, and the table tells its time and how ours changed. Needs torch, which
the package itself never does: `pip install torch`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import processor
from cases import CASES

HERE = Path(__file__).parent
PINNED = ("OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE")
KINDS = ("AVX-512", "AVX2")
AGREEMENT = 1e-3  # of the losses, as a share of the larger


def environment(folder: Path = HERE.parent, isa: str = "native") -> dict[str, str]:
    """The user's environment: with the library found, the instructions to use and imports from cached bytecode."""
    env = {k: v for k, v in processor.environment(isa).items() if k not in PINNED}
    env["PYTHONPATH"] = str(folder)
    return env


def machine(isa: str = "native") -> str:
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
    env = environment(isa=isa)
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    return f"Python {platform.python_version()}; {os.cpu_count()} cores; {found.stdout.strip()}"


def measure(library: str, folder: Path, case: str, seconds: float, isa: str = "native") -> dict[str, Any]:
    """One process, one case, one library, which is looked for in a folder first."""
    command = [sys.executable, str(HERE / "measure.py"), library, case, str(seconds)]
    done = subprocess.run(command, env=environment(folder, isa), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{case} on {library} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    if wrong := processor.faults(isa, result["parts"]):
        raise SystemExit(f"{case} on {library}: --isa {isa} did not take effect\n  " + "\n  ".join(wrong))
    return result


def check_losses(case: str, results: dict[str, list[dict[str, Any]]]) -> None:
    """Both libraries must have computed the same: the loss of the first step, and of the second, after an update."""
    ours, theirs = (results[side][0]["losses"] for side in ("ours", "theirs"))
    close = all(math.isclose(a, b, rel_tol=AGREEMENT, abs_tol=1e-6) for a, b in zip(ours, theirs, strict=True))
    if CASES[case].same and not close:
        raise SystemExit(f"{case}: the losses of the first steps differ: {ours} by tinygrad_dl, {theirs} by PyTorch")


def readable(seconds: float) -> str:
    """A time with its unit."""
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def compare(case: str, options: argparse.Namespace) -> list[str]:
    """A row of the table."""
    before: Path | None = options.before
    sides = {"ours": ("tinygrad_dl", HERE.parent), "theirs": ("torch", HERE.parent)}
    if before:
        sides["before"] = ("tinygrad_dl", before)
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for turn in range(options.rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            results[side].append(measure(*sides[side], case, options.seconds, options.isa))
    check_losses(case, results)

    def middle(key: str) -> list[float]:
        return [statistics.median(each[key] for each in results[side]) for side in ("ours", "theirs")]

    ours, theirs = middle("seconds")
    peak, peak_theirs = (b / 2**20 for b in middle("peak"))
    over, over_theirs = (b / 2**20 for b in middle("over_import"))
    earlier = statistics.median(each["seconds"] for each in results["before"]) if before else 0.0
    return [
        case,
        *([readable(earlier), f"{100 * (ours / earlier - 1):+.0f} %"] if before else []),
        readable(ours),
        readable(theirs),
        f"{ours / theirs:.2f}",
        *budgets(case, ours / theirs, processor.kind(results["ours"][0]["parts"])),
        f"{peak:.0f} / {peak_theirs:.0f} MB" + (" (missed)" if peak >= peak_theirs else ""),
        f"{over:.1f} / {over_theirs:.1f} MB",
    ]


def budgets(case: str, ratio: float, kind: str) -> list[str]:
    """A case's budget on each kind of processor; that of the kind which ran is marked."""
    budget = CASES[case].budget
    if budget is None:
        return ["", ""]
    mark = "met" if round(ratio, 2) <= budget[KINDS.index(kind)] else "missed"
    return [f"{limit:.2f}" + (f" ({mark})" if each == kind else "") for each, limit in zip(KINDS, budget, strict=True)]


def heads(isa: str) -> list[str]:
    """What each side uses, read back from processes that ran one step."""
    lines = []
    for library in ("tinygrad_dl", "torch"):
        parts = measure(library, HERE.parent, "import + first gradient", 0.0, isa)["parts"]
        lines.append(f"{library}: {processor.kind(parts)}, --isa {isa}; {processor.described(parts)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", choices=processor.ISAS, default="native", help="the instructions to use")
    parser.add_argument("--rounds", type=int, default=5, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each turn takes")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--before", type=Path, help="another checkout, which takes its turns too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file too")
    options = parser.parse_args()
    earlier = ["before", "change"] if options.before else []
    header = ["case", *earlier, "tinygrad_dl", "PyTorch", "ratio"]
    header += [*(f"budget, {kind}" for kind in KINDS), "peak memory", "over the import"]
    lines = [
        machine(options.isa),
        "",
        *heads(options.isa),
        "",
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
    ]
    print("\n".join(lines), flush=True)
    for case in CASES:
        if options.only in case:
            lines.append("| " + " | ".join(compare(case, options)) + " |")
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
