"""class Distribution: what all distributions can do, and the check of parameters and values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from tinygrad_dl.core.modes import no_grad
from tinygrad_dl.core.promotion import default
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import as_tensor
from tinygrad_dl.distributions.constraints import Constraint
from tinygrad_dl.ops.shape.expand import broadcast_tensors

EPSILON = 1.1920929e-07  # of float32: how near a probability may come to 0 and 1


class Distribution:
    """The base of all distributions.

    A subclass sets its parameters as attributes, says in `arg_constraints` what they must be and in `made_of` which it
    can be made of again, and defines `rsample` (or `sample`) and `log_prob`.

    Args:
        batch_shape: the shape of the distributions that the parameters stand for.
        event_shape: the shape of one draw.
        validate_args: False leaves out the checks of parameters and values.

    Raises:
        ValueError: a parameter does not fulfil its constraint.
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    made_of: tuple[str, ...] = ()
    _validate = True

    def __init__(
        self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None
    ) -> None:
        self.batch_shape, self.event_shape = Size(batch_shape), Size(event_shape)
        self.validate_args = Distribution._validate if validate_args is None else validate_args
        if self.validate_args:
            for name in self.made_of:
                self._require(name, getattr(self, name), self.arg_constraints[name])

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Sets whether distributions check their parameters and values where `validate_args` does not say it."""
        Distribution._validate = value

    def _require(self, name: str, value: Tensor, constraint: Constraint) -> None:
        holds = constraint.check(value)
        if not bool(holds.all()):
            wrong = value[~holds].flatten()[:3].tolist()
            raise ValueError(
                f"{type(self).__name__}: got {name} of shape {tuple(value.shape)} with {', '.join(map(str, wrong))}, "
                f"expected {constraint}; pass validate_args=False to go on without this check"
            )

    def _checked(self, given: Any) -> Tensor:
        """A value as a tensor that lies in the support and broadcasts with the batch."""
        value: Tensor = as_tensor(given)
        shape, own = value.shape, (*self.batch_shape, *self.event_shape)
        if any(a != b and 1 not in (a, b) for a, b in zip(reversed(shape), reversed(own), strict=False)) or (
            self.event_shape and shape[-len(self.event_shape) :] != self.event_shape
        ):
            raise ValueError(
                f"{type(self).__name__}: got a value of shape {tuple(shape)}, expected one that broadcasts with "
                f"batch_shape + event_shape = {own}"
            )
        if self.validate_args:
            self._require("a value", value, self.support)
        return value

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    @property
    def support(self) -> Constraint:
        """The values that can be drawn."""
        raise NotImplementedError(f"{type(self).__name__}: support is not defined")

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__}: mean is not defined")

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise NotImplementedError(f"{type(self).__name__}: mode is not defined")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__}: variance is not defined")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws, without a graph: `sample_shape` draws of the whole batch."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws as a function of the parameters, which gradients go through."""
        raise NotImplementedError(
            f"{type(self).__name__}: rsample is not defined: draws are no differentiable function of the parameters; "
            f"use sample() and log_prob()"
        )

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or probability, of a value: one number for each event."""
        raise NotImplementedError(f"{type(self).__name__}: log_prob is not defined")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw of at most this value."""
        raise NotImplementedError(f"{type(self).__name__}: cdf is not defined")

    def icdf(self, value: Tensor) -> Tensor:
        """The value that a draw stays below with this probability."""
        raise NotImplementedError(f"{type(self).__name__}: icdf is not defined")

    def entropy(self) -> Tensor:
        """The expected value of -log_prob."""
        raise NotImplementedError(f"{type(self).__name__}: entropy is not defined")

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """The same distribution for a larger batch, to which the parameters are expanded as views."""
        parameters = {}
        for name in self.made_of:
            value, dims = getattr(self, name), self.arg_constraints[name].event_dim
            parameters[name] = value.expand(*batch_shape, *value.shape[value.ndim - dims :])
        return type(self)(**parameters, validate_args=False)

    def __repr__(self) -> str:
        shown = [
            f"{name}: {value.item() if value.numel() == 1 else tuple(value.shape)}"
            for name, value in ((name, getattr(self, name)) for name in self.made_of)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the dtype of the first tensor, or the default one."""
    known = next((value.dtype for value in values if isinstance(value, Tensor)), default.dtype)
    return broadcast_tensors(*(v if isinstance(v, Tensor) else as_tensor(v, dtype=known) for v in values))
