"""Small fully connected networks and the gradients of PPO's losses in their weights: the kernels of `dense`.

All weights are in one row. `layers` (depth, 4) has a row for each layer of a network: where in it its weights (outputs,
inputs) begin, where its biases begin, its number of inputs and of outputs. Between the layers is ReLU. Slopes are the
gradient, what a loss changes by with each weight: as long a row, in which a kernel overwrites those of its network.
"""

from __future__ import annotations

from math import erfc, log, pi, sqrt
from typing import Any

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401 (what kernels multiply with must be there before its threads are limited)
from numpy.typing import NDArray

from racer.sim import kernel
from racer.training.sb3.muon import change

__all__ = [
    "add_slopes",
    "continuous_policy_slopes",
    "discrete_policy_slopes",
    "learn_values",
    "normalized",
    "outputs",
]

BLOCK = 256  # samples that are worked on together: what is between the layers then stays in the processor's cache
HALF_LOG_2_PI = 0.5 * log(2.0 * pi)
SQRT_HALF = sqrt(0.5)
FARTHEST = 25.0  # standard deviations at which a double's `erfc` is still above 0


@kernel
def outputs(x: Any, weights: Any, layers: Any) -> Any:
    """The outputs of a network, (n, outputs), for inputs (n, inputs)."""
    return _forward(x, weights, layers)[1]


@kernel
def learn_values(
    x: Any, returns: Any, order: Any, ends: Any, share: float, delta: float, network: Any, optimizer: Any
) -> float:
    """Let a network of one output learn from mini-batches, one after the other; returns the mean loss.

    All of it at once: whoever waits for the interpreter's lock between two mini-batches waits for long.

    Args:
        x, returns: observations (n, inputs), and (n,) what the outputs should have been.
        order, ends: samples of all mini-batches in a row, and (b,) where in it each of them ends.
        share: factor of the loss.
        delta: see `_value_slopes`.
        network: weights, slopes, layers; see above.
        optimizer: what else `change` takes, for the first mini-batch.
    """
    loss, begin = 0.0, 0
    weights, slopes, layers = network
    first, second, plain, hidden, settings, rounds = optimizer
    count, rate, beta, square_beta, epsilon, momentum, most = settings
    for k in range(len(ends)):
        batch = order[begin : ends[k]]
        begin = ends[k]
        loss += _value_slopes(x[batch], returns[batch], share, delta, weights, slopes, layers) / len(ends)
        now = count + k, rate, beta, square_beta, epsilon, momentum, most
        change(weights, slopes, first, second, plain, hidden, now, rounds)
    return loss


@kernel
def _value_slopes(x: Any, returns: Any, share: float, delta: float, weights: Any, slopes: Any, layers: Any) -> float:
    """Find the slopes of a mean loss times `share`, for a network of one output; returns the loss.

    Args:
        x, returns: observations (n, inputs), and (n,) what the outputs should have been.
        share: factor of the loss.
        delta: up to which an error counts squared; beyond it the loss goes on as steeply (Huber 1964).
        weights, slopes, layers: see above.
    """
    count, loss = len(x), 0.0
    _clear(slopes, layers)
    for first in range(0, count, BLOCK):
        inputs, y = _forward(x[first : first + BLOCK], weights, layers)
        for n in range(len(y)):
            away = y[n, 0] - returns[first + n]
            near = min(max(away, -delta), delta)  # in this order, what is no number stays none and is seen
            loss += near * (2.0 * away - near)
            y[n, 0] = 2.0 * share / count * near
        _backward(y, inputs, weights, slopes, layers)
    return loss / count


@kernel
def continuous_policy_slopes(
    samples: Any, whole: int, clip: float, entropy_share: float, noise: Any, weights: Any, slopes: Any, layers: Any
) -> NDArray[np.float64]:
    """Find the slopes of the clipped surrogate (Schulman et al. 2017, eq. 7) for actions as in `clipped.log_prob`.

    Args:
        samples: observations (n, inputs), actions (n, k), and (n,) each their log-probabilities when they were taken,
            and their advantages, `normalized`.
        whole: samples of the mini-batch that these are a part of; everything found is its share in that of the whole.
        clip: how far the probabilities' ratio counts beyond 1.
        entropy_share: factor of the entropy in the loss.
        noise: (k,) ln of the actions' standard deviations; the slopes in them, overwritten; and the bound beyond which
            all actions are one and the same, or infinity.
        weights, slopes, layers: of the network of the actions' means; see above.

    Returns:
        (4,) the surrogate's loss, less the entropy, an estimate of the Kullback-Leibler divergence, and the share of
        samples that were clipped.
    """
    x, actions, old, advantages = samples
    log_std, std_slopes, bound = noise
    metrics, steepness = np.zeros(4), np.exp(-log_std)
    pull, spread_pull = np.empty(len(log_std)), np.empty(len(log_std))
    _clear(slopes, layers)
    std_slopes[:] = -entropy_share * len(x) / whole
    for first in range(0, len(x), BLOCK):
        inputs, y = _forward(x[first : first + BLOCK], weights, layers)
        for n in range(len(y)):
            log_prob = 0.0
            for k in range(len(log_std)):
                action = actions[first + n, k]
                if abs(action) < bound:
                    z = (action - y[n, k]) * steepness[k]
                    log_prob -= 0.5 * z * z + log_std[k] + HALF_LOG_2_PI
                    pull[k], spread_pull[k] = z * steepness[k], z * z - 1.0
                else:
                    side = 1.0 if action > 0.0 else -1.0
                    z = min(FARTHEST, (bound - side * y[n, k]) * steepness[k])
                    beyond = 0.5 * erfc(z * SQRT_HALF)
                    log_prob += np.log(beyond)
                    hazard = np.exp(-0.5 * z * z - HALF_LOG_2_PI) / beyond
                    pull[k], spread_pull[k] = side * hazard * steepness[k], z * hazard
            slope = _surrogate(log_prob - old[first + n], advantages[first + n], clip, whole, metrics)
            for k in range(len(log_std)):
                std_slopes[k] += slope * spread_pull[k]
                y[n, k] = slope * pull[k]
        _backward(y, inputs, weights, slopes, layers)
    for k in range(len(log_std)):
        metrics[1] -= (log_std[k] + 0.5 + HALF_LOG_2_PI) * len(x) / whole
    return metrics


