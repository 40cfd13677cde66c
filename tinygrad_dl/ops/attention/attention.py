"""Scaled dot-product attention: one node, with all gradients in one hand-written rule.

With e = exp(scale * query @ key.T - shift), 0 where the mask hides a key, and r = 1 / sum(e) of each row, the
result is (e * dropout) @ value * r. Kept are e and r, not the weights e * r: so no pass over the (L, S) arrays is
needed to divide them, and the rule works with g * r, which has the size of the output. Of long sequences without a
mask or dropout r alone is kept.

The shift keeps exp from overflow. Where all scores lie within +-SAFE none is needed, which spares the search for
the largest of each row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import at_hand, module_of
from tinygrad_dl.backends.threads import parallel_for_products
from tinygrad_dl.core.batching import Batch, every
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import values_of
from tinygrad_dl.inputs import array, boolean, drawn, error, one_of, real
from tinygrad_dl.ops._overload import overload
from tinygrad_dl.ops._owned import add_, mul_
from tinygrad_dl.ops.attention._weights import (
    KEPT,
    attend_tile,
    blocks_of_sequences,
    found_weights,
    hiding,
    in_layout,
    matmul,
    seen_product,
    tiles,
)
from tinygrad_dl.ops.dropout.dropout import keep_factors
from tinygrad_dl.ops.pointwise._selection import finite, unspoilt

GRAIN = 2**17  # scores that are worth a thread


def _naive_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    factors: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """One query at a time, over the keys that it may see."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    shape = (*query.shape[:-1], key.shape[-2])
    mask = None if mask is None else np.broadcast_to(mask, shape)
    out = np.zeros((*shape[:-1], value.shape[-1]))
    for place in np.ndindex(shape[:-1]):
        batch, row = place[:-1], place[-1]
        scores = np.array([np.sum(query[place] * k) * scale for k in key[batch]])
        if is_causal:
            scores[row + 1 :] = -np.inf
        if mask is not None:
            scores = np.where(mask[place], scores, -np.inf) if mask.dtype == bool else scores + mask[place]
        if scores.max(initial=-np.inf) > -np.inf:
            weights = np.exp(scores - scores.max())
            weights /= weights.sum()
            out[place] = (weights if factors is None else weights * factors[place]) @ value[batch]
    return out


def exponentials(query: Any, key: Any, mask: Any, is_causal: bool, scale: float | None) -> Any:
    """e on tensors, for higher orders: what `attend` computes, with the shift a constant."""
    scores = np.matmul(query, np.swapaxes(key, -1, -2)) * found_scale(query, scale)
    hidden = None
    if is_causal:
        hidden = module_of(scores).tri(scores.shape[-2], scores.shape[-1]) == 0
    elif mask is not None:
        seen = values_of(mask)
        hidden = np.logical_not(seen) if seen.dtype == bool else np.equal(seen, -np.inf)
        scores = scores if seen.dtype == bool else scores + mask
    plain: Any = values_of(scores)
    if hidden is not None:
        plain = np.where(hidden, -np.inf, plain)
    top = (np.max if plain.shape[-1] else np.sum)(plain, axis=-1, keepdims=True)
    top = np.where(np.equal(top, -np.inf), 0.0, np.where(np.equal(top, np.inf), np.nan, top)).astype(plain.dtype)
    if hidden is not None:
        scores = np.where(hidden, top, scores)  # so that what is hidden can't overflow
    e = np.exp(scores - top)
    return e if hidden is None else np.where(hidden, 0.0, e)


def inverses(e: Any) -> Any:
    """1 / sum(e), a column for each row; 0 where there is nothing to see."""
    total = np.sum(e, axis=-1, keepdims=True)
    empty = np.equal(values_of(total), 0)
    return np.where(empty, module_of(total).zeros((), total.dtype), 1 / (total + empty.astype(total.dtype)))


def found_scale(query: Any, scale: float | None) -> float:
    """The factor of the products: 1 / sqrt(width) unless given."""
    return 1 / math.sqrt(max(1, query.shape[-1])) if scale is None else float(scale)


