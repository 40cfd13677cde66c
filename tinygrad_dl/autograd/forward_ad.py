"""Forward mode by hand: tensors with a tangent, inside of `dual_level`. `td.func.jvp` is the same as a function.

>>> import tinygrad_dl as td
>>> from tinygrad_dl.autograd import forward_ad
>>> with forward_ad.dual_level():
...     x = forward_ad.make_dual(td.tensor(2.0), td.tensor(1.0))
...     forward_ad.unpack_dual(x**3)
UnpackedDualTensor(primal=tensor(8.), tangent=tensor(12.))

Source: https://docs.pytorch.org/docs/stable/autograd.html#forward-mode-automatic-differentiation
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import NamedTuple

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.promotion import is_differentiable
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.dual import DualLevel
from tinygrad_dl.func.gradients import dual_of, dual_parts

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: a tensor, and its tangent, None if it has none."""

    primal: Tensor
    tangent: Tensor | None


class _Open(threading.local):
    """The level that this thread has entered."""

    level: DualLevel | None = None


_open = _Open()


def __getattr__(name: str) -> int:
    """`_current_level`, which programs written for PyTorch read: the number of the open level, -1 if there is none."""
    if name != "_current_level":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return -1 if _open.level is None else 0


def enter_dual_level() -> int:
    """Enters a level and returns its number, 0. `dual_level` does it for a `with` block.

    Raises:
        RuntimeError: there is one already.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.enter_dual_level.html
    """
    if _open.level is not None:
        raise RuntimeError(
            "enter_dual_level: got a level inside of another, expected one at a time; for derivatives of derivatives "
            "nest td.func.jvp, or take gradients inside of the level"
        )
    _open.level = DualLevel(releases=True)
    _open.level.__enter__()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leaves the level: its tensors are plain ones from then on, without tangents.

    Args:
        level: its number; by default the last one entered.

    Raises:
        RuntimeError: there is no such level.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.exit_dual_level.html
    """
    found = _open.level
    if found is None or level not in (None, 0):
        raise RuntimeError(
            f"exit_dual_level: got {'no open level' if found is None else f'level={level}'}, expected the last one "
            "that was entered; call enter_dual_level() first, or use `with dual_level():`"
        )
    _open.level = None
    found.__exit__()


class dual_level:
    """A `with` block in which tensors can have tangents.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.autograd import forward_ad
    >>> x, v = td.tensor([1.0, 2.0]), td.tensor([1.0, 0.0])
    >>> with forward_ad.dual_level():
    ...     out = forward_ad.make_dual(x, v).exp()
    ...     primal, tangent = forward_ad.unpack_dual(out)
    >>> tangent
    tensor([2.7183, 0.0000])
    >>> forward_ad.unpack_dual(out).tangent is None  # after the level
    True

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.dual_level.html
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor with a tangent: what is computed from it has one too, its derivative in that direction.

    Args:
        tensor: the primal. If it requires a gradient, so does the result: reverse mode goes through both parts.
        tangent: a direction, of its shape.
        level: the number of the level; by default the current one.

    Raises:
        RuntimeError: outside of a level, the shapes differ, or the tensor has a tangent already.
        ValueError: one of the two is neither floating nor complex.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     forward_ad.make_dual(td.tensor([1.0, 2.0]), td.tensor([1.0, 0.0])) ** 2
    tensor([1., 4.], tangent=tensor([2., 0.]))

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.make_dual.html
    """
    current = _open.level
    if current is None or level not in (None, 0):
        raise RuntimeError(
            f"make_dual: got {'a tensor outside of any level' if current is None else f'level={level}'}, expected a "
            "call inside of the current one; write `with dual_level():` around it"
        )
    for name, each in (("primal", tensor), ("tangent", tangent)):
        if not isinstance(each, Tensor):
            raise TypeError(f"make_dual: got {summary(each)} as {name}, expected a tensor")
        if not is_differentiable(each.dtype):
            raise ValueError(
                f"make_dual: got a {name} of dtype {each.dtype}, expected a floating or complex one; convert it with "
                ".float()"
            )
    if tangent.shape != tensor.shape:
        raise RuntimeError(
            f"make_dual: got a tangent of shape {tangent.shape}, expected that of its primal, {tensor.shape}"
        )
    for name, each in (("tensor", tensor), ("tangent", tangent)):
        if dual_parts(current, each)[1] is not None:
            raise RuntimeError(
                f"make_dual: got a {name} of shape {each.shape} that has a tangent at this level already, expected one "
                "without; take it off with detach(), or unpack_dual(tensor).primal"
            )
    dual: Tensor = dual_of(current, tensor, tangent if tangent.dtype == tensor.dtype else tangent.to(tensor.dtype))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A view of the tensor without its tangent, and the tangent: None if it has none, or its level has ended.

    Args:
        level: the number of the level; by default the current one.

    Raises:
        RuntimeError: there is no level of this number.

    >>> import tinygrad_dl as td
    >>> from tinygrad_dl.autograd import forward_ad
    >>> forward_ad.unpack_dual(td.tensor(1.0))
    UnpackedDualTensor(primal=tensor(1.), tangent=None)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.forward_ad.unpack_dual.html
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"unpack_dual: got {summary(tensor)}, expected a tensor")
    if level not in (None, 0) or (level == 0 and _open.level is None):
        raise RuntimeError(f"unpack_dual: got level={level}, expected that of the current dual_level, 0")
    if _open.level is None:
        return UnpackedDualTensor(tensor, None)
    primal, tangent = dual_parts(_open.level, tensor)
    return UnpackedDualTensor(primal if tangent is None else primal.view_as(primal), tangent)
