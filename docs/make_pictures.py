"""Makes the pictures of the README and of docs/course.md: `make pictures` runs the demo and all examples, in full."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
WIDTH, MOST = 1000, 80_000  # pixels, and bytes of a picture: all of them stay below 2 MB in the repository


def keep(source: Path, name: str) -> None:
    """Copies a picture to docs/img, an image in fewer pixels and colours, so many as fit into the bytes allowed."""
    target = ROOT / "docs" / "img" / name
    if source.suffix == ".png":
        image = Image.open(source).convert("RGB")
        width = min(WIDTH, image.width)
        small = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
        for colours in (256, 64, 32, 16, 8):
            small.quantize(colours, dither=Image.Dither.NONE).save(target, optimize=True)
            if target.stat().st_size < MOST:
                break
    else:
        shutil.copy(source, target)
    print("wrote", target.relative_to(ROOT))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for example in [ROOT / "examples" / "digits.py", *EXAMPLES]:
            subprocess.run([sys.executable, str(example), "--out", folder], check=True)
        for name in ("graph.svg", "curves.png", *(f"{example.stem}.png" for example in EXAMPLES)):
            keep(Path(folder) / name, name)


if __name__ == "__main__":
    main()
