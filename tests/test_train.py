"""Trainings: repeatable, resumable, and losing nothing, whatever stops them."""

import contextlib
import csv
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

import racer.training.trainer as engine
from racer.cli import app
from racer.errors import AgentError, FileError, RacerError, RewardError, RunError
from racer.racing import load_state, save_state
from racer.replay import load_replay, verify
from racer.training import Callback, Prints, RunConfig, find_run, open_run, resume, start, train
from racer.training.metrics import Metrics

REPO = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")

CLIMBER = '''\
"""Learns by drawing weights: quick, and enough to test everything around a recipe."""

import numpy as np

PROBLEM = None


class Agent:
    num_envs = 4

    def __init__(self, env, seed=0):
        self.env, self.rng, self.steps = env, np.random.default_rng(seed), 0
        self.weights = np.zeros((2, env.single_observation_space.shape[0]), np.float32)
        self.weights[0, 15] = 2.0  # steer to where the line goes
        self.ballast = np.zeros(20)

    def act(self, observation):
        actions = observation @ self.weights.T
        actions[..., 1] -= 0.5
        return actions.clip(-1.0, 1.0).astype(np.float32)

    def learn(self, report):
        seen, _ = self.env.reset(seed=0)
        while report(self.steps, {"rollout/ep_rew_mean": float(self.weights.sum())}) < 1.0:
            for _ in range(16):
                seen = self.env.step(self.act(seen))[0]
            self.steps += 64
            self.weights += self.rng.normal(0.0, 0.002, self.weights.shape).astype(np.float32)
            if PROBLEM is not None and self.steps >= 640:
                PROBLEM(self)

    def state_dict(self):
        return {"weights": self.weights.copy(), "steps": np.array(self.steps), "ballast": self.ballast}

    def load_state_dict(self, state):
        self.weights, self.steps = state["weights"].copy(), int(state["steps"])
'''

REWARD = """\
calls = 0


def reward_function(params):
    return params["progress"]
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A working folder of a learner's own."""
    monkeypatch.chdir(tmp_path)
    Path("agents").mkdir()
    Path("reward_functions").mkdir()
    Path("agents/climber.py").write_text(CLIMBER)
    Path("reward_functions/mine.py").write_text(REWARD)
    return tmp_path


def begin(name="a", agent="climber.py", reward="mine.py", **more):
    budget = {} if {"steps", "seconds"} & set(more) else {"steps": 1280}
    return start(RunConfig("pebble", reward, agent, **budget, **more), name)


class Told(Callback):
    """Keeps what a training tells."""

    def __init__(self, progress):
        self.progress = progress

    def on_update(self, progress):
        self.progress.append(progress)


def problem(code):
    """A climber that does this after ten updates; `agent` is the climber."""
    Path("agents/climber.py").write_text(CLIMBER + f"\n\ndef PROBLEM(agent):\n    {code}\n")


