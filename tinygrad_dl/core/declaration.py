"""@op: one declaration makes the function, the method, the operator, NumPy's dispatch and the registry entry.

An op is a function of arrays and gradient rules whose parameter names say what they read:

    @op(np.multiply, operator="mul", inputs=broadcasting(real(), real()))
    def mul(input: Array, other: Array) -> Array:
        return np.multiply(input, other)

    mul.vjp(input=lambda g, other: g * other,
            other=lambda g, input: g * input)

A rule may read `g` (the output's gradient), `out` (the output), an argument by its name, `<argument>_shape`,
an output or auxiliary value by its name, and `needs` (joint rules: which gradients are asked for). For each
pattern of arguments that require a gradient a `Plan` says what to save and which rules to run.

The function that users call is generated from the signature: see `tinygrad_dl.core.generate`.
"""

from __future__ import annotations

import types
from collections import UserDict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from tinygrad_dl.core import lazy
from tinygrad_dl.core.contents import Contents
from tinygrad_dl.core.dispatch import NUMPY, called
from tinygrad_dl.core.inference import new_in_inference, wrap_in_inference
from tinygrad_dl.core.methods import methods, numpy_form, operators, require_free
from tinygrad_dl.core.modes import recording
from tinygrad_dl.core.op import Op, has_integers
from tinygrad_dl.core.runtime import SCOPE
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.inputs import Case, ErrorCase, broadcasting
from tinygrad_dl.inputs import real as number

P = ParamSpec("P")
R = TypeVar("R", covariant=True)  # what a call returns


if TYPE_CHECKING:
    Array = Any
    Arrays = Any
else:

    class Array:
        """Marks a parameter as a tensor: an array inside the op, a tensor, array or number for its caller."""

    class Arrays:
        """Marks a parameter as a sequence of tensors."""


class Registry(UserDict[str, Op]):
    """All ops, by `Op.key`; a file that is not loaded yet is, when an op of it, or all ops, are asked for."""

    def __getitem__(self, key: str) -> Op:
        lazy.load_name("ops", key)
        return self.data[key]

    def __contains__(self, key: object) -> bool:
        lazy.load_name("ops", str(key))
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        lazy.load_all()
        return iter(self.data)

    def __len__(self) -> int:
        lazy.load_all()
        return len(self.data)


REGISTRY = Registry()
OURS = "tinygrad_dl."  # begins the names of the modules whose ops go without their module's name


