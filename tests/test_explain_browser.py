"""The page of `viz.explain` in a browser: steps, keys, numbers, folding, following, arrays, themes, widths."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn

pytest.importorskip("selenium", reason="needs selenium: pip install selenium")
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs a browser: install chromium and chromedriver")

SIGNS = str.maketrans("\u00d7\u2212", "x-")  # the signs of times and minus as one types them
RIGHT, LEFT, DOWN, ENTER = Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.ENTER


class Page:
    """A page in the browser."""

    def __init__(self, driver, folder):
        self.driver, self.path = driver, folder / "page.html"

    def open(self, html, width=1400, height=900):
        self.path.write_text(html, "utf-8")
        self.size(width, height)
        self.driver.get(self.path.as_uri())

    def size(self, width, height):
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)

    def prefer(self, scheme):
        values = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in values.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def act(self):
        return webdriver.ActionChains(self.driver, duration=0)

    def keys(self, *keys):
        self.act().send_keys(*keys).perform()

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def click(self, css):
        self.act().click(self.find(css)).perform()

    def point(self, css):
        self.act().move_to_element(self.find(css)).perform()

    def text(self, css):
        return self.texts(css)[0]

    def texts(self, css):
        found = self.js("return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)", css)
        return [text.translate(SIGNS) for text in found]

    @property
    def focused(self):
        """What a screen reader says of the element that has the keyboard."""
        element = self.driver.switch_to.active_element
        return (element.get_attribute("aria-label") or element.text).translate(SIGNS)

    def numbers(self, css):
        """The whole numbers of a table, which its fields show when they are pointed at."""
        titles = self.js("return [...document.querySelectorAll(arguments[0])].map((each) => each.title)", f"{css} td")
        return [float(title) for title in titles]

    def box(self, title):
        """The selector of the box with this title."""
        script = """
            const title = (box) => box.querySelector(".title").textContent;
            return [...document.querySelectorAll(".box")].find((box) => title(box) === arguments[0]).dataset.key;
        """
        return f'.box[data-key="{self.js(script, title)}"]'

    def go(self, step):
        """Shows a step by its number on the page."""
        script = "time.value = arguments[0]; time.dispatchEvent(new Event('input'))"
        self.js(f"const time = document.getElementById('time'); {script}", step - 1)

    @property
    def heading(self):
        return self.text("#panel h2")

    @property
    def at(self):
        return self.text("#count")


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, tmp_path):
    """A page, of which nothing may stand on the console at the end."""
    page = Page(driver, tmp_path)
    page.prefer("light")
    yield page
    assert driver.get_log("browser") == []


@pytest.fixture(scope="module")
def net():
    """A net of two layers: its page and its trace."""
    x = td.tensor([[0.5, -1.0], [1.5, 0.25], [-0.75, 0.5]])
    W1 = td.tensor([[0.5, -0.25, 1.0], [1.5, 0.75, -0.5]], requires_grad=True)
    b1 = td.zeros(3, requires_grad=True)
    W2 = td.tensor([[1.0], [-0.5], [0.25]], requires_grad=True)
    with td.viz.recording():
        z = x @ W1 + b1
        h = td.tanh(z)
        p = h @ W2
        loss = (p * p).mean()
    names = {"x": x, "W1": W1, "b1": b1, "W2": W2, "z": z, "h": h, "p": p}
    return td.viz.explain(loss, names).html, td.viz.trace(loss, params=names)


@pytest.fixture(scope="module")
def fork():
    """A number that is used twice: a * b + a."""
    a, b = td.tensor(2.0, requires_grad=True), td.tensor(-3.0, requires_grad=True)
    with td.viz.recording():
        d = a * b
        loss = d + a
    return td.viz.explain(loss, {"a": a, "b": b, "d": d}).html


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(size), nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, x):
        return x + self.down(td.relu(self.up(self.norm(x))))


@pytest.fixture(scope="module")
def deep():
    """A model of twelve blocks with arrays of more than 36 elements."""
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), *(Block(8) for _ in range(12)), nn.Linear(8, 1))
    with td.viz.recording():
        loss = (model(td.randn(6, 4)) ** 2).mean()
    return td.viz.explain(loss).html


def test_every_step_forward_and_back(page, net):
    page.open(net[0])
    headings = [page.heading]
    assert page.at == "1 / 18" and not page.find("#back").is_enabled()
    while page.find("#next").is_enabled():
        page.click("#next")
        headings.append(page.heading)
    assert headings == [
        "How backpropagation works",
        "%1 = x @ W1",
        "z = %1 + b1",
        "h = tanh(z)",
        "p = h @ W2",
        "%5 = p * p",
        "loss = mean(%5)",
        "The backward pass begins with 1",
        "Back through loss = mean(%5)",
        "Back through %5 = p * p",
        "Back through p = h @ W2",
        "The gradient of W2 is known",
        "Back through h = tanh(z)",
        "Back through z = %1 + b1",
        "The gradient of b1 is known",
        "Back through %1 = x @ W1",
        "The gradient of W1 is known",
        "All gradients are known",
    ]
    page.click("#back")
    assert (page.at, page.heading) == ("17 / 18", "The gradient of W1 is known")
    page.click("#first")
    assert page.at == "1 / 18"


def test_keys(page, net):
    page.open(net[0])
    page.keys(RIGHT, RIGHT, RIGHT, LEFT)
    assert page.at == "3 / 18"
    assert page.text("#status") == "Step 3 of 18, forward pass: z = %1 + b1. Value 3 x 3, from -1.25 to 1.375."
    page.keys(Keys.END)
    assert page.at == "18 / 18" and not page.find("#next").is_enabled()
    page.keys(Keys.HOME)
    assert page.at == "1 / 18"
    page.keys("?")
    assert page.find("#keys").is_displayed()
    page.keys(Keys.ESCAPE)
    assert not page.find("#keys").is_displayed()
    page.js("document.getElementById('speed').options[1].value = 1")
    page.keys(" ")
    assert page.find("#play").get_attribute("aria-label") == "pause"
    wait(page, lambda: page.at == "18 / 18")
    assert page.find("#play").get_attribute("aria-label") == "play"
    page.keys(" ", " ")
    assert page.find("#play").get_attribute("aria-label") == "play"


def wait(page, done):
    """Until something is so, for ten seconds at most."""
    WebDriverWait(page.driver, 10, 0.02).until(lambda _: done())


def test_the_numbers_are_those_of_the_trace(page, net):
    html, trace = net
    page.open(html)
    shown = {text: number for number, text in enumerate(headings(page), 1)}
    for step in trace.steps:
        page.go(shown[f"Back through {step.name} = {step.formula}"])
        rules = page.texts("#panel .rule .formula code")
        assert rules == list(step.rules.values())
        for i, (argument, sent) in enumerate(step.outgoing.items(), 1):
            rule = f"#panel .rule:nth-of-type({i})"
            local = step.local[argument]
            found = page.numbers(f"{rule} .equation")
            expected = [*sent.array.ravel()]
            if local.kind == "diagonal":
                expected = [*local.values.array.ravel(), *expected]
                if local.values.shape[-1] <= 2:  # what arrives stands beside it
                    expected = [*step.incoming[0].array.ravel(), *expected]
            np.testing.assert_allclose(found, expected, rtol=1e-5)
    for leaf in trace.leaves:
        page.go(shown[f"The gradient of {leaf.name} is known"])
        found = page.numbers("#panel .beside")
        np.testing.assert_allclose(found, [*leaf.value.array.ravel(), *leaf.gradient.array.ravel()], rtol=1e-5)
    for each in trace.forward:
        page.go(shown[f"{each.name} = {each.formula}"])
        found = page.numbers("#panel .signed:last-child")
        np.testing.assert_allclose(found, each.values[0].array.ravel(), rtol=1e-5)


def headings(page):
    """The headings of all steps."""
    return page.js("""
        const time = document.getElementById("time"), found = [];
        for (let i = 0; i <= Number(time.max); i++) {
          time.value = i;
          time.dispatchEvent(new Event("input"));
          found.push(document.querySelector("#panel h2").textContent);
        }
        return found;
    """)


def test_values_and_gradients_fill_in(page, net):
    page.open(net[0])
    known = "return [...document.querySelectorAll('.box .slot.known')].map((slot) => slot.classList[1]).sort()"
    assert page.js(known) == ["value"] * 4  # of x and the parameters
    page.go(7)
    assert page.js(known) == ["value"] * 10
    page.go(8)
    assert page.js(known) == ["gradient"] + ["value"] * 10
    page.keys(Keys.END)
    assert page.js(known) == ["gradient"] * 9 + ["value"] * 10
    page.keys(Keys.HOME)
    assert page.js(known) == ["value"] * 4


def test_a_sum_at_a_fork(page, fork):
    page.open(fork)
    page.go(headings(page).index("The gradient of a is known") + 1)
    assert "a was used twice, so 2 gradients arrive. They are added:" in page.text("#panel")
    assert page.numbers("#panel .beside") == [2, -3, 1, -2]  # its value, the two, and the sum
    assert "if a grew by 0.01, loss would shrink by about 0.02" in page.text("#panel")


def test_a_parameter_is_followed_to_the_loss(page, fork):
    page.open(fork)
    assert page.texts(".way h3") == []
    page.click(page.box("a"))
    assert page.texts("#panel .way h3") == ["The chain rule from a to loss"]
    assert page.text(".chain").startswith("∂loss∂a = the sum over 2 paths, one of them: ")
    chains = [page.text(".way .numbers")]
    page.click(".way button.inline")
    chains.append(page.text(".way .numbers"))
    assert sorted(chains) == ["= 1 = 1", "= 1 · (-3) = -3"]
    marked = "return [...document.querySelectorAll('.box.way .title')].map((title) => title.textContent).sort()"
    way = page.js(marked)
    page.keys("n")
    assert sorted([way, page.js(marked)], key=len) == [["a", "loss = d + a"], ["a", "d = a * b", "loss = d + a"]]
    page.keys(Keys.ESCAPE)
    assert page.texts(".way h3") == [] and page.js(marked) == []


def test_the_keyboard_alone(page, net):
    """From the start of the page to a parameter, its arrays, and its path; each stop has a name."""
    page.open(net[0])
    names = []
    for _ in range(14):
        page.keys(Keys.TAB)
        names.append(page.focused)
        if page.driver.switch_to.active_element.get_attribute("data-key"):
            break
    assert all(names)
    assert names[-1] == "x, constant · 3 x 2; value 3 x 2, from -1 to 1.5; needs no gradient"
    page.keys(DOWN)
    assert page.focused.startswith("W1, parameter · 2 x 3; value 2 x 3, from -0.5 to 1.5")
    assert page.find("#tip").is_displayed() and page.numbers("#tip") == [0.5, -0.25, 1.0, 1.5, 0.75, -0.5]
    page.keys(ENTER)
    assert page.texts(".way h3") == ["The chain rule from W1 to loss"]
    page.keys(DOWN, ENTER)  # to an operation: its step is shown
    assert page.heading == "%1 = x @ W1"
    assert page.find(".box.current").get_attribute("aria-current") == "step"


def test_arrays_under_the_pointer(page, net, deep):
    page.open(net[0])
    page.point(page.box("W2"))
    assert page.text("#tip h4") == "W2" and page.numbers("#tip") == [1.0, -0.5, 0.25]
    assert "gradient: not known yet" in page.text("#tip")
    page.click(page.box("x"))  # which has no step, but an array
    assert page.at == "1 / 18" and page.numbers("#tip") == [0.5, -1.0, 1.5, 0.25, -0.75, 0.5]
    page.keys(Keys.END)
    page.point("#panel")
    page.point(page.box("W2"))
    np.testing.assert_allclose(page.numbers("#tip .gradient"), net[1]["W2"].gradient.array.ravel(), rtol=1e-5)
    page.open(deep)
    page.keys(Keys.END)
    page.point(page.box("1"))
    label = page.find("#tip .gradient svg").get_attribute("aria-label").translate(SIGNS)
    assert label.startswith("histogram from -") and ", mean " in label
    assert page.numbers("#tip") == []


def test_modules_fold_and_unfold(page, deep):
    page.open(deep)
    folded = "return [...document.querySelectorAll('.box.folded .title')].map((title) => title.textContent)"
    assert page.js(folded) == [str(i) for i in range(14)]
    count = page.at
    page.click(f"{page.box('3')} .sign .touch")
    assert page.js(folded) == ["0", "1", "2", "norm", "up", "down", *map(str, range(4, 14))]
    assert page.at != count and "3" in page.texts(".label .name")
    page.keys(*[DOWN] * 4)  # to what lies below the edge of the picture
    assert page.find("#tip").is_displayed() and page.text("#tip h4") == "%16 = %11 + %15"
    page.keys(*[Keys.ARROW_UP] * 4)
    page.keys("f")  # the first box in it has the keyboard: a module too
    assert "norm.weight" not in page.texts(".box .title") and "weight" in page.texts(".box .title")
    page.keys("f", "F")
    assert page.js(folded) == [str(i) for i in range(14)] and page.at == count
    page.click(page.box("3"))  # its step, from where its parameters can be visited
    assert page.heading == "3 (Block)"
    page.click("#panel button.name[data-node]")
    assert page.texts(".way h3")[0].startswith("The chain rule from 3.norm.weight to loss")


def test_calls_of_one_module_and_many_of_them(page):
    """Fifty calls of one cell: in parts of several calls each, every call with its number."""
    cell, h = nn.RNNCell(2, 2), td.zeros(1, 2)
    with td.viz.recording():
        for _ in range(50):
            h = cell(td.ones(1, 2), h)
        loss = h.sum()
    page.open(td.viz.explain(loss, cell).html)
    assert page.texts(".box.folded .title") == [f"part {i} of 5" for i in range(1, 6)]
    assert page.texts(".box.folded .subtitle")[:2] == ["12 x RNNCell", "12 operations"]
    page.click(f"{page.box('part 2 of 5')} .sign .touch")
    assert page.texts(".box.folded .title")[1:3] == ["RNNCell, call 13", "RNNCell, call 14"]
    page.keys(Keys.END)
    assert page.texts(".slot .hint") == []  # of the two outputs of a cell those are shown that are used
    page.click(page.box("RNNCell, call 14"))
    assert "A part of the gradient of weight_ih, weight_hh, bias_ih and bias_hh comes from here" in page.text("#panel")
    page.click(page.box("weight_hh"))
    assert page.text(".way .chain").startswith("∂loss∂weight_hh = the sum over 50 paths, one of them: ")


def test_light_and_dark(page, net):
    page.open(net[0])
    colour = "return getComputedStyle(document.body).backgroundColor"
    assert page.js(colour) == "rgb(255, 255, 255)"
    page.click("#theme")
    assert page.js(colour) == "rgb(27, 30, 37)"
    page.keys("t")
    assert page.js(colour) == "rgb(255, 255, 255)"
    page.prefer("dark")
    page.open(net[0])
    assert page.js(colour) == "rgb(27, 30, 37)"
    page.keys("t")
    assert page.js(colour) == "rgb(255, 255, 255)"


def test_pan_and_zoom(page, net):
    page.open(net[0])
    scale = "return document.querySelector('.stage').transform.baseVal.consolidate().matrix.a"
    place = "return document.querySelector('.box').getBoundingClientRect().x"
    before, x = page.js(scale), page.js(place)
    page.keys("+")
    assert page.js(scale) == pytest.approx(1.25 * before, rel=1e-3)
    page.keys("-", "0")
    assert page.js(scale) == pytest.approx(before, rel=1e-3) and page.js(place) == pytest.approx(x, abs=0.5)
    graph = page.find("#graph")
    page.act().move_to_element(graph).scroll_by_amount(0, 100).perform()
    assert page.js(place) == pytest.approx(x, abs=0.5)  # all of it is in sight: the wheel is for the page around
    page.act().move_to_element_with_offset(graph, 350, 300).click_and_hold().move_by_offset(40, 0).release().perform()
    assert page.js(place) == pytest.approx(x + 40, abs=0.5) and page.at == "1 / 18"


OVERLAPS = """
    const all = [...document.querySelectorAll(".box .body")].map((each) => each.getBoundingClientRect());
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    let count = 0;
    all.forEach((a, i) => all.slice(0, i).forEach((b) => { if (meet(a, b)) count++; }));
    for (const box of document.querySelectorAll(".box")) {
      const slot = box.querySelector(".slot rect").getBoundingClientRect();
      const words = [...box.querySelectorAll(".title, .subtitle")].map((each) => each.getBoundingClientRect());
      count += words.filter((each) => each.right > slot.left).length;
      for (const slot of box.querySelectorAll(".slot")) {
        const around = slot.querySelector("rect").getBoundingClientRect();
        const written = [...slot.querySelectorAll("text")].map((each) => each.getBoundingClientRect());
        count += written.filter((each) => each.width > around.width).length;
      }
    }
    return count;
