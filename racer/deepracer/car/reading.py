"""A frozen TensorFlow-1 graph as a `Network`: its weights are read, nothing of it is run.

What is understood is what RL Coach makes of a camera's policy: from the placeholder to the output one operation behind
the other. Invariant: the file is not believed. The graph is followed without recursion, each operation once, and no
array has more numbers than the file has room for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from racer.deepracer.car.graph import ACTIVATIONS, FLOAT, OUTPUT
from racer.errors import ModelError
from racer.racing import Convolution, Flatten, Layer, Linear, Network, NetworkInput, Scale

__all__ = ["MOST_BYTES", "network_from_graph"]

MOST_BYTES = 64 * 2**20
"""Of a graph; RL Coach's of one camera have 4 to 24 MB."""

MOST_NODES = 10_000  # RL Coach's frozen graphs have some sixty
PASSED = ("Identity", "StopGradient", "Reshape", "Pack", "StridedSlice", "Switch", "Squeeze")
"""Operations that give on what they are given; the shapes of the weights show whether they did anything else."""
ACTIVATION_OF = {operation: name for name, operation in ACTIVATIONS.items()}
NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")


def network_from_graph(data: bytes, path: str = "this graph") -> Network:
    """The policy of a graph.

    Args:
        data: the content of a `.pb`.
        path: what it is called in messages.

    Raises:
        ModelError: it is no graph, or none of a policy that racer can calculate; names the operation.
    """
    graph = _Graph(data, path)
    sensor, shape, steps, output = graph.followed()
    layers, last = _layers(graph, steps)
    if output == "clip" and last == "tanh":
        output = "tanh"
    cut = next((k for k, layer in enumerate(layers) if isinstance(layer, Flatten)), None)
    if cut is None or not isinstance(layers[-1], Linear):
        raise graph.wrong(OUTPUT, "no matrix leads to it behind the picture's filters")
    try:
        seen = NetworkInput(sensor, shape, tuple(layers[: cut + 1]))
        return Network((seen,), tuple(layers[cut + 1 :]), output)
    except ValueError as wrong:
        raise ModelError(f"{path}: its layers do not fit each other: {wrong}") from wrong


@dataclass
class _Step:
    """An operation that changes something.

    Attributes:
        node: its name.
        kind: what it does: `scale`, `filters`, `matrix`, `bias`, `norm` or `activation`.
        values: what it does it with.
        detail: more of it, such as a step or an activation.
    """

    node: str
    kind: str
    values: list[NDArray[Any]] = field(default_factory=list)
    detail: Any = None


