"""`Function`: operations with a hand-written backward, as in PyTorch."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_dl.core.engine import conjugate, unbroadcast
from tinygrad_dl.core.graph import Edge, Node, refusing
from tinygrad_dl.core.modes import modes, no_grad, set_grad_enabled
from tinygrad_dl.core.mutations import changed_at, mutations, next_seq
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.runtime import connect_outputs, output_edge
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import innermost, stack
from tinygrad_dl.core.warning import warn
from tinygrad_dl.ops.tensor.inplace import rebase, require_recordable, show

__all__ = ["Context", "Function", "once_differentiable"]


class Function:
    """An operation with a hand-written backward, as in PyTorch.

    Subclass it with static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`, which returns a
    gradient (or None) for each argument, and call `apply`. Or define `forward(*args)` and, apart from it,
    `setup_context(ctx, inputs, output)`. For an operation of NumPy functions, `@td.op` is
    shorter and is tested by `tinygrad_dl.testing.check_op`.

    >>> import tinygrad_dl as td
    >>> class Cube(td.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = td.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)

    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the result; nothing in it is recorded."""
        raise NotImplementedError(
            "Function: got a subclass without forward, expected forward(ctx, *args) as a static method"
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Saves what backward needs, where `forward` takes no ctx: called with its arguments and its result.

        >>> import tinygrad_dl as td
        >>> class Square(td.autograd.Function):
        ...     @staticmethod
        ...     def forward(x):
        ...         return x * x
        ...     @staticmethod
        ...     def setup_context(ctx, inputs, output):
        ...         ctx.save_for_backward(*inputs)
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         return 2 * g * ctx.saved_tensors[0]
        >>> x = td.tensor(3.0, requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad
        tensor(6.)
        """
        raise NotImplementedError(
            "Function: got a subclass without setup_context, expected setup_context(ctx, inputs, output)"
        )

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Returns the gradient of each argument of `forward`. A subclass may call it `vjp` as well."""
        raise RuntimeError(
            "Function: got a subclass without backward, expected backward(ctx, *grad_outputs) as a static method"
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Returns the tangent of each result, for forward mode; a tangent is None where the argument is no tensor.

        What it reads, `setup_context` keeps with `ctx.save_for_forward`.

        >>> import tinygrad_dl as td
        >>> class Square(td.autograd.Function):
        ...     @staticmethod
        ...     def forward(x):
        ...         return x * x
        ...     @staticmethod
        ...     def setup_context(ctx, inputs, output):
        ...         ctx.save_for_forward(*inputs)
        ...     @staticmethod
        ...     def jvp(ctx, t):
        ...         return 2 * t * ctx.saved_tensors[0]
        >>> td.func.jvp(Square.apply, (td.tensor(3.0),), (td.tensor(1.0),))
        (tensor(9.), tensor(6.))

        Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.Function.jvp.html
        """
        raise RuntimeError("Function: got a subclass without jvp, expected jvp(ctx, *tangents) for forward mode")

    generate_vmap_rule = False  # whether inside of vmap all its methods are run inside of vmap too

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """Returns (output, out_dims) of a batch of examples: inside of vmap it is called in the place of `apply`.

        Args:
            info: has `batch_size` and `randomness`.
            in_dims: where the batch is in each argument; None for one that is the same for all examples.
            args: the arguments, with the batch.

        Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.Function.vmap.html
        """
        raise NotImplementedError("Function: got a subclass without vmap, expected vmap(info, in_dims, *args)")

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward` and records one node; inside of transforms what belongs to the innermost."""
        if cls.setup_context is not Function.setup_context:
            args = with_defaults(cls.forward, args)
        if stack.levels:
            level = innermost(args)
            named = innermost(kwargs.values())
            if named is not None:
                raise NotImplementedError(
                    f"{cls.__name__}.apply: got a tensor inside of {named.name} by name, expected tensors by position "
                    "alone, as derivatives and batches belong to these"
                )
            if level is not None:
                return level.apply_function(cls, args, kwargs)
        return cls.run(Context(), args, kwargs)

    @classmethod
    def run(cls, ctx: Context, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs `forward` on plain tensors with this context and records one node."""
        inputs = [a if isinstance(a, Tensor) else None for a in args]
        ctx.needs_input_grad = tuple(t is not None and t._edge is not None for t in inputs)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                out = cls.forward(ctx, *args, **kwargs)
            else:
                out = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, out)
        single = type(out) not in (tuple, list)
        found = [out] if single else list(out)
        places = [i for i, each in enumerate(found) if isinstance(each, Tensor)]
        if single and not places:
            raise TypeError(f"{cls.__name__}.forward: expected a tensor or a tuple, got {type(out).__name__}")
        changed = {i: t for i, t in enumerate(found) if any(t is each for each in ctx._dirty)}
        returned = sum(any(t is each for t in changed.values()) for each in ctx._dirty)
        if returned != len(ctx._dirty):
            raise RuntimeError(
                f"{cls.__name__}: got {len(ctx._dirty)} tensors in mark_dirty, {returned} of them among the "
                "outputs, expected all; forward must return each tensor that it changes in place"
            )
        if not (modes.grad and any(ctx.needs_input_grad)):
            results = [t if i in changed or not aliased(t, inputs) else wrap(t._data) for i, t in enumerate(found)]
            return results[0] if single else type(out)(results)
        rules = FunctionRules(cls, ctx, inputs, None if single else places, len(found))
        # An argument handed back gets a place of its own in the graph, also one that was changed in place.
        results = [wrap(t._data) if i in changed or aliased(t, inputs) else t for i, t in enumerate(found)]
        tensors = [results[i] for i in places]
        node = Node()
        node.plan, node.hooks = rules, None
        node.edges = tuple(None if t is None else t._edge for t in inputs)
        # Outputs are saved as bare arrays: a node must not refer to its own output.
        node.saved = tuple(ctx._pack(inputs, tensors, list(changed.values())))
        for tensor in changed.values():
            if is_differentiable(tensor.dtype):
                require_recordable(tensor, cls.__name__)
            mutations.record(tensor._data, changed_at(cls.__name__))
        node.seq = next_seq()  # the values that it saved are those after the changes
        if single:
            data = tensors[0]._data
            node.shape, node.dtype, tensors[0]._edge = data.shape, data.dtype, node
        else:
            connect_outputs(node, tensors)
        for i in places:
            if any(found[i] is t for t in ctx._non_differentiable):
                results[i]._edge = None
                if not ctx._materialize_non_diff_grads:
                    rules.left_out.add(i)
        for i in places:
            if i in changed:
                rebase(found[i], results[i]._edge)
                results[i] = found[i]
            elif results[i] is not found[i]:
                show(results[i], found[i])
            elif found[i]._view is not None:
                found[i]._view = (found[i]._view[0], None, (), None, True)
        return results[0] if single else type(out)(results)


