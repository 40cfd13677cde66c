"""Modules, with known weights, applied once or twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.catalogue.layers import images
from fuzz.catalogue.losses import target_signs
from fuzz.catalogue.table import draws
from fuzz.drawing import Writer
from fuzz.programs import Attribute, Name, Step

DTYPES = ("float64", "float64", "float32")


def steps(w: Writer, kind: str, args: tuple[Any, ...], options: dict[str, Any], inputs: list[Any]) -> list[Step]:
    """Makes the module, now and then in evaluation, and applies it."""
    name = w.names.new()
    made = [Step(name, "module", (Attribute(f"N.{kind}"), *args), tuple(options.items()))]
    if w.chance(0.2):
        made.append(Step(w.names.new(), ".eval", (Name(name),)))
    for _ in range(2 if w.chance(0.15) else 1):
        made.append(Step(w.names.new(), "apply", (Name(name), *inputs)))
    return made


def module(names: str, weight: float = 0.6) -> Callable[[Any], Any]:
    """Enters modules whose arguments, options and inputs the decorated function draws."""

    def enter(function: Any) -> Any:
        for name in names.split():

            def draw(w: Writer, name: str = name) -> Any:
                dtype = w.choice(DTYPES)
                args, options, inputs = function(w, name, dtype)
                return steps(w, name, args, options, inputs)

            draws(name, only=f"N.{name}", weight=weight)(draw)
        return function

    return enter


def typed(dtype: str, **options: Any) -> dict[str, Any]:
    return {**options, "dtype": Attribute(f"T.{dtype}")}


@module(
    "ReLU ReLU6 SELU SiLU Mish Softsign Tanhshrink LogSigmoid Hardsigmoid Hardswish Sigmoid Tanh Identity GELU",
    weight=0.15,
)
def activation(w: Writer, name: str, dtype: str) -> Any:
    return (), {}, [w.tensor("f", dtype=dtype)]


@module("ELU CELU LeakyReLU Hardshrink Softshrink Hardtanh Softplus", weight=0.15)
def activation_with(w: Writer, name: str, dtype: str) -> Any:
    return ((0.5,) if w.bool() and name != "Hardtanh" else ()), {}, [w.tensor("f", dtype=dtype)]


@module("Threshold", weight=0.15)
def threshold(w: Writer, name: str, dtype: str) -> Any:
    return (0.5, w.choice((0.0, 2.0))), {}, [w.tensor("f", dtype=dtype)]


@module("Softmax LogSoftmax Softmin GLU", weight=0.2)
def along(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, dtype=dtype)
    return (), {"dim": w.dim(x)}, [x]


@module("Softmax2d", weight=0.1)
def softmax2d(w: Writer, name: str, dtype: str) -> Any:
    return (), {}, [images(w, 2)]


@module(
    " ".join(
        f"{kind}Pad{k}d" for kind in ("Constant", "Zero", "Reflection", "Replication", "Circular") for k in (1, 2, 3)
    ),
    weight=0.1,
)
def padding(w: Writer, name: str, dtype: str) -> Any:
    dims = int(name[-2])
    amounts = w.int(0, 2) if w.bool() else tuple(w.int(0, 1) for _ in range(2 * dims))
    return (amounts, 0.5) if name[1] == "o" else (amounts,), {}, [images(w, dims, least=3)]


@module("PReLU", weight=0.2)
def prelu(w: Writer, name: str, dtype: str) -> Any:
    return (), typed(dtype), [w.tensor("f", dtype=dtype)]


@module("Linear", weight=1)
def linear(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, size=100, dtype=dtype)
    return (w.shape(x)[-1], w.int(1, 3)), typed(dtype, bias=w.bool()), [x]


@module("Bilinear")
def bilinear(w: Writer, name: str, dtype: str) -> Any:
    n, a, b = w.int(1, 3), w.int(1, 3), w.int(1, 3)
    return (a, b, w.int(1, 2)), typed(dtype), [w.tensor(shape=(n, a), dtype=dtype), w.tensor(shape=(n, b), dtype=dtype)]


@module("Embedding")
def embedding(w: Writer, name: str, dtype: str) -> Any:
    return (4, 2), typed(dtype, **w.options(padding_idx=lambda: w.int(0, 3))), [w.indices(w.new_shape(0, 2), 4)]


@module("EmbeddingBag")
def embedding_bag(w: Writer, name: str, dtype: str) -> Any:
    options = w.options(mode=lambda: w.choice(("sum", "mean", "max")), padding_idx=lambda: w.int(0, 3))
    return (4, 2), typed(dtype, **options), [w.indices((w.int(1, 2), w.int(1, 3)), 4)]


@module("Conv1d Conv2d Conv3d")
def convolution(w: Writer, name: str, dtype: str) -> Any:
    dims = int(name[-2])
    channels = w.int(1, 2)
    x = w.tensor(shape=(w.int(1, 2), channels, *(w.int(3, 5) for _ in range(dims))), dtype=dtype)
    options = typed(
        dtype,
        **w.options(
            stride=2,
            dilation=2 if dims < 3 else 1,
            groups=channels,
            padding=1,
            padding_mode=lambda: w.choice(("zeros", "reflect", "replicate", "circular")),
            bias=w.bool,
        ),
    )
    return (channels, channels * w.int(1, 2), w.int(1, 3)), options, [x]


@module("ConvTranspose1d ConvTranspose2d ConvTranspose3d", weight=0.4)
def transposed(w: Writer, name: str, dtype: str) -> Any:
    dims = int(name[-2])
    x = w.tensor(shape=(w.int(1, 2), 2, *(w.int(1, 3) for _ in range(dims))), dtype=dtype)
    return (
        (2, 2 * w.int(1, 2), w.int(1, 3)),
        typed(dtype, **w.options(stride=2, padding=1, groups=2, dilation=2, bias=w.bool)),
        [x],
    )


@module("BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d")
def norm(w: Writer, name: str, dtype: str) -> Any:
    dims = int(name[-2])
    channels = w.int(1, 3)
    x = w.tensor(shape=(w.int(1, 3), channels, *(w.int(1, 3) for _ in range(dims))), dtype=dtype)
    options = w.options(affine=w.bool, track_running_stats=w.bool, momentum=lambda: w.choice((0.5, None)), eps=0.01)
    return (channels,), typed(dtype, **options), [x]


@module("LayerNorm")
def layer_norm(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, dtype=dtype)
    return (
        (w.shape(x)[w.int(0, w.ndim(x) - 1) :],),
        typed(dtype, **w.options(elementwise_affine=w.bool, bias=w.bool)),
        [x],
    )


@module("RMSNorm")
def rms_norm(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, dtype=dtype)
    shape = w.shape(x)[w.int(0, w.ndim(x) - 1) :]
    return (shape,), typed(dtype, **w.options(elementwise_affine=w.bool, eps=0.1)), [x]


@module("LocalResponseNorm", weight=0.2)
def local_response_norm(w: Writer, name: str, dtype: str) -> Any:
    return (w.int(1, 3),), w.options(alpha=0.5, beta=0.5, k=2.0), [images(w, w.int(1, 3))]


@module("LPPool1d LPPool2d LPPool3d", weight=0.15)
def lp_pool(w: Writer, name: str, dtype: str) -> Any:
    return (w.choice((1, 2, 2.0)), 2), w.options(stride=1, ceil_mode=w.bool), [images(w, int(name[-2]), least=2)]


@module("GroupNorm")
def group_norm(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor(shape=(w.int(1, 2), 4, *(w.int(1, 3) for _ in range(w.int(0, 2)))), dtype=dtype)
    return (w.choice((1, 2, 4)), 4), typed(dtype, **w.options(affine=w.bool, eps=0.1)), [x]


@module("RNN LSTM GRU", weight=1)
def recurrent(w: Writer, name: str, dtype: str) -> Any:
    options = w.options(num_layers=2, bias=w.bool, batch_first=w.bool, bidirectional=w.bool)
    if name == "RNN":
        options |= w.options(nonlinearity="relu")
    n, hidden, batch, length = w.int(1, 2), w.int(1, 3), w.int(1, 2), w.int(1, 3)
    shape = (length, n) if w.chance(0.2) else (batch, length, n) if options.get("batch_first") else (length, batch, n)
    return (n, hidden), typed(dtype, **options), [w.tensor(shape=shape, dtype=dtype)]


@module("RNNCell LSTMCell GRUCell", weight=0.4)
def cell(w: Writer, name: str, dtype: str) -> Any:
    n, hidden, batch = w.int(1, 2), w.int(1, 3), w.int(1, 2)
    return (
        (n, hidden),
        typed(dtype, **w.options(bias=w.bool)),
        [w.tensor(shape=(batch, n) if w.bool() else (n,), dtype=dtype)],
    )


@module("MultiheadAttention", weight=0.5)
def multihead(w: Writer, name: str, dtype: str) -> Any:
    options = w.options(bias=w.bool, batch_first=w.bool, add_zero_attn=True)
    q = w.tensor(shape=(w.int(1, 3), 2, 4), dtype=dtype)
    return (4, w.choice((1, 2))), typed(dtype, **options), [q, q, q]


@module("TransformerEncoderLayer", weight=0.3)
def encoder(w: Writer, name: str, dtype: str) -> Any:
    options = {"dropout": 0.0, **w.options(norm_first=w.bool, batch_first=w.bool, activation="gelu")}
    return (4, 2, 3), typed(dtype, **options), [w.tensor(shape=(w.int(1, 3), 2, 4), dtype=dtype)]


@module("TransformerDecoderLayer", weight=0.2)
def decoder(w: Writer, name: str, dtype: str) -> Any:
    options = {"dropout": 0.0, **w.options(norm_first=w.bool, batch_first=w.bool)}
    return (
        (4, 2, 3),
        typed(dtype, **options),
        [w.tensor(shape=(2, 2, 4), dtype=dtype), w.tensor(shape=(2, 2, 4), dtype=dtype)],
    )


@module("MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d", weight=0.2)
def pool(w: Writer, name: str, dtype: str) -> Any:
    options = w.options(stride=1, ceil_mode=w.bool, padding=1)
    options |= w.options(**({"dilation": 2} if name[0] == "M" else {"count_include_pad": w.bool}))
    return (2,), options, [images(w, int(name[-2]), least=2)]


@module(
    "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d",
    weight=0.15,
)
def adaptive(w: Writer, name: str, dtype: str) -> Any:
    return (w.int(1, 3),), {}, [images(w, int(name[-2]))]


@module("Flatten", weight=0.2)
def flatten(w: Writer, name: str, dtype: str) -> Any:
    return (), w.options(start_dim=lambda: w.choice((0, 1, -1))), [w.tensor(least=1)]


@module("Upsample", weight=0.3)
def upsample(w: Writer, name: str, dtype: str) -> Any:
    return (), {"scale_factor": w.choice((2, 1.5)), "mode": w.choice(("nearest", "bilinear"))}, [images(w, 2)]


@module("UpsamplingNearest2d UpsamplingBilinear2d", weight=0.2)
def upsampling(w: Writer, name: str, dtype: str) -> Any:
    return (), {"scale_factor": 2}, [images(w, 2)]


@module("ChannelShuffle PixelShuffle PixelUnshuffle", weight=0.2)
def shuffle(w: Writer, name: str, dtype: str) -> Any:
    return (2,), {}, [w.tensor(shape=(1, 4, 2, 2), dtype=dtype)]


@module("Fold Unfold", weight=0.2)
def folding(w: Writer, name: str, dtype: str) -> Any:
    if name == "Unfold":
        return (2,), {}, [w.tensor(shape=(1, 2, 3, 3), dtype=dtype)]
    return ((3, 3), 2), {}, [w.tensor(shape=(1, 4, 4), dtype=dtype)]


@module("MSELoss L1Loss SmoothL1Loss HuberLoss BCEWithLogitsLoss SoftMarginLoss PoissonNLLLoss", weight=0.15)
def loss(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", dtype=dtype)
    named = {"SmoothL1Loss": {"beta": 0.5}, "HuberLoss": {"delta": 0.5}, "PoissonNLLLoss": {"log_input": w.bool}}
    options = {"reduction": w.choice(("none", "mean", "sum"))} | w.options(**named.get(name, {}))
    return (), options, [x, w.tensor(shape=w.shape(x), dtype=dtype, low=0.0, high=1.0)]


@module("CrossEntropyLoss NLLLoss MultiMarginLoss", weight=0.2)
def class_loss(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, most=2, dtype=dtype)
    return (), {"reduction": w.choice(("none", "mean", "sum"))}, [x, w.indices(w.shape(x)[:-1], w.shape(x)[-1])]


@module("LinearCrossEntropyLoss", weight=0.2)
def linear_cross_entropy_loss(w: Writer, name: str, dtype: str) -> Any:
    more, n = w.choice(((), (2,))), w.int(1, 3)
    options = typed(dtype, out_features=more, **w.options(bias=True, label_smoothing=0.1))
    return (2, 3), options, [w.tensor(shape=(n, 2), dtype=dtype), w.indices((n, *more), 3)]


@module("CosineSimilarity PairwiseDistance", weight=0.2)
def distance(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=2, most=2, dtype=dtype)
    return (), {}, [x, w.tensor(shape=w.shape(x), dtype=dtype)]


@module("BCELoss KLDivLoss MultiLabelSoftMarginLoss", weight=0.15)
def loss_of_shares(w: Writer, name: str, dtype: str) -> Any:
    x = w.new(w.new_shape(1, 2), dtype, 0.1, 0.9)
    inside = w.new(w.shape(x), dtype, 0.1, 0.9)
    return (), {"reduction": w.choice(("none", "mean", "sum"))}, [x, inside]


@module("HingeEmbeddingLoss MarginRankingLoss CosineEmbeddingLoss", weight=0.15)
def loss_of_signs(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=2, most=2, dtype=dtype)
    pair = [x] if name == "HingeEmbeddingLoss" else [x, w.tensor(shape=w.shape(x), dtype=dtype)]
    signs = target_signs(w, w.shape(x)[:1] if name == "CosineEmbeddingLoss" else w.shape(x), dtype)
    return (), {"reduction": w.choice(("none", "mean", "sum"))}, [*pair, signs]


@module("TripletMarginLoss TripletMarginWithDistanceLoss GaussianNLLLoss", weight=0.15)
def loss_of_three(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=2, most=2, dtype=dtype)
    low = 0.2 if name == "GaussianNLLLoss" else -3.0
    others = [w.tensor(shape=w.shape(x), dtype=dtype), w.new(w.shape(x), dtype, low, 3.0)]
    return (), {"reduction": w.choice(("none", "mean", "sum"))}, [x, *others]


@module("MultiLabelMarginLoss", weight=0.15)
def multilabel(w: Writer, name: str, dtype: str) -> Any:
    x = w.tensor("f", least=1, most=2, dtype=dtype)
    return (), {"reduction": w.choice(("none", "mean", "sum"))}, [x, w.indices(w.shape(x), w.shape(x)[-1])]


@module("Unflatten", weight=0.15)
def unflatten(w: Writer, name: str, dtype: str) -> Any:
    return (1, (2, 2)), {}, [w.tensor(shape=(w.int(1, 2), 4), dtype=dtype)]
