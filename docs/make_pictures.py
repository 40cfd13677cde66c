"""Makes the pictures of the README by running the demo: `make pictures`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, str(ROOT / "examples" / "digits.py"), "--out", folder], check=True)
    for name in ("graph.svg", "curves.png"):
        shutil.copy(Path(folder) / name, ROOT / "docs" / "img" / name)
        print("wrote", Path("docs") / "img" / name)
