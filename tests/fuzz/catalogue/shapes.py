"""Views and copies of other shapes, joining and splitting, and tensors made of nothing."""

from __future__ import annotations

from math import prod
from typing import Any

from fuzz.catalogue.table import draws
from fuzz.drawing import NotNow, Writer
from fuzz.programs import Name


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def new_shape(w: Writer, size: int) -> tuple[int, ...]:
    """A shape of this many elements, sometimes with one -1."""
    shape, left = [], size
    while left > 1 and len(shape) < 3 and w.chance(0.8):
        d = w.choice(divisors(left))
        shape.append(d)
        left //= d
    shape.append(left)
    if size == 0:
        shape = [0, *([w.int(0, 3)] if w.bool() else [])]
        w.rng.shuffle(shape)
        return tuple(shape)
    w.rng.shuffle(shape)
    if w.chance(0.3):
        shape[w.int(0, len(shape) - 1)] = -1
    if w.chance(0.02):
        shape.append(2)
    return tuple(shape)


@draws("reshape view view_copy", weight=1.5)
def reshape(w: Writer) -> Any:
    x = w.tensor()
    shape = new_shape(w, prod(w.shape(x)))
    return (x, shape)


@draws("reshape_as view_as")
def like(w: Writer) -> Any:
    x = w.tensor()
    fits = [n for n in w.alive if prod(w.shape(n)) == prod(w.shape(x))]
    return x, w.choice(fits) if fits else w.tensor()


@draws("flatten")
def flatten(w: Writer) -> Any:
    x = w.tensor()
    return (x,) if w.bool() else (x, *sorted((w.dim(x), w.dim(x))))