def metrics(run):
    with (run.folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def notes(path):
    return json.loads(load_state(path)[1]["racer"])


def contents(state):
    return {name: values.tobytes() for name, values in state.items()}


# --- A whole training ---------------------------------------------------------------------------------------


def test_a_training_leaves_everything_that_explains_it():
    shown = []
    run = begin(seed=3, steps=1280)
    replay = train(run, [Told(shown)])
    assert open_run(run.folder) == run
    assert json.loads((run.folder / "run.json").read_text())["seed"] == 3
    assert (run.folder / "reward.py.txt").read_text() == REWARD
    assert (run.folder / "agent.py.txt").read_text() == CLIMBER
    assert run.track().digest == replay.track.digest

    rows = metrics(run)
    steps = [int(row["steps"]) for row in rows]
    assert steps == list(range(64, 1281, 64))
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert {"time/fps", "eval/success_rate", "eval/best_lap_s", "rollout/ep_rew_mean"} <= set(rows[0])
    assert rows[0]["eval/success_rate"] == "" and 0.0 <= float(rows[-1]["eval/success_rate"]) <= 1.0
    assert all(math.isfinite(float(row["rollout/ep_rew_mean"])) for row in rows)

    assert notes(run.checkpoint)["steps"] == 1280
    assert load_state(run.best)[0].keys() == {"weights", "steps", "ballast"}
    assert len(load_replay(run.replay).laps) == 3
    assert load_replay(run.replay).digest == replay.digest
    assert verify(replay).ok
    assert find_run("a") == find_run("runs/a") == run
    assert find_run("b") is None

    assert [state.steps for state in shown] == [0, *steps]
    assert [state.used for state in shown] == pytest.approx([k / 20 for k in range(21)])
    assert shown[-1].evaluated and shown[-1].best is not None and not shown[0].evaluated


def test_tensorboard_can_read_the_log():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = begin()
    train(run)
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    rows = metrics(run)
    measured = {key for key in rows[0] if any(row[key] for row in rows)}
    assert set(events.Tags()["scalars"]) == measured - {"steps", "seconds"} and "meter/slow_lap_s" in measured
    for key in ("rollout/ep_rew_mean", "eval/success_rate"):
        told = {event.step: event.value for event in events.Scalars(key)}
        kept = {int(row["steps"]): float(row[key]) for row in rows if row[key]}
        assert told == pytest.approx(kept, rel=1e-5)
    for tag, source in (("reward", REWARD), ("agent", CLIMBER)):
        (told,) = events.Tensors(tag)
        assert source in told.tensor_proto.string_val[0].decode()
    recorded = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"climber" in recorded and b"pebble" in recorded


def test_tensorboard_forgets_what_came_after_the_checkpoint():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = begin()
    train(run)
    state, kept = load_state(run.checkpoint)
    save_state(run.checkpoint, {**state, "steps": np.array(640)}, kept | {"racer": '{"steps": 640, "seconds": 1.0}'})
    train(resume(run.folder))
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    steps = [event.step for event in events.Scalars("rollout/ep_rew_mean")]
    assert steps == [int(row["steps"]) for row in metrics(run)] == list(range(64, 1281, 64))


class Starts(Callback):
    """Keeps where the cars stood when a training began or went on."""

    def on_training_start(self, env, learner):
        self.env, self.first = env, None

    def on_update(self, progress):
        if self.first is None:
            self.first = self.env.state["start_s"]


def test_one_that_goes_on_meets_other_starts_than_those_it_began_with():
    run, told = begin(agent="ppo", steps=4096), Starts()
    train(run, [told])
    began, found = told.first, []
    before = {file.name: file.read_bytes() for file in run.folder.iterdir() if file.is_file()}
    for _ in range(2):
        train(resume(run.folder, more_steps=2048), [told])
        found.append(told.first)
        for name, content in before.items():
            (run.folder / name).write_bytes(content)
    assert set(found[0]) & set(began) <= {0.0}, "some start at the line"
    assert np.array_equal(found[0], found[1]), "the same ones each time"


def test_ppo_with_the_same_seed_and_steps_gives_the_same_driver():
    runs = [begin(name, agent="ppo", steps=60_000, seed=5) for name in "ab"]
    replays = [train(run) for run in runs]
    best = [contents(load_state(run.best)[0]) for run in runs]
    assert best[0] == best[1]
    laps = [[lap.time_s for lap in replay.laps] for replay in replays]
    assert laps[0] == laps[1]
    told = [
        [(row["steps"], row["eval/success_rate"], row["rollout/ep_rew_mean"]) for row in metrics(run)] for run in runs
    ]
    assert told[0] == told[1]
    assert int(told[0][-1][0]) >= 60_000
    assert sum(bool(row[1]) for row in told[0]) >= 2  # evaluated on the way and at the end


def test_another_seed_gives_another_driver():
    runs = [begin(name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for run in runs:
        train(run)
    learned = [contents(load_state(run.checkpoint)[0]) for run in runs]
    assert learned[0] == learned[1] != learned[2]


def test_the_best_driver_is_kept_not_the_last():
    """A recipe that forgets all it knew after ten updates."""
    problem("agent.weights[:] = 0.0")
    run = begin(steps=1280)
    old, engine.APART = engine.APART, 320
    try:
        replay = train(run)
    finally:
        engine.APART = old
    assert replay.completed_laps == 3
    last, best = load_state(run.checkpoint)[0], load_state(run.best)[0]
    assert not last["weights"].any() and best["weights"].any()
    assert notes(run.best)["steps"] in (320, 640)


def test_prints_go_to_the_runs_log_to_the_last(capfd):
    Path("reward_functions/mine.py").write_text(
        "print('loaded')\ndef reward_function(params):\n    print('ä', params['steps'])\n    return 1\n"
    )
    run = begin()
    train(run)
    out, err = capfd.readouterr()
    assert out == "" and err == ""
    log = (run.folder / "rewards.log").read_text(encoding="utf-8").splitlines()
    assert log.count("loaded") == 5  # four cars, and the one that drives the last laps
    driven = len(load_replay(run.replay).steps)
    assert len(log) - 5 - 1280 - driven in (0, 1)  # a step more may find the last lap complete
    assert set(log) > {"loaded", "ä 2.0", "ä 3.0"}


def test_a_complete_training_is_not_lost_to_a_reward_that_fails_in_the_last_laps(home):
    """Its reward fails once a file is there, and goes to another folder in each call."""
    Path("reward_functions/mine.py").write_text(
        "import os, pathlib\n\nhere = pathlib.Path.cwd()\n\n"
        "def reward_function(params):\n    os.chdir('/')\n    return 1 / (not (here / 'fail').exists())\n"
    )

    class Failing(Callback):
        errors = ()

        def on_training_end(self):
            Path("fail").touch()

        def on_race_end(self, replay, failure=None):
            self.errors = (*self.errors, str(failure))

    failing, run = Failing(), begin()
    replay = train(run, [failing])
    assert len(failing.errors) == 1 and "line 7: ZeroDivisionError" in failing.errors[0]
    assert Path.cwd() == home
    assert load_replay(run.replay).digest == replay.digest and len(replay.laps) == 3


# --- Going on -----------------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_stopped():
    train(begin())
    run = resume(Path("runs/a"), steps=2560)
    reports = []
    train(run, [Told(reports)])
    assert [state.steps for state in reports] == list(range(1280, 2561, 64))
    assert reports[0].best is not None, "the best driver so far is known from the start"
    assert [int(row["steps"]) for row in metrics(run)] == list(range(64, 2561, 64))
    seconds = [float(row["seconds"]) for row in metrics(run)]
    assert seconds == sorted(seconds)
    assert notes(run.checkpoint)["steps"] == 2560 and notes(run.checkpoint)["seconds"] >= seconds[19]
    assert open_run(run.folder).config.steps == 2560


def test_a_run_killed_before_its_first_checkpoint_begins_again():
    run = resume(begin().folder)
    train(run)
    assert notes(run.checkpoint)["steps"] == 1280


def test_a_finished_run_needs_a_larger_budget():
    train(begin())
    for budget in ({}, {"steps": 1280}, {"steps": 64}, {"seconds": 1e-9}):
        with pytest.raises(
            RunError, match=r"has used up its budget: .* Go on with: racer train --name a --resume --more"
        ):
            resume(Path("runs/a"), **budget)
    assert open_run(Path("runs/a")).config.steps == 1280, "what was refused was not written down"


def test_a_best_driver_is_not_lost_by_going_on_with_worse_ones():
    train(begin())
    best = Path("runs/a/best.safetensors").read_bytes()
    problem("agent.weights[:] = 0.0")
    replay = train(resume(Path("runs/a"), steps=1600))
    assert Path("runs/a/best.safetensors").read_bytes() == best
    assert replay.completed_laps == 3


def test_a_reward_that_has_changed_is_not_gone_on_with():
    train(begin())
    Path("reward_functions/mine.py").write_text(REWARD + "# changed\n")
    with pytest.raises(RunError, match=r"mine\.py has changed since a was trained with it.*reward\.py\.txt"):
        resume(Path("runs/a"), steps=2560)
    with pytest.raises(RunError, match="has changed since"):
        train(open_run(Path("runs/a")))
    Path("other.py").write_text(REWARD)
    run = resume(Path("runs/a"), steps=1400, reward="other.py")
    assert run.config.reward == "other.py"
    train(run)
    Path("reward_functions/mine.py").unlink()
    Path("other.py").unlink()
    with pytest.raises(RunError, match=r"no reward function .* --reward runs/a/reward\.py\.txt"):
        resume(Path("runs/a"), steps=2560)


def test_a_run_folder_may_be_moved_away_and_its_code_is_not_run(home):
    """The texts kept in a run are to be read; what is executed comes from elsewhere."""
    train(begin())
    folder = Path("runs/a")
    (folder / "climber.py").write_text("raise SystemExit('executed')")
    text = (folder / "run.json").read_text().replace('"climber.py"', '"runs/a/climber"')
    (folder / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"is not on the shelf .* name it with --agent"):
        open_run(folder).driver()
    with pytest.raises(RunError, match="is not on the shelf"):
        train(resume(folder, steps=2560))


@pytest.mark.slow
@posix
def test_nothing_is_lost_by_ctrl_c_and_little_by_kill(home):
    """Two trainings without an end, one interrupted, one killed; both go on."""
    script = (
        "import racer.training.trainer as engine; engine.CHECKPOINT_S = 0.3\n"
        "import sys; from racer.training import RunConfig, start\n"
        "engine.train(start(RunConfig('pebble', 'mine', 'climber', steps=10**9), sys.argv[1]))\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(REPO))
    jobs = {
        name: subprocess.Popen([sys.executable, "-c", script, name], env=environment, stderr=subprocess.PIPE, text=True)
        for name in ("stopped", "killed")
    }
    try:
        for name in jobs:
            until = time.monotonic() + 60.0
            while not Path("runs", name, "checkpoint.safetensors").exists():
                assert time.monotonic() < until and jobs[name].poll() is None, jobs[name].communicate()[1]
                time.sleep(0.05)
        time.sleep(1.0)
        jobs["stopped"].send_signal(signal.SIGINT)
        jobs["killed"].kill()
        errors = {name: job.communicate(timeout=30)[1] for name, job in jobs.items()}
    finally:
        for job in jobs.values():
            job.kill()
    assert errors["stopped"].rstrip().endswith("KeyboardInterrupt")
    assert errors["killed"] == ""
    for name, most in (("stopped", 0.1), ("killed", 1.5)):
        run = open_run(Path("runs", name))
        kept, last = notes(run.checkpoint), metrics(run)[-1]
        assert min(kept["seconds"], kept["steps"]) > 0
        assert float(last["seconds"]) - kept["seconds"] < most
        if name == "stopped":
            assert kept["steps"] >= int(last["steps"])
        train(resume(run.folder, steps=kept["steps"] + 640))
        steps = [int(row["steps"]) for row in metrics(run)]
        expected = list(range(64, kept["steps"] + 641, 64))
        if name == "stopped" and kept["steps"] not in steps:  # it was stopped before it had written that row
            expected.remove(kept["steps"])
        assert steps == expected, "rows past the checkpoint are cut"
        assert load_replay(run.replay).laps


# --- What goes wrong ----------------------------------------------------------------------------------------


def test_a_reward_that_fails_stops_the_training_and_what_was_learned_is_kept():
    Path("reward_functions/mine.py").write_text(
        "calls = 0\n\n\ndef reward_function(params):\n    global calls\n    calls += 1\n"
        "    return 1.0 if calls < 100 else params['no such key']\n"
    )
    run = begin(steps=64_000)
    with pytest.raises(RewardError, match=r"mine\.py, line 7: KeyError: 'no such key'") as caught:
        train(run)
    assert "steps = " in str(caught.value)
    learned = notes(run.checkpoint)["steps"]
    assert learned == 64 * 6  # the hundredth call of each car is in its seventh update
    assert not run.replay.exists()
    Path("reward_functions/mine.py").write_text(REWARD)
    run = resume(run.folder, steps=learned + 640, reward="mine.py")
    train(run)
    assert notes(run.checkpoint)["steps"] == learned + 640


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("agent.weights[0, 0] = np.nan", "diverged|not finite"),
        ("agent.ballast = agent.ballast + np.inf", "the training has diverged: ballast holds"),
        ("agent.act = lambda observation: np.full((len(observation), 2), np.nan)", "finite"),
        ("raise ValueError('Expected parameter loc to be real')", r"climber\.py, line \d+: ValueError: Expected"),
        ("agent.state_dict = lambda: {}['weights']", "KeyError: 'weights'"),
        ("exit('I am done')", "SystemExit: I am done"),
    ],
    ids=["nan weights", "inf", "nan actions", "raises", "state raises", "exits"],
)
def test_a_recipe_that_fails_gives_one_message_and_spoils_nothing(code, message):
    run = begin(steps=576)
    train(run)
    kept = run.checkpoint.read_bytes(), run.best.read_bytes()
    problem(code)
    with pytest.raises(AgentError, match=message) as caught:
        train(resume(run.folder, steps=6400))
    assert "Traceback" not in str(caught.value)
    for path in (run.checkpoint, run.best):
        state, _ = load_state(path)
        assert all(np.isfinite(values).all() for values in state.values())
    assert run.best.read_bytes() == kept[1]
    Path("agents/climber.py").write_text(CLIMBER)
    train(resume(run.folder, steps=6400))


def test_numbers_that_are_not_finite_stay_out_of_the_logs():
    text = CLIMBER.replace(
        '{"rollout/ep_rew_mean": float(self.weights.sum())}', '{"a": float("nan"), "b": float("inf"), "c": 1}'
    )
    Path("agents/climber.py").write_text(text)
    run = begin()
    train(run)
    rows = metrics(run)
    assert {(row["a"], row["b"], row["c"]) for row in rows} == {("", "", "1")}
    assert "nan" not in (run.folder / "metrics.csv").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "class Agent:\n    def __init__(self, env, seed): pass\n    def act(self, o): return o[:, :2]\n",
            "does not learn",
        ),
        (CLIMBER.replace("num_envs = 4", "num_envs = 0"), r"num_envs is 0"),
        (CLIMBER.replace("num_envs = 4", "num_envs = '4'"), r"num_envs is '4'"),
        (CLIMBER.replace("num_envs = 4", ""), r"num_envs is None"),
        (CLIMBER.replace("def load_state_dict", "def load"), r"lacks load_state_dict\(\)"),
        ("1 / 0\nclass Agent: pass\n", "line 1: ZeroDivisionError"),
    ],
    ids=["no learner", "no cars", "words for cars", "cars untold", "cannot load", "raises"],
)
def test_a_recipe_that_cannot_learn_leaves_no_run(text, message):
    Path("agents/climber.py").write_text(text)
    with pytest.raises(AgentError, match=message):
        begin()
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "given",
    [
        {"steps": 0},
        {"steps": -5},
        {"steps": 10**400},
        {"seconds": 0.0},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"seconds": 10.0, "steps": 10},
        {"steps": 64, "seed": -1},
        {"steps": 64, "seed": 2**32},
        {"steps": 64, "car": "lorry"},
        {"steps": 64, "starts": "middle"},
        {"steps": 64, "sensors": ("radar",)},
        {"steps": 64, "reward": "no-such-reward"},
        {"steps": 64, "agent": "no-such-agent"},
    ],
    ids=str,
)
def test_a_plan_that_makes_no_sense_leaves_no_run(given):
    with pytest.raises(RacerError) as caught:
        begin(**given)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert not Path("runs").exists()


