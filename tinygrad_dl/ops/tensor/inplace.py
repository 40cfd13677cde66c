"""In-place changes: the memory is changed once, and the graph continues with the new values.

A view knows its base and the operations that lead from the base to it (`tensor.View`). When a recorded operation
changes a view, the base's place in the graph becomes one node, `copy_slices`: the old base with the result written
where the view lies. Then every view of the base gets its place anew, by the same operations on the base. So a place in
the graph always stands for the values that are in memory, and reading it costs nothing.

Paths are gone by operations, not by strides: real views of complex numbers need no case of their own.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from tinygrad_dl.backends.arrays import has_own_elements, is_array, like, module_of, strided_view
from tinygrad_dl.core import promotion
from tinygrad_dl.core.batching import Batch
from tinygrad_dl.core.contents import is_row_major
from tinygrad_dl.core.declaration import Array, op
from tinygrad_dl.core.engine import conjugate, unbroadcast
from tinygrad_dl.core.graph import Edge, Leaf, Node, observers, refusing
from tinygrad_dl.core.lazy import attach
from tinygrad_dl.core.messages import reraise, restated
from tinygrad_dl.core.modes import enable_grad, modes
from tinygrad_dl.core.mutations import buffer_owner, changed_at, mutations, next_seq
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.tensor import Tensor, View, as_array, before_write, wrap
from tinygrad_dl.core.transforms import Escape, Lifted, entered, innermost, stack
from tinygrad_dl.core.views import Views
from tinygrad_dl.inputs import array, complexes, drawn, error, one_of, real
from tinygrad_dl.ops.indexing._index import brought_to, integers_first, plain_index
from tinygrad_dl.ops.indexing.getitem import getitem
from tinygrad_dl.ops.indexing.setitem import put, storable, with_items, without_ones_in_front
from tinygrad_dl.ops.pointwise.complex import view_as_complex, view_as_real
from tinygrad_dl.ops.shape.permute import permute, transpose
from tinygrad_dl.ops.shape.reshape import reshape

MADE_UNDER_NO_GRAD = "a view that was made under no_grad"
ONE_OF_SEVERAL = "one of several views that one operation made"
MADE_BY_A_FUNCTION = "a view that a Function returned"

REMEDIES = {
    MADE_UNDER_NO_GRAD: "make the view and change it both under no_grad, or both outside",
    ONE_OF_SEVERAL: "index the piece (x[start:stop]), which is a view that may be changed",
    MADE_BY_A_FUNCTION: "return a clone() from forward: its backward knows nothing of the change",
}


# -- the operations ------------------------------------------------------------------------------


class Path(tuple[Any, ...]):
    """The steps from a base to a view, each (op, its further arguments, which of several outputs).

    A type of its own, among whose parts nobody looks for arrays that a node keeps.
    """

    __slots__ = ()


def follow(base: Any, path: Any) -> Any:
    """The view that the operations of a path make of an array or tensor."""
    for made_by, values, index in path:
        if is_array(base) and made_by.positional == made_by.parameters:
            made = made_by.forward(base, *values)
            base = made[0] if made_by.aux else made
        else:
            base = made_by.generic(base, **dict(zip(made_by.parameters[1:], values, strict=True)))
        if index is not None:
            base = base[index]
    return base


def laid_out(array: Any, strides: Any) -> Any:
    """A copy with these strides, in elements; in row-major order if None.

    Of an array that lies in memory as the base does, each step of a path is a view again.
    """
    if strides is None or not array.size:
        return array.copy("C")
    reach = [(n - 1) * step for n, step in zip(array.shape, strides, strict=True)]
    before, after = -sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
    memory = module_of(array).empty(before + after + 1, array.dtype)
    out = strided_view(memory, array.shape, [step * array.itemsize for step in strides], before)
    out[...] = array
    return out


ROWS_TURNED = ((getitem.op, (slice(1, 3),), None), (transpose.op, (0, 1), None))
FLAT = ((permute.op, ((1, 0),), None), (reshape.op, (-1,), None), (getitem.op, (slice(None, None, 5),), None))
IMAGINARY = ((view_as_real.op, (), None), (getitem.op, ((..., 1),), None))
AS_COMPLEX = ((view_as_complex.op, (), None), (getitem.op, (slice(0, 2),), None))


@op(
    namespace="rules",
    exact=True,
    inputs=[
        dict(base=real(shape="3 4"), value=real(shape="4 2"), path=one_of(ROWS_TURNED), strides=one_of(None, (8, 2))),
        dict(base=real(shape="4 3"), value=real(shape="3"), path=one_of(FLAT), strides=one_of((1, 4))),
        dict(base=complexes(shape="3"), value=real(shape="3"), path=one_of(IMAGINARY), strides=one_of(None, (-1,))),
        dict(base=real(shape="3 2"), value=complexes(shape="2"), path=one_of(AS_COMPLEX)),
    ],
    reference=lambda base, value, path, strides=None: _naive_copy_slices(base, value, path),
)
def copy_slices(base: Array, value: Array, path: Any, strides: Any = None) -> Array:
    """A copy of `base` with `value` in the place of the view that `path` leads to.

    Args:
        path: the steps from the base to the view, each (op, its further arguments, which of several outputs).
        strides: the base's strides in elements, in which each step of the path is a view; None: row-major order.

    >>> import numpy as np
    >>> copy_slices(np.zeros(3), np.ones(2), ((getitem.op, (slice(1, 3),), None),))
    tensor([0., 1., 1.], dtype=float64)
    """
    out = laid_out(base, strides)
    place = follow(out, path)
    if place.size:  # what was expanded to nothing may be changed, but not written to
        place[...] = value
    return out


@op(
    namespace="rules",
    exact=True,
    aux={"kind": None},
    inputs=[
        dict(base=real(shape="3 4"), path=one_of(ROWS_TURNED), strides=one_of(None, (8, 2))),
        dict(base=complexes(shape="3"), path=one_of(IMAGINARY), strides=one_of(None)),
    ],
    reference=lambda base, path, strides: follow(base, path),
)
def slices(base: Array, path: Any, strides: Any) -> Any:
    """A copy of the view that `path` leads to: the gradient of what `copy_slices` writes.

    >>> import numpy as np
    >>> slices(np.arange(3), ((getitem.op, (slice(1, 3),), None),), None)
    tensor([1, 2])
    """
    kind = promotion.FLOAT32 if promotion.is_half(base.dtype) else base.dtype
    return follow(laid_out(base, strides), path).copy("C"), kind


@copy_slices.decompose
def _copy_slices_parts(base: Any, value: Any, path: Any, strides: Any) -> Any:
    """The same by in-place operations, whose views are those of a base whose dimensions lie in memory in this order."""
    order = sorted(range(base.ndim), key=lambda i: -strides[i]) if strides is not None else list(range(base.ndim))
    shape = tuple([base.shape[i] for i in order])
    if strides is not None and not is_row_major(shape, tuple([strides[i] for i in order])):
        return NotImplemented  # there are gaps between the elements
    out = entered(base, value).permute(order).clone().contiguous().permute(np.argsort(order).tolist())
    follow(out, path).copy_(value)
    return out


slices.decompose(lambda base, path, strides: follow(base, path).clone())


# Writing and reading are linear in the real and imaginary parts, and a path may take these apart: the rules work on
# gradients as users see them, not on their conjugates.
def nothing(g: Any) -> Any:
    """A zero that fits into every dtype, where the gradient is."""
    return module_of(g).zeros((), np.int8)


copy_slices.vjp(
    base=lambda g, path, strides: conjugate(copy_slices.generic(conjugate(g), nothing(g), path, strides)),
    value=lambda g, path, strides: conjugate(slices.generic(conjugate(g), path, strides)),
)
slices.vjp(
    base=lambda g, base_shape, path, strides, kind: conjugate(
        copy_slices.generic(module_of(g).zeros(base_shape, kind), conjugate(g), path, strides)
    )
)
copy_slices.jvp(
    base=lambda t, path, strides: copy_slices.generic(t, nothing(t), path, strides),
    value=lambda t, base, path, strides: copy_slices.generic(
        module_of(base).zeros(base.shape, base.dtype), t, path, strides
    ),
)
slices.jvp(base=lambda t, path, strides: slices.generic(t, path, strides))


def _naive_copy_slices(base: np.ndarray, value: np.ndarray, path: Any) -> np.ndarray:
    """`copy_slices` by one element of the real parts at a time, to test against."""
    out = base.copy("C")
    parts = out.reshape(-1).view(np.float64)
    written, wanted = follow(out, path), np.ascontiguousarray(value).reshape(-1).view(np.float64)
    for i in range(parts.size):
        before = parts[i]
        parts[i] = np.nan
        spot = np.flatnonzero(np.isnan(np.ascontiguousarray(follow(out, path)).reshape(-1).view(np.float64)))
        parts[i] = wanted[spot[0]] if spot.size else before
    assert written.shape == value.shape
    return out


@op(
    name="copy",
    linear=("value",),
    namespace="rules",
    exact=True,
    inputs=[
        dict(value=real(shape="2 1"), size=one_of((3, 2, 2), (0, 2, 1)), dtype=one_of(np.dtype("float64"))),
        dict(value=real(shape="1 1 n"), size=drawn(lambda rng, value: (value.shape[-1],)), dtype=one_of(None)),
        dict(value=real(shape="2"), size=one_of((3, 2)), dtype=one_of(np.dtype("complex128"))),
    ],
    errors=[error(ValueError, "could not broadcast", array(3), (2,), np.dtype("float32"))],
    reference=lambda value, size, dtype: (
        np.zeros(size, dtype or value.dtype) + value.reshape(value.shape[-len(size) :])
    ),
)
def stored(value: Array, size: Any, dtype: Any) -> Array:
    """A copy of `value` as it stands where it is stored: broadcast to a shape and cast to a dtype.

    >>> import numpy as np
    >>> stored(np.ones((1, 1)), (2,), np.float32)
    tensor([1., 1.])
    """
    promotion.require_real(value, dtype or value.dtype)
    out = module_of(value).empty(size, dtype or value.dtype)
    try:
        out[...] = value if value.shape == out.shape else value.reshape(without_ones_in_front(value.shape))
        return out
    except ValueError:
        raise ValueError(
            f"could not broadcast a value into what the index picks: got shape {value.shape}, expected one that "
            f"broadcasts to {size}"
        ) from None


def _stored_value(g: Any, value_shape: tuple[int, ...]) -> Any:
    short = without_ones_in_front(value_shape)
    g = g if g.shape == short else unbroadcast(g, short)
    return g if short == value_shape else g.reshape(value_shape)


stored.vjp(value=_stored_value)


@stored.vmap
def _stored_batch(value: Any, size: Any, dtype: Any, batch: Batch) -> Any:
    short = without_ones_in_front(value.shape[1:])
    short = (1,) * (len(size) - len(short)) + short
    return stored(value.reshape((batch.size, *short)), (batch.size, *size), dtype)


# -- changing a tensor ---------------------------------------------------------------------------


def assign(self: Tensor, result: Tensor, what: str) -> Tensor:
    """Takes over a result's values and its place in the graph: every in-place operation ends here."""
    edge, old = result._edge, self._data
    recorded = is_recorded(self, edge) and promotion.is_differentiable(self.dtype)
    if recorded:
        require_recordable(self, what)
    try:
        new = result._data
    except Escape as escape:  # the result is inside of a transform, and the tensor is not
        escape.written = what
        return escape.lifted.level.receive(self, escape)._assign(result, what)
    if not recorded:
        self._write(new, what)
        return self
    if isinstance(edge, Node):
        edge.keep_copy(old)
    self._write(new, what)
    if type(edge) is Leaf or (edge is not None and result.dtype != self.dtype):
        edge = stored(result, self.shape, self._data.dtype)._edge
    rebase(self, edge)
    return self


