"""Checks of an op's forward mode and of its batched form: for every op, with rules of its own or without."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.func.batched import BatchLevel
from tinygrad_dl.func.dual import DualLevel
from tinygrad_dl.testing.call import Call, label
from tinygrad_dl.testing.expect import expect_close
from tinygrad_dl.testing.report import CheckError
from tinygrad_dl.testing.running import Run, Tally, coarseness, has_gradient, random_like

EXAMPLES = 3  # in a batch
ENOUGH = 12  # inputs of an op that are looked at: each is run some twenty times


def check_transforms(call: Call, tally: Tally) -> None:
    """Forward mode, vmap, and both with gradients, on the first inputs that were drawn."""
    if tally.inputs <= ENOUGH:
        check_tangents(call, tally)
        check_batches(call.copy(), tally)
        check_batched_cotangents(call.copy(), tally)
        check_batched_tangents(call.copy(), tally)
        check_nested(call.copy(), tally)


def check_tangents(call: Call, tally: Tally) -> None:
    """Forward mode against reverse mode: <jvp(t), g> = <t, vjp(g)>, of each argument alone and of all together."""
    if not has_gradient(call):
        return
    run = Run(call, tally)
    gradients = run.gradients()
    places = call.differentiable()
    rng = np.random.default_rng(2)
    arrays = call.arrays(places)
    directions = [random_like(a, rng) for a in arrays]
    alone = [(i,) for i in range(len(places))]
    groups = alone if len(places) < 2 else [*alone, tuple(range(len(places)))]
    tolerance = 1e-9 + 64 * coarseness(run.results)[1]
    for group in groups:
        results, tangents = pushed(call, tally, {places[i]: directions[i] for i in group})
        for result, value in zip(run.results, results, strict=True):
            expect_close(value._data, result._data, "the result in forward mode", "the usual one", 1e-12)
        left, scale = 0.0, 0.0  # the sum, and that of the sizes of its terms: what rounding is measured by
        for weight, tangent, result in zip(run.weights, tangents, results, strict=True):
            if tangent is None:
                continue
            if tangent.shape != result.shape or tangent.dtype != result.dtype:
                raise CheckError(
                    f"the tangent is {tangent.dtype}{tangent.shape}, expected that of the result, "
                    f"{result.dtype}{result.shape}"
                )
            terms = real_product(tangent._data, weight)
            left, scale = left + terms.sum(), scale + np.abs(terms).sum()
        right = 0.0
        for i in group:
            terms = real_product(directions[i], gradients[i])
            right, scale = right + terms.sum(), scale + np.abs(terms).sum()
        names = ", ".join(repr(label(places[i])) for i in group)
        text = f"the tangent by {names} disagrees with the gradient: <jvp(t), g>"
        if not abs(left - right) <= tolerance * (1 + scale):
            raise CheckError(f"{text} is {left!r}, and <t, vjp(g)> is {right!r}")
    # Where something is recorded rules get tensors, and arrays where nothing is.
    _, recorded = pushed(call, tally, {places[i]: directions[i] for i in group}, places)
    for tangent, again in zip(tangents, recorded, strict=True):
        if tangent is not None:
            expect_close(again._data, tangent._data, "the tangent of recorded tensors", "that of plain ones", 1e-9)


def real_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The real inner product of entries, of complex numbers that of their two parts."""
    return np.real(a * np.conjugate(b)) if "c" in (a.dtype.kind, b.dtype.kind) else np.asarray(a * b)


def pushed(
    call: Call, tally: Tally, directions: dict[Any, Any], recorded: list[Any] | None = None
) -> tuple[list[Tensor], list[Any]]:
    """The results and their tangents, of tensors of which some require gradients."""
    return pushed_at(call, tally, call.wrapped(recorded or [])[0], directions)


