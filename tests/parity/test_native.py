"""Operations that PyTorch has for other operations: native normalisations, grid samplers by number, and older forms."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import torch

RNG = np.random.default_rng(0)
IMAGES, ROWS, WEIGHT, BIAS = (RNG.normal(size=shape) for shape in ((2, 4, 3), (3, 4), (4,), (4,)))
PICTURES, VOLUMES = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 2, 3, 2, 4))
PLACES, SPOTS = RNG.uniform(-1.3, 1.3, (2, 2, 3, 2)), RNG.uniform(-1.3, 1.3, (2, 1, 2, 2, 3))
STATISTICS = RNG.normal(size=4), RNG.uniform(0.5, 2, 4)
INDEX = np.array([[0, 1, 1, 0], [2, 1, 0, 0]])

CASES = {
    "layer norm": (lambda L, *xs: L.native_layer_norm(xs[0], (4,), *xs[1:], 1e-5), (ROWS, WEIGHT, BIAS)),
    "layer norm over two": (lambda L, x: L.native_layer_norm(x, (4, 3), None, None, 1e-3), (IMAGES,)),
    "group norm": (lambda L, *xs: L.native_group_norm(*xs, 2, 4, 3, 2, 1e-5), (IMAGES, WEIGHT, BIAS)),
    "batch norm": (lambda L, *xs: L.native_batch_norm(*xs, None, None, True, 0.1, 1e-5), (IMAGES, WEIGHT, BIAS)),
    "batch norm in evaluation": (
        lambda L, *xs: L.native_batch_norm(*xs, *map(L.tensor, STATISTICS), False, 0.1, 1e-5),
        (IMAGES, WEIGHT, BIAS),
    ),
    **{
        f"images, {mode} {padding} {align}": (
            lambda L, *xs, o=(mode, padding, align): L.grid_sampler_2d(*xs, *o),
            (PICTURES, PLACES),
        )
        for mode, padding, align in ((0, 0, False), (1, 1, True), (2, 2, False))
    },
    "volumes": (lambda L, *xs: L.grid_sampler_3d(*xs, 0, 1, True), (VOLUMES, SPOTS)),
    "images or volumes": (lambda L, *xs: L.grid_sampler(*xs, 0, 2, False), (VOLUMES, SPOTS)),
    **{
        f"segments, {how} {options}": (
            lambda L, x, h=how, o=options: L.segment_reduce(x, h, lengths=L.tensor([2, 0, 1]), **o),
            (np.array([[3.0, 1.0], [1.0, 2.0], [2.0, 1.0]]),),
        )
        for how, options in (("sum", {}), ("prod", {}), ("max", {"initial": 1.0}), ("mean", {"initial": 2}))
    },
    "segments of rows": (
        lambda L, x: L.segment_reduce(x, "min", offsets=L.tensor([[0, 2, 4], [1, 3, 4]]), axis=1),
        (IMAGES,),
    ),
    "a dropout of none": (lambda L, x: L.native_dropout(x, 0.0, True), (ROWS,)),
    "a dropout of all": (lambda L, x: L.native_dropout(x, 1.0, None), (ROWS,)),
    "a diagonal": (lambda L, x: (x * x).fill_diagonal_(2.0), (ROWS,)),
    "a diagonal that begins anew": (lambda L, x: (x * x)[:, :2].fill_diagonal_(2.0, wrap=True), (ROWS,)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_of_both_orders(case):
    call, arrays = CASES[case]
    found = []
    for library in (td, torch):
        leaves = [library.tensor(array).requires_grad_() for array in arrays]
        results = call(library, *leaves)
        results = results if isinstance(results, tuple) else (results,)
        starts = [result for result in results if result.requires_grad]
        loss = sum((start**3).sum() for start in starts)
        first = library.autograd.grad(loss, leaves, create_graph=True)
        second = ()
        if "segments" not in case:  # of which PyTorch has no second derivatives
            second = library.autograd.grad(sum((g**2).sum() for g in first), leaves)
        flags = [(result.requires_grad, tuple(result.shape), str(result.dtype).split(".")[-1]) for result in results]
        found.append((flags, [each.detach().numpy() for each in (*results, *first, *second)]))
    ours, theirs = found
    assert ours[0] == theirs[0]
    for mine, other in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-9)


VALUES = {
    "hash of floats": lambda L: L.hash_tensor(L.tensor(ROWS).float(), 1),
    "hash of halfs": lambda L: L.hash_tensor(L.tensor(ROWS).half(), dim=0, keepdim=True),
    "hash of integers": lambda L: L.tensor(INDEX).int().hash_tensor(),
    "hash of bytes": lambda L: L.hash_tensor(L.tensor(INDEX).byte(), (0, 1)),
    "hash into": lambda L: L.hash_tensor(L.tensor(INDEX), out=L.empty(0, dtype=L.uint64)),
    "dropout backward": lambda L: (L.ops.aten if L is torch else L).native_dropout_backward(
        L.tensor(ROWS), L.tensor(ROWS) > 0, 2.0
    ),
    "sums in place": lambda L: L.ones(3, 4).scatter_(0, L.tensor(INDEX), 2.5, reduce="add"),
    "products in place": lambda L: L.full((3, 4), 3.0).scatter_(0, L.tensor(INDEX), 2.0, reduce="multiply"),
    "products of tensors": lambda L: L.scatter(L.tensor(ROWS), 0, L.tensor(INDEX), L.tensor(ROWS), reduce="multiply"),
    "sums of integers and a fraction": lambda L: L.ones(3, 4).int().scatter(0, L.tensor(INDEX), 2.5, reduce="add"),
    "truths": lambda L: (L.tensor(ROWS) > 0).scatter(0, L.tensor(INDEX), True, reduce="add"),
    "a cube": lambda L: L.zeros(2, 2, 2).fill_diagonal_(5),
    "integers and a fraction": lambda L: L.zeros(2, 3, dtype=L.int64).fill_diagonal_(1.5),
    "transposed": lambda L: L.zeros(2, 4).T.fill_diagonal_(1, wrap=True),
    "a range with its end": lambda L: L.range(1, 2, 0.5, out=L.empty(0)),
    "a range of integers": lambda L: L.range(3, 1, -1, dtype=L.int32),
    "nobody comes": lambda L: L.poisson(L.zeros(2, 3)),
    "all or none succeed": lambda L: L.binomial(L.full((2,), 3.0), L.tensor([0.0, 1.0])),
    "pairs copied": lambda L: L.view_as_complex_copy(L.tensor(ROWS)[:, :2].contiguous()),
    "turned round": lambda L: L.tensor(ROWS).__reversed__(),
    "the order in memory": lambda L: L.tensor(L.ones(2, 3, 1, 2).permute(3, 0, 1, 2).dim_order()),
    "questions": lambda L: L.tensor(
        [L.is_same_size(L.ones(2), L.ones(3)), L.is_signed(L.ones(1)), L.ones(2).is_set_to(L.ones(2))]
    ),
    "segments of nothing": lambda L: L.segment_reduce(L.tensor(ROWS), "mean", lengths=L.tensor([0, 3])),
    "numbers into integers": lambda L: L.arange(3.0, out=L.empty(0, dtype=L.int16)),
    "zeros into integers": lambda L: L.zeros(2, out=L.empty(0, dtype=L.int64)),
    "a fraction into integers": lambda L: L.full((2,), 1.5, out=L.empty(0, dtype=L.int64)),
    "steps into integers": lambda L: L.linspace(0, 1, 3, out=L.empty(0, dtype=L.int64)),
    "no examples": lambda L: L.nn.functional.batch_norm(L.ones(0), None, None, training=True),
    "small integers to a size": lambda L: L.ones(2, 3, dtype=L.int16).sum_to_size(1, 3),
    "reflected": lambda L: L.ones(2).__radd__(2) + L.Tensor.__rsub__(L.ones(2), 5) + L.ones(2).__rdiv__(3.0),
    "reflected integers": lambda L: (
        L.tensor([2, 4]).__rmod__(7) + L.tensor([2, 4]).__rand__(6) + L.tensor([2, 4]).__rxor__(3)
    ),
    "channels in evaluation": lambda L: L.nn.functional.feature_alpha_dropout(L.ones(3)),
    "a function of each": lambda L: L.tensor(INDEX).T.apply_(lambda x: x * 1.5),
    "a function of two": lambda L: L.tensor(ROWS).map_(L.tensor(BIAS), lambda x, y: x - 2 * y),
    "a function of three": lambda L: L.tensor(ROWS).map2_(L.tensor(BIAS), L.ones(1).double(), lambda *xs: max(xs)),
}


@pytest.mark.filterwarnings("ignore:The reduce argument", "ignore:.*range", "ignore:Mean of empty")
@pytest.mark.parametrize("case", VALUES)
def test_values(case):
    ours, theirs = VALUES[case](td), VALUES[case](torch)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


REFUSED = {
    "a hash of another mode": lambda L: L.hash_tensor(L.ones(2), mode=1),
    "a hash of nothing": lambda L: L.hash_tensor(L.ones(0)),
    "a hash over nothing": lambda L: L.hash_tensor(L.ones(0, 2), 0),
    "a hash over a dimension twice": lambda L: L.hash_tensor(L.ones(2, 2), (0, 0)),
    "a hash of complex numbers": lambda L: L.hash_tensor(L.ones(2, dtype=L.complex64)),
    "a diagonal of a vector": lambda L: L.ones(2).fill_diagonal_(1),
    "a diagonal of a box": lambda L: L.ones(2, 3, 2).fill_diagonal_(1),
    "a diagonal of text": lambda L: L.ones(2, 2).fill_diagonal_("a"),
    "a diagonal of a leaf": lambda L: L.ones(2, 2, requires_grad=True).fill_diagonal_(1),
    "groups that do not fit": lambda L: L.native_group_norm(L.ones(2, 4, 3), None, None, 2, 4, 2, 2, 1e-5),
    "volumes for images": lambda L: L.grid_sampler_2d(L.ones(1, 1, 2, 2, 2), L.zeros(1, 1, 1, 1, 3), 0, 0, False),
    "a mode by its name": lambda L: L.grid_sampler_2d(L.ones(1, 1, 2, 2), L.zeros(1, 1, 1, 2), "nearest", 0, False),
    "another reduction": lambda L: L.ones(3).scatter(0, L.tensor([0]), 1.0, reduce="sum"),
    "a function of a leaf": lambda L: L.ones(2, requires_grad=True).apply_(abs),
    "a function of a leaf beside": lambda L: L.ones(2).map_(L.ones(2, requires_grad=True), max),
    "a function of another dtype": lambda L: L.ones(2).map_(L.ones(2).int(), max),
    "a function of more": lambda L: L.ones(2).map_(L.ones(3, 2), max),
    "a function that gives text": lambda L: L.ones(2).apply_(str),
    "a function that gives nothing": lambda L: L.ones(2).int().apply_(lambda x: None),
    "no function": lambda L: L.ones(2).apply_(3),
    "a range without steps": lambda L: L.range(1, 3, 0),
    "a range the other way": lambda L: L.range(3, 1),
    "a negative rate": lambda L: L.poisson(-L.ones(1)),
    "rates of integers": lambda L: L.poisson(L.ones(1).int()),
    "segments that do not add up": lambda L: L.segment_reduce(L.ones(3), "sum", lengths=L.tensor([1, 1])),
    "segments of integers": lambda L: L.segment_reduce(L.ones(3).int(), "sum", lengths=L.tensor([3])),
    "segments without lengths": lambda L: L.segment_reduce(L.ones(3), "sum"),
    "too few rows": lambda L: L.lobpcg(L.eye(5), k=2),
    "a number first": lambda L: L.lt(2.0, L.ones(2)),
    "a number as a step": lambda L: L.heaviside(L.ones(2), 2.0),
    "a number as an exponent": lambda L: L.ldexp(L.ones(2), 2.0),
    "a number beside a logarithm": lambda L: L.logaddexp2(L.ones(2), 2.0),
    "numbers alone": lambda L: L.special.xlog1py(2.0, 2.0),
    "a number to subtract": lambda L: L.rsub(2.0, L.ones(2)),
    "one tensor for several": lambda L: L.hstack(L.ones(2, 2)),
    "one tensor for several, behind each other": lambda L: L.dstack(L.ones(2, 2)),
    "narrow positions": lambda L: L.take(L.ones(2), L.tensor([0]).int()),
    "narrow positions in a dimension": lambda L: L.take_along_dim(L.ones(2), L.tensor([0]).int(), 0),
    "narrow slices to fill": lambda L: L.ones(2).index_fill(0, L.tensor([0]).int(), 1.0),
    "narrow slices to copy": lambda L: L.ones(2).index_copy(0, L.tensor([0, 1]).int(), L.ones(2)),
    "complex weights": lambda L: L.softmax(L.ones(2), 0, dtype=L.complex64),
    "complex logarithms": lambda L: L.log_softmax(L.ones(2), 0, dtype=L.complex64),
    "a fraction of a place": lambda L: L.kthvalue(L.ones(2), 1.0),
    "pairs of halves": lambda L: L.view_as_complex(L.ones(2, dtype=L.bfloat16)),
}


@pytest.mark.filterwarnings("ignore:.*range")
@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_both(case):
    for library in (torch, td):
        with pytest.raises((RuntimeError, TypeError, IndexError, ValueError)):
            REFUSED[case](library)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("largest", [True, False])
def test_eigenvalues_of_pairs_of_matrices(largest):
    a, b = (m @ m.T + np.eye(9) for m in RNG.normal(size=(2, 9, 9)))
    expected, _ = torch.lobpcg(torch.tensor(a), k=2, B=torch.tensor(b), largest=largest, tol=1e-14, niter=1000)
    values, vectors = td.lobpcg(td.tensor(a), k=2, B=td.tensor(b), largest=largest)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_allclose(a @ vectors.numpy(), b @ vectors.numpy() * values.numpy(), atol=1e-10)
