"""What the benchmarks measure and expect: the modules `cases`, `networks` and `expected`.

None of that folder comes before others of the same name.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
try:
    cases, networks, expected = (importlib.import_module(name) for name in ("cases", "networks", "expected"))
finally:
    sys.path.pop(0)
