"""The norm of a tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import array_from, module_of, reduce
from tinygrad_dl.backends.gemm import product
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known, values_of
from tinygrad_dl.inputs import array, drawn, error, one_of, real
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.linalg._matrices import require_finite
from tinygrad_dl.ops.pointwise.arithmetic import direction
from tinygrad_dl.ops.pointwise.powers import power
from tinygrad_dl.ops.reduction._sums import ADD, OVER, add_up, kept, over, require_floating
from tinygrad_dl.ops.reduction.extrema import share_evenly
from tinygrad_dl.ops.reduction.statistics import squares
from tinygrad_dl.ops.shape._dims import normal_dim


def order(p: Any) -> float:
    """The p of a p-norm as a number."""
    if p is None or p == "fro":
        return 2.0
    if isinstance(p, int | float):
        return float(p)
    raise ValueError(f"expected a number, 'fro' or 'nuc' for p, got {p!r}")


def of_matrices(x: Any, dim: Any) -> tuple[Any, tuple[int, int]]:
    """The matrices of a nuclear norm, in the last two dimensions, and where these were."""
    dims = tuple(range(x.ndim)) if dim is None else tuple(dim) if isinstance(dim, tuple | list) else (dim,)
    if len(dims) != 2:
        raise ValueError(f"got p='nuc' for the dimensions {dims} of shape {x.shape}, expected two: it is for matrices")
    return np.moveaxis(x, dims, (-2, -1)), (dims[0], dims[1])


def p_norm(x: np.ndarray, p: float, dim: Any, keepdim: bool) -> Any:
    """(sum |x|**p) ** (1/p), with the limits at 0 and at plus and minus infinity."""
    if p == 2:
        if dim is None and not keepdim and x.flags.c_contiguous:
            flat = x.reshape(-1)
            flat = flat if x.dtype.kind != "c" else flat.view(flat.real.dtype)  # both parts, one beside the other
            return np.sqrt(product(flat, flat))
        return np.sqrt(add_up(squares(x), dim, keepdim))
    size = np.absolute(x)
    if p == 1:
        return add_up(size, dim, keepdim)
    if math.isinf(p):
        return reduce(np.maximum if p > 0 else np.minimum, size, dim, keepdim)
    if p == 0:
        return ADD(x != 0, dim, size.dtype, None, keepdim)
    if p < 0:
        if not size.size and np.size(add_up(size, dim, keepdim)):
            raise ValueError(f"got no elements for p={p}, expected at least one")
        with np.errstate(divide="ignore"):  # 0 to a negative power is inf, and inf to another one 0 again
            return add_up(size**p, dim, keepdim) ** (1 / p)
    return add_up(size**p, dim, keepdim) ** (1 / p)


@op(
    kind="reduction",
    floating=True,
    inputs=[
        {"input": real(0.3, 3.0), "p": one_of("fro", 1, 3, 1.5), **OVER},
        {"input": real(0.3, 3.0, distinct=True, min_side=1), "p": one_of(math.inf, -math.inf), **OVER},
        {"input": real(avoid=(0.0,)), "p": one_of(2, 3), **OVER},
        {
            "input": drawn(lambda rng: rng.standard_normal((2, 3, 2)) + 3 * np.eye(3, 2)),
            "p": one_of("nuc"),
            "dim": one_of((-2, -1), [-1, -2]),
            "keepdim": one_of(True, False),
        },
    ],
    errors=[
        error(ValueError, "expected a number, 'fro' or 'nuc'", array(2), "spectral"),
        error(ValueError, "it is for matrices", array(2), "nuc"),
    ],
    reference=lambda input, p="fro", dim=None, keepdim=False: reference_norm(input, p, dim, keepdim),
)
def norm(
    input: Array, p: float | str | None = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Array:
    """The p-norm of all elements, or over one dimension or several: (sum |x|**p) ** (1/p).

    Args:
        p: 2 or "fro" for Euclid's, 1, inf (the largest), -inf (the smallest), 0 (how many are not zero),
            or any number; "nuc" for the sum of the singular values of matrices, in two dimensions.

    At zero, where Euclid's norm has no derivative, the gradient is 0, and that of the gradient nan, as in PyTorch.

    Raises:
        ValueError: `p` is neither a number nor "fro" or "nuc".

    >>> td.norm(td.tensor([3.0, 4.0]))
    tensor(5.)
    """
    number = None if p == "nuc" else order(p)
    require_floating(input.dtype)
    if dtype is not None:
        input = input.astype(as_dtype(dtype), copy=False)
    dim = over(dim, input.ndim)
    if number is None:
        matrices, dims = of_matrices(input, dim)
        require_finite("norm", matrices)
        found = array_from(np.linalg.svd(matrices, compute_uv=False).sum(-1))
        return np.expand_dims(found, tuple([d % input.ndim for d in dims])) if keepdim else found
    return p_norm(input, number, dim, keepdim)


@method
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of `input - other`, over all elements.

    >>> td.dist(td.tensor([3.0, 1.0]), td.tensor([0.0, 5.0]))
    tensor(5.)
    >>> td.dist(td.tensor([3.0, 1.0]), td.tensor([0.0, 5.0]), 1)
    tensor(7.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.dist.html
    """
    return norm(input - other, p)


