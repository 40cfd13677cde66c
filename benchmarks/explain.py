"""The page of `viz.explain` for a GPT of some 5,000 operations: how large it is, and how soon it answers.

    python benchmarks/explain.py [--blocks 256] [--rounds 5] [--page FILE]

Each action is done in the browser as a user does it. The table tells the longest and the median time from the event to
the next picture on the screen, and the longest that the page's thread computed for it, which other work of the machine
does not change. The page is to stay under 5 MB, and every answer under 100 ms. Needs selenium, chromium, chromedriver.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from selenium import webdriver

import tinygrad_dl as td
from tinygrad_dl import nn

SIZE, TOKENS, LENGTH = 32, 50, 16

ANSWER = """
const done = arguments[arguments.length - 1], act = new Function(arguments[0]);
const begin = performance.now();
act();
requestAnimationFrame(() => {
  const channel = new MessageChannel();  // its message comes when the picture has been painted
  channel.port1.onmessage = () => done(performance.now() - begin);
  channel.port2.postMessage(0);
});
"""
KEY = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '%s', bubbles: true }))"
CLICK = "document.querySelector('%s').dispatchEvent(new MouseEvent('click', { bubbles: true }))"
ACTIONS = {
    "step forward": KEY % "ArrowRight",
    "to the end": KEY % "End",
    "step back": KEY % "ArrowLeft",
    "unfold a part": CLICK % ".box.folded .sign",
    "unfold a module in it": CLICK % ".box.folded .sign",
    "step in it": KEY % "ArrowLeft",
    "arrays at a box": "document.querySelector('.box').dispatchEvent("
    "new PointerEvent('pointerover', { bubbles: true, pointerType: 'mouse' }))",
    "follow a parameter": CLICK % ".box.parameter",
    "step while following": KEY % "ArrowLeft",
    "the next path": KEY % "n",
    "unfold another": "[...document.querySelectorAll('.box.folded .sign')].at(-1).dispatchEvent("
    "new MouseEvent('click', { bubbles: true }))",
    "fold a module": KEY % "F",
    "larger": KEY % "+",
    "the whole graph": KEY % "0",
    "light or dark": KEY % "t",
    "drag the slider": "const time = document.getElementById('time'); time.value = Math.floor(time.max / 3);"
    "time.dispatchEvent(new Event('input'))",
}


class Block(nn.Module):
    """A block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(SIZE), nn.LayerNorm(SIZE)
        self.attention = nn.MultiheadAttention(SIZE, 4, batch_first=True)
        self.up, self.down = nn.Linear(SIZE, 4 * SIZE), nn.Linear(4 * SIZE, SIZE)

    def forward(self, x: td.Tensor) -> td.Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class GPT(nn.Module):
    """A transformer that predicts the next token."""

    def __init__(self, blocks: int):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(TOKENS, SIZE), nn.Embedding(LENGTH, SIZE)
        self.blocks = nn.ModuleList(Block() for _ in range(blocks))
        self.head = nn.Linear(SIZE, TOKENS)

    def forward(self, tokens: td.Tensor) -> td.Tensor:
        x = self.tokens(tokens) + self.positions(td.arange(LENGTH))
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def make(blocks: int) -> td.viz.Page:
    """The page of a GPT."""
    td.manual_seed(0)
    model, tokens = GPT(blocks), td.randint(0, TOKENS, (2, LENGTH))
    with td.viz.recording():
        loss = nn.functional.cross_entropy(model(tokens).reshape(-1, TOKENS), tokens.reshape(-1))
    return td.viz.explain(loss)


def browser() -> webdriver.Chrome:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def thread_time(driver: webdriver.Chrome) -> float:
    """What the page's thread has computed so far, in milliseconds."""
    metrics = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", type=Path, default=Path(tempfile.mkdtemp()) / "explain.html")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    page = make(arguments.blocks)
    print(f"{page!r}: {len(page.html.encode()) / 1e6:.2f} MB, made in {time.perf_counter() - begin:.1f} s")
    driver = browser()
    try:
        driver.get(page.save(arguments.page).resolve().as_uri())
        shown = "const [page] = performance.getEntriesByType('navigation'); return page.loadEventStart"
        print(f"{'opened':22}{driver.execute_script(shown):6.0f} ms")
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        waited: dict[str, list[float]] = {name: [] for name in ACTIONS}
        computed: dict[str, list[float]] = {name: [] for name in ACTIONS}
        for _ in range(arguments.rounds):
            for name, script in ACTIONS.items():
                before = thread_time(driver)
                waited[name].append(driver.execute_async_script(ANSWER, script))
                computed[name].append(thread_time(driver) - before)
        print(f"{'':22}{'longest':>9}{'median':>9}{'thread':>9}   (ms)")
        for name, times in waited.items():
            print(f"{name:22}{max(times):9.0f}{statistics.median(times):9.0f}{max(computed[name]):9.0f}")
        boxes = driver.execute_script("return document.querySelectorAll('.box').length")
        print(f"{boxes} boxes are drawn at the end")
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
