"""A history as notebooks show it: a table of the epochs, of many the first and the last; loaded at first use."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from tinygrad_dl.core.table import or_text, page

ENDS = 10  # epochs shown at each end


@or_text
def history_page(history: Any) -> str:
    """What was measured in each epoch as HTML; a star marks the epoch whose weights were kept."""
    rows = []
    for epoch, values in enumerate(zip_longest(*history.values()), 1):
        cells = ["" if value is None else f"{value:.4g}" for value in values]
        rows.append([f"{epoch}{' *' if history.kept == epoch - 1 else ''}", *cells])
    if len(rows) > 2 * ENDS + 1:
        rows[ENDS:-ENDS] = [["\u2026"] * (len(history) + 1)]
    words = [f"{max(map(len, history.values()), default=0)} epochs"]
    words += ["* weights kept"] if history.kept is not None else []
    words += [f"stopped: {history.stopped}"] if history.stopped else []
    return page(["epoch", *history], rows, " \u00b7 ".join(words), range(len(history) + 1))


__all__ = ["history_page"]
