"""`vmap`: a function of one example applied to a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import gradients
from tinygrad_dl.func.batched import Batched, BatchLevel
from tinygrad_dl.func.gradients import of_batches
from tinygrad_dl.func.trees import CONTAINERS, flatten, matched, unflatten
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.random import get_rng_state, set_rng_state

gradients[BatchLevel] = of_batches

RANDOMNESS = ("error", "different", "same")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Makes a function of one example a function of a batch of examples.

    The function is called once, with tensors that hide their batch dimension; each op in it does the whole batch.
    vmap, grad, vjp and jvp nest in any order.

    Args:
        func: takes and returns tensors, or nested tuples, lists and dicts of them.
        in_dims: the batch dimension of each argument, None for one that is the same for all examples: an int, or
            a container of the form of the arguments.
        out_dims: where the batch dimension stands in the results: an int, or one for each.
        randomness: what random operations inside do: "error", "different" for each example, or the "same".
        chunk_size: at most how many examples at once; None for all.

    Returns:
        A function of the same arguments, with batches. Arguments by name are the same for all examples, as in PyTorch.

    Raises:
        ValueError: no argument has a batch, batches differ in size, or `in_dims` do not fit the arguments.
            Or the function returned something other than tensors, and `out_dims` is not None there.

    >>> import tinygrad_dl as td
    >>> dot = td.func.vmap(lambda a, b: (a * b).sum())
    >>> dot(td.tensor([[1.0, 2.0], [3.0, 4.0]]), td.tensor([[1.0, 1.0], [10.0, 10.0]]))
    tensor([ 3., 70.])

    Per-example gradients:

    >>> loss = lambda w, x: (w * x).sum() ** 2
    >>> td.func.vmap(td.func.grad(loss), in_dims=(None, 0))(td.ones(2), td.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[ 6., 12.],
            [42., 56.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.vmap.html
    """
    check_options(randomness, chunk_size)
    return batched_function(func, in_dims, out_dims, randomness, chunk_size)


def check_options(randomness: str, chunk_size: int | None) -> None:
    """Raises for options that vmap does not have."""
    if randomness not in RANDOMNESS:
        raise ValueError(f"vmap: got randomness={randomness!r}, expected one of {', '.join(map(repr, RANDOMNESS))}")
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ValueError(f"vmap: got chunk_size={chunk_size!r}, expected None, or an integer of at least 1")


