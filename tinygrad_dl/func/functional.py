"""Modules as functions of their parameters: `functional_call`, `stack_module_state`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.ops.shape.joining import stack

ABSENT: Any = object()


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with other tensors in the place of its parameters and buffers, and leaves it as it was.

    Args:
        module: the module.
        parameter_and_buffer_dicts: name -> tensor or None, as in `named_parameters()`; or a sequence of such dicts.
            The name of a parametrized tensor stands for its value, that of its original for what the value is computed
            from; a new name is an attribute during the call. A tensor that the module puts in the place of one while
            it runs is put into the dict.
        args: the arguments, a tuple; or one argument that is no tuple; or None.
        kwargs: arguments by name.
        tie_weights: a tensor given for a parameter that the module has under several names serves for all of them.
        strict: every parameter and buffer must be given, and nothing else.

    Raises:
        RuntimeError: a name in a submodule that is not there, or, with `strict`, one that is not given or not known.
        ValueError: different tensors for the names of one parameter, with `tie_weights`.
        TypeError: what is given, or stands in its place, is no tensor.

    >>> import tinygrad_dl as td
    >>> layer = td.nn.Linear(2, 1)
    >>> td.func.functional_call(layer, {"weight": td.ones(1, 2), "bias": td.zeros(1)}, td.tensor([3.0, 4.0]))
    tensor([7.])

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.functional_call.html
    """
    given = _joined(parameter_and_buffer_dicts)
    if tie_weights or strict:
        known = _named(module)
        given = _with_tied(known, given) if tie_weights else given
        missing, unknown = [name for name in known if name not in given], [name for name in given if name not in known]
        if strict and missing:
            raise RuntimeError(f"functional_call: got nothing for {missing[0]!r} with strict=True, expected a tensor")
        if strict and unknown:
            raise no_such_name(module, unknown[0])
    before = []
    try:
        for name, tensor in given.items():
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(f"functional_call: got {type(tensor).__name__} for {name!r}, expected a tensor")
            holder, key = _place(module, name)
            before.append((name, holder, key, holder.get(key, ABSENT)))
            holder[key] = tensor
        arguments = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*arguments, **(kwargs or {}))
    finally:
        for name, holder, key, old in reversed(before):
            now = holder.get(key, ABSENT)
            if old is ABSENT:
                holder.pop(key, None)
            else:
                holder[key] = old
            if now is not given[name] and isinstance(now, Tensor) and isinstance(parameter_and_buffer_dicts, dict):
                parameter_and_buffer_dicts[name] = now


def _joined(dicts: Any) -> dict[str, Any]:
    """One dict of several, whose names differ."""
    if isinstance(dicts, dict):
        return dict(dicts)
    if not isinstance(dicts, Sequence) or not all(isinstance(each, dict) for each in dicts):
        raise ValueError(
            f"functional_call: got {type(dicts).__name__}, expected a dict of tensors, or a sequence of such dicts"
        )
    joined: dict[str, Any] = {}
    for each in dicts:
        for name, tensor in each.items():
            if name in joined:
                raise ValueError(f"functional_call: got {name!r} in two of the dicts, expected it in one")
            joined[name] = tensor
    return joined


def _named(module: Any) -> dict[str, Any]:
    """The parameters and buffers by all their names."""
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def no_such_name(module: Any, name: str) -> RuntimeError:
    """The error for a name that a module does not have."""
    known = ", ".join(_named(module))
    return RuntimeError(
        f"functional_call: got {name!r}, expected a parameter or buffer of {type(module).__name__}: "
        f"{known or 'it has none'}"
    )


def _place(module: Any, name: str) -> tuple[dict[str, Any], str]:
    """The dict that holds the tensor of a name, or will hold it, and its key."""
    path, _, key = name.rpartition(".")
    try:
        owner = module.get_submodule(path)
    except AttributeError:
        raise no_such_name(module, name) from None
    for holder in (owner._parameters, owner._buffers):
        if key in holder:
            return holder, key
    parametrized = getattr(owner._modules.get("parametrizations"), "_modules", ())
    value = None if key in parametrized else getattr(owner, key, None)
    if value is not None and not isinstance(value, Tensor):
        raise TypeError(
            f"functional_call: got {name!r}, which is a {type(value).__name__}, expected the name of a tensor"
        )
    return owner.__dict__, key


def _with_tied(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What is given for one name of a tensor that has several is given for all."""
    by_tensor: dict[int, tuple[str, Any]] = {}
    for name, tensor in given.items():
        if name in known:
            other, earlier = by_tensor.setdefault(id(known[name]), (name, tensor))
            if earlier is not tensor:
                raise ValueError(
                    f"functional_call: got different tensors for {other!r} and {name!r}, which are names of one, "
                    "expected the same; or pass tie_weights=False"
                )
    for name, tensor in known.items():
        if id(tensor) in by_tensor:
            given.setdefault(name, by_tensor[id(tensor)][1])
    return given


def stack_module_state(models: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and buffers of models of one form, stacked: for an ensemble as one call of vmap.

    Returns:
        (parameters, buffers), each name -> tensor with the models in front. Parameters that required a gradient do so
        again, as leaves of their own.

    Raises:
        RuntimeError: no models, or models of different classes or modes.

    >>> import tinygrad_dl as td
    >>> models = [td.nn.Linear(2, 3) for _ in range(4)]
    >>> params, buffers = td.func.stack_module_state(models)
    >>> params["weight"].shape
    (4, 3, 2)
    >>> call = lambda p, b, x: td.func.functional_call(models[0], (p, b), x)
    >>> td.func.vmap(call, in_dims=(0, 0, None))(params, buffers, td.ones(5, 2)).shape
    (4, 5, 3)

    Source: https://docs.pytorch.org/docs/stable/generated/torch.func.stack_module_state.html
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: got no models, expected at least one")
    if len({type(each) for each in models}) > 1 or len({each.training for each in models}) > 1:
        raise RuntimeError(
            "stack_module_state: got models of different classes or modes, expected all of one class, all in training "
            "or all in evaluation"
        )
    found: list[dict[str, Any]] = []
    for named in ("named_parameters", "named_buffers"):
        columns: dict[str, list[Any]] = {}
        for each in models:
            for name, tensor in getattr(each, named)():
                columns.setdefault(name, []).append(tensor)
        state = {}
        for name, tensors in columns.items():
            if len(tensors) != len(models) or len({t.shape for t in tensors}) > 1:
                raise RuntimeError(
                    f"stack_module_state: got models whose {name!r} differ in shape, expected models of one form"
                )
            required = {t.requires_grad for t in tensors}
            if len(required) > 1:
                raise RuntimeError(
                    f"stack_module_state: got {name!r} with and without requires_grad, expected the same in all models"
                )
            state[name] = stack([t.detach() for t in tensors]).requires_grad_(required.pop())
        found.append(state)
    return found[0], found[1]
