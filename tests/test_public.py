"""Every public name says what it is, shows how it is used, and names its source; every op can be reached."""

from __future__ import annotations

import inspect

import pytest

import tinygrad_dl as td
from tinygrad_dl import data, estimators, nn, optim, testing, train, vision, viz

PLACES = {
    "td": td,
    "td.autograd": td.autograd,
    "nn": nn,
    "nn.functional": nn.functional,
    "nn.init": nn.init,
    "nn.utils": nn.utils,
    "nn.utils.parametrizations": nn.utils.parametrizations,
    "nn.utils.parametrize": nn.utils.parametrize,
    "nn.utils.rnn": nn.utils.rnn,
    "nn.utils.stateless": nn.utils.stateless,
    "optim": optim,
    "optim.lr_scheduler": optim.lr_scheduler,
    "optim.optimizer": optim.optimizer,
    "optim.swa_utils": optim.swa_utils,
    "td.data": data,
    "td.distributed": td.distributed,
    "td.data.transforms": data.transforms,
    "td.estimators": estimators,
    "td.train": train,
    "td.vision": vision,
    "testing": testing,
    "viz": viz,
}

# What PyTorch does not have, and so has no source there.
OURS = {"td.Array", "td.Arrays", "td.astype", "td.op"}
# Marks in a declaration: nothing to run.
MARKS = {"td.Array", "td.Arrays"}

# Ops that users reach by another name.
BEHIND = {
    "cast": "to",
    "cross_entropy_of_probabilities": "cross_entropy",
    "getitem": "__getitem__",
    "index": "__getitem__",
    "max_dim": "max",
    "min_dim": "min",
    "setitem": "__setitem__",
}


def public_names():
    for place, module in PLACES.items():
        for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
            value = getattr(module, name)
            if (inspect.isclass(value) or callable(value)) and not inspect.ismodule(value):
                yield pytest.param(f"{place}.{name}", value, id=f"{place}.{name}")


PUBLIC = list(public_names())


def own_text(value):
    """The docstring, of a class its own and not one it inherits."""
    return (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__) or ""


@pytest.mark.parametrize(("name", "value"), PUBLIC)
def test_what_it_is(name, value):
    text = own_text(value)
    assert text.strip(), f"{name} has no docstring"
    first = text.strip().splitlines()[0]
    assert len(first) > 5 and first[-1] in ".:`)?!", f"{name}: the first line is no sentence: {first!r}"


@pytest.mark.parametrize(("name", "value"), [p for p in PUBLIC if p.id.split(".")[0] not in ("testing", "viz")])
def test_example_and_source(name, value):
    text = own_text(value)
    if name not in MARKS:
        assert ">>> " in text, f"{name} has no example"
    if name not in OURS:
        assert "Source: http" in text, f"{name} names no source"


def test_names_in_all_exist_and_are_sorted_into_one_place():
    for place, module in PLACES.items():
        names = module.__all__
        assert len(names) == len(set(names)), f"{place}.__all__ has a name twice"
        for name in names:
            assert hasattr(module, name), f"{place}.__all__ names {name}, which is not there"


def test_what_a_tensor_can_do():
    for name in dir(td.Tensor):
        value = inspect.getattr_static(td.Tensor, name)
        if not name.startswith("_") and (callable(value) or isinstance(value, property)):
            assert value.__doc__, f"Tensor.{name} has no docstring"


def test_what_modules_and_optimisers_can_do():
    for kind in (nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler):
        for name, value in vars(kind).items():
            if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert value.__doc__, f"{kind.__name__}.{name} has no docstring"


@pytest.mark.parametrize(
    "op", [op for op in testing.all_ops() if op.namespace in ("td", "functional")], ids=lambda op: op.name
)
def test_ops_can_be_reached(op):
    name = BEHIND.get(op.name, op.name)
    if op.namespace == "functional":
        assert hasattr(nn.functional, name)
    else:
        assert name in (*td.__all__, *td.special.__all__) or hasattr(td.Tensor, name)
    assert op.function.__doc__, f"the op {op.name} has no docstring"


def test_ops_behind_another_name_exist():
    assert set(BEHIND) <= set(td.op.registry)


@pytest.mark.parametrize("place", PLACES)
def test_dir_and_tab_completion_show_what_is_public_and_nothing_else(place):
    module = PLACES[place]
    rare = {name for name in td._RARE if not name.startswith("_")}
    more = {"__version__", "estimators", "torch", *td._LAZY, *rare} if module is td else set()
    assert set(dir(module)) == {*module.__all__} | more
    assert all(hasattr(module, name) for name in dir(module))
