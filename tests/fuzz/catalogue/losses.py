"""Losses with all their reductions, and distances."""

from __future__ import annotations

from math import inf
from typing import Any

from fuzz.catalogue.elementwise import between
from fuzz.catalogue.table import draws
from fuzz.drawing import Writer
from fuzz.programs import Name


def reduction(w: Writer) -> dict[str, Any]:
    return {"reduction": w.choice(("none", "mean", "sum"))} if w.chance(0.8) else {}


def same(w: Writer, x: Name, low: float = -3.0, high: float = 3.0, **options: Any) -> Name:
    """A tensor of the same shape and, almost always, dtype."""
    return w.tensor("f", shape=w.shape(x), dtype=None if w.chance(0.03) else w.dtype(x), low=low, high=high, **options)


def target_signs(w: Writer, shape: tuple[int, ...], dtype: str) -> Name:
    """1 and -1."""
    bits = w.new(shape, "bool", layout=False)
    return w.do("-", (w.do("*", (w.do(".to", (bits, w_dtype(dtype))), 2)), 1))


def w_dtype(dtype: str) -> Any:
    from fuzz.programs import Attribute

    return Attribute(f"T.{dtype}")


@draws("mse_loss l1_loss")
def simple(w: Writer) -> Any:
    x = w.tensor("fc" if w.chance(0.1) else "f")
    target = w.tensor(shape=w.shape(x), dtype=w.dtype(x)) if w.chance(0.9) else w.broadcast(x, "f")
    options = reduction(w)
    if w.chance(0.2):
        options["weight"] = w.tensor(shape=w.shape(x), dtype=w.dtype(x), low=0.1)
    return x, target, options


@draws("smooth_l1_loss")
def smooth_l1(w: Writer) -> Any:
    x = w.tensor("f")
    return x, same(w, x), reduction(w) | w.options(beta=lambda: w.choice((0.5, 2.0, 0.0)))


@draws("huber_loss")
def huber(w: Writer) -> Any:
    x = w.tensor("f")
    weight = {"weight": same(w, x, 0.1, 2.0)} if w.chance(0.2) else {}
    return x, same(w, x), reduction(w) | w.options(delta=lambda: w.choice((0.5, 2.0))) | weight


@draws("hinge_embedding_loss")
def hinge(w: Writer) -> Any:
    *arguments, options = signs(w)
    return *arguments, options | w.options(margin=lambda: w.choice((0.3, 2.0)))


@draws("soft_margin_loss")
def signs(w: Writer) -> Any:
    x = w.tensor("f")
    return x, target_signs(w, w.shape(x), w.dtype(x)), reduction(w)


@draws("margin_ranking_loss")
def ranking(w: Writer) -> Any:
    x = w.tensor("f")
    return x, same(w, x), target_signs(w, w.shape(x), w.dtype(x)), reduction(w) | w.options(margin=0.5)


@draws("binary_cross_entropy")
def bce(w: Writer) -> Any:
    inside = between(0.0, 1.0)
    x = w.tensor("f", where=inside, low=0.05, high=0.95)
    y = same(w, x, 0.0, 1.0, where=inside)
    return x, y, reduction(w) | (w.options(weight=lambda: same(w, x, 0.1, 2.0)))


@draws("binary_cross_entropy_with_logits")
def bce_logits(w: Writer) -> Any:
    x = w.tensor("f")
    y = same(w, x, 0.0, 1.0)
    return x, y, reduction(w) | w.options(weight=lambda: same(w, x, 0.1, 2.0), pos_weight=lambda: same(w, x, 0.1, 2.0))


@draws("kl_div")
def kl_div(w: Writer) -> Any:
    x = w.tensor("f")
    log_target = w.bool()
    y = same(w, x) if log_target else same(w, x, 0.0, 1.0, where=between(0.0, inf))
    return x, y, {"reduction": w.choice(("none", "mean", "sum", "batchmean")), "log_target": log_target}


def class_shape(w: Writer, x: Name) -> tuple[int, int, tuple[int, ...]]:
    """The number of classes, its dimension, and the shape of the targets."""
    shape = w.shape(x)
    dim = 0 if len(shape) == 1 else 1
    return shape[dim], dim, tuple(n for i, n in enumerate(shape) if i != dim)


