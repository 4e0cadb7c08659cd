"""Trainings on several tracks, and what a driver does on many: through the engine and through the command line."""

import json
from pathlib import Path

import pytest
from test_train import CLIMBER, REWARD
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.logs import TrainingLogs
from racer.env import ConcatVectorEnv, TimeTrialVector
from racer.errors import RunError, ShelfError, TrackError
from racer.racing import EvaluationResult, both_directions, drive, evaluate, load_agent, load_state, trials
from racer.sim import OFF, RANDOMIZATIONS
from racer.track import load_track, make_track
from racer.training import RunConfig, open_run, resume, start, train

RUNNER = CliRunner()
TRACKS = ("pebble", "bean", "random")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A working folder of a learner's own."""
    monkeypatch.chdir(tmp_path)
    Path("agents").mkdir()
    Path("reward_functions").mkdir()
    Path("agents/climber.py").write_text(CLIMBER.replace("num_envs = 4", "num_envs = 10"))
    Path("reward_functions/mine.py").write_text(REWARD)
    return tmp_path


def begin(name="a", tracks=TRACKS, steps=1280, **more):
    return start(RunConfig(tracks, "mine", "climber", steps=steps, **more), name)


def learned(run):
    return {name: values.tobytes() for name, values in load_state(run.checkpoint)[0].items()}


def run_command(*arguments):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# --- Training --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_training_on_several_tracks_goes_on_where_it_stopped():
    run = begin(steps=320)
    train(run)
    first = learned(run)
    again = resume(run.folder, steps=640)
    replay = train(again, [TrainingLogs(again.folder)])
    assert int(load_state(run.checkpoint)[0]["steps"]) == 640 and learned(again) != first
    assert replay.track.name == "pebble" and len(replay.laps) == 3
    config = open_run(run.folder).config
    assert (config, config.tracks, config.both_directions) == (again.config, TRACKS, True)
    ways = [(track.name, track.reversed) for track in run.training_tracks()]
    assert ways == [("pebble", False), ("pebble", True), ("bean", False), ("bean", True)]
    assert [track.digest for track in run.tracks()] == [load_track(name).digest for name in TRACKS[:2]]
    assert run.track().digest == run.tracks()[0].digest
    assert (run.folder / "training-simtrace").exists()


@pytest.mark.slow
def test_random_tracks_alone():
    runs = [begin(name, "random", seed=seed, steps=640) for name, seed in (("a", 3), ("b", 3))]
    replays = [train(run) for run in runs]
    assert learned(runs[0]) == learned(runs[1])
    assert replays[0].track.digest == runs[0].random.unseen(1)[0].digest
    assert runs[0].tracks() == () and not (runs[0].folder / "training-simtrace").exists()
    assert not runs[0].config.logs and not runs[0].config.both_directions


@pytest.mark.parametrize(
    ("tracks", "error", "message"),
    [
        (("pebble", "harbr"), ShelfError, "Did you mean 'harbor'"),
        (("pebble", "pebble"), RunError, "each of them once"),
        ((), RunError, "at least one"),
        (("pebble", "harbor", "needle", "dune", "bean", "fjord"), RunError, "10 cars, too few .* 12 tracks"),
    ],
)
def test_tracks_that_make_no_training(tracks, error, message):
    with pytest.raises(error, match=message):
        begin(tracks=tracks)
    assert not Path("runs").exists()


def test_a_run_of_an_earlier_format_has_one_track():
    run = begin(tracks="pebble")
    path = run.folder / "run.json"
    data = json.loads(path.read_text())
    del data["tracks"], data["both_directions"], data["hyperparameters"]
    data |= {"track": "pebble", "format": 2, "both_ways": False, "knobs": {}}
    ranges = {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 0.5, "high": 4.0}}
    data["actions"] = {"action_space_type": "continuous", "action_space": ranges}
    path.write_text(json.dumps(data))
    assert open_run(run.folder).config == run.config
    for wrong in ([], [3], "pebble", None):
        path.write_text(json.dumps(data | {"tracks": wrong}))
        with pytest.raises(RunError, match="tracks"):
            open_run(run.folder)


def test_a_driver_is_judged_by_every_track():
    """Whoever fails on one track of two is worse than who is slow on both."""
    slow, quick = EvaluationResult(1.0, 12.0, ()), EvaluationResult(1.0, 9.0, ())
    assert quick.rank > slow.rank and quick.clean

    class Careful:
        def __init__(self, env):
            self.driver = load_agent("pure_pursuit").make(env)

        def act(self, observations):
            actions = self.driver.act(observations)
            width = observations[:, 7]  # half the track's; needle's is the narrow one
            actions[(width < 0.35) & self.blind] = [1.0, 1.0]
            return actions

    def cars(name):
        return TimeTrialVector(3, name, None, start="line", laps=2, time_limit_s=100.0)

    cars_on_two = ConcatVectorEnv([cars("pebble"), cars("needle")])
    driver = Careful(cars_on_two)
    driver.blind = False
    good = evaluate(cars_on_two, driver, 2, seed=0)
    driver.blind = True
    bad = evaluate(cars_on_two, driver, 2, seed=0)
    assert good.clean and not bad.clean and bad.completed <= 0.5 < good.completed
    alone = [[lap.time_s for lap in drive(driver.driver, load_track(name), 2).laps] for name in ("pebble", "needle")]
    assert [lap.time_s for lap in good.laps] == pytest.approx(alone[0], abs=1e-9)
    means = [sum(times) / 2 for times in alone]
    assert good.lap_time_s == pytest.approx((means[0] * means[1]) ** 0.5)


