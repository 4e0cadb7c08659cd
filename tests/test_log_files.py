"""What people have of DeepRacer's logs: exported, compressed, mixed, cut and damaged; judged row by row."""

import csv
import gzip
import io
import json
import os
import re
import tarfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from simtraces import episode, text_lines
from typer.testing import CliRunner

from racer.cli import app
from racer.deepracer.logs import best, read_episodes, read_logs, rescore, to_replay
from racer.deepracer.logs.reading import read_log
from racer.deepracer.logs.simtrace import COLUMNS, ROW, csv_text
from racer.errors import LogError
from racer.replay import load_replay, save_replay
from racer.reward import load_reward
from racer.sim import STEP_S
from racer.track import load_track

PLACES = ("episode", "steps", "X", "Y", "progress", "episode_status")


@pytest.fixture(scope="module")
def harbor():
    return load_track("harbor")


def write(path, *lines):
    path.write_text("\n".join([*lines, ""]))
    return path


def same(rows, others, slack=1e-4, names=PLACES):
    """Whether rows are the same steps, up to the rounding of a text log."""
    return len(rows) == len(others) and all(
        np.array_equal(rows[name], others[name])
        if rows[name].dtype.kind == "U"
        else np.abs(rows[name] - others[name]).max() <= slack
        for name in names
    )


# Fields.


@pytest.mark.parametrize("action", ["[30.0, 1.25]", "[ -30.0,1.25 ]", "[30.0 1.25]", "[30.0,1.25]"])
def test_a_list_in_brackets_is_one_field(action, harbor, tmp_path):
    rows = episode(harbor, 20, action=action)
    text = write(tmp_path / "a.log", *text_lines(rows))
    lines = csv_text(rows).splitlines()
    assert lines[1].count(",") == 18 + action.count(",")
    table = write(tmp_path / "a.csv", *lines)
    quoted = write(tmp_path / "q.csv", *(line.replace(action, f'"{action}"') for line in lines))
    for path in (text, table, quoted):
        read = read_log(path)
        assert same(read.rows, rows) and not read.notice
        values = [float(value) for value in read.rows["action"][5].strip("[]").replace(",", " ").split()]
        assert values == [float(value) for value in action.strip("[]").replace(",", " ").split()]
        again = read_log(write(tmp_path / "again.csv", csv_text(read.rows).rstrip())).rows
        assert same(again, read.rows, 0.0) and np.array_equal(again["action"], read.rows["action"])
        assert not any("," in value for value in read.rows["action"])


def test_the_eighteenth_field_is_a_counter_or_a_wall_clock(harbor, tmp_path):
    rows = episode(harbor, 20)
    rows["obstacle_crash_counter"] = 7
    counted = read_log(write(tmp_path / "counter.log", *text_lines(rows, 18))).rows
    assert (counted["obstacle_crash_counter"] == 7).all() and np.isnan(counted["wall_clock"]).all()
    clock = [f"{line},{row['wall_clock']:.4f}" for line, row in zip(text_lines(rows, 17), rows, strict=True)]
    timed = read_log(write(tmp_path / "clock.log", *clock)).rows
    assert (timed["obstacle_crash_counter"] == 0).all()
    assert np.abs(timed["wall_clock"] - rows["wall_clock"]).max() < 1e-3


@pytest.mark.parametrize(
    "form",
    [
        '1655018700000,"{}"',
        '"2022-06-12T08:25:00Z","{}\\n","stream, with a comma"',
        '"{}"',
        '{{"timestamp": 1655018700000, "message": "{}\\n"}}',
        "2022-06-12 08:25:00\t{}\tingested",
        "sim_1.abc@host | {} [INFO]",
    ],
)
def test_exports_put_lines_in_quotes_and_other_columns_around_them(form, harbor, tmp_path):
    rows = episode(harbor, 30, action="[3.5, 1.25]")
    path = write(tmp_path / "export.csv", "timestamp,message", *(form.format(line) for line in text_lines(rows)))
    read = read_log(path)
    assert same(read.rows, rows) and not read.notice