CASES = {
    "query": real(shape="... l d"),
    "key": real(shape="... s d", min_side=1),
    "value": real(shape="... s e", min_side=1),
}


@op(
    name="scaled_dot_product_attention",
    namespace="functional",
    promote=False,
    aux={"e": exponentials, "inverse": lambda e: inverses(e), "masked": None},
    alike=("query", "key", "value"),
    inputs=[
        {**CASES, "is_causal": one_of(False, True), "scale": one_of(None, 0.5)},
        {**CASES, "mask": real(shape="l s")},
        {**CASES, "mask": real(shape="... l s"), "scale": one_of(None, 2.0)},
        {**CASES, "mask": boolean(shape="l s")},
        {
            **CASES,
            "factors": drawn(lambda rng, query, key: rng.integers(0, 2, (*query.shape[:-1], key.shape[-2])) * 2.0),
            "is_causal": one_of(False, True),
        },
    ],
    errors=[
        error(ValueError, "the same width", array(2, 3), array(2, 4), array(2, 4)),
        error(ValueError, "a key for each value", array(2, 3), array(2, 3), array(4, 3)),
        error(ValueError, "length, width", array(3), array(2, 3), array(4, 3)),
        error(ValueError, "mask", array(2, 3), array(4, 3), array(4, 3), array(4, 2)),
        error(TypeError, "floating", array(2, 3, dtype="int64"), array(2, 3, dtype="int64"), array(2, 3)),
    ],
    reference=_naive_attention,
)
def attend(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    factors: Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """`scaled_dot_product_attention`, with the factors of dropout as an array."""
    check_shapes(query, key, value)
    shape = (*query.shape[:-1], key.shape[-2])
    seen = added = None
    if mask is not None:
        if is_causal:
            raise ValueError("scaled_dot_product_attention: got a mask and is_causal=True, expected one of them")
        check_mask(mask, shape)
        if mask.dtype == bool:
            seen = np.broadcast_to(mask.astype(query.dtype), shape)
        else:
            added = np.broadcast_to(mask, shape)
    if type(query) is not np.ndarray:
        e = exponentials(query, key, mask, is_causal, scale)
        inverse, masked = inverses(e), is_causal or mask is not None
        weights = e if factors is None else e * factors.astype(e.dtype, copy=False)
        return seen_product(weights, value, masked) * inverse, e, inverse, masked
    masked, keeps = is_causal or mask is not None, mask is not None or factors is not None or math.prod(shape) <= KEPT
    e, inverse = (
        module_of(query).empty(shape, query.dtype) if keeps else None,
        module_of(query).empty((*shape[:-1], 1), query.dtype),
    )
    out = in_layout((*shape[:-1], value.shape[-1]), query)
    scaled = query * query.dtype.type(found_scale(query, scale))
    blocks, own = blocks_of_sequences(shape), tiles(shape[-2], shape[-1], is_causal, keeps)
    if len(blocks) == len(own) == 1:
        seen = hiding(*own[0], query.dtype) if is_causal else seen
        attend_tile(scaled, key, value, factors, e, inverse, out, seen, added)
        return out, e, inverse, masked

    def work(first: int, last: int) -> None:
        for block in blocks[first:last]:
            q, k, v, r, mixed = (each[block] for each in (scaled, key, value, inverse, out))
            w, f, visible, more = (None if each is None else each[block] for each in (e, factors, seen, added))
            for rows, keys in own:
                if is_causal:
                    visible = hiding(rows, keys, query.dtype)
                    if w is not None:
                        w[..., rows, keys.stop :] = 0
                mine, seen_keys = (..., rows, slice(None)), (..., keys, slice(None))
                f_here, w_here = (None if each is None else each[..., rows, keys] for each in (f, w))
                attend_tile(q[mine], k[seen_keys], v[seen_keys], f_here, w_here, r[mine], mixed[mine], visible, more)

    parallel_for_products(work, len(blocks))
    return out, e, inverse, masked


def check_mask(mask: Any, shape: tuple[int, ...]) -> None:
    """Raises if the mask fits no scores of this shape."""
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"scaled_dot_product_attention: expected a mask that broadcasts to (..., queries, keys) = {shape}, got "
            f"{mask.shape}"
        )
    if mask.dtype.kind not in "bfV":
        raise TypeError(
            f"scaled_dot_product_attention: expected a mask of bools (True: may be seen) or floats, got {mask.dtype}; "
            f"convert it with .bool()"
        )


