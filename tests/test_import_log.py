"""DeepRacer's logs read: every generation, broken ones, on their track; as replays, and paid anew."""

import csv
import io
import json
import re

import numpy as np
import pytest
from drives import ring
from hypothesis import given, strategies as st
from simtraces import text_lines
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.logs import (
    StepRecorder,
    best,
    episodes_of,
    read_episodes,
    read_logs,
    rescore,
    to_replay,
    write_evaluation,
)
from racer.deepracer.logs.placing import place
from racer.deepracer.logs.reading import read_log
from racer.deepracer.logs.simtrace import COLUMNS, csv_text
from racer.env import TimeTrialVector
from racer.errors import LeaderboardError, LogError
from racer.leaderboard import add
from racer.racing import drive, load_agent
from racer.replay import load_replay, save_replay, verify, whole_steps
from racer.reward import load_reward
from racer.sim import STEP_S
from racer.track import load_track, point_at
from racer.viewer.playback import Timeline

WORLDS = {
    "baadal2021_eval_simtrace.csv": "AmericasGeneratedInclStart",
    "console2022_eval1_reinvent2018_simtrace.csv": "reinvent_base",
    "console2022_eval1_robomaker.log": "reinvent_base",
    "console2022_eval2_reinvent2018_simtrace.csv": "reinvent_base",
    "console2022_leaderboard_robomaker.log": "reinvent_base",
    "console2022_train_iter0_simtrace.csv": "reinvent_base",
    "console2022_train_iter25_simtrace.csv": "reinvent_base",
    "drfc2022_eval1_reinvent2018_simtrace.csv": "reinvent_base",
    "droa2026_eval_spain_simtrace.csv": "Spain_track",
}
EVALUATIONS = [name for name in WORLDS if "train" not in name]


def everything(params):
    """A reward that depends on all there is."""
    numbers = [params[key] for key in sorted(params) if isinstance(params[key], float | bool)]
    return sum((i + 1) * float(value) for i, value in enumerate([*numbers, *params["closest_waypoints"]])) / 100.0


@pytest.fixture(scope="module")
def harbor():
    return load_track("harbor")


@pytest.fixture(scope="module")
def driven(tmp_path_factory, harbor):
    """A race of three laps, the second of which leaves the track, and the file of its log."""

    pursuit = load_agent("pure_pursuit").make(TimeTrialVector(1, harbor))
    lap_steps = drive(pursuit, harbor, 1).laps[0].time_s / STEP_S

    class Leaves:
        """Drives straight on early in the second lap, until it is put back."""

        step, left = 0, False

        def act(self, observation):
            self.left = (self.left and observation[0, 0] != 0.0) or self.step == round(1.3 * lap_steps)
            self.step += 1
            return np.float32([[1.0, 1.0]]) if self.left else pursuit.act(observation)

    recorder = StepRecorder(1, endless=True)
    replay = drive(Leaves(), harbor, 4, reward_function=everything, step_callback=recorder, name="leaves")
    assert [lap.complete for lap in replay.laps] == [True, False, True, True]
    assert whole_steps(replay.laps) == [len(rows) for rows in recorder.laps(harbor)]
    folder = tmp_path_factory.mktemp("driven")
    made = write_evaluation(folder, replay.laps, recorder.laps(harbor))
    return replay, made / "evaluation-simtrace" / "0-iteration.csv"


def text_log(rows, fields):
    """The lines of a text log with so many fields, as that generation of DeepRacer printed them."""
    return "\n".join(["Reset agent", *text_lines(rows, fields), "the end", ""])


