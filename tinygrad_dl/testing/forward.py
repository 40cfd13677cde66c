"""Checks of an op's result: its values, its dtypes, and what it does with its arguments' memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.random import manual_seed
from tinygrad_dl.testing import first_order
from tinygrad_dl.testing.call import SEED, Call, label
from tinygrad_dl.testing.expect import STRICT, expect_close, expect_unchanged
from tinygrad_dl.testing.half import check_half
from tinygrad_dl.testing.report import CheckError
from tinygrad_dl.testing.running import Run, Tally, has_gradient


def check_values(call: Call, tally: Tally) -> None:
    """The result equals the reference's, is an array, and the arguments are as they were."""
    before = call.copy()
    with np.errstate(**STRICT):
        results = call.run(seeded=tally.random)
    expect_unchanged(before, call, "the forward computation")
    for i, (result, again) in enumerate(zip(results, call.run(seeded=tally.random), strict=True)):
        if result._data.tobytes() != again._data.tobytes():
            raise CheckError(
                f"the op is not deterministic: with the same arguments result {i} is another at the second call; "
                f"random numbers must come from the library's generator, which the checks seed"
            )
        if type(result._data) is not np.ndarray:
            raise CheckError(f"the result holds {type(result._data).__name__}, expected an ndarray")
    with np.errstate(all="ignore"):
        expected = seeded_reference(before, tally)
    if len(expected) != len(results):
        raise CheckError(f"got {len(results)} results, the reference gives {len(expected)}")
    for i, (result, value) in enumerate(zip(results, expected, strict=True)):
        which = f"result {i}" if len(results) > 1 else "the result"
        expect_close(result._data, value, which, "the reference", 1e-9)


def check_large(call: Call, tally: Tally) -> None:
    """At arguments of large magnitude too, the result is the reference's and the gradient the derivative.

    What is infinite by the reference may be infinite. The reference is asked in extended precision if it can, so that
    an overflow that it shares with the op on the way to a finite result is seen.
    """
    with np.errstate(all="ignore"):
        expected = widest_reference(call, tally)
        results = call.run(seeded=tally.random)
        for i, (result, value) in enumerate(zip(results, expected, strict=True)):
            which = f"result {i}" if len(results) > 1 else "the result"
            expect_close(result._data, value, f"at large arguments {which}", "the reference", 1e-7)
        if has_gradient(call) and all(np.isfinite(value).all() for value in expected):
            first_order.check_against_differences(call, tally)


def widest_reference(call: Call, tally: Tally) -> list[np.ndarray]:
    """The results of the reference, computed in extended precision and rounded, if it takes that; else as they are."""
    usual = seeded_reference(call.copy(), tally)
    try:
        wide = seeded_reference(call.map(lambda a: a.astype(np.result_type(a.dtype, np.longdouble))), tally)
    except Exception:  # a function of float64 alone
        return usual
    same = len(wide) == len(usual) and all(a.shape == b.shape for a, b in zip(wide, usual, strict=True))
    return [a.astype(b.dtype) for a, b in zip(wide, usual, strict=True)] if same else usual


def seeded_reference(call: Call, tally: Tally) -> list[np.ndarray]:
    """The results of the reference, with the random numbers that every call of the checks gets."""
    if tally.random:
        manual_seed(SEED)
    return call.reference()


def check_dtypes(call: Call, tally: Tally) -> None:
    """Floating results and gradients keep the dtype of the arguments: float32 never becomes float64."""
    if not call.places():
        return
    usual = [r.dtype for r in call.run(seeded=tally.random)]
    check_dtype(call, tally, np.dtype(np.float32), usual)
    check_half(call, tally)


