"""Races by a rulebook: what is counted lap by lap, what resets and limits do, and that one race is as good as many."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from drives import ring
from typer.testing import CliRunner

import racer
from racer import shelf
from racer.cli import app
from racer.env import TimeTrial, TimeTrialVector
from racer.errors import RulesError
from racer.racing import (
    RaceConditions,
    check_replay,
    drive,
    load_agent,
    load_rulebook,
    middle_time_s,
    race_by_rules,
    races_by_rules,
    rulebook_from_json,
    score,
    trials_of,
)
from racer.replay import load_replay, mark_of, save_replay, verify
from racer.sim import CARS, OFF_TRACK, STEP_S, Rules, World
from racer.track import load_track

NO_NOISE = {"start_offset_m": 0, "start_heading_deg": 0, "state": 0, "lidar_m": 0, "pixels": 0}


class Careless:
    """Pure pursuit that steers off the track for a while, from step `at` on, with every `every`-th car."""

    def __init__(self, track, at=(), every=1):
        self.driver = load_agent("pure_pursuit").make(TimeTrialVector(1, track, None))
        self.at, self.every, self.step = at, every, 0

    def act(self, observation):
        actions = np.array(self.driver.act(observation))
        self.step += 1
        if any(at <= self.step < at + 12 for at in self.at):
            actions[:: self.every] = (1.0, 1.0)
        return actions


def rules(**sections):
    return rulebook_from_json({"tracks": "bean", "noise": NO_NOISE, **sections})


@pytest.fixture(scope="module")
def penalised():
    """Three laps of bean with 2 s for an off-track in the first and one in the second."""
    return rules(penalties={"off_track_s": 2}, resets={"most": 5}, timing={"method": "total-time"})


def careless(at=(60, 200), **more):
    return lambda track: Careless(track, at, **more)


def test_every_lap_says_what_happened_in_it(penalised):
    (course,) = race_by_rules(careless(), penalised, name="careless").courses
    replay = drive(Careless(course.track, (60, 200)), course.track, conditions=RaceConditions(rules=penalised.rules))
    (trial,) = course.trials
    assert (trial.end, trial.progress) == ("lap_complete", 100.0)
    assert [lap.number for lap in trial.laps] == [1, 2, 3] and len(replay.laps) == 3
    for lap, same in zip(trial.laps, replay.laps, strict=True):
        steps = replay.steps[replay.steps["lap"] == lap.number]
        assert (lap.time_s, lap.start_s, lap.resets) == (same.time_s, same.start_s, same.resets)
        assert lap.penalty_s == pytest.approx(steps["held"].sum() * STEP_S)
        assert lap.off_tracks == (np.diff(steps["held"].astype(int), prepend=0) == 1).sum()
        assert lap.mean_speed_mps == pytest.approx(replay.drives[0].mean_speed_mps(same))
    assert sum(lap.off_tracks for lap in trial.laps) == 2
    assert sum(lap.penalty_s for lap in trial.laps) == pytest.approx(4.0)
    assert course.score.time_s == sum(lap.time_s for lap in replay.laps)


def test_the_last_reset_is_followed_by_the_end(penalised):
    for most, laps, end in ((2, 3, "lap_complete"), (1, 2, "off_track"), (0, 1, "off_track")):
        rulebook = dataclasses.replace(penalised, resets=dataclasses.replace(penalised.resets, most=most))
        race = race_by_rules(careless(), rulebook)
        (trial,) = race.courses[0].trials
        assert (len(trial.laps), trial.end, sum(lap.resets for lap in trial.laps)) == (laps, end, most)
        assert (race.time_s is None) == (most < 2)
        assert race.completion_rate == pytest.approx((laps - (most < 2)) / 3)


def test_the_environments_end_where_resets_do():
    """One car alone as in a batch, and as the world's own states say."""
    track = ring()
    given = Rules("line", 3, penalty_s=0.2, resets=2)
    one, many = TimeTrial(track, rules=given), TimeTrialVector(3, track, rules=given)
    one.reset(seed=1)
    many.reset(seed=1)
    straight = np.array([0.0, 1.0], dtype=np.float32)
    offs = 0
    for _ in range(200):
        _, _, ended, truncated, info = one.step(straight)
        every = many.step(np.tile(straight, (3, 1)))
        assert (every[2] == ended).all() and (every[3] == truncated).all()
        offs += info["status"] == "off_track"
        assert ended == (offs == 3)
        if ended:
            break
    assert offs == 3 and every[4]["final_info"]["status"].tolist() == ["off_track"] * 3
    world = World(track, rules=given)
    world.seed(1)
    world.reset()
    statuses = []
    for _ in range(200):
        world.step(np.array([[[0.0, 4.0]]]), np.zeros((1, 1)))
        statuses.append(int(world.cars["status"][0, 0]))
        if statuses[-1] == OFF_TRACK and world.cars["held"][0, 0] == 0:
            break
    assert statuses.count(OFF_TRACK) == 3 and int(world.cars["resets"][0, 0]) == 2


