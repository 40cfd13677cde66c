"""The training steps of cases.py in JAX: the same data, weights, formulas and optimisers, compiled by `jax.jit`.

Each twin takes `jax` and returns a function that does one step and returns its loss, as a case does. The whole step is
one compiled function, which may write over the arrays of the state (`donate_argnums`). Where JAX offers several ways
to write the same work, the one stands here that is fastest on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from networks import CONTEXT, HEADS, LAYERS, VOCABULARY, WIDTH

Step = Callable[[], Any]
Parameters = dict[str, Any]
Shape = tuple[int, ...]


def data(*shape: int) -> np.ndarray:
    """Normal float32 numbers, those of cases.py."""
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def labels(n: int, classes: int) -> np.ndarray:
    """Class indices, those of cases.py."""
    return np.random.default_rng(1).integers(0, classes, n)


def same_weights(shapes: Iterable[tuple[str, Shape]]) -> Parameters:
    """The numbers that cases.py gives these parameters, in the shapes that JAX multiplies by: (inputs, outputs)."""
    rng = np.random.default_rng(2)
    found: Parameters = {}
    for name, shape in shapes:
        if len(shape) == 1:
            found[name] = (np.zeros if name.endswith("bias") else np.ones)(shape, np.float32)
            continue
        drawn = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))
        embedding = name in ("token.weight", "position.weight")
        found[name] = drawn.T if len(shape) == 2 and not embedding else drawn
    return found


def linear(name: str, inputs: int, outputs: int) -> list[tuple[str, Shape]]:
    """The parameters of a linear layer."""
    return [(f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,))]


def applied(p: Parameters, name: str, x: Any) -> Any:
    """A linear layer."""
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def cross_entropy(jax: Any, logits: Any, classes: Any) -> Any:
    """The mean over the rows of minus the logarithm of the probability of their class."""
    chosen = jax.numpy.take_along_axis(jax.nn.log_softmax(logits), classes[:, None], 1)
    return -chosen.mean()


class Momentum:
    """SGD with momentum."""

    def __init__(self, jax: Any, lr: float, momentum: float = 0.9):
        self.map, self.zeros_like, self.lr, self.momentum = jax.tree.map, jax.numpy.zeros_like, lr, momentum

    def start(self, p: Parameters) -> Any:
        """The state before the first step."""
        return self.map(self.zeros_like, p)

    def step(self, p: Parameters, g: Parameters, state: Any) -> tuple[Parameters, Any]:
        """The parameters and the state after a step."""
        state = self.map(lambda m, g: self.momentum * m + g, state, g)
        return self.map(lambda p, m: p - self.lr * m, p, state), state


class Adam:
    """Adam, and with `decay` AdamW; the corrections of the bias on the step's number, as usual."""

    def __init__(self, jax: Any, lr: float = 1e-3, decay: float = 0.0):
        self.jax, self.lr, self.decay = jax, lr, decay

    def start(self, p: Parameters) -> Any:
        """The state before the first step: two moments of each parameter, and the number of steps."""
        zeros = self.jax.tree.map(self.jax.numpy.zeros_like, p)
        return zeros, self.jax.tree.map(self.jax.numpy.copy, zeros), self.jax.numpy.float32(0)

    def step(self, p: Parameters, g: Parameters, state: Any) -> tuple[Parameters, Any]:
        """The parameters and the state after a step."""
        each, jnp = self.jax.tree.map, self.jax.numpy
        first, second, t = state
        t = t + 1
        first = each(lambda m, g: 0.9 * m + 0.1 * g, first, g)
        second = each(lambda v, g: 0.999 * v + 0.001 * g * g, second, g)
        root = jnp.sqrt(1 - 0.999**t)
        size = self.lr * root / (1 - 0.9**t)
        kept = 1 - self.lr * self.decay
        p = each(lambda p, m, v: kept * p - size * m / (jnp.sqrt(v) + 1e-8 * root), p, first, second)
        return p, (first, second, t)


def training_step(jax: Any, parameters: Parameters, optimizer: Any, loss: Callable[..., Any], *batch: Any) -> Step:
    """A step of training as one compiled function; `loss` takes the parameters and the batch."""

    def whole(state: Any, *batch: Any) -> Any:
        p, memory = state
        value, gradients = jax.value_and_grad(loss)(p, *batch)
        return value, optimizer.step(p, gradients, memory)

    return repeated(jax, whole, (parameters, optimizer.start(jax.tree.map(jax.numpy.asarray, parameters))), *batch)


