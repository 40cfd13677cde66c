"""tinygrad_dl: automatic differentiation on NumPy, with PyTorch's API.

>>> import tinygrad_dl as td
>>> x = td.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

from tinygrad_dl import autograd
from tinygrad_dl.backends.threads import get_num_threads, set_num_threads
from tinygrad_dl.core import lazy
from tinygrad_dl.core.declaration import Array, Arrays, op
from tinygrad_dl.core.device import device
from tinygrad_dl.core.dtypes import (
    bool_,
    can_cast,
    cdouble,
    cfloat,
    complex64,
    complex128,
    double,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
)
from tinygrad_dl.core.errors import (
    ArgumentDivisionError,
    ArgumentError,
    ArgumentIndexError,
    ArgumentOverflowError,
    ArgumentTypeError,
)
from tinygrad_dl.core.layout import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from tinygrad_dl.core.memory import keep_freed_memory
from tinygrad_dl.core.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tinygrad_dl.core.namespaces import NAMESPACES, public
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    empty_permuted,
    empty_strided,
    eye,
    from_dlpack,
    from_numpy,
    frombuffer,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from tinygrad_dl.ops.linalg.products import addmm, baddbmm, bmm, dot, inner, kron, matmul, mm, mv, outer, trace, vdot
from tinygrad_dl.ops.pointwise.arithmetic import (
    abs,
    absolute,
    add,
    addcdiv,
    addcmul,
    div,
    divide,
    floor_divide,
    fmod,
    lerp,
    mul,
    multiply,
    neg,
    negative,
    positive,
    remainder,
    rsub,
    sign,
    sub,
    subtract,
    true_divide,
)
from tinygrad_dl.ops.pointwise.complex import (
    complex,
    conj,
    imag,
    is_conj,
    real,
    resolve_conj,
    sgn,
    view_as_complex,
    view_as_real,
    view_as_real_copy,
)
from tinygrad_dl.ops.pointwise.extremes import (
    clamp,
    clamp_max,
    clamp_min,
    clip,
    fmax,
    fmin,
    maximum,
    minimum,
    nan_to_num,
)
from tinygrad_dl.ops.pointwise.powers import float_power, pow, reciprocal, rsqrt, sqrt, square
from tinygrad_dl.ops.pointwise.rounding import ceil, fix, floor, frac, heaviside, round, trunc
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.reduction.extrema import amax, amin, aminmax, argmax, argmin, max, min
from tinygrad_dl.ops.reduction.statistics import mean, nanmean, std, std_mean, var, var_mean
from tinygrad_dl.ops.reduction.sum import nansum, prod, sum
from tinygrad_dl.ops.shape.permute import adjoint, moveaxis, movedim, permute, swapaxes, swapdims, t, transpose
from tinygrad_dl.ops.shape.reshape import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    flatten,
    ravel,
    reshape,
    squeeze,
    unflatten,
    unsqueeze,
)
from tinygrad_dl.ops.tensor.conversion import astype, clone

if TYPE_CHECKING:  # loaded at first use, see `__getattr__`
    from tinygrad_dl import nn, optim
    from tinygrad_dl.ops.activation.elu import celu, selu
    from tinygrad_dl.ops.activation.relu import prelu, relu, threshold
    from tinygrad_dl.ops.activation.shrink import hardshrink
    from tinygrad_dl.ops.activation.sigmoid import sigmoid
    from tinygrad_dl.ops.activation.softmax import log_softmax, softmax
    from tinygrad_dl.ops.comparison.elementwise import (
        eq,
        ge,
        greater,
        greater_equal,
        gt,
        isclose,
        isfinite,
        isinf,
        isnan,
        isneginf,
        isposinf,
        le,
        less,
        less_equal,
        lt,
        ne,
        not_equal,
        signbit,
    )
    from tinygrad_dl.ops.comparison.logical import logical_and, logical_not, logical_or, logical_xor
    from tinygrad_dl.ops.comparison.whole import allclose, equal, is_nonzero, isin
    from tinygrad_dl.ops.indexing.diagonal import diag, diag_embed, diagflat, diagonal
    from tinygrad_dl.ops.indexing.gather import gather, scatter_add, take, take_along_dim
    from tinygrad_dl.ops.indexing.masked import masked_fill, masked_scatter, masked_select
    from tinygrad_dl.ops.indexing.nonzero import argwhere, nonzero, nonzero_static, unravel_index
    from tinygrad_dl.ops.indexing.scatter_reduce import index_reduce, scatter, scatter_reduce
    from tinygrad_dl.ops.indexing.slices import (
        index_add,
        index_copy,
        index_fill,
        index_put,
        index_select,
        narrow,
        put,
        select,
    )
    from tinygrad_dl.ops.indexing.triangular import tril, tril_indices, triu, triu_indices
    from tinygrad_dl.ops.indexing.views import as_strided_scatter, diagonal_scatter, select_scatter, slice_scatter
    from tinygrad_dl.ops.linalg.determinant import det, logdet, slogdet
    from tinygrad_dl.ops.linalg.distances import cdist
    from tinygrad_dl.ops.linalg.einsum import einsum, tensordot
    from tinygrad_dl.ops.linalg.lowrank import pca_lowrank, svd_lowrank
    from tinygrad_dl.ops.linalg.lu import lu_unpack
    from tinygrad_dl.ops.linalg.matrix_exp import matrix_exp
    from tinygrad_dl.ops.linalg.older import (
        cholesky,
        cholesky_inverse,
        cholesky_solve,
        lu,
        lu_solve,
        orgqr,
        ormqr,
        qr,
        svd,
        triangular_solve,
    )
    from tinygrad_dl.ops.linalg.pinv import matrix_power, pinverse
    from tinygrad_dl.ops.linalg.qr import geqrf
    from tinygrad_dl.ops.linalg.solve import inverse
    from tinygrad_dl.ops.linalg.vectors import addbmm, addmv, addr, block_diag, chain_matmul, cross, vander
    from tinygrad_dl.ops.pointwise.bessel import i0
    from tinygrad_dl.ops.pointwise.bitwise import (
        bitwise_and,
        bitwise_left_shift,
        bitwise_not,
        bitwise_or,
        bitwise_right_shift,
        bitwise_xor,
        gcd,
        lcm,
    )
    from tinygrad_dl.ops.pointwise.error_function import erf, erfc, erfinv
    from tinygrad_dl.ops.pointwise.exponential import (
        exp,
        exp2,
        expm1,
        log,
        log1p,
        log2,
        log10,
        logaddexp,
        logaddexp2,
        logit,
        xlogy,
    )
    from tinygrad_dl.ops.pointwise.floating import copysign, frexp, ldexp, nextafter
    from tinygrad_dl.ops.pointwise.gamma import digamma, igamma, igammac, lgamma, mvlgamma, polygamma
    from tinygrad_dl.ops.pointwise.hyperbolic import acosh, arccosh, arcsinh, arctanh, asinh, atanh, cosh, sinh, tanh
    from tinygrad_dl.ops.pointwise.polar import angle, conj_physical, is_neg, isreal, polar, resolve_neg
    from tinygrad_dl.ops.pointwise.trigonometric import (
        acos,
        arccos,
        arcsin,
        arctan,
        arctan2,
        asin,
        atan,
        atan2,
        cos,
        deg2rad,
        hypot,
        rad2deg,
        sin,
        sinc,
        tan,
    )
    from tinygrad_dl.ops.reduction.covariance import corrcoef, cov
    from tinygrad_dl.ops.reduction.cumulative import cumprod, cumsum, diff, logcumsumexp
    from tinygrad_dl.ops.reduction.hash_tensor import hash_tensor
    from tinygrad_dl.ops.reduction.histogram import histc, histogram, histogramdd
    from tinygrad_dl.ops.reduction.integration import cumulative_trapezoid, gradient, trapezoid, trapz
    from tinygrad_dl.ops.reduction.logical import all, any, count_nonzero
    from tinygrad_dl.ops.reduction.logsumexp import logsumexp
    from tinygrad_dl.ops.reduction.median import median, nanmedian
    from tinygrad_dl.ops.reduction.mode import mode
    from tinygrad_dl.ops.reduction.norm import dist, norm, renorm
    from tinygrad_dl.ops.reduction.quantile import nanquantile, quantile
    from tinygrad_dl.ops.reduction.running_extrema import cummax, cummin
    from tinygrad_dl.ops.shape.copies import (
        alias_copy,
        as_strided_copy,
        detach_copy,
        diagonal_copy,
        expand_copy,
        narrow_copy,
        permute_copy,
        select_copy,
        slice_copy,
        split_copy,
        split_with_sizes_copy,
        squeeze_copy,
        t_copy,
        transpose_copy,
        unbind_copy,
        unfold_copy,
        unsqueeze_copy,
        view_copy,
    )
    from tinygrad_dl.ops.shape.expand import (
        broadcast_shapes,
        broadcast_tensors,
        broadcast_to,
        expand,
        meshgrid,
        repeat_interleave,
        tile,
    )
    from tinygrad_dl.ops.shape.joining import (
        cat,
        column_stack,
        combinations,
        concat,
        concatenate,
        dstack,
        hstack,
        row_stack,
        stack,
        vstack,
    )
    from tinygrad_dl.ops.shape.reorder import flip, fliplr, flipud, roll, rot90
    from tinygrad_dl.ops.shape.splitting import (
        chunk,
        dsplit,
        hsplit,
        split,
        split_with_sizes,
        tensor_split,
        unbind,
        unsafe_chunk,
        unsafe_split,
        unsafe_split_with_sizes,
        vsplit,
    )
    from tinygrad_dl.ops.shape.strided import as_strided
    from tinygrad_dl.ops.sorting.bincount import bincount
    from tinygrad_dl.ops.sorting.search import bucketize, searchsorted
    from tinygrad_dl.ops.sorting.sort import argsort, msort, sort
    from tinygrad_dl.ops.sorting.topk import kthvalue, topk
    from tinygrad_dl.ops.sorting.unique import unique, unique_consecutive
    from tinygrad_dl.ops.spectral.stft import istft, stft
    from tinygrad_dl.ops.spectral.windows import (
        bartlett_window,
        blackman_window,
        hamming_window,
        hann_window,
        kaiser_window,
    )
    from tinygrad_dl.ops.tensor.attributes import is_complex, is_floating_point, is_tensor, numel, result_type
    from tinygrad_dl.ops.tensor.fill import fill
    from tinygrad_dl.ops.tensor.storage import UntypedStorage
    from tinygrad_dl.random import (
        Generator,
        bernoulli,
        get_rng_state,
        initial_seed,
        manual_seed,
        multinomial,
        normal,
        rand,
        rand_like,
        randint,
        randint_like,
        randn,
        randn_like,
        randperm,
        set_rng_state,
    )
    from tinygrad_dl.serialization import load, save

# fmt: off
__all__ = [
    "ArgumentDivisionError", "ArgumentError", "ArgumentIndexError", "ArgumentOverflowError", "ArgumentTypeError",
    "Array", "Arrays", "Generator", "Size", "Tensor",
    "UntypedStorage", "abs", "absolute", "acos", "acosh", "add", "addbmm", "addcdiv", "addcmul", "addmm", "addmv",
    "addr", "adjoint", "alias_copy", "all", "allclose", "amax", "amin", "aminmax", "angle", "any", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere",
    "as_strided", "as_strided_copy", "as_strided_scatter", "as_tensor", "asarray", "asin", "asinh", "astype", "atan",
    "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "autograd", "baddbmm", "bartlett_window", "bernoulli",
    "bincount", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "blackman_window", "block_diag", "bmm", "bool", "bool_", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "bucketize", "can_cast", "cat", "cdist", "cdouble", "ceil", "celu", "cfloat", "chain_matmul", "channels_last",
    "channels_last_3d", "cholesky", "cholesky_inverse", "cholesky_solve", "chunk", "clamp", "clamp_max", "clamp_min",
    "clip", "clone", "column_stack", "combinations", "complex", "complex64", "complex128", "concat", "concatenate",
    "conj", "conj_physical", "contiguous_format", "copysign", "corrcoef", "cos", "cosh", "count_nonzero", "cov",
    "cross", "cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "deg2rad", "det", "detach_copy", "device",
    "diag", "diag_embed", "diagflat", "diagonal", "diagonal_copy", "diagonal_scatter", "diff", "digamma", "dist", "div",
    "divide", "dot", "double", "dsplit", "dstack", "dtype", "e", "einsum", "empty", "empty_like", "empty_permuted",
    "empty_strided", "enable_grad", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expand", "expand_copy",
    "expm1", "eye", "fill", "finfo", "fix", "flatten", "flip", "fliplr", "flipud", "float", "float16", "float32",
    "float64", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "frexp", "from_dlpack",
    "from_numpy", "frombuffer", "full", "full_like", "gather", "gcd", "ge", "geqrf", "get_default_dtype",
    "get_num_threads", "get_rng_state", "gradient", "greater", "greater_equal", "gt", "half", "hamming_window",
    "hann_window", "hardshrink", "hash_tensor", "heaviside", "histc", "histogram", "histogramdd", "hsplit", "hstack",
    "hypot", "i0", "igamma", "igammac", "iinfo", "imag", "index_add", "index_copy", "index_fill", "index_put",
    "index_reduce", "index_select", "inf", "inference_mode", "initial_seed", "inner", "int", "int8", "int16", "int32",
    "int64", "inverse", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "is_complex", "is_conj",
    "is_floating_point", "is_grad_enabled", "is_inference", "is_inference_mode_enabled", "is_neg", "is_nonzero",
    "is_tensor", "isclose", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "istft",
    "kaiser_window", "kron", "kthvalue", "layout", "lcm", "ldexp", "le", "lerp", "less", "less_equal", "lgamma",
    "linspace", "load", "log", "log1p", "log2", "log10", "log_softmax", "logaddexp", "logaddexp2", "logcumsumexp",
    "logdet", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "logspace", "logsumexp", "long", "lt",
    "lu", "lu_solve", "lu_unpack", "manual_seed", "masked_fill", "masked_scatter", "masked_select", "matmul",
    "matrix_exp", "matrix_power", "max", "maximum", "mean", "median", "memory_format", "meshgrid", "min", "minimum",
    "mm", "mode", "moveaxis", "movedim", "msort", "mul", "multinomial", "multiply", "mv", "mvlgamma", "nan",
    "nan_to_num", "nanmean", "nanmedian", "nanquantile", "nansum", "narrow", "narrow_copy", "ne", "neg", "negative",
    "newaxis", "nextafter", "nn", "no_grad", "nonzero", "nonzero_static", "norm", "normal", "not_equal", "numel",
    "ones", "ones_like", "op", "optim", "orgqr", "ormqr", "outer", "pca_lowrank", "permute", "permute_copy", "pi",
    "pinverse", "polar", "polygamma", "positive", "pow", "prelu", "preserve_format", "prod", "promote_types", "put",
    "qr", "quantile", "rad2deg", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
    "ravel", "real", "reciprocal", "relu", "remainder", "renorm", "repeat_interleave", "reshape", "resolve_conj",
    "resolve_neg", "result_type", "roll", "rot90", "round", "row_stack", "rsqrt", "rsub", "save", "scalar_tensor",
    "scatter", "scatter_add", "scatter_reduce", "searchsorted", "select", "select_copy", "select_scatter", "selu",
    "set_anomaly_enabled", "set_default_dtype", "set_grad_enabled", "set_num_threads", "set_rng_state", "sgn", "short",
    "sigmoid", "sign", "signbit", "sin", "sinc", "sinh", "slice_copy", "slice_scatter", "slogdet", "softmax", "sort",
    "sparse_coo", "sparse_csr", "split", "split_copy", "split_with_sizes", "split_with_sizes_copy", "sqrt", "square",
    "squeeze", "squeeze_copy", "stack", "std", "std_mean", "stft", "strided", "sub", "subtract", "sum", "svd",
    "svd_lowrank", "swapaxes", "swapdims", "t", "t_copy", "take", "take_along_dim", "tan", "tanh", "tensor",
    "tensor_split", "tensordot", "threshold", "tile", "topk", "trace", "transpose", "transpose_copy", "trapezoid",
    "trapz", "triangular_solve", "tril", "tril_indices", "triu", "triu_indices", "true_divide", "trunc", "uint8",
    "uint16", "uint32", "uint64", "unbind", "unbind_copy", "unflatten", "unfold_copy", "unique", "unique_consecutive",
    "unravel_index", "unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes", "unsqueeze", "unsqueeze_copy", "vander",
    "var", "var_mean", "vdot", "view_as_complex", "view_as_real", "view_as_real_copy", "view_copy", "vsplit", "vstack",
    "where", "xlogy", "zeros", "zeros_like",
]
# fmt: on

__version__ = "0.2.0"
keep_freed_memory()
# PyTorch's names of dtypes that are Python's of types; annotations below would mean these.
bool, float, int = bool_, float32, int32
newaxis = None
# Imported when first used: not every program has modules, and drawing and testing need more than NumPy.
_LAZY = (
    *("array_api", "compiler", "data", "distributed", "distributions", "estimators", "fft", "func", "linalg", "nn"),
    *("onnx", "optim", "signal", "special", "testing", "torch", "train", "utils", "vision", "viz"),
)
_PARTS = ("random", "serialization")  # which PyTorch has as modules too
# And rarely used names, by the modules that they are in.
_RARE = {
    name: module
    for module, names in {
        "autograd.anomaly_mode": "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled",
        "core.dtypes": "bfloat16",
        "ops.linalg.products": "ger spmm",
        "ops.shape.joining": "cartesian_prod",
        "ops.padding.pad": "constant_pad_nd",
        "ops.normalization.native": "native_batch_norm native_group_norm native_layer_norm",
        "creation": "range",
        "random": "seed",
        "ops.tensor.sampling": "binomial poisson",
        "ops.tensor.attributes": "is_storage typename",
        "ops.indexing.segments": "segment_reduce",
        "ops.linalg.lowrank": "lobpcg",
        "ops.pointwise.complex": "view_as_complex_copy",
        "ops.dropout.dropout": "native_dropout native_dropout_backward",
        "ops.vision.grid_sample": "grid_sampler grid_sampler_2d grid_sampler_3d",
        "core.printing": "set_printoptions",
        "func": "vmap",
        "nn.functional": "adaptive_avg_pool1d avg_pool1d bilinear celu channel_shuffle conv1d "
        "conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity dropout "
        "group_norm layer_norm max_pool1d max_pool1d_with_indices max_pool2d max_pool3d native_channel_shuffle "
        "pairwise_distance pdist pixel_shuffle pixel_unshuffle rms_norm rrelu rrelu_ threshold_",
        "tensor_types": "BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor "
        "LongTensor ShortTensor",
        "torch": "accelerator amp cuda jit version",
        "torch.amp": "GradScaler autocast is_autocast_enabled",
        "compiler": "_assert",
        "compiler.modules": "compile",
        "torch.settings": "are_deterministic_algorithms_enabled get_default_device "
        "get_deterministic_debug_mode set_deterministic_debug_mode is_warn_always_enabled get_float32_matmul_precision "
        "get_num_interop_threads is_deterministic_algorithms_warn_only_enabled set_default_device "
        "set_default_tensor_type set_float32_matmul_precision set_flush_denormal set_num_interop_threads "
        "set_warn_always use_deterministic_algorithms",
    }.items()
    for name in names.split()
}


_METHODS = {name: name for name in ("detach", "get_device", "is_same_size", "is_signed")} | {"to_dlpack": "__dlpack__"}


def __getattr__(name: str) -> Any:
    if name in _LAZY or name in _RARE or name in _PARTS:
        import importlib

        module = importlib.import_module(f"tinygrad_dl.{_RARE.get(name, name)}")
        return getattr(module, name) if name in _RARE else module
    if name.startswith("_foreach_"):
        from tinygrad_dl.torch import foreach

        if function := foreach.find(name):
            return function
    # PyTorch has the in-place methods, and a few others, as functions too: td.relu_(x) is x.relu_().
    if name in _METHODS or (name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name)):
        return getattr(Tensor, _METHODS.get(name, name))
    if (file := lazy.index("tinygrad_dl").get(name)) is not None:
        return globals().setdefault(name, getattr(lazy.load(file), name))
    where = "; tensors live on the CPU: device = 'cpu'" if name in ("mps", "xpu") else ""
    raise AttributeError(f"module 'tinygrad_dl' has no attribute {name!r}{where}")


def __dir__() -> list[str]:
    return [*__all__, *_LAZY, *(name for name in _RARE if not name.startswith("_")), "__version__"]


public(globals(), NAMESPACES[__name__], without=("Array", "Arrays", "astype", "op"), methods=vars(Tensor))
