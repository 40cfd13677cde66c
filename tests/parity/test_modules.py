"""Modules and functional operations beside PyTorch's: values, gradients, state, start values' ranges, text."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn import functional

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
LIBRARIES = ((nn, td.tensor), (torch.nn, torch.tensor))


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def close(ours, theirs, tolerance=2e-5):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=tolerance)


def both(make_ours, make_theirs, arrays, integers=()):
    """Values and gradients of the two, for the same arrays."""
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    a = make_ours(*ours, *(td.tensor(i) for i in integers))
    b = make_theirs(*theirs, *(torch.tensor(i) for i in integers))
    close(a.detach().numpy(), b.detach().numpy())
    seed = np.asarray(RNG.standard_normal(a.shape), np.float32)
    a.backward(td.tensor(seed))
    b.backward(torch.tensor(seed))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine.grad is None) == (other.grad is None)
        if mine.grad is not None:
            close(mine.grad.numpy(), other.grad.numpy())


def module_pair(name, args=(), kwargs=None):
    """The same module from both libraries, PyTorch's with our state."""
    kwargs = kwargs or {}
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    state = {key: torch.tensor(np.array(t.numpy())) for key, t in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return ours, theirs


MODULES = [
    ("Identity", (), {}, [(2, 3)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, 2)), {}, [(3, 4)]),
    ("Linear", (4, 3), {}, [(5, 4)]),
    ("Linear", (4, 3), {"bias": False}, [(2, 5, 4)]),
    ("Bilinear", (4, 3, 2), {}, [(5, 4), (5, 3)]),
    ("BatchNorm1d", (3,), {}, [(6, 3)]),
    ("BatchNorm1d", (3,), {"momentum": None}, [(6, 3, 2)]),
    ("BatchNorm1d", (3,), {"affine": False}, [(6, 3)]),
    ("BatchNorm1d", (3,), {"bias": False}, [(6, 3)]),
    ("BatchNorm2d", (3,), {}, [(2, 3, 4, 4)]),
    ("BatchNorm3d", (3,), {"track_running_stats": False}, [(2, 3, 2, 2, 2)]),
    ("LayerNorm", (4,), {}, [(2, 3, 4)]),
    ("LayerNorm", ((3, 4),), {"eps": 0.1}, [(2, 3, 4)]),
    ("LayerNorm", (4,), {"bias": False}, [(2, 4)]),
    ("LayerNorm", (4,), {"elementwise_affine": False}, [(2, 4)]),
    ("PReLU", (3,), {}, [(2, 3, 4)]),
    ("CosineSimilarity", (), {"dim": -1}, [(3, 4), (3, 4)]),
    ("PairwiseDistance", (), {"p": 1.0}, [(3, 4), (3, 4)]),
    *[
        (name, (), {}, [(4, 6)])
        for name in (
            "ReLU",
            "ReLU6",
            "LeakyReLU",
            "ELU",
            "SELU",
            "CELU",
            "GELU",
            "SiLU",
            "Mish",
            "Sigmoid",
            "LogSigmoid",
            "Tanh",
            "Tanhshrink",
            "Softplus",
            "Softsign",
            "Softshrink",
            "Hardshrink",
            "Hardtanh",
            "Hardsigmoid",
            "Hardswish",
            "GLU",
        )
    ],
    ("GELU", ("tanh",), {}, [(4, 6)]),
    ("Threshold", (0.1, 20.0), {}, [(4, 6)]),
    ("Softmax", (), {"dim": 1}, [(4, 6)]),
    ("Softmin", (), {"dim": -1}, [(4, 6)]),
    ("LogSoftmax", (), {"dim": 0}, [(4, 6)]),
    ("Softmax2d", (), {}, [(2, 3, 2, 2)]),
    ("Softmax2d", (), {}, [(3, 2, 2)]),
    *[
        (f"{kind}Pad{k}d", (padding, *value), {}, [((2, 3, 4, 5, 4)[: k + batch])])
        for kind, *value in (("Constant", 1.5), ("Zero",), ("Reflection",), ("Replication",), ("Circular",))
        for k in (1, 2, 3)
        for batch, padding in ((2, 1), (1, (2, 1, 0, 2, 1, 1)[: 2 * k]))
    ],
    *[(f"{kind}Pad2d", ((-1, 1, 2, -2), *value), {}, [(2, 3, 4, 5)]) for kind, *value in (("Zero",), ("Constant", -1))],
    ("ConstantPad2d", ((1, 2), 3), {}, [(2, 3)]),
    ("RMSNorm", (4,), {}, [(2, 3, 4)]),
    ("RMSNorm", ([3, 4],), {"eps": 0.1}, [(2, 3, 4)]),
    ("RMSNorm", (4,), {"elementwise_affine": False}, [(4,)]),
    ("LocalResponseNorm", (2,), {"alpha": 0.5}, [(2, 3, 4)]),
    ("LocalResponseNorm", (5, 0.7, 0.5, 2.0), {}, [(2, 3, 4, 2)]),
    ("LocalResponseNorm", (3,), {}, [(2, 4, 2, 1, 2)]),
    *[("LPPool1d", (p, 2), {"stride": s}, [(2, 3, 5)]) for p in (1, 2, float("inf"), -float("inf")) for s in (None, 1)],
    ("LPPool2d", (2.0, (2, 3)), {"ceil_mode": True}, [(2, 3, 4, 5)]),
    ("LPPool3d", (2, 2), {}, [(3, 4, 5, 4)]),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name, args, kwargs, shapes", MODULES, ids=[f"{m[0]}{m[1]}{m[2]}" for m in MODULES])
def test_module(name, args, kwargs, shapes, training):
    ours, theirs = module_pair(name, args, kwargs)
    arrays = [draw(*shape) for shape in shapes]
    for _ in range(2):  # twice, for running statistics
        ours.train(training), theirs.train(training)
        both(ours, theirs, arrays)
    assert [key for key, _ in ours.named_parameters()] == [key for key, _ in theirs.named_parameters()]
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(mine.grad.numpy(), other.grad.numpy(), 1e-4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, tensor in theirs.state_dict().items():
        close(ours.state_dict()[key].numpy(), tensor.numpy())
    assert repr(ours) == repr(theirs)


LOSSES = [
    ("MSELoss", {}, "real"),
    ("L1Loss", {}, "real"),
    ("SmoothL1Loss", {"beta": 0.5}, "real"),
    ("SmoothL1Loss", {"beta": 0.0}, "real"),
    ("HuberLoss", {"delta": 0.7}, "real"),
    ("BCEWithLogitsLoss", {}, "unit"),
    ("BCEWithLogitsLoss", {"weight": draw(4), "pos_weight": abs(draw(4))}, "unit"),
    ("KLDivLoss", {}, "unit"),
    ("KLDivLoss", {"log_target": True}, "real"),
    ("PoissonNLLLoss", {"full": True}, "unit"),
    ("SoftMarginLoss", {}, "sign"),
    ("HingeEmbeddingLoss", {"margin": 0.5}, "sign"),
    ("CrossEntropyLoss", {}, "class"),
    ("CrossEntropyLoss", {"weight": abs(draw(4)), "label_smoothing": 0.1, "ignore_index": 2}, "class"),
    ("CrossEntropyLoss", {"weight": abs(draw(4)), "ignore_index": 2}, "class"),
    ("CrossEntropyLoss", {"label_smoothing": 0.3}, "class"),
    ("CrossEntropyLoss", {"label_smoothing": 0.3, "weight": abs(draw(4))}, "probabilities"),
    ("CrossEntropyLoss", {}, "probabilities"),
    ("NLLLoss", {"weight": abs(draw(4)), "ignore_index": 2}, "class"),
    ("NLLLoss", {}, "class"),
]


@pytest.mark.parametrize("function", ["rms_norm", "lp_pool1d"])
def test_of_zeros_and_of_few_bits(function):
    rest = (2.0, 2) if function == "lp_pool1d" else ((4,),)
    run = [lambda x, lib=lib: getattr(lib, function)(x, *rest) for lib in (functional, torch.nn.functional)]
    both(*run, [np.zeros((1, 2, 4), np.float32)])
    few = np.array([[[1e-3, 300.0, 2.0, -400.0]]], np.float16)
    if function == "rms_norm":
        close(run[0](td.tensor(few)).numpy(), run[1](torch.tensor(few)).numpy(), 1e-3)
        assert run[0](td.tensor(few)).dtype == td.float16


@pytest.mark.parametrize("training", [True, False])
def test_random_slopes(training):
    x = -abs(draw(4000)) - 0.1
    ours, theirs = (lib.RReLU(0.2, 0.6).train(training)(make(x)).numpy() / x for lib, make in LIBRARIES)
    close([ours.min(), ours.max(), ours.mean()], [theirs.min(), theirs.max(), theirs.mean()], 0.01)
    assert repr(nn.RReLU(inplace=True)) == repr(torch.nn.RReLU(inplace=True))


def test_gumbel_softmax_draws_the_categories():
    logits = np.log(np.array([[0.1, 0.2, 0.7]], np.float32)).repeat(20000, 0)
    for tau in (0.5, 2.0):
        ours, theirs = (lib.functional.gumbel_softmax(make(logits), tau).numpy() for lib, make in LIBRARIES)
        close(ours.mean(0), theirs.mean(0), 0.02)
        close(ours.std(0), theirs.std(0), 0.02)


def target_of(kind, shape):
    classes = shape[:1] + shape[2:] if len(shape) > 1 else ()
    return {
        "real": lambda: draw(*shape),
        "unit": lambda: RNG.random(shape).astype(np.float32),
        "sign": lambda: np.where(draw(*shape) > 0, 1, -1).astype(np.float32),
        "class": lambda: RNG.integers(0, 4, classes),
        "probabilities": lambda: RNG.random(shape).astype(np.float32),
    }[kind]()


@pytest.mark.filterwarnings("ignore:reduction. 'mean':UserWarning")  # PyTorch's, of kl_div
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(5, 4), (2, 4, 3), (4,), (2, 4, 3, 2)])
@pytest.mark.parametrize("name, kwargs, kind", LOSSES, ids=[f"{m[0]}-{'-'.join(m[1])}-{m[2]}" for m in LOSSES])
def test_loss(name, kwargs, kind, shape, reduction):
    if name == "BCEWithLogitsLoss" and kwargs and shape[-1] != 4:
        shape = (*shape[:-1], 4)
    mine = {k: td.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    other = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    ours, theirs = getattr(nn, name)(reduction=reduction, **mine), getattr(torch.nn, name)(reduction=reduction, **other)
    target = target_of(kind, shape)
    if kind in ("class", "sign"):  # has no gradient
        both(ours, theirs, [draw(*shape)], [target])
    else:
        both(ours, theirs, [draw(*shape), target])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_of_other_signatures(reduction):
    unit = [RNG.uniform(0.05, 0.95, (5, 4)).astype(np.float32) for _ in range(2)]
    weight = abs(draw(4))
    both(
        lambda x, t: functional.binary_cross_entropy(x, t, td.tensor(weight), reduction=reduction),
        lambda x, t: torch.nn.functional.binary_cross_entropy(x, t, torch.tensor(weight), reduction=reduction),
        unit,
    )
    both(
        lambda x, t, v: nn.GaussianNLLLoss(full=True, reduction=reduction)(x, t, v),
        lambda x, t, v: torch.nn.GaussianNLLLoss(full=True, reduction=reduction)(x, t, v),
        [draw(5, 4), draw(5, 4), unit[0]],
    )
    sign = np.array([1.0, -1.0, 1.0, 1.0, -1.0], np.float32)
    for name in ("MarginRankingLoss", "CosineEmbeddingLoss"):
        shape = (5,) if name == "MarginRankingLoss" else (5, 4)
        both(
            getattr(nn, name)(0.2, reduction=reduction),
            getattr(torch.nn, name)(0.2, reduction=reduction),
            [draw(*shape), draw(*shape)],
            [sign],
        )
    for swap in (False, True):
        both(
            nn.TripletMarginLoss(swap=swap, reduction=reduction),
            torch.nn.TripletMarginLoss(swap=swap, reduction=reduction),
            [draw(5, 4), draw(5, 4), draw(5, 4)],
        )


def test_batchmean():
    logp = np.log(RNG.random((5, 4)).astype(np.float32))
    both(nn.KLDivLoss(reduction="batchmean"), torch.nn.KLDivLoss(reduction="batchmean"), [logp, abs(draw(5, 4))])


def test_certain_predictions_and_impossible_classes():
    x = np.array([[1e4, 0, -1e4], [0, -np.inf, 3], [-1e4, 1e4, 1e4]], np.float32)
    both(functional.cross_entropy, torch.nn.functional.cross_entropy, [x], [np.array([0, 2, 1])])


def test_embedding_with_padding():
    ours, theirs = module_pair("Embedding", (7, 3), {"padding_idx": 2})
    index = RNG.integers(0, 7, (4, 5))
    ours(td.tensor(index)).square().sum().backward()
    theirs(torch.tensor(index)).square().sum().backward()
    close(ours.weight.grad.numpy(), theirs.weight.grad.numpy())
    assert repr(ours) == repr(theirs)


def test_normalize_and_one_hot():
    for p, dim in ((2.0, 1), (1.0, 0), (3.0, -1)):
        options = {"p": p, "dim": dim}
        ours, theirs = partial(functional.normalize, **options), partial(torch.nn.functional.normalize, **options)
        both(ours, theirs, [draw(3, 4)])
    index = RNG.integers(0, 5, (2, 3))
    close(functional.one_hot(td.tensor(index), 6).numpy(), torch.nn.functional.one_hot(torch.tensor(index), 6).numpy())


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
def test_clip_grad_norm(norm_type):
    gradients = [draw(3, 4), draw(5)]
    ours, theirs = [td.zeros(3, 4), td.zeros(5)], [torch.zeros(3, 4), torch.zeros(5)]
    for tensors, make in ((ours, td.tensor), (theirs, torch.tensor)):
        for tensor, g in zip(tensors, gradients, strict=True):
            tensor.grad = make(g)
    close(
        nn.utils.clip_grad_norm_(ours, 0.5, norm_type).item(),
        torch.nn.utils.clip_grad_norm_(theirs, 0.5, norm_type).item(),
    )
    for mine, other in zip(ours, theirs, strict=True):
        close(mine.grad.numpy(), other.grad.numpy())


@pytest.mark.parametrize(
    "name, args",
    [
        ("relu", ()),
        ("leaky_relu", (0.3,)),
        ("tanh", ()),
        ("selu", ()),
        ("linear", ()),
        ("conv2d", ()),
    ],
)
def test_gains(name, args):
    assert nn.init.calculate_gain(name, *args) == pytest.approx(torch.nn.init.calculate_gain(name, *args))


def test_a_whole_model_with_pytorchs_weights():
    def build(lib):
        return lib.Sequential(
            lib.Linear(6, 8),
            lib.BatchNorm1d(8),
            lib.ReLU(),
            lib.Linear(8, 8),
            lib.LayerNorm(8),
            lib.GELU(),
            lib.Linear(8, 3),
        )

    ours, theirs = build(nn), build(torch.nn)
    ours.load_state_dict({key: t.numpy() for key, t in theirs.state_dict().items()})
    x, target = draw(10, 6), RNG.integers(0, 3, 10)
    functional.cross_entropy(ours(td.tensor(x)), td.tensor(target)).backward()
    torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(target)).backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(mine.grad.numpy(), other.grad.numpy())