@draws("cross_entropy nll_loss", weight=2)
def classes(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=4)
    count, _, shape = class_shape(w, x)
    target = w.indices(shape, count)
    options = reduction(w)
    if w.chance(0.4):
        options["weight"] = w.tensor(shape=(count,), dtype=w.dtype(x), low=0.1)
    if w.chance(0.3):
        options["ignore_index"] = w.int(0, count - 1)
    return x, target, options


@draws("cross_entropy_options", only="F.cross_entropy")
def cross_entropy(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=3)
    count, _, shape = class_shape(w, x)
    options = reduction(w) | {"label_smoothing": w.choice((0.0, 0.1, 0.5))}
    if w.chance(0.4):
        options["weight"] = w.tensor(shape=(count,), dtype=w.dtype(x), low=0.1)
    if w.bool():
        return x, w.indices(shape, count), options
    return x, w.tensor(shape=w.shape(x), dtype=w.dtype(x), low=0.0, high=1.0), options


@draws("linear_cross_entropy", weight=0.5)
def linear_cross_entropy(w: Writer) -> Any:
    dtype, count, more = w.choice(("float64", "float32")), w.int(1, 3), w.choice(((), (), (2,)))
    lead = (w.int(1, 3),) if more or w.bool() else ()
    x, weight = w.tensor(shape=(*lead, 2), dtype=dtype), w.tensor(shape=(count, *more, 2), dtype=dtype)
    options = reduction(w) | w.options(label_smoothing=0.1, ignore_index=0)
    options |= w.options(linear_bias=lambda: w.tensor(shape=(count, *more), dtype=dtype))
    return x, weight, w.indices((*lead, *more), count), options


@draws("poisson_nll_loss")
def poisson(w: Writer) -> Any:
    x = w.tensor("f")
    return x, same(w, x, 0.0, 3.0), reduction(w) | w.options(log_input=w.bool, full=w.bool, eps=0.1)


@draws("gaussian_nll_loss")
def gaussian(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    return x, same(w, x), same(w, x, 0.1, 2.0, where=between(0.0, inf)), reduction(w) | w.options(full=w.bool, eps=0.5)


@draws("cosine_similarity")
def cosine(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    return x, same(w, x) if w.bool() else w.broadcast(x, "f", dtype=w.dtype(x)), {"dim": w.dim(x)}


@draws("pairwise_distance")
def pairwise(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    return x, same(w, x), w.options(p=lambda: w.choice((1, 3, 0.5, float("inf"))), keepdim=w.bool, eps=0.1)


@draws("cosine_embedding_loss")
def cosine_embedding(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    return x, same(w, x), target_signs(w, w.shape(x)[:-1], w.dtype(x)), reduction(w) | w.options(margin=0.3)


@draws("triplet_margin_loss")
def triplet_of_norms(w: Writer) -> Any:
    *arguments, options = triplet(w)
    return *arguments, options | w.options(p=lambda: w.choice((1, 3)), eps=0.1)


@draws("triplet_margin_with_distance_loss")
def triplet(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    return x, same(w, x), same(w, x), reduction(w) | w.options(swap=w.bool, margin=2.0)


@draws("multi_margin_loss")
def multi_margin(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    return (
        x,
        w.indices(w.shape(x)[:-1], w.shape(x)[-1]),
        reduction(w)
        | w.options(
            p=2,
            margin=0.5,
            weight=lambda: w.do(".detach", (w.tensor(shape=w.shape(x)[-1:], dtype=w.dtype(x), low=0.1),)),
        ),
    )


@draws("multilabel_margin_loss")
def multilabel_margin(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    return x, w.indices(w.shape(x), w.shape(x)[-1]), reduction(w)


@draws("multilabel_soft_margin_loss")
def multilabel_soft_margin(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=3)
    weight = w.options(weight=lambda: w.tensor(shape=w.shape(x)[-1:], dtype=w.dtype(x), low=0.1))
    return x, same(w, x, 0.0, 1.0), reduction(w) | weight


@draws("normalize")
def normalize(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    return x, w.options(p=lambda: w.choice((1, 3)), dim=lambda: w.dim(x), eps=2.0)
