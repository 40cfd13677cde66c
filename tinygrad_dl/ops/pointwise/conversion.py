"""Copies, other element types, and the parts of complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_dl.core import dtypes
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import NUMPY, Tensor, as_array, wrap
from tinygrad_dl.inputs import array, broadcasting, complexes, error, one_of
from tinygrad_dl.inputs import real as real_tensor
from tinygrad_dl.ops._overload import overload


@op(exact=True, inputs=dict(input=real_tensor()), reference=lambda input: np.array(input))
def clone(input: Array) -> Array:
    """A copy, which stays in the graph.

    >>> import tinygrad_dl as td
    >>> td.tensor([1.0, 2.0]).clone()
    tensor([1., 2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.clone.html
    """
    return input.copy("K")


clone.vjp(input=lambda g: g)


@op(
    name="contiguous",
    method=False,
    exact=True,
    inputs=dict(input=real_tensor()),
    reference=lambda input: np.array(input),
)
def contiguous_copy(input: Array) -> Array:
    """A copy in row-major order; `Tensor.contiguous` is what users call.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).T.contiguous().stride()
    (2, 1)
    """
    return input.copy("C")


contiguous_copy.vjp(input=lambda g: g)


@op(
    method=False,
    exact=True,
    inputs=dict(input=real_tensor(), dtype=one_of(np.dtype("float32"), np.dtype("float64"))),
    reference=lambda input, dtype: np.array(input, dtype),
)
def cast(input: Array, dtype: Any) -> Array:
    """A copy with elements of another floating or complex dtype; `Tensor.to` is what users call.

    >>> import tinygrad_dl as td
    >>> td.ones(2).to(td.float64).dtype
    dtype('float64')
    """
    return input.astype(dtype)


# The engine gives every gradient its input's dtype, and takes the real part for a real input.
cast.vjp(input=lambda g: g)


@composition
def astype(input: Array, dtype: Any, copy: bool = False) -> Tensor:
    """The tensor with elements of `dtype`: itself if they are already, unless `copy`. Differentiable.

    A cast to integers or bool cuts the graph.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).astype(td.float32)
    tensor([1., 2.])
    """
    tensor = input if isinstance(input, Tensor) else wrap(as_array(input))
    found = dtypes.as_dtype(dtype)
    if found == tensor._data.dtype:
        return tensor.clone() if copy else tensor
    data = tensor._data
    if data.dtype.kind == "c" and 0 < dtypes.category(found) < 3:
        tensor = real(tensor)  # without NumPy's warning that the imaginary part is lost
    if tensor._edge is None or not dtypes.is_differentiable(found):
        return wrap(tensor._data.astype(found))
    result: Tensor = cast(tensor, found)
    return result


DEVICES = frozenset(("cpu", "cuda", "mps", "xpu", "meta", "tpu", "hip", "xla", "vulkan"))


@composition
def to(
    self: Tensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """The tensor in another dtype: `t.to(td.float64)`, `t.to("cpu")`, `t.to("cpu", td.float64)`, `t.to(other)`.

    Returns:
        Itself if nothing is to change, unless `copy`. The cast is differentiable.

    Raises:
        ValueError: a device other than the CPU.

    >>> import tinygrad_dl as td
    >>> td.tensor([1, 2]).to(td.float64)
    tensor([1., 2.], dtype=float64)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
    """
    for value in args:
        if isinstance(value, bool) or value is None:
            continue  # non_blocking, which means nothing on the CPU
        if isinstance(value, Tensor):
            dtype = value.dtype
        elif isinstance(value, dtypes.device) or (isinstance(value, str) and value.partition(":")[0] in DEVICES):
            device = value
        else:
            dtype = value
    if device is not None:
        dtypes.device(device)
    if dtype is None:
        return clone(self) if copy else self
    return astype(self, dtype, copy)


@composition
def contiguous(self: Array, memory_format: Any = None) -> Tensor:
    """The tensor in row-major order: itself if it lies so already, else a copy.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).T.contiguous().is_contiguous()
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.contiguous.html
    """
    result: Tensor = self if self._data.flags.c_contiguous else contiguous_copy(self)
    return result


@composition
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """`to(other.dtype)`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type_as.html
    """
    return astype(self, other.dtype)


@composition
def type_(self: Tensor, dtype: Any = None) -> Any:
    """`to(dtype)`; without a dtype, the name of the tensor's own.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html
    """
    return self.dtype.name if dtype is None else astype(self, dtype)


# -- complex numbers ---------------------------------------------------------------------------------
# The gradient of a real loss L at z = x + iy is dL/dx + i dL/dy, PyTorch's convention. Rules see its conjugate, see
# `engine.propagate`: multiplying by the derivative is then right for every holomorphic function. Those that are
# not, here and `abs`, say what they do to the two parts.


@op(
    np.real,
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

    >>> import tinygrad_dl as td
    >>> td.tensor([1 + 2j]).real
    tensor([1.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.real.html
    """
    return input if isinstance(input, Tensor) and not input.is_complex() else real_part(input)


