"""Every way of computing a convolution, beside PyTorch's, on the shapes of small models.

    python benchmarks/convolution.py [--rounds 40] [--only NAME] [--threads 2]

For each shape, and for the result, the input's gradient and the weight's gradient, prints the time in ms (the best of
the rounds: in the others the machine was busier) and the speed in GF/s of arithmetic that the definition needs. The
ways take turns. The last column is the way that `tinygrad_dl.ops.convolution` chooses by itself.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_dl import set_num_threads
from tinygrad_dl.ops.convolution import _columns as columns
from tinygrad_dl.ops.convolution import _convolution as convolution
from tinygrad_dl.ops.convolution import _deep as deep
from tinygrad_dl.ops.convolution import _depthwise as depthwise
from tinygrad_dl.ops.convolution import _lines as lines
from tinygrad_dl.ops.convolution import _phases as phases
from tinygrad_dl.ops.convolution import _rows as rows
from tinygrad_dl.ops.convolution import _shifted as shifted
from tinygrad_dl.ops.convolution import _winograd as winograd
from tinygrad_dl.ops.convolution._geometry import geometry
from tinygrad_dl.ops.convolution._shapes import conv_size


class Shape(NamedTuple):
    """A convolution over images."""

    name: str
    input: tuple[int, ...]
    weight: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    groups: int = 1


SHAPES = [
    Shape("LeNet 1", (64, 1, 28, 28), (6, 1, 5, 5), 1, 2),
    Shape("LeNet 2", (64, 6, 14, 14), (16, 6, 5, 5)),
    Shape("ResNet first", (32, 3, 32, 32), (16, 3, 3, 3), 1, 1),
    Shape("ResNet 16", (32, 16, 32, 32), (16, 16, 3, 3), 1, 1),
    Shape("ResNet 16-32", (32, 16, 32, 32), (32, 16, 3, 3), 2, 1),
    Shape("ResNet 16-32, 1x1", (32, 16, 32, 32), (32, 16, 1, 1), 2, 0),
    Shape("ResNet 32", (32, 32, 16, 16), (32, 32, 3, 3), 1, 1),
    Shape("ResNet 32-64", (32, 32, 16, 16), (64, 32, 3, 3), 2, 1),
    Shape("ResNet 64", (32, 64, 8, 8), (64, 64, 3, 3), 1, 1),
    Shape("64 on 16x16", (32, 64, 16, 16), (64, 64, 3, 3), 1, 1),
    Shape("64 on 56x56", (4, 64, 56, 56), (64, 64, 3, 3), 1, 1),
    Shape("128 on 28x28", (4, 128, 28, 28), (128, 128, 3, 3), 1, 1),
    Shape("128-256", (4, 128, 28, 28), (256, 128, 3, 3), 2, 1),
    Shape("256 on 14x14", (4, 256, 14, 14), (256, 256, 3, 3), 1, 1),
    Shape("512 on 7x7", (4, 512, 7, 7), (512, 512, 3, 3), 1, 1),
    Shape("autoencoder 1", (64, 1, 28, 28), (16, 1, 3, 3), 2, 1),
    Shape("autoencoder 2", (64, 16, 14, 14), (32, 16, 3, 3), 2, 1),
    Shape("1x1", (32, 64, 16, 16), (128, 64, 1, 1)),
    Shape("depthwise", (32, 64, 16, 16), (64, 1, 3, 3), 1, 1, 64),
]
STRIPS = (1, 2, 4, 7, 14)
DEEP = 1000  # places in a batch, up to which one product for all of them is tried
PAUSE = 0.003  # seconds: threads that have just worked wait a moment in a loop, and would disturb the next
Way = Callable[[], Any]


def ways(shape: Shape) -> dict[str, dict[str, Way]]:
    """kind -> name -> the call."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(size, dtype=np.float32) for size in (shape.input, shape.weight))
    kernel, stride, dilation = w.shape[2:], (shape.stride,) * 2, (1, 1)
    pads = ((shape.padding, shape.padding),) * 2
    out, size, groups = conv_size(x.shape[2:], kernel, stride, pads, dilation), x.shape[2:], shape.groups
    g = rng.standard_normal((len(x), len(w), *out), dtype=np.float32)
    options: Any = (stride, pads, dilation, groups)
    found: dict[str, dict[str, Way]] = {
        "result": {"columns": lambda: columns.convolve(x, w, out, *options)},
        "input's": {"columns": lambda: columns.convolve_transposed(g, w, size, *options)},
        "weight's": {"columns": lambda: columns.convolve_weight(x, g, kernel, *options)},
    }
    if len(x) * out[0] * out[1] <= DEEP or groups > 1:
        found["result"]["joined"] = lambda: deep.convolve(x, w, out, *options)
        found["input's"]["joined"] = lambda: deep.convolve_transposed(g, w, size, *options)
        found["weight's"]["joined"] = lambda: deep.convolve_weight(x, g, kernel, *options)
    if groups == 1:
        for t in STRIPS:
            add_rows(found, t, x, w, g, stride, pads)
    if kernel != (1, 1):
        found["result"]["lines"] = lambda: lines.convolve(x, w, out, stride, pads, groups)
        found["weight's"]["lines"] = lambda: lines.convolve_weight(x, g, kernel, stride, pads, groups)
    if kernel == (3, 3) and stride == (1, 1) and groups == 1:
        found["result"]["Winograd"] = lambda: winograd.convolve(x, w, out, pads)
        found["input's"]["Winograd"] = lambda: winograd.convolve_transposed(g, w, size, pads)
        found["weight's"]["Winograd"] = lambda: winograd.convolve_weight(x, g, pads)
    if stride != (1, 1):
        found["input's"]["phases"] = lambda: phases.convolve_transposed(g, w, size, stride, pads, groups)
    elif groups == 1:
        turned, around = (
            w[..., ::-1, ::-1].swapaxes(0, 1),
            tuple([(k - 1 - a, k - 1 - a) for k, (a, _) in zip(kernel, pads, strict=True)]),
        )
        found["input's"]["turned"] = lambda: columns.convolve(g, turned, size, stride, around, dilation, 1)
        found["input's"]["lines"] = lambda: lines.spread(g, turned, size, around, 1)
    if depthwise.fits(geometry(x, w, out, *options)):
        found["result"]["depthwise"] = lambda: depthwise.convolve(x, w, out, stride, pads, dilation)
        if stride == (1, 1):
            found["weight's"]["shifted"] = lambda: shifted.convolve_weight(x, g, kernel, pads, dilation)
        found["weight's"]["depthwise"] = lambda: depthwise.convolve_weight(x, g, kernel, stride, pads, dilation)
    add_pytorch(found, x, w, g, shape)
    found["result"]["chosen"] = lambda: convolution.convolution.generic(x, w, None, *options)
    found["input's"]["chosen"] = lambda: convolution.convolution_transpose.generic(g, w, None, *options, size)
    found["weight's"]["chosen"] = lambda: convolution.convolution_weight.generic(x, g, kernel, *options)
    return found


