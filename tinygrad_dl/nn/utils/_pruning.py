"""The methods of `nn.utils.prune`: hooks that hold a part of a weight at zero."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from tinygrad_dl.core.descriptions import summary
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import ones_like, zeros_like
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.parameter import Parameter
from tinygrad_dl.nn.utils.weight_hooks import hook_on
from tinygrad_dl.ops.linalg.norms import matrix_norm
from tinygrad_dl.ops.pointwise.arithmetic import abs as absolute
from tinygrad_dl.ops.reduction.norm import norm
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.sorting.topk import topk
from tinygrad_dl.random import randperm


class BasePruningMethod(ABC):
    """The base of pruning methods: a hook before `forward` that sets a weight to `weight_orig * weight_mask`.

    A subclass defines `compute_mask(t, default_mask)` and says in `PRUNING_TYPE` what it sees of a tensor that was
    pruned before: "unstructured": the elements that are left, in one dimension; "structured": the slices along its
    `dim` in which something is left; "global": all of it.

    >>> from tinygrad_dl.nn.utils import prune
    >>> class Small(prune.BasePruningMethod):
    ...     PRUNING_TYPE = "unstructured"
    ...     def compute_mask(self, t, default_mask):
    ...         return default_mask * (t.abs() >= 1)
    >>> layer = td.nn.Linear(3, 1)
    >>> layer.weight = td.nn.Parameter(td.tensor([[1.0, 0.5, -3.0]]))
    >>> method = Small.apply(layer, "weight")
    >>> layer.weight.tolist()
    [[1.0, 0.0, -3.0]]
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    @property
    def computes(self) -> str:
        """The name of the tensor that it sets."""
        return self._tensor_name

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask, of ones and zeros, for a tensor.

        Args:
            t: how much each element counts: the tensor itself, or the scores that were given.
            default_mask: the mask up to now, of the same shape.
        """

    def __call__(self, module: Module, inputs: Any) -> None:
        """Sets the weight before `forward`."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    def apply_mask(self, module: Module) -> Tensor:
        """The original tensor of a module times its mask."""
        original = getattr(module, f"{self._tensor_name}_orig")
        pruned: Tensor = getattr(module, f"{self._tensor_name}_mask").to(original.dtype) * original
        return pruned

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Prunes a parameter of a module by `cls(*args, **kwargs)`; nothing is changed if that fails.

        Args:
            importance_scores: how much each element counts, in place of the parameter itself.

        Returns:
            The method, or, of a parameter that was pruned before, the `PruningContainer` of all its methods.

        Raises:
            TypeError: the module has no such parameter. ValueError: the scores have another shape.
        """
        method = cls(*args, **kwargs)
        method._tensor_name = name
        value = getattr(module, name)
        scores = value if importance_scores is None else importance_scores
        require_shape("importance_scores", scores, name, value)
        number, before = hook_on(module, BasePruningMethod, name)
        if before is None:
            if not isinstance(module._parameters.get(name), Parameter):
                raise TypeError(
                    f"{cls.__name__}: got {name!r} of {type(module).__name__}, which is {summary(value)}, expected one "
                    f"of its parameters: {[key for key, each in module._parameters.items() if each is not None]}"
                )
            mask = fitting_mask(method.compute_mask(scores, default_mask=ones_like(value)), value)
            delattr(module, name)
            module.register_parameter(f"{name}_orig", value)
        else:
            container = before if isinstance(before, PruningContainer) else PruningContainer(before)
            earlier = container._pruning_methods
            container.add_pruning_method(method)
            try:
                before_mask = getattr(module, f"{name}_mask").detach().clone()
                mask = fitting_mask(container.compute_mask(scores, default_mask=before_mask), value)
            except BaseException:
                container._pruning_methods = earlier
                raise
            del module._forward_pre_hooks[number]
            method = container
        module.register_buffer(f"{name}_mask", mask)
        method(module, ())
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A tensor times the mask that the method computes for it.

        Args:
            default_mask: the mask up to now; ones by default.
            importance_scores: how much each element counts, in place of `t`.

        Raises:
            ValueError: the scores have another shape.
        """
        scores = t if importance_scores is None else importance_scores
        require_shape("importance_scores", scores, "t", t)
        mask = self.compute_mask(scores, default_mask=ones_like(t) if default_mask is None else default_mask)
        return t * mask

    def remove(self, module: Module) -> None:
        """Makes the pruned values those of the parameter, which gets its name back; the hook stays."""
        name = self._tensor_name
        pruned, original = self.apply_mask(module), module._parameters[f"{name}_orig"]
        for attribute in (name, f"{name}_orig", f"{name}_mask"):
            if hasattr(module, attribute):
                delattr(module, attribute)
        if original is not None:
            original.data = pruned.detach()
        module.register_parameter(name, original)


