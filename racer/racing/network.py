"""A policy's network as data: what it observes, its layers, and what becomes of its last numbers.

Invariant: a `Network` that exists can be calculated, for every observation of its shapes, within a bounded time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racer.errors import AgentError
from racer.racing.layers import LAYERS, Layer

__all__ = ["OUTPUTS", "Network", "NetworkInput", "network_from_json", "rows_of"]

OUTPUTS = ("clip", "tanh", "argmax")
"""What the last layer's numbers become: two numbers of -1..1, cut off or squashed, or the place of the greatest."""

MOST_INPUTS, MOST_LAYERS = 8, 32
MOST_WORK = 120_000_000  # multiplications for one action: RL Coach's take up to 97 million, racer's own up to 12
ALONE = "state"  # what an observation without a name is called


@dataclass(frozen=True)
class NetworkInput:
    """One part of an observation, and the layers that it alone passes.

    Attributes:
        sensor: its name.
        shape: of one car's.
        layers: in their order.
    """

    sensor: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Network:
    """A network: each input passes its own layers, what comes out is put in a row and passes the others.

    Attributes:
        inputs: in the order in which they are put in a row.
        layers: in their order.
        output: one of `OUTPUTS`.
        numbers: that the last layer gives; with `"argmax"` there are so many actions to choose from.

    Raises:
        ValueError: the layers do not fit each other, or it would take too long.
    """

    inputs: tuple[NetworkInput, ...]
    layers: tuple[Layer, ...]
    output: str
    numbers: int = field(init=False)

    def __post_init__(self) -> None:
        """Follow the shapes through all layers."""
        if self.output not in OUTPUTS:
            raise ValueError(f"its output is {self.output!r:.40}; it must be one of {', '.join(OUTPUTS)}")
        if not 1 <= len(self.inputs) <= MOST_INPUTS:
            raise ValueError(f"it has {len(self.inputs)} inputs; it must have 1 to {MOST_INPUTS}")
        names = [one.sensor for one in self.inputs]
        if len(set(names)) < len(names):
            raise ValueError("two of its inputs have the same name")
        if (count := len(self.layers) + sum(len(one.layers) for one in self.inputs)) > MOST_LAYERS:
            raise ValueError(f"it has {count} layers; it may have {MOST_LAYERS}")
        work, width = 0, 0
        for one in self.inputs:
            shape, cost = _followed(one.layers, one.shape, f"inputs.{one.sensor}")
            work += cost
            width += int(np.prod(shape))
        shape, cost = _followed(self.layers, (width,), "layers")
        if work + cost > MOST_WORK:
            raise ValueError(f"it takes {work + cost:,} multiplications for an action; it may take {MOST_WORK:,}")
        if len(shape) != 1 or not shape[0] >= 1 or (self.output != "argmax" and shape != (2,)):
            raise ValueError(f"its last layer gives {shape} numbers, which cannot be an action")
        object.__setattr__(self, "numbers", shape[0])

    def act(self, observation: Any) -> NDArray[Any]:
        """The best action known for observations of any batch shape: (..., 2) numbers, or (...) choices.

        Args:
            observation: an array for each input by its name; the array alone where the only input is the state.

        Raises:
            AgentError: it is not what this network observes.
        """
        rows, batch = rows_of(observation, {one.sensor: one.shape for one in self.inputs})
        features = []
        for one in self.inputs:
            made = _passed(one.layers, rows[one.sensor].astype(np.float64))
            features.append(made.reshape(len(made), -1))
        numbers = _passed(self.layers, features[0] if len(features) == 1 else np.concatenate(features, axis=1))
        if self.output == "argmax":
            return np.asarray(numbers.astype(np.float32).argmax(axis=1).reshape(batch))
        actions = np.tanh(numbers) if self.output == "tanh" else np.clip(numbers, -1.0, 1.0)
        return np.asarray(actions.astype(np.float32).reshape(*batch, 2))

    def as_json(self) -> dict[str, Any]:
        """Everything but the weights, for `network_from_json`."""
        return {
            "inputs": [
                {"sensor": one.sensor, "shape": list(one.shape), "layers": [_described(layer) for layer in one.layers]}
                for one in self.inputs
            ],
            "layers": [_described(layer) for layer in self.layers],
            "output": self.output,
        }

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The weights: `layers.0.weight`, `inputs.LIDAR.0.bias` and so on."""
        found = {}
        for where, layers in _places(self):
            for k, layer in enumerate(layers):
                if layer.weighted:
                    for name in ("weight", "bias"):
                        found[f"{where}.{k}.{name}"] = getattr(layer, name).astype(np.float32)
        return found


def rows_of(observation: Any, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, NDArray[Any]], tuple[int, ...]]:
    """An observation of any batch shape as one batch: (n, *shape) of each sensor, and the batch's shape.

    Args:
        observation: an array for each sensor by its name; the array alone where the only sensor is the state.
        shapes: of what one car observes by each sensor.

    Raises:
        AgentError: it is another observation.
    """
    given = observation if isinstance(observation, Mapping) else {ALONE: observation}
    if given.keys() != shapes.keys():
        got = ", ".join(given) if isinstance(observation, Mapping) else "a plain array"
        raise AgentError(f"this driver observes {', '.join(shapes)}; it was given {got}")
    rows, batch = {}, ()
    for name, shape in shapes.items():
        values = np.asarray(given[name])
        batch = values.shape[: max(0, values.ndim - len(shape))]
        if values.shape[len(batch) :] != shape:
            raise AgentError(f"this driver observes {name} of the shape {shape}; it was given {values.shape}")
        rows[name] = values.reshape(-1, *shape)
    return rows, batch


def network_from_json(data: Any, arrays: Mapping[str, NDArray[Any]]) -> Network:
    """The network that `as_json` and `arrays` give, trusting neither.

    Raises:
        ValueError: they are no network.
    """
    found, left = _fields(data, "the network", ("inputs", "layers", "output")), dict(arrays)
    inputs = []
    for given in _listed(found["inputs"], "inputs", MOST_INPUTS):
        one = _fields(given, "an input", ("sensor", "shape", "layers"))
        name, shape = one["sensor"], _listed(one["shape"], "shape", 3)
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 40:
            raise ValueError(f"an input is called {name!r:.60}")
        if not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 100_000 for n in shape):
            raise ValueError(f"the shape of {name} is {shape!r:.60}")
        inputs.append(NetworkInput(name, tuple(shape), _layers(one["layers"], f"inputs.{name}", left)))
    layers = _layers(found["layers"], "layers", left)
    if left:
        raise ValueError(f"no layer has the array {sorted(left)[0]!a:.60}")
    return Network(tuple(inputs), layers, found["output"])


def _layers(data: Any, where: str, arrays: dict[str, NDArray[Any]]) -> tuple[Layer, ...]:
    """The layers of a list, whose weights are taken out of `arrays`."""
    made = []
    for k, given in enumerate(_listed(data, where, MOST_LAYERS)):
        place = f"{where}.{k}"
        kind = given.get("kind") if isinstance(given, Mapping) else None
        if not isinstance(kind, str) or kind not in LAYERS:
            raise ValueError(f"{place} is {given!r:.60}; its kind must be one of {', '.join(LAYERS)}")
        layer = LAYERS[kind]
        settings = [one.name for one in dataclasses.fields(layer) if one.name not in ("weight", "bias")]
        values = _fields(given, place, ("kind", *settings))
        del values["kind"]
        if layer.weighted:
            for name in ("weight", "bias"):
                array = arrays.pop(f"{place}.{name}", None)
                if array is None or array.dtype != np.float32:
                    raise ValueError(f"{place} has no array {name!r} of 32-bit numbers")
                values[name] = array
        try:
            made.append(layer(**values))
        except (ValueError, TypeError) as wrong:
            raise ValueError(f"{place}: {wrong}") from wrong
    return tuple(made)


def _followed(layers: tuple[Layer, ...], shape: tuple[int, ...], where: str) -> tuple[tuple[int, ...], int]:
    """The shape that layers make of another, and the multiplications that it takes."""
    work = 0
    for k, layer in enumerate(layers):
        try:
            shape = layer.shape(shape)
        except ValueError as wrong:
            raise ValueError(f"{where}.{k}: {wrong}") from wrong
        work += layer.work(shape)
    return shape, work


def _passed(layers: tuple[Layer, ...], values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):  # a stranger's weights may be huge; its actions are checked
        for layer in layers:
            values = layer(values)
    return values


def _places(network: Network) -> list[tuple[str, tuple[Layer, ...]]]:
    return [*((f"inputs.{one.sensor}", one.layers) for one in network.inputs), ("layers", network.layers)]


def _described(layer: Layer) -> dict[str, Any]:
    fields = [one.name for one in dataclasses.fields(layer) if one.name not in ("weight", "bias")]
    return {"kind": layer.kind, **{name: getattr(layer, name) for name in fields}}


def _fields(data: Any, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, Mapping) or set(data) != set(names):
        got = ", ".join(sorted(map(repr, data)))[:80] if isinstance(data, Mapping) else f"{data!r:.60}"
        raise ValueError(f"{what} must hold {', '.join(names)}, not {got}")
    return dict(data)


def _listed(data: Any, what: str, most: int) -> list[Any]:
    if not isinstance(data, list) or len(data) > most:
        raise ValueError(f"{what} must be a list of at most {most}")
    return data
