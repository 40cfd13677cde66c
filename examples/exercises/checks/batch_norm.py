"""Checks of batch normalisation, against the library's operations and difference quotients of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from checker import Probe, Result
from compare import Array, Difference, Factor, differences

import tinygrad_dl as td
from checks.forward import Found
from tinygrad_dl.testing import gradcheck

F = td.nn.functional
MOMENTUM, EPSILON = 0.8, 0.1  # an epsilon so large that its place matters


class Batch:
    """A batch of 5 examples of 3 units, and all that the forward and the backward pass make of it."""

    def __init__(self, units: int = 3, m: int = 5):
        rng = np.random.default_rng(4)
        self.m = m
        self.Z = rng.standard_normal((units, m)) * [[2.0]] + 1.5
        self.gamma, self.beta = rng.uniform(0.5, 2.0, (units, 1)), rng.standard_normal((units, 1))
        self.running_mean, self.running_var = rng.standard_normal((units, 1)), rng.uniform(0.5, 2.0, (units, 1))
        self.dZ_tilde = rng.standard_normal((units, m))
        z = td.tensor(self.Z)
        self.mu = z.mean(1, keepdim=True).numpy()
        self.var = z.var(1, correction=0, keepdim=True).numpy()
        self.root = np.sqrt(self.var + EPSILON)
        self.Z_norm = self.forward(gamma=np.ones((units, 1)), beta=np.zeros((units, 1)))
        self.cache = (self.Z, self.Z_norm, self.mu, self.var, self.gamma, EPSILON)
        self.dZ_norm = self.dZ_tilde * self.gamma
        self.dvar = differences(lambda var: self.normal_part(self.mu, var), self.var)
        self.dmu = differences(lambda mu: self.normal_part(mu, self.var), self.mu)

    def forward(self, Z: Array | None = None, gamma: Array | None = None, beta: Array | None = None) -> Array:
        """The library's batch normalisation, with rows as units."""
        z, scale, shift = (
            td.tensor(own if given is None else given)
            for own, given in ((self.Z, Z), (getattr(self, "gamma", None), gamma), (getattr(self, "beta", None), beta))
        )
        return F.batch_norm(z.T, None, None, scale[:, 0], shift[:, 0], training=True, eps=EPSILON).T.numpy()

    def normal_part(self, mu: Array, var: Array) -> float:
        """What the cost would be if mu and var were numbers of their own."""
        return float(np.sum(self.dZ_norm * (self.Z - mu) / np.sqrt(var + EPSILON)))

    def run(self, probe: Probe, *left_out: str) -> Result:
        right = {name: getattr(self, name) for name in ("mu", "var", "Z_norm")}
        right |= {"Z_tilde": self.forward(), "running_mean": self.mu, "running_var": self.var}
        given = {name: value for name, value in right.items() if name not in left_out}
        arguments = (self.Z, self.gamma, self.beta, self.running_mean, self.running_var, MOMENTUM, EPSILON)
        return probe.run("batch_norm_forward", *arguments, **given)

    def run_back(self, probe: Probe, left_out: str) -> Result:
        right = {name: getattr(self, name) for name in ("dZ_norm", "dvar", "dmu")}
        right |= {"dgamma": self.gamma, "dbeta": self.beta, "dZ": self.Z}
        del right[left_out]
        return probe.run("batch_norm_backward", self.dZ_tilde, self.cache, **right)


def by_m(m: int) -> dict[str, Factor]:
    return {"m": Factor(m, "divide by the number of examples", "it is divided by m once too often")}


def summed(m: int) -> dict[str, Factor]:
    return {"m": Factor(m, "it is multiplied by m", "add up over the examples, do not average: no 1/m here")}


def over_the_batch(value: Array, what: str) -> dict[str, Any]:
    """Slips of a sum (or mean) over the examples."""
    return {
        f"{what} over the units (axis=0): take the examples, axis=1, keepdims=True": lambda: value.sum(
            0, keepdims=True
        ),
        f"{what} over the units (axis=0); take the examples, axis=1, keepdims=True": lambda: value.sum(0),
        f"{what} over everything: take the examples alone, axis=1, keepdims=True": lambda: value.sum(),
    }


