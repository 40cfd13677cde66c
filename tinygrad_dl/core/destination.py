"""`out=`: a tensor that a function writes its result into, where PyTorch's function of that name takes one.

The generated functions look at nothing but whether it was given; all else happens here. There are no gradients: the
result is computed as usual, and stored in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import share_memory
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.promotion import category, is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.core.warning import warn

# The functions of PyTorch that have it, among those that are here.
NAMES = """
    abs acos acosh add addbmm addcdiv addcmul addmm addmv addr airy_ai alias_copy all amax amin aminmax angle any arange
    argmax argmin argsort as_strided_copy asin asinh atan atan2 atanh avg_pool2d avg_pool3d baddbmm bernoulli bessel_j0
    bessel_j1 bessel_y0 bessel_y1 bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor
    bmm bucketize cat ceil chain_matmul chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v
    chebyshev_polynomial_w cholesky cholesky_ex cholesky_inverse cholesky_solve clamp clamp_max clamp_min column_stack
    complex cond conj_physical copysign cos cosh cross cummax cummin cumprod cumsum deg2rad det detach_copy diag
    diagonal_copy diff digamma div dot dstack eig eigh eigvals eigvalsh empty entr eq erf erfc erfcx erfinv exp exp2
    expand_copy expm1 eye fft fft2 fftfreq fftn float_power floor floor_divide fmax fmin fmod frac frexp full gather gcd
    ge gelu geqrf gt hardshrink hash_tensor heaviside hermite_polynomial_h hermite_polynomial_he hfft hfft2 hfftn histc
    histogram householder_product hstack hypot i0 i0e i1 i1e ifft ifft2 ifftn igamma igammac ihfft ihfft2 ihfftn
    index_add index_copy index_reduce index_select inner inv inv_ex irfft irfft2 irfftn isin isneginf isposinf kron
    kthvalue laguerre_polynomial_l lcm ldexp ldl_factor ldl_factor_ex ldl_solve le legendre_polynomial_p lerp lgamma
    linear linspace log log10 log1p log2 log_ndtr log_softmax logaddexp logaddexp2 logcumsumexp logical_and logical_not
    logical_or logical_xor logit logsigmoid logspace logsumexp lstsq lt lu lu_factor lu_factor_ex lu_solve lu_unpack
    masked_select matmul matrix_norm matrix_power matrix_rank max maximum mean median min minimum mm mode
    modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 msort mul multi_dot multinomial mv
    mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow_copy native_batch_norm ndtr ndtri ne neg nextafter
    nonzero nonzero_static norm normal normalize ones orgqr ormqr outer permute_copy pinv polar polygamma pow prod qr
    quantile rad2deg rand randint randn randperm range reciprocal remainder renorm rfft rfft2 rfftfreq rfftn round rsqrt
    scaled_modified_bessel_k0 scaled_modified_bessel_k1 scatter scatter_add scatter_reduce searchsorted select_copy sgn
    shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
    shifted_chebyshev_polynomial_w sigmoid sign signbit sin sinc sinh slice_copy slice_scatter slogdet softmax softplus
    softshrink solve solve_ex solve_triangular sort spherical_bessel_j0 split_copy split_with_sizes_copy sqrt square
    squeeze_copy stack std sub sum svd svdvals t_copy take take_along_dim tan tanh tensordot tensorinv tensorsolve
    threshold topk transpose_copy triangular_solve tril triu true_divide trunc unbind_copy unfold_copy
    unsafe_split_with_sizes unsqueeze_copy var vdot vecdot vector_norm view_as_complex_copy view_as_real_copy view_copy
    vstack where xlog1py xlogy zeros zeta
