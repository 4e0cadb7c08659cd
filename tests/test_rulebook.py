"""Rulebooks: what a file may say, what is said about one that is wrong, and what the laps are worth by it."""

import dataclasses
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from racer import shelf
from racer.cli import app
from racer.errors import RulesError, ShelfError
from racer.racing import (
    Rulebook,
    board_digest,
    load_rulebook,
    parse_rulebook,
    rulebook_as_json,
    rulebook_from_json,
    score,
)
from racer.replay import Lap
from racer.sim import Rules

PRESETS = shelf.names("rules")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_presets_are_those_that_are_promised():
    assert {"training", "league", "on-aws", "knockout"} <= set(PRESETS)
    league, knockout, training = (load_rulebook(name) for name in ("league", "knockout", "training"))
    assert league.rules == Rules("line", 3, 180.0, resets=10_000, penalty_s=3.0)
    assert knockout.rules == Rules("line", 3, 120.0)
    assert training.rules == Rules("random", 1, 180.0)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_sound_and_stays_itself_as_json(name):
    rulebook = load_rulebook(name)
    written = json.loads(json.dumps(rulebook_as_json(rulebook), allow_nan=False))
    assert rulebook_from_json(written) == rulebook
    assert rulebook_as_json(rulebook_from_json(written)) == written
    assert rulebook.rules and rulebook.courses() and load_rulebook(rulebook) is rulebook
    assert parse_rulebook(shelf.resolve("rules", name).read_text()) == rulebook


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("title = 3", 1, "title is 3; it must be a line of 1 to 100 visible characters"),
        ('title = "a\\u202eb"', 1, "title is 'a\\u202eb'; it must be a line"),
        ("\n[race]\nlaps = 0", 3, "laps in [race] is 0; it must be a whole number from 1 to 999"),
        ("[race]\ntrials = true", 2, "trials in [race] is True; it must be a whole number"),
        ("[race]\n\nlapps = 3", 3, "there is no 'lapps' in [race]. Did you mean 'laps'?"),
        ("[rase]\nlaps = 3", 1, "there is no 'rase'. Did you mean 'race'"),
        ("laps = 3", 1, "there is no 'laps'. It belongs in [race]."),
        ("race.laps = 0", 1, "laps in [race] is 0"),
        ("race = 3", 1, "race is 3; it must be a section, [race]"),
        ("[race]\nstart = 'flyng'", 2, "it must be 'standing' or 'flying'. Did you mean 'flying'?"),
        ("[race]\ntime_limit_s = nan", 2, "time_limit_s in [race] is nan, which is no number"),
        ("[race]\ntime_limit_s = -inf", 2, "time_limit_s in [race] is -inf"),
        ("[penalties]\noff_track_s = 61", 2, "it must be a number from 0 to 60 s"),
        ("tracks = []", 1, "tracks is []; it must be a list of 1 to 20 tracks"),
        ("tracks = ['bean', 'bean']", 1, "One is named twice"),
        ("car = 'deepracr'", 1, "the cars are deepracer, deepracer-v4. Did you mean 'deepracer'"),
        ("sensors = 'LIDR'", 1, "There is no 'LIDR'. Did you mean 'LIDAR'"),
        ("[timing]\nmethod = 'average-laps'\nlaps = 4", 3, "laps in [timing] is 4, but a trial has only 3"),
        ("[entries]\nopens = 2026-09-01", 2, "It has no time of day"),
        ("[entries]\nopens = 2026-09-01T08:00:00", 2, "It has no offset from UTC"),
        (
            "[entries]\ncloses = 2026-09-01T08:00:00Z\nopens = 2026-09-01T10:00:00+02:00",
            2,
            "which is not after opens",
        ),
        ("[objects]\ncount = 3", 2, "a time trial has none; race_type would be 'object-avoidance'"),
        ("race_type = 'head-to-bot'", None, "count in [bots] is 0, but race_type is 'head-to-bot'"),
        ("[race]\nlaps = ", 2, "not valid TOML"),
        ("x = " + "[" * 50_000, None, "not valid TOML"),
        ("x = " + "9" * 5_000, None, "not valid TOML"),
        ("format = 'racer replay'", 1, "format is 'racer replay'"),
        ("version = 2", 1, "version is 2; this racer reads version 1"),
    ],
)
def test_what_is_wrong_is_named_with_line_key_and_value(text, line, message):
    with pytest.raises(RulesError) as caught:
        parse_rulebook(text, "club.toml")
    where = "club.toml: " if line is None else f"club.toml, line {line}: "
    assert str(caught.value).startswith(where)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.dictionaries(st.sampled_from(["race", "title", "resets", "laps", "entries"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["laps", "most", "opens"]), inner),
    max_leaves=6,
)))  # fmt: skip
def test_any_json_is_a_rulebook_or_one_clear_error(data):
    try:
        found = rulebook_from_json(data)
    except RulesError as wrong:
        assert "\n" not in str(wrong)
    else:
        assert rulebook_from_json(json.loads(json.dumps(rulebook_as_json(found)))) == found


