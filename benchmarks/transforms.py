"""Transforms of functions beside torch.func on this machine's CPU: forward mode, vmap, Jacobians, ensembles, in turn.

    python benchmarks/transforms.py [--rounds 5] [--seconds 0.2] [--only NAME]

Prints the machine, and a table of the shortest time of each over the rounds and their ratio (under 1: tinygrad_dl is
faster). `to plain`: our time in ours of the function itself; for gradients of each example, of the batch's gradient.
Both libraries run in this one process, with all cores, one after the other. Needs torch.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import networks
import torch
import torch.nn.attention
from cases import data, labels
from compare import machine
from recurrent import shortest

import tinygrad_dl

Runs = dict[str, Callable[[], Any]]  # "plain" is the function that the others transform


def state_of(model: Any) -> Any:
    """The parameters of a module by name, outside of any graph."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def mlp(nn: Any, *sizes: int, activation: str = "ReLU") -> Any:
    """Linear layers of these sizes with an activation between them."""
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layers += [nn.Linear(n_in, n_out)] + [getattr(nn, activation)()] * (i < len(sizes) - 2)
    return nn.Sequential(*layers)


def forward_mode(lib: Any, model: Any, x: Any) -> Runs:
    """The directional derivative by the input, and by all parameters."""
    func = lib.func
    state = state_of(model)
    directions = {name: data(lib, *each.shape) for name, each in state.items()}
    direction = data(lib, *x.shape)

    def by_input() -> Any:
        return func.jvp(lambda x: func.functional_call(model, state, (x,)), (x,), (direction,))

    def by_parameters() -> Any:
        return func.jvp(lambda p: func.functional_call(model, p, (x,)), (state,), (directions,))

    return {
        "plain": lambda: func.functional_call(model, state, (x,)),
        "jvp by the input": by_input,
        "jvp by the parameters": by_parameters,
    }


def jvp_mlp(lib: Any) -> Runs:
    return forward_mode(lib, mlp(lib.nn, 784, 512, 512, 10), data(lib, 128, 784))


def jvp_lenet(lib: Any) -> Runs:
    return forward_mode(lib, networks.lenet(lib.nn), data(lib, 64, 1, 28, 28))


def jvp_gpt(lib: Any) -> Runs:
    """From the embedded text on, since characters have no tangents.

    PyTorch's fused attention has no forward mode, so there it is the one of single operations.
    """
    nn, whole = lib.nn, networks.gpt(lib)
    model = nn.Sequential(whole.blocks, whole.norm, whole.head)
    runs = forward_mode(lib, model, data(lib, 16, networks.CONTEXT, networks.WIDTH))
    if lib is not torch:
        return runs

    def in_single_operations(run: Callable[[], Any]) -> Any:
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return run()

    return {what: functools.partial(in_single_operations, run) for what, run in runs.items()}


def per_example(lib: Any, width: int) -> Runs:
    """Gradients of each example's own loss by all parameters of ten layers."""
    func, nn = lib.func, lib.nn
    model = mlp(nn, *[width] * 10, 10)
    state, x, y = state_of(model), data(lib, 64, width), labels(lib, 64, 10)

    def loss(p: Any, x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(func.functional_call(model, p, (x,)), y)

    def of_one(p: Any, x: Any, y: Any) -> Any:
        return loss(p, x.unsqueeze(0), y.unsqueeze(0))

    whole, each = func.grad(loss), func.vmap(func.grad(of_one), in_dims=(None, 0, 0))
    return {"plain": lambda: whole(state, x, y), "vmap(grad), batch 64": lambda: each(state, x, y)}


def hessian(lib: Any) -> Runs:
    """All second derivatives by the 201 parameters of a net of one hidden layer, as one vector."""
    func = lib.func
    x, y = data(lib, 32, 8), data(lib, 32, 1)
    sizes = [(20, 8), (20,), (1, 20), (1,)]
    vector = data(lib, sum(_count(s) for s in sizes)) * 0.3

    def loss(p: Any) -> Any:
        parts, start = [], 0
        for size in sizes:
            parts.append(p[start : start + _count(size)].reshape(size))
            start += _count(size)
        w1, b1, w2, b2 = parts
        return (((x @ w1.T + b1).tanh() @ w2.T + b2 - y) ** 2).mean()

    forward_over_reverse = func.jacfwd(func.jacrev(loss))
    return {"plain": lambda: loss(vector), "jacfwd(jacrev)": lambda: forward_over_reverse(vector)}


def _count(size: Any) -> int:
    count = 1
    for n in size:
        count *= n
    return count


def jacobians(lib: Any) -> Runs:
    """The Jacobian of a small net's output by its input, both ways."""
    func = lib.func
    model = mlp(lib.nn, 16, 32, 32, 8, activation="Tanh")
    state, x = state_of(model), data(lib, 16)

    def net(x: Any) -> Any:
        return func.functional_call(model, state, (x,))

    backward, forward = func.jacrev(net), func.jacfwd(net)
    return {"plain": lambda: net(x), "jacrev": lambda: backward(x), "jacfwd": lambda: forward(x)}


def ensemble(lib: Any) -> Runs:
    """Ten models as one call, against ten calls."""
    func = lib.func
    models = [mlp(lib.nn, 64, 128, 128, 10) for _ in range(10)]
    x = data(lib, 64, 64)
    state, buffers = func.stack_module_state(models)
    state = {name: each.detach() for name, each in state.items()}

    def one(p: Any, b: Any) -> Any:
        return func.functional_call(models[0], (p, b), (x,))

    def one_by_one() -> Any:
        with lib.no_grad():
            return [model(x) for model in models]

    together = func.vmap(one)
    return {"plain": one_by_one, "vmap of ten models": lambda: together(state, buffers)}


CASES: dict[str, Callable[[Any], Runs]] = {
    "MLP 784-512-512-10, batch 128": jvp_mlp,
    "LeNet, batch 64": jvp_lenet,
    "GPT, 4 layers of 128, 16x64": jvp_gpt,
    "MLP of 10 layers of 64": lambda lib: per_example(lib, 64),
    "MLP of 10 layers of 128": lambda lib: per_example(lib, 128),
    "MLP of 10 layers of 256": lambda lib: per_example(lib, 256),
    "net of 201 parameters": hessian,
    "MLP 16-32-32-8": jacobians,
    "ten MLPs 64-128-128-10, batch 64": ensemble,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each library has its turn")
    parser.add_argument("--seconds", type=float, default=0.2, help="how long each turn takes")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    print(machine())
    print("\n| of what | what | tinygrad_dl | to plain | PyTorch | to plain | ratio |\n|" + "---|" * 7)
    for name in [each for each in CASES if options.only in each]:
        mine, other = CASES[name](tinygrad_dl), CASES[name](torch)
        ours: dict[str, float] = dict.fromkeys(mine, float("inf"))
        theirs = dict(ours)
        for _ in range(options.rounds):
            for what in mine:
                ours[what] = min(ours[what], shortest(mine[what], options.seconds))
                theirs[what] = min(theirs[what], shortest(other[what], options.seconds))
        for what in mine:
            a, b = ours[what], theirs[what]
            print(
                f"| {name} | {what} | {a * 1e3:.2f} ms | {a / ours['plain']:.2f} | {b * 1e3:.2f} ms | "
                f"{b / theirs['plain']:.2f} | {a / b:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
