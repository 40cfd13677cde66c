"""The one place where operations meet transforms: forward mode, vmap, and what others may add.

A transform wraps the tensors that it is about in a subclass of `Lifted`, which has no array of its own, only a tensor
one level down. The functions that users call know nothing of it. They read `_data`; a lifted tensor raises `Escape`
at that, and the function hands its arguments to `transformed`, which lets the innermost transform apply its rule for
the op. The rule calls ops again, one level down, until the tensors are plain: so transforms nest in any order,
and plain tensors pay nothing, since no flag is read and no type is compared for it.

Reverse mode is not a transform. It lies at the bottom: whatever a transform makes of an operation is recorded
like any other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Self, TypeVar

import numpy as np

from tinygrad_dl.backends.arrays import array_from, is_array
from tinygrad_dl.core.contents import of_dimension
from tinygrad_dl.core.dtypes import dtype
from tinygrad_dl.core.record import Record
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor, wrap

T = TypeVar("T")

# The levels, of whichever thread, that are told of tensors made anew. A plain list: reading it costs creation nothing.
onlookers: list[Level] = []


class _Stack(threading.local):
    """The transforms that this thread is inside of, outermost first."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        self.differentiating = 0  # how many calls of reverse mode as a transform we are inside of


stack = _Stack()
_count = itertools.count(1).__next__  # levels made later lie further inside


