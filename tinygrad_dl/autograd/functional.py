"""Derivatives of functions: products with Jacobians and Hessians, and these matrices whole.

Each takes a function of tensors and the point. `v` is the vector to multiply with; a tuple for several inputs or
outputs, and may be left out where it is the number 1.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tinygrad_dl.autograd import grad
from tinygrad_dl.backends.arrays import like
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.modes import enable_grad, modes, set_grad_enabled
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted, memory_of, stack
from tinygrad_dl.creation import zeros_like

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors: TypeAlias = "tuple[Tensor, ...]"
Function: TypeAlias = Callable[..., Any]


class Call:
    """One call of the user's function at a point of its own, as a derivative needs it.

    Args:
        name: what errors call the derivative.
        function, inputs: the user's.
        create_graph: whether results are to be differentiable, in the inputs as well.
        strict: whether to refuse outputs, and gradients, that do not depend on the inputs.
    """

    def __init__(self, name: str, function: Function, inputs: Any, create_graph: bool, strict: bool):
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.several_inputs, given = as_tuple(inputs, name, "inputs")
        require_outside(name, given, create_graph)
        self.given = given
        with enable_grad():
            # With create_graph the point stays in the caller's graph; what does not require a gradient, does here.
            self.inputs = tuple(
                t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in given
            )
            found = function(*self.inputs)
        self.several_outputs, self.outputs = as_tuple(found, name, "the outputs of the function")
        if strict:
            for i, output in enumerate(self.outputs):
                if not output.requires_grad:
                    raise RuntimeError(
                        f"{name}: got output {i} that does not depend on the inputs in a differentiable way, expected "
                        "one that does, as strict=True; pass strict=False for zeros"
                    )

    def one_number(self) -> Tensor:
        """The function's only output, which must be one number."""
        return one_number(self.name, self.several_outputs, self.outputs)

    def gradients(
        self, outputs: Sequence[Tensor], at: Sequence[Tensor], v: Sequence[Any] | None, graph: bool, what: str
    ) -> Tensors:
        """Gradients of outputs, weighted by v; zeros where nothing depends on an input, or with `strict` an error."""
        used = [i for i, output in enumerate(outputs) if output.requires_grad]
        found: Sequence[Any] = (None,) * len(at)
        if used:
            weights = None if v is None else [v[i] for i in used]
            found = grad([outputs[i] for i in used], at, weights, True, graph, allow_unused=True)
        for i, each in enumerate(found):
            if self.strict and (each is None or (graph and self.create_graph and not each.requires_grad)):
                raise RuntimeError(
                    f"{self.name}: got {what} with respect to input {i} that is independent of the inputs, expected "
                    "one that depends on them, as strict=True; pass strict=False for zeros"
                )
        return tuple(zeros_like(t) if each is None else each for each, t in zip(found, at, strict=True))

    def result(self, tensors: Tensors, several: bool) -> Any:
        """What the caller gets: a tuple if it gave one, without the graph unless it asked for it."""
        if not self.create_graph:
            tensors = tuple(t.detach() for t in tensors)
        return tensors if several else tensors[0]

    def vector(self, v: Any, like: Tensors, several: bool) -> Tensors:
        """The vector to multiply with, checked against the tensors that it belongs to."""
        if v is None:
            if several or like[0].numel() != 1:
                raise RuntimeError(
                    f"{self.name}: got no v for tensors of shapes {[t.shape for t in like]}, expected one: only for a "
                    "single number may it be left out"
                )
            return (wrap(np.ones(like[0].shape, like[0].dtype)),)
        given_several, given = as_tuple(v, self.name, "v")
        if given_several != several or len(given) != len(like):
            raise RuntimeError(f"{self.name}: got {count(given, given_several)} as v, expected {count(like, several)}")
        for i, (each, t) in enumerate(zip(given, like, strict=True)):
            if each.shape != t.shape:
                raise RuntimeError(
                    f"{self.name}: got v of shape {each.shape}{f' for tensor {i}' if several else ''}, expected "
                    f"{t.shape}"
                )
        return tuple(each if self.create_graph else each.detach() for each in given)


