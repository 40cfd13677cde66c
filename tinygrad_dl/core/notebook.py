"""A tensor as notebooks show it: its elements as a table if they are few, else their range; loaded at first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import to_numpy
from tinygrad_dl.core.table import or_text, page
from tinygrad_dl.core.tensor import Tensor

ROWS, COLUMNS = 20, 12  # of a table that shows every element
MOST = 2**24  # elements that are looked at for a range, in some tens of milliseconds


@or_text
def tensor_page(tensor: Tensor, precision: int, sci_mode: bool | None) -> str:
    """The HTML of a tensor; there is none inside a transform. The options are those of `set_printoptions`."""
    array = to_numpy(tensor._data)
    words = [type(tensor).__name__, f"shape {array.shape}", array.dtype.name]
    if tensor._edge is not None:
        words.append("requires_grad=True" if tensor.is_leaf else f"grad_fn=<{tensor._edge.node.name()}>")
    rows, columns = (1, 1, *array.shape)[-2:]
    if array.ndim > 2 or not array.size or rows > ROWS or columns > COLUMNS:
        head, row, part = described(array)
        return page(head, [row], " \u00b7 ".join(words + part), range(len(head)))
    cells = elements(array, precision, sci_mode)
    named = [str(i) if array.ndim == 2 else "" for i in range(rows)]
    lines = [[name, *cells[i * columns : (i + 1) * columns]] for i, name in enumerate(named)]
    head = ["", *(str(i) if array.ndim else "" for i in range(columns))]
    return page(head, lines, " \u00b7 ".join(words), range(columns + 1))


def elements(array: np.ndarray[Any, Any], precision: int, sci_mode: bool | None) -> list[str]:
    """Every element in the same form: whole numbers, fixed digits, or exponents where these would show too little."""
    array = numbers(array)
    if array.dtype.kind not in "fc":
        return [str(value) for value in array.ravel().tolist()]
    sizes = np.abs(array[np.isfinite(array) & (array != 0)])
    fixed = not sizes.size or (sizes.max() < 1e5 and sizes.min() >= 10.0**-precision)
    plain = fixed if sci_mode is None else not sci_mode
    whole = plain and bool((sizes == np.round(sizes)).all()) and array.dtype.kind == "f"
    form = f".{0 if whole else precision}{'f' if plain else 'e'}"
    return [format(value, form) for value in array.ravel().tolist()]


def described(array: np.ndarray[Any, Any]) -> tuple[list[str], list[str], list[str]]:
    """The range of a tensor as names and cells, and a word if not all elements were looked at."""
    values = array
    while values.size > MOST:  # every other one along the longest dimension: no copy, also of an expanded tensor
        longest = int(np.argmax(values.shape))
        values = values[(*[slice(None)] * longest, slice(None, None, 2))]
    part = [f"range of {values.size:,} of its {array.size:,} elements"] if values.size < array.size else []
    values = numbers(values)
    of, form = (" |x|" if values.dtype.kind == "c" else ""), (".4g" if values.dtype.kind in "fc" else "")
    finite = values[np.isfinite(values)]
    row = ["", "", ""]
    if finite.size:
        sizes = np.abs(finite) if of else finite
        row = [format(sizes.min(), form), f"{sizes.mean(dtype=np.float64):.4g}", format(sizes.max(), form)]
    head = [f"lowest{of}", f"mean{of}", f"highest{of}"]
    for name, count in (("NaN", np.isnan(values).sum()), ("inf", np.isinf(values).sum())):
        if count:
            head.append(name)
            row.append(f"{count:,}")
    return head, row, part


def numbers(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array, one of bfloat16 as NumPy's numbers."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array
