"""Functions of functions: derivatives and batches of a function of tensors.

`grad`, `vjp`, `jvp` and `vmap` take a function and return one, and nest in any order.

>>> import tinygrad_dl as td
>>> td.func.grad(lambda x: (x**2).sum())(td.tensor([1.0, 2.0]))
tensor([2., 4.])

Source: https://docs.pytorch.org/docs/stable/func.html
"""

from tinygrad_dl.func.forward import jvp, linearize
from tinygrad_dl.func.functional import functional_call, stack_module_state
from tinygrad_dl.func.jacobians import hessian, hvp, jacfwd, jacrev
from tinygrad_dl.func.reverse import grad, grad_and_value, vjp
from tinygrad_dl.func.vectorize import vmap

# fmt: off
__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "hvp", "jacfwd", "jacrev", "jvp", "linearize",
    "stack_module_state", "vjp", "vmap",
]
# fmt: on