LAZY = [
    *[(f"LazyConv{k}d", (4, 2), (2, 3, 4, 4, 4)[: k + 2]) for k in (1, 2, 3)],
    *[(f"LazyConvTranspose{k}d", (4, 2), (2, 3, 4, 4, 4)[: k + 2]) for k in (1, 2, 3)],
    *[(f"Lazy{kind}Norm{k}d", (), (2, 3, 4, 4, 4)[: k + 2]) for kind in ("Batch", "Instance") for k in (1, 2, 3)],
    ("LazyLinear", (4,), (2, 3)),
]


@pytest.mark.parametrize("name, args, shape", LAZY, ids=[each[0] for each in LAZY])
def test_lazy_module(name, args, shape):
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.has_uninitialized_params() and theirs.has_uninitialized_params()
    x = draw(*shape)
    ours(td.tensor(x)), theirs(torch.tensor(x))
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({key: torch.tensor(np.array(t.numpy())) for key, t in ours.state_dict().items()})
    both(ours, theirs, [x])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("offsets", [None, [0, 3, 3, 9], [0, 0, 5]])
def test_embedding_bag(mode, padding_idx, offsets):
    options = {"mode": mode, "padding_idx": padding_idx, "include_last_offset": offsets == [0, 3, 3, 9]}
    ours, theirs = module_pair("EmbeddingBag", (7, 3), options)
    index = RNG.integers(0, 7, (4, 5) if offsets is None else 9)
    given = [index] if offsets is None else [index, np.array(offsets)]
    a, b = (module(*map(make, given)) for module, make in ((ours, td.tensor), (theirs, torch.tensor)))
    close(a.detach().numpy(), b.detach().numpy())
    a.square().sum().backward(), b.square().sum().backward()
    close(ours.weight.grad.numpy(), theirs.weight.grad.numpy())
    assert repr(ours) == repr(theirs)
    if mode == "sum":
        both(
            lambda w: ours(td.tensor(index), *map(td.as_tensor, given[1:]), per_sample_weights=w),
            lambda w: theirs(torch.tensor(index), *map(torch.as_tensor, given[1:]), per_sample_weights=w),
            [draw(*index.shape)],
        )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("blank, zero", [(0, False), (4, True)])
