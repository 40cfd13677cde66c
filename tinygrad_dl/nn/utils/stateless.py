"""The former place of `func.functional_call`."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.warning import warn

__all__ = ["functional_call"]


def functional_call(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Deprecated: calls a module with other tensors in the place of its own, as `func.functional_call` does.

    >>> import warnings
    >>> layer = td.nn.Linear(2, 1)
    >>> tensors = {"weight": td.ones(1, 2), "bias": td.zeros(1)}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FutureWarning)
    ...     td.nn.utils.stateless.functional_call(layer, tensors, td.tensor([3.0, 4.0]))
    tensor([7.])
    """
    from tinygrad_dl import func  # at first use: it loads all transforms

    warn("nn.utils.stateless.functional_call is deprecated, use func.functional_call", FutureWarning)
    return func.functional_call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


public(globals(), "docs/stable/generated/torch.nn.utils.stateless.{}.html")
