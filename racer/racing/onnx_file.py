"""Models as ONNX files, for tools other than racer; only this file knows ONNX.

The graph calculates what `Network.act` does, in 32 bits. It takes each sensor's observation under its name,
(n, *shape), and gives `action`: (n, 2) steering and speed of -1..1, or (n,) the number of the choice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from racer.errors import ModelError
from racer.racing.layers import Convolution, Edges, Flatten, Layer, Linear, Patches, Pool, Scale, Standardize
from racer.racing.model import Model
from racer.sim import actions_as_json

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

__all__ = ["onnx_bytes"]

OPSET, IR_VERSION = 17, 8  # of 2022: what is read widely, by onnxruntime from 1.12 on


class _Graph:
    """The nodes of a graph in the making."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node, and give the name of what it makes."""
        from onnx import helper

        made = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [made], **attributes))
        return made

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant, and give its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def layer(self, layer: Layer, x: str, given: tuple[int, ...]) -> str:
        """Add a layer behind `x`, which has the shape (n, *given)."""
        match layer:
            case Flatten():
                return self.add("Flatten", x, axis=1)
            case Scale():
                return self.add("Div", self.add("Sub", x, self.constant(layer.middle)), self.constant(layer.spread))
            case Pool():
                rows, columns, channels = layer.shape(given)
                ends = ([layer.top], [given[0] - layer.bottom], [1])
                kept = self.add("Slice", x, *(self.constant(end, np.int64) for end in ends))
                cut = self.constant((-1, rows, layer.high, columns, layer.wide, channels), np.int64)
                return self.add("ReduceMean", self.add("Reshape", kept, cut), axes=[2, 4], keepdims=0)
            case Edges():
                steep = [self.add("Mul", change, change) for change in (self._change(x, k, given) for k in (1, 2))]
                return self.add("Sqrt", self.add("Add", *steep))
            case Standardize():
                apart = self.add("Sub", x, self.add("ReduceMean", x, axes=[1, 2, 3]))
                squares = self.add("ReduceMean", self.add("Mul", apart, apart), axes=[1, 2, 3])
                deviation = self.add("Sqrt", self.add("Add", squares, self.constant(layer.LEAST)))
                times = self.add("Mul", self.add("Div", apart, deviation), self.constant(layer.spread))
                return self.add("Add", times, self.constant(layer.middle))
            case Patches():
                top, right = layer.missing(given)
                padded = self.add("Pad", x, self.constant([0, top, 0, 0, 0, 0, right, 0], np.int64))
                strips = (-1, layer.down, layer.high, layer.across, layer.wide * given[2])
                cut = self.add("Reshape", padded, self.constant(strips, np.int64))
                swapped = self.add("Transpose", cut, perm=[0, 1, 3, 2, 4])
                return self.add("Reshape", swapped, self.constant((-1, *layer.shape(given)), np.int64))
            case Linear():
                product = self.add("MatMul", x, self.constant(layer.weight.T))
                return self._activated(layer.activation, self.add("Add", product, self.constant(layer.bias)))
            case Convolution():
                weight = self.constant(layer.weight.transpose(0, 3, 1, 2))
                how: dict[str, Any] = {"strides": [layer.step] * 2, "pads": [layer.padding] * 4}
                made = self.add(
                    "Conv", self.add("Transpose", x, perm=[0, 3, 1, 2]), weight, self.constant(layer.bias), **how
                )
                return self.add("Transpose", self._activated(layer.activation, made), perm=[0, 2, 3, 1])
        raise ModelError(f"a layer of the kind {layer.kind} cannot be written as ONNX")

    def layers(self, layers: Sequence[Layer], x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """Add layers, one behind the other; gives what they make of `x`, and its shape without n."""
        for layer in layers:
            x, shape = self.layer(layer, x, shape), layer.shape(shape)
        return x, shape

    def _change(self, x: str, axis: int, given: tuple[int, ...]) -> str:
        """Half of what comes after a pixel along an axis of an image less what came before; none at the margin."""
        sides = []
        for first in (2, 0):
            begins = [first if k == axis else 1 for k in (1, 2)]
            ends = [begin + side - 2 for begin, side in zip(begins, given[:2], strict=True)]
            sides.append(self.add("Slice", x, *(self.constant(each, np.int64) for each in (begins, ends, [1, 2]))))
        return self.add("Mul", self.add("Sub", *sides), self.constant(0.5))

    def _activated(self, activation: str, x: str) -> str:
        return x if activation == "none" else self.add({"relu": "Relu", "tanh": "Tanh"}[activation], x)


def onnx_bytes(model: Model) -> bytes:
    """The content of an ONNX file that acts as a model does.

    Raises:
        ModelError: the library for it is not installed.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError as missing:
        raise ModelError("ONNX files need a library more: run pip install 'racer[onnx]'") from missing
    from racer.sensors import make_sensors

    graph, network = _Graph(), model.network
    types = {one.name: helper.np_dtype_to_tensor_dtype(np.dtype(one.dtype)) for one in make_sensors(model.sensors)}
    inputs = [helper.make_tensor_value_info(one.sensor, types[one.sensor], ["n", *one.shape]) for one in network.inputs]
    parts, width = [], 0
    for one in network.inputs:
        x = one.sensor
        if types[one.sensor] != TensorProto.FLOAT:
            x = graph.add("Cast", x, to=TensorProto.FLOAT)
        x, shape = graph.layers(one.layers, x, one.shape)
        parts.append(graph.add("Flatten", x, axis=1))
        width += prod(shape)
    numbers, _ = graph.layers(network.layers, graph.add("Concat", *parts, axis=1), (width,))
    if network.output == "argmax":
        graph.add("ArgMax", numbers, name="action", axis=1, keepdims=0)
        output = helper.make_tensor_value_info("action", TensorProto.INT64, ["n"])
    else:
        if network.output == "tanh":
            graph.add("Tanh", numbers, name="action")
        else:
            graph.add("Clip", numbers, graph.constant(-1.0), graph.constant(1.0), name="action")
        output = helper.make_tensor_value_info("action", TensorProto.FLOAT, ["n", 2])
    made = helper.make_graph(graph.nodes, "racer", inputs, [output], graph.constants)
    opset = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(made, opset_imports=opset, ir_version=IR_VERSION, producer_name="racer")
    proto.producer_version = model.engine
    about = {"name": model.name, "car": model.car, "sensors": list(model.sensors)}
    helper.set_model_props(proto, {"racer": json.dumps({**about, "actions": actions_as_json(model.actions)})})
    checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())
