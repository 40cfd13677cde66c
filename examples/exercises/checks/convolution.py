"""Checks of convolution, against the library's conv2d and its gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from checker import Probe
from compare import Array, Difference, differences

import tinygrad_dl as td
from checks.forward import Found
from tinygrad_dl.testing import gradcheck

F = td.nn.functional


def pad_images(X: Array, pad: int) -> Array:
    """The library's zero padding, of images with channels last."""
    return F.pad(td.tensor(X), (0, 0, pad, pad, pad, pad)).numpy()


def conv2d(X: Array, W: Array, b: Array, stride: int, pad: int) -> Array:
    """The library's convolution, of images with channels last."""
    x, w = td.tensor(X).permute(0, 3, 1, 2), td.tensor(W).permute(3, 2, 0, 1)
    return F.conv2d(x, w, td.tensor(b.reshape(-1)), stride, pad).permute(0, 2, 3, 1).numpy()


def corners(h: int, w: int, f: int, stride: int) -> tuple[int, int, int, int]:
    return h * stride, h * stride + f, w * stride, w * stride + f


def size(n_H: int, n_W: int, f: int, stride: int, pad: int) -> tuple[int, int]:
    """The size of what the library's convolution gives."""
    found = conv2d(np.zeros((1, n_H, n_W, 1)), np.zeros((f, f, 1, 1)), np.zeros(1), stride, pad).shape
    return found[1], found[2]


def single_step(a_slice: Array, W: Array, b: Array) -> float:
    if np.shape(a_slice) != np.shape(W):
        raise ValueError(f"a window of shape {np.shape(a_slice)} and a filter of shape {np.shape(W)}")
    return float(np.vdot(a_slice, W)) + float(np.sum(b))


GIVEN = {"zero_pad": pad_images, "output_size": size, "window": corners, "conv_single_step": single_step}


class Images:
    """Two images of 6 x 5 x 2, three filters of 3 x 3 x 2, and the gradient of what comes out."""

    def __init__(self, stride: int = 2, pad: int = 1):
        rng = np.random.default_rng(2)
        self.stride, self.pad = stride, pad
        self.A_prev = rng.standard_normal((2, 6, 5, 2))
        self.W, self.b = rng.standard_normal((3, 3, 2, 3)), rng.standard_normal((1, 1, 1, 3))
        self.padded = pad_images(self.A_prev, pad)
        self.Z = conv2d(self.A_prev, self.W, self.b, stride, pad)
        self.dZ = rng.standard_normal(self.Z.shape)
        self.arguments = (self.A_prev, self.W, self.b, stride, pad)

    def places(self) -> Any:
        """i, h, w, c and the corners of each window, in the order of the loops."""
        m, n_H, n_W, n_C = self.Z.shape
        for i, h, w, c in itertools.product(range(m), range(n_H), range(n_W), range(n_C)):
            top, bottom, left, right = corners(h, w, 3, self.stride)
            yield (i, h, w, c), (i, slice(top, bottom), slice(left, right))

    def run_back(self, probe: Probe, left_out: str) -> Any:
        given = {"dA_prev": self.A_prev, **GIVEN}
        given.pop(left_out, None)
        return probe.run("conv_backward", self.dZ, self.arguments, **given)


