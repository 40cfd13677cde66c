"""Helpers for training: clipping gradients, parameters as one vector or computed from others, fused layers."""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.nn.utils import parametrizations, parametrize, prune, rnn, stateless
from tinygrad_dl.nn.utils.clip_grad import (
    clip_grad_norm,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from tinygrad_dl.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from tinygrad_dl.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from tinygrad_dl.nn.utils.init import skip_init
from tinygrad_dl.nn.utils.memory_format import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format
from tinygrad_dl.nn.utils.weight_hooks import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

# fmt: off
__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_",
    "convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format", "fuse_conv_bn_eval",
    "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights", "get_total_norm", "parameters_to_vector",
    "parametrizations", "parametrize", "prune", "remove_spectral_norm", "remove_weight_norm", "rnn", "skip_init",
    "spectral_norm", "stateless", "vector_to_parameters", "weight_norm",
]
# fmt: on

public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
