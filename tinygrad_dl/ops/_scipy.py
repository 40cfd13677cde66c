"""Functions that SciPy computes, imported when one is first called, and rows of a table of them; see `_rows`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.backends.arrays import module_of
from tinygrad_dl.core.declaration import Array
from tinygrad_dl.inputs import Case
from tinygrad_dl.ops._rows import ANY, Rule, Unary, declare


def special(array: Any = None) -> Any:
    """SciPy's special functions.

    Its ufuncs find CuPy's by NumPy's protocols. For others the array that they get says whose they are.
    """
    module = module_of(array)
    if module is not np:
        import importlib

        return importlib.import_module(f"{module.__name__}x.scipy.special")
    try:
        from scipy import special
    except ImportError:
        raise ImportError("this special function needs SciPy: pip install 'tinygrad_dl[special]'") from None
    return special


def of_scipy(
    function: str, name: str, what: str, example: str, vjp: Rule = None, inputs: Any = ANY, **declared: Any
) -> Unary:
    """An elementwise function of `td.special` of one tensor, a row: see `_rows.unary`.

    Args:
        function: the name of SciPy's.
        name: that of the op.
    """

    def body(input: Array) -> Array:
        """Left to SciPy."""
        return getattr(special(), function)(input)

    given, _, result = example.partition(" -> ")
    declared = {"floating": True, "real": True, "method": False, **declared}
    declared.update(name=name, inputs=[Case(input=inputs)])
    example = f"td.special.{name}(td.tensor({given})) -> {result}"
    made: Any = declare(body, [], what, example, {"input": vjp}, declared)
    return made  # type: ignore[no-any-return]
