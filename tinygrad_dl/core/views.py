"""The views of a tensor that it knows, so that they follow its changes in the graph: weak references."""

from __future__ import annotations

import weakref
from typing import Any


class Views(list["weakref.ref[Any]"]):
    """Weak references to views; those of views that are gone are dropped whenever the list has doubled."""

    limit = 16

    def drop_dead(self) -> None:
        """Called when the limit is reached."""
        self[:] = [ref for ref in self if ref() is not None]
        self.limit = 2 * len(self) + 16

    def living(self) -> list[Any]:
        """Those that are still there."""
        return [view for view in [ref() for ref in self] if view is not None]