def test_the_undisturbed_car_is_not_randomised():
    """Randomised cars say how well a driver copes; its lap time is that of the car as simulated."""

    def cars(count, varies):
        return TimeTrialVector(count, "pebble", None, start="line", laps=2, time_limit_s=100.0, randomization=varies)

    both = ConcatVectorEnv([cars(1, OFF), cars(3, RANDOMIZATIONS["car"])])
    driver = load_agent("pure_pursuit").make(both)
    result = evaluate(both, driver, 2, seed=0)
    alone = evaluate(cars(1, OFF), driver, 2, seed=0)
    assert len(result.attempts) == 8
    assert (result.laps, result.lap_time_s, result.clean) == (alone.laps, alone.lap_time_s, True)


# --- Trials ----------------------------------------------------------------------------------------------------------


def test_words_for_tracks():
    found = both_directions("pebble,random:2")
    assert [(track.name, track.reversed) for track in found] == [
        (name, way) for name in ("pebble", "random-1", "random-2") for way in (False, True)
    ]
    assert found[2].digest == make_track(1).digest
    assert {"harbor", "needle", "odyssey"} <= {track.name for track in both_directions("shelf")}
    for wrong in ("random", "random:0", "random:many", "random:1001"):
        with pytest.raises(TrackError, match="random:K"):
            both_directions(wrong)
    with pytest.raises(ShelfError, match="pebble"):
        both_directions("peble")


def test_a_trial_tells_what_a_race_tells():
    course = load_track("pebble")
    driver = load_agent("pure_pursuit").make(TimeTrialVector(1, course, None))
    courses = [course, course.reverse()]
    found = list(trials(lambda _: driver, courses, 2, [load_track("pebble")]))
    assert [trial.trained for trial in found] == [True, False]
    for trial, track in zip(found, courses, strict=True):
        laps = drive(driver, track, 2).laps
        assert trial.laps == laps and trial.completed == 2
        assert trial.best_lap_s == min(lap.time_s for lap in laps)
        assert trial.mean_lap_s == pytest.approx(sum(lap.time_s for lap in laps) / 2)


@pytest.mark.slow
def test_evaluate_tells_trained_and_held_out_tracks_apart():
    made = run_command(
        *("train", "--tracks", "pebble,bean,random", "--reward", "mine.py", "--agent", "climber.py"),
        *("--steps", 1280, "--name", "both"),
    )
    assert made.exit_code == 0, made.output
    assert "on pebble, bean, random with" in made.stderr
    shown = run_command("evaluate", "both", "--tracks", "pebble,acorn,random:1", "--laps", 1)
    trained, _, held_out = shown.stdout.partition("held out")
    assert "trained on: " in trained and trained.count("pebble") == 2 and "acorn" not in trained
    assert held_out.count("acorn") == held_out.count("random-1") == 2
    told = json.loads(run_command("evaluate", "both", "--tracks", "bean,acorn", "--laps", 1, "--json").stdout)
    races = told["races"]
    assert [(race["track"], race["direction"], race["trained"]) for race in races] == [
        (name, way, name == "bean") for name in ("bean", "acorn") for way in ("forward", "reverse")
    ]
    assert told["clean"] == sum(race["completed_laps"] == 1 for race in races)
    assert all(race["best_lap_s"] == (race["laps"][0]["time_s"] if race["completed_laps"] else None) for race in races)


def test_evaluate_an_agent_that_needs_no_training():
    shown = run_command("evaluate", "pure_pursuit", "--tracks", "pebble", "--laps", 2)
    assert shown.exit_code == 0 and "2 of 2 races clean" in shown.stdout and "2 of 2" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train", "--tracks", "pebble,bean", "--track", "dune"), 2, "choose one of --tracks"),
        (("train", "--tracks", "pebble,bean", "--reverse"), 2, "both directions"),
        (("train", "--tracks", "pebble,baen"), 1, "Did you mean 'bean'"),
        (("train", "--resume", "--tracks", "pebble"), 2, "keeps its track"),
        (("evaluate", "pure_pursuit", "--tracks", "pebble", "--track", "bean"), 2, "takes no --track"),
        (("evaluate", "pure_pursuit", "--tracks", "random:x"), 1, "random:K"),
        (("evaluate", "nobody", "--tracks", "pebble"), 1, "there is no run and no agent"),
        (("evaluate", "ppo", "--tracks", "pebble"), 1, "has learned nothing yet"),
    ],
)
def test_mistakes_get_one_message(arguments, code, message):
    result = run_command(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.replace("│", " ").split())
