"""Checks of backward propagation, against difference quotients of the forward pass in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference, Factor, differences

import tinygrad_dl as td
from checks.forward import Found, network
from tinygrad_dl.testing import gradcheck

LAMBDA = 0.7


def linear_inputs(n: int, n_prev: int, m: int) -> tuple[Array, tuple[Array, Array, Array]]:
    """dZ and (A_prev, W, b)."""
    A_prev, parameters = network((n_prev, n), m)
    dZ = np.random.default_rng(5).standard_normal((n, m))
    return dZ, (A_prev, parameters["W1"], parameters["b1"])


def by_m(m: int) -> dict[str, Factor]:
    return {"m": Factor(m, "divide by the number of examples", "it is divided by m once too often")}


def undivided(m: int) -> dict[str, Factor]:
    return {"m": Factor(m, "it is multiplied by m", "no division by m here: that is for dW and db")}


def check_dW(probe: Probe) -> Found:
    def trial(n: int, n_prev: int, m: int) -> Difference | None:
        dZ, cache = linear_inputs(n, n_prev, m)
        A_prev, W, b = cache
        forward = probe.given("linear_forward")
        return probe.judge(
            "dW",
            probe.run("linear_backward", dZ, cache, db=b, dA_prev=A_prev),
            differences(lambda w: np.sum(dZ * forward(A_prev, w, b)[0]) / m, W),
            slips={
                "is an entrywise product: the product of matrices is @ or np.dot, not *": lambda: dZ * A_prev / m,
                "is dZ A_prev / m: the second factor is A_prev transposed": lambda: dZ @ A_prev / m,
                "is divided by the number of units, not of examples: m is the number of columns": lambda: (
                    dZ @ A_prev.T / n
                ),
                "is dZ^T A_prev^T / m: dZ is not transposed": lambda: dZ.T @ A_prev.T / m,
            },
            factors=by_m(m),
        )

    yield trial(3, 4, 5)
    yield trial(4, 4, 4)


def check_db(probe: Probe) -> Found:
    def trial(n: int, m: int) -> Difference | None:
        dZ, cache = linear_inputs(n, 4, m)
        A_prev, W, b = cache
        forward = probe.given("linear_forward")
        row = "adds up over the units (axis=0): add up over the examples, axis=1"
        return probe.judge(
            "db",
            probe.run("linear_backward", dZ, cache, dW=W, dA_prev=A_prev),
            differences(lambda b: np.sum(dZ * forward(A_prev, W, b)[0]) / m, b),
            slips={
                row: lambda: dZ.sum(axis=0, keepdims=True) / m,
                f"{row} with keepdims=True": lambda: dZ.sum(axis=0) / m,
                f"{row} with keepdims=True, and divide by m": lambda: dZ.sum(axis=0),
                "is the mean of the columns' entries over the units (np.mean, axis=0): take axis=1": lambda: dZ.mean(
                    axis=0, keepdims=True
                ),
                "is one number: np.sum adds up all of dZ; add up over the examples alone, with axis=1, keepdims=True": (
                    lambda: dZ.sum() / m
                ),
                "is one number: np.mean averages all of dZ; average over the examples alone, axis=1": lambda: dZ.mean(),
                "is not added up: each example adds to the gradient of b; sum over axis=1": lambda: dZ / m,
                "is dZ itself: add up over the examples, axis=1, and divide by m": lambda: dZ,
            },
            factors=by_m(m),
        )

    yield trial(3, 5)


def check_dA_prev(probe: Probe) -> Found:
    def trial(n: int, n_prev: int, m: int) -> Difference | None:
        dZ, cache = linear_inputs(n, n_prev, m)
        A_prev, W, b = cache
        forward = probe.given("linear_forward")
        return probe.judge(
            "dA_prev",
            probe.run("linear_backward", dZ, cache, dW=W, db=b),
            differences(lambda a: np.sum(dZ * forward(a, W, b)[0]), A_prev),
            slips={
                "is computed with W, not with its transpose": lambda: W @ dZ,
                "is dZ W: the product is W^T dZ": lambda: dZ @ W,
                "is dZ W^T: the product is W^T dZ": lambda: dZ @ W.T,
                "is an entrywise product: the product of matrices is @ or np.dot, not *": lambda: W.T * dZ,
            },
            factors=undivided(m),
        )

    yield trial(3, 4, 5)
    yield trial(4, 4, 4)


def check_relu(probe: Probe) -> Found:
    Z = np.array([[-2.0, 0.5, 1.5], [3.0, -0.75, 2.5]])
    dA = np.array([[1.5, -2.0, 0.3], [-0.7, 0.9, 1.1]])
    relu = probe.given("relu")
    yield probe.judge(
        "dZ",
        probe.run("relu_backward", dA, Z),
        differences(lambda z: np.sum(dA * relu(z)), Z),
        slips={
            "has its mask from dA: what matters is the sign of Z, the input of the ReLU": lambda: dA * (dA > 0),
            "is the ReLU of dA: what matters is the sign of Z, the input of the ReLU": lambda: relu(dA),
            "is the derivative of the ReLU alone: multiply it by dA": lambda: Z > 0,
            "is dA times the ReLU of Z: the derivative of the ReLU is 1 where Z is positive, not Z": lambda: (
                dA * relu(Z)
            ),
            "is dA where Z is negative: it is the other way round": lambda: dA * (Z < 0),
            "is dA itself: it is 0 where Z is negative": lambda: dA,
            "is 0 everywhere": lambda: 0 * dA,
        },
        where={"Z is negative": Z < 0, "Z is positive": Z > 0},
    )


def check_sigmoid(probe: Probe) -> Found:
    Z = np.array([[-2.0, 0.5, 1.5], [3.0, -0.75, 2.5]])
    dA = np.array([[1.5, -2.0, 0.3], [-0.7, 0.9, 1.1]])
    sigmoid = probe.given("sigmoid")
    s = sigmoid(Z)
    yield probe.judge(
        "dZ",
        probe.run("sigmoid_backward", dA, Z),
        differences(lambda z: np.sum(dA * sigmoid(z)), Z),
        slips={
            "is dA Z (1 - Z): the derivative is s (1 - s), with s = sigmoid(Z)": lambda: dA * Z * (1 - Z),
            "is dA s, with s = sigmoid(Z): the derivative is s (1 - s)": lambda: dA * s,
            "is dA (1 - s): the derivative is s (1 - s)": lambda: dA * (1 - s),
            "is the derivative of the sigmoid alone: multiply it by dA": lambda: s * (1 - s),
            "is dA s (1 + s): the derivative is s (1 - s)": lambda: dA * s * (1 + s),
            "has the derivative at dA: it is s (1 - s) with s = sigmoid(Z)": lambda: (
                dA * sigmoid(dA) * (1 - sigmoid(dA))
            ),
            "has the derivative of tanh, 1 - s^2: that of the sigmoid is s (1 - s)": lambda: dA * (1 - s**2),
            "takes the sigmoid twice: s = sigmoid(Z), and the derivative is s (1 - s)": lambda: (
                dA * sigmoid(s) * (1 - sigmoid(s))
            ),
        },
    )


def check_dAL(probe: Probe) -> Found:
    X, parameters = network((4, 3, 1), 5)
    forward, compute_cost = probe.given("L_model_forward"), probe.given("compute_cost")
    AL, caches = forward(X, parameters)
    Y = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    m = Y.shape[1]

    def back(dA: Array, cache: Any, activation: str) -> tuple[Array, Array, Array]:
        return AL, AL, AL

    yield probe.judge(
        "dAL",
        probe.run("L_model_backward", AL, Y, caches, linear_activation_backward=back, dA_prev=AL, dW=AL, db=AL),
        differences(lambda a: m * compute_cost(a, Y), AL),
        slips={
            "is AL - Y: that is dZ of the last layer, after the sigmoid's derivative; here only the cost's": lambda: (
                AL - Y
            ),
            "is Y - AL: the derivative of the cross-entropy is -(Y / AL - (1 - Y) / (1 - AL))": lambda: Y - AL,
            "has a plus between its two terms: (1 - Y) / (1 - AL) comes with the other sign": lambda: (
                -(Y / AL + (1 - Y) / (1 - AL))
            ),
            "has labels and predictions exchanged": lambda: -(AL / Y - (1 - AL) / (1 - Y)),
        },
        factors={"m": Factor(m, "it is multiplied by m", "it is divided by m: linear_backward divides, once")},
        terms={"-Y / AL": lambda: -Y / AL, "(1 - Y) / (1 - AL)": lambda: (1 - Y) / (1 - AL)},
    )


def layer_backward(dA: Array, cache: Any, activation: str) -> tuple[Array, Array, Array]:
    """dA_prev, dW and db of a layer, by autograd."""
    (A_prev, W, b), _ = cache
    if len(dA) != len(W):
        raise ValueError(
            f"got the gradient of a layer with {len(dA)} units and the cache of another layer, with {len(W)}; "
            "that of layer l is caches[l - 1]"
        )
    a, w, bias = (td.tensor(x, requires_grad=True) for x in (A_prev, W, b))
    z = w @ a + bias
    out = td.relu(z) if activation == "relu" else td.sigmoid(z)
    found = td.autograd.grad(out, [a, w, bias], td.tensor(dA))
    m = A_prev.shape[1]
    return found[0].numpy(), found[1].numpy() / m, found[2].numpy() / m


def check_hidden(probe: Probe) -> Found:
    X, parameters = network((4, 3, 3, 3, 1), 5)
    forward, compute_cost = probe.given("L_model_forward"), probe.given("compute_cost")
    AL, caches = forward(X, parameters)
    Y = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    dAL = -(Y / AL - (1 - Y) / (1 - AL))
    result = probe.run("L_model_backward", AL, Y, caches, linear_activation_backward=layer_backward, dAL=dAL)
    yield result.failure
    dA = {3: layer_backward(dAL, caches[3], "sigmoid")[0]}  # in the activations of each layer
    for layer in (3, 2, 1):
        dA[layer - 1] = layer_backward(dA[layer], caches[layer - 1], "relu")[0]

    def trial(layer: int, passage: dict[str, Any]) -> Difference | None:
        def cost(name: str, value: Array) -> float:
            return float(compute_cost(forward(X, {**parameters, name: value})[0], Y))

        def dW(dA: Array, cache: int, activation: str = "relu") -> Any:
            return lambda: layer_backward(dA, caches[cache], activation)[1]

        W, b = f"W{layer}", f"b{layer}"
        found = probe.compare(
            "d" + W,
            passage["dW"],
            differences(lambda value: cost(W, value), parameters[W]),
            slips={
                "is computed with the sigmoid's derivative: hidden layers have the activation ReLU": dW(
                    dA[layer], layer - 1, "sigmoid"
                ),
                "is computed with the cache of layer l + 1: that of layer l is caches[l - 1]": dW(dA[layer], layer),
                "is computed with the cache of layer l - 1: that of layer l is caches[l - 1]": dW(dA[layer], layer - 2),
                "is computed from dA of layer L - 1 in each layer: take grads['dA' + str(layer)]": dW(dA[3], layer - 1),
            },
        )
        return (
            found
            or probe.compare("d" + b, passage["db"], differences(lambda value: cost(b, value), parameters[b]))
            or probe.compare("dA_prev", passage["dA_prev"], dA[layer - 1])
        )

    for layer, passage in zip((3, 2, 1), result.passages, strict=False):
        yield trial(layer, passage)


def check_regularised(probe: Probe) -> Found:
    def trial(n: int, n_prev: int, m: int) -> Difference | None:
        dZ, cache = linear_inputs(n, n_prev, m)
        A_prev, W, b = cache
        forward = probe.given("linear_forward")

        def cost(w: Array) -> float:
            return float(np.sum(dZ * forward(A_prev, w, b)[0]) / m + LAMBDA / (2 * m) * np.sum(w**2))

        plain = dZ @ A_prev.T / m
        return probe.judge(
            "dW",
            probe.run("weight_gradient_with_regularization", dZ, cache, LAMBDA),
            differences(cost, W),
            slips={
                "lacks the term of the regularisation, lambd / m W": lambda: plain,
                "has lambd W in place of lambd / m W: the term is divided by m too": lambda: plain + LAMBDA * W,
                "has lambd / (2 m) W: the 2 goes with the derivative of the square": lambda: (
                    plain + LAMBDA / (2 * m) * W
                ),
                "has the cost's term lambd / (2 m) W^2: its derivative is lambd / m W": lambda: (
                    plain + LAMBDA / (2 * m) * W**2
                ),
                "has the whole sum of the squares added to each entry: the derivative of W^2 is 2 W, entry by entry": (
                    lambda: plain + LAMBDA / (2 * m) * np.sum(W**2)
                ),
                "has the absolute value's derivative, lambd / m sign(W): that is L1; L2 has lambd / m W": lambda: (
                    plain + LAMBDA / m * np.sign(W)
                ),
                "is the term of the regularisation alone: add the gradient of the cross-entropy, dZ A_prev^T / m": (
                    lambda: LAMBDA / m * W
                ),
                "is not divided by m in its first term, dZ A_prev^T / m": lambda: plain * m + LAMBDA / m * W,
            },
            terms={"lambd / m W": lambda: LAMBDA / m * W},
        )

    yield trial(3, 4, 5)
    yield trial(4, 4, 4)


def check_update(probe: Probe) -> Found:
    _, parameters = network((4, 3, 1), 5)
    rng = np.random.default_rng(6)
    grads = {"d" + name: rng.standard_normal(value.shape) for name, value in parameters.items()}
    rate = 0.1
    result = probe.run("update_parameters", parameters, grads, rate)
    if result.failure:
        yield result.failure
        return

    def trial(name: str, layer: int, got: Any) -> Difference | None:
        tensor = td.tensor(parameters[f"{name}{layer}"], requires_grad=True)
        tensor.grad = td.tensor(grads[f"d{name}{layer}"])
        td.optim.SGD([tensor], lr=rate).step()
        old, gradient = parameters[f"{name}{layer}"], grads[f"d{name}{layer}"]
        return probe.compare(
            f"{name}{layer}",
            got,
            tensor.detach().numpy(),
            slips={
                "goes up the gradient: the step is subtracted": lambda: old + rate * gradient,
                "has a step without the learning rate: subtract learning_rate times the gradient": lambda: (
                    old - gradient
                ),
                "is what it was before: nothing was subtracted": lambda: old,
                "is the step alone: subtract it from the parameter": lambda: rate * gradient,
                "has a step divided by the learning rate: multiply": lambda: old - gradient / rate,
                "is computed with the parameters of layer 1": lambda: (
                    parameters[f"{name}1"] - rate * grads[f"d{name}1"]
                ),
            },
        )

    for layer, passage in enumerate(result.passages, 1):
        yield trial("W", layer, passage["W"])
        yield trial("b", layer, passage["b"])


CHECKS = {
    1: check_dW,
    2: check_db,
    3: check_dA_prev,
    4: check_relu,
    5: check_sigmoid,
    6: check_dAL,
    7: check_hidden,
    8: check_regularised,
    9: check_update,
}


def altogether(student: dict[str, Any]) -> str:
    """gradcheck of the cost as a function of all parameters, with the student's backward pass."""
    X, start = network((4, 5, 3, 1), 6)
    Y = (np.arange(6) % 2.0)[None]

    class Cost(td.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: td.Tensor) -> td.Tensor:
            parameters = {name: tensor.numpy() for name, tensor in zip(start, tensors, strict=True)}
            AL, caches = student["L_model_forward"](X, parameters)
            ctx.found = student["L_model_backward"](AL, Y, caches)
            return td.tensor(student["compute_cost"](AL, Y))

        @staticmethod
        def backward(ctx: Any, g: td.Tensor) -> tuple[td.Tensor, ...]:
            return tuple(g * td.tensor(ctx.found["d" + name]) for name in start)

    tensors = [td.tensor(value, requires_grad=True) for value in start.values()]
    checked = gradcheck(Cost.apply, tensors, names=list(start), raise_exception=False)
    return f"gradcheck of a network 4-5-3-1: {checked.summary}" if checked else str(checked)
