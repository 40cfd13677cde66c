"""Convolutions, pools, norms and their like, as functions."""

from __future__ import annotations

from typing import Any

from fuzz.catalogue.table import draws
from fuzz.drawing import Writer
from fuzz.programs import Name

DOUBLES = ("float64", "float64", "float32")


def images(w: Writer, dims: int, batch: bool = True, channels: int | None = None, least: int = 1) -> Name:
    """(N, C, *sizes), or (C, *sizes)."""
    lead = (w.int(0, 2) if w.chance(0.1) else w.int(1, 2),) if batch else ()
    sizes = tuple(w.int(least, (7, 5, 4)[dims - 1]) for _ in range(dims))
    shape = (*lead, channels or w.int(1, 3), *sizes)
    return w.tensor("f", shape=shape, dtype=w.choice(DOUBLES))


def kernel_of(w: Writer, x: Name, shape: tuple[int, ...]) -> Name:
    """A weight of finite numbers: which zeros of the padding others meet depends on the way of computing."""
    special, w.special = w.special, False
    weight = w.tensor(shape=shape, dtype=w.dtype(x), where=lambda v: bool(v.isfinite().all()))
    w.special = special
    return weight


def per_dim(w: Writer, dims: int, low: int, high: int) -> Any:
    """One number, or one for each dimension."""
    return w.int(low, high) if w.bool() else tuple(w.int(low, high) for _ in range(dims))


