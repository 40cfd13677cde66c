"""Reading and writing by index, by positions and by masks; and changes in place that have no other form."""

from __future__ import annotations

from typing import Any

from fuzz.catalogue.elementwise import fits_in
from fuzz.catalogue.table import draws
from fuzz.drawing import NotNow, Writer
from fuzz.programs import Name, Step, index_text
from fuzz.running import torch


def simple_part(w: Writer, size: int) -> Any:
    """A slice or a number for a dimension of this size."""
    if w.chance(0.35) and size:
        return w.int(-size, size - 1) if not w.chance(0.01) else size
    ends = [w.int(-size - 1, size + 1) if w.bool() else None for _ in range(2)]
    return slice(*ends, w.choice((None, None, 1, 2, 3)))


def index_of(w: Writer, x: Name, writing: bool = False) -> Any:
    """An index that fits: numbers, slices, None, an ellipsis, tensors of positions or masks, lists."""
    shape = w.shape(x)
    if w.chance(0.1):
        mask = w.new(shape[: w.int(min(1, len(shape)), len(shape))], "bool")
        return mask
    if w.chance(0.03):
        return w.choice((None, Ellipsis, True, False, ()))
    parts: list[Any] = []
    remaining = list(shape)
    seen_ellipsis = False
    lead = w.new_shape(0, 2)
    lead = tuple(max(1, n) if not w.chance(0.1) else n for n in lead)
    while remaining and not w.chance(0.2):
        way = w.rng.random()
        if way < 0.08 and len(parts) < 4:
            parts.append(None)
        elif way < 0.16 and not seen_ellipsis:
            seen_ellipsis = True
            parts.append(Ellipsis)
            skip = w.int(0, len(remaining))
            remaining = remaining[skip:]
            rest = []
            for n in remaining:
                rest.append(tensor_part(w, n, lead) if w.chance(0.3) else simple_part(w, n))
            return (*parts, *rest)
        elif way < 0.36:
            parts.append(tensor_part(w, remaining.pop(0), lead))
        elif way < 0.42 and len(remaining) > 1:
            mask = w.new(tuple(remaining[:2]), "bool")
            remaining = remaining[2:]
            parts.append(mask)
        else:
            parts.append(simple_part(w, remaining.pop(0)))
    if not parts:
        return Ellipsis
    return parts[0] if len(parts) == 1 and w.bool() else tuple(parts)


def tensor_part(w: Writer, size: int, lead: tuple[int, ...]) -> Any:
    """Positions in one dimension: a tensor, a list, or a mask."""
    if not size:
        return slice(None, None)
    if w.chance(0.15):
        return w.new((size,), "bool")
    if w.chance(0.2):
        return [w.int(-size, size - 1) for _ in range(lead[-1] if lead else 1)]
    shape = lead if w.chance(0.7) else lead[1:] if w.bool() else tuple(1 for _ in lead)
    return w.indices(shape, size, negative=True)


@draws("getitem", only="getitem", weight=10)
def getitem(w: Writer) -> Any:
    x = w.tensor()
    return x, index_of(w, x)


@draws("setitem", only="setitem", weight=7)
def setitem(w: Writer) -> Any:
    x = w.tensor()
    index = index_of(w, x, writing=True)
    if repeats(w, x, index):
        raise NotNow  # which of several values is stored is open
    import copy

    from fuzz.programs import index_text

    target = eval(f"{x.text}[{index_text(index)}]", w.scope)
    shape = tuple(target.shape)
    if w.chance(0.35):
        value: Any = w.scalar("fibc" if w.kind(x) == "c" else "fib")
        if w.kind(x) == "i":
            value = abs(int(value)) if value == value and abs(value) < 100 else 3
        return x, index, value
    other = tuple(1 if w.chance(0.2) else n for n in shape)[w.int(0, len(shape)) if w.chance(0.3) else 0 :]
    value = w.tensor("fcib", shape=copy.copy(other))
    if not fits_in(w, value, w.dtype(x)):
        raise NotNow
    return x, index, value


