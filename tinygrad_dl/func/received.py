"""Plain tensors that become tensors of a transform in their place, since something of it is written into them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from tinygrad_dl.core.modes import set_grad_enabled
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Escape, Lifted
from tinygrad_dl.ops.tensor.inplace import follow, root_of


class Received:
    """Those of one level, which are plain again when it ends."""

    def __init__(self) -> None:
        self.tensors: list[tuple[ref[Tensor], type]] = []

    def take(self, tensor: Tensor, lift: Callable[[Tensor], Any], escape: Escape) -> None:
        """Makes the tensor what `lift` makes of it, and so the tensor that it is a view of and all views of that.

        They share memory, and have to share what the level knows of them.
        """
        root = root_of(tensor)
        twin = wrap(root._data)
        twin._edge = root._edge
        found: list[tuple[Tensor, Any]] = [(root, lift(twin))]
        for each, lifted in found:  # which grows meanwhile
            for view in each._views.living() if each._views else ():
                assert view._view is not None
                _, made_by, values, index, recorded = view._view
                if made_by is None:  # a Function, whose way from the base to the view is not known
                    raise escape
                with set_grad_enabled(recorded):
                    shown = follow(lifted, ((made_by, values, index),))
                if lifted.value.shape == each.shape and not isinstance(shown.value, Lifted):
                    shown.value._edge = view._edge
                found.append((view, shown))
        for each, lifted in found:
            self.tensors.append((ref(each), type(each)))
            del each._data, each._edge
            each.__class__ = type(lifted)
            each.__dict__.update(lifted.__dict__)

    def give_back(self, value_of: Callable[[Any], Tensor]) -> None:
        """Makes them what `value_of` says again, once the level has ended."""
        while self.tensors:
            known, kind = self.tensors.pop()
            tensor = known()
            if not isinstance(tensor, Lifted):  # gone, or taken out by `detach_`
                continue
            value = value_of(tensor)
            for name in ("level", "value", "tangent"):
                tensor.__dict__.pop(name, None)
            if isinstance(value, Lifted):  # a level around this one has received it as well
                tensor.__class__ = type(value)
                tensor.__dict__.update(value.__dict__)
                value.level.received.tensors.append((known, kind))
            else:
                tensor.__class__ = kind
                tensor._data, tensor._edge = value._data, value._edge
