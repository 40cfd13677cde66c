"""einsum and tensordot: sums of products along named dimensions, carried out as matrix products.

What to transpose, reshape and multiply depends on the equation and the shapes alone; it is worked out
once for each and kept, so that a call costs little more than its matrix products.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl.backends.arrays import array_from
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, Arrays, op
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.inputs import Case, array, drawn, error, one_of
from tinygrad_dl.ops.indexing.diagonal import diagonal
from tinygrad_dl.ops.reduction.sum import sum
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.joining import common
from tinygrad_dl.ops.shape.permute import permute

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
Shape = tuple[int, ...]


class Pair(NamedTuple):
    """How to contract two arrays: sum away, transpose and reshape each to (batch, rows, columns), multiply."""

    sums: tuple[tuple[int, ...], tuple[int, ...]]
    orders: tuple[tuple[int, ...], tuple[int, ...]]
    matrices: tuple[Shape, Shape]
    outer: bool  # no dimension is summed: a plain product with broadcasting does it
    direct: str  # the equation for NumPy's own einsum, where that is faster
    shape: Shape
    order: tuple[int, ...]


class Program(NamedTuple):
    """The contraction of all operands: which two next, and how."""

    steps: tuple[tuple[int, int, Pair], ...]
    last: str  # for a single operand: its equation


@functools.lru_cache(maxsize=1024)
def parse(equation: str, ndims: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The labels of each operand and of the result; `...` as capital letters that the equation does not use."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"einsum: {equation!r} names {len(terms)} operands, got {len(ndims)}, expected a tensor for each term"
        )
    spare = [c for c in reversed(LETTERS) if c not in equation]
    widest = max([n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True) if "..." in t], default=0)
    dots = "".join(spare[: max(0, widest)])
    found = []
    for term, ndim in zip(terms, ndims, strict=True):
        named = len(term.replace("...", ""))
        labels = term.replace("...", dots[len(dots) - (ndim - named) :] if ndim > named else "")
        if len(labels) != ndim or not all(c in LETTERS for c in labels):
            raise ValueError(
                f"einsum: got {term!r} in {equation!r} for an operand with {ndim} dimensions, expected a label for each"
            )
        found.append(labels)
    if arrow:
        result = right.replace("...", dots)
    else:
        every = "".join(found)
        result = dots + "".join(c for c in sorted(set(every) - set(dots)) if every.count(c) == 1)
    unknown = set(result) - set("".join(found))
    if unknown or len(set(result)) != len(result):
        raise ValueError(
            f"einsum: got the result {right!r} in {equation!r}, expected labels of the operands, once each"
        )
    return tuple(found), result


@functools.lru_cache(maxsize=1024)
def sizes_of(terms: tuple[str, ...], shapes: tuple[Shape, ...]) -> dict[str, int]:
    """The size of every label; operands with size 1 broadcast."""
    sizes: dict[str, int] = {}
    for labels, shape in zip(terms, shapes, strict=True):
        for label, size in zip(labels, shape, strict=True):
            before = sizes.setdefault(label, size)
            if 1 not in (before, size) and before != size:
                raise ValueError(
                    f"einsum: got label {label!r} of size {before} in one operand and {size} in another, expected "
                    "equal sizes"
                )
            if before == 1:
                sizes[label] = size
    return sizes


@functools.lru_cache(maxsize=1024)
def program(equation: str, shapes: tuple[Shape, ...]) -> Program:
    """The steps that compute an equation for operands of these shapes."""
    terms, result = parse(equation, tuple([len(shape) for shape in shapes]))
    sizes_of(terms, shapes)
    left = list(zip(terms, shapes, strict=True))
    steps = []
    if len(left) > 2:
        spelled = ",".join(terms) + "->" + result
        path = np.einsum_path(spelled, *[np.broadcast_to(np.float32(0), s) for s in shapes], optimize="greedy")[0][1:]
    else:
        path = [(0, 1)] if len(left) == 2 else []
    for chosen in path:
        places = sorted(chosen, reverse=True)
        while len(places) > 1:
            second, first = places[0], places[1]
            (a, a_shape), (b, b_shape) = left[first], left[second]
            rest = [labels for i, (labels, _) in enumerate(left) if i not in (first, second)]
            kept = set(result).union(*rest)
            last = len(left) == 2
            out = result if last else "".join(dict.fromkeys(c for c in a + b if c in kept))
            pair, out_shape = pair_plan(a, a_shape, b, b_shape, out)
            steps.append((first, second, pair))
            del left[second], left[first]
            left.append((out, out_shape))
            places = sorted([len(left) - 1, *places[2:]], reverse=True)
    return Program(tuple(steps), f"{terms[0]}->{result}" if len(terms) == 1 else "")


def pair_plan(a: str, a_shape: Shape, b: str, b_shape: Shape, out: str) -> tuple[Pair, Shape]:
    """How to contract two operands, and the shape that results."""
    sizes = sizes_of((a, b), (a_shape, b_shape))
    # A size 1 that broadcasts, and a label that stands nowhere else, are summed away first.
    sums = []
    for labels, shape, other in ((a, a_shape, b), (b, b_shape, a)):
        gone = [n != sizes[c] or c not in out + other for c, n in zip(labels, shape, strict=True)]
        sums.append(tuple([i for i, each in enumerate(gone) if each]))
    left = [c for i, c in enumerate(a) if i not in sums[0]]
    right = [c for i, c in enumerate(b) if i not in sums[1]]
    both = [c for c in left if c in right]
    batch = [c for c in out if c in both]
    inner = [c for c in both if c not in out]
    rows = [c for c in left if c not in both and c in out]
    columns = [c for c in right if c not in both and c in out]
    # A size 1 may have been what kept a label in both operands.
    lone = [[i for i, c in enumerate(x) if c not in out and c not in both] for x in (left, right)]
    sums = [_also(s, len(x), extra) for s, x, extra in zip(sums, (a, b), lone, strict=True)]
    left = [c for c in left if c in out or c in both]
    right = [c for c in right if c in out or c in both]
    count = [math.prod(sizes[c] for c in group) for group in (batch, rows, inner, columns)]
    turns = (left, batch + rows + inner), (right, batch + inner + columns)
    orders = [tuple([labels.index(c) for c in wanted]) for labels, wanted in turns]
    lead = [count[0]] if batch else []
    outer = not inner
    matrices = (*lead, count[1], count[2]), (*lead, count[2], count[3])
    made = batch + rows + columns
    direct = ""
    if inner and batch and not rows and not columns and not sums[0] and not sums[1]:
        direct = f"{a},{b}->{out}"  # many short inner products
    shape = tuple([sizes[c] for c in made])
    order = tuple([made.index(c) for c in out])
    pair = Pair((sums[0], sums[1]), (orders[0], orders[1]), matrices, outer, direct, shape, order)
    return pair, tuple([sizes[c] for c in out])


def _also(sums: tuple[int, ...], ndim: int, more: list[int]) -> tuple[int, ...]:
    """The dimensions to sum, with more of them, which are counted without the first ones."""
    rest = [i for i in range(ndim) if i not in sums]
    return tuple(sorted([*sums, *(rest[i] for i in more)]))


def contract(a: Any, b: Any, pair: Pair) -> Any:
    """Two arrays contracted as planned."""
    if pair.direct:
        return array_from(np.einsum(pair.direct, a, b))
    whole = np.int64 if a.dtype.kind in "biu" else None  # sums of integers are int64, as everywhere
    if pair.sums[0]:
        a = np.add.reduce(a, axis=pair.sums[0], dtype=whole)
    if pair.sums[1]:
        b = np.add.reduce(b, axis=pair.sums[1], dtype=whole)
    a = a.transpose(pair.orders[0]).reshape(pair.matrices[0])
    b = b.transpose(pair.orders[1]).reshape(pair.matrices[1])
    out = a * b if pair.outer else product(a, b)
    found: np.ndarray = out.reshape(pair.shape).transpose(pair.order)
    return found


def _case(equation: str, *shapes: str) -> Case:
    """Operands of an equation; the kit fills the list from the shapes, equal letters being equal sizes."""

    def make(rng: Any) -> list[np.ndarray]:
        sizes: dict[str, int] = {}
        for name in " ".join(shapes).split():
            sizes.setdefault(name, int(name) if name.isdigit() else int(rng.integers(1, 4)))
        return [np.round(rng.uniform(-2, 2, [sizes[name] for name in shape.split()]), 2) for shape in shapes]

    return Case(operands=drawn(make), equation=one_of(equation))


@op(
    name="einsum",
    method=False,
    inputs=[
        _case("ij,jk->ik", "i j", "j k"),
        _case("ij,jk", "i j", "j k"),
        _case("bij,bjk->bki", "b i j", "b j k"),
        _case("i,j->ij", "i", "j"),
        _case("ij->ji", "i j"),
        _case("ij->", "i j"),
        _case("ij->j", "i j"),
        _case("bi,bi->b", "b i", "b i"),
        _case("ij,kl->il", "i j", "k l"),
        _case("...ij,jk->...ik", "b c i j", "j k"),
        _case("...i,...i->...", "b 1 i", "1 c i"),
        _case("ij,jk,kl->il", "i j", "j k", "k l"),
        _case("a,a,a->a", "a", "a", "a"),
        _case("bhqd,bhkd->bhqk", "b h q d", "b h k d"),
        _case("ij,jk->ik", "i 1", "j k"),
        _case("ij,ij->", "0 j", "0 j"),
        _case(",i->i", "", "i"),
        _case("ij,j->", "i j", "1"),
        _case("ij,ij,kj->k", "i j", "1 j", "k 1"),
    ],
    errors=[
        error(ValueError, "names 2 operands, got 1", [array(2, 3)], "ij,jk->ik"),
        error(ValueError, "label 'j' of size 3 in one operand and 4", [array(2, 3), array(4, 2)], "ij,jk->ik"),
        error(ValueError, "for an operand with 2 dimensions", [array(2, 3)], "ijk->i"),
        error(ValueError, "expected labels of the operands", [array(2, 3)], "ij->k"),
    ],
    reference=lambda operands, equation: np.einsum(equation, *operands),
)
def contracted(operands: Arrays, equation: str) -> Array:
    """`einsum` of operands that name no label twice.

    >>> import tinygrad_dl as td
    >>> td.einsum("ij,j->i", td.ones(2, 3), td.ones(3))
    tensor([3., 3.])
    """
    plan = program(equation, tuple([each.shape for each in operands]))
    arrays = common(list(operands))
    if plan.last:
        out = array_from(np.einsum(plan.last, arrays[0]))
        return out if out.base is None else out.copy()
    for first, second, pair in plan.steps:
        b, a = arrays.pop(second), arrays.pop(first)
        arrays.append(contract(a, b, pair))
    return arrays[0]


def _gradients(g: Any, operands: list[Any], equation: str) -> list[Any]:
    shapes = tuple([each.shape for each in operands])
    terms, result = parse(equation, tuple([len(shape) for shape in shapes]))
    sizes = sizes_of(terms, shapes)
    found = []
    for i, (labels, operand) in enumerate(zip(terms, operands, strict=True)):
        others = [(t, o) for j, (t, o) in enumerate(zip(terms, operands, strict=True)) if j != i]
        known = sizes_of((result, *(t for t, _ in others)), (g.shape, *(o.shape for _, o in others)))
        # Labels of broadcast sizes are summed; those that stand in no other term, or there with size 1, are repeated.
        out = "".join(c for c, n in zip(labels, operand.shape, strict=True) if known.get(c) == n == sizes[c])
        equation_i = ",".join([result, *(t for t, _ in others)]) + "->" + out
        arrays = [g, *(o for _, o in others)]
        made = contracted.generic(arrays, equation_i)
        if len(out) != len(labels):
            made = made.reshape([n if c in out else 1 for c, n in zip(labels, operand.shape, strict=True)])
        if made.shape != operand.shape:
            made = np.broadcast_to(made, operand.shape)
        found.append(made)
    return found


contracted.vjp(operands=_gradients)


def _changes(t: Any, operands: list[Any], equation: str) -> Any:
    """The sum over the operands, each with its tangent in its place."""
    total: Any = None
    for i, tangent in enumerate(t):
        if tangent is not None:
            part = contracted.generic([*operands[:i], tangent, *operands[i + 1 :]], equation)
            total = part if total is None else total + part
    return total


contracted.jvp(operands=_changes)


@contracted.vmap
def _contracted_batch(operands: Any, equation: str) -> Any:
    """One more letter, that of the batch, in every term."""
    terms, arrow, result = equation.replace(" ", "").partition("->")
    letter = next(c for c in map(chr, (*range(97, 123), *range(65, 91))) if c not in equation)
    if not arrow:
        used = terms.replace(",", "").replace("...", "")
        result = ("..." if "..." in terms else "") + "".join(sorted(c for c in set(used) if used.count(c) == 1))
    return contracted(operands, ",".join(letter + term for term in terms.split(",")) + "->" + letter + result)


@composition
def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that an equation names, by Einstein's convention: `einsum("ij,jk->ik", a, b)` is `a @ b`.

    Each letter names a dimension; `...` stands for further ones, which broadcast; a letter twice in one operand
    takes its diagonal. Without `->`, the result has the letters that occur once, in alphabetical order. More than
    two operands are contracted two at a time, in a good order. Sublists are understood too:
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`.

    Raises:
        ValueError: the equation does not fit the operands.

    >>> td.einsum("bi,bj->bij", td.ones(2, 3), td.ones(2, 4)).shape
    (2, 3, 4)
    """
    if not isinstance(equation, str):
        equation, operands = from_sublists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    tensors = [each if isinstance(each, Tensor) else wrap(as_array(each)) for each in operands]
    if repeats(equation):
        equation, tensors = without_repeats(equation, tensors)
    return of_one(equation, tensors[0]) if len(tensors) == 1 else contracted(tensors, equation)


