"""Training with DeepRacer's files and by its rules: starts, both directions, discrete actions, runs that go on."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import termios
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from racer.cli import app
from racer.env import TimeTrialVector
from racer.errors import AgentError, RunError
from racer.racing import load_agent
from racer.replay import load_replay, verify
from racer.sim import DEFAULT, ContinuousActions, DiscreteActions, Rotation, Rules
from racer.training import RunConfig, open_run, resume, start, train

FIVE_BY_TWO = DiscreteActions(tuple((a, v) for a in (-30.0, -15.0, 0.0, 15.0, 30.0) for v in (1.0, 2.0)))
RUNNER = CliRunner()


def export(folder, **settings):
    """A folder as the console exports it, of a camera car."""
    listed = [{"steering_angle": a, "speed": str(v), "index": 0} for a, v in FIVE_BY_TWO.choices]
    files = {
        "model/model_metadata.json": {"action_space": listed, "sensor": ["FRONT_FACING_CAMERA"], "version": "4"},
        "ip/hyperparameters.json": {"discount_factor": 0.97, "beta_entropy": "0.02", "num_epochs": 4, "stack_size": 3},
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(data))
    (folder / "reward_function.py").write_text("def reward_function(params):\n    return params['speed'] + 1e-3\n")
    (folder / "training_params.yaml").write_text(yaml.safe_dump({"WORLD_NAME": "harbor"} | settings))
    return folder


# --- starts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "starts, shares",
    [
        ("rotate", [0.0, 0.05, 0.10, 0.15]),
        (Rotation(), [0.0, 0.05, 0.10, 0.15]),
        (Rotation(0.4, 0.5), [0.5, 0.9, 0.3, 0.7]),
        (Rotation(0.0, 0.25), [0.25, 0.25, 0.25, 0.25]),
        ("line", [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_the_start_moves_on_with_each_episode(starts, shares):
    env = TimeTrialVector(3, "harbor", start=starts)
    found = []
    for episode in range(4):
        env.reset(seed=7 if episode == 0 else None)
        found.append(env.state["start_s"] / env.track.length)
        state = env.state[0]
        s = state["start_s"]
        on_line = [np.interp(s, env.track.s, env.track.center[:, k]) for k in (0, 1)]
        assert (state["x"], state["y"]) == pytest.approx(on_line, abs=1e-9)  # the origin, not the front point
        assert state["speed"] == 0.0
    assert np.array(found) == pytest.approx(np.repeat(np.array(shares)[:, None], 3, axis=1), abs=1e-12)


def test_each_car_counts_its_own_episodes():
    env = TimeTrialVector(2, "harbor", start="rotate")
    env.reset(seed=0)
    actions = np.array([[1.0, 1.0], [0.0, -1.0]], dtype=np.float32)  # the first one leaves the track again and again
    for _ in range(60):
        env.step(actions)
    episodes = env.state["episode"]
    assert episodes[0] > episodes[1] == 0
    assert env.state["start_s"] == pytest.approx(0.05 * episodes * env.track.length)


@pytest.mark.parametrize("values", [(-0.1, 0.0), (1.1, 0.0), (0.05, float("nan")), ("0.05", 0.0), (True, 0.0)])
def test_a_rotation_is_a_share_of_a_lap(values):
    with pytest.raises(ValueError, match="from 0 to 1"):
        Rotation(*values)
    with pytest.raises(ValueError, match="random, rotate, line"):
        Rules(start="turn")


# --- discrete actions ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_discrete_ppo_drives_three_clean_laps_after_seconds_of_training(tmp_path):
    run = start(RunConfig("harbor", steps=100_000, actions=FIVE_BY_TWO, logs=False), str(tmp_path / "five"))
    replay = train(run)
    assert replay.completed_laps == 3 and not any(lap.off_track for lap in replay.laps)
    commands = np.stack([replay.steps["steering_command_deg"], replay.steps["speed_command"]], axis=1)
    assert {tuple(row) for row in commands.round(6)} <= set(FIVE_BY_TWO.choices)
    assert verify(load_replay(run.replay)).ok
    again = open_run(run.folder)
    assert again.config == run.config and again.config.actions == FIVE_BY_TWO
    env = TimeTrialVector(1, "harbor")
    driver = again.driver()
    size = env.single_observation_space.shape[0]
    acted = driver.act(np.zeros((4, 3, size), np.float32))
    assert acted.shape == (4, 3) and acted.dtype.kind == "i"


def test_entropy_falls_from_the_first_laps_on_and_hyperparameters_reach_the_recipe():
    env = TimeTrialVector(256, "harbor", actions=FIVE_BY_TWO)
    agent = load_agent("ppo").make(env, 0, {"gamma": 0.9, "ent_coef": 0.5, "n_epochs": 1})
    assert (agent.model.gamma, agent.env.gamma, agent.model.n_epochs) == (0.9, 0.9, 1)
    worth = []

    def report(steps, metrics):
        worth.append((steps, agent.model.ent_coef))
        agent.schedule.lapping_since = 4096 if steps >= 4096 else None  # as if it completed laps from here on
        return min(1.0, steps / 12288)

    agent.learn(report)
    assert worth == [(0, 0.5), (2048, 0.5), (4096, 0.5), (6144, 0.5), (8192, 0.375), (10240, 0.25), (12288, 0.125)]
    assert agent.model.ent_coef == 0.0 and (agent.model.gamma, agent.env.gamma) == (0.9, 0.9)
    own = load_agent("ppo").make(TimeTrialVector(256, "harbor"), 0)
    assert own.model.ent_coef == 0.0


def test_a_recipe_without_hyperparameters_says_so(tmp_path):
    path = tmp_path / "plain.py"
    path.write_text(
        "class Agent:\n    def __init__(self, env, seed):\n        pass\n    def act(self, o):\n        pass\n"
    )
    env = TimeTrialVector(1, "harbor")
    load_agent(path).make(env)
    with pytest.raises(AgentError, match=r"plain\.py has no hyperparameter 'gamma'\. It has none"):
        load_agent(path).make(env, 0, {"gamma": 0.9})
    path.write_text(path.read_text().replace("seed)", "seed, **hyperparameters)"))
    load_agent(path).make(env, 0, {"gamma": 0.9})


# --- runs ------------------------------------------------------------------------------------------------------------


TAKEN = {
    "gamma": 0.97,
    "ent_coef": 0.02,
    "n_epochs": 4,
    "learning_rate": 3e-4,
    "batch_size": 64,
    "episodes": 20,
    "loss_type": "mean squared error",
}


def make(folder, **how):
    return start(RunConfig("harbor", steps=1000, **how), str(folder))


def test_a_plan_is_read_as_it_was_written(tmp_path):
    space = ContinuousActions((-20.0, 10.0), (0.7, 3.3))
    own = {"gamma": 0.9}
    how = {"starts": Rotation(0.1, 0.9), "both_directions": True, "hyperparameters": own, "actions": space}
    run = make(tmp_path / "one", car="deepracer-v4", **how)
    assert open_run(run.folder).config == run.config
    assert run.config.starts == Rotation(0.1, 0.9)


def test_runs_of_the_first_format_have_the_defaults(tmp_path):
    run = make(tmp_path / "old")
    path = run.folder / "run.json"
    data = json.loads(path.read_text())
    for key in ("actions", "sensors", "starts", "both_directions", "hyperparameters"):
        del data[key]
    path.write_text(json.dumps(data | {"format": 1}))
    plan = open_run(run.folder).config
    assert (plan.actions, plan.sensors, plan.starts, plan.both_directions, plan.hyperparameters) == (
        DEFAULT,
        ("state",),
        "random",
        False,
        {},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "key, value, message",
    [
        ("actions", 5, "actions: 5 is no action space"),
        ("actions", {"choices": []}, r"holds 0 choices"),
        ("actions", {"choices": [[1, "fast"]]}, r"choices holds \[1, 'fast'\]"),
        ("actions", {"steering_angle": [1, 2]}, "is no action space"),
        ("sensors", [], r"sensors is \[\]"),
        ("sensors", ["radar"], "no sensor 'radar'"),
        ("sensors", [{}], "sensors is"),
        ("starts", "turn", "starts is 'turn'"),
        ("starts", {"advance": 2, "offset": 0}, "advance of the starts is 2"),
        ("starts", {"advance": 0.5, "speed": 1}, "unexpected keyword argument 'speed'"),
        ("starts", [], "starts is"),
        ("both_directions", "perhaps", "both_directions is 'perhaps'"),
        ("hyperparameters", {"gamma": {}}, "hyperparameters is {'gamma': {}}"),
        ("hyperparameters", 3, "hyperparameters is 3"),
        ("device", "tpu", "device is 'tpu'"),
        ("format", 7, "format 7"),
        ("format", 0, "format 0"),
    ],
)
def test_damaged_plans(tmp_path, key, value, message):
    run = make(tmp_path / "damaged")
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(RunError, match=message) as caught:
        open_run(run.folder)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("how", [{"starts": "turn"}, {"sensors": ("radar",)}, {"sensors": ()}])
def test_a_training_that_makes_no_sense_is_not_begun(tmp_path, how):
    with pytest.raises(RunError):
        make(tmp_path / "none", **how)
    assert not (tmp_path / "none").exists()


# --- the command line ------------------------------------------------------------------------------------------------


PAYS = "model/reward_function.py"


def racer(*arguments):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A learner's folder with a console export, `model`, and a short run of it, `model-1`."""
    folder = tmp_path_factory.mktemp("learner")
    export(folder / "model", ALTERNATE_DRIVING_DIRECTION="true", REVERSE_DIR="True", NUM_WORKERS=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trained = racer("train", "--deepracer", "model", "--sensors", "state", "--steps", 20_000)
        assert trained.exit_code == 0, trained.output
    (folder / "said").write_text(trained.stderr)
    return folder


@pytest.fixture
def at_home(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


def test_a_folder_of_the_console_trains_as_it_is(at_home):
    plan = open_run(Path("runs/model-1")).config
    assert plan.actions == FIVE_BY_TWO
    assert plan.hyperparameters == TAKEN
    assert (plan.starts, plan.both_directions, plan.sensors) == (Rotation(), True, ("state",))
    assert open_run(Path("runs/model-1")).track().reversed
    assert load_replay("runs/model-1/best.replay").track.reversed


def test_one_table_tells_what_became_of_every_setting(at_home):
    said = Path("said").read_text()
    for name in ("action_space", "discount_factor", "CHANGE_START_POSITION", "batch_size", "lr"):
        assert heading_of(said, name) == "Converted", name
    for name in ("ALTERNATE_DRIVING_DIRECTION", "sensor", "NUM_WORKERS"):
        assert heading_of(said, name).startswith("Replaced"), name
    for name in ("stack_size", "term_cond_avg_score"):
        assert heading_of(said, name) == "Without effect", name
    assert "model/reward_function.py" in said


def heading_of(said, name):
    """The heading in the report under which a setting stands."""
    lines = [line.rstrip() for line in said.splitlines()]
    row = next(i for i, line in enumerate(lines) if line.startswith(f"{name} "))
    return next(line for line in reversed(lines[:row]) if line.startswith(("Converted", "Replaced", "Without")))


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80])
def test_the_report_is_readable_on_a_narrow_screen(at_home, width):
    """On a terminal: no line is wider, no name is cut, and no word is broken that need not be."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm"
    command = [sys.executable, "-m", "racer", "train", "--deepracer", "model", "--name", "model-1"]  # which is there
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, env=environment)
    os.close(writing)
    said = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the command ends
        while part := os.read(reading, 65536):
            said += part
    os.close(reading)
    assert process.wait() == 1
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", said.decode())
    lines = [line.rstrip() for line in plain.splitlines()]
    begin = next(i for i, line in enumerate(lines) if line.startswith("Converted"))
    end = next(i for i, line in enumerate(lines) if line.startswith("Error"))
    report = lines[begin:end]
    assert max(map(len, report)) <= width
    for name in ("num_episodes_between_training", "ALTERNATE_DRIVING_DIRECTION", "discount_factor"):
        assert any(line.startswith(f"{name}  ") for line in report), name
    text = " ".join(" ".join(line[30:].strip() for line in report).split())
    assert "actions are sampled from the policy" in text
    assert "half of the cars drive in each direction all the time" in text


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """An archive of a model with code beside the reward function, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    folder = export(tmp_path / "away" / "model", REVERSE_DIR="True")
    canary = "import pathlib\npathlib.Path('CANARY').touch()\n"
    for name in ("numpy.py", "math.py", "sitecustomize.py", "conftest.py", "agents/clipped_ppo.py", "tracks/harbor.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(canary)
    (folder / "run.env").write_text("DR_WORLD_NAME=$(touch CANARY)`touch CANARY`\n")
    with tarfile.open(tmp_path / "my-model.tar.gz", "w:gz") as tar:
        tar.add(folder, "my-model")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_nothing_is_executed_but_the_reward_function(packed, tmp_path, kind):
    source = {"folder": packed, "archive": "my-model.tar.gz"}[kind]
    before = sorted(tmp_path.rglob("*"))
    trained = racer("train", "--deepracer", source, "--sensors", "state", "--steps", 2_000, "--no-logs")
    assert trained.exit_code == 0, trained.output
    assert not list(tmp_path.rglob("CANARY"))
    made = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - set(before)}
    (run,) = Path("runs").iterdir()
    if kind == "folder":
        assert (made, run.name) == ({"runs"}, "model-1")
        return
    assert (made, run.name) == ({"runs", "reward_functions"}, "my-model-1")
    shelved = Path("reward_functions/my-model.py")
    assert shelved.read_bytes() == (packed / "reward_function.py").read_bytes()
    assert racer("train", "--name", run.name, "--resume", "--steps", 3_000).exit_code == 0
    shelved.write_text("def reward_function(params):\n    return 1.0  # changed by the learner\n")
    again = racer("train", "--deepracer", source, "--sensors", "state", "--steps", 2_000, "--no-logs")
    assert again.exit_code == 0 and "changed by the learner" in shelved.read_text()
    assert Path("reward_functions/my-model-2.py").read_bytes() == (packed / "reward_function.py").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--reverse"]])
