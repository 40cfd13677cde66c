"""The steps that the benchmarks measure: the module `cases`. Modules beside it do not come before others here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
try:
    cases = importlib.import_module("cases")
finally:
    sys.path.pop(0)