def check_mu(probe: Probe) -> Found:
    batch = Batch()
    Z, m = batch.Z, batch.m
    slips = over_the_batch(Z / len(Z), "is the mean") | {
        "is the mean over everything: take the examples alone, axis=1, keepdims=True": lambda: Z.mean(),
    }
    yield probe.judge("mu", batch.run(probe, "mu"), batch.mu, slips=slips, factors=by_m(m))


def check_var(probe: Probe) -> Found:
    batch = Batch()
    Z, mu, m = batch.Z, batch.mu, batch.m
    yield probe.judge(
        "var",
        batch.run(probe, "var"),
        batch.var,
        slips={
            "is the standard deviation: the root is taken later": lambda: np.sqrt(batch.var),
            "is divided by m - 1: here the average over m is meant; m - 1 belongs to the running average": lambda: (
                Z.var(axis=1, ddof=1, keepdims=True)
            ),
            "is the mean of Z^2: subtract mu first": lambda: np.mean(Z**2, axis=1, keepdims=True),
            "is the mean deviation, which is 0: take the square of Z - mu": lambda: np.mean(
                Z - mu, axis=1, keepdims=True
            ),
            "is the mean absolute deviation: take squares": lambda: np.mean(np.abs(Z - mu), axis=1, keepdims=True),
            "is the variance over the units (axis=0): take the examples, axis=1, keepdims=True": lambda: Z.var(
                axis=0, keepdims=True
            ),
            "is the variance over the units (axis=0); take the examples, axis=1, keepdims=True": lambda: Z.var(axis=0),
            "is the variance over everything: take the examples alone, axis=1, keepdims=True": lambda: Z.var(),
            "is not averaged over the examples: take the mean over axis=1": lambda: (Z - mu) ** 2,
        },
        factors=by_m(m),
    )


def normalised(batch: Batch, mean: Array, variance: Array) -> dict[str, Any]:
    """What slips make of (Z - mean) / sqrt(variance + epsilon)."""
    centred = batch.Z - mean
    return {
        "is divided by the variance: divide by its root": centred / (variance + EPSILON),
        "has epsilon outside the root: it is sqrt(variance + epsilon)": centred / (np.sqrt(variance) + EPSILON),
        "lacks epsilon: it is sqrt(variance + epsilon)": centred / np.sqrt(variance),
        "lacks the mean: subtract it from Z": batch.Z / np.sqrt(variance + EPSILON),
        "is Z - mean: divide by sqrt(variance + epsilon)": centred,
        "is multiplied by the root: divide by it": centred * np.sqrt(variance + EPSILON),
        "divides the mean alone: put parentheses around Z - mean": batch.Z - mean / np.sqrt(variance + EPSILON),
        "subtracts epsilon: add it to the variance": centred / np.sqrt(np.maximum(variance - EPSILON, 1e-12)),
        "has epsilon^2 in the root: add epsilon": centred / np.sqrt(variance + EPSILON**2),
    }


def check_Z_norm(probe: Probe) -> Found:
    batch = Batch()
    slips = {text: lambda value=value: value for text, value in normalised(batch, batch.mu, batch.var).items()}
    yield probe.judge("Z_norm", batch.run(probe, "Z_norm"), batch.Z_norm, slips=slips)


def check_Z_tilde(probe: Probe) -> Found:
    batch = Batch()
    gamma, beta, Z_norm = batch.gamma, batch.beta, batch.Z_norm
    yield probe.judge(
        "Z_tilde",
        batch.run(probe, "Z_tilde"),
        batch.forward(),
        slips={
            "has gamma and beta exchanged: gamma scales, beta shifts": lambda: beta * Z_norm + gamma,
            "scales beta too: gamma * Z_norm + beta, without parentheses": lambda: gamma * (Z_norm + beta),
            "is made of Z: scale and shift Z_norm": lambda: gamma * batch.Z + beta,
            "lacks gamma": lambda: Z_norm + beta,
            "is divided by gamma: multiply": lambda: Z_norm / gamma + beta,
        },
        terms={"beta": lambda: beta},
    )


