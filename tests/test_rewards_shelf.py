"""Every file on the reward shelf: sound everywhere, teaches one idea, and runs on DeepRacer as it is."""

import ast
import functools
import inspect
import math

import numpy as np
import pytest
from episodes import CARS, judged, load_track, params_of, recorded
from poses import POSES, poses

from racer import shelf
from racer.replay import best_clean_lap, line_of, mark_of
from racer.reward import VectorReward, load_reward, params_at
from racer.reward.function import LIMIT
from racer.sim import CARS as CAR_MODELS

PATHS = sorted(shelf.shipped_folder("reward_functions").glob("*.py"))
NAMES = [path.stem for path in PATHS]

ALLOWED_IMPORTS = {"math", "random", "numpy", "scipy", "shapely"}
REFUSED_CALLS = {"open", "exec", "eval", "compile", "input"}
REFUSED_WORDS = ("__import__", "load", "fromfile", "genfromtxt", "loadtxt", "tofile", "savez", "save", "memmap")


@functools.cache
def everywhere(name, reverse):
    track = load_track(name)
    return poses(track.reverse() if reverse else track)


def test_there_are_enough_and_the_default_is_one_of_them():
    assert len(PATHS) >= 10 and shelf.DEFAULTS["reward_functions"] in NAMES
    assert shelf.names("reward_functions") == NAMES


