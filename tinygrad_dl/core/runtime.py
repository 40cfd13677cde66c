"""What the generated functions call off the fast path: casts, errors explained, several outputs, views."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Sequence
from typing import Any
from weakref import ref

import numpy as np

from tinygrad_dl.backends.arrays import array_from, is_array, like, module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.destination import into
from tinygrad_dl.core.device import elsewhere
from tinygrad_dl.core.errors import ArgumentTypeError
from tinygrad_dl.core.graph import Leaf, Node, Output
from tinygrad_dl.core.layout import laid_like
from tinygrad_dl.core.messages import require_constants, reraise, restated, unfit, unfit_for
from tinygrad_dl.core.modes import modes, recording
from tinygrad_dl.core.mutations import next_seq
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.core.transforms import Escape, transformed
from tinygrad_dl.core.views import Views


class _Unset:
    """The default of `axis=` and `keepdims=`, which are other names of `dim=` and `keepdim=`."""

    def __repr__(self) -> str:
        return "<same as dim, keepdim>"


UNSET: Any = _Unset()


# The kinds of dtypes whose digits a Python number takes.
DIGITS = {float: "fc", complex: "c"}


def constant(value: Any, op: Record, first: Any = None) -> Any:
    """An argument that is no tensor, as an array; None stays None.

    A float has the dtype of the op's first argument, if that is floating or complex, and so has a complex number beside
    complex ones: 0.1 among float64 is not float32's 0.1.
    """
    if type(first) is np.ndarray and first.dtype.kind in DIGITS.get(type(value), ""):
        return np.asarray(value, first.dtype)
    if value is None and first is not None:  # an argument that may be left out; the first one may not
        return None
    if is_operand(value):
        if module_of(first) is not np and not isinstance(value, np.ndarray):  # a number goes where the tensor is
            whole = first.dtype.kind not in DIGITS.get(type(value), "")
            return like(array_of(value, op) if whole else value, first, None if whole else first.dtype)
        return array_of(value, op)
    raise unfit_for(value, op.name, argument_of(value, op))


def is_operand(value: Any) -> bool:
    """Whether it is a number or an array, which ops take beside tensors."""
    return isinstance(value, np.ndarray | np.generic | bool | int | float | complex) or is_array(value)


def has_own_operators(value: Any, op: Record) -> bool:
    """Whether Python should ask another operand, which is neither a number nor an array, for its operator.

    Python's own types have none for tensors, and other libraries' tensors none for ours, so that our error says more
    than Python's; but anything may be compared with ==.
    """
    kind = type(value)
    if is_operand(value) or hasattr(kind, "__dlpack__"):
        return False
    return op.name in ("eq", "ne") or kind.__module__ != "builtins"


def tensor_only(value: Any, op: Record, first: Any = None) -> Any:
    """The same for an argument in whose place no Python number may stand."""
    if isinstance(value, bool | int | float | complex) and not isinstance(value, np.generic):
        raise no_number(value, op)
    return constant(value, op, first if value is not None else None)


def no_number(value: Any, op: Record) -> Exception:
    """The error for a Python number where there must be a tensor."""
    return unfit(op.name, argument_of(value, op), value, "a tensor; make it one with td.tensor(...)")


def not_several(op: Record, value: Tensor) -> Exception:
    """The error for one tensor where there must be several: its rows, likely not what was meant."""
    return unfit(op.name, str(op.sequence), value, "a list of tensors, as in [a, b]; t.unbind() makes one of slices")


def number_of(value: Tensor, op: Record, name: str) -> Any:
    """The number that stands in a tensor, given for an option, of which there is no gradient."""
    require_constants(op.name, **{name: value})
    if value.numel() != 1:
        raise unfit(op.name, name, value, "a number")
    try:
        return value.item()
    except Escape as error:
        raise RuntimeError(f"{op.name}: {str(error).removeprefix('item: ')}") from None


def array_of(value: Any, op: Record) -> np.ndarray:
    """A number or array as an array of a dtype that tensors have."""
    try:
        return as_array(value)
    except TypeError as error:
        name = argument_of(value, op)
        raise TypeError(f"{op.name}: got {name}={summary(value)}, expected a tensor of numbers: {error}") from None


def argument_of(value: Any, op: Record) -> str:
    """The name of the argument that a value was given for: looked up in the call that has just failed."""
    frame, codes = sys._getframe(1), [each.__code__ for each in (op.function, op.operator) if each is not None]
    while frame is not None and not any(frame.f_code is code for code in codes):
        frame = frame.f_back  # type: ignore[assignment]
    found = frame.f_locals if frame is not None else {}
    if op.sequence:
        return f"{op.sequence}[{next((i for i, v in enumerate(found.get(op.sequence, ())) if v is value), '')}]"
    return next((name for name in op.tensors if found.get(name) is value), op.tensors[0])


NUMBERS = frozenset((float, int, bool))
OPTIONAL_NUMBERS = NUMBERS | {type(None)}


def promote(op: Record, *values: Any) -> Sequence[Any]:
    """None, and arrays and numbers all cast to the dtype that PyTorch's promotion gives them.

    If that is half precision and something is not of it already, say a number, an op that computes gets float32, and
    the dtype to round its result to stands in the place of None: x * 1e5 may fit where 1e5 does not.
    """
    if len(values) == 2:  # the usual cases first: an array in a rule, or a floating tensor and a number
        first, second = values
        if type(first) is type(second) is np.ndarray and first.dtype is second.dtype and first.dtype.char in "fd":
            return None, first, second
        if type(second) in NUMBERS and type(first) is np.ndarray and first.dtype.char in "fd":
            return None, first, np.asarray(second, first.dtype)
        if type(first) in NUMBERS and type(second) is np.ndarray and second.dtype.char in "fd":
            return None, np.asarray(first, second.dtype), second
    elif (
        type(values[0]) is np.ndarray
        and values[0].dtype.char in "fd"
        and OPTIONAL_NUMBERS.issuperset(map(type, values[1:]))
    ):
        dtype = values[0].dtype
        return [None, values[0], *(None if value is None else np.asarray(value, dtype) for value in values[1:])]
    if values[0] is None:
        raise unfit_for(None, op.name, argument_of(None, op))
    if op.scalars == "some" and NUMBERS.issuperset(map(type, values)):
        raise no_number(values[0], op)
    arrays = []
    for value in values:
        plain = isinstance(value, bool | int | float | complex) or value is None
        arrays.append(value if plain else constant(value, op))
    present = tuple(a for a in arrays if a is not None)
    if op.key in COMPARISONS and all(
        isinstance(a, int) or getattr(a, "dtype", promotion.FLOAT32).kind in "biu" for a in present
    ):
        return [None, *arrays]  # NumPy compares integers of all sizes exactly
    try:
        dtype, low = promotion.result_dtype(present), None
    except TypeError as error:
        raise TypeError(f"{op.name}: {error}") from None
    if op.floating and dtype.kind in "biu":
        dtype = promotion.default.dtype  # at once: -1 beside uint8 would become 255 first
    if not op.exact and promotion.is_half(dtype) and any(getattr(a, "dtype", None) is not dtype for a in present):
        dtype, low = promotion.FLOAT32, dtype
    require_one_device(op, present)
    place = next((a for a in present if module_of(a) is not np), None)
    return [low, *(None if a is None else operand(a, dtype, op, i, place) for i, a in enumerate(arrays))]


# By their keys: an op of a user's that is called `eq` is another one.
COMPARISONS = frozenset(("eq", "ne", "lt", "le", "gt", "ge"))
WRAPPING = frozenset(
    ("add", "sub", "mul", "floor_divide", "remainder", "fmod", "bitwise_and", "bitwise_or", "bitwise_xor")
)


def operand(value: Any, dtype: promotion.DType, op: Record, position: int, place: Any = None) -> Any:
    """An array or number in the dtype of an operation; an int too large wraps around, as all arithmetic does.

    Exponents do not: they count how often to multiply. A number is made an array of the same module as `place`.
    """
    try:
        return np.asarray(value, dtype) if place is None else like(value, place, dtype)
    except OverflowError:
        if op.key in WRAPPING or (op.key == "pow" and position == 0):
            return like(np.asarray(value).astype(dtype), place)
        raise


def require_one_device(op: Record, values: Sequence[Any]) -> None:
    """Raises for arrays of two devices; one number of the CPU may stand beside any."""
    apart = [v for v in values if is_array(v) and (v.ndim or module_of(v) is not np)]
    for value in apart[1:]:
        if module_of(value) is not module_of(apart[0]):
            raise elsewhere(op.name, apart[0], value)


def not_real(op: Record, dtype: promotion.DType) -> TypeError:
    """The error of an op for which complex numbers have no meaning."""
    return ArgumentTypeError(
        f"{op.name}: expected real numbers, got dtype {dtype}: it has no meaning for complex ones; take x.abs(), "
        f"x.real, x.imag or td.view_as_real(x)"
    )


def in_half(op: Record, low: Any, edges: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    """A call of an op with arrays of two-byte elements: of half precision, computed in float32 and rounded once.

    What a generated function does, but for the casts; here speed matters less. Arguments are saved as they are, what
    came of them before it was rounded.

    Args:
        low: the dtype to round results to; None: that of the arrays.
        edges: the places in the graph of the op's tensors.
        values: all arguments, in the order of `op.parameters`, tensors as arrays.
    """
    given = dict(zip(op.parameters, values, strict=True))
    low = low or half_of(op, given)
    if low is not None and given.get("dtype") is not None:  # the caller chose the result's dtype
        given[op.tensors[0]], low = promotion.in_single(given[op.tensors[0]]), None
    options = given if low is None else {**given, **{name: promotion.in_single(given[name]) for name in op.tensors}}
    positional, count = [options[name] for name in op.positional], len(op.positional)
    try:
        made = op.forward(*positional, **{name: options[name] for name in op.parameters[count:]})
    except Escape:
        raise
    except Exception as error:
        reraise(error, explain(error, op, values))
    out, *aux = made if op.aux else (made,)
    several = op.outputs is not None
    out = out if several else array_from(out)
    like = given[op.tensors[0]] if op.keeps_format else None
    results = [
        wrap(laid_like(each if low is None else rounded(each, low), like)) for each in (out if several else (out,))
    ]
    recorded = op.records and any(edge is not None for edge in edges) and results[0]._data.dtype.kind not in "biu"
    if recorded and (not recording.stopped or modes.grad):
        node = Node()
        node.edges, node.hooks, node.seq = edges, None, next_seq()
        node.plan = plan = op.plan(
            1 if op.sequence else sum(1 << i for i, edge in enumerate(edges) if edge is not None)
        )
        named = out if op.output_names else ()
        node.saved = () if plan.save is None else plan.save(*given.values(), out, *aux, *named)
        if several:
            connect_outputs(node, results)
        else:
            node.shape, node.dtype, results[0]._edge = out.shape, results[0]._data.dtype, node
    return results[0] if not several else tuple(results) if op.outputs is tuple else op.outputs(*results)


def half_of(op: Record, given: dict[str, Any]) -> Any:
    """The half precision to round results to: that of the first floating tensor; None if it has another dtype."""
    tensors = given[op.sequence] if op.sequence else [given[name] for name in op.tensors]
    found = [t.dtype for t in tensors if t is not None and promotion.is_differentiable(t.dtype)]
    if not found or not promotion.is_half(found[0]):
        return None
    same = [given[name].dtype for name in op.alike if given[name] is not None]
    if len(set(same)) > 1 or (op.sequence and len(set(found)) > 1):
        return None  # as it is: to be refused, or promoted
    return found[0]


def any_half(arrays: Sequence[Any]) -> bool:
    """Whether one of several arrays has elements of two bytes."""
    return any(array.itemsize == 2 for array in arrays)


def rounded(array: Any, low: Any) -> Any:
    """A floating result in half precision."""
    return array_from(array).astype(low) if promotion.is_floating(array.dtype) else array


def as_floating(*arrays: Any) -> list[Any]:
    """Integer and bool arrays in the default floating dtype; others as they are."""
    default = promotion.default.dtype
    return [a.astype(default) if a is not None and a.dtype.kind in "biu" else a for a in arrays]


def one_result(out: Any, op: Record) -> Any:
    """What an op of one output has returned as an array; a tuple is refused, which would be several stacked."""
    if type(out) is not tuple:
        return array_from(out)
    raise TypeError(
        f"op {op.name}: got a tuple of {len(out)}, expected one array; declare several outputs with outputs=tuple, or "
        f"outputs=<a namedtuple> to name them, and values for the rules alone with aux={{...}}"
    )


def explain(error: Exception, op: Record, values: tuple[Any, ...]) -> Exception:
    """The error to raise for one that arose in the op's own function, called with these values."""
    if isinstance(error, Escape):
        return error
    if len({type(value) for value in values}) > 1:
        arrays = [each for value in values for each in (value if type(value) is list else (value,)) if is_array(each)]
        other = next((each for each in arrays if module_of(each) is not module_of(arrays[0])), None)
        if other is not None:
            return elsewhere(op.name, arrays[0], other)
    annotations = {**dict.fromkeys(op.tensors, "Array"), **op.function.__annotations__}
    return restated(error, op.function, op.name, dict(zip(op.parameters, values, strict=True)), annotations)