def check_dtype(call: Call, tally: Tally, dtype: np.dtype[Any], usual: list[Any]) -> None:
    """Results, gradients and what the rules return, with arguments of this dtype."""

    def cast(array: np.ndarray) -> np.ndarray:
        return array.astype(narrowed(array.dtype, dtype))

    narrow = call.map(cast)
    with np.errstate(all="ignore"):
        results = narrow.run(seeded=tally.random)
        if call.values.get("dtype") is None:  # else the caller chose another
            for result, wide in zip(results, usual, strict=True):
                wanted = narrowed(wide, dtype)
                if result.dtype != wanted:
                    raise CheckError(f"arguments of {dtype} give a result of {result.dtype}, expected {wanted}")
        if not has_gradient(call):
            return
        places = narrow.differentiable()
        run = Run(narrow, tally)
        for recorded in (False, True):
            found = run.gradients(create_graph=recorded)
            for (name, _), array, g in zip(places, narrow.arrays(places), found, strict=True):
                if g.dtype != array.dtype:
                    raise CheckError(f"the gradient for {name!r} has dtype {g.dtype}, expected {array.dtype}")
        check_values_in_float32(call, narrow, run, tally)
        widest = max(map(precision, [*narrow.arrays(places), *run.weights]))
        for i, gx in enumerate(run.rule_results()):
            if gx is not None and precision(gx) > widest:
                raise CheckError(
                    f"the gradient rule for {run.node.plan.argument(i)!r} returned {gx.dtype} for arguments of "
                    f"{dtype}; a NumPy scalar or a float64 array in the rule does that: use Python numbers"
                )


def check_values_in_float32(call: Call, narrow: Call, run: Run, tally: Tally) -> None:
    """Results and gradients are those in float64 but for rounding: float32 often has code of its own."""
    wide = narrow.map(lambda a: a.astype(np.complex128 if a.dtype.kind == "c" else np.float64))
    usual = Run(wide, tally)
    usual.weights = [w.astype(r.dtype) for w, r in zip(run.weights, usual.results, strict=True)]
    if not any(g.any() for g in usual.gradients()):
        return  # a function that jumps, as round does, may jump elsewhere
    # As far as float32 reaches: what is larger is infinite there.
    for a, b in zip(run.results, usual.results, strict=True):
        expect_close(a._data, b._data.astype(a.dtype), "the result in float32", "that in float64", 2e-3)
    for x, y in zip(run.gradients(), usual.gradients(), strict=True):
        expect_close(x, y.astype(x.dtype), "the gradient in float32", "that in float64", 2e-3)


def narrowed(wide: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What stands for float64 or complex128 in a check with arguments of `dtype`; others stay."""
    if wide == np.complex128:
        return np.dtype(np.complex64)
    return dtype if wide == np.float64 else np.dtype(wide)


def precision(array: Any) -> int:
    """The bytes of one real number of the array's dtype."""
    size: int = array.dtype.itemsize
    return size // 2 if array.dtype.kind == "c" else size


def check_layouts(call: Call, tally: Tally) -> None:
    """Arguments that lie in memory with gaps, backwards or transposed give the same values and gradients."""
    if not call.places():
        return
    records = has_gradient(call)
    usual = Run(call, tally, places=None if records else [])
    expected = usual.gradients()
    check_layouts_of_g(usual, expected)
    for name, change in LAYOUTS.items():
        laid = call.map(change, floating=False)
        try:
            run = Run(laid, tally, usual.weights, places=None if records else [])
        except RuntimeError as error:
            if call.op.view and "copy" in str(error):
                continue  # a view that this layout does not allow without a copy
            raise
        for a, b in zip(run.results, usual.results, strict=True):
            expect_close(a._data, b._data, f"the result on {name} arguments", "that on contiguous ones", 1e-10)
        for x, y in zip(run.gradients(), expected, strict=True):
            expect_close(x, y, f"the gradient on {name} arguments", "that on contiguous ones", 1e-9)
        expect_unchanged(call, laid, f"the computation on {name} arguments")


def check_layouts_of_g(run: Run, expected: list[np.ndarray]) -> None:
    """The gradients are the same, however the gradient that they start from lies in memory."""
    names = [label(place) for place in run.call.differentiable()]
    for layout, change in LAYOUTS.items():
        for name, x, y in zip(names, run.gradients([change(w) for w in run.weights]), expected, strict=False):
            text = f"the gradient for {name!r} from a {layout} g"
            expect_close(x, y, text, "that from a contiguous one", 1e-9)
    repeated = [np.broadcast_to(w.flat[0] if w.size else w.dtype.type(0), w.shape) for w in run.weights]
    plain = run.gradients([np.array(w) for w in repeated])
    for name, x, y in zip(names, run.gradients(repeated), plain, strict=False):
        expect_close(x, y, f"the gradient for {name!r} from a g of one repeated number", "that from a copy", 1e-9)


def stepped(array: np.ndarray) -> np.ndarray:
    """The same values with gaps between them."""
    room = np.zeros([2 * s for s in array.shape], array.dtype)
    every_second: tuple[Any, ...] = (..., *(slice(None, None, 2) for _ in array.shape))
    view: np.ndarray = room[every_second]
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
