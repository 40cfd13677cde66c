"""Another shape in place: transpose_, swapaxes_, swapdims_, t_, squeeze_, unsqueeze_, as_strided_.

No element is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

from tinygrad_dl.core.graph import Leaf, observers
from tinygrad_dl.core.modes import modes, set_grad_enabled
from tinygrad_dl.core.mutations import changed_at, mutations
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.core.transforms import Lifted
from tinygrad_dl.core.views import Views
from tinygrad_dl.ops._overload import alias, method
from tinygrad_dl.ops.shape.permute import t, transpose
from tinygrad_dl.ops.shape.reshape import squeeze, unsqueeze
from tinygrad_dl.ops.shape.strided import as_strided
from tinygrad_dl.ops.tensor.inplace import is_recorded, replay_views, require_recordable, root_of


def shown_otherwise(tensor: Tensor, look: Callable[[Tensor], Tensor], what: str) -> Tensor:
    """Makes the tensor the view of itself that `look` takes.

    Other tensors may be views of it, or it may be one: then a tensor that nobody else sees stays in its place, and it
    becomes a view of that, so that all paths stay true.
    """
    if isinstance(tensor, Lifted):
        return tensor.become(look(tensor))
    recorded = is_recorded(tensor, None)
    if recorded:
        require_recordable(tensor, what)
    if observers.writers:
        observers.before_write(tensor._data, what)
    alone = modes.inference and tensor._view is not None and not tensor._view[4]  # a leaf of its own
    shared = tensor._view is not None or (tensor._views is not None and bool(tensor._views.living()))
    if shared and not alone and type(tensor._edge) is Leaf:
        raise RuntimeError(
            f"{what}: got a leaf that requires a gradient and has views, expected one without: they would lose their "
            "place; use the operation that makes a new tensor"
        )
    before = left_behind(tensor) if shared else tensor
    if alone:
        before._edge = None
    with set_grad_enabled(not alone):  # no value is changed, so that its gradient stays known
        made = look(before)
    tensor._data = made._data
    if shared:
        tensor._view = made._view
        if before._views is not None:
            before._views.append(ref(tensor))
    if type(tensor._edge) is Leaf:
        tensor._edge.shape = tensor.shape
    else:
        tensor._move(made._edge)
    if recorded and shared:
        replay_views(root_of(tensor))
    mutations.record(tensor._data, changed_at(what))
    return tensor


def left_behind(tensor: Tensor) -> Tensor:
    """A tensor with the memory, the place in the graph, the base and the views of another, which keeps none of them."""
    new = wrap(tensor._data)
    new._edge, new._view, new._views, tensor._views = tensor._edge, tensor._view, tensor._views, None
    for view in new._views.living() if new._views else ():
        assert view._view is not None
        view._view = (new, *view._view[1:])
    if new._view is not None:
        base = new._view[0]
        if base._views is None:
            base._views = Views()
        base._views.append(ref(new))
    return new


@method
def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """`transpose` in place: the tensor shows its memory with two dimensions exchanged.

    >>> import tinygrad_dl as td
    >>> td.zeros(2, 3).transpose_(0, 1).shape
    (3, 2)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.transpose_.html
    """
    return shown_otherwise(self, lambda tensor: transpose(tensor, dim0, dim1), "transpose_")


@method
def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """`as_strided` in place: the tensor shows its memory with other steps.

    >>> import tinygrad_dl as td
    >>> td.arange(4).as_strided_((3, 2), (1, 1))
    tensor([[0, 1],
            [1, 2],
            [2, 3]])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.as_strided.html
    """
    return shown_otherwise(self, lambda tensor: as_strided(tensor, size, stride, storage_offset), "as_strided_")


@method
def t_(self: Tensor) -> Tensor:
    """`t` in place: a matrix becomes its transpose.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.t_.html
    """
    return shown_otherwise(self, t, "t_")


@method
def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
    """`squeeze` in place: the tensor loses dimensions of size 1.

    >>> import tinygrad_dl as td
    >>> td.zeros(1, 3, 1).squeeze_(0).shape
    (3, 1)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.squeeze_.html
    """
    return shown_otherwise(self, lambda tensor: squeeze(tensor, dim), "squeeze_")


@method
def unsqueeze_(self: Tensor, dim: Any) -> Tensor:
    """`unsqueeze` in place: the tensor has one more dimension, of size 1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.unsqueeze_.html
    """
    return shown_otherwise(self, lambda tensor: unsqueeze(tensor, dim), "unsqueeze_")


alias("swapaxes_", transpose_)
alias("swapdims_", transpose_)
