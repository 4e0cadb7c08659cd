"""Training: one run of a recipe with a reward on a track, from its first step or from its last checkpoint.

The recipe owns how to learn. This file owns everything around it: the budget, what good means (complete laps first,
then lap time), what is kept, and that nothing is lost, whatever stops the training.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from racer.deepracer.logs import Tracer, TrainingLogs, write_evaluation
from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import AgentError, RacerError, RunError
from racer.racing import (
    AgentFile,
    EvaluationResult,
    Knobs,
    Learner,
    RaceConditions,
    drive,
    evaluate,
    failure,
    load_agent,
    restore,
)
from racer.replay import Replay, save_replay
from racer.reward import RewardFunction, VectorReward, load_reward
from racer.sensors import make_sensors
from racer.sim import CARS, DEFAULT, OFF, RANDOM, SIM_TO_REAL, ActionSpace, Rules, Start, TrackSampler
from racer.track import Track, load_track
from racer.training.metrics import Logbook, Prints
from racer.training.run import (
    DEVICES,
    MOST_SECONDS,
    MOST_SEED,
    MOST_STEPS,
    RUNS,
    Run,
    create_run,
    digest,
    free_name,
    open_run,
    write_plan,
)

SECONDS = 60.0  # of training, if nothing else is asked for
JUDGES = 8  # cars in each evaluation: one undisturbed, the others with noise on their actions
LEAST_JUDGES = 3  # on each track, where there are several
JUDGED_RANDOM = 6  # random tracks in each evaluation, if such are trained on
JUDGED_LAPS = 3
EVALUATIONS = 40  # in a training with a budget of steps, half as many on several tracks, which take longer ...
APART = 50_000  # ... but at least so many steps apart
CHECKPOINT_S = 3.0  # wall clock between two checkpoints: what a power cut may cost
SLOWEST = 0.5  # m/s: a car slower than this does not finish its laps in an evaluation


@dataclass(frozen=True)
class Progress:
    """How a training stands.

    Attributes:
        steps: car steps driven in training so far, earlier parts of a resumed run included.
        seconds: of training so far, likewise.
        used: share of the budget, 0..1.
        steps_per_s: since this part of the training began.
        metrics: the recipe's own numbers.
        score: of the newest evaluation; None before the first.
        best: the best score so far; None before the first.
        judged: whether `score` is new.
    """

    steps: int
    seconds: float
    used: float
    steps_per_s: float
    metrics: Mapping[str, float]
    score: EvaluationResult | None
    best: EvaluationResult | None
    judged: bool


Show = Callable[[Progress], None]


def start(
    tracks: str | Path | Track | Sequence[str | Path | Track],
    reward: str | Path,
    agent: str | Path = "ppo",
    *,
    name: str | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    car: str = "deepracer",
    actions: ActionSpace = DEFAULT,
    sensors: tuple[str, ...] | None = None,
    starts: Start = "random",
    both_ways: bool | None = None,
    randomize: bool = False,
    knobs: Knobs | None = None,
    device: str = "auto",
    logs: bool = True,
) -> Run:
    """Make a new run, without training yet.

    Args:
        tracks, reward, agent: names on the shelves or paths; several tracks, with an equal share of the cars on each.
            `RANDOM` stands for random tracks; beside others they get half of the cars.
        name: of the run below `runs/`, or a path; by default made of the track and the reward.
        steps, seconds: the budget, one of them at most; 60 seconds by default.
        seed: of everything. The same seed and number of steps give the same driver.
        car: name.
        actions: what the driver's actions mean.
        sensors: what it perceives, as `racer.sensors.make_sensors` takes it; by default the recipe's own choice.
        starts: where the episodes of the training start; races start on the line.
        both_ways: half of the cars train against the tracks' directions; by default if there are several tracks.
        randomize: the cars, what they perceive and where they start differ from episode to episode, as
            `racer.sim.SIM_TO_REAL` says; races do not.
        knobs: of the recipe, instead of its own.
        device: where the recipe calculates, one of `racer.training.run.DEVICES`.
        logs: whether to write DeepRacer's logs, too; there are none of random tracks.

    Raises:
        RacerError: an input cannot be used, or the run exists.
    """
    if steps is not None and seconds is not None:
        raise RunError("a training has a budget of steps or of seconds, not both")
    if steps is None and seconds is None:
        seconds = SECONDS
    _check_budget(steps, seconds)
    given = [tracks] if isinstance(tracks, str | Path | Track) else list(tracks)
    source, recipe = load_reward(reward), load_agent(agent)
    courses = [load_track(track) for track in given if track != RANDOM]
    names = tuple(track.name if isinstance(track, Track) else str(track) for track in given)
    if not names or len(set(names)) < len(names):
        raise RunError(f"the tracks are {', '.join(names) or 'none'}; it takes at least one, and each once")
    both_ways = len(names) > 1 if both_ways is None else both_ways
    _shares(_cars_of(recipe), names, both_ways)
    perceived = recipe.sensors() if sensors is None else sensors
    try:
        Rules(starts)
        make_sensors(perceived)
    except ValueError as wrong:
        raise RunError(str(wrong)) from wrong
    if device not in DEVICES:
        raise RunError(f"there is no device {device!r}; the devices are {', '.join(DEVICES)}")
    if not 0 <= seed <= MOST_SEED:
        raise RunError(f"--seed is {seed}; it must be from 0 to {MOST_SEED}")
    if car not in CARS:
        raise RunError(f"there is no car {car!r}; the cars are {', '.join(CARS)}")
    # What does not fit together is refused before there is a folder: two cars are as good as hundreds for that.
    tried = TimeTrialVector(2, courses[0] if courses else RANDOM, None, car, actions=actions, sensors=perceived)
    recipe.make(tried, seed, knobs, device)
    stem = f"{len(names)}-tracks" if len(names) > 1 else names[0] if not courses else courses[0].name
    path = Path(name or free_name(f"{stem}-{source.name}"))
    folder = path if len(path.parts) > 1 else RUNS / path
    plan = {
        "car": car,
        "seed": seed,
        "steps": steps,
        "seconds": seconds,
        "actions": actions,
        "sensors": perceived,
        "starts": starts,
        "both_ways": both_ways,
        "randomize": randomize,
        "knobs": dict(knobs or {}),
        "device": device,
        "logs": logs and bool(courses),
    }
    return create_run(folder, courses, source, recipe, (names, str(reward), str(agent)), plan)


def resume(
    folder: Path,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    reward: str | None = None,
    logs: bool | None = None,
) -> Run:
    """Open a run to go on with it.

    Args:
        folder: the run's.
        steps, seconds: a new budget, what was trained before included; by default the old one.
        reward: the reward function to go on with; needed only if it is no longer what it was.
        logs: whether to write DeepRacer's logs, too; by default as before.

    Raises:
        RunError: the run is damaged, has used up its budget, or its reward has changed.
    """
    run = open_run(folder)
    if steps is not None or seconds is not None:
        _check_budget(steps, seconds)
        run = Run(folder, dataclasses.replace(run.plan, steps=steps, seconds=seconds))
    if reward is not None:
        plan = dataclasses.replace(run.plan, reward=reward, reward_digest=digest(load_reward(reward).text))
        run = Run(folder, plan)
    if logs is not None:
        run = Run(folder, dataclasses.replace(run.plan, logs=logs))
    if run.reward() is None:
        raise RunError(
            f"the reward function {run.plan.reward} is not the one that {run.name} was trained with (kept as "
            f"{folder / 'reward.py.txt'}): restore it, or say with --reward which one to go on with"
        )
    if run.checkpoint.exists():
        done = run.load(run.checkpoint)[1]
        if Budget(run.plan.steps, run.plan.seconds).used(int(done["steps"]), float(done["seconds"])) >= 1.0:
            raise RunError(f"{run.name} has used up its budget; give it a larger one with --steps or --seconds")
    write_plan(run)
    return run


@dataclass(frozen=True)
class Budget:
    """How long to train: a number of steps, or a time in seconds."""

    steps: int | None
    seconds: float | None

    def used(self, steps: int, seconds: float) -> float:
        """Share of the budget, 0..1 and more."""
        return steps / self.steps if self.steps is not None else seconds / (self.seconds or SECONDS)


def train(
    run: Run,
    show: Show | None = None,
    tell: Callable[[str], None] | None = None,
) -> Replay:
    """Train until the budget is used up.

    Whatever ends the training earlier (an error, Ctrl-C), what was learned is saved first.

    Args:
        run: a new one, or one to go on with.
        show: called after every update.
        tell: given the recipe's `about`, if it has one: what it perceives, what it is made of, how fast it should be.

    Returns:
        Three laps of the best driver; they are also in the run folder.

    Raises:
        RacerError: the reward or the recipe fails, or a file cannot be written.
    """
    reward = run.reward()
    if reward is None:
        raise RunError(f"the reward function {run.plan.reward} has changed since {run.name} was made; make a new run")
    training = Training(run, reward, show)
    if tell is not None and (about := getattr(training.learner, "about", None)):
        tell(str(about))
    try:
        training.learner.learn(training.report)
    except RacerError:
        raise
    except (Exception, SystemExit) as wrong:
        raise failure(training.learner, wrong) from wrong
    finally:
        training.close()
    return training.finish()


class Training:
    """A training in progress; `report` is what the recipe calls."""

    def __init__(self, run: Run, reward: RewardFunction, show: Show | None) -> None:
        """Set everything up, compiled and ready, and put a resumed run where it stopped."""
        self.run, self._show, self._reward = run, show, reward
        self._budget = Budget(run.plan.steps, run.plan.seconds)
        recipe = run.agent()
        count = _cars_of(recipe)
        self._prints = Prints(run.folder / "rewards.log")
        self._env = self._cars(count)
        self._judges = self._jury()
        learner = recipe.make(self._env, run.plan.seed, run.plan.knobs, run.plan.device)
        assert isinstance(learner, Learner)
        self.learner = learner
        self._log = Logbook(run.folder, "metrics")
        told = getattr(learner, "hyperparameters", {})  # what a recipe likes to tell, for the logs
        self._traces = TrainingLogs(run.folder, self._env, told) if run.plan.logs else None
        self._steps, self._before = 0, 0.0
        self._best: EvaluationResult | None = None
        self._score: EvaluationResult | None = None
        if run.checkpoint.exists():
            state, notes = run.load(run.checkpoint)
            restore(learner, state, run.checkpoint)
            self._steps, self._before = int(notes["steps"]), float(notes["seconds"])
            if run.best.exists():
                restore(learner, run.load(run.best)[0], run.best)
                self._best = self._score = self._judge()
                restore(learner, state, run.checkpoint)
        else:
            self._judge()  # compiles what an evaluation needs before the clock starts
        self._first_steps = self._steps
        self._used = 0.0
        self._judged_at = float(self._steps) if self._budget.steps is not None else 0.0
        self._began = self._saved_at = time.monotonic()
        self._pause = 1.0

    def report(self, steps: int, metrics: Mapping[str, float]) -> float:
        """Take stock between two updates: evaluate, save and show, each when it is due."""
        self._steps = steps
        self._used = self._budget.used(steps, self._seconds())
        judged = self._used >= 1.0 or self._due()
        if judged:
            self._evaluate()
        if judged or time.monotonic() - self._saved_at > CHECKPOINT_S:
            self._save()
        seconds = self._seconds()
        speed = (steps - self._first_steps) / max(time.monotonic() - self._began, 1e-9)
        fresh = self._score if judged else None
        evaluation = {
            "evaluation/completed": fresh.completed if fresh else None,
            "evaluation/best_lap_s": fresh.best_lap_s if fresh else None,
        }
        numbers = {"steps_per_s": speed, **evaluation, **metrics}
        if steps > self._first_steps:
            self._log.write(steps, seconds, numbers)
        if self._traces is not None:
            self._traces.update(steps)
        if self._show is not None:
            shown = Progress(steps, seconds, min(1.0, self._used), speed, metrics, self._score, self._best, judged)
            self._show(shown)
        return self._used

    def finish(self) -> Replay:
        """Drive three laps with the best driver, and keep them."""
        run = self.run
        if run.best.exists():
            restore(self.learner, run.load(run.best)[0], run.best)
        tracer = Tracer(1, endless=True)
        with Prints(run.folder / "rewards.log") as prints:
            replay = drive(
                self.learner,
                run.track(),
                JUDGED_LAPS,
                RaceConditions(run.car, run.plan.actions, run.plan.sensors, run.plan.seed),
                name=run.name,
                reward_function=self._rewards(1, prints),
                step_callback=tracer if run.plan.logs else None,
            )
        save_replay(replay, run.replay, overwrite=True)
        if run.plan.logs:
            write_evaluation(run.folder, replay.laps, tracer.laps(replay.track))
        return replay

    def close(self) -> None:
        """Keep what was learned, and close the logs."""
        with self._prints, closing(self._log), closing(self._traces) if self._traces else nullcontext():
            if self._steps > self._first_steps:
                self._save()

    def _cars(self, count: int) -> TimeTrialVector | ConcatVectorEnv:
        """The cars that train, part by part: see `_shares`."""
        plan = self.run.plan
        courses: list[Track | TrackSampler] = [*self.run.courses()]
        if RANDOM in plan.tracks:
            courses.append(self.run.random)
        shares = _shares(count, plan.tracks, plan.both_ways)
        varies = SIM_TO_REAL if plan.randomize else OFF
        how: Any = {"actions": plan.actions, "sensors": plan.sensors, "randomization": varies}
        parts = []
        for number, course in zip(shares, courses, strict=True):
            rewards = self._rewards(number, self._prints)
            parts.append(TimeTrialVector(number, course, rewards, self.run.car, plan.starts, **how))
        return parts[0] if len(parts) == 1 else ConcatVectorEnv(parts)

    def _jury(self) -> TimeTrialVector | ConcatVectorEnv:
        """The cars that judge a driver: on all tracks in all directions that are trained, and on unseen random ones."""
        plan = self.run.plan
        courses = self.run.courses()
        if RANDOM in plan.tracks:
            courses += self.run.random.unseen(JUDGED_RANDOM)
        number = max(LEAST_JUDGES, JUDGES // len(courses))
        how: Any = {"actions": plan.actions, "sensors": plan.sensors}
        parts = [
            TimeTrialVector(number, course, None, self.run.car, "line", JUDGED_LAPS, limit, **how)
            for course in courses
            for limit in [course.length / SLOWEST * JUDGED_LAPS]
        ]
        return parts[0] if len(parts) == 1 else ConcatVectorEnv(parts)

    def _rewards(self, count: int, prints: Prints) -> VectorReward:
        return VectorReward(self._reward, count, cast(TextIO, prints))

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _due(self) -> bool:
        """Whether to evaluate now: by steps where the budget is one of steps, so that the same seed does the same."""
        if self._budget.steps is not None:
            apart = max(APART, self._budget.steps / EVALUATIONS) * (
                2 if isinstance(self._judges, ConcatVectorEnv) else 1
            )
            return self._steps - self._judged_at >= apart
        return self._seconds() - self._before > self._judged_at + self._pause

    def _evaluate(self) -> None:
        began = time.monotonic()
        self._score = self._judge()
        if self._traces is not None:
            self._traces.evaluated(self._score)
        if self._best is None or self._score.rank > self._best.rank:
            self._best = self._score
            self._keep(self.run.best)
        self._pause = max(1.0, 10.0 * (time.monotonic() - began))  # evaluations take a tenth of the time at most
        self._judged_at = float(self._steps) if self._budget.steps is not None else self._seconds() - self._before

    def _judge(self) -> EvaluationResult:
        return evaluate(self._judges, self.learner, JUDGED_LAPS, self.run.plan.seed)

    def _save(self) -> None:
        self._keep(self.run.checkpoint)
        self._prints.flush()
        self._saved_at = time.monotonic()

    def _keep(self, path: Path) -> None:
        notes = {"steps": self._steps, "seconds": self._seconds()}
        try:
            state = self.learner.state_dict()
        except Exception as wrong:
            raise failure(self.learner, wrong) from wrong
        self.run.save(path, state, notes)


def _cars_of(recipe: AgentFile) -> int:
    """How many cars a recipe trains with.

    Raises:
        AgentError: it does not learn, or does not say so.
    """
    kind = recipe.load()
    if not callable(getattr(kind, "learn", None)):
        raise AgentError(f"{recipe.path}: this agent does not learn; evaluate it with 'racer evaluate {recipe.name}'")
    for method in ("state_dict", "load_state_dict"):
        if not callable(getattr(kind, method, None)):
            raise AgentError(f"{recipe.path}: Agent lacks {method}(), so what it learns could not be kept")
    count = getattr(kind, "num_envs", None)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise AgentError(f"{recipe.path}: Agent.num_envs is {count!r}; it must be the number of cars to train with")
    return count


def _shares(cars: int, tracks: Sequence[str], both_ways: bool) -> list[int]:
    """How many cars drive on each track, in each direction of it; half of all on random ones, which come last.

    Raises:
        RunError: there are too few.
    """
    fixed = (2 if both_ways else 1) * sum(track != RANDOM for track in tracks)
    parts = [1.0] * fixed + [float(max(1, fixed))] * (RANDOM in tracks)
    ends = np.ceil(np.cumsum(parts) / sum(parts) * cars - 1e-9).astype(int)
    shares = np.diff(ends, prepend=0)
    if min(shares) < 1:
        raise RunError(f"the agent trains {cars} cars, too few to share out among {len(parts)} tracks and directions")
    return [int(share) for share in shares]


def _check_budget(steps: int | None, seconds: float | None) -> None:
    if steps is not None and not 1 <= steps <= MOST_STEPS:
        raise RunError(f"--steps is {steps!r:.30}; it must be from 1 to {MOST_STEPS:g}")
    if seconds is not None and not 0.0 < seconds <= MOST_SECONDS:
        raise RunError(f"--seconds is {seconds:g}; it must be above 0 and at most {MOST_SECONDS:g}")
