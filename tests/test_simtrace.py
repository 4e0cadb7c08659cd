"""DeepRacer's logs as racer writes them: to the letter, in the right places, and read by the community's own client."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from drives import ring
from typer.testing import CliRunner

import racer.deepracer.logs.writing as run_logs
from racer.cli import app
from racer.deepracer.config.hyperparameters import read_hyperparameters
from racer.deepracer.config.metadata import read_model_metadata
from racer.deepracer.logs import StepRecorder, TrainingLogs, read_logs, write_evaluation
from racer.deepracer.logs.reading import read_log
from racer.deepracer.logs.simtrace import COLUMNS, csv_text
from racer.deepracer.logs.writing import EPISODES
from racer.env import TimeTrialVector
from racer.errors import LogError, RunError
from racer.racing import drive, load_agent
from racer.replay import whole_steps
from racer.sim import STEP_S
from racer.training import RunConfig, open_run, resume, start, train

RECIPE = '''
"""A recipe that learns nothing: it follows the centre line, some cars with much noise."""
import json
from pathlib import Path

import numpy as np

from racer.racing import load_agent


class Agent:
    num_envs = 48
    deepracer_hyperparameters = {"lr": 0.5}

    def __init__(self, env, seed=0):
        self.env, self.random = env, np.random.default_rng(seed)
        self.pursuit = load_agent("pure_pursuit").make(env)

    def act(self, observation):
        return np.float32(self.pursuit.act(observation))

    def learn(self, report):
        """Drive; what the environment says of each episode goes to told.jsonl."""
        n, steps = self.num_envs, 0
        noise = np.float32([0.0, 0.3, 1.0, 3.0])[np.arange(n) % 4, None]
        rewards, lengths, lines = np.zeros(n), np.zeros(n, int), []
        observation, _ = self.env.reset(seed=3)
        while report(steps, {}) < 1.0:
            for _ in range(20):
                actions = self.act(observation) + noise * self.random.normal(0.0, 1.0, (n, 2)).astype(np.float32)
                observation, reward, terminated, truncated, info = self.env.step(actions)
                rewards, lengths, steps = rewards + reward, lengths + 1, steps + n
                for i in np.flatnonzero(terminated | truncated).tolist():
                    last = {key: info["final_info"][key][i].item() for key in ("progress", "status", "lap_time_s")}
                    lines.append({"car": i, "reward": rewards[i], "steps": int(lengths[i]), **last})
                    rewards[i], lengths[i] = 0.0, 0
        Path("told.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        state["nothing"]
'''
REWARD = "def reward_function(params):\n    return params['progress'] * 0.1 - params['distance_from_center']\n"
STEPS = 60_000


@pytest.fixture(scope="module")
def client():
    """The community's own reader of DeepRacer's logs."""
    pytest.importorskip("deepracer.logs", reason='the client of DeepRacer\'s logs is not here: pip install ".[test]"')
    import deepracer.logs

    return deepracer.logs


def train_logged(run):
    """Train as the command line does: with DeepRacer's logs, if the run keeps them."""
    return train(run, [TrainingLogs(run.folder)] if run.config.logs else [])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, what the environment told of the training's episodes, and the race at its end."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / "follow.py").write_text(RECIPE)
    (folder / "pay.py").write_text(REWARD)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(run_logs, "APART", 15_000)
        run = start(RunConfig("harbor", "./pay.py", "./follow.py", steps=STEPS, seed=1), str(folder / "run"))
        replay = train_logged(run)
    told = [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]
    return run.folder, told, replay


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def first_episodes(told):
    """What the environment told of the first episode of each car, by car."""
    return {line["car"]: line for line in reversed(told)}


def test_the_folder_has_the_layout_of_deepracer_for_cloud(trained):
    folder, _, _ = trained
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    (evaluation,) = {name for name in names if name.startswith("evaluation-")}
    assert re.fullmatch(r"evaluation-\d{14}/evaluation-simtrace/0-iteration\.csv", evaluation)
    stamp = evaluation.partition("/")[0]
    assert {"0-iteration.csv", "1-iteration.csv", "2-iteration.csv", "README.txt"} <= {
        name.removeprefix("training-simtrace/") for name in names
    }
    assert {
        "metrics/TrainingMetrics.json",
        f"metrics/evaluation/{stamp}.json",
        "model/model_metadata.json",
        "ip/hyperparameters.json",
    } <= names
    metadata = json.loads((folder / "model/model_metadata.json").read_text())
    assert metadata["action_space"]["steering_angle"] == {"low": -30.0, "high": 30.0}
    assert {"action_space_type", "sensor", "neural_network", "version"} <= set(metadata)
    assert read_model_metadata(folder / "model/model_metadata.json").sensors == ("state",)
    assert read_hyperparameters(folder / "ip/hyperparameters.json").lr == 0.5
    hyperparameters = json.loads((folder / "ip/hyperparameters.json").read_text())
    assert hyperparameters == {"lr": 0.5, "num_episodes_between_training": EPISODES}
    assert "20 episodes" in (folder / "training-simtrace/README.txt").read_text()


