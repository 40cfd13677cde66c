"""`export`: a model as an ONNX file."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_dl
from tinygrad_dl import writing
from tinygrad_dl.core.tensor import Tensor
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.onnx.convert import Lowering
from tinygrad_dl.onnx.model import IR_VERSIONS, library, made
from tinygrad_dl.onnx.options import TrainingMode
from tinygrad_dl.onnx.program import ONNXProgram
from tinygrad_dl.onnx.runs import Axes, merged, runs_of, unchanged

DEFAULT_OPSET = 20


def exported(
    model: Any,
    args: Any,
    f: Any,
    kwargs: Mapping[str, Any] | None,
    input_names: Sequence[str] | None,
    output_names: Sequence[str] | None,
    opset_version: int | None,
    dynamic_axes: Mapping[str, Any] | None,
    do_constant_folding: bool,
    training: Any,
) -> ONNXProgram:
    """What `export` does, once the options that change nothing are dealt with."""
    opset = opset_of(opset_version)
    require_evaluation(training)
    if not callable(model):
        raise TypeError(f"onnx.export: got {type(model).__name__} as the model, expected a module or a function")
    if f is not None and not hasattr(f, "write"):  # before the work, not after it
        if not isinstance(f, str | os.PathLike):
            raise TypeError(
                f"onnx.export: got {type(f).__name__} to write to, expected a path or a file opened with 'wb'"
            )
        writing.destination(f, "onnx.export")
    positional, named = arguments_of(args, kwargs)
    leaves, structure = flatten((positional, named))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    for leaf in leaves:
        if isinstance(leaf, np.ndarray):
            raise TypeError(
                f"onnx.export: got an array of shape {leaf.shape} among the arguments, expected tensors; td.from_numpy "
                "makes one of it"
            )
    inputs = names_of_inputs(model, positional, named, len(places), input_names)
    for name, place in zip(inputs, places, strict=True):
        if leaves[place].is_complex():
            raise TypeError(
                f"onnx.export: got dtype {leaves[place].dtype} for the input {name!r}, expected a real one: operators "
                "of ONNX take no complex numbers"
            )
    asked = axes_of(dynamic_axes, inputs, list(output_names or ()), [leaves[place].shape for place in places])
    grouped = groups_of(asked, inputs, [leaves[place].shape for place in places])
    with unchanged(model):
        record = merged(runs_of(model, leaves, structure, places, inputs, list(grouped.values())))
    outputs = names_of_outputs([name for name, _ in record.outputs], output_names, inputs)
    lowering = Lowering(record, opset, do_constant_folding)
    lowering.graph.taken.update(outputs)
    values = list(zip(outputs, lowering.run(), strict=True))
    named_sizes: dict[Any, str] = {}
    for entry in record.inputs:
        for axis, name in asked.get(entry.name, {}).items():
            named_sizes[entry.name, axis] = name
            size = entry.shape[axis]
            if hasattr(size, "values"):
                named_sizes.setdefault(size.values, name)
    for output in outputs:
        named_sizes.update({(output, axis): name for axis, name in asked.get(output, {}).items()})
    kind = type(model).__name__ if isinstance(model, Module) else getattr(model, "__name__", type(model).__name__)
    about = kind, f"{kind}, exported by tinygrad_dl {tinygrad_dl.__version__}", tinygrad_dl.__version__
    given = [lowering.values[entry.number] for entry in record.inputs]
    return ONNXProgram(made(lowering.graph, given, values, named_sizes, about), inputs, outputs)


def opset_of(version: int | None) -> int:
    """The operator set that is asked for.

    Raises:
        ValueError: it is not one that this exporter writes.
    """
    found = DEFAULT_OPSET if version is None else version
    newest = min(max(IR_VERSIONS), library().defs.onnx_opset_version())
    if isinstance(found, bool) or not isinstance(found, int) or not min(IR_VERSIONS) <= found <= newest:
        raise ValueError(
            f"onnx.export: got opset_version={version!r}, expected an integer from {min(IR_VERSIONS)} to {newest}, or "
            f"None for {DEFAULT_OPSET}"
        )
    return found


def require_evaluation(training: Any) -> None:
    """Raises unless the model is to be exported as it is in evaluation."""
    if training not in (TrainingMode.EVAL, TrainingMode.EVAL.value, None, False):
        raise ValueError(
            f"onnx.export: got training={training!r}, expected TrainingMode.EVAL: dropout and batch normalisation are "
            "exported as they are in evaluation"
        )


def arguments_of(args: Any, kwargs: Mapping[str, Any] | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments by place and by name; those by name may be a dict at the end of `args` too."""
    positional = args if isinstance(args, tuple) else (args,)
    named = dict(kwargs or {})
    if kwargs is None and positional and isinstance(positional[-1], dict) and isinstance(args, tuple):
        positional, named = positional[:-1], dict(positional[-1])
    return positional, named


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
    function = model.forward if isinstance(model, Module) else model
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
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


def write(program: ONNXProgram, f: Any) -> None:
    """Writes to a path or a file."""
    if hasattr(f, "write"):
        f.write(program.model_proto.SerializeToString())
        return
    with writing.replacing(f, "onnx.export") as file:
        file.write(program.model_proto.SerializeToString())
