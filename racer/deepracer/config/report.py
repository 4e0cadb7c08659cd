"""The outcome of each setting of DeepRacer's files, for the learner to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from racer.deepracer.config.hyperparameters import Hyperparameters, knobs_of
from racer.deepracer.config.metadata import CAMERAS, DISCRETIZED, LIDARS, ModelMetadata
from racer.deepracer.config.settings import Settings
from racer.sim import DiscreteActions

__all__ = ["Outcome", "Status", "learning_outcomes", "looks", "model_outcomes", "quicker", "rule_outcomes", "sees"]


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
        varied = "pictures, cars and starts differ between episodes, as with --randomize"
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


def sees(sensors: tuple[str, ...]) -> bool:
    """Whether there is a camera among sensors."""
    return any(spec.split(":")[0] in CAMERAS for spec in sensors)


def quicker(sensors: tuple[str, ...]) -> str:
    """Racer's own PPO recipe for these sensors."""
    if sees(sensors):
        return "ppo_camera"
    return "ppo_lidar" if any(spec.split(":")[0] in LIDARS for spec in sensors) else "ppo"


def looks(agent: str, sensors: tuple[str, ...]) -> bool:
    """Whether a recipe, by its name or path, encodes pictures with one of DeepRacer's networks."""
    return sees(sensors) and Path(agent).stem in ("ppo_camera", "clipped_ppo", "sac")


def model_outcomes(
    model: ModelMetadata, sensors: tuple[str, ...], agent: str, other_sensors: bool, other_agent: bool
) -> Iterator[Outcome]:
    """A model's actions, sensors, network and algorithm.

    Args:
        model: as the file says.
        sensors, agent: the sensors here, and the recipe that learns.
        other_sensors, other_agent: whether the learner named them.
    """
    actions = model.actions
    if isinstance(actions, DiscreteActions):
        steering, speed = (tuple(sorted(values)) for values in zip(*actions.choices, strict=True))
        kind = f"{len(actions.choices)} actions"
    else:
        steering, speed, kind = actions.steering_angle, actions.speed, "continuous"
    ranges = f"{steering[0]:g} to {steering[-1]:g} degrees, {speed[0]:g} to {speed[-1]:g} m/s"
    yield Outcome("action_space", f"{kind}: {ranges}", Status.CONVERTED, "; ".join(model.notes))
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
    if looks(agent, sensors):
        yield Outcome("neural_network", model.neural_network, Status.CONVERTED, "with layers for this picture size")
    else:
        instead = f"--agent {agent}" if sees(sensors) else "there is no camera"
        yield Outcome("neural_network", model.neural_network, Status.REPLACED, instead)
    ppo = model.training_algorithm == "clipped_ppo"
    if other_agent:
        status = Status.REPLACED if ppo is (Path(agent).stem == "sac") else Status.CONVERTED
        yield Outcome("training_algorithm", model.training_algorithm, status, f"--agent {agent}")
    else:
        how = f"agents/{agent}.py"
        if agent == "clipped_ppo":
            how += f", which learns from whole episodes; --agent {quicker(sensors)} learns faster"
        yield Outcome("training_algorithm", model.training_algorithm, Status.CONVERTED, how)
    yield Outcome("version", f"{model.version:g}", Status.REPLACED, "choose the car with --car")


def learning_outcomes(learning: Hyperparameters, agent: str, discrete: bool) -> Iterator[Outcome]:
    """How it learns, by a recipe of this name or path; `discrete` if it has a list of actions."""
    recipe = Path(agent).stem
    sac, taken = recipe == "sac", set(knobs_of(agent).values())
    yield Outcome("discount_factor", f"{learning.discount_factor:g}", Status.CONVERTED, "gamma")
    entropy, epochs = f"{learning.beta_entropy:g}", str(learning.num_epochs)
    if sac:
        first = "at the start; then SAC tunes it"
        yield Outcome("sac_alpha", f"{learning.sac_alpha:g}", Status.CONVERTED, first)
        yield Outcome("beta_entropy", entropy, Status.IGNORED, "for PPO; SAC has sac_alpha")
        yield Outcome("num_epochs", epochs, Status.IGNORED, "for PPO; SAC samples from its replay buffer")
    else:
        falling = "" if recipe == "clipped_ppo" else "at the start; it falls to zero at the end"
        yield Outcome("beta_entropy", entropy, Status.CONVERTED, falling)
        yield Outcome("num_epochs", epochs, Status.CONVERTED, "passes over the steps of each update")
    when = "after every step of all cars" if sac else "after a few seconds of driving"
    for key, value, instead in (
        ("lr", f"{learning.lr:g}", "the recipe's own: many cars give larger batches, which go with another rate"),
        ("batch_size", str(learning.batch_size), "the recipe's own"),
        (
            "num_episodes_between_training",
            str(learning.num_episodes_between_training),
            f"an update {when}; the value network estimates the rest of each episode",
        ),
    ):
        yield Outcome(key, value, Status.CONVERTED) if key in taken else Outcome(key, value, Status.REPLACED, instead)
    squared = "mean squared error of scaled rewards"
    yield Outcome("loss_type", learning.loss_type, Status.REPLACED if learning.huber else Status.CONVERTED, squared)
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


def _exploration(learning: Hyperparameters, discrete: bool) -> Iterator[Outcome]:
    value = learning.exploration_type
    if not discrete:
        yield Outcome("exploration_type", value, Status.IGNORED, "only for discrete actions, in DeepRacer too")
    elif value == "categorical":
        yield Outcome("exploration_type", value, Status.CONVERTED, "actions are sampled from the policy")
    else:
        greedy = f"{value}, {learning.e_greedy_value:g} after {learning.epsilon_steps} steps"
        yield Outcome("exploration_type", greedy, Status.REPLACED, "actions are sampled from the policy")
