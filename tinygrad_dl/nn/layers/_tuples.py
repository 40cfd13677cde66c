"""What PyTorch has in `nn.modules.utils`: one number for each dimension, of one for all; prefixes of state dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """A function that makes a tuple of what it gets: of n equal elements, if that is no tuple, list or the like.

    >>> _ntuple(4)(2), _ntuple(4)([1, 2])
    ((2, 2, 2, 2), (1, 2))
    """

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    return parse


_single, _pair = _ntuple(1, "_single"), _ntuple(2, "_pair")
_triple, _quadruple = _ntuple(3, "_triple"), _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t: Iterable[Any], n: int) -> tuple[Any, ...]:
    """The elements from the last to the first, each n times: what `functional.pad` takes of sizes of paddings.

    >>> _reverse_repeat_tuple((1, 2), 2)
    (2, 2, 1, 1)
    """
    return tuple(x for x in reversed(tuple(t)) for _ in range(n))


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Takes a prefix off the names in a state dict, in place: "module." of a model that was saved inside another.

    >>> state = {"module.weight": 1, "bias": 2}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'bias': 2, 'weight': 1}

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.utils.consume_prefix_in_state_dict_if_present.html
    """
    for name in [name for name in state_dict if name.startswith(prefix)]:
        state_dict[name.removeprefix(prefix)] = state_dict.pop(name)
    versions: dict[str, Any] = getattr(state_dict, "_metadata", {})
    # The module itself has the name "module" there, those in it "module.layer"; "" is the one that is taken off.
    for name in [name for name in versions if name and f"{name}.".startswith(prefix)]:
        versions[name[len(prefix) :]] = versions.pop(name)
