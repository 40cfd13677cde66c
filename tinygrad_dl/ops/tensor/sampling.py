"""Methods of Tensor that fill it with random numbers in place, and numbers of distributions by their parameters.

All draw as the functions of `random.py` do: from the default generator or from `generator`, and inside of vmap as its
`randomness` says. In half precision the numbers are drawn in float32 and rounded.
"""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.dtypes import as_dtype, finfo
from tinygrad_dl.core.promotion import is_floating
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.core.warning import warn
from tinygrad_dl.creation import finish
from tinygrad_dl.ops._overload import method
from tinygrad_dl.random import (
    Generator,
    beside,
    converted,
    draw,
    gaussian,
    require_probabilities,
    rng_of,
    significant_bits,
    uniform,
)


def _filled(tensor: Tensor, numbers: Any, what: str) -> Tensor:
    """The tensor with the drawn numbers in it."""
    filled: Tensor = tensor._assign(
        finish(converted(beside(numbers, tensor), tensor.dtype), what, {"device": tensor.device}), what
    )
    return filled


def _require(name: str, what: str, value: float, fits: bool, expected: str) -> None:
    if not fits:
        raise ValueError(f"{name}: got {what}={value}, expected {expected}")


def _continuous(tensor: Tensor, name: str, complexes: bool = False) -> Any:
    """The dtype of a tensor that is to hold numbers of a continuous distribution."""
    if not is_floating(tensor.dtype) and not (complexes and tensor.dtype.is_complex):
        raise TypeError(f"{name}: got a tensor of dtype {tensor.dtype}, expected a floating one; make one by .float()")
    return tensor.dtype


@method
def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers drawn uniformly from [from_, to), in place; returns it. Of complex ones each part.

    Args:
        from_: the lower bound, PyTorch's `from`, which is a keyword of Python.
        to: the upper bound.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is neither floating nor complex. ValueError: `from_` is above `to`, or too far from it.

    >>> import tinygrad_dl as td
    >>> x = td.empty(2, 3).uniform_(-1, 1)
    >>> bool(((x >= -1) & (x < 1)).all())
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.uniform_.html
    """
    dtype = _continuous(self, "uniform_", complexes=True)
    if not from_ <= to:
        raise ValueError(f"uniform_: got from_={from_} and to={to}, expected from_ <= to")
    most = finfo(dtype).max
    if not -most <= from_ <= to <= most or to - from_ > most:
        raise ValueError(
            f"uniform_: got from_={from_} and to={to}, expected bounds between which dtype {self.dtype} holds the "
            f"distance, at most {most:g}"
        )
    lowest = complex(from_, from_) if dtype.is_complex else from_
    return _filled(self, uniform(self.shape, dtype, generator) * (to - from_) + lowest, "uniform_")


@method
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of the normal distribution, in place; returns it.

    Args:
        mean: the mean.
        std: the standard deviation, 0 or more. Of complex numbers each part has a variance of std**2 / 2.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is neither floating nor complex. ValueError: `std` is below 0.

    >>> import tinygrad_dl as td
    >>> td.empty(3).normal_(5.0, 0.0)
    tensor([5., 5., 5.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.normal_.html
    """
    dtype = _continuous(self, "normal_", complexes=True)
    _require("normal_", "std", std, std >= 0, "a number of 0 or more")
    return _filled(self, gaussian(self.shape, dtype, generator) * std + mean, "normal_")


