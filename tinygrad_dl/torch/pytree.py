"""`torch.utils._pytree`: nested tuples, lists and dicts of tensors, as one list and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl.func.trees import Structure, change, flatten, unflatten

__all__ = ["tree_flatten", "tree_leaves", "tree_map", "tree_map_only", "tree_unflatten"]

PyTree = Any
TreeSpec = Structure


def tree_flatten(tree: Any) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, in order, and its form.

    >>> from tinygrad_dl.torch import pytree
    >>> leaves, form = pytree.tree_flatten({"a": (1, 2), "b": [3]})
    >>> leaves, pytree.tree_unflatten([4, 5, 6], form)
    ([1, 2, 3], {'a': (4, 5), 'b': [6]})
    """
    return flatten(tree)


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """The tree of this form with these leaves."""
    return unflatten(list(leaves), treespec)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return flatten(tree)[0]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """The tree with each leaf, and those of the others in the same place, changed by a function."""
    leaves, form = flatten(tree)
    return unflatten([func(*each) for each in zip(leaves, *map(tree_leaves, rests), strict=True)], form)


def tree_map_only(kind: Any, func: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with those leaves changed that are of a type, or of one of several."""
    return change(tree, lambda leaf: func(leaf) if isinstance(leaf, kind) else leaf)
