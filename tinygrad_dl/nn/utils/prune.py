"""Pruning: weights that a mask holds at zero while the others are trained.

The parameter `weight` of a pruned module is called `weight_orig`, the buffer `weight_mask` says which of its elements
count, and before every call a hook sets `weight` to their product. Pruning a weight again prunes what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import ones_like
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.utils import _pruning
from tinygrad_dl.nn.utils._pruning import (
    BasePruningMethod,
    CustomFromMask,
    Identity,
    L1Unstructured,
    LnStructured,
    PruningContainer,
    RandomStructured,
    RandomUnstructured,
    joined_mask,
)
from tinygrad_dl.nn.utils.weight_hooks import hook_on, pre_hooks
from tinygrad_dl.ops.shape.joining import cat

# fmt: off
__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
    "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove",
]
# fmt: on


def __getattr__(name: str) -> Any:
    """What methods of users call by PyTorch's names, such as `_validate_pruning_amount_init`."""
    if name.startswith("_") and not name.startswith("__") and hasattr(_pruning, name):
        return getattr(_pruning, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@composition
def identity(module: Module, name: str) -> Module:
    """Prunes nothing, and gives a module the original parameter and the mask of ones; returns the module.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = prune.identity(td.nn.Linear(2, 3), "bias")
    >>> layer.bias_mask
    tensor([1., 1., 1.])
    """
    Identity.apply(module, name)
    return module


@composition
def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prunes elements of a parameter at random; returns the module.

    The module then has the parameter `<name>_orig`, the buffer `<name>_mask`, and their product as `<name>`.

    Args:
        module: the module whose parameter is pruned.
        name: the name of the parameter.
        amount: how many of the elements that are left, or, as a float from 0 to 1, which share of them.

    Raises:
        ValueError: no such amount. TypeError: the module has no such parameter.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = prune.random_unstructured(td.nn.Linear(2, 3), "weight", amount=1)
    >>> int((layer.weight_mask == 0).sum())
    1
    """
    RandomUnstructured.apply(module, name, amount)
    return module


@composition
def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prunes the elements of a parameter with the smallest absolute values; returns the module.

    Args:
        amount: see `random_unstructured`.
        importance_scores: a tensor whose absolute values count instead of the parameter's; of the same shape.

    Raises:
        ValueError: no such amount, or another shape. TypeError: the module has no such parameter.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = td.nn.Linear(3, 1)
    >>> layer.weight = td.nn.Parameter(td.tensor([[-3.0, 1.0, 2.0]]))
    >>> prune.l1_unstructured(layer, "weight", amount=0.3).weight.tolist()
    [[-3.0, 0.0, 2.0]]
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_mask']
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


@composition
def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prunes slices of a parameter, such as rows, at random; returns the module.

    Args:
        amount: how many of the slices in which something is left, or, as a float from 0 to 1, which share of them.
        dim: along which dimension.

    Raises:
        ValueError: no such amount, or a parameter of fewer than two dimensions. IndexError: no such dimension.
        TypeError: the module has no such parameter.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = prune.random_structured(td.nn.Linear(5, 3), "weight", amount=3, dim=1)
    >>> int((layer.weight.sum(0) == 0).sum())
    3
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


@composition
def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prunes the slices of a parameter with the smallest norms; returns the module.

    Args:
        amount, dim: see `random_structured`.
        n: which norm: the `p` of `norm`, or "nuc".
        importance_scores: a tensor whose norms count instead of the parameter's; of the same shape.

    Raises:
        ValueError: no such amount, a parameter of fewer than two dimensions, or another shape. IndexError: no such
            dimension. TypeError: the module has no such parameter.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = td.nn.Linear(2, 2)
    >>> layer.weight = td.nn.Parameter(td.tensor([[3.0, 4.0], [1.0, 1.0]]))
    >>> prune.ln_structured(layer, "weight", amount=1, n=2, dim=0).weight.tolist()
    [[3.0, 4.0], [0.0, 0.0]]
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


@composition
def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prunes a parameter by a given mask; returns the module.

    Args:
        mask: of the parameter's shape, with 0 where it is pruned and 1 elsewhere.

    Raises:
        ValueError: another shape. TypeError: the module has no such parameter.

    >>> from tinygrad_dl.nn.utils import prune
    >>> prune.custom_from_mask(td.nn.Linear(5, 3), "bias", td.tensor([0, 1, 0])).bias_mask
    tensor([0., 1., 0.])
    """
    CustomFromMask.apply(module, name, mask)
    return module


@composition
def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: Any,
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prunes several parameters as if they were one, so that more may go from one than from another.

    Args:
        parameters: pairs of a module and the name of its parameter.
        pruning_method: a class of unstructured methods, such as `L1Unstructured`.
        importance_scores: the tensors that count instead of parameters, by such pairs.
        **kwargs: what the method is made with, such as `amount`.

    Raises:
        TypeError: no such pairs, scores that are no dict, or a method that is not unstructured.

    >>> from tinygrad_dl.nn.utils import prune
    >>> net = td.nn.Sequential(td.nn.Linear(10, 4), td.nn.Linear(4, 1))
    >>> pairs = [(net[0], "weight"), (net[1], "weight")]
    >>> prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=10)
    >>> int(sum((mask == 0).sum() for mask in net.buffers()))
    10
    """
    if not isinstance(parameters, Iterable):
        raise TypeError(f"global_unstructured: got parameters={summary(parameters)}, expected pairs (module, name)")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError(f"global_unstructured: got importance_scores={summary(scores)}, expected a dict or None")
    pairs = list(parameters)
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f"global_unstructured: got {type(method).__name__}, whose PRUNING_TYPE is {method.PRUNING_TYPE!r}, "
            "expected an unstructured method"
        )
    tensors = [getattr(module, name) for module, name in pairs]
    masks = [getattr(module, f"{name}_mask", None) for module, name in pairs]
    before = [ones_like(t) if mask is None else mask for t, mask in zip(tensors, masks, strict=True)]
    counted = [scores.get(pair, t) for pair, t in zip(pairs, tensors, strict=True)]
    mask = joined_mask(method, vector(counted), vector(before))
    for (module, name), t, part in zip(pairs, tensors, mask.split([t.numel() for t in tensors]), strict=True):
        custom_from_mask(module, name, part.reshape(t.shape))


def vector(tensors: list[Tensor]) -> Tensor:
    """All elements in one dimension."""
    return cat([t.detach().reshape(-1) for t in tensors])


@composition
def remove(module: Module, name: str) -> Module:
    """Ends the pruning of a parameter: it has its name again, and zeros where it was pruned; returns the module.

    Raises:
        ValueError: the parameter is not pruned.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = prune.remove(prune.random_unstructured(td.nn.Linear(5, 7), "weight", 0.2), "weight")
    >>> list(layer.state_dict()), int((layer.weight == 0).sum())
    (['bias', 'weight'], 7)
    """
    number, method = hook_on(module, BasePruningMethod, name)
    if method is None:
        raise ValueError(f"remove: got {name!r} of {type(module).__name__}, expected a parameter that is pruned")
    method.remove(module)
    del module._forward_pre_hooks[number]
    return module


@composition
def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one in it, is pruned.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = td.nn.Linear(5, 7)
    >>> prune.is_pruned(layer), prune.is_pruned(prune.identity(layer, "weight"))
    (False, True)
    """
    return any(pre_hooks(each, BasePruningMethod) for each in module.modules())


public(globals(), "docs/stable/generated/torch.nn.utils.prune.{}.html")
