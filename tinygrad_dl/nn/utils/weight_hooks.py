"""`weight_norm` and `spectral_norm` as they were before parametrizations: by hooks that set the weight at each call.

Programs and saved states of these names are many; new programs call those of `parametrizations`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from tinygrad_dl.autograd.grad_mode import no_grad
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.core.warning import warn
from tinygrad_dl.nn import functional
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.nn.utils.parametrizations import direction_times, iterate, matrix_of, norm_except, outputs_of
from tinygrad_dl.ops.linalg.products import mv, vdot
from tinygrad_dl.random import randn


class WeightHook:
    """A hook before `forward` that computes a weight from tensors whose names begin with its own."""

    what: ClassVar[str]

    def __init__(self, name: str):
        self.name = name

    @property
    def computes(self) -> str:
        """The name of the tensor that it sets."""
        return self.name

    def computed(self, module: Module, training: bool) -> Tensor:
        """The weight."""
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.computed(module, module.training))

    def parameter(self, module: Module) -> Parameter:
        """The weight, which must be a parameter without such a hook."""
        if hook_on(module, type(self), self.name)[1] is not None:
            raise RuntimeError(f"{self.what}: got {self.name!r}, which has this hook already, expected another weight")
        parameter = module._parameters.get(self.name)
        if parameter is None:
            known = list(module._parameters)
            raise ValueError(f"{self.what}: got the name {self.name!r}, expected one of the parameters {known}")
        return parameter

    def attach(self, module: Module, first: Tensor | None, **tensors: Tensor) -> Self:
        """Puts the tensors, by the ends of their names, in the place of the parameter, and a first value of it."""
        delattr(module, self.name)
        for end, tensor in tensors.items():
            if isinstance(tensor, Parameter):
                module.register_parameter(f"{self.name}_{end}", tensor)
            else:
                module.register_buffer(f"{self.name}_{end}", tensor)
        setattr(module, self.name, self.computed(module, False) if first is None else first)
        module.register_forward_pre_hook(self)
        return self

    @classmethod
    def remove(cls, module: Module, name: str, *ends: str) -> Module:
        """Makes the weight a parameter again, with the value that it has now."""
        number, hook = hook_on(module, cls, name)
        if hook is None:
            raise ValueError(
                f"remove_{cls.what}: got {name!r} of {type(module).__name__}, expected a weight with {cls.what}"
            )
        with no_grad():
            weight = hook.computed(module, False).detach()
        del module._forward_pre_hooks[number]
        for attribute in (name, *(f"{name}_{end}" for end in ends)):
            delattr(module, attribute)
        module.register_parameter(name, Parameter(weight))
        return module


def hook_on(module: Module, cls: type, name: str) -> tuple[int, Any]:
    """The number of the hook of a class that computes a tensor of a module, and the hook; None if there is none."""
    hooks = pre_hooks(module, cls).items()
    return next((item for item in hooks if getattr(item[1], "computes", "") == name), (0, None))


def pre_hooks(module: Module, cls: type) -> dict[int, Any]:
    """The hooks before `forward` that are of a class, by their numbers."""
    hooks: dict[int, Any] = (module._hooks or {}).get("_forward_pre_hooks", {})
    return {number: hook for number, hook in hooks.items() if isinstance(hook, cls)}


class WeightNorm(WeightHook):
    """The hook of `weight_norm`."""

    what = "weight_norm"

    def __init__(self, name: str, dim: int | None):
        super().__init__(name)
        self.dim = -1 if dim is None else dim

    def computed(self, module: Module, training: bool) -> Tensor:
        """g v / |v|."""
        return direction_times(getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v"), self.dim)

    @classmethod
    def apply(cls, module: Module, name: str, dim: int | None) -> Self:
        """Attaches one to a weight."""
        hook = cls(name, dim)
        weight = hook.parameter(module).detach()
        return hook.attach(module, None, g=Parameter(norm_except(weight, hook.dim)), v=Parameter(weight))


@composition
def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Deprecated, see `parametrizations.weight_norm`: trains `weight_g` and `weight_v`; returns the module.

    The weight is g v / |v|, computed before each call.

    Args:
        dim: the dimension whose slices have a g each; None for one g in all.

    Raises:
        RuntimeError: the weight has this hook already. ValueError: there is no such parameter.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FutureWarning)
    ...     layer = td.nn.utils.weight_norm(td.nn.Linear(20, 40))
    >>> layer.weight_g.shape, layer.weight_v.shape
    ((40, 1), (40, 20))

    Reference: Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868
    """
    warn("nn.utils.weight_norm is deprecated, use nn.utils.parametrizations.weight_norm", FutureWarning)
    WeightNorm.apply(module, name, dim)
    return module


@composition
def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Makes a weight with `weight_norm` an ordinary parameter again; returns the module.

    Raises:
        ValueError: it is none.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FutureWarning)
    ...     layer = td.nn.utils.weight_norm(td.nn.Linear(20, 40))
    >>> [name for name, _ in td.nn.utils.remove_weight_norm(layer).named_parameters()]
    ['bias', 'weight']
    """
    return WeightNorm.remove(module, name, "g", "v")


class SpectralNorm(WeightHook):
    """The hook of `spectral_norm`."""

    what = "spectral_norm"

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__(name)
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm: got n_power_iterations={n_power_iterations}, expected at least 1")
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps

    def computed(self, module: Module, training: bool) -> Tensor:
        """The original weight divided by its largest singular value."""
        weight, u, v = (getattr(module, f"{self.name}_{end}") for end in ("orig", "u", "v"))
        matrix = matrix_of(weight, self.dim)
        if training:
            iterate(matrix, u, v, self.n_power_iterations, self.eps, u_first=False)
        divided: Tensor = weight / vdot(u.clone(), mv(matrix, v.clone()))
        return divided

    @classmethod
    def apply(cls, module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> Self:
        """Attaches one to a weight."""
        hook = cls(name, n_power_iterations, dim, eps)
        weight = hook.parameter(module)
        drawn = (randn(n, dtype=weight.dtype) for n in matrix_of(weight, dim).shape)
        u, v = (functional.normalize(each, dim=0, eps=eps) for each in drawn)
        return hook.attach(module, weight.detach(), orig=weight, u=u, v=v)  # divided at the first call


@composition
def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divides a weight by its largest singular value before each call: an older form of `parametrizations` has it.

    What is trained is `weight_orig`; the singular vectors are the buffers `weight_u` and `weight_v`.

    Args:
        n_power_iterations: steps of the power method before each call in training mode.
        eps: the least norm to divide by.
        dim: the dimension of the outputs; 0 by default, and 1 for transposed convolutions.

    Returns:
        The module.

    Raises:
        RuntimeError: the weight has this hook already. ValueError: there is no such parameter.

    >>> layer = td.nn.utils.spectral_norm(td.nn.Linear(20, 40))
    >>> layer.weight_orig.shape, layer.weight_u.shape, layer.weight_v.shape
    ((40, 20), (40,), (20,))

    Reference: Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    """
    SpectralNorm.apply(module, name, n_power_iterations, outputs_of(module) if dim is None else dim, eps)
    return module


@composition
def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Makes a weight with `spectral_norm` an ordinary parameter again; returns the module.

    Raises:
        ValueError: it is none.

    >>> layer = td.nn.utils.remove_spectral_norm(td.nn.utils.spectral_norm(td.nn.Linear(20, 40)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    return SpectralNorm.remove(module, name, "u", "v", "orig")