def pushed_at(
    call: Call, tally: Tally, values: dict[str, Any], directions: dict[Any, Any]
) -> tuple[list[Tensor], list[Any]]:
    """The same at values that the caller has made."""
    with DualLevel() as level:
        for (name, i), each in directions.items():
            direction = wrap(each) if isinstance(each, np.ndarray) else each
            if i is None:
                values[name] = level.lift(values[name], direction)
            else:
                values[name][i] = level.lift(values[name][i], direction)
        parts = [level.parts(each) for each in call.run(values, seeded=tally.random)]
    return [value for value, _ in parts], [tangent for _, tangent in parts]


def check_batches(call: Call, tally: Tally) -> None:
    """vmap against a loop over the examples, with every subset of the tensors as a batch."""
    if tally.random:
        return
    places = [
        (name, i)
        for name in call.op.tensors
        for i in (range(len(call.values[name])) if name == call.op.sequence else (None,))
        if isinstance(call.values.get(name), np.ndarray | list)
    ]
    examples = [call, call.map(turned_round, floating=False), call]
    for chosen in subsets(places):
        loop = []
        for example in examples:
            values = dict(example.values)
            mixed = Call(call.op, {k: list(v) if type(v) is list else v for k, v in values.items()})
            for name, i in places:
                if (name, i) not in chosen:
                    put(mixed, name, i, get(call, name, i))
            try:
                with np.errstate(all="ignore"):
                    loop.append((mixed, mixed.run(mixed.wrapped([])[0])))
            except Exception:  # not legal with elements of another order
                loop = []
                break
        if not loop:
            loop = [(call, call.run(call.wrapped([])[0]))] * EXAMPLES
        shapes = {tuple(r.shape for r in results) for _, results in loop}
        if len(shapes) > 1:
            continue  # the shape depends on the data
        values, _ = call.wrapped([])
        with BatchLevel(EXAMPLES) as level, warnings.catch_warnings(record=True) as said, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            for name, i in chosen:
                stack = np.stack([get(mixed, name, i) for mixed, _ in loop])
                if i is None:
                    values[name] = level.lift(wrap(stack))
                else:
                    values[name][i] = level.lift(wrap(stack))
            found = [level.lowered(each) for each in call.run(values)]
        if any("one by one" in str(each.message) for each in said):
            tally.looped = True
        names = ", ".join(repr(label(place)) for place in chosen)
        for position, result in enumerate(found):
            expected = np.stack([results[position]._data for _, results in loop])
            if result.dtype != expected.dtype or result.shape != expected.shape:
                raise CheckError(
                    f"vmap over {names} gives {result.dtype}{result.shape}, expected {expected.dtype}{expected.shape}"
                )
            with np.errstate(all="ignore"):
                expect_close(result._data, expected, f"vmap over {names}", "the examples one by one", 1e-9)


def check_batched_cotangents(call: Call, tally: Tally) -> None:
    """Several gradients at once, as `jacrev` asks for them: vmap over the cotangent against one after the other."""
    if not has_gradient(call):
        return
    run = Run(call, tally)
    if len(run.results) > 1 and not all(r.requires_grad for r in run.results):
        return
    rows = [run.new_weights(seed) for seed in range(EXAMPLES)]
    one_by_one = [run.gradients(row) for row in rows]
    with BatchLevel(EXAMPLES) as level, loops_allowed(), np.errstate(all="ignore"):
        weights = [level.lift(wrap(np.stack(column))) for column in zip(*rows, strict=True)]
        found = autograd.grad(run.results, run.leaves, weights, retain_graph=True, materialize_grads=True)
        batches = [level.lowered(each) for each in found]
    for place, batch, *expected in zip(call.differentiable(), batches, *one_by_one, strict=True):
        text = f"the gradients for {label(place)!r} of several cotangents at once"
        expect_close(batch._data, np.stack(expected), text, "one by one", 1e-9)