class Level:
    """One transform while it runs. A context manager: tensors lifted to it are of use inside of it alone."""

    name = "transform"
    marks = "belongs to it"  # what distinguishes its tensors, for errors
    releases = False  # whether its tensors are plain ones after it has ended
    received: Any  # plain tensors that became tensors of this level in their place, see `receive`

    def __init__(self) -> None:
        self.depth = _count()
        self.alive = False

    def __enter__(self) -> Self:
        self.alive = True
        stack.levels.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        stack.levels.remove(self)
        self.alive = False

    def enter(self, tensor: Any) -> Lifted:
        """A tensor lifted to this level, with nothing that the transform would know of it."""
        raise NotImplementedError

    def apply(self, op: Record, given: dict[str, Any]) -> Any:
        """The op on these arguments, some of which are lifted to this level and none further in."""
        raise NotImplementedError

    def apply_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An `autograd.Function` on these arguments, as `apply` for an op."""
        raise NotImplementedError

    def receive(self, tensor: Tensor, escape: Escape) -> Tensor:
        """Lifts a plain tensor in its place, since something lifted is written into it; or raises."""
        raise escape

    def made(self, tensor: Tensor, what: str) -> Tensor:
        """A tensor that the function `what` has made anew, as it is to be returned; of `onlookers`."""
        return tensor

    def told(self, escape: Escape) -> str:
        """What an error says that arose of a tensor of this level; by default what is right for vmap."""
        return ""

    def released(self, tensor: Tensor) -> Tensor:
        """The tensor of which this level, which has ended, knew more."""
        return tensor.value if isinstance(tensor, Lifted) and tensor.level is self else tensor

    def draws_apart(self, depends: tuple[Any, ...]) -> bool:
        """Whether random numbers drawn inside differ between the examples of this level, which then has a `size`.

        `depends` are the parameters of the distribution.
        """
        return False


# The class of a transform -> what `autograd.grad` does with its tensors; `func/gradients.py` fills it.
gradients: dict[type[Level], Callable[..., list[Any]]] = {}


class Lifted(Tensor):
    """A tensor inside a transform: a tensor one level down, and what the transform knows of it.

    Properties take the place of the slots of `Tensor` that say where its numbers are and where it came from. There are
    no more slots than those, so that a plain tensor can become one in its place (`Level.receive`).
    """

    __slots__ = ()

    level: Level
    value: Tensor

    def _array(self) -> Any:
        level = self.level
        if level.releases and not level.alive:
            return self.value._data
        raise Escape(self)

    _data: Any = property(_array)
    _edge: Any = property(lambda self: self.value._edge)
    _module: Any = property(lambda self: self.value._module)
    device: Any = property(lambda self: self.value.device)

    def within(self) -> tuple[Tensor, ...]:
        """The tensors one level down."""
        return (self.value,)

    def with_value(self, value: Tensor) -> Lifted:
        """Another tensor in the place of the one a level down: `value` is of the same shape."""
        raise NotImplementedError

    def cut(self) -> Tensor:
        """The same tensor, with what the transforms know of it, without its place in the graph of reverse mode."""
        return self.with_value(cut(self.value))

    def become(self, other: Any) -> Tensor:
        """Takes the place of another tensor of its level, which shows the same memory."""
        self.value = other.value
        return self

    def beside(self, tensor: Tensor) -> Tensor:
        """A new tensor, of the level below and of any shape, as one into which tensors like this can be written."""
        raise NotImplementedError

    def filled(self, make: Callable[[Tensor], Tensor]) -> Tensor:
        """What `make` makes in the form of the tensor a level down, as one in the form of this: for `zeros_like`."""
        raise NotImplementedError

    # -- what it holds: `value` says it, a subclass where its shape is another -------------------------

    @property
    def shape(self) -> Size:
        return self.value.shape

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else of_dimension(self.shape, dim, "size")

    @property
    def dtype(self) -> dtype:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        return self.shape.numel()

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    def element_size(self) -> int:
        return self.value.itemsize

    @property
    def nbytes(self) -> int:
        return self.numel() * self.itemsize

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return self.value.is_contiguous()

    def is_complex(self) -> bool:
        return self.value.is_complex()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len: got a 0-d tensor, expected 1 or more dimensions; numel() counts the elements")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iter: got a 0-d tensor, expected 1 or more dimensions; reshape(1) makes it 1-d")
        return iter(self.unbind(0))

    # -- its place in the graph ----------------------------------------------------------------------

    @property
    def is_leaf(self) -> bool:
        return self.value.is_leaf

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        raise RuntimeError(
            f"requires_grad_: got a tensor inside {self.level.name}, expected one outside of any transform; take "
            "gradients there with td.func.grad or td.func.vjp"
        )

    def detach(self) -> Tensor:
        return self.with_value(self.value.detach())

    def detach_(self) -> Tensor:
        self.value = self.value.detach()
        return self

    @property
    def _version(self) -> int:
        return self.value._version

    def is_inference(self) -> bool:
        return self.value.is_inference()

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        raise RuntimeError(
            f"data: got a tensor inside {self.level.name}, expected one outside of any transform; use copy_()"
        )

    # -- other ------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"{type(self).__name__}(level={self.level.depth}, value={self.value!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        raise RuntimeError(
            f"deepcopy: got a tensor inside {self.level.name}, expected one outside of any transform; use clone()"
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise RuntimeError(f"pickle: got a tensor inside {self.level.name}, expected one outside of any transform")


def cut(tensor: Any) -> Any:
    """A tensor of any level out of the graph of reverse mode. `detach` takes it out of forward mode as well."""
    return tensor.cut() if isinstance(tensor, Lifted) else tensor.detach()


class Escape(RuntimeError):
    """The array of a lifted tensor was asked for. Ops catch it; users see it if something else wanted the array."""

    def __init__(self, lifted: Lifted, asked: str = ""):  # every op on a lifted tensor makes one: nothing else is done
        self.lifted, self.asked, self.ended = lifted, asked, not lifted.level.alive
        self.written = ""  # the operation that wanted to write the tensor into a plain one

    def __str__(self) -> str:
        """The message, which is only made for users."""
        if told := self.lifted.level.told(self):
            return told
        where, shape = self.lifted.level.name, self.lifted.shape
        if self.ended:
            return (
                f"{self.asked or where}: got a tensor of shape {shape} that was made inside {where}, which has ended, "
                "expected one of this level; return it from the function, rather than keep it"
            )
        if self.written:
            return (
                f"{self.written}: got a value of shape {shape} that {self.lifted.level.marks}, inside of {where}, for "
                "a tensor made without, expected one that can hold it; make the tensor that is changed from the "
                "value's own, by zeros_like(x), x.new_zeros(...) or x.clone()"
            )
        if self.asked == "bool":
            return (
                f"bool: got a tensor of shape {shape} inside of {where} as a condition (if, while, and, or, not), "
                "where numbers are needed, expected one that does not depend on values; use td.where(condition, a, b)"
            )
        if self.asked:
            return (
                f"{self.asked}: got a tensor of shape {shape} inside of {where}, where numbers are needed, expected "
                "operations of tensors alone, as it stands for all examples; return it, and ask for its numbers outside"
            )
        return (
            f"{where}: got a tensor of shape {shape} inside of it where numbers are needed (item(), bool(), numpy(), "
            "or writing into a tensor made outside), expected operations on tensors alone; replace `if` by td.where, "
            "and make what you write into from the tensor itself, with zeros_like(x)"
        )


def drawn_inside(make: Callable[[Any], Any], shape: Any, depends: tuple[Any, ...]) -> Any:
    """What `make` draws for a shape, inside of transforms: an array, or a tensor that differs between examples."""
    apart: list[Any] = [level for level in stack.levels if level.draws_apart(depends)]
    found = make((*[level.size for level in apart], *shape))
    if not apart:
        return found
    tensor = wrap(array_from(found))
    for level in apart:
        tensor = level.lift(tensor)
    return tensor


def values_of(value: Any) -> Any:
    """The values of a tensor or array apart from its graph: an array, or inside of a transform a tensor.

    Rules choose by values. What they choose with `np.where` and the like is right for both; what they leave out if
    an array allows it, they can't leave out of a tensor whose values are not known: see `is_known`.
    """
    return value.detach() if isinstance(value, Lifted) else value._data if isinstance(value, Tensor) else value


def is_known(value: Any) -> bool:
    """Whether the values can be looked at: those of a tensor inside of a transform can't."""
    return not isinstance(value, Lifted)


