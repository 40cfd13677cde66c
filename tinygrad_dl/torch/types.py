"""`torch.types`: the types of PyTorch's annotations."""

from __future__ import annotations

import builtins
import os
from collections.abc import Sequence
from typing import IO, Any, TypeAlias

from tinygrad_dl.core.device import device
from tinygrad_dl.core.dtypes import dtype
from tinygrad_dl.core.size import Size
from tinygrad_dl.core.tensor import Tensor

__all__ = ["Device", "FileLike", "IntLikeType", "Number", "Tensor"]

_int, _float, _bool, _complex = builtins.int, builtins.float, builtins.bool, builtins.complex
_device, _dtype = device, dtype
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
IntLikeType: TypeAlias = int
Storage: TypeAlias = Any