def test_reverse_does_not_flip_a_folder_s_own_reverse_direction(packed, option):
    trained = racer("train", "--deepracer", packed, *option, "--sensors", "state", "--steps", 2_000, "--no-logs")
    assert trained.exit_code == 0, trained.output
    assert open_run(Path("runs/model-1")).track().reversed


@pytest.mark.slow
def test_what_was_trained_with_discrete_actions_is_evaluated_and_goes_on(at_home):
    done = racer("evaluate", "model-1", "--laps", 1, "--json", "--replay", "one.replay")
    assert done.exit_code == 0, done.output
    replay = load_replay("one.replay")
    assert verify(replay).ok
    commands = np.stack([replay.steps["steering_command_deg"], replay.steps["speed_command"]], axis=1)
    assert {tuple(row) for row in commands.round(6)} <= set(FIVE_BY_TWO.choices)
    shutil.copytree("runs/model-1", "runs/model-2")
    went_on = racer("train", "--name", "model-2", "--resume", "--steps", 30_000, "--reward", PAYS)
    assert went_on.exit_code == 0, went_on.output
    assert open_run(Path("runs/model-2")).config.actions == FIVE_BY_TWO


@pytest.mark.parametrize("option", [["--start", "line"], ["--both-ways"], ["--reverse"], ["--deepracer", "model"]])
def test_a_run_that_goes_on_keeps_how_it_trains(at_home, option):
    refused = racer("train", "--name", "model-1", "--resume", *option)
    assert refused.exit_code == 2 and "keeps its track" in refused.stderr.replace("\n", " ")


