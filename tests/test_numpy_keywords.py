"""NumPy's keywords, drawn: what NumPy computes has its values here, and gradients; what it refuses is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy_calls import compare, converted, several

import tinygrad_dl as td

REFUSED = (TypeError, ValueError, IndexError, np.linalg.LinAlgError, ZeroDivisionError)
FLOATS, WIDTHS, OUTSIDE = st.floats(-3, 3), st.integers(0, 4), st.sampled_from(["raise", "wrap", "clip"])


@st.composite
def array(draw, min_dims=0, max_dims=3, min_side=1, max_side=4):
    """Numbers of which no two are equal or near to each other, nor near to an integer."""
    shape = draw(st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims))
    size = int(np.prod(shape))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(size)
    return (0.3717 * (order - size // 2) + 0.0619).reshape(shape)


def dim(x, none=True):
    one = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.nothing()
    wrong = st.just(x.ndim) if none else st.nothing()
    return st.one_of(*([st.none()] if none else []), one, wrong)


def dims(x):
    several = st.lists(st.integers(0, x.ndim - 1), unique=True, max_size=x.ndim).map(tuple) if x.ndim else st.nothing()
    return st.one_of(dim(x), several)


def like(draw, x, scale=1.0):
    return np.random.default_rng(draw(st.integers(0, 99))).uniform(-2, 2, x.shape) * scale


def mask(draw, x):
    return np.random.default_rng(draw(st.integers(0, 99))).random(x.shape) < 0.6


def chosen(draw, options):
    """Some of the keywords, each with something drawn."""
    names = draw(st.lists(st.sampled_from(sorted(options)), unique=True)) if options else []
    return {name: draw(options[name]) for name in names}


# -- families: each draws the arguments of a call ----------------------------------------------------------


def reduction(draw, starts=False, ddof=False, where=True, nan=False):
    x = draw(array(max_dims=3))
    if nan and x.ndim and draw(st.booleans()):
        x.reshape(-1)[draw(st.integers(0, x.size - 1))] = np.nan
    options = {"axis": dims(x), "keepdims": st.booleans(), "dtype": st.sampled_from([None, np.float64])}
    options |= {"where": st.just(mask(draw, x))} if where else {}
    options |= {"ddof": st.sampled_from([0, 1])} if ddof else {}
    options |= {"initial": FLOATS} if starts else {}
    return (x,), chosen(draw, options)


def extreme(draw, nan=False):
    args, options = reduction(draw, starts=True, nan=nan)
    options.pop("dtype", None)
    return args, options


def ordered(draw, nan=False):
    args, options = reduction(draw, where=False, nan=nan)
    options.pop("dtype", None)
    return args, options


METHODS = [
    *("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull"),
    *("linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest", "no_such_method"),
]


def quantile(draw, scale=1.0, nan=False):
    (x,), options = ordered(draw, nan=nan)
    if nan and options.get("axis") == ():  # for which NumPy takes all dimensions of a vector
        options.pop("axis")
    q = draw(st.one_of(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=3), st.just([[0.25], [0.5]])))
    q = (np.array(q, float) * scale).tolist()
    return (x, q), {**options, **chosen(draw, {"method": st.sampled_from(METHODS)})}


def running(draw, nan=False):
    x = draw(array(min_dims=1))
    return (x,), chosen(draw, {"axis": dim(x), "dtype": st.sampled_from([None, np.float64])})


def cumulative(draw):
    args, options = running(draw)
    return args, {**options, **chosen(draw, {"include_initial": st.booleans()})}


def average(draw):
    x = draw(array(min_dims=1))
    axis = draw(dim(x))
    weights = draw(st.sampled_from([None, np.abs(like(draw, x)) + 0.1]))
    if weights is not None and axis is not None and -x.ndim <= axis < x.ndim and draw(st.booleans()):
        weights = np.abs(np.random.default_rng(1).normal(size=x.shape[axis])) + 0.1
    return (x,), {
        "axis": axis,
        "weights": weights,
        **chosen(draw, {"returned": st.booleans(), "keepdims": st.booleans()}),
    }


MODES = [
    "constant",
    "edge",
    "linear_ramp",
    "maximum",
    "mean",
    "median",
    "minimum",
    "reflect",
    "symmetric",
    "wrap",
    "no",
]


def pad(draw):
    x = draw(array(min_dims=1, max_dims=2))
    pair = st.lists(WIDTHS, min_size=2, max_size=2)
    width = draw(st.one_of(WIDTHS, pair, st.lists(pair, min_size=x.ndim, max_size=x.ndim), st.just(-1)))
    mode = draw(st.sampled_from(MODES))
    ends = st.one_of(FLOATS, st.lists(FLOATS, min_size=2, max_size=2))
    statistic = {"stat_length": st.one_of(st.none(), st.integers(1, 5), pair.map(lambda p: [n + 1 for n in p]))}
    mirrored = {"reflect_type": st.just("even")}
    own = {"constant": {"constant_values": ends}, "linear_ramp": {"end_values": ends}, "reflect": mirrored,
           "symmetric": mirrored, **dict.fromkeys(("maximum", "mean", "median", "minimum"), statistic)}  # fmt: skip
    return (x, width), {"mode": mode, **chosen(draw, own.get(mode, {}))}


def places(draw, size):
    return draw(st.one_of(st.integers(-size - 1, size), st.lists(st.integers(-size, size - 1), max_size=3)))


def insert(draw):
    x = draw(array(min_dims=1, max_dims=2))
    axis = draw(dim(x))
    size = x.size if axis is None else x.shape[axis % x.ndim]
    where = places(draw, size)
    value = draw(st.one_of(FLOATS, st.just(np.array([0.7])), st.just(np.arange(1.0, 1 + np.size(where)))))
    return (x, where, value), {"axis": axis}


def delete(draw):
    x = draw(array(min_dims=1, max_dims=2))
    axis = draw(dim(x))
    size = x.size if axis is None else x.shape[axis % x.ndim]
    return (x, places(draw, size)), {"axis": axis}


def take(draw):
    x = draw(array(min_dims=1))
    axis = draw(dim(x))
    size = x.size if axis is None else x.shape[axis % x.ndim]
    index = draw(st.one_of(st.integers(-size - 3, size + 3), st.lists(st.integers(-size, size + 3), max_size=3)))
    return (x, np.array(index, int)), {
        "axis": axis,
        **chosen(draw, {"mode": OUTSIDE}),
    }


def moved(draw):
    x = draw(array(min_dims=1))
    return (x, draw(dim(x, none=False)), draw(dim(x, none=False))), {}


def roll(draw):
    x = draw(array(min_dims=1))
    shift = draw(st.one_of(st.integers(-5, 5), st.lists(st.integers(-5, 5), min_size=x.ndim, max_size=x.ndim)))
    return (x, shift), chosen(draw, {"axis": st.one_of(dim(x), st.just(tuple(range(x.ndim))))})


def repeated(draw):
    x = draw(array())
    return (x, draw(st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), min_size=1, max_size=3)))), {}


def flip(draw):
    x = draw(array())
    return (x,), chosen(draw, {"axis": dims(x)})


def differences(draw):
    x = draw(array(min_dims=1))
    return (x,), chosen(draw, {"n": st.integers(0, 3), "axis": dim(x, none=False), "prepend": FLOATS, "append": FLOATS})


def put(draw):
    x = draw(array(min_dims=1))
    index = draw(st.lists(st.integers(-x.size - 2, x.size + 2), max_size=4))
    return (x, index, like(draw, np.zeros(draw(st.integers(1, 3))))), {**chosen(draw, {"mode": OUTSIDE})}


def masked(draw):
    x = draw(array(min_dims=1))
    return (x, mask(draw, x), like(draw, np.zeros(draw(st.integers(1, 3))))), {}


def copyto(draw):
    x = draw(array(min_dims=1))
    return (x, like(draw, x[..., :1])), chosen(draw, {"where": st.just(mask(draw, x)), "casting": st.just("safe")})


def filled_diagonal(draw):
    x = draw(array(min_dims=1, max_dims=2))
    return (x, draw(FLOATS)), chosen(draw, {"wrap": st.booleans()})


def spaced(draw):
    start, stop = draw(array(max_dims=1, max_side=2)), draw(array(max_dims=1, max_side=2)) * 2
    options = {"num": st.integers(0, 5), "endpoint": st.booleans(), "axis": st.sampled_from([0, -1])}
    return (start, stop), chosen(draw, options)


def geometric(draw):
    (start, stop), options = spaced(draw)
    return (np.abs(start), np.abs(stop)), options


def lines(draw):
    n = draw(st.integers(2, 4))
    xp = np.cumsum(np.random.default_rng(draw(st.integers(0, 99))).uniform(0.3, 1.0, n)) - 1
    options = {"left": FLOATS, "right": FLOATS, "period": st.sampled_from([None, 3.3, -2.7])}
    return (draw(array(max_dims=2)), xp, like(draw, xp)), chosen(draw, options)


def pair(draw, max_side=4):
    return (draw(array(1, 1, max_side=max_side)), draw(array(1, 1, max_side=max_side)) * 1.13 + 0.011), {}


def convolved(draw):
    args, _ = pair(draw)
    return args, chosen(draw, {"mode": st.sampled_from(["full", "same", "valid"])})


def set_pair(draw):
    args, _ = pair(draw)
    return args, chosen(draw, {"assume_unique": st.booleans()})


def polynomial(draw):
    return (draw(array(1, 1)),), chosen(draw, {"m": st.integers(-1, 3)})


def fitted(draw):
    x = draw(array(1, 1, min_side=4, max_side=6))
    options = {
        "full": st.booleans(),
        "w": st.just(np.abs(like(draw, x)) + 0.2),
        "cov": st.sampled_from([True, "unscaled"]),
    }
    return (x, like(draw, x), draw(st.integers(-1, 2))), chosen(draw, options)


def norm(draw):
    x = draw(array(min_dims=1, max_dims=3, min_side=2, max_side=3))
    orders = [None, "fro", "nuc", np.inf, -np.inf, 1, -1, 2, -2, 3, 0.5, "no"]
    options = {"ord": st.sampled_from(orders), "axis": dims(x), "keepdims": st.booleans()}
    return (x,), chosen(draw, options)


def covariance(draw):
    x = draw(array(min_dims=2, max_dims=2, min_side=2))
    options = {"rowvar": st.booleans(), "bias": st.booleans(), "ddof": st.sampled_from([None, 0, 1])}
    return (x,), chosen(draw, options)


def trapezoid(draw):
    x = draw(array(min_dims=1, min_side=2))
    return (x,), chosen(draw, {"dx": FLOATS, "axis": dim(x, none=False)})


def slopes(draw):
    x = draw(array(min_dims=1, min_side=2))
    return (x,), chosen(draw, {"axis": dims(x), "edge_order": st.sampled_from([1, 2])})


def crossed(draw):
    x = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(2, 3, 3))
    options = {name: st.sampled_from([-1, 0, 1, 2]) for name in ("axisa", "axisb", "axisc")}
    return (x, draw(st.sampled_from([x[0], x[:1], x * 2]))), chosen(draw, options)


def ordered_along(draw, kth=False):
    x = draw(array(min_dims=1))
    options = chosen(draw, {"axis": dim(x)})
    axis = options.get("axis", -1)
    size = x.size if axis is None else x.shape[axis] if axis < x.ndim else 1
    return (x, list(range(size))) if kth else (x,), options  # all of them: the order of the others is not said


def vander(draw):
    return (draw(array(1, 1)),), chosen(draw, {"N": st.integers(0, 4), "increasing": st.booleans()})


FAMILIES = {
    "sum": lambda d: reduction(d, starts=True), "prod": lambda d: reduction(d, starts=True), "mean": reduction,
    "var": lambda d: reduction(d, ddof=True), "std": lambda d: reduction(d, ddof=True), "max": extreme, "min": extreme,
    "ptp": ordered, "median": ordered, "nanmedian": lambda d: ordered(d, nan=True),
    "nansum": lambda d: reduction(d, starts=True, nan=True), "nanprod": lambda d: reduction(d, starts=True, nan=True),
    "nanmean": lambda d: reduction(d, nan=True), "nanvar": lambda d: reduction(d, ddof=True, nan=True),
    "nanstd": lambda d: reduction(d, ddof=True, nan=True), "nanmax": lambda d: extreme(d, nan=True),
    "nanmin": lambda d: extreme(d, nan=True), "quantile": quantile, "nanquantile": lambda d: quantile(d, nan=True),
    "percentile": lambda d: quantile(d, 100.0), "nanpercentile": lambda d: quantile(d, 100.0, nan=True),
    "average": average, "cumsum": running, "cumprod": running, "nancumsum": running, "nancumprod": running,
    "cumulative_sum": cumulative, "cumulative_prod": cumulative, "diff": differences, "pad": pad, "insert": insert,
    "delete": delete, "take": take, "moveaxis": moved, "swapaxes": moved, "rollaxis": moved, "roll": roll, "flip": flip,
    "repeat": repeated, "tile": repeated, "put": put, "place": masked, "putmask": masked, "copyto": copyto,
    "fill_diagonal": filled_diagonal, "linspace": spaced, "logspace": spaced, "geomspace": geometric, "interp": lines,
    "convolve": convolved, "correlate": convolved, "polyadd": pair, "polysub": pair, "polymul": pair, "polydiv": pair,
    "polyval": pair, "polyder": polynomial, "polyint": polynomial, "polyfit": fitted, "union1d": pair,
    "setdiff1d": set_pair, "setxor1d": set_pair, "intersect1d": set_pair, "linalg.norm": norm, "cov": covariance,
    "trapezoid": trapezoid, "gradient": slopes, "cross": crossed, "unwrap": lambda d: ((d(array(min_dims=1)) * 5,), {}),
    "ediff1d": lambda d: ((d(array()),), chosen(d, {"to_end": FLOATS, "to_begin": FLOATS})),
    "sort": ordered_along, "partition": lambda d: ordered_along(d, kth=True), "vander": vander,
}  # fmt: skip

WRITING = {"put", "place", "putmask", "copyto", "fill_diagonal"}
FUNCTIONS = {name: family for name, family in FAMILIES.items() if hasattr(np, name.split(".")[0])}


def result_of(name, args, options, make):
    home = np.linalg if name.startswith("linalg.") else np
    args, options = converted(args, make), {n: converted(v, make) for n, v in options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(home, name.split(".")[-1])(*args, **options)
    return args[0] if name in WRITING else found


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_drawn_keywords(name, data):
    args, options = FUNCTIONS[name](data.draw)
    try:
        expected = result_of(name, args, options, np.copy)
    except REFUSED:
        if np.ndim(args[0]):  # a dimension of a number is PyTorch's
            with pytest.raises((*REFUSED, RuntimeError)):
                result_of(name, args, options, td.tensor)
        return
    compare(name, result_of(name, args, options, td.tensor), expected)
    leaves = []

    def recorded(a):
        leaves.append(td.tensor(a, requires_grad=a.dtype.kind == "f"))
        return leaves[-1] * 1 if name in WRITING and a.dtype.kind == "f" else leaves[-1]

    found = result_of(name, args, options, recorded)
    compare(name, found, expected)
    rng = np.random.default_rng(0)
    results = [r if isinstance(r, td.Tensor) and r.requires_grad else None for r in several(found)]
    finite = [r is not None and bool(np.isfinite(r.detach().numpy()).all()) for r in results]
    weights = [rng.normal(size=np.shape(r)) if ok else None for r, ok in zip(results, finite, strict=True)]
    if not any(finite) or (name.endswith("std") and np.any(np.less(expected, 1e-3))):
        return
    total = sum((r * w).sum() for r, w in zip(results, weights, strict=True) if w is not None)
    if not total.requires_grad:
        return
    floats = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = td.autograd.grad(total, floats, allow_unused=True)
    steps = [rng.normal(size=leaf.shape) for leaf in floats]
    own = sum((g.numpy() * s).sum() for g, s in zip(gradients, steps, strict=True) if g is not None)
    values = []
    for h in (1e-6, -1e-6):
        left = iter(steps)
        parts = several(result_of(name, args, options, lambda a, h=h, left=left: step(a, h, left)))
        values.append(sum((np.asarray(p) * w).sum() for p, w in zip(parts, weights, strict=True) if w is not None))
    np.testing.assert_allclose(own, (values[0] - values[1]) / 2e-6, rtol=1e-4, atol=1e-5)


def step(a, h, left):
    return np.asarray(a + h * next(left)) if a.dtype.kind == "f" else a.copy()
