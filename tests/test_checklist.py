"""Where a naive clone of DeepRacer goes wrong: the reference's list of 20 points, each end to end.

Each test names what the naive version gives and holds racer against it. The points in depth: see the tests of each
part.
"""

import dataclasses
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from drives import ring
from roads import route as stadium_route

import racer.deepracer.logs.writing as run_logs
from racer.deepracer.config import convert
from racer.deepracer.config.hyperparameters import read_hyperparameters
from racer.deepracer.config.metadata import read_model_metadata
from racer.deepracer.config.report import Status
from racer.deepracer.logs import StepRecorder, TrainingLogs, write_evaluation
from racer.deepracer.logs.reading import read_log
from racer.env import TimeTrial, TimeTrialVector
from racer.errors import RewardError
from racer.racing import RaceConditions, drive, load_agent
from racer.reward import params_at
from racer.sensors import Camera
from racer.sim import (
    CARS,
    IMMOBILIZED,
    PAUSE,
    STEP_S,
    DiscreteActions,
    Rotation,
    Rules,
    TrackObject,
    World,
    drive as open_loop,
)
from racer.sim.rules import OFF_TRACK
from racer.track import track_from_arrays

LEFT, STRAIGHT = [1.0, 0.0], [0.0, 0.0]


class Seen:
    """A reward function that keeps what it is given; always pays the same."""

    def __init__(self, pays=1.0):
        self.pays, self.params = pays, []

    def __call__(self, params):
        self.params.append(params)
        return self.pays


def pursuer(env):
    return load_agent("pure_pursuit").make(env)


def episode(env, action, most=400):
    """Rewards until the episode ends, and how it ended."""
    rewards = []
    for _ in range(most):
        _, reward, terminated, truncated, info = env.step(np.float32(action))
        rewards.append(reward)
        if terminated or truncated:
            return rewards, info["status"]
    return rewards, ""


def test_01_speed_and_steering_are_the_command_unclipped():
    seen = Seen()
    env = TimeTrial(ring(4.0, 120), seen, start="line", actions=DiscreteActions(((77.0, 9.5), (-77.0, 0.01))))
    env.reset(seed=0)
    for action in (0, 0, 1):
        env.step(action)
    assert [(given["speed"], given["steering_angle"]) for given in seen.params] == [(9.5, 77.0)] * 2 + [(0.01, -77.0)]
    assert 0.05 < float(env.state["speed"]) < 1.0, "what is given is no measurement"


def test_02_x_and_y_are_ahead_of_the_origin_that_wheels_are_judged_from():
    seen = Seen()
    env = TimeTrial(ring(), seen, start="line")
    env.reset(seed=0)
    x, y, heading = (float(env.state[name]) for name in ("x", "y", "heading"))
    env.step(np.float32(STRAIGHT))
    given = seen.params[0]
    assert math.dist((given["x"], given["y"]), (x, y)) == pytest.approx(0.14)
    assert (given["x"], given["y"]) == pytest.approx((x + 0.14 * math.cos(heading), y + 0.14 * math.sin(heading)))
    assert given["projection_distance"] == pytest.approx(0.14), "the origin is at 0"
    outwards = params_at(ring(), 2.35 + 0.14, 0.0, 0.0)
    assert outwards["distance_from_center"] > 0.45 and outwards["all_wheels_on_track"]
    box = TrackObject(outwards["x"] + 0.3, 0.0)
    assert not params_at(ring(), outwards["x"], 0.0, 0.0, objects=[box])["is_crashed"], "0.44 m ahead of the origin"


def test_03_the_reward_sees_the_pose_before_the_action_acts_and_that_pose_is_judged():
    seen = Seen()
    env = TimeTrial(ring(), seen, start="line")
    env.reset(seed=0)
    poses, commands = [], []
    for k in range(400):
        poses.append((float(env.state["front_x"]), float(env.state["front_y"])))
        commands.append(0.5 + 3.5 * (k % 5) / 4)
        *_, terminated, _, info = env.step(np.float32([0.0, 2.0 * (k % 5) / 4 - 1.0]))
        if terminated:
            break
    poses.append((float(env.state["front_x"]), float(env.state["front_y"])))
    assert [(given["x"], given["y"]) for given in seen.params] == poses[:-1] != poses[1:]
    assert [given["speed"] for given in seen.params] == pytest.approx(commands)
    assert info["status"] == "off_track"
    assert [given["is_offtrack"] for given in seen.params] == [False] * (len(commands) - 1) + [True]


