"""Whole derivatives: `jacrev` row by row, `jacfwd` column by column, `hessian` as one over the other."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from tinygrad_dl.core.device import device_of
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import memory_of
from tinygrad_dl.creation import eye, zeros
from tinygrad_dl.func.forward import jvp
from tinygrad_dl.func.reverse import vjp
from tinygrad_dl.func.trees import argument_numbers, change, flatten, tensors_of, unflatten
from tinygrad_dl.func.vectorize import batched_function, check_options, vmap
from tinygrad_dl.ops.shape.joining import stack


def jacrev(
    func: Callable[..., Any],
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of `func`, by reverse mode: for functions with few results.

    Args:
        func: takes and returns tensors, or nested containers of them.
        argnums: the number of the argument to differentiate by, or a tuple of several.
        has_aux: `func` returns (result, other); then (Jacobian, other) is returned.
        chunk_size: at most how many rows at once; 1 goes through them without vmap.

    Returns:
        A function of the same arguments. Its result has the form of `func`'s, each tensor replaced by the form of the
        argument, of tensors of shape (*result's, *argument's).

    >>> import tinygrad_dl as td
    >>> td.func.jacrev(lambda x: x**2)(td.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.jacrev.html
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        picked, closed, single = _closed("jacrev", func, argnums, args, kwargs)
        out, pull, *aux = vjp(closed, *picked, has_aux=has_aux)
        results, form = results_of("jacrev", out)
        sizes = [each.numel() for each in results]
        seeds = [_identity(each, sizes, i) for i, each in enumerate(results)]
        if (chunk_size == 1 and sum(sizes)) or sum(sizes) == 1:  # without vmap: gradients whose values can be looked at
            rows = [flatten(pull(unflatten([seed[i] for seed in seeds], form))) for i in range(sum(sizes))]
            leaves, inner = [stack(list(column)) for column in zip(*[row for row, _ in rows], strict=True)], rows[0][1]
        else:
            leaves, inner = flatten(vmap(lambda rows: pull(unflatten(rows, form)), chunk_size=chunk_size)(seeds))
        per_result = []
        start = 0
        for each, size in zip(results, sizes, strict=True):
            parts = [leaf[start : start + size].reshape((*each.shape, *leaf.shape[1:])) for leaf in leaves]
            tree = unflatten(parts, inner)
            per_result.append(tree[0] if single else tree)
            start += size
        whole = unflatten(per_result, form)
        return (whole, aux[0]) if has_aux else whole

    return jacobian


def jacfwd(
    func: Callable[..., Any],
    argnums: Any = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that returns the Jacobian of `func`, by forward mode: for functions with few inputs.

    Takes and returns what `jacrev` does.

    >>> import tinygrad_dl as td
    >>> td.func.jacfwd(lambda x: x**2)(td.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.jacfwd.html
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        picked, closed, single = _closed("jacfwd", func, argnums, args, kwargs)
        leaves, form = flatten(picked)
        sizes = [each.numel() for each in leaves]
        seeds = [_identity(each, sizes, i) for i, each in enumerate(leaves)]

        def column(directions: list[Any]) -> Any:
            out, tangent, *aux = jvp(closed, picked, unflatten(directions, form), has_aux=has_aux)
            results_of("jacfwd", out)
            if not has_aux:
                return tangent, [], None
            more, structure = flatten(aux[0])
            others = [None if isinstance(each, Tensor) else each for each in more]
            return tangent, [each for each in more if isinstance(each, Tensor)], (others, structure)

        # What a column returns beside its tangent is the same for all, but may have been made as if it were not.
        out_dims = (-1, 0, None)
        check_options(randomness, chunk_size)
        found = batched_function(column, 0, out_dims, randomness, chunk_size, alike=True)(seeds)

        def pieces(whole: Any) -> Any:
            shape, parts, start = whole.shape[:-1], [], 0
            for leaf, size in zip(leaves, sizes, strict=True):
                parts.append(whole[..., start : start + size].reshape((*shape, *leaf.shape)))
                start += size
            tree = unflatten(parts, form)
            return tree[0] if single else tree

        whole = change(found[0], pieces)
        if not has_aux:
            return whole
        tensors = iter(found[1])
        others, structure = found[2]
        return whole, unflatten([next(tensors)[0] if each is None else each for each in others], structure)

    return jacobian


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """A function that returns the matrix of second derivatives of `func`: forward mode over reverse mode.

    >>> import tinygrad_dl as td
    >>> td.func.hessian(lambda x: (x**3).sum())(td.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.hessian.html
    """
    return jacfwd(jacrev(func, argnums), argnums)


def hvp(func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The result of `func(*primals)`, a scalar, and the product of its Hessian with the tangents.

    Forward mode over reverse mode: H v at some three times the cost of the gradient, without H.

    Returns:
        (result, products), the products in the form of the primals.

    >>> import tinygrad_dl as td
    >>> td.func.hvp(lambda x: (x**3).sum(), (td.tensor([1.0, 2.0]),), (td.tensor([1.0, 1.0]),))
    (tensor(9.), (tensor([ 6., 12.]),))
    """
    from tinygrad_dl.func.reverse import grad_and_value

    numbers = tuple(range(len(primals)))
    (_, value), (products, _) = jvp(grad_and_value(func, numbers), tuple(primals), tuple(tangents))
    return value, products


def require_real(what: str, name: str, tensor: Any) -> None:
    """Raises for complex numbers, by which a Jacobian is not one matrix."""
    if isinstance(tensor, Tensor) and tensor.is_complex():
        raise RuntimeError(
            f"{what}: got {name} of dtype {tensor.dtype}, expected real ones; differentiate a function of the real "
            "and imaginary parts, view_as_real(z)"
        )


def results_of(what: str, out: Any) -> tuple[list[Any], Any]:
    """The tensors that a function returned, of which there must be one at least, and real ones alone."""
    results, form = tensors_of(what, out)
    for each in results:
        require_real(what, "a result", each)
    return results, form


def _closed(
    what: str, func: Callable[..., Any], argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], Callable[..., Any], bool]:
    """The arguments to differentiate by, and a function of these alone."""
    single = isinstance(argnums, int)
    numbers = argument_numbers(what, argnums, len(args))
    for n in numbers:
        for each in flatten(args[n])[0]:
            require_real(what, "an argument", each)

    def closed(*picked: Any) -> Any:
        whole = list(args)
        for n, each in zip(numbers, picked, strict=True):
            whole[n] = each
        return func(*whole, **kwargs)

    return tuple(args[n] for n in numbers), closed, single


def _identity(tensor: Tensor, sizes: list[int], position: int) -> Any:
    """One tensor's part of the directions: as many as all elements of all tensors, each of this tensor's shape."""
    total, before, own = sum(sizes), sum(sizes[:position]), sizes[position]
    kind: dict[str, Any] = dict(dtype=tensor.dtype, device=device_of(memory_of(tensor)))
    if len(sizes) == 1:
        return eye(own, **kind).reshape(own, *tensor.shape)
    directions = zeros(total, own, **kind)
    directions[before : before + own] = eye(own, **kind)
    return directions.reshape(total, *tensor.shape) if math.prod(tensor.shape) else zeros(total, *tensor.shape, **kind)