def require_outside(name: str, tensors: Tensors, create_graph: bool) -> None:
    """Raises inside of a transform, which would lose what it knows of these tensors in the results."""
    for each in tensors:
        lifted = isinstance(each, Lifted)
        if lifted or (stack.differentiating and each._edge is not None and not create_graph):
            where = each.level.name if isinstance(each, Lifted) else "td.func.grad, vjp or linearize"
            raise RuntimeError(
                f"{name}: got a tensor inside of {where}, expected one outside of any transform; inside use "
                f"td.func.vjp, jvp, jacrev, jacfwd or hessian{'' if lifted else ', or pass create_graph=True'}"
            )


def one_number(name: str, several: bool, outputs: Tensors) -> Tensor:
    """The only one of a function's outputs, which must be one number."""
    if several or outputs[0].numel() != 1:
        raise RuntimeError(
            f"{name}: got outputs of shapes {[t.shape for t in outputs]} from the function, expected one number"
        )
    return outputs[0]


def count(tensors: Tensors, several: bool) -> str:
    """How an error says how many tensors there are."""
    return f"a tuple of {len(tensors)}" if several else "a tensor"


def as_tuple(value: Any, name: str, what: str) -> tuple[bool, Tensors]:
    """Whether a value is several tensors, and they as a tuple."""
    several = isinstance(value, tuple | list)
    tensors = tuple(value) if several else (value,)
    for each in tensors:
        if not isinstance(each, Tensor):
            raise TypeError(f"{name}: got {summary(each)} in {what}, expected a tensor or a tuple of tensors")
    return several, tensors