def test_a_file_of_ones_own_goes_before_racers(folder):
    (folder / "rules").mkdir()
    (folder / "rules" / "league.toml").write_text("title = 'Mine'\n")
    assert load_rulebook("league").title == "Mine"
    assert load_rulebook(folder / "rules" / "league.toml").title == "Mine"
    with pytest.raises(ShelfError, match=r"no rulebook 'leage'\. Did you mean 'league'"):
        load_rulebook("leage")


def test_times_are_kept_in_utc_and_unlimited_is_a_word():
    rulebook = parse_rulebook("[entries]\nopens = 2026-09-01T10:00:00+02:00\nmost_per_driver = 'unlimited'")
    assert rulebook.entries.opens == datetime(2026, 9, 1, 8, tzinfo=UTC)
    assert rulebook_as_json(rulebook)["entries"]["opens"] == "2026-09-01T08:00:00Z"
    assert rulebook.entries.most_per_driver is None
    assert parse_rulebook("[resets]\nmost = 'unlimited'").rules == Rules("line", 3, penalty_s=5.0)


def test_races_that_cannot_be_driven_yet_are_refused_in_a_sentence():
    rulebook = parse_rulebook("race_type = 'object-avoidance'\n[objects]\ncount = 6\nrandom = true")
    with pytest.raises(RulesError, match="'object-avoidance': such races cannot be driven with this version"):
        _ = rulebook.rules


def test_a_board_is_what_decides_its_races(folder):
    league = load_rulebook("league")
    same = dataclasses.replace(
        league, title="Tuesday", entries=dataclasses.replace(league.entries, closes=datetime(2027, 1, 1, tzinfo=UTC))
    )
    assert board_digest(same) == board_digest(league)
    (folder / "tracks").mkdir()
    (folder / "tracks" / "quay.csv").write_text(shelf.resolve("tracks", "harbor").read_text())
    assert board_digest(dataclasses.replace(league, tracks=("quay",))) == board_digest(league)
    others = [
        dataclasses.replace(league, tracks=("bean",)),
        dataclasses.replace(league, direction="reverse"),
        dataclasses.replace(league, car="deepracer-v4"),
        dataclasses.replace(league, sensors=("state",)),
        dataclasses.replace(league, penalties=dataclasses.replace(league.penalties, off_track_s=5.0)),
        dataclasses.replace(league, noise=dataclasses.replace(league.noise, pixels=0.0)),
    ]
    digests = {board_digest(one) for one in [league, *others]}
    assert len(digests) == 1 + len(others)


def laps_of(times, gap_s=0.0):
    """Laps one after the other; a negative time is one that was not completed."""
    start_s, laps = 0.0, []
    for index, time_s in enumerate(times, 1):
        laps.append(Lap(index, start_s, abs(time_s), time_s > 0, False))
        start_s += abs(time_s) + gap_s
    return laps