def is_recorded(tensor: Tensor, edge: Edge | None) -> bool:
    """Whether a change of the tensor to what `edge` leads to belongs to the graph."""
    if edge is None and tensor._edge is None and (tensor._view is None or root_of(tensor)._edge is None):
        return False
    return modes.grad


def require_recordable(tensor: Tensor, what: str) -> None:
    """Raises if a recorded operation may not change the tensor in place."""
    root = tensor if tensor._view is None else root_of(tensor)
    if type(tensor._edge) is Leaf or type(root._edge) is Leaf:
        shown = "a leaf tensor" if type(tensor._edge) is Leaf else "a view of a leaf tensor"
        raise RuntimeError(
            f"{what}: got {shown} that requires a gradient, expected another, as operations are recorded: it can't be "
            "changed in place; do it under td.no_grad(), or use the operation that makes a new tensor"
        )
    view = tensor._view if root is not tensor else None
    while view is not None:
        reason = unfit(view)
        if reason is not None:
            raise RuntimeError(
                f"{what}: got {reason}, expected another tensor, as operations are recorded: it can't be changed in "
                f"place; {REMEDIES[reason]}, or use the operation that makes a new tensor"
            )
        view = view[0]._view


def unfit(view: View) -> str | None:
    """Why a view may not be changed by a recorded operation; None if it may."""
    _, made_by, _, index, recorded = view
    if made_by is None:
        return MADE_BY_A_FUNCTION
    return MADE_UNDER_NO_GRAD if not recorded else ONE_OF_SEVERAL if index is not None else None


