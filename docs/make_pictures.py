"""Makes the pictures of the README and of docs/gallery.md: `make pictures` runs examples, the gallery and the README's.

The examples are run in full, and of the gallery the blocks of code on its page. `make pictures ONLY="20 gallery"` makes
those of the programs whose names begin so, `ONLY=readme` those at the head of the README. Pictures are kept program by
program: what a run has made stays, also when a later one fails or the run is broken off.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs" / "gallery.md"
README = ROOT / "docs" / "readme_pictures.py"
EXAMPLES = [ROOT / "examples" / "digits.py", *sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))]
WIDTH, MOST = 1000, 80_000  # pixels, and bytes of a picture: all of them stay below 2 MB in the repository


def keep(source: Path, name: str) -> None:
    """Copies a picture to docs/img, an image in fewer pixels and colours, so many as fit into the bytes allowed."""
    target = ROOT / "docs" / "img" / name
    if source.suffix == ".png":
        image = Image.open(source).convert("RGB")
        width = min(WIDTH, image.width)
        small = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
        for colours in (256, 128, 64, 32, 16, 8):
            # By the colours there are: by the number of pixels, thin lines would lose theirs to what they are drawn on.
            few = small.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
            few.save(target, optimize=True)
            if target.stat().st_size < MOST:
                break
    else:
        shutil.copy(source, target)
    print("wrote", target.relative_to(ROOT), flush=True)


def blocks() -> str:
    """The code on the page of the gallery: one program, which writes its pictures where it runs."""
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'examples')!r})"
    return "\n".join([path, *re.findall(r"^```python\n(.*?)^```", GALLERY.read_text(), re.DOTALL | re.MULTILINE)])


def main() -> None:
    programs = {path.name: [str(path), "--out", "."] for path in EXAMPLES}
    programs |= {GALLERY.name: ["-c", blocks()], README.name: [str(README)]}
    for name, arguments in programs.items():
        if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
            continue
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, cwd=folder)
            print(f"{name} took {time.perf_counter() - begun:.0f} s")
            for made in sorted(Path(folder).iterdir()):
                if made.suffix in (".png", ".svg"):
                    keep(made, made.name)


if __name__ == "__main__":
    main()
