"""Wrong values for every argument of every public callable: refused by name, never by an error of the inside.

Each callable gets small valid values, and in the place of one argument something else: None, a number, text, an object,
a list, an array of text, a dict, NaN, an integer beyond 64 bits, -1. It may work; if not, the error is one that says
what was wrong, and comes at once.
"""

from __future__ import annotations

import inspect
import re
import signal
import types

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import data, nn, optim, train, vision, viz
from tinygrad_dl.data import transforms
from tinygrad_dl.nn import functional

WRONG = [None, 3, "a", object(), [1.0], np.array(["a"]), {}, float("nan"), 2**63, -1]

# What speaks of the code and not of the argument. FileNotFoundError and their like are true of a path.
INSIDE = (
    AttributeError,
    NameError,
    KeyError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    SystemError,
    RecursionError,
    AssertionError,
)

# Callables that take anything, run what they are given, change the process, write files or draw.
ASIDE = {
    "td": {
        "keep_freed_memory",
        "manual_seed",
        "op",
        "save",
        "set_anomaly_enabled",
        "set_default_dtype",
        "set_num_threads",
        "set_rng_state",
    },
    "viz": {"render", "figure"},
    "class": {"TensorBoard"},  # imports half of another library
}
# The error is right as it is, for this argument.
RIGHT = {
    ("class", "LRScheduler"): KeyError,
    ("td", "floor_divide"): ZeroDivisionError,
    ("td", "fmod"): ZeroDivisionError,
    ("td", "remainder"): ZeroDivisionError,
}


class Hanging(BaseException):
    """Raised by the timer."""


def on_time(*_):
    raise Hanging


@pytest.fixture(autouse=True)
def timer(monkeypatch):
    """Two seconds of computing for each call; nothing may hang. The generator and the modes are put back."""
    before = signal.signal(signal.SIGPROF, on_time)
    state = td.get_rng_state()
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
    td.set_rng_state(state)


def told(action, *, names, right=None):
    """What is wrong with the way in which a call fails; None if nothing is."""
    signal.setitimer(signal.ITIMER_PROF, 2)
    try:
        action()
    except Hanging:
        return "it hangs"
    except BaseException as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        first = str(error).partition("\n")[0]
        if isinstance(error, INSIDE) and not (right and isinstance(error, right)):
            return f"{type(error).__name__}: {first}"
        if isinstance(error, OSError) and names[0].lower() in first.lower():
            return None
        if not isinstance(error, Exception):
            return f"{type(error).__name__}: {first}"
        if not any(name.lower() in first.lower() for name in names):
            return f"{type(error).__name__} does not name {names[0]}: {first}"
        if not re.search(r"\b(got|expected|missing|takes|unexpected keyword)\b", first):
            return f"{type(error).__name__} does not say what was got or expected: {first}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def parameters_of(function):
    """The parameters by name, those of `*args` and `**kwargs` left out."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {n: p for n, p in inspect.signature(function).parameters.items() if p.kind not in kinds}


# Arguments with defaults for which a smaller value is quicker.
SMALL = {"d_model", "nhead", "num_encoder_layers", "num_decoder_layers", "dim_feedforward"}


def usual(name):
    """A value that an argument of this name usually takes."""
    known = {
        "dim": 0, "dim0": 0, "dim1": 1, "dims": (0, 1), "shape": (4,), "size": (2, 2), "k": 1, "equation": "ij->ji",
        "tensors": [td.ones(2, 2), td.ones(2, 2)], "operands": [td.ones(2, 2)], "chunks": 2, "n": 2, "index": 0,
        "kernel_size": 2, "output_size": 2, "num_features": 2, "in_features": 2, "out_features": 2, "p": 0.5,
        "num_groups": 1, "groups": 1, "upscale_factor": 1, "downscale_factor": 1, "normalized_shape": 2,
        "in_channels": 2, "out_channels": 2, "in1_features": 2, "in2_features": 2, "num_embeddings": 2,
        "embedding_dim": 2, "embed_dim": 2, "num_heads": 1, "d_model": 2, "nhead": 1, "input_size": 2,
        "hidden_size": 2, "num_layers": 1, "num_channels": 2, "lr": 0.1, "step_size": 1, "gamma": 0.5,
        "num_encoder_layers": 1, "num_decoder_layers": 1,
        "dim_feedforward": 2, "milestones": [1], "T_max": 2, "T_0": 1, "max_lr": 0.1, "base_lr": 0.01, "total_steps": 4,
    }  # fmt: skip
    return known.get(name, td.ones(2, 2))


def faults_of(place, name, function, given=()):
    """The wrong ways in which a callable fails, over all arguments and wrong values."""
    found = []
    parameters = list(parameters_of(function).items())[len(given) :]
    required = [n for n, p in parameters if p.default is p.empty]
    names = [name, name.strip("_").removeprefix("new_"), function.__name__]
    for argument, parameter in parameters:
        for value in WRONG:
            values = {n: usual(n) for n, _ in parameters if n in {*required, *SMALL}} | {argument: value}
            positional = [values.pop(n) for n, p in parameters if n in values and p.kind is not p.KEYWORD_ONLY]
            if parameter.kind is not parameter.KEYWORD_ONLY and argument not in required:
                values[argument] = positional.pop(
                    [n for n, _ in parameters if n in {*required, argument}].index(argument)
                )
            fault = told(
                lambda positional=positional, values=values: function(*given, *positional, **values),
                names=names,
                right=RIGHT.get((place, name)),
            )
            if fault:
                found.append(f"{name}({argument}={value!r}): {fault}")
    return found


def functions(place, module):
    """The public functions of a module or a class."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    for name in sorted(names):
        value = getattr(module, name)
        if isinstance(value, types.FunctionType) and name not in ASIDE.get(place, ()):
            yield name, value