def root_of(tensor: Tensor) -> Tensor:
    """The tensor whose memory a view shows; the tensor itself if it is none, or one of them has got other memory."""
    base = tensor._base
    return tensor if base is None or buffer_owner(base._data) is not buffer_owner(tensor._data) else base


def is_same_view(a: Tensor, b: Tensor) -> bool:
    """Whether two views show the same elements of the same base."""
    if a._view is None or root_of(a) is not root_of(b) or a.dtype != b.dtype:
        return False
    x, y = a._data, b._data
    return x.shape == y.shape and x.strides == y.strides and a.data_ptr() == b.data_ptr()


def rebase(tensor: Tensor, edge: Edge | None) -> None:
    """Gives a tensor whose values were changed, its base and all views of that their new places in the graph."""
    root = root_of(tensor)
    if root is not tensor:
        edge = written(root, tensor, edge)
    root._move(edge)
    replay_views(root)


def written(root: Tensor, view: Tensor, edge: Edge | None) -> Node | None:
    """The base's new place in the graph, of whose views one was changed to what `edge` leads to."""
    pattern = (root._edge is not None) + 2 * (edge is not None)
    if not pattern:
        return None
    data = root._data
    strides = None if data.flags.c_contiguous else root.stride()
    copy_slices.op.plan(pattern).suffix = ""  # as in PyTorch, where this node alone has no "Backward0"
    return not_run(copy_slices.op, pattern, (root._edge, edge), (data, view._data, path_to(view), strides), data)


