"""Parametrizations that are often used: weights with a norm of their own, of spectral norm 1, and orthogonal ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.autograd.grad_mode import no_grad
from tinygrad_dl.core.composition import composition
from tinygrad_dl.core.namespaces import public
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.creation import eye, zeros_like
from tinygrad_dl.nn import functional
from tinygrad_dl.nn.layers.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tinygrad_dl.nn.module import Module
from tinygrad_dl.nn.utils.parametrize import register_parametrization
from tinygrad_dl.ops.comparison.whole import allclose
from tinygrad_dl.ops.linalg.matrix_exp import matrix_exp
from tinygrad_dl.ops.linalg.products import mv, vdot
from tinygrad_dl.ops.linalg.qr import geqrf, householder_product, qr
from tinygrad_dl.ops.linalg.solve import solve
from tinygrad_dl.ops.pointwise.where import where
from tinygrad_dl.ops.reduction.norm import norm
from tinygrad_dl.ops.shape._dims import normal_dim
from tinygrad_dl.ops.shape.joining import cat
from tinygrad_dl.random import randn

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

MAPS = ("matrix_exp", "cayley", "householder")


def norm_except(v: Tensor, dim: int) -> Tensor:
    """Euclid's norm over all dimensions but one, which keep size 1; over all of them for -1."""
    if dim == -1:
        return norm(v)
    kept = normal_dim(dim, v.ndim)
    return norm(v.unsqueeze(-1), 2, [d for d in range(v.ndim + 1) if d != kept], True).squeeze(-1)


def direction_times(g: Tensor, v: Tensor, dim: int) -> Tensor:
    """g v / |v|."""
    return v * (g / norm_except(v, dim))


def matrix_of(weight: Tensor, dim: int) -> Tensor:
    """A weight as a matrix whose rows are those of one dimension."""
    return weight.movedim(dim, 0).flatten(1)


def iterate(matrix: Tensor, u: Tensor, v: Tensor, times: int, eps: float, u_first: bool) -> None:
    """Brings u and v, in place, nearer to the first singular vectors of a matrix, by the power method."""
    with no_grad():
        back = matrix.conj().T
        for step in range(2 * times):
            if u_first == (step % 2 == 0):
                u.copy_(functional.normalize(mv(matrix, v), dim=0, eps=eps))
            else:
                v.copy_(functional.normalize(mv(back, u), dim=0, eps=eps))


