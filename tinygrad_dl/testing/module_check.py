"""check_module: the gradients of a whole model, with its loss and its regularisation term."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.gradcheck import GradcheckError, cotangents, report_of
from tinygrad_dl.testing.report import LOOK, GradientReport


def check_module(
    model: Any,
    inputs: Any,
    loss: Callable[[Any], Tensor] | None = None,
    regularization: Callable[[Any], Tensor] | None = None,
    *,
    entries: int = 6,
    seed: int = 0,
    eps: float = numeric.STEP,
    rtol: float = LOOK,
    atol: float = 1e-11,
) -> GradientReport:
    """Compares the gradients of a model's parameters with central differences, in float64.

    A deep copy of the model in float64 is checked, in the mode (train or eval) that the model is in; the model
    itself, its buffers included, stays as it is.

    Args:
        model: a module.
        inputs: its input, or a tuple of them. Those that require a gradient are checked too.
        loss: a function of the model's output that returns a scalar; by default a randomly weighted sum.
        regularization: a function of the model (it gets the copy) that returns a scalar, added to the loss.
        entries: how many entries of each parameter to compare at most, chosen at random.
        seed: of that choice.
        eps: the step of the differences.
        rtol, atol: an entry agrees if |a - n| / (|a| + |n|) <= rtol, or |a - n| <= atol (and rounding).

    Returns:
        A report, true if all compared entries agree and every parameter had some: `print(report)` shows each
        parameter with its verdict; `report.ok`, `report.worst`.

    Raises:
        GradcheckError: the model is not deterministic, as with dropout in training mode.
        ValueError: the model has no parameter that requires a gradient, or `entries` is below 1.

    >>> from tinygrad_dl import nn
    >>> from tinygrad_dl.testing import check_module
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    >>> report = check_module(model, td.randn(5, 3), lambda out: (out ** 2).mean())
    >>> assert report, report
    >>> report.summary
    '15 entries compared'
    """
    if entries < 1:
        raise ValueError(f"check_module: got entries={entries}, expected at least 1 to compare of each parameter")
    double = as_double(model)
    given = [in_float64(t) for t in (inputs if isinstance(inputs, tuple | list) else (inputs,))]
    names, tensors = checked_tensors(double, given)
    buffers = [(b, b._data.copy()) for _, b in double.named_buffers()] if hasattr(double, "named_buffers") else []
    weights: list[np.ndarray] = []

    def total() -> Tensor:
        for buffer, before in buffers:
            buffer._data[...] = before  # so that running statistics are those of the first call
        out = double(*given)
        if loss is not None:
            value = loss(out)
        else:
            outputs = [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]
            if not weights:
                weights.extend(cotangents(outputs, np.random.default_rng(1)))
            value = wrap(np.zeros(()))
            for output, weight in zip(outputs, weights, strict=True):
                value = value + (output * wrap(weight)).sum()
        if regularization is not None:
            value = value + regularization(double)
        if value._data.size != 1:
            raise ValueError(
                f"check_module: got a loss of shape {value.shape}, expected a scalar; take its mean() or sum()"
            )
        return value

    first = total()
    if total()._data.tobytes() != first._data.tobytes():
        raise GradcheckError(
            "check_module: the model is not deterministic: two calls with the same input gave different losses. Is "
            f"dropout on?{active_dropout(double)} Call model.eval() first"
        )
    found, again = (autograd.grad(first, tensors, retain_graph=True, materialize_grads=True) for _ in range(2))
    for name, a, b in zip(names, found, again, strict=True):
        if a._data.tobytes() != b._data.tobytes():
            raise GradcheckError(
                f"check_module: the backward pass is not deterministic: two passes over one graph gave different "
                f"gradients for {name!r}, expected the same"
            )

    def value() -> tuple[float, float]:
        with np.errstate(all="ignore"):
            result = float(total()._data.item())
        return result, abs(result) + 1.0

    rng = np.random.default_rng(seed)
    positions = [sorted(rng.permutation(numeric.real_view(t._data).size)[:entries].tolist()) for t in tensors]
    compared = numeric.compare(
        value,
        [t._data for t in tensors],
        [g._data for g in found],
        names,
        eps=eps,
        rtol=min(rtol, 1e-7),
        atol=atol,
        positions=positions,
    )
    return report_of(names, [t._data for t in tensors], compared, rtol)


def as_double(model: Any) -> Any:
    """A deep copy of a model with its floating parameters and buffers in float64, contiguous in memory."""
    double = copy.deepcopy(model)
    held = [*double.parameters(), *(double.buffers() if hasattr(double, "buffers") else ())]
    for tensor in held:
        if tensor.is_floating_point():
            tensor.data = wrap(np.array(tensor._data, np.float64, order="C"))
        tensor.grad = None
    return double


def in_float64(value: Any) -> Any:
    """A floating tensor in float64, as a leaf of its own; anything else as it is."""
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    new = wrap(np.array(value._data, np.float64, order="C"))
    return new.requires_grad_() if value.requires_grad else new


def checked_tensors(model: Any, inputs: Sequence[Any]) -> tuple[list[str], list[Tensor]]:
    """The names and tensors at which gradients are compared: parameters, and inputs that require a gradient."""
    found = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not found:
        raise ValueError(
            "check_module: got a model without a parameter that requires a gradient, expected one to check"
        )
    found += [(f"input {i}", t) for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    return [name for name, _ in found], [tensor for _, tensor in found]


def active_dropout(model: Any) -> str:
    """Names the dropout modules that are in training mode."""
    found = [
        name or type(module).__name__
        for name, module in model.named_modules()
        if "Dropout" in type(module).__name__ and module.training
    ]
    return f" ({', '.join(found)})" if found else ""
