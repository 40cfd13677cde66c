"""Runs random programs in both libraries and prints the smallest of each kind that differs."""

from __future__ import annotations

import argparse
import sys

from fuzz.campaign import campaign
from fuzz.catalogue import CATALOGUE
from fuzz.drawing import draw_program


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=1000, help="how many programs (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of which seed (0)")
    parser.add_argument("--start", type=int, default=0, help="the number of the first one (0)")
    parser.add_argument("--show", action="store_true", help="print the programs instead of running them")
    arguments = parser.parse_args()
    numbers = range(arguments.start, arguments.start + arguments.n)
    if arguments.show:
        for number in numbers:
            program = draw_program(CATALOGUE, arguments.seed, number)
            print(f"# program {number} of seed {arguments.seed}\n{program.source()}")
        return 0
    tally = campaign(arguments.seed, numbers, report=lambda finding: print(finding, flush=True))
    print(tally.summary())
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