MODULES = {
    "td": td,
    "functional": functional,
    "init": nn.init,
    "utils": nn.utils,
    "rnn": nn.utils.rnn,
    "vision": vision,
    "viz": viz,
}
FUNCTIONS = [
    pytest.param(place, name, function, id=f"{place}.{name}")
    for place, module in MODULES.items()
    for name, function in functions(place, module)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("place", "name", "function"), FUNCTIONS)
def test_functions(place, name, function):
    with np.errstate(all="ignore"):
        found = faults_of(place, name, function)
    assert not found, "\n".join(found)


METHODS = [pytest.param(name, method, id=name) for name, method in functions("Tensor", td.Tensor)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "method"), METHODS)
def test_methods(name, method):
    with np.errstate(all="ignore"):
        found = faults_of("Tensor", name, method, (td.ones(2, 2),))
    assert not found, "\n".join(found)


def classes(module):
    """The public classes of a module."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    return [(name, getattr(module, name)) for name in sorted(names) if isinstance(getattr(module, name), type)]


CLASSES = [
    pytest.param(name, kind, id=f"{module.__name__.removeprefix('tinygrad_dl.')}.{name}")
    for module in (nn, optim, optim.lr_scheduler, data, transforms, train)
    for name, kind in classes(module)
    if not issubclass(kind, BaseException | dict | list | tuple) and name not in ASIDE["class"]
]


def made(name, kind):
    """The constructor, as a function with the arguments' usual values."""
    if issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer:
        return ([td.ones(2, requires_grad=True)],)
    if kind.__module__.startswith("tinygrad_dl.optim.lr_scheduler"):
        return (optim.SGD([td.ones(2, requires_grad=True)], lr=0.1),)
    return ()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind"), CLASSES)
def test_constructors(name, kind):
    given = made(name, kind)

    def construct(*args, **kwargs):
        return kind(*args, **kwargs)

    try:
        construct.__signature__ = inspect.signature(kind)
    except (TypeError, ValueError):
        pytest.skip("takes no arguments of its own")
    with np.errstate(all="ignore"):
        found = faults_of("class", name, construct, given)
    assert not found, "\n".join(found)


def example(name, kind):
    """An object of a class, made with the usual values; None for what cannot be made so or is not called."""
    needed = [n for n, p in parameters_of(kind).items() if p.default is p.empty or n in SMALL]
    try:
        found = kind(**{n: usual(n) for n in needed})
    except Exception:
        return None
    return found if callable(found) else None


CALLED = [
    pytest.param(name, layer, id=name)
    for module in (nn, transforms)
    for name, kind in classes(module)
    if issubclass(kind, nn.Module | transforms.Transform) and (layer := example(name, kind)) is not None
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "layer"), CALLED)
def test_calls_of_layers_and_transforms(name, layer):
    """A layer is called by its own name, or by that of the function that it applies."""
    found = []
    with np.errstate(all="ignore"):
        for value in WRONG:
            fault = told(lambda value=value: layer(value), names=[name, "missing", ": "])
            if fault:
                found.append(f"{name}()({value!r}): {fault}")
    assert not found, "\n".join(found)


def test_most_layers_and_transforms_are_called():
    assert len(CALLED) > 100