def test_arguments_that_rules_stand_for_are_refused_beside_them():
    with pytest.raises(ValueError, match="rules take the place of start, laps"):
        TimeTrial("bean", rules=Rules("line"), laps=3)
    with pytest.raises(ValueError, match="it must be a `racer"):
        TimeTrial("bean", rules="league")
    assert TimeTrial("bean", rules=Rules("line", 2)).field.world.rules == Rules("line", 2)


def test_a_race_is_the_same_alone_and_beside_others():
    rulebook = dataclasses.replace(load_rulebook("training"), tracks=("bean",))
    seeds = [5, 2**63 - 10, 7]
    together = races_by_rules(careless(at=()), rulebook, RaceConditions(), seeds)
    for seed, race in zip(seeds, together, strict=True):
        assert race.as_json() == race_by_rules(careless(at=()), rulebook, RaceConditions(seed=seed)).as_json()
    assert len({race.time_s for race in together}) == 3
    trials = together[0].courses[0].trials
    assert [(trial.number, trial.seed) for trial in trials] == [(k + 1, 5 + k) for k in range(5)]
    assert len({trial.laps[0].time_s for trial in trials}) == 5  # each from another place
    assert middle_time_s(together) == sorted(race.time_s for race in together)[1]


def test_without_noise_all_trials_are_alike_and_with_noise_none():
    quiet = rules(race={"trials": 3, "laps": 1})
    noisy = rulebook_from_json({"tracks": "bean", "race": {"trials": 3, "laps": 1}})
    for rulebook, different in ((quiet, 1), (noisy, 3)):
        race = race_by_rules(careless(at=()), rulebook)
        assert len({trial.laps[0].time_s for trial in race.courses[0].trials}) == different


def test_a_flying_start_has_a_lap_before_it():
    standing, flying = (
        race_by_rules(careless(at=()), rules(race={"laps": 2, "start": start}, timing={"method": "total-time"}))
        for start in ("standing", "flying")
    )
    (trial,) = flying.courses[0].trials
    assert [lap.number for lap in trial.laps] == [0, 1, 2]
    assert flying.time_s == sum(lap.time_s for lap in trial.laps[1:])
    assert flying.time_s < standing.time_s == sum(lap.time_s for lap in trial.laps[:2])


def test_several_tracks_and_directions_are_added_up():
    race = race_by_rules(careless(at=()), rules(tracks=["bean", "pebble"], direction="both", race={"laps": 1}))
    where = [(course.track.name, course.track.reversed) for course in race.courses]
    assert where == [("bean", False), ("bean", True), ("pebble", False), ("pebble", True)]
    assert race.time_s == sum(course.score.time_s for course in race.courses)
    lost = race_by_rules(
        lambda track: Careless(track, (20,) if track.name == "pebble" else ()),
        rules(tracks=["bean", "pebble"], race={"laps": 1}),
    )
    assert lost.time_s is None and lost.courses[0].score.time_s is not None and lost.completion_rate == 0.5


def test_time_is_up_when_the_rules_say_so():
    race = race_by_rules(careless(at=()), rules(race={"laps": 9, "time_limit_s": 10}))
    (trial,) = race.courses[0].trials
    assert trial.end == "time_up" and not trial.laps[-1].complete
    last = trial.laps[-1]
    assert last.start_s + last.time_s == pytest.approx(10.0, abs=2 * STEP_S)


def test_sensors_that_are_not_allowed_are_refused():
    with pytest.raises(RulesError, match="the driver observes state, but the rules allow LIDAR"):
        race_by_rules(careless(), rules(sensors="LIDAR"))
    assert rules(sensors="LIDAR").allows(("LIDAR:stack=2",))


def test_a_replay_keeps_its_rules_and_holds(tmp_path, penalised):
    one = dataclasses.replace(penalised, resets=dataclasses.replace(penalised.resets, most=1))
    track = one.courses()[0]
    for rulebook in (penalised, one):
        made = drive(Careless(track, (60, 200)), track, conditions=RaceConditions(rules=rulebook.rules))
        save_replay(made, tmp_path / "a.replay", overwrite=True)
        again = load_replay(tmp_path / "a.replay")
        verdict = verify(again)
        assert verdict.ok, verdict.reason
        assert again.rules == rulebook.rules
        check_replay(rulebook, again)
        trials = trials_of(again, verdict.laps)
        assert [len(laps) for laps in trials] == [len(made.laps)]
        race = race_by_rules(careless(), rulebook)
        assert score(rulebook, trials) == race.courses[0].score
    assert made.laps[-1].off_track and not made.laps[-1].complete
    with pytest.raises(RulesError, match="its resets is 1, but here it is 5"):
        check_replay(penalised, again)
    cheated = dataclasses.replace(again, rules=penalised.rules)
    assert not verify(dataclasses.replace(made, rules=dataclasses.replace(made.rules, penalty_s=0.5))).ok
    assert cheated.digest != again.digest


