"""The exchange of gradients while backward still runs.

A hook on each parameter puts its gradient into a bucket as soon as it is whole. A bucket that is full is on its way at
once, after all those before it, so that the order is one on all ranks whatever order the gradients come in. At the end
of the pass a callback waits for all, and the averages go where the gradients were.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_dl.autograd.callbacks import Engine
from tinygrad_dl.core.graph import topological
from tinygrad_dl.core.hooks import RemovableHandle
from tinygrad_dl.core.mutations import mutations
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.distributed.process_group import ProcessGroup
from tinygrad_dl.distributed.reducing import begin_all_reduce
from tinygrad_dl.distributed.reductions import ReduceOp
from tinygrad_dl.nn.parallel.buckets import GradBucket, buckets_of
from tinygrad_dl.nn.parameter import Parameter

NAME = "DistributedDataParallel"
CommHook = Callable[[Any, GradBucket], Any]


class Reducer:
    """Averages the gradients of parameters over the ranks of a group."""

    def __init__(
        self,
        named: Sequence[tuple[str, Parameter]],
        members: ProcessGroup,
        first: int,
        cap: int,
        views: bool,
        find_unused: bool,
        static: bool,
    ):
        self.names, self.parameters = [name for name, _ in named], [parameter for _, parameter in named]
        self.members, self.views, self.find_unused, self.static = members, views, find_unused, static
        self.syncs = True  # whether the gradients of the pass to come are exchanged
        self.hook: tuple[CommHook, Any] | None = None
        self.unused: list[int] = []  # parameters that the next pass will not come to
        self.buckets, self.place = self._made(first, cap)
        # Of the pass that is under way:
        self.waiting: set[int] = set()  # parameters without a gradient so far
        self.queued = False  # whether its end is known to the engine
        self.works: list[Any] = []
        self.used = np.ones(len(named), np.uint8)
        handles = [
            parameter.register_post_accumulate_grad_hook(_told(weakref.ref(self), number))
            for number, parameter in enumerate(self.parameters)
        ]
        weakref.finalize(self, _remove, handles).atexit = False

    def _made(self, first: int, cap: int) -> tuple[list[GradBucket], dict[int, tuple[GradBucket, np.ndarray]]]:
        buckets, place = [], {}
        for index, numbers in enumerate(buckets_of(self.parameters, first, cap)):
            bucket = GradBucket(index, [self.parameters[number] for number in numbers])
            buckets.append(bucket)
            place.update({number: (bucket, slot) for number, slot in zip(numbers, bucket.slots, strict=True)})
        buckets[-1]._last = True
        return buckets, place

    # -- before a pass ------------------------------------------------------------------------------------

    def require_finished(self) -> None:
        """Raises if the last pass has left parameters without a gradient, for which the other ranks wait."""
        if self.waiting:
            names = ", ".join(self.names[number] for number in sorted(self.waiting))
            rank = self.members.ranks[self.members.rank()]
            raise RuntimeError(
                f"{NAME}: got no gradient for {names} in the last backward pass of rank {rank}, expected one for each "
                "parameter: nothing was averaged; pass find_unused_parameters=True, or use all of them in the loss"
            )

    def look_for_unused(self, output: Any) -> None:
        """Notes the parameters that the outputs of a forward pass do not depend on."""
        reached = set(topological([tensor._edge for tensor in tensors_in(output) if tensor._edge is not None]))
        self.unused = [number for number, each in enumerate(self.parameters) if each._edge not in reached]

    # -- while it runs ------------------------------------------------------------------------------------

    def arrived(self, number: int) -> None:
        """Called when the gradient of a parameter is whole."""
        if not self.syncs:
            return
        if not self.queued:
            self.queued = True
            Engine.queue_callback(self._finish)
        if not self.waiting:
            self._begin()
        if number not in self.waiting:
            raise RuntimeError(
                f"{NAME}: got a second gradient for {self.names[number]} before there was one for "
                f"{', '.join(self.names[each] for each in sorted(self.waiting))}, expected one for each parameter in "
                "turn; add up the losses before backward(), or pass find_unused_parameters=True"
            )
        self._put(number)

    def _begin(self) -> None:
        self.waiting = set(range(len(self.parameters)))
        self.works = []
        self.used[...] = 1
        for bucket in self.buckets:
            bucket.left = len(bucket.slots)
        self._leave_out(self.unused)

    def _leave_out(self, numbers: Sequence[int]) -> None:
        """Takes parameters that have no gradient for done: the others' ranks may have some."""
        for number in numbers:
            self.used[number] = 0
            self._put(number)

    def _put(self, number: int) -> None:
        """Puts a gradient into its bucket, and sends what is full."""
        bucket, slot = self.place[number]
        grad = self.parameters[number]._grad
        if grad is None:
            slot[...] = 0
        elif grad._data is not slot:
            slot[...] = grad._data
        self.waiting.discard(number)
        bucket.left -= 1
        for work in self.works:
            work.is_completed()  # MPI goes on with it
        while len(self.works) < len(self.buckets) and not self.buckets[len(self.works)].left:
            self.works.append(self._sent(self.buckets[len(self.works)]))

    def _sent(self, bucket: GradBucket) -> Any:
        if self.hook is None:
            return begin_all_reduce(NAME, bucket.buffer(), ReduceOp.AVG, self.members)
        hook, state = self.hook
        return Hooked(hook(state, bucket), bucket)

    # -- its end ------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Waits for the averages, and puts them where the gradients were."""
        self.queued = False
        if self.waiting and self.static and not self.unused:
            self.unused = sorted(self.waiting)
            self._leave_out(self.unused)
        if self.waiting:
            return  # what is missing another pass may bring, before the next forward
        if self.find_unused or self.static:
            begin_all_reduce(NAME, wrap(self.used), ReduceOp.MAX, self.members).wait()
        for work in self.works:
            work.wait()
        for number, parameter in enumerate(self.parameters):
            if self.used[number]:
                self._bring(parameter, self.place[number][1])

    def _bring(self, parameter: Parameter, slot: np.ndarray) -> None:
        grad = parameter._grad
        if self.views:
            if grad is None or grad._data is not slot:
                parameter._grad = wrap(slot)
        elif grad is None or grad._edge is not None or not grad._data.flags.writeable:
            parameter._grad = wrap(slot.copy())
        else:
            grad._data[...] = slot
            mutations.record(grad._data, NAME)


