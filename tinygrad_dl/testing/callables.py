"""What a callable under test takes and returns: the names of its parameters, its results as a list of tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_dl.core.function import Function
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.nn.module import Module


def results_of(f: Callable[..., Any], arguments: Sequence[Any]) -> list[Tensor | None]:
    """What the function returns, as a list of tensors; None stands where it returned None."""
    result = f(*arguments)
    found = list(flattened(result))
    strange = next((type(each).__name__ for each in found if not (each is None or isinstance(each, Tensor))), None)
    if strange is not None or not any(isinstance(each, Tensor) for each in found):
        inside = (
            "" if type(result).__name__ == strange else f" with {strange} in it" if strange else " without a tensor"
        )
        raise TypeError(
            f"gradcheck: got {type(result).__name__}{inside} from the function, expected a tensor or several"
        )
    return found


def flattened(result: Any) -> Iterator[Any]:
    """What is in nested tuples, lists and dicts, in order."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        for each in result:
            yield from flattened(each)
    else:
        yield result


def parameter_names(f: Any) -> list[str]:
    """The names of a callable's positional parameters; `apply` of a Function has those of its forward."""
    owner = function_of(f)
    if owner is not None:
        names = parameter_names(owner.forward)
        return names[owner.setup_context is Function.setup_context :]  # without ctx
    try:
        found = inspect.signature(f.forward if isinstance(f, Module) else f).parameters.values()
    except (TypeError, ValueError):  # a callable without a signature
        return []
    return [each.name for each in found if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]


def function_of(f: Any) -> type[Function] | None:
    """The Function whose `apply` a callable is, or None."""
    owner = getattr(f, "__self__", None)
    return owner if isinstance(owner, type) and issubclass(owner, Function) else None