def convolution(dims: int) -> Any:
    def draw(w: Writer) -> Any:
        groups = w.choice((1, 1, 2))
        ins, outs = groups * w.int(1, 2), groups * w.int(1, 2)
        x = images(w, dims, w.chance(0.8), ins, least=2)
        weight = kernel_of(w, x, (outs, ins // groups, *(w.int(1, 3) for _ in range(dims))))
        options = w.options(stride=lambda: per_dim(w, dims, 1, 3), dilation=lambda: per_dim(w, dims, 1, 2))
        if w.bool():
            options["padding"] = w.choice((w.int(0, 2), tuple(w.int(0, 2) for _ in range(dims)), "valid", "same"))
        if options.get("padding") == "same":
            options.pop("stride", None)
        if groups > 1 or w.chance(0.1):
            options["groups"] = groups
        if w.bool():
            options["bias"] = w.tensor(shape=(outs,), dtype=w.dtype(x))
        return x, weight, options

    return draw


def transposed(dims: int) -> Any:
    def draw(w: Writer) -> Any:
        groups = w.choice((1, 1, 2))
        ins, outs = groups * w.int(1, 2), w.int(1, 2)
        x = images(w, dims, w.chance(0.8), ins)
        weight = kernel_of(w, x, (ins, outs, *(w.int(1, 3) for _ in range(dims))))
        options = w.options(
            stride=lambda: w.int(1, 3),
            dilation=lambda: w.int(1, 2),
            padding=lambda: w.int(0, 1),
            output_padding=lambda: w.int(0, 2),
        )
        options["groups"] = groups
        if w.bool():
            options["bias"] = w.tensor(shape=(outs * groups,), dtype=w.dtype(x))
        return x, weight, options

    return draw


def pooling(dims: int, kind: str) -> Any:
    def draw(w: Writer) -> Any:
        x = images(w, dims, w.chance(0.8), least=2)
        kernel = per_dim(w, dims, 1, 3)
        least = kernel if isinstance(kernel, int) else min(kernel)
        options = w.options(
            stride=lambda: per_dim(w, dims, 1, 3), ceil_mode=w.bool, padding=lambda: w.int(0, least // 2)
        )
        if kind != "avg":
            options |= w.options(dilation=lambda: w.int(1, 2))
            options |= w.options(return_indices=True) if kind == "max" else {}
        else:
            options |= w.options(count_include_pad=w.bool)
            if dims > 1:
                options |= w.options(divisor_override=3)
        return x, kernel, options

    return draw


def norms(dims: int) -> Any:
    def draw(w: Writer) -> Any:
        options = w.options(stride=1, ceil_mode=w.bool)
        return images(w, dims, least=2), w.choice((1.0, 2.0, float("inf"))), w.int(1, 2), options

    return draw


def adaptive(dims: int, kind: str) -> Any:
    def draw(w: Writer) -> Any:
        x = images(w, dims, w.chance(0.8))
        options = w.options(return_indices=w.bool) if kind == "max" else {}
        return x, w.int(1, 4) if w.bool() else tuple(w.int(1, 4) for _ in range(dims)), options

    return draw


for n in (1, 2, 3):
    draws(f"conv{n}d", weight=2)(convolution(n))
    draws(f"conv_transpose{n}d")(transposed(n))
    draws(f"max_pool{n}d")(pooling(n, "max"))
    draws(f"avg_pool{n}d")(pooling(n, "avg"))
    draws(f"lp_pool{n}d", weight=0.3)(norms(n))
    draws(f"adaptive_avg_pool{n}d", weight=0.6)(adaptive(n, "avg"))
    draws(f"adaptive_max_pool{n}d", weight=0.6)(adaptive(n, "max"))


@draws("unfold")
def unfold(w: Writer) -> Any:
    x = images(w, 2, w.chance(0.8), least=3)
    return (
        x,
        per_dim(w, 2, 1, 2),
        w.options(stride=lambda: per_dim(w, 2, 1, 2), padding=lambda: w.int(0, 1), dilation=lambda: w.int(1, 2)),
    )


@draws("unfold_along", only=".unfold")
def unfold_along(w: Writer) -> Any:
    x = w.tensor(least=1, size=100)
    dim = w.dim(x)
    size = w.shape(x)[dim]
    return x, dim, w.int(0, size), w.int(1, 3)


@draws("fold")
def fold(w: Writer) -> Any:
    kernel, height, width, channels = w.int(1, 2), w.int(3, 5), w.int(3, 5), w.int(1, 2)
    options = w.options(stride=lambda: w.int(1, 2), padding=lambda: w.int(0, 1), dilation=lambda: w.int(1, 2))
    stride, padding, dilation = options.get("stride", 1), options.get("padding", 0), options.get("dilation", 1)
    rows, columns = ((n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for n in (height, width))
    x = w.tensor("f", shape=(w.int(1, 2), channels * kernel * kernel, rows * columns), dtype=w.choice(DOUBLES))
    return x, (height, width), kernel, options


@draws("pad", weight=2)
def pad(w: Writer) -> Any:
    mode = w.choice(("constant", "constant", "reflect", "replicate", "circular"))
    if mode == "constant":
        x = w.tensor("fcib", least=1, size=100)
        dims = w.int(1, w.ndim(x))
        return x, [w.int(-1, 2) for _ in range(2 * dims)], *((("constant", w.choice((0, 1, 2)))) if w.bool() else ())
    x = w.tensor("f", least=2, most=4, size=100)
    dims = max(1, w.ndim(x) - 2 + w.int(0, 1))
    return x, [w.int(-1 if w.chance(0.2) else 0, 2) for _ in range(2 * dims)], {"mode": mode}


@draws("constant_pad_nd", weight=0.3)
def constant_pad_nd(w: Writer) -> Any:
    x = w.tensor("fcib", least=1, size=100)
    return x, [w.int(-1, 2) for _ in range(2 * w.int(1, w.ndim(x)))], *((w.choice((0, 1, 2)),) if w.bool() else ())


@draws("layer_norm", weight=1.5)
def layer_norm(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    shape = w.shape(x)[w.int(0, w.ndim(x) - 1) :]
    options = w.options(eps=0.1)
    if w.bool():
        options["weight"] = w.tensor(shape=shape, dtype=w.dtype(x))
        options |= w.options(bias=lambda: w.tensor(shape=shape, dtype=w.dtype(x)))
    return x, shape, options


def affine(w: Writer, x: Name, channels: int) -> dict[str, Any]:
    if w.bool():
        return {}
    return {name: kernel_of(w, x, (channels,)) for name in ("weight", "bias")}


@draws("batch_norm")
def batch_norm(w: Writer) -> Any:
    x = w.tensor("f", least=2)
    channels = w.shape(x)[1]
    options = affine(w, x, channels) | {"training": w.bool()}
    if w.chance(0.2) and options["training"]:
        return x, None, None, options
    mean, var = statistic(w, x, channels, -1.0), statistic(w, x, channels, 0.5)
    return x, mean, var, options | w.options(momentum=0.3, eps=0.1)


def statistic(w: Writer, x: Name, channels: int, low: float) -> Name:
    """A buffer that training may change: no leaf that requires a gradient, and nothing else's memory."""
    return w.do(".clone", (w.do(".detach", (w.new((channels,), w.dtype(x), low, 2.0, layout=False),)),))


@draws("rms_norm")
def rms_norm(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    shape = w.shape(x)[w.int(0, w.ndim(x) - 1) :]
    return x, shape, w.options(eps=0.1, weight=lambda: w.tensor(shape=shape, dtype=w.dtype(x)))


@draws("local_response_norm", weight=0.3)
def local_response_norm(w: Writer) -> Any:
    return images(w, w.int(1, 3)), w.int(1, 3), w.options(alpha=0.5, beta=0.5, k=2.0)


@draws("group_norm")
def group_norm(w: Writer) -> Any:
    groups = w.int(1, 2)
    channels = groups * w.int(1, 2)
    x = w.tensor("f", shape=(w.int(1, 2), channels, *(w.int(1, 3) for _ in range(w.int(0, 2)))))
    return x, groups, affine(w, x, channels) | w.options(eps=0.1)


@draws("instance_norm")
def instance_norm(w: Writer) -> Any:
    channels = w.int(1, 3)
    x = w.tensor("f", shape=(w.int(1, 2), channels, *(w.int(1, 3) for _ in range(w.int(1, 2)))))
    options = affine(w, x, channels) | w.options(eps=0.1)
    if w.bool():
        mean, var = statistic(w, x, channels, -1.0), statistic(w, x, channels, 0.5)
        options |= {"running_mean": mean, "running_var": var} | w.options(use_input_stats=w.bool, momentum=0.3)
    return x, options


@draws("glu")
def glu(w: Writer) -> Any:
    x = w.tensor("f", least=1)
    even = [i for i, n in enumerate(w.shape(x)) if n % 2 == 0]
    return x, w.choice(even) if even and w.chance(0.95) else w.dim(x)


@draws("embedding_bag", weight=0.5)
def embedding_bag(w: Writer) -> Any:
    rows = w.int(1, 4)
    weight = w.tensor("f", shape=(rows, w.int(1, 3)))
    options = w.options(mode=lambda: w.choice(("sum", "mean", "max")), padding_idx=lambda: w.int(-rows, rows - 1))
    if options.get("mode") != "max":
        options |= w.options(scale_grad_by_freq=w.bool)
    return w.indices((w.int(1, 2), w.int(1, 3)), rows), weight, options


@draws("embedding")
def embedding(w: Writer) -> Any:
    rows = w.int(1, 4)
    weight = w.tensor("f", shape=(rows, w.int(1, 3)))
    index = w.indices(w.new_shape(0, 2), rows)
    options = w.options(padding_idx=lambda: w.int(-rows, rows - 1), scale_grad_by_freq=w.bool)
    if w.chance(0.2):
        weight = w.do(".clone", (w.do(".detach", (weight,)),))  # which is changed
        options |= {"max_norm": 1.5} | w.options(norm_type=lambda: w.choice((1.0, 3.0)))
    return index, weight, options


@draws("interpolate", weight=1.5)
def interpolate(w: Writer) -> Any:
    dims = w.int(1, 3)
    x = images(w, dims)
    modes = {
        1: ("nearest", "linear", "area", "nearest-exact"),
        2: ("nearest", "bilinear", "bicubic", "area", "nearest-exact", "lanczos"),
    }
    mode = w.choice(modes.get(dims, ("nearest", "trilinear", "area", "nearest-exact")))
    options: dict[str, Any] = {"mode": mode}
    if w.bool():
        options["size"] = tuple(w.int(1, 5) for _ in range(dims)) if w.bool() else w.int(1, 5)
    else:
        options["scale_factor"] = w.choice((2, 0.5, 1.5, 2.0, 1.3))
        options |= w.options(recompute_scale_factor=w.bool)
    if mode in ("linear", "bilinear", "bicubic", "trilinear"):
        options |= w.options(align_corners=w.bool)
    if mode == "lanczos" or (mode in ("bilinear", "bicubic") and w.bool()):
        options["antialias"] = True
    return x, options


@draws("pixel_shuffle")
def pixel_shuffle(w: Writer) -> Any:
    return w.tensor("fi", shape=(*w.choice(((), (2,))), 4 * w.int(1, 2), w.int(1, 3), w.int(1, 3))), 2


@draws("pixel_unshuffle")
def pixel_unshuffle(w: Writer) -> Any:
    return w.tensor("fi", shape=(*w.choice(((), (2,))), w.int(1, 2), 2 * w.int(1, 2), 2 * w.int(1, 2))), 2


@draws("channel_shuffle native_channel_shuffle")
def channel_shuffle(w: Writer) -> Any:
    return w.tensor("f", shape=(w.int(1, 2), 4, *(w.int(1, 3) for _ in range(w.int(1, 2))))), 2


@draws("dropout dropout1d dropout2d dropout3d", weight=0.2)
def dropout(w: Writer) -> Any:
    """Without chance: nothing is dropped, or nothing kept."""
    x = w.tensor("f", least=2, most=3)
    return (x, 0.5, False) if w.bool() else (x, 0.0, True)


for n in (1, 2, 3):
    draws(f"max_pool{n}d_with_indices", weight=0.3)(pooling(n, "indexed"))
    draws(f"adaptive_max_pool{n}d_with_indices", weight=0.2)(adaptive(n, "avg"))


@draws("grid_sample", weight=1.5)
def grid_sample(w: Writer) -> Any:
    dims = w.int(2, 3)
    x = images(w, dims)
    modes = ("bilinear", "nearest", "bicubic") if dims == 2 else ("bilinear", "nearest")
    shape = (w.shape(x)[0], *(w.int(1, 3) for _ in range(dims)), dims)
    special, w.special = w.special, False
    grid = w.tensor(shape=shape, dtype=w.dtype(x), where=lambda v: bool(v.isfinite().all()), low=-1.5, high=1.5)
    w.special = special
    options = w.options(padding_mode=lambda: w.choice(("zeros", "border", "reflection")))
    return x, grid, {"mode": w.choice(modes), "align_corners": w.bool(), **options}


@draws("affine_grid", weight=0.5)
def affine_grid(w: Writer) -> Any:
    dims, count = w.int(2, 3), w.int(1, 2)
    theta = w.tensor(shape=(count, dims, dims + 1), dtype=w.choice(DOUBLES))
    return theta, (count, 2, *(w.int(1, 3) for _ in range(dims))), {"align_corners": w.bool()}


@draws("bilinear", weight=0.3)
def bilinear(w: Writer) -> Any:
    dtype, lead = w.choice(DOUBLES), (w.int(1, 3),) if w.bool() else (2, 2)
    weight = w.tensor(shape=(w.int(1, 2), 2, 3), dtype=dtype)
    bias = [w.tensor(shape=(w.shape(weight)[0],), dtype=dtype)] if w.bool() else []
    return w.tensor(shape=(*lead, 2), dtype=dtype), w.tensor(shape=(*lead, 3), dtype=dtype), weight, *bias


@draws("conv_tbc", weight=0.3)
def conv_tbc(w: Writer) -> Any:
    x = w.tensor("f", shape=(w.int(3, 5), w.int(1, 2), 2), dtype=w.choice(DOUBLES))
    return x, kernel_of(w, x, (w.int(1, 3), 2, 3)), w.tensor(shape=(3,), dtype=w.dtype(x)), w.int(0, 1)


@draws("cdist", weight=0.3)
def cdist(w: Writer) -> Any:
    width = w.int(1, 4)
    return w.new((w.int(1, 4), width)), w.new((w.int(1, 4), width)), w.pick([2.0, 1.0, 3.0])


@draws("pdist", weight=0.3)
def pdist(w: Writer) -> Any:
    return w.tensor(shape=(w.int(1, 4), w.int(1, 3)), dtype=w.choice(DOUBLES)), w.choice((0.0, 1.0, 2.0, 3.5))
