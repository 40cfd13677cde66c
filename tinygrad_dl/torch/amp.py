"""Mixed precision under PyTorch's names: `autocast`, which changes nothing here, and `GradScaler`.

NumPy's products of half precision are slower than those of float32, so on a CPU a lower precision would cost time and
digits at once. Programs written for mixed precision compute in the dtypes that their tensors have.

Source: https://docs.pytorch.org/docs/stable/amp.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn

if TYPE_CHECKING:
    from tinygrad_dl.optim.optimizer import Optimizer

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available", "is_autocast_enabled"]


class autocast:
    """Accepted as a context and as a decorator; operations keep the dtypes of their tensors, and it says so once.

    Args:
        device_type: "cpu", "cuda" or another name of PyTorch's.
        dtype: the precision in which PyTorch would compute products.
        enabled: False for none.
        cache_enabled: accepted.

    >>> import tinygrad_dl as td
    >>> with td.autocast("cpu", enabled=False):
    ...     td.ones(2, 2) @ td.ones(2, 2)
    tensor([[2., 2.],
            [2., 2.]])

    Source: https://docs.pytorch.org/docs/stable/amp.html#torch.autocast
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"autocast: got device_type={device_type!r}, expected a name such as 'cpu'")
        self.device, self.fast_dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> autocast:
        if self.enabled:
            _say_once()
        return self

    def __exit__(self, *error: Any) -> None:
        """Nothing was changed."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


@functools.cache
def _say_once() -> None:
    warn("autocast: operations keep the dtypes of their tensors; half precision is no faster on a CPU with NumPy")


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Whether operations lower their precision now: False, inside of `autocast` too.

    Source: https://docs.pytorch.org/docs/stable/amp.html
    """
    return False


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` lowers the precision of operations there: False.

    Source: https://docs.pytorch.org/docs/stable/amp.html#torch.amp.is_autocast_available
    """
    return False


def custom_fwd(fwd: Any = None, *, device_type: str = "cpu", cast_inputs: Any = None) -> Any:
    """The forward of an `autograd.Function`, as it is: `autocast` changes no dtypes that it would have to change back.

    Source: https://docs.pytorch.org/docs/stable/amp.html#torch.amp.custom_fwd
    """
    return (lambda fwd: fwd) if fwd is None else fwd


def custom_bwd(bwd: Any = None, *, device_type: str = "cpu") -> Any:
    """The backward of an `autograd.Function`, as it is.

    Source: https://docs.pytorch.org/docs/stable/amp.html#torch.amp.custom_bwd
    """
    return (lambda bwd: bwd) if bwd is None else bwd


class GradScaler:
    """Multiplies a loss, so that small gradients of half precision do not become 0, and takes the factor out again.

    A step whose gradients are infinite or nan is left out, and the factor is made smaller; after `growth_interval`
    steps without any it is made larger.

    Args:
        device: "cpu"; for "cuda", which there is none of, the scaler is not enabled.
        init_scale: the first factor.
        growth_factor, backoff_factor: what the factor is multiplied by to grow, and after infinite gradients.
        growth_interval: the number of steps in turn, without infinite gradients, after which it grows.
        enabled: False makes `scale` and `unscale_` do nothing, and `step` a step of the optimizer.

    >>> import tinygrad_dl as td
    >>> weight = td.ones(2, requires_grad=True)
    >>> optimizer = td.optim.SGD([weight], lr=0.5)
    >>> scaler = td.amp.GradScaler("cpu")
    >>> scaler.scale(weight.sum()).backward()
    >>> weight.grad
    tensor([65536., 65536.])
    >>> _ = scaler.step(optimizer)
    >>> scaler.update()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)

    Source: https://docs.pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and not growth_factor > 1.0:
            raise ValueError(f"GradScaler: got growth_factor={growth_factor}, expected a number above 1")
        if enabled and not backoff_factor < 1.0:
            raise ValueError(f"GradScaler: got backoff_factor={backoff_factor}, expected a number below 1")
        self._enabled = enabled and str(device).partition(":")[0] == "cpu"
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._found: dict[int, bool] = {}  # by optimizer since the last update: were gradients infinite or nan?
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """The tensor, or those in lists and tuples, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, list | tuple):
            return type(outputs)([self.scale(each) for each in outputs])
        raise ValueError(f"GradScaler.scale: got {outputs!r}, expected a tensor, or a list or tuple of tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of the optimizer's parameters by the factor, for instance to clip them before `step`.

        Raises:
            RuntimeError: it, or `step`, was called for this optimizer since the last `update`.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._found:
            done = "step" if id(optimizer) in self._stepped else "unscale_"
            raise RuntimeError(
                f"GradScaler.unscale_: got an optimizer for which {done} was called since the last update, "
                f"expected one call a step; call scaler.update() after each step"
            )
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self._found[id(optimizer)] = not all(np.isfinite(grad.data).all() for grad in grads)
        for grad in grads:
            np.multiply(grad.data, 1.0 / self._scale, out=grad.data, casting="same_kind")

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Makes a step of the optimizer, with gradients without the factor, unless any is infinite or nan.

        Returns:
            What `optimizer.step(*args, **kwargs)` returns; None if the step is left out.

        Raises:
            RuntimeError: a closure is given, or it was called for this optimizer since the last `update`.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or any(map(callable, args)):
            raise RuntimeError("GradScaler.step: got a closure, expected none; compute the loss before the step")
        if id(optimizer) in self._stepped:
            raise RuntimeError("GradScaler.step: got a second step since the last update; call scaler.update() between")
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Makes the factor smaller or larger by what the steps since the last call have met, or sets it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise RuntimeError("GradScaler.update: got no step since the last update, expected scaler.step(optimizer)")
        elif any(self._found.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._found.clear()
        self._stepped.clear()

    def is_enabled(self) -> bool:
        """Whether losses are multiplied."""
        return self._enabled

    def get_scale(self) -> float:
        """The factor; 1 if not enabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """What the factor is multiplied by to grow."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets what the factor is multiplied by to grow."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the factor is multiplied by after infinite gradients."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets what the factor is multiplied by after infinite gradients."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """The number of steps in turn without infinite gradients after which the factor grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets the number of steps in turn without infinite gradients after which the factor grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from; empty if not enabled."""
        return {key: getattr(self, place) for key, place in _STATE.items()} if self._enabled else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over the state of another scaler.

        Raises:
            RuntimeError: the state is that of a scaler that was not enabled, or lacks a number.
        """
        if not self._enabled:
            return
        lacking = [key for key in _STATE if key not in state_dict]
        if lacking:
            raise RuntimeError(
                f"GradScaler.load_state_dict: got a state without {', '.join(lacking)}, "
                f"expected the state_dict() of a scaler that is enabled"
            )
        for key, place in _STATE.items():
            setattr(self, place, state_dict[key])


_STATE = {
    "scale": "_scale",
    "growth_factor": "_growth_factor",
    "backoff_factor": "_backoff_factor",
    "growth_interval": "_growth_interval",
    "_growth_tracker": "_growth_tracker",
}
