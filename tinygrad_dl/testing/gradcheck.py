"""gradcheck and gradgradcheck: the gradient of any function against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl import autograd, func
from tinygrad_dl.autograd import forward_ad
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.warning import warn
from tinygrad_dl.creation import zeros_like
from tinygrad_dl.testing import numeric
from tinygrad_dl.testing.callables import function_of, parameter_names, results_of
from tinygrad_dl.testing.report import CheckError, Entry, GradientReport, worst_lines
from tinygrad_dl.testing.running import random_like

ENTRYWISE = 10**9  # every entry by itself, however large the tensor


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
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> GradientReport:
    """Compares the gradients of a function with central differences, entry by entry.

    The function may return one tensor or several, nested or with None among them; their entries are weighted with
    random numbers, so that a gradient that is right only for a sum is found out. Outputs that require no gradient
    (integers, detached ones) are left out. Entries where the function has no derivative (its left and right
    differences disagree, or it is not finite on one side) are left aside; if nothing remains to compare at one of
    the inputs, the check fails.

    Args:
        f: a function of tensors. It must give the same result each time.
        inputs: its arguments; those that require a gradient are checked. They should be float64.
        eps: the step of the differences, relative to entries larger than 1.
        atol, rtol: the entry passes if |a - n| <= atol (and rounding), or |a - n| / (|a| + |n|) <= rtol.
        names: names of the inputs for the report; by default those of the function's parameters.
        raise_exception: whether to raise, or return a report that is false, if the check fails.
        nondet_tol: how far two calls with the same inputs, or two backward passes, may lie apart.
        check_undefined_grad: of several outputs, check each by itself too, the others being left out of the pass.
        check_grad_dtypes: accepted: gradients always have their inputs' dtypes.
        check_batched_grad: check that a batch of gradients (`is_grads_batched`) is what one after the other gives.
        check_forward_ad: check forward mode (`forward_ad`) along a random direction against the backward pass.
        check_batched_forward_grad: check the same with a batch of directions, as `vmap` makes them.
        check_backward_ad: False checks forward mode alone, along a random direction, against differences.
        fast_mode: compare each input along one random direction first, and entry by entry only where that fails.
        masked: accepted: there are no sparse tensors.

    Returns:
        A report, true if all entries agree; it prints how many were compared and how many were left aside.

    Raises:
        GradcheckError: entries differ (the text names the worst), or nothing could be compared at an input. Or the
            function or its backward pass is not deterministic.
        ValueError: no input requires a gradient, or no output does.

    >>> from tinygrad_dl.testing import gradcheck
    >>> x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    >>> report = gradcheck(lambda x: x * x.exp(), x)
    >>> bool(report), report.summary
    (True, '2 entries compared')

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    check = Comparison("gradcheck", f, names, eps, atol, rtol, nondet_tol, fast_mode)
    if not check_backward_ad:
        if not check_forward_ad:
            raise ValueError("gradcheck: got check_backward_ad=False and check_forward_ad=False, expected one of them")
        return check.outcome(lambda: check.run_forward(f, arguments), raise_exception)
    more = Also(check_undefined_grad, check_batched_grad, check_forward_ad, check_batched_forward_grad)
    return check.outcome(lambda: check.run(f, arguments, more=more), raise_exception)