def rules_of(method, trials=3, laps=4, window=2, start="standing", limit_s=1000.0):
    return rulebook_from_json(
        {
            "race": {"trials": trials, "laps": laps, "start": start, "time_limit_s": limit_s},
            "timing": {"method": method, "laps": window},
        }
    )


TIMES = st.lists(st.lists(st.integers(-9, 9).filter(bool).map(float), max_size=5), max_size=3)


@given(TIMES, st.sampled_from(["best-lap", "average-laps", "total-time"]), st.sampled_from(["standing", "flying"]))
def test_the_official_time_is_the_best_of_all_that_could_count(trials, method, start):
    """Against going through every row of laps there is."""
    rulebook = rules_of(method, start=start)
    found = score(rulebook, [laps_of(times) for times in trials])
    size, divisor = {"best-lap": (1, 1), "average-laps": (2, 2), "total-time": (4, 1)}[method]
    possible = []
    for times in trials:
        counted = times[start == "flying" :][:4]
        for first, last in itertools.combinations(range(len(counted) + 1), 2):
            row = counted[first:last]
            if len(row) == size and min(row) > 0:
                possible.append(sum(row) / divisor)
    assert found.time_s == (min(possible) if possible else None)
    if possible:
        counted = trials[found.trial - 1][start == "flying" :]
        assert sum(counted[found.first_lap - 1 : found.first_lap - 1 + found.laps]) / divisor == found.time_s
    assert found.completed_laps == sum(time > 0 for times in trials for time in times[start == "flying" :][:4])


def test_a_lap_after_the_time_limit_does_not_count():
    laps = laps_of([10.0, 9.0, 8.0, 7.0])
    assert score(rules_of("best-lap", limit_s=27.0), [laps]).time_s == 8.0
    assert score(rules_of("best-lap", limit_s=26.9), [laps]).time_s == 9.0
    later = [dataclasses.replace(lap, start_s=lap.start_s + 500.0) for lap in laps]
    assert score(rules_of("best-lap", limit_s=27.0), [laps, later]).time_s == 8.0
    assert score(rules_of("total-time", limit_s=27.0), [laps]).time_s is None


def test_more_trials_than_allowed_are_refused():
    with pytest.raises(RulesError, match=r"4 trials were driven, but the rules allow 3"):
        score(rules_of("best-lap"), [laps_of([5.0])] * 4)


def run(*words):
    return CliRunner().invoke(app, list(words))


def test_the_commands(folder):
    shown = run("rules", "show", "league").stdout
    for word in ("off_track_s", "total-time", "harbor", "[resets]", "10000"):
        assert word in shown
    assert rulebook_from_json(json.loads(run("rules", "show", "league", "--json").stdout)) == load_rulebook("league")
    made = run("rules", "new", "club", "--from", "knockout")
    assert made.stdout.strip() == str(Path("rules/club.toml"))
    assert load_rulebook("club") == load_rulebook("knockout")
    assert run("rules", "check", "club", "league").exit_code == 0
    taken = run("rules", "new", "club")
    assert taken.exit_code == 1 and "exists already" in taken.stderr
    assert run("rules", "new", "../club").exit_code == 1
    (folder / "rules" / "club.toml").write_text("tracks = ['harbour']\n")
    (folder / "rules" / "later.toml").write_text("race_type = 'head-to-head'\n")
    checked = run("rules", "check", "club", "later", "league")
    assert checked.exit_code == 1
    assert "club: there is no track 'harbour'. Did you mean 'harbor'?" in checked.stderr
    assert "later: race_type is 'head-to-head'" in checked.stderr
    assert "league is sound" in checked.stdout
    (folder / "rules" / "club.toml").write_text("[race]\nlaps = 0\n")
    listed = {entry["name"]: entry["problem"] for entry in json.loads(run("list", "rules", "--json").stdout)}
    assert listed["league"] is None and "line 2: laps in [race] is 0" in listed["club"]


def test_the_template_is_sound(folder):
    run("new", ".")
    assert run("rules", "check", "my_race").exit_code == 0
    assert isinstance(load_rulebook("my_race"), Rulebook)
