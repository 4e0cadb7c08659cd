"""Do drivers learn to race? Trains among boxes, bot cars and rivals, and lets the best driver race under new seeds.

    python benchmarks/races.py                                  every figure, with its own budget, seed 0
    python benchmarks/races.py boxes --seed 2                   one of them
    python benchmarks/races.py bots --steps 2e6 --reward keep_a_gap --set n_epochs=8

Prints one line of JSON for each figure. A crash, or leaving the track, ends a race; in self-play it costs 5 s.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racer.env import bots_of, boxes_of
from racer.racing import (
    Contestant,
    CrowdedResult,
    Heat,
    Model,
    evaluate_crowded,
    load_model,
    parse_hyperparameters,
    run_heat,
)
from racer.sim import Traffic
from racer.training import SELF, Run, RunConfig, read_ratings, start, train

RACES, FIRST_SEED = 20, 1000  # of one lap, where the seeds differ: the training had others
LAPS = 3  # of the one race where they do not


@dataclass(frozen=True)
class Figure:
    """What is trained and raced for.

    Attributes:
        traffic: what is on the track.
        seconds: of training.
        reward, agent: names on the shelves.
        differs: whether each seed gives another race.
        opponents: whom it trains against.
    """

    traffic: Traffic
    seconds: float
    reward: str
    agent: str = "ppo"
    differs: bool = False
    opponents: tuple[str, ...] = ()


FIGURES = {
    "boxes": Figure(boxes_of(6, False), 60.0, "avoid_boxes"),
    "random-boxes": Figure(boxes_of(6, True), 300.0, "avoid_boxes", differs=True),
    "bots": Figure(bots_of(3, 0.5, True), 300.0, "overtake", differs=True),
    "camera": Figure(boxes_of(6, False), 300.0, "avoid_boxes", "ppo_camera"),
    "self-play": Figure(Traffic(drawn_grid=True), 300.0, "overtake", opponents=(SELF,)),
}


def main() -> None:
    """Train and race what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)} (default: all)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--seconds", type=float, help="of training")
    budget.add_argument("--steps", type=lambda text: int(float(text)), help="of training, instead of seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    parser.add_argument("--track", default="harbor")
    parser.add_argument("--reward", help="instead of the figure's own")
    parser.add_argument("--agent", help="instead of the figure's own")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a hyperparameter")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the runs here")
    asked = parser.parse_args()
    for name in asked.figures or FIGURES:
        if name not in FIGURES:
            parser.error(f"there is no figure {name!r}; there are {', '.join(FIGURES)}")
        with tempfile.TemporaryDirectory() as temporary:
            folder = (asked.keep or Path(temporary)) / f"{name}-{asked.seed}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            print(json.dumps({"figure": name, **measured(FIGURES[name], folder, asked)}), flush=True)


def measured(figure: Figure, folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Train, race, and say how it went."""
    steps = asked.steps
    run = start(
        RunConfig(
            tracks=(asked.track,),
            reward=asked.reward or figure.reward,
            agent=asked.agent or figure.agent,
            steps=steps,
            seconds=None if steps is not None else asked.seconds or figure.seconds,
            seed=asked.seed,
            traffic=figure.traffic,
            opponents=figure.opponents,
            hyperparameters=parse_hyperparameters(asked.set),
            logs=False,
        ),
        str(folder),
    )
    began = time.monotonic()
    train(run)
    notes = run.load(run.checkpoint)[1]
    found = {"track": asked.track, "reward": run.config.reward, "agent": run.config.agent, "seed": asked.seed}
    found |= {"steps": notes["steps"], "seconds": round(notes["seconds"], 1)}
    return found | raced(run, figure) | {"wall_s": round(time.monotonic() - began, 1)}


def raced(run: Run, figure: Figure) -> dict[str, Any]:
    """How the best driver races: without noise, under seeds that it has not trained with."""
    if figure.opponents:
        return against_itself(run)
    laps = 1 if figure.differs else LAPS
    seeds = range(FIRST_SEED, FIRST_SEED + (RACES if figure.differs else 1))
    driver, where, conditions = run.driver(), run.track(), run.conditions()
    result = evaluate_crowded(driver, where, figure.traffic, seeds, laps, conditions)
    found = result_of(result)
    if not figure.differs:  # what it does after a mistake counts, too
        forgiven = evaluate_crowded(driver, where, figure.traffic, seeds, laps, run.conditions(penalty_s=5.0))
        found["clean_laps_with_penalties"] = clean_laps(forgiven)
    return found


def against_itself(run: Run) -> dict[str, Any]:
    """How often the last driver of the pool beats earlier ones: each starts in front in every other heat."""
    ratings = read_ratings(run)
    first, middle, last = (ratings[k].steps for k in (0, len(ratings) // 2, -1))
    models = {steps: load_model(run.folder / f"pool/{steps:012}.model") for steps in (first, middle, last)}
    best = max(ratings, key=lambda one: one.elo)
    return {
        "heats": RACES,
        "won_against_first": heats_won(run, models[last], models[first]),
        "won_against_middle": heats_won(run, models[last], models[middle]),
        "pool_steps": [first, middle, last],
        "elo": [round(one.elo) for one in ratings],
        "strongest_steps": best.steps,
    }


def heats_won(run: Run, one: Model, other: Model) -> int:
    """How many heats of three laps a driver wins, of which no two are alike: the distance at the start differs."""
    won = 0
    for seed in range(FIRST_SEED, FIRST_SEED + RACES):
        grid = Traffic(grid_gap_m=0.6 + 0.05 * ((seed - FIRST_SEED) // 2))
        pair = [Contestant(name, model, model.conditions()) for name, model in (("one", one), ("other", other))]
        result = run_heat(Heat(run.track(), LAPS, grid, seed=seed), pair if seed % 2 else pair[::-1])
        won += result.placings[0].driver == "one"
    return won


def result_of(result: CrowdedResult) -> dict[str, Any]:
    """The figures of races."""
    speed, best = result.mean_speed_mps, min(result.lap_times_s, default=None)
    return {
        "clean_laps": clean_laps(result),
        "laps": result.laps * len(result.races),
        "clean_races": result.clean,
        "races": len(result.races),
        "crashes_per_lap": round(result.crashes_per_lap, 3),
        "mean_speed_mps": None if speed is None else round(speed, 3),
        "best_lap_s": None if best is None else round(best, 3),
    }


def clean_laps(result: CrowdedResult) -> int:
    """How many laps were complete, without a crash and without leaving the track."""
    return sum(lap.complete and not lap.crashes and not lap.off_tracks for lap in result.tried)


if __name__ == "__main__":
    main()
