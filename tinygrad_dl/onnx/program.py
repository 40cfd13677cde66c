"""What `export` returns: the model, to be looked at, saved and run."""

from __future__ import annotations

import os
from typing import Any

from tinygrad_dl import writing
from tinygrad_dl.core.tensor import Tensor, wrap
from tinygrad_dl.func.trees import flatten


class ONNXProgram:
    """An exported model.

    Attributes:
        model_proto: ONNX's own object.
        input_names, output_names: the names of its inputs and outputs.

    Called with the arguments of the model, it runs in onnxruntime and returns a list of tensors.

    >>> program = td.onnx.export(td.nn.ReLU(), td.ones(2))
    >>> program.input_names, program.output_names
    (['input'], ['output'])

    Source: https://docs.pytorch.org/docs/stable/onnx_export.html
    """

    def __init__(self, model_proto: Any, input_names: list[str], output_names: list[str]):
        self.model_proto, self.input_names, self.output_names = model_proto, input_names, output_names
        self._session: Any = None

    def save(self, destination: str | os.PathLike[str]) -> None:
        """Writes the model to a file, whole or not at all."""
        with writing.replacing(destination, "ONNXProgram.save") as file:
            file.write(self.model_proto.SerializeToString())

    def __call__(self, *args: Any, **kwargs: Any) -> list[Tensor]:
        if self._session is None:
            try:
                import onnxruntime
            except ImportError:
                raise ImportError("ONNXProgram: to run it, pip install onnxruntime") from None
            self._session = onnxruntime.InferenceSession(
                self.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
            )
        given = [leaf for leaf in flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        if len(given) != len(self.input_names):
            raise TypeError(
                f"ONNXProgram: got {len(given)} tensors, expected {len(self.input_names)}: {self.input_names}"
            )
        arrays = {name: tensor.detach().numpy() for name, tensor in zip(self.input_names, given, strict=True)}
        return [wrap(each) for each in self._session.run(None, arrays)]

    def text(self) -> str:
        """The graph as lines: a node each, with its attributes and what it reads.

        >>> print(td.onnx.export(td.nn.ReLU(), td.ones(2)).text())
        graph ReLU(float32[2] input) -> (output)
          output = Relu(input)
        """
        import onnx

        graph = self.model_proto.graph
        given = []
        for each in graph.input:
            kind = each.type.tensor_type
            sizes = ", ".join(dim.dim_param or str(dim.dim_value) for dim in kind.shape.dim)
            given.append(f"{onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)}[{sizes}] {each.name}")
        lines = [f"graph {graph.name}({', '.join(given)}) -> ({', '.join(self.output_names)})"]
        for node in graph.node:
            values = [f"{each.name}={onnx.helper.get_attribute_value(each)!r}" for each in node.attribute]
            options = f"[{', '.join(values)}]" if values else ""
            lines.append(f"  {', '.join(node.output)} = {node.op_type}{options}({', '.join(node.input)})")
        return "\n".join(lines)

    def __repr__(self) -> str:
        nodes = len(self.model_proto.graph.node)
        return f"ONNXProgram({', '.join(self.input_names)} -> {', '.join(self.output_names)}, {nodes} nodes)"
