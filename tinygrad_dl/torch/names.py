"""Where PyTorch's modules are in this library, and the modules that carry PyTorch's names."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import types
from collections.abc import Sequence
from typing import Any, Final

import tinygrad_dl
from tinygrad_dl.nn.modules import THEMES
from tinygrad_dl.torch import version

# Modules of PyTorch that have another place here. All others are at their own: torch.nn.init is tinygrad_dl.nn.init.
PLACES: Final = {
    "": "tinygrad_dl",
    "functional": "tinygrad_dl",
    "_custom_ops": "tinygrad_dl.torch.library",
    "_dynamo": "tinygrad_dl.compiler",
    "_dynamo.config": "tinygrad_dl.compiler",
    "_dynamo.utils": "tinygrad_dl.compiler",
    "amp.autocast_mode": "tinygrad_dl.torch.amp",
    "amp.grad_scaler": "tinygrad_dl.torch.amp",
    "autograd.profiler": "tinygrad_dl.torch.profiler",
    "ao": "tinygrad_dl.torch.quantization",
    "ao.nn": "tinygrad_dl.torch.quantization",
    "ao.nn.quantized": "tinygrad_dl.torch.quantization",
    "ao.quantization": "tinygrad_dl.torch.quantization",
    "autograd.gradcheck": "tinygrad_dl.testing",
    "backends": "tinygrad_dl.torch.backends",
    "cuda.amp": "tinygrad_dl.torch.amp",
    "cuda.amp.autocast_mode": "tinygrad_dl.torch.amp",
    "cuda.amp.grad_scaler": "tinygrad_dl.torch.amp",
    "distributed": "tinygrad_dl.torch.distributed",
    "distributed.device_mesh": "tinygrad_dl.torch.distributed",
    "distributed.distributed_c10d": "tinygrad_dl.torch.distributed",
    "distributed.fsdp": "tinygrad_dl.torch.distributed",
    "distributed.nn": "tinygrad_dl.torch.distributed",
    "distributed.optim": "tinygrad_dl.optim",
    "distributed.optim.zero_redundancy_optimizer": "tinygrad_dl.optim",
    "distributed.tensor": "tinygrad_dl.torch.distributed",
    "futures": "tinygrad_dl.distributed.futures",
    "jit.annotations": "tinygrad_dl.torch.jit",
    "multiprocessing": "multiprocessing",
    "nn.attention": "tinygrad_dl.torch.attention",
    "nn.modules": "tinygrad_dl.nn",
    "nn.modules.lazy": "tinygrad_dl.nn.layers.lazy",
    "nn.modules.module": "tinygrad_dl.nn.module",
    "nn.modules.utils": "tinygrad_dl.nn.layers._tuples",
    "nn.parallel.data_parallel": "tinygrad_dl.nn.parallel",
    "nn.parallel.distributed": "tinygrad_dl.nn.parallel",
    "nn.quantized": "tinygrad_dl.torch.quantization",
    "nn.utils.spectral_norm": "tinygrad_dl.nn.utils.weight_hooks",
    "nn.utils.weight_norm": "tinygrad_dl.nn.utils.weight_hooks",
    "onnx": "tinygrad_dl.torch.onnx",
    "onnx.symbolic_helper": "tinygrad_dl.torch.onnx",
    "onnx.symbolic_opset11": "tinygrad_dl.torch.onnx",
    "ops": "tinygrad_dl.torch.library",
    "utils._pytree": "tinygrad_dl.torch.pytree",
    "utils.data": "tinygrad_dl.data",
    "utils.data.dataloader": "tinygrad_dl.data",
    "utils.data.dataset": "tinygrad_dl.data",
    "utils.data.distributed": "tinygrad_dl.data",
    "utils.data.sampler": "tinygrad_dl.data",
    "utils.data._utils": "tinygrad_dl.data",
    "utils.data._utils.collate": "tinygrad_dl.data",
    "utils.hooks": "tinygrad_dl.core.hooks",
    "utils.model_zoo": "tinygrad_dl.torch.hub",
    "utils.tensorboard": "tinygrad_dl.torch.tensorboard",
    "utils.tensorboard.writer": "tinygrad_dl.torch.tensorboard",
}
PLACES.update({f"nn.modules.{theme}": "tinygrad_dl.nn" for theme in THEMES.split()})
# PyTorch has a module for each distribution; here all are in `distributions`.
DISTRIBUTIONS: Final = "bernoulli beta categorical dirichlet exponential kl laplace multivariate_normal normal uniform"
PLACES.update({f"distributions.{theme}": "tinygrad_dl.distributions" for theme in DISTRIBUTIONS.split()})
HIDDEN: Final = frozenset({"core", "ops", "torch"})  # how this library is built, and this package
_MISSING: Final = object()
REMEDY: Final = "docs/from_pytorch.md says what differs from PyTorch, and what to write instead"


class Names(types.ModuleType):
    """A module under PyTorch's name: reads what a module of this library has, and says which name is missing.

    What a program sets in it stays in it, and the library's module as it is.
    """

    def __init__(self, name: str, target: types.ModuleType) -> None:
        super().__init__(name, target.__doc__)
        self.__dict__.update(_target=target, __path__=[], __file__=getattr(target, "__file__", None))

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return version.__version__
        path = f"{self.__name__}.{name}"
        dunder = name.startswith("__")
        if not dunder and target_of(path) and not self._is_no_module(name):
            return importlib.import_module(path)
        value = _MISSING if name in HIDDEN else getattr(self._target, name, _MISSING)
        if value is not _MISSING:
            return value
        if dunder:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        raise missing(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # Python puts a module into its parent when it is imported.
        if not (isinstance(value, Names) and self._is_no_module(name)):
            super().__setattr__(name, value)

    def _is_no_module(self, name: str) -> bool:
        """Whether a name of a module is here that of something else: `nn.utils.weight_norm` is a function too."""
        return not isinstance(getattr(self._target, name, self), types.ModuleType)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._target), *self.__dict__} - {"_target"})


def missing(module: Names, name: str) -> AttributeError:
    """The error for a name that the library does not have."""
    near = difflib.get_close_matches(name, dir(module), 1)
    hint = f"did you mean {module.__name__}.{near[0]}? " if near else ""
    return AttributeError(
        f"{module.__name__}.{name} is not in tinygrad_dl {tinygrad_dl.__version__}\n  {hint}{REMEDY}",
        name=name,
        obj=module,
    )


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds torch and the modules below it in this library."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if target_of(name) else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Names:
        return Names(spec.name, importlib.import_module(target_of(spec.name)))

    def exec_module(self, module: types.ModuleType) -> None:
        """Does nothing: the module reads what it has from its target."""


@functools.cache
def target_of(name: str) -> str:
    """The module that one of PyTorch's names stands for; empty if there is none.

    >>> target_of("torch.nn.functional"), target_of("torch.utils.data"), target_of("torch.tpu")
    ('tinygrad_dl.nn.functional', 'tinygrad_dl.data', '')
    """
    root, _, path = name.partition(".")
    if root == "torch" and path in PLACES:
        return PLACES[path]
    if root != "torch" or path.split(".")[0] in HIDDEN:
        return ""
    for ours in (f"tinygrad_dl.{path}", f"tinygrad_dl.torch.{path}"):
        with contextlib.suppress(ModuleNotFoundError):  # what should be its package is not there, or is no package
            if importlib.util.find_spec(ours):
                return ours
    return ""
