"""Every public function on every dtype, and every operator on every pair: the result's dtype is PyTorch's."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_dl as td
from parity.counterpart import torch

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
pytestmark = pytest.mark.filterwarnings("ignore")


def dtype_of(result: Any) -> Any:
    """The dtypes (names) and shapes of a result, or of each of several."""
    if isinstance(result, tuple | list):
        return tuple(dtype_of(each) for each in result)
    if hasattr(result, "dtype"):
        return str(result.dtype).removeprefix("torch."), tuple(result.shape)
    return type(result).__name__


def outcome(call: Callable[[], Any]) -> Any:
    """The result's dtypes; None if it is refused."""
    try:
        with np.errstate(all="ignore"):
            return dtype_of(call())
    except Exception:
        return None


# -- operators -----------------------------------------------------------------------------------------

OPERATORS = [
    *("add", "sub", "mul", "truediv", "pow", "floordiv", "mod", "and_", "or_", "xor", "eq", "ne", "lt", "le", "gt"),
    *("ge", "iadd", "isub", "imul", "itruediv", "ipow", "ifloordiv", "imod", "iand", "ior", "ixor"),
]
NUMBERS = [True, 3, -1, 1000, 2.0, 0.5, 2 + 1j]


def refused_by_us_alone(name: str, numbers: Any) -> bool:
    """A power to an exponent that the integer's dtype cannot hold; halves of complex numbers, which we have not."""
    return (name.endswith("pow") and any(x in (-1, 1000) for x in numbers if type(x) is int)) or any(
        "float16" in str(x) or "complex" in str(x) for x in numbers
    )


def values(library: Any, dtype: str, dims: int) -> Any:
    """A tensor of small numbers, with one dimension or none."""
    array = np.array([1, 1, 0] if dtype == "bool" else [1, 2, 3]).astype(dtype)
    return (torch if library is torch else td).tensor(array if dims else array[1])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    function = getattr(operator, name)
    seen = 0
    for dtype in DTYPES:
        for dims in (1, 0):
            others: list[Any] = [*NUMBERS, *[(d, n) for d in DTYPES for n in (1, 0) if n <= dims or name[0] != "i"]]
            for other in others:
                for swapped in (False, True) if name[0] != "i" else (False,):

                    def call(library: Any, other: Any = other, swapped: bool = swapped) -> Any:
                        pair = [
                            values(library, dtype, dims),  # noqa: B023
                            values(library, *other) if isinstance(other, tuple) else other,
                        ]
                        return function(*(pair[::-1] if swapped else pair))

                    theirs, ours = outcome(lambda: call(torch)), outcome(lambda: call(td))
                    if theirs is None or "complex32" in str(theirs):
                        continue  # refused by PyTorch; or a dtype that NumPy has not
                    if ours is None and refused_by_us_alone(name, (dtype, other)):
                        continue
                    assert ours == theirs, (dtype, dims, other, swapped)
                    seen += 1
    assert seen > 50


# -- functions -----------------------------------------------------------------------------------------

TENSOR = object()  # stands for a second tensor like the first
INDEX = object()  # and for one of indices
ARGUMENTS: list[tuple[Any, ...]] = [
    *((), (1,), (0,), (-1,), (1, 0), (0, 1), ((0,),), (2.0,), (0.5,)),
    *((TENSOR,), (TENSOR, TENSOR), (0, INDEX), (0, INDEX, TENSOR)),
]
# What draws random numbers, makes tensors of nothing, or asks about something else than its argument.
OTHERS = {
    *(
        "bernoulli",
        "bernoulli_",
        "normal_",
        "uniform_",
        "exponential_",
        "random_",
        "multinomial",
        "rand_like",
        "randn_like",
    ),
    *(
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "gumbel_softmax",
        "randint_like",
        "empty_like",
    ),
    *("new_empty", "backward", "data_ptr", "register_hook", "retain_grad", "numpy", "tolist", "type", "requires_grad_"),
    *(
        "set_default_dtype",
        "manual_seed",
        "seed",
        "set_num_threads",
        "set_grad_enabled",
        "get_rng_state",
        "load",
        "save",
    ),
    *("from_numpy", "from_dlpack", "set_rng_state", "initial_seed", "result_type", "can_cast", "promote_types", "eye"),
    "lu_unpack",  # PyTorch writes beside its memory, and aborts, if there are more pivots than rows
    *("scaled_dot_product_attention", "empty", "rand", "randn", "randint", "randperm", "normal", "device", "Generator"),
}
# (name -> dtypes) where we mean to differ, or where the third positional argument is another one.
MEANT = {"softmax": DTYPES, "log_softmax": DTYPES, "softmin": DTYPES}
MEANT["complex"] = ["float16"]  # complex32 in PyTorch


def shared() -> list[tuple[str, str]]:
    """(where, name) of what both libraries have."""
    places = {"td": (td, torch), "F": (td.nn.functional, torch.nn.functional), "Tensor": (td.Tensor, torch.Tensor)}
    return [
        (where, name)
        for where, (ours, theirs) in places.items()
        for name in sorted(dir(ours))
        if not name.startswith("_") and name not in OTHERS
        if callable(getattr(ours, name)) and callable(getattr(theirs, name, None))
        if not isinstance(getattr(ours, name), type)
    ]


def samples(dtype: str) -> np.ndarray:
    """A matrix of small numbers."""
    return np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]] if dtype == "bool" else [[1, 2, 3], [3, 1, 2], [2, 3, 1]], dtype)


@pytest.mark.parametrize(("where", "name"), shared(), ids=lambda x: x)
def test_functions(where, name):
    ours, theirs = {
        "td": (td, torch),
        "F": (td.nn.functional, torch.nn.functional),
        "Tensor": (td.Tensor, torch.Tensor),
    }[where]
    for arguments in ARGUMENTS:
        for dtype in DTYPES:

            def call(library: Any, home: Any, arguments: Any = arguments, dtype: str = dtype) -> Any:
                first = samples(dtype)
                makers = {TENSOR: first.copy, INDEX: lambda: np.array([[0, 1, 2]])}
                given = [library.tensor(makers[a]()) if a is TENSOR or a is INDEX else a for a in arguments]
                return getattr(home, name)(library.tensor(first), *given)

            found, expected = outcome(lambda: call(td, ours)), outcome(lambda: call(torch, theirs))
            if found is None or expected is None or dtype in MEANT.get(name, ()):
                continue  # one of the two refuses it: the other tests say why
            assert found == expected, (arguments, dtype)
