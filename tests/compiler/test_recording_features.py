"""What else steps are made of: replayed call after call they give the bits of eager ones, state and gradients too."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tinygrad_dl as td
from compiler.test_recording import compare, recorded
from tinygrad_dl.compiler.recording import Unrecordable

nn, F = td.nn, td.nn.functional


def numbers(*shape):
    return td.tensor(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32))


def training(model, x, loss=lambda out: (out * out).mean(), clip=None, optimizer="Adam", **options):
    """A step that trains a model."""
    made = getattr(td.optim, optimizer)(model.parameters(), **{"lr": 0.01, **options})

    def step():
        made.zero_grad()
        found = loss(model(x))
        found.backward()
        if clip is not None:
            clip(model.parameters())
        made.step()
        return found

    return step


def gradients(function, *xs):
    """A step that returns what a function of tensors gives and its gradients."""
    xs = [x.requires_grad_() if x.dtype.kind == "f" else x for x in xs]

    def step():
        for x in xs:
            x.grad = None
        out = function(*xs)
        several = list(out if isinstance(out, tuple | list) else [out])
        sum([(each * each).sum() for each in several if each.dtype.kind == "f"]).backward()
        return (*several, *[x.grad for x in xs if x.grad is not None])

    return step


class Product(td.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        ctx.factor = 2
        return x @ w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g @ w.T * ctx.factor, x.T @ g


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return td.utils.checkpoint.checkpoint(lambda v: self.second(v).relu(), self.first(x), use_reentrant=False)


def with_hooks():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    model[0].register_forward_hook(lambda module, args, out: out * 2)
    model[2].register_full_backward_hook(lambda module, given, taken: None)
    return model


def in_place(x):
    y = x * 1
    y[0].mul_(3)
    y[:, 1].zero_()
    y[td.tensor([0, 2])] = 5.0
    y += x
    return y


def through_hook(x):
    y = x * 2
    y.register_hook(lambda g: g * 3)
    return y


def accumulating():
    x = numbers(3).requires_grad_()

    def step():
        (x * x).sum().backward()
        return x.grad * 1

    return step


def average():
    p, mean = numbers(3), numbers(3)

    def step():
        mean.lerp_(p, 0.1).mul_(0.9)
        p.data.add_(mean)
        return p * 1

    return step


def called_with_other_weights():
    model, x = nn.Linear(4, 3), numbers(5, 4)
    return lambda: td.func.functional_call(model, {k: v * 2 for k, v in model.named_parameters()}, (x,))


def zeroed():
    model, x = nn.Linear(4, 3), numbers(5, 4)
    optimizer = td.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad(set_to_none=False)
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def packed():
    model, x = nn.LSTM(4, 3, batch_first=True), numbers(2, 4, 4)

    def step():
        given = nn.utils.rnn.pack_padded_sequence(x, [4, 2], batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(model(given)[0], batch_first=True)[0]

    return step


def toggled():
    x, w = numbers(5, 4), numbers(4, 4).requires_grad_()

    def step():
        w.grad = None
        w.requires_grad_(False)
        frozen = (x @ w).sum()
        w.requires_grad_(True)
        (x @ w * frozen).sum().backward()
        return w.grad

    return step


def of_first(out):
    return out[0].square().mean()


PLACES = td.tensor([[0, 1], [1, 3], [2, 2]])
RANDOM = {
    "dropout": lambda: training(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.3), nn.AlphaDropout(0.4)), numbers(5, 4)),
    "dropout of channels": lambda: training(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout2d(0.4)), numbers(2, 3, 4, 4)),
    "randn": lambda: gradients(lambda x: x + td.randn(3, 4) * td.rand_like(x) + td.randn_like(x), numbers(3, 4)),
    "randint": lambda: gradients(lambda x: x[td.randint(0, 3, (5,))], numbers(3, 4)),
    "randperm": lambda: gradients(lambda x: x[td.randperm(3)], numbers(3, 4)),
    "bernoulli": lambda: gradients(lambda x: x * td.bernoulli(td.full((3, 4), 0.3)), numbers(3, 4)),
    "multinomial": lambda: gradients(
        lambda x: x[td.multinomial(td.full((3,), 1.0), 4, replacement=True)], numbers(3, 4)
    ),
    "gumbel": lambda: gradients(lambda x: F.gumbel_softmax(x, hard=True), numbers(3, 4)),
    "rsample": lambda: gradients(lambda x: td.distributions.Normal(x, x.exp()).rsample(), numbers(3, 4)),
    "lstm": lambda: training(nn.LSTM(4, 5, 2, dropout=0.3, bidirectional=True), numbers(6, 2, 4), of_first),
    "attention": lambda: gradients(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.2),
        *(numbers(1, 2, 5, 4) for _ in range(3)),
    ),
    "transformer": lambda: training(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), numbers(2, 5, 8)),
}
STEPS = RANDOM | {
    "clipped norm": lambda: training(
        nn.Linear(4, 3), numbers(5, 4), clip=lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1)
    ),
    "norm not clipped": lambda: training(
        nn.Linear(4, 3), numbers(5, 4), clip=lambda parameters: nn.utils.clip_grad_norm_(parameters, 1e5)
    ),
    "clipped value": lambda: training(
        nn.Linear(4, 3), numbers(5, 4), clip=lambda parameters: nn.utils.clip_grad_value_(parameters, 0.01)
    ),
    "Function": lambda: gradients(Product.apply, numbers(3, 4), numbers(4, 2)),
    "checkpoint": lambda: training(Checkpointed(), numbers(5, 4)),
    "weight_norm": lambda: training(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)), numbers(5, 4)),
    "spectral_norm": lambda: training(nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), numbers(5, 4)),
    "hooks": lambda: training(with_hooks(), numbers(5, 4)),
    "embedding": lambda: training(nn.Embedding(7, 4, padding_idx=0), td.tensor([[1, 2, 0], [3, 3, 6]])),
    "embedding_bag": lambda: training(nn.EmbeddingBag(7, 4), td.tensor([[1, 2, 0], [3, 3, 6]])),
    "gru": lambda: training(nn.GRU(4, 5, batch_first=True), numbers(2, 6, 4), of_first),
    "group_norm": lambda: training(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.SiLU(), nn.AdaptiveAvgPool2d(1)), numbers(2, 3, 8, 8)
    ),
    "transposed": lambda: training(
        nn.Sequential(nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.PixelShuffle(2)), numbers(2, 3, 4, 4)
    ),
    "cumulative statistics": lambda: training(
        nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=None)), numbers(5, 4)
    ),
    "vmap": lambda: gradients(td.func.vmap(lambda x: (x * x).sum() / x[0]), numbers(3, 4)),
    "gradients of examples": lambda: gradients(
        td.func.vmap(td.func.grad(lambda w, x: (x @ w).tanh().sum()), in_dims=(None, 0)), numbers(4, 3), numbers(5, 4)
    ),
    "jvp": lambda: gradients(
        lambda x, t: td.func.jvp(lambda v: v.tanh() * v, (x,), (t,)), numbers(3, 4), numbers(3, 4)
    ),
    "hessian": lambda: gradients(td.func.hessian(lambda x: (x.sin() * x.sum()).sum()), numbers(4)),
    "double backward": lambda: gradients(
        lambda x: td.autograd.grad((x**3).sum(), x, create_graph=True)[0].sin(), numbers(3, 4)
    ),
    "in place": lambda: gradients(in_place, numbers(3, 4)),
    "gradient hook": lambda: gradients(through_hook, numbers(3)),
    "gather": lambda: gradients(lambda x: x.gather(1, PLACES), numbers(3, 4)),
    "scatter": lambda: gradients(lambda x: td.zeros(3, 4).scatter_add(1, PLACES, x[:, :2]), numbers(3, 4)),
    "mask": lambda: gradients(
        lambda x: x[td.tensor([True, False, True])].masked_fill(PLACES[0, 0] == 0, 2), numbers(3)
    ),
    "sorted": lambda: gradients(lambda x: (x.sort(1)[0], x.topk(2)[0], x.max(1)[0], x.median(1)[0]), numbers(3, 4)),
    "reductions": lambda: gradients(
        lambda x: (x.cumsum(0) * x.cumprod(1), x.norm(), x.std(), x.logsumexp(1), F.log_softmax(x, 0)), numbers(3, 4)
    ),
    "products": lambda: gradients(
        lambda x, y: (td.einsum("ij,kj->ik", x, y), x @ y.T, td.cdist(x, y)), numbers(3, 4), numbers(5, 4)
    ),
    "parts": lambda: gradients(
        lambda x: [*x.split(2, 1), *x.chunk(3), td.cat([x, x]), td.stack([x, x]), x.repeat(2, 1)], numbers(3, 4)
    ),
    "matrices": lambda: gradients(
        lambda x: (td.linalg.inv(x), td.linalg.det(x), td.linalg.slogdet(x)[1], td.linalg.svdvals(x)), numbers(3, 3)
    ),
    "losses": lambda: gradients(
        lambda x, y: (F.huber_loss(x, y), F.binary_cross_entropy_with_logits(x, y.sigmoid()), F.mse_loss(x, y)),
        *(numbers(3, 4), numbers(3, 4)),
    ),
    "ctc": lambda: gradients(
        lambda x: F.ctc_loss(F.log_softmax(x, 2), PLACES[:2] + 1, td.tensor([6, 6]), td.tensor([2, 2])),
        numbers(6, 2, 5),
    ),
    "interpolation": lambda: gradients(
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), numbers(1, 2, 3, 4)
    ),
    "samples": lambda: gradients(
        lambda x, grid: F.grid_sample(x, grid.tanh(), align_corners=False), numbers(1, 2, 3, 4), numbers(1, 3, 3, 2)
    ),
    "pools": lambda: gradients(
        lambda x: (F.max_pool2d(x, 2), F.avg_pool2d(x, 3, 2, 1), F.adaptive_avg_pool2d(x, 3)), numbers(1, 2, 8, 8)
    ),
    "half precision": lambda: gradients(lambda x: (x.half() * 2).float(), numbers(3, 4)),
    "complex numbers": lambda: gradients(lambda x: (td.complex(x, x) * 1j).abs(), numbers(3, 4)),
    "made tensors": lambda: gradients(
        lambda x: x * td.linspace(0, 1, 4) + td.eye(3, 4) + td.tensor([1.0, 2.0, 3.0, 4.0]) + td.arange(4),
        numbers(3, 4),
    ),
    "large": lambda: gradients(lambda x: (x.sigmoid(), F.gelu(x), x.softmax(-1)), numbers(300, 3000)),
    "accumulating": accumulating,
    "average": average,
    "other weights": called_with_other_weights,
    "packed": packed,
    "gradients set to zero": zeroed,
    "toggled": toggled,
}


@pytest.mark.parametrize("name", STEPS)
def test_parts_of_steps_are_recorded(name):
    td.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = STEPS[name]()
        step()
        recorder = recorded(step, known=[(PLACES._data, "places")])
        compare(step, recorder, 3)
    effects = [call for call in recorder.program.calls if call.effect]
    assert bool(effects) is (name in RANDOM)


OPTIMIZERS = [
    *((name, {}) for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam")),
    *((name, {}) for name in ("RAdam", "ASGD", "Rprop", "Adafactor")),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": td.tensor(0.01)}),
]


@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_optimisers_are_recorded(name, options):
    td.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = getattr(td.optim, name)(model.parameters(), **{"lr": 0.01, **options})
    x = numbers(5, 4)

    def step():
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(7):  # RAdam decides by the first steps
        step()
    state = [
        (value._data, key)
        for entry in optimizer.state.values()
        for key, value in entry.items()
        if isinstance(value, td.Tensor)
    ]
    compare(step, recorded(step, known=state))


def test_what_decides_by_values_is_refused():
    x = numbers(3).requires_grad_()
    optimizer = td.optim.LBFGS([x])

    def closure():
        optimizer.zero_grad()
        loss = x.square().sum()
        loss.backward()
        return loss

    with pytest.raises(Unrecordable, match="LBFGS decides by values"):
        recorded(lambda: optimizer.step(closure))
    with pytest.raises(Unrecordable, match="nonzero gives an array whose size depends"):
        recorded(lambda: x[(x > 0).nonzero(as_tuple=True)])