def test_a_name_that_is_taken_is_never_overwritten():
    run = begin()
    train(run)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="exists already; add --resume to go on with it"):
        begin()
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before
    Path("runs/photos").mkdir()
    Path("runs/photos/cat.jpg").touch()
    with pytest.raises(RunError, match="exists already; it is no run"):
        begin("photos")
    Path("runs/file").touch()
    with pytest.raises(RunError, match="exists already"):
        begin("file")
    Path("runs/empty").mkdir()
    assert begin("empty").folder == Path("runs/empty")
    assert begin("elsewhere/b").folder == Path("elsewhere/b")
    assert [begin(None).name, begin(None).name] == ["pebble-mine-1", "pebble-mine-2"]


# --- Full disks ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def files_of_at_most(size):
    """What a full disk does, to this process alone: a write beyond the size fails."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    ("size", "steps", "prints", "file"),
    [
        (150_000, 6400, False, "safetensors"),
        (30_000, 640_000, False, "events.out|metrics.csv|simtrace|TrainingMetrics"),
        (30_000, 6400, True, "rewards.log"),
    ],
    ids=["checkpoint", "logs", "prints"],
)
def test_a_full_disk_is_told_and_the_old_checkpoint_stays(size, steps, prints, file, capfd):
    if file == "safetensors":
        Path("agents/climber.py").write_text(CLIMBER.replace("np.zeros(20)", "np.zeros(25_000)"))
    if prints:
        Path("reward_functions/mine.py").write_text(
            "def reward_function(params):\n    print('x' * 80)\n    return 1.0\n"
        )
    run = begin(steps=64)
    train(run)
    run = resume(run.folder, steps=steps)
    kept = run.checkpoint.read_bytes()
    with files_of_at_most(size), pytest.raises(FileError, match=rf"cannot write .*({file})") as caught:
        train(run)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
    assert file != "safetensors" or run.checkpoint.read_bytes() == kept
    assert notes(run.checkpoint)["steps"] >= 64
    assert not list(run.folder.glob(".*"))
    learned = notes(run.checkpoint)["steps"]
    train(resume(run.folder, steps=learned + 640))
    assert notes(run.checkpoint)["steps"] == learned + 640


@posix
def test_a_disk_that_is_full_from_the_start():
    with files_of_at_most(1000), pytest.raises(FileError, match=r"cannot write .*track\.json"):
        begin()
    assert begin().folder == Path("runs/a"), "nothing stands in its way"


@pytest.mark.parametrize("name", ["rewards.log", "metrics.csv", "tensorboard"])
def test_a_log_that_cannot_be_opened_is_told(name):
    run = begin()
    path = run.folder / name
    path.touch() if name == "tensorboard" else path.mkdir()
    with pytest.raises(FileError, match=f"cannot .* .*{name}") as caught:
        train(run)
    assert "\n" not in str(caught.value)


# --- The logs -----------------------------------------------------------------------------------------------


def test_the_log_of_prints_stops_growing(tmp_path, monkeypatch):
    monkeypatch.setattr("racer.training.metrics.PRINTED_LIMIT", 1000)
    path = tmp_path / "rewards.log"
    for _ in range(3):  # also when a run goes on
        with Prints(path) as prints:
            for number in range(200):
                print("ä", number, file=prints)
                if number % 50 == 0:
                    prints.flush()
    text = path.read_text(encoding="utf-8")
    assert text.startswith("ä 0\nä 1\nä 2\n")
    assert text.count("[no more is kept: this log holds 1,000 characters]") == 1
    assert len(text) < 1100
    assert prints.writable() and prints.closed
    prints.close()


def test_any_text_can_be_printed(tmp_path):
    with Prints(tmp_path / "rewards.log") as prints:
        print("\ud800 \0 \N{SNOWMAN}", file=prints)
    assert "\N{SNOWMAN}" in (tmp_path / "rewards.log").read_text(encoding="utf-8")


def test_a_number_that_comes_later_gets_a_column_of_its_own(tmp_path):
    """A recipe may not know its reward per episode before the first one has ended."""
    book = Metrics(tmp_path, "m")
    for steps, numbers in ((1, {"a": 1.0}), (2, {"b": 2.0, "a": 3.0}), (3, {}), (4, {"c,d": 4.0, "b": 5.0})):
        book.write(steps, 0.0, numbers)
    book.close()
    with (tmp_path / "m.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{key: value for key, value in row.items() if value} for row in rows] == [
        {"steps": "1", "seconds": "0.000", "a": "1"},
        {"steps": "2", "seconds": "0.000", "a": "3", "b": "2"},
        {"steps": "3", "seconds": "0.000"},
        {"steps": "4", "seconds": "0.000", "b": "5", "c,d": "4"},
    ]


@pytest.mark.parametrize("old", ["", "steps,seconds,x\n64,1,2\n", "\0\1\2", "x" * 200_000, '"open\n'])
def test_a_table_of_metrics_is_gone_on_with_whatever_it_holds(tmp_path, old):
    (tmp_path / "m.csv").write_text(old)
    for steps in (1, 2):
        book = Metrics(tmp_path, "m")
        book.write(steps, 0.5, {"x": 3.0, "y": None, "z": math.nan})
        book.close()
    text = (tmp_path / "m.csv").read_text()
    assert old.startswith(("steps", '"')) or text.startswith(old)
    if old.startswith("steps"):
        assert text == "steps,seconds,x,y,z\n64,1,2,,\n1,0.500,3,,\n2,0.500,3,,\n"
    elif not old:
        assert text == "steps,seconds,x,y,z\n1,0.500,3,,\n2,0.500,3,,\n"


# --- Damaged run folders ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder to be damaged; what it needs lies on the shelves of the working folder."""
    folder = tmp_path_factory.mktemp("trained")
    old = Path.cwd()
    os.chdir(folder)
    try:
        for path, text in (("agents/climber.py", CLIMBER), ("reward_functions/mine.py", REWARD)):
            Path(path).parent.mkdir()
            Path(path).write_text(text)
        train(begin())
    finally:
        os.chdir(old)
    return folder / "runs" / "a"