@pytest.mark.parametrize(("track", "reverse"), [("harbor", False), ("whirlpool", True), ("needle", False)])
@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_finite_everywhere_and_a_float(path, track, reverse):
    """On the track and off it, at every heading and command, also right after a car was somewhere else."""
    function = VectorReward(load_reward(path), 1)._functions[0]
    params = everywhere(track, reverse)
    values = [function(params.of(i)) for i in range(POSES)]
    assert {type(value) for value in values} == {float}, "DeepRacer's own check wants a float and nothing like it"
    assert np.isfinite(values).all() and np.abs(values).max() < LIMIT
    assert len(set(values)) > 1


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_it_teaches(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    summary = ast.get_docstring(tree).partition("\n")[0]
    assert 50 <= len(summary) <= 120 and summary.endswith(".") and summary[0].isupper(), summary
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name, function in functions.items():
        assert ast.get_docstring(function), f"{name} says nothing"
    assert len(text.splitlines()) <= 45, "one idea, on one screen"
    entry = next(entry for entry in shelf.entries("reward_functions") if entry.name == path.stem)
    assert entry.summary == summary and entry.problem is None


def test_each_teaches_something_else():
    summaries = [entry.summary for entry in shelf.entries("reward_functions")]
    assert len({summary.partition(":")[0] for summary in summaries}) == len(summaries)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_deepracers_console_would_take_it(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert node in tree.body, "imports stand at the top"
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert {name.partition(".")[0] for name in names} <= ALLOWED_IMPORTS
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in REFUSED_CALLS
    assert not [word for word in REFUSED_WORDS if word in text]
    assert text.isascii(), "no letters that a paste into a browser may spoil"
    function = VectorReward(load_reward(path), 1)._functions[0]
    assert list(inspect.signature(function).parameters) == ["params"]


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_cars_do_not_disturb_each_other(path):
    """Each car's rewards are those that it gets when it is judged alone."""
    together = judged(path)
    for i in range(CARS):
        function = VectorReward(load_reward(path), 1)._functions[0]
        alone = [function(params.of(i)) for params in params_of(recorded())]
        np.testing.assert_array_equal(together[:, i], alone)


# Each of them against a calculation by hand


def at(s=1.0, offset=0.0, turned=0.0, **more):
    """`params` at a place on harbor's first straight, which leads to the right."""
    track = load_track("harbor")
    x0, y0, heading = track.start
    assert abs(heading) < 1e-9
    return params_at(track, x0 + s, y0 + offset, math.radians(turned), **more)


def reward(name):
    return VectorReward(load_reward(name), 1)._functions[0]


def test_centerline():
    width = at()["track_width"]
    values = [reward("centerline")(at(offset=share * width)) for share in (0.0, 0.09, 0.11, 0.24, 0.26, 0.49, 0.51)]
    assert values == [1.0, 1.0, 0.5, 0.5, 0.1, 0.1, 1e-3]
    assert reward("centerline")(at(offset=-0.3 * width)) == 0.1


def test_heading():
    values = [reward("heading")(at(turned=turned)) for turned in (0, 30, -30, 60, 180)]
    assert values == pytest.approx([1.0, 0.5, 0.5, 1e-3, 1e-3])


def test_speed():
    assert reward("speed")(at(speed=2.0)) == pytest.approx(0.25)
    assert reward("speed")(at(speed=4.0)) == pytest.approx(1.0)
    assert reward("speed")(at(speed=4.0, offset=0.6)) == 1e-3


def test_stay_on_track():
    width = at()["track_width"]
    offsets = (0.0, 0.3, width / 2 - 0.04)
    assert [reward("stay_on_track")(at(offset=offset)) for offset in offsets] == [1.0, 1.0, 1e-3]


def test_smooth_steering():
    straight, hard = at(offset=0.1), at(offset=0.1, steering_angle=math.radians(-20))
    expected = 1 - 0.1 / (straight["track_width"] / 2)
    assert reward("smooth_steering")(straight) == pytest.approx(expected)
    assert reward("smooth_steering")(hard) == pytest.approx(0.8 * expected)


def test_look_ahead():
    assert reward("look_ahead")(at()) == pytest.approx(1.0, abs=1e-6), "straight on, on a straight"
    turned = reward("look_ahead")(at(turned=15, steering_angle=math.radians(-15)))
    assert turned == pytest.approx(1.0, abs=1e-6), "to the right, facing left"
    assert reward("look_ahead")(at(turned=15, steering_angle=math.radians(15))) == pytest.approx(1e-3)


def test_progress_pays_metres():
    function, length = reward("progress"), load_track("harbor").length
    drive = [function(at(s, steps=steps)) for s, steps in ((1.0, 2.0), (1.25, 3.0), (1.2, 4.0), (0.5, 2.0))]
    assert drive == pytest.approx([0.0, 0.25, -0.05, 0.0], abs=1e-9)
    assert function(at(0.5 + length / 1000, steps=3.0)) == pytest.approx(length / 1000)


def test_progress_per_step():
    params = at(2.0, steps=10.0, speed=2.0)
    assert reward("progress_per_step")(params) == pytest.approx(params["progress"] / 10 + 0.25)


def test_lap_bonus():
    function, length = reward("lap_bonus"), load_track("harbor").length
    assert function(at(1.0, steps=2.0)) == 0.0
    assert function(at(1.5, steps=3.0)) == pytest.approx(0.5 / length * 100)
    done = at(1.5, steps=102.0) | {"progress": 100.0}
    saved_s = (length / 2.0 * 15 - 102) / 15
    assert function(done) == pytest.approx(100 - 1.5 / length * 100 + saved_s * 10)


def test_steady_hands():
    function = reward("steady_hands")
    steering = [(10, 2.0), (10, 3.0), (-20, 4.0), (30, 2.0)]
    values = [function(at(speed=2.0, steering_angle=math.radians(a), steps=steps)) for a, steps in steering]
    assert values == pytest.approx([0.5, 0.5, 1e-3, 0.5])


def test_all_together():
    function = reward("all_together")
    assert function(at(speed=4.0)) == pytest.approx(1.0)
    assert function(at(speed=4.0, turned=60)) == pytest.approx(0.5)
    assert function(at(speed=4.0, turned=180)) == pytest.approx(0.0)
    off = 0.25 / (at()["track_width"] / 2)
    assert function(at(speed=2.0, offset=0.25)) == pytest.approx(0.5 * (1 - off**4))
    assert function(at(speed=4.0, offset=-0.8)) == 1e-3


def test_slow_in_fast_out():
    """On the straight fast is better than slow; where the road bends it pays to slow down."""
    function, track = reward("slow_in_fast_out"), load_track("harbor")
    assert function(at(0.2, speed=4.0)) > function(at(0.2, speed=2.0))
    best = []
    for s in np.arange(0.0, track.length, 0.25):
        x, y = (np.interp(s, track.s, track.center[:, axis]) for axis in (0, 1))
        pay = {speed: function(params_at(track, x, y, 0.0, speed=speed)) for speed in (1.0, 2.0, 3.0, 4.0)}
        best.append(max(pay, key=pay.get))
    assert {2.0, 4.0} <= set(best) or {3.0, 4.0} <= set(best)


BOX_AHEAD = {"objects_location": [(0.0, 0.0)], "closest_objects": [0, 0]}


def beside(gap, left, s=1.0, offset=0.1, **more):
    """`params` of a car in the left lane, behind an object."""
    here = at(s, offset, **more)
    told = {"objects_distance": [here["projection_distance"] + gap], "objects_left_of_center": [left]}
    return here | BOX_AHEAD | told


def test_avoid_boxes():
    function = reward("avoid_boxes")
    assert function(at(speed=2.0)) == pytest.approx(0.5)
    assert function(beside(0.75, False, speed=2.0)) == pytest.approx(0.5)
    assert function(beside(0.75, True, speed=2.0)) == pytest.approx(0.5 * 0.55)
    assert function(beside(1.6, True, speed=2.0)) == pytest.approx(0.5)
    assert function(beside(0.1, True, speed=2.0) | {"is_crashed": True}) == 1e-3


def test_overtake():
    function = reward("overtake")
    assert function(beside(1.0, True, speed=2.0)) == pytest.approx(0.25)
    assert function(beside(1.0, False, speed=2.0)) == pytest.approx(0.5)
    two = {"objects_location": [(0, 0), (0, 0)], "objects_left_of_center": [False, False]}
    told = [{"closest_objects": [1, 0]}, {"closest_objects": [0, 1]}, {"closest_objects": [0, 1]}]
    steps = [at(steps=3.0 + k, speed=2.0) | two | {"objects_distance": [1.5, 9.0]} | told[k] for k in range(3)]
    assert list(map(function, steps)) == pytest.approx([0.5, 5.5, 0.5])


def test_keep_a_gap():
    function = reward("keep_a_gap")
    values = [function(beside(gap, True, speed=1.0)) for gap in (1.1, 0.55, 1.65, 9.0)]
    assert values == pytest.approx([1.0, 0.5, 0.5, 0.125])
    assert function(at(speed=2.0)) == pytest.approx(0.5)


def test_mark_line():
    """It pays in full on the way of the best lap known, less beside it and less for dawdling."""
    function, track = reward("mark_line"), load_track("harbor")
    mark = mark_of(track, CAR_MODELS["deepracer"])
    for x, y, speed in line_of(mark, best_clean_lap(mark), np.arange(0.0, track.length, 1.0))[:, [1, 2, 4]]:
        there = params_at(track, x, y, 0.0, speed=speed)
        assert function(there) > 0.9
        assert function({**there, "speed": 0.5 * speed}) < 0.5
        assert function({**there, "x": x + 0.3, "y": y + 0.3}) < function(there) - 0.1


def test_race_line():
    """The line cuts the bends: it keeps from the border, and is shorter than the centre line."""
    rewards = VectorReward(load_reward("race_line"), 1)
    function, track = rewards._functions[0], load_track("harbor")
    function(at())
    line = function.__globals__["line"]
    length = np.hypot(*np.diff(np.vstack([line, line[:1]]), axis=0).T).sum()
    assert length < 0.97 * track.length
    away = np.hypot(*(line - track.center[:-1]).T)
    assert away.max() <= at()["track_width"] / 2 - 0.25 + 1e-9
    x, y = line[20]
    assert function(params_at(track, x, y, 0.0, speed=4.0)) == pytest.approx(1.001)
