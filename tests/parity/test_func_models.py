"""Whole models inside of transforms beside PyTorch: gradients of each example, ensembles, forward mode, Hessians."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:vmap. the op .* has no rule for batches"),
    pytest.mark.filterwarnings("ignore:There is a performance drop"),
]

RNG = np.random.default_rng(0)
PICTURES, SERIES = RNG.standard_normal((4, 1, 8, 8)), RNG.standard_normal((4, 5, 3))
LABELS, TOKENS = np.array([0, 1, 2, 1]), RNG.integers(0, 11, (4, 6))


def convolutional(T, norm):
    """Convolution, normalisation, pooling, a linear layer: smooth, so that second derivatives can be compared."""

    class Model(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = T.nn.Conv2d(1, 4, 3, padding=1)
            self.norm = {
                "batch": lambda: T.nn.BatchNorm2d(4),
                "group": lambda: T.nn.GroupNorm(2, 4),
                "instance": lambda: T.nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
            }[norm]()
            self.head = T.nn.Linear(4 * 4, 3)

        def forward(self, x):
            x = T.nn.functional.avg_pool2d(T.nn.functional.gelu(self.norm(self.conv(x))), 4)
            return self.head(x.flatten(1))

    return Model()


def transformer(T):
    """A small GPT: token and position embeddings, one block with a causal mask, a head."""

    class Model(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = T.nn.Embedding(11, 8), T.nn.Embedding(6, 8)
            self.block = T.nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation="gelu", batch_first=True)
            self.norm, self.head = T.nn.LayerNorm(8), T.nn.Linear(8, 11, bias=False)

        def forward(self, x):
            mask = T.full((x.shape[1], x.shape[1]), -np.inf, dtype=T.float64).triu(1)
            return self.head(self.norm(self.block(self.tokens(x) + self.places(T.arange(x.shape[1])), src_mask=mask)))

    return Model()


def recurrent(T, kind):
    class Model(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = getattr(T.nn, kind)(3, 5, 2, batch_first=True)
            self.head = T.nn.Linear(5, 3)

        def forward(self, x):
            return self.head(self.layers(x)[0][:, -1])

    return Model()


# name -> what makes the model of a library, its input, its target, whether in training
MODELS = {
    "batch norm, evaluation": (lambda T: convolutional(T, "batch"), PICTURES, LABELS, False),
    "batch norm, training": (lambda T: convolutional(T, "batch"), PICTURES, LABELS, True),
    "group norm": (lambda T: convolutional(T, "group"), PICTURES, LABELS, True),
    "instance norm, training": (lambda T: convolutional(T, "instance"), PICTURES, LABELS, True),
    "transformer": (transformer, TOKENS, TOKENS, True),
    "LSTM": (lambda T: recurrent(T, "LSTM"), SERIES, LABELS, True),
    "GRU": (lambda T: recurrent(T, "GRU"), SERIES, LABELS, True),
    "RNN": (lambda T: recurrent(T, "RNN"), SERIES, LABELS, True),
}


class Side:
    """One library's model with given weights, and its transforms."""

    def __init__(self, T, name):
        make, x, y, training = MODELS[name]
        self.T, self.F = T, T.func
        self.model = make(T).double().train(training)
        self.x, self.y = T.tensor(x), T.tensor(y)

    def take(self, state):
        self.model.load_state_dict({k: self.T.tensor(v) for k, v in state.items()})
        self.params = {k: p.detach() for k, p in self.model.named_parameters()}
        self.buffers = {k: b.detach() for k, b in self.model.named_buffers()}

    def own_buffers(self):
        return {k: b.clone() for k, b in self.buffers.items()}

    def loss(self, params, x, y):
        out = self.F.functional_call(self.model, (params, self.own_buffers()), (x,))
        return self.T.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1))

    def directions(self):
        rng = np.random.default_rng(5)
        return {k: self.T.tensor(rng.standard_normal(tuple(p.shape))) for k, p in self.params.items()}

    def stacked(self, tree):
        factors = (1.0, 0.9, 1.2)
        return {k: self.T.stack([v * f if v.dtype == self.T.float64 else v for f in factors]) for k, v in tree.items()}