def test_04_the_first_call_has_steps_2_and_a_log_begins_with_a_prepare_row():
    seen, recorder = Seen(), StepRecorder(1, endless=True)
    env = TimeTrialVector(1, ring(), seen, start="line")
    env.step_callback = recorder
    env.reset(seed=0)
    for _ in range(60):
        env.step(np.float32([LEFT]))
    steps = [given["steps"] for given in seen.params]
    assert all(type(step) is float for step in steps)
    begins = [k for k, step in enumerate(steps) if step == 2.0]
    assert begins[0] == 0 and len(begins) > 1 and min(steps) == 2.0
    for rows in recorder.laps(env.track):
        assert (rows["steps"][0], rows["episode_status"][0], rows["reward"][0]) == (1.0, "prepare", 0.0)
        assert (rows["steps"][1], rows["episode_status"][1], rows["reward"][1]) == (2.0, "in_progress", 1.0)


@pytest.mark.parametrize("pays", [7.5, -3.0])
def test_05_the_final_step_pays_what_the_function_returns(pays):
    env = TimeTrial(ring(), Seen(pays), start="line")
    env.reset(seed=0)
    rewards, status = episode(env, LEFT)
    assert status == "off_track" and rewards == [pays] * len(rewards)
    vector = TimeTrialVector(1, ring(), Seen(pays), start="line")
    observation, _ = vector.reset(seed=0)
    driver = pursuer(vector)
    for _ in range(400):
        observation, reward, _, truncated, info = vector.step(driver.act(observation))
        assert reward[0] == pays
        if truncated[0]:
            break
    assert info["final_info"]["status"][0] == "lap_complete"


def test_06_progress_is_relative_to_a_start_that_rotates_and_can_fall_and_jump():
    track = ring(17.71 / math.tau, 120)  # as long as the original's first track
    for start in (0.0, 0.35, 0.95):
        seen = Seen()
        env = TimeTrial(track, seen, start=Rotation(0.05, start))
        env.reset(seed=0)
        env.step(np.float32(STRAIGHT))
        since_the_line = seen.params[0]["projection_distance"] / track.length * 100.0
        assert since_the_line == pytest.approx(100.0 * start + 0.79, abs=0.1)
        assert seen.params[0]["progress"] == pytest.approx(0.79, abs=0.1)
        assert env.state["start_s"] == pytest.approx(start * track.length)
    seen = Seen()
    wide = track_from_arrays("wide", track.center, track.center * 0.5, track.center * 1.5)
    env = TimeTrial(wide, seen, start="line")
    env.reset(seed=0)
    _, status = episode(env, [1.0, -0.8])  # it turns round
    progress = [given["progress"] for given in seen.params]
    assert status == "reversed" and progress[-1] < min(0.0, progress[1]), "neither capped at 0 nor a sum of gains"
    rows = stadium_route()
    narrow = track_from_arrays("stadium", rows[:, :2], rows[:, 2:4], rows[:, 4:6])
    low, high = (params_at(narrow, 2.5, y, 0.0, previous_progress=1.0)["progress"] for y in (1.49, 1.51))
    assert abs(high - low) > 25.0, "one centimetre on, the other straight is nearer"


def test_07_off_track_is_all_four_wheels_out_and_all_wheels_is_all_four_in():
    track, seen = ring(20.0, 2000), []
    for k in range(-40, 41):
        x = 20.0 + 0.45 + 0.004 * k
        given = params_at(track, x, 0.14, 0.45 * math.pi)
        seen.append((given["all_wheels_on_track"], given["is_offtrack"]))
    order = list(dict.fromkeys(seen))
    assert order == [(True, False), (False, False), (False, True)]
    assert seen.count((False, False)) > 30, "one to three wheels out are neither"
    env = TimeTrial(ring(), rewarding := Seen(), start="line")
    env.reset(seed=0)
    _, status = episode(env, STRAIGHT)
    flags = [(given["all_wheels_on_track"], given["is_offtrack"]) for given in rewarding.params]
    assert status == "off_track" and (False, False) in flags[:-1], "an episode outlives its first wheel"
    assert flags[-1] == (False, True)


