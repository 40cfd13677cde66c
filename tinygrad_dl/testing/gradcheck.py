"""gradcheck and gradgradcheck: the gradient of any function against central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.tensor import Tensor, wrap
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.report import CheckError, Entry, worst_lines
from tinygrad_dl.testing.running import random_like


class GradcheckError(CheckError, RuntimeError):
    """The gradient is not the derivative, or cannot be compared with it."""


def gradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = numeric.STEP,
    atol: float = 1e-9,
    rtol: float = 1e-6,
    names: Sequence[str] | None = None,
    raise_exception: bool = True,
) -> bool:
    """Compares the gradients of a function with central differences, entry by entry.

    The function may return one tensor or several; their entries are weighted with random numbers, so that a
    gradient that is right only for a sum is found out. Entries where the function has a kink (its left and
    right differences disagree) are left aside.

    Args:
        f: a function of tensors. It must give the same result each time.
        inputs: its arguments; those that require a gradient are checked. They should be float64.
        eps: the step of the differences, relative to entries larger than 1.
        atol, rtol: the entry passes if |a - n| <= atol (and rounding), or |a - n| / (|a| + |n|) <= rtol.
        names: names of the inputs for the report; by default those of the function's parameters.
        raise_exception: whether to raise or return False if an entry fails.

    Returns:
        True if all entries agree.

    Raises:
        GradcheckError: entries differ; the text names the worst. Or the function is not deterministic.
        ValueError: no input requires a gradient.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.testing import gradcheck
    >>> x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x.exp(), x)
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    entries = compare_gradients(f, arguments, eps=eps, atol=atol, rtol=rtol, names=names)
    return judge(entries, rtol, raise_exception, "gradcheck", f)


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = numeric.STEP,
    atol: float = 1e-8,
    rtol: float = 1e-5,
    names: Sequence[str] | None = None,
    raise_exception: bool = True,
) -> bool:
    """Compares second derivatives, as `create_graph=True` gives them, with differences of the gradients.

    Arguments, result and errors are those of `gradcheck`.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.testing import gradgradcheck
    >>> x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x * x.exp(), x)
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [t for t in arguments if isinstance(t, Tensor) and t.requires_grad]
    weights = cotangents(results_of(f, arguments), np.random.default_rng(1))

    def gradients(*values: Any) -> list[Tensor]:
        outputs = results_of(f, values)
        used = [v for v, old in zip(values, arguments, strict=True) if any(old is t for t in checked)]
        roots = [o for o in outputs if o.requires_grad]
        seeds = [wrap(w) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
        found = autograd.grad(roots, used, seeds, create_graph=True, materialize_grads=True)
        return list(found)

    entries = compare_gradients(gradients, arguments, eps=eps, atol=atol, rtol=rtol, names=names or parameter_names(f))
    return judge(entries, rtol, raise_exception, "gradgradcheck", f)


def judge(entries: Sequence[Entry], rtol: float, raise_exception: bool, what: str, f: Any) -> bool:
    """True if all entries agree; else raises or returns False."""
    failed = [e for e in entries if not e.kink and not e.agrees(rtol)]
    if not failed:
        return True
    if not raise_exception:
        return False
    raise GradcheckError(
        f"{what} of {getattr(f, '__name__', type(f).__name__)}: {len(failed)} of {len(entries)} entries differ from "
        f"central differences; the worst:\n{worst_lines(failed)}"
    )


def compare_gradients(
    f: Callable[..., Any],
    arguments: Sequence[Any],
    *,
    eps: float = numeric.STEP,
    atol: float = 1e-9,
    rtol: float = 1e-6,
    names: Sequence[str] | None = None,
) -> list[Entry]:
    """All entries of the gradients at the arguments that require one, computed both ways."""
    labels = list(names or parameter_names(f))
    labels += [f"input {i}" for i in range(len(labels), len(arguments))]
    places = [i for i, t in enumerate(arguments) if isinstance(t, Tensor) and t.requires_grad]
    if not places:
        raise ValueError(
            "gradcheck: no input requires a gradient, so there is nothing to check; make one with requires_grad=True"
        )
    low = [labels[i] for i in places if arguments[i].dtype.itemsize < (16 if arguments[i].is_complex() else 8)]
    if low:
        warnings.warn(
            f"gradcheck: {', '.join(low)} below float64, where central differences are too coarse to judge by; pass "
            f"float64 inputs: t.double()",
            UserWarning,
            stacklevel=3,
        )
    values = list(arguments)
    for i in places:
        values[i] = wrap(np.array(arguments[i]._data, order="C")).requires_grad_()
    outputs = results_of(f, values)
    again = results_of(f, values)
    for first, second in zip(outputs, again, strict=True):
        if first._data.tobytes() != second._data.tobytes():
            raise GradcheckError(
                "gradcheck: the function is not deterministic: two calls with the same inputs gave different results. "
                "Is dropout on? Call model.eval(), or seed the generator inside the function"
            )
    weights = cotangents(outputs, np.random.default_rng(0))
    roots = [(o, wrap(w)) for o, w in zip(outputs, weights, strict=True) if o.requires_grad]
    checked = [values[i] for i in places]
    if not roots:
        raise ValueError("gradcheck: no output requires a gradient: the function does not use the inputs, or detaches")
    found = autograd.grad([o for o, _ in roots], checked, [w for _, w in roots], materialize_grads=True)

    def weighted() -> tuple[float, float]:
        return numeric.weighted_sum([o._data for o in results_of(f, values)], weights)

    arrays = [t._data for t in checked]
    analytic = [g._data for g in found]
    chosen = [labels[i] for i in places]
    return numeric.compare(weighted, arrays, analytic, chosen, eps=eps, rtol=rtol, atol=atol, entrywise=10**9)


def results_of(f: Callable[..., Any], arguments: Sequence[Any]) -> list[Tensor]:
    """What the function returns, as a list of tensors."""
    result = f(*arguments)
    found = list(result) if isinstance(result, tuple | list) else [result]
    if not all(isinstance(each, Tensor) for each in found):
        raise TypeError(f"gradcheck: the function returned {type(result).__name__}, expected a tensor or several")
    return found


def cotangents(outputs: Sequence[Tensor], rng: np.random.Generator) -> list[np.ndarray]:
    """A random weight for every entry of every output; zeros for outputs without a gradient."""
    return [random_like(o._data, rng) for o in outputs]


def parameter_names(f: Any) -> list[str]:
    """The names of a plain function's positional parameters."""
    code = getattr(f, "__code__", None)
    return list(code.co_varnames[: code.co_argcount]) if code else []