def check_shapes(query: Any, key: Any, value: Any) -> None:
    """Raises if the three can't be attended."""
    name = "scaled_dot_product_attention"
    for what, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim < 2:
            raise ValueError(f"{name}: expected a {what} of shape (..., length, width), got {x.shape}")
        if x.dtype.kind not in "fV" or x.dtype != query.dtype:
            raise TypeError(
                f"{name}: expected three floating tensors of one dtype, got {query.dtype}, {key.dtype} and "
                f"{value.dtype}; cast them with .to(...)"
            )
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"{name}: expected query and key of the same width, got shapes {query.shape} and {key.shape}")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"{name}: expected a key for each value, got shapes {key.shape} and {value.shape}")
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        raise ValueError(
            f"{name}: got query, key and value of shapes {query.shape}, {key.shape} and {value.shape}, expected equal "
            "dimensions before (length, width); fewer key and value heads need enable_gqa=True"
        )


@attend.joint_vjp("query", "key", "value")
def _attention_rule(
    g: Any,
    query: Any,
    key: Any,
    value: Any,
    factors: Any,
    e: Any,
    inverse: Any,
    masked: bool,
    is_causal: bool,
    scale: float | None,
    needs: Any,
) -> Any:
    factor = found_scale(query, scale)
    if any(type(each) is not np.ndarray for each in (g, query, key, value, inverse)):
        return _slopes(g * inverse, query, key, value, factors, e, inverse, masked, factor, needs)
    shape = (*query.shape[:-1], key.shape[-2])
    blocks, own = blocks_of_sequences(shape), tiles(shape[-2], shape[-1], is_causal, e is not None)
    slopes = [
        in_layout(x.shape, query) if needed else None for x, needed in zip((query, key, value), needs, strict=True)
    ]
    if len(blocks) == len(own) == 1 and e is not None:
        return _slopes(g * inverse, query, key, value, factors, e, inverse, masked, factor, needs, slopes)
    scaled = query * query.dtype.type(factor) if e is None else query

    def work(first: int, last: int) -> None:
        for block in blocks[first:last]:
            q, qs, k, v, r = (each[block] for each in (query, scaled, key, value, inverse))
            w, f, *totals = (None if each is None else each[block] for each in (e, factors, *slopes))
            gs = g[block] * r
            if len(own) == 1 and w is not None:
                _slopes(gs, q, k, v, f, w, r, masked, factor, needs, totals)
                continue
            for total in totals[1:]:
                if total is not None:
                    total[...] = 0
            for rows, keys in own:
                mine, seen_keys = (..., rows, slice(None)), (..., keys, slice(None))
                f_here, w_here = (None if each is None else each[..., rows, keys] for each in (f, w))
                if w_here is None:
                    seen = hiding(rows, keys, q.dtype) if is_causal else None
                    w_here = found_weights(qs[mine], k[seen_keys], None, np.empty_like(r[mine]), seen)
                out = None if totals[0] is None else totals[0][mine]
                parts = q[mine], k[seen_keys], v[seen_keys], f_here, w_here, r[mine]
                found = _slopes(gs[mine], *parts, masked, factor, needs, (out, None, None))
                for total, part in zip(totals[1:], found[1:], strict=True):
                    if total is not None:
                        total[seen_keys] += part

    parallel_for_products(work, len(blocks))
    return slopes


