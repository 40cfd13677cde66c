"""The Python array API standard, version 2025.12: its functions on tensors, for programs that take any library's arrays.

>>> x = td.tensor([[3.0, 4.0]], requires_grad=True)
>>> xp = x.__array_namespace__()
>>> xp.linalg.vector_norm(x, axis=-1)
tensor([5.], grad_fn=<...>)

Names, arguments and promotion are the standard's; the functions are made of operations, so results have gradients.

Source: https://data-apis.org/array-api/2025.12/
"""

from __future__ import annotations

import sys
import types
from math import e, inf, nan, pi
from typing import Any

from tinygrad_dl.array_api import creation, data_types, elementwise, fft, linalg, manipulation, statistical
from tinygrad_dl.array_api._operands import VERSION, document
from tinygrad_dl.array_api.creation import *
from tinygrad_dl.array_api.data_types import *
from tinygrad_dl.array_api.elementwise import *
from tinygrad_dl.array_api.linalg import matmul, matrix_transpose, tensordot, vecdot
from tinygrad_dl.array_api.manipulation import *
from tinygrad_dl.array_api.statistical import *

__array_api_version__ = VERSION
newaxis = None
__all__ = [
    "__array_api_version__", "e", "fft", "inf", "linalg", "matmul", "matrix_transpose", "nan", "newaxis", "pi",
    "tensordot", "vecdot",
    *creation.__all__, *data_types.__all__, *elementwise.__all__, *manipulation.__all__, *statistical.__all__,
]  # fmt: skip


def version(wanted: str | None = None) -> types.ModuleType:
    """The namespace, if it is of the version wanted: what `Tensor.__array_namespace__` gives.

    Raises:
        ValueError: it is of another version.
    """
    if wanted is not None and wanted not in VERSIONS:
        raise ValueError(f"__array_namespace__: got api_version={wanted!r}, expected one of {', '.join(VERSIONS)}")
    return sys.modules[__name__]


VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", VERSION)  # each has all that the ones before have
document(globals())
