"""Plots of training: curves, boundaries, matrices, distributions, images, paths.

Each draws on matplotlib axes, given as `ax` or new ones, and returns them. matplotlib is imported when the first plot
is made: `pip install 'tinygrad_dl[plots]'`.
"""

from __future__ import annotations

from tinygrad_dl.viz.plots.boundary import plot_decision_boundary
from tinygrad_dl.viz.plots.boxes import plot_boxes, plot_segmentation
from tinygrad_dl.viz.plots.curves import plot_curves, plot_schedule
from tinygrad_dl.viz.plots.histograms import plot_histograms
from tinygrad_dl.viz.plots.images import plot_feature_maps, plot_filters
from tinygrad_dl.viz.plots.look import figure, legend, log_scale
from tinygrad_dl.viz.plots.matrix import plot_confusion_matrix
from tinygrad_dl.viz.plots.paths import plot_paths
from tinygrad_dl.viz.plots.watch import Watch

# fmt: off
__all__ = [
    "Watch", "figure", "legend", "log_scale", "plot_boxes", "plot_confusion_matrix", "plot_curves",
    "plot_decision_boundary", "plot_feature_maps", "plot_filters", "plot_histograms", "plot_paths", "plot_schedule",
    "plot_segmentation",
]
# fmt: on
