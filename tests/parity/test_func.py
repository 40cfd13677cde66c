"""td.func beside torch.func: derivatives and batches of the same functions, nested in every order."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")

# PyTorch's forward mode and `linearize` warn of what they use themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node"),
]

RNG = np.random.default_rng(0)
W, X, V = RNG.standard_normal((3, 4)), RNG.standard_normal((5, 3)), RNG.standard_normal((5, 3))
KERNELS, PICTURES = RNG.standard_normal((2, 4, 3, 3, 3)), RNG.standard_normal((2, 2, 3, 6, 5))


def loss(T, w, x):
    return T.tanh(x @ w).pow(2).sum()


def bent(T, x):
    return (T.softmax(x @ T.tensor(W), -1) ** 2).sum()


# name -> a function of the library, its `func`, and what makes its tensors
CASES = {
    "grad": lambda T, F, c: F.grad(lambda w: loss(T, w, c(X)))(c(W)),
    "grad of two": lambda T, F, c: F.grad(lambda w, x: loss(T, w, x), argnums=(0, 1))(c(W), c(X)),
    "grad and value": lambda T, F, c: F.grad_and_value(lambda w: (loss(T, w, c(X)), w * 2), has_aux=True)(c(W)),
    "three gradients": lambda T, F, c: F.grad(F.grad(F.grad(lambda x: T.sin(x) * x**2)))(c(0.3)),
    "per-example": lambda T, F, c: F.vmap(F.grad(lambda w, x: loss(T, w, x)), (None, 0))(c(W), c(X)),
    "per-example of two": lambda T, F, c: F.vmap(F.grad(lambda w, x: loss(T, w, x), (0, 1)), (None, 0))(c(W), c(X)),
    "gradient of a batch": lambda T, F, c: F.grad(lambda w: F.vmap(lambda x: loss(T, w, x))(c(X)).sum())(c(W)),
    "hessian": lambda T, F, c: F.hessian(lambda x: bent(T, x))(c(X)),
    "reverse twice": lambda T, F, c: F.jacrev(F.jacrev(lambda x: bent(T, x)))(c(X)),
    "forward twice": lambda T, F, c: F.jacfwd(F.jacfwd(lambda x: bent(T, x)))(c(X)),
    "reverse over forward": lambda T, F, c: F.jacrev(F.jacfwd(lambda x: bent(T, x)))(c(X)),
    "hessian of each": lambda T, F, c: F.vmap(F.hessian(lambda x: bent(T, x)))(c(X)),
    "hessian times": lambda T, F, c: F.jvp(F.grad(lambda x: bent(T, x)), (c(X),), (c(V),)),
    "gradient of a tangent": lambda T, F, c: F.grad(lambda x: F.jvp(lambda y: bent(T, y), (x,), (c(V),))[1])(c(X)),
    "tangents of each": lambda T, F, c: F.vmap(lambda x, v: F.jvp(lambda y: T.sin(y) * y, (x,), (v,)))(c(X), c(V)),
    "tangent of a batch": lambda T, F, c: F.jvp(F.vmap(lambda y: (T.sin(y) * y).sum()), (c(X),), (c(V),)),
    "one gradient in another": lambda T, F, c: F.grad(lambda x: x * F.grad(lambda y: x * y * y)(c(1.0)))(c(2.0)),
    "one tangent in another": lambda T, F, c: F.jvp(
        lambda x: x * F.jvp(lambda y: x * y * y, (c(1.0),), (c(1.0),))[1], (c(2.0),), (c(1.0),)
    ),
    "two batches": lambda T, F, c: F.vmap(F.vmap(lambda a, b: a * b, (0, None)), (None, 0))(c(X[0]), c(X[1])),
    "two batches of gradients": lambda T, F, c: F.vmap(
        lambda w: F.vmap(F.grad(lambda w, x: loss(T, w, x)), (None, 0))(w, c(X))
    )(c(np.stack([W, 2 * W]))),
    "gradients in a batch": lambda T, F, c: F.vmap(F.grad(lambda x: F.grad(lambda y: (y**3).sum() * x.sum())(x).sum()))(
        c(X)
    ),
    "out_dims": lambda T, F, c: F.vmap(lambda x: (x, x * 2), out_dims=(1, 0))(c(X)),
    "in_dims": lambda T, F, c: F.vmap(lambda x, y: x.sum() + y, in_dims=(1, None))(c(X), c(2.0)),
    "a dict": lambda T, F, c: F.vmap(lambda d: {"s": d["a"] + d["b"]})({"a": c(X), "b": c(V)}),
    "chunks": lambda T, F, c: F.vmap(lambda x: x.cumsum(0), chunk_size=2)(c(X)),
    "linearize": lambda T, F, c: F.linearize(lambda x: T.sin(x), c(X))[1](c(V)),
    "vjp": lambda T, F, c: F.vjp(lambda x: (T.sin(x), x.sum()), c(X))[1]((c(V), c(1.0))),
    "Jacobian of two": lambda T, F, c: F.jacrev(lambda w, x: loss(T, w, x), argnums=(0, 1))(c(W), c(X)),
    "columns of two": lambda T, F, c: F.jacfwd(lambda w, x: loss(T, w, x), argnums=(0, 1))(c(W), c(X)),
    "Jacobian of rows": lambda T, F, c: F.jacrev(lambda x: T.softmax(x @ c(W), -1))(c(X)),
    "an index": lambda T, F, c: F.vmap(lambda x, i: x[i], (None, 0))(c(X), c(np.array([0, 2, 4]))),
    "slices": lambda T, F, c: F.vmap(lambda x: x[0] + x[..., -1] + x[1:].sum())(c(X)),
    "in place": lambda T, F, c: F.vmap(lambda x: x.clone().add_(1).mul_(x))(c(X)),
    "an ensemble": lambda T, F, c: F.vmap(lambda w, x: T.nn.functional.layer_norm(x @ w, (4,)), (0, None))(
        c(np.stack([W, W * 2])), c(X)
    ),
    "kernels of each": lambda T, F, c: F.vmap(lambda k, x: T.nn.functional.conv2d(x, k, padding=1))(
        c(KERNELS), c(PICTURES)
    ),
    "gradients of kernels": lambda T, F, c: F.vmap(
        F.grad(lambda k, x: T.nn.functional.conv2d(x, k, stride=2).pow(2).sum()), (None, 0)
    )(c(KERNELS[0]), c(PICTURES)),
    "entropy of each": lambda T, F, c: F.vmap(T.nn.functional.cross_entropy)(
        c(np.stack([X, V])), c(np.array([[0, 1, 2, 0, 1], [2, 1, 0, 0, 0]]))
    ),
}


def arrays(result):
    """All tensors of a result, as arrays, in order."""
    if isinstance(result, dict):
        return [each for key in sorted(result) for each in arrays(result[key])]
    if isinstance(result, tuple | list):
        return [each for part in result for each in arrays(part)]
    return [np.asarray(result.detach().numpy())]


@pytest.mark.parametrize("name", CASES)
def test_same_as_pytorch(name):
    case = CASES[name]
    ours = arrays(case(td, td.func, lambda a: td.tensor(np.asarray(a))))
    theirs = arrays(case(torch, torch.func, lambda a: torch.tensor(np.asarray(a))))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_model_as_a_function_and_an_ensemble():
    models = [torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)) for _ in range(3)]
    ours = [td.nn.Sequential(td.nn.Linear(3, 4), td.nn.Tanh(), td.nn.Linear(4, 2)) for _ in range(3)]
    for a, b in zip(ours, models, strict=True):
        a.load_state_dict({k: td.tensor(v.numpy()) for k, v in b.state_dict().items()})
    x = X.astype(np.float32)
    found = []
    for T, nets in ((td, ours), (torch, models)):
        params, buffers = T.func.stack_module_state(nets)

        def call(p, b, x, T=T, nets=nets):
            return T.func.functional_call(nets[0], (p, b), (x,))

        batch = T.tensor(x)
        together = T.func.vmap(call, in_dims=(0, 0, None))(params, buffers, batch)

        def total(p, x, T=T, nets=nets):
            return T.func.functional_call(nets[0], p, (x,)).pow(2).sum()

        own = {k: v.detach() for k, v in nets[0].named_parameters()}
        each = T.func.vmap(T.func.grad(total), in_dims=(None, 0))(own, batch)
        found.append([together.detach().numpy(), *[each[k].numpy() for k in sorted(each)]])
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