def check_running(probe: Probe) -> Found:
    batch = Batch()
    m = batch.m
    result = batch.run(probe, "running_mean", "running_var")

    def slips(old: Array, new: Array, of: str) -> dict[str, Any]:
        rest = 1 - MOMENTUM
        return {
            f"has the weights exchanged: momentum belongs to the old average, 1 - momentum to {of}": lambda: (
                rest * old + MOMENTUM * new
            ),
            f"has no factor 1 - momentum at {of}": lambda: MOMENTUM * old + new,
            "has no factor momentum at the old average": lambda: old + rest * new,
            f"is {of} of this batch alone: average it with what was there": lambda: new,
            "is what it was before": lambda: old,
            "forgets the old average": lambda: rest * new,
        }

    unbiased = batch.var * m / (m - 1)
    mean = probe.judge(
        "running_mean",
        result,
        MOMENTUM * batch.running_mean + (1 - MOMENTUM) * batch.mu,
        slips=slips(batch.running_mean, batch.mu, "mu"),
    )
    biased = {
        f"{text}; and var is not multiplied by m / (m - 1)": value
        for text, value in slips(batch.running_var, batch.var, "var").items()
    }
    var = probe.judge(
        "running_var",
        result,
        MOMENTUM * batch.running_var + (1 - MOMENTUM) * unbiased,
        slips={
            "has the batch's variance as it is: multiply it by m / (m - 1), which makes it unbiased": lambda: (
                MOMENTUM * batch.running_var + (1 - MOMENTUM) * batch.var
            ),
            "is multiplied by (m - 1) / m: it is m / (m - 1)": lambda: (
                MOMENTUM * batch.running_var + (1 - MOMENTUM) * batch.var * (m - 1) / m
            ),
            "averages the standard deviation: average the variance": lambda: (
                MOMENTUM * batch.running_var + (1 - MOMENTUM) * np.sqrt(unbiased)
            ),
            **slips(batch.running_var, unbiased, "var m / (m - 1)"),
            **biased,
        },
    )
    yield mean
    yield var


def check_test_time(probe: Probe) -> Found:
    def trial(m: int) -> Difference | None:
        batch = Batch(m=m)
        arguments = (batch.Z, batch.gamma, batch.beta, batch.running_mean, batch.running_var, EPSILON)
        mean, var = (td.tensor(x[:, 0]) for x in (batch.running_mean, batch.running_var))
        scale, shift = (td.tensor(x[:, 0]) for x in (batch.gamma, batch.beta))
        want = F.batch_norm(td.tensor(batch.Z.T), mean, var, scale, shift, training=False, eps=EPSILON).T.numpy()
        slips = {
            f"{text} (variance and mean are the running ones here)": (
                lambda value=value: batch.gamma * value + batch.beta
            )
            for text, value in normalised(batch, batch.running_mean, batch.running_var).items()
        }
        centred = (batch.Z - batch.running_mean) / np.sqrt(batch.running_var + EPSILON)
        return probe.judge(
            "Z_tilde",
            probe.run("batch_norm_at_test_time", *arguments),
            want,
            slips={
                "is normalised with the mean and variance of these examples: at test time take the running averages": (
                    lambda: batch.forward() if m > 1 else batch.beta + 0 * batch.Z
                ),
                "has the mean of these examples: take running_mean": lambda: (
                    batch.gamma * (batch.Z - batch.mu) / np.sqrt(batch.running_var + EPSILON) + batch.beta
                ),
                "has the variance of these examples: take running_var": lambda: (
                    batch.gamma * (batch.Z - batch.running_mean) / batch.root + batch.beta
                ),
                "is not scaled and shifted: gamma * Z_norm + beta": lambda: centred,
                "lacks gamma": lambda: centred + batch.beta,
                "has gamma and beta exchanged: gamma scales, beta shifts": lambda: batch.beta * centred + batch.gamma,
                **slips,
            },
            terms={"beta": lambda: batch.beta},
        )

    yield trial(5)
    yield trial(2)


def check_dgamma(probe: Probe) -> Found:
    batch = Batch()
    terms = batch.dZ_tilde * batch.Z_norm
    want = differences(lambda gamma: np.sum(batch.dZ_tilde * batch.forward(gamma=gamma)), batch.gamma)
    slips = over_the_batch(terms, "is added up") | {
        "is made of Z: gamma multiplies Z_norm, so its gradient is the sum of dZ_tilde * Z_norm": lambda: np.sum(
            batch.dZ_tilde * batch.Z, axis=1, keepdims=True
        ),
        "is the gradient of beta: gamma multiplies Z_norm, so that stands in its gradient": lambda: np.sum(
            batch.dZ_tilde, axis=1, keepdims=True
        ),
        "is not added up over the examples: sum over axis=1, keepdims=True": lambda: terms,
    }
    yield probe.judge("dgamma", batch.run_back(probe, "dgamma"), want, slips=slips, factors=summed(batch.m))


