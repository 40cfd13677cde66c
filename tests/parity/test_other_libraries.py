"""Libraries that import torch, on tensors of this library: `tinygrad_dl.torch.install` gives it them."""

import subprocess
import sys

import pytest

PROGRAMS = {
    "einops": """
from einops import einsum, rearrange, reduce, repeat
from einops.layers.torch import Rearrange
x = torch.arange(24.0).reshape(2, 3, 4).requires_grad_()
einsum(x, x, "b c h, b d h -> b c d").sum().backward()
print(tuple(rearrange(x, "b c h -> (b h) c").shape), reduce(x, "b c h -> b", "mean").tolist(), x.grad.sum().item())
flat = torch.nn.Sequential(Rearrange("b c h -> b (c h)"))
print(tuple(repeat(x, "b c h -> b c h k", k=2).shape), tuple(flat(x).shape))
""",
    "skorch": """
import numpy as np
from skorch import NeuralNetClassifier
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4)).astype("float32")
y = (X.sum(1) > 0).astype("int64")
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    def forward(self, x):
        return torch.softmax(self.layers(x), -1)
torch.manual_seed(0)
net = NeuralNetClassifier(Net, max_epochs=20, lr=0.5, verbose=0).fit(X, y)
print(bool((net.predict(X) == y).mean() > 0.9))
""",
    "torchmetrics": """
import torchmetrics
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score
batches = [(torch.tensor([0, 1, 2, 1]), torch.tensor([0, 1, 1, 1])), (torch.tensor([2, 2, 0]), torch.tensor([2, 1, 0]))]
metrics = torchmetrics.MetricCollection([MulticlassAccuracy(num_classes=3), MulticlassF1Score(num_classes=3)])
matrix = MulticlassConfusionMatrix(num_classes=3)
for preds, target in batches:
    metrics.update(preds, target)
    matrix.update(preds, target)
print({name: round(value.item(), 4) for name, value in metrics.compute().items()}, matrix.compute().tolist())
for name in ("MeanSquaredError", "MeanAbsoluteError", "R2Score", "PearsonCorrCoef"):
    metric = getattr(torchmetrics, name)()
    metric.update(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 5.0]))
    metric.update(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 2.0]))
    print(name, round(metric.compute().item(), 4))
""",
    "safetensors": """
import os, tempfile
from safetensors.torch import load, load_file, load_model, save, save_file, save_model
tensors = {
    "a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3), "c": torch.tensor([True, False]),
    "d": torch.zeros(0, 3), "e": torch.ones(2, dtype=torch.float16),
}
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "a.safetensors")
    save_file(tensors, path)
    for found in (load_file(path), load(save(tensors))):
        same = [found[k].dtype == t.dtype and found[k].tolist() == t.tolist() for k, t in tensors.items()]
        print(all(same), len(found))
    model, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    save_model(model, path)
    load_model(other, path)
    print(bool((model.weight == other.weight).all()))
try:
    save({"a": tensors["a"], "row": tensors["a"][0]})
except RuntimeError as error:
    print("share memory" in str(error))
""",
}
SAID = {
    "einops": ["(8, 3) [5.5, 17.5] 1656.0", "(2, 3, 4, 2) (2, 12)"],
    "skorch": ["True"],
    "torchmetrics": [
        "{'MulticlassAccuracy': 0.8333, 'MulticlassF1Score': 0.7222} [[2, 0, 0], [0, 2, 2], [0, 0, 1]]",
        "MeanSquaredError 1.2",
        "MeanAbsoluteError 0.8",
        "R2Score 0.4643",
        "PearsonCorrCoef 0.891",
    ],
    "safetensors": ["True 5", "True 5", "True", "True"],
}


@pytest.mark.parametrize("library", PROGRAMS)
def test_library(library):
    pytest.importorskip(library)
    start = "import tinygrad_dl.torch\ntinygrad_dl.torch.install()\nimport torch\n"
    done = subprocess.run(
        [sys.executable, "-c", start + PROGRAMS[library]], capture_output=True, text=True, timeout=120
    )
    assert not done.returncode, done.stderr
    assert done.stdout.splitlines() == SAID[library]
