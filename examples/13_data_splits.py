"""Train, dev and test sets: three ways to split, what each says of new data, and what to do about what they say.

What to see:

- Of a hundred digits, five ways to guess how a model will do on the other 1,697. One hold-out set of 20 is a lottery
  ticket; k-fold cross-validation uses every digit once and errs half as much; leave-one-out does no better and costs
  ten times as much as 10-fold.
- The score that chose a hyperparameter flatters: it is the largest of many. The test set, looked at once, does not.
- Error = bias^2 + variance + noise. Thirty training sets, drawn anew, measure each term by itself: a line has bias, a
  large network on few points has variance, and noise nobody can take away. The three add up to the error on new points.
- The course's recipe reads the same from two numbers that one always has, the errors on the train and on the dev set.
  Too high on the train set is bias: a larger network, longer training. Much higher on the dev set is variance: more
  data, regularisation. Each remedy lowers the term that it is for, and more data does nothing for a line.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import show
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut, ShuffleSplit, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinygrad_dl import viz
from tinygrad_dl.estimators import TinygradClassifier, TinygradRegressor

HAVE = 100  # digits that we have; the rest is the world
NOISE = 0.3  # the standard deviation of the targets around the true curve
METHODS = {
    "hold-out, 20 %": lambda seed: ShuffleSplit(1, test_size=0.2, random_state=seed),
    "hold-out, 50 %": lambda seed: ShuffleSplit(1, test_size=0.5, random_state=seed),
    "5-fold": lambda seed: KFold(5, shuffle=True, random_state=seed),
    "10-fold": lambda seed: KFold(10, shuffle=True, random_state=seed),
    "leave-one-out": lambda seed: LeaveOneOut(),
}


def classifier(**options: Any) -> Any:
    """Scaled by what the training part alone says, then a small network."""
    network = TinygradClassifier((32,), **{"lr": 0.01, "epochs": 12, "batch_size": 20, "random_state": 0, **options})
    return make_pipeline(StandardScaler(), network)


def split_errors(method: str, seed: int, repeats: int) -> tuple[list[float], int, float]:
    """How far the method's estimate is from the accuracy on the world, for several draws of what we have.

    Returns the errors, how many models one estimate takes, and the seconds for it.
    """
    x, y = load_digits(return_X_y=True)
    errors, models, seconds = [], 0, 0.0
    for repeat in range(seed, seed + repeats):
        have, world, have_y, world_y = train_test_split(x, y, train_size=HAVE, stratify=y, random_state=repeat)
        truth = classifier().fit(have, have_y).score(world, world_y)
        splits = METHODS[method](repeat)
        models = splits.get_n_splits(have)
        start = time.perf_counter()
        estimate = cross_val_score(classifier(), have, have_y, cv=splits).mean()
        seconds += (time.perf_counter() - start) / repeats
        errors.append(float(estimate - truth))
    return errors, models, seconds


def chosen(seed: int, candidates: int) -> tuple[float, float, float]:
    """The course's six steps: a test set aside, 5-fold over the candidates, the best one on all the rest, one test.

    Returns the mean accuracy of all candidates, that of the winner, and the winner's on the test set. The candidates
    differ by their random start alone, so none is better than another: what the winner has over the mean is luck.
    """
    x, y = load_digits(return_X_y=True)
    x, test, y, test_y = train_test_split(x, y, train_size=HAVE, stratify=y, random_state=seed)
    starts = {"tinygradclassifier__random_state": list(range(candidates))}
    search = GridSearchCV(classifier(epochs=4), starts, cv=5).fit(x, y)  # refits the best one on all of x
    return (
        float(search.cv_results_["mean_test_score"].mean()),
        float(search.best_score_),
        float(search.score(test, test_y)),
    )


def curve(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x[:, 0]) + 0.5 * x[:, 0]


def draw(generator: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and their noisy targets."""
    x = generator.uniform(-2, 2, (size, 1))
    return x, curve(x) + NOISE * generator.standard_normal(size)


def regressor(hidden: tuple[int, ...], epochs: int, weight_decay: float = 0.0) -> TinygradRegressor:
    options = {"lr": 0.01, "batch_size": 200, "optimizer": "adamw", "activation": "tanh"}
    return TinygradRegressor(hidden, epochs=epochs, weight_decay=weight_decay, **options)


def models(steps: int) -> Iterator[tuple[str, TinygradRegressor, int]]:
    """Name, model and number of points: from a line to what the recipe makes of it."""
    yield "a line", regressor((), steps), 25
    yield "a line, 8 x the data", regressor((), steps), 200
    yield "a larger network", regressor((50, 50), steps), 25
    yield "... with decay", regressor((50, 50), steps, 1.0), 25
    yield "... with 8 x the data", regressor((50, 50), steps), 200