def test_values_are_written_to_the_letter(trained):
    folder, _, _ = trained
    lines = (folder / "training-simtrace/0-iteration.csv").read_text().split("\n")
    assert lines[0] == (
        "episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,"
        "track_len,tstamp,episode_status,pause_duration,obstacle_crash_counter,wall_clock"
    )
    number = r"-?\d+(\.\d+)?(e-\d+)?"
    row = re.compile(
        rf"\d+,\d+\.0,({number},){{5}}\[{number} {number}\],{number},(True|False),(True|False),{number},\d+,"
        rf"20\.99\d+,\d+\.\d+,[a-z_]+,0\.0,0,\d{{10}}\.\d+"
    )
    assert lines.pop() == ""
    assert all(row.fullmatch(line) for line in lines[1:])
    assert any(",100," in line for line in lines), "a complete lap's progress is a whole number in the original"


def test_episodes_begin_with_a_prepare_step_and_end_with_their_status(trained):
    folder, _, _ = trained
    files = sorted(folder.glob("training-simtrace/*-iteration.csv"))
    for file in files:
        number = int(file.name.partition("-")[0])
        episodes = read_log(file).episodes
        assert [episode.number for episode in episodes] == list(range(number * EPISODES, (number + 1) * EPISODES))
        for episode in episodes:
            rows = episode.rows
            assert (rows["episode_status"][0], rows["reward"][0], rows["steps"][0]) == ("prepare", 0.0, 1.0)
            assert rows[["X", "Y", "yaw", "progress"]][0] == rows[["X", "Y", "yaw", "progress"]][1]
            assert (rows["steps"] == np.arange(1.0, len(rows) + 1)).all()
            assert set(rows["episode_status"][1:-1]) <= {"in_progress"}
            assert rows["done"].tolist() == [False] * (len(rows) - 1) + [True]
            assert episode.status in {"off_track", "lap_complete", "immobilized", "reversed"}
            assert np.allclose(np.diff(rows["tstamp"]), STEP_S)
    assert {episode.status for episode in read_log(files[0]).episodes} >= {"off_track", "lap_complete"}