@pytest.mark.slow
def test_rules_may_be_chosen_without_deepracers_files(at_home):
    options = ["--start", "rotate", "--reverse", "--both-ways", "--car", "deepracer-v4", "--steps", 5_000, "--no-logs"]
    trained = racer("train", "--name", "chosen", *options)
    assert trained.exit_code == 0, trained.output
    run = open_run(Path("runs/chosen"))
    assert (run.config.starts, run.config.both_directions, run.config.car) == ("rotate", True, "deepracer-v4")
    assert run.track().reversed


@pytest.mark.parametrize(
    "options, part",
    [
        (["--start", "turn"], "it must be one of random, rotate, line"),
        (["--sensors", "radar"], "'radar'"),
        (["--car", "truck"], "car is 'truck'"),
        (["--deepracer", "nowhere"], "nowhere is no folder and no archive"),
        (["--model-metadata", "said"], "said, line 1: not valid JSON"),
        (["--hyperparameters", "none.json"], "cannot read none.json"),
    ],
)
def test_mistakes_get_one_message(at_home, options, part):
    refused = racer("train", "--name", "mistake", *options)
    assert refused.exit_code == 1 and part in refused.stderr
    assert not Path("runs/mistake").exists()


def test_resume_keeps_the_hyperparameters(at_home):
    run = resume(Path("runs/model-1"), steps=40_000, reward=PAYS)
    assert run.config.hyperparameters == TAKEN