def outputs_of(module: Module) -> int:
    """The dimension of a layer's weight that is that of its outputs."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0


def weight_in(module: Module, name: str, what: str) -> Tensor:
    """The tensor of this name in a module."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(
            f"{what}: got the name {name!r}, expected a parameter or buffer of {type(module).__name__}: "
            f"{[*module._parameters, *module._buffers]}"
        )
    return weight


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return direction_times(g, v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


@composition
def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Computes a weight as g v / |v|, so that its size and its direction are trained apart; returns the module.

    g is `module.parametrizations.weight.original0`, and v `original1`.

    Args:
        dim: the dimension whose slices have a g each; None for one g in all.

    >>> layer = td.nn.utils.parametrizations.weight_norm(td.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape, layer.parametrizations.weight.original1.shape
    ((40, 1), (40, 20))

    Reference: Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868
    """
    weight_in(module, name, "weight_norm")
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state: dict[str, Any], prefix: str, *_: Any) -> None:
        """What `nn.utils.weight_norm` saved has other names."""
        old = [f"{prefix}{name}_{part}" for part in "gv"]
        if all(key in state for key in old):
            for i, key in enumerate(old):
                state[f"{prefix}parametrizations.{name}.original{i}"] = state.pop(key)

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm: got n_power_iterations={n_power_iterations}, expected at least 1")
        self.dim, self.eps = normal_dim(dim, weight.ndim), eps
        if weight.ndim > 1:  # that of a vector is its norm
            self.n_power_iterations = n_power_iterations
            matrix = matrix_of(weight, self.dim)
            u, v = (randn(n, dtype=weight.dtype) for n in matrix.shape)
            self.register_buffer("_u", functional.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", functional.normalize(v, dim=0, eps=eps))
            iterate(matrix, self._u, self._v, 15, eps, u_first=True)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return functional.normalize(weight, dim=0, eps=self.eps)
        matrix = matrix_of(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps, u_first=True)
        # Copies: the next call changes these in place, and backward of this one may come after it.
        return weight / vdot(self._u.clone(), mv(matrix, self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


@composition
def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divides a weight by its largest singular value, which bounds how far the layer stretches; returns the module.

    The weight of more than two dimensions counts as a matrix (outputs, all others). The singular value is found by the
    power method, one step (or more) at every use in training mode.

    Args:
        n_power_iterations: the number of steps.
        eps: the least norm to divide by.
        dim: the dimension of the outputs; 0 by default, and 1 for transposed convolutions.

    >>> import numpy as np
    >>> layer = td.nn.utils.parametrizations.spectral_norm(td.nn.Linear(3, 3), n_power_iterations=100)
    >>> np.linalg.svd(layer.weight.detach().numpy())[1][0].round(4)
    np.float32(1.0)

    Reference: Miyato et al., 2018, https://arxiv.org/abs/1802.05957
    """
    weight = weight_in(module, name, "spectral_norm")
    dim = outputs_of(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True):
        super().__init__()
        self.shape, self.orthogonal_map, self.use_trivialization = weight.shape, orthogonal_map, use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        tall = X.mT if wide else X
        n, k = tall.shape[-2:]
        if self.orthogonal_map == "householder":
            vectors = tall.tril(-1)
            # The diagonal holds signs, which are not trained.
            signs = tall.detach().diagonal(0, -2, -1).trunc().unsqueeze(-2)
            q = householder_product(vectors, 2 / (1 + (vectors * vectors).sum(-2))) * signs
        else:
            lower = tall.tril()
            square = cat([lower, lower.new_zeros((*lower.shape[:-1], n - k))], -1) if n != k else lower
            skew = square - square.mH
            if self.orthogonal_map == "matrix_exp":
                q = matrix_exp(skew)
            else:
                one = eye(n, dtype=skew.dtype)
                q = solve(one - skew * 0.5, one + skew * 0.5)
            q = q[..., :k]
        if self.use_trivialization and self.base is not None:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(f"orthogonal: got a value of shape {Q.shape}, expected {self.shape}")
        if not self.use_trivialization and self.orthogonal_map != "householder":
            raise NotImplementedError(
                f"orthogonal: got a value for a tensor by the map {self.orthogonal_map!r} with "
                "use_trivialization=False, expected none: the map has no inverse that is known"
            )
        wide = Q.shape[-2] < Q.shape[-1]
        with no_grad():
            tall = Q.mT if wide else Q
            if not self.use_trivialization:
                reflections = reflections_of(tall)
                return reflections.mT if wide else reflections
            n, k = tall.shape[-2:]
            if n != k:  # a square matrix, whose first columns are those of Q
                tall = cat([tall, randn(*tall.shape[:-1], n - k, dtype=tall.dtype)], -1)
            self.base = tall.clone() if is_orthogonal(tall) else orthogonalized(tall)
            start = zeros_like(Q)
            start.diagonal(0, -2, -1).fill_(-1.0)  # where all maps give the first columns of the identity
            return start


def reflections_of(tall: Tensor) -> Tensor:
    """The original from which "householder" computes the Q of the QR factors whose R has a diagonal of 0 or more."""
    reflections: Tensor
    reflections, tau = geqrf(tall)
    diagonal = reflections.diagonal(0, -2, -1)
    signs = diagonal.sign()
    diagonal.copy_(where(tau == 0, -signs, signs))  # without a reflection the column is one of the identity
    return reflections


def is_orthogonal(square: Tensor) -> bool:
    """Whether Q^H Q is the identity, up to rounding."""
    n = square.shape[-1]
    product = square.mH @ square
    atol = 10 * n * float(np.finfo(product.dtype).eps)
    return allclose(product, eye(n, dtype=product.dtype).expand_as(product), atol=atol)


def orthogonalized(tall: Tensor) -> Tensor:
    """The Q of the QR factors whose R has a diagonal of 0 or more."""
    q, r = qr(tall)
    found: Tensor = q * r.diagonal(0, -2, -1).sgn().unsqueeze(-2)
    return found


@composition
def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Makes a matrix, or a batch of matrices, orthogonal, or unitary if it is complex; returns the module.

    Q of shape (..., m, n) has orthonormal columns if m >= n, and orthonormal rows otherwise. It is computed from the
    original X, of the same shape, by one of three maps, where A = X - X^H of the lower triangle of X:

    - "matrix_exp": Q = exp(A);
    - "cayley": Q = (I + A / 2) (I - A / 2)^-1;
    - "householder": the product of reflections by the vectors below the diagonal of X.

    Args:
        module: the module whose tensor it is.
        name: the name of the tensor.
        orthogonal_map: by default "matrix_exp" for square or complex matrices, "householder" for others.
        use_trivialization: multiply the result by a constant matrix, the buffer
            `module.parametrizations.weight[0].base`: training then starts at the value that the tensor has if it is
            orthogonal, or else at the Q of its QR factors, and any orthogonal matrix may be assigned.

    Raises:
        ValueError: there is no such tensor or map, the tensor has fewer than two dimensions, or a complex one is to be
            made of reflections.

    >>> layer = td.nn.utils.parametrizations.orthogonal(td.nn.Linear(20, 40))
    >>> td.allclose(layer.weight.T @ layer.weight, td.eye(20), atol=1e-5)
    True

    Reference: Lezcano-Casado, 2019, https://arxiv.org/abs/1909.09501
    """
    weight = weight_in(module, name, "orthogonal")
    if weight.ndim < 2:
        raise ValueError(
            f"orthogonal: got {name!r} of shape {weight.shape}, expected a matrix or a batch of matrices, (..., m, n)"
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(f"orthogonal: got orthogonal_map={orthogonal_map!r}, expected one of {', '.join(MAPS)}")
    if orthogonal_map == "householder" and weight.is_complex():
        raise ValueError("orthogonal: got the map 'householder' for a complex tensor, expected matrix_exp or cayley")
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, parametrization, unsafe=True)


public(globals(), "docs/stable/generated/torch.nn.utils.parametrizations.{}.html")
