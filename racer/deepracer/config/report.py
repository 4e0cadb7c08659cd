"""What became of each setting of DeepRacer's files, a line each, for the learner to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from racer.deepracer.config.hyperparameters import Hyperparameters, knobs_of
from racer.deepracer.config.metadata import CAMERAS, DISCRETIZED, LIDARS, ModelMetadata
from racer.deepracer.config.settings import Settings
from racer.sim import DiscreteActions

__all__ = ["Fate", "Line", "learning_lines", "looks", "model_lines", "quicker", "rule_lines", "sees"]


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
    if settings.randomize:
        varied = "pictures, cars and starts differ from episode to episode, as with --randomize"
        yield Line("ENABLE_DOMAIN_RANDOMIZATION", "True", Fate.TAKEN, varied)
    answers = {
        "NUM_WORKERS": "many cars in one process, each with a start of its own",
        "MIN_EVAL_TRIALS": "after some seconds several cars race three laps each, without learning",
        "BEST_MODEL_METRIC": "the best driver completes most laps, then is the fastest",
        "MULTI_CONFIG": "all cars drive on the one track",
    }
    for key, value in settings.others.items():
        if value.lower() not in ("false", "none"):
            yield Line(key, value, Fate.REPLACED, answers[key])


def sees(sensors: tuple[str, ...]) -> bool:
    """Whether there is a camera among sensors."""
    return any(spec.split(":")[0] in CAMERAS for spec in sensors)


def quicker(sensors: tuple[str, ...]) -> str:
    """Racer's own recipe of PPO for what is perceived."""
    if sees(sensors):
        return "ppo_camera"
    return "ppo_lidar" if any(spec.split(":")[0] in LIDARS for spec in sensors) else "ppo"


def looks(agent: str, sensors: tuple[str, ...]) -> bool:
    """Whether a recipe, by its name or path, looks at pictures through one of DeepRacer's networks."""
    return sees(sensors) and Path(agent).stem in ("ppo_camera", "clipped_ppo", "sac")


def model_lines(
    model: ModelMetadata, sensors: tuple[str, ...], agent: str, other_sensors: bool, other_agent: bool
) -> Iterator[Line]:
    """What a model may do, perceives and is made of.

    Args:
        model: as the file says.
        sensors, agent: what is perceived here, and the recipe that learns.
        other_sensors, other_agent: whether the learner named them.
    """
    actions = model.actions
    if isinstance(actions, DiscreteActions):
        steering, speed = (tuple(sorted(values)) for values in zip(*actions.choices, strict=True))
        kind = f"{len(actions.choices)} actions"
    else:
        steering, speed, kind = actions.steering_angle, actions.speed, "continuous"
    ranges = f"{steering[0]:g} to {steering[-1]:g} degrees, {speed[0]:g} to {speed[-1]:g} m/s"
    yield Line("action_space", f"{kind}: {ranges}", Fate.TAKEN, "; ".join(model.notes))
    fate = Fate.REPLACED if other_sensors else Fate.TAKEN
    yield Line("sensor", ", ".join(model.sensors), fate, f"{'--sensors ' if other_sensors else ''}{', '.join(sensors)}")
    if (lidar := model.lidar) is not None:
        told = f"{lidar.sectors} sectors of {lidar.values} values up to {lidar.clip_m:g} m"
        if DISCRETIZED not in model.sensors:
            yield Line("lidar_config", told, Fate.IDLE, f"the model has no {DISCRETIZED}")
        else:
            yield Line("lidar_config", told, fate, "--sensors" if other_sensors else "")
    if looks(agent, sensors):
        yield Line("neural_network", model.neural_network, Fate.TAKEN, "for pictures of this size")
    else:
        instead = f"--agent {agent}" if sees(sensors) else "there is no camera"
        yield Line("neural_network", model.neural_network, Fate.REPLACED, instead)
    ppo = model.training_algorithm == "clipped_ppo"
    if other_agent:
        fate = Fate.REPLACED if ppo is (Path(agent).stem == "sac") else Fate.TAKEN
        yield Line("training_algorithm", model.training_algorithm, fate, f"--agent {agent}")
    else:
        how = f"agents/{agent}.py"
        if agent == "clipped_ppo":
            how += f": updates of whole episodes; --agent {quicker(sensors)} learns faster"
        yield Line("training_algorithm", model.training_algorithm, Fate.TAKEN, how)
    yield Line("version", f"{model.version:g}", Fate.REPLACED, "the car is chosen with --car, whatever the version")


def learning_lines(learning: Hyperparameters, agent: str, discrete: bool) -> Iterator[Line]:
    """How it learns, by a recipe of this name or path; `discrete` if it has a list of actions."""
    recipe = Path(agent).stem
    sac, taken = recipe == "sac", set(knobs_of(agent).values())
    yield Line("discount_factor", f"{learning.discount_factor:g}", Fate.TAKEN, "what the driver is to care about")
    entropy, epochs = f"{learning.beta_entropy:g}", str(learning.num_epochs)
    if sac:
        first = "at the start; from there on it is learned"
        yield Line("sac_alpha", f"{learning.sac_alpha:g}", Fate.TAKEN, first)
        yield Line("beta_entropy", entropy, Fate.IDLE, "PPO's; SAC has sac_alpha")
        yield Line("num_epochs", epochs, Fate.IDLE, "PPO's; SAC draws from all that it remembers")
    else:
        falling = "" if recipe == "clipped_ppo" else "at the start; it falls to nothing at the end"
        yield Line("beta_entropy", entropy, Fate.TAKEN, falling)
        yield Line("num_epochs", epochs, Fate.TAKEN, "passes over the steps of each update")
    when = "after every step of all cars" if sac else "after some seconds of every car"
    for key, value, instead in (
        ("lr", f"{learning.lr:g}", "the recipe's: rate and batch belong together, and many cars give larger batches"),
        ("batch_size", str(learning.batch_size), "likewise"),
        (
            "num_episodes_between_training",
            str(learning.num_episodes_between_training),
            f"an update {when}; the value network estimates what episodes lack",
        ),
    ):
        yield Line(key, value, Fate.TAKEN) if key in taken else Line(key, value, Fate.REPLACED, instead)
    squared = "mean squared error of scaled rewards"
    yield Line("loss_type", learning.loss_type, Fate.REPLACED if learning.huber else Fate.TAKEN, squared)
    yield from _exploration(learning, discrete)
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
