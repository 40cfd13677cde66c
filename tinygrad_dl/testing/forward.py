"""Checks of an op's result: its values, its dtypes, and what it does with its arguments' memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl import autograd
from tinygrad_dl.tensor import Tensor
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.gradcheck import random_like
from tinygrad_dl.testing.report import CheckError, pasteable

if TYPE_CHECKING:
    from tinygrad_dl.testing.op_checks import Tally

RAISE: Any = dict(divide="raise", over="raise", invalid="raise", under="ignore")


def check_values(call: Call, tally: Tally) -> None:
    """The result equals the reference's, is an array, and the arguments are as they were."""
    before = call.copy()
    with np.errstate(**RAISE):
        results = call.run(seeded=bool(tally.random))
    expect_unchanged(before, call, "the forward computation")
    for result in results:
        if type(result._data) is not np.ndarray:
            raise CheckError(f"the result holds {type(result._data).__name__}, expected an ndarray")
    if tally.random:
        from tinygrad_dl.testing.call import SEED, manual_seed

        manual_seed(SEED)
    with np.errstate(all="ignore"):
        expected = before.reference()
    if len(expected) != len(results):
        raise CheckError(f"got {len(results)} results, the reference gives {len(expected)}")
    for i, (result, value) in enumerate(zip(results, expected, strict=True)):
        which = f"result {i}" if len(results) > 1 else "the result"
        if result.shape != value.shape:
            raise CheckError(f"{which} has shape {result.shape}, the reference {value.shape}")
        expect_close(result._data, value, which, "the reference", 1e-9)


def expect_close(got: np.ndarray, expected: np.ndarray, which: str, other: str, tolerance: float) -> None:
    """Raises unless the two agree: |a - b| <= tolerance * (1 + |b|), relative to the largest entry."""
    if got.dtype.kind in "biu" and expected.dtype.kind in "biu":
        close = np.asarray(got == expected)
    else:
        with np.errstate(all="ignore"):
            finite = np.abs(expected[np.isfinite(expected)])
            scale = float(finite.max()) if finite.size else 0.0
            limit = tolerance * (1 + np.abs(expected)) + tolerance * 1e-3 * scale
            close = np.asarray((np.abs(got - expected) <= limit) | (got == expected) | (np.isnan(got) & np.isnan(expected)))
    if not close.all():
        index = tuple(int(i) for i in np.argwhere(~close)[0])
        raise CheckError(f"{which} differs from {other} at {index}: got {got[index]!r}, expected {expected[index]!r}")


def expect_unchanged(before: Call, after: Call, what: str) -> None:
    """Raises if an argument's bytes are not what they were."""
    for name in before.op.tensors:
        old, new = before.values.get(name), after.values.get(name)
        pairs = zip(old, new, strict=True) if isinstance(old, list) and isinstance(new, list) else [(old, new)]
        for a, b in pairs:
            if isinstance(a, np.ndarray) and (a.shape != b.shape or a.tobytes() != b.tobytes()):
                raise CheckError(f"{what} changed its argument {name!r}: it was {pasteable(a)}, is {pasteable(b)}")


def expect_same_bytes(got: Any, expected: Any, text: str) -> None:
    """Raises unless two arrays are equal bit for bit; -0 and 0 count as equal."""
    if got.shape != expected.shape or got.dtype != expected.dtype or not np.array_equal(got, expected, equal_nan=got.dtype.kind in "fc"):
        raise CheckError(f"{text}: {pasteable(got)} and {pasteable(expected)}")


def gradients(
    call: Call, tally: Tally, weights: list[np.ndarray] | None = None, create_graph: bool = False
) -> tuple[list[Tensor], list[Tensor], list[np.ndarray]]:
    """Results, gradients at all differentiable places, and the weights that the pass started from."""
    values, leaves = call.wrapped(call.differentiable())
    results = call.run(values, seeded=bool(tally.random))
    if weights is None:
        rng = np.random.default_rng(0)
        weights = [random_like(r._data, rng) for r in results]
    roots = [(r, w) for r, w in zip(results, weights, strict=True) if r.requires_grad]
    if not roots:
        if leaves:
            raise CheckError("no result requires a gradient, though arguments do")
        return results, [], weights
    found = autograd.grad(
        [r for r, _ in roots], leaves, [w for _, w in roots], create_graph=create_graph, materialize_grads=True
    )
    return results, list(found), weights


