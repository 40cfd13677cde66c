"""What tensors, modules, optimisers, histories and tables are in notebooks: HTML, or None where the text must do."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


class Page(HTMLParser):
    """The cells of a table row by row, its caption, and all text; tags that are open at the end are counted."""

    def __init__(self, source):
        super().__init__()
        self.rows, self.text, self.open, self.caption = [], "", 0, ""
        self.tags = []
        self.feed(source)
        self.close()
        assert self.open == 0

    def handle_starttag(self, tag, attributes):
        self.open += 1
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.open -= 1
        self.tags.append(f"/{tag}")

    def handle_data(self, data):
        self.text += data
        last = next((tag for tag in reversed(self.tags) if tag in ("td", "th", "/tr", "caption")), None)
        if last in ("td", "th") and self.tags[-1] == last:
            self.rows[-1][-1] += data
        elif self.tags and self.tags[-1] == "caption":
            self.caption += data


def shown(value):
    return Page(value._repr_html_())


def test_a_small_tensor_is_a_table_of_its_elements():
    found = shown(td.tensor([[1.5, -2.0], [0.25, 3.0]], requires_grad=True))
    assert found.rows == [["", "0", "1"], ["0", "1.5000", "-2.0000"], ["1", "0.2500", "3.0000"]]
    assert found.caption == "Tensor \u00b7 shape (2, 2) \u00b7 float32 \u00b7 requires_grad=True"
    assert shown(td.tensor([True, False])).rows == [["", "0", "1"], ["", "True", "False"]]
    assert shown(td.arange(3)).rows == [["", "0", "1", "2"], ["", "0", "1", "2"]]
    assert shown(td.tensor(2.5)).rows == [["", ""], ["", "2.5000"]]
    assert shown(td.tensor([1.0, 2.0])).rows[1] == ["", "1", "2"]
    assert shown(td.tensor([1e-7, 3.0, 0.0])).rows[1] == ["", "1.0000e-07", "3.0000e+00", "0.0000e+00"]
    assert shown(td.tensor([float("nan"), float("inf"), -1.5])).rows[1] == ["", "nan", "inf", "-1.5000"]
    assert shown(td.tensor([1 + 2j])).rows[1] == ["", "1.0000+2.0000j"]


def test_a_computed_tensor_and_subclasses_say_so():
    x = td.ones(2, requires_grad=True)
    assert shown(x * 2).caption.endswith("grad_fn=<MulBackward0>")
    assert shown(nn.Parameter(td.ones(2))).caption.startswith("Parameter \u00b7 shape (2,)")

    class Named(td.Tensor):
        pass

    assert shown(Named([1.0])).caption.startswith("Named")


def test_digits_are_those_of_the_print_options():
    td.set_printoptions(precision=2)
    try:
        assert shown(td.tensor([0.125, 2.5])).rows[1] == ["", "0.12", "2.50"]
        td.set_printoptions(sci_mode=True)
        assert shown(td.tensor([0.125, 2.5])).rows[1] == ["", "1.25e-01", "2.50e+00"]
        td.set_printoptions(sci_mode=False)
        assert shown(td.tensor([1e-7, 2.5])).rows[1] == ["", "0.00", "2.50"]
    finally:
        td.set_printoptions(profile="default")


def test_a_large_tensor_is_its_range():
    x = td.arange(3000.0).reshape(30, 100)
    x[0, 0], x[1, 1], x[1, 2] = float("nan"), float("inf"), -float("inf")
    found = shown(x)
    values = np.delete(np.arange(3000.0), [0, 101, 102])
    assert found.rows == [
        ["lowest", "mean", "highest", "NaN", "inf"],
        [f"{values.min():.4g}", f"{values.mean():.4g}", f"{values.max():.4g}", "1", "2"],
    ]
    assert found.caption == "Tensor \u00b7 shape (30, 100) \u00b7 float32"
    assert shown(td.full((2, 2, 2), 1 - 1j)).rows == [["lowest |x|", "mean |x|", "highest |x|"], ["1.414"] * 3]
    assert shown(td.zeros(0, 3)).rows[1] == ["", "", ""]
    assert shown(td.full((40,), float("nan"))).rows[1] == ["", "", "", "40"]
    assert shown(td.full((40,), 60000.0).half()).rows[1] == ["6e+04"] * 3
    assert shown(td.arange(40)).rows[1] == ["0", "19.5", "39"]


def test_the_range_of_a_huge_tensor_is_that_of_a_part():
    found = shown(td.ones(1).expand(10**6, 10**6))
    assert found.rows[1] == ["1", "1", "1"]
    assert "range of 15,264,649 of its 1,000,000,000,000 elements" in found.caption


def test_tensors_without_values_have_text_alone():
    assert nn.LazyLinear(2).weight._repr_html_() is None
    seen = []
    td.func.vmap(lambda x: (seen.append(x._repr_html_()), x)[1])(td.ones(2))
    assert seen == [None]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width)

    def extra_repr(self):
        return "a < b"


def test_a_module_is_a_tree():
    model = nn.Sequential(nn.Linear(2, 4), Block(4), Block(4), nn.LazyLinear(3))
    model[0].bias.requires_grad_(False)
    before = dict(vars(model))
    found = shown(model)
    assert vars(model) == before
    lines = [line for line in found.text.split("\n") if line]
    assert lines[0] == "Sequential() 68 parameters \u00b7 4 frozen \u00b7 2 without a shape yet"
    assert lines[1] == "(0): Linear(in_features=2, out_features=4, bias=True) 12 parameters \u00b7 4 frozen"
    assert lines[2:4] == ["weight (4, 2) float32", "bias (4,) float32 frozen"]
    assert lines[4] == "(1-2): 2 x Block(a < b) 28 parameters"
    assert "running_mean (4,) float32 buffer" in lines
    assert lines[-2:] == ["weight no shape yet float32", "bias no shape yet float32"]
    assert found.tags.count("details") == 6


def test_modules_with_all_that_they_may_hold():
    model = nn.ModuleDict({"<i>": nn.ModuleList(), "b": nn.Linear(1, 1, bias=False)})
    model.register_module("nothing", None)
    source = model._repr_html_()
    assert "<i>" not in source and "(&lt;i&gt;): " in source
    assert "(b): " in Page(source).text
    many = nn.Sequential(*[nn.Linear(1, i + 1) for i in range(300)])
    assert "and 100 more" in many._repr_html_()
    model.register_module("itself", model)
    assert model._repr_html_() is None


def test_an_optimiser_is_a_table_of_its_groups():
    layer = nn.Linear(3, 2)
    optimizer = td.optim.SGD([{"params": [layer.weight], "lr": 0.5}, {"params": [layer.bias]}], lr=0.1, momentum=0.9)
    found = shown(optimizer)
    assert found.rows[:3] == [["group", "0", "1"], ["parameters", "1", "1"], ["elements", "6", "2"]]
    assert ["lr", "0.5", "0.1"] in found.rows and ["momentum", "0.9", "0.9"] in found.rows
    assert found.caption == "SGD"
    groups = [{"params": [td.ones(1, requires_grad=True)], "lr": 0.1 * i} for i in range(1, 9)]
    rows = shown(td.optim.SGD(groups)).rows
    assert len(rows) == 9 and rows[0][:3] == ["group", "parameters", "elements"]


def test_a_history_is_a_table_of_its_epochs():
    history = td.train.History({"train_<loss>": [0.5, 0.25], "dev_loss": [0.75]})
    history.kept, history.stopped = 1, "a < b"
    found = shown(history)
    assert found.rows == [["epoch", "train_<loss>", "dev_loss"], ["1", "0.5", "0.75"], ["2 *", "0.25", ""]]
    assert found.caption == "2 epochs \u00b7 * weights kept \u00b7 stopped: a < b"
    rows = shown(td.train.History(loss=[1.0] * 100)).rows
    assert [row[0] for row in rows] == ["epoch", *map(str, range(1, 11)), "\u2026", *map(str, range(91, 101))]
    assert shown(td.train.History()).caption == "0 epochs"


@pytest.mark.parametrize(
    "broken",
    [
        td.viz.Summary([None]),
        td.viz.Listing(["a"], [["b", "c"]], ""),
        td.train.History(loss=[None, "a"]),
        type("Model", (nn.Module,), {"extra_repr": lambda self: 1 / 0})(),
        type("Model", (nn.Module,), {"__init__": lambda self: None})(),
    ],
)
def test_what_cannot_be_written_as_html_is_left_to_the_text(broken):
    assert broken._repr_html_() is None


def test_the_code_is_loaded_when_something_is_shown():
    code = (
        "import sys, tinygrad_dl as td; repr(td.ones(2) + 1); repr(td.nn.Linear(1, 1)); td.optim\n"
        "assert not {'tinygrad_dl.core.notebook', 'tinygrad_dl.core.table', 'html'} & set(sys.modules)\n"
        "assert td.ones(2)._repr_html_() and 'tinygrad_dl.viz' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
