"""How a tensor prints: as in PyTorch, with its place in the graph at the end; and `set_printoptions`."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np

from tinygrad_dl.backends.arrays import to_numpy
from tinygrad_dl.core import promotion
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.tensor import Tensor

_DEFAULT: Final = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 100}
_PROFILES: Final[dict[str, dict[str, Any]]] = {
    "default": _DEFAULT,
    "short": _DEFAULT | {"precision": 2, "edgeitems": 2},
    "full": _DEFAULT | {"threshold": np.iinfo(np.int64).max},
}
_options: dict[str, Any] = _DEFAULT | {"sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors print; what is None stays as it was. NumPy's arrays have options of their own.

    Args:
        precision: digits after the point (4).
        threshold: the number of elements from which the middle is left out (1000).
        edgeitems: elements a side that are shown then, of each dimension (3).
        linewidth: characters a line (100).
        profile: "default", "short" or "full": all of the above at once, before the others are set.
        sci_mode: with exponents (True) or without (False); None lets the numbers decide.

    Raises:
        ValueError: the profile is none of the three.

    >>> import tinygrad_dl as td
    >>> td.set_printoptions(precision=2)
    >>> td.tensor([1.12345])
    tensor([1.12])
    >>> td.set_printoptions(profile="default")

    Source: https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
    """
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"set_printoptions: got profile={profile!r}, expected 'default', 'short' or 'full'")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    if threshold is not None:
        given["threshold"] = int(min(threshold, np.iinfo(np.int64).max))
    _options.update(_PROFILES[profile] if profile else {})
    _options.update({name: value for name, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


def tensor_repr(tensor: Tensor) -> str:
    """`tensor([1., 2.], grad_fn=<MulBackward0>)`; of many elements, the first and last a side."""
    array = to_numpy(tensor._data)
    name = type(tensor).__name__
    head = "tensor(" if name == "Tensor" else f"{name} containing:\ntensor("
    if array.size:
        body = np.array2string(
            array.astype(np.float32) if array.dtype.kind == "V" else array,
            prefix="tensor(",
            separator=", ",
            threshold=_options["threshold"],
            edgeitems=_options["edgeitems"],
            max_line_width=_options["linewidth"],
            precision=_options["precision"],
            suppress_small=False,
            floatmode=float_mode(array),
            formatter=formatters(array),
        )
    else:
        body = "[]" + (f", size={array.shape}" if array.ndim != 1 else "")
    default = promotion.default.dtype
    usual = (promotion.INT64, promotion.BOOL, default, promotion.COMPLEX_OF.get(default))
    if array.dtype not in usual or (not array.size and array.dtype != default):
        body += f", dtype={array.dtype.name}"
    edge = tensor._edge
    if edge is not None:
        body += ", requires_grad=True" if tensor.is_leaf else f", grad_fn=<{edge.node.name()}>"
    return f"{head}{body})"


def float_mode(array: np.ndarray) -> Literal["maxprec", "fixed"]:
    """Whole numbers print as `1.`, all others with four digits."""
    if array.dtype.kind not in "fc":
        return "maxprec"
    finite = array[np.isfinite(array)]
    return "maxprec" if (finite == np.round(finite)).all() else "fixed"


def formatters(array: np.ndarray) -> Any:
    """How elements print that NumPy would print otherwise: bools, and numbers by `sci_mode`."""
    found: dict[str, Any] = {"bool": lambda value: str(bool(value)).rjust(4 if array.all() else 5)}
    mode = _options["sci_mode"]
    if mode is not None and array.dtype.kind in "fc":
        shown = f"{{:.{_options['precision']}{'e' if mode else 'f'}}}"
        # Columns, unless there are so many numbers that the middle is left out.
        width = max([len(shown.format(x)) for x in array.flat]) if array.size <= _options["threshold"] else 0
        found["float_kind"] = found["complex_kind"] = lambda value: shown.format(value).rjust(width)
    return found


def tensor_html(tensor: Tensor) -> str | None:
    """What a notebook shows: a table of few elements, or the range of many; None where only the text can be shown."""
    from tinygrad_dl.core.notebook import tensor_page

    return tensor_page(tensor, _options["precision"], _options["sci_mode"])


attach("__repr__", tensor_repr)
attach("_repr_html_", tensor_html)
