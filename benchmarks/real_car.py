"""How well drivers for the physical car cope with what differs: python benchmarks/real_car.py RUN:TRACK ...

Each drives 20 laps from the line, with other draws in each: as simulated, as it was trained, and half as wide again.
Speeds are those of the car that it would be: where a control step is shorter than 1/15 s, so is the time of a lap.
"""

import sys
from pathlib import Path

import numpy as np

from racer.env import TimeTrialVector
from racer.racing import Model
from racer.sim import CARS, OFF, REAL_CAR, STEP_S, Randomization
from racer.training import model_of, open_run

LAPS = 20
LEVELS = {"as simulated": OFF, "as trained with": REAL_CAR, "half as wide again": REAL_CAR.times(1.5)}


def laps(model: Model, track: str, randomization: Randomization) -> list[float]:
    """The mean speeds of the laps that are complete, m/s."""
    env = TimeTrialVector(
        LAPS, track, None, start="line", sensors=model.sensors, actions=model.actions, randomization=randomization
    )
    seen, _ = env.reset(seed=1000)
    world, usual = env.field.world, CARS["deepracer"].speed_offset
    own = world.car_constants
    step_s = np.full(LAPS, STEP_S) if own is None else STEP_S * own["speed_offset"][:, 0] / usual
    speeds: list[float] = []
    driving = np.ones(LAPS, dtype=bool)
    while driving.any():
        seen, _, terminated, truncated, info = env.step(model.act(seen))
        for i in np.flatnonzero((terminated | truncated) & driving):
            driving[i] = False
            if info["final_info"]["laps"][i] >= 1:
                time_s = info["final_info"]["lap_time_s"][i] / STEP_S * step_s[i]
                speeds.append(float(world.length / time_s))
    return speeds


def main() -> None:
    """Print a line for each run and level."""
    for word in sys.argv[1:]:
        run, _, track = word.rpartition(":")
        model = model_of(open_run(Path(run)))
        for level, randomization in LEVELS.items():
            done = laps(model, track, randomization)
            mean = f"{np.mean(done):.2f} m/s" if done else "-"
            print(f"{model.name:10} {track:10} {level:20} {len(done):2} of {LAPS} laps, {mean}", flush=True)


if __name__ == "__main__":
    main()
