"""tinygrad_dl: automatic differentiation on NumPy, with PyTorch's API.

>>> import tinygrad_dl as td
>>> x = td.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

import importlib
from typing import Any

from tinygrad_dl import autograd, nn, optim
from tinygrad_dl.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from tinygrad_dl.dtypes import (
    bool_,
    complex64,
    complex128,
    device,
    double,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
)
from tinygrad_dl.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tinygrad_dl.op import Array, Arrays, op
from tinygrad_dl.ops.activation import relu, sigmoid
from tinygrad_dl.ops.arithmetic import (
    abs,
    absolute,
    add,
    div,
    divide,
    floor_divide,
    fmod,
    mul,
    multiply,
    neg,
    negative,
    positive,
    remainder,
    sign,
    sub,
    subtract,
    true_divide,
)
from tinygrad_dl.ops.comparison import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    equal,
    ge,
    greater,
    greater_equal,
    gt,
    is_nonzero,
    isclose,
    isfinite,
    isinf,
    isnan,
    le,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
    not_equal,
)
from tinygrad_dl.ops.conversion import astype, clone, complex, conj, imag, real, view_as_complex, view_as_real
from tinygrad_dl.ops.dimensions import (
    adjoint,
    broadcast_tensors,
    flatten,
    moveaxis,
    movedim,
    narrow,
    ravel,
    select,
    t,
    unflatten,
)
from tinygrad_dl.ops.einsum import einsum, tensordot
from tinygrad_dl.ops.elementwise import (
    acos,
    acosh,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    hypot,
    log,
    log1p,
    log2,
    log10,
    sin,
    sinh,
    tan,
    tanh,
)
from tinygrad_dl.ops.extrema import amax, amin, argmax, argmin, max, min
from tinygrad_dl.ops.gather import gather, scatter, scatter_add, take, take_along_dim
from tinygrad_dl.ops.hard import hardshrink, threshold
from tinygrad_dl.ops.index_along import index_add, index_copy, index_fill, index_put, index_select
from tinygrad_dl.ops.joining import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    cat,
    chunk,
    column_stack,
    concat,
    concatenate,
    dstack,
    hstack,
    meshgrid,
    row_stack,
    split,
    stack,
    tensor_split,
    unbind,
    vstack,
)
from tinygrad_dl.ops.linalg import addmm, baddbmm, bmm, dot, inner, kron, matmul, mm, mv, outer, trace, vdot
from tinygrad_dl.ops.logarithms import logaddexp, logit, xlogy
from tinygrad_dl.ops.masked import masked_fill, masked_scatter, masked_select
from tinygrad_dl.ops.norms import norm
from tinygrad_dl.ops.piecewise import celu, prelu, selu
from tinygrad_dl.ops.powers import addcdiv, addcmul, lerp, pow, reciprocal, rsqrt, sqrt, square
from tinygrad_dl.ops.products import cumprod, cumsum, prod
from tinygrad_dl.ops.rearrange import (
    diag,
    diag_embed,
    diagonal,
    flip,
    fliplr,
    flipud,
    repeat_interleave,
    roll,
    rot90,
    tile,
    tril,
    triu,
)
from tinygrad_dl.ops.reduce import all, any, count_nonzero, mean, nanmean, nansum, std, std_mean, sum, var, var_mean
from tinygrad_dl.ops.rounding import ceil, fix, floor, frac, round, trunc
from tinygrad_dl.ops.selection import clamp, clamp_max, clamp_min, clip, fmax, fmin, maximum, minimum, nan_to_num, where
from tinygrad_dl.ops.shape import (
    broadcast_to,
    expand,
    permute,
    reshape,
    squeeze,
    swapaxes,
    swapdims,
    transpose,
    unsqueeze,
)
from tinygrad_dl.ops.softmax import log_softmax, logsumexp, softmax
from tinygrad_dl.ops.sort import (
    argsort,
    argwhere,
    bucketize,
    kthvalue,
    msort,
    nonzero,
    searchsorted,
    sort,
    topk,
    unique,
)
from tinygrad_dl.random import (
    Generator,
    bernoulli,
    get_rng_state,
    initial_seed,
    manual_seed,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    set_rng_state,
)
from tinygrad_dl.serialization import load, save
from tinygrad_dl.tensor import Tensor

__version__ = "0.1.0"
bool = bool_  # PyTorch's name of the dtype
# Imported when first used: drawing and testing need more than NumPy.
_LAZY = ("testing", "viz")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"tinygrad_dl.{name}")
    raise AttributeError(f"module 'tinygrad_dl' has no attribute {name!r}")