def add_rows(found: dict[str, dict[str, Way]], t: int, x: Any, w: Any, g: Any, stride: Any, pads: Any) -> None:
    """Rows in strips of t."""
    kernel, out, size = w.shape[2:], g.shape[2:], x.shape[2:]
    flat = w.reshape(*w.shape[:2], -1)
    along = rows.forward_lines(size, out, kernel, stride, pads, (1, 1), t)
    back = rows.backward_lines(out, size, kernel, stride, pads, t)
    name = f"rows {t}"
    if not out[1] % t:
        found["result"][name] = lambda: rows.apply(x, flat.transpose(2, 1, 0), along, kernel, out)
        found["weight's"][name] = lambda: rows.apply_weight(x, g, along, kernel)
    if not size[1] % (t * stride[1]):
        found["input's"][name] = lambda: rows.apply(g, flat.transpose(2, 0, 1), back, kernel, size)


def add_pytorch(found: dict[str, dict[str, Way]], x: Any, w: Any, g: Any, shape: Shape) -> None:
    """PyTorch's own functions, the gradients without its recording."""
    torch = importlib.import_module("torch")
    a, b, c = (torch.from_numpy(each) for each in (x, w, g))
    pairs = [shape.stride] * 2, [shape.padding] * 2, [1, 1]
    backward = torch.ops.aten.convolution_backward
    rest = (None, *pairs, False, [0, 0], shape.groups)
    found["result"]["PyTorch"] = lambda: torch.conv2d(a, b, None, *pairs, shape.groups)
    found["input's"]["PyTorch"] = lambda: backward(c, a, b, *rest, [True, False, False])
    found["weight's"]["PyTorch"] = lambda: backward(c, a, b, *rest, [False, True, False])


def best(calls: dict[str, Way], rounds: int, pause: float) -> dict[str, float]:
    """The shortest time of each, in turn."""
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name] = min(times[name], time.perf_counter() - start)
            time.sleep(pause)
    return times


def main() -> None:
    """Prints the table as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int, default=0, help="of both; for 1, set OPENBLAS_NUM_THREADS=1 too")
    arguments = parser.parse_args()
    if arguments.threads:
        set_num_threads(arguments.threads)
        importlib.import_module("torch").set_num_threads(arguments.threads)
    strips = [f"rows {t}" for t in STRIPS]
    names = [
        "columns",
        "turned",
        "phases",
        "joined",
        "lines",
        *strips,
        "Winograd",
        "shifted",
        "depthwise",
        "PyTorch",
        "chosen",
    ]
    print(f"| shape | of | {' | '.join(names)} | ratio |\n|{'---|' * (len(names) + 3)}")
    for shape in SHAPES:
        if arguments.only not in shape.name:
            continue
        out = conv_size(shape.input[2:], shape.weight[2:], (shape.stride,) * 2, ((shape.padding,) * 2,) * 2, (1, 1))
        work = 2 * shape.input[0] * int(np.prod(shape.weight)) * int(np.prod(out))
        for kind, calls in ways(shape).items():
            times = best(calls, arguments.rounds, 0.0 if arguments.threads == 1 else PAUSE)
            cells = [f"{times[n] * 1e3:.2f} ({work / times[n] / 1e9:.0f})" if n in times else "" for n in names]
            ratio = times["chosen"] / times["PyTorch"]
            print(f"| {shape.name} | {kind} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
