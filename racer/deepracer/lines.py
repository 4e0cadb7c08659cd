"""What became of each setting of DeepRacer's files, a line each, for the learner to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from racer.actions import DiscreteActions
from racer.deepracer.hyperparameters import Hyperparameters
from racer.deepracer.metadata import LIDARS, ModelMetadata
from racer.deepracer.settings import Settings

__all__ = ["Fate", "Line", "learning_lines", "model_lines", "rule_lines"]


class Fate(Enum):
    """What becomes of a setting."""

    TAKEN = "taken over"
    IDLE = "no effect"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Line:
    """One setting.

    Attributes:
        name: as in DeepRacer's files.
        value: as there.
        fate: what becomes of it.
        note: what it does here, or what does its work.
    """

    name: str
    value: str
    fate: Fate
    note: str = ""


def rule_lines(settings: Settings) -> Iterator[Line]:
    """How a training goes on; where it drives is told by who knows the track."""
    yield Line("RACE_TYPE", settings.race_type, Fate.TAKEN)
    both = "half of the cars drive each way all the time; races are judged in the track's direction"
    fate = Fate.REPLACED if settings.alternate else Fate.TAKEN
    yield Line("ALTERNATE_DRIVING_DIRECTION", str(settings.alternate), fate, both if settings.alternate else "")
    moves = f"{settings.advance:.3g} of a lap further on each episode" if settings.change_start else "always the same"
    yield Line("CHANGE_START_POSITION", str(settings.change_start), Fate.TAKEN, f"start: {moves}")
    if settings.offset:
        yield Line(
            "START_POSITION_OFFSET",
            f"{settings.offset:g}",
            Fate.TAKEN,
            "where each car's first episode starts",
        )
    answers = {
        "NUM_WORKERS": "hundreds of cars in one process, each with a start of its own",
        "MIN_EVAL_TRIALS": "after some seconds several cars race three laps each, without learning",
        "BEST_MODEL_METRIC": "the best driver completes most laps, then is the fastest",
        "ENABLE_DOMAIN_RANDOMIZATION": "pictures do not vary",
        "MULTI_CONFIG": "all cars drive on the one track",
    }
    for key, value in settings.others.items():
        if value.lower() not in ("false", "none"):
            yield Line(key, value, Fate.REPLACED, answers[key])


def model_lines(model: ModelMetadata, sensors: tuple[str, ...], chosen: bool) -> Iterator[Line]:
    """What a model may do, perceive and is made of; `chosen` if the learner named the sensors."""
    actions = model.actions
    if isinstance(actions, DiscreteActions):
        steering, speed = (tuple(sorted(values)) for values in zip(*actions.choices, strict=True))
        kind = f"{len(actions.choices)} actions"
    else:
        steering, speed, kind = actions.steering_angle, actions.speed, "continuous"
    ranges = f"{steering[0]:g} to {steering[-1]:g} degrees, {speed[0]:g} to {speed[-1]:g} m/s"
    yield Line("action_space", f"{kind}: {ranges}", Fate.TAKEN, "; ".join(model.notes))
    fate = Fate.REPLACED if chosen else Fate.TAKEN
    yield Line("sensor", ", ".join(model.sensors), fate, f"{'--sensors ' if chosen else ''}{', '.join(sensors)}")
    if model.lidar is not None and not set(LIDARS) & set(model.sensors):
        yield Line("lidar_config", "", Fate.IDLE, "the model has no lidar")
    yield Line("neural_network", model.neural_network, Fate.REPLACED, "the recipe's own")
    if model.training_algorithm == "sac":
        yield Line("training_algorithm", "sac", Fate.REPLACED, "PPO")
    else:
        yield Line("training_algorithm", model.training_algorithm, Fate.TAKEN, "PPO with the same clipping")
    yield Line("version", f"{model.version:g}", Fate.REPLACED, "the car is chosen with --car, whatever the version")


def learning_lines(learning: Hyperparameters, model: ModelMetadata | None) -> Iterator[Line]:
    """How it learns; the model is None where only hyperparameters were given."""
    sac = model is not None and model.training_algorithm == "sac"
    discrete = model is None or isinstance(model.actions, DiscreteActions)
    yield Line("discount_factor", f"{learning.discount_factor:g}", Fate.TAKEN, "what the driver is to care about")
    if not sac:
        yield Line(
            "beta_entropy",
            f"{learning.beta_entropy:g}",
            Fate.TAKEN,
            "at the start; it falls to nothing at the end",
        )
        yield Line("num_epochs", str(learning.num_epochs), Fate.TAKEN, "passes over the steps of each update")
    together = "the recipe's own: rate and batch belong together, and hundreds of cars give larger batches"
    yield Line("lr", f"{learning.lr:g}", Fate.REPLACED, together)
    yield Line("batch_size", str(learning.batch_size), Fate.REPLACED, "likewise")
    yield Line(
        "num_episodes_between_training",
        str(learning.num_episodes_between_training),
        Fate.REPLACED,
        "an update after some seconds of every car; the value network estimates what episodes lack",
    )
    squared = "mean squared error of scaled rewards"
    yield Line("loss_type", learning.loss_type, Fate.REPLACED if learning.huber else Fate.TAKEN, squared)
    yield from _exploration(learning, discrete)
    if sac:
        yield Line("sac_alpha", f"{learning.sac_alpha:g}", Fate.REPLACED, "PPO has none")
    budget = "--seconds or --steps; it counts iterations there"
    yield Line("term_cond_max_episodes", str(learning.term_cond_max_episodes), Fate.REPLACED, budget)
    yield Line(
        "term_cond_avg_score",
        f"{learning.term_cond_avg_score:g}",
        Fate.IDLE,
        "never looked at, there as here",
    )
    yield Line("stack_size", str(learning.stack_size), Fate.IDLE, "always 1, there as here")


def _exploration(learning: Hyperparameters, discrete: bool) -> Iterator[Line]:
    value = learning.exploration_type
    if not discrete:
        yield Line("exploration_type", value, Fate.IDLE, "only discrete actions are explored so, there as here")
    elif value == "categorical":
        yield Line("exploration_type", value, Fate.TAKEN, "actions are drawn as the policy weighs them")
    else:
        greedy = f"{value}, {learning.e_greedy_value:g} after {learning.epsilon_steps} steps"
        yield Line("exploration_type", greedy, Fate.REPLACED, "actions are drawn as the policy weighs them")
