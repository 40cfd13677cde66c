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
}
SAID = {
    "einops": ["(8, 3) [5.5, 17.5] 1656.0", "(2, 3, 4, 2) (2, 12)"],
    "skorch": ["True"],
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