class PruningContainer(BasePruningMethod):
    """The methods by which one tensor was pruned, in this order.

    >>> from tinygrad_dl.nn.utils import prune
    >>> layer = prune.l1_unstructured(td.nn.Linear(4, 4), "weight", 4)
    >>> container = prune.RandomUnstructured.apply(layer, "weight", 2)
    >>> [type(method).__name__ for method in container], int(layer.weight_mask.sum())
    (['L1Unstructured', 'RandomUnstructured'], 10)
    """

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Adds a method at the end.

        Raises:
            TypeError: no pruning method. ValueError: one of another tensor.
        """
        if method is None:
            return
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"PruningContainer: got {summary(method)}, expected a BasePruningMethod")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                f"PruningContainer: got a method for {method._tensor_name!r}, expected one for {self._tensor_name!r}, "
                "as the others"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask up to now with that of the last method in it, which sees what its `PRUNING_TYPE` says.

        Raises:
            ValueError: of no known type. AttributeError: "structured", and has no `dim`.
        """
        return joined_mask(self._pruning_methods[-1], t, default_mask)


def joined_mask(method: BasePruningMethod, t: Tensor, default_mask: Tensor) -> Tensor:
    """A mask with what a method makes of the part that it sees."""
    seen = part_left(method, t, default_mask)
    mask = default_mask.to(t.dtype).clone()
    mask[seen] = method.compute_mask(t[seen], default_mask=default_mask[seen]).to(mask.dtype)
    return mask


def part_left(method: Any, t: Tensor, mask: Tensor) -> Any:
    """The index of what a method sees of a tensor that was pruned before."""
    kind = method.PRUNING_TYPE
    if kind == "unstructured":
        return mask.eq(1)
    if kind == "global":
        return (slice(None),) * t.ndim
    if kind != "structured":
        raise ValueError(
            f"{type(method).__name__}: got PRUNING_TYPE={kind!r}, expected 'unstructured', 'structured' or 'global'"
        )
    if not hasattr(method, "dim"):
        raise AttributeError(f"{type(method).__name__}: got a structured pruning method without `dim`, expected it")
    dim = normal_dim(method.dim, t.ndim)
    left = mask.sum([d for d in range(t.ndim) if d != dim]).bool()
    return (slice(None),) * dim + (left,)


def fitting_mask(mask: Any, tensor: Tensor) -> Tensor:
    """A mask from a method, which users may have written."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"compute_mask: got {summary(mask)} from it, expected a tensor of ones and zeros")
    if mask.ndim > tensor.ndim or np.broadcast_shapes(mask.shape, tensor.shape) != tensor.shape:
        raise ValueError(f"compute_mask: got shape {mask.shape} from it, expected {tensor.shape}")
    return mask


def require_shape(what: str, given: Any, name: str, tensor: Tensor) -> None:
    """Raises ValueError for a tensor of another shape."""
    if given is not tensor and tuple(given.shape) != tuple(tensor.shape):
        raise ValueError(f"{what}: got shape {given.shape}, expected {tensor.shape}, as {name!r} has")


class Identity(BasePruningMethod):
    """Prunes nothing: see `identity`."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes by a given mask: see `custom_from_mask`.

    Args:
        mask: of the shape of the tensor, with 0 where it is pruned.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        require_shape("mask", self.mask, "t", default_mask)
        mask: Tensor = default_mask * self.mask.to(default_mask.dtype)
        return mask


