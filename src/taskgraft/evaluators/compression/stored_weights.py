"""Weights that are stored in eight bits and turned back at run time: of nodes that work with floating-point numbers.

These are recurrent layers, for which onnxruntime has no static quantisation, and filters over raw samples: eight bits
of a sample are too few for quiet clips.
"""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

_RECURRENT = ("GRU", "LSTM")


def is_over_samples(node: onnx.NodeProto, weight: onnx.TensorProto) -> bool:
    """Return whether a node is a filter over samples: a convolution along a single axis."""
    return node.op_type == "Conv" and len(weight.dims) == 3


def store_weights(graph: onnx.GraphProto) -> None:
    """Store the weights of such nodes in eight bits, in place: with a scale for each filter, or each row of a gate.

    Both directions of a recurrent layer share a scale.
    """
    weights = {one.name: one for one in graph.initializer}
    nodes, made = list(graph.node), set[str]()
    del graph.node[:]
    for node in nodes:
        for place, axis in _places(node, weights).items():
            name = node.input[place]
            if name not in made:
                graph.node.append(_stored(graph, weights[name], axis))
                made.add(name)
            node.input[place] = _given(name)
        graph.node.append(node)


def _places(node: onnx.NodeProto, weights: Mapping[str, onnx.TensorProto]) -> dict[int, int]:
    """Return which inputs of a node are such weights, and the axis of their scales."""
    if node.op_type in _RECURRENT:  # weights of the input and of the state, [directions, gates, numbers]
        return {place: 1 for place in (1, 2) if node.input[place] in weights}
    is_filter = len(node.input) > 1 and node.input[1] in weights and is_over_samples(node, weights[node.input[1]])
    return {1: 0} if is_filter else {}


def _stored(graph: onnx.GraphProto, weight: onnx.TensorProto, axis: int) -> onnx.NodeProto:
    """Store a weight of three axes; return the node that gives it back."""
    values = numpy_helper.to_array(weight)
    largest = np.abs(values).max(tuple(other for other in range(values.ndim) if other != axis), keepdims=True)
    scale = np.maximum(largest / 127, np.finfo(np.float32).tiny).astype(np.float32)
    steps = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    graph.initializer.remove(weight)
    parts = {f"{weight.name}_quantized": steps, f"{weight.name}_scale": scale.flatten()}
    graph.initializer.extend(numpy_helper.from_array(part, name) for name, part in parts.items())
    given = _given(weight.name)
    return helper.make_node("DequantizeLinear", list(parts), [given], name=given, axis=axis)


def _given(name: str) -> str:
    return f"{name}_dequantised"
