"""The public names: which of them a value has, and the page on which its one entry stands."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import types
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tinygrad_dl as td
from _ext.sources import ROOT
from tinygrad_dl.core import lazy

# Namespace -> what it is called in the list of pages. The first one that has a name is its home.
NAMESPACES = {
    "td": "Tensors and functions",
    "td.Tensor": "Methods of tensors",
    "td.autograd": "Gradients",
    "td.autograd.functional": "Jacobians and Hessians",
    "td.autograd.forward_ad": "Forward mode by hand",
    "td.autograd.function": "Functions with rules of their own",
    "td.autograd.graph": "The graph: nodes, hooks, saved tensors",
    "td.autograd.grad_mode": "What is recorded",
    "td.func": "Functions of functions",
    "td.linalg": "Linear algebra",
    "td.special": "Special functions",
    "td.fft": "Fourier transforms",
    "td.signal.windows": "Windows",
    "td.array_api": "The array API standard",
    "td.array_api.linalg": "The array API standard: linear algebra",
    "td.array_api.fft": "The array API standard: Fourier transforms",
    "td.nn": "Modules",
    "td.nn.functional": "Functions of layers",
    "td.nn.init": "Initialisation",
    "td.nn.grad": "Gradients of convolutions",
    "td.nn.utils": "Clipping, weight norms, vectors of parameters",
    "td.nn.utils.parametrizations": "Parametrizations",
    "td.nn.utils.parametrize": "Parametrizations of your own",
    "td.nn.utils.prune": "Pruning",
    "td.nn.utils.rnn": "Packed sequences",
    "td.nn.utils.stateless": "Modules as functions",
    "td.optim": "Optimisers",
    "td.optim.lr_scheduler": "Learning rates",
    "td.optim.optimizer": "Hooks of all optimisers",
    "td.optim.swa_utils": "Averaged weights",
    "td.data": "Datasets and loaders",
    "td.data.transforms": "Transforms of images",
    "td.compiler": "Compiled steps",
    "td.train": "Training",
    "td.distributed": "Several processes",
    "td.estimators": "Estimators for scikit-learn",
    "td.distributions": "Distributions",
    "td.vision": "Boxes",
    "td.viz": "Pictures",
    "td.onnx": "ONNX",
    "td.testing": "The testing kit",
    "td.inputs": "Legal inputs of an op",
    "td.utils.checkpoint": "Checkpoints in the graph",
    "td.torch": "PyTorch's name",
    "td.torch.amp": "Mixed precision",
    "td.torch.settings": "Settings",
}
OPS = "tinygrad_dl.ops."
LETTERS = {"elu", "glu", "gru", "lbfgs", "lstm", "qr", "rnn", "sgd", "svd"}
ABBREVIATIONS = {
    "gelu": "GELU",
    "relu": "ReLU",
    "rrelu": "RReLU",
    "silu": "SiLU",
    "ctc loss": "CTC loss",
    "nll loss": "NLL loss",
}


@dataclass
class Entry:
    """A public value: its names, the module that it is defined in, and the page where its entry stands."""

    names: list[str]
    value: Any
    module: str
    page: str
    members: list[tuple[str, Any]] = field(default_factory=list)


def module_of(namespace: str) -> Any:
    """The module, or the class Tensor, of a namespace; None if it is not there."""
    if namespace == "td.Tensor":
        return td.Tensor
    try:
        return importlib.import_module(namespace.replace("td", "tinygrad_dl", 1))
    except ModuleNotFoundError:
        return None


def public_names(namespace: str) -> dict[str, Any]:
    """The public names of a namespace and their values."""
    module = module_of(namespace)
    if module is td.Tensor:
        return {name: inspect.getattr_static(module, name) for name in dir(module) if not name.startswith("_")}
    names = dir(td) if module is td else getattr(module, "__all__", [])
    return {name: getattr(module, name) for name in names if not name.startswith("_")}


def is_documented(value: Any) -> bool:
    """Whether a value has a docstring of its own: a function, a class, a property."""
    return inspect.isclass(value) or callable(value) or isinstance(value, property)


def page_of(value: Any, namespace: str) -> str:
    """The page of the entry: operations stand in their chapter, all others with their namespace."""
    module = getattr(value, "__module__", None) or ""
    if isinstance(value, property):
        module = getattr(value.fget, "__module__", None) or ""
    if module.startswith(OPS) and "._" not in module.removeprefix(OPS) and not inspect.isclass(value):
        return "operators/" + module.removeprefix(OPS).split(".")[0]
    return f"api/{namespace.replace('td.', '', 1) if namespace != 'td' else 'td'}"


@cache
def entries() -> dict[str, Entry]:
    """All entries, by each of their names."""
    lazy.load_all()
    found: dict[str, Entry] = {}
    by_value: dict[int, Entry] = {}
    for namespace in NAMESPACES:
        if module_of(namespace) is None:
            continue
        for name, value in public_names(namespace).items():
            full = f"{namespace}.{name}"
            if isinstance(value, types.ModuleType) and full in NAMESPACES:
                continue  # its page is its entry
            entry = by_value.get(id(value)) if is_documented(value) else None
            if entry is None and namespace == "td.Tensor":
                function = function_of(name)  # whose method, or in-place form, it is
                entry = function and by_value.get(id(function))
            if entry is None:
                module = getattr(getattr(value, "fget", value), "__module__", None) or ""
                entry = Entry([], value, module, page_of(value, namespace))
                by_value[id(value)] = entry
            entry.names.append(full)
            found[full] = entry
    for entry in {id(e): e for e in found.values()}.values():
        if inspect.isclass(entry.value) and entry.value is not td.Tensor:
            entry.members = members(entry.value)
    return found


def function_of(method: str) -> Any:
    """The function of a method's name, from td or nn.functional."""
    for place in (td, td.nn.functional):
        for name in (method, method.removesuffix("_")):
            if name in place.__all__:
                value = getattr(place, name)
                if (getattr(value, "__module__", None) or "").startswith(OPS):
                    return value
    return None


