"""Random functions under random nestings of td.func's transforms, beside the same of torch.func.

A program takes three numbers to three numbers: a few small functions, some of which write in place, within one to four
transforms, each of which again makes a function of three numbers of one.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning"),
]

PROGRAMS, BLOCK = 120, 10


def numbers(T, values):
    return T.tensor(np.array(values))


def first_from_last(T, x):
    y = x.clone()
    y[0] = x[-1] * 2
    return y * x


def part_added(T, x):
    y = x * 1
    y.add_(x)
    y[1:].add_(x[:-1] * x[1:])
    return y


def written_into_zeros(T, x):
    y = T.zeros_like(x)
    y[1] = x.sum()
    y[2:] += x[0]
    return y + x


def through_a_view(T, x):
    y = x.clone()
    y.unsqueeze(0).transpose(0, 1)[1:].mul_(3.0)
    return y * y


def a_view_before_the_change(T, x):
    y = x.clone()
    shown = y[:2]
    y.mul_(x)
    return shown.sum() * x


def new_zeros(T, x):
    y = x.new_zeros(4)
    y[:3] = x
    return y[1:] * x


def exponential_in_place(T, x):
    y = x.sin()
    y.view(-1).exp_()
    return y * 0.5


STEPS = [
    lambda T, x: T.sin(x),
    lambda T, x: x * x,
    lambda T, x: T.exp(x * 0.3),
    lambda T, x: T.softmax(x, -1),
    lambda T, x: T.cumsum(x, 0),
    lambda T, x: T.cumprod(x, 0),
    lambda T, x: x.flip(0) / (1 + x * x),
    lambda T, x: T.where(x > 0, x * 2, x * x),
    lambda T, x: T.cat([x[1:], x[:1] * 2]),
    lambda T, x: x.sort()[0] * x,
    lambda T, x: x.max(0)[0] * x,
    lambda T, x: x.norm() * x,
    lambda T, x: T.outer(x, x).sum(1),
    lambda T, x: x.prod() + x,
    lambda T, x: T.logsumexp(x, 0) * x,
    lambda T, x: (x - x.mean()) / (x.var() + 0.1).sqrt(),
    lambda T, x: T.stack([x, x * 2, x.cos()]).mean(0),
    lambda T, x: (x.unsqueeze(0) @ T.outer(x, x))[0],
    lambda T, x: x.gather(0, T.tensor([2, 2, 1])) * x,
    lambda T, x: x[T.tensor([0, 2, 0])],
    lambda T, x: x.index_add(0, T.tensor([0, 0, 2]), x * x),
    lambda T, x: T.zeros_like(x).scatter(0, T.tensor([2, 0, 1]), x) + x,
    lambda T, x: x.clamp(-0.5, 0.7) * x.detach(),
    lambda T, x: T.nn.functional.conv1d(x.reshape(1, 1, 3), x.reshape(1, 1, 3), padding=1).reshape(3),
    lambda T, x: T.nn.functional.gelu(x),
    first_from_last,
    part_added,
    written_into_zeros,
    through_a_view,
    a_view_before_the_change,
    new_zeros,
    exponential_in_place,
]


def three(out):
    """Any results as three numbers."""
    if isinstance(out, tuple):
        return sum(three(each) * (0.7**i) for i, each in enumerate(out))
    flat = out.reshape(-1)
    return flat.reshape(-1, 3).sum(0) if len(flat) % 3 == 0 else flat.sum().expand(3) * 1.0


def linear(T, h, x, c):
    """torch's linearize takes in-place changes for constants: there jvp gives the right values."""
    if T is td:
        out, push = T.func.linearize(h, x)
        return push(c) * out
    out, tangent = T.func.jvp(h, (x,), (c,))
    return tangent * out


def pulled(T, h, x):
    out, pull = T.func.vjp(h, x)
    return pull(out * x)[0]


def called(T, h, x, c):
    layer = T.nn.Linear(3, 3, dtype=T.float64)
    return T.func.functional_call(layer, {"weight": T.outer(x, c), "bias": h(x)}, (x,))