def check_pad(probe: Probe) -> Found:
    X = np.random.default_rng(0).standard_normal((2, 4, 3, 2))

    def trial(pad: int) -> Difference | None:
        both = (pad, pad)

        def padded(*widths: tuple[int, int], **options: Any) -> Any:
            return lambda: np.pad(X, widths, **options)

        none = (0, 0)
        return probe.judge(
            "X_pad",
            probe.run("zero_pad", X, pad),
            pad_images(X, pad),
            slips={
                "is padded along all four axes: examples and channels stay as they are, (0, 0)": padded(*[both] * 4),
                "is padded along the channels too: they stay as they are, (0, 0)": padded(none, both, both, both),
                "is padded along the examples too: they stay as they are, (0, 0)": padded(both, both, both, none),
                "is padded along examples and rows: rows and columns are the axes 1 and 2": padded(
                    both, both, none, none
                ),
                "is padded along columns and channels: rows and columns are the axes 1 and 2": padded(
                    none, none, both, both
                ),
                "is padded along the rows alone": padded(none, both, none, none),
                "is padded along the columns alone": padded(none, none, both, none),
                "is padded on one side only, the left and the top: (pad, pad) pads both": padded(
                    none, (pad, 0), (pad, 0), none
                ),
                "is padded on one side only, the right and the bottom: (pad, pad) pads both": padded(
                    none, (0, pad), (0, pad), none
                ),
                "is padded by one row and column, whatever pad is": padded(none, (1, 1), (1, 1), none),
                "is padded by twice as much": padded(none, (2 * pad, 2 * pad), (2 * pad, 2 * pad), none),
                "is padded with copies of the border: with zeros": padded(none, both, both, none, mode="edge"),
                "is padded with a mirror image: with zeros": padded(none, both, both, none, mode="reflect"),
                "is padded with ones: with zeros": padded(none, both, both, none, constant_values=1),
                "is not padded": lambda: X,
            },
        )

    yield trial(2)
    yield trial(1)


def check_step(probe: Probe) -> Found:
    rng = np.random.default_rng(1)
    a, W, b = rng.standard_normal((3, 3, 2)), rng.standard_normal((3, 3, 2)), np.array([[[0.75]]])
    total = np.sum(a * W)
    yield probe.judge(
        "z",
        probe.run("conv_single_step", a, W, b),
        conv2d(a[None], W[..., None], b[None], 1, 0)[0, 0, 0, 0],
        slips={
            "is an array of shape (1, 1, 1), expected a number: take the number in b, b.item()": lambda: total + b,
            "lacks the bias": lambda: total,
            "has the bias added to each product, and so 18 times: add it once, after the sum": lambda: np.sum(
                a * W + b
            ),
            "is not added up: sum over all entries of a_slice * W": lambda: a * W + b,
            "is not added up; sum over all entries of a_slice * W": lambda: a * W,
            "subtracts the bias: add it": lambda: total - 0.75,
            "is the mean of the products: add them up": lambda: np.mean(a * W) + 0.75,
            "has the filter flipped: in deep learning it is not": lambda: np.sum(a[::-1, ::-1] * W) + 0.75,
            "is added up over the channels alone or over rows and columns alone: sum over all entries": lambda: (
                np.sum(a * W, axis=(0, 1)) + 0.75
            ),
            "is the sum of window and filter: multiply them": lambda: np.sum(a + W) + 0.75,
        },
    )


