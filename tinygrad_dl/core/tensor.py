"""class Tensor: an array, and where it came from.

Here stands what a tensor is: its place in the graph, and how it is changed; what it holds is in `contents.py`. The
modules above this one attach methods and operators: `ops/` the operations, `autograd` backward, `printing` what a
tensor prints as, `methods` its part in NumPy's protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinygrad_dl.backends.arrays import MODULES, has_own_elements, module_of
from tinygrad_dl.core import dtypes, promotion
from tinygrad_dl.core.contents import Contents
from tinygrad_dl.core.device import elsewhere, foreign_array
from tinygrad_dl.core.errors import ArgumentError
from tinygrad_dl.core.graph import Edge, Leaf, Node, Refusing, observers, shown
from tinygrad_dl.core.hooks import Hooks, Keeper, RemovableHandle
from tinygrad_dl.core.inference import memory
from tinygrad_dl.core.modes import modes
from tinygrad_dl.core.mutations import alias, changed_at, mutations
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.views import Views
from tinygrad_dl.core.warning import warn

# Of a view: the tensor that it was taken from, the op that made it (None: a Function), the op's arguments but for the
# tensor, which of several outputs it is, and whether operations were recorded. A plain tuple: each call of a view op
# makes one.
View: TypeAlias = "tuple[Tensor, Record | None, tuple[Any, ...], int | None, bool]"


if TYPE_CHECKING:
    from tinygrad_dl.core.signatures import Methods
else:
    Methods = object


class Tensor(Contents, Methods):
    """A multi-dimensional array that records the operations made with it.

    Make one with `td.tensor`, `td.zeros`, `td.randn` and their like. `Tensor(data)` copies the data as the default
    floating dtype; `Tensor(2, 3)` has this shape, and whatever lay in memory.

    >>> x = td.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])

    Source: https://docs.pytorch.org/docs/stable/tensors.html
    """

    # Every operation reads and writes the slots; what few tensors have stands in the instance's dict,
    # over defaults in the class.
    __slots__ = ("__dict__", "__weakref__", "_data", "_edge")

    _data: np.ndarray
    _edge: Edge | None  # what made it, or its Leaf if it requires a gradient; else None
    _view: View | None = None  # of which tensor it shows the memory, and how
    _views: Views | None = None  # those that were taken from it
    _keeper: Keeper | None = None  # what `retain_grad` asked for
    _grad: Tensor | None = None
    _lent: np.ndarray | None = None  # of a gradient that lies in the memory of a compiled step, that memory
    _frozen: Leaf | None = None  # the Leaf that graphs may know, of one that requires no gradient any more

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: bool = False):
        found = promotion.default.dtype if dtype is None else dtypes.as_dtype(dtype)
        shape = data[0] if len(data) == 1 and isinstance(data[0], Size) else data or (0,)
        if all(type(size) is int for size in shape):
            self._data = np.empty(shape, found)
        elif len(data) > 1:
            raise TypeError(f"Tensor: got {data!r}, expected one sequence of data, or integers for a shape")
        else:
            array = as_array(data[0])
            self._data = module_of(array).array(array, dtype=found)
        self._edge = None
        if requires_grad:
            self.requires_grad_()

    # -- its place in the graph ------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded and `backward` brings it a gradient."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Starts (or ends) recording operations on this leaf; returns it."""
        if not self.is_leaf:
            if requires_grad:
                return self
            raise RuntimeError(
                f"requires_grad_: got False for a tensor computed by {self._edge!r}, expected a leaf; use detach() for "
                "a tensor without the graph"
            )
        if not requires_grad:
            if type(self._edge) is Leaf:
                self._frozen, self._edge = self._edge, None
        elif self._edge is None:
            if not promotion.is_differentiable(self.dtype):
                raise RuntimeError(
                    f"only floating-point and complex tensors can require a gradient: got dtype "
                    f"{self.dtype}, expected a floating one; convert it first, for example with .float()"
                )
            if not modes.inference and self.is_inference():
                raise RuntimeError(
                    "requires_grad_: got an inference tensor, expected a tensor that was made outside of "
                    "inference_mode; use its clone()"
                )
            frozen, self._frozen = self._frozen, None
            same = frozen is not None and (frozen.shape, frozen.dtype) == (self.shape, self._data.dtype)
            self._edge = frozen if same else Leaf(self)
            if self._views:
                self._replay_views()
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the graph ends here: made by the user, or not requiring a gradient."""
        return self._edge is None or type(self._edge) is Leaf

    @property
    def grad_fn(self) -> Any:
        """The node of the operation that made it; None for a leaf.

        Raises:
            RuntimeError: it is a view whose place in the graph is not known, as its base was changed in place.
        """
        edge = self._edge
        if edge is None or type(edge) is Leaf:
            return None
        if type(edge.plan) is Refusing and edge.plan.hidden:
            raise RuntimeError("grad_fn" + edge.plan.message.removeprefix("backward"))
        return shown(edge.node)

    @property
    def output_nr(self) -> int:
        """Which output of its operation it is: 0, but where there are several."""
        return 0 if self._edge is None else self._edge.index

    def detach(self) -> Tensor:
        """The same data without the graph: shares memory, requires no gradient."""
        return wrap(self._data)

    def detach_(self) -> Tensor:
        """Leaves the graph: becomes a leaf that requires no gradient.

        Raises:
            RuntimeError: it is a view, which belongs to the graph as its base does.
        """
        if self._view is not None:
            raise RuntimeError(
                "detach_: got a view, expected the tensor it was taken from: a view is in the graph as its base is; "
                "use detach(), or detach_() the base"
            )
        self._move(None)
        return self

    @property
    def _base(self) -> Tensor | None:
        """The tensor whose memory it shows if it is a view, else None."""
        if self._view is None:
            return None
        base = self._view[0]
        while base._view is not None:
            base = base._view[0]
        return base

    def _is_view(self) -> bool:
        """Whether it shows the memory of another tensor and follows its changes in the graph."""
        return self._view is not None

    @property
    def _version(self) -> int:
        """How often its memory was changed in place, by itself, its base, its views or what `detach` returned."""
        if self.is_inference():
            raise RuntimeError("_version: got an inference tensor, whose changes are not counted, expected another")
        return mutations.version(self._data)

    def is_inference(self) -> bool:
        """Whether it was made inside `inference_mode`, or shows the memory of a tensor that was."""
        return memory.holds(self._data)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward has brought, or None. Assigned, it has this tensor's shape and dtype."""
        found = self._grad
        if found is not None and found._lent is not None:
            found._own()
        if found is None and not self.is_leaf and self._keeper is None:
            warn(
                "the .grad of a tensor that was computed is always None: backward brings gradients to leaves; call "
                "retain_grad() on it before backward, or ask for td.autograd.grad(loss, tensor)"
            )
        return found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: expected a tensor or None, got {type(value).__name__}")
            if value is self:
                raise RuntimeError(
                    "grad: got the tensor itself, expected another, for its gradient; assign a copy: t.detach().clone()"
                )
            if value.shape != self.shape or value.dtype != self.dtype:
                raise RuntimeError(
                    f"grad: expected a gradient of the tensor's shape {self.shape} and dtype {self.dtype}, got shape "
                    f"{value.shape} and dtype {value.dtype}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def data(self) -> Tensor:
        """The same data without the graph. Assigning replaces the data and keeps the place in the graph.

        What is changed through it, backward does not learn of: it goes on with the changed values. Change
        `detach()`, or the tensor under `no_grad`, and backward refuses values that it needs and that are gone.
        """
        return wrap(alias(self._data))

    @data.setter
    def data(self, value: Any) -> None:
        array = as_array(value)
        if self._edge is not None and not promotion.is_differentiable(array.dtype):
            raise RuntimeError(
                f"data: got dtype {array.dtype}, expected a floating or complex one, as the tensor requires a "
                "gradient; call requires_grad_(False) first, or convert with .float()"
            )
        shown: Any = array.base.obj if isinstance(array.base, memoryview) else None
        if shown is self._data:
            return  # `t.data += 1` assigns what it got from here
        self._data = array
        if type(self._edge) is Leaf:
            self._edge.shape, self._edge.dtype = array.shape, array.dtype

    def retain_grad(self) -> None:
        """Asks backward to keep this computed tensor's gradient in `.grad` too."""
        if self._edge is None:
            raise RuntimeError(
                "retain_grad: got a tensor that requires no gradient, expected one that does; call requires_grad_() on "
                "its inputs"
            )
        if not self.is_leaf and self._keeper is None:
            self._keeper = Keeper(self, self._edge.with_hooks())

    @property
    def retains_grad(self) -> bool:
        """Whether it was computed and backward keeps its gradient in `.grad`: see `retain_grad`."""
        return self._keeper is not None and not self.is_leaf

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls `hook(gradient)` when the gradient of this tensor is known; what it returns replaces it.

        Hooks are called in the order in which they were registered, each with what the one before returned. What
        `retain_grad` keeps is what the last returned. Without `create_graph` nothing is recorded inside.

        Returns:
            A handle whose `remove()` takes the hook away.

        Raises:
            RuntimeError: the tensor requires no gradient; in backward: the hook returned another shape or dtype.

        >>> import tinygrad_dl as td
        >>> x = td.tensor(1.0, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> (x * 2).backward()
        >>> x.grad
        tensor(20.)

        Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_hook.html
        """
        if self._edge is None:
            raise RuntimeError(
                "register_hook: got a tensor that requires no gradient, expected one that does; call requires_grad_() "
                "first"
            )
        return RemovableHandle(self._edge.with_hooks().gradient, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Calls `hook(tensor)` each time backward has added to this leaf's `.grad`, as soon as its gradient is whole.

        So an optimiser can step, and free the gradient, while backward still goes on.

        Returns:
            A handle whose `remove()` takes the hook away.

        Raises:
            RuntimeError: the tensor requires no gradient, or was computed; in backward: the hook returned something.

        >>> import tinygrad_dl as td
        >>> w = td.tensor(1.0, requires_grad=True)
        >>> def step(w):
        ...     with td.no_grad():
        ...         w -= 0.1 * w.grad
        ...     w.grad = None
        >>> handle = w.register_post_accumulate_grad_hook(step)
        >>> (w * 2).backward()
        >>> w
        tensor(0.8000, requires_grad=True)

        Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.register_post_accumulate_grad_hook.html
        """
        if self._edge is None:
            raise RuntimeError(
                "register_post_accumulate_grad_hook: got a tensor that requires no gradient, expected one that does; "
                "call requires_grad_() first"
            )
        if not self.is_leaf:
            raise RuntimeError(
                f"register_post_accumulate_grad_hook: got a tensor computed by {self._edge!r}, expected a leaf: its "
                ".grad is not accumulated; use register_hook"
            )
        return RemovableHandle(self._edge.with_hooks().accumulated, hook)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.ndim:
            raise TypeError(
                "iter: got a 0-d tensor, expected 1 or more dimensions; item() gives its value, reshape(1) makes it 1-d"
            )
        return iter(self.unbind(0))

    # -- copying ---------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        from copy import deepcopy

        if not self.is_leaf:
            raise RuntimeError(
                f"deepcopy: got a tensor computed by {self._edge!r}, expected a leaf; use detach().clone() for the "
                f"values, clone() to stay in the graph"
            )
        new: Tensor = rebuild(type(self), self._data.copy(), self.requires_grad)
        if self._grad is not None:
            new._grad = wrap(self._grad._data.copy())
        memo[id(self)] = new
        for name, value in self.__dict__.items():  # what the user has hung on it
            if not name.startswith("_"):
                new.__dict__[name] = deepcopy(value, memo)
        return new

    def __reduce_ex__(self, protocol: Any) -> Any:
        if not self.is_leaf:
            raise RuntimeError(
                f"copy, pickle: got a tensor computed by {self._edge!r}, expected a leaf; use t.detach(), or "
                f"t.detach().numpy() for plots and other libraries"
            )
        return rebuild, (type(self), self._data, self.requires_grad)

    __array_priority__ = 1000  # NumPy's arrays leave operators to tensors; its functions: see `methods.py`

    # -- changing it in place --------------------------------------------------------------------

    def _move(self, edge: Edge | None) -> None:
        """Takes another place in the graph, and what `retain_grad` asked for with it."""
        keeper, self._keeper = self._keeper, None
        self._edge = edge
        if keeper is not None:
            keeper.remove()
            if edge is not None:
                self.retain_grad()

    def _write(self, array: np.ndarray, what: str) -> None:
        """Overwrites the values and notes it for backward passes; its place in the graph stays."""
        if array.shape != self._data.shape:
            raise RuntimeError(
                f"{what}: got a result of shape {array.shape}, expected the tensor's shape {self.shape}, into which it "
                "goes in place; use the operation that makes a new tensor"
            )
        if promotion.category(array.dtype) > promotion.category(self.dtype):
            raise RuntimeError(
                f"{what}: got a result of dtype {array.dtype}, expected one that can be stored in place in dtype "
                f"{self.dtype}; convert the tensor first, or use the operation that makes a new tensor"
            )
        if not has_own_elements(self._data):
            if not self._data.size:
                return  # nothing is written
            raise ArgumentError(
                f"{what}: got a read-only view (from expand?), expected a tensor that can be changed; clone() it first"
            )
        if observers.writers or self._edge is not None or self._view is not None:
            before_write(self, what)
        if type(array) is not type(self._data) and module_of(array) is not module_of(self._data):
            raise elsewhere(what, self._data, array)
        np.copyto(self._data, array, casting="unsafe")
        mutations.record(self._data, changed_at(what))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def _assign(self, result: Tensor, what: str) -> Tensor: ...
        def _replay_views(self) -> None: ...
        def _own(self) -> None: ...


def before_write(tensor: Tensor, what: str) -> None:
    """To be called before elements of a tensor are changed: what nodes and onlookers need of them is copied."""
    if observers.writers:
        observers.before_write(tensor._data, what)
    edge = tensor._edge if tensor._view is None else tensor._base._edge  # type: ignore[union-attr]
    node = None if edge is None else edge.node
    if isinstance(node, Node) and node.plan.changeable:
        node.keep_result(tensor._data)


def wrap(array: np.ndarray) -> Tensor:
    """A tensor around an array, without copying and without a place in the graph."""
    new = object.__new__(Tensor)
    new._data = array
    new._edge = None
    return new


Hooks.wrap = staticmethod(wrap)


def rebuild(kind: type[Tensor], array: np.ndarray, requires_grad: bool) -> Tensor:
    """A leaf of the given class: what copying and unpickling call."""
    new = object.__new__(kind)
    new._data = array
    new._edge = None
    return new.requires_grad_(requires_grad) if requires_grad else new


def as_array(value: Any, exact: bool = False) -> np.ndarray:
    """The array meant by a tensor, array, number or (nested) sequence, dtypes by PyTorch's rules.

    Python numbers become int64, bool or the default floating dtype; arrays keep theirs. With `exact`, for callers that
    know the dtype they want, Python's floats stay float64, so that they are rounded once, to that dtype.
    """
    if isinstance(value, Tensor):
        return value._data
    found: np.ndarray
    if type(value) in MODULES and type(value) is not np.ndarray:
        return value  # type: ignore[no-any-return]
    if isinstance(value, np.ndarray):
        if value.dtype.isnative and value.dtype.kind != "O":
            promotion.category(value.dtype)
            return value
        found = value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))
    elif isinstance(value, np.generic):
        found = np.asarray(value)
    elif isinstance(value, list | tuple | range) and has_tensors(value):
        found = np.array([one_number(each) if isinstance(each, Tensor) else as_array(each, exact) for each in value])
    elif foreign_array(value):
        return value  # type: ignore[no-any-return]
    else:
        try:
            found = np.array(value)
        except (ValueError, RuntimeError) as error:
            if has_tensors(value, every=True):
                return as_array([one_number(each) if isinstance(each, Tensor) else as_array(each) for each in value])
            if isinstance(error, ValueError):
                error.add_note("a tensor needs nested sequences of equal lengths")
            raise
        if found.dtype == object:
            found = of_large_integers(found, exact)
        if found.size == 0 or (not exact and found.dtype == np.float64 and not has_float64(value)):
            found = found.astype(promotion.default.dtype)
        elif not exact and found.dtype == np.complex128 and not hasattr(value, "dtype"):
            found = found.astype(promotion.COMPLEX_OF.get(promotion.default.dtype, promotion.COMPLEX64))
    if found.dtype.kind not in "biufcV" or (found.dtype.kind == "V" and found.dtype.name != "bfloat16"):
        raise TypeError(
            f"a tensor holds numbers: got {type(value).__name__} of dtype {found.dtype}, expected numbers, nested "
            f"lists of numbers, or a numeric array"
        )
    return found