def ensemble(T, h, x, c):
    layers = [T.nn.Linear(3, 3, dtype=T.float64) for _ in range(2)]
    for i, layer in enumerate(layers):
        with T.no_grad():
            layer.weight.copy_(T.outer(c, c + i))
            layer.bias.fill_(0.1 * i)
    parameters, buffers = T.func.stack_module_state(layers)
    parameters = {name: each.detach() for name, each in parameters.items()}
    call = lambda p, b, y: T.func.functional_call(layers[0], (p, b), (y,))  # noqa: E731
    return T.func.vmap(call, in_dims=(0, 0, None))(parameters, buffers, h(x))


TRANSFORMS = {
    "grad": lambda T, h, x, c: T.func.grad(lambda y: h(y).sum())(x),
    "grad and aux": lambda T, h, x, c: T.func.grad(lambda y: ((h(y) * x).sum(), y * x), has_aux=True)(x),
    "grad of grad": lambda T, h, x, c: T.func.grad(
        lambda y: (h(y) * T.func.grad(lambda z: (z * y * x).sum())(y)).sum()
    )(x),
    "jvp": lambda T, h, x, c: T.func.jvp(h, (x,), (x * x,)),
    "vjp": lambda T, h, x, c: pulled(T, h, x),
    "vjp of jvp": lambda T, h, x, c: T.func.vjp(lambda y: T.func.jvp(lambda z: h(z) * y, (y,), (x,))[1], x)[1](x)[0],
    "linearize": lambda T, h, x, c: linear(T, h, x, c),
    "jacrev": lambda T, h, x, c: T.func.jacrev(lambda y, z: h(y) * z, argnums=(0, 1))(x, x * 2),
    "jacfwd": lambda T, h, x, c: T.func.jacfwd(lambda y, z: h(y) * z, argnums=(0, 1))(x, x * 2),
    "hessian": lambda T, h, x, c: T.func.hessian(lambda y: h(y).sum())(x).sum(0),
    "vmap": lambda T, h, x, c: T.func.vmap(lambda s: h(x * s))(c),
    "vmap in columns": lambda T, h, x, c: T.func.vmap(
        lambda y, w: h(y) * w, in_dims=(1, None), out_dims=1
    )(T.outer(x, c[:2]), x),
    "vmap in chunks": lambda T, h, x, c: T.func.vmap(h, chunk_size=2)(T.stack([x, x * 0.5, x * x])),
    "per-example": lambda T, h, x, c: T.func.vmap(T.func.grad(lambda y, s: (h(y) * s).sum()), (None, 0))(x, c),
    "functional_call": called,
    "ensemble": ensemble,
}  # fmt: skip


def program(rng, depth):
    """A function of (library, x), and its description."""
    if not depth:
        steps = [rng.randrange(len(STEPS)) for _ in range(rng.randint(1, 3))]

        def body(T, x):
            for step in steps:
                x = STEPS[step](T, x)
            return x

        return body, steps
    inner, description = program(rng, depth - 1)
    name, before = rng.choice(list(TRANSFORMS)), rng.choice([None, *STEPS[:4]])
    weights = [rng.uniform(-1, 1) for _ in range(3)]

    def outer(T, x):
        x = x if before is None else before(T, x)
        return three(TRANSFORMS[name](T, lambda y: inner(T, y), x, numbers(T, weights)))

    return outer, [name, *description]


@pytest.mark.parametrize("block", range(PROGRAMS // BLOCK))
def test_random_nestings_agree_with_pytorch(block):
    compared = 0
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        rng = random.Random(seed)
        function, description = program(rng, rng.choice([1, 2, 2, 3, 3, 4]))
        point, recorded = [rng.uniform(-1, 1) for _ in range(3)], rng.random() < 0.3
        try:
            expected = function(torch, numbers(torch, point)).detach().numpy()
        except (RuntimeError, NotImplementedError):
            continue  # PyTorch has no rule for it
        if not np.isfinite(expected).all():
            continue
        found = function(td, td.tensor(np.array(point), requires_grad=recorded)).detach().numpy()
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * scale, err_msg=f"{seed}: {description}")
        compared += 1
    assert compared >= BLOCK // 2
