"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.shape.joining import cat

__all__ = ["parameters_to_vector", "vector_to_parameters"]


@composition
def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters in one 1-D tensor, recorded.

    >>> td.nn.utils.parameters_to_vector([td.ones(2), td.zeros(1, 2)])
    tensor([1., 1., 0., 0.])
    """
    return cat([parameter.reshape(-1) for parameter in parameters])


@composition
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies the elements of a vector into the parameters, in order.

    Raises:
        TypeError: no tensor. ValueError: the vector has another number of elements.

    >>> w = td.zeros(2)
    >>> td.nn.utils.vector_to_parameters(td.tensor([1.0, 2.0]), [w])
    >>> w
    tensor([1., 2.])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor, got {type(vec).__name__}")
    tensors = list(parameters)
    expected = sum(t.numel() for t in tensors)
    if vec.numel() != expected:
        raise ValueError(
            f"vector_to_parameters: expected a vector of {expected} elements, as the parameters have together, got "
            f"{vec.numel()}"
        )
    start = 0
    for t in tensors:
        part = vec._data.reshape(-1)[start : start + t.numel()]
        t._write(part.reshape(t.shape), "vector_to_parameters")
        start += t.numel()


public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
