"""Checks of forward propagation, against the library's operations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference, Factor, same

import tinygrad_dl as td

F = td.nn.functional
Found = Iterator[Difference | None]


def sigmoid(Z: Array) -> Array:
    return td.sigmoid(td.tensor(Z)).numpy()


def relu(Z: Array) -> Array:
    return td.relu(td.tensor(Z)).numpy()


def linear(A_prev: Array, W: Array, b: Array) -> Array:
    return F.linear(td.tensor(A_prev.T), td.tensor(W), td.tensor(b[:, 0])).T.numpy()


def layer(A_prev: Array, W: Array, b: Array, activation: str) -> tuple[Array, Any]:
    Z = linear(A_prev, W, b)
    return {"relu": relu, "sigmoid": sigmoid}[activation](Z), ((A_prev, W, b), Z)


def network(sizes: tuple[int, ...], m: int) -> tuple[Array, dict[str, Array]]:
    """Inputs and parameters; normal numbers, small enough that no sigmoid saturates."""
    rng = np.random.default_rng(3)
    parameters = {}
    for number, (before, after) in enumerate(pairwise(sizes), 1):
        parameters[f"W{number}"] = rng.standard_normal((after, before)) / before**0.5
        parameters[f"b{number}"] = rng.standard_normal((after, 1)) / 2
    return rng.standard_normal((sizes[0], m)), parameters


def check_sigmoid(probe: Probe) -> Found:
    Z = np.array([[-3.0, -0.5, 0.25], [0.75, 2.0, 4.0]])
    yield probe.judge(
        "A",
        probe.run("sigmoid", Z),
        sigmoid(Z),
        slips={
            "is sigmoid(-Z), one minus the sigmoid: it is 1 / (1 + exp(-Z)), with a minus sign in the exponent": (
                lambda: sigmoid(-Z)
            ),
            "lacks the 1 in the denominator: 1 + exp(-Z)": lambda: np.exp(Z),
            "has a minus in the denominator: it is 1 + exp(-Z)": lambda: 1 / (1 - np.exp(-Z)),
            "is the derivative of the sigmoid, s (1 - s)": lambda: sigmoid(Z) * (1 - sigmoid(Z)),
            "is tanh, not the sigmoid": lambda: np.tanh(Z),
            "is Z itself": lambda: Z,
        },
    )


def check_relu(probe: Probe) -> Found:
    Z = np.array([[-3.0, -0.5, 0.25], [0.0, 2.0, 4.0]])
    yield probe.judge(
        "A",
        probe.run("relu", Z),
        relu(Z),
        slips={
            "is min(0, Z): the smaller of the two; the ReLU is the larger": lambda: np.minimum(0, Z),
            "is the absolute value of Z: negative entries become 0, not positive": lambda: np.abs(Z),
            "is 1 where Z is positive: that is the derivative; the ReLU keeps Z itself there": lambda: Z > 0,
            "is Z itself: negative entries become 0": lambda: Z,
            "is one number, the largest entry: np.max takes the maximum of all; np.maximum works entry by entry": (
                lambda: Z.max()
            ),
        },
        where={"Z is negative": Z < 0, "Z is positive": Z > 0, "Z is 0": Z == 0},
    )


def check_linear(probe: Probe) -> Found:
    def trial(n: int, n_prev: int, m: int) -> Difference | None:
        A_prev, parameters = network((n_prev, n), m)
        W, b = parameters["W1"], parameters["b1"]
        return probe.judge(
            "Z",
            probe.run("linear_forward", A_prev, W, b),
            linear(A_prev, W, b),
            slips={
                "is computed with W transposed: W is (n[l], n[l-1]) already, so Z = W A_prev + b": lambda: (
                    W.T @ A_prev + b
                ),
                "is computed with A_prev in front of W: the product is W A_prev": lambda: A_prev @ W + b,
                "is computed with A_prev transposed": lambda: W @ A_prev.T + b,
                "is an entrywise product: * multiplies entry by entry, @ or np.dot multiply matrices": lambda: (
                    W * A_prev + b
                ),
                "has b as a row: b is a column, and is added to each column of W A_prev": lambda: W @ A_prev + b.T,
            },
            terms={"b": lambda: b},
        )

    yield trial(3, 4, 5)
    yield trial(4, 4, 4)


def check_hidden(probe: Probe) -> Found:
    def trial(*sizes: int) -> Difference | None:
        X, parameters = network(sizes, 5)
        last = len(sizes) - 1

        def through(activation: str = "relu", numbers: list[int] | None = None, fed_by_X: bool = False) -> Array:
            A = X
            for number in numbers or range(1, last):
                A, _ = layer(X if fed_by_X else A, parameters[f"W{number}"], parameters[f"b{number}"], activation)
            return A

        result = probe.run(
            "L_model_forward",
            X,
            parameters,
            linear_activation_forward=layer,
            AL=lambda names: layer(names["A"], parameters[f"W{last}"], parameters[f"b{last}"], "sigmoid")[0],
            cache=lambda names: None,
        )
        found = probe.judge(
            "A",
            result,
            through(),
            slips={
                "comes from a sigmoid: hidden layers have the activation ReLU": lambda: through("sigmoid"),
                "is computed from X in each layer: its input is A_prev, what the layer before gave": lambda: through(
                    fed_by_X=True
                ),
                "is computed with W1 and b1 in each layer: take those of this layer": lambda: through(
                    numbers=[1] * (last - 1)
                ),
            },
        )
        if found or not isinstance(cache := result["cache"], tuple) or not same(cache[1], through()):
            return found
        return Difference(3, "cache holds A in place of Z: it is the second result of linear_activation_forward")

    yield trial(4, 3, 3, 1)
    yield trial(3, 3, 3, 3, 1)


def check_last(probe: Probe) -> Found:
    def trial(*sizes: int) -> Difference | None:
        X, parameters = network(sizes, 5)
        last = len(sizes) - 1
        inputs = [X]
        for number in range(1, last):
            inputs.append(layer(inputs[-1], parameters[f"W{number}"], parameters[f"b{number}"], "relu")[0])

        def end(number: int = last, A: Array = inputs[-1], activation: str = "sigmoid") -> Array:
            return layer(A, parameters[f"W{number}"], parameters[f"b{number}"], activation)[0]

        def hidden(names: dict[str, Any]) -> tuple[Array, Any]:
            number = names["layer"]
            return layer(names["A_prev"], parameters[f"W{number}"], parameters[f"b{number}"], "relu")

        return probe.judge(
            "AL",
            probe.run(
                "L_model_forward",
                X,
                parameters,
                linear_activation_forward=layer,
                A=lambda names: hidden(names)[0],
                cache=lambda names: None,
            ),
            end(),
            slips={
                "comes from a ReLU: the last layer has the activation sigmoid": lambda: end(activation="relu"),
                "is computed from X: its input is A, what the last hidden layer gave": lambda: end(A=X),
                "is computed from A_prev, the input of the last hidden layer: its input is A": lambda: end(
                    A=inputs[-2]
                ),
                f"is computed with the parameters of layer {last - 1}: the last layer has W{last} and b{last}": (
                    lambda: end(last - 1)
                ),
            },
        )

    yield trial(4, 3, 5, 1)
    yield trial(3, 3, 3, 3)


def check_cost(probe: Probe) -> Found:
    AL = np.array([[0.9, 0.2, 0.6, 0.3, 0.85]])
    Y = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    m = Y.shape[1]
    ones, zeros = Y * np.log(AL), (1 - Y) * np.log(1 - AL)
    yield probe.judge(
        "cost",
        probe.run("compute_cost", AL, Y),
        F.binary_cross_entropy(td.tensor(AL), td.tensor(Y)).numpy(),
        slips={
            "is a number for each example: add up over the examples": lambda: -(ones + zeros) / m,
            "is a number for each example: take the mean of them": lambda: -(ones + zeros),
            "has Y and AL exchanged: the labels stand in front of the logarithms, the predictions inside": lambda: (
                -(np.mean(AL * np.log(Y) + (1 - AL) * np.log(1 - Y)))
            ),
            "lacks the term of the examples with label 0, (1 - y) log(1 - a)": lambda: -ones.sum() / m,
            "lacks the term of the examples with label 1, y log(a)": lambda: -zeros.sum() / m,
            "subtracts the term (1 - y) log(1 - a): the two terms are added": lambda: -(ones - zeros).sum() / m,
            "has log(a) in both terms: that of label 0 has log(1 - a)": lambda: -np.mean(np.log(AL)),
            "is the mean squared error, not the cross-entropy": lambda: np.mean((AL - Y) ** 2),
        },
        factors={
            "m": Factor(m, "divide by the number of examples", "it is divided by m once too often"),
            "log 2": Factor(float(np.log(2)), "take the natural logarithm", "take np.log, not np.log2"),
            "log 10": Factor(float(np.log(10)), "take the natural logarithm", "take np.log, not np.log10"),
        },
    )


CHECKS = {1: check_sigmoid, 2: check_relu, 3: check_linear, 4: check_hidden, 5: check_last, 6: check_cost}


def altogether(student: dict[str, Any]) -> str:
    """The cost of a network, by the student's functions and by the library's modules."""
    X, parameters = network((4, 5, 3, 1), 6)
    Y = (np.arange(6) % 2.0)[None]
    AL, _ = student["L_model_forward"](X, parameters)
    x = td.tensor(X.T)
    for number in (1, 2, 3):
        x = F.linear(x, td.tensor(parameters[f"W{number}"]), td.tensor(parameters[f"b{number}"][:, 0]))
        x = td.sigmoid(x) if number == 3 else td.relu(x)
    ours, theirs = student["compute_cost"](AL, Y), F.binary_cross_entropy(x, td.tensor(Y.T)).item()
    return f"a network 4-5-3-1 has the cost {ours:.10f}; by tinygrad_dl: {theirs:.10f}"
