"""Gradient checking: is a backward pass right? In one dimension, in many; three bugs to find, and five cautions.

The difference quotient (J(w + e) - J(w - e)) / 2e needs no derivative, so it can judge one. The course compares with
|gradient - quotient| / (|gradient| + |quotient|): up to 1e-7 is right, 1e-5 calls for another look, 1e-3 is wrong.

What to see:

- Two sides beat one: for w^3 at 1 with e = 0.01 the course has 3.0001 and 3.0301, where 3 is right. Smaller steps
  help until rounding takes over; below e = 1e-5 it gets worse again. That is why the course's check fails at one e
  and passes at another.
- In many dimensions one number says that something is wrong; the verdict of each parameter says where.
- The course's listing for many dimensions moves both times to the same side. Its quotient is then 0, and even a right
  gradient scores 1, the worst there is.
- The cautions: the check is slow, so only to debug; look at the components, not only at their norm; the
  regularisation term belongs to the cost; dropout must be off; and check again after training, for some errors show
  only in large weights.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import show
from matplotlib.axes import Axes

import tinygrad_dl as td
from tinygrad_dl import nn, viz
from tinygrad_dl.testing import GradcheckError, check_module, relative_difference, verdict

SIZES = (4, 5, 3, 1)
BUGS = {
    "dW2 doubled": "W2",
    "db1 averaged, not summed": "b1",
    "ReLU 2 lets all through": "b2",
}
SLOPE = "arctan's slope"
THRESHOLDS = {1e-7: "right", 1e-5: "look again", 1e-3: "wrong"}


class Affine(td.autograd.Function):
    """x W^T + b with a backward pass by hand, and whatever bug is planted in it."""

    @staticmethod
    def forward(ctx: Any, x: td.Tensor, w: td.Tensor, b: td.Tensor, bug: str | None) -> td.Tensor:
        ctx.save_for_backward(x, w)
        ctx.bug = bug
        return x @ w.T + b

    @staticmethod
    def backward(ctx: Any, g: td.Tensor) -> tuple[td.Tensor | None, ...]:
        x, w = ctx.saved_tensors
        dw = g.T @ x * (2.0 if ctx.bug == "doubled" else 1.0)
        if ctx.bug == "last column":
            dw[:, -1] = 0.0
        return g @ w, dw, g.mean(0) if ctx.bug == "averaged" else g.sum(0), None


class LeakyBackward(td.autograd.Function):
    """ReLU going forward; coming back it hands on everything."""

    @staticmethod
    def forward(ctx: Any, z: td.Tensor) -> td.Tensor:
        return z.relu()

    @staticmethod
    def backward(ctx: Any, g: td.Tensor) -> td.Tensor:
        return g


class ArctanSlope(td.autograd.Function):
    """tanh with the slope of the arctangent, 1 / (1 + z^2): both begin as 1 - z^2, and part where z is large."""

    @staticmethod
    def forward(ctx: Any, z: td.Tensor) -> td.Tensor:
        ctx.save_for_backward(z)
        return z.tanh()

    @staticmethod
    def backward(ctx: Any, g: td.Tensor) -> td.Tensor:
        (z,) = ctx.saved_tensors
        return g / (1 + z * z)


class Network(nn.Module):
    """4-5-3-1; W1, b1 and so on, as the course writes them.

    Args:
        bug: what is planted, if anything; with "tanh", which is no bug, the activation is tanh and not ReLU.
        scale: of the weights of layer 1 and of all biases, and so of all that comes after.
        keep: the probability with which dropout keeps a unit.
    """

    def __init__(self, bug: str | None = None, scale: float = 1.0, keep: float = 1.0):
        super().__init__()
        self.bug, self.dropout = bug, nn.Dropout(1 - keep)
        for layer, (inputs, outputs) in enumerate(pairwise(SIZES), 1):
            setattr(
                self, f"W{layer}", nn.Parameter((scale if layer == 1 else 1) * td.randn(outputs, inputs) / inputs**0.5)
            )
            setattr(self, f"b{layer}", nn.Parameter(scale * td.rand(outputs)))  # above 0, so that no unit starts dead

    def forward(self, x: td.Tensor) -> td.Tensor:
        planted = {
            "dW2 doubled": {2: "doubled"},
            "db1 averaged, not summed": {1: "averaged"},
            "a column of dW1 dropped": {1: "last column"},
        }.get(self.bug or "", {})
        for layer in (1, 2, 3):
            x = Affine.apply(x, getattr(self, f"W{layer}"), getattr(self, f"b{layer}"), planted.get(layer))
            if layer < 3:
                x = self.dropout(self.activate(x, layer))
        return x

    def activate(self, z: td.Tensor, layer: int) -> td.Tensor:
        if self.bug in (SLOPE, "tanh"):
            return ArctanSlope.apply(z) if self.bug == SLOPE else z.tanh()
        return LeakyBackward.apply(z) if self.bug == "ReLU 2 lets all through" and layer == 2 else z.relu()


def data(seed: int) -> tuple[td.Tensor, td.Tensor]:
    """20 examples of 4 features, in float64; the last feature is 10,000 times smaller than the others."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((20, 4))
    y = (x[:, :2].sum(axis=1) > 0).astype(float)
    x[:, 3] /= 1e4
    return td.tensor(x), td.tensor(y).unsqueeze(1)