def use(folder):
    """Everything that is done with a run folder but to train; tells nothing but RacerErrors."""
    try:
        run = open_run(folder)
        run.track()
        run.agent()
        run.reward()
        resume(folder)
    except RacerError as error:
        assert str(error).strip()
        return str(error)
    return ""


def test_an_unharmed_folder_can_be_used(trained):
    assert "has used up its budget" in use(trained)
    run = open_run(trained)
    assert run.driver().act(np.zeros((1, 30), np.float32)).shape == (1, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("x" * 5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
QUICK = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(st.data())
def test_any_value_in_a_plan_is_used_or_refused(trained, data):
    path = trained / "run.json"
    text = path.read_text()
    plan = json.loads(text)
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from([*plan, "new"]))
        if data.draw(st.booleans()):
            plan[key] = data.draw(JSON)
        else:
            plan.pop(key, None)
    try:
        path.write_text(json.dumps(plan))
        use(trained)
    finally:
        path.write_text(text)


@QUICK
@given(st.data())
def test_any_damage_to_a_file_of_a_run_is_told(trained, data):
    path = trained / data.draw(st.sampled_from(["run.json", "track.json", "checkpoint.safetensors"]))
    content = path.read_bytes()
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(len(content), 2000) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(content) - 1)) :]
    try:
        path.write_bytes(bytes(damaged))
        use(trained)
    finally:
        path.write_bytes(content)


