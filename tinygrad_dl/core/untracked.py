"""NumPy's own function on the data of tensors: where there is no gradient to have, or nobody asks for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.dispatch import NUMPY, called
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted

# Functions whose results are positions, truths, counts, text or files: without a gradient, whoever requires one.
CONSTANT: set[Any] = {
    *(np.allclose, np.array2string, np.array_equal, np.array_equiv, np.array_repr, np.array_str, np.argpartition),
    *(np.argwhere, np.bitwise_count, np.can_cast, np.common_type, np.diag_indices_from, np.digitize, np.einsum_path),
    *(np.empty_like, np.flatnonzero, np.histogram_bin_edges, np.iscomplex, np.iscomplexobj, np.isin, np.isreal),
    *(np.isrealobj, np.lexsort, np.linalg.matrix_rank, np.may_share_memory, np.min_scalar_type, np.nanargmax),
    *(np.nanargmin, np.nonzero, np.packbits, np.ravel_multi_index, np.result_type, np.save, np.savetxt),
    *(np.savez, np.savez_compressed, np.searchsorted, np.shares_memory, np.spacing, np.tril_indices_from),
    *(np.triu_indices_from, np.unpackbits, np.unravel_index),
}


def without_graph(function: Any, fallback: Any, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> Any:
    """NumPy's own function on the data, if nothing asks for a gradient or there is none to have."""
    seen: list[Tensor] = []
    if not is_constant(function):
        refuse_graph(function, tensors_in((args, kwargs)))
    plain, options = stripped(list(args), seen), stripped(kwargs, seen)
    if out is None:
        return rewrapped(fallback(*plain, **options))
    targets = out if isinstance(out, tuple) else (out,)
    copies = tuple(np.array(t._data if isinstance(t, Tensor) else t) if t is not None else None for t in targets)
    found = fallback(*plain, out=copies if isinstance(out, tuple) else copies[0], **options)
    made = found if isinstance(out, tuple) else (found,)
    results = [rewrapped(np.asarray(each)) for each in made]
    return stored(tuple(results) if isinstance(out, tuple) else results[0], out, called(function))


def is_constant(function: Any) -> bool:
    """Whether results have no gradient, whoever requires one; those of a ufunc's method, whether the ufunc's have."""
    if not isinstance(function, tuple):
        return function in CONSTANT
    record = getattr(NUMPY.get(function[0]), "op", None)
    return function[0] in CONSTANT or (record is not None and not record.records)


def is_tracked(value: Any) -> bool:
    """Whether a gradient or a tangent goes through a tensor."""
    return isinstance(value, Lifted) or (isinstance(value, Tensor) and value._edge is not None and modes.grad)


def refuse_graph(function: Any, tensors: Iterable[Tensor], option: str = "") -> None:
    """Raises if a gradient would be lost without a word; `option` is the argument for which there is no rule."""
    for tensor in tensors:
        if not is_tracked(tensor):
            continue
        name, beside = called(function), f" and {option}" if option else ""
        held = f"inside of {tensor.level.name}" if isinstance(tensor, Lifted) else "that requires a gradient"
        raise TypeError(
            f"{name}: got a tensor {held}{beside}, expected one that does not: it has no gradient rule here; "
            f"call it on t.detach(), or declare an op for it with @td.op({name})"
        )


def stored(result: Any, out: Any, what: str) -> Any:
    """`out`, with the result written to it: of several results a tuple, where None is the result itself."""
    if isinstance(out, tuple):
        return tuple(r if o is None else stored(r, o, what) for r, o in zip(result, out, strict=True))
    if isinstance(out, Tensor):
        return out._assign(result, f"{what}(out=...)")
    np.copyto(out, result.numpy() if isinstance(result, Tensor) else result)
    return out


def tensors_in(value: Any) -> Iterable[Tensor]:
    """The tensors among arguments, those inside of lists, tuples and dictionaries too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors_in(each)
    elif type(value) is dict:
        yield from tensors_in(list(value.values()))


def stripped(value: Any, seen: list[Tensor]) -> Any:
    """Arguments with arrays in the place of tensors."""
    if isinstance(value, Tensor):
        seen.append(value)
        return value.detach()._data if isinstance(value, Lifted) else value._data
    if type(value) in (list, tuple):
        return type(value)(stripped(each, seen) for each in value)
    if type(value) is dict:
        return {key: stripped(each, seen) for key, each in value.items()}
    return value


def rewrapped(value: Any) -> Any:
    """Results with tensors in the place of arrays."""
    if isinstance(value, np.ndarray):
        return wrap(value) if value.dtype.kind in "biufcV" else value
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return wrap(np.asarray(value))
    if type(value) in (list, tuple):
        return type(value)(rewrapped(each) for each in value)
    return value