@pytest.mark.parametrize("sensor", ["FRONT_FACING_CAMERA", "STEREO_CAMERAS", "LIDAR"])
def test_a_recipe_that_does_not_know_a_sensor_says_so_in_one_line(at_home, sensor):
    refused = racer("train", "--name", "mistake", "--agent", "ppo", "--sensors", sensor)
    assert refused.exit_code == 1
    (said,) = [line for line in refused.stderr.splitlines() if line.startswith("Error")]
    assert f"cannot drive by {sensor}, only by state; add --sensors state" in said


@pytest.mark.parametrize(
    "sensors, agent", [("FRONT_FACING_CAMERA:size=16x16,state", "ppo_camera"), ("SECTOR_LIDAR", "ppo_lidar")]
)
def test_sensors_choose_the_recipe(at_home, sensors, agent):
    trained = racer("train", "--sensors", sensors, "--steps", 100, "--name", agent, "--no-logs")
    assert trained.exit_code == 0, trained.output
    assert (plan := open_run(Path("runs") / agent).config).agent == agent and ",".join(plan.sensors) == sensors
    assert racer("train", "--sensors", "", "--steps", 100).stderr.count("there is no sensor ''") == 1


def test_a_driver_drives_only_by_what_it_learned_with(at_home):
    """A run whose plan was changed behind its back: evaluated or gone on with, it says what does not fit."""
    shutil.copytree("runs/model-1", "runs/changed")
    plan = Path("runs/changed/run.json")
    plan.write_text(
        json.dumps(json.loads(plan.read_text()) | {"sensors": ["LIDAR"], "agent": "ppo_lidar", "hyperparameters": {}})
    )
    for command in (
        ["evaluate", "changed"],
        ["train", "--name", "changed", "--resume", "--steps", 90_000, "--reward", PAYS],
    ):
        refused = racer(*command)
        assert refused.exit_code == 1
        (said,) = [line for line in refused.stderr.splitlines() if line.startswith("Error")]
        assert "learned with ['state'], but" in said and "run.json says sensors are ['LIDAR']" in said


