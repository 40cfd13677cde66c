"""Random index expressions beside PyTorch: what they read and store, and the gradients of both orders."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_dl as td
from tinygrad_dl.testing import shapes

torch = pytest.importorskip("torch")
MANY = settings(max_examples=150, deadline=None)


@st.composite
def index_expressions(draw, shape):
    """Everything that stands between brackets, in any mixture that may fit the shape; arrays become tensors later."""
    listed = draw(st.sampled_from([(2,), (1,), (3,), (2, 1), (1, 2), (0,), ()]))  # what all index arrays broadcast to
    parts = []
    dim = 0
    while dim < len(shape):
        size = shape[dim]
        kind = draw(st.sampled_from(["int", "slice", "picks", "list", "mask", "all", "end", "zero-d", "bool", "range"]))
        if draw(st.integers(0, 4)) == 4:
            parts.append(None)
        if kind == "end":
            break
        if kind == "int" and size:
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 1, size + 1)
            parts.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3]))))
        elif kind == "picks" and (size or 0 in listed):
            rng = np.random.default_rng(draw(st.integers(0, 99)))
            cut = listed[draw(st.integers(0, len(listed))) :]
            parts.append(rng.integers(-size, max(size, 1), cut))
        elif kind == "list" and size:
            parts.append(draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=max(1, len(listed)))))
        elif kind == "range" and size:
            parts.append(range(draw(st.integers(0, size))))
        elif kind == "mask":
            taken = draw(st.integers(1, len(shape) - dim))
            rng = np.random.default_rng(draw(st.integers(0, 99)))
            parts.append(rng.random(shape[dim : dim + taken]) < 0.6)
            dim += taken - 1
        elif kind in ("zero-d", "bool"):
            value = draw(st.integers(0, 3)) > 0
            parts.append(np.array(value) if kind == "zero-d" else value)
            continue
        else:
            parts.append(slice(None))
        dim += 1
    if draw(st.integers(0, 3)) == 3:
        place = draw(st.integers(0, len(parts)))
        parts.insert(place, Ellipsis)
    if len(parts) == 1 and draw(st.booleans()):
        return parts[0]
    return tuple(parts)


def made(index, tensor):
    """The index with tensors in the place of arrays."""
    if isinstance(index, tuple):
        return tuple(made(part, tensor) for part in index)
    return tensor(index) if isinstance(index, np.ndarray) else index


def both(data, min_dims=0):
    """A shape, leaves of both libraries, and an index expression that PyTorch takes, for each."""
    shape = data.draw(shapes(min_dims=min_dims, max_dims=4, max_side=3))
    index = data.draw(index_expressions(shape))
    array = np.random.default_rng(1).standard_normal(shape)
    ours, theirs = td.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    mine, other = made(index, td.tensor), made(index, torch.tensor)
    try:
        theirs[other]
    except (IndexError, RuntimeError):
        with contextlib.suppress(IndexError, ValueError):
            assert not ours[mine].numel()  # an empty mask fits any dimension, as in NumPy
        return None
    return ours, theirs, mine, other


@MANY
@given(st.data())
def test_reading_and_both_orders_of_its_gradient(data):
    drawn = both(data)
    if drawn is None:
        return
    ours, theirs, mine, other = drawn
    a, b = ours[mine], theirs[other]
    assert a.shape == tuple(b.shape)
    np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    weights = np.random.default_rng(2).standard_normal(a.shape)
    (ga,) = td.autograd.grad((a**3 * td.tensor(weights)).sum(), ours, create_graph=True)
    (gb,) = torch.autograd.grad((b**3 * torch.tensor(weights)).sum(), theirs, create_graph=True)
    np.testing.assert_allclose(ga.detach().numpy(), gb.detach().numpy(), rtol=1e-12, atol=1e-12)
    (ha,) = td.autograd.grad((ga**2).sum(), ours)
    (hb,) = torch.autograd.grad((gb**2).sum(), theirs)
    np.testing.assert_allclose(ha.numpy(), hb.numpy(), rtol=1e-10, atol=1e-10)


def repeats(index, shape):
    """Whether the index names an element twice: which of several values then stays is open in PyTorch."""
    places = torch.arange(int(np.prod(shape))).reshape(shape)[index].reshape(-1)
    return len(set(places.tolist())) < len(places)


@MANY
@given(st.data())
def test_storing_and_its_gradients(data):
    drawn = both(data)
    if drawn is None:
        return
    ours, theirs, mine, other = drawn
    if repeats(other, theirs.shape):
        return
    target = tuple(theirs[other].shape)
    cut = target[data.draw(st.integers(0, len(target))) :]
    cut = tuple(1 if data.draw(st.integers(0, 4)) == 4 else n for n in cut)
    shape = (*(1,) * data.draw(st.integers(0, 2)), *cut)
    values = np.random.default_rng(3).standard_normal(shape)
    va, vb = td.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ya, yb = ours * ours, theirs * theirs
    ya[mine], yb[other] = va * va, vb * vb
    np.testing.assert_array_equal(ya.detach().numpy(), yb.detach().numpy())
    ga = td.autograd.grad((ya**2).sum(), (ours, va), create_graph=True)
    gb = torch.autograd.grad((yb**2).sum(), (theirs, vb), create_graph=True)
    ha = td.autograd.grad(sum((g**2).sum() for g in ga), (ours, va))
    hb = torch.autograd.grad(sum((g**2).sum() for g in gb), (theirs, vb))
    for got, expected in zip((*ga, *ha), (*gb, *hb), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    bare_a, bare_b = ours.detach().clone(), theirs.detach().clone()
    bare_a[mine], bare_b[other] = va.detach(), vb.detach()
    np.testing.assert_array_equal(bare_a.numpy(), bare_b.numpy())


@MANY
@given(st.data())
def test_changing_in_place_what_an_index_names(data):
    drawn = both(data)
    if drawn is None:
        return
    ours, theirs, mine, other = drawn
    if repeats(other, theirs.shape):
        return
    a, b = ours.detach().clone(), theirs.detach().clone()
    a[mine] += 2.0
    b[other] += 2.0
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    a[mine] = -1.0
    b[other] = -1.0
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@MANY
@given(st.data(), st.booleans())
def test_index_put(data, accumulate):
    drawn = both(data)
    if drawn is None:
        return
    ours, theirs, mine, other = drawn
    parts_a = mine if isinstance(mine, tuple) else (mine,)
    parts_b = other if isinstance(other, tuple) else (other,)
    if not parts_b or not all(isinstance(part, torch.Tensor) and part.ndim for part in parts_b):
        return
    if not accumulate and repeats(other, theirs.shape):
        return
    target = tuple(theirs[parts_b].shape)
    values = np.random.default_rng(3).standard_normal(target[data.draw(st.integers(0, len(target))) :])
    va, vb = td.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ya, yb = ours.index_put(parts_a, va, accumulate), theirs.index_put(parts_b, vb, accumulate)
    np.testing.assert_allclose(ya.detach().numpy(), yb.detach().numpy(), rtol=1e-14)
    ga = td.autograd.grad((ya**2).sum(), (ours, va))
    gb = torch.autograd.grad((yb**2).sum(), (theirs, vb))
    for got, expected in zip(ga, gb, strict=True):
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12)