def test_ctc_loss(reduction, blank, zero):
    ours, theirs = (lib.CTCLoss(blank, reduction, zero) for lib in (nn, torch.nn))
    rest = [RNG.integers(1, 4, (3, 5)), np.array([12, 9, 11]), np.array([5, 3, 0])]
    if zero:
        rest[1] = np.array([12, 2, 11])  # too short for the second
    both(
        lambda x, *more: ours(x.log_softmax(-1), *more),
        lambda x, *more: theirs(x.log_softmax(-1), *more),
        [draw(12, 3, 5)],
        rest,
    )
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("kernel, stride, padding", [(2, None, 0), (3, 3, 1), (2, 3, 0)])
def test_max_unpool(dims, kernel, stride, padding):
    x = draw(*(2, 3, 7, 8, 7)[: dims + 2])
    maxima, places = getattr(torch.nn.functional, f"max_pool{dims}d")(
        torch.tensor(x), kernel, stride, padding, return_indices=True
    )
    ours, theirs = (getattr(lib, f"MaxUnpool{dims}d")(kernel, stride, padding) for lib in (nn, torch.nn))
    size = x.shape
    both(
        lambda x, i: ours(x, i, output_size=size),
        lambda x, i: theirs(x, i, output_size=size),
        [maxima.numpy()],
        [places.numpy()],
    )
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("target", [[0, 9, 4, 3, 1], [0, 1, 2, 2, 1], 5])
def test_adaptive_softmax(target):
    ours, theirs = module_pair("AdaptiveLogSoftmaxWithLoss", (16, 10, [3, 6]), {"div_value": 2.0})
    x = draw(16) if target == 5 else draw(5, 16)
    for part in (0, 1):
        both(lambda x, t, i=part: ours(x, t)[i], lambda x, t, i=part: theirs(x, t)[i], [x], [np.array(target)])
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(0 if mine.grad is None else mine.grad.numpy(), 0 if other.grad is None else other.grad.numpy())
    close(ours.log_prob(td.tensor(draw(3, 16) * 0)).detach(), theirs.log_prob(torch.zeros(3, 16)).detach())
    assert repr(ours) == repr(theirs)