class Unstructured(BasePruningMethod):
    """The base of methods that prune an amount of elements."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        _validate_pruning_amount_init(amount)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        mask = default_mask.reshape(-1).clone()
        mask[self.least(t.reshape(-1), how_many(self.amount, t.numel()))] = 0
        return mask.reshape(default_mask.shape)

    @abstractmethod
    def least(self, t: Tensor, count: int) -> Tensor:
        """The indices of the elements of a vector that are pruned."""


class RandomUnstructured(Unstructured):
    """Prunes elements at random: see `random_unstructured`.

    Args:
        amount: how many, or, as a float, which share of them.
    """

    def least(self, t: Tensor, count: int) -> Tensor:
        return randperm(len(t))[:count]


class L1Unstructured(Unstructured):
    """Prunes the elements with the smallest absolute values: see `l1_unstructured`.

    Args:
        amount: how many, or, as a float, which share of them.
    """

    def least(self, t: Tensor, count: int) -> Tensor:
        indices: Tensor = topk(absolute(t), count, largest=False).indices
        return indices


class Structured(BasePruningMethod):
    """The base of methods that prune an amount of slices along a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _validate_pruning_amount_init(amount)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _validate_structured_pruning(t)
        dim = normal_dim(self.dim, t.ndim)
        count = how_many(self.amount, t.shape[dim])
        if count == 0:
            return default_mask
        mask = zeros_like(t)
        mask[(slice(None),) * dim + (self.most(t, dim, t.shape[dim] - count),)] = 1
        return mask * default_mask.to(mask.dtype)

    @abstractmethod
    def most(self, t: Tensor, dim: int, count: int) -> Tensor:
        """The indices of the slices that stay."""


class RandomStructured(Structured):
    """Prunes slices at random: see `random_structured`.

    Args:
        amount: how many, or, as a float, which share of them.
        dim: along which dimension.
    """

    def most(self, t: Tensor, dim: int, count: int) -> Tensor:
        return randperm(t.shape[dim])[:count]


class LnStructured(Structured):
    """Prunes the slices with the smallest norms: see `ln_structured`.

    Args:
        amount: how many, or, as a float, which share of them.
        n: which norm: the `p` of `norm`, or "nuc".
        dim: along which dimension.
    """

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def most(self, t: Tensor, dim: int, count: int) -> Tensor:
        indices: Tensor = topk(_compute_norm(t, self.n, dim), count).indices
        return indices


def _validate_pruning_amount_init(amount: Any) -> None:
    """Raises TypeError for anything but a number, ValueError for one that is no amount."""
    if not isinstance(amount, Real):
        raise TypeError(f"got amount={summary(amount)}, expected an int or a float")
    if float(amount) < 0 or (float(amount) > 1 and not isinstance(amount, Integral)):
        raise ValueError(f"got amount={amount}, expected a float from 0 to 1 or an int of 0 or more")


def _compute_nparams_toprune(amount: Any, tensor_size: int) -> int:
    """How many of `tensor_size` an amount is: an int itself, a float as a share."""
    return int(amount) if isinstance(amount, Integral) else round(float(amount) * tensor_size)


def _validate_pruning_amount(amount: Any, tensor_size: int) -> None:
    """Raises ValueError if an int is more than there is."""
    if isinstance(amount, Integral) and int(amount) > tensor_size:
        raise ValueError(f"got amount={amount}, expected at most the {tensor_size} that are left")


def _validate_structured_pruning(t: Tensor) -> None:
    """Raises ValueError for a tensor without slices."""
    if t.ndim < 2:
        raise ValueError(f"structured pruning: got shape {t.shape}, expected at least 2 dimensions")


def _validate_pruning_dim(t: Tensor, dim: int) -> None:
    """Raises IndexError for a dimension that a tensor does not have."""
    normal_dim(dim, t.ndim)


def _compute_norm(t: Tensor, n: Any, dim: int) -> Tensor:
    """The norm of each slice along a dimension."""
    kept = normal_dim(dim, t.ndim)
    others = [d for d in range(t.ndim) if d != kept]
    return matrix_norm(t, "nuc", others) if n == "nuc" else norm(t, n, others)


def how_many(amount: Any, size: int) -> int:
    """How many of `size` are pruned."""
    _validate_pruning_amount(amount, size)
    return _compute_nparams_toprune(amount, size)
