"""`Watch`, which keeps samples of what happens in the layers of a model while it is trained."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn import Module
from tinygrad_dl.train.callback import Callback
from tinygrad_dl.train.training import History, Training
from tinygrad_dl.viz.plots import look
from tinygrad_dl.viz.plots.curves import plot_curves
from tinygrad_dl.viz.plots.histograms import plot_histograms
from tinygrad_dl.writing import destination

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Samples = dict[str, list[np.ndarray[Any, Any]]]
ROWS = 12  # layers in a figure
SHARE = 5.0  # drawing while a model trains takes one part in so many of the time


class Watch(Callback):
    """Records weights, activations and gradients by layer, for `plot_histograms`.

    A layer is a module without submodules. Layers called several times in a pass show their last call. In a loop of
    one's own, `record()` says when; among the callbacks of `train.fit`, it is called after each epoch.

    Args:
        model: the module to watch.
        size: how many values are kept of an array; larger ones are sampled evenly.
        live: whether a notebook shows `figure()` below the cell of the first `record()`, and renews it there after
            later ones; or the path of a file (.png, .svg or .pdf) that is written anew, in a notebook or not. Drawing
            takes at most a fifth of the time; what the last record left, at the end of training or at `remove()`, is
            always drawn.

    Attributes:
        weights: layer -> the weights at each `record()`.
        activations: layer -> the outputs of the last forward pass before each.
        gradients: layer -> the gradients of the weights.
        output_gradients: layer -> the gradients of the outputs, as they came back through the last backward pass.
        history: what `train.fit` has measured, if the watch is one of its callbacks.

    Raises:
        TypeError, ValueError: the model is no module, `size` is below 1, or the file's name has another ending.
        OSError: no file can be written there.
        ImportError: `live` without matplotlib.

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

    history: History | None = None

    def __init__(self, model: Module, *, size: int = 5000, live: bool | str | os.PathLike[str] = False):
        if not isinstance(model, Module):
            raise TypeError(f"Watch: expected an nn.Module, got {type(model).__name__}")
        if size < 1:
            raise ValueError(f"Watch: got size={size}, expected 1 or more")
        self.size = size
        self.weights: Samples = {}
        self.activations: Samples = {}
        self.gradients: Samples = {}
        self.output_gradients: Samples = {}
        self._place = place_of(live)
        self._pause = 0.0  # until when nothing is drawn
        self._shown = 0  # records in the figure that was drawn last
        self._records = 0
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
        self._records += 1
        if time.perf_counter() >= self._pause:
            self._show()

    def figure(self) -> Figure:
        """What was recorded, in one figure: the losses, and the activations and gradients by layer.

        Layers of which nothing finite was recorded are named instead. Of more than 12 layers 12 are shown, evenly
        chosen, and of complex numbers the absolute values.

        Raises:
            RuntimeError: nothing was recorded. ImportError: matplotlib is not installed.
        """
        curves = {name: values for name, values in (self.history or {}).items() if name.endswith("loss") and values}
        parts = {"activations": self.activations, "gradients": self.gradients}
        drawn = {title: chosen(samples) for title, samples in parts.items() if samples}
        if not curves and not drawn:
            raise RuntimeError("Watch.figure: got a watch without a record, expected one; call record() after a pass")
        rows = max([3, *(len(samples) for samples, _ in drawn.values())])
        size = 4.8 * (bool(curves) + len(drawn)), 0.8 * rows + 1.2
        figure, axes = look.figure(1, bool(curves) + len(drawn), size=size)
        free = iter(axes)
        if curves:
            plot_curves(curves, ax=next(free)).set_title("losses")
        for (title, (samples, without)), ax in zip(drawn.items(), free, strict=True):
            ax.set_title(f"{title}\nnothing finite: {', '.join(without)}" if without else title)
            if samples:
                plot_histograms({self._label(name): arrays for name, arrays in samples.items()}, ax=ax)
            else:
                ax.axis("off")
        return figure

    def _label(self, name: str) -> str:
        return f"{name} {type(self._layers[name]).__name__}"

    def _show(self) -> None:
        """Draws what was recorded where `live` says."""
        if self._place is not None and self._records > self._shown:
            begun = time.perf_counter()
            self._place.show(self.figure())
            self._shown, ended = self._records, time.perf_counter()
            self._pause = ended + (SHARE - 1) * (ended - begun)

    def on_epoch_end(self, training: Training) -> None:
        """Records what the epoch left."""
        self.history = training.history
        self.record()

    def teardown(self, training: Training) -> None:
        """Shows the last figure."""
        self._show()

    def remove(self) -> None:
        """Stops watching; what was recorded stays."""
        for handle in self._handles:
            handle.remove()
        self._show()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def place_of(live: bool | str | os.PathLike[str]) -> Any:
    """Where figures are shown while the model trains; None for nowhere."""
    if live is False:
        return None
    path = None if live is True else Path(live)
    if path is not None and path.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(
            f"Watch: got live={os.fspath(path)!r}, expected True or a path that ends in .png, .svg or .pdf"
        )
    if path is not None:
        destination(path, "Watch")  # refuses now what would otherwise stop the training
    return look.shown().Place(path)


def chosen(samples: Samples) -> tuple[Samples, list[str]]:
    """The layers to draw, with the records that have a finite value, and the names of those that have none."""
    real = {name: [np.abs(a) if a.dtype.kind == "c" else a for a in arrays] for name, arrays in samples.items()}
    finite = {name: [each for each in arrays if np.isfinite(each).any()] for name, arrays in real.items()}
    names = [name for name, arrays in finite.items() if arrays]
    some = np.unique(np.linspace(0, len(names) - 1, min(len(names), ROWS)).round().astype(np.intp))
    return {names[i]: finite[names[i]] for i in some}, [name for name, arrays in finite.items() if not arrays]
