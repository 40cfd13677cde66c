"""The pictures at the head of the README, light and dark: a GPT of 12 blocks, and a step of a page of `viz.explain`.

`make pictures ONLY=readme` runs it. The page is photographed in Chromium; without it the old picture stays.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import tinygrad_dl as td
from tinygrad_dl import nn, viz

EXAMPLES = Path(__file__).parent.parent / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1120, 740)  # of the page, in pixels
# Shows a step of the page by its number, and the page in dark colours or light ones.
SHOW = """<script>
addEventListener("load", () => {{
  const time = document.getElementById("time");
  time.value = {step};
  time.dispatchEvent(new Event("input"));
  document.documentElement.dataset.theme = "{theme}";
}});
</script>
"""


def loss_of_xor() -> tuple[td.Tensor, nn.Module]:
    """The loss of a network of two layers on the four cases of exclusive or."""
    td.manual_seed(1)
    layers = {"hidden": nn.Linear(2, 3), "tanh": nn.Tanh(), "out": nn.Linear(3, 1)}
    model = nn.Sequential(OrderedDict(layers))
    x = td.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = td.tensor([[0.0], [1.0], [1.0], [0.0]])
    with viz.recording():
        loss = nn.functional.mse_loss(model(x), y)
    return loss, model


def photograph(page: str, name: str, browser: str) -> None:
    """Writes a picture of a page as a browser shows it."""
    Path("page.html").write_text(page, encoding="utf-8")
    width, height = SIZE
    options = [
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--disable-gpu",
        "--force-device-scale-factor=1.5",
    ]
    shot = [f"--screenshot={name}", f"--window-size={width},{height}", "--virtual-time-budget=4000"]
    subprocess.run([browser, *options, *shot, Path("page.html").absolute().as_uri()], check=True, capture_output=True)


def main() -> None:
    sys.path.append(str(EXAMPLES))
    model = importlib.import_module("draw_models").GPT()
    for theme in ("light", "dark"):
        drawing = viz.graph(model, td.randint(0, 96, (2, 64)), depth=2, theme=theme, title="")
        drawing.save(f"readme-gpt-{theme}.svg")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no picture of viz.explain: it needs Chromium, which is not found")
        return
    loss, network = loss_of_xor()
    page = re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", viz.explain(loss, network).html)
    for theme in ("light", "dark"):
        photograph(page + SHOW.format(step=10, theme=theme), f"readme-explain-{theme}.png", browser)


if __name__ == "__main__":
    main()
