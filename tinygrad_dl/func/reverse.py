"""Reverse mode as functions of functions: `grad`, `grad_and_value`, `vjp`, `jacrev`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tinygrad_dl import autograd
from tinygrad_dl.core.modes import enable_grad, modes
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import cut
from tinygrad_dl.creation import zeros_like
from tinygrad_dl.func.lowering import Differentiating, batches_around, own_place, plain_edges, reaches_beyond
from tinygrad_dl.func.trees import argument_numbers, flatten, shown, tensors_of, unflatten


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of `func`, whose result is a scalar.

    Args:
        func: takes tensors, or nested containers of them, and returns a tensor of one element.
        argnums: the number of the argument to differentiate by, or a tuple of several.
        has_aux: `func` returns (result, other); then (gradient, other) is returned.

    Returns:
        A function of the same arguments. The gradient has the form of its argument.

    Raises:
        RuntimeError: the result is no scalar, or an argument is not made of floating tensors.

    >>> import tinygrad_dl as td
    >>> td.func.grad(td.sin)(td.tensor(0.0))
    tensor(1.)
    >>> td.func.grad(td.func.grad(lambda x: x**3))(td.tensor(2.0))
    tensor(12.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.grad.html
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns (gradient, value) of `func`; with `has_aux` (gradient, (value, other)).

    >>> import tinygrad_dl as td
    >>> td.func.grad_and_value(lambda x: x**2)(td.tensor(3.0))
    (tensor(6.), tensor(9.))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.grad_and_value.html
    """

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        outside = modes.grad
        with enable_grad(), Differentiating():
            args, leaves, restore = _entered("grad", args, argnums)
            out = func(*args, **kwargs)
            aux: Any = None
            if has_aux:
                out, aux = _with_aux("grad", out)
            if not isinstance(out, Tensor):
                raise RuntimeError(
                    f"grad: got a result of type {type(out).__name__} from the function, expected a tensor of one "
                    f"element{'; pass has_aux=True if it returns (loss, other)' if isinstance(out, tuple) else ''}"
                )
            if out.shape not in ((), (1,) * out.ndim):
                raise RuntimeError(
                    f"grad: got a result of shape {out.shape} from the function, expected a scalar; reduce it with "
                    f"sum() or mean(), or use td.func.vjp or td.func.jacrev"
                )
            again = outside and reaches_beyond([out], leaves)
            found = _gradients([out], leaves, [None], again)
        out, aux = (out, aux) if again else (_cut(out), _cut(aux))
        return restore(found), (out, aux) if has_aux else out

    return both


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The result of `func(*primals)` and a function that takes cotangents of it to gradients of the primals.

    Args:
        func: takes and returns tensors or nested containers of them.
        primals: its arguments.
        has_aux: `func` returns (result, other).

    Returns:
        (result, vjp_fn), or (result, vjp_fn, other). `vjp_fn(cotangents)` takes a tree of the result's form and
        returns a tuple with a gradient for each primal. It may be called more than once.

    >>> import tinygrad_dl as td
    >>> out, pull = td.func.vjp(td.sin, td.tensor([0.0, 1.0]))
    >>> pull(td.ones(2))
    (tensor([1.0000, 0.5403]),)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.vjp.html
    """
    with enable_grad(), Differentiating():
        args, leaves, _ = _entered("vjp", primals, tuple(range(len(primals))))
        out = func(*args)
        aux: Any = None
        if has_aux:
            out, aux = _with_aux("vjp", out)
    results, form = tensors_of("vjp", out)
    forms = [flatten(p) for p in primals]

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        tree = cotangents[0] if len(cotangents) == 1 else cotangents
        given, given_form = flatten(tree)
        if given_form != form:
            raise RuntimeError(
                f"vjp: got cotangents of the form {shown(tree)}, expected that of the result, {shown(out)}"
            )
        for result, each in zip(results, given, strict=True):
            if not isinstance(each, Tensor) or each.shape != result.shape:
                raise RuntimeError(
                    f"vjp: got a cotangent of {_what(each)}, expected a tensor of the result's shape {result.shape}"
                )
        again = modes.grad and (reaches_beyond(results, leaves) or any(plain_edges(each) for each in given))
        again = again if create_graph is None else create_graph
        with enable_grad():
            found = _gradients(results, leaves, given, again)
        gradients = []
        for leaves_of, structure in forms:
            gradients.append(unflatten(found[: len(leaves_of)], structure))
            del found[: len(leaves_of)]
        return tuple(gradients)

    again = modes.grad and reaches_beyond(results, leaves)
    shown_out = out if again else unflatten([_cut(each) for each in results], form)
    return (shown_out, pull, aux if again else _cut(aux)) if has_aux else (shown_out, pull)


def _what(value: Any) -> str:
    return f"shape {value.shape}" if isinstance(value, Tensor) else f"type {type(value).__name__}"


def _entered(what: str, args: tuple[Any, ...], argnums: Any) -> tuple[tuple[Any, ...], list[Any], Callable[..., Any]]:
    """The arguments, those to differentiate by with places of their own; these as a list, and a way back to trees."""
    single = isinstance(argnums, int)
    numbers = argument_numbers(what, argnums, len(args)) if args or what != "vjp" else ()
    entered, leaves, forms = list(args), [], []
    for n in numbers:
        found, form = flatten(args[n])
        for each in found:
            if not isinstance(each, Tensor) or not is_differentiable(each.dtype):
                got = f"dtype {each.dtype}" if isinstance(each, Tensor) else type(each).__name__
                raise RuntimeError(
                    f"{what}: got {got} in argument {n}, by which to differentiate, expected floating or complex "
                    f"tensors; pass argnums=... for other arguments"
                )
        own = [own_place(each, batches_around()) for each in found]
        leaves += own
        forms.append((len(own), form))
        entered[n] = unflatten(own, form)

    def restore(found: list[Any]) -> Any:
        trees, start = [], 0
        for count, form in forms:
            trees.append(unflatten(found[start : start + count], form))
            start += count
        return trees[0] if single else tuple(trees)

    return tuple(entered), leaves, restore


def _gradients(outputs: list[Any], leaves: list[Any], cotangents: list[Any], again: bool) -> list[Any]:
    """The gradients, zeros where nothing depends on a leaf."""
    asked = [(o, u) for o, u in zip(outputs, cotangents, strict=True) if plain_edges(o) and is_differentiable(o.dtype)]
    if not asked:
        return [zeros_like(each).detach() for each in leaves]
    options = {"retain_graph": True, "create_graph": again, "allow_unused": True}
    found = autograd.grad([o for o, _ in asked], leaves, [u for _, u in asked], **options)
    return [zeros_like(each).detach() if g is None else g for g, each in zip(found, leaves, strict=True)]


def _with_aux(what: str, out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise RuntimeError(
            f"{what}: got {shown(out)} from the function with has_aux=True, expected a tuple (result, other)"
        )
    return out


def _cut(tree: Any) -> Any:
    """The values of a tree without their graph."""
    leaves, structure = flatten(tree)
    return unflatten([cut(each) if isinstance(each, Tensor) else each for each in leaves], structure)