def with_defaults(forward: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments with the defaults of those that were left out, which `setup_context` sees too."""
    defaults, code = getattr(forward, "__defaults__", None), getattr(forward, "__code__", None)
    if not defaults or code is None:
        return args
    missing = code.co_argcount - inspect.ismethod(forward) - len(args)
    return (*args, *defaults[-missing:]) if 0 < missing <= len(defaults) else args


def aliased(tensor: Any, inputs: Sequence[Any]) -> bool:
    """Whether a result is one of the arguments itself."""
    return isinstance(tensor, Tensor) and any(tensor is each for each in inputs)


class Context:
    """What `forward` and `backward` of a `Function` share: saved tensors and any attributes.

    Attributes:
        needs_input_grad: for each argument, whether a gradient is asked for.
        saved_tensors: in backward, what `save_for_backward` was given; arguments are the very same tensors.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] | None = ()  # None after backward has run
    materialize_grads = True
    _materialize_non_diff_grads = True  # whether outputs that were marked non-differentiable have zeros too
    _to_save: tuple[Any, ...] = ()
    _for_forward: tuple[Any, ...] = ()
    _non_differentiable: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()

    @property
    def saved_tensors(self) -> Any:
        """What was saved, in backward; afterwards there is nothing left of it.

        Raises:
            RuntimeError: backward has run.
        """
        if self._saved is None:
            raise RuntimeError(
                "saved_tensors: got a ctx whose backward has run, expected one inside of backward; keep the tensors "
                "themselves if they are needed later, or read grad_fn.saved_tensors while the graph is there"
            )
        return self._saved

    @saved_tensors.setter
    def saved_tensors(self, values: Any) -> None:
        self._saved = values

    @property
    def saved_variables(self) -> Any:
        """The old name of `saved_tensors`."""
        warn("ctx.saved_variables is deprecated: its name is ctx.saved_tensors", DeprecationWarning)
        return self.saved_tensors

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps tensors (arguments, outputs or others, or None) for `saved_tensors` in backward."""
        for position, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward: got a {type(tensor).__name__} for argument {position}, expected a tensor or "
                    "None; keep other things as attributes: ctx.name = value"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keeps tensors (arguments, outputs or others, or None) for `saved_tensors` in jvp."""
        self._for_forward = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says that these outputs have no gradient."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says that forward changed these arguments in place; it must return them."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that was not used."""
        self.materialize_grads = value

    def _pack(self, arguments: Sequence[Any], results: Sequence[Tensor], changed: Sequence[Any]) -> list[Any]:
        """The saved tensors as (array, where its edge is found: argument i, output i, or nowhere; the tensor, weakly).

        Arguments that were changed in place count as the outputs that they have become.
        """
        packed: list[Any] = []
        for tensor in self._to_save:
            place, known = None, None
            if tensor is not None:
                known = weakref.ref(tensor)
                for i, each in enumerate(arguments):
                    if each is not None and each._data is tensor._data and not any(each is t for t in changed):
                        place = ("in", i)
                for i, each in enumerate(results):
                    if each._data is tensor._data and place is None:
                        place, known = ("out", i), None
            packed.append((None if tensor is None else tensor._data, place, known))
        self._to_save = ()
        return packed


def backward_of(function: type[Function]) -> Callable[..., Any]:
    """The hand-written backward, by either of its names."""
    if function.backward is not Function.backward and function.vjp is not Function.vjp:
        raise RuntimeError(
            f"{function.__name__}: got both backward and vjp, which are two names of the same, expected one of them"
        )
    return function.backward if function.backward is not Function.backward else function.vjp


class FunctionRules:
    """The rules of a node that a `Function` made.

    Args:
        places: which of the `count` outputs are tensors, or None if there is one output, by itself.
    """

    broadcasts = changeable = single = False
    suffix = "Backward"

    def __init__(
        self, function: type[Function], ctx: Context, inputs: Sequence[Any], places: list[int] | None, count: int
    ):
        self.function, self.ctx, self.places, self.count = function, ctx, places, count
        self.backward = backward_of(function)
        self.shapes = [None if t is None else t.shape for t in inputs]
        self.name, self.multiple, self.keeps_arrays = function.__name__, places is not None, bool(ctx._to_save)
        self.materializes = ctx.materialize_grads
        self.left_out: set[int] = set()  # outputs whose gradient is None for backward

    def run(self, g: Any, saved: Any) -> Sequence[Any]:
        recorded = isinstance(saved, list)
        self.ctx.saved_tensors = tuple(saved if recorded else [unpacked(*each) for each in saved])
        gradients: list[Any] = [None] * self.count
        for place, each in zip(self.places or [0], g if self.multiple else [g], strict=True):
            if each is not None and place not in self.left_out:
                gradients[place] = conjugate(each if isinstance(each, Tensor) else wrap(each))
        with set_grad_enabled(recorded and modes.grad):
            out = self.backward(self.ctx, *gradients)
        self.ctx.saved_tensors = None
        given = tuple(out) if isinstance(out, tuple | list) else (out,)
        expected = len(self.shapes)
        if len(given) < expected or any(each is not None for each in given[expected:]):
            raise RuntimeError(
                f"{self.name}.backward: got {len(given)} gradients from it, expected {expected}: one for each argument "
                "of forward, None for those without"
            )
        results = []
        for each, shape in zip(given, self.shapes, strict=False):
            found = each if recorded or not isinstance(each, Tensor) else each._data
            if found is not None and shape is not None and found.shape != shape and extends(found.shape, shape):
                found = unbroadcast(found, shape)
            results.append(None if found is None else conjugate(found))
        return results

    def toward(self, edges: Sequence[Any], useful: Any) -> FunctionRules:
        return self

    def reconnected(self, node: Node, saved: Any) -> Any:
        values: list[Any] = []
        for array, place, known in saved:
            edge: Edge | None = None
            if place is not None and place[0] == "in":
                edge = node.edges[place[1]]
            elif place is not None:
                edge = output_edge(node, place[1]) if self.multiple else node
            tensor = unpacked(array, place, known)
            if tensor is not None and place is not None and tensor._edge is not edge:
                tensor = wrap(array)
                tensor._edge = edge
            values.append(tensor)
        return values

    def argument(self, position: int) -> str:
        """The name of the parameter of `forward`; of one of those that a `*args` takes, its number."""
        forward = self.function.forward
        code = getattr(forward, "__code__", None)
        # cls of a class method and ctx come first.
        place = position + inspect.ismethod(forward) + (self.function.setup_context is Function.setup_context)
        if code is None or place >= code.co_argcount:
            return f"argument {position}"
        return str(code.co_varnames[place])


def unpacked(array: Any, place: Any, known: Any) -> Any:
    """A saved tensor: the one that was given, if it is still there with the same memory."""
    tensor = known and known()
    if tensor is not None and tensor._data is array:
        return tensor
    return None if array is None else wrap(array)


def extends(shape: tuple[int, ...], original: tuple[int, ...]) -> bool:
    """Whether a broadcast of `original` may have `shape`."""
    if len(shape) < len(original):
        return False
    pairs = zip(reversed(shape), reversed(original), strict=False)
    return all(size == n or n == 1 for size, n in pairs)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a `Function.backward` that is not made of operations with gradients.

    It is then never recorded, and differentiating its results is an error rather than a wrong number.

    >>> import tinygrad_dl as td
    >>> class Double(td.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @td.autograd.function.once_differentiable
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = td.tensor(1.0, requires_grad=True)
    >>> td.autograd.grad(Double.apply(x), x)
    (tensor(2.),)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.function.once_differentiable.html
    """

    @functools.wraps(backward)
    def wrapped(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            out = backward(ctx, *gradients)
        asked = [g for g in (*gradients, *ctx.saved_tensors) if isinstance(g, Tensor) and g._edge is not None]
        if not modes.grad or not asked:
            return out
        given = out if isinstance(out, tuple | list) else (out,)
        refused = [g if g is None else wrap(g._data) for g in given]
        for each in refused:
            if each is not None:
                each._edge = refusing(each, [t._edge for t in asked], "OnceDifferentiable", SECOND_DERIVATIVE)
        return tuple(refused) if isinstance(out, tuple | list) else refused[0]

    return wrapped


SECOND_DERIVATIVE = (
    "backward: got a second derivative through a Function whose backward is marked with @once_differentiable, expected "
    "a first; take the mark away if all that backward does is recorded, or write its gradient as a Function too"
)
