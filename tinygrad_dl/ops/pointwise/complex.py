"""Complex numbers: their parts, their conjugates, and views of them as pairs of real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.messages import checked_array
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import array, broadcasting, complexes, error
from tinygrad_dl.inputs import real as real_tensor
from tinygrad_dl.ops._overload import alias, method, overload
from tinygrad_dl.ops.pointwise.arithmetic import abs, mul, sign
from tinygrad_dl.ops.pointwise.where import where

# The gradient of a real loss L at z = x + iy is dL/dx + i dL/dy, PyTorch's convention. Rules see its conjugate, see
# `engine.propagate`: multiplying by the derivative is then right for every holomorphic function. Those that are
# not, here and `abs`, say what they do to the two parts.


@op(
    np.real,
    kind="elementwise",
    linear=("input",),
    name="real",
    method=False,
    view=True,
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
)
def real_part(input: Array) -> Array:
    """The op of `real`."""
    return input.real


real_part.vjp(input=lambda g: g)


@overload(real_part, method=False)
def real(input: Any) -> Any:
    """The real part, as a view; a real tensor's is itself. Also the property `t.real`.

    >>> td.tensor([1 + 2j]).real
    tensor([1.])
    """
    return input if isinstance(input, Tensor) and not input.is_complex() else real_part(input)


@op(
    np.imag,
    kind="elementwise",
    linear=("input",),
    method=False,
    view=True,
    aux={"kind": None},
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
)
def imag(input: Array) -> Any:
    """The imaginary part, as a view; of a real tensor, zeros. Also the property `t.imag`.

    >>> td.tensor([1 + 2j]).imag
    tensor([2.])
    """
    return input.imag, input.dtype.kind


@op(
    np.conjugate,
    kind="elementwise",
    linear=("input",),
    name="conj",
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
)
def conjugated(input: Array) -> Array:
    """The op of `conj`."""


conjugated.vjp(input=lambda g: np.conjugate(g))


@overload(conjugated)
def conj(input: Any) -> Any:
    """The complex conjugate; a real tensor itself.

    >>> td.tensor([1 + 2j]).conj()
    tensor([1.-2.j])
    """
    return input if isinstance(input, Tensor) and not input.is_complex() else conjugated(input)


@op(
    kind="elementwise",
    method=False,
    promote=False,
    alike=("real", "imag"),
    scalars="none",
    inputs=broadcasting(real_tensor(), real_tensor()),
    errors=[
        error(TypeError, "got tensors of float32 and float64, expected", array(2), array(2, dtype="float64")),
        error(TypeError, "got tensors of int64 and int64, expected", array(2, dtype="int64"), array(2, dtype="int64")),
    ],
    reference=lambda real, imag: real + imag * 1j,
)
def complex(real: Array, imag: Array) -> Array:
    """real + i imag, of two tensors of one floating dtype.

    Raises:
        TypeError: they are of different dtypes, or not floating.

    >>> td.complex(td.tensor([1.0]), td.tensor([2.0]))
    tensor([1.+2.j])
    """
    if real.dtype != imag.dtype or real.dtype.kind != "f":
        raise TypeError(f"got tensors of {real.dtype} and {imag.dtype}, expected two of one floating dtype")
    out = module_of(real).empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real.dtype, np.complex64))
    np.copyto(out.real, real)
    np.copyto(out.imag, imag)
    return out


imag.vjp(
    input=lambda g, kind: (
        complex.generic(module_of(g).zeros(g.shape, g.dtype), -g)
        if kind == "c"
        else module_of(g).zeros(g.shape, g.dtype)
    )
)

complex.vjp(real=lambda g: np.real(g), imag=lambda g: -np.imag(g))
complex.jvp(real=lambda t: t, imag=lambda t: t * 1j)


@op(
    kind="batched",
    linear=("input",),
    view=True,
    method=False,
    inputs=dict(input=real_tensor(shape="... 2")),
    errors=[error(ValueError, "last dimension of size 2", array(3))],
    reference=lambda input: input[..., 0] + input[..., 1] * 1j,
)
def view_as_complex(input: Array) -> Array:
    """Pairs of real numbers in the last dimension, of size 2, as complex numbers. A view if they are adjacent.

    >>> td.view_as_complex(td.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    if input.shape[-1:] != (2,):
        raise ValueError(f"view_as_complex: expected a last dimension of size 2, got shape {input.shape}")
    if input.dtype not in promotion.COMPLEX_OF:
        raise TypeError(f"view_as_complex: expected float32 or float64, got {input.dtype}; convert with .float()")
    if input.strides[-1] != input.itemsize or any(s % (2 * input.itemsize) for s in input.strides[:-1]):
        input = input.copy("C")
    return input.view(promotion.COMPLEX_OF[input.dtype])[..., 0]


@op(
    kind="batched",
    linear=("input",),
    view=True,
    method=False,
    aux={"kind": None},
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
    reference=lambda input: np.stack([input.real, input.imag], -1),
)
def view_as_real(input: Array) -> Any:
    """The real and the imaginary parts side by side in a new last dimension of size 2. A view of complex ones.

    >>> td.view_as_real(td.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    if input.dtype.kind != "c":
        return np.stack([input, np.zeros_like(input)], -1), "f"
    return input[..., None].view(input.real.dtype), "c"


view_as_complex.vjp(input=lambda g: view_as_real.generic(np.conjugate(g)))
view_as_real.vjp(input=lambda g, kind: np.conjugate(view_as_complex.generic(g)) if kind == "c" else g[..., 0])


@composition
def view_as_complex_copy(input: Tensor) -> Tensor:
    """`view_as_complex(input)`, copied.

    >>> td.view_as_complex_copy(td.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.view_as_complex.html
    """
    return view_as_complex(input).clone()


@composition
def view_as_real_copy(input: Tensor) -> Tensor:
    """`view_as_real(input)` in memory of its own.

    >>> td.view_as_real_copy(td.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    return view_as_real(input).clone()


def _set(part: Any) -> Any:
    """What assigning to a part of a tensor does: it is written in place."""

    def write(self: Tensor, value: Any) -> None:
        part(self).copy_(value)

    return write


alias("imag", property(imag, _set(imag)))
alias("real", property(real, _set(real)))


@composition
def sgn(input: Array) -> Tensor:
    """The direction of complex numbers, input / |input| and 0 at 0; of real ones the sign.

    >>> td.sgn(td.tensor([3 + 4j, 0j]))
    tensor([0.6000+0.8000j, 0.0000+0.0000j])
    """
    if not isinstance(input, Tensor):
        input = wrap(checked_array(input, "sgn", "input"))
    if not input.is_complex():
        return sign(input)
    size = abs(input)
    at_zero = size.eq(0)
    return mul(input, where(at_zero, 0.0, 1 / where(at_zero, 1.0, size)))


alias("sgn", sgn, inplace=True)


@method
def is_conj(input: Array) -> bool:
    """False: a conjugate is computed at once.

    >>> td.tensor([1j]).conj().is_conj()
    False
    """
    return False


@method
def resolve_conj(input: Array) -> Tensor:
    """The tensor itself: a conjugate is computed at once.

    >>> td.resolve_conj(td.tensor([1j]).conj())
    tensor([0.-1.j])
    """
    found: Tensor = input
    return found
