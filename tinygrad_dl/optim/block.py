"""Parameters that are stepped together: their values and state in flat arrays, and a step over them."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from tinygrad_dl.backends.arrays import contiguous, has_own_elements, like, module_of
from tinygrad_dl.core import promotion
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, as_array, wrap
from tinygrad_dl.optim.options import Group, numbers

Array = np.ndarray
State = defaultdict[Any, dict[str, Any]]
# A chunk that has to be stepped: its block, the options, the gradient, the values and states.
Job = tuple["Block", Group, Array, tuple[Array, ...]]

# Elements worked on at a time: seven arrays of them stay in the last cache. In fewer, threads wait for each other more.
CHUNK = 2**18
REAL: dict[Any, np.dtype[Any]] = {promotion.COMPLEX64: promotion.FLOAT32, promotion.COMPLEX128: promotion.FLOAT64}


class Rule(Protocol):
    """What a block asks of the optimiser whose parameters it holds: see `FlatOptimizer`."""

    counts: ClassVar[bool]
    eager: ClassVar[bool]
    scalars: ClassVar[tuple[str, ...]]

    @property
    def _state(self) -> State: ...
    def names(self, group: Group) -> tuple[str, ...]: ...
    def initial(self, name: str, group: Group) -> float: ...
    def advance(self, o: Group) -> tuple[float, ...]: ...
    def update(self, o: Group, g: Array, work: Array, more: Array, p: Array, *states: Array) -> None: ...


class States(NamedTuple):
    """One array for all parameters of a block, and its parts in their shapes."""

    flat: Array
    parts: list[Array]


class Scratch(dict[Any, tuple[Array, Array, Array]]):
    """By dtype and size, three arrays to be written over by one thread; those of one dtype share their memory."""

    def __init__(self, largest: int):
        self.largest = min(CHUNK, largest)
        self.memory: dict[Any, Array] = {}

    def __missing__(self, key: tuple[Any, int]) -> tuple[Array, Array, Array]:
        dtype, size = key
        if dtype not in self.memory:
            self.memory[dtype] = np.empty((3, self.largest), dtype)
        one, two, three = self.memory[dtype][:, :size]
        self[key] = one, two, three
        return self[key]


class Memory(bytearray):
    """A buffer that several arrays live in.

    It is no ndarray, so each array in it counts as the owner of its own part, and the engine does not take
    the change of one parameter for the change of another.
    """


class Block:
    """Parameters of one dtype that are stepped together: values and state in flat arrays."""

    def __init__(self, params: Sequence[Tensor]):
        self.params = list(params)
        first = self.params[0]._data
        self.module = module_of(first)
        self.moved = len(self.params) > 1
        self.shapes = [p._data.shape for p in self.params]
        self.dtype: np.dtype[Any] = first.dtype
        self.real: np.dtype[Any] = REAL.get(self.dtype, self.dtype)
        self.low = self.real.itemsize < 4  # half precision is worked out in float32
        self.offsets = [0]
        for p in self.params:
            self.offsets.append(self.offsets[-1] + p._data.size * self.dtype.itemsize // self.real.itemsize)
        self.steps = scalars(len(self.params))
        self.scalars = {"step": self.steps}
        self.states: dict[str, States] = {}
        self.names: tuple[str, ...] = ()
        self.pieces: dict[tuple[int, int], list[tuple[slice, tuple[Array, ...]]]] = {}
        self.stepped: list[tuple[int, int, Group]] = []
        self.staged = False
        if self.moved:
            self.values, self.arrays = self.allocate()
            self.gathered, self.slots = self.allocate()
            for p, array in zip(self.params, self.arrays, strict=True):
                array[...] = p._data
                p._data = array
            self.watch = mutations.watch(self.arrays)
        else:
            self.arrays = [first]
            self.staged = not first.flags.c_contiguous or (self.module is np and not first.flags.aligned)
            if self.staged:
                self.values, self.slots = self.allocate()
            else:
                self.values = first.reshape(-1).view(self.real)

    def allocate(self) -> States:
        """A flat array with room for the parameters, zero, and its parts in their shapes."""
        if self.module is not np:  # parameters that live elsewhere are stepped one by one
            flat = self.module.zeros(self.offsets[-1], self.real)
            return States(flat, [flat.view(self.dtype).reshape(self.shapes[0])])
        itemsize = self.real.itemsize
        memory = Memory(self.offsets[-1] * itemsize)
        flat = np.ndarray((self.offsets[-1],), self.real, memory)
        places = zip(self.shapes, self.offsets[:-1], strict=True)
        return States(flat, [np.ndarray(shape, self.dtype, memory, at * itemsize) for shape, at in places])

    def room(self, scratch: Scratch, dtype: Any, size: int) -> tuple[Array, Array, Array]:
        """Three arrays to be written over: those of a thread or, elsewhere than on the CPU, new ones."""
        if self.module is np:
            return scratch[dtype, size]
        one, two, three = self.module.empty((3, size), dtype)
        return one, two, three

    # -- state -----------------------------------------------------------------------------------

    def adopt(self, optimizer: Rule, group: Group, state: State) -> None:
        """Takes over what stands in the optimiser's `state`, where it is not ours already."""
        group = numbers(group)
        places = [(name, *self.states[name]) for name in self.names]
        places += [(name, *self.scalars[name]) for name in ("step", *optimizer.scalars)]
        for i, p in enumerate(self.params):
            entry = state.get(p) or {}
            for name, _, arrays in places:
                array, value = arrays[i], entry.get(name)
                if name == "step" and not optimizer.counts:
                    array[...] = any(entry.get(each) is not None for each in self.names)
                elif value is None:
                    first = optimizer.initial(name, group)
                    array[...] = first if array.dtype.kind != "c" else complex(first, first)
                elif not (isinstance(value, Tensor) and value._data is array):
                    array[...] = like(as_array(value), array)
                    entry[name] = wrap(array)

    def publish(self, optimizer: Rule, state: State) -> None:
        """Adds to the optimiser's `state` what it does not show yet."""
        places = [(name, self.scalars[name].parts) for name in (*["step"] * optimizer.counts, *optimizer.scalars)]
        places += [(name, self.states[name].parts) for name in self.names]
        for i, p in enumerate(self.params):
            if self.steps.flat[i] or optimizer.eager:
                entry = state[p]
                for name, arrays in places:
                    if entry.get(name) is None:
                        entry[name] = wrap(arrays[i])

    def use(self, names: tuple[str, ...], optimizer: Rule, group: Group) -> None:
        """Sets which states the rule asks for; an option such as `momentum` may have been switched on."""
        for name in optimizer.scalars:
            if name not in self.scalars:
                given = [entry[name] for p in self.params if name in (entry := optimizer._state.get(p) or {})]
                wide = any(as_array(each).dtype == promotion.FLOAT64 for each in given)
                self.scalars[name] = scalars(len(self.params), promotion.FLOAT64 if wide else promotion.FLOAT32)
        self.publish(optimizer, optimizer._state)
        self.names = names
        self.pieces.clear()
        for name in names:
            if name not in self.states:
                self.states[name] = self.allocate()
        self.adopt(optimizer, group, optimizer._state)

    # -- a step ----------------------------------------------------------------------------------

    def begin(self, optimizer: Rule, group: Group, only: set[int] | None = None) -> list[Job]:
        """What has to be computed in a step of the parameters that have a gradient, or of those with these ids.

        The group's options are numbers.

        Raises:
            RuntimeError: a gradient has another shape than its parameter. Nothing is changed then.
        """
        self.stepped.clear()
        try:
            grads = [p._grad._data for p in self.params]  # type: ignore[union-attr]
            shapes = [g.shape for g in grads]
            present = only is None
        except AttributeError:
            present = False
        names = optimizer.names(group)
        if names != self.names:
            self.use(names, optimizer, group)
        alike: list[Any] = self.steps.flat.tolist()
        kept = [self.scalars[name].flat for name in optimizer.scalars]
        if kept:
            alike = list(zip(alike, *(flat.tolist() for flat in kept), strict=True))
        if present and alike.count(alike[0]) == len(alike):
            runs = [(0, len(alike))]
        else:
            grads = [self.gradient(i) if only is None or id(p) in only else None for i, p in enumerate(self.params)]
            shapes = [s if g is None else g.shape for g, s in zip(grads, self.shapes, strict=True)]
            runs = self.runs(grads, alike)
            if not runs:
                return []
        if shapes != self.shapes:
            i = next(i for i, shape in enumerate(shapes) if shape != self.shapes[i])
            raise RuntimeError(
                f"{type(optimizer).__name__}.step: got a gradient of shape {shapes[i]} for a parameter of shape "
                f"{self.shapes[i]}, expected the same shape; set .grad to None, or to a tensor of the parameter's shape"
            )
        if self.staged:
            self.slots[0][...] = self.arrays[0]
        jobs: list[Job] = []
        for i, j in runs:
            if self.moved:
                for slot, grad in zip(self.slots[i:j], grads[i:j], strict=True):
                    slot[...] = grad
                gradient = self.gathered[self.offsets[i] : self.offsets[j]]
            else:
                gradient = contiguous(grads[i])
                if not has_own_elements(gradient):
                    gradient = gradient.copy()  # `axpby` asks for it
                gradient = gradient.reshape(-1).view(self.real)
            o = group.copy()
            o["step"] = (alike[i][0] if kept else alike[i]) + 1
            if kept:
                o.update(zip(optimizer.scalars, alike[i][1:], strict=True))
            self.stepped.append((i, j, o))
            for where, arrays in self.pieces.get((i, j)) or self.cut(i, j):
                jobs.append((self, o, gradient[where], arrays))
        return jobs

    def finish(self, optimizer: Rule) -> None:
        """Counts the step that has been computed, and tells the engine which arrays it changed."""
        if not self.stepped:
            return
        for i, j, o in self.stepped:
            if optimizer.scalars:
                for name, value in zip(optimizer.scalars, optimizer.advance(o), strict=True):
                    self.scalars[name].flat[i:j] = value
            if optimizer.counts or self.names:
                self.steps.flat[i:j] = o["step"] if optimizer.counts else 1
        if self.staged:
            self.arrays[0][...] = self.slots[0]
        what = f"{type(optimizer).__name__}.step()"
        if self.moved and self.stepped[0][:2] == (0, len(self.params)):
            mutations.record_all(self.watch, what)
        else:
            for i, j, _ in self.stepped:
                for array in self.arrays[i:j]:
                    mutations.record(array, what)

    def gradient(self, i: int) -> Array | None:
        grad = self.params[i]._grad
        return None if grad is None else grad._data

    def runs(self, grads: Sequence[Any], counts: list[Any]) -> list[tuple[int, int]]:
        """The ranges of neighbours that have a gradient and were stepped equally often."""
        found: list[tuple[int, int]] = []
        for i, grad in enumerate(grads):
            if grad is None:
                continue
            if found and found[-1][1] == i and counts[i] == counts[i - 1]:
                found[-1] = found[-1][0], i + 1
            else:
                found.append((i, i + 1))
        return found

    def cut(self, i: int, j: int) -> list[tuple[slice, tuple[Array, ...]]]:
        """Parameters i to j in chunks: where in the run, and the values and states."""
        start, end = self.offsets[i], self.offsets[j]
        flats = [self.values, *(self.states[name].flat for name in self.names)]
        parts = -(-(end - start) // CHUNK)  # of equal sizes: short calls cost too much
        bounds = [start + (end - start) * part // parts for part in range(parts + 1)] if parts else []
        self.pieces[i, j] = pieces = [
            (slice(at - start, stop - start), tuple(flat[at:stop] for flat in flats))
            for at, stop in itertools.pairwise(bounds)
        ]
        return pieces


def run(optimizer: Rule, scratch: Scratch, job: Job) -> None:
    """Changes a chunk of a block. Several threads may do this at once, each with its own scratch."""
    block, o, g, arrays = job
    if not block.low:
        apply(optimizer, o, g, block.room(scratch, block.real, g.size), arrays)
        return
    wide = [a.astype(np.float32) for a in arrays]
    apply(optimizer, o, g.astype(np.float32), block.room(scratch, promotion.FLOAT32, g.size), wide)
    for array, new in zip(arrays, wide, strict=True):
        array[...] = new


def scalars(count: int, dtype: np.dtype[Any] = promotion.FLOAT32) -> States:
    """An array of a number for each parameter, and its elements as 0-d arrays that share its memory."""
    flat: Array = np.zeros(count, dtype)
    return States(flat, [np.ndarray((), dtype, flat, flat.itemsize * i) for i in range(count)])


def apply(optimizer: Rule, o: Group, g: Any, works: Any, arrays: Any) -> None:
    """Runs the rule on the gradient that it should see: with the sign turned, with weight decay."""
    work, spare, more = works
    if o["maximize"]:
        g = np.negative(g, out=spare)
    decay = o.get("weight_decay")
    if decay and not o.get("decoupled_weight_decay"):
        g = np.add(g, np.multiply(arrays[0], decay, out=work), out=spare)
    optimizer.update(o, g, work, more, *arrays)
