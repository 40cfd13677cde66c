"""Writes docs/operations.md: where each operation is, and what PyTorch's documentation calls its chapter.

    python docs/make_operations.py

A test holds that the page is what this script writes.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import tinygrad_dl as td
from tinygrad_dl.core import lazy
from tinygrad_dl.core.declaration import REGISTRY
from tinygrad_dl.nn import functional

PAGE = Path(__file__).parent / "operations.md"
ROOT = "tinygrad_dl.ops."
INDEXING = "torch.html#indexing-slicing-joining-mutating-ops"
TORCH = "https://docs.pytorch.org/docs/stable/"

# The folders of tinygrad_dl/ops, in the order of PyTorch's documentation: its chapter there, and the page.
CHAPTERS = {
    "tensor": ("torch.Tensor", "tensors.html"),
    "indexing": (
        "Indexing, Slicing, Joining, Mutating Ops: indexing",
        INDEXING,
    ),
    "shape": ("Indexing, Slicing, Joining, Mutating Ops: shape", INDEXING),
    "pointwise": ("Pointwise Ops", "torch.html#pointwise-ops"),
    "reduction": ("Reduction Ops", "torch.html#reduction-ops"),
    "comparison": ("Comparison Ops", "torch.html#comparison-ops"),
    "sorting": ("Comparison Ops: sorting and searching", "torch.html#comparison-ops"),
    "linalg": ("BLAS and LAPACK Operations", "torch.html#blas-and-lapack-operations"),
    "fft": ("torch.fft", "fft.html"),
    "spectral": ("Spectral Ops", "torch.html#spectral-ops"),
    "special": ("torch.special", "special.html"),
    "convolution": ("Convolution functions", "nn.functional.html#convolution-functions"),
    "pooling": ("Pooling functions", "nn.functional.html#pooling-functions"),
    "attention": ("Attention Mechanisms", "nn.functional.html#attention-mechanisms"),
    "activation": ("Non-linear activation functions", "nn.functional.html#non-linear-activation-functions"),
    "normalization": ("Normalization Layers", "nn.html#normalization-layers"),
    "recurrent": ("Recurrent Layers", "nn.html#recurrent-layers"),
    "linear": ("Linear functions", "nn.functional.html#linear-functions"),
    "dropout": ("Dropout functions", "nn.functional.html#dropout-functions"),
    "embedding": ("Sparse functions", "nn.functional.html#sparse-functions"),
    "distance": ("Distance functions", "nn.functional.html#distance-functions"),
    "loss": ("Loss functions", "nn.functional.html#loss-functions"),
    "padding": ("Padding Layers", "nn.html#padding-layers"),
    "vision": ("Vision functions", "nn.functional.html#vision-functions"),
}


def public_functions() -> dict[str, str]:
    """The public functions and methods that are defined below tinygrad_dl.ops: name -> module."""
    lazy.load_all()
    found: dict[str, str] = {}
    methods = {name: getattr(value, "fget", value) for name, value in vars(td.Tensor).items() if name[0] != "_"}
    for place, names in (
        ("Tensor.", methods),
        ("F.", {name: getattr(functional, name) for name in functional.__all__}),
        ("", {name: getattr(td, name) for name in td.__all__}),
    ):
        for name, value in names.items():
            module = getattr(value, "__module__", None) or ""
            if not module.startswith(ROOT):
                continue
            if place == "Tensor." and (name.removesuffix("_") in (*td.__all__, *functional.__all__)):
                continue  # the function's method, or its in-place form
            found.pop(f"F.{name}", None)
            found[place + name] = module
    for key, op in REGISTRY.items():  # what layers call, and has no public name: in files of its own
        module = op.home.rpartition(".")[0]
        if module.startswith(ROOT) and module not in found.values() and "._" not in module:
            found[key] = module
    return found


def first_line(module: str) -> str:
    """The first line of a file's docstring."""
    path = Path(td.__file__).parent.parent / (module.replace(".", "/") + ".py")
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


def page() -> str:
    """The whole page."""
    files: dict[str, list[str]] = defaultdict(list)
    for name, module in public_functions().items():
        files[module.removeprefix(ROOT)].append(name)
    lines = [
        "# Where each operation is",
        "",
        "A folder of `tinygrad_dl/ops/` is a chapter of PyTorch's documentation, a file a family of operations. Files",
        "that begin with `_` are helpers. `F` is `nn.functional`. Written by `docs/make_operations.py`.",
    ]
    for chapter, (title, where) in CHAPTERS.items():
        lines += ["", f"## {chapter}: [{title}]({TORCH}{where})", "", "| file | what it has | names |", "|---|---|---|"]
        for file in sorted(files):
            if file.split(".")[0] == chapter:
                names = ", ".join(f"`{name}`" for name in sorted(files[file], key=lambda n: n.split(".")[-1]))
                link = f"[{file.split('.')[1]}](../tinygrad_dl/ops/{file.replace('.', '/')}.py)"
                lines.append(f"| {link} | {first_line(ROOT + file)} | {names} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