def check_size(probe: Probe) -> Found:
    trials = [(10, 8, 3, 2, 2), (7, 6, 3, 1, 0), (12, 9, 4, 3, 1), (6, 6, 5, 1, 2), (9, 12, 2, 2, 3)]
    results = [probe.run("output_size", *trial) for trial in trials]
    n_Hs, n_Ws, fs, strides, pads = np.array(trials).T
    for name, n, other, index in (("n_H", n_Hs, n_Ws, 0), ("n_W", n_Ws, n_Hs, 1)):
        for result in results:
            if result.failure or result[name] is ...:
                yield probe.judge(name, result, 0)
                return
        room = n + 2 * pads - fs
        found = probe.compare(
            name,
            np.array([np.asarray(result[name], dtype=float) for result in results]),
            np.array([size(*trial)[index] for trial in trials]),
            slips={
                "lacks the + 1 at the end: the first window counts too": lambda room=room, s=strides: room // s,
                "has pad once: there is padding on both sides, 2 pad": lambda n=n: (n + pads - fs) // strides + 1,
                "lacks the padding: n_prev + 2 pad - f": lambda n=n: (n - fs) // strides + 1,
                "is rounded up: a window that does not fit in whole is left out, so round down, //": lambda room=room: (
                    -(-room // strides) + 1
                ),
                "is rounded to the nearest integer: round down, //": lambda room=room: np.round(room / strides) + 1,
                "is not rounded: round down, //": lambda room=room: room / strides + 1,
                "lacks the stride: divide by it": lambda room=room: room + 1,
                "adds f: subtract it, n_prev + 2 pad - f": lambda n=n: (n + 2 * pads + fs) // strides + 1,
                "subtracts the padding: n_prev + 2 pad - f": lambda n=n: (n - 2 * pads - fs) // strides + 1,
                "has the + 1 inside the division: it is added to the quotient": lambda room=room: (room + 1) // strides,
                "is computed from the other size: rows from n_H_prev, columns from n_W_prev": lambda other=other: (
                    (other + 2 * pads - fs) // strides + 1
                ),
                "divides f alone by the stride: put parentheses around n_prev + 2 pad - f": lambda n=n: (
                    n + 2 * pads - fs // strides + 1
                ),
            },
        )
        first = results[0][name]
        if not found and not isinstance(first, (int, np.integer)):
            text = f"{name} is {first}, of type {type(first).__name__}, expected an integer: // gives one, or int(...)"
            found = Difference(5, text)
        yield found


def check_window(probe: Probe) -> Found:
    trials = [(0, 1, 3, 1), (2, 3, 3, 2), (3, 1, 2, 3), (1, 4, 4, 2)]
    results = [probe.run("window", *trial) for trial in trials]
    h, w, f, stride = np.array(trials).T
    wants = dict(
        zip(("top", "bottom", "left", "right"), np.array([corners(*trial) for trial in trials]).T, strict=True)
    )
    for name, want in wants.items():
        for result in results:
            if result.failure or result[name] is ... or result[name] is None:
                yield probe.judge(name, result, 0)
                return
        start, place, other = (h, "h", w) if name in ("top", "bottom") else (w, "w", h)
        end = f if name in ("bottom", "right") else 0 * f
        slips = {
            f"lacks the stride: the window starts at {place} * stride": lambda start=start, end=end: start + end,
            f"is made with {'w' if place == 'h' else 'h'}: it is {place} * stride": lambda other=other, end=end: (
                other * stride + end
            ),
            f"has f in place of the stride: the window starts at {place} * stride": lambda start=start, end=end: (
                start * f + end
            ),
            "is where the window starts: it ends f further on": lambda start=start: start * stride,
            "is one too small: the end of a slice is not in it, so it is start + f": lambda want=want: want - 1,
            "is one too large: the end of a slice is not in it, so it is start + f": lambda want=want: want + 1,
            "is start + stride: the window is f long, start + f": lambda start=start: start * stride + stride,
            "has (f + place) * stride or the like: the stride multiplies the place alone": lambda start=start: (
                (start + f) * stride
            ),
            "is f alone: start + f": lambda: f,
        }
        yield probe.compare(name, np.array([result[name] for result in results], dtype=float), want, slips=slips)


def check_forward(probe: Probe) -> Found:
    def trial(stride: int, pad: int) -> Difference | None:
        images = Images(stride, pad)
        W, b, padded = images.W, images.b, images.padded
        result = probe.run("conv_forward", *images.arguments, **GIVEN)
        if result.failure:
            return result.failure
        found = [passage["z"] for passage in result.passages]
        for z in found:
            if z is ... or z is None or np.ndim(z):
                return probe.compare("z", z, images.Z[0, 0, 0, 0])

        def every(value: Any) -> Any:
            return lambda: np.array([value(place, window) for place, window in images.places()])

        return probe.compare(
            "z",
            np.array(found),
            images.Z.ravel(),
            slips={
                "is the same for all images: the window is one of image i": every(
                    lambda place, at: single_step(padded[(0, *at[1:])], W[..., place[3]], b[..., place[3]])
                ),
                "has filter 0 throughout: take filter c, W[:, :, :, c]": every(
                    lambda place, at: single_step(padded[at], W[..., 0], b[..., place[3]])
                ),
                "has the bias of filter 0 throughout: take b[:, :, :, c]": every(
                    lambda place, at: single_step(padded[at], W[..., place[3]], b[..., 0])
                ),
                "has filter and bias 0 throughout: take W[:, :, :, c] and b[:, :, :, c]": every(
                    lambda place, at: single_step(padded[at], W[..., 0], b[..., 0])
                ),
                "has all biases added up: take that of filter c, b[:, :, :, c]": every(
                    lambda place, at: single_step(padded[at], W[..., place[3]], b)
                ),
                "has rows and columns exchanged: a[i, top:bottom, left:right]": every(
                    lambda place, at: single_step(padded[at[0], at[2], at[1]], W[..., place[3]], b[..., place[3]])
                ),
            },
            terms={"b": every(lambda place, at: b[0, 0, 0, place[3]])},
        )

    yield trial(2, 1)
    yield trial(1, 0)
    square = probe.run(
        "conv_forward", np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 2)), np.ones((1, 1, 1, 2)), 1, 1, **GIVEN
    )
    if square.failure:
        yield square.failure


