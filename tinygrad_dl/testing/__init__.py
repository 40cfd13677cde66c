"""The testing kit: proves that gradients are right, and that an op does what its declaration says.

`gradcheck` and `check_module` need NumPy alone. `check_op` and the strategies draw their inputs with
hypothesis: `pip install 'tinygrad_dl[testing]'`.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.testing.closeness import assert_close
from tinygrad_dl.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck
from tinygrad_dl.testing.module_check import check_module
from tinygrad_dl.testing.report import CheckError, Entry, GradientReport, relative_difference, verdict

if TYPE_CHECKING:
    from tinygrad_dl.testing.op_checks import OpError, OpReport, all_ops, check_call, check_op
    from tinygrad_dl.testing.strategies import arguments, broadcastable_shapes, indices, shapes, tensors

# fmt: off
__all__ = [
    "CheckError", "Entry", "GradcheckError", "GradientReport", "OpError", "OpReport", "all_ops", "arguments",
    "assert_close", "broadcastable_shapes", "check_call", "check_module", "check_op", "gradcheck", "gradgradcheck",
    "indices", "relative_difference", "shapes", "tensors", "verdict",
]
# fmt: on


# Imported when first used, so that gradcheck works without hypothesis.
_LAZY = {
    **dict.fromkeys(("OpError", "OpReport", "all_ops", "check_call", "check_op"), "op_checks"),
    **dict.fromkeys(("arguments", "broadcastable_shapes", "indices", "shapes", "tensors"), "strategies"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'tinygrad_dl.testing' has no attribute {name!r}")
    if importlib.util.find_spec("hypothesis") is None:
        raise ImportError(
            f"tinygrad_dl.testing.{name} draws its inputs with hypothesis: pip install 'tinygrad_dl[testing]'"
        )
    return getattr(importlib.import_module(f"tinygrad_dl.testing.{_LAZY[name]}"), name)


public(globals(), "")
