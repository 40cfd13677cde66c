"""Layers, losses and all that models are made of: `Module` and its subclasses, `functional`, `init`, `utils`.

>>> import tinygrad_dl as td
>>> model = td.nn.Sequential(td.nn.Linear(4, 8), td.nn.ReLU(), td.nn.Linear(8, 1))
>>> sum(p.numel() for p in model.parameters())
49
"""

from __future__ import annotations

from tinygrad_dl.nn import functional, init, utils
from tinygrad_dl.nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from tinygrad_dl.nn.layers.activation import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    LeakyReLU,
    LogSigmoid,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Softsign,
    Tanh,
    Tanhshrink,
)
from tinygrad_dl.nn.layers.attention import MultiheadAttention
from tinygrad_dl.nn.layers.basic import Flatten, Identity, Unflatten
from tinygrad_dl.nn.layers.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tinygrad_dl.nn.layers.distance import CosineSimilarity, PairwiseDistance
from tinygrad_dl.nn.layers.dropout import Dropout
from tinygrad_dl.nn.layers.embedding import Embedding
from tinygrad_dl.nn.layers.limits import (
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LogSoftmax,
    ReLU6,
    Softmax,
    Softmin,
    Softshrink,
    Threshold,
)
from tinygrad_dl.nn.layers.linear import Bilinear, Linear
from tinygrad_dl.nn.layers.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
)
from tinygrad_dl.nn.layers.norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm
from tinygrad_dl.nn.layers.transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from tinygrad_dl.nn.layers.unfold import Fold, Unfold
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Buffer, Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "Buffer",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "Fold",
    "GaussianNLLLoss",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "PairwiseDistance",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "PoissonNLLLoss",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "TripletMarginLoss",
    "Unflatten",
    "Unfold",
    "functional",
    "init",
    "utils",
]