def of_large_integers(found: np.ndarray, exact: bool) -> np.ndarray:
    """Python's integers beyond int64, which NumPy keeps as objects, as floats; all else as it is.

    Raises:
        OverflowError: all are integers, and no dtype was asked for.
    """
    if not found.size or not all(isinstance(each, int | float) for each in found.flat):
        return found
    if not exact and all(isinstance(each, int) for each in found.flat):
        most = max(found.flat, key=abs)
        raise OverflowError(f"got the integer {most}, expected what int64 can hold; pass dtype=td.float64")
    return found.astype(np.float64)


def has_tensors(value: Any, every: bool = False) -> bool:
    """Whether a nested sequence begins with a tensor, or holds one anywhere if `every` element is looked at."""
    if isinstance(value, list | tuple):
        return any(isinstance(each, Tensor) or has_tensors(each, every) for each in (value if every else value[:1]))
    return False


def one_number(tensor: Tensor) -> np.ndarray:
    """A tensor among the numbers of a sequence: its one element, as 0-d, without its graph.

    Raises:
        ValueError: it has more elements, or none.
    """
    if tensor._data.size != 1:
        raise ValueError(
            f"got a tensor of shape {tensor.shape} in a sequence of numbers, expected tensors of one element; join "
            "tensors with td.stack(tensors)"
        )
    if tensor._edge is not None:
        warn(
            "a tensor that requires a gradient becomes a number of a new tensor, which has no graph; keep the graph "
            "with td.stack(tensors), or say that it is to go with detach()"
        )
    return tensor._data.reshape(())


def has_float64(value: Any) -> bool:
    """Whether a nested sequence begins with something that says itself that it is float64."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return hasattr(value, "dtype")