"""
LISTED = frozenset(NAMES.split())


def takes_out(body: Any, name: str) -> bool:
    """Whether the function of this name and body takes `out`."""
    module = body.__module__ or ""
    return name in LISTED and body.__name__ == name and module.startswith("tinygrad_dl.") and ".nn." not in module


def defaults_with_out(head: Sequence[str], defaults: Any, by_name: Any) -> tuple[Any, Any]:
    """The defaults of a function with `out` whose parameters are `head`: see `generate.with_out`."""
    if any(name.startswith("*") for name in head):
        return defaults, {**(by_name or {}), "out": None}
    return (*(defaults or ()), None, None), by_name


def into(declared: Any, surplus: Any, out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function does when it got `out`, or one argument more than it takes.

    Args:
        declared: an op or a composition; its `function` is called.
        surplus: the argument too many.
        out: a tensor, or of functions with several results a tuple.

    Raises:
        TypeError: there is an argument too many, or `out` is no tensor.
        RuntimeError: something requires a gradient, is inside of a transform, or has another dtype.
    """
    function = declared.function
    name = function.__name__
    if surplus is not None:
        given = len(args) + 1 + (out is not None)
        raise TypeError(f"{name}() takes {len(args)} positional arguments but {given} were given")
    outs = list(out) if isinstance(out, tuple | list) else [out]
    for each in outs:
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}: got out={summary(each)}, expected a tensor")
    computes_in = "dtype" in kwargs
    made = not any(isinstance(value, Tensor) for value in args)  # of numbers alone: in whatever dtype out has
    if computes_in and kwargs["dtype"] is None and (made or is_differentiable(outs[0].dtype)):
        kwargs["dtype"] = outs[0].dtype
    result = function(*args, **kwargs)
    found = list(result) if isinstance(result, tuple) else [result]
    if len(found) != len(outs):
        raise TypeError(f"{name}: got {len(outs)} tensors as out, expected {len(found)}")
    kind = getattr(getattr(function, "op", None), "kind", "elementwise" if computes_in else "general")
    for new, each in zip(found, outs, strict=True):
        alike = function.op.alike if hasattr(function, "op") else ()
        require_fit(name, new, each, castable=computes_in or (kind == "elementwise" and not alike))
    require_apart(name, kind, outs, found, (*args, *kwargs.values()))
    if name in SPACED and outs[0].numel() == found[0].numel():  # of these the shape is out's
        found = [found[0].reshape(outs[0].shape)]
    for new, each in zip(found, outs, strict=True):
        if each.shape != new.shape:
            if each.numel():
                warn(
                    f"{name}: got out of shape {each.shape}, which is resized to {new.shape}; pass a tensor of this "
                    "shape, or an empty one: out.resize_(0)"
                )
            each.resize_(new.shape)
        each._write(new._data, f"{name}(out=)")
    return out if not isinstance(result, tuple) else type(result)(*outs) if hasattr(result, "_fields") else tuple(outs)


SPACED = frozenset(("arange", "linspace", "logspace"))
# Of these the result may not lie in an argument's memory at all; that of elementwise ones in all of it, as it lies.
APART = frozenset(
    ("cat", "gather", "index_select", "kthvalue", "masked_select", "stack", "take", "take_along_dim", "topk")
)


def require_apart(name: str, kind: str, outs: Sequence[Tensor], found: Sequence[Tensor], given: Sequence[Any]) -> None:
    """Raises if elements of a result share memory with one another, or with an argument where PyTorch refuses it."""
    several = [each for value in given for each in (value if isinstance(value, tuple | list) else (value,))]
    for out, new in zip(outs, found, strict=True):
        array = out._data
        if array.size and any(step == 0 and size > 1 for step, size in zip(array.strides, array.shape, strict=True)):
            raise RuntimeError(
                f"{name}: unsupported operation: got out of shape {out.shape} whose elements share memory, expected "
                "one place for each; pass out.clone()"
            )
        apart = name in APART
        reached = array if out.shape == new.shape or not apart else memory(array)
        for each in several if kind == "elementwise" or apart else ():
            if isinstance(each, Tensor) and ((apart and each is out) or overlap(reached, each._data, not apart)):
                raise RuntimeError(
                    f"{name}: unsupported operation: got out in the memory of an argument, expected memory of its own; "
                    "pass a clone() of one of them"
                )


def memory(array: np.ndarray) -> np.ndarray:
    """All of the memory that an array lies in, into which it may grow."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def overlap(out: np.ndarray, array: np.ndarray, exactly: bool) -> bool:
    """Whether two arrays share memory; `exactly`: but for two that are the same elements in the same order."""
    if type(out) is not np.ndarray or type(array) is not np.ndarray:
        return out is not array and share_memory(out, array)
    if exactly and out.ctypes.data == array.ctypes.data and out.shape == array.shape and out.strides == array.strides:
        return False
    limit: Any = 10_000  # of steps: the general question has no fast answer
    try:
        return np.shares_memory(out, array, max_work=limit)
    except np.exceptions.TooHardError:
        return False


def require_fit(name: str, new: Tensor, out: Tensor, castable: bool) -> None:
    """Raises unless a result may be written into a tensor."""
    for each in (new, out):
        if isinstance(each, Lifted):
            raise RuntimeError(
                f"{name}: got out= with a tensor inside of {each.level.name}, expected one outside of any transform: "
                "nothing is known of what is written; use the result instead"
            )
    if new.requires_grad or (modes.grad and out.requires_grad and is_differentiable(new.dtype)):
        raise RuntimeError(
            f"{name}: got out= with a tensor that requires a gradient, expected none that does: what is written there "
            "has no gradient; use the result instead, or do it under td.no_grad()"
        )
    if category(new.dtype) > category(out.dtype) or (not castable and new.dtype != out.dtype):
        raise RuntimeError(f"{name}: got out of dtype {out.dtype}, expected that of the result, {new.dtype}")
