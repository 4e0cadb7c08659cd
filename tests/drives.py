"""Drives for the tests of replays and the leaderboard, recorded straight from the simulation."""

import dataclasses

import numpy as np

from racer import __version__
from racer.replay import STEP_DTYPE, STEP_S, Drive, Lap, Recorder, Replay
from racer.sim import CARS, DEFAULT, Car, Rules, World, physics_version
from racer.track import Track, load_track, track_from_arrays

CAR = CARS["deepracer"]


def ring(radius: float = 2.0, rows: int = 60, name: str = "test-ring") -> Track:
    """A circular road 0.9 m wide, driven counter-clockwise."""
    angle = np.linspace(0.0, 2.0 * np.pi, rows + 1)
    angle[-1] = 0.0
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return track_from_arrays(
        name, circle * radius, circle * (radius - 0.45), circle * (radius + 0.45), title="A ring for tests"
    )


def drive(
    track: str | Track,
    laps: int = 2,
    speed: float = 2.0,
    leave_in_lap: int | None = None,
    leave_after_s: float = 1.0,
    and_go_on: bool = False,
    stop_in_lap: int | None = None,
    limit_s: float = 120.0,
    car: Car = CAR,
) -> Replay:
    """Follow the centre line for `laps` tries; one of them may end off the track, or stop on the way.

    With `and_go_on` the car is not put back when it leaves the track, against the rules.
    """
    track = load_track(track)
    kind = car
    world = World(track, car=kind, rules=Rules(start="line", laps=1000, time_limit_s=1e6))
    world.seed(0)
    car = world.cars[0, 0]
    rows: list[tuple[object, ...]] = []
    done: list[Lap] = []
    gained = np.zeros((1, 1))
    restart, episode_s, start_s, off_for = True, 0.0, 0.0, 0
    while len(done) < laps and len(rows) * STEP_S < limit_s:
        now = len(rows) * STEP_S
        if restart:
            world.reset()
            episode_s = start_s = now
        number = len(done) + 1
        steering = _towards_the_line(track, car)
        if number == leave_in_lap and now - start_s > leave_after_s and off_for == 0:
            steering = 30.0
        action = (np.float32(steering / 30.0), np.float32((speed - 0.5) / 1.75 - 1.0))
        command = DEFAULT.commands(action)[None, None]
        off, completed = bool(car["wheels_on_track"] == 0), int(car["laps"])
        state = [float(car[name]) for name in STEP_DTYPE.names[:6]]
        where = [float(car[name]) for name in ("s", "distance", "offset")]
        wheels = bool(car["wheels_on_track"] == 4)
        world.step(command, gained)
        rows.append((*state, *command[0, 0], *where, gained[0, 0], number, restart, off, wheels, False))
        off_for += off
        stopped = number == stop_in_lap and now - start_s > 1.0
        restart = (off and not and_go_on) or stopped
        if restart:
            done.append(Lap(number, start_s, len(rows) * STEP_S - start_s, False, off))
        elif car["laps"] > completed:
            done.append(Lap(number, start_s, float(car["lap_time"]), True, False))
            start_s = episode_s + float(car["lap_start_s"])
    if rows[-1][12] > len(done):  # time was up on the way
        done.append(Lap(len(done) + 1, start_s, len(rows) * STEP_S - start_s, False, False))
    steps = np.array(rows, STEP_DTYPE)
    mine = Drive("test driver", "progress", tuple(done), steps)
    physics = physics_version()
    return Replay(track, kind, (mine,), 0, "2026-01-02T03:04:05+00:00", __version__, physics.motion, physics.bits)


def altered(replay: Replay, **changes: object) -> Replay:
    """A replay with other fields, its own or those of its first car's drive."""
    names = {field.name for field in dataclasses.fields(Drive)}
    own = {name: value for name, value in changes.items() if name not in names}
    of_drive = {name: value for name, value in changes.items() if name in names}
    first = dataclasses.replace(replay.drives[0], **of_drive)
    return dataclasses.replace(replay, drives=(first, *replay.drives[1:]), **own)


def otherwise(replay: Replay, number: int) -> Replay:
    """A replay driven otherwise by a hair: with another fourth command, a different one for each number."""
    steps = replay.steps
    commands = np.stack([steps["steering_command_deg"], steps["speed_command"]], axis=-1)
    commands[3, 1] += number * 1e-9
    world = World(replay.track, car=replay.car, rules=Rules(start="line", laps=1000, time_limit_s=1e6))
    world.seed(0)
    recorder, gained = Recorder(), np.zeros((1, 1))
    again = np.append(steps["restart"], False)
    for k, command in enumerate(commands):
        if again[k]:
            world.reset()
        recorder.before(world.cars)
        recorder.act(command[None, None], gained)
        world.step(command[None, None], gained)
        recorder.after(world.cars, world.cars["status"], again[None, k + 1 : k + 2])
    recorder.close()
    return altered(replay, laps=tuple(recorder.laps[0][0]), steps=recorder.take()[:, 0, 0])


def _towards_the_line(track: Track, car: np.void) -> float:
    """Steering in degrees towards a point 0.7 m ahead on the centre line (pure pursuit, Coulter 1992)."""
    ahead = np.mod(car["s"] + 0.7, track.length)
    target = [np.interp(ahead, track.s, track.center[:, axis]) for axis in (0, 1)]
    dx, dy = target[0] - car["x"], target[1] - car["y"]
    bearing = np.arctan2(dy, dx) - car["heading"]
    angle = np.arctan2(2.0 * 0.4 * np.sin(bearing), np.hypot(dx, dy))
    return float(np.clip(np.degrees(angle), -30.0, 30.0))