def check_dtypes(call: Call, tally: Tally) -> None:
    """Floating results and gradients keep the dtype of the arguments: float32 never becomes float64."""
    if not call.places():
        return
    usual = [r.dtype for r in call.run(seeded=bool(tally.random))]
    complex_too = any(dtype.kind == "c" for dtype in [*usual, *(a.dtype for a in call.arrays(call.places()))])
    for dtype in (np.dtype(np.float32), *([] if complex_too else [np.dtype(np.float16)])):
        cast = call.map(lambda a, dtype=dtype: a.astype(narrowed(a.dtype, dtype)))
        with np.errstate(all="ignore"):
            try:
                results = cast.run(seeded=bool(tally.random))
            except (TypeError, NotImplementedError) as error:
                if dtype == np.float16 and "float16" in str(error):
                    continue  # a refusal that says so
                raise
            if call.values.get("dtype") is None:  # else the caller chose another
                for result, wide in zip(results, usual, strict=True):
                    if result.dtype != narrowed(wide, dtype):
                        raise CheckError(
                            f"arguments of {dtype} give a result of {result.dtype}, expected {narrowed(wide, dtype)}"
                        )
            if call.op.records and call.differentiable():
                check_gradient_dtypes(cast, tally)


def narrowed(wide: np.dtype[Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What stands for float64 or complex128 in a check with arguments of `dtype`; others stay."""
    if wide == np.complex128:
        return np.dtype(np.complex64)
    return dtype if wide == np.float64 else wide


def check_gradient_dtypes(call: Call, tally: Tally) -> None:
    """Gradients have their arguments' dtypes, and the rules keep them without the engine's help."""
    places = call.differentiable()
    for create_graph in (False, True):
        _, found, _ = gradients(call, tally, create_graph=create_graph)
        for (name, _), array, g in zip(places, call.arrays(places), found, strict=True):
            if g.dtype != array.dtype:
                raise CheckError(f"the gradient for {name!r} has dtype {g.dtype}, expected {array.dtype}")
    values, _ = call.wrapped(places)
    results = call.run(values, seeded=bool(tally.random))
    node = next((r._edge.node for r in results if r._edge is not None), None)
    if node is None:
        return
    rng = np.random.default_rng(0)
    weights = [random_like(r._data, rng) for r in results]
    g = [w if w.dtype.kind in "fc" else None for w in weights] if node.plan.multiple else weights[0]
    widest = max(a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1) for a in [*call.arrays(places), *weights])
    for i, gx in enumerate(node.plan.run(g, node.saved)):
        if gx is not None and gx.dtype.itemsize // (2 if gx.dtype.kind == "c" else 1) > widest:
            raise CheckError(
                f"the gradient rule for {node.plan.argument(i)!r} returned {gx.dtype} for arguments of "
                f"{call.arrays(places)[0].dtype}; a NumPy scalar or a float64 array in the rule does that: use Python "
                f"numbers"
            )


def check_layouts(call: Call, tally: Tally) -> None:
    """Arguments that lie in memory with steps, backwards or transposed give the same values and gradients."""
    if not call.places():
        return
    usual, expected, weights = gradients(call, tally)
    for name, change in LAYOUTS.items():
        laid = call.map(change, floating=False)
        try:
            results, found, _ = gradients(laid, tally, weights)
        except RuntimeError as error:
            if call.op.view and "copy" in str(error):
                continue  # a view that this layout does not allow without a copy
            raise
        for a, b in zip(results, usual, strict=True):
            expect_close(a._data, b._data, f"the result on {name} arguments", "that on contiguous ones", 1e-10)
        for a, b in zip(found, expected, strict=True):
            expect_close(a._data, b._data, f"the gradient on {name} arguments", "that on contiguous ones", 1e-9)
        expect_unchanged(call, laid, f"the computation on {name} arguments")


def stepped(array: np.ndarray) -> np.ndarray:
    """The same values with gaps between them."""
    room = np.zeros([2 * s for s in array.shape], array.dtype)
    view = room[(..., *(slice(None, None, 2) for _ in array.shape))]
    view[...] = array
    return view


def backwards(array: np.ndarray) -> np.ndarray:
    """The same values, stored in reverse."""
    turn = tuple(slice(None, None, -1) for _ in array.shape)
    return np.ascontiguousarray(array[turn])[turn] if array.ndim else array


def transposed(array: np.ndarray) -> np.ndarray:
    """The same values in column-major order."""
    return np.array(array, order="F")


LAYOUTS = {"stepped": stepped, "reversed": backwards, "transposed": transposed}
