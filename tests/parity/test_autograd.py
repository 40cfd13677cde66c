"""Hooks, edges, saved tensors, functional derivatives and checkpoints beside PyTorch's."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import tinygrad_dl as td

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCKS = [
    block
    for page in ("autograd.md", "transforms.md", "files.md")
    for block in re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
]
LIBRARIES = {"td": td, "torch": torch}


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_the_page_runs_on_pytorch_as_it_is(code):
    code = code.replace("import tinygrad_dl as td", "import torch as td").replace("tinygrad_dl", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(code, "docs", "exec"), {"__name__": "page"})


def both(program):
    """What a program gives with each library: numbers, strings, lists."""
    found = [program(lib) for lib in LIBRARIES.values()]
    return found[0], found[1]


def plain(values):
    """Tensors in nested tuples as lists."""
    if values is None or isinstance(values, str | int | float):
        return values
    if isinstance(values, tuple | list):
        return [plain(v) for v in values]
    return np.asarray(values.detach().numpy()).round(5).tolist()


def order_of_hooks(lib, targets=None):
    log = []

    def note(name, change=None):
        def hook(*gradients):
            log.append((name, plain(gradients)))
            return None if change is None else change(*gradients)

        return hook

    a = lib.tensor(2.0, requires_grad=True)
    b = a * 3
    c = b * b
    c.register_hook(note("c"))
    b.register_hook(note("b1", lambda g: g * 2))
    b.retain_grad()
    b.register_hook(note("b2", lambda g: g + 1))
    b.grad_fn.register_prehook(note("before b", lambda gs: (gs[0] * 10,)))
    b.grad_fn.register_hook(note("after b", lambda inputs, outputs: (inputs[0] + 1, inputs[1])))
    c.grad_fn.register_hook(note("after c"))
    end = lib.autograd.graph.get_gradient_edge(a).node
    a.register_hook(note("a"))
    end.register_prehook(note("before a", lambda gs: (gs[0] * 3,)))
    end.register_hook(note("after a"))
    a.register_post_accumulate_grad_hook(note("accumulated a"))
    if targets == "grad":
        found = lib.autograd.grad(c, a, create_graph=True)
    else:
        found = c.backward(inputs=[a] if targets else None)
    return log, plain(found), plain([b.grad]), None if a.grad is None else a.grad.item()


@pytest.mark.parametrize("targets", [None, "inputs", "grad"])
def test_hooks_in_order(targets):
    ours, theirs = both(lambda lib: order_of_hooks(lib, targets))
    assert ours == theirs


def test_leaves_are_done_in_the_same_order():
    def program(lib):
        log = []
        leaves = [lib.tensor(float(i + 1), requires_grad=True) for i in range(4)]
        for i, leaf in enumerate(leaves):
            leaf.register_hook(lambda g, i=i: log.append((i, g.item())))
            leaf.register_post_accumulate_grad_hook(lambda t, i=i: log.append((i, "accumulated", t.grad.item())))
        a, b, c, d = leaves
        x = a * b
        y = x * c
        z = y * b
        (z * d).backward()
        return log

    ours, theirs = both(program)
    assert ours == theirs


def test_multi_gradient_hooks():
    def program(lib):
        log = []
        a, b, c = (lib.tensor(float(i + 2), requires_grad=True) for i in range(3))
        y = a * b
        z = y * c
        hook = lib.autograd.graph.register_multi_grad_hook
        hook([a, b, c, y], lambda gs: log.append(plain(gs)))
        hook([c, y], lambda g: log.append(g.item()), mode="any")
        z.backward(retain_graph=True)
        z.backward(inputs=[b])
        return log

    ours, theirs = both(program)
    assert ours == theirs


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp", "jacobian", "hessian"])
def test_functional(name, create_graph):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(3).astype(np.float32), rng.standard_normal(()).astype(np.float32)]

    def program(lib):
        x, y = (lib.tensor(a, requires_grad=create_graph) for a in arrays)
        v = tuple(lib.tensor(a) * 2 for a in arrays)
        number = name in ("vhp", "hvp", "hessian")

        def f(x, y):
            value = (x * x).exp() * y + x.sin()
            return value.sum() if number else (value, x.prod() * y)

        derivative = getattr(lib.autograd.functional, name)
        if name in ("jacobian", "hessian"):
            found = derivative(f, (x, y), create_graph=create_graph)
        else:
            weights = v if name != "vjp" else (v[0], v[1])
            found = derivative(f, (x, y), weights, create_graph=create_graph)[1]
        flat = []
        for each in found:
            flat.extend(each if isinstance(each, tuple) else [each])
        if create_graph:
            sum(t.sum() for t in flat).backward()
            flat += [x.grad, y.grad]
        return plain(flat)

    ours, theirs = both(program)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_gradients(reentrant):
    weights = np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)

    def program(lib):
        from importlib import import_module

        utils = import_module(f"{lib.__name__}.utils.checkpoint")
        w, x = (lib.tensor(a, requires_grad=True) for a in (weights, weights[:2]))
        runs = []

        def f(x):
            runs.append(lib.is_grad_enabled())
            return lib.tanh(x @ w).exp()

        y = utils.checkpoint(f, utils.checkpoint(f, x, use_reentrant=reentrant), use_reentrant=reentrant)
        y.sum().backward()
        return plain([x.grad, w.grad]), runs

    ours, theirs = both(program)
    np.testing.assert_allclose(ours[0][0], theirs[0][0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[0][1], theirs[0][1], rtol=1e-4, atol=1e-5)
    assert ours[1] == theirs[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda lib, x, y: x * y,
        lambda lib, x, y: x.clone().mul_(y),
        lambda lib, x, y: y.add_(1),
        lambda lib, x, y: y.requires_grad_(),
        lambda lib, x, y: x + y,
        lambda lib, x, y: y.view(-1) * 2,
        lambda lib, x, y: y.clone().mul_(x),
        lambda lib, x, y: lib.cat([x, y]),
    ],
)
def test_inference_tensors(make):
    def program(lib):
        x = lib.ones(2, requires_grad=True)
        with lib.inference_mode():
            y = lib.ones(2)
        try:
            result = make(lib, x, y)
        except RuntimeError:
            return "refused"
        return result.is_inference(), result.requires_grad, plain(result)

    ours, theirs = both(program)
    assert ours == theirs