def penalty(model: nn.Module) -> td.Tensor:
    """lambda / 2m |W|^2, with lambda = 0.7."""
    return 0.7 / 40 * sum((p**2).sum() for name, p in model.named_parameters() if name.startswith("W"))


def detached_penalty(model: nn.Module) -> td.Tensor:
    """The same to look at, but its gradient is lost: as when the term is added to the cost and not to dW."""
    return penalty(model).detach()


def check(model: nn.Module, seed: int, term: Any = penalty) -> Any:
    """check_module on every entry of every parameter, with the regularisation term."""
    x, y = data(seed)
    return check_module(model, x, lambda z: nn.functional.binary_cross_entropy_with_logits(z, y), term, entries=1000)


def network(seed: int, bug: str | None = None, **options: float) -> Network:
    td.manual_seed(seed)
    return Network(bug, **options).double()


def norm_difference(report: Any) -> float:
    """The course's number, over all parameters at once: |a - n| / (|a| + |n|) of the two long vectors."""
    entries = [e for found in report.entries.values() for e in found if not e.kink]
    a, n = np.array([e.analytic for e in entries]), np.array([e.numeric for e in entries])
    return float(np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)))


def worst_of(report: Any) -> dict[str, float]:
    """The largest difference among the entries of each parameter; what rounding alone explains counts as 0."""
    return {name: max((e.excess for e in found if not e.kink), default=0.0) for name, found in report.entries.items()}


def located(report: Any) -> str:
    """Where the bug is: an error spreads towards the input, so the last wrong parameter is nearest to it."""
    wrong = [name for name, value in worst_of(report).items() if verdict(value) != "right"]
    return wrong[-1] if wrong else "-"


def quotients(steps: np.ndarray) -> dict[str, list[float]]:
    """How far the difference quotients of w^3 at 1 are from 3, from one side and from two."""
    one = [abs(((1 + e) ** 3 - 1) / e - 3) for e in steps]
    two = [abs(((1 + e) ** 3 - (1 - e) ** 3) / (2 * e) - 3) for e in steps]
    return {"one side": one, "two sides": two}


def train(model: nn.Module, seed: int, steps: int, looks: int = 10) -> list[float]:
    """Gradient descent with whatever gradients the model has; returns the largest difference, now and then."""
    x, y = data(seed)
    optimizer = td.optim.SGD(model.parameters(), lr=1.0)
    found = []
    for step in range(steps + 1):
        if step % (steps // looks) == 0:
            found.append(max(worst_of(check(model, seed)).values()))
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
        optimizer.step()
    return found


def in_one_dimension() -> None:
    print("One dimension: w^3 at w = 1, whose slope is 3\n")
    e = 0.01
    rows = [
        ("two sides", f"{((1 + e) ** 3 - (1 - e) ** 3) / (2 * e):.4f}", "3.0001"),
        ("one side", f"{((1 + e) ** 3 - 1) / e:.4f}", "3.0301"),
    ]
    w = td.tensor(1.0, dtype=td.float64, requires_grad=True)
    (w**3).backward()
    rows.append(("autograd", f"{w.grad.item():.4f}", "3"))
    show.table(("", "slope", "course"), rows)


def draw_cells(found: dict[str, dict[str, float]], ax: Axes) -> None:
    """A cell for each network and parameter: the difference and, the darker the worse, its verdict."""
    values = np.array([list(worst.values()) for worst in found.values()])
    ax.imshow(np.log10(np.maximum(values, 1e-12)), cmap="Oranges", vmin=-14, vmax=3, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        right = verdict(value) == "right"
        style = {"weight": "normal", "color": "black"} if right else {"weight": "bold", "color": "white"}
        ax.text(column, row, "right" if right else f"{value:.1g}", ha="center", va="center", size=9, **style)
    names = list(next(iter(found.values())))
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(found)), list(found))
    ax.grid(False)