def test_a_table_may_have_all_its_fields_in_quotes(harbor, tmp_path):
    rows = episode(harbor, 30)
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(line.split(",") for line in csv_text(rows).splitlines())
    (tmp_path / "q.csv").write_text(text.getvalue())
    assert same(read_log(tmp_path / "q.csv").rows, rows)


# Damage.


def test_a_line_that_makes_no_sense_is_left_out_and_named(harbor, tmp_path):
    rows = episode(harbor)
    lines = text_lines(rows)
    lines[9] = lines[9].replace("True", "Ture")
    lines[19] = lines[19][:40]
    lines[29] += lines[30]  # two processes printed into one line
    del lines[30]
    log = read_log(write(tmp_path / "job.log", *lines))
    expected = np.delete(rows, [9, 19])
    assert same(log.rows, expected)
    assert "job.log, line 10: all_wheels_on_track is 'Ture'; it must be True or False" in log.notice
    assert "2 lines of this kind were left out" in log.notice
    placed, notices = read_episodes(tmp_path / "job.log", harbor)
    assert notices == [log.notice]
    (lap,) = to_replay(placed, "x", "y").laps
    whole = to_replay(read_episodes(write(tmp_path / "all.log", *text_lines(rows)), harbor)[0], "x", "y").laps[0]
    assert lap.complete and lap.time_s == pytest.approx(whole.time_s, abs=1e-3), "the clock knows what is missing"


