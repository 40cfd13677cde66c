"""`autograd.Function` inside of transforms: by its static methods `jvp` and `vmap`, or as `generate_vmap_rule` says."""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_dl.core.function import Context, Function, backward_of
from tinygrad_dl.core.mutations import buffer_owner, mutations
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted, innermost, memory_of
from tinygrad_dl.creation import zeros_like
from tinygrad_dl.func.trees import change, flatten, matched, shown, unflatten
from tinygrad_dl.ops.tensor.inplace import root_of


class VmapInfo(NamedTuple):
    """What the static method `vmap` of a Function is told of the vmap that it is called in."""

    batch_size: int
    randomness: str


def require_setup(function: type[Function], level: Any) -> None:
    """Context and result belong to one level, so that each level has to make a context of its own."""
    if function.setup_context is Function.setup_context:
        raise RuntimeError(
            f"{function.__name__}: got forward(ctx, ...) inside of {level.name}, expected forward(...) without ctx, "
            "and setup_context(ctx, inputs, output) as a static method; split forward in two"
        )


# -- forward mode -------------------------------------------------------------------------------------


def with_tangents(function: type[Function], level: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a Function at the primals, with the tangents that its `jvp` returns."""
    pairs = [level.parts(each) for each in args]
    primals = tuple([primal for primal, _ in pairs])
    if function.jvp is Function.jvp:
        raise RuntimeError(
            f"{function.__name__}: got a tensor with a tangent, expected a Function with jvp(ctx, *tangents) as a "
            "static method, which forward mode needs"
        )
    ctx = Context()
    if innermost(primals) is None:
        out = function.run(ctx, primals, kwargs)
    else:
        require_setup(function, level)
        out = function.apply(*primals, **kwargs)
        function.setup_context(ctx, primals, out)
    given = [
        zeros_like(primal) if tangent is None and ctx.materialize_grads and has_tangents(primal) else tangent
        for primal, tangent in pairs
    ]
    ctx.saved_tensors = ctx._for_forward
    before = [version_of(each) for each in given]
    tangents = function.jvp(ctx, *given)
    ctx.saved_tensors = ()
    single = type(out) not in (tuple, list)
    results = [out] if single else list(out)
    found = [tangents] if not isinstance(tangents, tuple | list) else list(tangents)
    if len(found) != len(results):
        raise RuntimeError(
            f"{function.__name__}.jvp: got {len(found)} tangents from it, expected {len(results)}: one for each result "
            "of forward, None for those without"
        )
    arguments = [Argument(*each) for each in zip(args, primals, given, before, strict=True)]
    lifted = [_lifted(function, ctx, level, arguments, *each) for each in zip(results, found, strict=True)]
    return lifted[0] if single else type(out)(lifted)


def has_tangents(value: Any) -> bool:
    """Whether a value is a tensor that may have a tangent."""
    return isinstance(value, Tensor) and is_differentiable(value.dtype)


class Argument(NamedTuple):
    """An argument of a Function in forward mode: as it was given, without its tangent, and the tangent for `jvp`."""

    given: Any
    primal: Any
    tangent: Any
    version: int  # of the tangent, before `jvp`


def version_of(tangent: Any) -> int:
    """How often the memory of a tangent was changed."""
    return mutations.version(memory_of(tangent)) if isinstance(tangent, Tensor) else 0


def _lifted(
    function: type[Function], ctx: Context, level: Any, arguments: list[Argument], result: Any, tangent: Any
) -> Any:
    """A result with its tangent; the argument itself, if it was changed in place."""
    if tangent is None or not isinstance(result, Tensor):
        return result
    if not is_differentiable(result.dtype) or any(result is each for each in ctx._non_differentiable):
        raise RuntimeError(
            f"{function.__name__}.jvp: got a tangent from it for a result that is not differentiable, expected None at "
            "its place"
        )
    if not isinstance(tangent, Tensor) or tangent.shape != result.shape:
        got = f"shape {tangent.shape}" if isinstance(tangent, Tensor) else f"type {type(tangent).__name__}"
        raise RuntimeError(
            f"{function.__name__}.jvp: got a tangent of {got} from it, expected a tensor of the result's shape "
            f"{result.shape}"
        )
    for each in arguments:
        if each.primal is result and isinstance(each.given, Lifted):
            if tangent is not each.tangent or version_of(tangent) == each.version:
                raise RuntimeError(
                    f"{function.__name__}.jvp: got another tangent from it for an argument that forward changes in "
                    "place, expected the argument's own, changed in place too"
                )
            return each.given
        if shows(result, each.primal) and (
            tangent is each.tangent or buffer_owner(memory_of(tangent)) is not buffer_owner(memory_of(each.tangent))
        ):
            raise RuntimeError(
                f"{function.__name__}.jvp: got a tangent of its own from it for a result that is a view of an argument "
                "or the argument itself, expected the same view of the argument's tangent: t.view_as(t)"
            )
    return level.lift(result, tangent)


def shows(result: Tensor, primal: Any) -> bool:
    """Whether a result of forward is a view of an argument, or has its array."""
    if not isinstance(primal, Tensor) or isinstance(primal, Lifted) or isinstance(result, Lifted):
        return False
    return result._data is primal._data or (result._view is not None and root_of(result) is root_of(primal))


# -- vmap ---------------------------------------------------------------------------------------------


def of_examples(function: type[Function], level: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a Function for a batch of examples."""
    name = function.__name__
    if function.generate_vmap_rule and function.vmap is not Function.vmap:
        raise RuntimeError(f"{name}: got both generate_vmap_rule=True and vmap, expected one of them; delete the other")
    if not function.generate_vmap_rule and function.vmap is Function.vmap:
        raise RuntimeError(
            f"{name}: got a tensor inside of vmap, expected a Function with vmap(info, in_dims, *args) as a static "
            "method; write it, or set generate_vmap_rule = True if all its methods are made of operations of tensors"
        )
    require_setup(function, level)
    below, in_dims = lowered(level, args)
    if function.generate_vmap_rule:
        form, out_dims = batched_form(function, level, in_dims)
        out = form.apply(*below, **kwargs)
        return lifted(level, out, out_dims)
    given = function.vmap(VmapInfo(level.size, level.randomness), in_dims, *below, **kwargs)
    if not isinstance(given, tuple) or len(given) != 2:
        raise RuntimeError(f"{name}.vmap: got {shown(given)} from it, expected a tuple (output, out_dims)")
    out, dims = given
    try:
        flat = matched(dims, out, f"{name}.vmap: out_dims")
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    return lifted(level, out, flat)


def own(level: Any, value: Any) -> bool:
    """Whether a value is a tensor lifted to this level."""
    return isinstance(value, Lifted) and value.level is level


def lowered(level: Any, tree: Any) -> tuple[Any, Any]:
    """A tree with the batches of a level in the place of examples, and where in it these are: 0, or None."""
    return change(tree, lambda each: each.value if own(level, each) else each), dims_of(level, tree)


def dims_of(level: Any, tree: Any) -> Any:
    """Where in a tree the batches of a level are: 0 for each of its tensors, None elsewhere."""
    return change(tree, lambda each: 0 if own(level, each) else None)


def lifted(level: Any, tree: Any, dims: list[Any]) -> Any:
    """The tree with examples in the place of batches, whose dimensions are listed leaf by leaf."""
    leaves, structure = flatten(tree)
    found = []
    for each, dim in zip(leaves, dims, strict=True):
        batched = dim is not None and isinstance(each, Tensor)
        found.append(level.lift(each if dim == 0 else each.movedim(dim, 0)) if batched else each)
    return unflatten(found, structure)


def batched_form(function: type[Function], level: Any, in_dims: Any) -> tuple[type[Function], list[Any]]:
    """A Function for a batch, each method of which is that of the given one inside of a vmap; and its `out_dims`.

    `out_dims` are filled by its forward.
    """
    given_dims = flatten(in_dims)[0]
    out_dims: list[Any] = []

    def inside() -> Any:
        return type(level)(level.size, level.randomness)

    class Form(Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*args: Any, **kwargs: Any) -> Any:
            with inside() as inner:
                below, dims = lowered(inner, function.forward(*lifted(inner, args, given_dims), **kwargs))
            out_dims[:] = flatten(dims)[0]
            return below

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            ctx.example = Context()
            ctx.example.needs_input_grad = ctx.needs_input_grad
            with inside() as inner:
                entered = lifted(inner, inputs, given_dims), lifted(inner, output, out_dims)
                function.setup_context(ctx.example, *entered)
                saved, ctx.saved_dims = lowered(inner, ctx.example._to_save)
                for_forward, ctx.forward_dims = lowered(inner, ctx.example._for_forward)
                leaves = flatten(entered[1])[0]
                whole = flatten(output)[0]
                constants = [
                    w
                    for w, e in zip(whole, leaves, strict=True)
                    if any(e is n for n in ctx.example._non_differentiable)
                ]
            ctx.example._to_save = ()
            ctx.save_for_backward(*saved)
            ctx.save_for_forward(*for_forward)
            ctx.mark_non_differentiable(*constants)
            ctx.set_materialize_grads(ctx.example.materialize_grads)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            with inside() as inner:
                ctx.example.saved_tensors = lifted(inner, ctx.saved_tensors, list(ctx.saved_dims))
                found = backward_of(function)(ctx.example, *lifted(inner, gradients, out_dims))
                ctx.example.saved_tensors = ()
                each = list(found) if isinstance(found, tuple | list) else [found]
                return tuple([_gradient(inner, g, dim) for g, dim in zip(each, in_dims, strict=False)])

    def jvp(ctx: Any, *tangents: Any) -> Any:
        with inside() as inner:
            ctx.example.saved_tensors = lifted(inner, ctx.saved_tensors, list(ctx.forward_dims))
            dims = [None if t is None else d for t, d in zip(tangents, in_dims, strict=True)]
            found = function.jvp(ctx.example, *lifted(inner, tangents, dims))
            ctx.example.saved_tensors = ()
            several = isinstance(found, tuple | list)
            each = list(found) if several else [found]
            whole = [
                t if t is None or (dim is None and not own(inner, t)) else inner.lowered(t)
                for t, dim in zip(each, out_dims, strict=True)
            ]
            return tuple(whole) if several else whole[0]

    if function.jvp is not Function.jvp:
        Form.jvp = staticmethod(jvp)  # type: ignore[method-assign]
    Form.__name__ = function.__name__
    return Form, out_dims


def _gradient(level: Any, gradient: Any, dim: Any) -> Any:
    """The gradient of an argument: of what is the same for all examples, the sum of theirs."""
    if not isinstance(gradient, Tensor):
        return None
    if dim is not None:
        return level.lowered(gradient)
    return gradient.value.sum(0) if isinstance(gradient, Lifted) and gradient.level is level else gradient
