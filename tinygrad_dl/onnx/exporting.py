"""`export`: a model as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_dl
from tinygrad_dl import writing
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.func.trees import flatten
from tinygrad_dl.nn.module import Module
from tinygrad_dl.onnx.arguments import (
    arguments_of,
    axes_of,
    axes_of_shapes,
    groups_of,
    names_of_inputs,
    names_of_outputs,
)
from tinygrad_dl.onnx.convert import Lowering
from tinygrad_dl.onnx.model import IR_VERSIONS, library, made
from tinygrad_dl.onnx.options import TrainingMode
from tinygrad_dl.onnx.program import ONNXProgram
from tinygrad_dl.onnx.runs import Run, merged, runs_of, unchanged
from tinygrad_dl.onnx.table import OnnxExporterError

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
    dynamic_shapes: Any,
    verify: bool,
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
    positional, named = arguments_of(model, args, kwargs)
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
    if dynamic_shapes is not None:
        dynamic_axes = axes_of_shapes(dynamic_shapes, dynamic_axes, model, (positional, named), inputs)
    asked = axes_of(dynamic_axes, inputs, list(output_names or ()), [leaves[place].shape for place in places])
    grouped = groups_of(asked, inputs, [leaves[place].shape for place in places])
    with unchanged(model):
        runs = runs_of(model, leaves, structure, places, inputs, list(grouped.values()))
        record = merged(runs)
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
    program = ONNXProgram(made(lowering.graph, given, values, named_sizes, about), inputs, outputs)
    if verify and not any(node.op_type.startswith("Random") for node in program.model_proto.graph.node):
        for each in runs:
            require_same(program, each)
    return program


def require_same(program: ONNXProgram, run: Run) -> None:
    """Raises unless onnxruntime makes of a run's inputs what the run did."""
    found = program(*[wrap(array) for array in run.given])
    for name, mine, theirs in zip(program.output_names, run.results, found, strict=True):
        same = mine.shape == theirs.shape and np.allclose(mine, theirs._data, rtol=1e-3, atol=1e-5, equal_nan=True)
        if not same:
            away = np.abs(mine - theirs._data).max() if mine.shape == theirs.shape else f"of shape {theirs.shape}"
            shapes = ", ".join(str(array.shape) for array in run.given)
            raise OnnxExporterError(
                f"onnx.export: got another {name!r} from onnxruntime for inputs of shape {shapes}, expected that of "
                f"the model, of shape {mine.shape}: the difference is {away}"
            )


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


def write(program: ONNXProgram, f: Any) -> None:
    """Writes to a path or a file."""
    if hasattr(f, "write"):
        f.write(program.model_proto.SerializeToString())
        return
    writing.write_file(f, program.model_proto.SerializeToString(), "onnx.export")