@QUICK
@given(st.data())
def test_any_value_in_a_tracks_file_is_used_or_refused(trained, data):
    path = trained / "track.json"
    text = path.read_text()
    track = json.loads(text)
    key = data.draw(st.sampled_from([*track, "new"]))
    inside = isinstance(track.get(key), list) and data.draw(st.booleans())
    if inside:
        row = track[key][data.draw(st.integers(0, len(track[key]) - 1))]
        row[data.draw(st.integers(0, 1))] = data.draw(JSON)
    else:
        track[key] = data.draw(JSON)
    try:
        path.write_text(json.dumps(track))
        use(trained)
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "{}",
        "[]",
        "[[1, 2]]",
        "nonsense",
        '{"steps": 1}',
        '{"steps": "x", "seconds": 1}',
        '{"steps": null, "seconds": null}',
        '{"steps": 1, "seconds": NaN}',
        '{"steps": -1, "seconds": 1}',
        '{"steps": 1e400, "seconds": 1}',
        '{"steps": 1, "seconds": [1]}',
        "[" * 100_000,
    ],
    ids=lambda told: str(told)[:30],
)
def test_notes_that_say_nothing_are_refused(trained, told):
    path = trained / "checkpoint.safetensors"
    content = path.read_bytes()
    try:
        save_state(path, load_state(path)[0], {} if told is None else {"racer": told})
        assert "lacks racer's notes" in use(trained)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", ["run.json", "track.json", "checkpoint.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "empty", "a folder", "null", "deep"])
