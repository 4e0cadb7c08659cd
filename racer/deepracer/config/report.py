"""The outcome of each setting of DeepRacer's files, for the learner to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from racer.deepracer.config.hyperparameters import SQUARED, Hyperparameters
from racer.deepracer.config.metadata import CAMERAS, DISCRETIZED, ModelMetadata
from racer.deepracer.config.settings import Settings
from racer.racing import hyperparameters_of, recipe_for
from racer.sim import DiscreteActions

__all__ = ["Outcome", "Status", "learning_outcomes", "model_outcomes", "rule_outcomes", "takes_network"]


class Status(Enum):
    """What happens to a setting: it has its effect here too, something else is in its place, or it has no effect."""

    CONVERTED = "converted"
    REPLACED = "replaced"
    IGNORED = "no effect"


@dataclass(frozen=True)
class Outcome:
    """What becomes of one setting.

    Attributes:
        name: as in DeepRacer's files.
        value: as there.
        status: what happens to it.
        note: what it does here, or what is in its place.
    """

    name: str
    value: str
    status: Status
    note: str = ""


def rule_outcomes(settings: Settings) -> Iterator[Outcome]:
    """The rules of a training; the outcomes of the track's settings come with the track."""
    yield Outcome("RACE_TYPE", settings.race_type, Status.CONVERTED)
    for key, value in settings.traffic_settings.items():
        yield Outcome(key, value, Status.CONVERTED)
    both = "half of the cars drive in each direction all the time; evaluations are in the track's direction"
    status = Status.REPLACED if settings.alternate else Status.CONVERTED
    yield Outcome("ALTERNATE_DRIVING_DIRECTION", str(settings.alternate), status, both if settings.alternate else "")
    moves = f"{settings.advance:.3g} of a lap further with each episode" if settings.change_start else "always the same"
    yield Outcome("CHANGE_START_POSITION", str(settings.change_start), Status.CONVERTED, f"start: {moves}")
    if settings.offset:
        yield Outcome(
            "START_POSITION_OFFSET",
            f"{settings.offset:g}",
            Status.CONVERTED,
            "share of the lap at which each car's first episode starts",
        )
    if settings.randomize:
        varied = "pictures, cars and starts differ between episodes, as with --randomize some"
        yield Outcome("ENABLE_DOMAIN_RANDOMIZATION", "True", Status.CONVERTED, varied)
    answers = {
        "NUM_WORKERS": "many cars train in one process, each with its own start",
        "MIN_EVAL_TRIALS": "several cars drive three laps each from time to time, without learning",
        "BEST_MODEL_METRIC": "the best driver completes most laps; among equals, the fastest",
        "MULTI_CONFIG": "all cars drive on one track; see --tracks",
    }
    for key, value in settings.others.items():
        if value.lower() not in ("false", "none"):
            yield Outcome(key, value, Status.REPLACED, answers[key])


def takes_network(agent: type[Any], sensors: tuple[str, ...]) -> bool:
    """Whether a recipe of this class encodes the images of these sensors with one of DeepRacer's networks."""
    return _has_camera(sensors) and "network" in (hyperparameters_of(agent) or {})


