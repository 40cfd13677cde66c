"""The finished graph as ONNX's own objects, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_dl.onnx.graph import Graph, Node
from tinygrad_dl.onnx.table import OnnxExporterError
from tinygrad_dl.onnx.values import Dim, Value

# What a model of an operator set is written as: the oldest version of the format that has it.
IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12}


def library() -> Any:
    """The package onnx."""
    try:
        import onnx
    except ImportError:
        raise ImportError("onnx.export needs the package onnx: pip install 'tinygrad_dl[onnx]'") from None
    return onnx


def made(graph: Graph, inputs: list[Value], outputs: list[tuple[str, Value]], named: dict[Any, str], about: Any) -> Any:
    """The model as a `ModelProto`, checked by ONNX.

    Args:
        named: the names of dynamic sizes: of a Dim's values, and of (input or output, axis).
        about: its graph's name, its text, and the version of this library.
    """
    onnx = library()
    helper = onnx.helper
    for value in inputs:
        supported(value.name, value.dtype)
    outputs = finished(graph, inputs, outputs)

    def described(name: str, value: Value) -> Any:
        return helper.make_tensor_value_info(
            name,
            supported(name, value.dtype),
            [
                named.get((name, axis), named.get(n.values) if isinstance(n, Dim) else n)
                for axis, n in enumerate(value.shape)
            ],
        )

    nodes = [made_node(node) for node in graph.nodes]
    used = {name for node in graph.nodes for name in node.inputs}
    initialisers = [
        onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        for name, array in graph.constants.items()
        if name in used
    ]
    name, text, version = about
    ends = {value.name for value in inputs} | {each for each, _ in outputs} | graph.constants.keys()
    made_by = {each for node in graph.nodes for each in node.outputs}
    between = [described(each, value) for each, value in graph.described.items() if each in made_by - ends]
    body = helper.make_graph(
        nodes,
        name,
        [described(value.name, value) for value in inputs],
        [described(name, value) for name, value in outputs],
        initialisers,
        doc_string=text,
        value_info=between,
    )
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", graph.opset)],
        ir_version=IR_VERSIONS[graph.opset],
        producer_name="tinygrad_dl",
        producer_version=version,
    )
    if model.ByteSize() >= 2**31:
        raise ValueError(
            f"onnx.export: got a model of {model.ByteSize() / 2**30:.1f} GiB, expected less than 2 GiB, which is the "
            "most that one file of this format holds"
        )
    try:
        onnx.checker.check_model(model, full_check=True)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise OnnxExporterError(
            f"onnx.export: got a model that ONNX refuses, expected a valid one: {error}; nothing was written. One "
            "of the converters is wrong, one of yours or of the library: td.onnx.converter replaces it"
        ) from error


def made_node(node: Node) -> Any:
    """A node as a `NodeProto`."""
    helper = library().helper
    attributes = {
        key: helper.np_dtype_to_tensor_dtype(value) if isinstance(value, np.dtype) else value
        for key, value in node.attributes.items()
    }
    return helper.make_node(node.type, node.inputs, node.outputs, node.name, doc_string=node.line or None, **attributes)


def supported(name: str, dtype: Any) -> int:
    """ONNX's number of a dtype.

    Raises:
        TypeError: it has none that this exporter writes.
    """
    if dtype.kind == "c":
        raise TypeError(
            f"onnx.export: got dtype {dtype} for {name!r}, expected a real one: operators of ONNX take no complex "
            "numbers; use td.view_as_real"
        )
    number: int = library().helper.np_dtype_to_tensor_dtype(dtype)
    return number


def finished(graph: Graph, inputs: list[Value], outputs: list[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """Gives outputs their names: the nodes that make them write there, or one that copies does."""
    taken = {value.name for value in inputs} | graph.constants.keys()
    renamed: dict[str, str] = {}
    found = []
    for name, value in outputs:
        if value.name in taken or value.name in renamed:
            source = renamed.get(value.name, value.name)
            graph.nodes.append(Node("Identity", graph.unique(f"{name}/Identity"), [source], [name], {}, ""))
        else:
            renamed[value.name] = name
        found.append((name, value))
    for node in graph.nodes:
        node.inputs = [renamed.get(each, each) for each in node.inputs]
        node.outputs = [renamed.get(each, each) for each in node.outputs]
    return found