class _Graph:
    """The nodes of a graph by name."""

    def __init__(self, data: bytes, path: str) -> None:
        from tensorboard.compat.proto.graph_pb2 import GraphDef

        self.path = path
        if len(data) > MOST_BYTES:
            raise ModelError(f"{path} has {len(data):,} bytes; a graph may have {MOST_BYTES:,}")
        try:
            proto: Any = GraphDef.FromString(data)
        except DecodeError as wrong:
            raise ModelError(f"{path} is no frozen TensorFlow graph, or damaged") from wrong
        if not 1 <= len(proto.node) <= MOST_NODES:
            raise ModelError(f"{path} has {len(proto.node):,} operations; a graph may have 1 to {MOST_NODES:,}")
        self.nodes = {node.name: node for node in proto.node}
        if len(self.nodes) < len(proto.node):
            raise ModelError(f"{path}: two of its operations have the same name")
        self._room = len(data)  # bytes: so much the arrays may hold together

    def wrong(self, name: str, why: str) -> ModelError:
        """What to raise of a node."""
        return ModelError(f"{self.path}: the operation {name!a:.120}: {why}")

    def node(self, name: str) -> Any:
        """The node of an input, whatever output of it is meant."""
        name = name.removeprefix("^").split(":")[0]
        if name not in self.nodes:
            raise self.wrong(name, "it is missing")
        return self.nodes[name]

    def given(self, node: Any, k: int = 0) -> str:
        """The name of a node's input."""
        if k >= len(node.input):
            raise self.wrong(node.name, f"it has {len(node.input)} inputs")
        return str(node.input[k])

    def followed(self) -> tuple[str, tuple[int, ...], list[_Step], str]:
        """The way from the picture to the policy: the sensor, its shape, the steps in order, and the kind of output."""
        ends = [name for name in self.nodes if name == OUTPUT or name.endswith("/ppo_head_0/policy")]
        if len(ends) != 1:
            raise ModelError(
                f"{self.path} holds no policy of clipped PPO ({OUTPUT}); "
                "racer imports graphs of that algorithm, as the physical car takes them"
            )
        steps: list[_Step] = []
        name, output, seen = ends[0], "clip", set()
        while (node := self.node(name)).op != "Placeholder":
            if node.name in seen:
                raise self.wrong(node.name, "it leads back to itself")
            seen.add(node.name)
            name = self.given(node)
            match node.op:
                case op if op in PASSED:
                    pass
                case "Softmax" if not steps:
                    output = "argmax"
                case "Merge":
                    name = self._without_training(node)
                case "Add" | "AddV2" if self._is_rescaler(node):
                    name = self.given(self.node(self.given(node)), 1)
                case _:
                    steps.append(self._step(node))
        sizes = [int(dim.size) for dim in node.attr["shape"].shape.dim]
        if len(sizes) != 4 or not all(1 <= size <= 1000 for size in sizes[1:]):
            raise self.wrong(node.name, f"it is given {sizes!s:.60}; racer imports policies of one picture")
        return node.name.rsplit("/", 1)[-1], tuple(sizes[1:]), steps[::-1], output

    def _step(self, node: Any) -> _Step:
        """What an operation on what is before it does."""
        op, name = node.op, node.name
        if op in ACTIVATION_OF:
            return _Step(name, "activation", detail=ACTIVATION_OF[op])
        if op == "Conv2D":
            steps = list(node.attr["strides"].list.i)
            spread = [n for n in node.attr["dilations"].list.i if n != 1]
            plain = node.attr["padding"].s == b"VALID" and node.attr["data_format"].s in (b"NHWC", b"") and not spread
            if not plain or len(steps) != 4 or steps[1] != steps[2] or not 1 <= steps[1] <= 1000:
                raise self.wrong(name, "its filters take other steps or margins than RL Coach's")
            return _Step(name, "filters", [self.array(self.given(node, 1), 4)], int(steps[1]))
        if op == "MatMul":
            if node.attr["transpose_a"].b or node.attr["transpose_b"].b:
                raise self.wrong(name, "its matrix is transposed")
            return _Step(name, "matrix", [self.array(self.given(node, 1), 2)])
        if op in ("BiasAdd", "Add", "AddV2"):
            return _Step(name, "bias", [self.array(self.given(node, 1), 1)])
        if op in NORMS:
            if node.attr["is_training"].b:
                raise self.wrong(name, "it is one of a training")
            arrays = [self.array(self.given(node, k), 1) for k in range(1, 5)]
            return _Step(name, "norm", arrays, float(node.attr["epsilon"].f))
        if op in ("RealDiv", "Sub", "Mul"):
            return _Step(name, "scale", [self.array(self.given(node, 1), 0)], op)
        if op.startswith("Concat"):
            raise self.wrong(name, "it joins several sensors; racer imports policies of one camera alone")
        raise self.wrong(name, f"it is of the kind {op!a:.40}, which no network of RL Coach's has")

    def array(self, name: str, axes: int) -> NDArray[np.float64]:
        """The constant that an input is."""
        node, hops = self.node(name), 0
        while node.op in ("Identity", "Switch") and hops < 8:
            node, hops = self.node(self.given(node)), hops + 1
        if node.op != "Const":
            raise self.wrong(node.name, f"it must be a constant, not {node.op!a:.40}; freeze the graph first")
        tensor = node.attr["value"].tensor
        shape = tuple(int(dim.size) for dim in tensor.tensor_shape.dim)
        count = prod(shape) if all(size >= 1 for size in shape) else -1
        if tensor.dtype != FLOAT or len(shape) != axes:
            raise self.wrong(node.name, f"it must hold 32-bit numbers of {axes} axes; its shape is {shape!s:.60}")
        if not 0 <= 4 * count <= self._room:
            raise self.wrong(node.name, f"its shape is {shape!s:.60}, for which the file is too small")
        self._room -= 4 * count
        if tensor.tensor_content:
            if len(tensor.tensor_content) != 4 * count:
                raise self.wrong(node.name, f"it holds {len(tensor.tensor_content):,} bytes for {shape}")
            values = np.frombuffer(tensor.tensor_content, "<f4")
        else:
            values = np.array(tensor.float_val, dtype=np.float32)
            if len(values) == 1:  # one number stands for all
                values = np.repeat(values, count)
            if len(values) != count:
                raise self.wrong(node.name, f"it holds {len(values):,} numbers for {shape}")
        if not np.isfinite(values).all():
            raise self.wrong(node.name, "it holds numbers that are not finite")
        return values.reshape(shape).astype(np.float64)

    def _is_rescaler(self, node: Any) -> bool:
        """Whether a sum is RL Coach's way to scale gradients: (1 - r) x, not trained, plus r x."""
        if len(node.input) < 2:
            return False
        sides = [self.node(name) for name in node.input[:2]]
        if any(side.op != "Mul" or len(side.input) < 2 for side in sides):
            return False
        ways = []
        for side in sides:
            at, hops = self.node(side.input[1]), 0
            while at.op in ("StopGradient", "Pack", "Identity") and hops < 8:
                at, hops = self.node(self.given(at)), hops + 1
            ways.append(at.name)
        less, kept = self.node(sides[0].input[0]), self.node(sides[1].input[0])
        whole = less.op == "Sub" and len(less.input) > 1 and self.node(less.input[1]).name == kept.name
        return ways[0] == ways[1] and whole and float(self.array(less.input[0], 0)) == 1.0

    def _without_training(self, node: Any) -> str:
        """The input of a `Merge` that comes from the side of a condition that does not train."""
        for name in node.input:
            at, hops = str(name), 0
            while (found := self.node(at)).op != "Switch" and found.input and hops < 32:
                at, hops = self.given(found), hops + 1
            if found.op == "Switch" and not at.endswith(":1"):
                return str(name)
        raise self.wrong(node.name, "neither side of its condition is known to be the one that drives")


