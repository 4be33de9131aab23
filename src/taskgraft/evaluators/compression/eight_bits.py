"""A tree in eight bits: static quantisation by onnxruntime; of recurrent layers, only the weights are stored so.

Convolutions and linear layers work with integers: weights with a scale for each output channel, numbers between layers
with one for each tensor. Their ranges are the least and the largest number on the calibration windows, which
onnxruntime calls MinMax.

Weights go to 7 bits of the 8 (``reduce_range``). Processors without instructions for it add up pairs of products in
16 bits, which 255 x 127 x 2 exceeds and 255 x 64 x 2 does not: so a model answers the same on all of them.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Floats = NDArray[np.float32]

_WEIGHED = ("Conv", "Gemm", "MatMul")
_BETWEEN = ("Relu", "MaxPool")
"""They take what a weighed node gives as it is, so that it stays in eight bits."""
_RECURRENT = ("GRU", "LSTM")
_RECURRENT_WEIGHTS = (1, 2)
"""Their inputs with the weights of the input and of the state, [directions, gates, numbers]."""


def prepared(tree: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same model with all fixed numbers worked out, as its quantisation takes it.

    The exporter leaves large weights to be put together at each start, and only what is fixed can be stored.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder, "given.onnx"), Path(folder, "written.onnx")
        onnx.save(tree, given)
        quant_pre_process(given, written, skip_symbolic_shape=True)
        return onnx.load(written)


def in_eight_bits(tree: onnx.ModelProto, feature_name: str, batches: Sequence[Floats]) -> onnx.ModelProto:
    """Return a `prepared` model in eight bits, with the same inputs and outputs; ranges are read off ``batches``."""
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder, "given.onnx"), Path(folder, "written.onnx")
        onnx.save(tree, given)
        quantize_static(
            given,
            written,
            _Batches(feature_name, batches),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_WEIGHED, *_BETWEEN],
            nodes_to_quantize=list(_nodes(tree)),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(written)
    _store_recurrent_weights(model.graph)
    del model.metadata_props[:]
    return with_used_operators(model)


def with_used_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out, in place, the sets of operators that no node is of, and return the model."""
    used = {node.domain for node in model.graph.node}
    imports = {one.domain: one.version for one in model.opset_import if one.domain in used}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*one) for one in sorted(imports.items()))
    return model


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Gives one batch after the other."""

    def __init__(self, name: str, batches: Sequence[Floats]) -> None:
        self._name, self._left = name, iter(batches)

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next inputs; None if there are no more."""
        batch = next(self._left, None)
        return None if batch is None else {self._name: batch}


def _nodes(tree: onnx.ModelProto) -> Iterator[str]:
    """Yield the names of the nodes that work in eight bits: those with fixed weights, and what passes these on."""
    fixed = {one.name for one in tree.graph.initializer}
    for node in tree.graph.node:
        if node.op_type in _BETWEEN or (node.op_type in _WEIGHED and node.input[1] in fixed):
            yield node.name


def _store_recurrent_weights(graph: onnx.GraphProto) -> None:
    """Store the weights of recurrent layers in eight bits; they still work with floating-point numbers.

    Each row of a gate has its own scale; both directions share it.
    """
    weights = {one.name: one for one in graph.initializer}
    nodes, made = list(graph.node), set[str]()
    del graph.node[:]
    for node in nodes:
        for place in _RECURRENT_WEIGHTS if node.op_type in _RECURRENT else ():
            name = node.input[place]
            if name in weights and name not in made:
                graph.node.append(_stored(graph, weights[name]))
                made.add(name)
            if name in made:
                node.input[place] = f"{name}_dequantised"
        graph.node.append(node)


def _stored(graph: onnx.GraphProto, weight: onnx.TensorProto) -> onnx.NodeProto:
    """Store a weight [directions, gates, numbers] in eight bits; return the node that gives it back."""
    values = numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(values).max((0, 2)) / 127, np.finfo(np.float32).tiny).astype(np.float32)  # [gates]
    steps = np.clip(np.rint(values / scale[None, :, None]), -127, 127).astype(np.int8)
    graph.initializer.remove(weight)
    parts = {f"{weight.name}_quantized": steps, f"{weight.name}_scale": scale}
    graph.initializer.extend(numpy_helper.from_array(part, name) for name, part in parts.items())
    given = f"{weight.name}_dequantised"
    return helper.make_node("DequantizeLinear", list(parts), [given], name=given, axis=1)