def test_a_row_is_what_the_reward_function_saw(trained):
    folder, _, _ = trained
    track = open_run(folder).track()
    rows = read_log(folder / "training-simtrace/1-iteration.csv").rows
    driven = rows[rows["episode_status"] != "prepare"]
    from racer.reward import params_at

    for row in driven[:: len(driven) // 100]:
        seen = params_at(track, row["X"], row["Y"], np.radians(row["yaw"]), steps=row["steps"])
        assert row["reward"] == pytest.approx(row["progress"] * 0.1 - seen["distance_from_center"], abs=1e-9)
        near = min(seen["closest_waypoints"], key=lambda i: np.hypot(*(track.center[i] - (row["X"], row["Y"]))))
        assert row["closest_waypoint"] == near
        assert row["all_wheels_on_track"] == seen["all_wheels_on_track"]
        assert row["track_len"] == track.length


def test_the_client_loads_a_training_and_agrees(client, trained):
    folder, told, _ = trained
    log = client.DeepRacerLog(str(folder))
    assert log.fh.type.name == "DRFC_MODEL_SINGLE_WORKERS"
    log.load()
    frame = log.dataframe()
    files = len(list(folder.glob("training-simtrace/*-iteration.csv")))
    assert files >= 3
    assert frame["unique_episode"].nunique() == files * EPISODES
    assert log.hyperparameters()["num_episodes_between_training"] == EPISODES
    assert log.action_space()["speed"] == {"low": 0.5, "high": 4.0}
    assert log.agent_and_network()["sensor_list"] == ["state"]
    assert len(log.stability.analyze()) == files

    found = client.AnalysisUtils.simulation_agg(frame, secondgroup="unique_episode")
    first, ours = found[found["iteration"] == 0], first_episodes(told)
    complete = 0
    for car, episode in enumerate(first.to_dict("records")):
        told_episode = ours[car]
        assert episode["steps"] == told_episode["steps"] + 1  # with the prepare step
        assert episode["time"] == pytest.approx(told_episode["steps"] * STEP_S)
        assert episode["reward"] == pytest.approx(told_episode["reward"])
        lap = told_episode["status"] == "lap_complete"
        assert bool(episode["complete"]) == lap
        if lap:
            complete += 1
            assert episode["progress"] == 100.0
            # DeepRacer finds a lap complete in the step after the one that crosses the line, and counts whole steps.
            assert STEP_S <= episode["time"] - told_episode["lap_time_s"] <= 2 * STEP_S + 1e-9
        else:
            assert episode["progress"] >= told_episode["progress"] - 100.0 * 4.0 * STEP_S / 20.99
    assert 0 < complete < EPISODES


def test_the_client_loads_the_evaluation_and_agrees(client, trained):
    folder, _, replay = trained
    log = client.DeepRacerLog(str(folder))
    log.load_evaluation_trace()
    found = client.AnalysisUtils.simulation_agg(log.dataframe(), firstgroup="stream", is_eval=True)
    assert len(found) == len(replay.laps) == replay.completed_laps == 3
    assert found["progress"].tolist() == [100.0] * 3
    for lap, told in zip(replay.laps, found.to_dict("records"), strict=True):
        steps = int((replay.steps["lap"] == lap.index).sum())
        first = lap.index == 1  # standing: its whole steps reach one farther than the line, the flying laps' do not
        assert told["time"] == pytest.approx((steps + first) * STEP_S)
        slack = told["time"] - lap.time_s
        assert (STEP_S <= slack <= 2 * STEP_S + 1e-9) if first else abs(slack) <= STEP_S
        assert (told["complete"], told["off_track"], told["crashed"]) == (1, 0, 0)


def test_the_client_loads_the_metrics_and_agrees(client, trained, capsys):
    folder, told, replay = trained
    metrics = client.TrainingMetrics(None, fname=str(folder / "metrics/TrainingMetrics.json"), region="us-east-1")
    training = metrics.getTraining()
    files = len(list(folder.glob("training-simtrace/*-iteration.csv")))
    assert training["iteration"].nunique() == files
    assert len(training) == files * EPISODES
    ours = first_episodes(told)
    for row in training[training["iteration"] == 0].to_dict("records"):
        line = ours[row["episode"] - 1]
        assert row["reward"] == round(line["reward"])
        assert row["complete"] == (line["status"] == "lap_complete")
        assert row["time"] == pytest.approx((line["steps"] + 1) * STEP_S, abs=1e-3)
    evaluation = metrics.getEvaluation()
    assert len(evaluation) and len(evaluation) % 3 == 0
    assert set(evaluation["completion"]) == {100}
    assert evaluation["time"].median() == pytest.approx(np.median([lap.time_s for lap in replay.laps]), abs=0.2)
    assert len(metrics.getSummary()) == files


def test_evaluations_of_a_run_are_logged_unless_unwanted_or_impossible(trained, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(trained[0], folder)
    monkeypatch.chdir(trained[0].parent)  # where the recipe is

    own = ["--agent", "./follow.py", "--reward", "./pay.py"]

    def evaluate(*options):
        result = CliRunner().invoke(app, ["evaluate", str(folder), *own, "--laps", "1", *options])
        assert result.exit_code == 0, result.output
        return len(list(folder.glob("evaluation-*"))), result.stderr

    before = len(list(folder.glob("evaluation-*")))
    assert evaluate("--no-logs")[0] == before
    assert evaluate()[0] == before + 1
    shutil.rmtree(folder / "metrics" / "evaluation")
    (folder / "metrics" / "evaluation").touch()  # in the way
    count, said = evaluate()
    assert count == before + 1
    assert "No logs are kept: cannot make the folder" in said


def test_evaluation_metrics_count_what_happened(tmp_path):
    class Away:
        def act(self, observation):
            return np.float32([[1.0, 1.0]])

    recorder = StepRecorder(1, endless=True)
    replay = drive(Away(), ring(), 2, step_callback=recorder)
    assert whole_steps(replay.laps) == [len(rows) for rows in recorder.laps(replay.track)]
    made = write_evaluation(tmp_path, replay.laps, recorder.laps(replay.track))
    again = write_evaluation(tmp_path, replay.laps, recorder.laps(replay.track))
    assert made != again, "an evaluation in the same second gets a folder of its own"
    metrics = json.loads((tmp_path / f"metrics/evaluation/{made.name}.json").read_text())["metrics"]
    assert [item["trial"] for item in metrics] == [1, 2]
    for item, lap in zip(metrics, replay.laps, strict=True):
        assert item["episode_status"] == "Off track"
        assert (item["off_track_count"], item["crash_count"], item["reset_count"]) == (1, 0, 0)
        assert 0 <= item["completion_percentage"] < 50
        assert item["elapsed_time_in_milliseconds"] == pytest.approx((lap.time_s + STEP_S) * 1000.0, abs=1.0)
        assert item["metric_time"] - item["start_time"] == pytest.approx(item["elapsed_time_in_milliseconds"], abs=1)
    rows = rows_of(made / "evaluation-simtrace/0-iteration.csv")
    assert [row["episode"] for row in rows if row["episode_status"] == "prepare"] == ["0", "1"]


def test_flying_laps_are_logged_as_the_original_logs_them(tmp_path):
    env = TimeTrialVector(1, "harbor")
    recorder = StepRecorder(1, endless=True)
    replay = drive(load_agent("pure_pursuit").make(env), env.track, 3, step_callback=recorder)
    made = write_evaluation(tmp_path, replay.laps, recorder.laps(replay.track))
    episodes = read_log(made / "evaluation-simtrace/0-iteration.csv").episodes
    assert whole_steps(replay.laps) == [len(episode.rows) for episode in episodes]
    assert [episode.number for episode in episodes] == [0, 1, 2]
    assert [episode.flying for episode in episodes] == [False, True, True]
    assert [episode.status for episode in episodes] == ["in_progress", "in_progress", "lap_complete"]
    assert all(episode.complete for episode in episodes)
    rows = np.concatenate([episode.rows for episode in episodes])
    assert (rows["steps"] == np.arange(1.0, len(rows) + 1)).all(), "the steps run on over flying laps"
    assert rows["done"].tolist() == [False] * (len(rows) - 1) + [True]
    assert len(rows) == len(replay.steps) + 2  # the prepare step, and the one that finds the last lap complete
    for name, column in (("reward", "reward"), ("speed_command", "throttle")):
        assert np.array_equal(replay.steps[name], rows[column][1:-1])


def test_tracing_changes_nothing():
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (150, 8, 2)).astype(np.float32)
    given = []
    for recorder in (None, StepRecorder(3), StepRecorder(8, endless=True)):
        env = TimeTrialVector(8, "harbor", "centerline")
        env.step_callback = recorder
        seen = [env.reset(seed=5)[0], *(env.step(action)[0] for action in actions)]
        given.append((np.array(seen), env.state.copy()))
    for seen, state in given[1:]:
        assert np.array_equal(seen, given[0][0])
        assert np.array_equal(state, given[0][1])


def test_a_recorder_takes_one_whole_episode_of_each_car():
    env, recorder = TimeTrialVector(4, "harbor"), StepRecorder(3)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.zeros((4, 2), np.float32))
    env.step_callback = recorder  # in the middle of an episode, which is none of its business
    while not recorder.done:
        env.step(np.ones((4, 2), np.float32))
    for car in range(3):
        rows = recorder.episode(car, env.track)
        assert rows["steps"].tolist() == list(range(1, len(rows) + 1))
        assert rows["done"].sum() == 1
    recorder.begin()
    assert not recorder.done and recorder.episode(0, env.track) is None and recorder.laps(env.track) == []