def gradgradcheck(
    f: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Any] | None = None,
    *,
    eps: float = numeric.STEP,
    atol: float = 1e-8,
    rtol: float = 1e-5,
    names: Sequence[str] | None = None,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> GradientReport:
    """Compares second derivatives, as `create_graph=True` gives them, with differences of the gradients.

    The gradients are functions of the inputs and of `grad_outputs`, the gradients that the outputs start with, and
    are differentiated at both, so that a function whose gradient is constant has something to compare too.

    Args:
        grad_outputs: the starting gradient of each output that requires one; by default random numbers.

            check_fwd_over_rev: check forward mode through the backward pass.
        check_rev_over_rev: must be True.

    All other arguments, the result and the errors are those of `gradcheck`.

    >>> from tinygrad_dl.testing import gradgradcheck
    >>> x = td.tensor([0.5, 2.0], dtype=td.float64, requires_grad=True)
    >>> report = gradgradcheck(lambda x: x * x.exp(), x)
    >>> bool(report), report.summary
    (True, '4 entries compared')

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradgradcheck.html
    """
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not check_rev_over_rev:
        raise ValueError("gradgradcheck: got check_rev_over_rev=False, expected True: it is what it checks first")
    check = Comparison("gradgradcheck", f, names, eps, atol, rtol, nondet_tol, fast_mode)
    more = Also(check_undefined_grad, check_batched_grad, check_fwd_over_rev, False)
    outputs = check.differentiable(results_of(f, arguments))
    count = len(arguments)
    places = [i for i, t in enumerate(arguments) if requires_grad(t)]
    if grad_outputs is None:
        starts = [wrap(w) for w in cotangents([o for _, o in outputs], np.random.default_rng(1))]
    else:
        starts = [
            wrap(np.array(g._data)) for g in ([grad_outputs] if isinstance(grad_outputs, Tensor) else grad_outputs)
        ]
        if [g.shape for g in starts] != [o.shape for _, o in outputs]:
            raise ValueError(
                f"gradgradcheck: got grad_outputs of shapes {[g.shape for g in starts]}, expected one for each output "
                f"that requires a gradient: {[o.shape for _, o in outputs]}"
            )

    def gradients(*values: Any) -> list[Tensor]:
        found = results_of(f, values[:count])
        roots = [found[i] for i, _ in outputs]
        used = [values[i] for i in places]
        return list(autograd.grad(roots, used, values[count:], create_graph=True, materialize_grads=True))

    labels = [*check.labels(arguments), *(f"grad_outputs[{i}]" for i in range(len(starts)))]
    check.names = labels
    seeds = [g.requires_grad_() for g in starts]
    return check.outcome(lambda: check.run(gradients, [*arguments, *seeds], constant=True, more=more), raise_exception)


