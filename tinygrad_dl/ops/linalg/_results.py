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