def test_08_closest_waypoints_go_by_arc_length_and_rows_stay_as_filed():
    rng = np.random.default_rng(0)
    angle = np.cumsum(np.append(0.0, np.tile([0.03, 0.18], 30)))
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:-1]
    uneven = track_from_arrays("uneven", *(r * np.vstack([circle, circle[:1]]) for r in (2.0, 1.55, 2.45)))
    by_next, by_two, count = 0, 0, 300
    for _ in range(count):
        i = int(rng.integers(len(uneven.center) - 1))
        x, y = uneven.center[i] + rng.normal(0.0, 0.15, 2)
        given = params_at(uneven, x, y, 0.0)
        arc = int(np.searchsorted(uneven.s, given["projection_distance"], side="right"))
        assert given["closest_waypoints"] == [arc - 1, arc]
        near = np.argsort(np.hypot(*(uneven.center[:-1] - (x, y)).T), kind="stable")[:2]
        by_next += given["closest_waypoints"] != [near[0], near[0] + 1]
        by_two += given["closest_waypoints"] != sorted(near.tolist())
    assert by_next > 0.3 * count and by_two > 0.3 * count, "what is nearest by distance is another pair"
    plain = ring()
    doubled = [np.insert(line, 38, line[38], axis=0) for line in (plain.center, plain.inner, plain.outer)]
    given = params_at(track_from_arrays("doubled", *doubled), *plain.center[45], 0.0)
    waypoints = given["waypoints"]
    assert len(waypoints) == 62 and waypoints[0] == waypoints[-1]
    assert waypoints[38] == waypoints[39], "a duplicate inside is kept, so indices are those of the file"
    assert len(set(waypoints)) == 60 and given["closest_waypoints"] == [46, 47]


def test_09_reversed_is_not_clockwise_and_left_is_the_drivers_left():
    anticlockwise = ring()
    lines = (anticlockwise.center, anticlockwise.inner, anticlockwise.outer)
    clockwise = track_from_arrays("clockwise", *(line[::-1] for line in lines))
    courses = [clockwise, anticlockwise, clockwise.reverse(), anticlockwise.reverse()]
    assert [course.is_ccw for course in courses] == [False, True, True, False]
    told = []
    for course in courses:
        (x, y), (ahead_x, ahead_y) = course.center[5], course.center[6]
        heading = math.atan2(ahead_y - y, ahead_x - x)
        for left in (0.1, -0.1):
            given = params_at(course, x - left * math.sin(heading), y + left * math.cos(heading), heading)
            assert given["is_left_of_center"] is (left > 0.0)
        told.append(given["is_reversed"])
    assert told == [False, False, True, True], "that of the file's direction, whichever way round that is"


def test_10_track_width_varies_by_place_and_is_a_distance_of_nearest_points():
    angle = np.linspace(0.0, math.tau, 121)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    circle[-1] = circle[0]
    outer = circle * (3.4 + 0.2 * np.sin(angle))[:, None]
    outer[-1] = outer[0]
    shifted = np.vstack([np.roll(outer[:-1], 12, axis=0), np.roll(outer[:-1], 12, axis=0)[:1]])
    track = track_from_arrays("shifted", circle * 3.0, circle * 2.6, shifted)
    widths = [params_at(track, *point, 0.0)["track_width"] for point in track.center[::3]]
    across_the_rows = np.hypot(*(track.inner - track.outer).T)
    assert across_the_rows.min() > 1.8, "rows are no cross-sections"
    assert min(widths) == pytest.approx(0.6, abs=0.01) and max(widths) == pytest.approx(1.0, abs=0.01)
    assert np.ptp(widths) > 0.35, "not one number for the whole track"


def test_11_bots_tell_radians_and_no_objects_are_0_0():
    alone = params_at(ring(), 2.0, 0.1, 1.5)
    assert alone["closest_objects"] == [0, 0], "not [-1, -1]"
    lists = [key for key in alone if key.startswith("objects_")]
    assert len(lists) == 6 and all(alone[key] == [] for key in lists)
    bots = [TrackObject(2.0 * math.cos(a), 2.0 * math.sin(a), a + 0.5 * math.pi, 0.2) for a in (1.0, 3.0, 5.0)]
    given = params_at(ring(), 2.0, 0.1, 1.5, objects=bots)
    assert given["closest_objects"] == [2, 0], "behind over the start line, ahead"
    assert given["objects_heading"] == [bot.heading for bot in bots], "not in degrees"
    assert params_at(ring(), 2.0, 0.1, 1.5, objects=bots[:1])["closest_objects"] == [0, 0]
    assert params_at(ring(), 2.0, 0.1, 1.5, objects=[TrackObject(0.0, 2.0, 1.0)])["objects_heading"] == [0.0]


