"""Gradients that lie in the memory of a program until somebody reads them.

The next run of the program writes over that memory. Most gradients are read by nobody between two steps, so that
copying them would be wasted: a `Lent` tensor stands in `p.grad`, and becomes an ordinary one with a copy of the values
as soon as its array is asked for, or it is shown to the user.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor

ARRAY: Any = vars(Tensor)["_data"]  # the attribute of all tensors, which these hide


class Lent(Tensor):
    """A gradient in the memory of a program."""

    __slots__ = ()

    def _array(self) -> np.ndarray:
        own: np.ndarray = self.__dict__.pop("_lent").copy(order="K")
        tensor: Any = self
        tensor.__class__ = Tensor
        ARRAY.__set__(self, own)
        return own

    _data: Any = property(_array)

    def _own(self) -> None:
        """Makes it an ordinary tensor."""
        self._array()


def lend(array: np.ndarray) -> Lent:
    """A gradient whose values lie in this array, until the next run."""
    new = object.__new__(Lent)
    new._edge = None
    new.__dict__["_lent"] = array
    return new


class Spoiled(Tensor):
    """A gradient whose memory was written over by a run that did not come to its end."""

    __slots__ = ()

    def _array(self) -> np.ndarray:
        raise RuntimeError(
            "grad: got the gradient of a compiled step from before a step that had to be done again eagerly, whose "
            "memory is written over, expected one that was read before; read p.grad after the step that made it"
        )

    _data: Any = property(_array)


def spoil(tensor: Any) -> None:
    """Makes a gradient that nobody has read one that can't be read any more."""
    if type(tensor) is Lent:
        del tensor.__dict__["_lent"]
        changed: Any = tensor
        changed.__class__ = Spoiled