def check_dbeta(probe: Probe) -> Found:
    batch = Batch()
    want = differences(lambda beta: np.sum(batch.dZ_tilde * batch.forward(beta=beta)), batch.beta)
    slips = over_the_batch(batch.dZ_tilde, "is added up") | {
        "is the gradient of gamma: beta is added, so its gradient is the sum of dZ_tilde alone": lambda: np.sum(
            batch.dZ_tilde * batch.Z_norm, axis=1, keepdims=True
        ),
        "is not added up over the examples: sum over axis=1, keepdims=True": lambda: batch.dZ_tilde,
    }
    yield probe.judge("dbeta", batch.run_back(probe, "dbeta"), want, slips=slips, factors=summed(batch.m))


def check_dZ_norm(probe: Probe) -> Found:
    batch = Batch()
    beta = td.tensor(batch.beta)
    z_norm = td.tensor(batch.Z_norm, requires_grad=True)
    out = td.tensor(batch.gamma) * z_norm + beta
    (want,) = td.autograd.grad(out, z_norm, td.tensor(batch.dZ_tilde))
    yield probe.judge(
        "dZ_norm",
        batch.run_back(probe, "dZ_norm"),
        want.numpy(),
        slips={
            "lacks gamma: Z_tilde = gamma * Z_norm + beta": lambda: batch.dZ_tilde,
            "is divided by gamma: multiply": lambda: batch.dZ_tilde / batch.gamma,
            "is multiplied by Z_norm: that is for dgamma; here multiply by gamma": lambda: (
                batch.dZ_tilde * batch.Z_norm
            ),
            "is gamma alone: multiply by dZ_tilde": lambda: batch.gamma + 0 * batch.Z,
            "is divided by the root of the variance: that is on the path to dZ": lambda: (
                batch.dZ_tilde * batch.gamma / batch.root
            ),
        },
    )


def check_dvar(probe: Probe) -> Found:
    batch = Batch()
    power = (batch.var + EPSILON) ** -1.5
    terms = -0.5 * batch.dZ_norm * (batch.Z - batch.mu) * power

    def total(value: Array) -> Any:
        return lambda: value.sum(axis=1, keepdims=True)

    slips = over_the_batch(terms, "is added up") | {
        "is not added up over the examples: sum over axis=1, keepdims=True": lambda: terms,
        "has the power -1/2: the derivative of (var + epsilon)^(-1/2) has the power -3/2": total(
            -0.5 * batch.dZ_norm * (batch.Z - batch.mu) / batch.root
        ),
        "has the power +3/2: it is -3/2": total(-0.5 * batch.dZ_norm * (batch.Z - batch.mu) / power),
        "lacks epsilon: (var + epsilon)^(-3/2)": total(-0.5 * batch.dZ_norm * (batch.Z - batch.mu) * batch.var**-1.5),
        "is made of Z: it is dZ_norm (Z - mu)": total(-0.5 * batch.dZ_norm * batch.Z * power),
        "is made of Z_norm: it is dZ_norm (Z - mu)": total(-0.5 * batch.dZ_norm * batch.Z_norm * power),
        "is made of dZ_tilde: take dZ_norm, which has gamma in it": total(
            -0.5 * batch.dZ_tilde * (batch.Z - batch.mu) * power
        ),
        "lacks the factor Z - mu": total(-0.5 * batch.dZ_norm * power),
    }
    two = Factor(2.0, "the power -1/2 comes down as a factor 1/2", "the factor 1/2 stands there once")
    yield probe.judge(
        "dvar", batch.run_back(probe, "dvar"), batch.dvar, slips=slips, factors={"2": two, **summed(batch.m)}
    )


