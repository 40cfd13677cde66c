"""What makes fewer elements of many: sums, extremes, norms; and running sums, sorting and searching."""

from __future__ import annotations

from typing import Any

from fuzz.catalogue.table import draws
from fuzz.drawing import NotNow, Writer
from fuzz.programs import Attribute, Name, Step
from fuzz.running import torch


def over(w: Writer, x: Name, one: bool = False, keep: bool = True) -> dict[str, Any]:
    """Options dim and keepdim: all of the tensor, one dimension, or several."""
    if w.chance(0.25):
        return {}
    options = {"dim": w.dim(x) if one else w.dims(x)}
    return options | ({"keepdim": w.bool()} if keep and w.bool() else {})


@draws("sum mean nansum nanmean", weight=1.5)
def sums(w: Writer) -> Any:
    x = w.tensor("fcib" if w.chance(0.5) else "fc")
    options = over(w, x)
    if w.chance(0.15):
        options["dtype"] = w.dtype_argument("fc" if w.kind(x) == "c" else "f")
    return x, options


@draws("prod")
def prod(w: Writer) -> Any:
    x = w.tensor("fcib", size=40)
    return x, over(w, x, one=True)


@draws("amax amin")
def extremes(w: Writer) -> Any:
    x = w.tensor("fib")
    return x, over(w, x)


@draws("max min", weight=1.5)
def max_or_min(w: Writer) -> Any:
    x = w.tensor("fib")
    if w.chance(0.25):
        return x, w.broadcast(x, "fib")
    return x, over(w, x, one=True)


@draws("argmax argmin")
def positions(w: Writer) -> Any:
    x = w.tensor("fi")
    return x, over(w, x, one=True)


@draws("all any")
def truths(w: Writer) -> Any:
    x = w.tensor("fcib")
    return x, over(w, x)


@draws("count_nonzero")
def count_nonzero(w: Writer) -> Any:
    x = w.tensor("fcib")
    return x, over(w, x, keep=False)


@draws("var std var_mean std_mean")
def spreads(w: Writer) -> Any:
    x = w.tensor("fc")
    options = over(w, x)
    if w.bool():
        options["correction"] = w.choice((0, 1, 2, 0.5))
    elif not options and w.bool():
        options["unbiased"] = w.bool()
    return x, options


@draws("logsumexp")
def logsumexp(w: Writer) -> Any:
    x = w.tensor("fi")
    return (x, w.dims(x), w.bool())


@draws("norm")
def norm(w: Writer) -> Any:
    x = w.tensor("fc")
    options: dict[str, Any] = {"p": w.choice((2, 1, 3, 0.5, float("inf"), float("-inf"), 0, "fro"))} if w.bool() else {}
    if w.bool():
        options["dim"] = w.dims(x)
        options["keepdim"] = w.bool()
    return x, options


@draws("softmax log_softmax", weight=1.5)
def softmax(w: Writer) -> Any:
    x = w.tensor("f")
    return (x, w.dim(x))


@draws("softmin")
def softmin(w: Writer) -> Any:
    x = w.tensor("f")
    return x, {"dim": w.dim(x)}


@draws("cumsum cumprod", weight=1.5)
def running(w: Writer) -> Any:
    x = w.tensor("fcib")
    options = {"dtype": w.dtype_argument("f")} if w.kind(x) != "c" and w.chance(0.1) else {}
    return x, w.dim(x), options


def distinct(w: Writer, kinds: str = "fib", least: int = 0) -> Name:
    """A tensor without equal elements: which of several comes first is open in PyTorch."""

    def apart(v: torch.Tensor) -> bool:
        return v.numel() == v.unique().numel() and not bool((v != v).any())

    x = w.tensor(kinds, least=least, where=apart, low=-40, high=40)
    if not apart(w.value(x).detach()):
        raise NotNow
    return x


@draws("sort argsort", weight=1.5)
def sort(w: Writer) -> Any:
    x = w.tensor("fib") if w.bool() else distinct(w)
    options: dict[str, Any] = {"stable": True}
    if w.bool():
        options["dim"] = w.dim(x)
    if w.bool():
        options["descending"] = w.bool()
    return x, options


@draws("msort")
def msort(w: Writer) -> Any:
    return (w.tensor("fib"),)


@draws("topk")
def topk(w: Writer) -> Any:
    return *kthvalue(w), w.options(largest=w.bool, sorted=True)