@draws("unflatten")
def unflatten(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    return (x, dim, new_shape(w, w.shape(x)[dim]))


@draws("ravel adjoint t t_copy alias_copy fliplr flipud atleast_1d atleast_2d atleast_3d", weight=0.7)
def alone(w: Writer) -> Any:
    return (w.tensor(),)


@draws("squeeze squeeze_copy")
def squeeze(w: Writer) -> Any:
    x = w.tensor()
    return (x,) if w.bool() else (x, w.dims(x))


@draws("unsqueeze unsqueeze_copy")
def unsqueeze(w: Writer) -> Any:
    x = w.tensor(most=4)
    return (x, w.int(-w.ndim(x) - 1, w.ndim(x)))


@draws("transpose transpose_copy swapaxes swapdims", weight=1.2)
def transpose(w: Writer) -> Any:
    x = w.tensor()
    return (x, w.dim(x), w.dim(x))


@draws("permute permute_copy")
def permute(w: Writer) -> Any:
    x = w.tensor()
    order = list(range(w.ndim(x)))
    w.rng.shuffle(order)
    return (x, tuple(d - len(order) if w.chance(0.2) else d for d in order))


@draws("moveaxis movedim")
def movedim(w: Writer) -> Any:
    x = w.tensor(least=1)
    if w.bool():
        return x, w.dim(x), w.dim(x)
    n = w.int(1, w.ndim(x))
    return x, tuple(w.rng.sample(range(w.ndim(x)), n)), tuple(w.rng.sample(range(w.ndim(x)), n))


@draws("expand expand_copy broadcast_to", weight=1.2)
def expand(w: Writer) -> Any:
    x = w.tensor(size=100)
    shape = [w.int(0, 3) if n == 1 and w.chance(0.7) else n for n in w.shape(x)]
    if w.chance(0.3):
        shape = [w.int(1, 2), *shape]
    return (x, tuple(shape))


@draws("expand_as")
def expand_as(w: Writer) -> Any:
    x = w.tensor()
    return w.broadcast(x), x


@draws("sum_to_size", weight=0.7)
def sum_to_size(w: Writer) -> Any:
    x = w.tensor()
    kept = w.shape(x)[w.int(0, w.ndim(x)) :]
    return (x, tuple(1 if w.chance(0.4) else n for n in kept))


@draws("broadcast_tensors")
def broadcast_tensors(w: Writer) -> Any:
    x = w.tensor()
    return x, w.broadcast(x)


@draws("diagonal diagonal_copy")
def diagonal(w: Writer) -> Any:
    x = w.tensor(least=2)
    return x, w.options(offset=lambda: w.int(-2, 2)) | ({"dim1": w.dim(x), "dim2": w.dim(x)} if w.bool() else {})


@draws("diag")
def diag(w: Writer) -> Any:
    return w.tensor(least=1, most=2, size=60), w.int(-2, 2)


@draws("diagflat")
def diagflat(w: Writer) -> Any:
    return w.tensor(size=20), w.int(-2, 2)


@draws("diag_embed")
def diag_embed(w: Writer) -> Any:
    x = w.tensor(least=1, size=60)
    options = w.options(offset=lambda: w.int(-1, 2))
    if w.chance(0.4):
        options["dim1"], options["dim2"] = w.rng.sample(range(-w.ndim(x) - 1, w.ndim(x) + 1), 2)
    return x, options


@draws("tril triu")
def triangle(w: Writer) -> Any:
    return w.tensor(least=2), w.int(-2, 2)


@draws("narrow narrow_copy")
def narrow(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    size = w.shape(x)[dim]
    start = w.int(-size, size)
    from_start = start % size if size and start < size else start
    return x, dim, start, w.int(0, max(0, size - from_start)) + (1 if w.chance(0.02) else 0)


@draws("select select_copy")
def select(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    size = w.shape(x)[dim]
    return x, dim, w.int(-size, size - 1 if size and not w.chance(0.02) else size)


@draws("select_scatter")
def select_scatter(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    shape = list(w.shape(x))
    size = shape.pop(dim)
    if not size:
        raise NotNow
    return x, w.tensor(shape=tuple(shape)), dim, w.int(-size, size - 1)


@draws("diagonal_scatter")
def diagonal_scatter(w: Writer) -> Any:
    x = w.tensor(least=2, most=2)
    rows, columns = w.shape(x)
    offset = w.int(-1, 1)
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return x, w.tensor(shape=(length,)), offset


@draws("flip")
def flip(w: Writer) -> Any:
    x = w.tensor()
    dims = w.dims(x)
    return (x, dims if isinstance(dims, tuple) else (dims,))


@draws("roll")
def roll(w: Writer) -> Any:
    x = w.tensor()
    if w.bool():
        return x, w.int(-4, 4), w.dim(x)
    if w.chance(0.3):
        return x, w.int(-4, 4)
    dims = w.rng.sample(range(w.ndim(x)), w.int(0, w.ndim(x)))
    return x, tuple(w.int(-3, 3) for _ in dims), tuple(dims)


@draws("rot90")
def rot90(w: Writer) -> Any:
    x = w.tensor(least=2)
    return x, w.int(-3, 4), list(w.rng.sample(range(w.ndim(x)), 2))


@draws("diff")
def diff(w: Writer) -> Any:
    x = w.tensor(least=1)
    return x, w.int(0, 3), w.dim(x)


@draws("repeat tile")
def repeat(w: Writer) -> Any:
    x = w.tensor(size=60, most=4)
    return x, tuple(
        w.int(0, 2) if w.chance(0.2) else w.int(1, 2)
        for _ in range(w.int(max(0, w.ndim(x) - w.int(0, 1)), w.ndim(x) + 1))
    )


@draws("repeat_interleave")
def repeat_interleave(w: Writer) -> Any:
    x = w.tensor(size=60)
    if w.chance(0.3):
        return x, w.int(0, 3)
    dim = w.dim(x)
    size = w.shape(x)[dim] if w.ndim(x) else 1
    return x, w.int(0, 3) if w.bool() else w.new((size,), "int64", 0, 2), {"dim": dim}


# -- joining and splitting ---------------------------------------------------------------------------------------------


@draws("cat concat concatenate", weight=1.2)
def cat(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    same = w.chance(0.6)
    several = [x]
    for _ in range(w.int(0, 2)):
        shape = list(w.shape(x))
        shape[dim] = w.int(0, 3)
        several.append(w.tensor(shape=w.shape(x) if w.bool() else tuple(shape), dtype=w.dtype(x) if same else None))
    w.rng.shuffle(several)
    return several, dim


@draws("stack", weight=1.2)
def stack(w: Writer) -> Any:
    x = w.tensor(most=4)
    same = w.chance(0.6)
    several = [x, *(w.tensor(shape=w.shape(x), dtype=w.dtype(x) if same else None) for _ in range(w.int(0, 2)))]
    return several, w.int(-w.ndim(x) - 1, w.ndim(x))


@draws("hstack vstack dstack column_stack row_stack")
def stacks(w: Writer) -> Any:
    x = w.tensor()
    return ([x, *(w.tensor(shape=w.shape(x)) for _ in range(w.int(0, 2)))],)


@draws("split unsafe_split")
def split(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    size = w.shape(x)[dim]
    if w.bool():
        return x, w.int(1, max(1, size)), dim
    first = w.int(0, size)
    return x, [first, size - first], dim


@draws("split_with_sizes split_with_sizes_copy unsafe_split_with_sizes", weight=0.5)
def split_with_sizes(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    first = w.int(0, w.shape(x)[dim])
    return x, [first, w.shape(x)[dim] - first], dim


@draws("split_copy", weight=0.5)
def split_copy(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim = w.dim(x)
    return x, w.int(1, max(1, w.shape(x)[dim])), dim


@draws("slice_copy", weight=0.5)
def slice_copy(w: Writer) -> Any:
    x = w.tensor(least=1)
    return x, w.dim(x), w.int(-4, 4), w.int(-4, 4), w.int(1, 2)


@draws("slice_scatter", weight=0.5)
def slice_scatter(w: Writer) -> Any:
    x = w.tensor(least=1)
    dim, shape, start, step = w.dim(x), list(w.shape(x)), w.int(-4, 4), w.int(1, 2)
    shape[dim] = len(range(shape[dim])[start::step])
    return x, w.tensor(shape=tuple(shape)), dim, start, None, step


@draws("fill", weight=0.5)
def fill(w: Writer) -> Any:
    return w.tensor("fcb"), w.scalar("fib")


@draws("tensor_split")
def tensor_split(w: Writer) -> Any:
    x = w.tensor(least=1)
    return x, w.int(1, 4) if w.bool() else sorted(w.int(-1, 4) for _ in range(w.int(0, 3))), w.dim(x)


@draws("chunk unsafe_chunk")
def chunk(w: Writer) -> Any:
    x = w.tensor(least=1)
    return x, w.int(1, 4), w.dim(x)


@draws("hsplit vsplit dsplit")
def split_along(w: Writer) -> Any:
    x = w.tensor(least=3)
    sizes = w.shape(x)
    even = [n for n in (1, 2, 3) if all(size % n == 0 for size in sizes[:3])]
    return x, w.choice(even) if w.bool() else sorted(w.int(0, 3) for _ in range(w.int(1, 2)))


@draws("unbind unbind_copy")
def unbind(w: Writer) -> Any:
    x = w.tensor(least=1)
    return x, w.dim(x)


@draws("meshgrid")
def meshgrid(w: Writer) -> Any:
    dtype = w.new_dtype("fi")
    return (
        *(w.tensor(most=1, dtype=dtype, shape=(w.int(0, 3),)) for _ in range(w.int(1, 2))),
        {"indexing": w.choice(("ij", "xy"))},
    )


@draws("cartesian_prod")
def cartesian_prod(w: Writer) -> Any:
    dtype = w.new_dtype("fi")
    return tuple(w.tensor(most=1, dtype=dtype, shape=(w.int(0, 3),)) for _ in range(w.int(1, 3)))


@draws("view_as_real")
def view_as_real(w: Writer) -> Any:
    return (w.tensor("c"),)


@draws("view_as_complex")
def view_as_complex(w: Writer) -> Any:
    shape = (*w.new_shape(0, 2), 2)
    return (w.tensor("f", shape=shape, dtype=w.choice(("float64", "float32"))),)


# -- made of nothing ---------------------------------------------------------------------------------------------------


@draws("zeros ones", weight=0.4)
def filled(w: Writer) -> Any:
    return (w.new_shape(), w.options(dtype=w.dtype_argument))


@draws("full", weight=0.4)
def full(w: Writer) -> Any:
    return (w.new_shape(), w.scalar("fibc"), w.options(dtype=lambda: w.dtype_argument("fc")))


@draws("zeros_like ones_like", weight=0.4)
def filled_like(w: Writer) -> Any:
    return w.tensor(), w.options(dtype=w.dtype_argument)


@draws("full_like", weight=0.4)
def full_like(w: Writer) -> Any:
    return w.tensor("fc"), w.scalar("fib")


@draws("new_zeros new_ones", weight=0.3)
def new_filled(w: Writer) -> Any:
    return w.tensor(), w.new_shape(), w.options(dtype=w.dtype_argument)


@draws("new_full", weight=0.3)
def new_full(w: Writer) -> Any:
    return w.tensor("fc"), w.new_shape(), w.scalar("fib")


@draws("arange", weight=0.4)
def arange(w: Writer) -> Any:
    start = w.choice((0, 1, -2, 0.5))
    length = w.int(0, 4)
    step = w.choice((1, 2, 0.5, -1))
    return start, start + length * step, step, w.options(dtype=lambda: w.dtype_argument("f"))


@draws("linspace", weight=0.4)
def linspace(w: Writer) -> Any:
    return w.scalar("fi"), w.scalar("fi"), w.int(0, 5), w.options(dtype=lambda: w.dtype_argument("f"))


@draws("logspace", weight=0.4)
def logspace(w: Writer) -> Any:
    return w.int(-2, 2), w.int(-2, 2), w.int(0, 5), w.options(base=2.0, dtype=lambda: w.dtype_argument("f"))


@draws("tril_indices triu_indices", weight=0.4)
def places_of_triangles(w: Writer) -> Any:
    return w.int(0, 4), w.int(0, 4), w.int(-2, 2)


@draws("eye", weight=0.4)
def eye(w: Writer) -> Any:
    return (w.int(0, 4), *((w.int(0, 4),) if w.bool() else ()), w.options(dtype=w.dtype_argument))


@draws("scalar_tensor tensor as_tensor asarray", weight=0.3)
def of_number(w: Writer) -> Any:
    return (w.scalar("fibc"), w.options(dtype=lambda: w.dtype_argument("fc")))


@draws("new_tensor", weight=0.2)
def new_tensor(w: Writer) -> Any:
    return w.tensor("fc"), [w.scalar("fib") for _ in range(w.int(0, 3))]


def shrinkable(w: Writer) -> Name:
    found = [n for n in w.alive if 0 < prod(w.shape(n)) <= 60]
    if not found:
        raise NotNow
    return w.choice(found)
