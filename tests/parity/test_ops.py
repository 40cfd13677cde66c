"""Every op gives PyTorch's values, gradients and dtypes on the same drawn inputs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from parity.counterpart import NUMPY_DTYPES, OURS_ALONE, as_numpy, call_torch, counterpart, torch, undefined
from tinygrad_dl.testing import all_ops, arguments
from tinygrad_dl.testing.expect import expect_close
from tinygrad_dl.testing.op_checks import note_random
from tinygrad_dl.testing.running import Run, Tally, has_gradient

# Ops of the namespace "rules" are parts of other ops' gradients and not for users.
SHARED = [op for op in all_ops() if op.name not in OURS_ALONE and op.namespace != "rules"]
FEW = settings(
    max_examples=12, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)


def test_every_op_has_a_counterpart_or_a_reason():
    missing = [op.name for op in SHARED if counterpart(op.name, op.namespace) is None]
    assert not missing, "not found in PyTorch: spell them in counterpart.SPELLED, or say why in OURS_ALONE"
    assert not [name for name in OURS_ALONE if name not in {op.name for op in all_ops()}]


# What PyTorch computes to six or seven digits; tests/test_special.py has the right values of ours.
SIX_DIGITS = dict.fromkeys(("bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "airy_ai"), 1e-6)


@pytest.mark.parametrize("op", SHARED, ids=lambda op: op.name)
def test_values_and_gradients(op):
    seen = {"compared": 0, "refused": 0}

    @FEW
    @given(arguments(op))
    def compare(call):
        tally = Tally(op)
        note_random(call, tally)
        if undefined(call) or tally.random:
            return
        try:
            theirs, leaves = call_torch(call.copy())
        except (RuntimeError, ValueError, IndexError):
            seen["refused"] += 1  # we are more lenient, with zero sizes for example
            return
        seen["compared"] += 1
        with np.errstate(all="ignore"):
            run = Run(call, tally, places=None if has_gradient(call) else [])
            ours, weights, found = run.results, run.weights, run.gradients()
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == tuple(other.shape)
            assert mine.dtype == NUMPY_DTYPES[other.dtype]
            expect_close(mine._data, as_numpy(other), "the result", "PyTorch's", SIX_DIGITS.get(op.name, 1e-9))
        starts = [(t, torch.from_numpy(w)) for t, w in zip(theirs, weights, strict=False) if t.requires_grad]
        if not found or not starts:
            return
        try:
            expected = torch.autograd.grad(
                [t for t, _ in starts], leaves, [w for _, w in starts], allow_unused=True, materialize_grads=True
            )
        except RuntimeError:
            return  # we have a gradient where PyTorch has none; that it is right, tests/test_ops.py says
        for place, mine, other in zip(call.differentiable(), found, expected, strict=True):
            expect_close(mine, as_numpy(other), f"the gradient for {place}", "PyTorch's", 1e-8)

    compare()
    assert seen["compared"] or not seen["refused"], "PyTorch refused every example"


@pytest.mark.parametrize("op", SHARED, ids=lambda op: op.name)
def test_dtypes(op):
    kinds = st.lists(st.sampled_from([np.float32, np.int64, np.float64]), min_size=4, max_size=4)

    @FEW
    @given(arguments(op), kinds)
    def compare(call, dtypes):
        if undefined(call) or any(a.size == 0 for a in call.arrays(call.places())):
            return  # mixtures that PyTorch refuses elsewhere slip through when they are empty
        # Losses and layers take their floating tensors in one dtype; operators mix them. PyTorch's einsum gives
        # 0-d operands dimensions first, so that they count in promotion.
        turn = iter(dtypes[:1] * 16 if op.namespace == "functional" or op.name == "einsum" else dtypes * 4)
        mixed = call.map(lambda a: a.astype(next(turn)) if a.dtype.kind == "f" else a)
        try:
            theirs, _ = call_torch(mixed)
        except (RuntimeError, ZeroDivisionError, TypeError, ValueError, IndexError):
            return  # PyTorch refuses this mixture; we may be more lenient
        with np.errstate(all="ignore"):
            try:
                ours = mixed.run()
            except (ValueError, TypeError) as error:  # of integers alone PyTorch makes 0, and 1 of 1.5
                assert re.search("negative integer powers|Cannot cast ufunc", str(error))
                return
        assert [t.dtype for t in ours] == [NUMPY_DTYPES[t.dtype] for t in theirs], mixed

    compare()