def repeats(w: Writer, x: Name, index: Any) -> bool:
    """Whether the index reaches one element twice."""
    value = w.value(x)
    numbers = torch.arange(value.numel()).reshape(value.shape)
    w.scope["positions_"] = numbers
    try:
        found = eval(f"positions_[{index_text(index)}]", w.scope)
    except (IndexError, RuntimeError, TypeError, ValueError):
        raise NotNow from None
    finally:
        del w.scope["positions_"]
    return found.unique().numel() < found.numel()


# -- along a dimension -------------------------------------------------------------------------------------------------


def size_along(w: Writer, x: Name, dim: int) -> int:
    shape = w.shape(x) or (1,)
    if not -len(shape) <= dim < len(shape):
        raise NotNow
    return shape[dim]


@draws("index_select", weight=1.5)
def index_select(w: Writer) -> Any:
    x = w.tensor()
    dim = w.dim(x)
    return x, dim, w.indices((w.int(0, 4),), size_along(w, x, dim))


@draws("gather", weight=1.5)
def gather(w: Writer) -> Any:
    x = w.tensor()
    dim = w.dim(x)
    size = size_along(w, x, dim)
    shape = tuple(w.int(0, 4) if i == dim % len(w.shape(x)) else w.int(min(1, n), n) for i, n in enumerate(w.shape(x)))
    return x, dim, w.indices(shape, size)