def sides(name):
    td.manual_seed(1)
    ours, theirs = Side(td, name), Side(torch, name)
    state = {k: t.numpy().copy() for k, t in ours.model.state_dict().items()}
    ours.take(state)
    theirs.take(state)
    return ours, theirs


def expect_equal(ours, theirs):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(theirs, list | tuple):
        for a, b in zip(ours, theirs, strict=True):
            expect_equal(a, b)
        return
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-7, atol=1e-9)


def per_example(side):
    def loss(params, x, y):
        return side.loss(params, x.unsqueeze(0), y.unsqueeze(0))

    return side.F.vmap(side.F.grad(loss), in_dims=(None, 0, 0))(side.params, side.x, side.y)


def ensemble(side):
    """The results of three models at once, and what training makes of their buffers."""
    buffers = side.stacked(side.buffers)

    def call(params, buffers):
        return side.F.functional_call(side.model, (params, buffers), (side.x,))

    params = side.stacked(side.params)
    if not buffers:
        return side.F.vmap(lambda params: call(params, {}))(params)
    return side.F.vmap(call)(params, buffers), buffers


def tangents(side):
    return side.F.jvp(lambda p: side.loss(p, side.x, side.y), (side.params,), (side.directions(),))


def hessian_product(side):
    return side.F.jvp(lambda p: side.F.grad(side.loss)(p, side.x, side.y), (side.params,), (side.directions(),))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "batch norm, training"])
def test_gradients_of_each_example(name):
    ours, theirs = sides(name)
    if name == "instance norm, training":
        for side in (ours, theirs):  # statistics that all examples share would change with each
            side.model.norm.track_running_stats = False
            side.model.norm.running_mean = side.model.norm.running_var = None
            side.buffers = {}
    if name in ("LSTM", "GRU", "RNN"):  # PyTorch has no rule for these: one example after the other
        found = [
            theirs.F.grad(theirs.loss)(theirs.params, x[None], y[None]) for x, y in zip(theirs.x, theirs.y, strict=True)
        ]
        expect_equal(per_example(ours), {k: torch.stack([g[k] for g in found]) for k in theirs.params})
    else:
        expect_equal(per_example(ours), per_example(theirs))


@pytest.mark.parametrize("name", MODELS)
def test_ensembles(name):
    ours, theirs = sides(name)
    if name in ("LSTM", "GRU", "RNN"):
        params = theirs.stacked(theirs.params)
        each = [{k: p[i] for k, p in params.items()} for i in range(3)]
        found = torch.stack([theirs.F.functional_call(theirs.model, p, (theirs.x,)) for p in each])
        expect_equal(ensemble(ours), found)
    else:
        expect_equal(ensemble(ours), ensemble(theirs))


@pytest.mark.parametrize("name", MODELS)
def test_forward_mode_and_products_with_the_hessian(name):
    ours, theirs = sides(name)
    if name in ("LSTM", "GRU", "RNN", "transformer"):  # no forward mode of these in PyTorch: two gradients instead
        params, way = list(theirs.params), theirs.directions()
        leaves = [theirs.params[k].clone().requires_grad_() for k in params]
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # which can be gone through twice
            value = theirs.loss(dict(zip(params, leaves, strict=True)), theirs.x, theirs.y)
        first = torch.autograd.grad(value, leaves, create_graph=True)
        slope = sum((g * way[k]).sum() for g, k in zip(first, params, strict=True))
        second = torch.autograd.grad(slope, leaves, allow_unused=True, materialize_grads=True)
        expect_equal(tangents(ours), (value, slope))
        expect_equal(hessian_product(ours), tuple(dict(zip(params, found, strict=True)) for found in (first, second)))
    else:
        expect_equal(tangents(ours), tangents(theirs))
        expect_equal(hessian_product(ours), hessian_product(theirs))