def not_run(record: Record, pattern: int, edges: tuple[Edge | None, ...], given: tuple[Any, ...], out: Any) -> Node:
    """The node of an operation on these arguments that is not run, as the memory holds its result already."""
    node, plan = Node(), record.plan(pattern)
    node.plan, node.edges, node.hooks, node.seq = plan, edges, None, next_seq()
    node.saved = () if plan.save is None else plan.save(*given, out)
    node.shape, node.dtype = out.shape, out.dtype
    return node


def path_to(tensor: Tensor) -> Path:
    """The steps that lead from the base to a view, as `follow` goes them."""
    steps = []
    while (view := tensor._view) is not None:
        tensor = view[0]
        steps.append(view[1:4])
    return Path(reversed(steps))


def replay_views(root: Tensor) -> None:
    """Gives each view of a tensor the place in the graph that it has as a view of the tensor as it now is."""
    if not root._views:
        return
    living = root._views.living()
    if not living:
        return
    owner, at = buffer_owner(root._data), wrap(root._data)
    at._edge = root._edge
    todo: list[tuple[Tensor, Tensor | None]] = [(root, at)]  # a tensor, and one with its new place in the graph
    while todo:
        taken_from, now = todo.pop()
        made: dict[tuple[Record, int], Any] = {}  # one call for all outputs of an operation
        for tensor in taken_from._views.living() if taken_from._views else ():
            assert tensor._view is not None
            _, made_by, values, index, _ = tensor._view
            reason, there = unfit(tensor._view), buffer_owner(tensor._data) is owner
            replayed = None
            if now is not None and made_by is not None and reason is not MADE_UNDER_NO_GRAD:
                key = made_by, id(values)
                if there and index is None and not made_by.aux and now._edge is not None:
                    replayed = wrap(tensor._data)
                    replayed._edge = not_run(made_by, 1, (now._edge,), (now._data, *values), tensor._data)
                else:
                    if key not in made:
                        made[key] = follow(now, ((made_by, values, None),))
                    replayed = made[key] if index is None else made[key][index]
            todo.append((tensor, replayed))
            if there:
                tensor._move(ambiguous(tensor, root) if replayed is None else replayed._edge)