class Comparison:
    """One comparison of gradients with differences: what is compared, how closely, and what is said of it."""

    def __init__(
        self,
        what: str,
        f: Callable[..., Any],
        names: Sequence[str] | None,
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        fast_mode: bool,
    ):
        self.what, self.names = what, list(names or parameter_names(f))
        self.title = f"{what} of {getattr(function_of(f) or f, '__name__', type(f).__name__)}"
        self.eps, self.atol, self.rtol, self.nondet_tol = eps, atol, rtol, nondet_tol
        self.entrywise = 0 if fast_mode else ENTRYWISE

    def labels(self, arguments: Sequence[Any]) -> list[str]:
        """A name for every argument."""
        return [*self.names, *(f"input {i}" for i in range(len(self.names), len(arguments)))]

    def differentiable(self, outputs: Sequence[Tensor | None]) -> list[tuple[int, Tensor]]:
        """The outputs that require a gradient, each with its position."""
        found = [(i, o) for i, o in enumerate(outputs) if o is not None and o.requires_grad]
        if not found:
            raise ValueError(
                f"{self.what}: got no output that requires a gradient, expected one: the function does not use the "
                "inputs, or detaches"
            )
        return found

    @np.errstate(all="ignore")  # values that are not finite show in the report; the differences look beyond domains
    def run(
        self, f: Callable[..., Any], arguments: Sequence[Any], constant: bool = False, more: Also | None = None
    ) -> GradientReport:
        """Compares at all arguments that require a gradient.

        Args:
            constant: whether outputs without a graph count, as those whose derivative is zero.
            more: what else to compare the backward pass with.
        """
        labels = self.labels(arguments)
        places = [i for i, t in enumerate(arguments) if requires_grad(t)]
        if not places:
            raise ValueError(
                f"{self.what}: got no input that requires a gradient, expected one to check; make one with "
                "requires_grad=True"
            )
        low = [labels[i] for i in places if arguments[i].dtype.itemsize < (16 if arguments[i].is_complex() else 8)]
        if low:
            warn(
                f"{self.what}: {', '.join(low)} below float64, where central differences are too coarse to judge by; "
                f"pass float64 inputs: t.double()"
            )
        values = list(arguments)
        for i in places:
            values[i] = wrap(np.array(arguments[i]._data, order="C")).requires_grad_()
        checked = [values[i] for i in places]
        outputs = results_of(f, values)
        again = results_of(f, values)
        self.expect_same(outputs, again, "the function", "two calls with the same inputs gave different results")
        if constant:
            counted = [(i, o) for i, o in enumerate(outputs) if o is not None and o.dtype.kind in "fc"]
        else:
            counted = self.differentiable(outputs)
        weights = cotangents([o for _, o in counted], np.random.default_rng(0))
        starts = [(o, wrap(w)) for (_, o), w in zip(counted, weights, strict=True) if o.requires_grad]
        found = [wrap(np.zeros(t.shape, t.dtype)) for t in checked]
        if starts:
            roots, seeds = [o for o, _ in starts], [w for _, w in starts]
            found, second = (
                [*autograd.grad(roots, checked, seeds, retain_graph=True, materialize_grads=True)] for _ in range(2)
            )
            self.expect_same(found, second, "the backward pass", "two passes over one graph gave different gradients")
            if more is not None:
                more.check(Pass(self, f, values, places, roots, seeds, found))

        def weighted() -> tuple[float, float]:
            now = results_of(f, values)
            expect_alike(self.what, outputs, now)
            return numeric.weighted_sum([now[i]._data for i, _ in counted], weights)  # type: ignore[union-attr]

        names = [labels[i] for i in places]
        entries = numeric.compare(
            weighted,
            [t._data for t in checked],
            [g._data for g in found],
            names,
            eps=self.eps,
            rtol=self.rtol,
            atol=self.atol,
            entrywise=self.entrywise,
        )
        return report_of(names, [t._data for t in checked], entries, self.rtol)

    @np.errstate(all="ignore")
    def run_forward(self, f: Callable[..., Any], arguments: Sequence[Any]) -> GradientReport:
        """Compares forward mode with differences, along a random direction of all inputs that require a gradient."""
        places = [i for i, t in enumerate(arguments) if requires_grad(t)]
        if not places:
            raise ValueError(f"{self.what}: got no input that requires a gradient, expected one to check")
        rng = np.random.default_rng(2)
        points = [arguments[i].detach() for i in places]
        direction = [wrap(random_like(t._data, rng)) for t in points]

        def at(*inputs: Tensor) -> tuple[Tensor, ...]:
            values = list(arguments)
            for place, value in zip(places, inputs, strict=True):
                values[place] = value
            return tuple(o for o in results_of(f, values) if o is not None and o.dtype.kind in "fc")

        outputs, slopes = carried_along(at, points, direction)
        weights = cotangents(outputs, rng)

        def weighted(step: float) -> float:
            moved = [wrap(np.asarray(t._data + step * d._data)) for t, d in zip(points, direction, strict=True)]
            now = at(*moved)
            expect_alike(self.what, outputs, now)
            return sum(inner(w, o._data) for w, o in zip(weights, now, strict=True))

        h = self.eps
        numeric_slope = (8 * (weighted(h) - weighted(-h)) - (weighted(2 * h) - weighted(-2 * h))) / (12 * h)
        found = sum(inner(w, s._data) for w, s in zip(weights, slopes, strict=True))
        name = "all inputs along one direction"
        noise = self.atol + 1e-12 * max(1.0, abs(weighted(0.0))) / h
        return GradientReport({name: [Entry(name, (), found, numeric_slope, noise)]}, {name: 1}, self.rtol)

    def expect_same(self, first: Sequence[Any], second: Sequence[Any], what: str, text: str) -> None:
        """Raises unless two runs gave the same, but for `nondet_tol`."""
        if len(first) != len(second) or not all(map(self.same, first, second)):
            raise GradcheckError(
                f"{self.what}: {what} is not deterministic: {text}. Is dropout on? Call model.eval(), or seed the "
                f"generator inside the function"
            )

    def same(self, a: Tensor | None, b: Tensor | None) -> bool:
        """Whether two results are the same, but for `nondet_tol`."""
        if a is None or b is None:
            return a is b
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            return False
        exact = self.nondet_tol == 0 or a.dtype.kind not in "fc"
        return (
            a._data.tobytes() == b._data.tobytes()
            if exact
            else np.allclose(a._data, b._data, 0, self.nondet_tol, equal_nan=True)
        )

    def outcome(self, run: Callable[[], GradientReport], raise_exception: bool) -> GradientReport:
        """The report of a comparison; raises instead if it is false and `raise_exception`."""
        try:
            return self.judge(run(), raise_exception)
        except GradcheckError:
            if raise_exception:
                raise
            return GradientReport({"all": []}, {"all": 0}, self.rtol)  # nothing is proven

    def judge(self, report: GradientReport, raise_exception: bool) -> GradientReport:
        """The report; raises instead if it is false and `raise_exception`."""
        if report.ok or not raise_exception:
            return report
        failed, count = report.failed, sum(len(found) for found in report.entries.values())
        if failed:
            raise GradcheckError(
                f"{self.title}: {len(failed)} of {count} entries differ from central differences; the worst:\n"
                f"{worst_lines(failed)}\n{report.summary}"
            )
        raise GradcheckError(
            f"{self.title}: {report.summary}, expected at least one entry of every input; choose values at which the "
            f"function is smooth, of inputs that are not empty"
        )


