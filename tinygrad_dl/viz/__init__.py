"""Pictures of computation graphs, drawn by Graphviz.

>>> import tinygrad_dl as td
>>> x = td.tensor([1.0, 2.0], requires_grad=True)
>>> td.viz.graph((x * x).sum())
<Drawing: 2 operations · 0 parameters · 8 B saved for backward>

`td.viz.graph(loss, model).save("graph.svg")` needs a renderer: the system's Graphviz, or
`pip install 'tinygrad_dl[viz]'`.
"""

from __future__ import annotations

from tinygrad_dl.viz.drawing import Drawing, graph
from tinygrad_dl.viz.render import RenderError
from tinygrad_dl.viz.themes import DARK, LIGHT, Theme

__all__ = ["DARK", "LIGHT", "Drawing", "RenderError", "Theme", "graph"]