def _slopes(
    g: Any,
    query: Any,
    key: Any,
    value: Any,
    factors: Any,
    e: Any,
    inverse: Any,
    masked: bool,
    factor: float,
    needs: Any,
    outs: Any = (None, None, None),
) -> Any:
    """The gradients of query, key and value, in `outs` where there are arrays; g has been divided by sum(e)."""
    gq = gk = gv = None
    if needs[2]:
        gv = seen_product(np.swapaxes(e if factors is None else e * factors, -1, -2), g, masked, outs[2])
    if needs[0] or needs[1]:
        s = score_slope(g, value, factors, e, inverse, masked)
        if needs[0]:
            gq = mul_(seen_product(s, key, masked, outs[0]), factor)
        if needs[1]:
            gk = mul_(seen_product(np.swapaxes(s, -1, -2), query, masked, outs[1]), factor)
    return gq, gk, gv


def score_slope(g: Any, value: Any, factors: Any, e: Any, inverse: Any, masked: bool) -> Any:
    """The gradient of the scores: e * (s - sum(e * s) / sum(e)), s = g @ value.T * factors, with g / sum(e) already.

    The sum of g * out is the same, and shorter; but where one key has all the weight, only this one is exactly s.
    """
    s = matmul(g, np.swapaxes(value, -1, -2))
    return slope_of_weights(s if factors is None else mul_(s, factors), e, inverse, masked)


def slope_of_weights(s: Any, e: Any, inverse: Any, masked: bool) -> Any:
    """e * (s - sum(e * s) / sum(e)), over `s` if it is an array: by the symmetric matrix of softmax, times sum(e)."""
    if not masked or finite(s):
        return mul_(add_(s, -row_products(e, s) * inverse), e)
    s = unspoilt(s, e)
    return unspoilt(mul_(add_(s, -row_products(e, s) * inverse), e), e)


def _mask_slope(
    g: Any, value: Any, factors: Any, e: Any, inverse: Any, masked: bool, mask_shape: tuple[int, ...]
) -> Any:
    return summed_to(score_slope(g * inverse, value, factors, e, inverse, masked), mask_shape)


attend.vjp(mask=_mask_slope, factors=None)


@attend.joint_jvp("query", "key", "value", "mask")
def _attention_tangent(
    t: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    factors: Any,
    e: Any,
    inverse: Any,
    is_causal: bool,
    scale: float | None,
) -> Any:
    tq, tk, tv, tm = t
    if e is None:
        e = exponentials(query, key, mask, is_causal, scale)
        inverse = inverses(e)
    masked = is_causal or mask is not None
    factor = found_scale(query, scale)
    out: Any = None
    if tv is not None:
        out = seen_product(e if factors is None else e * factors, tv, masked)
    s: Any = None
    if tq is not None:
        s = matmul(tq * factor, np.swapaxes(key, -1, -2))
    if tk is not None:
        part = matmul(query * factor, np.swapaxes(tk, -1, -2))
        s = part if s is None else add_(s, part)
    if tm is not None:
        s = np.broadcast_to(tm, e.shape) * 1 if s is None else add_(s, tm)
    if s is not None:
        s = slope_of_weights(s, e, inverse, masked)
        part = seen_product(s if factors is None else s * factors, value, masked)
        out = part if out is None else add_(out, part)
    return mul_(out, inverse)


