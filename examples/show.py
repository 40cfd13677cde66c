"""What examples share: their options, the tables they print, the pictures they write, and data to learn from."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure


def options(doc: str | None, too_short: str = "", **defaults: object) -> argparse.Namespace:
    """The command line of an example: --quick, --seed, --out, and one more option for each keyword.

    Args:
        doc: the example's docstring, shown by --help.
        too_short: what --quick cannot show. It is printed first, and `save` writes that at the head of each picture, so
            that nobody takes the numbers of a few steps for a result; without it, --quick shows what the full run does.
        defaults: further options with the value each has when it is not given: `data=None` makes `--data`.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds' worth: less data, fewer epochs")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="the folder that pictures go to (default: out)")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", default=value, type=str if value is None else type(value))
    chosen = parser.parse_args()
    chosen.too_short = too_short if chosen.quick else ""
    if chosen.too_short:
        print(f"--quick is too short to conclude: {chosen.too_short}.\nRun it without --quick to see what it shows.\n")
    return chosen


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under a header, the first column to the left, all others to the right.

    Fractions are shown with four digits; give a string where another form is wanted.
    """
    cells = [list(header)] + [[_text(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for number, row in enumerate(cells):
        rest = (text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())
        if not number:
            print("  ".join("-" * width for width in widths))
    print()


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def save(figure: Figure, options: argparse.Namespace, name: str) -> None:
    """Writes a figure into the folder of --out, and says so; at its head, if a quick run was too short to conclude."""
    options.out.mkdir(parents=True, exist_ok=True)
    if options.too_short:
        head = f"--quick, too short to conclude: {options.too_short}"
        figure.suptitle(f"{figure.get_suptitle()}\n{head}", color="#b00020", fontsize=11, weight="bold", wrap=True)
    figure.savefig(options.out / name, dpi=120)
    print(f"wrote {options.out / name}")


def canvases(digits: np.ndarray, rng: np.random.Generator, noise: float, size: int = 12) -> np.ndarray:
    """Puts each 8 x 8 image somewhere on a noisy canvas: (n, 1, size, size), float32."""
    out = rng.normal(0, noise, (len(digits), size, size)).astype(np.float32)
    for canvas, digit, (top, left) in zip(out, digits, rng.integers(0, size - 7, (len(digits), 2)), strict=True):
        canvas[top : top + 8, left : left + 8] += digit
    return out[:, None]


def text(path: str | None) -> str:
    """The text in a file; by default Python's own help, a paragraph to a line: 190 kB of English."""
    if path:
        found = Path(path).read_text(encoding="utf-8")
        if len(found) < 20_000:
            raise SystemExit(f"--data {path}: expected 20,000 characters or more to learn from, got {len(found):,}")
        return found
    from pydoc_data.topics import topics

    plain = {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-"}  # quotation marks, dashes
    lines = (" ".join(part.split()) for topic in topics.values() for part in topic.translate(plain).split("\n\n"))
    return "\n".join(dict.fromkeys(line for line in lines if re.fullmatch(r"[A-Z][ -~]{80,}\.", line)))
