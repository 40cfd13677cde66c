"""Limits for gradients: for their norm together, or for each element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import like, truth
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.mutations import changed_at, mutations
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.warning import warn

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def gradients(parameters: Any) -> list[np.ndarray]:
    """The gradients of one tensor or several, as arrays; those without are left out."""
    return [t.grad._data for t in tensors_of(parameters) if t.grad is not None]


def tensors_of(parameters: Any) -> list[Tensor]:
    """One tensor or several as a list. TypeError for anything else."""
    tensors = [parameters] if isinstance(parameters, Tensor) else None
    if tensors is None and isinstance(parameters, Iterable):
        tensors = list(parameters)
    odd = [parameters] if tensors is None else [each for each in tensors if not isinstance(each, Tensor)]
    if tensors is None or odd:
        raise TypeError(f"got {summary(odd[0])}, expected a tensor or an iterable of tensors; pass model.parameters()")
    return tensors


def norm_of(arrays: list[np.ndarray], norm_type: float, error_if_nonfinite: bool, what: str) -> Any:
    """The norm of all the elements together, as a 0-d array, for the function `what`."""
    order = float(norm_type)
    if not arrays:
        return np.zeros((), np.float32)
    if order == 2.0:
        squares = 0.0
        with np.errstate(over="ignore"):
            for a in arrays:
                flat = a.reshape(-1)
                flat = flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat
                # Half precision overflows in the squares.
                squares += (flat.dot(flat) if a.itemsize >= 4 else np.square(flat, dtype=np.float32).sum()).item()
        norm = squares**0.5
        if not (1e-30 < squares < 1e30) and squares == squares:  # float32 lost it: once more, in double precision
            norm = math.sqrt(sum(np.square(np.absolute(a), dtype=np.float64).sum().item() for a in arrays))
    elif order == float("inf"):
        norm = float(np.max([np.absolute(a).max().item() for a in arrays if a.size], initial=0.0))  # a nan stays one
    elif order == -float("inf"):
        norm = float(np.min([np.absolute(a).min().item() for a in arrays if a.size], initial=np.inf))
    elif order == 0.0:
        norm = float(sum(truth(np.any(a != 0)) for a in arrays))
    elif order == order:
        with np.errstate(divide="ignore"):  # of a negative order, a zero makes the norm zero
            powers = [(np.absolute(a).astype(np.float64) ** order).sum().item() for a in arrays]
            norm = float(np.float64(sum(powers)) ** (1 / order))
    else:
        raise ValueError(f"expected a number as norm_type, got {norm_type}")
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(
            f"{what}: got gradients whose total norm of order {norm_type} is {norm}, expected a finite one; "
            "look for the parameter whose .grad is not finite, or pass error_if_nonfinite=False"
        )
    return like(norm, arrays[0], arrays[0].real.dtype if arrays[0].itemsize >= 4 else np.float32)


@composition
def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Tensor:
    """The norm of all elements of several tensors together: (sum |x|**p)**(1/p), with p the `norm_type`.

    Args:
        tensors: a tensor or several, of any shapes.
        norm_type: the p of the norm; may be infinity, or negative.
        error_if_nonfinite: raise if the norm is nan or infinite.
        foreach: accepted, and makes no difference.

    Returns:
        The norm, a tensor of no dimensions; 0 of no tensors.

    Raises:
        RuntimeError: the norm is not finite, if asked for.

    >>> td.nn.utils.get_total_norm([td.tensor([3.0]), td.tensor([4.0])])
    tensor(5.)
    """
    arrays = [t._data for t in tensors_of(tensors)]
    return wrap(norm_of(arrays, norm_type, error_if_nonfinite, "get_total_norm"))


@composition
def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None) -> None:
    """Scales all gradients, in place, by max_norm / total_norm, if that is below 1.

    Args:
        parameters: a tensor or several; those without a gradient are left out.
        max_norm: the largest norm that is left as it is.
        total_norm: the norm of all gradients together, as `get_total_norm` gives it.
        foreach: accepted, and makes no difference.

    >>> w = td.ones(2, requires_grad=True)
    >>> w.grad = td.tensor([3.0, 4.0])
    >>> td.nn.utils.clip_grads_with_norm_([w], 1.0, 5.0)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    limit(gradients(parameters), max_norm, total_norm, "clip_grads_with_norm_")


def limit(arrays: list[np.ndarray], max_norm: float, norm: Any, what: str) -> None:
    """Scales arrays of this norm in place, down to `max_norm`; backward learns of the change."""
    factor = float(max_norm) / ((norm if isinstance(norm, float | int) else norm.item()) + 1e-6)
    if factor >= 1:
        return
    where = changed_at(what)
    for a in arrays:
        a *= factor
        mutations.record(a, where)


@composition
def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients down, in place, so that their norm together is at most `max_norm`.

    Args:
        parameters: a tensor or several; those without a gradient are left out.
        norm_type: the p of the norm; may be infinity, or negative.
        error_if_nonfinite: raise if the norm is nan or infinite.
        foreach: accepted, and makes no difference.

    Returns:
        The norm before scaling.

    Raises:
        RuntimeError: the norm is not finite, if asked for.

    >>> w = td.zeros(2, requires_grad=True)
    >>> (w * td.tensor([3.0, 4.0])).sum().backward()
    >>> td.nn.utils.clip_grad_norm_(w, 1.0)
    tensor(5.)
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    arrays = gradients(parameters)
    norm = norm_of(arrays, norm_type, error_if_nonfinite, "clip_grad_norm_")
    limit(arrays, max_norm, norm, "clip_grad_norm_")
    return wrap(norm)


@composition
def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Deprecated: an older name of `clip_grad_norm_`.

    >>> import warnings
    >>> w = td.zeros(2, requires_grad=True)
    >>> w.grad = td.tensor([3.0, 4.0])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FutureWarning)
    ...     td.nn.utils.clip_grad_norm(w, 1.0)
    tensor(5.)
    """
    warn("nn.utils.clip_grad_norm is deprecated, use nn.utils.clip_grad_norm_", FutureWarning)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@composition
def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limits each element of the gradients, in place, to between -clip_value and clip_value.

    Args:
        parameters: a tensor or several; those without a gradient are left out.
        clip_value: the largest absolute value.
        foreach: accepted, and makes no difference.

    >>> w = td.zeros(2, requires_grad=True)
    >>> (w * td.tensor([3.0, 0.5])).sum().backward()
    >>> td.nn.utils.clip_grad_value_(w, 1.0)
    >>> w.grad
    tensor([1.0000, 0.5000])
    """
    largest = float(clip_value)
    where = changed_at("clip_grad_value_")
    for a in gradients(parameters):
        np.maximum(a, -largest, out=a)
        np.minimum(a, largest, out=a)
        mutations.record(a, where)


public(globals(), "docs/stable/generated/torch.nn.utils.{}.html")
