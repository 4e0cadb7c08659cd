"""Run folders as strangers, mistakes and accidents leave them: what they may not do, and what still works."""

import dataclasses
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_train import CLIMBER, REWARD, metrics, notes
from typer.testing import CliRunner

from racer.cli import app, screen
from racer.errors import RunError
from racer.racing import load_state
from racer.replay import load_replay
from racer.sim import DiscreteActions
from racer.track import load_track
from racer.training import Progress, RunConfig, find_run, open_run, resume, start, train

REPO = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
CANARY = "from pathlib import Path\nPath({0!r}).write_text('executed')\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A learner's folder with a short run, `base`."""
    folder = tmp_path_factory.mktemp("learner")
    (folder / "agents").mkdir()
    (folder / "reward_functions").mkdir()
    (folder / "agents/climber.py").write_text(CLIMBER)
    (folder / "reward_functions/mine.py").write_text(REWARD)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        racer("train", "--track", "pebble", "--reward", "mine", "--agent", "climber", "--steps", 640, "--name", "base")
    return folder


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A copy of that folder to work in."""
    shutil.copytree(made, tmp_path / "home", symlinks=True)
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def racer(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    return result


def rewrite(run, **changes):
    path = Path("runs", run, "run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def contents(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


# --- A stranger's run is data ---------------------------------------------------------------------------------------

OPENING = [
    ("evaluate", "base", "--laps", 1),
    ("evaluate", "base", "--tracks", "pebble", "--laps", 1),
    ("evaluate", "runs/base", "--laps", 1),
    ("train", "--name", "base", "--resume", "--more-steps", 64),
    ("train", "--resume", "--more-steps", 64),
    ("train", "--from", "base", "--name", "new", "--steps", 64),
    ("train", "--from", "base", "--name", "new", "--steps", 64, "--reward", "centerline"),
    ("list", "runs"),
    ("watch", "base", "--record", "lap.png", "--size", "320x200"),
    ("leaderboard", "add", "base", "--driver", "Ada"),
    ("import-log", "runs/base"),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", OPENING, ids=lambda command: " ".join(map(str, command)))
@pytest.mark.parametrize(
    "named",
    [
        "runs/base/evil",
        "runs/base/evil.py",
        "./runs/base/evil.py",
        "runs/other/evil.py",
        "runs/evil.py",
        "agents/../runs/base/evil.py",
        "{home}/runs/base/evil.py",
        "{home}/evil.py",
        "evil.py",
        "../outside/evil.py",
        "~/evil.py",
        "linked",
    ],
)
def test_nothing_that_a_run_names_outside_the_shelves_is_executed(home, monkeypatch, command, named):
    canary = home.parent / "canary"
    places = ["runs/base", "runs/other", "runs", ".", "../outside", "../user"]
    for place in places:
        (home / place).mkdir(exist_ok=True)
        (home / place / "evil.py").write_text(CANARY.format(str(canary)) + CLIMBER + REWARD)
    monkeypatch.setenv("HOME", str(home.parent / "user"))
    for shelf in ("agents", "reward_functions"):
        (home / shelf / "linked.py").symlink_to(home / "runs/base/evil.py")
    digest = hashlib.sha256((CANARY.format(str(canary)) + CLIMBER + REWARD).encode()).hexdigest()
    own = {"reward": "mine", "agent": "climber"}
    for changes in (
        {"reward": named.format(home=home), "reward_digest": digest},
        {"agent": named.format(home=home), "agent_digest": digest},
    ):
        rewrite("base", **own | changes)
        shown = CliRunner().invoke(app, [str(word) for word in command])
        assert isinstance(shown.exception, SystemExit | None), shown.exception
        assert not canary.exists()
    assert command[0] not in ("evaluate", "train") or (shown.exit_code == 1 and "name it with --agent" in shown.stderr)


def test_what_the_user_names_is_the_users(home):
    Path("own.py").write_text(CLIMBER)
    racer("train", "--track", "pebble", "--reward", "mine", "--agent", "own.py", "--steps", 640, "--name", "own")
    refused = racer("evaluate", "own", code=1)
    assert "'own.py'" in refused.stderr and "name it with --agent" in refused.stderr
    racer("evaluate", "own", "--agent", "own.py", "--laps", 1)
    went_on = racer("train", "--name", "own", "--resume", "--more-steps", 64, "--agent", "own.py")
    assert "--agent own.py" in went_on.stderr, "the commands that it prints name it, too"


@pytest.mark.slow
@posix
@pytest.mark.parametrize(
    "name",
    [
        "best.replay",
        "best.safetensors",
        "checkpoint.safetensors",
        "run.json",
        "track.json",
        "metrics.csv",
        "rewards.log",
        "tensorboard",
        "training-simtrace",
        "metrics",
        "metrics/TrainingMetrics.json",
        "metrics/evaluation",
        "lock",
        "lock.json",
    ],
)
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_links_and_pipes_in_a_run_are_refused(home, name, kind):
    path = home / "runs/base" / name
    precious = home / "precious"
    if path.is_dir():
        shutil.move(path, precious)
    else:
        path.parent.mkdir(exist_ok=True)
        precious.write_bytes(path.read_bytes() if path.exists() else b"precious")
        path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(precious)
    else:
        os.mkfifo(path)
    before = contents(precious) if precious.is_dir() else precious.read_bytes()
    refused = racer("train", "--name", "base", "--resume", "--more-steps", 64, code=1)
    assert str(Path("runs/base", name)) in refused.stderr and "\n" not in refused.stderr.partition("Error: ")[2].strip()
    racer("evaluate", "base", "--laps", 1, code=1)
    racer("train", "--from", "base", "--name", "new", "--steps", 64, code=1)
    (record,) = json.loads(racer("list", "runs", "--json").stdout)
    assert name.split("/")[0] in record["problem"]
    assert (contents(precious) if precious.is_dir() else precious.read_bytes()) == before


@posix
@pytest.mark.parametrize("name", ["metrics.csv", "rewards.log"])
def test_a_hard_link_in_a_run_is_not_written_through(home, name):
    """What is added to is refused; all other files are replaced, which leaves what a hard link leads to as it is."""
    path, precious = home / "runs/base" / name, home / "precious"
    precious.write_bytes(path.read_bytes() if path.exists() else b"precious\n")
    path.unlink(missing_ok=True)
    path.hardlink_to(precious)
    before = precious.read_bytes()
    refused = racer("train", "--name", "base", "--resume", "--more-steps", 64, code=1)
    assert f"{Path('runs/base', name)} is a hard link" in refused.stderr
    assert precious.read_bytes() == before


@posix
def test_other_hard_links_in_a_run_do_no_harm(home):
    for path in (path for path in Path("runs/base").rglob("*") if path.is_file()):
        if path.name not in ("metrics.csv", "rewards.log"):
            (home / f"precious {str(path).replace('/', ' ')}").hardlink_to(path)
    before = contents(home)
    racer("train", "--name", "base", "--resume", "--more-steps", 64)
    racer("evaluate", "base", "--laps", 1)
    after = contents(home)
    assert all(after[path] == data for path, data in before.items() if path.name.startswith("precious"))


# --- One process at a time ------------------------------------------------------------------------------------------


@pytest.mark.slow
@posix
def test_a_run_is_locked_while_a_process_trains_in_it(home):
    command = [sys.executable, "-m", "racer", "train", "--track", "pebble", "--agent", "climber", "--name", "fast"]
    environment = dict(os.environ, PYTHONPATH=str(REPO))
    with subprocess.Popen([*command, "--steps", "1e9"], env=environment, stderr=subprocess.PIPE, text=True) as job:
        try:
            until = time.monotonic() + 120.0
            while not Path("runs/fast/metrics.csv").exists():
                assert time.monotonic() < until and job.poll() is None, job.communicate()[1]
                time.sleep(0.05)
            before = json.loads(Path("runs/fast/run.json").read_text())
            for options in (("--name", "fast"), ("--name", "fast", "--resume"), ("--resume", "--more-steps", 1)):
                refused = racer(
                    "train",
                    "--steps" if "--more-steps" not in options else "--no-logs",
                    *([100] if "--more-steps" not in options else []),
                    *options,
                    code=1,
                )
                assert f"by process {job.pid} on {platform.node()}" in refused.stderr, options
            assert json.loads(Path("runs/fast/run.json").read_text()) == before
        finally:
            job.kill()
            job.communicate()
    assert Path("runs/fast/lock.json").exists(), "a killed process leaves its name behind, and no lock"
    racer(
        "train",
        "--name",
        "fast",
        "--resume",
        "--steps",
        1
        if not Path("runs/fast/checkpoint.safetensors").exists()
        else notes(Path("runs/fast/checkpoint.safetensors"))["steps"] + 64,
    )
    assert not Path("runs/fast/lock.json").exists()


def test_a_run_opens_while_another_process_writes_in_it(home):
    run = Path("runs/base")
    code = "import itertools, sys; from pathlib import Path; print(flush=True)\nfor k in itertools.count(): "
    code += "old = Path(sys.argv[1], f'.a.{k}.tmp.clip'); old.touch(); old.replace(Path(sys.argv[1], 'live.clip'))"
    with subprocess.Popen([sys.executable, "-c", code, str(run)], stdout=subprocess.PIPE) as writer:
        try:
            writer.stdout.readline()
            for _ in range(300):
                assert open_run(run).config.steps == 640
            assert writer.poll() is None, "it wrote all the time"
        finally:
            writer.kill()


def test_a_run_that_another_process_began_anew_is_not_trained(home):
    first = start(RunConfig("pebble", "mine", "climber", steps=64), "twice")
    start(RunConfig("pebble", "mine", "climber", steps=128), "twice")
    with pytest.raises(RunError, match="no longer the run that it was"):
        train(first)


@pytest.mark.parametrize("left", [".track.0a1b2c3d.tmp.json", "lock", "lock.json", None])
def test_a_kill_before_the_first_file_blocks_no_name(home, left):
    Path("runs/killed").mkdir()
    if left:
        Path("runs/killed", left).touch()
    assert start(RunConfig("pebble", "mine", "climber", steps=64), "killed").folder == Path("runs/killed")


# --- Going on, and beginning with another's driver ------------------------------------------------------------------


@pytest.mark.slow
def test_more_is_more_and_the_total_is_the_total(home):
    done = racer("train", "--name", "base", "--resume", code=1)
    assert "has used up its budget: it was trained for 640 steps" in done.stderr
    assert "racer train --name base --resume --more-steps 500000" in done.stderr
    racer("train", "--name", "base", "--resume", "--more-steps", 128)
    assert notes(Path("runs/base/checkpoint.safetensors"))["steps"] == 768
    racer("train", "--name", "base", "--resume", "--steps", "1_024")
    assert notes(Path("runs/base/checkpoint.safetensors"))["steps"] == 1024
    spent = notes(Path("runs/base/checkpoint.safetensors"))["seconds"]
    racer("train", "--name", "base", "--resume", "--more-seconds", 0.05)
    assert open_run(Path("runs/base")).config.seconds == pytest.approx(spent + 0.05)
    racer("train", "--more-steps", 64, code=2)
    racer("train", "--name", "base", "--resume", "--more-steps", 64, "--steps", 99, code=1)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "steps"), [("1e3", 1000), ("1_280", 1280), ("1,280", 1280), ("640.0", 640)])
def test_steps_as_people_write_them(home, text, steps):
    racer("train", "--track", "pebble", "--agent", "climber", "--steps", text, "--name", "written")
    assert open_run(Path("runs/written")).config.steps == steps
    for wrong in ("1.5", "many", "1e999", "nan"):
        assert "whole number" in racer("train", "--steps", wrong, code=2).stderr


def test_the_text_that_a_run_kept_may_be_gone_on_with(home):
    Path("reward_functions/mine.py").unlink()
    lost = racer("train", "--name", "base", "--resume", "--more-steps", 64, code=1)
    assert "--reward runs/base/reward.py.txt" in lost.stderr
    racer("train", "--name", "base", "--resume", "--more-steps", 64, "--reward", "runs/base/reward.py.txt")
    assert open_run(Path("runs/base")).config.reward == "mine"
    Path("reward_functions/mine.py").write_text(REWARD + "# changed\n")
    changed = racer("train", "--name", "base", "--resume", "--more-steps", 64, code=1)
    assert "has changed" in changed.stderr and "--reward runs/base/reward.py.txt" in changed.stderr
    racer("train", "--name", "base", "--resume", "--more-steps", 64, "--reward", "mine")
    assert Path("runs/base/reward.py.txt").read_text().endswith("# changed\n")


def test_a_new_run_begins_with_the_driver_of_an_old_one(home):
    before = contents("runs/base")
    racer("train", "--from", "base", "--reward", "centerline", "--track", "bean", "--steps", 64, "--name", "next")
    assert contents("runs/base") == before
    run = find_run("next")
    assert (run.config.reward, run.config.track_names, run.config.agent) == ("centerline", ("bean",), "climber")
    assert run.track().digest == load_track("bean").digest
    old, began = (
        load_state(folder / name)[0]
        for folder, name in ((Path("runs/base"), "best.safetensors"), (run.folder, "initial.safetensors"))
    )
    assert all((old[key] == began[key]).all() for key in old)
    assert [int(row["steps"]) for row in metrics(run)] == [64], "its own steps count, not the old ones"
    assert notes(run.checkpoint)["steps"] == 64
    racer("train", "--from", "base", "--steps", 64, "--name", "again", "--seed", 7)
    assert (find_run("again").config.reward, find_run("again").config.seed) == ("mine", 7)
    assert [int(row["steps"]) for row in metrics(find_run("again"))] == [64]


@pytest.mark.slow
def test_the_networks_alone_are_taken_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = start(RunConfig("pebble", steps=20_000, logs=False), "first")
    train(first)
    second = start(RunConfig("bean", "centerline", steps=8_192, logs=False), "second", first)
    assert open_run(second.folder) == second
    train(second)
    old, new = first.load(first.best)[0], load_state(second.checkpoint)[0]
    assert old.keys() == new.keys() and int(new["steps"]) < int(old["steps"])
    weights = [key for key in old if key.startswith("policy/") and old[key].ndim == 2]
    assert any((old[key] != new[key]).any() for key in weights)
    assert all(abs(old[key] - new[key]).mean() < 0.2 * abs(old[key]).mean() + 0.05 for key in weights)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensors": ("LIDAR",)}, "learned with the sensors"),
        ({"actions": DiscreteActions(((0.0, 1.0), (10.0, 2.0)))}, "learned with the actions"),
        ({"agent": "ppo"}, "does not fit this agent"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(home, changes, message):
    config = RunConfig(**{"tracks": "pebble", "agent": "climber", "steps": 64, **changes})
    with pytest.raises(Exception, match=message) as caught:
        start(config, "misfit", find_run("base"))
    assert "\n" not in str(caught.value)
    assert not Path("runs/misfit").exists()


def test_a_driver_outlives_its_recipe(tmp_path, monkeypatch):
    """It drives as it was kept; what goes on learning needs the recipe as it was."""
    monkeypatch.chdir(tmp_path)
    train(start(RunConfig("pebble", steps=2_048, logs=False, hyperparameters={"net_arch": (8,)}), "old"))
    before = racer("evaluate", "old", "--laps", 1, "--json").stdout
    rewrite("old", hyperparameters={})  # as if the recipe had others now
    assert racer("evaluate", "old", "--laps", 1, "--json").stdout == before
    named = racer("evaluate", "old", "--agent", "ppo", code=1)
    resumed = racer("train", "--name", "old", "--resume", "--more-steps", 64, code=1)
    assert "does not fit this agent" in named.stderr and "does not fit this agent" in resumed.stderr


# --- What accidents leave ------------------------------------------------------------------------------------------


def test_rows_past_the_checkpoint_are_cut(home):
    path = Path("runs/base/metrics.csv")
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows, rows[-1].replace("640,", "704,", 1), "768,1.0"]) + "\n")
    train(resume(Path("runs/base"), more_steps=192))
    assert [int(row["steps"]) for row in metrics(find_run("base"))] == list(range(64, 833, 64))


def test_a_run_is_evaluated_where_nothing_can_be_written(home):
    Path("runs/base/rewards.log").unlink()
    Path("runs/base/rewards.log").mkdir()
    shutil.rmtree("runs/base/metrics")
    Path("runs/base/metrics").touch()
    shown = racer("evaluate", "base", "--laps", 1)
    assert "pebble" in shown.stdout and "No logs are kept" in shown.stderr and "is not kept" in shown.stderr
    assert "No logs" not in racer("evaluate", "base", "--laps", 1, "--no-logs").stderr


DAMAGE = [
    {"steps": None, "seconds": None},
    {"steps": 10**30},
    {"steps": True},
    {"seconds": 1e300, "steps": None},
    {"seed": 10**19},
    {"tracks": ["pebble", "bean"]},
    {"tracks": [{}]},
    {"tracks": ["random"]},
    {"reward": 3},
    {"agent": None},
    {"hyperparameters": {"a": [[1]]}},
    {"actions": {"choices": [[1e308, 1]] * 3, "speed": 1}},
    {"starts": {"advance": []}},
    {"sensors": []},
    {"format": "4"},
    {"format": [4]},
]


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_an_edited_run_is_told_and_hides_no_other(home, damage):
    shutil.copytree("runs/base", "runs/edited")
    rewrite("edited", **damage)
    for command in (
        ("evaluate", "edited"),
        ("train", "--name", "edited", "--resume", "--more-steps", 64),
        ("train", "--from", "edited", "--steps", 64, "--name", "x"),
    ):
        refused = racer(*command, code=1)
        assert "edited" in refused.stderr
    records = {record["name"]: record for record in json.loads(racer("list", "runs", "--json").stdout)}
    assert records["base"]["problem"] is None
    assert records["edited"]["problem"] or damage.get("tracks") in (["pebble", "bean"], ["random"])


@pytest.mark.slow
@pytest.mark.parametrize("items", [[1], [{}], [{"episode": {}}], {"a": 1}, "x"])
def test_odd_metrics_of_deepracers_logs_are_told(home, items):
    for number in (0, 1):
        Path(f"runs/base/training-simtrace/{number}-iteration.csv").write_text("episode\n0\n")
    Path("runs/base/metrics/TrainingMetrics.json").write_text(json.dumps({"metrics": items}))
    refused = racer("train", "--name", "base", "--resume", "--more-steps", 64, code=1)
    assert "TrainingMetrics.json is damaged" in refused.stderr
    racer("train", "--name", "base", "--resume", "--more-steps", 64, "--no-logs")


# --- What is printed -----------------------------------------------------------------------------------------------


def test_the_list_shows_laps_and_dates(home):
    (record,) = json.loads(racer("list", "runs", "--json").stdout)
    replay = load_replay("runs/base/best.replay")
    assert record["completed"] == 1.0 and record["best_lap_s"] == pytest.approx(replay.best_lap_s, abs=0.05)
    shown = racer("list", "runs").stdout
    assert f"{record['best_lap_s']:.3f} s" in shown and "local time" in shown and record["trained"][:10] in shown


def test_printed_commands_work_as_printed(home):
    trained = racer("train", "--track", "pebble", "--agent", "climber", "--steps", 640, "--name", "first run")
    commands = [line.strip() for line in trained.stderr.splitlines() if line.startswith("  racer ")]
    assert len(commands) == 4 and commands[3].endswith("--resume --more-seconds 60")
    for command in (*commands[1:3], commands[3].replace("60", "0.1")):
        racer(*shlex.split(command)[1:])
    assert Path("first run.replay").exists() and Path("first run.html").exists()


def test_a_run_without_a_lap_says_how_far_it_got_and_what_goes_on(home):
    Path("agents/crasher.py").write_text(CLIMBER.replace("2.0  # steer", "0.0  # steer"))
    Path("reward_functions/odd.py").write_text("def reward_function(params):\n    return 1.0\n")
    failed = racer(
        "train", "--track", "harbor", "--agent", "crasher", "--reward", "odd", "--steps", 64, "--name", "none"
    )
    said = " ".join(failed.stderr.split())
    assert "No complete lap yet: the best try got" in said and "% of the way around" in said
    assert "The check of its reward function" in said
    assert "racer train --name none --resume --more-seconds 60" in said
    steps = load_replay("runs/none/best.replay").steps
    shares = [steps["distance"][steps["lap"] == lap].max() / load_track("harbor").length for lap in (1, 2, 3)]
    assert f"got {max(shares):.0%} of the way" in said
    assert all(f"after {share:.0%} of the lap" in failed.stdout for share in shares)


@pytest.mark.slow
def test_several_tracks_end_with_the_laps_of_all(home):
    text = CLIMBER.replace("num_envs = 4", "num_envs = 8")
    Path("agents/climber.py").write_text(text)
    trained = racer("train", "--tracks", "pebble, bean", "--agent", "climber", "--steps", 640, "--name", "both")
    assert find_run("both").config.tracks == ("pebble", "bean")
    assert trained.stdout.count("pebble") == 2 and trained.stdout.count("bean") == 2
    racer("evaluate", "both", "--tracks", "pebble , bean", "--laps", 1)


@pytest.mark.slow
def test_a_slow_machine_is_told_what_it_means(home):
    """A recipe that says that a hundred times its pace is usual stands for a machine that is as much slower."""
    Path("agents/slow.py").write_text(CLIMBER + "\nAgent.pace = 10_000_000\nAgent.device = 'cpu'\n")
    shown = racer("train", "--track", "pebble", "--agent", "slow", "--seconds", 6, "--name", "slow")
    line = next(line for line in shown.stderr.splitlines() if "slower than usual" in line)
    assert "steps/s here: about" in line and "give it --seconds" in line
    assert shown.stderr.count("slower than usual") == 1


@pytest.mark.parametrize(("used", "said"), [(0.5, "the rest takes about 20 s"), (0.98, ""), (1.0, "")])
def test_the_rest_of_a_slow_training_is_told_while_there_is_one(home, capsys, used, said):
    run = find_run("base")
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, steps=40_000, seconds=None))
    state = Progress(int(40_000 * used), 10.0, used, 1000.0, {}, None, None, False, 10.0, 80_000.0)
    with screen.shown(run) as callback:
        callback.on_update(state)
    lines = [line for line in capsys.readouterr().err.splitlines() if "slower than usual" in line]
    assert [line.rpartition("; ")[2] for line in lines] == ([said] if said else [])


def test_short_words_for_runs_and_tracks(home):
    run = find_run("base")
    assert len(repr(run)) < 120 and "runs/base" in repr(run) and "climber on pebble" in repr(run)
    assert len(repr(run.track())) < 120 and "'pebble'" in repr(run.track())


def test_a_recipe_is_executed_once(home):
    Path("agents/counted.py").write_text(
        "import pathlib\nwith pathlib.Path('count').open('a') as f: f.write('x')\n" + CLIMBER
    )
    racer("train", "--track", "pebble", "--agent", "counted", "--steps", 64, "--name", "counted")
    assert Path("count").read_text() == "x"


def test_a_best_driver_that_came_early_is_said(home, capsys):
    """What was learned after the best driver drives slower: the end of a run says so, with the steps of both."""
    run = find_run("base")
    replay = load_replay(run.replay)
    assert replay.completed_laps
    screen.explain_laps(run, replay)
    assert "The best laps came after" not in capsys.readouterr().err
    state, kept = run.load(run.checkpoint)
    run.save(run.checkpoint, state, {**kept, "steps": 99_999})
    screen.explain_laps(run, replay)
    assert "of 99,999 steps" in capsys.readouterr().err
