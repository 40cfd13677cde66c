"""Pictures of models: modules as boxes and frames, what repeats drawn once, and a size that one can read."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from viz_models import GPT, BasicBlock, Gates, ResNet, Tagger, models

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.viz.known.calls import run
from tinygrad_dl.viz.pictures.repeats import Repeat, folded
from tinygrad_dl.viz.pictures.structure import contained, tree

GOLDEN = Path(__file__).parent / "golden"
PLAIN = viz.Theme(*[{}] * len(viz.Theme._fields))
TIMES = "\N{MULTIPLICATION SIGN}"
MODELS = ("resnet18", "unet", "gpt", "lstm", "vit", "diffusion")


def source(*args: Any, **options: Any) -> str:
    return viz.graph(*args, theme=PLAIN, **options).source


def first_line(label: str) -> str:
    """The title of a box, without the cells at its edges."""
    return (
        re.sub(r"\|?\{[^{}]*\}\|?", "", label.removeprefix("{").removesuffix("}")).split(r"\n")[0].replace("&#160;", "")
    )


def boxes(text: str, kind: str) -> list[str]:
    """The titles of all boxes of a kind."""
    return [first_line(line.split('"')[1]) for line in text.splitlines() if f'class="{kind} ' in line]


def frames(text: str) -> list[str]:
    """The titles of all frames."""
    found = re.findall(r'subgraph cluster_\d+ \{\n *graph \[label="([^"]*)"', text)
    return [title.replace("&#160;", "").replace(r"\l", "\n").strip() for title in found]


def arrows(text: str, attribute: str = "") -> list[tuple[str, str]]:
    """The ends of all arrows with an attribute, by the titles of their boxes."""
    labels = {n: first_line(label) for n, label in re.findall(r'(n\d+) \[label="([^"]*)"', text)}
    found = re.findall(r"  (n\d+)[\w:]* -> (n\d+)[\w:]*(?: \[(.*)\])?", text)
    return [(labels[tail], labels[head]) for tail, head, styles in found if attribute in styles]


# -- the six models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_golden(name: str) -> None:
    """To renew the texts after a change that is meant: UPDATE_GOLDEN=1 pytest tests/test_viz_models.py."""
    text = source(*models()[name])
    assert text == source(*models()[name]), "the same model gave two texts"
    path = GOLDEN / f"{name}.dot"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_resnet() -> None:
    text = source(*models()["resnet18"])
    assert f"BasicBlock {TIMES} 2\nlayer1.0 … layer1.1\n608 parameters" in frames(text)
    assert boxes(text, "module").count("BasicBlock") == 6
    assert ("BatchNorm2d", "Add") in arrows(text) and boxes(text, "joint") == [""]  # the residual forks at the joint
    assert boxes(text, "input") == ["x"] and not boxes(text, "parameter")


def test_gpt() -> None:
    text = source(*models()["gpt"])
    assert f"Block {TIMES} 12\ntransformer.h.0 … 11\n10,464 parameters" in frames(text)
    assert "CausalSelfAttention\nattn\n288 parameters" in frames(text)
    assert boxes(text, "op").count("Add") == 3  # of the embeddings, and two residuals
    assert r"lm_head\n(2, 8, 20) · 160 parameters\nweight shared with transformer.wte" in text
    assert boxes(text, "input") == ["idx"] and ("idx", "Embedding") in arrows(text)


def test_lstm_of_single_operations() -> None:
    text = source(*models()["lstm"])
    assert frames(text) == [f"loop {TIMES} 50", "Gates · cell\n576 parameters"]
    assert sorted(arrows(text, "dashed")) == [("Add", "Mul"), ("Mul", "Linear")]  # c and h
    assert r"Getitem\n(:, t)" in text
    assert arrows(text).count(("Mul", "Stack")) == 1


def test_layers_of_one_operation_stay_whole() -> None:
    text = source(Tagger(nn.LSTMCell), td.zeros(2, 50, dtype=td.int64))
    assert frames(text) == [f"loop {TIMES} 50"]
    assert arrows(text, "dashed") == [("LSTMCell", "LSTMCell")]
    assert boxes(source(nn.LSTM(4, 8, num_layers=2), td.ones(7, 2, 4), depth=0), "module") == ["LSTM"]


def test_vit() -> None:
    text = source(*models()["vit"])
    assert f"(Attention, FeedForward) {TIMES} 12\nlayers.0 … layers.11\n10,176 parameters" in frames(text)
    assert boxes(text, "parameter") == ["cls_token", "pos_embedding"]


def test_diffusion() -> None:
    text = source(*models()["diffusion"])
    assert boxes(text, "module")[:2] != [] and "downs.0" in boxes(text, "module")
    assert boxes(text, "input") == ["x", "time"] or boxes(text, "input") == ["time", "x"]
    assert ("time", "SinusoidalPosEmb") in arrows(text)  # which makes a constant: the graph alone knows nothing of it
    assert ("SinusoidalPosEmb", "Linear") in arrows(text)


# -- depth, expand and roll -------------------------------------------------------------------------


def test_depth() -> None:
    model, x = GPT(layers=3), td.zeros(2, 8, dtype=td.int64)
    whole = source(model, x, depth=0)
    assert boxes(whole, "module") == ["GPT"] and arrows(whole) == [("idx", "GPT"), ("GPT", "output")]
    one = source(model, x, depth=1, roll=False)
    assert boxes(one, "module").count("Block") == 3 and not frames(one)
    assert boxes(source(model, x, depth=1, roll=True), "module").count(f"Block {TIMES} 3") == 1
    two = source(model, x, depth=2, roll=False)
    assert [title.split("\n")[:2] for title in frames(two)] == [["Block", f"transformer.h.{i}"] for i in range(3)]
    deep = source(model, x, depth=9, roll=False)
    assert not boxes(deep, "module") and boxes(deep, "op").count("ScaledDotProductAttention") == 3
    assert "ln_f.weight" in deep or "weight" in boxes(deep, "parameter")


def test_a_depth_that_was_asked_for_folds_what_halves_the_picture() -> None:
    model, tokens = models()["gpt"]
    titles = boxes(source(model, tokens, depth=1), "module")
    assert [title for title in titles if title.startswith("Block")] == [f"Block {TIMES} 12"]
    assert boxes(source(model, tokens, depth=1, roll=False), "module").count("Block") == 12


def test_expand_opens_a_path_and_parts_it_from_its_like() -> None:
    model, x = GPT(layers=6), td.zeros(2, 8, dtype=td.int64)
    text = source(model, x, depth=1, expand="transformer.h.2", roll=True)
    assert boxes(text, "module")[3:-2] == [
        f"Block {TIMES} 2",
        "LayerNorm",
        "CausalSelfAttention",
        "LayerNorm",
        "MLP",
        f"Block {TIMES} 3",
    ]
    every = source(model, x, depth=0, expand=["transformer.h.*.mlp"], roll=True)
    assert f"Block {TIMES} 6" in frames(every)[0] and "MLP · mlp\n552 parameters" in frames(every)


def test_small_models_are_not_folded() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    x = td.ones(3, 4)
    assert boxes(source(model, x), "module") == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert frames(source(model, x, roll=True)) == [f"(Linear, ReLU) {TIMES} 2\n0 … 3"] or f"{TIMES} 2" in source(
        model, x, roll=True
    )


def test_loop_of_operations() -> None:
    w, u = td.ones(3, 4, requires_grad=True), td.ones(4, 4, requires_grad=True)
    x, h = td.ones(2, 50, 3), td.zeros(2, 4)
    for t in range(50):
        h = td.tanh(x[:, t] @ w + h @ u)
    text = source(h.sum(), {"w": w, "u": u})
    assert frames(text) == [f"loop {TIMES} 50"]
    assert boxes(text, "op") == ["Matmul", "Matmul", "Add", "Tanh", "Sum"]
    assert arrows(text, "dashed") == [("Tanh", "Matmul")] and 'constraint="false"' in text
    assert r"w\n(3, 4) float32\nused 50 times" in text and len(boxes(text, "parameter")) == 2
    every = source(h.sum(), {"w": w, "u": u}, roll=False)
    assert boxes(every, "op").count("Tanh") == 50 and not frames(every)
    assert boxes(every, "parameter") == ["w", "u"] and len(boxes(every, "again")) == 98


def test_loops_in_layers() -> None:
    """Layers with weights of their own, each of which is a loop over time: both are folded."""
    layers = [(nn.Parameter(td.ones(3, 3)), nn.Parameter(td.ones(3, 3))) for _ in range(4)]
    steps = [td.ones(2, 3) for _ in range(10)]
    for w, u in layers:
        h, results = td.zeros(2, 3), []
        for x in steps:
            h = (x @ w + h @ u).tanh()
            results.append(h)
        steps = results
    names = {f"{i}.{name}": p for i, pair in enumerate(layers) for name, p in zip("wu", pair, strict=True)}
    text = source(td.stack(steps).sum(), names)
    assert frames(text) == [f"repeated {TIMES} 4", f"loop {TIMES} 10"]
    assert boxes(text, "op") == ["Matmul", "Matmul", "Add", "Tanh", "Stack", "Sum"]
    assert boxes(text, "parameter") == ["0…3.w", "0…3.u"]
    assert arrows(text, "dashed") == [("Tanh", "Matmul")]


def test_same_layer_over_and_over_is_a_loop() -> None:
    layer = BasicBlock(4, 4, 1)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            for _ in range(8):
                x = self.layer(x)
            return x

    text = source(Deep(), td.ones(1, 4, 8, 8), depth=1, roll=True)
    assert boxes(text, "module") == [f"BasicBlock {TIMES} 8"]
    assert arrows(text, "dashed") == [(f"BasicBlock {TIMES} 8", f"BasicBlock {TIMES} 8")]
    opened = source(Deep(), td.ones(1, 4, 8, 8), roll=True)
    assert arrows(opened, "dashed") == [("ReLU", "")]  # to the point from which the first layer and the residual read


def test_blocks_without_modules() -> None:
    x = td.ones(2, 4, requires_grad=True)
    weights = [nn.Parameter(td.ones(4, 4)) for _ in range(20)]
    for weight in weights:
        x = x + (x @ weight).relu()
    text = source(x.sum())
    assert boxes(text, "op") == ["Matmul", "Relu", "Add", "Sum"] and len(boxes(text, "parameter")) == 1
    assert frames(text) == [f"repeated {TIMES} 20"] and not arrows(text, "dashed")


def test_what_is_not_alike_is_not_folded() -> None:
    x = td.ones(2, 4, requires_grad=True)
    for i in range(30):
        x = x.relu().sum(1, keepdim=True).expand(2, 4) if i % 2 else x.tanh().mean(0, keepdim=True).expand(2, 4)
    assert f"{TIMES} 15" in frames(source(x))[0]
    y = td.ones(2, 4, requires_grad=True)
    for i in range(12):
        y = y.sum(i % 2, keepdim=True) + td.ones(2, 4, requires_grad=True)
    turns = [len(item.turns) for item in folded(run(Function(lambda: y), (), {}).nodes) if isinstance(item, Repeat)]
    assert turns == [6]  # the sums go over other dimensions in turn


def test_modules_with_other_options_are_not_alike() -> None:
    same = nn.Sequential(*(nn.Dropout(0.1) for _ in range(4)))
    assert boxes(source(same, td.ones(3), roll=True), "module") == [f"Dropout {TIMES} 4"]
    other = nn.Sequential(*(nn.Dropout(0.1 * i + 0.1) for i in range(4)))
    assert boxes(source(other, td.ones(3), roll=True), "module") == ["Dropout"] * 4
    dilated = nn.Sequential(*(nn.Conv1d(2, 2, 3, dilation=2**i, padding=2**i) for i in range(4)))
    assert boxes(source(dilated, td.ones(1, 2, 32), roll=True), "module") == ["Conv1d"] * 4


def test_numbers_that_differ_from_turn_to_turn() -> None:
    x = td.ones(3, requires_grad=True)
    for i in range(40):
        x = x * (0.5 + i / 64) + 1.0
    assert r"Mul\nx * …" in source(x)


class Function(nn.Module):
    def __init__(self, function: Any):
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def test_inputs_of_modules_that_are_called_again() -> None:
    layer = nn.Linear(3, 3)
    text = source(Function(lambda x, y: layer(x) * layer(y)), td.ones(2, 3), td.ones(2, 3))
    assert boxes(text, "input") == ["inputs[0]", "inputs[1]"]
    x = td.zeros(2, 3, dtype=td.int64)
    embedding = nn.Embedding(4, 3)
    text = source(Function(lambda x, y: embedding(x) + embedding(y)), x, x)
    assert boxes(text, "input") == ["inputs[0], inputs[1]"] and len(arrows(text)) == 5
    shared = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    shared.append(shared[0])
    assert source(shared, td.ones(2, 3)).count("call 1 of 2") == 1


def test_inputs_by_name() -> None:
    class Scaled(nn.Module):
        def forward(self, batch: Any, *, scale: Any = 1.0, **more: Any) -> Any:
            return {"y": batch["x"] * scale + more["shift"], "n": 3}

    options = {"scale": td.ones(3), "shift": td.ones(3)}
    text = source(Scaled(), {"x": td.ones(2, 3)}, options=options)
    assert boxes(text, "input") == ["batch", "scale", "shift"] and boxes(text, "op") == ["Mul", "Add"]
    with pytest.raises(TypeError, match="got options= with a Tensor first, expected a model"):
        viz.graph(td.ones(2, requires_grad=True) * 1, options=options)


def test_layers_of_a_loop_over_several_lists_have_the_paths_of_all() -> None:
    class Highway(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.ModuleList(nn.Linear(6, 6) for _ in range(20))
            self.change = nn.ModuleList(nn.Linear(6, 6) for _ in range(20))

        def forward(self, x: Any) -> Any:
            for gate, change in zip(self.gate, self.change, strict=True):
                g = gate(x).sigmoid()
                x = g * change(x).tanh() + (1 - g) * x
            return x

    text = viz.graph(Highway(), td.ones(1, 6)).source
    assert r"Linear\ngate.0 … gate.19\n" in text and r"Linear\nchange.0 … change.19\n" in text


def test_outputs_have_the_keys_of_a_dict() -> None:
    model = Function(lambda x: {"logits": x * 2.0, "hidden": (x.exp(), x.sin())})
    text = viz.graph(model, td.ones(2), show_shapes=False).source
    found = re.findall(r'label="([^"]*)"[^\n]* class="output', text)
    assert sorted(found) == ["hidden[0]", "hidden[1]", "logits"]


def test_tensor_computed_in_a_recording() -> None:
    model, x = ResNet(), td.zeros(2, 3, 64, 64)
    with viz.recording():
        loss = model(x).logsumexp(1).sum()
    text = source(loss, model)
    assert f"BasicBlock {TIMES} 2" in boxes(text, "module")
    assert boxes(text, "op")[-2:] == ["Logsumexp", "Sum"] and frames(text)[0] == "ResNet\n45,102 parameters"


def test_tree() -> None:
    model = Tagger(Gates)
    seen = run(model, (td.zeros(2, 3, dtype=td.int64),), {})
    whole = tree(seen.nodes, seen.calls)
    assert whole.nodes == seen.nodes
    (tagger,) = whole.groups
    assert [group.path for group in tagger.groups] == ["embed", "cell", "cell", "cell", "head"]
    assert [group.path for group in tagger.groups[1].walk()] == ["cell", "cell.x2h", "cell.h2h"]
    assert sum(len(group.members) - len(group.groups) for group in whole.walk()) == len(seen.nodes)
    model, *inputs = models()["diffusion"]
    seen = run(model, tuple(inputs), {})
    whole = tree(seen.nodes, seen.calls)
    assert contained(whole) and not contained(whole)
    assert [group.path for group in whole.groups[0].groups if group.call is None] == [
        f"{way}.{i}" for way in ("downs", "ups") for i in range(3)
    ]
    assert whole.nodes == seen.nodes


def test_large_graph() -> None:
    model = GPT(layers=200)
    drawing = viz.graph(model, td.zeros(2, 8, dtype=td.int64))
    assert f"Block {TIMES} 200" in drawing.source and drawing.summary.startswith("3,806 operations")


def test_model_is_left_as_it_was() -> None:
    model = BasicBlock(4, 4, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.conv1.requires_grad_(False)
    viz.graph(model, td.randn(2, 4, 8, 8))
    assert all(bool((value == before[name]).all()) for name, value in model.state_dict().items())
    assert not model.conv1.weight.requires_grad and model.conv2.weight.requires_grad
    assert all(p.grad is None for p in model.parameters())


# -- mistakes ---------------------------------------------------------------------------------------


def test_refusals_of_models() -> None:
    linear = nn.Linear(3, 2)
    with pytest.raises(TypeError, match=r"got 0 inputs for Linear, expected those of forward\(.*viz.graph\(model, x\)"):
        viz.graph(linear)
    with pytest.raises(
        RuntimeError, match=r"got the inputs \(2, 4\), with which Linear failed \(.*expected inputs that"
    ):
        viz.graph(linear, td.ones(2, 4))
    with pytest.raises(TypeError, match=r"got a Module, which has no forward\(\)"):
        viz.graph(nn.Module(), td.ones(2))
    with pytest.raises(RuntimeError, match="got int from Function, in which there is no tensor, expected a tensor"):
        viz.graph(Function(lambda x: 3), td.ones(2))
    with pytest.raises(RuntimeError, match="got only tensors without a graph from Function, expected one that was"):
        viz.graph(Function(lambda x: x + 1), td.tensor([1]))
    with pytest.raises(TypeError, match=r"got 3 positional arguments with a Tensor first, expected viz.graph\(tensor"):
        viz.graph(linear(td.ones(1, 3)), {}, {})


def test_refusals_of_extents() -> None:
    model, x = GPT(layers=2), td.zeros(2, 8, dtype=td.int64)
    for depth in (-1, 1.5, "all", True):
        with pytest.raises(ValueError, match=r"depth: got .*, expected how many levels of modules to open"):
            viz.graph(model, x, depth=depth)
    with pytest.raises(ValueError, match="roll: got 'yes', expected True, False or None"):
        viz.graph(model, x, roll="yes")
    with pytest.raises(ValueError, match=r"expand: got 'transformer.h.7', expected .* 'transformer.h.[01]'"):
        viz.graph(model, x, expand="transformer.h.7")
    with pytest.raises(TypeError, match="expand: got 3, expected the path of a module, or a list of paths"):
        viz.graph(model, x, expand=3)
    with pytest.raises(ValueError, match=r"a tensor whose modules are not known, expected a model"):
        viz.graph(td.ones(2, requires_grad=True).sum(), expand="layer")


def test_limit_of_boxes() -> None:
    with pytest.warns(UserWarning, match="13 nodes; the 5 nearest to the output are drawn and 8 left out"):
        text = source(nn.Sequential(*(nn.ReLU() for _ in range(11))), td.ones(2), max_nodes=5, roll=False)
    assert len(boxes(text, "module")) == 4 and len(boxes(text, "note")) == 1


def test_freed_graph_is_still_drawn() -> None:
    w = nn.Parameter(td.ones(4, 4))
    x = td.ones(2, 4)
    for _ in range(30):
        x = (x @ w).tanh()
    x.sum().backward()
    assert frames(source(x)) == [f"loop {TIMES} 30"]
