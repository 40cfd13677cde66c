"""`Watch`, which keeps samples of what happens in the layers of a model while it is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import Module
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.training import Training

Samples = dict[str, list[np.ndarray[Any, Any]]]


class Watch(Callback):
    """Records weights, activations and gradients by layer, for `plot_histograms`.

    A layer is a module without submodules. Layers called several times in a pass show their last call. In a loop of
    one's own, `record()` says when; among the callbacks of `train.fit`, it is called after each epoch.

    Args:
        model: the module to watch.
        size: how many values are kept of an array; larger ones are sampled evenly.

    Attributes:
        weights: layer -> the weights at each `record()`.
        activations: layer -> the outputs of the last forward pass before each.
        gradients: layer -> the gradients of the weights.
        output_gradients: layer -> the gradients of the outputs, as they came back through the last backward pass.

    >>> model = td.nn.Sequential(td.nn.Linear(4, 8), td.nn.Tanh(), td.nn.Linear(8, 1))
    >>> with td.viz.Watch(model) as watch:
    ...     for epoch in range(3):
    ...         model(td.randn(16, 4)).square().mean().backward()
    ...         watch.record()
    >>> list(watch.activations), list(watch.gradients)
    (['0', '1', '2'], ['0', '2'])
    >>> len(watch.weights["0"]), watch.weights["0"][0].shape
    (3, (32,))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.register_forward_hook
    """

    def __init__(self, model: Module, *, size: int = 5000):
        if not isinstance(model, Module):
            raise TypeError(f"Watch: expected an nn.Module, got {type(model).__name__}")
        if size < 1:
            raise ValueError(f"Watch: got size={size}, expected 1 or more")
        self.size = size
        self.weights: Samples = {}
        self.activations: Samples = {}
        self.gradients: Samples = {}
        self.output_gradients: Samples = {}
        self._latest: dict[str, np.ndarray[Any, Any]] = {}
        self._latest_gradients: dict[str, np.ndarray[Any, Any]] = {}
        self._layers = {name or "model": m for name, m in model.named_modules() if not m._modules}
        self._handles = [m.register_forward_hook(self._hook(name)) for name, m in self._layers.items()]

    def _hook(self, name: str) -> Any:
        def hook(module: Module, args: Any, output: Any) -> None:
            if isinstance(output, tuple | list) and output:
                output = output[0]  # recurrent layers return their state as well
            if not isinstance(output, Tensor):
                return
            self._latest[name] = self._sample(output)
            if output.requires_grad:
                output.register_hook(keep)

        def keep(gradient: Tensor) -> None:
            self._latest_gradients[name] = self._sample(gradient)

        return hook

    def _sample(self, tensor: Tensor) -> np.ndarray[Any, Any]:
        """A copy of the values, or of evenly spaced ones if there are many."""
        flat = tensor._data.reshape(-1)
        if flat.size <= self.size:
            return flat.copy()
        return flat[np.linspace(0, flat.size - 1, self.size).astype(np.intp)]

    def record(self) -> None:
        """Keeps the weights and gradients as they are now, and what the last passes left."""
        for name, layer in self._layers.items():
            weight = layer._parameters.get("weight")
            if weight is not None:
                self.weights.setdefault(name, []).append(self._sample(weight))
                if weight.grad is not None:
                    self.gradients.setdefault(name, []).append(self._sample(weight.grad))
            for latest, kept in ((self._latest, self.activations), (self._latest_gradients, self.output_gradients)):
                if name in latest:
                    kept.setdefault(name, []).append(latest[name])

    def on_epoch_end(self, training: Training) -> None:
        """Records what the epoch left."""
        self.record()

    def remove(self) -> None:
        """Stops watching; what was recorded stays."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