def connect_outputs(node: Node, results: list[Tensor]) -> None:
    """Gives each floating output of a node its edge."""
    node.shape = tuple(t._data.shape for t in results)
    node.dtype = tuple(t._data.dtype for t in results)
    for index, result in enumerate(results):
        result._edge = output_edge(node, index)


def note_view(result: Tensor, base: Tensor, op: Record, values: tuple[Any, ...]) -> None:
    """Remembers of which tensor a result shows the memory and how, and lets that tensor find it; see `tensor.View`."""
    recorded = not recording.stopped or modes.grad
    result._view = (base, op, values, None, recorded)
    if not recorded:
        stand_alone(result, base)
    views = base._views
    if views is None:
        base._views = Views([ref(result)])
    else:
        views.append(ref(result))
        if len(views) > views.limit:
            views.drop_dead()


def note_views(results: list[Tensor], base: Tensor, data: np.ndarray, op: Record, values: tuple[Any, ...]) -> None:
    """The same for the outputs of an op that has several, those that show the memory of `data`."""
    recorded = not recording.stopped or modes.grad
    views = base._views
    if views is None:
        views = base._views = Views()
    for index, result in enumerate(results):
        shown = result._data.base
        if shown is data or (shown is not None and shown is data.base):
            result._view = (base, op, values, index, recorded)
            views.append(ref(result))
    for result in () if recorded else results:  # now that each is known to be a view
        if result._view is not None:
            stand_alone(result, base)
    if len(views) > views.limit:
        views.drop_dead()