@draws("take_along_dim")
def take_along_dim(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    size = size_along(w, x, dim)
    shape = tuple(w.int(1, 4) if i == dim % w.ndim(x) else w.choice((n, n, 1)) for i, n in enumerate(w.shape(x)))
    return x, w.indices(shape, size), dim


@draws("take")
def take(w: Writer) -> Any:
    x = w.tensor()
    return x, w.indices(w.new_shape(0, 2), w.value(x).numel(), negative=True)


def distinct_index(w: Writer, size: int, count: int) -> Name:
    if count > size:
        raise NotNow
    step = Step(w.names.new(), "new", ((count,), "int64", tuple(w.rng.sample(range(size), count)), False))
    w.write(step)
    return Name(step.result)


def part_shape(w: Writer, x: Name, dim: int, count: int) -> tuple[int, ...]:
    shape = list(w.shape(x) or (1,))
    shape[dim] = count
    return tuple(shape)


@draws("index_add")
def index_add(w: Writer) -> Any:
    arguments = index_write(w)
    return *arguments, w.options(alpha=lambda: 2 if w.kind(arguments[0]) in "ib" else w.choice((2, -0.5)))


@draws("index_copy")
def index_write(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    count = w.int(0, size_along(w, x, dim))
    index = distinct_index(w, size_along(w, x, dim), count)
    return x, dim, index, w.tensor(shape=part_shape(w, x, dim, count), dtype=w.dtype(x))


@draws("index_fill")
def index_fill(w: Writer) -> Any:
    x = w.tensor("fci")
    dim = w.dim(x)
    value = w.choice((0, 1, 2)) if w.kind(x) == "i" else w.scalar("fi")
    return x, dim, w.indices((w.int(0, 3),), size_along(w, x, dim)), value


@draws("index_put")
def index_put(w: Writer) -> Any:
    x = w.tensor("fci", least=1)
    n = w.int(1, min(2, w.ndim(x)))
    count = w.int(1, 4)
    index = tuple(w.indices((count,), size) for size in w.shape(x)[:n])
    accumulate = repeats(w, x, index) or w.bool()
    value = w.tensor(shape=(count, *w.shape(x)[n:]) if w.chance(0.7) else (), dtype=w.dtype(x))
    return x, index, value, {"accumulate": accumulate}


@draws("scatter", weight=1.2)
def scatter(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x) % w.ndim(x)
    size = size_along(w, x, dim)
    count = w.int(0, size)
    if w.bool():
        index = w.indices(tuple(count if i == dim else n for i, n in enumerate(w.shape(x))), size)
        value: Any = w.choice((0, 1, 2)) if w.kind(x) == "i" else w.scalar("fi")
        return x, dim, index, value
    if w.chance(0.2):
        index = w.indices(tuple(count if i == dim else n for i, n in enumerate(w.shape(x))), size)
        x = w.do(".detach", (x,))  # with `reduce` PyTorch has no derivative
        return x, dim, index, w.choice((2, 3)), {"reduce": "add"}
    rows = distinct_index(w, size, count)
    index = w.do("getitem", (rows, tuple(slice(None, None) if i == dim else None for i in range(w.ndim(x)))))
    index = w.do(".expand", (index, tuple(count if i == dim else n for i, n in enumerate(w.shape(x)))))
    return x, dim, index, w.tensor(shape=w.shape(index), dtype=w.dtype(x))


@draws("scatter_add", weight=1.2)
def scatter_add(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x) % w.ndim(x)
    shape = tuple(w.int(0, 4) if i == dim else w.int(min(1, n), n) for i, n in enumerate(w.shape(x)))
    index = w.indices(shape, size_along(w, x, dim))
    return x, dim, index, w.tensor(shape=shape, dtype=w.dtype(x))


@draws("scatter_reduce", weight=0.6)
def scatter_reduce(w: Writer) -> Any:
    reduce = w.choice(("sum", "prod", "mean", "amax", "amin"))
    return *scatter_add(w), reduce, {"include_self": True if reduce.startswith("am") else w.bool()}


@draws("index_reduce", weight=0.4)
def index_reduce(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim, count = w.dim(x) % w.ndim(x), w.int(1, 3)
    shape = tuple(count if i == dim else n for i, n in enumerate(w.shape(x)))
    index = w.indices((count,), size_along(w, x, dim))
    return x, dim, index, w.tensor(shape=shape, dtype=w.dtype(x)), w.choice(("prod", "mean", "amax", "amin"))


@draws("masked_select")
def masked_select(w: Writer) -> Any:
    x = w.tensor()
    return x, w.broadcast(x, "b")


@draws("masked_scatter")
def masked_scatter(w: Writer) -> Any:
    x = w.tensor()
    mask = w.broadcast(x, "b")
    return x, mask, w.tensor(shape=(w.value(x).numel() + w.int(0, 2),), dtype=w.dtype(x))


@draws("argwhere")
def argwhere(w: Writer) -> Any:
    return (w.tensor(),)


@draws("nonzero")
def nonzero(w: Writer) -> Any:
    return w.tensor(), w.options(as_tuple=w.bool)


@draws("unravel_index")
def unravel_index(w: Writer) -> Any:
    shape = tuple(w.int(2, 4) for _ in range(w.int(1, 3)))
    return w.new(w.new_shape(most=2), "int64", 0, 2 ** len(shape) - 1), shape


# -- in place alone ----------------------------------------------------------------------------------------------------


def changeable(w: Writer, kinds: str = "fcib") -> Name:
    """A tensor that may be changed: no leaf that requires a gradient."""
    fits = [n for n in w.alive if w.kind(n) in kinds and not (w.value(n).is_leaf and w.value(n).requires_grad)]
    if fits:
        return w.choice(fits)
    raise NotNow


@draws("copy_", weight=2)
def copy_(w: Writer) -> Any:
    x = changeable(w)
    value = w.broadcast(x)
    if not fits_in(w, value, w.dtype(x)):
        raise NotNow
    return x, value


@draws("fill_")
def fill_(w: Writer) -> Any:
    x = changeable(w, "fcb")
    return x, w.scalar("fib") if w.chance(0.7) else w.tensor("fib", shape=())


@draws("zero_ detach_", weight=0.7)
def zero_(w: Writer) -> Any:
    return (changeable(w),)


@draws("requires_grad_", weight=0.7)
def requires_grad_(w: Writer) -> Any:
    return (w.tensor("fcib" if w.chance(0.05) else "fc"),)