def members(kind: type) -> list[tuple[str, Any]]:
    """The public methods and properties that a class, or a base of it that is not public, defines with a docstring."""
    found = {}
    for base in reversed(kind.__mro__):
        if base is kind or (base.__module__.startswith("tinygrad_dl.") and base.__name__.startswith("_")):
            for name, value in vars(base).items():
                inner = getattr(value, "__func__", value)
                text = getattr(inner, "__doc__", None)
                callable_or_read = inspect.isfunction(inner) or isinstance(value, property)
                if callable_or_read and text and name[0] != "_" and name not in ("forward", "extra_repr"):
                    found[name] = value
    fields = getattr(kind, "_fields", ())  # of a namedtuple they are in its signature
    return [(name, value) for name, value in found.items() if name not in fields]


@cache
def classes() -> dict[str, str]:
    """The public classes by their own names: what a type in a signature leads to."""
    return {
        entry.value.__name__: name
        for name, entry in reversed(entries().items())
        if inspect.isclass(entry.value) and entry.value.__module__.startswith("tinygrad_dl")
    }


def qualified(text: str) -> str:
    """A type with the full names of public classes, which become links."""
    return re.sub(r"(?<![\w.'\"])([A-Z]\w+)", lambda match: classes().get(match[1], match[1]), text)


def title_of(module: str) -> str:
    """The heading of the section with what a file defines."""
    name = module.split(".")[-1].strip("_").replace("_", " ")
    return ABBREVIATIONS.get(name) or (name.upper() if name in LETTERS else name.capitalize())


@cache
def first_line(module: str) -> str:
    """The first sentence of a file's docstring."""
    path = ROOT / (module.replace(".", "/") + ".py")
    path = path if path.exists() else ROOT / module.replace(".", "/") / "__init__.py"
    text = (ast.get_docstring(ast.parse(path.read_text())) or "") if path.exists() else ""
    return " ".join(text.split("\n\n")[0].split("\n")) if text else ""


@cache
def definitions(path: Path) -> dict[str, int]:
    """Where a file defines names at its top level: name -> line."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node.lineno
        elif isinstance(node, ast.Assign):
            targets = [leaf for target in node.targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
            found |= {target.id: node.lineno for target in targets}
    return found


def place_of(value: Any) -> tuple[str, int] | None:
    """The file of a value, from the root of the repository, and the line where it is defined."""
    function = getattr(value, "fget", value)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    name = getattr(function, "__name__", "")
    file = getattr(module, "__file__", None)
    if file and Path(file).is_relative_to(ROOT) and name in definitions(Path(file)):
        return Path(file).relative_to(ROOT).as_posix(), definitions(Path(file))[name]
    code = getattr(inspect.unwrap(function), "__code__", None)  # of methods that are made
    if code is not None and Path(code.co_filename).is_file():
        return Path(code.co_filename).relative_to(ROOT).as_posix(), code.co_firstlineno
    return None