def model_outcomes(
    model: ModelMetadata,
    sensors: tuple[str, ...],
    agent: tuple[str, type[Any]],
    other_sensors: bool,
    other_agent: bool,
) -> Iterator[Outcome]:
    """A model's actions, sensors, network and algorithm.

    Args:
        model: as the file says.
        sensors: those here.
        agent: name or path of the recipe that learns, and its class.
        other_sensors, other_agent: whether the learner named them.
    """
    name, kind = agent
    actions = model.actions
    if isinstance(actions, DiscreteActions):
        steering, speed = (tuple(sorted(values)) for values in zip(*actions.choices, strict=True))
        choice = f"{len(actions.choices)} actions"
    else:
        steering, speed, choice = actions.steering_angle, actions.speed, "continuous"
    ranges = f"{steering[0]:g} to {steering[-1]:g} degrees, {speed[0]:g} to {speed[-1]:g} m/s"
    yield Outcome("action_space", f"{choice}: {ranges}", Status.CONVERTED, "; ".join(model.notes))
    status = Status.REPLACED if other_sensors else Status.CONVERTED
    yield Outcome(
        "sensor", ", ".join(model.sensors), status, f"{'--sensors ' if other_sensors else ''}{', '.join(sensors)}"
    )
    if (lidar := model.lidar) is not None:
        described = f"{lidar.sectors} sectors of {lidar.values} values up to {lidar.clip_m:g} m"
        if DISCRETIZED not in model.sensors:
            yield Outcome("lidar_config", described, Status.IGNORED, f"the model has no {DISCRETIZED}")
        else:
            yield Outcome("lidar_config", described, status, "--sensors" if other_sensors else "")
    if takes_network(kind, sensors):
        yield Outcome("neural_network", model.neural_network, Status.CONVERTED, "with layers for this image size")
    else:
        instead = f"--agent {name}" if _has_camera(sensors) else "there is no camera"
        yield Outcome("neural_network", model.neural_network, Status.REPLACED, instead)
    if other_agent:
        same = getattr(kind, "deepracer_algorithm", "") == model.training_algorithm
        status = Status.CONVERTED if same else Status.REPLACED
        yield Outcome("training_algorithm", model.training_algorithm, status, f"--agent {name}")
    else:
        how = f"agents/{name}.py"
        if getattr(kind, "deepracer_rules", False):
            how += f", which learns from whole episodes; --agent {recipe_for(sensors)} learns faster"
        yield Outcome("training_algorithm", model.training_algorithm, Status.CONVERTED, how)
    yield Outcome("version", f"{model.version:g}", Status.REPLACED, "choose the car with --car")


NOTES = {"num_epochs": "passes over the steps of each update"}
"""What hyperparameters do that a recipe converts without a word of its own; else they are called by its name."""

INSTEAD = {
    "lr": "the recipe's own: many cars give larger batches, which go with another rate",
    "batch_size": "the recipe's own",
    "num_episodes_between_training": "the recipe's own; the value network estimates the rest of each episode",
}
"""What is in the place of hyperparameters that a recipe does not take."""


def learning_outcomes(learning: Hyperparameters, agent: type[Any], discrete: bool) -> Iterator[Outcome]:
    """How it learns, by a recipe of this class; `discrete` if it has a list of actions."""
    taken, notes = getattr(agent, "deepracer", {}), NOTES | dict(getattr(agent, "deepracer_notes", {}))
    for key in ("discount_factor", "sac_alpha", "beta_entropy", "num_epochs", *INSTEAD):
        value = f"{getattr(learning, key):g}"
        if key in taken:
            yield Outcome(key, value, Status.CONVERTED, notes.get(key, "" if taken[key] == key else taken[key]))
        elif key in INSTEAD:
            yield Outcome(key, value, Status.REPLACED, INSTEAD[key])
        elif key != "sac_alpha":  # which files for PPO do not have
            yield Outcome(key, value, Status.IGNORED, "this recipe has no such hyperparameter")
    loss = learning.effective["loss_type"]
    own = loss if "loss_type" in taken else getattr(agent, "loss_type", SQUARED)
    status = Status.CONVERTED if own == loss else Status.REPLACED
    yield Outcome("loss_type", learning.loss_type, status, f"{own}, of scaled rewards")
    yield from _exploration(learning, discrete)
    budget = "--seconds or --steps; DeepRacer counts iterations"
    yield Outcome("term_cond_max_episodes", str(learning.term_cond_max_episodes), Status.REPLACED, budget)
    yield Outcome(
        "term_cond_avg_score",
        f"{learning.term_cond_avg_score:g}",
        Status.IGNORED,
        "DeepRacer does not use it either",
    )
    yield Outcome("stack_size", str(learning.stack_size), Status.IGNORED, "always 1, in DeepRacer too")


def _has_camera(sensors: tuple[str, ...]) -> bool:
    return any(spec.split(":")[0] in CAMERAS for spec in sensors)


def _exploration(learning: Hyperparameters, discrete: bool) -> Iterator[Outcome]:
    value = learning.exploration_type
    if not discrete:
        yield Outcome("exploration_type", value, Status.IGNORED, "only for discrete actions, in DeepRacer too")
    elif value == "categorical":
        yield Outcome("exploration_type", value, Status.CONVERTED, "actions are sampled from the policy")
    else:
        greedy = f"{value}, {learning.e_greedy_value:g} after {learning.epsilon_steps} steps"
        yield Outcome("exploration_type", greedy, Status.REPLACED, "actions are sampled from the policy")