@pytest.mark.parametrize("wrong", ["float('nan')", "float('inf')", "1e5 + 1", "-1e5 - 1", "1 / 0", "None", "'many'"])
def test_12_a_reward_that_is_none_stops_the_run(tmp_path, wrong):
    source = f"def reward_function(params):\n    return {wrong} if params['steps'] > 4 else 1e5\n"
    (tmp_path / "pay.py").write_text(source)
    env = TimeTrial(ring(), tmp_path / "pay.py", start="line")
    env.reset(seed=0)
    assert [env.step(np.float32(STRAIGHT))[1] for _ in range(3)] == [1e5] * 3, "the bounds themselves are allowed"
    with pytest.raises(RewardError, match=r"pay\.py, line [12]"):
        env.step(np.float32(STRAIGHT))


def test_13_globals_outlive_episodes_and_params_are_a_copy(tmp_path):
    (tmp_path / "count.py").write_text(
        "calls = 0\n\n\ndef reward_function(params):\n    global calls\n    calls += 1\n"
        "    params['waypoints'].clear()\n    params['progress'] = params['steps'] = -1.0\n    return float(calls)\n"
    )
    env = TimeTrialVector(2, ring(), tmp_path / "count.py", start="line")
    env.reset(seed=0)
    paid, ended = [], 0
    for _ in range(60):
        _, rewards, terminated, _, infos = env.step(np.float32([LEFT, STRAIGHT]))
        paid.append(rewards.tolist())
        ended += int(terminated[0])
        assert (infos["progress"] > -1.0).all()
    assert ended > 1
    assert paid == [[k, k] for k in range(1, 61)], "neither anew in each episode nor one count for both cars"
    assert len(env.field.params.of(0)["waypoints"]) == len(ring().center)


def test_14_a_penalty_is_time_inside_the_lap_and_the_car_goes_on_from_a_lane():
    track = ring()
    clean = drive(pursuer(TimeTrialVector(1, track)), track, 1)
    world = World(track, rules=Rules(start="line", penalty_s=2.0))
    world.seed(0)
    world.reset()
    car, rewards, told, before = world.cars[0, 0], np.zeros((1, 1)), [], []
    for row in clean.steps[:40]:
        world.step(np.array([[[row["steering_command_deg"], row["speed_command"]]]]), rewards)
    while car["status"] != OFF_TRACK:
        before.append(float(car["distance"]))
        world.step(np.array([[[0.0, 4.0]]]), rewards)
    assert abs(math.hypot(car["x"], car["y"]) - 2.225) < 0.01, (
        "midway from the line to the outer border, not on the line"
    )
    assert 0.0 <= car["distance"] - before[-2] < 0.25, "where it was before, not where it left"
    assert car["distance"] > 1.0, "not at the start line"
    assert car["speed"] == 0.0
    for _ in range(31):
        steps = int(car["steps"])
        world.step(np.array([[[0.0, 4.0]]]), rewards)
        told.append(int(car["status"]))
        assert car["steps"] == steps + 1
    assert told == [PAUSE] * 30 + [0]

    class Careless:
        driver, step = pursuer(TimeTrialVector(1, track)), 0

        def act(self, observation):
            self.step += 1
            return np.float32([[0.0, 1.0]]) if 40 < self.step < 50 else self.driver.act(observation)

    raced = drive(Careless(), track, 1, conditions=RaceConditions(penalty_s=2.0))
    (lap,) = raced.laps
    assert lap.complete and lap.resets == 1
    assert lap.time_s > clean.laps[0].time_s + 2.0
    assert len(raced.steps) == pytest.approx(lap.time_s / STEP_S, abs=1.0), "driven and held, on one clock"


