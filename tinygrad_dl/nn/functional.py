"""The operations of layers as functions, with PyTorch's names and arguments.

Here are the names alone; the functions are declared in `tinygrad_dl.ops`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_dl.core import lazy
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.core.dtypes import as_dtype
from tinygrad_dl.core.namespaces import NAMESPACES, public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn import grad
from tinygrad_dl.ops.activation.gelu import gelu
from tinygrad_dl.ops.activation.relu import leaky_relu, prelu, relu6, threshold
from tinygrad_dl.ops.activation.relu import relu as _relu
from tinygrad_dl.ops.activation.sigmoid import logsigmoid, sigmoid
from tinygrad_dl.ops.activation.silu import mish, silu
from tinygrad_dl.ops.activation.softmax import log_softmax as _log_softmax
from tinygrad_dl.ops.activation.softmax import softmax as _softmax
from tinygrad_dl.ops.activation.softplus import softplus, softsign
from tinygrad_dl.ops.attention.attention import scaled_dot_product_attention
from tinygrad_dl.ops.convolution.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from tinygrad_dl.ops.dropout.dropout import dropout, dropout1d, dropout2d, dropout3d
from tinygrad_dl.ops.embedding.embedding import embedding, one_hot
from tinygrad_dl.ops.linear.linear import linear
from tinygrad_dl.ops.loss.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_with_logits
from tinygrad_dl.ops.loss.cross_entropy import cross_entropy
from tinygrad_dl.ops.loss.nll_loss import gaussian_nll_loss, nll_loss, poisson_nll_loss
from tinygrad_dl.ops.loss.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from tinygrad_dl.ops.normalization.batch_norm import batch_norm
from tinygrad_dl.ops.normalization.group_norm import group_norm, instance_norm
from tinygrad_dl.ops.normalization.layer_norm import layer_norm
from tinygrad_dl.ops.normalization.rms_norm import rms_norm
from tinygrad_dl.ops.pointwise.hyperbolic import tanh
from tinygrad_dl.ops.pooling.avg_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
)
from tinygrad_dl.ops.pooling.max_pool import (
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
)

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
    from tinygrad_dl.ops.activation.elu import celu, elu, selu
    from tinygrad_dl.ops.activation.glu import glu
    from tinygrad_dl.ops.activation.gumbel_softmax import gumbel_softmax
    from tinygrad_dl.ops.activation.hard import hardsigmoid, hardswish, hardtanh
    from tinygrad_dl.ops.activation.inplace import (
        celu_,
        elu_,
        hardtanh_,
        leaky_relu_,
        relu_,
        rrelu_,
        selu_,
        threshold_,
    )
    from tinygrad_dl.ops.activation.rrelu import rrelu
    from tinygrad_dl.ops.activation.shrink import hardshrink, softshrink, tanhshrink
    from tinygrad_dl.ops.attention.multi_head import multi_head_attention_forward
    from tinygrad_dl.ops.convolution.fold import fold, unfold
    from tinygrad_dl.ops.distance.distance import cosine_similarity, pairwise_distance, pdist
    from tinygrad_dl.ops.dropout.alpha_dropout import alpha_dropout, feature_alpha_dropout
    from tinygrad_dl.ops.embedding.embedding_bag import embedding_bag
    from tinygrad_dl.ops.linear.bilinear import bilinear
    from tinygrad_dl.ops.loss.ctc_loss import ctc_loss
    from tinygrad_dl.ops.loss.kl_div import kl_div
    from tinygrad_dl.ops.loss.linear_cross_entropy import linear_cross_entropy
    from tinygrad_dl.ops.loss.margin import (
        cosine_embedding_loss,
        hinge_embedding_loss,
        margin_ranking_loss,
        multi_margin_loss,
        multilabel_margin_loss,
        multilabel_soft_margin_loss,
        soft_margin_loss,
        triplet_margin_loss,
        triplet_margin_with_distance_loss,
    )
    from tinygrad_dl.ops.normalization.local_response_norm import local_response_norm
    from tinygrad_dl.ops.normalization.normalize import normalize
    from tinygrad_dl.ops.padding.pad import pad
    from tinygrad_dl.ops.pooling.fractional_max_pool import (
        fractional_max_pool2d,
        fractional_max_pool2d_with_indices,
        fractional_max_pool3d,
        fractional_max_pool3d_with_indices,
    )
    from tinygrad_dl.ops.pooling.lp_pool import lp_pool1d, lp_pool2d, lp_pool3d
    from tinygrad_dl.ops.pooling.max_unpool import max_unpool1d, max_unpool2d, max_unpool3d
    from tinygrad_dl.ops.vision.grid_sample import affine_grid, grid_sample
    from tinygrad_dl.ops.vision.interpolate import interpolate
    from tinygrad_dl.ops.vision.pixel_shuffle import (
        channel_shuffle,
        native_channel_shuffle,
        pixel_shuffle,
        pixel_unshuffle,
    )
    from tinygrad_dl.ops.vision.upsample import upsample, upsample_bilinear, upsample_nearest

# fmt: off
__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "affine_grid", "alpha_dropout", "avg_pool1d",
    "avg_pool2d", "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss",
    "dropout", "dropout1d", "dropout2d", "dropout3d", "elu", "elu_", "embedding", "embedding_bag",
    "feature_alpha_dropout", "fold", "fractional_max_pool2d", "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d", "fractional_max_pool3d_with_indices", "gaussian_nll_loss", "gelu", "glu", "grad",
    "grid_sample", "group_norm", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div", "l1_loss", "layer_norm",
    "leaky_relu", "leaky_relu_", "linear", "linear_cross_entropy", "local_response_norm", "log_softmax", "logsigmoid",
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices", "max_pool2d",
    "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d", "max_unpool3d",
    "mish", "mse_loss", "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "native_channel_shuffle", "nll_loss", "normalize", "one_hot", "pad",
    "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "relu", "relu6",
    "relu_", "rms_norm", "rrelu", "rrelu_", "scaled_dot_product_attention", "selu", "selu_", "sigmoid", "silu",
    "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "softshrink", "softsign", "tanh",
    "tanhshrink", "threshold", "threshold_", "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold",
    "upsample", "upsample_bilinear", "upsample_nearest",
]
# fmt: on


@composition
def relu(input: Array, inplace: bool = False) -> Tensor:
    """max(input, 0).

    >>> td.nn.functional.relu(td.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input._assign(_relu(input), "relu") if inplace else _relu(input)


@composition
def softmax(input: Array, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(input) / sum(exp(input)) along a dimension.

    Args:
        dim: the dimension. Without it a warning says which one was taken: the first of 0, 1 or 3, else the second.
        dtype: cast to it first.

    >>> td.nn.functional.softmax(td.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax(*_along(input, dim, dtype, "softmax"))


@composition
def log_softmax(input: Array, dim: int | None = None, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, finite where softmax rounds to 0.

    >>> td.nn.functional.log_softmax(td.tensor([0.0, 1e4]), dim=0)
    tensor([-10000.,      0.])
    """
    return _log_softmax(*_along(input, dim, dtype, "log_softmax"))


@composition
def softmin(input: Array, dim: int | None = None, dtype: Any = None) -> Tensor:
    """`softmax` of -input.

    >>> td.nn.functional.softmin(td.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    input, dim = _along(input, dim, dtype, "softmin")
    return _softmax(-input, dim)


def _along(input: Any, dim: int | None, dtype: Any, name: str) -> tuple[Any, int]:
    """The input in the dtype that was asked for, and the dimension; without one PyTorch's choice, of which it warns."""
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
        warn(f"{name}: got no dim, expected the dimension along which to go, took dim={dim} as PyTorch does; write it")
    return (input if dtype is None else input.to(as_dtype(dtype))), dim


if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
