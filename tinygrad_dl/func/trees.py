"""Nested containers: tuples, namedtuples, lists and dicts of tensors, as one list and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tinygrad_dl.core.tensor import Tensor

Structure: TypeAlias = Any  # None for a leaf, else (class, keys or None, structures)

CONTAINERS = (tuple, list, dict)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree, in order, and what `unflatten` makes the tree of again.

    >>> flatten((1, {"a": 2, "b": [3]}))[0]
    [1, 2, 3]
    """
    if not isinstance(tree, CONTAINERS):
        return [tree], None
    leaves: list[Any] = []
    structures = []
    for child in tree.values() if isinstance(tree, dict) else tree:
        found, structure = flatten(child)
        leaves += found
        structures.append(structure)
    return leaves, (type(tree), list(tree) if isinstance(tree, dict) else None, structures)


def unflatten(leaves: list[Any], structure: Structure) -> Any:
    """The tree of these leaves.

    >>> unflatten([1, 2, 3], flatten((1, {"a": 2, "b": [3]}))[1])
    (1, {'a': 2, 'b': [3]})
    """
    rest = iter(leaves)

    def build(structure: Structure) -> Any:
        if structure is None:
            return next(rest)
        kind, keys, structures = structure
        children = [build(each) for each in structures]
        if keys is not None:
            return kind(zip(keys, children, strict=True))
        return kind(*children) if hasattr(kind, "_fields") else kind(children)

    return build(structure)


def change(tree: Any, function: Callable[[Any], Any]) -> Any:
    """The tree with each leaf changed.

    >>> change([1, (2,)], lambda n: n + 1)
    [2, (3,)]
    """
    leaves, structure = flatten(tree)
    return unflatten([function(each) for each in leaves], structure)


def matched(prefix: Any, tree: Any, what: str) -> list[Any]:
    """For each leaf of the tree, what a prefix of it says: a container of the same form, or one value for all below.

    >>> matched((0, None), ([1, 2], 3), "in_dims")
    [0, 0, None]
    """
    if not isinstance(prefix, CONTAINERS):
        return [prefix] * len(flatten(tree)[0])
    alike = isinstance(tree, CONTAINERS) and isinstance(tree, dict) == isinstance(prefix, dict)
    if not alike or len(prefix) != len(tree) or (isinstance(tree, dict) and set(tree) != set(prefix)):
        raise ValueError(
            f"{what}: got {prefix!r}, expected a value, or a container of the same form as what it is for, "
            f"{shown(tree)}"
        )
    if isinstance(prefix, dict):
        return [each for key in tree for each in matched(prefix[key], tree[key], what)]
    return [each for p, t in zip(prefix, tree, strict=True) for each in matched(p, t, what)]


def argument_numbers(what: str, argnums: Any, count: int) -> tuple[int, ...]:
    """The numbers of arguments that a caller gave, counted from the front.

    >>> argument_numbers("grad", (0, -1), 3)
    (0, 2)
    """
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise RuntimeError(f"{what}: got argnums={argnums!r}, expected an integer or a tuple of integers")
    if not numbers:
        raise RuntimeError(f"{what}: got argnums={argnums!r}, expected at least one number")
    if not all(-count <= n < count for n in numbers):
        raise RuntimeError(f"{what}: got argnums={argnums!r}, expected numbers of the {count} arguments")
    found = tuple([n % count for n in numbers])
    if len(set(found)) < len(found):
        raise RuntimeError(f"{what}: got argnums={argnums!r}, expected each argument once")
    return found


def tensors_of(what: str, out: Any) -> tuple[list[Any], Structure]:
    """The tensors that a function returned, at least one, and the form that it returned them in."""
    results, form = flatten(out)
    for each in results:
        if not isinstance(each, Tensor):
            raise RuntimeError(
                f"{what}: got a result of type {type(each).__name__} from the function, expected tensors"
            )
    if not results:
        raise RuntimeError(f"{what}: got {shown(out)} from the function, expected at least one tensor")
    return results, form


def shown(tree: Any) -> str:
    """A tree in short: its containers, and of each leaf the type.

    >>> shown((1, [2.0]))
    '(int, [float])'
    """
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {shown(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(shown, tree)) + "]"
    if isinstance(tree, tuple):
        return "(" + ", ".join(map(shown, tree)) + ("," if len(tree) == 1 else "") + ")"
    return "Tensor" if isinstance(tree, Tensor) else type(tree).__name__