def small_run(tmp_path, monkeypatch, steps, **how):
    (tmp_path / "follow.py").write_text(RECIPE)
    (tmp_path / "pay.py").write_text(REWARD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_logs, "APART", 10_000)
    return start(RunConfig("harbor", "./pay.py", "./follow.py", steps=steps, **how), str(tmp_path / "run"))


@pytest.mark.slow
def test_a_run_that_goes_on_goes_on_with_its_logs(client, tmp_path, monkeypatch):
    run = small_run(tmp_path, monkeypatch, 1_920)
    train_logged(run)
    lone = read_logs(run.folder / "training-simtrace")
    assert len(lone) == 1, "a training too short for a whole file leaves what it has"
    assert 0 < len(lone[0].episodes) < EPISODES
    own = {"reward": "./pay.py", "agent": "./follow.py"}
    for steps in (20_000, 60_000):
        train_logged(resume(run.folder, steps=steps, **own))
    logs = read_logs(run.folder / "training-simtrace")
    assert [log.path.name for log in logs] == [f"{k}-iteration.csv" for k in range(len(logs))]
    assert len(logs) >= 3
    assert {len(log.episodes) for log in logs} == {EPISODES}
    items = json.loads((run.folder / "metrics/TrainingMetrics.json").read_text())["metrics"]
    training = [item["episode"] for item in items if item["phase"] == "training"]
    assert training == list(range(1, len(logs) * EPISODES + 1))
    assert len(list(run.folder.glob("evaluation-*"))) == 3

    (run.folder / "metrics/TrainingMetrics.json").write_text('{"metrics": 3}')
    with pytest.raises(LogError, match=r"TrainingMetrics\.json is damaged.*--no-logs"):
        train_logged(resume(run.folder, steps=65_000, **own))
    train_logged(resume(run.folder, steps=65_000, logs=False, **own))


