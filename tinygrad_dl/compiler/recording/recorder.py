"""The recorder: runs a step once, for real, and writes its NumPy calls down as a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np

from tinygrad_dl.compiler.program import Buffer, Constant, Operand, Program, View
from tinygrad_dl.compiler.recording import policy, specials
from tinygrad_dl.compiler.recording.arrays import Arrays
from tinygrad_dl.compiler.recording.effects import UsersHooks
from tinygrad_dl.compiler.recording.errors import Refused, Unrecordable
from tinygrad_dl.compiler.recording.hooks import Hooks
from tinygrad_dl.compiler.recording.memory import address_of, view_of
from tinygrad_dl.compiler.recording.numbers import local
from tinygrad_dl.compiler.recording.record import Record
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.transforms import Lifted

__all__ = ["Recorder"]


class Recorder:
    """Records one run of a step.

    Args:
        name: what the program is called.
        known: pairs of an array and its name: memory outside of the step that it may read and write, such as
            parameters, buffers and the state of optimisers.
        arguments: the arrays given to the step, which are others in each run.
    """

    def __init__(self, name: str, known: Iterable[tuple[np.ndarray, str]] = (), arguments: Iterable[np.ndarray] = ()):
        specials.set_up()
        self.record = Record(name)
        memories = self.record.memories
        for array in arguments:
            buffer = memories.own(array, "argument", f"argument {len(self.record.program.arguments)}")
            self.record.program.arguments.append(view_of(array, buffer))
        for array, title in known:
            found = memories.find(array)
            if found is None or found.kind == "argument":
                found = memories.whole(array, "outside", title, keep=True)
            if array.size:
                self.record.program.titles.append((view_of(array, found), title))
        arrays = Arrays(self.record)
        self.hooks, self.users = Hooks(self.record, arrays), UsersHooks(self.record, arrays)
        self.hooks.other, self.users.other = self.users, self.hooks

    def __enter__(self) -> Self:
        if local.recorder is not None:
            raise RuntimeError("Recorder: got one inside of another, expected one at a time")
        local.recorder = self.record
        return self

    def __exit__(self, *error: object) -> None:
        local.recorder = None
        if error[0] is None:
            self.end()

    def run(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the step returns, run for real and written down.

        Raises:
            Unrecordable: the step can't be a program.
        """
        try:
            hooks = self.hooks if policy.of_library(step) else self.users
            result = hooks.call(step, *args, **kwargs)
            self.record.program.results += self.results(result)
            self.check_kept()
            self.check_requirements()  # what nobody but the record held is gone by now
        except Refused as error:
            raise Unrecordable(error.reason, error.line) from None
        return result

    def check_kept(self) -> None:
        """Refuses a step after which objects of the library hold tensors that the step has made."""
        record = self.record
        for held, key, value, where in record.keepers:
            now = held.get(key) if isinstance(held, dict) else getattr(held, "__dict__", {}).get(key)
            if id(now) == id(value) and self.made(value):
                record.where = where
                raise record.refuse(
                    f"the step leaves a tensor of {tuple(value.shape)} in a {type(held).__name__} of the library, "
                    "which a program would not; run the step once before it is compiled, if it is the first one,"
                )
        record.keepers.clear()

    def check_requirements(self) -> None:
        """Refuses a step after which a tensor that is still there requires gradients, or no longer does."""
        record = self.record
        for known, before in record.required.values():
            tensor = known()
            if tensor is not None and tensor.requires_grad is not before and not self.made(tensor):
                raise record.refuse(f"the step leaves a tensor of {tuple(tensor.shape)} with another requires_grad,")
        record.required.clear()

    def made(self, tensor: Any) -> bool:
        """Whether the step has made the memory of a tensor."""
        found = None if isinstance(tensor, Lifted) else self.record.memories.find(tensor._data)
        return found is not None and found.kind == "inside"

    def results(self, value: Any) -> list[Any]:
        """What the arrays and numbers in a result are in the program, in order."""
        if isinstance(value, Tensor):
            return [self.view(value._data)]
        if isinstance(value, np.ndarray):
            return [self.view(value)]
        if isinstance(value, tuple | list):
            return [found for each in value for found in self.results(each)]
        if isinstance(value, dict):
            return [found for each in value.values() for found in self.results(each)]
        found: Operand = self.record.operand(value)
        return [found] if not isinstance(found, Constant) or isinstance(value, int | float | complex) else []

    def end(self) -> None:
        record = self.record
        program = record.program
        living = record.memories.living()
        for buffer in living:
            if buffer.kind == "inside":
                buffer.kept = True
        self.keep_constants()
        program.errstate = record.errstate
        used: set[Buffer] = {view.buffer for view in program.arguments}
        used.update(view.buffer for view in program.results if type(view) is View)
        for call in program.calls:
            used.update(view.buffer for view in (*call.reads(), *call.writes()))
        program.buffers = [buffer for buffer in record.memories.buffers if buffer in used]

    def keep_constants(self) -> None:
        """Makes memory that is the same in every run, and that nothing else writes to, memory that lives on."""
        record, calls = self.record, self.program.calls
        lists = [calls, *(lane for call in calls for lane in call.lanes)]
        writes = Counter(view.buffer for each in lists for call in each if not call.lanes for view in call.writes())
        dropped = set()
        for call, make in record.constants:
            (view,) = call.writes()
            buffer = view.buffer
            if writes[buffer] == 1 and not buffer.kept and buffer.kind == "inside":
                array = make()
                if array.nbytes == buffer.nbytes and array.strides == view.strides:
                    buffer.owner, buffer.address = array if array.base is None else array.base, address_of(array)
                    buffer.kind, buffer.name, buffer.fixed = "outside", "constant", True
                    dropped.add(id(call))
        boundary = self.program.boundary
        if boundary is not None:
            self.program.boundary = boundary - sum(id(call) in dropped for call in calls[:boundary])
        for each in lists:
            each[:] = [call for call in each if id(call) not in dropped]

    # -- what it knows ---------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """What was recorded."""
        return self.record.program

    @property
    def errstate(self) -> bool:
        """Whether a block with another error state of NumPy's was entered."""
        return self.record.errstate

    @property
    def changed(self) -> list[Buffer]:
        """The buffers of memory outside that the program writes to."""
        written = {view.buffer: None for call in self.program.calls for view in call.writes()}
        return [buffer for buffer in written if buffer.kind == "outside"]

    def view(self, array: np.ndarray) -> View:
        """The view of a buffer that an array is."""
        return self.record.view(array)

    def number(self, value: Any, read: Callable[[], Any], name: str) -> Any:
        """A number that stands for `value` while recording; a run of the program calls `read` for its own.

        Numbers that are no float, int or complex come back as they are.
        """
        return self.record.number(value, read, name)