def summed(images: Images, shape: tuple[int, ...], place: Any, value: Any, add: bool = True) -> Any:
    """What a slip makes of the loops: an array to which each window adds (or, if not `add`, which it overwrites)."""

    def total() -> Array:
        out = np.zeros(shape)
        for position, at in images.places():
            if add:
                out[place(position, at)] += value(position, at)
            else:
                out[place(position, at)] = value(position, at)
        return out

    return total


def check_dA(probe: Probe) -> Found:
    def trial(stride: int, pad: int) -> Difference | None:
        images = Images(stride, pad)
        W, dZ = images.W, images.dZ
        want = differences(lambda X: np.sum(dZ * conv2d(X, W, images.b, stride, 0)), images.padded)

        def slip(value: Any, add: bool = True) -> Any:
            return summed(images, images.padded.shape, lambda place, at: at, value, add)

        def right(place: Any, at: Any) -> Any:
            return W[..., place[3]] * dZ[place]

        return probe.judge(
            "dA_prev_pad",
            images.run_back(probe, "dA_prev_pad"),
            want,
            slips={
                "is overwritten by each window: windows overlap, so add, with +=": slip(right, add=False),
                "gets the filter without dZ: multiply it by dZ[i, h, w, c]": slip(lambda place, at: W[..., place[3]]),
                "gets filter 0 throughout: take W[:, :, :, c]": slip(lambda place, at: W[..., 0] * dZ[place]),
                "gets the filter flipped: each entry gets the weight that it was multiplied by": slip(
                    lambda place, at: W[::-1, ::-1, :, place[3]] * dZ[place]
                ),
                "gets the window of A in place of the filter: that is for dW": slip(
                    lambda place, at: images.padded[at] * dZ[place]
                ),
                "gets dZ without the filter: multiply it by W[:, :, :, c]": slip(lambda place, at: dZ[place]),
            },
        )

    yield trial(2, 1)
    yield trial(1, 0)


def check_dW(probe: Probe) -> Found:
    images = Images()
    padded, dZ = images.padded, images.dZ
    want = differences(lambda W: np.sum(dZ * conv2d(images.A_prev, W, images.b, images.stride, images.pad)), images.W)

    def slip(value: Any, add: bool = True, channel: int | None = None) -> Any:
        def place(position: Any, at: Any) -> Any:
            return (..., position[3] if channel is None else channel)

        return summed(images, images.W.shape, place, value, add)

    def right(place: Any, at: Any) -> Any:
        return padded[at] * dZ[place]

    yield probe.judge(
        "dW",
        images.run_back(probe, "dW"),
        want,
        slips={
            "is overwritten by each window: each one adds, with +=": slip(right, add=False),
            "gets the window without dZ: multiply it by dZ[i, h, w, c]": slip(lambda place, at: padded[at]),
            "is added to filter 0 throughout: to dW[:, :, :, c]": slip(right, channel=0),
            "is divided by the number of images: dZ is the gradient of the cost, so no 1/m": slip(
                lambda place, at: right(place, at) / len(dZ)
            ),
            "gets the window flipped: each weight gets the entry that it was multiplied by": slip(
                lambda place, at: padded[at][::-1, ::-1] * dZ[place]
            ),
            "gets the windows of image 0 throughout: take image i": slip(
                lambda place, at: padded[(0, *at[1:])] * dZ[place]
            ),
            "gets the filter in place of the window of A: that is for dA": slip(
                lambda place, at: images.W[..., place[3]] * dZ[place]
            ),
            "is added to all filters alike: to dW[:, :, :, c]": lambda: (
                sum(right(place, at) for place, at in images.places())[..., None] + np.zeros(images.W.shape)
            ),
        },
    )


