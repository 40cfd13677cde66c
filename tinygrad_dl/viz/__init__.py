"""Pictures of computation graphs, drawn by Graphviz, and plots of training, drawn by matplotlib.

>>> import tinygrad_dl as td
>>> x = td.tensor([1.0, 2.0], requires_grad=True)
>>> td.viz.graph((x * x).sum())
<Drawing: 2 operations · 0 parameters · 8 B saved for backward>

`td.viz.graph(loss, model).save("graph.svg")` needs a renderer: the system's Graphviz, or
`pip install 'tinygrad_dl[viz]'`.

`td.viz.plot_curves({"train": losses}).figure.savefig("curves.png")` and all that begins with `plot_` needs matplotlib:
`pip install 'tinygrad_dl[plots]'`.
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.viz.backward.trace import Trace, trace
from tinygrad_dl.viz.known.recording import recording
from tinygrad_dl.viz.listing import Listing, memory, text
from tinygrad_dl.viz.page.explain import Page, explain
from tinygrad_dl.viz.pictures.drawing import Drawing, graph
from tinygrad_dl.viz.pictures.render import RenderError
from tinygrad_dl.viz.plots import (
    Watch,
    figure,
    legend,
    log_scale,
    plot_boxes,
    plot_confusion_matrix,
    plot_curves,
    plot_decision_boundary,
    plot_feature_maps,
    plot_filters,
    plot_histograms,
    plot_paths,
    plot_schedule,
    plot_segmentation,
)
from tinygrad_dl.viz.summary import Layer, Summary, summary
from tinygrad_dl.viz.themes import DARK, LIGHT, Theme

# fmt: off
__all__ = [
    "DARK", "LIGHT", "Drawing", "Layer", "Listing", "Page", "RenderError", "Summary", "Theme", "Trace", "Watch",
    "explain", "figure", "graph", "legend", "log_scale", "memory", "plot_boxes", "plot_confusion_matrix", "plot_curves",
    "plot_decision_boundary", "plot_feature_maps", "plot_filters", "plot_histograms", "plot_paths", "plot_schedule",
    "plot_segmentation", "recording", "summary", "text", "trace",
]
# fmt: on


public(globals(), "")
