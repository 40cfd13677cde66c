"""How a tensor prints: as in PyTorch, with its place in the graph at the end."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tinygrad_dl.core import dtypes
from tinygrad_dl.core.tensor import Tensor, attach


def tensor_repr(tensor: Tensor) -> str:
    """`tensor([1., 2.], grad_fn=<MulBackward0>)`; of more than 1000 elements, the first and last three a side."""
    array = tensor._data
    name = type(tensor).__name__
    head = "tensor(" if name == "Tensor" else f"{name} containing:\ntensor("
    if array.size:
        body = np.array2string(
            array.astype(np.float32) if array.dtype.kind == "V" else array,
            prefix="tensor(",
            separator=", ",
            threshold=1000,
            edgeitems=3,
            max_line_width=100,
            precision=4,
            suppress_small=False,
            floatmode=float_mode(array),
            formatter={"bool": lambda value: str(bool(value)).rjust(4 if array.all() else 5)},
        )
    else:
        body = "[]" + (f", size={array.shape}" if array.ndim != 1 else "")
    default = dtypes.get_default_dtype()
    usual = (dtypes.int64, dtypes.bool_, default, dtypes.COMPLEX_OF.get(default))
    if array.dtype not in usual or (not array.size and array.dtype != dtypes.get_default_dtype()):
        body += f", dtype={array.dtype.name}"
    if tensor.grad_fn is not None:
        body += f", grad_fn=<{tensor.grad_fn.name()}>"
    elif tensor.requires_grad:
        body += ", requires_grad=True"
    return f"{head}{body})"


def float_mode(array: np.ndarray) -> Literal["maxprec", "fixed"]:
    """Whole numbers print as `1.`, all others with four digits."""
    if array.dtype.kind not in "fc":
        return "maxprec"
    finite = array[np.isfinite(array)]
    return "maxprec" if (finite == np.round(finite)).all() else "fixed"


attach("__repr__", tensor_repr)
