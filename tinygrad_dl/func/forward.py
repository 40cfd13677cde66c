"""Forward mode as functions of functions: `jvp`, `jacfwd`, `linearize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_dl import autograd
from tinygrad_dl.core.modes import enable_grad, modes
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import cut, gradients
from tinygrad_dl.creation import zeros_like
from tinygrad_dl.func.dual import DualLevel
from tinygrad_dl.func.gradients import of_duals
from tinygrad_dl.func.lowering import Differentiating, batches_around, fresh, own_place, plain_edges, reaches_beyond
from tinygrad_dl.func.trees import change, flatten, shown, tensors_of, unflatten

gradients[DualLevel] = of_duals


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False
) -> tuple[Any, ...]:
    """The result of `func(*primals)` and its derivative in the direction of the tangents.

    Forward mode: one pass, whatever the size of the result, and nothing is kept for a way back.

    Args:
        func: takes and returns tensors, or nested containers of them.
        primals: a tuple of its arguments.
        tangents: a tuple of the same form: a direction for each, of its shape and dtype.
        strict: raise for a result that does not depend on the primals.
        has_aux: `func` returns (result, other).

    Returns:
        (result, tangent), or (result, tangent, other).

    Raises:
        RuntimeError: the tangents do not have the form of the primals.

    >>> import tinygrad_dl as td
    >>> td.func.jvp(lambda x: x**3, (td.tensor(2.0),), (td.tensor(1.0),))
    (tensor(8.), tensor(12.))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.jvp.html
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        got = primals if not isinstance(primals, tuple | list) else tangents
        raise RuntimeError(
            f"jvp: got {type(got).__name__}, expected tuples of primals and of tangents; write jvp(f, (x,), (t,))"
        )
    leaves, form = flatten(tuple(primals))
    directions, other = flatten(tuple(tangents))
    if form != other:
        raise RuntimeError(
            f"jvp: got tangents of the form {shown(tangents)}, expected that of the primals, {shown(primals)}"
        )
    if not leaves:
        raise RuntimeError("jvp: got no primals, expected at least one tensor")
    for x, t in zip(leaves, directions, strict=True):
        fit_tangent("jvp", x, t)
    with DualLevel() as level:
        for i, t in enumerate(directions):  # changes in place reach the tangent, which two primals may not share
            if any(t is each for each in directions[:i]):
                directions[i] = t.clone()
        entered = [
            level.lift(x, t if t.dtype == x.dtype else t.to(x.dtype)) for x, t in zip(leaves, directions, strict=True)
        ]
        out = func(*unflatten(entered, form))
        aux: Any = None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise RuntimeError(f"jvp: got {shown(out)} with has_aux=True, expected a tuple (result, other)")
            out, aux = out
        results, structure = tensors_of("jvp", out)
        values, found = [], []
        for each in results:
            value, tangent = level.parts(each)
            if tangent is None:
                if strict:
                    raise RuntimeError(
                        f"jvp: got a result of shape {value.shape} that does not depend on the primals, expected one "
                        "that does; pass strict=False for zeros"
                    )
                tangent = zeros_like(value).detach()
            values.append(value)
            found.append(tangent)
        aux = change(aux, lambda each: level.parts(each)[0])
    pair = unflatten(values, structure), unflatten(found, structure)
    return (*pair, aux) if has_aux else pair


def fit_tangent(what: str, primal: Any, tangent: Any) -> None:
    """Raises if a tangent is none of this primal's."""
    for name, each in (("primal", primal), ("tangent", tangent)):
        if not isinstance(each, Tensor):
            raise RuntimeError(f"{what}: got a {name} of type {type(each).__name__}, expected a tensor")
    if not is_differentiable(primal.dtype):
        raise RuntimeError(
            f"{what}: got a primal of dtype {primal.dtype}, expected a floating or complex one; convert it with "
            f".float()"
        )
    if tangent.shape != primal.shape:
        raise RuntimeError(
            f"{what}: got a tangent of shape {tangent.shape}, expected that of its primal, {primal.shape}"
        )
    if not is_differentiable(tangent.dtype):
        raise RuntimeError(f"{what}: got a tangent of dtype {tangent.dtype}, expected its primal's, {primal.dtype}")


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The result of `func(*primals)`, and its derivative there as a function of the tangents.

    The function runs once. The derivative, a linear function, is kept as a graph, and each call goes through it alone.
    Inside of other transforms both can be differentiated by what the primals were made from.

    Returns:
        (result, jvp_fn); `jvp_fn(*tangents)` returns the tangent of the result, in its form.

    >>> import tinygrad_dl as td
    >>> out, push = td.func.linearize(td.sin, td.tensor(0.0))
    >>> push(td.tensor(2.0))
    tensor(2.)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.linearize.html
    """
    leaves, form = flatten(primals)
    for each in leaves:
        fit_tangent("linearize", each, each)
    with enable_grad(), Differentiating():
        places = [own_place(each, batches_around()) for each in leaves]
        results, structure = tensors_of("linearize", func(*unflatten(places, form)))
        asked = [i for i, each in enumerate(results) if plain_edges(each)]
        seeds = [fresh(zeros_like(results[i])) for i in asked]
        options = {"retain_graph": True, "create_graph": True, "allow_unused": True}
        gradients = (
            autograd.grad([results[i] for i in asked], places, seeds, **options) if asked else [None] * len(places)
        )
    again = modes.grad and reaches_beyond(results, places)

    def push(*tangents: Any) -> Any:
        directions, other = flatten(tangents)
        if other != form:
            raise RuntimeError(
                f"linearize: got tangents of the form {shown(tangents)}, expected that of the primals, {shown(primals)}"
            )
        for x, t in zip(leaves, directions, strict=True):
            fit_tangent("linearize", x, t)
        pairs = [(g, t) for g, t in zip(gradients, directions, strict=True) if g is not None and plain_edges(g)]
        found: list[Any] = [None] * len(results)
        if pairs:
            recorded = again or (modes.grad and any(plain_edges(t) for _, t in pairs))
            options = {"retain_graph": True, "create_graph": recorded, "allow_unused": True}
            carried = autograd.grad([g for g, _ in pairs], seeds, [t for _, t in pairs], **options)
            for i, each in zip(asked, carried, strict=True):
                found[i] = each
        return unflatten(
            [zeros_like(r).detach() if t is None else t for r, t in zip(results, found, strict=True)], structure
        )

    return unflatten(results if again else [cut(each) for each in results], structure), push
