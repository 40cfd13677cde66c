"""`viz.summary`: shapes, counts and costs, and a model that is left as it was."""

import math

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.viz.costs import multiply_adds
from tinygrad_dl.viz.known.calls import run


class Product(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@pytest.mark.parametrize(
    ("model", "shapes", "expected"),
    [
        (nn.Linear(5, 3), [(2, 5)], 2 * 5 * 3),
        (nn.Linear(5, 3), [(5,)], 5 * 3),
        (nn.Conv1d(4, 6, 3, padding=1), [(2, 4, 8)], 2 * 6 * 8 * 4 * 3),
        (nn.Conv2d(4, 6, 3, groups=2), [(2, 4, 8, 8)], 2 * 6 * 36 * 2 * 9),
        (nn.Conv2d(4, 6, 3, stride=2), [(4, 9, 9)], 6 * 16 * 4 * 9),
        (nn.ConvTranspose2d(4, 6, 3, groups=2), [(2, 4, 8, 8)], 2 * 4 * 64 * 3 * 9),
        (nn.RNN(5, 7), [(3, 2, 5)], 6 * (7 * 5 + 7 * 7)),
        (nn.LSTM(5, 7), [(3, 2, 5)], 6 * 4 * (7 * 5 + 7 * 7)),
        (nn.GRU(5, 7, num_layers=2, bidirectional=True), [(3, 2, 5)], 6 * 2 * 3 * (7 * 5 + 7 * 7 + 7 * 14 + 7 * 7)),
        (nn.MultiheadAttention(4, 2), [(3, 2, 4)] * 3, 4 * 6 * 16 + 2 * 2 * 3 * 3 * (2 + 2)),
        (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], 2 * 5 * 3 * 4),
        (Product(td.matmul), [(2, 3, 4), (4, 5)], 2 * 3 * 4 * 5),
        (Product(td.matmul), [(4,), (4,)], 4),
        (Product(td.addmm), [(3, 5), (3, 4), (4, 5)], 3 * 4 * 5),
        (Product(td.baddbmm), [(2, 3, 5), (2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (Product(nn.functional.scaled_dot_product_attention), [(2, 6, 4), (2, 7, 4), (2, 7, 3)], 2 * 6 * 7 * (4 + 3)),
        (Product(lambda a, b: td.einsum("bij, bjk -> bik", a, b)), [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (Product(lambda a, b: td.einsum("...ij,kj->...ik", a, b)), [(2, 6, 3, 4), (5, 4)], 12 * 3 * 4 * 5),
        (Product(lambda a: td.einsum("ij->ji", a)), [(3, 4)], 0),
        (Product(lambda a, b: td.relu(a * b)), [(3, 4), (3, 4)], 0),
    ],
)
@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
def test_multiply_adds(model, shapes, expected, frozen):
    model.requires_grad_(not frozen)
    seen = run(model, tuple(td.randn(*shape) for shape in shapes), {})
    assert sum(map(multiply_adds, seen.nodes)) == expected
    assert all(p.requires_grad is not frozen for p in model.parameters())


def test_the_table():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    found = td.viz.summary(model, td.ones(5, 1, 4, 4))
    assert [(row.layer, row.path, row.depth) for row in found.rows] == [
        ("Sequential", "", 0),
        ("Conv2d", "0", 1),
        ("ReLU", "1", 1),
        ("Flatten", "2", 1),
        ("Linear", "3", 1),
    ]
    assert [row.output for row in found.rows] == [[(5, 3)], [(5, 2, 2, 2)], [(5, 2, 2, 2)], [(5, 8)], [(5, 3)]]
    assert [row.parameters for row in found.rows] == [47, 20, 0, 0, 27]
    assert [row.trainable for row in found.rows] == [27, 0, 0, 0, 27]
    assert [row.multiply_adds for row in found.rows] == [5 * 72 + 5 * 24, 5 * 72, 0, 0, 5 * 24]
    # The convolution keeps its input, relu its result, which the linear layer keeps too.
    assert [row.memory for row in found.rows] == [480, 320, 160, 0, 160]
    assert "47 parameters (20 frozen) \u00b7 480 multiply-adds \u00b7 480 B kept for the backward pass" in str(found)
    assert len(td.viz.summary(model, td.ones(5, 1, 4, 4), depth=0).rows) == 1
    lines = str(found).splitlines()
    assert lines[0].split() == ["layer", "path", "output", "parameters", "multiply-adds", "memory", "trainable"]
    assert lines[3].split() == ["Conv2d", "0", "(5,", "2,", "2,", "2)", "20", "360", "320", "B", "no"]
    page = found._repr_html_()
    assert page.count("<tr>") == 6 and "<td" in page and "Conv2d" in page


def test_shared_modules_count_once_and_several_outputs_are_shown():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x, scale=1.0):
            y = self.layer(self.layer(x)) * scale
            return {"y": y, "mean": y.mean()}

    rows = td.viz.summary(Twice(), td.ones(2, 3), scale=2.0).rows
    assert [row.parameters for row in rows] == [12, 12, 0]
    assert [row.multiply_adds for row in rows] == [36, 18, 18]
    assert rows[0].output == [(2, 3), ()]


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Embedding(2, 3))
    model[3].weight.requires_grad_(False)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = model

        def forward(self, x, index):
            return self.parts[2](self.parts[1](self.parts[0](x))) + self.parts[3](index)

    whole, x = Whole(), td.tensor([[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]])
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    td.manual_seed(3)
    td.viz.summary(whole, x, td.tensor([0, 1]))
    after_summary = td.rand(4)
    td.manual_seed(3)
    assert td.equal(after_summary, td.rand(4))
    assert all(td.equal(value, before[name]) for name, value in whole.state_dict().items())
    assert x.tolist() == [[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]] and not x.requires_grad
    assert [p.requires_grad for p in whole.parameters()] == [True, True, False]
    assert all(p.grad is None for p in whole.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in whole.modules())


def test_a_model_that_raises_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)).requires_grad_(False)
    with pytest.raises(ValueError, match="Linear"):
        td.viz.summary(model, td.ones(2, 3))
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: td.viz.summary(td.ones(2)), "summary: "),
        (
            lambda: td.viz.summary(nn.Linear(1, 1), td.ones(1), depth=-1),
            "expected a depth of 0 or more, or None, got -1",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_large_number_of_elements_is_written_with_commas():
    text = str(td.viz.summary(nn.Linear(1000, 1000), td.ones(1, 1000)))
    assert "1,001,000" in text and f"{math.prod((1000, 1000)):,} multiply-adds" in text
