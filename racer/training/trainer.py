"""Training: one run of a recipe with a reward on a track, from its first step or from its last checkpoint.

The recipe owns how to learn. This file owns everything around it: the budget, what good means (complete laps first,
then lap time), what is kept, and that nothing is lost, whatever stops the training.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from racer.env import ConcatVectorEnv, Opponent
from racer.errors import ModelError, RacerError, RewardError, RunError
from racer.racing import Contestant, EvaluationResult, Learner, Network, drive, evaluate, failure, restore, run_heat
from racer.replay import Replay, mark_of, save_replay
from racer.reward import OutputBuffer, VectorReward, fast_lap_s
from racer.shelf import refuse_links
from racer.sim import DEFAULT
from racer.training.callbacks import Callback, Progress, usual_pace
from racer.training.config import read_config
from racer.training.environments import LAPS, cars_of, evaluation_env, heat_of, training_env
from racer.training.folder import locked
from racer.training.meter import COLUMNS, Meter, slow_lap_s
from racer.training.metrics import Metrics, Prints
from racer.training.pool import SELF, Pool
from racer.training.rivals import opponents_of
from racer.training.run import Run
from racer.training.start import warm_start

__all__ = ["Training", "train"]

EVALUATIONS = 40  # in a training with a budget of steps, half as many on several tracks, which take longer ...
APART = 50_000  # ... but at least so many steps apart
CHECKPOINT_S = 3.0  # wall clock between two checkpoints: what a power cut may cost


def train(run: Run, callbacks: Sequence[Callback] = ()) -> Replay:
    """Train until the budget is used up.

    Whatever ends the training earlier (an error, Ctrl-C), what was learned is saved first.

    Args:
        run: a new one, or one to go on with.
        callbacks: whom to tell how it goes.

    Returns:
        Three laps of the best driver on the first track; they are also in the run folder.

    Raises:
        RacerError: the reward or the recipe fails, a file cannot be written, or another process trains in the folder.
    """
    with locked(run.folder):
        if read_config(run.folder / "run.json") != run.config:
            raise RunError(f"{run.folder} is no longer the run that it was: another process has begun one there")
        training = Training(run, callbacks)
        try:
            training.learn()
        except RacerError:
            raise
        except (Exception, SystemExit) as wrong:
            raise failure(training.learner, wrong) from wrong
        finally:
            training.close()
        return training.race()


class Training:
    """A training in progress; `report` is what the recipe calls."""

    def __init__(self, run: Run, callbacks: Sequence[Callback]) -> None:
        """Set everything up, compiled and ready, and put a resumed run where it stopped."""
        self.run, self._callbacks, self._reward = run, callbacks, run.reward()
        recipe = run.agent()
        self._prints = Prints(run.folder / "rewards.log")
        self._pool = Pool(run) if SELF in run.config.opponents else None
        mine = None if self._pool is None else self._pool.opponent
        kept = run.load(run.checkpoint) if run.checkpoint.exists() else None
        self._steps, self._before = (int(kept[1]["steps"]), float(kept[1]["seconds"])) if kept else (0, 0.0)
        cars = cars_of(recipe)
        self._env = training_env(run, lambda count: self._rewards(count, self._prints), cars, mine, self._steps)
        self._unread = OutputBuffer()  # an evaluation's prints would stand between those of the training
        self._evaluation_env = evaluation_env(run, lambda count: self._rewards(count, self._unread))
        config = run.config
        # One that goes on meets new starts and draws, instead of those that it began with once more.
        seed = int(np.random.SeedSequence([config.seed, self._steps]).generate_state(1)[0]) if kept else config.seed
        learner = recipe.make(self._env, seed, config.hyperparameters, config.device)
        assert isinstance(learner, Learner)
        self.learner = learner
        self._best: EvaluationResult | None = None
        self._result: EvaluationResult | None = None
        if kept:
            state = kept[0]
            restore(learner, state, run.checkpoint)
            if run.best.exists():
                restore(learner, run.load(run.best)[0], run.best)
                self._best = self._result = self._evaluated()
                restore(learner, state, run.checkpoint)
        else:
            if run.initial.exists():
                warm_start(learner, run.load(run.initial)[0], run.initial)
            self._evaluated()  # compiles what an evaluation needs before the clock starts
        if self._pool is not None:
            self._pool.begin(self._steps, self._decides())
        where = run.track()
        top_mps = (config.actions or DEFAULT).top_speed
        self._meter = Meter(slow_lap_s(fast_lap_s(where), where.length, top_mps), mark_of(where, run.car))
        self._measured: Mapping[str, float | None] = dict.fromkeys(COLUMNS)
        self._log = Metrics(run.folder, steps=self._steps)
        self._log.describe(*self._described())
        for callback in callbacks:
            callback.on_training_start(self._env, learner)
        self._first_steps = self._steps
        self._others: int | None = None  # steps that the learner counts of another training, or has forgotten
        self._used = 0.0
        self._evaluated_at = float(self._steps) if config.steps is not None else 0.0
        self._began = self._saved_at = time.monotonic()
        self._pause = 1.0

    def learn(self) -> None:
        """Let the recipe learn until the budget is used up."""
        gc.freeze()  # what is there by now stays: else collections look at all of it again and again
        try:
            self.learner.learn(self.report)
        finally:
            gc.unfreeze()

    def report(self, steps: int, metrics: Mapping[str, float]) -> float:
        """Take stock between two updates: evaluate, save and tell, each when it is due."""
        if self._others is None:
            counts_on = self.run.initial.exists() or steps < self._first_steps
            self._others = steps - self._first_steps if counts_on else 0
        self._steps = steps = steps - self._others
        self._used = self.run.config.used(steps, self._seconds())
        due = self._used >= 1.0 or (self._due() and not self._phase())
        if due:
            self._evaluate()
        seconds, elapsed = self._seconds(), max(time.monotonic() - self._began, 1e-9)
        speed = (steps - self._first_steps) / elapsed
        evaluation = self._measured if due else dict.fromkeys(COLUMNS)
        if steps > self._first_steps:
            self._log.write(steps, seconds, {"time/fps": speed, **evaluation, **metrics})
        if due or time.monotonic() - self._saved_at > CHECKPOINT_S:  # after its row, so that a kill leaves no gap
            self._save()
        used, pace = min(1.0, self._used), usual_pace(self.learner)
        best, meter, phase = self._best, self._meter.reading, self._phase()
        state = Progress(steps, seconds, used, speed, metrics, self._result, best, due, elapsed, pace, meter, phase)
        for callback in self._callbacks:
            callback.on_update(state)
        return self._used

    def _phase(self) -> str:
        """What the recipe does before its driver learns; meanwhile there is nothing to evaluate."""
        return str(getattr(self.learner, "phase", ""))

    def race(self) -> Replay:
        """Drive three laps with the best driver, and keep them, also if the reward function fails in them."""
        run = self.run
        if run.best.exists():
            restore(self.learner, run.load(run.best)[0], run.best)
        failed: RewardError | None = None
        try:
            with Prints(run.folder / "rewards.log") as prints:
                replay = self._race(self._rewards(1, prints))
        except RewardError as wrong:
            failed, replay = wrong, self._race(None)
        refuse_links(run.replay, run.folder)
        save_replay(replay, run.replay, overwrite=True)
        for callback in self._callbacks:
            callback.on_race_end(replay, failed)
        return replay

    def _race(self, reward: VectorReward | None) -> Replay:
        heat = heat_of(self.run)
        if heat is not None:
            conditions = self.run.conditions()
            drivers = [Contestant(self.run.name, self.learner, conditions)]
            for name, rival in zip(self.run.config.opponents, opponents_of(self.run, self._strongest()), strict=True):
                own = replace(conditions, actions=rival.actions, sensors=rival.sensors)
                called = rival.driver.name if name == SELF else Path(name).stem
                drivers.append(Contestant(called, rival.driver, own))
            return run_heat(heat, drivers).replay
        observers = [one for callback in self._callbacks if (one := callback.on_race_start()) is not None]

        def tell(*step: Any) -> None:
            for one in observers:
                one(*step)

        return drive(
            self.learner,
            self.run.track(),
            LAPS,
            self.run.conditions(),
            name=self.run.name,
            reward_function=reward,
            step_callback=tell if observers else None,
        )

    def close(self) -> None:
        """Keep what was learned, and close the logs."""
        with ExitStack() as stack:
            for closing in (self._log.close, *(callback.on_training_end for callback in self._callbacks)):
                stack.callback(closing)
            stack.enter_context(self._prints)
            if self._steps > self._first_steps:
                self._save()

    def _described(self) -> tuple[dict[str, Any], dict[str, str]]:
        """What TensorBoard shows of the run: hyperparameters and choices by name, and its sources."""
        config, own = self.run.config, getattr(self.learner, "hyperparameters", {})
        chosen = {
            key: getattr(config, key) for key in ("agent", "reward", "car", "seed", "starts", "randomize", "race")
        }
        chosen |= {"tracks": ", ".join(config.track_names), "sensors": ", ".join(config.sensors or ())}
        texts = {"reward": f"```python\n{self._reward.text}\n```", "agent": f"```python\n{self.run.agent().text}\n```"}
        return {**chosen, **dict(own), **config.hyperparameters}, texts

    def _rewards(self, count: int, prints: Prints | OutputBuffer) -> VectorReward:
        return VectorReward(self._reward, count, cast(TextIO, prints))

    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _due(self) -> bool:
        """Whether to evaluate now: by steps where the budget is one of steps, so that the same seed does the same."""
        budget = self.run.config.steps
        if budget is not None:
            apart = max(APART, budget / EVALUATIONS) * (2 if isinstance(self._evaluation_env, ConcatVectorEnv) else 1)
            return self._steps - self._evaluated_at >= apart
        return self._seconds() - self._before > self._evaluated_at + self._pause

    def _evaluate(self) -> None:
        began = time.monotonic()
        self._result = self._evaluated()
        self._measured = self._meter.add(self._result, self._steps)
        for callback in self._callbacks:
            callback.on_evaluation(self._result)
        if self._best is None or self._result.rank > self._best.rank:
            self._best = self._result
            self._keep(self.run.best, {"completed": self._result.completed, "best_lap_s": self._result.best_lap_s})
        if self._pool is not None:
            self._pool.add(self._steps, self._decides())
        self._pause = max(1.0, 10.0 * (time.monotonic() - began))  # evaluations take a tenth of the time at most
        in_steps = self.run.config.steps is not None
        self._evaluated_at = float(self._steps) if in_steps else self._seconds() - self._before

    def _evaluated(self) -> EvaluationResult:
        frozen = getattr(self.learner, "frozen", None)
        driver = frozen() if callable(frozen) else self.learner
        try:
            return evaluate(self._evaluation_env, driver, LAPS, self.run.config.seed)
        except RewardError:  # it is for the training to fail by it, where it will; nobody learns from these laps
            self._evaluation_env = evaluation_env(self.run)
            return evaluate(self._evaluation_env, driver, LAPS, self.run.config.seed)

    def _save(self) -> None:
        self._keep(self.run.checkpoint, {})
        self._prints.flush()
        self._saved_at = time.monotonic()

    def _keep(self, path: Path, notes: Mapping[str, float | None]) -> None:
        try:
            state = self.learner.state_dict()
        except Exception as wrong:
            raise failure(self.learner, wrong) from wrong
        network = self._network() if path == self.run.best else None
        self.run.save(path, state, {"steps": self._steps, "seconds": self._seconds(), **notes}, network)

    def _strongest(self) -> Opponent | None:
        """Whom the best driver races in the end, where it trained against itself."""
        if self._pool is None:
            return None
        model = self._pool.members[self._pool.strongest]
        return Opponent(model, model.actions, model.sensors)

    def _decides(self) -> Network:
        """What the driver decides by, as data."""
        return cast(Network, cast(Any, self.learner).policy_network())

    def _network(self) -> Network | None:
        """What the driver decides by, as data, if its recipe can say it."""
        found = getattr(self.learner, "policy_network", None)
        try:
            return cast(Network, found()) if callable(found) else None
        except ModelError:
            return None