def vjp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The product of a vector with the Jacobian of a function: v^T J.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: the point, a tensor or a tuple.
        v: of the shape of the output (a tuple for several); may be left out if it is one number.
        create_graph: whether the result can be differentiated.
        strict: raise if an output, or the result, does not depend on an input, rather than give zeros.

    Returns:
        The outputs, and the product, of the shape of the inputs.

    Raises:
        RuntimeError: v does not fit; `strict` and something is independent of the inputs.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0, 3.0])
    >>> td.autograd.functional.vjp(lambda x: x ** 2, x, td.tensor([1.0, 0.0, 10.0]))
    (tensor([1., 4., 9.]), tensor([ 2.,  0., 60.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.vjp.html
    """
    call = Call("vjp", func, inputs, create_graph, strict)
    v = call.vector(v, call.outputs, call.several_outputs)
    with set_grad_enabled(create_graph or modes.grad):
        found = call.gradients(call.outputs, call.inputs, v, create_graph, "a gradient")
    return call.result(call.outputs, call.several_outputs), call.result(found, call.several_inputs)


def jvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The product of the Jacobian of a function with a vector: J v, by going back twice.

    u -> J^T u is linear, and its own vector-Jacobian product with v is J v.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: the point, a tensor or a tuple.
        v: of the shape of the inputs; may be left out if they are one number.
        create_graph: whether the result can be differentiated.
        strict: raise if an output, or the result, does not depend on an input, rather than give zeros.

    Returns:
        The outputs, and the product, of the shape of the outputs.

    Raises:
        RuntimeError: v does not fit; `strict` and something is independent of the inputs.

    >>> import tinygrad_dl as td
    >>> x = td.tensor([1.0, 2.0, 3.0])
    >>> td.autograd.functional.jvp(lambda x: x ** 2, x, td.tensor([1.0, 0.0, 10.0]))
    (tensor([1., 4., 9.]), tensor([ 2.,  0., 60.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jvp.html
    """
    call = Call("jvp", func, inputs, create_graph, strict)
    v = call.vector(v, call.inputs, call.several_inputs)
    found = _forward(call, call.outputs, v)
    return call.result(call.outputs, call.several_outputs), call.result(found, call.several_outputs)


def _forward(call: Call, outputs: Sequence[Tensor], v: Sequence[Tensor]) -> Tensors:
    """J v of a function that has been called."""
    u = tuple(zeros_like(output).requires_grad_() for output in outputs)
    with enable_grad():
        back = call.gradients(outputs, call.inputs, u, True, "a gradient")
        return call.gradients(back, u, v, call.create_graph, "a product")


def jacobian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The matrix of the derivatives of each output with respect to each input.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: the point, a tensor or a tuple.
        create_graph: whether the result can be differentiated.
        strict: raise if an output, or the result, does not depend on an input, rather than give zeros.
        vectorize: all rows, or columns, at once, as one call of `td.func.vmap`; otherwise one after the other.
        strategy: "reverse-mode" goes by the elements of the outputs; "forward-mode", which needs `vectorize`, by those
            of the inputs: for many outputs and few inputs.

    Returns:
        For one input and one output a tensor whose shape is that of the output followed by that of the input. For
        several inputs a tuple of these; for several outputs a tuple of what each gives.

    Raises:
        RuntimeError: `strict` and something is independent of the inputs, or `strict` with `vectorize`.

    >>> import tinygrad_dl as td
    >>> x, y = td.tensor([1.0, 2.0]), td.tensor(3.0)
    >>> td.autograd.functional.jacobian(lambda x, y: x ** 2 * y, (x, y))
    (tensor([[ 6.,  0.],
            [ 0., 12.]]), tensor([1., 4.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jacobian.html
    """
    _check_options("jacobian", strict, vectorize, strategy, "strategy")
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "jacobian: got strategy='forward-mode' with vectorize=False, expected vectorize=True, as in PyTorch"
        )
    if strategy == "forward-mode":
        return _by_columns(func, inputs, create_graph)
    call = Call("jacobian", func, inputs, create_graph, strict)
    rows = _all_rows(call) if vectorize else [_rows(call, output) for output in call.outputs]
    found = tuple(call.result(each, call.several_inputs) for each in rows)
    return found if call.several_outputs else found[0]


def _check_options(name: str, strict: bool, vectorize: bool, strategy: str, option: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"{name}: got {option}={strategy!r}, expected 'reverse-mode' or 'forward-mode'")
    if strict and vectorize:
        raise RuntimeError(
            f"{name}: got strict=True with vectorize=True, expected one of them, as in PyTorch; strict=True needs the "
            "passes one by one"
        )


def _rows(call: Call, output: Tensor) -> Tensors:
    """The derivatives of one output with respect to all inputs."""
    with enable_grad():
        flat = output.reshape(-1)
        rows = [call.gradients([flat[i]], call.inputs, None, call.create_graph, "a row") for i in range(flat.numel())]
        if not rows:
            return tuple(wrap(np.zeros((*output.shape, *t.shape), output.dtype)) for t in call.inputs)
        return tuple(_stacked(each).reshape((*output.shape, *each[0].shape)) for each in zip(*rows, strict=True))


def _all_rows(call: Call) -> list[Tensors]:
    """The derivatives of all outputs with respect to all inputs, in one backward pass for all rows."""
    total = sum(t.numel() for t in call.outputs)
    found: Sequence[Any] = [None] * len(call.inputs)
    used = [(t, seed) for t, seed in zip(call.outputs, _basis(call.outputs), strict=True) if t.requires_grad]
    if used and total:
        outputs, seeds = zip(*used, strict=True)
        found = grad(outputs, call.inputs, seeds, True, call.create_graph, True, True, is_grads_batched=True)
    rows, start = [], 0
    for output in call.outputs:
        stop = start + output.numel()
        row = [
            wrap(np.zeros((*output.shape, *t.shape), t.dtype))
            if each is None
            else each[start:stop].reshape((*output.shape, *t.shape))
            for t, each in zip(call.inputs, found, strict=True)
        ]
        rows.append(tuple(row))
        start = stop
    return rows


def _by_columns(function: Function, inputs: Any, create_graph: bool) -> Any:
    """The Jacobian in forward mode: the function runs once, with the directions of all elements of the inputs."""
    several, given = as_tuple(inputs, "jacobian", "inputs")
    require_outside("jacobian", given, create_graph)
    point = given if create_graph else tuple(t.detach() for t in given)
    func: Any = importlib.import_module("tinygrad_dl.func")
    kind: list[bool] = []

    def column(*directions: Tensor) -> Tensors:
        def checked(*point: Tensor) -> Tensors:
            several_outputs, outputs = as_tuple(function(*point), "jacobian", "the outputs of the function")
            kind[:] = [several_outputs]
            return outputs

        tangents: Tensors = func.jvp(checked, point, directions)[1]
        return tangents

    columns = func.vmap(column, out_dims=-1)(*_basis(given))
    found = []
    for whole in columns:
        whole, parts, start = whole if create_graph else whole.detach(), [], 0
        for t in given:
            stop = start + t.numel()
            parts.append(whole[..., start:stop].reshape((*whole.shape[:-1], *t.shape)))
            start = stop
        found.append(tuple(parts) if several else parts[0])
    return tuple(found) if kind[0] else found[0]


def _basis(tensors: Tensors) -> list[Tensor]:
    """A direction for each element of all tensors: for each tensor its part of them, (elements of all, *shape)."""
    sizes = [math.prod(t.shape) for t in tensors]
    parts = np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    return [
        wrap(like(part.astype(t.dtype).reshape(sum(sizes), *t.shape), memory_of(t)))
        for part, t in zip(parts, tensors, strict=True)
    ]


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    from tinygrad_dl.ops.shape.joining import stack

    return stack(tensors)


def hessian(
    func: Function,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The matrix of second derivatives of a function that returns one number.

    Args:
        func: takes tensors, returns a tensor of one number.
        inputs: the point, a tensor or a tuple.
        create_graph: whether the result can be differentiated.
        strict: raise if something does not depend on an input, rather than give zeros.
        vectorize, outer_jacobian_strategy: how `jacobian` goes through the gradient.

    Returns:
        For one input a tensor whose shape is that of the input twice. For several a tuple for each of a tuple for each.

    Raises:
        RuntimeError: the function returns more than one number; `strict` and something is independent of the inputs.

    >>> import tinygrad_dl as td
    >>> td.autograd.functional.hessian(lambda x: (x ** 3).sum(), td.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.hessian.html
    """
    _check_options("hessian", strict, vectorize, outer_jacobian_strategy, "outer_jacobian_strategy")
    several, _ = as_tuple(inputs, "hessian", "inputs")

    def slopes(*point: Tensor) -> Any:
        inner = Call("hessian", func, point, True, strict)
        return inner.gradients([inner.one_number()], inner.inputs, None, True, "a gradient")

    def slopes_inside(*point: Tensor) -> Any:  # of a transform, where the gradient is one of its own
        def number(*point: Tensor) -> Tensor:
            return one_number("hessian", *as_tuple(func(*point), "hessian", "the outputs of the function"))

        return importlib.import_module("tinygrad_dl.func").grad(number, tuple(range(len(point))))(*point)

    forward = outer_jacobian_strategy == "forward-mode" and vectorize
    found = jacobian(
        slopes_inside if forward else slopes, inputs, create_graph, strict, vectorize, outer_jacobian_strategy
    )
    return found if several else found[0]


def vhp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The product of a vector with the Hessian of a function that returns one number: v^T H.

    Args:
        func: takes tensors, returns a tensor of one number.
        inputs: the point, a tensor or a tuple.
        v: of the shape of the inputs; may be left out if they are one number.
        create_graph: whether the result can be differentiated.
        strict: raise if something does not depend on an input, rather than give zeros.

    Returns:
        The output, and the product, of the shape of the inputs.

    Raises:
        RuntimeError: v does not fit; the function returns more than one number; `strict` and something is independent.

    >>> import tinygrad_dl as td
    >>> td.autograd.functional.vhp(lambda x: (x ** 3).sum(), td.tensor([1.0, 2.0]), td.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.vhp.html
    """
    call = Call("vhp", func, inputs, create_graph, strict)
    v = call.vector(v, call.inputs, call.several_inputs)
    with enable_grad():
        slopes = call.gradients([call.one_number()], call.inputs, None, True, "a gradient")
        found = call.gradients(slopes, call.inputs, v, create_graph, "a product")
    return call.result(call.outputs, False), call.result(found, call.several_inputs)


def hvp(
    func: Function, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The product of the Hessian of a function that returns one number with a vector: H v.

    Args:
        func: takes tensors, returns a tensor of one number.
        inputs: the point, a tensor or a tuple.
        v: of the shape of the inputs; may be left out if they are one number.
        create_graph: whether the result can be differentiated.
        strict: raise if something does not depend on an input, rather than give zeros.

    Returns:
        The output, and the product, of the shape of the inputs. `vhp` gives the same where second derivatives are
        continuous, with one backward pass less.

    Raises:
        RuntimeError: v does not fit; the function returns more than one number; `strict` and something is independent.

    >>> import tinygrad_dl as td
    >>> td.autograd.functional.hvp(lambda x: (x ** 3).sum(), td.tensor([1.0, 2.0]), td.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.hvp.html
    """
    call = Call("hvp", func, inputs, create_graph, strict)
    v = call.vector(v, call.inputs, call.several_inputs)
    with enable_grad():
        slopes = call.gradients([call.one_number()], call.inputs, None, True, "a gradient")
    found = _forward(call, slopes, v)
    return call.result(call.outputs, False), call.result(found, call.several_inputs)