def _layers(graph: _Graph, steps: list[_Step]) -> tuple[list[Layer], str]:
    """The layers that steps make, and the activation of the last one, which has none itself."""
    layers: list[Layer] = []
    middle, spread, activation, k = 0.0, 1.0, "none", 0
    while k < len(steps) and steps[k].kind == "scale":
        value = float(steps[k].values[0])
        match steps[k].detail:
            case "Sub":
                middle += value * spread
            case "RealDiv":
                spread *= value
            case _:
                spread /= value or float("nan")
        k += 1
    if not (isfinite(middle) and isfinite(spread) and spread > 0.0):
        raise graph.wrong(steps[0].node, "the pictures cannot be scaled like this")
    layers.append(Scale(middle, spread))
    while k < len(steps):
        first = steps[k]
        if first.kind not in ("filters", "matrix"):
            raise graph.wrong(first.node, "it stands where no network of RL Coach's has it")
        weight, k = first.values[0], k + 1
        bias, activation = np.zeros(weight.shape[-1]), "none"
        while k < len(steps) and steps[k].kind in ("bias", "norm") and activation == "none":
            if any(len(values) != len(bias) for values in steps[k].values):
                raise graph.wrong(steps[k].node, f"it does not fit {len(bias)} numbers")
            if steps[k].kind == "bias":
                bias = bias + steps[k].values[0]
            else:  # a batch normalisation that no longer learns is a factor and a bias
                factor, shift, mean, variance = steps[k].values
                factor = factor / np.sqrt(np.maximum(variance, 0.0) + max(steps[k].detail, 1e-12))
                weight, bias = weight * factor, (bias - mean) * factor + shift
            k += 1
        if k < len(steps) and steps[k].kind == "activation":
            activation, k = steps[k].detail, k + 1
        if first.kind == "filters":
            layers.append(Convolution(weight.transpose(3, 0, 1, 2), bias, activation, first.detail))
        else:
            if not any(isinstance(layer, Flatten) for layer in layers):
                layers.append(Flatten())
            last = k == len(steps)
            layers.append(Linear(weight.T, bias, "none" if last else activation))
    return layers, activation