def of_one(equation: str, tensor: Tensor) -> Tensor:
    """The einsum of one operand: a sum over some dimensions, and a view with the others in another order."""
    (labels,), result = parse(equation, (tensor.ndim,))
    gone = tuple([i for i, label in enumerate(labels) if label not in result])
    if gone:
        tensor, labels = sum(tensor, gone), "".join(label for label in labels if label in result)
    return permute(tensor, [labels.index(label) for label in result])


@functools.lru_cache(maxsize=1024)
def repeats(equation: str) -> bool:
    """Whether a letter stands twice in one term."""
    terms = equation.replace(" ", "").replace("...", "").partition("->")[0].split(",")
    return any(len(set(term)) < len(term) for term in terms)


def from_sublists(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and operands of the form `einsum(a, [0, 1], b, [1, 2], [0, 2])`."""

    def letters(sublist: Any) -> str:
        for n in sublist:
            if n is not Ellipsis and not 0 <= n < len(LETTERS):
                raise ValueError(
                    f"einsum: got {n} in a sublist, expected integers from 0 to {len(LETTERS) - 1}, or ..."
                )
        return "".join("..." if n is Ellipsis else LETTERS[n] for n in sublist)

    pairs = len(arguments) // 2
    equation = ",".join(letters(each) for each in arguments[1 : 2 * pairs : 2])
    if len(arguments) % 2:
        equation += "->" + letters(arguments[-1])
    return equation, arguments[: 2 * pairs : 2]


def without_repeats(equation: str, tensors: list[Tensor]) -> tuple[str, list[Tensor]]:
    """The equation with each letter at most once in a term, and the operands' diagonals in their place."""
    parsed, result = parse(equation, tuple([each.ndim for each in tensors]))
    terms = list(parsed)
    for i, labels in enumerate(terms):
        while len(set(labels)) < len(labels):
            label = next(c for c in labels if labels.count(c) > 1)
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if tensors[i].shape[first] != tensors[i].shape[second]:
                raise ValueError(
                    f"einsum: got label {label!r} for two dims of shape {tensors[i].shape}, expected equal sizes"
                )
            tensors[i] = diagonal(tensors[i], 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
        terms[i] = labels
    return ",".join(terms) + "->" + result, tensors


@composition
def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """Products of `a` and `b` summed over pairs of dimensions: the last `dims` of `a` with the first of `b`.

    `dims` may be two lists instead: the dimensions of `a`, and those of `b` in the same order.

    Raises:
        ValueError: paired dimensions differ in size, one is there twice, or there are not so many.

    >>> td.tensordot(td.ones(2, 3, 4), td.ones(3, 4, 5)).shape
    (2, 5)
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ValueError(
                f"tensordot: got dims={dims} for {a.ndim} and {b.ndim} dimensions, expected as many at most"
            )
        first, second = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        first, second = [[d] if isinstance(d, int) else list(d) for d in dims]
    if len(first) != len(second):
        raise ValueError(f"tensordot: expected as many dims of a as of b, got {first} and {second}")
    first, second = [normal_dim(i, a.ndim) for i in first], [normal_dim(j, b.ndim) for j in second]
    if len({*first}) < len(first) or len({*second}) < len(second):
        raise ValueError(f"tensordot: got the dims {first} and {second}, expected each once")
    left = list(LETTERS[: a.ndim])
    right = list(LETTERS[a.ndim : a.ndim + b.ndim])
    for i, j in zip(first, second, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise ValueError(
                f"tensordot: got dim {i} of shape {a.shape} beside dim {j} of shape {b.shape}, expected equal sizes"
            )
        right[j] = left[i]
    rest = [c for c in left if c not in right] + [c for c in right if c not in left]
    found = contracted([a, b], f"{''.join(left)},{''.join(right)}->{''.join(rest)}")
    # Where a size of 1 stands beside another, NumPy's sum of integers is wider.
    return found.to(a.dtype) if a.dtype == b.dtype != found.dtype else found


NUMPY[np.einsum] = lambda subscripts, *operands, optimize=True: einsum(subscripts, *operands)
NUMPY[np.tensordot] = lambda a, b, axes=2: tensordot(a, b, axes)
