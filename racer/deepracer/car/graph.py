"""A network as the car's software converts it: a frozen TensorFlow-1 graph, written without TensorFlow.

The messages (`GraphDef`, `NodeDef`, `AttrValue`, `TensorProto`) are those that TensorBoard ships. Invariant: the graph
takes pictures as the car feeds them, (n, 120, 160, 1) greys of 0 to 255 as 32-bit numbers, and everything that becomes
of them stands in it; operations are only such as both of the car's converters take.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import ModelError
from racer.racing import Convolution, Edges, Flatten, Layer, Linear, Network, Patches, Pool, Scale, Standardize

__all__ = ["ONLINE", "OUTPUT", "SHAPE", "frozen_graph", "input_of"]

ONLINE = "main_level/agent/main/online"
OUTPUT = f"{ONLINE}/network_1/ppo_head_0/policy"
"""What the converters call the last operation, whatever algorithm trained it. It must be no `Identity`: they fold
those away."""

SHAPE = (120, 160, 1)
"""Rows, columns and channels of the car's picture."""

PRODUCER = 134  # version of graphs that TensorFlow 1.15 writes
ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh"}
LAST = {"argmax": "Softmax", "tanh": "Tanh", "clip": ""}  # by a network's output; the car itself clips
ALONG = np.array([[0.0, 0.0, 0.0], [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]])  # a row: a central difference
STEEPNESS = np.stack([ALONG, ALONG.T], axis=-1)[:, :, None]  # filters that give the two numbers of a gradient
FLOAT, INT32 = 1, 3  # of TensorFlow's `DataType`


def input_of(sensor: str) -> str:
    """The name of the placeholder of a camera."""
    return f"{ONLINE}/network_0/{sensor}/{sensor}"


def frozen_graph(network: Network) -> bytes:
    """A network as the content of `model.pb`.

    A list of actions gets its probabilities (n, choices); steering and speed get numbers (n, 2), which the car clips
    to -1..1.

    Args:
        network: with one input, a picture of `SHAPE`.

    Raises:
        ModelError: it is none that the car can calculate.
    """
    (seen,) = network.inputs
    if seen.shape != SHAPE:
        raise ModelError(f"a car's picture is {SHAPE}, not {seen.shape}")
    graph = _Graph(input_of(seen.sensor))
    layers = [*seen.layers, *([] if _is_row(seen.layers, SHAPE) else [Flatten()]), *network.layers]
    shape: tuple[int, ...] = SHAPE
    for k, layer in enumerate(layers):
        shape = _add(graph, layer, shape, layers[k + 1 :])
    if LAST[network.output]:
        graph.operation(LAST[network.output])
    return graph.finished()


def _is_row(layers: tuple[Layer, ...], shape: tuple[int, ...]) -> bool:
    for layer in layers:
        shape = layer.shape(shape)
    return len(shape) == 1


def _add(graph: _Graph, layer: Layer, shape: tuple[int, ...], following: list[Layer]) -> tuple[int, ...]:
    """Add a layer behind what the graph gives; returns the shape that it makes."""
    made = layer.shape(shape)
    match layer:
        case Flatten():
            graph.operation("Reshape", graph.whole([-1, prod(shape)]), Tshape=INT32)
        case Scale():
            graph.operation("Sub", graph.numbers(layer.middle))
            graph.operation("RealDiv", graph.numbers(layer.spread))
        case Pool():
            if layer.top or layer.bottom:
                size = [-1, shape[0] - layer.top - layer.bottom, -1, -1]
                graph.operation("Slice", graph.whole([0, layer.top, 0, 0]), graph.whole(size), Index=INT32)
            step = [1, layer.high, layer.wide, 1]
            graph.operation("AvgPool", ksize=step, strides=step, padding=b"VALID", data_format=b"NHWC")
        case Edges() if shape[2] == 1:
            graph.convolve(STEEPNESS, (1, 1))
            graph.squared()
            graph.convolve(np.ones((1, 1, 2, 1)), (1, 1))
            graph.operation("Sqrt")
        case Standardize():
            graph.standardize(layer)
        case Patches():
            if not isinstance(next((one for one in following if not isinstance(one, Scale)), None), Linear):
                raise ModelError("the car cannot calculate this network: its patches have no layer of their own")
            top, right = layer.missing(shape)
            graph.pad((top, 0), (0, right))
            graph.patches = (layer.high, layer.wide, shape[2])
        case Convolution():
            graph.pad((layer.padding, layer.padding), (layer.padding, layer.padding))
            graph.convolve(layer.weight.transpose(1, 2, 3, 0), (layer.step, layer.step))
            graph.biased(layer)
        case Linear() if graph.patches:
            high, wide, channels = graph.patches
            graph.convolve(layer.weight.T.reshape(high, wide, channels, -1), (high, wide))
            graph.biased(layer)
            graph.patches = None
        case Linear() if len(shape) == 1:
            graph.operation("MatMul", graph.numbers(layer.weight.T), transpose_a=False, transpose_b=False)
            graph.biased(layer)
        case _:
            raise ModelError(f"the car cannot calculate a layer of the kind {layer.kind} of {shape} numbers")
    return made


