"""`viz.text` and `viz.memory`: a line for each operation, and for each array that a graph keeps."""

import pytest

import tinygrad_dl as td
from tinygrad_dl import nn


def lines(listing):
    return [" ".join(row).strip() for row in listing.rows]


def test_operations_constants_and_options():
    x = td.ones(2, 3, requires_grad=True)
    y = td.softmax(((2 * x) ** 3 - x) / 4, 1)[:, 1:].sum(0, keepdim=True)
    listing = td.viz.text(y, {"x": x})
    assert [row[:2] for row in listing.rows] == [
        ["x", "parameter"],
        ["%1", "2 * x"],
        ["%2", "%1 ** 3"],
        ["%3", "%2 - x"],
        ["%4", "%3 / 4"],
        ["%5", "softmax(%4, dim=1)"],
        ["%6", "getitem(%5, index=(:, 1:))"],
        ["%7", "sum(%6, dim=0, keepdim=True)"],
    ]
    assert listing.rows[-1][2] == "(1, 2) float32"
    assert str(listing).splitlines()[-1] == listing.total and listing.total.startswith("7 operations, ")


def test_names_of_leaves_several_outputs_and_sequences():
    layer = nn.LSTM(3, 4)
    x, z = td.ones(5, 2, 3, requires_grad=True), td.ones(1, requires_grad=True)
    output, _ = layer(x)
    found = lines(td.viz.text([output[0].sum(), td.cat([z, z])], layer))
    assert found[0].startswith("input 1 input (5, 2, 3) float32") and "weight_hh_l0 parameter (16, 4) float32" in found
    assert any("lstm_layer(input 1, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0)" in line for line in found)
    assert any("getitem(%1.output, index=0)" in line for line in found)
    assert any("cat([input 2, input 2])" in line for line in found)


def test_what_was_not_kept_is_not_made_up():
    x = td.ones(2, requires_grad=True)
    y = (x + td.ones(2)) * td.arange(2.0)
    assert [row[1] for row in td.viz.text(y).rows] == ["input", "input 1 + _", "%1 * array(2,)"]
    y.sum().backward()
    assert td.viz.text(y).rows[-1][3] == "freed"


def test_a_function_of_the_users():
    class Double(td.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    assert td.viz.text(Double.apply(td.ones(1, requires_grad=True))).rows[-1][1] == "Double(input 1)"


def test_memory_is_counted_once_and_largest_first():
    w = td.ones(4, 3, requires_grad=True)
    x = td.ones(10, 4)
    y = (x @ w).exp()
    listing = td.viz.memory((y * y.view(30).view(10, 3)).sum(), {"w": w})
    assert lines(listing) == [
        "160 B (10, 4) float32 input of %1 matmul",
        "120 B (10, 3) float32 out of %2 exp, other of %5 mul, input of %5 mul",
    ]
    assert listing.total == "280 B in 2 arrays; parameters: 0 B"
    layer = nn.Linear(3, 2)
    deeper = td.viz.memory(layer(y).sum())
    assert deeper.total == "280 B in 2 arrays; parameters: 24 B" and len(deeper.rows) == 2
    loss = layer(y).sum()
    del layer  # now the graph alone keeps the weight
    assert td.viz.memory(loss).total == "304 B in 3 arrays; parameters: 0 B"


def test_html():
    page = td.viz.text((td.ones(2, requires_grad=True) * 2).sum())._repr_html_()
    assert page.count("<tr>") == 4 and "<td" in page and "input 1 * 2" in page


@pytest.mark.parametrize("listing", [td.viz.text, td.viz.memory])
def test_refusals(listing):
    with pytest.raises(RuntimeError, match="a tensor that has no graph to draw"):
        listing(td.ones(2))
    with pytest.raises(TypeError, match=r"expected a tinygrad_dl\.Tensor, got int"):
        listing([3])


def test_what_a_recording_tells():
    model = nn.Sequential(nn.Linear(3, 2), nn.Softmax(dim=1))
    with td.viz.recording():
        y = model(td.ones(4, 3)).sum(dim=0)
    listing = td.viz.text(y)
    assert listing.head == ["name", "operation", "result", "saves", "module", "line"]
    number = test_what_a_recording_tells.__code__.co_firstlineno + 3
    line = f"test_viz_listing.py:{number}"
    assert [[row[0], row[1], *row[4:]] for row in listing.rows] == [
        ["0.weight", "parameter", "", ""],
        ["0.bias", "parameter", "", ""],
        ["%1", "linear(array(4, 3), 0.weight, 0.bias)", "0", line],
        ["%2", "softmax(%1, dim=1)", "1", line],
        ["%3", "sum(%2, dim=0)", "", line],
    ]
