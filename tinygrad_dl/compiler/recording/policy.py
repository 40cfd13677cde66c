"""Which functions are instrumented, which run as they are, and which have a way of their own."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

NATIVE, LIBRARY, USERS, NUMPY = "native", "library", "users", "numpy"
PACKAGE = "tinygrad_dl"

# Modules of the library that compute nothing with arrays, or that explain errors: their functions run as they are.
WITHOUT_ARRAYS = frozenset(
    f"{PACKAGE}.{name}"
    for name in [
        "core.generate",
        "core.messages",
        "core.descriptions",
        "core.warning",
        "core.numpy_errors",
        "core.declared",
        "core.declaration",
        "core.mutations",
        "core.modes",
        "core.record",
        "core.dispatch",
        "core.size",
        "core.dtypes",
        "core.hooks",
        "core.views",
        "core.table",
        "core.namespaces",
        "core.memory",
        "core.composition",
        "core.inference",
        "structure",
        "inputs",
        "nn.members",
        "nn.hooks",
        "nn.errors",
        "nn.checks",
        "optim.hooks",
    ]
)
# And single functions, by module and name.
NATIVES = frozenset(
    f"{PACKAGE}.{name}"
    for name in [
        "core.op.Op.compile",
        "core.op.Op.plan",
        "core.op.Op._variant",
        "core.plan.Plan.__init__",
        "core.plan.Plan.toward",
        "core.plan.reads",
        "core.graph.topological",
        "core.graph.leading_to",
        "core.graph.leaves_when_due",
        "core.graph.saved_arrays",
        "core.runtime.connect_outputs",
        "core.runtime.note_view",
        "core.runtime.note_views",
        "core.runtime.output_edge",
        "core.runtime.stand_alone",
        "core.promotion.result_dtype",
        "core.promotion.category",
        "core.promotion.is_half",
        "core.promotion.is_differentiable",
        "core.promotion.is_floating",
        "optim.block.Block.use",
        "optim.block.Block.publish",
        "optim.block.Block.adopt",
        "optim.block.Block.runs",
        "optim.block.Block.allocate",
        "optim.block.Block.__init__",
        "optim.flat.Layout.__init__",
        "optim.flat.Layout.holds",
        "optim.flat.FlatOptimizer._publish",
        "nn.module.Module.__setattr__",
        "nn.module.Module.__getattr__",
    ]
)
INSTRUMENTED = frozenset((f"{PACKAGE}.core.hooks", f"{PACKAGE}.optim.hooks", f"{PACKAGE}.core.composition"))
# Modules of Python's own whose functions call others that are given to them.
FOLLOWED = frozenset(("contextlib",))

# Parts of the library that change what is no memory of tensors, or that have nothing to do in a step.
OUTSIDE = tuple(
    f"{PACKAGE}.{name}"
    for name in (
        *("optim.lr_scheduler", "optim.swa_utils", "serialization", "pth", "data", "train", "estimators", "viz"),
        *("onnx", "testing", "npz", "safetensors", "archive", "writing", "distributed"),
    )
)
OUTSIDE_NAMES = frozenset(
    {"manual_seed", "set_rng_state", "seed", "set_state", "set_default_dtype", "set_num_threads", "load_state_dict"}
    | {"add_param_group", "register_buffer", "register_parameter", "add_module", "register_module", "set_data"}
    | {"register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook", "register_step_pre_hook"}
    | {"register_step_post_hook", "share_memory_", "set_"}
)

Special = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]
_special: dict[int, tuple[types.CodeType, Special]] = {}
_natures: dict[int, tuple[types.CodeType, str]] = {}


def instead(function: Any, special: Special) -> None:
    """Lets `special(hooks, function, args, options)` run in the place of a function."""
    code = function.__code__
    _special[id(code)] = code, special


def special(function: Any) -> Special | None:
    """What runs in the place of a function, if there is something: see `instead`."""
    found = _special.get(id(function.__code__))
    return None if found is None else found[1]


def of_library(function: Any) -> bool:
    """Whether a function or class is the library's own."""
    return str(getattr(function, "__module__", "") or "").partition(".")[0] == PACKAGE


def nature(function: types.FunctionType) -> str:
    """What kind of function it is."""
    code = function.__code__
    found = _natures.get(id(code))
    if found is None:
        found = _natures[id(code)] = code, _nature(function)
    return found[1]


def _nature(function: types.FunctionType) -> str:
    module = str(function.__globals__.get("__name__") or "")
    top = module.partition(".")[0]
    if top == PACKAGE or generated(function):
        if module.startswith(f"{PACKAGE}.compiler"):
            return NATIVE
        name = f"{module}.{function.__qualname__}"
        plain = name in NATIVES or (module in WITHOUT_ARRAYS and module not in INSTRUMENTED)
        return NATIVE if plain and not generated(function) else LIBRARY
    if top == "numpy":
        return NUMPY
    if module in FOLLOWED:
        return LIBRARY
    if top in sys.stdlib_module_names or function.__code__.co_filename == "<string>":
        return NATIVE if module != "__main__" else USERS
    return USERS


def generated(function: types.FunctionType) -> bool:
    """Whether the library has made the source of a function, as it does for the call of an op."""
    return function.__code__.co_filename.startswith(f"<{PACKAGE} ")


def native_class(kind: type) -> bool:
    """Whether objects of a class are made as they are."""
    module = kind.__module__
    return module in WITHOUT_ARRAYS or module == f"{PACKAGE}.core.graph"


def outside(module: str, name: str) -> bool:
    """Whether a function of the library changes what a program does not."""
    return name in OUTSIDE_NAMES or module.startswith(OUTSIDE)
