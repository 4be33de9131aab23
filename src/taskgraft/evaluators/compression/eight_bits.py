"""A tree in eight bits: static quantisation by onnxruntime; what it leaves out is only stored so (`stored_weights`).

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
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from taskgraft.evaluators.compression.stored_weights import is_over_samples, store_weights

Floats = NDArray[np.float32]

_WEIGHED = ("Conv", "Gemm", "MatMul")
_BETWEEN = ("Relu", "MaxPool")
"""They take what a weighed node gives as it is, so that it stays in eight bits."""


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
    store_weights(model.graph)
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
    fixed = {one.name: one for one in tree.graph.initializer}
    for node in tree.graph.node:
        weight = fixed.get(node.input[1]) if node.op_type in _WEIGHED else None
        if node.op_type in _BETWEEN or (weight is not None and not is_over_samples(node, weight)):
            yield node.name