def resample(model: TinygradRegressor, size: int, seed: int, sets: int) -> dict[str, Any]:
    """Trains on many training sets, drawn anew: bias^2, variance and noise, the error they should add up to, and fits.

    bias^2 = (mean prediction - truth)^2, variance = the predictions' own, both averaged over x. The plain estimate of
    bias^2 has variance / sets too much, which is taken off.
    """
    generator = np.random.default_rng(seed)
    x, y = draw(generator, 2000)
    predictions, train, dev = [], [], []
    for number in range(sets):
        points, targets = draw(generator, size)
        fitted = clone(model).set_params(random_state=number).fit(points, targets)
        predictions.append(fitted.predict(x))
        train.append(mean_squared_error(targets, fitted.predict(points)))
        dev.append(mean_squared_error(y, predictions[-1]))
    stack = np.array(predictions)
    variance = float(stack.var(axis=0, ddof=1).mean())
    bias = float(np.mean((stack.mean(axis=0) - curve(x)) ** 2)) - variance / sets
    order = np.argsort(x[:, 0])
    return {
        "bias": bias,
        "variance": variance,
        "noise": NOISE**2,
        "error": float(np.mean(dev)),
        "train": float(np.mean(train)),
        "x": x[order, 0],
        "fits": stack[:, order],
    }


def diagnosis(train: float, dev: float, floor: float) -> str:
    """The recipe, from the errors on the train and the dev set and the error that nobody can go below."""
    if train > 1.5 * floor:
        return "bias: larger, longer"
    return "variance: data, decay" if dev > 1.5 * floor else "done"


def main() -> None:
    options = show.options(__doc__, "a few draws and short training leave the size of each error to chance")
    quick = options.quick
    methods = list(METHODS)[:4:2] if quick else list(METHODS)
    repeats, sets, steps = (2, 4, 100) if quick else (20, 30, 300)

    print(f"{HAVE} digits: how wrong is each estimate of the accuracy on the other {1797 - HAVE:,}?\n")
    estimates = {}
    rows = []
    for method in methods:
        count = repeats if method != "leave-one-out" else min(repeats, 6)
        errors, trained, seconds = split_errors(method, options.seed, count)
        estimates[method] = np.array(errors)
        rms = float(np.sqrt(np.mean(estimates[method] ** 2)))
        mean = f"{estimates[method].mean():+.1%}"
        rows.append((method, trained, count, mean, f"{rms:.1%}", f"{seconds:.2f}"))
    show.table(("method", "models", "draws", "mean error", "rms error", "seconds each"), rows)

    seeds = range(options.seed, options.seed + (1 if quick else 5))
    mean, best, test = np.mean([chosen(seed, 3 if quick else 12) for seed in seeds], axis=0)
    print("Candidates that are equally good: the score of the winner flatters, the test does not\n")
    rows = [("5-fold, mean of all", f"{mean:.1%}"), ("5-fold, the winner", f"{best:.1%}"), ("test set", f"{test:.1%}")]
    show.table(("", "accuracy"), rows)

    print(f"sin(3x) + x/2 with noise of {NOISE}^2 = {NOISE**2:.2f}, from {sets} training sets\n")
    measured = {name: resample(model, size, options.seed, sets) for name, model, size in models(steps)}
    rows = []
    for name, terms in measured.items():
        total = terms["bias"] + terms["variance"] + terms["noise"]
        numbers = terms["bias"], terms["variance"], terms["noise"], total, terms["error"], terms["train"]
        advice = diagnosis(terms["train"], terms["error"], NOISE**2)
        rows.append((name, *(f"{number:.3f}" for number in numbers), advice))
    show.table(("model", "bias^2", "variance", "noise", "sum", "dev error", "train error", "the recipe says"), rows)

    figure, axes = viz.figure(2, 3, title="What a split says of new data, and what the errors are made of")
    ax = axes[0, 0]
    for place, (_, errors) in enumerate(estimates.items()):
        ax.plot(100 * errors, np.full(len(errors), place), "o", color="#0072b2", alpha=0.5)
        ax.plot([100 * errors.mean()], [place], "|", color="#333333", markersize=18, markeredgewidth=2)
    ax.axvline(0, color="#333333", linewidth=1)
    ax.set_yticks(range(len(estimates)), list(estimates))
    ax.set(
        ylim=(len(estimates) - 0.5, -0.5),
        xlabel="estimate - truth, in points (bar: mean)",
        title="Estimates of the accuracy",
    )
    for (name, terms), ax in zip(measured.items(), (axes[0, 1], None, axes[0, 2], axes[1, 0], axes[1, 1]), strict=True):
        if ax is None:
            continue
        mean, spread = terms["fits"].mean(axis=0), terms["fits"].std(axis=0)
        ax.fill_between(terms["x"], mean - spread, mean + spread, color="#56b4e9", alpha=0.5, linewidth=0)
        ax.plot(terms["x"], mean, "-", color="#0072b2", label="mean of all fits, and their spread")
        ax.plot(terms["x"], curve(terms["x"][:, None]), "--", color="#333333", label="truth")
        ax.set(title=name, ylim=(-3, 3))
    viz.legend(axes[0, 2])
    ax, left = axes[1, 2], np.zeros(len(measured))
    for term, colour, hatch in (("bias^2", "#0072b2", "///"), ("variance", "#e69f00", "..."), ("noise", "#cccccc", "")):
        values = [terms[term.removesuffix("^2")] for terms in measured.values()]
        ax.barh(list(measured), values, left=left, color=colour, hatch=hatch, edgecolor="white", label=term)
        left += values
    ax.invert_yaxis()
    ax.set(xlabel="squared error", title="Bias^2 + variance + noise")
    viz.legend(ax)
    show.save(figure, options, "13_data_splits.png")


if __name__ == "__main__":
    main()