def test_15_laps_of_a_race_fly_and_only_the_last_is_called_complete(tmp_path):
    env, recorder, seen = TimeTrialVector(1, ring()), StepRecorder(1, endless=True), Seen()
    raced = drive(pursuer(env), env.track, 3, reward_function=seen, step_callback=recorder)
    assert raced.steps["restart"].tolist() == [True] + [False] * (len(raced.steps) - 1)
    made = write_evaluation(tmp_path, raced.laps, recorder.laps(env.track))
    log = read_log(made / "evaluation-simtrace/0-iteration.csv")
    assert log.rows["steps"].tolist() == [float(k) for k in range(1, len(log.rows) + 1)], "never 1 again"
    assert sorted(set(log.rows["episode"].tolist())) == [0, 1, 2]
    assert [e.status for e in log.episodes] == ["in_progress", "in_progress", "lap_complete"]
    assert [e.rows["progress"][-1] for e in log.episodes] == [100.0] * 3
    assert [bool(e.rows["done"][-1]) for e in log.episodes] == [False, False, True]
    items = json.loads((tmp_path / f"metrics/evaluation/{made.name}.json").read_text())["metrics"]
    assert [item["episode_status"] for item in items] == ["In progress", "In progress", "Lap complete"]
    assert [item["completion_percentage"] for item in items] == [100] * 3
    assert items[1]["start_time"] == items[0]["metric_time"] and items[0]["start_time"] < items[0]["metric_time"]
    assert [given["steps"] for given in seen.params][:2] == [2.0, 3.0] and len(seen.params) == len(log.rows) - 1


def test_16_settings_without_effect_have_none_and_say_so(tmp_path):
    def made(**settings):
        path = tmp_path / "hyperparameters.json"
        path.write_text(json.dumps(settings))
        return convert(hyperparameters=path)

    plain = made()
    odd = made(stack_size=7, term_cond_avg_score=1, term_cond_max_episodes=3)
    status = {outcome.name: outcome.status for outcome in odd.report}
    assert status["stack_size"] is status["term_cond_avg_score"] is Status.IGNORED
    assert status["term_cond_max_episodes"] is Status.REPLACED
    assert odd.hyperparameters == plain.hyperparameters, "none of them reaches the training"
    squared = "mean squared error"
    for word, loss in (("huber", "huber"), ("Huber", squared), ("mean_squared_error", squared), ("anything", squared)):
        path = tmp_path / "hyperparameters.json"
        path.write_text(json.dumps({"loss_type": word}))
        assert read_hyperparameters(path).effective["loss_type"] == loss
    described = {line.name: line.note for line in odd.report}
    assert "iterations" in described["term_cond_max_episodes"]


def test_17_a_discrete_action_is_its_place_in_the_list_whatever_its_index(tmp_path):
    listed = [(30.0, 1.0, 2), (-30.0, 2.0, 0), (0.0, 3.0, 1)]
    path = tmp_path / "model_metadata.json"
    space = [{"steering_angle": a, "speed": v, "index": k} for a, v, k in listed]
    path.write_text(json.dumps({"action_space": space, "sensor": ["FRONT_FACING_CAMERA"]}))
    actions = read_model_metadata(path).actions
    seen = Seen()
    env = TimeTrial(ring(), seen, start="line", actions=actions)
    env.reset(seed=0)
    for k in range(3):
        env.step(k)
    given = [(one["steering_angle"], one["speed"]) for one in seen.params]
    assert given == [(a, v) for a, v, _ in listed] != [(a, v) for a, v, _ in sorted(listed, key=lambda one: one[2])]


@pytest.mark.parametrize(("name", "steps_late"), [("deepracer", (2, 3)), ("deepracer-v4", (4, 10))])
def test_18_it_turns_as_if_its_axles_were_twice_as_far_apart_and_late(name, steps_late):
    car = CARS[name]
    motion = open_loop(np.tile([math.radians(15.0), 1.0], (90, 1)), car)[-1]
    effective = math.tan(math.radians(15.0)) * motion["speed"] / motion["yaw_rate"]
    geometric = car.front_axle - car.rear_axle
    assert geometric == pytest.approx(0.164, abs=1e-3)
    assert 0.24 < effective < 0.34
    rolling = np.tile([0.0, 1.5], (60, 1))
    turning = np.tile([math.radians(15.0), 1.5], (60, 1))
    yaw = open_loop(np.concatenate([rolling, turning]), car)["yaw_rate"][60:]
    late = int(np.argmax(yaw > 0.63 * yaw[-1]))
    assert steps_late[0] <= late <= steps_late[1], "a kinematic car answers in the first step"