CONTINUOUS = {"steering_angle": {"low": -30, "high": 30}, "speed": {"low": 1, "high": 3}}
SAC = {"action_space": CONTINUOUS, "action_space_type": "continuous", "training_algorithm": "sac"}
MIDDLE = "DEEP_CONVOLUTIONAL_NETWORK"


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes, agent, perceived, hyperparameters",
    [
        ({"neural_network": MIDDLE}, "clipped_ppo", "FRONT_FACING_CAMERA", {"network": MIDDLE, "n_epochs": 4}),
        ({"sensor": ["STEREO_CAMERAS", "LIDAR"]}, "clipped_ppo", "STEREO_CAMERAS, LIDAR", {"ent_coef": 0.02}),
        (SAC | {"sensor": ["state", "SECTOR_LIDAR"]}, "sac", "state, SECTOR_LIDAR", {"gamma": 0.97, "alpha": 0.2}),
    ],
    ids=["camera", "stereo", "sac"],
)
def test_algorithm_sensor_and_network_of_a_folder_train_and_race(
    tmp_path, monkeypatch, changes, agent, perceived, hyperparameters
):
    monkeypatch.chdir(tmp_path)
    path = export(tmp_path / "model") / "model/model_metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    trained = racer("train", "--deepracer", "model", "--steps", 2_200)
    assert trained.exit_code == 0, trained.output
    plan = open_run(Path("runs/model-1")).config
    assert (plan.agent, ", ".join(plan.sensors)) == (agent, perceived)
    assert plan.hyperparameters.items() >= hyperparameters.items()
    said = trained.stderr
    assert heading_of(said, "training_algorithm") == "Converted"
    assert any("training_algorithm" in line and agent in line for line in said.splitlines())
    assert "cannot" not in said
    done = racer("evaluate", "model-1", "--laps", 1, "--json", "--replay", "one.replay")
    assert done.exit_code == 0, done.output
    assert verify(load_replay("one.replay")).ok


def test_sac_with_discrete_actions_is_refused_as_deepracer_refuses_it(at_home):
    refused = racer("train", "--deepracer", "model", "--sensors", "state", "--agent", "sac")
    (said,) = [line for line in refused.stderr.splitlines() if line.startswith("Error")]
    assert refused.exit_code == 1 and "this recipe takes continuous actions only" in said
    path = Path("sac.json")
    path.write_text(json.dumps({"action_space": [{"steering_angle": 0, "speed": 1}], "training_algorithm": "sac"}))
    refused = racer("train", "--model-metadata", path)
    (said,) = [line for line in refused.stderr.splitlines() if line.startswith("Error")]
    assert refused.exit_code == 1 and "sac.json: training_algorithm is 'sac'; SAC takes continuous" in said
