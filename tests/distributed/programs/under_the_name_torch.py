"""Runs the program of the first argument as `python -m tinygrad_dl.torch` does."""

import runpy
import sys

sys.argv = ["tinygrad_dl.torch", *sys.argv[1:]]
runpy.run_module("tinygrad_dl.torch", run_name="__main__", alter_sys=True)