def ambiguous(tensor: Tensor, root: Tensor) -> Node | None:
    """The place of a view that is in the graph by no operation of its own, once the base was changed."""
    if root._edge is None:
        return None
    reason, view = MADE_UNDER_NO_GRAD, tensor._view
    while view is not None:
        reason, view = unfit(view) or reason, view[0]._view
    message = (
        f"backward: got {reason}, whose base was changed in place afterwards, expected it unchanged: it is not known "
        f"on what its values depend; {REMEDIES[reason]}"
    )
    return refusing(tensor, (root._edge,), "View", message, hidden=True)


def show(result: Tensor, tensor: Tensor) -> None:
    """Makes a result that has a tensor's own memory a view of it that may not be changed in place."""
    result._view = (tensor, None, (), None, True)
    if tensor._views is None:
        tensor._views = Views()
    tensor._views.append(ref(result))


# -- storing values ------------------------------------------------------------------------------


def store_item(self: Tensor, index: Any, value: Any) -> None:
    """self[index] = value."""
    store(self, index, value, "x[index] = value")


def store(tensor: Tensor, index: Any, value: Any, what: str) -> Tensor:
    """Stores the value in the tensor at `index`, recorded if one of them requires a gradient."""
    if stack.levels and isinstance(index, Lifted) and index.dtype.kind == "b" and np.ndim(value) == 0:
        mask = index.reshape((*index.shape, *(1,) * (tensor.ndim - index.ndim)))
        return tensor._assign(tensor.masked_fill(mask, value), what)  # how much a mask picks does not matter here
    index, basic = plain_index(index, tensor.ndim)
    if stack.levels and innermost((tensor, index, value)) is not None:
        return tensor._assign(with_items(tensor, index, value), what)
    data, index = tensor._data, brought_to(tensor, index)
    edge = value._edge if isinstance(value, Tensor) else None
    if is_recorded(tensor, edge) and promotion.is_differentiable(data.dtype):
        require_recordable(tensor, what)
        value = value if isinstance(value, Tensor) else like(as_array(value, exact=True), data)
        if basic:
            target = tensor if index is ... and tensor._edge is None else getitem(tensor, index)
            if isinstance(value, Tensor) and is_same_view(value, target):
                mutations.record(data, changed_at(what))  # `x[index] += y` stores what is there already
                return tensor
            new = stored(value, target.shape, target.dtype)
            if target is tensor:
                return tensor._assign(new, what)
            target._write(new._data, what)
            root = root_of(target)
            edge = written(root, target, new._edge)
            del target  # nobody else has this view: it needs no new place
            root._move(edge)
            replay_views(root)
            return tensor
        return tensor._assign(with_items(tensor, index, value), what)
    split = integers_first(index)
    if observers.writers or tensor._edge is not None or tensor._view is not None:
        before_write(tensor, what)
    try:
        places, rest = (data, index) if split is None else (getitem.op.forward(data, split[0]), split[1])
        if not has_own_elements(places) and not places[rest].size:
            return tensor  # nothing is picked, so that nothing is written
        found = like(as_array(value, exact=True), data)
        if data.dtype.kind in "iu" and not isinstance(value, Tensor) and not is_array(value):
            promotion.require_room(found, data.dtype)
        put(places, rest, storable(found, data))
    except Exception as error:
        given = {"self": tensor, "index": index, "value": value}
        reraise(error, restated(error, store_item, what, given, {"value": "Array | list"}))
    mutations.record(data, changed_at(what))
    return tensor


for _name, _method in {
    "_assign": assign,
    "_replay_views": enable_grad()(replay_views),
    "__setitem__": store_item,
}.items():
    attach(_name, _method)
