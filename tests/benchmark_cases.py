"""What the benchmarks measure and expect: the modules `cases` and `expected`. None there comes before others here."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
try:
    cases, expected = (importlib.import_module(name) for name in ("cases", "expected"))
finally:
    sys.path.pop(0)
