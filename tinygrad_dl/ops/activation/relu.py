"""relu and its variants: leaky_relu, prelu, relu6, threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.blocks import blockwise, is_large
from tinygrad_dl.core.batching import Batch, every, folded
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.promotion import require_room
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.inputs import array, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops.activation._common import finish
from tinygrad_dl.ops.activation.hard import clipped
from tinygrad_dl.ops.pointwise._selection import BITS, LARGE, keep, select, straight

SHARED = 2**20  # elements of a gradient, from which two threads are faster; of an input twice as many


class Zeros(dict[Any, Any]):
    """0 as an array of each floating dtype, which NumPy takes twice as fast as a Python number; of integers plain."""

    def __missing__(self, dtype: Any) -> Any:
        if dtype.kind == "c":
            raise TypeError(f"expected real numbers, got dtype {dtype}: complex ones have no order")
        return np.zeros((), dtype) if dtype.kind == "V" else 0  # NumPy 2.0 makes float32 of bfloat16 beside a number


ZERO = Zeros({np.dtype(t): np.zeros((), t) for t in (np.float16, np.float32, np.float64)})


@op(
    kind="elementwise",
    inplace=True,
    exact=True,
    inputs={"input": real(avoid=(0.0,))},
    reference=lambda input: np.where(input > 0, input, 0.0),
)
def relu(input: Array) -> Array:
    """max(input, 0); its gradient at 0 is 0.

    >>> td.relu(td.tensor([-1.0, 2.0]))
    tensor([0., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
    """
    if input.size >= LARGE and input.dtype.kind == "f" and type(input) is np.ndarray:
        if input.size >= 2 * SHARED and is_large(input):
            return blockwise(lambda out, x: x.clip(0, math.inf, out=out), input)[0]
        return input.clip(0, math.inf)  # on large arrays clip is three times as fast as maximum
    return np.maximum(input, ZERO[input.dtype] if type(input) is np.ndarray else 0)


def relu_slope(g: Any, out: Any) -> Any:
    """where(out != 0, g, 0); an output that is not 0 is positive, or nan."""
    if type(g) is np.ndarray and g.size < LARGE:
        return np.where(out, g, ZERO[g.dtype])
    if is_large(g) and is_large(out) and g.size >= SHARED and g.dtype == out.dtype:
        return blockwise(_slope_into, g, out)[0]
    return straight(keep(g, out != 0), out)


def _slope_into(slope: np.ndarray, g: np.ndarray, out: np.ndarray) -> None:
    """As `keep` does: by 0 or 1 as an integer, times the bits of g."""
    bits = slope.view(BITS[g.dtype.itemsize])
    np.copyto(bits, out != 0)
    bits *= g.view(bits.dtype)


relu.vjp(input=relu_slope)


@relu.value_and_jvp
def _relu_and_tangent(t: Any, input: Any) -> Any:
    out = relu.generic(input)
    return out, relu_slope(t[0], out)


KINK = real(avoid=(0.0,))


def passed(g: Any, condition: Any, otherwise: Any) -> Any:
    """where(condition, g, otherwise)."""
    both = type(g) is np.ndarray and type(condition) is np.ndarray and type(otherwise) is np.ndarray
    return select(condition, g, otherwise) if both else np.where(condition, g, otherwise)


@op(
    kind="elementwise",
    name="leaky_relu",
    floating=True,
    namespace="functional",
    real=True,
    inputs={"input": KINK, "negative_slope": one_of(0.01, 0.2, 1.5)},
    reference=lambda input, negative_slope=0.01: np.where(input > 0, input, negative_slope * input),
)
def leaky(input: Array, negative_slope: float = 0.01) -> Array:
    """`input` where it is positive, negative_slope * input elsewhere."""
    if negative_slope == 0:  # an infinity times 0 is nan
        return select(input > 0, input, np.minimum(input, 0) * negative_slope)
    return (np.maximum if negative_slope <= 1 else np.minimum)(input, input * negative_slope)


leaky.vjp(input=lambda g, input, negative_slope: straight(passed(g, input > 0, g * negative_slope), input))


@overload(leaky)
@composition
def leaky_relu(input: Array, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input` where it is positive, negative_slope * input elsewhere.

    >>> td.nn.functional.leaky_relu(td.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1000,  2.0000])
    """
    return finish(input, leaky(input, negative_slope), inplace, "leaky_relu")


def by_channel(weight: Any, shape: tuple[int, ...]) -> Any:
    """A weight in the shape that broadcasts over the channels, which are dimension 1, of a tensor of this shape."""
    count, channels = math.prod(weight.shape), shape[1] if len(shape) > 1 else 1
    if weight.ndim > 1 or count not in (1, channels):
        raise ValueError(
            f"expected a weight of 1 element or one for each of {channels} channels (dimension 1), got shape "
            f"{weight.shape}"
        )
    return weight.reshape(() if count == 1 else (count,) + (1,) * (len(shape) - 2))


@op(
    floating=True,
    promote=True,
    real=True,
    inputs=[
        {"input": real(shape="n c", avoid=(0.0,)), "weight": real(shape="c")},
        {"input": real(shape="n c m", avoid=(0.0,)), "weight": real(shape="c")},
        {"input": KINK, "weight": real(shape="1")},
    ],
    errors=[error(ValueError, "one for each of 3 channels", array(2, 3), array(2))],
    reference=lambda input, weight: np.where(
        input > 0, input, input * weight.reshape((-1,) + (1,) * max(0, input.ndim - 2))
    ).reshape(input.shape),
)
def prelu(input: Array, weight: Array) -> Array:
    """`input` where it is positive, weight * input elsewhere; `weight` has one element, or one a channel (dim 1).

    Raises:
        ValueError: `weight` has neither.

    >>> td.prelu(td.tensor([-1.0, 2.0]), td.tensor([0.25]))
    tensor([-0.2500,  2.0000])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html
    """
    return np.where(input > 0, input, input * by_channel(weight, input.shape))


def prelu_slope(g: Any, input: Any, weight: Any) -> Any:
    """g above 0, g * weight elsewhere; at 0, where two pieces meet, the slope does not change with the weight."""
    slope = by_channel(weight, input.shape)
    if isinstance(slope, Tensor):
        slope = np.where(input == 0, slope.detach(), slope)
    return passed(g, input > 0, g * slope)


def prelu_weight_slope(g: Any, input: Any, weight_shape: tuple[int, ...]) -> Any:
    """g * input where the input is negative, summed to the weight's shape."""
    part = keep(g * input, ~(input >= 0))
    if math.prod(weight_shape) == 1:
        return np.sum(part).reshape(weight_shape)
    return np.sum(part, axis=(0, *range(2, part.ndim)))


prelu.vjp(input=lambda g, input, weight: straight(prelu_slope(g, input, weight), input), weight=prelu_weight_slope)

prelu.jvp(
    input=lambda t, input, weight: prelu_slope(t, input, weight),
    weight=lambda t, input: keep(by_channel(t, input.shape) * input, ~(input >= 0)),
)


@prelu.vmap
def _prelu_batch(input: Any, weight: Any, batch: Batch) -> Any:
    x = every(input, "input", batch)
    if "weight" not in batch.of:
        if weight.ndim and weight.shape[0] != 1 and x.ndim > 2:
            return prelu(folded(x), weight).reshape(x.shape)
        return prelu(x.reshape(-1), weight.reshape(-1)).reshape(x.shape) if weight.numel() == 1 else prelu(x, weight)
    shape = [batch.size] + [1] * (x.ndim - 1)
    if weight.ndim > 1 and weight.shape[1] != 1:
        shape[2 if x.ndim > 2 else 1] = weight.shape[1]
    return np.where(x >= 0, x, weight.reshape(*shape) * x)


@composition
def relu6(input: Array, inplace: bool = False) -> Tensor:
    """`input` cut off at 0 and 6.

    >>> td.nn.functional.relu6(td.tensor([-2.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return finish(input, clipped(input, 0.0, 6.0), inplace, "relu6")


@op(
    kind="elementwise",
    name="threshold",
    method=False,
    real=True,
    inputs={"input": real(avoid=(0.5,)), "threshold": one_of(0.5), "value": one_of(-2.0, 1.0)},
    reference=lambda input, threshold, value: np.where(input > threshold, input, value),
)
def above(input: Array, threshold: float, value: float) -> Array:
    """`input` where it is above the threshold, else `value`."""
    replacement = np.asarray(value)
    require_room(replacement, input.dtype)
    return np.where(input <= threshold, replacement.astype(input.dtype)[()], input)


above.vjp(input=lambda g, input, threshold: straight(keep(g, ~(input <= threshold)), input))


@overload(above, method=False)
@composition
def threshold(input: Array, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """`input` where it is above the threshold, else `value`.

    >>> td.threshold(td.tensor([0.2, 1.0]), 0.5, -1.0)
    tensor([-1.,  1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.threshold.html
    """
    return finish(input, above(input, threshold, value), inplace, "threshold")
