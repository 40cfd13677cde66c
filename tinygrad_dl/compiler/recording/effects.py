"""The hooks of the user's own code, in which side effects are looked for: they would not happen again."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tinygrad_dl.compiler.recording.hooks import Hooks
from tinygrad_dl.core.tensor import Tensor


class UsersHooks(Hooks):
    """The hooks of code that is not the library's."""

    users = True

    def here(self, depth: int = 2) -> None:
        frame = sys._getframe(depth)
        self.record.where = frame.f_code.co_filename, frame.f_lineno

    def call(self, function: Any, /, *args: Any, **options: Any) -> Any:
        if self.active:
            self.here()
        return super().call(function, *args, **options)

    def operator(self, name: str, *operands: Any) -> Any:
        if self.active:
            frame = sys._getframe(1)
            if frame.f_globals["__name__"].startswith("tinygrad_dl.compiler."):
                frame = frame.f_back or frame
            self.record.where = frame.f_code.co_filename, frame.f_lineno
        return super().operator(name, *operands)

    def of_tensor(self, tensor: Tensor, name: str) -> Any:
        raise self.record.refuse(
            f"{name.strip('_')} asks a tensor of shape {tuple(tensor.shape)} for numbers that differ from run to run,"
        )

    def truth(self, value: Any) -> bool:
        if isinstance(value, np.ndarray | np.generic) and (
            isinstance(value, np.ndarray) or self.record.is_number(value)
        ):
            raise self.record.refuse("a test depends on the elements of arrays,")
        return super().truth(value)
