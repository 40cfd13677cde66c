"""Selective checkpointing: which operations of a checkpointed function keep their results, and are not computed again.

While such a function runs, the functions that ops generate find, in the place of what computes, one that asks the
policy in the first run, and in the second gives what was kept. Otherwise they know nothing of it.
"""

from __future__ import annotations

import enum
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.core.graph import saved_arrays
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import wrap

__all__ = ["CheckpointPolicy", "SelectiveCheckpointContext", "create_selective_checkpoint_contexts"]


class CheckpointPolicy(enum.Enum):
    """What becomes of an operation's result: kept until backward, or computed again. PREFER and MUST do the same here.

    >>> from tinygrad_dl.utils.checkpoint import CheckpointPolicy
    >>> CheckpointPolicy.MUST_SAVE.name
    'MUST_SAVE'

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.CheckpointPolicy
    """

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3


class SelectiveCheckpointContext:
    """What a policy is told besides the operation and its arguments: `is_recompute`, which is False.

    >>> from tinygrad_dl.utils.checkpoint import SelectiveCheckpointContext
    >>> SelectiveCheckpointContext(is_recompute=False).is_recompute
    False

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.SelectiveCheckpointContext
    """

    def __init__(self, *, is_recompute: bool):
        self.is_recompute = is_recompute


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Callable[..., CheckpointPolicy | bool] | Sequence[Any], allow_cache_entry_mutation: bool = False
) -> tuple[First, Second]:
    """The `context_fn` of `checkpoint` that keeps the results of some operations, with `functools.partial`.

    Args:
        policy_fn_or_list: the functions (`td.matmul`) whose operations keep their results; or a policy, called with a
            `SelectiveCheckpointContext`, the operation's function and its arguments, which returns a
            `CheckpointPolicy`, or whether to keep the result.
        allow_cache_entry_mutation: use what was kept although it was changed in place.

    Returns:
        Two context managers, for the first and the second run. Views are always made again.

    Raises:
        TypeError: neither a function nor a list. ValueError: something in the list is no operation.
        RuntimeError: in backward: a result that was kept was changed in place.

    >>> import functools
    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
    >>> keep_products = functools.partial(create_selective_checkpoint_contexts, [td.matmul])
    >>> x, w = td.ones(2, 3, requires_grad=True), td.ones(3, 3, requires_grad=True)
    >>> y = checkpoint(lambda x: td.matmul(x, w).sigmoid(), x, use_reentrant=False, context_fn=keep_products)
    >>> y.sum().backward()
    >>> x.grad.shape
    (2, 3)

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.create_selective_checkpoint_contexts
    """
    policy: Any
    if isinstance(policy_fn_or_list, list | tuple | set | frozenset):
        for each in policy_fn_or_list:
            if not hasattr(each, "op"):
                raise ValueError(
                    f"create_selective_checkpoint_contexts: got {each!r} in the list, expected operations, such as "
                    "td.matmul"
                )
        policy = functools.partial(_listed, frozenset(each.op.key for each in policy_fn_or_list))
    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError(
            f"create_selective_checkpoint_contexts: got {type(policy_fn_or_list).__name__}, expected a function or a "
            "list of operations"
        )
    kept: dict[str, list[Any]] = {}
    return First(kept, policy), Second(kept, allow_cache_entry_mutation)


def _listed(keys: frozenset[str], ctx: Any, function: Any, *args: Any, **kwargs: Any) -> bool:
    return function.op.key in keys


class _Running(threading.local):
    """The run of a checkpointed function that this thread is in."""

    context: Any = None


_running = _Running()
_lock = threading.RLock()
_exchanged: dict[str, Any] = {}  # the computing functions of all ops while some thread is in such a run
_count = 0


def _forward_of(record: Any) -> Callable[..., Any]:
    """What stands for an op's computing function meanwhile."""
    forward = record.forward

    def call(*args: Any, **kwargs: Any) -> Any:
        context = _running.context
        return forward(*args, **kwargs) if context is None else context.result(record, args, kwargs)

    return call


class _Run:
    """A context manager for one run; may be entered again."""

    def __init__(self, kept: dict[str, list[Any]]):
        self.kept = kept

    def __enter__(self) -> None:
        global _count
        self.outside, _running.context = _running.context, self
        with _lock:
            _count += 1
            if _count == 1:
                for key, record in REGISTRY.items():
                    if not record.view:
                        _exchanged[key] = record
                        record.function.__globals__["forward"] = _forward_of(record)

    def __exit__(self, *_: object) -> None:
        global _count
        _running.context = self.outside
        with _lock:
            _count -= 1
            if not _count:
                for record in _exchanged.values():
                    record.function.__globals__["forward"] = record.forward
                _exchanged.clear()

    def result(self, record: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the op's computing function returns for arrays."""
        raise NotImplementedError


class First(_Run):
    """Asks the policy for each operation, and keeps what it says."""

    def __init__(self, kept: dict[str, list[Any]], policy: Callable[..., CheckpointPolicy | bool]):
        super().__init__(kept)
        self.policy, self.told = policy, SelectiveCheckpointContext(is_recompute=False)

    def result(self, record: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = record.forward(*args, **kwargs)
        _running.context = self.outside  # what the policy computes is not asked about
        try:
            said = self.policy(
                self.told, record.function, *map(_seen, args), **{k: _seen(v) for k, v in kwargs.items()}
            )
        finally:
            _running.context = self
        keeps = said if isinstance(said, bool) else said in (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)
        self.kept.setdefault(record.key, []).append((found, _versions(found)) if keeps else None)
        return found


class Second(_Run):
    """Gives what was kept, once: another run after this one computes all again."""

    def __init__(self, kept: dict[str, list[Any]], allows_changes: bool):
        super().__init__(kept)
        self.allows_changes = allows_changes
        self.places: dict[str, Iterator[int]] = {}

    def __enter__(self) -> None:
        self.places = {key: iter(range(len(entries))) for key, entries in self.kept.items()}
        super().__enter__()

    def result(self, record: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        place = next(self.places.get(record.key, iter(())), None)
        entry = None if place is None else self.kept[record.key][place]
        if entry is None or place is None:
            return record.forward(*args, **kwargs)
        self.kept[record.key][place] = None
        found, versions = entry
        if not self.allows_changes and _versions(found) != versions:
            raise RuntimeError(
                f"checkpoint: got a result of {record.name} that was kept and has been changed in place since, "
                "expected it as it was; change a clone() of it, or pass allow_cache_entry_mutation=True to use it so"
            )
        return found


def _seen(value: Any) -> Any:
    """An argument as a policy sees it."""
    return wrap(value) if isinstance(value, np.ndarray) else value


def _versions(found: Any) -> list[int]:
    """How often the arrays of a result were changed."""
    arrays = saved_arrays(found if isinstance(found, tuple) else (found,))
    return [mutations.version(array) for array in arrays]