class Hooked:
    """A bucket that a function of the user's exchanges."""

    def __init__(self, future: Any, bucket: GradBucket):
        if not hasattr(future, "wait"):
            raise TypeError(
                f"register_comm_hook: got {type(future).__name__} from the hook, expected a Future of the bucket's "
                "gradients, such as work.get_future()"
            )
        self.future, self.bucket = future, bucket

    def is_completed(self) -> bool:
        """Whether it is over."""
        done = getattr(self.future, "done", None)
        return bool(done()) if done is not None else False

    def wait(self) -> None:
        """Waits for it, and puts into the bucket what comes of it."""
        found = self.future.wait()
        found = found[0] if isinstance(found, list | tuple) else found
        if isinstance(found, Tensor):
            self.bucket.set_buffer(found)


def _told(reducer: weakref.ref[Reducer], number: int) -> Callable[[Tensor], None]:
    """The hook of a parameter, which does nothing any more once the module that averages is gone."""

    def hook(_: Tensor) -> None:
        found = reducer()
        if found is not None:
            found.arrived(number)

    return hook


def _remove(handles: Sequence[RemovableHandle]) -> None:
    """Takes the hooks away with the module: a model may be wrapped many times."""
    for handle in handles:
        handle.remove()


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in what a module returns: in containers and objects with fields too."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in tensors_in(each)]
    if isinstance(value, list | tuple | set):
        return [tensor for each in value for tensor in tensors_in(each)]
    return tensors_in(vars(value)) if hasattr(value, "__dataclass_fields__") else []