def cli(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


# Reading.


@pytest.mark.parametrize("fields", [15, 16, 17, 18, 19])
@pytest.mark.parametrize("prefix", ["", "[deepracer_node-3] [INFO] "])
def test_text_logs_of_every_generation_are_read(fields, prefix, driven, harbor, tmp_path):
    exact = read_log(driven[1]).rows
    path = tmp_path / "job.log"
    path.write_text(text_log(exact, fields).replace("SIM_TRACE_LOG", prefix + "SIM_TRACE_LOG"))
    log = read_log(path)
    assert not log.notice
    assert len(log.rows) == len(exact)
    for name, slack in {"X": 1e-4, "Y": 1e-4, "progress": 1e-4, "reward": 1e-4}.items():
        assert np.abs(log.rows[name] - exact[name]).max() <= slack
    assert np.abs(log.rows["yaw"] - exact["yaw"]).max() <= (3e-3 if fields == 15 else 1e-4), "degrees, always"
    assert np.abs(log.rows["steer"] - exact["steer"]).max() <= (0.3 if fields == 15 else 0.005)
    for name in ("done", "all_wheels_on_track", "closest_waypoint", "action"):
        assert (log.rows[name] == exact[name]).all()
    if fields > 15:
        assert (log.rows["episode_status"] == exact["episode_status"]).all()
    else:
        assert log.episodes[-1].status == "lap_complete"
    placed, _ = read_episodes(path, harbor)
    assert len(placed) == 4


def test_a_csv_of_2019_is_in_radians(driven, tmp_path):
    rows = read_log(driven[1]).rows.copy()
    degrees = rows["yaw"].copy()
    rows["yaw"] = np.radians(rows["yaw"])
    old = "\n".join(",".join(line.split(",")[:15]) for line in csv_text(rows).splitlines()) + "\n"
    (tmp_path / "old.csv").write_text(old)
    assert np.allclose(read_log(tmp_path / "old.csv").rows["yaw"], degrees)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("True", "Ture", 7), r"log\.csv, line 7: .* is 'Ture'; it must be True or False"),
        (("in_progress", "in_progres", 5), r"line 5: episode_status is 'in_progres'; it must be one of in_progress, "),
        ((",4", ",nan", 9), r"line 9: \w+ is 'nan.*; it must be a finite number"),
        (("\n", "", 12), r"line 12: it has 37 fields where 19 belong; the line was cut or another one runs into it"),
        (("X,Y", "X,Z", 1), r"line 1: the header lacks Y; it needs episode, steps, X, Y, "),
    ],
)
def test_a_broken_line_is_left_out_and_named(change, message, driven, tmp_path):
    old, new, number = change
    lines = driven[1].read_text().splitlines(keepends=True)
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new, 1)
    (tmp_path / "log.csv").write_text("".join(lines))
    if number == 1:
        with pytest.raises(LogError, match=message):
            read_log(tmp_path / "log.csv")
        return
    log, whole = read_log(tmp_path / "log.csv"), read_log(driven[1])
    assert re.search(message + ".*; that line was left out$", log.notice)
    left_out = [number - 2, number - 1] if "37 fields" in message else [number - 2]
    assert log.rows["steps"].tolist() == np.delete(whole.rows["steps"], left_out).tolist()


def test_a_broken_line_of_a_text_log_is_left_out_and_named(driven, tmp_path):
    rows = read_log(driven[1]).rows
    path = tmp_path / "job.log"
    path.write_text(text_log(rows, 17).replace(",in_progress,", ",in_pr\nSIM_TRACE_LOG:", 1))
    log = read_log(path)
    assert len(log.rows) == len(rows) - 1
    assert re.search(
        r"job\.log, line 3: it has 16 fields where 17 belong.*; 2 lines of this kind were left", log.notice
    )
    path.write_text(text_log(rows, 17).replace("SIM_TRACE_LOG:", "SIM_TRACE_LOG:1,2,3,"))
    with pytest.raises(LogError, match=r"line 2: it has 20 fields after SIM_TRACE_LOG: known are 15, 16, 17, 18, 19"):
        read_log(path)


@pytest.mark.parametrize("fields", [0, 15, 19])
def test_a_log_that_ends_in_the_middle_of_a_line_is_read_up_to_there(fields, driven, tmp_path):
    whole = read_log(driven[1])
    text = text_log(whole.rows, fields) if fields else driven[1].read_text()
    text = text.removesuffix("the end\n")
    path = tmp_path / "cut.csv"
    last = text.rstrip("\n").rpartition("\n")[2]
    for missing in range(10, len(last) - 14, 7):
        path.write_text(text[: -1 - missing])
        log = read_log(path)
        assert len(log.rows) in (len(whole.rows) - 1, len(whole.rows))
        if len(log.rows) < len(whole.rows):
            assert "ends in the middle of line" in log.notice