def stand_alone(view: Tensor, base: Tensor) -> None:
    """Makes a view of an ordinary tensor, made in inference mode, a leaf that requires a gradient if its base does."""
    if modes.inference and base._edge is not None and promotion.is_differentiable(view._data.dtype):
        view._edge = None if base.is_inference() else Leaf(view)


def output_edge(node: Node, index: int) -> Output | None:
    """A new edge to one output of a node that has several."""
    dtype = node.dtype[index]
    return Output(node, index, node.shape[index], dtype) if promotion.is_differentiable(dtype) else None


# The names that a generated function finds, its builtins among them.
SCOPE: dict[str, Any] = {
    **vars(builtins),
    "Tensor": Tensor,
    "Escape": Escape,
    "transformed": transformed,
    "Node": Node,
    "ndarray": np.ndarray,
    "asarray": np.asarray,
    "generic": np.generic,
    "in_half": in_half,
    "any_half": any_half,
    "new": object.__new__,
    "wrap": wrap,
    "next_seq": next_seq,
    "modes": modes,
    "recording": recording,
    "UNSET": UNSET,
    "NUMBERS": NUMBERS,
    "constant": constant,
    "has_own_operators": has_own_operators,
    "tensor_only": tensor_only,
    "not_several": not_several,
    "number_of": number_of,
    "promote": promote,
    "COMPLEX": promotion.COMPLEX,
    "not_real": not_real,
    "as_floating": as_floating,
    "explain": explain,
    "laid_like": laid_like,
    "one_result": one_result,
    "into": into,
    "connect_outputs": connect_outputs,
    "note_view": note_view,
    "note_views": note_views,
}
