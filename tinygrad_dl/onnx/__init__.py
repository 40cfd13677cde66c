"""Models as ONNX files, for other runtimes and for Netron.

    td.onnx.export(model, (x,), "model.onnx", input_names=["x"], dynamic_axes={"x": {0: "batch"}})

The model is run on the example and each operation becomes ONNX's (docs/onnx.md).

Source: https://docs.pytorch.org/docs/stable/onnx.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_dl.core.transforms import stack
from tinygrad_dl.onnx.options import TrainingMode
from tinygrad_dl.onnx.program import ONNXProgram
from tinygrad_dl.onnx.table import OnnxExporterError, Unsupported, UnsupportedOperators, converter

# fmt: off
__all__ = [
    "ONNXProgram", "OnnxExporterError", "TrainingMode", "Unsupported", "UnsupportedOperators", "converter", "export",
    "is_in_onnx_export",
]
# fmt: on


def __dir__() -> list[str]:
    return __all__


def export(
    model: Any,
    args: Any = (),
    f: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    export_params: bool = True,
    verbose: bool | None = None,
    training: Any = TrainingMode.EVAL,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    do_constant_folding: bool = True,
    dynamic_axes: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    verify: bool = False,
    **more: Any,
) -> ONNXProgram:
    """Exports a model to ONNX, checked by the package onnx (the extra `onnx`).

    The model is run on the example, in evaluation and without a graph; each operation becomes nodes. Parameters keep
    their names, nodes bear the path of their module. The model is left as it was.

    Args:
        model: a module, or a function of tensors.
        args: the example: a tuple of arguments, or one tensor. A dict at its end are arguments by name. What is no
            tensor becomes a constant.
        f: a path, or a file opened with "wb"; None writes nothing.
        kwargs: arguments by name.
        export_params: False is refused: a model without its parameters could not be run.
        verbose: whether to print the graph.
        training: `TrainingMode.EVAL`, the only mode there is.
        input_names, output_names: names for the tensors, in order. Those without one are called as the parameters of
            `forward`, and `output` or `output_0`, `output_1`, ...
        opset_version: the version of ONNX's operators, 17 to 24; 20 by default.
        do_constant_folding: whether what depends on parameters alone is computed now.
        dynamic_axes: which sizes may differ from the example's: name -> {axis: name of the size}, or name -> [axis].
            Sizes of one name are equal. To find out what depends on them, the model is run at other sizes too.
        dynamic_shapes: the same as PyTorch says it now: in the form of the arguments, or by their names, a dict
            {axis: name} in the place of each tensor, or None.
        verify: whether to run the result in onnxruntime, at all the sizes that the model was run at, and compare;
            not of models that draw random numbers.
        more: PyTorch's other options; those that make no difference here are accepted.

    Returns:
        The exported model: `program.model_proto`; `program(x)` runs it in onnxruntime.

    Raises:
        UnsupportedOperators: operations that can't be exported, one line for each; nothing is written.
        OnnxExporterError: the model does not do the same operations at other sizes of dynamic axes, decides by values,
            or gives something else in onnxruntime (`verify`).
        ValueError, TypeError: names, axes, the operator set or the outputs are not as described.
        ImportError: the package onnx is missing. OSError: the file can't be written.

    >>> model = td.nn.Sequential(td.nn.Linear(3, 2), td.nn.ReLU())
    >>> program = td.onnx.export(model, td.ones(1, 3), dynamic_axes={"input": {0: "batch"}})
    >>> [node.op_type for node in program.model_proto.graph.node]
    ['Gemm', 'Relu']
    >>> [weight.name for weight in program.model_proto.graph.initializer]
    ['0.weight', '0.bias']

    Source: https://docs.pytorch.org/docs/stable/onnx_export.html
    """
    from tinygrad_dl.onnx.exporting import exported, write

    if not export_params:
        raise ValueError("onnx.export: got export_params=False, expected True: the parameters are part of the model")
    for name, value in more.items():
        if name not in ACCEPTED:
            raise TypeError(f"export() got an unexpected keyword argument {name!r}")
        if value not in ACCEPTED[name]:
            raise ValueError(
                f"onnx.export: got {name}={value!r}, expected {ACCEPTED[name][0]!r}: there is no other way"
            )
    options = input_names, output_names, opset_version, dynamic_axes, do_constant_folding, training
    program = exported(model, args, f, kwargs, *options, dynamic_shapes, verify)
    if verbose:
        print(program.text())
    if f is not None:
        write(program, f)
    return program


# PyTorch's options of which one value, or several, mean what is done here anyway.
ACCEPTED: dict[str, tuple[Any, ...]] = {
    "artifacts_dir": (".",),
    "autograd_inlining": (True, False),
    "custom_opsets": (None,),
    "custom_translation_table": (None,),
    "dump_exported_program": (False,),
    "dynamo": (True, False),
    "export_modules_as_functions": (False,),
    "external_data": (True, False),
    "fallback": (True, False),
    "keep_initializers_as_inputs": (False, None),
    "operator_export_type": (None,),
    "optimize": (True, False),
    "profile": (False,),
    "report": (False,),
}


def is_in_onnx_export() -> bool:
    """Whether a model is being exported, in which case it is running inside of `export`.

    >>> td.onnx.is_in_onnx_export()
    False
    """
    return any(level.name == "onnx.export" for level in stack.levels)
