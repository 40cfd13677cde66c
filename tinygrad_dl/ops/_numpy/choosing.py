"""Values by conditions, and functions of parts of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.ops._numpy.arguments import as_tensor, numbers
from tinygrad_dl.ops._numpy.moving import moved, plain


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """np.select: the choice of the first condition that holds."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(f"got {len(condlist)} conditions and {len(choicelist)} choices, expected as many, and some")
    found = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        found = np.where(condition, choice, found)
    return found


def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """np.choose: of several tensors the element of the one that `a` numbers."""
    of_numpy: Any = np.choose
    tensors = [as_tensor(each) for each in choices]
    return moved(lambda *places: of_numpy(plain(a), places, mode=mode), *tensors)


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """np.piecewise: each function of the elements for which its condition holds, the last of all others."""
    x = as_tensor(x)
    one = not np.ndim(condlist) or (x.ndim > 0 and not np.ndim(condlist[0]))
    conditions = [np.asarray(numbers(each), bool) for each in ([condlist] if one else condlist)]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(
            f"got {len(funclist)} functions for {len(conditions)} conditions, expected as many, or one more"
        )
    found = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            found[condition] = function
        elif condition.any():
            found[condition] = function(x[condition], *args, **kw)
    return found


def along(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """np.apply_along_axis: a function of each line along a dimension."""
    lines = np.moveaxis(as_tensor(arr), axis, -1)
    rest = tuple(lines.shape[:-1])
    if 0 in rest:
        raise ValueError(f"got shape {arr.shape}, expected lines to apply the function to")
    results = [as_tensor(func1d(lines[at], *args, **kwargs)) for at in np.ndindex(rest)]
    found = np.stack(results).reshape((*rest, *results[0].shape))
    own = results[0].ndim
    return np.moveaxis(found, tuple(range(len(rest), found.ndim)), tuple(range(axis % arr.ndim, axis % arr.ndim + own)))


NUMPY[np.select], NUMPY[np.choose], NUMPY[np.piecewise], NUMPY[np.apply_along_axis] = select, choose, piecewise, along
