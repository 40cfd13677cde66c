"""Probability distributions of tensors: samples, densities, entropies and divergences, with gradients.

>>> import tinygrad_dl as td
>>> from tinygrad_dl.distributions import Categorical
>>> policy = Categorical(logits=td.tensor([0.0, 0.0]))
>>> policy.log_prob(td.tensor(1))
tensor(-0.6931)

`sample` draws without a graph, `rsample` as a function of the parameters, so that gradients reach them (the
reparameterisation trick). Shapes: `sample_shape + batch_shape + event_shape`; parameters broadcast to the batch, and an
event is what one draw gives: a number, or a vector of the multivariate ones.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from tinygrad_dl.core.namespaces import public
from tinygrad_dl.distributions import constraints
from tinygrad_dl.distributions.discrete import Bernoulli, Categorical
from tinygrad_dl.distributions.distribution import Distribution
from tinygrad_dl.distributions.divergence import kl_divergence, register_kl
from tinygrad_dl.distributions.gamma import Beta, Dirichlet, Gamma
from tinygrad_dl.distributions.independent import Independent
from tinygrad_dl.distributions.multivariate import MultivariateNormal
from tinygrad_dl.distributions.univariate import Exponential, Laplace, Normal, Uniform

# fmt: off
__all__ = [
    "Bernoulli", "Beta", "Categorical", "Dirichlet", "Distribution", "Exponential", "Gamma", "Independent", "Laplace",
    "MultivariateNormal", "Normal", "Uniform", "constraints", "kl_divergence", "register_kl",
]
# fmt: on

public(globals(), "docs/stable/distributions.html#torch.distributions.{}", without=("constraints",))
