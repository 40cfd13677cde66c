"""Every op on an array type that converts nothing in silence: values, gradients, and no transfers but those listed."""

from __future__ import annotations

import numpy as np
import pytest
import strict_array
from strict_array import StrictArray, transfers

import tinygrad_dl as td
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.testing import all_ops
from tinygrad_dl.testing.call import Call
from tinygrad_dl.testing.drawing import for_examples

strict_array.install()


ONE_BY_ONE = "LAPACK's routine, of which CuPy has none for stacks, is SciPy's, one matrix at a time"
# Ops that do not run on such arrays yet, with the reason; an op that has become right fails the test.
UNDONE = {
    **dict.fromkeys(("ldl_factor", "ldl_solve", "lu_factor"), ONE_BY_ONE),
    "airy_ai": "CuPy has no function of Airy's",
    "quantile_neighbours": "right, but that nobody looks for nan: the span stands there for each row",
    "hash_tensor": "CuPy has no `bitwise_xor.reduce`",
    "scatter_product": "CuPy has no `multiply.at`",
}
RANGE = "refuses indices and classes that are out of range, for which it waits; CuPy would take other elements"
FINITE = "refuses what is not finite, with which LAPACK's iterations may have no end"
SHAPE = "the shape of the result depends on values"
ROUNDS = "the number of its rounds depends on values"
ONCE = "tables that shapes alone decide are made on the CPU"
# Ops that wait for values or bring some from the CPU, with the reason; an op that no longer does fails the test.
TRANSFERRING = {
    **dict.fromkeys(("embedding", "embedding_backward", "one_hot", "gather", "scatter", "scatter_add"), RANGE),
    **dict.fromkeys(("index_add", "index_select", "scatter_extreme", "cross_entropy", "quantile"), RANGE),
    **dict.fromkeys(("sample", "sample_backward", "sample_weights_backward"), RANGE),
    "nll_loss": RANGE + "; sums the weights of the classes",
    "binary_cross_entropy": "refuses what is not between 0 and 1",
    **dict.fromkeys(("eig", "eigh", "eigvalsh", "norm", "pinv", "svd", "svdvals"), FINITE),
    **dict.fromkeys(("cholesky", "solve_triangular", "qr"), "refuses a 0 on the diagonal of triangular matrices"),
    "solve_by_factor": "looks whether the factor is triangular",
    "det": "looks whether the inverse is exact enough for the gradient",
    **dict.fromkeys(("index", "setitem", "repeat_interleave"), SHAPE),
    "matrix_exp": ROUNDS,
    **{op.name: ROUNDS for op in all_ops() if "polynomials" in op.home},
    **dict.fromkeys(("max_pool", "max_pool_backward", "max_pool_indices", "max_pool_pick"), ONCE),
    **dict.fromkeys(("avg_pool", "adaptive_avg_pool", "resample", "interpolate", "grid_cells"), ONCE),
    "moved_to": "that is what it does",
}


def placed(value):
    """An argument's arrays as tensors on the strict device."""
    if isinstance(value, list):
        return [placed(each) for each in value]
    return wrap(StrictArray(np.array(value))) if isinstance(value, np.ndarray) else value


def options_on_device(value):
    """An option's arrays, such as those of an index, on the strict device."""
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple([options_on_device(each) for each in value])
    return StrictArray(np.array(value)) if isinstance(value, np.ndarray) else value


def results_and_gradients(call: Call, strict: bool) -> tuple[list, list]:
    """The arrays of the results, and the gradients of a weighted sum of them."""
    td.manual_seed(1)
    values = dict(call.copy().values)
    for name, value in values.items() if strict else ():
        values[name] = placed(value) if name in call.op.tensors else options_on_device(value)
    leaves = []
    for name, i in call.differentiable():
        tensor = values[name] if i is None else values[name][i]
        if not isinstance(tensor, Tensor):
            tensor = wrap(tensor)
            if i is None:
                values[name] = tensor
            else:
                values[name][i] = tensor
        leaves.append(tensor.requires_grad_())
    results = call.run(values)
    roots = [r for r in results if r.requires_grad]
    weights = []
    for root in roots:
        numbers = np.cos(np.arange(root.numel())).reshape(root.shape).astype(root._data.dtype)
        weights.append(wrap(StrictArray(numbers) if strict else numbers))
    found = td.autograd.grad(roots, leaves, weights, allow_unused=True) if roots and leaves else []
    return [r._data for r in results], [None if g is None else g._data for g in found]


def in_single(call: Call) -> Call:
    """The call in float32 and complex64, which have ways of their own."""
    narrow = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    return call.map(lambda array: array.astype(narrow.get(array.dtype, array.dtype)))


def compare(call: Call, rtol: float = 1e-9) -> None:
    """Results and gradients on the strict device are those on the CPU."""
    expected = results_and_gradients(call, strict=False)
    transfers.clear()
    found = results_and_gradients(call, strict=True)
    for a, b in zip((*expected[0], *expected[1]), (*found[0], *found[1]), strict=True):
        assert (a is None) == (b is None)
        if a is None:
            continue
        if call.op.name == "moved_to":  # to the CPU
            assert type(b) is np.ndarray
            continue
        assert type(b) is StrictArray, f"a result of type {type(b).__name__}"
        assert b.shape == a.shape and b.dtype == a.dtype
        scale = max(1.0, np.abs(np.where(np.isfinite(a), a, 0)).max(initial=0))
        np.testing.assert_allclose(b._array, a, rtol=rtol, atol=1e-3 * rtol * scale, equal_nan=True)


def check(op) -> None:
    """`compare` on drawn arguments; transfers are counted."""
    seen = []

    def one(call: Call) -> None:
        compare(call)
        seen.append(dict(transfers))

    for_examples(op, one, max_examples=10, derandomize=True)
    for_examples(op, lambda call: compare(in_single(call), 2e-3), max_examples=3, derandomize=True)
    counted = [each for each in seen if each]
    if op.name in TRANSFERRING:
        assert counted, f"{op.name} transfers nothing any more: take it out of TRANSFERRING"
    else:
        assert not counted, f"{op.name}: {counted[0]}"


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_op(op):
    if op.name not in UNDONE:
        return check(op)
    try:
        check(op)
    except Exception:
        return None
    pytest.fail(f"{op.name} is right: take it out of UNDONE")
