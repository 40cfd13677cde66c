"""Random equations of einsum beside PyTorch: values and gradients of both orders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td

torch = pytest.importorskip("torch")


@st.composite
def equations(draw):
    """An equation with `...`, letters twice in a term, and sizes of 0 and 1, and shapes that fit it."""
    letters = "abcd"[: draw(st.integers(1, 4))]
    sizes = {c: draw(st.sampled_from([2, 3, 1, 2, 0])) for c in letters}
    dots = [draw(st.sampled_from([2, 3, 1])) for _ in range(draw(st.integers(0, 2)))]
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        term = draw(st.lists(st.sampled_from(letters), max_size=4))
        narrow = draw(st.lists(st.sampled_from(letters), max_size=2, unique=True))
        shape = [1 if c in narrow else sizes[c] for c in term]
        if dots and draw(st.booleans()):
            place, lead = draw(st.integers(0, len(term))), dots[draw(st.integers(0, len(dots))) :]
            lead = [1 if draw(st.integers(0, 4)) == 4 else n for n in lead]
            term.insert(place, "...")
            shape[place:place] = lead
        terms.append("".join(term))
        shapes.append(tuple(shape))
    used = sorted(set("".join(terms).replace(".", "")))
    equation = ",".join(terms)
    if draw(st.integers(0, 4)):
        result = draw(st.lists(st.sampled_from(used), unique=True)) if used else []
        if "..." in equation and draw(st.integers(0, 3)):
            result.insert(draw(st.integers(0, len(result))), "...")
        equation += "->" + "".join(result)
    return equation, shapes


@settings(max_examples=500, deadline=None)
@given(equations())
def test_random_equations(drawn):
    equation, shapes = drawn
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    ours = [td.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    try:
        b = torch.einsum(equation, *theirs)
    except RuntimeError:
        return
    a = td.einsum(equation, *ours)
    assert a.shape == tuple(b.shape)
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-10)
    ga = td.autograd.grad((a**2).sum(), ours, create_graph=True)
    gb = torch.autograd.grad((b**2).sum(), theirs, create_graph=True)
    plain = td.autograd.grad((td.einsum(equation, *ours) ** 2).sum(), ours)
    ha = td.autograd.grad(sum((g**2).sum() for g in ga), ours)
    hb = torch.autograd.grad(sum((g**2).sum() for g in gb), theirs)
    for got, expected in zip((*ga, *plain, *ha), (*gb, *gb, *hb), strict=True):
        assert got.shape == tuple(expected.shape)
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)