"""


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (800, 1000), (390, 844)])
def test_widths(page, net, deep, fork, width, height):
    for html in (net[0], deep, fork):
        page.open(html, width, height)
        for key in (Keys.HOME, Keys.END):
            page.keys(key)
            assert page.js(OVERLAPS) == 0
            assert page.js("return document.documentElement.scrollWidth <= innerWidth")
            assert page.js(
                "const panel = document.getElementById('panel'); return panel.scrollWidth <= panel.clientWidth"
            )
        outside = """
            const shown = [...document.querySelectorAll("button, select, #time")].filter((each) => each.offsetParent);
            const own = shown.filter((each) => !each.closest("#panel, dialog"));
            const boxes = own.map((each) => each.getBoundingClientRect());
            return boxes.filter((box) => box.left < 0 || box.right > innerWidth || box.bottom > innerHeight).length;
        """
        assert page.js(outside) == 0


def test_a_graph_with_no_recording(page):
    w = td.tensor([1.0, -2.0], requires_grad=True)
    page.open(td.viz.explain(((w * 3).tanh() ** 2).sum(), {"w": w}).html)
    assert "compute the loss inside `with td.viz.recording():`" in page.text("#panel .note")
    page.keys(Keys.END)
    assert page.heading == "All gradients are known"


def test_hostile_names(page):
    names = [
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\u202egnp.exe",
        "😀 {{data}} \u2028",
        "&lt;b",
    ]
    tensors = {name: td.tensor(float(i + 1), requires_grad=True) for i, name in enumerate(names)}
    loss = sum(tensors.values())
    page.open(td.viz.explain(loss, tensors, title="<b>{{script}}</b>").html)
    assert page.text("h1 bdi") == "<b>{{script}}</b>"
    page.keys(Keys.END)
    assert page.texts("#panel th button") == names
    assert page.js("return document.querySelectorAll('img, h1 b, script').length") == 2  # the data and the script


def test_in_a_notebook(page, net):
    """In a frame that may run scripts and nothing else."""
    loss = (td.tensor([1.0, 2.0], requires_grad=True) ** 2).sum()
    page.open(f"<!doctype html><title>notebook</title>{td.viz.explain(loss)._repr_html_()}")
    frame = page.find("iframe")
    page.driver.switch_to.frame(frame)
    assert page.heading == "How backpropagation works"
    page.click("#last")
    assert page.heading == "All gradients are known"
    page.driver.switch_to.default_content()
