"""Products of matrices, linear layers, determinants."""

from __future__ import annotations

from typing import Any

from tinygrad_dl.onnx.graph import Graph
from tinygrad_dl.onnx.table import converter, rewriting, without
from tinygrad_dl.onnx.values import Value
from tinygrad_dl.ops.reduction.norm import norm


@converter("matmul")
def matmul(g: Graph, input: Value, other: Value) -> Value:
    return g.op("MatMul", input, other)


@converter("addmm")
def addmm(g: Graph, input: Value, mat1: Value, mat2: Value, beta: Any, alpha: Any) -> Value:
    if mat1.dtype.kind == "f" and input.ndim <= 2:
        return g.op("Gemm", mat1, mat2, input, alpha=float(alpha), beta=float(beta))
    return added(g, input, g.op("MatMul", mat1, mat2), beta, alpha)


@converter("baddbmm")
def baddbmm(g: Graph, input: Value, batch1: Value, batch2: Value, beta: Any, alpha: Any) -> Value:
    return added(g, input, g.op("MatMul", batch1, batch2), beta, alpha)


def added(g: Graph, input: Value, made: Value, beta: Any, alpha: Any) -> Value:
    """alpha times a product, plus beta times the input, which does not count where beta is 0."""
    made = made if alpha == 1 else g.op("Mul", made, g.like(alpha, made))
    if beta == 0:
        return made
    return g.op("Add", made, input if beta == 1 else g.op("Mul", input, g.like(beta, input)))


@converter("linear")
def linear(g: Graph, input: Value, weight: Value, bias: Value | None) -> Value:
    if input.ndim == 2 and bias is not None:
        return g.op("Gemm", input, weight, bias, transB=1)
    made = g.op("MatMul", input, g.transpose(weight, [1, 0]))
    return made if bias is None else g.op("Add", made, bias)


@converter("linear_of_each")
def linear_of_each(g: Graph, input: Value, weight: Value, bias: Value | None) -> Value:
    order = [*range(weight.ndim - 2), weight.ndim - 1, weight.ndim - 2]
    made = g.op("MatMul", input, g.transpose(weight, order))
    return made if bias is None else g.op("Add", made, g.unsqueeze(bias, [bias.ndim - 1]))


@converter("einsum")
def einsum(g: Graph, operands: list[Value], equation: str) -> Value:
    return g.op("Einsum", *operands, equation=equation.replace(" ", ""))


@converter("det")
def det(g: Graph, A: Value) -> Value:
    return g.op("Det", A)


@converter("slogdet")
def slogdet(g: Graph, A: Value) -> list[Value]:
    found = g.op("Det", A)
    return [g.op("Sign", found), g.op("Log", g.op("Abs", found))]


@rewriting("cdist")
def cdist(x1: Any, x2: Any, p: float, by_product: bool) -> Any:
    return norm(x1[:, :, None] - x2[:, None], p, -1)


without(
    "ONNX has no operator for it",
    *("cholesky", "eig", "eigh", "geqrf", "ldl_factor", "ldl_solve", "lu_factor", "lu_rows", "matrix_exp", "pinv"),
    *("eigvalsh", "inv", "qr", "solve", "solve_by_factor", "solve_triangular", "svd", "svdvals"),
)