@op(
    np.imag,
    method=False,
    view=True,
    aux={"kind": None},
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
)
def imag(input: Array) -> Any:
    """The imaginary part, as a view; of a real tensor, zeros. Also the property `t.imag`.

    >>> import tinygrad_dl as td
    >>> td.tensor([1 + 2j]).imag
    tensor([2.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.imag.html
    """
    return input.imag, input.dtype.kind


@op(np.conjugate, name="conj", method=False, inputs=[dict(input=complexes()), dict(input=real_tensor())])
def conjugated(input: Array) -> Array:
    """The op of `conj`."""


conjugated.vjp(input=lambda g: np.conjugate(g))


@overload(conjugated)
def conj(input: Any) -> Any:
    """The complex conjugate; a real tensor itself.

    >>> import tinygrad_dl as td
    >>> td.tensor([1 + 2j]).conj()
    tensor([1.-2.j])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.conj.html
    """
    return input if isinstance(input, Tensor) and not input.is_complex() else conjugated(input)


@op(
    method=False,
    inputs=broadcasting(real_tensor(), real_tensor()),
    errors=[error(ValueError, "broadcast", array(2), array(3))],
    reference=lambda real, imag: real + imag * 1j,
)
def complex(real: Array, imag: Array) -> Array:
    """real + i imag.

    >>> import tinygrad_dl as td
    >>> td.complex(td.tensor([1.0]), td.tensor([2.0]))
    tensor([1.+2.j])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.complex.html
    """
    out = np.empty(np.broadcast_shapes(real.shape, imag.shape), np.result_type(real, np.complex64))
    out.real, out.imag = real, imag
    return out


imag.vjp(
    input=lambda g, kind: complex.duck(np.zeros(g.shape, g.dtype), -g) if kind == "c" else np.zeros(g.shape, g.dtype)
)
complex.vjp(real=lambda g: np.real(g), imag=lambda g: -np.imag(g))


@op(
    view=True,
    method=False,
    inputs=dict(input=real_tensor(shape="... 2")),
    errors=[error(ValueError, "last dimension of size 2", array(3))],
    reference=lambda input: input[..., 0] + input[..., 1] * 1j,
)
def view_as_complex(input: Array) -> Array:
    """Pairs of real numbers in the last dimension, of size 2, as complex numbers. A view if they are adjacent.

    >>> import tinygrad_dl as td
    >>> td.view_as_complex(td.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.view_as_complex.html
    """
    if input.shape[-1:] != (2,):
        raise ValueError(f"view_as_complex: expected a last dimension of size 2, got shape {input.shape}")
    if input.dtype not in dtypes.COMPLEX_OF:
        raise TypeError(f"view_as_complex: expected float32 or float64, got {input.dtype}; convert with .float()")
    if input.strides[-1] != input.itemsize or any(s % (2 * input.itemsize) for s in input.strides[:-1]):
        input = input.copy("C")
    return input.view(dtypes.COMPLEX_OF[input.dtype])[..., 0]


@op(
    view=True,
    method=False,
    aux={"kind": None},
    inputs=[dict(input=complexes()), dict(input=real_tensor())],
    reference=lambda input: np.stack([input.real, input.imag], -1),
)
def view_as_real(input: Array) -> Any:
    """The real and the imaginary parts side by side in a new last dimension of size 2. A view of complex ones.

    >>> import tinygrad_dl as td
    >>> td.view_as_real(td.tensor([1 + 2j]))
    tensor([[1., 2.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.view_as_real.html
    """
    if input.dtype.kind != "c":
        return np.stack([input, np.zeros_like(input)], -1), "f"
    return input[..., None].view(input.real.dtype), "c"


view_as_complex.vjp(input=lambda g: view_as_real.duck(np.conjugate(g)))
view_as_real.vjp(input=lambda g, kind: np.conjugate(view_as_complex.duck(g)) if kind == "c" else g[..., 0])


def _to_dtype(name: str, dtype: Any) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return astype(self, dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The tensor with elements of dtype {dtype}: itself if they are already."
    return method


_METHODS: dict[str, Any] = {
    name: _to_dtype(name, dtypes.NAMES.get(name, name))
    for name in ("float", "double", "half", "bfloat16", "long", "int", "short", "bool", "cfloat", "cdouble")
}
_METHODS |= {
    "byte": _to_dtype("byte", dtypes.uint8),
    "char": _to_dtype("char", dtypes.int8),
    "astype": astype,
    "contiguous": contiguous,
    "imag": property(imag),
    "real": property(real),
    "to": to,
    "type": type_,
    "type_as": type_as,
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)

NUMPY[np.copy] = lambda a, order="K", subok=False: clone(a)
if hasattr(np, "astype"):  # from NumPy 2.1 on
    NUMPY[np.astype] = lambda x, dtype, *, copy=True, device=None: astype(x, dtype, copy)