@given(st.data())
def test_a_log_cut_anywhere_is_read_or_refused_with_a_message(driven, data):
    content = driven[1].read_bytes()
    cut = driven[1].with_name("cut.csv")
    begin = data.draw(st.integers(0, 3000))
    end = data.draw(st.integers(begin, begin + 3000))
    cut.write_bytes(content[: len(COLUMNS) * 8][: data.draw(st.sampled_from([0, 400]))] + content[begin:end])
    try:
        log = read_log(cut)
    except LogError as error:
        assert str(cut) in str(error)
    else:
        assert len(log.rows)
    finally:
        cut.unlink()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no DeepRacer log"),
        (b"hello\nworld\n", "is no DeepRacer log"),
        (b"x_m,y_m\n1,2\n", "is no DeepRacer log"),
        (b"\x00\xff\xfe" * 99, "is no DeepRacer log"),
        (",".join(COLUMNS).encode(), "holds no whole step"),
        (b"SIM_TRACE_LOG:1,2,3\n", "holds no whole step"),
    ],
)
def test_what_is_no_log_is_refused(content, message, tmp_path):
    (tmp_path / "f.csv").write_bytes(content)
    with pytest.raises(LogError, match=message):
        read_log(tmp_path / "f.csv")


def test_a_folder_is_read_in_the_order_of_its_iterations(driven, tmp_path):
    folder = tmp_path / "model" / "training-simtrace"
    folder.mkdir(parents=True)
    with pytest.raises(LogError, match="holds no DeepRacer log"):
        read_logs(tmp_path)
    for number in (10, 2, 1):
        (folder / f"{number}-iteration.csv").write_text(driven[1].read_text())
    (folder / "notes.csv").write_text("a,b\n")
    assert [log.path.name for log in read_logs(tmp_path)] == ["1-iteration.csv", "2-iteration.csv", "10-iteration.csv"]
    with pytest.raises(LogError, match="cannot read"):
        read_logs(tmp_path / "none.csv")


# On a track.


def test_a_log_of_another_track_is_refused(driven, harbor, tmp_path):
    with pytest.raises(LogError, match=r"episode 0 was driven on a track of 20\.99 m, but dune is .* --track"):
        read_episodes(driven[1], "dune")
    moved = read_log(driven[1]).rows.copy()
    moved["X"] += 5.0
    (tmp_path / "moved.csv").write_text(csv_text(moved))
    with pytest.raises(LogError, match=r"episode 0 was not driven on harbor: \d+% of its steps lie off that road"):
        read_episodes(tmp_path / "moved.csv", harbor)
    told = read_log(driven[1]).rows.copy()
    told["progress"] = np.minimum(99.0, told["progress"] * 0.5)
    (tmp_path / "told.csv").write_text(csv_text(told))
    with pytest.raises(LogError, match=r"for half of its steps the progress is [\d.]+ percent away"):
        read_episodes(tmp_path / "told.csv", harbor)


def test_the_track_is_found(driven, harbor, tmp_path, monkeypatch):
    placed, notices = read_episodes(driven[1])
    assert placed[0].track.digest == harbor.digest and notices == []
    strange = read_log(driven[1]).rows.copy()
    strange["track_len"] = 12.34
    (tmp_path / "strange.csv").write_text(csv_text(strange))
    with pytest.raises(LogError, match=r"a track of 12\.34 m; none on the shelf fits: name it with --track FILE"):
        read_episodes(tmp_path / "strange.csv")


def test_a_log_driven_the_other_way_is_found_out(harbor, tmp_path):
    recorder, other = StepRecorder(1, endless=True), harbor.reverse()
    replay = drive(load_agent("pure_pursuit").make(TimeTrialVector(1, other)), other, 2, step_callback=recorder)
    path = write_evaluation(tmp_path, replay.laps, recorder.laps(other)) / "evaluation-simtrace" / "0-iteration.csv"
    placed, _ = read_episodes(path, "harbor")
    assert all(one.track.reversed for one in placed)
    made = to_replay(placed, "x", "y")
    assert made.track.digest == other.digest
    assert made.best_lap_s == pytest.approx(replay.best_lap_s, abs=2e-3)
    forward, _ = read_episodes(path, "harbor", number=0)
    mixed = [place(forward[0].episode, harbor), replace_track(forward[0], harbor)]
    with pytest.raises(LogError, match="was driven against the direction of episode"):
        to_replay(mixed, "x", "y")