def norm_slope(g: Any, input: Any, out: Any, p: Any, dim: Any, keepdim: bool) -> Any:
    """sign(x) * (|x| / out) ** (p - 1), and 0 where the norm is 0."""
    if p == "nuc":
        from tinygrad_dl.ops.linalg.svd import svd  # loaded when first needed

        matrices, dims = of_matrices(input, dim)
        U, _, Vh = svd.generic(matrices, False)
        return kept(g, input.shape, dims, keepdim) * np.moveaxis(np.conjugate(np.matmul(U, Vh)), (-2, -1), dims)
    p, shape = order(p), input.shape
    if p == 0:
        return np.zeros_like(input)
    if p == 1:
        return kept(g, shape, dim, keepdim) * direction(input)
    if math.isinf(p):
        return share_evenly(g, np.absolute(input), out, dim, keepdim) * direction(input)
    safe = np.where(out == 0, 1.0, out)
    if p == 2:
        slope = kept(np.where(out == 0, 0.0, g / safe), shape, dim, keepdim) * np.conjugate(input)
        differentiated = isinstance(out, Tensor) and out.requires_grad and is_known(out)
        return slope if not differentiated or values_of(out).all() else slope + nan_beyond(input, out, dim, keepdim)
    size = np.absolute(input)
    ratio = np.where(size == 0, 1.0, size) / kept(safe, shape, dim, keepdim)
    return kept(np.where(out == 0, 0.0, g), shape, dim, keepdim) * (direction(input) * power(ratio, p - 1))


def nan_beyond(input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """0, whose gradient is nan where the norm is 0, as that of PyTorch's slope is."""
    length = kept(out, input.shape, dim, keepdim)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length == 0.0, 0.0, np.conjugate(input) / length * 0.0)


norm.vjp(input=norm_slope)


def reference_norm(input: Any, p: Any, dim: Any, keepdim: bool) -> Any:
    """The same by NumPy, over the flattened dimensions."""
    if p == "nuc":
        squares = np.linalg.eigvalsh(np.swapaxes(input, -1, -2) @ input)
        return np.sqrt(squares).sum(-1)[..., None, None] if keepdim else np.sqrt(squares).sum(-1)
    size = np.abs(np.asarray(input, np.float64))
    p = 2.0 if p == "fro" else float(p)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=dim, keepdims=keepdim)
    return np.sum(size**p, axis=dim, keepdims=keepdim) ** (1 / p)


@method
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The tensor whose slices along `dim` are scaled down to a p-norm of `maxnorm` where theirs is larger.

    A slice of norm n > maxnorm is multiplied with maxnorm / (n + 1e-7).

    Args:
        input: floating or complex, of at least 2 dimensions.
        p: above 0.
        dim: the dimension of which each index names a slice.
        maxnorm: 0 or more.

    Raises:
        RuntimeError: fewer dimensions, integers, or a number out of range.

    >>> td.renorm(td.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"renorm: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    if not p > 0:
        raise RuntimeError(f"renorm: expected p above 0, got {p}")
    if not maxnorm >= 0:
        raise RuntimeError(f"renorm: expected maxnorm of 0 or more, got {maxnorm}")
    require_floating(input.dtype)
    dim = normal_dim(dim, input.ndim)
    size = norm(input, p, tuple([d for d in range(input.ndim) if d != dim]), True)
    factor = np.where(size > maxnorm, maxnorm / (size + 1e-7), module_of(size).ones((), size.dtype))
    result: Tensor = input * factor
    return result


alias("renorm", renorm, inplace=True)
