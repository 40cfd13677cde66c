"""Fourier transforms under the names of torch.fft: a table of six, each along one dimension, over two, and over any.

A row says which of the three linear maps it is (`_linear.py`) and whether it goes forward or is inverse.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.dispatch import NUMPY
from tinygrad_dl.core.promotion import is_half
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.fft._linear import NORMS, fft_c2c, fft_c2r, fft_r2c
from tinygrad_dl.ops.padding.pad import pad
from tinygrad_dl.ops.shape._dims import normal_dim


class Along(Protocol):
    """A transform along one dimension."""

    def __call__(
        self, input: Any, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
    ) -> Tensor: ...


class Over(Protocol):
    """A transform over several dimensions."""

    def __call__(
        self,
        input: Any,
        s: int | Sequence[int] | None = None,
        dim: int | Sequence[int] | None = ...,
        norm: str | None = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor: ...


FORMULAS = {
    "c2c": "X[k] = sum over j of x[j] exp({sign}2 pi i j k / n)",
    "r2c": "the elements k = 0, ..., n // 2 of X[k] = sum over j of x[j] exp({sign}2 pi i j k / n), for real x",
    "c2r": "the real x[j] = sum over k of X[k] exp({sign}2 pi i j k / n), from X[0], ..., X[n // 2]",
}
DIMS = {
    "": "the dimension",
    "2": "the dimensions, by default the last two",
    "n": "the dimensions, by default the last ones, as many as `s` has sizes, or all",
}
COMMON = """{what}: {formula}{times}.

    Args:
        input: a tensor{numbers}; integers become the default floating dtype.
        {size}; to get there the input is cut, or padded with zeros, at the end.
        dim: {dims}.
        norm: "backward", the default, for {backward}, "ortho" for the factor 1/sqrt(n), "forward" for {forward}{many}.

    Returns:
        A {returned} tensor of the input's precision, with {length} along the {last}dimension.

    Raises:
        IndexError: there is no such dimension. TypeError: {refused}.
        ValueError: a size below 1, an unknown `norm`{twice}.

    >>> td.fft.{name}({given}){part}
    tensor({result})
    """


def family(
    name: str, kind: str, inverse: bool, what: str, example: tuple[str, ...], of_matrix: tuple[str, ...]
) -> tuple[Along, Over, Over]:
    """A transform along one dimension, over two, and over any.

    Args:
        example: an argument and the result along one dimension.
        of_matrix: the same over both dimensions of a matrix, whose rows are given one after the other.
    """

    def one(input: Array, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
        if not input.ndim:
            raise IndexError(f"got dim {dim} for a tensor of no dimensions, expected one of at least one")
        return transformed(name, kind, inverse, input, [n], [dim], norm)

    def two(input: Array, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
        return over_dims(f"{name}2", kind, inverse, input, s, dim, norm)

    def any(input: Array, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
        return over_dims(f"{name}n", kind, inverse, input, s, dim, norm)

    made: list[Any] = []
    for suffix, body in (("", one), ("2", two), ("n", any)):
        body.__name__ = body.__qualname__ = name + suffix
        body.__doc__ = text(name, suffix, kind, inverse, what, of_matrix if suffix else example)
        function = composition(body)
        made.append(function)
        if numpys := getattr(np.fft, body.__name__, None):
            NUMPY[numpys] = function
    return made[0], made[1], made[2]


def text(name: str, suffix: str, kind: str, inverse: bool, what: str, example: tuple[str, ...]) -> str:
    """The docstring of one of a family."""
    several, half = bool(suffix), kind == "c2r"
    default = "2 (m - 1) for m elements" if half else "the input's"
    default = f"-1 or left out {default}" if several else f"by default {default}"
    factors = ("the factor 1/n", "no factor") if inverse else ("no factor", "the factor 1/n")
    given, result, *part = example  # a part of the result, where signs of zeros differ between versions of NumPy
    return COMMON.format(
        what=f"`{name}` over {'two' if suffix == '2' else 'several'} dimensions" if several else what,
        formula=FORMULAS[kind].format(sign="" if inverse else "-"),
        times=", along each" if several and kind == "c2c" else ", along the last, whole along the others" * several,
        numbers=" of real numbers" if kind == "r2c" else ", half of a spectrum" if half else "",
        size=f"s: the sizes of the {'result' if half else 'transform'}, {default}{' along the last' * half}"
        if several
        else f"n: the size of the {'result' if half else 'transform'}, {default}",
        dims=DIMS[suffix],
        backward=factors[0],
        forward=factors[1],
        many="; n is the product of the sizes" if several else "",
        returned="real" if half else "complex",
        length="n // 2 + 1 elements" if kind == "r2c" else "n elements",
        last="last " if several else "",
        refused="complex numbers, or half precision" if kind == "r2c" else "numbers of half precision",
        twice=", a dimension given twice" if several else "",
        name=name + suffix,
        given=given,
        part="".join(part),
        result=result.replace("], [", "],\n            [") if several else result,
    )


def over_dims(name: str, kind: str, inverse: bool, input: Tensor, s: Any, dim: Any, norm: Any) -> Tensor:
    """A transform over the dimensions that `s` and `dim` mean."""
    sizes = None if s is None else [s] if isinstance(s, int) else [*s]
    if dim is not None:
        dims = [dim] if isinstance(dim, int) else [*dim]
    elif sizes is not None:
        dims = [*range(-len(sizes), 0)]
    else:
        dims = [*range(-input.ndim, 0)]
    if sizes is not None and len(sizes) != len(dims):
        raise ValueError(f"got s={s!r} for the dimensions {dim}, expected as many sizes as dimensions")
    if len(dims) > input.ndim and dim is None:
        raise ValueError(f"got s={s!r} for a tensor of shape {input.shape}, expected at most {input.ndim} sizes")
    own: list[int | None] = [None] * len(dims) if sizes is None else [None if n == -1 else n for n in sizes]
    return transformed(name, kind, inverse, input, own, dims, norm)


def transformed(
    name: str, kind: str, inverse: bool, input: Tensor, sizes: list[int | None], dims: list[int], norm: Any
) -> Tensor:
    """One of the linear maps, of a tensor that is cut or padded to the sizes."""
    if norm not in NORMS:
        raise ValueError(f"{name}: got norm={norm!r}, expected 'backward', 'ortho' or 'forward'")
    wanted = tuple([None if n is None else operator.index(n) for n in sizes])
    places, last, changes = plan(name, kind, input.shape, input.dtype, wanted, tuple(dims))
    x = fitted(input, changes) if changes else input
    if kind == "c2r":
        return fft_c2r(x, last, places, norm, inverse)
    return (fft_r2c if kind == "r2c" else fft_c2c)(x, places, norm, inverse)


@functools.lru_cache(maxsize=1024)
def plan(
    name: str, kind: str, shape: tuple[int, ...], dtype: Any, sizes: tuple[int | None, ...], dims: tuple[int, ...]
) -> tuple[tuple[int, ...], int, dict[int, int]]:
    """The dimensions, counted from the end; the size of the last one's result; the sizes of those to cut or to pad."""
    if is_half(dtype) or (kind == "r2c" and dtype.kind == "c"):
        expected = "real numbers, float32 or float64" if kind == "r2c" else "float32, float64 or complex numbers"
        raise TypeError(f"{name}: got a tensor of {dtype}, expected {expected}")
    places = tuple([normal_dim(d, len(shape)) - len(shape) for d in dims])
    if len({*places}) < len(places):
        raise ValueError(f"{name}: got the dimensions {list(dims)}, expected each of them once")
    if kind != "c2c" and not places:
        raise ValueError(f"{name}: got no dimensions, expected at least one")
    whole = [shape[d] if n is None else n for d, n in zip(places, sizes, strict=True)]
    if kind == "c2r" and sizes[-1] is None:
        whole[-1] = 2 * (whole[-1] - 1)
    for n in whole:
        if n < 1:
            raise ValueError(f"{name}: got a transform of size {n}, expected at least 1, for shape {shape}")
    taken = [*whole[:-1], whole[-1] // 2 + 1] if kind == "c2r" else whole
    changes = {d: n for d, n in zip(places, taken, strict=True) if n != shape[d]}
    return places, whole[-1] if whole else 1, changes


def fitted(x: Tensor, sizes: dict[int, int]) -> Tensor:
    """The tensor, cut or padded with zeros at the end of some dimensions."""
    for d, n in sizes.items():
        if n < x.shape[d]:
            x = x.narrow(d, 0, n)
    if any(n > x.shape[d] for d, n in sizes.items()):
        amounts = [(0, sizes[d] - x.shape[d] if d in sizes else 0) for d in range(-1, min(sizes) - 1, -1)]
        x = pad(x, [n for pair in amounts for n in pair])
    return x


# fmt: off
fft, fft2, fftn = family("fft", "c2c", False, "The discrete Fourier transform",
    ("td.tensor([1.0, 2.0, 3.0, 4.0])", "[10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j]"),
    ("td.tensor([[1.0, 2.0], [3.0, 4.0]])", "[[10.+0.j, -2.+0.j], [-4.+0.j,  0.+0.j]]"))
ifft, ifft2, ifftn = family("ifft", "c2c", True, "The inverse of `fft`",
    ("td.tensor([10.0, -2.0, -2.0, -2.0])", "[1.+0.j, 3.+0.j, 3.+0.j, 3.+0.j]"),
    ("td.tensor([[10.0, -2.0], [-4.0, 0.0]])", "[[1.+0.j, 2.+0.j], [3.+0.j, 4.+0.j]]"))
rfft, rfft2, rfftn = family("rfft", "r2c", False, "The first half of `fft` of real numbers",
    ("td.tensor([1.0, 2.0, 3.0, 4.0])", "[10.+0.j, -2.+2.j, -2.+0.j]"),
    ("td.tensor([[1.0, 2.0], [3.0, 4.0]])", "[[10.+0.j, -2.+0.j], [-4.+0.j,  0.+0.j]]"))
irfft, irfft2, irfftn = family("irfft", "c2r", True, "The inverse of `rfft`",
    ("td.fft.rfft(td.tensor([1.0, 2.0, 3.0, 4.0]))", "[1., 2., 3., 4.]"),
    ("td.tensor([[10.0, -2.0], [-4.0, 0.0]])", "[[1., 2.], [3., 4.]]"))
hfft, hfft2, hfftn = family("hfft", "c2r", False, "`fft` of numbers x[-j] = conj(x[j]), of which half are given",
    ("td.tensor([1.0, 2.0, 3.0])", "[ 8., -2.,  0., -2.]"),
    ("td.tensor([[1.0, 2.0], [3.0, 4.0]])", "[[10., -2.], [-4.,  0.]]"))
ihfft, ihfft2, ihfftn = family("ihfft", "r2c", True, "The inverse of `hfft`, the first half of `ifft` of real numbers",
    ("td.tensor([8.0, -2.0, 0.0, -2.0])", "[1., 2., 3.]", ".real"),
    ("td.tensor([[10.0, -2.0], [-4.0, 0.0]])", "[[1., 2.], [3., 4.]]", ".real"))
# fmt: on