def replace_track(placed, track):
    import dataclasses

    return dataclasses.replace(placed, track=track)


# As a replay.


def test_an_imported_race_is_the_race(driven, harbor):
    replay, path = driven
    placed, _ = read_episodes(path, harbor)
    made = to_replay(placed, "someone", "a log")
    assert [lap.complete for lap in made.laps] == [lap.complete for lap in replay.laps]
    assert [lap.off_track for lap in made.laps] == [lap.off_track for lap in replay.laps]
    for ours, theirs in zip(made.laps, replay.laps, strict=True):
        assert ours.time_s == pytest.approx(theirs.time_s, abs=2e-3)
        assert ours.start_s == pytest.approx(theirs.start_s, abs=2e-3)
    assert len(made.steps) == len(replay.steps)
    for name, slack in {"x": 1e-9, "y": 1e-9, "s": 1e-6, "offset": 1e-6, "steering_command_deg": 1e-9}.items():
        assert np.abs(made.steps[name] - replay.steps[name]).max() <= slack, name
    for name in ("lap", "restart", "off_track", "wheels_on_track", "reward", "speed_command"):
        assert np.array_equal(made.steps[name], replay.steps[name]), name
    free = replay.steps["lap"] == 3
    assert np.abs(made.steps["speed"] - replay.steps["speed"])[free][1:].max() < 0.1
    assert np.abs(made.steps["distance"] - replay.steps["distance"])[free].max() < 1e-6


