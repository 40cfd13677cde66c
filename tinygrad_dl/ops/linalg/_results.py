"""What functions of matrices with several results return."""

from typing import Any, NamedTuple


class QR(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class Reflections(NamedTuple):
    """What `geqrf` returns."""

    a: Any
    tau: Any


class SVD(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


class Logarithm(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class Eigen(NamedTuple):
    """What `eig` and `eigh` return."""

    eigenvalues: Any
    eigenvectors: Any


class Factors(NamedTuple):
    """What `linalg.lu` and `lu_unpack` return."""

    P: Any
    L: Any
    U: Any


class PackedLU(NamedTuple):
    """What `linalg.lu_factor` returns."""

    LU: Any
    pivots: Any


class CheckedLU(NamedTuple):
    """What `linalg.lu_factor_ex` returns."""

    LU: Any
    pivots: Any
    info: Any


class PackedLDL(NamedTuple):
    """What `linalg.ldl_factor` returns."""

    LD: Any
    pivots: Any


class CheckedLDL(NamedTuple):
    """What `linalg.ldl_factor_ex` returns."""

    LD: Any
    pivots: Any
    info: Any


class CheckedCholesky(NamedTuple):
    """What `linalg.cholesky_ex` returns."""

    L: Any
    info: Any


class CheckedInverse(NamedTuple):
    """What `linalg.inv_ex` returns."""

    inverse: Any
    info: Any


class CheckedSolution(NamedTuple):
    """What `linalg.solve_ex` returns."""

    result: Any
    info: Any


class OldSVD(NamedTuple):
    """What `td.svd`, `svd_lowrank` and `pca_lowrank` return: V, where `linalg.svd` returns V^H."""

    U: Any
    S: Any
    V: Any


class TriangularSolution(NamedTuple):
    """What `triangular_solve` returns."""

    solution: Any
    cloned_coefficient: Any