def test_a_replay_from_anywhere_holds():
    rulebook = dataclasses.replace(load_rulebook("training"), tracks=("bean",))
    track = rulebook.courses()[0]
    made = drive(Careless(track), track, conditions=RaceConditions(seed=4, rules=rulebook.rules))
    verdict = verify(made)
    assert verdict.ok, verdict.reason
    check_replay(rulebook, made)
    assert score(rulebook, trials_of(made, verdict.laps)).time_s == made.laps[0].time_s
    assert made.steps["s"][0] != pytest.approx(0.14, abs=0.1)
    assert not verify(dataclasses.replace(made, seed=5)).ok


def test_trials_begin_where_the_car_is_put_on_the_line():
    track = load_track("bean")
    made = drive(Careless(track, (60,)), track, laps=3)  # without penalties an off-track begins anew
    assert [lap.complete for lap in made.laps] == [False, True, True]
    assert [[lap.index for lap in laps] for laps in trials_of(made)] == [[1], [2, 3]]


def test_the_examples_on_the_page_run(folder):
    page = Path(racer.__file__).parent.parent / "docs" / "rules.md"
    if not page.is_file():
        pytest.skip("not a checkout")
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    names = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    assert len(blocks) == 2 and names["env"].unwrapped.field.world.rules == load_rulebook("league").rules


def run(*words):
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_evaluate_by_rules(folder):
    (folder / "two.toml").write_text(
        "title = 'Two'\ntracks = 'bean'\n[race]\ntrials = 2\nlaps = 2\n[timing]\nmethod = 'average-laps'\nlaps = 2\n"
    )
    shown = run("evaluate", "pure_pursuit", "--rules", "two.toml", "--seed", "4")
    assert shown.exit_code == 0, shown.output
    printed = run("evaluate", "pure_pursuit", "--rules", "two.toml", "--seed", "4", "--json", "--replay", "a.replay")
    result = json.loads(printed.stdout)
    assert f"{result['time_s']:.3f} s" in shown.stdout and "4 of 4 laps completed" in shown.stdout
    times = [lap["time_s"] for trial in result["courses"][0]["trials"] for lap in trial["laps"]]
    course, mark = result["courses"][0], mark_of(load_track("bean"), CARS["deepracer"])
    assert (course["best_lap_s"], course["mark_s"]) == (min(times), round(mark.best_lap_s, 3))
    assert course["percent_of_mark"] == pytest.approx(100.0 * mark.best_lap_s / min(times), abs=0.02)
    assert f"best lap {course['percent_of_mark']:.1f} % of the mark" in " ".join(shown.stdout.split())
    assert result["laps"]["best_s"] == min(times)
    assert result["laps"]["mean_s"] == pytest.approx(np.mean(times), abs=1e-3)
    assert result["laps"]["spread_s"] == pytest.approx(np.std(times), abs=1e-3)
    assert rulebook_from_json(result["rules"]) == load_rulebook("two.toml")
    assert verify(load_replay("a.replay")).ok
    check_replay(load_rulebook("two.toml"), load_replay("a.replay"))
    assert run("evaluate", "pure_pursuit", "--rules", "two.toml", "--laps", "3").exit_code == 2
    (folder / "later.toml").write_text("race_type = 'head-to-head'")
    later = run("evaluate", "pure_pursuit", "--rules", "later.toml")
    assert later.exit_code == 1 and "cannot be driven with this version" in later.stderr


def keys_of(data, path="") -> set[str]:
    """Every key of a JSON document, with dots between and `[]` for lists."""
    if isinstance(data, dict):
        return {f"{path}{key}" for key in data} | set().union(
            *(keys_of(value, f"{path}{key}.") for key, value in data.items())
        )
    if isinstance(data, list):
        return set().union(*(keys_of(value, f"{path[:-1]}[].") for value in data))
    return set()


def test_the_page_documents_every_key_of_the_result(folder):
    page = Path(racer.__file__).parent.parent / "docs" / "rules.md"
    if not page.is_file():
        pytest.skip("not a checkout")
    result = race_by_rules(careless(at=()), rules(race={"laps": 1}), name="x").as_json()
    written = {key for key in keys_of(result) if not key.startswith("rules.")}
    text = page.read_text(encoding="utf-8").partition("\n## Models")[0]
    documented = set(re.findall(r"^\| `([a-z_.\[\]]+)` \|", text, flags=re.MULTILINE))
    assert written <= documented
    rulebook_keys = {key for key in keys_of(result["rules"]) if key not in ("format", "version")}
    assert rulebook_keys <= documented
    assert documented <= written | rulebook_keys | set(shelf.names("rules"))