class OpFunction(Protocol[P, R]):
    """A declared op: an ordinary function that also carries its declaration."""

    __name__: str
    op: Op
    generic: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    def vjp(self, **rules: Callable[..., Any] | None) -> None:
        """Declares the gradient rule of each named argument; None: has no gradient."""

    def joint_vjp(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates one rule that returns the gradients of all the named arguments, as a tuple."""

    def jvp(self, **rules: Callable[..., Any] | None) -> None:
        """Declares what the tangent of each named argument brings to that of the output; None: nothing."""

    def joint_jvp(self, *arguments: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates one rule for the tangents of all the named arguments, a tuple with None where there is none."""

    def value_and_jvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares how arrays go through the op together with their tangents, where the two share work."""

    def vmap(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares what the op does with tensors that have a batch dimension in front."""

    def decompose(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Declares the op as other ops."""


if TYPE_CHECKING:

    class Declared(TypedDict, total=False):
        """The keywords of `op` but for `outputs`, which says what a call returns."""

        kind: str
        linear: tuple[str, ...]
        name: str | None
        method: str | bool | None
        operator: str | None
        inplace: bool
        view: bool
        floating: bool | None
        promote: bool | tuple[str, ...] | None
        exact: bool | None
        changeable: bool
        alike: tuple[str, ...]
        real: bool
        scalars: str
        keeps_format: bool
        constants: tuple[str, ...]
        differentiable: bool
        aux: dict[str, Callable[..., Any] | None] | None
        inputs: Case | dict[str, Any] | Sequence[Any]
        errors: Sequence[ErrorCase]
        reference: Callable[..., Any] | None
        namespace: str | None


@overload
def op(
    *numpy: Any, outputs: None = None, **declared: Unpack[Declared]
) -> Callable[[Callable[P, Any]], OpFunction[P, Tensor]]: ...
@overload
def op(
    *numpy: Any, outputs: type[R], **declared: Unpack[Declared]
) -> Callable[[Callable[P, Any]], OpFunction[P, R]]: ...
def op(
    *numpy: Any,
    kind: str = "general",
    linear: tuple[str, ...] = (),
    name: str | None = None,
    method: str | bool | None = None,
    operator: str | None = None,
    inplace: bool = False,
    view: bool = False,
    floating: bool | None = None,
    promote: bool | tuple[str, ...] | None = None,
    exact: bool | None = None,
    changeable: bool = False,
    alike: tuple[str, ...] = (),
    real: bool = False,
    scalars: str = "all",
    keeps_format: bool = False,
    constants: tuple[str, ...] = (),
    differentiable: bool = True,
    outputs: Any = None,
    aux: dict[str, Callable[..., Any] | None] | None = None,
    inputs: Case | dict[str, Any] | Sequence[Any] = (),
    errors: Sequence[ErrorCase] = (),
    reference: Callable[..., Any] | None = None,
    namespace: str | None = None,
) -> Callable[[Callable[P, Any]], OpFunction[P, Any]]:
    """Declares an op; decorates a function of arrays that returns an array.

    An op never takes another's place: a method, an operator or a NumPy function that has one already is an error.
    The names of ops are those of the module that declares them, so `norm` of yours stands beside ours. Only
    declaring the same function again, as running a notebook's cell twice does, replaces what it declared before.

    The body may be left out (a docstring alone) if the op is just what the first NumPy function does.

    Parameters annotated `Array`, and those with neither annotation nor default, are tensors; one annotated
    `Arrays` is a sequence of tensors; all others are options.

    Args:
        numpy: NumPy functions or ufuncs that reach this op when called on a tensor.
        kind: what kind of function it is, which brings what belongs to it:
            "elementwise": each element of the result comes from the elements at its place. Several tensors broadcast
            and are cast to a common dtype; the rule of gradients is that of forward mode; vmap aligns dimensions.
            "reduction", "scan": of the dimensions `dim`, or along it; vmap shifts them.
            "batched": any dimensions in front are taken as they are. "folded": the first dimension of its tensors is
            a batch already. "loss": elementwise with a `reduction` after it.
            "general": none of these. Forward mode goes by the rule of gradients, vmap through the examples, unless
            `jvp` and `vmap` say more.
        linear: tensors in each of which it is linear while the others are held: the tangent goes the same way.
        name: its name, if not the function's.
        method: whether it is a method of Tensor too, by default if it is of the namespace "td"; a string names the
            method.
        operator: the operator it is, such as "mul" for `*`, both ways round.
        inplace: whether there is an in-place method `<name>_` too.
        view: whether the result shows its first argument's memory.
        floating: whether integers are turned into the default floating dtype first; by default, if a ufunc with
            gradients has no loop for integers.
        promote: whether tensors are cast to a common dtype, or the names of those that are; by default, if they
            broadcast.
        exact: whether it moves, chooses or compares elements and computes none, so that half precision loses
            nothing; by default, if it is a view, or a ufunc without gradients. To the functions and rules of all
            other ops arrays of half precision are float32, and what they return is rounded, once.
        real: whether it is defined for real numbers alone, so that complex ones, which have no order, are refused.
        scalars: in the place of which of its tensors a Python number may stand, as PyTorch has it: "all"; "some", those
            beside a tensor; "other", all but the first; "none". NumPy's functions take numbers anyway.
        keeps_format: whether results lie in memory with channels last if its first tensor does. Ufuncs do so anyway.
        changeable: whether the result may be changed in place before the backward pass although rules read it: a node
            then keeps a copy. For ops whose rule in PyTorch reads the arguments instead; others refuse it, as there.
        alike: names of tensors of which the function refuses different dtypes, half precision with float32 too.
        constants: names of floating tensors that have no gradient rule: to require a gradient of one is refused, where
            a rule of None lets it have none.
        differentiable: False for ops whose result never has a gradient (comparisons, argmax).
        outputs: a namedtuple class if there are several outputs, or `tuple` for a varying number.
        aux: values that the function returns after its output, for the rules alone: name -> a function that
            derives it again from arguments (on tensors, for higher orders), or None for a constant.
        inputs: the legal inputs, in the words of `tinygrad_dl.inputs`: a case or a list of cases; of an elementwise op
            all numbers, unless it says otherwise.
        errors: inputs that must be refused, each an `error(...)`.
        reference: the same function written differently, to test against.
        namespace: where users find it: "td", "functional"; for ops from outside, the module that declares them.

    Raises:
        ValueError: the name, the method, the operator or the NumPy function has an op already.
        TypeError: the declaration contradicts itself, or `@td.op` stands without parentheses.

    >>> import numpy as np
    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.inputs import real
    >>> @td.op(inputs=dict(x=real()))
    ... def cube(x):
    ...     return x ** 3
    >>> cube.vjp(x=lambda g, x: g * 3 * x**2)
    >>> x = td.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """

    bare = next((each for each in numpy if isinstance(each, types.FunctionType)), None)
    if bare is not None:  # NumPy's own are of other types
        raise TypeError(
            f"td.op: got the function {bare.__name__!r} itself, expected NumPy functions or nothing; write "
            f"@td.op(), or better @td.op(inputs=..., reference=...), which can be checked"
        )

    def declare(body: Callable[P, Any]) -> OpFunction[P, Any]:
        cases = inputs if isinstance(inputs, list | tuple) else [inputs]
        record = Op(body, name or body.__name__, numpy, list(cases), list(errors))
        if not cases and kind == "elementwise":
            numbers = [number() for _ in record.tensors]
            record.cases = [broadcasting(*numbers) if len(numbers) > 1 else Case({record.tensors[0]: numbers[0]})]
        record.view, record.outputs, record.records = view, outputs, differentiable
        record.floating = differentiable and not has_integers(record.forward) if floating is None else floating
        record.aux = aux or {}
        record.reference = reference or (numpy[0] if numpy else None)
        record.kind, record.linear = kind, linear
        broadcasts = kind in ("elementwise", "loss")
        record.broadcasts = broadcasts and len(record.tensors) > 1
        if any(case.broadcasts for case in record.cases) and not broadcasts:
            raise TypeError(
                f"op {record.name}: got inputs=broadcasting(...) for an op of kind {kind!r}, expected "
                'kind="elementwise": the kind is what makes an op broadcast, and inputs alone are for checks'
            )
        module = body.__module__ or "?"  # None where code is run without a name
        ours = module.startswith(OURS)
        record.namespace = namespace or ("td" if ours else module)
        record.key = record.name if ours else f"{record.namespace}::{record.name}"
        record.promotes = record.broadcasts if promote is None else promote
        record.exact = view or (record.rounds_once and not differentiable) if exact is None else exact
        record.changeable = changeable
        record.alike, record.real, record.constants, record.keeps_format = alike, real, constants, keeps_format
        record.scalars = scalars
        function: OpFunction[P, Any] = record.make_function(body)
        attributes: dict[str, Any] = {}
        if (ours and record.namespace == "td") if method is None else method:
            known_as = method if isinstance(method, str) else record.name
            attributes |= methods(function, known_as, inplace)
        if operator:
            attributes |= operators(function, operator, inplace)
        if not ours:
            for each in numpy:
                lazy.load_name("numpy", called(each))
        require_free(record, "name", REGISTRY.data, {record.key: record})
        wanted = [attribute for attribute in attributes if not lazy.waits_for(attribute, module)]
        for holder in (Tensor, Contents):
            require_free(record, "method", holder.__dict__, wanted)
        require_free(record, "NumPy function", NUMPY, dict.fromkeys(numpy, function))
        # Nothing is in the way, so nothing is left half-declared.
        REGISTRY[record.key] = record
        NUMPY.update(dict.fromkeys(numpy, numpy_form(function)))
        for attribute, value in attributes.items():
            lazy.attach(attribute, value)
        return function

    return declare


def _on_inference(entered: bool) -> None:
    """While a thread is in inference mode, the functions that ops generate note the tensors that they make."""
    names = {"new": new_in_inference if entered else object.__new__, "wrap": wrap_in_inference if entered else wrap}
    SCOPE.update(names)


recording.on_inference.append(_on_inference)
op.registry = REGISTRY  # type: ignore[attr-defined]
