"""`torch.special`: functions that this library has under their names in `torch`.

>>> from tinygrad_dl.torch import special
>>> special.expit(0.0)
tensor(0.5000)

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from tinygrad_dl import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    lgamma,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    round,
    sigmoid,
    softmax,
    xlogy,
)

# fmt: off
__all__ = [
    "digamma", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "log_softmax", "logit",
    "logsumexp", "polygamma", "psi", "round", "softmax", "xlogy",
]
# fmt: on

expit, gammaln, psi = sigmoid, lgamma, digamma
