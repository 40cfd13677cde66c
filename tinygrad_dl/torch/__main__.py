"""Runs a script, or a module, in which `import torch` is this library: `python -m tinygrad_dl.torch script.py`."""

from __future__ import annotations

import os
import runpy
import sys

from tinygrad_dl.torch import install
from tinygrad_dl.torch.names import REMEDY

USAGE = """usage: python -m tinygrad_dl.torch script.py [arguments]
       python -m tinygrad_dl.torch -m module [arguments]

Runs a program in which `import torch` gives tinygrad_dl."""


def main(arguments: list[str]) -> None:
    """Runs the program that the arguments of the command line name, as Python would."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        sys.exit(0 if arguments else 2)
    as_module = arguments[0] == "-m"
    program = arguments[as_module:]
    if not program:
        sys.exit(f"tinygrad_dl.torch: got -m and no module, expected its name\n{USAGE}")
    if not as_module and not os.path.exists(program[0]):
        sys.exit(f"tinygrad_dl.torch: got the script {program[0]!r}, which does not exist, expected a file of Python")
    install()
    sys.argv = program
    if not sys.flags.safe_path:
        # Python puts the folder of a script first; with -m it put the current one there.
        sys.path[0] = os.getcwd() if as_module else os.path.dirname(os.path.abspath(program[0]))
    try:
        if as_module:
            runpy.run_module(program[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program[0], run_name="__main__")
    except ImportError as error:
        if (error.name or "").split(".")[0] == "torch":
            error.add_note(f"{error.name} is here what tinygrad_dl has of it; {REMEDY}")
        raise


main(sys.argv[1:])