PLAIN = frozenset((int, float, bool, str, type(None)))


def may_hold(value: Any) -> bool:
    """Whether a value may have tensors in it: a tuple, list or slice that is not of plain numbers alone."""
    kind = type(value)
    if kind is tuple or kind is list:
        return not PLAIN.issuperset(map(type, value))
    return kind is slice and not PLAIN.issuperset((type(value.start), type(value.stop), type(value.step)))


def lifted_among(values: Iterable[Any]) -> Iterator[Lifted]:
    """The lifted tensors among values, those inside tuples, lists and slices too."""
    return among(Lifted, values)


def among(kind: type[T], values: Iterable[Any]) -> Iterator[T]:
    """The instances of a class among values, those inside tuples, lists and slices too."""
    for value in values:
        if isinstance(value, kind):
            yield value
        elif type(value) in (tuple, list):
            yield from among(kind, value)
        elif type(value) is slice:
            yield from among(kind, (value.start, value.stop, value.step))


def innermost(values: Iterable[Any]) -> Level | None:
    """The transform furthest inside to which one of the values is lifted."""
    found: Level | None = None
    for value in values:
        if isinstance(value, Lifted):
            level: Level | None = value.level
        elif may_hold(value):
            level = innermost(lifted_among((value,)))
        else:
            continue
        if found is None or (level is not None and level.depth > found.depth):
            found = level
    return found


def memory_of(tensor: Any) -> np.ndarray:
    """The array that a tensor of any level, or an array, has its numbers in."""
    while isinstance(tensor, Lifted):
        tensor = tensor.value
    return tensor._data if isinstance(tensor, Tensor) else tensor


def levels_of(tensor: Any) -> dict[int, Level]:
    """The transforms that a tensor is lifted to, by depth."""
    levels = {}
    while isinstance(tensor, Lifted):
        levels[tensor.level.depth], tensor = tensor.level, tensor.value
    return levels


def entered(tensor: Any, like: Any) -> Any:
    """A tensor or array lifted to all levels that another one is lifted to."""
    found = tensor if isinstance(tensor, Tensor) else wrap(tensor)
    own = levels_of(found)
    for depth, level in sorted(levels_of(like).items()):
        if depth not in own:
            found = _entered(found, level)
    return found


def _entered(tensor: Any, level: Level) -> Lifted:
    """A tensor lifted to a level, inside of the shells of those levels that lie further inside."""
    if isinstance(tensor, Lifted) and tensor.level.depth > level.depth:
        return tensor.with_value(_entered(tensor.value, level))
    return level.enter(tensor)


def transformed(op: Record, found: dict[str, Any]) -> Any:
    """An op whose function met a lifted tensor; `found` holds that function's variables.

    Tensors that came before the lifted one have been taken apart already, into array and edge.
    """
    given: dict[str, Any] = {}
    for name in op.parameters:
        value = found[name]
        if is_array(value) and f"edge_{name}" in found:
            value = wrap(value)
            value._edge = found[f"edge_{name}"]
        given[name] = value
    return applied(op, given)


def applied(op: Record, given: dict[str, Any]) -> Any:
    """The op on arguments of which at least one is lifted, by the rule of the innermost transform."""
    level = innermost(given.values())
    assert level is not None
    if not level.alive:
        if level.releases:
            return called(op, {name: over_values(value, level.released) for name, value in given.items()})
        raise RuntimeError(
            f"{op.name}: got a tensor that was made inside {level.name}, which has ended, expected one of this level; "
            "return it from the function, rather than keep it"
        )
    return level.apply(op, given)


def called(op: Record, given: dict[str, Any]) -> Any:
    """The op on arguments by name."""
    count = len(op.positional)
    if count == len(op.parameters):
        return op.function(*[given[name] for name in op.positional])
    return op.function(
        *[given[name] for name in op.positional], **{name: given[name] for name in op.parameters[count:]}
    )


def over_values(value: Any, change: Callable[[Any], Any]) -> Any:
    """A value with the tensors in it, those inside tuples, lists and slices too, changed."""
    if isinstance(value, Tensor):
        return change(value)
    if type(value) is tuple or type(value) is list:
        return type(value)([over_values(each, change) for each in value])
    if type(value) is slice:
        return slice(*[over_values(each, change) for each in (value.start, value.stop, value.step)])
    return value


def rebuilt(op: Record, out: Any, change: Callable[[int, Any], Any]) -> Any:
    """The result of an op, one tensor or several, with each changed, given its position."""
    if op.outputs is None:
        return change(0, out)
    changed = [change(i, each) for i, each in enumerate(out)]
    return tuple(changed) if op.outputs is tuple else op.outputs(*changed)
