"""Filling parameters with start values, in place and outside the graph.

Each function returns the tensor that it was given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl import random
from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.random import Generator

# fmt: off
__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]
# fmt: on


def fill(tensor: Tensor, values: Any, what: str) -> Tensor:
    """Puts values into the tensor's memory."""
    tensor._write(like(np.broadcast_to(values, tensor.shape), tensor, tensor.dtype), what)
    return tensor


def require_floating(tensor: Tensor, what: str) -> None:
    """Raises TypeError for a tensor that can't hold what is drawn."""
    if not is_differentiable(tensor.dtype):
        raise TypeError(
            f"{what}: got a tensor of dtype {tensor.dtype}, expected a floating one; convert it by .float()"
        )


@composition
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers drawn uniformly from [a, b).

    >>> w = td.nn.init.uniform_(td.empty(3, 5), -1.0, 1.0)
    >>> bool((w.abs() <= 1).all())
    True
    """
    if not a <= b:
        raise ValueError(f"uniform_: got a={a} and b={b}, expected a <= b")
    require_floating(tensor, "uniform_")
    values = random.uniform(tensor.shape, tensor.dtype, generator)
    values *= b - a
    values += a
    return fill(tensor, values, "uniform_")


@composition
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers.

    >>> td.nn.init.normal_(td.empty(3, 5), std=0.02).shape
    (3, 5)
    """
    if std < 0:
        raise ValueError(f"normal_: expected std >= 0, got {std}")
    require_floating(tensor, "normal_")
    values = random.gaussian(tensor.shape, tensor.dtype, generator)
    values *= std
    values += mean
    return fill(tensor, values, "normal_")