def repeated(jax: Any, whole: Callable[..., Any], state: Any, *batch: Any) -> Step:
    """A function that runs the compiled `whole` on the state, which it replaces, and waits for the results."""
    compiled = jax.jit(whole, donate_argnums=0)
    state = jax.tree.map(jax.numpy.array, state)
    batch = tuple(jax.numpy.asarray(each) for each in batch)

    def step() -> Any:
        nonlocal state
        value, state = compiled(state, *batch)
        jax.block_until_ready((value, state))
        return value

    return step


def chain(jax: Any, scan: bool = False) -> Step:
    """3,000 small elementwise operations, forward and backward: a loop in Python, or JAX's `lax.scan`."""
    nn, jnp = jax.nn, jax.numpy
    k = jnp.asarray(data(16))

    def link(h: Any, y: Any) -> Any:
        return nn.sigmoid(jnp.tanh(h * k + y) - k) * y

    def loss(x: Any, y: Any) -> Any:
        if scan:
            return jax.lax.scan(lambda h, _: (link(h, y), None), x, length=500)[0].sum()
        for _ in range(500):
            x = link(x, y)
        return x.sum()

    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    x = jnp.asarray(data(16))

    def step() -> Any:
        value, gradients = compiled(x, x)
        jax.block_until_ready((value, gradients))
        return value

    return step


def mlp(jax: Any, sizes: list[int], n: int, optimizer: Any) -> Step:
    """A classifier of linear layers with relu between them, on a batch of `n`."""
    names = [str(2 * i) for i in range(len(sizes) - 1)]
    shapes = [each for name, *ends in zip(names, sizes, sizes[1:], strict=False) for each in linear(name, *ends)]

    def loss(p: Parameters, x: Any, y: Any) -> Any:
        for name in names:
            x = applied(p, name, x if name == "0" else jax.nn.relu(x))
        return cross_entropy(jax, x, y)

    return training_step(jax, same_weights(shapes), optimizer, loss, data(n, sizes[0]), labels(n, sizes[-1]))


def mlp_small(jax: Any) -> Step:
    """MLP 64-128-10, batch 64, Adam."""
    return mlp(jax, [64, 128, 10], 64, Adam(jax))


def mlp_middle(jax: Any) -> Step:
    """MLP 784-512-512-10, batch 128, SGD with momentum."""
    return mlp(jax, [784, 512, 512, 10], 128, Momentum(jax, 0.01))


def mlp_wide(jax: Any) -> Step:
    """MLP 1024-2048-2048-10, batch 256, SGD with momentum."""
    return mlp(jax, [1024, 2048, 2048, 10], 256, Momentum(jax, 0.01))


def gradient_penalty(jax: Any) -> Step:
    """The norm of the input's gradient as a loss, whose own gradient at the input is added up too, as `x.grad` is."""
    jnp, optimizer = jax.numpy, Adam(jax)

    def model(p: Parameters, x: Any) -> Any:
        return applied(p, "4", jnp.tanh(applied(p, "2", jnp.tanh(applied(p, "0", x)))))

    def loss(p: Parameters, x: Any) -> Any:
        out, back = jax.vjp(lambda x: model(p, x), x)
        (g,) = back(jnp.ones_like(out))
        return out.mean() + jnp.square(jnp.sqrt((g * g).sum(1)) - 1).mean()

    def whole(state: Any, x: Any) -> Any:
        p, memory, total = state
        value, (gradients, at_input) = jax.value_and_grad(loss, argnums=(0, 1))(p, x)
        return value, (*optimizer.step(p, gradients, memory), total + at_input)

    x = data(64, 32)
    parameters = same_weights([*linear("0", 32, 128), *linear("2", 128, 128), *linear("4", 128, 1)])
    start = optimizer.start(jax.tree.map(jnp.asarray, parameters))
    return repeated(jax, whole, (parameters, start, np.zeros_like(x)), x)