@method
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor, of any dtype, with ones, each with the probability p, and zeros, in place; returns it.

    Args:
        p: a probability, or a tensor of probabilities that broadcasts to this one.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> import tinygrad_dl as td
    >>> td.empty(3).bernoulli_(td.tensor([0.0, 1.0, 1.0]))
    tensor([0., 1., 1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.bernoulli_.html
    """
    if isinstance(p, Tensor):
        require_probabilities(p._data if is_known(p) else p, "bernoulli_")
        return _filled(self, beside(uniform(self.shape, np.float32, generator, p), p) < p.detach(), "bernoulli_")
    _require("bernoulli_", "p", p, 0 <= p <= 1, "a probability between 0 and 1")
    return _filled(self, uniform(self.shape, np.float32, generator) < p, "bernoulli_")


@method
def random_(self: Tensor, from_: int | None = None, to: Any = ..., *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with integers drawn uniformly from [from_, to), in place; returns it.

    `random_(to)` draws from [0, to). Without an upper bound the integers go up to the largest of an integer dtype, and
    as far as all are exact in a floating one: 2**24 (float32), 2**53 (float64), 2**11 (float16), 2**8 (bfloat16).

    Args:
        from_: the lower bound, PyTorch's `from`, which is a keyword of Python.
        to: the upper bound, which is not drawn itself; None for that of the dtype.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is complex. ValueError: `from_` is not below `to`, or the dtype cannot hold them.
        A floating dtype that holds them, but not all integers between them, gives a warning.

    >>> import tinygrad_dl as td
    >>> td.empty(100).random_(3).unique()
    tensor([0., 1., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.random_.html
    """
    dtype, drawn = as_dtype(self.dtype), np.dtype(np.int64)
    if dtype.kind in "iu":
        drawn, lowest, end = dtype, int(np.iinfo(dtype).min), int(np.iinfo(dtype).max) + 1
    elif dtype.kind == "b":
        lowest, end = 0, 2
    else:
        _continuous(self, "random_")
        end = 2 ** significant_bits(dtype) + 1
        lowest = -end + 1
    if to is ...:  # one bound is the upper one
        from_, to = None, from_
    low, high = 0 if from_ is None else index(from_), end if to is None else index(to)
    if not low < high:
        raise ValueError(f"random_: got from_={low} and to={high}, expected from_ < to")
    if low < lowest or high > end:
        _require_held(self, low, high, lowest, end)
    return _filled(
        self, draw(lambda rng, whole: rng.integers(low, high, whole, drawn), self.shape, generator), "random_"
    )


def _require_held(tensor: Tensor, low: int, high: int, lowest: int, end: int) -> None:
    """Bounds that lie beyond the integers which a dtype holds exactly: floating ones may hold some of them."""
    got = f"random_: got from_={low} and to={high}, "
    exact = f"from {lowest} to {end}, whose integers dtype {tensor.dtype} holds exactly"
    if not tensor.is_floating_point() or max(-low, high - 1) > min(int(finfo(tensor.dtype).max), 2**63 - 1):
        raise ValueError(f"{got}expected bounds {exact}")
    warn(f"{got}of which some integers are rounded; expected bounds {exact}")


@method
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of the exponential distribution, in place; returns it.

    Their density is lambd * exp(-lambd * x) for x > 0.

    Args:
        lambd: the rate, above 0.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is not floating. ValueError: `lambd` is not above 0.

    >>> import tinygrad_dl as td
    >>> bool((td.empty(3).exponential_(2.0) >= 0).all())
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.exponential_.html
    """
    _continuous(self, "exponential_")
    _require("exponential_", "lambd", lambd, lambd > 0, "a rate above 0")
    numbers = draw(lambda rng, whole: rng.standard_exponential(whole), self.shape, generator) * (1 / lambd)
    return _filled(self, numbers, "exponential_")


@method
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of the geometric distribution, in place; returns it.

    Each is the number of trials up to the first success, 1 or more: k has the probability (1 - p)**(k - 1) * p.

    Args:
        p: the probability of a success in one trial, above 0 and below 1.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> import tinygrad_dl as td
    >>> bool((td.empty(3).geometric_(0.5) >= 1).all())
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.geometric_.html
    """
    _require("geometric_", "p", p, 0 < p < 1, "a probability between 0 and 1")
    return _filled(self, draw(lambda rng, whole: rng.geometric(p, whole), self.shape, generator), "geometric_")


@method
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers whose logarithms are normally distributed, in place; returns it.

    Args:
        mean: the mean of the logarithms.
        std: the standard deviation of the logarithms, above 0.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is not floating. ValueError: `std` is not above 0.

    >>> import tinygrad_dl as td
    >>> bool((td.empty(3).log_normal_() > 0).all())
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.log_normal_.html
    """
    dtype = _continuous(self, "log_normal_")
    _require("log_normal_", "std", std, std > 0, "a number above 0")
    return _filled(self, np.exp(gaussian(self.shape, dtype, generator) * std + mean), "log_normal_")


@method
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of the Cauchy distribution, in place; returns it.

    Their density is sigma / (pi * ((x - median)**2 + sigma**2)).

    Args:
        median: where the density is largest.
        sigma: the scale, above 0.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: the tensor is not floating. ValueError: `sigma` is not above 0.

    >>> import tinygrad_dl as td
    >>> td.empty(2, 3).cauchy_(1.0, 0.5).shape
    (2, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.cauchy_.html
    """
    _continuous(self, "cauchy_")
    _require("cauchy_", "sigma", sigma, sigma > 0, "a number above 0")
    numbers = draw(lambda rng, whole: rng.standard_cauchy(whole), self.shape, generator) * sigma + median
    return _filled(self, numbers, "cauchy_")


@composition
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of the Poisson distribution with the rates that `input` holds, in its dtype; they have no gradient.

    Args:
        input: rates, 0 or more.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: `input` is not floating. ValueError: a rate is negative or not finite.

    >>> td.poisson(td.tensor([0.0, 0.0]))
    tensor([0., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.poisson.html
    """
    dtype, (rates,) = _continuous(input, "poisson"), _parameters("poisson", input)
    if not ((rates >= 0) & np.isfinite(rates)).all():
        raise ValueError("poisson: got a rate below 0 or not finite, expected finite numbers of 0 or more")
    return finish(np.asarray(rng_of(generator).poisson(rates), dtype), "poisson", {})


@composition
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of successes in `count` trials, each with the probability `prob`; they have no gradient.

    Args:
        count, prob: floating tensors whose shapes broadcast.
        generator: where the random numbers come from; the default generator if None.

    Raises:
        TypeError: they are not floating. ValueError: a count is negative, or a probability not between 0 and 1.

    >>> td.binomial(td.tensor([3.0, 3.0]), td.tensor([0.0, 1.0]))
    tensor([0., 3.])

    Source: https://docs.pytorch.org/docs/stable/distributions.html#binomial
    """
    _continuous(prob, "binomial")
    dtype, (number, chance) = _continuous(count, "binomial"), _parameters("binomial", count, prob)
    require_probabilities(chance, "binomial")
    if not ((number >= 0) & np.isfinite(number)).all():
        raise ValueError("binomial: got a count below 0 or not finite, expected finite numbers of 0 or more")
    return finish(np.asarray(rng_of(generator).binomial(number.astype(np.int64), chance), dtype), "binomial", {})


def _parameters(name: str, *tensors: Tensor) -> list[Any]:
    """The values of a distribution's parameters, in float64."""
    if not all(map(is_known, tensors)):
        raise RuntimeError(f"{name}: got a tensor inside of a transform, expected one outside: its values are needed")
    return [each._data.astype(np.float64) for each in tensors]