def test_without_logs_there_are_none(tmp_path, monkeypatch):
    run = small_run(tmp_path, monkeypatch, 5_000, logs=False)
    train_logged(run)
    assert not [path.name for path in run.folder.iterdir() if path.is_dir() and path.name != "tensorboard"]
    assert not open_run(run.folder).config.logs


def test_what_is_read_is_written_again_to_the_letter(logs):
    path = logs / "droa2026_eval_spain_simtrace.csv"  # of the newest generation, with all columns
    assert csv_text(read_log(path).rows) == path.read_text()
    assert tuple(path.read_text().partition("\n")[0].split(",")) == COLUMNS


class _Learner:
    hyperparameters: ClassVar = {"lr": 0.5}


LINKS = [
    *("training-simtrace", "metrics", "model", "ip", "training-simtrace/README.txt"),
    *("model/model_metadata.json", "ip/hyperparameters.json"),
]


@pytest.mark.parametrize("name", LINKS)
def test_no_log_is_written_through_a_link(tmp_path, name):
    precious, link = tmp_path / "precious", tmp_path / "run" / name
    link.parent.mkdir(parents=True)
    precious.mkdir() if "." not in name else precious.write_text("mine")
    link.symlink_to(precious)
    with pytest.raises(RunError, match="is a link"):
        TrainingLogs(tmp_path / "run").on_training_start(TimeTrialVector(2, "harbor"), _Learner())
    assert list(precious.iterdir()) == [] if precious.is_dir() else precious.read_text() == "mine"


@pytest.mark.parametrize("name", ["metrics", "metrics/evaluation"])
def test_no_evaluation_is_written_through_a_link(tmp_path, name):
    env, recorder = TimeTrialVector(1, "harbor"), StepRecorder(1, endless=True)
    replay = drive(load_agent("pure_pursuit").make(env), env.track, 1, step_callback=recorder)
    (tmp_path / "precious").mkdir()
    link = tmp_path / "run" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "precious")
    with pytest.raises(RunError, match="is a link"):
        write_evaluation(tmp_path / "run", replay.laps, recorder.laps(env.track))
    assert list((tmp_path / "precious").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["3", "[]", '{"metrics": {}}', '{"metrics": [3]}', '{"metrics": [null]}', '{"metrics": [{"episode": 1}]}', "{", ""],
)
def test_damaged_metrics_are_one_message(tmp_path, content):
    for folder in ("training-simtrace", "metrics"):
        (tmp_path / folder).mkdir()
    for number in (0, 1):
        (tmp_path / f"training-simtrace/{number}-iteration.csv").write_text("")
    (tmp_path / "metrics/TrainingMetrics.json").write_text(content)
    with pytest.raises(LogError, match=r"TrainingMetrics\.json"):
        TrainingLogs(tmp_path).on_training_start(TimeTrialVector(2, "harbor"), _Learner())


def test_odd_names_and_empty_files_among_the_logs_do_no_harm(tmp_path):
    traces = tmp_path / "training-simtrace"
    traces.mkdir()
    for name in ("0-iteration.csv", "9" * 200 + "-iteration.csv", "x-iteration.csv"):
        (traces / name).write_text("")
    logs = TrainingLogs(tmp_path)
    logs.on_training_start(TimeTrialVector(2, "harbor"), _Learner())
    logs.on_training_end()
