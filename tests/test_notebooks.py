"""The notebooks of docs/notebooks run from top to bottom and show what they say; a watch is live in a notebook."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks are run by: pip install nbclient ipykernel nbformat")
nbclient = pytest.importorskip("nbclient", reason="notebooks are run by: pip install nbclient ipykernel nbformat")
pytest.importorskip("ipykernel", reason="notebooks are run by: pip install nbclient ipykernel nbformat")

# On Windows the sockets to a kernel need a thread of their own, of which pyzmq warns.
pytestmark = pytest.mark.filterwarnings("ignore:Proactor event loop:RuntimeWarning")

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def execute(notebook, folder):
    """The notebook with its outputs; a cell that fails raises."""
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def read(path):
    return nbformat.read(path, as_version=4)


def shown(notebook, *words):
    """What the cells that contain the words show, by type of content."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and all(word in cell.source for word in words)]
    assert cells, f"no cell contains {words}"
    return [output.get("data", {}) for cell in cells for output in cell.outputs]


def printed(notebook):
    return "".join(output.text for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)


def test_first_steps(tmp_path):
    notebook = execute(read(FOLDER / "first_steps.ipynb"), tmp_path)
    (tensor,) = shown(notebook, "x = td.tensor(")
    assert "<table" in tensor["text/html"] and "shape (2, 3)" in tensor["text/html"]
    (graph,) = shown(notebook, "viz.graph(")
    assert "</svg>" in graph["image/svg+xml"]
    (gradient,) = shown(notebook, "y.backward()")
    assert gradient["text/plain"] == "tensor([-4., -2., -8.])"
    (model,) = shown(notebook, "model = network()")
    assert model["text/html"].count("<details") == 4 and "1,218 parameters" in model["text/html"]
    (summary,) = shown(notebook, "viz.summary(")
    assert "345,600 multiply-adds" in summary["text/html"]
    (watch,) = shown(notebook, "live=True")
    assert base64.b64decode(watch["image/png"])[1:4] == b"PNG"
    (history,) = [data for data in shown(notebook, "history") if data.get("text/plain", "").startswith("epoch")]
    assert "25 epochs" in history["text/html"]
    (curves,) = shown(notebook, "plot_curves(")
    assert "image/png" in curves
    assert "accuracy on points it has not seen: 9" in printed(notebook)


def test_backpropagation_explained(tmp_path):
    notebook = execute(read(FOLDER / "backpropagation_explained.ipynb"), tmp_path)
    pictures = shown(notebook, "viz.graph(")
    assert len(pictures) >= 4 and all("</svg>" in data["image/svg+xml"] for data in pictures)
    assert [word in pictures[0]["image/svg+xml"] for word in (">data<", ">grad<")] == [True, False]
    assert [word in pictures[1]["image/svg+xml"] for word in (">data<", ">grad<")] == [True, True]
    text = printed(notebook)
    assert "backward pass of loss: 4 steps" in text and "w.grad = %1.grad * a" in text
    assert "gradient of w: 6.0, of b: 2.0" in text and "loss = 0.04" in text
    (page,) = shown(notebook, "viz.explain(")
    assert page["text/html"].startswith("<iframe") and page["text/plain"] == "<Page: 4 operations, 15 steps>"
    (fork,) = shown(notebook, "viz.trace(y")
    assert fork["text/html"].count("<tr>") == 6  # the head, and each gradient that is handed on
    assert len(re.findall(r">In\[\d+\]:3<", fork["text/html"])) == 3  # of each step the cell and the line in it
    (kept,) = shown(notebook, "viz.memory(")
    assert "60 B in 2 arrays" in kept["text/html"]


def test_your_own_op(tmp_path):
    notebook = execute(read(FOLDER / "your_own_op.ipynb"), tmp_path)
    several, one = [data["text/plain"] for data in shown(notebook, "viz.graph(")]
    assert "5 operations" in several and "1 operation " in one
    assert "gradcheck of wrong: 4 of 5 entries differ" in printed(notebook)
    assert "op squareplus: right at" in printed(notebook)
    (derivatives,) = shown(notebook, "create_graph=True")
    assert "1.6180" in derivatives["text/html"] and "0.7236" in derivatives["text/html"]
    assert all("image/png" in data for data in shown(notebook, "figure"))


def test_a_live_watch_is_one_output_that_is_renewed(tmp_path):
    code = [
        "import base64, tinygrad_dl as td; from tinygrad_dl import nn; generator = td.manual_seed(0)\n"
        "model = nn.Linear(2, 1); data = [(td.randn(4, 2), td.randn(4, 1))]\n"
        "optimizer = td.optim.SGD(model.parameters(), lr=0.1)\n"
        "watch = td.viz.Watch(model, live=True)",
        "history = td.train.fit(model, nn.MSELoss(), optimizer, data, epochs=5, callbacks=[watch])",
        "print(base64.b64encode(watch.figure()._repr_png_()[0]).decode())",
        "import sys; print('matplotlib.pyplot' in sys.modules)",
    ]
    notebook = execute(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, code))), tmp_path)
    (output,) = notebook.cells[1].outputs
    assert output.output_type == "display_data"
    assert "".join(output.data["image/png"].split()) == notebook.cells[2].outputs[0].text.strip()  # the last record
    assert notebook.cells[3].outputs[0].text == "False\n"


def test_whatever_ends_a_cell_is_shown(tmp_path):
    code = [
        "import tinygrad_dl as td; from tinygrad_dl import nn",
        "nn.LazyLinear(2).weight",
        "td.full((2, 40), float('nan'))",
        "class Broken(nn.Module):\n    def extra_repr(self): return None\n"
        "    def __repr__(self): return 'text'\nBroken()",
        "td.optim.SGD([td.ones(2, requires_grad=True)], lr=0.1)",
        "td.viz.text((td.ones(2, requires_grad=True) * 2).sum())",
    ]
    notebook = execute(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, code))), tmp_path)
    found = [cell.outputs[0].data for cell in notebook.cells[1:]]
    assert all("text/plain" in data for data in found)
    assert ["text/html" in data for data in found] == [False, True, False, True, True]
    assert [found[i]["text/plain"] for i in (0, 2)] == ["<UninitializedParameter>", "text"]
