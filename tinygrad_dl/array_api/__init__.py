"""The Python array API standard, version 2025.12, on tensors: for programs that take the arrays of any library.

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
from typing import TYPE_CHECKING, Any

from tinygrad_dl.array_api import creation, data_types, elementwise, fft, linalg, manipulation, statistical
from tinygrad_dl.array_api._operands import VERSION, document

__array_api_version__ = VERSION
newaxis = None
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", VERSION)  # each has all that the ones before have
PARTS = (creation, data_types, elementwise, manipulation, statistical)
MATRICES = ("matmul", "matrix_transpose", "tensordot", "vecdot")  # which the standard has in both namespaces

__all__ = ["__array_api_version__", "e", "fft", "inf", "linalg", "nan", "newaxis", "pi"]
for _part, _names in [*((part, part.__all__) for part in PARTS), (linalg, MATRICES)]:
    __all__ += _names
    globals().update({name: getattr(_part, name) for name in _names})

if TYPE_CHECKING:  # checkers do not see the loop

    def __getattr__(name: str) -> Any: ...


def version(wanted: str | None = None) -> types.ModuleType:
    """The namespace, if it is of the version wanted: what `Tensor.__array_namespace__` gives.

    Raises:
        ValueError: it is of another version.
    """
    if wanted is not None and wanted not in VERSIONS:
        raise ValueError(f"__array_namespace__: got api_version={wanted!r}, expected one of {', '.join(VERSIONS)}")
    return sys.modules[__name__]


document(globals())