def test_an_imported_replay_says_so_for_ever(driven, harbor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed, _ = read_episodes(driven[1], harbor)
    save_replay(to_replay(placed, "someone", "the log of\nsomeone"), "l.replay")
    loaded = load_replay("l.replay")
    assert loaded.imported == "the log of someone"
    assert not verify(loaded).ok
    with pytest.raises(LeaderboardError, match="was refused: it was not driven here, but imported from the log of"):
        add("l.replay", "Ada")
    assert not (tmp_path / "leaderboard.sqlite").exists()


def test_replays_that_were_driven_are_kept_as_before(driven, tmp_path):
    save_replay(driven[0], tmp_path / "d.replay")
    assert load_replay(tmp_path / "d.replay").imported == ""
    assert verify(load_replay(tmp_path / "d.replay")).ok


def test_an_episode_that_goes_to_and_fro_is_imported(harbor, driven, tmp_path):
    rows = read_log(driven[1]).episodes[0].rows[:40].copy()
    rows["progress"][20:30] -= 3.0  # the original's progress may fall, and be negative
    rows["progress"][1:4] = -0.5
    rows["episode_status"][10:15] = "pause"
    (tmp_path / "odd.csv").write_text(csv_text(rows))
    placed, _ = read_episodes(tmp_path / "odd.csv", harbor)
    save_replay(to_replay(placed, "x", "y"), tmp_path / "odd.replay")
    made = load_replay(tmp_path / "odd.replay")
    assert (len(made.steps), len(made.laps), made.completed_laps) == (39, 1, 0)
    assert Timeline(made).moment(1.0).speed > 0.0


@pytest.mark.parametrize("name", WORLDS)
def test_logs_of_the_original_become_replays(name, logs, route, tmp_path):
    placed, notices = read_episodes(logs / name, route(WORLDS[name]))
    assert notices == []
    assert not any(one.track.reversed for one in placed)
    save_replay(to_replay(placed, "x", name), tmp_path / "all.replay")
    made = load_replay(tmp_path / "all.replay")
    assert len(made.laps) == len(placed)
    for lap, one in zip(made.laps, placed, strict=True):
        told = one.episode.rows["tstamp"]
        assert lap.complete == one.episode.complete
        assert lap.off_track == (one.episode.status == "off_track")
        # From the first step to the line, against whole steps of about 1/15 s and the prepare step.
        assert lap.time_s == pytest.approx(told[-1] - told[0], abs=0.2)
    timeline = Timeline(made)
    for lap, one in zip(made.laps, placed, strict=True):
        if lap.complete:  # it ends where it began, within the width of the road
            end = timeline.moment(lap.start_s + lap.time_s - 1e-3)
            x, y = point_at(one.track.center, one.start * one.track.length)
            assert np.hypot(end.x - x, end.y - y) < 0.5 * one.track.width + 0.15
        speed = made.steps["speed"][made.steps["lap"] == lap.index]
        assert 0.0 < speed.max() < 6.0
        if lap.complete:  # a lap is a little longer or shorter than the centre line
            assert speed.mean() == pytest.approx(one.track.length / lap.time_s, rel=0.1)
    fastest = best(placed)
    assert fastest.episode.complete or made.completed_laps == 0


def test_lap_times_of_the_original_are_those_of_its_metrics(logs, route):
    for name, metrics in [
        ("console2022_eval1_reinvent2018_simtrace.csv", "console2022_eval1_metrics.json"),
        ("drfc2022_eval1_reinvent2018_simtrace.csv", "drfc2022_eval1_metrics.json"),
    ]:
        placed, _ = read_episodes(logs / name, route("reinvent_base"))
        told = [
            item["elapsed_time_in_milliseconds"] / 1000.0
            for item in json.loads((logs / metrics).read_text())["metrics"]
        ]
        ours = [lap.time_s for lap in to_replay(placed, "x", "y").laps]
        for lap, (mine, theirs) in enumerate(zip(ours, told, strict=True)):
            standing = lap == 0 or "console" in name
            assert mine == pytest.approx(theirs - (2.5 * STEP_S if standing else 0.0), abs=1.5 * STEP_S)


# Paid anew.


def test_the_same_reward_pays_the_same_again(driven, harbor):
    replay, path = driven
    for placed in (read_episodes(path, harbor)[0], episodes_of(replay)):
        found = rescore(placed, load_reward(everything))
        assert [one.placed.end for one in found] == ["lap_complete", "off_track", "lap_complete", "lap_complete"]
        for one in found:
            assert len(one.new) > 10
            assert np.abs(one.new - one.rows["reward"]).max() < 1e-6


def test_steps_in_which_the_car_is_held_are_not_paid(driven, harbor, tmp_path):
    rows = read_log(driven[1]).episodes[0].rows.copy()
    rows["episode_status"][10:20] = "pause"
    (tmp_path / "held.csv").write_text(csv_text(rows))
    calls = []
    rescore(
        read_episodes(tmp_path / "held.csv", harbor)[0],
        load_reward(lambda params: calls.append(params["steps"]) or 1.0),
    )
    assert calls == [*range(2, 11), *range(21, len(rows) + 1)]
    assert all(isinstance(step, float) for step in calls)


@pytest.mark.parametrize("name", EVALUATIONS)
def test_the_original_s_own_reward_is_reproduced_on_its_own_logs(name, logs, route):
    """Evaluations are paid by a built-in centre-line reward; racer's `params` must lead it to every logged value."""

    def center_line(params):
        share = params["distance_from_center"] / params["track_width"]
        return 1.0 if share <= 0.1 else 0.5 if share <= 0.25 else 0.1 if share <= 0.5 else 1e-3

    placed, _ = read_episodes(logs / name, route(WORLDS[name]))
    for one in rescore(placed, load_reward(center_line)):
        assert np.abs(one.new - one.rows["reward"]).max() < 1e-4


# On the command line.


def test_import_log_makes_a_replay_to_watch(driven, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replay, path = driven
    result = cli("import-log", path)
    assert result.exit_code == 0, result.output
    assert "harbor" in result.stdout and "Driven on harbor" in result.stderr and "racer watch" in result.stderr
    made = load_replay("0-iteration.replay")
    assert len(made.laps) == made.completed_laps == 1
    assert made.driver == "0-iteration #3"
    assert made.best_lap_s == pytest.approx(min(lap.time_s for lap in replay.laps if lap.complete), abs=1e-2)
    assert cli("import-log", path).exit_code == 1, "the replay that is there is kept"
    assert cli("import-log", path, "--all", "--force").exit_code == 0
    assert len(load_replay("0-iteration.replay").laps) == 4
    assert cli("import-log", path, "--episode", "1", "--replay", "one.replay").exit_code == 0
    assert load_replay("one.replay").laps[0].off_track
    missing = cli("import-log", path, "--episode", "9", "--replay", "two.replay")
    assert missing.exit_code == 1 and "holds no episode 9; it has 0 to 3" in missing.stderr
    assert cli("import-log", path, "--episode", "1", "--all").exit_code == 2
    assert cli("watch", "one.replay", "--record", "one.png").exit_code == 0


def test_import_log_tells_what_it_left_out(driven, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.csv").write_text(driven[1].read_text()[:-40])
    result = cli("import-log", "cut.csv")
    assert result.exit_code == 0 and "ends in the middle of line" in result.stderr


def test_rescore_shows_old_and_new_side_by_side(driven, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replay, path = driven
    (tmp_path / "two.py").write_text("def reward_function(params):\n    print('x')\n    return 2.0\n")
    table = cli("rescore", path, "--reward", "./two.py")
    assert table.exit_code == 0, table.output
    assert "lap complete" in table.stdout and "off track" in table.stdout and "lines" in table.stderr
    save_replay(replay, "own.replay")
    for source in (path, "own.replay"):
        data = json.loads(cli("rescore", source, "--reward", "./two.py", "--json").stdout)
        assert [episode["episode"] for episode in data["episodes"]] == [0, 1, 2, 3]
        for episode in data["episodes"]:
            assert episode["new"] == 2.0 * len(episode["steps"])
            assert episode["old"] == pytest.approx(sum(step["old"] for step in episode["steps"]))
        steps = list(csv.DictReader(io.StringIO(cli("rescore", source, "--reward", "./two.py", "--csv").stdout)))
        assert len(steps) == sum(len(episode["steps"]) for episode in data["episodes"])
        assert {step["new_reward"] for step in steps} == {"2.0"}
        assert float(steps[0]["old_reward"]) == pytest.approx(replay.steps["reward"][0])
    assert cli("rescore", "own.replay", "--reward", "./two.py", "--track", "dune").exit_code == 1
    assert cli("rescore", "own.replay", "--reward", "./two.py", "--episode", "7").exit_code == 1
    assert cli("rescore", path, "--reward", "./two.py", "--json", "--csv").exit_code == 2


@pytest.mark.parametrize("width", [60, 80])
def test_old_and_new_are_readable_on_narrow_screens(driven, tmp_path, monkeypatch, width):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("racer.cli.console.PIPE_WIDTH", width)
    (tmp_path / "many.py").write_text("def reward_function(params):\n    return 987.6\n")
    heading, *rows = cli("rescore", driven[1], "--reward", "./many.py").stdout.splitlines()[1:]
    assert all(name in heading for name in ("episode", "progress", "end", "old sum", "new sum"))
    assert len(rows) == 4 and max(map(len, rows)) <= width
    assert all(float(row.split()[-1]) > float(row.split()[-2]) and "…" not in row for row in rows)


def test_a_run_of_ours_is_imported_without_naming_its_track(tmp_path, monkeypatch):
    """A log in a run folder finds the run's own track, which no shelf need hold."""
    from test_simtrace import small_run, train_logged

    run = small_run(tmp_path, monkeypatch, 2_000)
    train_logged(run)
    (found,) = run.folder.glob("evaluation-*")
    placed, _ = read_episodes(found)
    assert placed[0].track.digest == run.track().digest


def test_a_ring_is_no_special_case(tmp_path):
    track, recorder = ring(), StepRecorder(1, endless=True)
    replay = drive(load_agent("pure_pursuit").make(TimeTrialVector(1, track)), track, 3, step_callback=recorder)
    path = write_evaluation(tmp_path, replay.laps, recorder.laps(track)) / "evaluation-simtrace" / "0-iteration.csv"
    alone, _ = read_episodes(path, track, number=2)
    lap = to_replay(alone, "x", "y").laps[0]
    assert lap.time_s == pytest.approx(replay.laps[2].time_s, abs=5e-3), "a flying lap on its own keeps its time"