@draws("kthvalue")
def kthvalue(w: Writer) -> Any:
    x = distinct(w)
    dim = w.dim(x)
    size = w.shape(x)[dim] if w.ndim(x) and -w.ndim(x) <= dim < w.ndim(x) else 1
    return x, w.int(1, max(1, size)) + (1 if w.chance(0.02) else 0), dim


@draws("median nanmedian")
def median(w: Writer) -> Any:
    x = distinct(w)
    return (x,) if w.bool() else (x, w.dim(x), w.bool())


@draws("unique")
def unique(w: Writer) -> Any:
    x = w.tensor("fib")
    options = w.options(return_inverse=True, return_counts=True, sorted=True)
    return x, options | (w.options(dim=lambda: w.dim(x)) if w.ndim(x) else {})


@draws("unique_consecutive")
def unique_consecutive(w: Writer) -> Any:
    x = w.tensor("ib")
    options = w.options(return_inverse=True, return_counts=True)
    return x, options | (w.options(dim=lambda: w.dim(x)) if w.ndim(x) else {})


@draws("cummax cummin logcumsumexp")
def running_extremes(w: Writer) -> Any:
    x = w.tensor("f")
    return x, w.dim(x)


@draws("quantile nanquantile")
def quantile(w: Writer) -> Any:
    x = distinct(w, "f")
    how = w.choice(("linear", "lower", "higher", "midpoint", "nearest"))
    return x, w.choice((0.0, 0.3, 0.5, 1.0)), over(w, x, one=True) | {"interpolation": how}


@draws("mode")
def mode(w: Writer) -> Any:
    x = distinct(w)
    return x, w.dim(x), w.bool()


@draws("aminmax")
def aminmax(w: Writer) -> Any:
    x = w.tensor("fib")
    return x, over(w, x, one=True)


@draws("cov")
def cov(w: Writer) -> Any:
    x = w.tensor("fci", least=2, most=2)
    if w.shape(x)[1] < 2:
        raise NotNow
    return x, w.options(correction=0)


@draws("trapezoid trapz cumulative_trapezoid")
def integrals(w: Writer) -> Any:
    x = w.tensor("fc", least=1)
    if not w.value(x).numel():
        raise NotNow
    return x, w.options(dx=0.5, dim=lambda: w.dim(x))


@draws("gradient")
def gradient(w: Writer) -> Any:
    x = w.tensor("f", least=1, most=2)
    if min(w.shape(x)) < 3:
        raise NotNow
    return x, w.options(spacing=2.0, edge_order=2)


@draws("combinations")
def combinations(w: Writer) -> Any:
    x = w.tensor("fcib", least=1, most=1)
    if w.value(x).numel() > 8:
        raise NotNow
    return x, w.options(r=lambda: w.int(0, 3), with_replacement=w.bool)


@draws("nonzero_static")
def nonzero_static(w: Writer) -> Any:
    return w.tensor("fib"), {"size": w.int(0, 5)} | w.options(fill_value=7)


@draws("trace")
def trace(w: Writer) -> Any:
    return (w.tensor("fci", least=2, most=2),)


def boundaries(w: Writer) -> Name:
    """Numbers in order."""
    chosen = sorted(w.rng.sample(range(-3, 4), w.int(0, 4)))
    step = Step(w.names.new(), "new", ((len(chosen),), "float64", tuple(map(float, chosen)), False))
    w.write(step)
    return Name(step.result)


@draws("searchsorted")
def searchsorted(w: Writer) -> Any:
    side = {"right": w.bool()} if w.bool() else {"side": w.choice(("left", "right"))}
    return boundaries(w), w.tensor("f", dtype="float64"), side | w.options(out_int32=w.bool)


@draws("bucketize")
def bucketize(w: Writer) -> Any:
    return w.tensor("f", dtype="float64"), boundaries(w), {"right": w.bool()} | w.options(out_int32=w.bool)


@draws("is_nonzero item tolist numel dim", weight=0.3)
def plain_answers(w: Writer) -> Any:
    return (w.tensor("fcib", shape=() if w.bool() else None),)


for each, least in (("T", 2), ("mT", 2), ("H", 2), ("mH", 2)):

    def turned(w: Writer, least: int = least) -> Any:
        return (w.tensor("fcib", least=least, most=2),)

    draws(each, only=f"@{each}", weight=0.4)(turned)


@draws("promote_types can_cast", weight=0.2)
def promote(w: Writer) -> Any:
    return Attribute(f"T.{w.new_dtype('fcib')}"), Attribute(f"T.{w.new_dtype('fcib')}")


@draws("result_type", weight=0.2)
def result_type(w: Writer) -> Any:
    return w.tensor("fcib"), w.tensor("fcib")