@attend.value_and_jvp
def _attention_and_tangent(
    t: Any, query: Any, key: Any, value: Any, mask: Any, factors: Any, is_causal: bool, scale: float | None
) -> Any:
    """Both at once for the sequences of a range, on several threads."""
    check_shapes(query, key, value)
    count, size = len(query), query.shape[-2] * key.shape[-2] * math.prod(query.shape[1:-2])
    if query.ndim < 3 or not count * size or factors is not None or not at_hand(query):
        return NotImplemented
    out, tangent = [in_layout((*query.shape[:-1], value.shape[-1]), query) for _ in range(2)]
    apart = mask is not None and mask.ndim == query.ndim and len(mask) == count

    def work(start: int, stop: int) -> None:
        here = slice(start, stop)
        q, k, v, *ts = [None if each is None else each[here] for each in (query, key, value, *t[:3])]
        own, tm = [None if each is None else each[here] if apart else each for each in (mask, t[3])]
        out[here], e, inverse, _ = attend.op.forward(q, k, v, own, None, is_causal, scale)
        tangent[here] = _attention_tangent((*ts, tm), q, k, v, own, None, e, inverse, is_causal, scale)

    parallel_for_products(work, count, -(-GRAIN // size))
    return out, tangent


@attend.vmap
def _attention_batch(
    query: Any, key: Any, value: Any, mask: Any, factors: Any, is_causal: bool, scale: float | None, batch: Batch
) -> Any:
    q, k, v = every(query, "query", batch), every(key, "key", batch), every(value, "value", batch)
    mask, factors = [
        each.reshape(batch.size, *(1,) * (q.ndim - each.ndim), *each.shape[1:]) if name in batch.of else each
        for name, each in (("mask", mask), ("factors", factors))
    ]
    return attend(q, k, v, mask, factors, is_causal, scale)


def row_products(a: Any, b: Any) -> Any:
    """The sum of a * b of each row, as a column."""
    if type(a) is type(b) is np.ndarray:
        return np.vecdot(a, b)[..., None]
    return np.sum(a * b, axis=-1, keepdims=True)


def summed_to(s: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of an array of this shape that was broadcast."""
    wide = (1,) * (s.ndim - len(shape)) + shape
    dims = tuple(i for i, (n, m) in enumerate(zip(s.shape, wide, strict=True)) if n != m)
    return np.reshape(np.sum(s, axis=dims, keepdims=True) if dims else s, shape)


@overload(attend)
@composition
def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale * query @ key.T + mask) @ value: for each query a mean of the values, weighted by its keys.

    Args:
        query: (..., L, E). key: (..., S, E). value: (..., S, Ev).
        attn_mask: broadcasts to (..., L, S): bool, True where a key may be seen; or floats that are added to
            the scores.
        dropout_p: the probability with which each weight is dropped; whether in training or not.
        is_causal: a query sees no keys behind its own place; not with `attn_mask`.
        scale: 1 / sqrt(E) unless given.
        enable_gqa: fewer heads (dimension -3) of keys and values than of queries, each serving several.

    Returns:
        (..., L, Ev). A query that may see no key at all gets zeros.

    Raises:
        ValueError: the shapes do not fit, or a mask together with `is_causal`. TypeError: integers, or mixed dtypes.

    >>> x = td.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> td.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
    tensor([[[1.0000, 0.0000],
             [0.3302, 0.6698]]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
    (Vaswani et al., 2017)
    """
    name = "scaled_dot_product_attention"
    if not 0.0 <= dropout_p <= 1.0:
        raise ValueError(f"{name}: expected a probability dropout_p between 0 and 1, got {dropout_p}")
    if is_causal and attn_mask is not None:
        raise ValueError(
            f"{name}: got both attn_mask and is_causal=True, expected one of them; put the causal mask into attn_mask"
        )
    if enable_gqa:
        key, value = (_repeated(x, query, what) for x, what in ((key, "key"), (value, "value")))
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        query, key, value = _widened(query, key, value)
    factors = None
    if dropout_p:
        shape, dtype = (*query.shape[:-1], key.shape[-2]), query.dtype
        factors = (
            module_of(query).zeros(shape, dtype)
            if dropout_p == 1
            else keep_factors(shape, float(dropout_p), query, None)
        )
    return attend(query, key, value, attn_mask, factors, is_causal, scale)


def _repeated(x: Any, query: Any, what: str) -> Any:
    """Each head as often as there are queries for it."""
    heads = [y.shape[-3] if y.ndim > 2 else 0 for y in (query, x)]
    if not heads[1] or heads[0] % heads[1]:
        raise ValueError(
            f"scaled_dot_product_attention: got shapes {x.shape} and {query.shape}, expected a number of {what} heads "
            "(dimension -3) that divides that of the queries, with enable_gqa"
        )
    return x if heads[0] == heads[1] else x.repeat_interleave(heads[0] // heads[1], -3)


def _widened(*tensors: Any) -> Any:
    """The three with equal dimensions before (length, width)."""
    try:
        leading = np.broadcast_shapes(*(x.shape[:-2] for x in tensors))
    except ValueError:
        return tensors  # refused with a message by the op
    return [x.expand((*leading, *x.shape[-2:])) for x in tensors]
