"""nn.utils.prune: masks, what they do to training, iterated and global pruning, and what is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_dl as td
from tinygrad_dl import nn
from tinygrad_dl.nn.utils import prune

WEIGHT = [[1.0, -2.0, 3.0], [-4.0, 0.5, 6.0]]


def layer_with(values=WEIGHT):
    values = td.tensor(values)
    layer = nn.Linear(values.shape[1], values.shape[0], bias=False)
    layer.weight = nn.Parameter(values)
    return layer


def mask_of(layer):
    return layer.weight_mask.tolist()


def test_the_mask_is_in_the_way_of_values_and_gradients():
    layer = layer_with()
    parameter = layer.weight
    assert prune.l1_unstructured(layer, "weight", amount=2) is layer
    assert mask_of(layer) == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    assert layer.weight_orig is parameter and list(layer.parameters()) == [parameter]
    assert list(layer.state_dict()) == ["weight_orig", "weight_mask"]
    assert layer(td.ones(1, 3)).tolist() == [[1.0, 2.0]]
    layer(td.ones(1, 3)).sum().backward()
    assert parameter.grad.tolist() == mask_of(layer)
    with td.no_grad():
        parameter += 1  # the hook computes the weight anew at the next call
    assert layer(td.ones(1, 3)).tolist() == [[3.0, 4.0]]
    assert prune.remove(layer, "weight") is layer and layer.weight is parameter
    assert parameter.tolist() == [[0.0, -1.0, 4.0], [-3.0, 0.0, 7.0]] and not layer._forward_pre_hooks
    assert list(layer.state_dict()) == ["weight"] and not prune.is_pruned(layer)


@pytest.mark.parametrize("amount, zeros", [(0, 0), (1, 1), (6, 6), (0.5, 3), (0.0, 0), (1.0, 6), (np.float32(0.4), 2)])
def test_amounts(amount, zeros):
    for function in (prune.random_unstructured, prune.l1_unstructured):
        assert int((function(layer_with(), "weight", amount).weight_mask == 0).sum()) == zeros


def test_slices():
    layer = prune.ln_structured(layer_with(), "weight", amount=1, n=1, dim=1)  # sums 5, 2.5 and 9
    assert mask_of(layer) == [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    layer = prune.ln_structured(layer_with(), "weight", 0.5, n=float("inf"), dim=-2)
    assert mask_of(layer) == [[0.0] * 3, [1.0] * 3]
    layer = prune.ln_structured(layer_with(), "weight", 1, 2, 0, importance_scores=td.tensor([[9.0] * 3, [1.0] * 3]))
    assert mask_of(layer) == [[1.0] * 3, [0.0] * 3]
    layer = prune.random_structured(layer_with(), "weight", amount=2, dim=1)
    assert sorted(layer.weight_mask.sum(0).tolist()) == [0.0, 0.0, 2.0]
    assert mask_of(prune.ln_structured(layer_with(), "weight", 0, 2, 0)) == [[1.0] * 3] * 2


def test_pruning_again_prunes_what_is_left():
    layer = prune.l1_unstructured(layer_with(), "weight", 2)
    container = prune.L1Unstructured.apply(layer, "weight", 0.5)  # two of the four that are left
    assert mask_of(layer) == [[0.0, 0.0, 0.0], [1.0, 0.0, 1.0]] and isinstance(container, prune.PruningContainer)
    assert prune.LnStructured.apply(layer, "weight", 1, 2, 1) is container  # a column, of those with something left
    assert mask_of(layer) == [[0.0] * 3, [0.0, 0.0, 1.0]]
    assert prune.CustomFromMask.apply(layer, "weight", td.zeros(2, 3)) is container and len(container) == 4
    assert mask_of(layer) == [[0.0] * 3] * 2 and isinstance(container[1], prune.L1Unstructured)
    assert [type(each).__name__ for each in container][2:] == ["LnStructured", "CustomFromMask"]
    assert len(layer._forward_pre_hooks) == 1


def test_scores_count_in_the_place_of_values():
    scores = td.tensor([[1.0, 9.0, 9.0], [9.0, 9.0, 0.0]])
    layer = prune.l1_unstructured(layer_with(), "weight", 2, importance_scores=scores)
    assert mask_of(layer) == [[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    method = prune.L1Unstructured(2)
    assert method.prune(td.tensor(WEIGHT), importance_scores=scores).tolist() == [[0.0, -2.0, 3.0], [-4.0, 0.5, 0.0]]


def test_several_parameters_as_one():
    first, second = layer_with([[1.0, 2.0], [3.0, 4.0]]), layer_with([[0.5, 5.0]])
    pairs = ((layer, "weight") for layer in (first, second))
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=3)
    assert mask_of(first) == [[0.0, 0.0], [1.0, 1.0]] and mask_of(second) == [[0.0, 1.0]]
    scores = {(first, "weight"): td.tensor([[0.0, 0.0], [9.0, 1.0]])}
    prune.global_unstructured(
        [(first, "weight"), (second, "weight")], prune.L1Unstructured, importance_scores=scores, amount=1
    )
    assert mask_of(first) == [[0.0, 0.0], [1.0, 0.0]] and mask_of(second) == [[0.0, 1.0]]


def test_copies_and_pickles_of_pruned_modules():
    layer = prune.l1_unstructured(layer_with(), "weight", 2)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.copy(layer)):
        assert again.weight.tolist() == layer.weight.tolist()
        again(td.ones(1, 3)).sum().backward()
        assert again.weight_orig.grad.tolist() == mask_of(layer) and prune.is_pruned(again)


def test_weights_of_recurrent_layers():
    layer = nn.LSTM(2, 3)
    prune.l1_unstructured(layer, "weight_ih_l0", 0.5)
    assert [isinstance(weight, nn.Parameter) for weight in layer._flat_weights] == [False, True, True, True]
    layer(td.ones(4, 1, 2))[0].sum().backward()
    assert ((layer.weight_ih_l0_orig.grad == 0) == (layer.weight_ih_l0_mask == 0)).all()
    prune.remove(layer, "weight_ih_l0")
    assert isinstance(layer.weight_ih_l0, nn.Parameter)


class Fails(prune.BasePruningMethod):
    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        raise ZeroDivisionError


class GivesNone(Fails):
    def compute_mask(self, t, default_mask):
        return None


class GivesThree(Fails):
    def compute_mask(self, t, default_mask):
        return td.ones(3, 3)


class Odd(Fails):
    PRUNING_TYPE = "odd"


class NoDimension(Fails):
    PRUNING_TYPE = "structured"


def test_what_fails_changes_nothing():
    layer = layer_with()
    for method, kind in ((Fails, ZeroDivisionError), (GivesNone, TypeError), (GivesThree, ValueError)):
        with pytest.raises(kind):
            method.apply(layer, "weight")
    assert list(layer.state_dict()) == ["weight"] and not layer._forward_pre_hooks
    prune.identity(layer, "weight")
    for method, kind in ((Fails, ZeroDivisionError), (Odd, ValueError), (NoDimension, AttributeError)):
        with pytest.raises(kind):
            method.apply(layer, "weight")
    assert [type(hook) for hook in layer._forward_pre_hooks.values()] == [prune.Identity]
    assert mask_of(layer) == [[1.0] * 3] * 2
    container = prune.Identity.apply(layer, "weight")
    with pytest.raises(ZeroDivisionError):
        Fails.apply(layer, "weight")
    assert len(container) == 2


@pytest.mark.parametrize(
    "call, kind, match",
    [
        (
            lambda: prune.l1_unstructured(layer_with(), "weight", "much"),
            TypeError,
            "got amount='much', expected an int",
        ),
        (
            lambda: prune.l1_unstructured(layer_with(), "weight", 1.5),
            ValueError,
            "got amount=1.5, expected a float from",
        ),
        (
            lambda: prune.l1_unstructured(layer_with(), "weight", -1),
            ValueError,
            "got amount=-1, expected a float from 0",
        ),
        (lambda: prune.l1_unstructured(layer_with(), "weight", 7), ValueError, "got amount=7, expected at most the 6"),
        (lambda: prune.random_structured(layer_with(), "weight", 1, 2), IndexError, "got dim 2 for a tensor with 2"),
        (lambda: prune.ln_structured(nn.Linear(2, 2), "bias", 1, 2, 0), ValueError, "expected at least 2 dimensions"),
        (lambda: prune.identity(layer_with(), "bias"), TypeError, r"got 'bias' of Linear, which is None, expected one"),
        (lambda: prune.identity(nn.BatchNorm1d(2), "running_var"), TypeError, r"its parameters: \['weight', 'bias'\]"),
        (
            lambda: prune.remove(layer_with(), "weight"),
            ValueError,
            "got 'weight' of Linear, expected a parameter that is",
        ),
        (
            lambda: prune.custom_from_mask(layer_with(), "weight", td.ones(3)),
            ValueError,
            r"mask: got shape \(3,\), exp",
        ),
        (
            lambda: prune.l1_unstructured(layer_with(), "weight", 1, importance_scores=td.ones(3)),
            ValueError,
            r"importance_scores: got shape \(3,\), expected \(2, 3\), as 'weight' has",
        ),
        (lambda: prune.global_unstructured(3, prune.Identity), TypeError, r"got parameters=3, expected pairs"),
        (lambda: prune.global_unstructured([], prune.Identity, [1]), TypeError, "expected a dict or None"),
        (
            lambda: prune.global_unstructured([(layer_with(), "weight")], prune.RandomStructured, amount=1),
            TypeError,
            "got RandomStructured, whose PRUNING_TYPE is 'structured', expected an unstructured method",
        ),
        (lambda: prune.PruningContainer().add_pruning_method(3), TypeError, "got 3, expected a BasePruningMethod"),
    ],
)
def test_what_is_refused(call, kind, match):
    with pytest.raises(kind, match=match):
        call()


def test_methods_of_users_find_pytorchs_helpers():
    assert prune._compute_nparams_toprune(0.5, 7) == 4 and prune._compute_nparams_toprune(3, 7) == 3
    assert prune._compute_norm(td.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0).tolist() == [5.0, 1.0]
    for call in (
        lambda: prune._validate_pruning_amount(8, 7),
        lambda: prune._validate_pruning_amount_init(1.5),
        lambda: prune._validate_structured_pruning(td.ones(3)),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(IndexError):
        prune._validate_pruning_dim(td.ones(2, 2), 2)
    with pytest.raises(AttributeError, match="has no attribute 'l2_unstructured'"):
        _ = prune.l2_unstructured


def test_a_container_holds_methods_of_one_tensor():
    first, second = (prune.Identity.apply(nn.Linear(2, 2), name) for name in ("weight", "bias"))
    with pytest.raises(ValueError, match="got a method for 'bias', expected one for 'weight'"):
        prune.PruningContainer(first).add_pruning_method(second)
