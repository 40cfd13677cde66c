"""nn.utils.prune beside torch.nn.utils.prune: masks, names, gradients, iterated and global pruning."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_dl as td

torch = pytest.importorskip("torch")
prune = pytest.importorskip("torch.nn.utils.prune")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3, 6, 6)).astype(np.float32)
INF = float("inf")


def pair():
    """The same convolution of both libraries."""
    ours, theirs = td.nn.Conv2d(3, 5, 3), torch.nn.Conv2d(3, 5, 3)
    theirs.load_state_dict({name: torch.tensor(t.detach().numpy()) for name, t in ours.state_dict().items()})
    return (td, ours), (torch, theirs)


def same_state(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        assert ours[name].numpy().dtype == value.numpy().dtype
        np.testing.assert_array_equal(ours[name].numpy(), value.numpy())


SCORES = RNG.standard_normal((5, 3, 3, 3)).astype(np.float32)
STEPS = {
    "l1": [("l1_unstructured", {"amount": 0.3})],
    "scores": [("l1_unstructured", {"amount": 20, "importance_scores": SCORES})],
    "ln": [("ln_structured", {"amount": 2, "n": 2, "dim": 0})],
    "ln scores": [("ln_structured", {"amount": 1, "n": 1, "dim": 1, "importance_scores": SCORES})],
    "inf": [("ln_structured", {"amount": 0.4, "n": -INF, "dim": -1})],
    "nothing": [("ln_structured", {"amount": 0.1, "n": 2, "dim": 1})],
    "mask": [("custom_from_mask", {"mask": (SCORES > 0)})],
    "identity": [("identity", {}), ("l1_unstructured", {"amount": 0.5})],
    "again": [
        ("l1_unstructured", {"amount": 0.3}),
        ("l1_unstructured", {"amount": 0.3}),
        ("ln_structured", {"amount": 0.4, "n": 2, "dim": 0}),
        ("custom_from_mask", {"mask": (SCORES > -0.5)}),
        ("ln_structured", {"amount": 1, "n": 1, "dim": 0}),
    ],
}


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_masks_and_training(steps):
    pairs = pair()
    (_, ours), (_, theirs) = pairs
    for name, given in steps:
        for library, module in pairs:
            options = {key: library.tensor(v) if isinstance(v, np.ndarray) else v for key, v in given.items()}
            assert getattr(library.nn.utils.prune, name)(module, "weight", **options) is module
            assert library.nn.utils.prune.is_pruned(module)
        same_state(ours, theirs)
    for library, module in pairs:
        module(library.tensor(X)).square().mean().backward()
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), gradients[name].grad.numpy(), rtol=1e-4, atol=1e-6)
    for library, module in pairs:
        library.nn.utils.prune.remove(module, "weight")
    same_state(ours, theirs)


@pytest.mark.parametrize("name, options", [("random_unstructured", {}), ("random_structured", {"dim": 1})])
@pytest.mark.parametrize("amount", [1, 0.4, 0, 1.0])
def test_as_many_go_at_random(name, options, amount):
    left = [
        int(getattr(library.nn.utils.prune, name)(module, "weight", amount=amount, **options).weight_mask.sum())
        for library, module in pair()
    ]
    assert left[0] == left[1]


def test_several_parameters_as_one():
    pairs = pair()
    for library, module in pairs:
        names = [(module, "weight"), (module, "bias")]
        module.utils = library.nn.utils.prune
        module.utils.l1_unstructured(module, "bias", amount=1)
        module.utils.global_unstructured(names, pruning_method=module.utils.L1Unstructured, amount=0.35)
    same_state(*(module for _, module in pairs))


def test_names_and_signatures():
    ours = td.nn.utils.prune
    for name in ours.__all__:
        theirs = getattr(prune, name)
        if inspect.isfunction(theirs):
            expected = inspect.signature(theirs).parameters
            found = inspect.signature(getattr(ours, name)).parameters
            assert [(p.name, p.kind, p.default) for p in found.values()] == [
                (p.name, p.kind, p.default) for p in expected.values()
            ], name
        else:
            assert getattr(ours, name).PRUNING_TYPE == theirs.PRUNING_TYPE if hasattr(theirs, "PRUNING_TYPE") else True


def test_slices_by_the_nuclear_norm():
    weight = RNG.standard_normal((4, 3, 5)).astype(np.float32)
    masks = []
    for library in (td, torch):
        layer = library.nn.Conv1d(3, 4, 5)
        layer.weight = library.nn.Parameter(library.tensor(weight))
        masks.append(library.nn.utils.prune.ln_structured(layer, "weight", 2, "nuc", 0).weight_mask.tolist())
    assert masks[0] == masks[1]