class Pass:
    """A backward pass that has been compared with differences: what it started from and what it found."""

    def __init__(
        self,
        check: Comparison,
        f: Callable[..., Any],
        values: Sequence[Any],
        places: Sequence[int],
        roots: Sequence[Tensor],
        seeds: Sequence[Tensor],
        found: Sequence[Tensor],
    ):
        self.check, self.f, self.values, self.places = check, f, values, places
        self.roots, self.seeds, self.found = roots, seeds, found
        self.inputs = [values[i] for i in places]

    def gradients(self, roots: Sequence[Tensor], seeds: Sequence[Tensor], batched: bool = False) -> list[Tensor]:
        """Another pass through the same graph."""
        return list(
            autograd.grad(
                roots, self.inputs, seeds, retain_graph=True, materialize_grads=True, is_grads_batched=batched
            )
        )

    def expect_close(self, first: Sequence[Any], second: Sequence[Any], text: str) -> None:
        """Raises unless two ways to the same numbers agree but for rounding."""
        for a, b in zip(first, second, strict=True):
            x, y = np.asarray(getattr(a, "_data", a)), np.asarray(getattr(b, "_data", b))
            size = max(1.0, float(np.abs(x[np.isfinite(x)]).max(initial=0)))
            if x.shape != y.shape or not np.allclose(x, y, 1e-4, 1e-6 * size, equal_nan=True):
                raise GradcheckError(f"{self.check.what}: {text}: got {summary_of(y)}, expected {summary_of(x)}")


