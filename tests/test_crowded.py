"""A driver among boxes and bot cars, under many seeds; and the command that tells how it fares."""

import json
from pathlib import Path

import numpy as np
import pytest
from drives import ring
from test_heats import Circler, run

from racer.errors import RulesError
from racer.racing import RaceConditions, evaluate_crowded
from racer.replay import load_replay, verify
from racer.sim import Bots, Boxes, Place, Rules, Traffic, World

TRACK = ring(1.5)


class Batch(Circler):
    """Drives round the ring on one line, `offset` of the half width to the left of the middle."""

    def __init__(self, speed, offset=0.0):
        super().__init__(speed)
        self.offset = offset

    def act(self, observation):
        moved = np.array(observation, dtype=np.float64)
        moved[:, 6] -= self.offset
        return super().act(moved)


def test_counts_are_those_of_a_world_driven_by_hand():
    """Boxes in one lane, a driver in the other one, and one who drives right into them."""
    traffic = Traffic(Boxes(places=(Place(0.4, "inner"), Place(0.7, "inner"))))
    clean = evaluate_crowded(Batch(1.2, -0.5), TRACK, traffic, [3, 4], laps=2)
    assert (clean.completion, clean.clean, clean.crashes_per_lap) == (1.0, 2, 0.0)
    assert len(clean.lap_times_s) == 4 and clean.mean_speed_mps == pytest.approx(1.15, abs=0.1)
    hit = evaluate_crowded(Batch(1.2, 0.5), TRACK, traffic, [3, 4], laps=2)
    assert (hit.completion, hit.clean, hit.crashes_per_lap) == (0.0, 0, 1.0)
    assert [race.end for race in hit.races] == ["crashed", "crashed"] and hit.mean_speed_mps is None
    assert hit.races[0].progress == pytest.approx(40.0, abs=6.0)


def test_a_penalty_lets_it_go_on():
    """Put back behind the box, in the other lane, it drives into the box again, until its time is up."""
    traffic = Traffic(Boxes(places=(Place(0.5, "inner"),)))
    result = evaluate_crowded(Batch(1.2, 0.5), TRACK, traffic, [0], 1, RaceConditions(penalty_s=2.0))
    (race,) = result.races
    (lap,) = race.laps
    assert lap.crashes > 10 and lap.penalty_s == pytest.approx(2.0 * lap.crashes, abs=2.0) and race.end == "time_up"
    assert result.crashes_per_lap == lap.crashes and result.clean == 0


def test_each_seed_has_the_boxes_that_it_has_alone():
    traffic = Traffic(Boxes(2, drawn=True))
    together = evaluate_crowded(Batch(1.0), TRACK, traffic, range(6), laps=1)
    assert len({race.progress for race in together.races}) > 3, "they differ"
    for race in together.races:
        alone = evaluate_crowded(Batch(1.0), TRACK, traffic, [race.seed], laps=1)
        assert alone.races[0].laps == race.laps and alone.races[0].progress == race.progress
        world = World(TRACK, 1, 1, rules=Rules("line", 1), traffic=traffic)
        world.seed(race.seed)
        world.reset()
        if race.end == "crashed":
            nearest = np.sort(world.things["s"][0]) / TRACK.length * 100.0
            assert min(abs(nearest - race.progress)) < 8.0


def test_what_does_not_fit_is_told():
    with pytest.raises(RulesError, match="cannot start: 40 bot cars"):
        evaluate_crowded(Batch(1.0), TRACK, Traffic(bots=Bots(40)), [0])


# The command line


def test_the_command_tells_completion_crashes_and_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--race", "object-avoidance", "--objects", "2", "--random-objects", "--seeds", "6", "--laps", "1"]
    done = run("evaluate", "pure_pursuit", *options, "--seed", "7", "--json", "--replay", "first.replay")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["race"], found["seeds"], found["laps"], found["penalty_s"]) == ("object-avoidance", 6, 1, None)
    assert [race["seed"] for race in found["races"]] == list(range(7, 13))
    complete = [lap["time_s"] for race in found["races"] for lap in race["laps"] if lap["complete"]]
    assert found["completion"] == round(len(complete) / 6, 4)
    assert found["clean_races"] == sum(race["end"] == "lap_complete" for race in found["races"])
    assert found["best_lap_s"] == min(complete, default=None)
    assert "Blind to boxes" in done.stderr
    replay = load_replay("first.replay")
    assert replay.seed == 7 and replay.traffic is not None and replay.traffic.count == 2 and verify(replay).ok
    assert run("evaluate", "pure_pursuit", *options, "--replay", "first.replay").exit_code == 1


def test_the_command_prints_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--bots", "3", "--lane-changes", "--seeds", "2", "--laps", "1", "--penalty", "1"]
    done = run("evaluate", "follow_the_gap", *options)
    assert done.exit_code == 0, done.output
    assert "follow_the_gap on harbor among 3 bot cars" in done.stdout and "crashes per lap" in done.stdout
    assert "Blind to boxes" not in done.stderr
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--race", "formula-1"], 1, "object-avoidance"),
        (["--objects", "10000"], 1, "from 0 to 200"),
        (["--objects", "90"], 1, "cannot start: 90 boxes"),
        (["--bots", "3", "--race", "object-avoidance"], 1, "head-to-bot"),
        (["--bots", "3", "--tracks", "harbor,needle"], 2, "one track"),
        (["--bots", "3", "--rules", "league"], 2, "a rulebook says"),
    ],
)
def test_what_makes_no_sense_is_told(options, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("evaluate", "pure_pursuit", *options)
    assert done.exit_code == code and message in " ".join(done.stderr.replace("│", " ").split()), done.output