def batched_function(
    func: Callable[..., Any], in_dims: Any, out_dims: Any, randomness: str, chunk_size: int | None, alike: bool = False
) -> Callable[..., Any]:
    """`vmap` with checked options; `alike` as in `BatchLevel`."""

    @functools.wraps(func)
    def batched(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(args)
        dims = _dims_of(in_dims, args, leaves)
        if not args:
            raise ValueError("vmap: got no arguments, expected at least one tensor, whose batch says how many examples")
        values = [each if dim is None else _in_front(each, dim) for each, dim in zip(leaves, dims, strict=True)]
        mapped = [dim is not None for dim in dims]
        size = _size(values, mapped)

        def run(values: list[Any], size: int) -> tuple[list[Any], Any]:
            with BatchLevel(size, randomness, alike) as level:
                entered = [level.lift(v) if m else v for v, m in zip(values, mapped, strict=True)]
                out = func(*unflatten(entered, structure), **kwargs)
                return _leave(level, out, out_dims)

        if chunk_size is None or chunk_size >= size:
            found, form = run(values, size)
            return unflatten(found, form)
        parts = []
        state = get_rng_state() if randomness == "same" else None
        for start in range(0, size, chunk_size):
            if state is not None:
                set_rng_state(state)  # the same numbers in all chunks
            stop = min(start + chunk_size, size)
            parts.append(run([v[start:stop] if m else v for v, m in zip(values, mapped, strict=True)], stop - start))
        form = parts[0][1]
        dims_out = _out_dims(out_dims, unflatten(parts[0][0], form))
        columns = zip(*[found for found, _ in parts], strict=True)
        return unflatten(
            [c[0] if dim is None else cat(list(c), dim) for c, dim in zip(columns, dims_out, strict=True)], form
        )

    return batched


def _dims_of(in_dims: Any, args: tuple[Any, ...], leaves: list[Any]) -> list[Any]:
    """The batch dimension of each leaf of the arguments."""
    if not isinstance(in_dims, int | None.__class__ | tuple | list | dict) or isinstance(in_dims, bool):
        raise ValueError(
            f"vmap: got in_dims={in_dims!r}, expected an integer, None, or a tuple with one for each argument"
        )
    if isinstance(in_dims, list):
        in_dims = tuple(in_dims)
    if isinstance(in_dims, tuple) and len(in_dims) != len(args):
        raise ValueError(f"vmap: got in_dims={in_dims!r} for {len(args)} arguments, expected one for each")
    dims = matched(in_dims, args, "vmap: in_dims")
    single = not isinstance(in_dims, CONTAINERS)
    for i, (leaf, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ValueError(f"vmap: got {dim!r} among in_dims={in_dims!r}, expected integers and None")
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap: got in_dims={in_dims!r} for an argument of type {type(leaf).__name__}, expected None there: "
                f"only tensors have a batch dimension{'; pass in_dims=(0, None, ...)' if single else ''}"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"vmap: got dim {dim} among in_dims={in_dims!r} for a tensor of shape {leaf.shape} (number {i} of the "
                f"arguments), expected a dimension of it"
            )
    return dims


def _in_front(tensor: Any, dim: int) -> Any:
    return tensor if dim in (0, -tensor.ndim) else tensor.movedim(dim, 0)


def _size(values: list[Any], mapped: list[bool]) -> int:
    sizes = [v.shape[0] for v, m in zip(values, mapped, strict=True) if m]
    if not sizes:
        raise ValueError("vmap: got no argument with a batch, expected at least one tensor whose in_dims is an integer")
    if len(set(sizes)) > 1:
        raise ValueError(f"vmap: got batches of the sizes {', '.join(map(str, sizes))}, expected the same everywhere")
    return int(sizes[0])


def _out_dims(out_dims: Any, out: Any) -> list[Any]:
    """Where the batch goes in each result."""
    if not isinstance(out, CONTAINERS) and isinstance(out_dims, tuple | list) and len(out_dims) == 1:
        out_dims = out_dims[0]
    return matched(tuple(out_dims) if isinstance(out_dims, list) else out_dims, out, "vmap: out_dims")


def _leave(level: BatchLevel, out: Any, out_dims: Any) -> tuple[list[Any], Any]:
    """The results outside of the level, with the batch where `out_dims` says."""
    leaves, structure = flatten(out)
    found = []
    for each, dim in zip(leaves, _out_dims(out_dims, out), strict=True):
        if not isinstance(each, Tensor):
            if dim is None:
                found.append(each)
                continue
            raise ValueError(
                f"vmap: got a result of type {type(each).__name__} from {level.name}'s function, expected tensors; "
                f"return tensors, or a tuple, list or dict of them"
            )
        if dim is None:
            if isinstance(each, Batched) and each.level is level:
                raise ValueError(
                    "vmap: got out_dims=None for a result that differs between examples, expected an integer"
                )
            found.append(each)
            continue
        if not isinstance(dim, int) or isinstance(dim, bool):
            raise ValueError(f"vmap: got {dim!r} among out_dims={out_dims!r}, expected integers")
        value = level.lowered(each)
        if not -value.ndim <= dim < value.ndim:
            raise IndexError(
                f"vmap: got {dim} among out_dims={out_dims!r} for a result of shape {each.shape} for one example, "
                f"expected from {-value.ndim} to {value.ndim - 1}"
            )
        found.append(value if dim in (0, -value.ndim) else value.movedim(0, dim))
    return found, structure
