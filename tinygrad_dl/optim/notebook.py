"""An optimiser as notebooks show it: a table of its parameter groups; loaded at first use."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.table import or_text, page

SIDE_BY_SIDE, LONGEST = 6, 40  # groups that are columns, beyond which they are rows; characters of a value


@or_text
def optimizer_page(optimizer: Any) -> str:
    """The options of each parameter group as HTML."""
    groups = optimizer.param_groups
    options = list(dict.fromkeys(name for group in groups for name in sorted(group) if name != "params"))
    lines = [["group", "parameters", "elements", *options]]
    for number, group in enumerate(groups):
        sizes = [p.numel() for p in group["params"]]
        values = [str(group.get(option, "")) for option in options]
        short = [value if len(value) <= LONGEST else f"{value[: LONGEST - 3]}..." for value in values]
        lines.append([str(number), f"{len(sizes):,}", f"{sum(sizes):,}", *short])
    if len(groups) <= SIDE_BY_SIDE:
        lines = [list(column) for column in zip(*lines, strict=True)]
    return page(lines[0], lines[1:], type(optimizer).__name__, range(1, len(lines[0])))


__all__ = ["optimizer_page"]
