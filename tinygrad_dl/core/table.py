"""Rows of text as a table: in columns of spaces, or as HTML."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import ParamSpec

# Colours are those of the page, light or dark.
CAPTION = "caption-side: bottom; text-align: left; white-space: nowrap; padding: 0.2em 0.5em; color: inherit"
Cells = Sequence[str]
P = ParamSpec("P")


def aligned(rows: Sequence[Cells], right: Collection[int] = ()) -> tuple[list[str], list[int]]:
    """The rows as lines whose columns are as wide as their longest cell, and these widths; `right`: columns of numbers.

    >>> aligned([("name", "size"), ("a", "8")], right=[1])
    (['name  size', 'a        8'], [4, 4])
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return lines, widths


def page(
    head: Cells, rows: Iterable[Cells], total: str, right: Collection[int] = (), indents: Sequence[int] = ()
) -> str:
    """The table as HTML, with a line below it; `indents`: how deep the first cell of each row stands, if not at 0."""

    def line(row: Cells, tag: str, indent: int = 0) -> str:
        styles = [f"text-align: {'right' if i in right else 'left'}; padding: 0.1em 0.5em" for i in range(len(head))]
        if indents:
            styles[0] += f"; padding-left: {0.5 + indent}em"
        written = (f'<{tag} style="{s}">{html.escape(c)}</{tag}>' for c, s in zip(row, styles, strict=True))
        return f"<tr>{''.join(written)}</tr>"

    rows = list(rows)
    body = "\n".join(line(row, "td", indent) for row, indent in zip(rows, indents or [0] * len(rows), strict=True))
    caption = f'<caption style="{CAPTION}">{html.escape(total)}</caption>'
    table = '<table style="font-variant-numeric: tabular-nums">'
    return f"{table}\n{caption}\n<thead>{line(head, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def or_text(written: Callable[P, str]) -> Callable[P, str | None]:
    """What writes an object as HTML, made to return None where that fails: notebooks then show the object's text.

    >>> print(or_text(lambda value: value.name)(1))
    None
    """

    @functools.wraps(written)
    def html_or_none(*args: P.args, **kwargs: P.kwargs) -> str | None:
        try:
            return written(*args, **kwargs)
        except Exception:  # of whatever kind: tools ask everything for its HTML, and none of them is to fail
            return None

    return html_or_none
