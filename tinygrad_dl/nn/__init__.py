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
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from tinygrad_dl.nn.layers.basic import Flatten, Identity, Unflatten
from tinygrad_dl.nn.layers.dropout import Dropout
from tinygrad_dl.nn.layers.embedding import Embedding
from tinygrad_dl.nn.layers.linear import Bilinear, Linear
from tinygrad_dl.nn.layers.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CosineSimilarity,
    CrossEntropyLoss,
    GaussianNLLLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    NLLLoss,
    PairwiseDistance,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
)
from tinygrad_dl.nn.layers.norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Buffer, Parameter
