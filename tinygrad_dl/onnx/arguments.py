"""What the arguments of `export` mean: the example as tensors with names, the outputs' names, the dynamic axes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.onnx.runs import Axes


def signature_of(model: Any) -> inspect.Signature | None:
    """The signature of what is called; None if it is not known."""
    try:
        return inspect.signature(model.forward if isinstance(model, Module) else model)
    except (TypeError, ValueError):
        return None


def arguments_of(model: Any, args: Any, kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments by place and by name, which may be a dict at the end of `args` too, if the model takes it so."""
    positional = args if isinstance(args, tuple) else (args,)
    if kwargs is not None or not isinstance(args, tuple) or not args or not isinstance(args[-1], dict):
        return positional, dict(kwargs or {})
    signature = signature_of(model)
    try:
        if signature is not None:
            signature.bind(*args[:-1], **args[-1])
    except TypeError:  # it is an argument itself
        return positional, {}
    return args[:-1], dict(args[-1])


def names_of_inputs(
    model: Any, positional: tuple[Any, ...], named: dict[str, Any], count: int, given: Sequence[str] | None
) -> list[str]:
    """The names of the inputs: those given first, then those of the model's own parameters."""
    names = checked_names(given, "input_names")
    if len(names) > count:
        raise ValueError(
            f"onnx.export: got {len(names)} input_names, {names}, expected at most {count}: one for each tensor among "
            "the arguments"
        )
    signature = signature_of(model)
    parameters = [] if signature is None else list(signature.parameters.values())
    own = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    own += [f"input_{i}" for i in range(len(own), len(positional))]
    found: list[str] = []
    for name, value in [*zip(own, positional, strict=False), *named.items()]:
        tensors = [leaf for leaf in flatten(value)[0] if isinstance(leaf, Tensor)]
        single = isinstance(value, Tensor)
        found += [name if single else f"{name}.{i}" for i in range(len(tensors))]
    found = [*names, *found[len(names) :]]
    if len(set(found)) < len(found):
        found = [*names, *[f"{name}.{i}" if name in names else name for i, name in enumerate(found[len(names) :])]]
    return found


def names_of_outputs(found: list[str], given: Sequence[str] | None, inputs: list[str]) -> list[str]:
    """The names of the outputs: those given first, then where they stand in what the model returned."""
    names = checked_names(given, "output_names")
    if len(names) > len(found):
        raise ValueError(
            f"onnx.export: got {len(names)} output_names, {names}, expected at most {len(found)}: one for each tensor "
            "that the model returns"
        )
    if both := set(names) & set(inputs):
        raise ValueError(f"onnx.export: got {min(both)!r} for an input and an output, expected different names")
    taken = {*names, *inputs}
    return [*names, *[f"{name}_" if name in taken else name for name in found[len(names) :]]]


def checked_names(given: Sequence[str] | None, what: str) -> list[str]:
    """Names that users gave, each once."""
    if isinstance(given, str):
        raise TypeError(f"onnx.export: got {what}={given!r}, expected a list of names, [{given!r}]")
    names = list(given or ())
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(f"onnx.export: got {name!r} in {what}, expected names")
        if names.count(name) > 1:
            raise ValueError(f"onnx.export: got {name!r} twice in {what}, expected each name once")
    return names


def axes_of_shapes(
    given: Any, axes: Any, model: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]], inputs: list[str]
) -> dict[str, dict[int, Any]]:
    """`dynamic_axes` that mean the same as PyTorch's `dynamic_shapes`, which are in the form of the arguments."""
    if axes is not None:
        raise ValueError("onnx.export: got dynamic_axes and dynamic_shapes, expected one of them")
    positional, named = arguments
    if isinstance(given, Mapping):
        signature = signature_of(model)
        values = dict(signature.bind(*positional, **named).arguments) if signature is not None else dict(named)
        if unknown := set(given) - set(values):
            raise ValueError(
                f"onnx.export: got {min(unknown)!r} in dynamic_shapes, expected names of arguments: {list(values)}"
            )
        pairs = [(value, given.get(name)) for name, value in values.items()]
    else:
        pairs = list(zip([*positional, *named.values()], given, strict=False))
    specs: list[Any] = []

    def walk(value: Any, spec: Any) -> None:
        if isinstance(value, Tensor):
            specs.append(spec)
        elif isinstance(value, dict):
            for key, each in value.items():
                walk(each, None if spec is None else spec.get(key))
        elif isinstance(value, tuple | list):
            for i, each in enumerate(value):
                walk(each, None if spec is None else spec[i])

    for value, spec in pairs:
        walk(value, spec)
    found = {}
    for name, spec in zip(inputs, specs, strict=False):
        sizes = dict(enumerate(spec)) if isinstance(spec, tuple | list) else dict(spec or {})
        found[name] = {axis: size for axis, size in sizes.items() if size is not None}
    return found


def axes_of(
    given: Mapping[str, Any] | None, inputs: list[str], outputs: list[str], shapes: list[Any]
) -> dict[str, dict[int, str]]:
    """Name of an input or output -> axis -> name of its size.

    Raises:
        ValueError: a name that nothing has, or an axis that is not there. TypeError: another form.
    """
    found: dict[str, dict[int, str]] = {}
    for name, axes in (given or {}).items():
        if name not in inputs and name not in outputs:
            raise ValueError(
                f"onnx.export: got {name!r} in dynamic_axes, expected one of the inputs {inputs} or of output_names "
                f"{outputs}"
            )
        if isinstance(axes, Mapping):
            pairs = list(axes.items())
        elif isinstance(axes, list | tuple):
            pairs = [(axis, f"{name}_dynamic_axes_{i + 1}") for i, axis in enumerate(axes)]
        else:
            raise TypeError(
                f"onnx.export: got dynamic_axes[{name!r}]={axes!r}, expected a dict axis -> name, or a list of axes"
            )
        ndim = len(shapes[inputs.index(name)]) if name in inputs else None
        found[name] = {}
        for axis, called in pairs:
            if not isinstance(axis, int) or isinstance(axis, bool):
                raise TypeError(f"onnx.export: got the axis {axis!r} of {name!r} in dynamic_axes, expected an integer")
            if ndim is not None and not -ndim <= axis < ndim:
                raise ValueError(
                    f"onnx.export: got axis {axis} of {name!r} in dynamic_axes, expected one of its {ndim} dimensions"
                )
            found[name][axis % ndim if ndim else axis] = str(getattr(called, "__name__", called))
    return found


def groups_of(asked: dict[str, dict[int, str]], inputs: list[str], shapes: list[Any]) -> dict[str, Axes]:
    """The dynamic sizes by name. Sizes without a name that are equal, of the same axis, are taken to be one.

    Raises:
        ValueError: axes of one name have different sizes, or no elements.
    """
    found: dict[str, Axes] = {}
    for number, name in enumerate(inputs):
        for axis, called in asked.get(name, {}).items():
            size = shapes[number][axis]
            if not size:
                raise ValueError(
                    f"onnx.export: got an example without elements for {name!r}, of shape {tuple(shapes[number])}, "
                    "expected a size of at least 1 for a dynamic axis"
                )
            key = f"{axis}:{size}" if called.startswith(f"{name}_dynamic_axes_") else called
            axes = found.setdefault(key, Axes([], size))
            if axes.size != size:
                raise ValueError(
                    f"onnx.export: got sizes {axes.size} and {size} for the dynamic axis {called!r}, expected "
                    "one; give different sizes different names"
                )
            axes.places.append((number, axis))
    return found