def check_batched_tangents(call: Call, tally: Tally) -> None:
    """Several directions at once, as `jacfwd` asks for them: vmap over the tangents against one after the other."""
    if tally.random or not has_gradient(call):
        return
    places = call.differentiable()
    rng = np.random.default_rng(3)
    rows = [[random_like(a, rng) for a in call.arrays(places)] for _ in range(EXAMPLES)]
    expected = [pushed(call, tally, dict(zip(places, row, strict=True)))[1] for row in rows]
    with BatchLevel(EXAMPLES) as level, loops_allowed(), np.errstate(all="ignore"):
        columns = [level.lift(wrap(np.stack(column))) for column in zip(*rows, strict=True)]
        _, found = pushed(call, tally, dict(zip(places, columns, strict=True)))
        batches = [None if each is None else level.lowered(each) for each in found]
    for batch, *each in zip(batches, *expected, strict=True):
        if batch is not None:
            stack = np.stack([e._data for e in each])
            expect_close(batch._data, stack, "the tangents of several directions at once", "one by one", 1e-9)


def check_nested(call: Call, tally: Tally) -> None:
    """What `hessian` asks for: gradients of tangents, in one call for several points and directions.

    Against the same of one point and direction after the other.
    """
    if tally.random or not has_gradient(call):
        return
    places = call.differentiable()
    rng = np.random.default_rng(4)
    rows = [[random_like(a, rng) for a in call.arrays(places)] for _ in range(EXAMPLES)]
    expected = []
    for row in rows:
        values, leaves = call.wrapped(places)
        _, tangents = pushed_at(call, tally, values, dict(zip(places, row, strict=True)))
        expected.append(gradients_of_sum(tangents, leaves))
    with BatchLevel(EXAMPLES) as level, loops_allowed(), np.errstate(all="ignore"):
        values, _ = call.wrapped([])
        leaves = [wrap(np.stack([a] * EXAMPLES)).requires_grad_() for a in call.arrays(places)]
        for (name, i), leaf in zip(places, leaves, strict=True):
            if i is None:
                values[name] = level.lift(leaf)
            else:
                values[name][i] = level.lift(leaf)
        columns = [level.lift(wrap(np.stack(column))) for column in zip(*rows, strict=True)]
        _, tangents = pushed_at(call, tally, values, dict(zip(places, columns, strict=True)))
        found = gradients_of_sum([None if t is None else level.lowered(t) for t in tangents], leaves)
    for place, batch, *each in zip(places, found, *expected, strict=True):
        text = f"the gradients for {label(place)!r} of the tangents of several points at once"
        expect_close(batch, np.stack(each), text, "one by one", 1e-9)


def gradients_of_sum(tangents: list[Any], leaves: list[Tensor]) -> list[np.ndarray]:
    """The gradients of the sum of all tangents."""
    asked = [t for t in tangents if t is not None and t.requires_grad]
    if not asked:
        return [np.zeros(leaf.shape, leaf.dtype) for leaf in leaves]
    found = autograd.grad(asked, leaves, [wrap(np.ones(t.shape, t.dtype)) for t in asked], materialize_grads=True)
    return [each._data for each in found]


@contextmanager
def loops_allowed() -> Iterator[None]:
    """Ops inside may go through the examples one by one without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="vmap: the op .* has no rule for batches")
        yield


def turned_round(array: np.ndarray) -> np.ndarray:
    """The same elements in the opposite order: another example, as legal as the first."""
    return array.reshape(-1)[::-1].reshape(array.shape).copy()


def subsets(places: list[Any]) -> Iterator[tuple[Any, ...]]:
    """Every subset of up to four places; of more, each alone and all."""
    if len(places) <= 4:
        for count in range(1, len(places) + 1):
            yield from itertools.combinations(places, count)
    else:
        yield from ((place,) for place in places)
        yield tuple(places)


def get(call: Call, name: str, i: int | None) -> Any:
    """The tensor at a place."""
    return call.values[name] if i is None else call.values[name][i]


def put(call: Call, name: str, i: int | None, value: Any) -> None:
    """Puts a tensor in a place."""
    if i is None:
        call.values[name] = value
    else:
        call.values[name][i] = value
