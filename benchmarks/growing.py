"""What `growth.py` measures: work of a size, for either library, and the power of the size that it should cost."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import networks
import numpy as np
from cases import Step, data, labels, training_step

Make = Callable[[Any, int], Step]


class Series(NamedTuple):
    """One line of a picture: work by its size; time and memory may grow with these powers of it."""

    subject: str
    sizes: Sequence[int]
    make: Make
    time: float = 1.0
    memory: float = 1.0


def powers(low: int, high: int, base: float = 10**0.5) -> list[int]:
    """From low to high in equal factors."""
    count = round(np.log(high / low) / np.log(base))
    return [round(low * base**place) for place in range(count)] + [high]


def backward_of(compute: Callable[[], Any], *leaves: Any) -> Step:
    """A step that computes a tensor and the gradients of its sum."""

    def step() -> Any:
        for leaf in leaves:
            leaf.grad = None
        loss = compute().sum()
        loss.backward()
        return loss

    return step


def chain(lib: Any, n: int) -> Step:
    """n operations, each on the result of the one before."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 16)

    def compute() -> Any:
        h = x
        for _ in range(n // 2):
            h = (h * k).tanh()
        return h

    return backward_of(compute, x)


def forward_alone(lib: Any, n: int) -> Step:
    """The same graph, dropped without a backward pass."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 16)

    def step() -> Any:
        h = x
        for _ in range(n // 2):
            h = (h * k).tanh()
        return h

    return step


def uses(lib: Any, n: int) -> Step:
    """One tensor used n / 2 times, whose gradient is the sum of as many."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 16)

    def compute() -> Any:
        total = k
        for _ in range(n // 2):
            total = total + x * k
        return total

    return backward_of(compute, x)


def in_place(lib: Any, n: int) -> Step:
    """n changes of one tensor, every other through a view of it."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 8)

    def compute() -> Any:
        h = x.clone()
        view = h[:8]
        for _ in range(n // 2):
            view.add_(k)
            h.mul_(0.5)
        return h

    return backward_of(compute, x)


def views(lib: Any, n: int) -> Step:
    """n views of one tensor, each changed once."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 4)

    def compute() -> Any:
        h = x.clone()
        for place in range(n):
            h[place % 4 * 4 : place % 4 * 4 + 4].add_(k)
        return h

    return backward_of(compute, x)


def second_derivative(lib: Any, n: int) -> Step:
    """A chain of n operations, its gradient, and the gradient of that."""
    x, k = data(lib, 16).requires_grad_(), data(lib, 16)

    def step() -> Any:
        x.grad, h = None, x
        for _ in range(n // 2):
            h = (h * k).tanh()
        (g,) = lib.autograd.grad(h.sum(), x, create_graph=True)
        loss = (g * g).sum()
        loss.backward()
        return loss

    return step


def of_elements(function: Callable[[Any], Any]) -> Make:
    """A function of a vector of n elements, forward and backward."""

    def make(lib: Any, n: int) -> Step:
        x = data(lib, n).requires_grad_()
        return backward_of(lambda: function(x), x)

    return make


def leaves(lib: Any, n: int) -> Any:
    """n parameters of 16 elements with gradients."""
    made = [lib.nn.Parameter(data(lib, 16)) for _ in range(n)]
    for each in made:
        each.grad = data(lib, 16)
    return made


def optimiser(name: str, **options: Any) -> Make:
    """A step of an optimiser with n parameters."""

    def make(lib: Any, n: int) -> Step:
        return getattr(lib.optim, name)(leaves(lib, n), **options).step

    return make


def clipping(lib: Any, n: int) -> Step:
    """The norm of n gradients, and their clipping."""
    made = leaves(lib, n)
    return lambda: lib.nn.utils.clip_grad_norm_(made, 1.0)


def stacked(lib: Any, n: int) -> Step:
    """n leaves in one operation, forward and backward."""
    made = leaves(lib, n)
    return backward_of(lambda: lib.stack(made), *made)


def layers(lib: Any, n: int) -> Step:
    """A training step of a model of n small layers."""
    model = lib.nn.Sequential(*(lib.nn.Linear(4, 4) for _ in range(n)))
    optimizer = lib.optim.Adam(model.parameters())
    return training_step(lib, model, optimizer, data(lib, 8, 4), labels(lib, 8, 4))


def saving(lib: Any, n: int) -> Step:
    """The state of a model with n parameters, taken and loaded."""
    model = lib.nn.ParameterList(leaves(lib, n))
    return lambda: model.load_state_dict(model.state_dict())


def mlp_batch(lib: Any, n: int) -> Step:
    """A step of the MLP 64-128-10 on n examples."""
    model = lib.nn.Sequential(lib.nn.Linear(64, 128), lib.nn.ReLU(), lib.nn.Linear(128, 10))
    return training_step(lib, model, lib.optim.Adam(model.parameters()), data(lib, n, 64), labels(lib, n, 10))


def lenet_batch(lib: Any, n: int) -> Step:
    """A step of LeNet on n images."""
    model = networks.lenet(lib.nn)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.01)
    return training_step(lib, model, optimizer, data(lib, n, 1, 28, 28), labels(lib, n, 10))


def steps_of(name: str) -> Make:
    """A recurrent layer of 32 units over n steps, batch 8."""

    def make(lib: Any, n: int) -> Step:
        model = getattr(lib.nn, name)(32, 32)
        x = data(lib, n, 8, 32)
        return backward_of(lambda: model(x)[0], *model.parameters())

    return make


def cell(lib: Any, n: int) -> Step:
    """A loop of n steps with an LSTMCell of 32 units, batch 8."""
    model, x = lib.nn.LSTMCell(32, 32), data(lib, n, 8, 32)

    def compute() -> Any:
        state = lib.zeros(8, 32), lib.zeros(8, 32)
        for each in x:
            state = model(each, state)
        return state[0]

    return backward_of(compute, *model.parameters())


def attention(lib: Any, n: int) -> Step:
    """Causal attention of 4 heads of 32 over n steps."""
    q, k, v = (data(lib, 1, 4, n, 32).requires_grad_() for _ in range(3))
    return backward_of(lambda: lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True), q, k, v)


def threads_of(function: Callable[[Any], Any]) -> Make:
    """A function of a matrix of 1024 x 1024 on n threads, forward and backward."""

    def make(lib: Any, n: int) -> Step:
        lib.set_num_threads(n)
        x = data(lib, 1024, 1024).requires_grad_()
        return backward_of(lambda: function(x), x)

    return make


OPS, ELEMENTS, PARAMETERS = powers(10, 10**6), powers(1, 10**7), powers(1, 10**4)
BATCH, LENGTH, THREADS = powers(1, 2**14, 2), powers(1, 2**12, 2), range(1, (os.cpu_count() or 1) + 1)
SERIES = {
    "chain": Series("operations", OPS, chain),
    "chain, forward alone": Series("operations", OPS, forward_alone),
    "uses of one tensor": Series("operations", OPS, uses),
    "in-place changes": Series("operations", powers(10, 10**5), in_place),
    "views, each changed": Series("operations", powers(10, 10**5), views),
    "second derivative": Series("operations", powers(10, 10**5), second_derivative),
    "tanh(x * x)": Series("elements", ELEMENTS, of_elements(lambda x: (x * x).tanh())),
    "softmax": Series("elements", ELEMENTS, of_elements(lambda x: x.softmax(0))),
    "cumsum": Series("elements", ELEMENTS, of_elements(lambda x: x.cumsum(0))),
    "sort": Series("elements", powers(1, 10**6), of_elements(lambda x: x.sort()[0])),  # n log n
    "Adam": Series("parameters", PARAMETERS, optimiser("Adam")),
    "SGD, momentum": Series("parameters", PARAMETERS, optimiser("SGD", lr=0.01, momentum=0.9)),
    "clip_grad_norm_": Series("parameters", PARAMETERS, clipping),
    "stack": Series("parameters", PARAMETERS, stacked),
    "n layers": Series("parameters", PARAMETERS, layers),
    "state_dict": Series("parameters", PARAMETERS, saving),
    "MLP": Series("batch", BATCH, mlp_batch),
    "LeNet": Series("batch", powers(1, 2**10, 2), lenet_batch),
    "LSTM": Series("sequence length", LENGTH, steps_of("LSTM")),
    "GRU": Series("sequence length", LENGTH, steps_of("GRU")),
    "LSTMCell": Series("sequence length", LENGTH, cell),
    "attention": Series("sequence length", LENGTH, attention, time=2.0, memory=2.0),
    "product": Series("threads", THREADS, threads_of(lambda x: x @ x), time=0.0, memory=0.0),
    "tanh": Series("threads", THREADS, threads_of(lambda x: x.tanh()), time=0.0, memory=0.0),
}