def test_a_log_of_nothing_but_damaged_lines_is_refused(harbor, tmp_path):
    lines = [line.replace("in_progress", "in_progres") for line in text_lines(episode(harbor, 20))]
    with pytest.raises(LogError, match=r"line 2: episode_status is 'in_progres'; it must be one of in_progress, lap"):
        read_log(write(tmp_path / "job.log", *lines))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from([0, 15, 16, 17, 18, 19]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_files_cut_anywhere_give_the_steps_that_are_whole(harbor, tmp_path, begin, end, fields):
    rows = episode(harbor, 40)
    lines = text_lines(rows, fields) if fields else csv_text(rows).splitlines()
    text = "\n".join([*lines, ""])
    begin, end = sorted((begin % len(text), end % len(text)))
    path = tmp_path / "cut.csv"
    path.write_text(text[begin:end])
    try:
        log = read_log(path)
    except LogError as wrong:
        assert str(path) in str(wrong)
        assert end - begin < 2 * max(map(len, lines)) or not fields or begin < 14, "two whole lines were there"
    else:
        numbers = log.rows["steps"].astype(int) - 1
        assert (np.diff(numbers) > 0).all()
        last = numbers[:-1] if log.rows["steps"][-1] == len(rows) else numbers  # the very last number may be cut
        assert same(log.rows[: len(last)], rows[last], names=PLACES[:5] if fields == 15 else PLACES)


def test_a_table_without_its_header_is_known_by_its_columns(harbor, tmp_path):
    rows = episode(harbor, 40)
    lines = csv_text(rows).splitlines()[1:]
    log = read_log(write(tmp_path / "cut.csv", lines[4][20:], *lines[5:]))
    assert same(log.rows, rows[5:]) and "has no header" in log.notice
    with pytest.raises(LogError, match="is no DeepRacer log"):
        read_log(write(tmp_path / "numbers.csv", ",".join(map(str, range(19)))))


# Workers.


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(2, 4), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_lines_of_several_workers_are_told_apart(harbor, tmp_path, takes, workers, same_clock):
    own = [
        np.concatenate(
            [
                episode(
                    harbor, 20 + 7 * k + 3 * number, number=number, start=0.1 * k + 0.3 * number, speed=1.0 + k / 3.0
                )
                for number in range(3)
            ]
        )
        for k in range(workers)
    ]
    for k, rows in enumerate(own):
        rows["tstamp"] = 10.0 + (0.0 if same_clock else 3.3 * k) + np.arange(len(rows)) * STEP_S
    waiting = [text_lines(rows) for rows in own]
    mixed, turn = [], 0
    while any(waiting):
        k = turn % workers
        take = takes[turn % len(takes)]
        mixed += waiting[k][:take]
        del waiting[k][:take]
        turn += 1
    found = read_log(write(tmp_path / "job.log", *mixed)).episodes
    assert len(found) == 3 * workers
    expected = [part for rows in own for part in np.split(rows, np.flatnonzero(rows["steps"] == 1.0)[1:])]
    for one in expected:
        assert sum(same(one, other.rows) for other in found) == 1


def test_one_worker_s_lines_stay_in_their_order(harbor, tmp_path):
    rows = np.concatenate([episode(harbor, 30, number=number) for number in range(4)])
    lost = np.delete(rows, [5, 6, 7, 8, 40])
    assert same(read_log(write(tmp_path / "job.log", *text_lines(lost))).rows, lost)


def test_two_episodes_of_one_number_in_a_file(harbor, tmp_path):
    lines = [line for k in (0.0, 0.5) for line in text_lines(episode(harbor, 30, start=k))]
    with pytest.raises(LogError, match=r"holds 2 episodes 0: leave --episode out"):
        read_episodes(write(tmp_path / "job.log", *lines), harbor, 0)


# Archives and folders.


def packed(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_archives_are_read_as_folders_are(harbor, tmp_path):
    rows = [episode(harbor, 30, number=number) for number in range(12)]
    files = {f"model/sim-trace/{n}-iteration.csv": csv_text(one).encode() for n, one in enumerate(rows)}
    files |= {"model/logs/notes.txt": b"SIM_TRACE_LOG: no\n", "../../evil.py": b"raise SystemExit", "x.csv": b"a,b\n"}
    path = packed(tmp_path / "logs.tar.gz", files)
    logs = read_logs(path)
    assert [log.path.name for log in logs] == [f"{n}-iteration.csv" for n in range(12)]
    assert all(same(log.rows, one, 0.0) for log, one in zip(logs, rows, strict=True))
    assert [entry.name for entry in tmp_path.iterdir()] == ["logs.tar.gz"]
    text = packed(
        tmp_path / "text.tgz", {"a/robomaker.log": "\n".join(text_lines(rows[0])).encode(), "b.csv": b"a,b\n"}
    )
    assert [log.path.name for log in read_logs(text)] == ["robomaker.log"]
    with pytest.raises(LogError, match="holds no DeepRacer log"):
        read_logs(packed(tmp_path / "none.tar.gz", {"a.py": b"pass"}))


def test_compressed_logs_are_read_alone_and_in_folders(harbor, tmp_path):
    rows = episode(harbor, 30)
    for name, text in (("0-iteration.csv.gz", csv_text(rows)), ("job.log.gz", "\n".join([*text_lines(rows), ""]))):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        assert same(read_log(tmp_path / name).rows, rows)
        assert same(read_logs(tmp_path / name)[0].rows, rows)
    assert [log.path.name for log in read_logs(tmp_path)] == ["0-iteration.csv.gz"]


def test_an_archive_that_is_cut_gives_what_it_holds(harbor, tmp_path):
    random = np.random.default_rng(0)
    rows = [episode(harbor, 100, number=number, speed=random.uniform(1.0, 2.0)) for number in range(6)]
    path = packed(
        tmp_path / "logs.tar.gz", {f"{n}-iteration.csv": csv_text(one).encode() for n, one in enumerate(rows)}
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    logs = read_logs(path)
    assert 1 <= len(logs) < 6 and all(same(log.rows, one) for log, one in zip(logs[:-1], rows, strict=False))
    assert "logs.tar.gz is cut short" in logs[-1].notice


@pytest.mark.parametrize("begun", ["", csv_text(np.zeros(0, ROW))])
def test_a_file_without_a_step_among_others_is_left_out_and_named(harbor, tmp_path, begun):
    rows = episode(harbor, 30)
    files = {"0-iteration.csv": csv_text(rows).encode(), "1-iteration.csv": begun.encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for source in (tmp_path, packed(tmp_path / "logs.tar.gz", files)):
        (log,) = read_logs(source)
        assert same(log.rows, rows, 0.0) and re.search(r"1-iteration.csv .*; that file was left out", log.notice)
    (tmp_path / "0-iteration.csv").unlink()
    with pytest.raises(LogError, match=r"1-iteration.csv "):
        read_logs(tmp_path)


def test_what_is_too_large_or_no_plain_file_is_refused(tmp_path):
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        file.truncate(257 * 2**20)
    with pytest.raises(LogError, match=r"too large, 269,484,032 bytes; racer reads such files up to 268,435,456 bytes"):
        read_logs(path)
    path.unlink()
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(2**20)) * 300)
    with pytest.raises(LogError, match=r"holds too much: racer reads up to 268,435,456 bytes"):
        read_logs(tmp_path / "bomb.csv.gz")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(LogError, match="not a plain file but a pipe"):
        read_logs(tmp_path / "pipe.csv")
    (tmp_path / "bomb.csv.gz").unlink()
    with pytest.raises(LogError, match="holds no DeepRacer log"):
        read_logs(tmp_path)


# Whole laps and their time.


def test_a_lap_counts_only_if_all_of_it_is_in_the_log(harbor, tmp_path):
    rows = episode(harbor)
    for kept, complete in [
        (slice(0, None), True),
        (slice(1, None), True),  # without the prepare step
        (slice(2, None), False),
        (slice(-6, None), False),
        (np.r_[0:40, 42 : len(rows)], True),  # two lines are missing, and the clock knows how long they took
        (np.r_[0:40, 60 : len(rows)], False),
    ]:
        path = tmp_path / "cut.csv"
        path.write_text(csv_text(rows[kept]))
        placed, notices = read_episodes(path, harbor)
        replay = to_replay(placed, "x", "y")
        assert replay.completed_laps == complete
        assert (replay.best_lap_s is None) is not complete
        assert any("is not whole in the log, so it is no complete lap" in notice for notice in notices) is not complete
        save_replay(replay, tmp_path / "x.replay", overwrite=True)


def test_the_end_of_a_lap_is_no_best_lap(harbor, tmp_path):
    """The last 5 % of a lap, and one that came half round: the latter came farther."""
    (tmp_path / "two.csv").write_text(csv_text(np.append(episode(harbor)[-6:], episode(harbor, 60, number=1))))
    placed, _ = read_episodes(tmp_path / "two.csv", harbor)
    assert best(placed).episode.number == 1


def test_flying_laps_go_on_from_the_lap_before_and_are_whole_only_then(harbor, tmp_path):
    first, second = episode(harbor), episode(harbor, number=1)[2:]
    first["episode_status"][-1], first["done"][-1] = "in_progress", False
    second["steps"] += first["steps"][-1] - 2.0
    second["tstamp"] = first["tstamp"][-1] + np.arange(1, len(second) + 1) * STEP_S
    (tmp_path / "race.csv").write_text(csv_text(np.append(first, second)))
    assert [one.episode.complete for one in read_episodes(tmp_path / "race.csv", harbor)[0]] == [True, True]
    (tmp_path / "race.csv").write_text(csv_text(second))
    assert [one.episode.complete for one in read_episodes(tmp_path / "race.csv", harbor)[0]] == [False]


@pytest.mark.parametrize("lasting", [0.05, STEP_S, 0.08, 0.127])
def test_laps_are_timed_by_the_log(lasting, harbor, tmp_path):
    rows = episode(harbor, lasting=lasting)
    (tmp_path / "slow.csv").write_text(csv_text(rows))
    placed, _ = read_episodes(tmp_path / "slow.csv", harbor)
    made = to_replay(placed, "x", "y")
    steps = harbor.length / (2.0 * STEP_S)
    assert made.laps[0].complete and made.laps[0].time_s == pytest.approx(steps * lasting, rel=1e-3)
    assert len(made.steps) == int(np.ceil(steps * lasting / STEP_S)) or lasting == STEP_S
    assert np.median(made.steps["speed"]) == pytest.approx(2.0 * STEP_S / lasting, rel=0.02)
    assert np.diff(made.steps["distance"])[1:-1] == pytest.approx(2.0 * STEP_S * STEP_S / lasting, rel=1e-6)
    assert made.steps["reward"].sum() == pytest.approx(rows["reward"][:-1].sum())
    save_replay(made, tmp_path / "slow.replay")
    assert load_replay(tmp_path / "slow.replay").best_lap_s == made.best_lap_s


def test_a_clock_that_jumps_or_stands_counts_steps(harbor, tmp_path):
    rows = episode(harbor)
    steps = harbor.length / (2.0 * STEP_S)
    for spoil in (lambda t: 0.0, lambda t: t + 1e9 * (np.arange(len(t)) > 50), lambda t: -t):
        spoiled = rows.copy()
        spoiled["tstamp"] = spoil(rows["tstamp"])
        (tmp_path / "odd.csv").write_text(csv_text(spoiled))
        made = to_replay(read_episodes(tmp_path / "odd.csv", harbor)[0], "x", "y")
        assert made.laps[0].time_s == pytest.approx(steps * STEP_S, rel=1e-3)
        assert len(made.steps) < 1.1 * steps


# On the track.


def test_a_row_far_off_the_road_is_left_out_and_told(harbor, tmp_path):
    rows = [episode(harbor, 12, number=number, start=number / 10.0) for number in range(4)]
    rows[2]["X"][7] += 9.0  # the simulator's own jump: one of 13 rows
    (tmp_path / "jump.csv").write_text(csv_text(np.concatenate(rows)))
    placed, notices = read_episodes(tmp_path / "jump.csv", harbor)
    assert [len(one.rows) for one in placed] == [12 + 1, 13, 12, 13]
    assert notices == [
        f"{tmp_path / 'jump.csv'}: episode 2: a step lies far off the road, where the simulator put the car; left out"
    ]
    save_replay(to_replay(placed, "x", "y"), tmp_path / "jump.replay")


def test_an_episode_of_another_track_is_left_out_and_told_where_most_fit(harbor, tmp_path):
    rows = [episode(harbor, 12, number=number) for number in range(4)]
    rows[1]["X"] += 9.0
    (tmp_path / "other.csv").write_text(csv_text(np.concatenate(rows)))
    placed, notices = read_episodes(tmp_path / "other.csv", harbor)
    assert [one.episode.number for one in placed] == [0, 2, 3]
    assert len(notices) == 1 and "episode 1 was not driven on harbor" in notices[0] and "left out" in notices[0]
    for one in rows[2:]:
        one["X"] += 9.0
    (tmp_path / "other.csv").write_text(csv_text(np.concatenate(rows)))
    with pytest.raises(LogError, match="episode 1 was not driven on harbor: 100% of its steps"):
        read_episodes(tmp_path / "other.csv", harbor)


@pytest.mark.parametrize("steps", [1, 3, 200])
@pytest.mark.parametrize("against", [False, True])
def test_a_log_chooses_between_a_route_and_its_reverse(steps, against, harbor, tmp_path, monkeypatch):
    """Both lie on the shelf, under names of their own, and a log too short to show progress faces its way."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tracks").mkdir()
    for name, track in (("there", harbor), ("back", harbor.reverse())):
        lines = np.hstack([track.center, track.inner, track.outer])
        np.save(tmp_path / "tracks" / f"{name}.npy", lines)
    track = load_track("back" if against else "there")
    (tmp_path / "log.csv").write_text(csv_text(episode(track, steps)))
    placed, _ = read_episodes(tmp_path / "log.csv")
    assert not placed[0].track.reversed
    assert placed[0].track.is_ccw == track.is_ccw


# Rewards.


def test_the_log_s_own_word_says_whether_the_car_was_off_the_track(harbor, tmp_path):
    rows = episode(harbor, 30)
    normal = rows["yaw"] + 90.0
    away = np.where(np.arange(len(rows)) > 20, 0.9, 0.0)  # no wheel is on the road
    rows["X"] += away * np.cos(np.radians(normal))
    rows["Y"] += away * np.sin(np.radians(normal))
    (tmp_path / "off.csv").write_text(csv_text(rows))
    reward = load_reward(lambda params: float(params["is_offtrack"]))
    (found,) = rescore(read_episodes(tmp_path / "off.csv", harbor)[0], reward)
    assert found.new.tolist() == [0.0] * (len(rows) - 2) + [1.0]
    old = "\n".join(",".join(line.split(",")[:15]) for line in csv_text(rows).splitlines()) + "\n"
    rows_2019 = read_log(write(tmp_path / "old.csv", old.rstrip())).rows
    assert len(rows_2019) == len(rows)
    lines = text_lines(rows, 15)
    (found,) = rescore(read_episodes(write(tmp_path / "old.log", *lines), harbor)[0], reward)
    assert found.new.sum() >= 10.0, "a log of 2019 does not say it, so the geometry does"


# Nothing in a log, a folder or an archive is executed or changed.

CANARY = "import pathlib\npathlib.Path('CANARY').touch()\n"
HOSTILE = {
    "reward_function.py": CANARY,
    "conftest.py": CANARY,
    "sitecustomize.py": CANARY,
    "numpy.py": CANARY,
    "agents/ppo.py": CANARY,
    "tracks/harbor.py": CANARY,
    "run.json": '{"agent": "./agents/ppo.py", "reward": "./reward_function.py", "track": "harbor"}',
    "notes.txt": "$(touch CANARY) `touch CANARY`\n",
}


@pytest.mark.parametrize("kind", ["file", "folder", "archive"])
@pytest.mark.parametrize("command", ["import-log", "rescore"])
def test_nothing_in_a_log_is_executed(command, kind, harbor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = csv_text(episode(harbor, 30, action="__import__('os').system('touch CANARY')"))
    files = {f"log/{name}": data for name, data in HOSTILE.items()} | {"log/0-iteration.csv": text}
    if kind == "file":
        del files["log/run.json"]  # a log in a run's folder asks for the run's track; it is damaged
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(data)
    packed(tmp_path / "log.tar.gz", {name: data.encode() for name, data in files.items()})
    source = {"file": "log/0-iteration.csv", "folder": "log", "archive": "log.tar.gz"}[kind]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    options = ["--track", "harbor", *(["--reward", "progress"] if command == "rescore" else [])]
    result = CliRunner().invoke(app, [command, source, *options])
    assert result.exit_code == 0, result.output
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    made = set(after) - set(before)
    assert {path.name for path in made} <= {"log.replay", "0-iteration.replay"}
    assert all(after[path] == data for path, data in before.items())


def test_import_log_takes_an_archive_and_tells_what_it_left_out(harbor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = csv_text(episode(harbor)).splitlines()
    lines[10] = "damaged"
    packed(tmp_path / "my.model.tar.gz", {"sim-trace/0-iteration.csv": "\n".join([*lines, ""]).encode()})
    result = CliRunner().invoke(app, ["import-log", "my.model.tar.gz"])
    assert result.exit_code == 0, result.output
    assert "line 11: it has 1 fields where 19 belong" in result.stderr and "left out" in result.stderr
    assert load_replay("my.model.replay").completed_laps == 1
    assert json.loads(CliRunner().invoke(app, ["rescore", "my.model.tar.gz", "--reward", "progress", "--json"]).stdout)


def test_the_columns_are_those_of_the_newest_generation():
    assert len(COLUMNS) == 19
