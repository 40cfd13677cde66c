"""Finds PyTorch's function for an op of ours and calls it with the same arguments."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from tinygrad_dl.testing.call import Call, default_values

torch = pytest.importorskip("torch")  # who imports this module is skipped without PyTorch
F = torch.nn.functional
torch.set_num_threads(1)

NAMESPACES = {
    "functional": (F, torch),
    "linalg": (torch.linalg, torch),
    "fft": (torch.fft,),
    "special": (torch.special, torch),
    "td": (torch, F, torch.special, torch.linalg),
}


def torch_setitem(input: torch.Tensor, index: Any, value: torch.Tensor) -> torch.Tensor:
    changed = input.clone()
    changed[index] = value
    return changed


def torch_repeat_interleave(input: torch.Tensor, repeats: Any, dim: Any = None) -> torch.Tensor:
    counts = torch.tensor(repeats) if isinstance(repeats, tuple | list) else repeats
    return torch.repeat_interleave(input, counts, dim)


def torch_prod(input: torch.Tensor, dim: Any = None, keepdim: bool = False, **options: Any) -> torch.Tensor:
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    for axis in sorted((d % max(1, input.ndim) for d in dims), reverse=True):
        input = torch.prod(input, axis, keepdim, **options)
    return input if dims else input.clone()


def torch_attention(
    query: Any, key: Any, value: Any, mask: Any = None, factors: Any = None, is_causal: bool = False, scale: Any = None
) -> torch.Tensor:
    if factors is None:
        return F.scaled_dot_product_attention(query, key, value, mask, is_causal=is_causal, scale=scale)
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).tril() == 0, -float("inf"))
    return (scores.softmax(-1) * factors) @ value


# Where PyTorch spells it otherwise: op -> a function of the same keyword arguments.
SPELLED = {
    "cast": lambda input, dtype: input.to(dtype),
    "cross_entropy_of_probabilities": F.cross_entropy,
    "contiguous": lambda input: input.contiguous(),
    "einsum": lambda operands, equation: torch.einsum(equation, *operands),
    "expand": lambda input, size: input.expand(size),
    "flip": lambda input, dims: torch.flip(input, dims if isinstance(dims, tuple) else (dims,)),
    "index": lambda input, index: input[index],
    "getitem": lambda input, index: input[index],
    "max_dim": torch.max,
    "min_dim": torch.min,
    "prod": torch_prod,
    "repeat_interleave": torch_repeat_interleave,
    "scaled_dot_product_attention": torch_attention,
    "setitem": torch_setitem,
    "view": lambda input, shape: input.reshape(shape),
}


def undefined(call: Call) -> bool:
    """Whether PyTorch leaves the result of this call open."""
    name, index = call.op.name, call.values.get("index")
    if name == "setitem" and isinstance(index, np.ndarray) and index.dtype != bool:
        return len(set(index.ravel().tolist())) < index.size  # which of several values is stored
    if name == "scatter" and isinstance(index, np.ndarray) and index.ndim:
        return bool((np.diff(np.sort(index, call.values["dim"]), axis=call.values["dim"]) == 0).any())
    return False


# What PyTorch does not have, and why we do.
OURS_ALONE: dict[str, str] = {}

DTYPES = {
    np.dtype(np.float16): torch.float16,
    np.dtype(np.float32): torch.float32,
    np.dtype(np.float64): torch.float64,
    np.dtype(np.complex64): torch.complex64,
    np.dtype(np.complex128): torch.complex128,
    np.dtype(np.int8): torch.int8,
    np.dtype(np.int16): torch.int16,
    np.dtype(np.int32): torch.int32,
    np.dtype(np.int64): torch.int64,
    np.dtype(np.uint8): torch.uint8,
    np.dtype(np.uint64): torch.uint64,
    np.dtype(np.bool_): torch.bool,
}
NUMPY_DTYPES = {theirs: ours for ours, theirs in DTYPES.items()}


def counterpart(name: str, namespace: str) -> Any:
    """PyTorch's function of keyword arguments, or None."""
    if name in SPELLED:
        return SPELLED[name]
    for place in NAMESPACES.get(namespace, NAMESPACES["td"]):
        if callable(getattr(place, name, None)):
            return getattr(place, name)
    method = getattr(torch.Tensor, name, None)
    return None if method is None else lambda input, **kwargs: method(input, **kwargs)


def as_torch(value: Any) -> Any:
    """Arrays as tensors, dtypes as PyTorch's, inside sequences too."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, list | tuple):
        return type(value)(as_torch(each) for each in value)
    if isinstance(value, np.generic):
        return value.item()
    return DTYPES[value] if isinstance(value, np.dtype) else value


def call_torch(call: Call) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """PyTorch's results for a call of ours, and its leaves at the call's differentiable places."""
    op = call.op
    function = counterpart(op.name, op.namespace)
    defaults = default_values(op)
    given = {k: v for k, v in call.values.items() if not (v is None and defaults.get(k, 0) is None)}
    values = {name: as_torch(value) for name, value in given.items()}
    leaves = []
    for name, i in call.differentiable() if op.records else ():
        tensor = values[name] if i is None else values[name][i]
        leaves.append(tensor.requires_grad_())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # broadcast targets, "mean" of kl_div and the like: advice, not failures
        result = called(function, values, op.parameters, op.tensors)
    return [result] if isinstance(result, torch.Tensor) else list(result), leaves


def called(function: Any, values: dict[str, Any], parameters: tuple[str, ...], tensors: tuple[str, ...]) -> Any:
    """The function's result, however it wants its arguments: by name, tensors by position, without dim=None."""
    ordered = {name: values[name] for name in parameters if name in values}
    options = {name: value for name, value in ordered.items() if name not in tensors}
    attempts = [
        lambda: function(**ordered),
        lambda: function(*(ordered[n] for n in tensors if n in ordered), **options),
        lambda: function(*ordered.values()),
    ]
    whole = ordered[tensors[0]]
    if "dim" in parameters and ordered.get("dim") is None and isinstance(whole, torch.Tensor):
        options.pop("dim", None)
        rest = {n: v for n, v in options.items() if n != "keepdim"}
        everywhere = tuple(range(whole.ndim))
        attempts += [
            lambda: function(whole, dim=everywhere, **options),
            lambda: reshaped(function(whole, **rest), (1,) * whole.ndim if options.get("keepdim") else ()),
        ]
    refusals = []
    for attempt in attempts:
        try:
            return attempt()
        except TypeError as error:
            refusals.append(error)
    raise refusals[0]


def reshaped(result: Any, shape: tuple[int, ...]) -> Any:
    """The result of reducing everything, or each of several, in the shape that keepdim asks for."""
    return result.reshape(shape) if isinstance(result, torch.Tensor) else tuple(each.reshape(shape) for each in result)


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    """The values of a tensor of theirs."""
    return tensor.detach().resolve_conj().resolve_neg().numpy()