def carried_along(
    f: Callable[..., tuple[Tensor, ...]], points: Sequence[Tensor], direction: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The results of a function and their tangents, by forward mode along a direction."""
    with forward_ad.dual_level():
        found = f(*[forward_ad.make_dual(x, t) for x, t in zip(points, direction, strict=True)])
        pairs = [forward_ad.unpack_dual(each) for each in found]
    return tuple(p for p, _ in pairs), tuple(zeros_like(p) if t is None else t for p, t in pairs)


def expect_alike(what: str, first: Sequence[Any], now: Sequence[Any]) -> None:
    """Raises if the results at inputs nearby have other shapes or dtypes: there is no difference between them."""
    kinds = [[None if each is None else (each.shape, each.dtype) for each in outputs] for outputs in (first, now)]
    if kinds[0] != kinds[1]:
        raise GradcheckError(
            f"{what}: got results of shapes and dtypes {kinds[1]} at inputs nearby, expected those at the inputs, "
            f"{kinds[0]}"
        )


def summary_of(array: np.ndarray) -> str:
    """The first numbers of an array."""
    return np.array2string(array.reshape(-1)[:4], precision=6, separator=", ")


class Also:
    """What `gradcheck` compares a backward pass with besides differences."""

    def __init__(self, undefined: bool, batched: bool, forward: bool, batched_forward: bool):
        self.undefined, self.batched, self.forward, self.batched_forward = undefined, batched, forward, batched_forward

    def check(self, done: Pass) -> None:
        """Raises `GradcheckError` if something differs."""
        if self.undefined and len(done.roots) > 1:
            parts = [done.gradients([root], [seed]) for root, seed in zip(done.roots, done.seeds, strict=True)]
            sums = [sum((each._data for each in column[1:]), column[0]._data) for column in zip(*parts, strict=True)]
            done.expect_close(
                done.found, sums, "gradients of each output alone, where the others are not used, do not add up"
            )
        if self.batched:
            seeds = [wrap(np.stack([seed._data, seed._data * 2])) for seed in done.seeds]
            found = done.gradients(done.roots, seeds, batched=True)
            expected = [np.stack([g._data, g._data * 2]) for g in done.found]
            done.expect_close(expected, found, "a batch of gradients differs from one after the other")
        if self.forward or self.batched_forward:
            self.check_forward(done)

    def check_forward(self, done: Pass) -> None:
        """<w, J t> = <J^T w, t>, for the weights w of the outputs and a random direction t."""
        rng = np.random.default_rng(2)
        tangents = [wrap(random_like(t._data, rng)) for t in done.inputs]
        identities = [i for i, o in enumerate(results_of(done.f, done.values)) if o is not None and o.requires_grad]

        def along(*direction: Tensor) -> tuple[Tensor, ...]:
            def at(*inputs: Tensor) -> tuple[Any, ...]:
                values = list(done.values)
                for place, value in zip(done.places, inputs, strict=True):
                    values[place] = value
                now = results_of(done.f, values)
                return tuple(now[i] for i in identities)

            return carried_along(at, done.inputs, direction)[1]

        right = sum(inner(g._data, t._data) for g, t in zip(done.found, tangents, strict=True))
        if self.forward:
            found = sum(inner(w._data, s._data) for w, s in zip(done.seeds, along(*tangents), strict=True))
            done.expect_close([np.asarray(right)], [np.asarray(found)], "forward mode differs from the backward pass")
        if self.batched_forward:
            batch = [wrap(np.stack([t._data, t._data * 2])) for t in tangents]
            slopes = func.vmap(along)(*batch)
            for k in (0, 1):
                found = sum(inner(w._data, s._data[k]) for w, s in zip(done.seeds, slopes, strict=True))
                done.expect_close(
                    [np.asarray(right * (k + 1))], [np.asarray(found)], "a batch of directions differs in forward mode"
                )


def inner(a: np.ndarray, b: np.ndarray) -> float:
    """The real inner product of two arrays."""
    return float(np.real(np.vdot(a, b)))


def report_of(
    names: Sequence[str], arrays: Sequence[np.ndarray], entries: Sequence[Entry], rtol: float
) -> GradientReport:
    """The entries as a report, by the names of the tensors that they belong to."""
    by_name: dict[str, list[Entry]] = {name: [] for name in names}
    for entry in entries:
        by_name[entry.name].append(entry)
    sizes = dict.fromkeys(names, 0)
    for name, array in zip(names, arrays, strict=True):
        sizes[name] += numeric.real_view(array).size
    return GradientReport(by_name, sizes, rtol)


def requires_grad(value: Any) -> bool:
    """Whether an argument is a tensor that requires a gradient."""
    return isinstance(value, Tensor) and value.requires_grad


def cotangents(outputs: Sequence[Tensor], rng: np.random.Generator) -> list[np.ndarray]:
    """A random weight for every entry of every output."""
    return [random_like(o._data, rng) for o in outputs]