@composition
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Numbers of a normal distribution cut off at `a` and `b`, exactly, by rejection.

    Drawn until they lie in the interval: from the normal itself, or, where it seldom gives such numbers, uniformly from
    the interval, kept with a probability that is as the density (Robert, 1995, https://arxiv.org/abs/0907.4010).

    Raises:
        ValueError: the interval is empty, std is not positive, or mean or std is not finite.

    >>> w = td.nn.init.trunc_normal_(td.empty(3, 5), a=3.0, b=4.0)
    >>> bool(((w >= 3) & (w <= 4)).all())
    True
    """
    low, high = (a - mean) / std if std > 0 else math.nan, (b - mean) / std if std > 0 else math.nan
    nearest = max(low, min(0.0, high))  # where the density is largest
    if not (a < b and math.isfinite(nearest) and math.isfinite(mean) and std < math.inf):
        raise ValueError(
            f"trunc_normal_: got mean={mean}, std={std}, a={a}, b={b}, expected a < b, finite mean and std, std > 0"
        )
    reach = math.hypot(nearest, 9.5)  # the density further out is 1e-20 of that: no number is drawn there
    low, high = max(low, -reach), min(high, reach)
    # Of how many numbers is one taken? Of normal ones, by the area; of uniform ones, by the area of the density over
    # the box around it. The box is smaller than the whole normal if its width is below sqrt(2 pi) / peak.
    from_box = (high - low) * math.exp(-nearest * nearest / 2) < math.sqrt(2 * math.pi)
    values = np.empty(tensor.numel())
    missing = np.arange(values.size)
    while missing.size:
        if from_box:
            drawn = random.uniform(missing.shape, np.float64, generator) * (high - low) + low
            chance = np.exp((nearest - drawn) * (nearest + drawn) / 2)
            taken = random.uniform(missing.shape, np.float64, generator) < chance
        else:
            drawn = random.gaussian(missing.shape, np.float64, generator)
            taken = (drawn >= low) & (drawn <= high)
        values[missing[taken]] = drawn[taken]
        missing = missing[~taken]
    return fill(tensor, np.clip(values.reshape(tensor.shape) * std + mean, a, b), "trunc_normal_")


@composition
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere.

    >>> td.nn.init.constant_(td.empty(2), 0.3)
    tensor([0.3000, 0.3000])
    """
    return fill(tensor, val, "constant_")


@composition
def ones_(tensor: Tensor) -> Tensor:
    """Ones everywhere.

    >>> td.nn.init.ones_(td.empty(2))
    tensor([1., 1.])
    """
    return fill(tensor, 1, "ones_")


@composition
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros everywhere.

    >>> td.nn.init.zeros_(td.empty(2))
    tensor([0., 0.])
    """
    return fill(tensor, 0, "zeros_")


@composition
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix.

    >>> td.nn.init.eye_(td.empty(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a tensor of 2 dimensions, got shape {tensor.shape}")
    return fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


@composition
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight (out, in, ...) that passes each channel on unchanged, as far as there are channels.

    >>> td.nn.init.dirac_(td.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: expected a tensor of 3, 4 or 5 dimensions, got shape {tensor.shape}")
    if tensor.shape[0] % groups:
        raise ValueError(f"dirac_: got size {tensor.shape[0]} of dimension 0, expected a multiple of groups={groups}")
    values = np.zeros(tensor.shape)
    each = tensor.shape[0] // groups
    centre = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(each, tensor.shape[1])):
            values[(group * each + i, i, *centre)] = 1
    return fill(tensor, values, "dirac_")


def fans(tensor: Tensor, what: str = "_calculate_fan_in_and_fan_out") -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs reach an output of a layer with this weight, and the reverse."""
    if tensor.ndim < 2:
        raise ValueError(
            f"{what}: got a tensor of shape {tensor.shape}, expected a weight of at least 2 dimensions, (out, in, "
            "...); use uniform_ or normal_ for biases"
        )
    area = math.prod(tensor.shape[2:])
    return tensor.shape[1] * area, tensor.shape[0] * area


GAINS = {"tanh": 5 / 3, "relu": 2**0.5, "selu": 3 / 4}
LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")


@composition
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which an activation's layer is to be scaled: 1 for linear, 5/3 for tanh, sqrt(2) for relu.

    Args:
        param: the negative slope of "leaky_relu" (0.01 if None).

    >>> td.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity in LINEAR:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain: expected a number as the negative slope, got {slope!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity in GAINS:
        return GAINS[nonlinearity]
    known = ", ".join([*LINEAR, *GAINS, "leaky_relu"])
    raise ValueError(f"calculate_gain: got nonlinearity {nonlinearity!r}, expected one of {known}")


@composition
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers with the variance gain**2 * 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

    >>> w = td.nn.init.xavier_uniform_(td.empty(3, 3))
    >>> bool((w.abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6.0 / max(1, sum(fans(tensor, "xavier_uniform_"))))
    return uniform_(tensor, -bound, bound, generator)


@composition
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers with the variance gain**2 * 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

    >>> td.nn.init.xavier_normal_(td.empty(3, 5)).shape
    (3, 5)
    """
    std = gain * math.sqrt(2.0 / max(1, sum(fans(tensor, "xavier_normal_"))))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str, what: str) -> float:
    """The standard deviation gain / sqrt(fan); warns of a weight without elements, for which nothing is drawn."""
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"{what}: expected mode 'fan_in' or 'fan_out', got {mode!r}")
    if 0 in tensor.shape:
        warn(f"{what}: got a tensor of shape {tensor.shape}, which has no elements, so that nothing is done")
        return 1.0
    fan = fans(tensor, what)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@composition
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers with the standard deviation gain / sqrt(fan) (He et al., 2015).

    Args:
        a: the negative slope of "leaky_relu".
        mode: "fan_in" keeps the size of values on the way forward, "fan_out" of gradients on the way back.
        nonlinearity: which activation follows, see `calculate_gain`.

    >>> td.nn.init.kaiming_uniform_(td.empty(3, 5), nonlinearity="relu").shape
    (3, 5)
    """
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


@composition
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers with the standard deviation gain / sqrt(fan) (He et al., 2015).

    >>> td.nn.init.kaiming_normal_(td.empty(3, 5), nonlinearity="relu").shape
    (3, 5)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_"), generator)


@composition
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns, whichever are fewer, times `gain`; later dimensions are flattened.

    >>> w = td.nn.init.orthogonal_(td.empty(3, 3, dtype=td.float64))
    >>> td.allclose(w @ w.T, td.eye(3, dtype=td.float64))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected a tensor of at least 2 dimensions, got shape {tensor.shape}")
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    if not rows * columns:
        return tensor
    drawn = random.gaussian((max(rows, columns), min(rows, columns)), np.float64, generator)
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # makes the distribution uniform
    return fill(tensor, (gain * (q if rows >= columns else q.T)).reshape(tensor.shape), "orthogonal_")


@composition
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers; in each column the share `sparsity` (rounded up) is zero.

    >>> w = td.nn.init.sparse_(td.empty(10, 2), sparsity=0.5)
    >>> (w == 0).sum(0)
    tensor([5, 5])
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: expected a tensor of 2 dimensions, got shape {tensor.shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: expected sparsity between 0 and 1, got {sparsity}")
    values = random.gaussian(tensor.shape, tensor.dtype, generator) * std
    order = random.uniform(tensor.shape, np.float64, generator).argsort(axis=0)
    np.put_along_axis(values, order[: math.ceil(sparsity * tensor.shape[0])], 0, axis=0)
    return fill(tensor, values, "sparse_")


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"_calculate_correct_fan: expected mode 'fan_in' or 'fan_out', got {mode!r}")
    return fans(tensor, "_calculate_correct_fan")[mode.lower() == "fan_out"]


def former(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The name that a function had before it got its underscore: it warns, and does the same."""
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Tensor:
        warn(f"nn.init.{old} is deprecated, use nn.init.{new}", FutureWarning)
        return function(*args, **kwargs)

    called.__name__ = called.__qualname__ = old
    called.__doc__ = f"The deprecated name of `{new}`."
    return called


# Not in `__all__`: programs call them.
constant, dirac, eye, normal, uniform = (former(f) for f in (constant_, dirac_, eye_, normal_, uniform_))
kaiming_normal, kaiming_uniform = former(kaiming_normal_), former(kaiming_uniform_)
xavier_normal, xavier_uniform = former(xavier_normal_), former(xavier_uniform_)
orthogonal, sparse = former(orthogonal_), former(sparse_)

# The parts of these functions, which programs call that draw from other distributions.
_calculate_fan_in_and_fan_out = fans
_no_grad_uniform_, _no_grad_normal_, _no_grad_trunc_normal_ = uniform_, normal_, trunc_normal_
_no_grad_fill_, _no_grad_zero_ = constant_, zeros_

public(globals(), "docs/stable/nn.init.html#torch.nn.init.{}")