def check_dmu(probe: Probe) -> Found:
    batch = Batch()
    terms = -batch.dZ_norm / batch.root
    slips = over_the_batch(terms, "is added up") | {
        "is not added up over the examples: sum over axis=1, keepdims=True": lambda: terms,
        "is divided by the variance: divide by its root, sqrt(var + epsilon)": lambda: (
            -np.sum(batch.dZ_norm / (batch.var + EPSILON), axis=1, keepdims=True)
        ),
        "is multiplied by the root: divide by sqrt(var + epsilon)": lambda: (
            -np.sum(batch.dZ_norm * batch.root, axis=1, keepdims=True)
        ),
        "lacks the division by sqrt(var + epsilon)": lambda: -np.sum(batch.dZ_norm, axis=1, keepdims=True),
        "lacks epsilon: divide by sqrt(var + epsilon)": lambda: (
            -np.sum(batch.dZ_norm / np.sqrt(batch.var), axis=1, keepdims=True)
        ),
        "is made of dZ_tilde: take dZ_norm, which has gamma in it": lambda: (
            -np.sum(batch.dZ_tilde / batch.root, axis=1, keepdims=True)
        ),
    }
    yield probe.judge("dmu", batch.run_back(probe, "dmu"), batch.dmu, slips=slips, factors=summed(batch.m))


def check_dZ(probe: Probe) -> Found:
    batch = Batch()
    want = differences(lambda Z: np.sum(batch.dZ_tilde * batch.forward(Z)), batch.Z)
    direct, by_var, by_mu = (
        batch.dZ_norm / batch.root,
        batch.dvar * 2 * (batch.Z - batch.mu) / batch.m,
        batch.dmu / batch.m,
    )
    yield probe.judge(
        "dZ",
        batch.run_back(probe, "dZ"),
        want,
        slips={
            "has one path only, Z itself: Z acts through var and through mu too": lambda: direct + 0 * batch.Z,
            "is made of dZ_tilde: take dZ_norm, which has gamma in it": lambda: (
                batch.dZ_tilde / batch.root + by_var + by_mu
            ),
            "has dZ_norm undivided on the first path: divide it by sqrt(var + epsilon)": lambda: (
                batch.dZ_norm + by_var + by_mu
            ),
            "has Z in place of Z - mu on the path through var": lambda: (
                direct + batch.dvar * 2 * batch.Z / batch.m + by_mu
            ),
        },
        terms={
            "dvar 2 (Z - mu) / m, the path through var": lambda: by_var,
            "dmu / m, the path through mu": lambda: by_mu,
            "dZ_norm / sqrt(var + epsilon), the path of Z itself": lambda: direct,
        },
    )


CHECKS = {
    1: check_mu,
    2: check_var,
    3: check_Z_norm,
    4: check_Z_tilde,
    5: check_running,
    6: check_test_time,
    7: check_dgamma,
    8: check_dbeta,
    9: check_dZ_norm,
    10: check_dvar,
    11: check_dmu,
    12: check_dZ,
}


def altogether(student: dict[str, Any]) -> str:
    """gradcheck of a function whose two passes are the student's, and its running averages beside the layer's."""
    batch = Batch(units=4, m=6)

    class Normalise(td.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: td.Tensor) -> td.Tensor:
            Z, gamma, beta = (tensor.numpy() for tensor in tensors)
            out, *_, ctx.cache = student["batch_norm_forward"](Z, gamma, beta, batch.running_mean, batch.running_var)
            return td.tensor(out)

        @staticmethod
        def backward(ctx: Any, g: td.Tensor) -> tuple[td.Tensor, ...]:
            return tuple(td.tensor(array) for array in student["batch_norm_backward"](g.numpy(), ctx.cache))

    tensors = [td.tensor(x, requires_grad=True) for x in (batch.Z, batch.gamma, batch.beta)]
    checked = gradcheck(Normalise.apply, tensors, names=["Z", "gamma", "beta"], raise_exception=False)
    layer = td.nn.BatchNorm1d(4, dtype=td.float64)
    mean, var = np.zeros((4, 1)), np.ones((4, 1))
    for scale in range(1, 6):
        layer(td.tensor(scale * batch.Z.T))
        _, mean, var, _ = student["batch_norm_forward"](scale * batch.Z, batch.gamma, batch.beta, mean, var)
    far = max(
        np.abs(mean[:, 0] - layer.running_mean.numpy()).max(), np.abs(var[:, 0] - layer.running_var.numpy()).max()
    )
    return (
        f"gradcheck: {checked.summary if checked else checked}; running averages beside nn.BatchNorm1d: {far:.0e} apart"
    )