def test_19_the_camera_has_a_lens_of_65_degrees_no_crop_and_the_horizon_in_view():
    track, camera = ring(6.0, 200), Camera()
    assert camera.shape == (120, 160, 1)
    assert 2.0 * math.degrees(math.atan(80.0 / camera.focal_px)) == pytest.approx(64.7, abs=0.1)
    x, y, heading = track.start
    picture = camera.look(track, [(x, y, heading)])[0, ..., 0].astype(float)
    horizon = 60.0 - 126.0 * math.tan(math.radians(15.0))
    rows = picture.std(axis=1) == 0.0
    assert rows[: int(horizon)].all() and not rows[int(horizon) + 2 :].all()
    assert 20 < int(horizon) < 30 and picture[:20].min() > 150.0, "sky above a quarter of the picture"
    wide = dataclasses.replace(camera, field_of_view=math.radians(120.0))
    assert (wide.look(track, [(x, y, heading)])[0, ..., 0] != picture).mean() > 0.3


def test_20_logs_count_from_0_with_equal_files_fourteen_digits_and_degrees(tmp_path, monkeypatch):
    monkeypatch.setattr(run_logs, "APART", 0)
    monkeypatch.setattr(run_logs, "SHARE", 0.0)
    env = TimeTrialVector(8, ring(), Seen(), start="rotate")
    logs = TrainingLogs(tmp_path)
    logs.on_training_start(env, object())
    env.reset(seed=0)
    for k in range(480):
        env.step(np.tile(np.float32([0.3, -0.4]), (8, 1)))
        logs.on_update(SimpleNamespace(steps=8 * (k + 1)))
    logs.on_training_end()
    names = sorted(path.name for path in (tmp_path / "training-simtrace").glob("*.csv"))
    assert names[:2] == ["0-iteration.csv", "1-iteration.csv"]
    files = [read_log(tmp_path / "training-simtrace" / f"{k}-iteration.csv") for k in range(len(names))]
    assert {len(file.episodes) for file in files} == {4}
    assert [e.number for file in files for e in file.episodes] == list(range(4 * len(files)))
    turned = np.concatenate([file.rows["yaw"] for file in files])
    steered = np.concatenate([file.rows["steer"] for file in files])
    assert np.abs(turned).max() > math.pi and steered == pytest.approx(9.0, abs=1e-4)
    recorder = StepRecorder(1, endless=True)
    raced = drive(pursuer(TimeTrialVector(1, ring())), ring(), 1, step_callback=recorder)
    made = write_evaluation(tmp_path, raced.laps, recorder.laps(raced.track))
    assert re.fullmatch(r"evaluation-\d{14}", made.name)
    assert [path.name for path in (made / "evaluation-simtrace").iterdir()] == ["0-iteration.csv"]


def test_immobilized_counts_the_prepare_step(logs):
    """A car that never moves ends at `steps` 16, in the 15th step that is driven: the prepare step held it, too.

    In the original the first counted pose is compared with that of the prepare step, and in its logs the car has moved
    no more than 0.3 mm by then, which counts as still.
    """
    still = []
    for path in sorted(logs.glob("*2022*simtrace.csv")):
        rows = read_log(path).rows
        origin = np.stack([rows["X"], rows["Y"]], axis=1)
        yaw = np.radians(rows["yaw"])
        origin -= 0.14 * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
        moved = np.hypot(*np.diff(origin, axis=0).T)
        still += (moved[rows["episode_status"][:-1] == "prepare"] <= 0.0003).tolist()
    assert len(still) > 45 and np.mean(still) > 0.85
    snail = dataclasses.replace(CARS["deepracer"], name="snail", max_speed=0.1)
    world = World(ring(), car=snail, rules=Rules(start="line", still_m=0.02))
    world.seed(0)
    world.reset()
    while world.cars["status"][0, 0] != IMMOBILIZED and world.cars["steps"][0, 0] < 100:
        world.step(np.zeros((1, 1, 2)), np.zeros((1, 1)))
    assert world.cars["steps"][0, 0] == 16