def check_db(probe: Probe) -> Found:
    images = Images()
    dZ = images.dZ
    want = differences(lambda b: np.sum(dZ * conv2d(images.A_prev, images.W, b, images.stride, images.pad)), images.b)
    yield probe.judge(
        "db",
        images.run_back(probe, "db"),
        want,
        slips={
            "is overwritten by each place: each one adds, with +=": lambda: dZ[-1, -1, -1] + np.zeros(images.b.shape),
            "gets the same for all filters: add to db[:, :, :, c]": lambda: dZ.sum() + np.zeros(images.b.shape),
            "is added to filter 0 throughout: to db[:, :, :, c]": lambda: (
                dZ.sum() * np.array([1, 0, 0]).reshape(1, 1, 1, 3)
            ),
            "is the mean over the images: dZ is the gradient of the cost, so no 1/m": lambda: want / len(dZ),
            "is the mean over images and places: add up": lambda: dZ.mean((0, 1, 2), keepdims=True),
            "counts the places: add dZ[i, h, w, c], not 1": lambda: np.full(images.b.shape, dZ[..., 0].size),
        },
    )


def check_unpad(probe: Probe) -> Found:
    def trial(pad: int) -> Difference | None:
        images = Images(1, pad)
        full = np.random.default_rng(8).standard_normal(images.padded.shape)
        want = full[:, pad : pad + 6, pad : pad + 5]
        result = probe.run("conv_backward", images.dZ, images.arguments, dA_prev_pad=lambda names: full, **GIVEN)

        def cut(*slices: slice) -> Any:
            return lambda: full[(slice(None), *slices)]

        both, first, last = slice(pad, -pad), slice(pad, None), slice(None, -pad or None)
        slips = {
            "still has its padding: cut off pad rows and columns at each side": lambda: full,
            "is cut at the beginning only: the end has padding too": cut(first, first),
            "is cut at the end only: the beginning has padding too": cut(last, last),
            "is cut at the end only, by twice as much: the padding is at both sides": lambda: full[:, :6, :5],
            "is cut in the rows alone: cut the columns too": cut(both),
            "is cut in the columns alone: cut the rows too": cut(slice(None), both),
            "is cut by one row and column, whatever pad is": cut(slice(1, -1), slice(1, -1)),
            "is cut along the channels too: they have no padding": cut(both, both, both),
        }
        if pad == 0:
            slips = {
                "is empty where pad is 0, for a[0:-0] is: take pad : pad + A_prev.shape[1], and so on": cut(both, both)
            }
        found = probe.judge("dA_prev", result, want, slips=slips)
        return found and Difference(found.rank, f"{found.text} (here pad = {pad})")

    yield trial(2)
    yield trial(0)


CHECKS = {
    1: check_pad,
    2: check_step,
    3: check_size,
    4: check_window,
    5: check_forward,
    6: check_dA,
    7: check_dW,
    8: check_db,
    9: check_unpad,
}


def altogether(student: dict[str, Any]) -> str:
    """gradcheck of a convolution whose two passes are the student's."""
    images = Images()

    class Convolve(td.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: td.Tensor) -> td.Tensor:
            A_prev, W, b = (tensor.numpy() for tensor in tensors)
            out, ctx.cache = student["conv_forward"](A_prev, W, b, 2, 1)
            return td.tensor(out)

        @staticmethod
        def backward(ctx: Any, g: td.Tensor) -> tuple[td.Tensor, ...]:
            return tuple(td.tensor(array) for array in student["conv_backward"](g.numpy(), ctx.cache))

    tensors = [td.tensor(x, requires_grad=True) for x in (images.A_prev, images.W, images.b)]
    checked = gradcheck(Convolve.apply, tensors, names=["A_prev", "W", "b"], raise_exception=False)
    return f"gradcheck: {checked.summary}" if checked else f"gradcheck: {checked}"