def test_a_file_of_a_run_that_is_none(trained, tmp_path, name, damage):
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    path = folder / name
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_text({"empty": "", "null": "null", "deep": "[" * 100_000}[damage])
    message = use(folder)
    if (name, damage) != ("checkpoint.safetensors", "missing"):
        assert name in message and "\n" not in message


def test_what_is_no_run_is_told(tmp_path):
    with pytest.raises(RunError, match="there is no run"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"it holds no run\.json"):
        open_run(tmp_path)
    for name in ("x" * 5000, "a\0b", "\ud800", ""):
        assert find_run(name) is None


def test_a_run_without_a_driver_says_so():
    with pytest.raises(RunError, match="no trained driver yet; go on with: racer train --name a --resume"):
        begin().driver()


def test_a_print_during_a_race_is_no_error(tmp_path):
    """`Prints` is what `print(file=…)` and `redirect_stdout` take for a stream."""
    with Prints(tmp_path / "p.log") as prints, contextlib.redirect_stdout(prints):
        print("hello", flush=True)
    assert isinstance(prints, io.TextIOBase)
    assert (tmp_path / "p.log").read_text() == "hello\n"


def test_plot_draws_curves_of_runs_and_laps_of_replays():
    train(begin())
    draw = CliRunner()
    for words in (
        ["a", "--out", "curves.png"],
        ["a", "--laps", "--out", "laps.png"],
        ["runs/a/best.replay", "--out", "r.svg"],
    ):
        done = draw.invoke(app, ["plot", *words])
        assert done.exit_code == 0, done.output
        assert Path(words[-1]).stat().st_size > 10_000
    assert Path("curves.png").read_bytes() != Path("laps.png").read_bytes()
    again = draw.invoke(app, ["plot", "a", "--out", "curves.png"])
    assert again.exit_code == 1 and "--force" in again.output
    for words, says in ((["b"], "there is no run 'b'"), (["agents/climber.py"], "is an agent, not")):
        refused = draw.invoke(app, ["plot", *words, "--out", "x.png"])
        assert refused.exit_code == 1 and says in refused.output.replace("\n", " "), refused.output
    Path("runs/a/metrics.csv").write_text("steps,time/fps\n1,x\n")
    assert "damaged" in draw.invoke(app, ["plot", "a", "--out", "x.png"]).output
    assert not Path("x.png").exists()