@kernel
def discrete_policy_slopes(
    samples: Any, whole: int, clip: float, entropy_share: float, weights: Any, slopes: Any, layers: Any
) -> NDArray[np.float64]:
    """The same for a choice of actions, (n, 1): the network gives the logs of their shares, not yet scaled."""
    x, actions, old, advantages = samples
    metrics = np.zeros(4)
    _clear(slopes, layers)
    for first in range(0, len(x), BLOCK):
        inputs, y = _forward(x[first : first + BLOCK], weights, layers)
        for n in range(len(y)):
            most, total, entropy = y[n].max(), 0.0, 0.0
            for j in range(y.shape[1]):
                total += np.exp(y[n, j] - most)
            for j in range(y.shape[1]):
                y[n, j] -= most + np.log(total)
                entropy -= np.exp(y[n, j]) * y[n, j]
            chosen = int(actions[first + n, 0])
            slope = _surrogate(y[n, chosen] - old[first + n], advantages[first + n], clip, whole, metrics)
            metrics[1] -= entropy / whole
            for j in range(y.shape[1]):
                y[n, j] = np.exp(y[n, j]) * ((y[n, j] + entropy) * entropy_share / whole - slope)
            y[n, chosen] += slope
        _backward(y, inputs, weights, slopes, layers)
    return metrics


@kernel
def _surrogate(moved: float, advantage: float, clip: float, count: int, metrics: Any) -> float:
    """The slope of a sample's loss in its log-probability, which moved by `moved`."""
    ratio = np.exp(moved)
    gain = advantage * ratio
    clipped = advantage * min(1.0 + clip, max(1.0 - clip, ratio))
    metrics[0] -= min(gain, clipped) / count
    metrics[2] += (ratio - 1.0 - moved) / count
    metrics[3] += (abs(ratio - 1.0) > clip) / count
    return -gain / count if gain <= clipped else 0.0


@kernel
def normalized(advantages: Any) -> Any:
    """Advantages (n,) of a mini-batch with a mean of 0 and a standard deviation of 1; a single one stays as it is.

    They have 64 bits: of fewer, what is not clipped might by rounding be less than what is.
    """
    count, mean, square = len(advantages), 0.0, 0.0
    if count == 1:
        return advantages.astype(np.float64)
    for n in range(count):
        mean += advantages[n] / count
    for n in range(count):
        square += (advantages[n] - mean) ** 2
    made, spread = np.empty(count), np.sqrt(square / (count - 1)) + 1e-8
    for n in range(count):
        made[n] = (advantages[n] - mean) / spread
    return made


@kernel
def add_slopes(slopes: Any, others: Any, layers: Any) -> None:
    """Add to the slopes of a network those in another row."""
    for i in range(len(layers)):
        weight, bias = _layer(slopes, layers[i])
        other_weight, other_bias = _layer(others, layers[i])
        weight += other_weight
        bias += other_bias


@kernel
def _forward(x: Any, weights: Any, layers: Any) -> tuple[Any, Any]:
    """What goes into each layer, and the outputs (n, outputs)."""
    inputs, y = [x], x
    for i in range(len(layers)):
        weight, bias = _layer(weights, layers[i])
        y = np.dot(inputs[i], weight.T)
        if i < len(layers) - 1:
            for n in range(len(y)):
                for j in range(len(bias)):
                    y[n, j] = max(y[n, j] + bias[j], np.float32(0.0))
            inputs.append(y)
        else:
            y += bias
    return inputs, y


@kernel
def _backward(y: Any, inputs: Any, weights: Any, slopes: Any, layers: Any) -> None:
    """Add to the slopes what follows from those in the outputs, `y` (n, outputs)."""
    for i in range(len(layers) - 1, -1, -1):
        weight, bias = _layer(slopes, layers[i])
        weight += np.dot(y.T, inputs[i])
        for n in range(len(y)):
            for j in range(len(bias)):
                bias[j] += y[n, j]
        if i:
            y, before = np.dot(y, _layer(weights, layers[i])[0]), inputs[i]
            for n in range(len(y)):
                for j in range(y.shape[1]):
                    y[n, j] = y[n, j] if before[n, j] > 0.0 else np.float32(0.0)


@kernel
def _layer(row: Any, layer: Any) -> tuple[Any, Any]:
    """What belongs to a layer of a row: (outputs, inputs) and (outputs,)."""
    weight, bias, before, after = layer
    return row[weight : weight + before * after].reshape((after, before)), row[bias : bias + after]


@kernel
def _clear(slopes: Any, layers: Any) -> None:
    for i in range(len(layers)):
        weight, bias = _layer(slopes, layers[i])
        weight[:] = 0.0
        bias[:] = 0.0