def lenet(jax: Any) -> Step:
    """LeNet on 28x28 images, batch 64, SGD with momentum."""
    relu, lax = jax.nn.relu, jax.lax

    def convolution(p: Parameters, name: str, x: Any, padding: int) -> Any:
        rim, layout = [(padding, padding)] * 2, ("NCHW", "OIHW", "NCHW")
        out = lax.conv_general_dilated(x, p[f"{name}.weight"], (1, 1), rim, dimension_numbers=layout)
        return relu(out + p[f"{name}.bias"][:, None, None])

    def pooled(x: Any) -> Any:
        return lax.reduce_window(x, -jax.numpy.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss(p: Parameters, x: Any, y: Any) -> Any:
        x = pooled(convolution(p, "3", pooled(convolution(p, "0", x, 2)), 0))
        x = relu(applied(p, "7", x.reshape(len(x), -1)))
        return cross_entropy(jax, applied(p, "11", relu(applied(p, "9", x))), y)

    kernels = [("0.weight", (6, 1, 5, 5)), ("0.bias", (6,)), ("3.weight", (16, 6, 5, 5)), ("3.bias", (16,))]
    shapes = [*kernels, *linear("7", 400, 120), *linear("9", 120, 84), *linear("11", 84, 10)]
    batch = data(64, 1, 28, 28), labels(64, 10)
    return training_step(jax, same_weights(shapes), Momentum(jax, 0.01), loss, *batch)


def gpt_shapes() -> Iterator[tuple[str, Shape]]:
    """The parameters of the GPT of networks.py."""
    yield from [("token.weight", (VOCABULARY, WIDTH)), ("position.weight", (CONTEXT, WIDTH))]
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        yield from norm(f"{block}.norm1")
        yield from linear(f"{block}.attention.qkv", WIDTH, 3 * WIDTH)
        yield from linear(f"{block}.attention.out", WIDTH, WIDTH)
        yield from norm(f"{block}.norm2")
        yield from linear(f"{block}.mlp.0", WIDTH, 4 * WIDTH)
        yield from linear(f"{block}.mlp.2", 4 * WIDTH, WIDTH)
    yield from norm("norm")
    yield from linear("head", WIDTH, VOCABULARY)


def norm(name: str) -> list[tuple[str, Shape]]:
    """The parameters of a LayerNorm."""
    return [(f"{name}.weight", (WIDTH,)), (f"{name}.bias", (WIDTH,))]


def gpt(jax: Any) -> Step:
    """A GPT of 4 layers, 128 wide, on 16 texts of 64 characters, AdamW."""
    jnp = jax.numpy

    def normalised(p: Parameters, name: str, x: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5)
        return scaled * p[f"{name}.weight"] + p[f"{name}.bias"]

    def attention(p: Parameters, name: str, x: Any) -> Any:
        n, length, width = x.shape
        parts = jnp.split(applied(p, f"{name}.qkv", x), 3, -1)
        q, k, v = (part.reshape(n, length, HEADS, width // HEADS).swapaxes(1, 2) for part in parts)
        scores = q @ k.swapaxes(2, 3) * (width // HEADS) ** -0.5
        seen = jnp.tril(jnp.ones((length, length), bool))
        mixed = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf)) @ v
        return applied(p, f"{name}.out", mixed.swapaxes(1, 2).reshape(n, length, width))

    def loss(p: Parameters, codes: Any, following: Any) -> Any:
        x = p["token.weight"][codes] + p["position.weight"][: codes.shape[1]]
        for layer in range(LAYERS):
            block = f"blocks.{layer}"
            x = x + attention(p, f"{block}.attention", normalised(p, f"{block}.norm1", x))
            wide = jax.nn.gelu(applied(p, f"{block}.mlp.0", normalised(p, f"{block}.norm2", x)), approximate=False)
            x = x + applied(p, f"{block}.mlp.2", wide)
        logits = applied(p, "head", normalised(p, "norm", x))
        return cross_entropy(jax, logits.reshape(-1, VOCABULARY), following)

    text = labels(16 * 65, VOCABULARY).reshape(16, 65)
    batch = text[:, :-1], text[:, 1:].reshape(-1)
    return training_step(jax, same_weights(gpt_shapes()), Adam(jax, 3e-4, decay=0.01), loss, *batch)


TWINS: dict[str, Callable[[Any], Step]] = {
    "chain of 3,000 small ops": chain,
    "chain of 3,000 small ops, lax.scan": lambda jax: chain(jax, scan=True),
    "MLP 64-128-10": mlp_small,
    "MLP 784-512-512-10": mlp_middle,
    "MLP 1024-2048-2048-10": mlp_wide,
    "gradient penalty": gradient_penalty,
    "LeNet": lenet,
    "GPT, 4 layers of 128": gpt,
}
