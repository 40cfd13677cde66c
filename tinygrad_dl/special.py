"""Special functions under PyTorch's name `torch.special`. Those that NumPy lacks are SciPy's.

    pip install 'tinygrad_dl[special]'

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_dl.core import lazy
from tinygrad_dl.core.namespaces import NAMESPACES, public

if TYPE_CHECKING:  # loaded at first use, as docs/make_lazy_names.py writes down
    from tinygrad_dl.ops.activation.sigmoid import expit
    from tinygrad_dl.ops.activation.softmax import log_softmax, softmax
    from tinygrad_dl.ops.pointwise.bessel import (
        airy_ai,
        bessel_j0,
        bessel_j1,
        bessel_y0,
        bessel_y1,
        i0,
        i0e,
        i1,
        i1e,
        modified_bessel_i0,
        modified_bessel_i1,
        modified_bessel_k0,
        modified_bessel_k1,
        scaled_modified_bessel_k0,
        scaled_modified_bessel_k1,
        spherical_bessel_j0,
    )
    from tinygrad_dl.ops.pointwise.error_function import erf, erfc, erfcx, erfinv, log_ndtr, ndtr, ndtri
    from tinygrad_dl.ops.pointwise.exponential import entr, exp2, expm1, log1p, logit, xlog1py, xlogy
    from tinygrad_dl.ops.pointwise.gamma import (
        digamma,
        gammainc,
        gammaincc,
        gammaln,
        multigammaln,
        polygamma,
        psi,
        zeta,
    )
    from tinygrad_dl.ops.pointwise.rounding import round
    from tinygrad_dl.ops.pointwise.trigonometric import sinc
    from tinygrad_dl.ops.reduction.logsumexp import logsumexp
    from tinygrad_dl.ops.special.polynomials import (
        chebyshev_polynomial_t,
        chebyshev_polynomial_u,
        chebyshev_polynomial_v,
        chebyshev_polynomial_w,
        hermite_polynomial_h,
        hermite_polynomial_he,
        laguerre_polynomial_l,
        legendre_polynomial_p,
        shifted_chebyshev_polynomial_t,
        shifted_chebyshev_polynomial_u,
        shifted_chebyshev_polynomial_v,
        shifted_chebyshev_polynomial_w,
    )

# fmt: off
__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t", "chebyshev_polynomial_u",
    "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2",
    "expit", "expm1", "gammainc", "gammaincc", "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e",
    "i1", "i1e", "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "multigammaln",
    "ndtr", "ndtri", "polygamma", "psi", "round", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy", "zeta",
]
# fmt: on

if not TYPE_CHECKING:  # checkers see the imports above
    __getattr__ = lazy.names(__name__)
public(globals(), NAMESPACES[__name__])
