"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import is_array, module_of
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import require_constants
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import is_known
from tinygrad_dl.core.warning import warn
from tinygrad_dl.creation import ones_like
from tinygrad_dl.inputs import drawn, real
from tinygrad_dl.random import Generator, beside, draw


@op(
    promote=False,
    kind="elementwise",
    keeps_format=True,
    linear=("input",),
    name="dropout",
    namespace="rules",
    inputs={
        "input": real(),
        "factors": drawn(lambda rng, input: np.asarray(rng.integers(0, 2, input.shape) * 2, input.dtype)),
    },
    reference=lambda input, factors: input * factors,
)
def masked(input: Array, factors: Array) -> Array:
    """input * factors, where the factors (0 or 1 / (1 - p)) are constants: the node that dropout records."""
    return input * factors


masked.vjp(input=lambda g, factors: g * factors, factors=None)


def keep_factors(shape: tuple[int, ...], p: float, input: Any, generator: Generator | None) -> Any:
    """Zeros with probability p, else 1 / (1 - p): an array; inside of vmap what its randomness says.

    One raw number of the generator serves eight elements when p is a multiple of 1/256, else four, with p
    rounded to 1/65536: three times faster than a float for each.
    """
    return beside(draw(_factors, shape, generator, p, input.dtype), input)


def _factors(rng: np.random.Generator, shape: tuple[int, ...], p: float, dtype: Any) -> np.ndarray:
    few = (p * 256).is_integer()
    width, steps = (8, 256) if few else (4, 65536)
    size = 1
    for n in shape:
        size *= n
    raw = rng.bit_generator.random_raw(size // width + 1)
    draws: Any = raw.view(np.uint8 if few else np.uint16)[:size]
    factors: np.ndarray = np.multiply(draws >= round(p * steps), dtype.type(1 / (1 - p)))
    return factors.reshape(shape)


@composition
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """In training, zeroes each element with probability `p` and scales the others by 1 / (1 - p).

    Args:
        p: between 0 (nothing changes) and 1 (all zeros).
        training: if False, the input is returned as it is.
        inplace: change the input itself.
        generator: where the random numbers come from; by default those that `td.manual_seed` seeds.

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> _ = td.manual_seed(0)
    >>> sorted(set(td.nn.functional.dropout(td.ones(100), 0.75).tolist()))
    [0.0, 4.0]
    """
    return _dropped("dropout", input, input.shape, p, training, inplace, generator)


def _dropped(
    name: str,
    input: Tensor,
    shape: tuple[int, ...],
    p: float,
    training: bool,
    inplace: bool,
    generator: Generator | None,
) -> Tensor:
    """The input times random factors of this shape, which broadcasts against it."""
    require_constants(name, p=p)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: expected a probability p between 0 and 1, got {p}")
    if not training or p == 0.0:
        return input
    dtype = input.dtype
    if dtype.kind not in "fcV":
        raise TypeError(f"{name}: expected a floating tensor, got {dtype}; convert it first with .float()")
    if p == 1.0:
        factors: Any = module_of(input).zeros(shape, dtype)
    else:
        factors = keep_factors(shape, float(p), input, generator)
    if shape != input.shape:
        known = is_array(factors)
        factors = np.broadcast_to(factors, input.shape) if known else factors.expand(input.shape)
    elif is_known(input) and is_known(factors) and not input._data.flags.c_contiguous:
        drawn, factors = factors, np.empty_like(input._data)  # the result lies in memory as both do
        factors[...] = drawn
    result: Tensor = masked(input, factors)
    return input._assign(result, name) if inplace else result


SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def _drop_channels(
    input: Tensor, dims: int, p: float, training: bool, inplace: bool, generator: Generator | None
) -> Tensor:
    name, shape = f"dropout{dims}d", SHAPES[dims]
    usual = input.ndim in (dims + 1, dims + 2)
    least = 0 if not training else 1 if dims == 3 else 2
    if not usual and (dims == 1 or input.ndim < least):
        raise ValueError(f"{name}: got an input of shape {input.shape}, expected {shape}, or one without a batch")
    # As in PyTorch: `dropout2d` always has a batch, the others only where all dimensions are there.
    front = 2 if dims == 2 or input.ndim == dims + 2 else 1
    if not usual or (dims == 2 and input.ndim == 3):
        warn(
            f"{name}: got an input of shape {input.shape}, expected {shape}; dropped are the parts that belong to an "
            f"index of its first {'dimension' if front == 1 else 'two dimensions'}"
        )
    channels = (*input.shape[:front], *(1,) * (input.ndim - front))
    return _dropped(name, input, channels, p, training, inplace, generator)


@composition
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`dropout2d` for (N, C, L) or (C, L).

    >>> td.nn.functional.dropout1d(td.ones(1, 2, 3), 1.0)
    tensor([[[0., 0., 0.],
             [0., 0., 0.]]])
    """
    return _drop_channels(input, 1, p, training, inplace, generator)


@composition
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """In training, zeroes each whole channel of (N, C, H, W) with probability `p`, and scales the others.

    Neighbouring places of a channel say much the same, so that dropping single ones hides little. With a warning it
    takes (N, C, ...) of any number of dimensions; three are (N, C, L), not (C, H, W).

    Raises:
        ValueError: `p` is not between 0 and 1, or the input has less than two dimensions.

    >>> _ = td.manual_seed(0)
    >>> out = td.nn.functional.dropout2d(td.ones(1, 50, 2, 2))
    >>> sorted(set(out.sum((2, 3)).flatten().tolist()))
    [0.0, 8.0]
    """
    return _drop_channels(input, 2, p, training, inplace, generator)


@composition
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """`dropout2d` for (N, C, D, H, W) or (C, D, H, W); with a warning for (C, ...) of other numbers of dimensions.

    >>> td.nn.functional.dropout3d(td.ones(2, 1, 1, 1), 1.0).flatten()
    tensor([0., 0.])
    """
    return _drop_channels(input, 3, p, training, inplace, generator)


@composition
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and which elements were kept, as bools.

    Args:
        p: between 0 (nothing changes) and 1 (all zeros).
        train: if False, the input is returned as it is, and all are kept; None is True.

    Raises:
        ValueError: `p` is not between 0 and 1.

    >>> td.native_dropout(td.ones(2), 1.0, True)
    (tensor([0., 0.]), tensor([False, False]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    training = train is not False
    factors: Any = _dropped("native_dropout", ones_like(input), input.shape, p, training, False, None)
    return (masked(input, factors) if training else input), factors != 0


@composition
def native_dropout_backward(grad_output: Array, mask: Array, scale: float) -> Tensor:
    """The gradient of `native_dropout`: grad_output * mask * scale, with scale = 1 / (1 - p).

    >>> td.native_dropout_backward(td.ones(2), td.tensor([True, False]), 2.0)
    tensor([2., 0.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.dropout.html
    """
    found: Tensor = grad_output * mask * scale
    return found