class _Graph:
    """A graph in the making: operations one behind the other.

    Attributes:
        patches: rows, columns and channels of patches that the next matrix is to be applied to; None if there are none.
    """

    def __init__(self, placeholder: str) -> None:
        from tensorboard.compat.proto.graph_pb2 import GraphDef

        self._proto: Any = GraphDef()
        self._proto.versions.producer = PRODUCER
        self._count = 0
        self.patches: tuple[int, int, int] | None = None
        self._last = self._node("Placeholder", placeholder, (), dtype=FLOAT)
        self._shape(self._last.attr["shape"].shape, (-1, *SHAPE))

    def operation(self, kind: str, *constants: str, **attributes: Any) -> None:
        """Add an operation on what the graph gives and on constants."""
        name = f"{ONLINE}/network_1/{kind}_{self._count}"
        self._count += 1
        self._last = self._node(kind, name, (self._last.name, *constants), T=FLOAT, **attributes)

    def standardize(self, layer: Standardize) -> None:
        """Bring each picture to one mean and one standard deviation."""
        picture = str(self._last.name)
        self.operation("Mean", self.whole([1, 2, 3]), Tidx=INT32, keep_dims=True)
        apart = self.combined("Sub", picture, str(self._last.name))
        self.squared()
        self.operation("Mean", self.whole([1, 2, 3]), Tidx=INT32, keep_dims=True)
        self.operation("AddV2", self.numbers(layer.LEAST))
        self.operation("Sqrt")
        self.combined("RealDiv", apart, str(self._last.name))
        self.operation("Mul", self.numbers(layer.spread))
        self.operation("AddV2", self.numbers(layer.middle))

    def squared(self) -> None:
        """Square what the graph gives."""
        self.combined("Mul", str(self._last.name), str(self._last.name))

    def combined(self, kind: str, *inputs: str) -> str:
        """Add an operation on what other operations give; returns its name."""
        self._last = self._node(kind, f"{ONLINE}/network_1/{kind}_{self._count}", inputs, T=FLOAT)
        self._count += 1
        return str(self._last.name)

    def convolve(self, weight: NDArray[Any], step: tuple[int, int]) -> None:
        """Add a convolution with filters (rows, columns, channels, filters)."""
        self.operation(
            "Conv2D",
            self.numbers(weight),
            strides=[1, *step, 1],
            dilations=[1, 1, 1, 1],
            padding=b"VALID",
            data_format=b"NHWC",
        )

    def biased(self, layer: Linear | Convolution) -> None:
        """Add a layer's bias and activation."""
        self.operation("BiasAdd", self.numbers(layer.bias), data_format=b"NHWC")
        if layer.activation in ACTIVATIONS:
            self.operation(ACTIVATIONS[layer.activation])

    def pad(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Add zeros around a picture, if any."""
        if any((*rows, *columns)):
            self.operation("Pad", self.whole([[0, 0], rows, columns, [0, 0]]), Tpaddings=INT32)

    def numbers(self, values: Any) -> str:
        """Add a constant; returns its name."""
        return self._constant(np.asarray(values, dtype="<f4"), FLOAT)

    def whole(self, values: Any) -> str:
        """Add a constant of whole numbers; returns its name."""
        return self._constant(np.asarray(values, dtype="<i4"), INT32)

    def finished(self) -> bytes:
        """The content of the file; what the graph gives is the policy."""
        self._last.name = OUTPUT
        data: bytes = self._proto.SerializeToString(deterministic=True)
        return data

    def _constant(self, values: NDArray[Any], kind: int) -> str:
        node = self._node("Const", f"{ONLINE}/network_1/Const_{self._count}", (), dtype=kind)
        self._count += 1
        tensor = node.attr["value"].tensor
        tensor.dtype = kind
        if values.ndim:
            tensor.tensor_content = values.tobytes()
        else:  # OpenVINO reads 0 from the content of a single number
            tensor.float_val.append(values.item())
        self._shape(tensor.tensor_shape, values.shape)
        return str(node.name)

    def _node(self, kind: str, name: str, inputs: tuple[str, ...], **attributes: Any) -> Any:
        node = self._proto.node.add(op=kind, name=name, input=inputs)
        for key, value in attributes.items():
            attribute = node.attr[key]
            match value:
                case bool():
                    attribute.b = value
                case int():
                    attribute.type = value
                case bytes():
                    attribute.s = value
                case _:
                    attribute.list.i.extend(value)
        return node

    @staticmethod
    def _shape(proto: Any, shape: tuple[int, ...]) -> None:
        for size in shape:
            proto.dim.add(size=size)
