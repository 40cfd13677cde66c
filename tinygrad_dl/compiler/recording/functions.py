"""NumPy's functions by what has to be known of them to write a call of them down."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.compiler.recording.numbers import plain

EMPTY = (np.empty, np.empty_like)
FILLED = (np.zeros, np.zeros_like, np.ones, np.ones_like, np.full, np.full_like)
# fmt: off
# What gives the elements of its argument in another place, shape or dtype, where it gives no view.
COPIES = frozenset((
    "reshape", "ravel", "flatten", "copy", "astype", "ascontiguousarray", "asfortranarray", "asarray", "array",
    "asanyarray", "require", "real", "imag", "view", "transpose", "squeeze", "swapaxes", "broadcast_to",
))
REDUCTIONS = {
    "sum": np.add,
    "prod": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "amax": np.maximum,
    "amin": np.minimum,
    "any": np.logical_or,
    "all": np.logical_and,
}
# What says nothing of the elements of its arguments.
ABOUT = frozenset((
    "shares_memory", "may_share_memory", "byte_bounds", "result_type", "can_cast", "broadcast_shapes", "iinfo",
    "finfo", "ndim", "shape", "size", "isscalar", "promote_types", "min_scalar_type", "common_type",
    "iscomplexobj", "dtype", "isrealobj", "errstate", "normalize_axis_index", "normalize_axis_tuple", "issubdtype",
    "geterr", "seterr", "einsum_path",
))
# Functions that can write their result where they are told.
TAKE_OUT = frozenset((
    "take", "concatenate", "stack", "einsum", "mean", "var", "std", "argmax", "argmin", "cumsum", "cumprod",
    "round", "choose", "compress", "trace", "accumulate", "reduceat", "outer", "median", "nansum", "nanmean",
    "around", "quantile", "percentile",
))
# What changes an argument in place.
CHANGE = frozenset((
    "put", "place", "putmask", "fill_diagonal", "put_along_axis", "sort", "partition", "at", "setitem",
))
# The size of what these return depends on the elements.
SIZED = frozenset((
    "nonzero", "unique", "flatnonzero", "argwhere", "extract", "compress", "bincount", "setdiff1d", "union1d",
    "intersect1d", "unique_values", "unique_counts", "unique_inverse", "unique_all", "trim_zeros",
))
# What makes bytes, text or files of an array.
AS_BYTES = frozenset((
    "tobytes", "dumps", "dump", "tofile", "array2string", "array_str", "array_repr", "save", "savez",
))
# Functions whose integers are elements.
OF_VALUES = frozenset((
    "where", "asarray", "array", "copyto", "fill", "clip", "put", "searchsorted", "dot", "isclose",
))
# fmt: on


def name_of(function: Any) -> str:
    """What a function is called; for those without a name, what their class is."""
    return str(getattr(function, "__name__", type(function).__name__))


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments with ordinary numbers in the place of those that are traced."""
    return {name: plain(value) for name, value in options.items()}