def main() -> None:
    options = show.options(__doc__)
    seed = options.seed
    in_one_dimension()

    reports = {"no bug": check(network(seed), seed)} | {bug: check(network(seed, bug), seed) for bug in BUGS}
    print("A network 4-5-3-1 as it is, parameter by parameter\n")
    print(reports["no bug"], "\n")
    print("And with a bug in its backward pass\n")
    rows = []
    for name, report in reports.items():
        norm = norm_difference(report)
        rows.append((name, f"{norm:.0e}", verdict(norm), located(report), BUGS.get(name, "-")))
    show.table(("planted", "difference", "verdict", "found at", "it is at"), rows)

    same_side = relative_difference(3.0, ((1 + 1e-7) ** 3 - (1 + 1e-7) ** 3) / 2e-7)
    print(f"Moved to the same side twice, a right gradient scores {same_side:g}: {verdict(same_side)}.\n")

    print("The cautions\n")
    model, (x, y) = network(seed), data(seed)
    start = time.perf_counter()
    nn.functional.binary_cross_entropy_with_logits(model(x), y).backward()
    once = time.perf_counter() - start
    start = time.perf_counter()
    check(model, seed)
    ratio, count = (time.perf_counter() - start) / once, sum(p.numel() for p in model.parameters())
    print(f"1. Only to debug: for {count} parameters it takes {ratio:.0f} times as long as one backward pass.")
    column = check(network(seed, "a column of dW1 dropped"), seed, None)
    print(f"2. Look at the components: all together differ by {norm_difference(column):.0e}, but there is")
    print(f"   {column.worst}.")
    term = worst_of(check(network(seed), seed, detached_penalty))
    wrong = [name for name, value in term.items() if verdict(value) != "right"]
    print(f"3. Regularisation in the cost but not in the gradient: wrong in {', '.join(wrong)}.")
    try:
        check(network(seed, keep=0.8), seed)
    except GradcheckError as error:
        print(f"4. Dropout on, and the check refuses:\n   {error}.")
    steps = 100 if options.quick else 500
    trained = {
        "tanh's slope": train(network(seed, "tanh", scale=0.005), seed, steps),
        SLOPE: train(network(seed, SLOPE, scale=0.005), seed, steps),
    }
    first, last = (trained[SLOPE][i] for i in (0, -1))
    print(
        f"5. Check again after training: at first {first:.0e} ({verdict(first)}), then {last:.0e} ({verdict(last)}).\n"
    )

    figure, (left, middle, right) = viz.figure(1, 3, title="Gradient checking", size=(15, 4))
    sizes = np.logspace(-12, -1, 45)
    viz.plot_curves(quotients(sizes), x=sizes, xlabel="step e", ylabel="distance from 3", log=True, ax=left)
    viz.log_scale(left, x=True)
    left.set(title="The slope of $w^3$ at 1")
    draw_cells({name: worst_of(report) for name, report in reports.items()}, middle)
    middle.set_title("Largest difference in each parameter")
    looks = np.arange(11) * (steps // 10)
    curves = {name: np.maximum(values, 1e-13) for name, values in trained.items()}
    viz.plot_curves(
        curves, x=looks, xlabel="step of training", ylabel="largest relative difference", log=True, ax=right
    )
    right.set_title("Check again after training")
    for threshold, text in THRESHOLDS.items():
        right.axhline(threshold, color="#66707f", linewidth=0.8, linestyle=":")
        place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "size": 8}
        right.annotate(f"{threshold:g}: {text}", (0.99, threshold), **place)
    show.save(figure, options, "06_gradient_checking.png")


if __name__ == "__main__":
    main()
