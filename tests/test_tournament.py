"""Tournaments: who meets whom, who goes on, who wins; the tables and the pictures of them."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from drives import ring
from PIL import Image
from test_heats import BAD, Circler, run

from racer.errors import AgentError, RulesError
from racer.racing import Contestant, Heat, Tournament, run_tournament
from racer.replay import load_replay, verify
from racer.sim import Traffic
from racer.viewer.plot import Pairing, draw_brackets, draw_cross_table

TRACK = ring(1.0)
QUICK = Heat(TRACK, 1, Traffic(grid="pairs"), penalty_s=0.0, crash_penalty_s=0.0, grace_s=0.0)


def field(speeds):
    """Drivers named after their speeds; two of one speed have one name, too."""
    return [Contestant(f"{speed:g}", Circler(speed)) for speed in speeds]


def hold(speeds, kind, rounds=1, seeding="named", seed=0):
    heat = Heat(TRACK, 1, QUICK.traffic, 0.0, 0.0, seed, 0.0)
    return run_tournament(Tournament(heat, kind, rounds, seeding), field(speeds))


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_in_a_league_everybody_meets_everybody_once(count):
    speeds = [1.0, 1.6, 1.2, 0.8, 1.4][:count]
    result = hold(speeds, "round-robin")
    met = [frozenset(match.drivers) for match in result.matches]
    assert sorted(map(sorted, met)) == sorted(sorted(pair) for pair in combinations([f"{s:g}" for s in speeds], 2))
    for number in range(1, count + 1):
        busy = Counter(name for match in result.matches if match.round == number for name in match.drivers)
        assert max(busy.values(), default=1) == 1, "nobody races twice in a round"
    assert sum(rank.heats_won for rank in result.ranking) == len(result.matches)
    assert [rank.heats_won for rank in result.ranking] == sorted((r.heats_won for r in result.ranking), reverse=True)
    assert {rank.matches for rank in result.ranking} == {count - 1}


def test_grid_places_are_swapped_and_seeds_go_up():
    result = hold([1.0, 1.2], "round-robin", rounds=3, seed=40)
    (match,) = result.matches
    grids = [[drive.driver for drive in heat.replay.drives] for heat in match.heats]
    assert grids == [["1", "1.2"], ["1.2", "1"], ["1", "1.2"]]
    assert [heat.replay.seed for heat in match.heats] == [40, 41, 42]
    assert sum(match.wins) == 3 and match.winner == match.drivers[match.wins.index(max(match.wins))]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8])
def test_who_has_lost_twice_is_out(count):
    speeds = [1.7, 0.8, 1.5, 1.0, 1.3, 0.9, 1.1, 1.2][:count]
    result = hold(speeds, "double-elimination")
    lost: Counter[str] = Counter()
    for match in result.matches:
        assert all(lost[name] < 2 for name in match.drivers), "who is out does not race"
        if match.bracket in ("winners", "losers"):
            assert {lost[name] for name in match.drivers} == {int(match.bracket == "losers")}
        lost[match.loser] += 1
    names = [rank.driver for rank in result.ranking]
    assert len(names) == count == len(set(names)) and result.winner == names[0]
    assert lost[names[0]] < 2 and all(lost[name] == 2 for name in names[1:])
    last = {name: max(k for k, match in enumerate(result.matches) if name in match.drivers) for name in names}
    assert last[names[0]] == last[names[1]] == len(result.matches) - 1
    assert len(result.matches) == 2 * count - 2 + lost[names[0]]


def test_seeding():
    speeds = [0.9, 1.5, 1.2, 1.8]
    fastest = [f"{speed:g}" for speed in sorted(speeds, reverse=True)]
    result = hold(speeds, "double-elimination", seeding="qualifying")
    assert list(result.seeded) == fastest
    assert [match.drivers for match in result.matches[:2]] == [("1.8", "0.9"), ("1.5", "1.2")]
    assert hold(speeds, "round-robin", seeding="named").seeded == ("0.9", "1.5", "1.2", "1.8")
    drawn = {hold(speeds[:2], "round-robin", seeding="random", seed=seed).seeded for seed in range(5)}
    assert len(drawn) == 2


def test_the_same_tournament_comes_out_the_same():
    one, other = (hold([1.0, 1.4, 1.2], "double-elimination", seeding="random", seed=3) for _ in range(2))
    assert one.ranking == other.ranking and json.dumps(one.as_json()) == json.dumps(other.as_json())


def test_even_heats_are_decided_by_the_time():
    """Both win one heat each from the first place on the grid; the faster one needed less time for both."""
    result = hold([1.2, 1.2], "round-robin", rounds=2)
    (match,) = result.matches
    assert match.drivers == ("1.2 1", "1.2 2"), "those of one name are numbered"
    times = [
        sum(p.time_s or 1e9 for heat in match.heats for p in heat.placings if p.driver == name)
        for name in match.drivers
    ]
    if match.wins == (1, 1):
        assert match.winner == match.drivers[times.index(min(times))]


def test_what_cannot_be_held_is_told():
    for wrong in ({"kind": "knockout"}, {"rounds": 0}, {"seeding": "friends"}):
        with pytest.raises(RulesError, match=r"tournament|rounds"):
            Tournament(QUICK, **wrong)
    for count in (1, 17):
        with pytest.raises(AgentError, match=f"{count} drivers"):
            run_tournament(Tournament(QUICK), field([1.0] * count))


# Pictures


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_brackets_are_drawn(size, tmp_path):
    rounds = size.bit_length() - 1
    pairings = [
        Pairing("winners", number, slot, (f"driver {slot} $x$", "b" * 50), (2, 1), slot % 2)
        for number in range(1, rounds + 1)
        for slot in range(size >> number)
    ]
    for number in range(1, 2 * rounds - 1):
        pairings += [Pairing("losers", number, 0, ("c", "d"), (0, 1), 1)]
    pairings += [Pairing("final", number, 0, ("a", "c"), (1, 0), 0) for number in (1, 2)]
    draw_brackets(pairings, size, "A title", tmp_path / "bracket.png")
    with Image.open(tmp_path / "bracket.png") as picture:
        assert picture.width >= picture.height and len(picture.convert("RGB").getcolors(1 << 20)) > 50


def test_a_cross_table_is_drawn(tmp_path):
    pairings = [Pairing("league", 1, 0, pair, (1, 1), 0) for pair in combinations(["a", "b", "c"], 2)]
    draw_cross_table(["b", "a", "c"], pairings, "A title", tmp_path / "cross.svg")
    text = (tmp_path / "cross.svg").read_text()
    assert text.count("1:1") == 6 or "<svg" in text


# The command line


def test_the_command_holds_a_tournament(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    options = ["--laps", "1", "--rounds", "1", "--seeding", "named", "--replays", "heats", "--out", "table.png"]
    done = run("tournament", "pure_pursuit", "bad.py", "pure_pursuit", *options, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["seeded"] == ["pure_pursuit 1", "bad", "pure_pursuit 2"] and len(found["matches"]) == 3
    assert [row["position"] for row in found["ranking"]] == [1, 2, 3]
    assert (found["ranking"][2]["driver"], found["ranking"][2]["heats_won"]) == ("bad", 0)
    assert found["ranking"][0]["best_lap_s"] > 5.0
    files = sorted(Path("heats").iterdir())
    assert [path.name[:4] for path in files] == ["000-", "001-", "002-"]
    assert all(verify(load_replay(path)).ok for path in files)
    assert Path("table.png").read_bytes().startswith(b"\x89PNG")
    again = run("tournament", "pure_pursuit", "bad.py", *options)
    assert again.exit_code == 1 and "table.png exists already" in again.stderr
    again = run("tournament", "pure_pursuit", "bad.py", *options[:-2])
    assert again.exit_code == 1 and files[0].name in again.stderr, "before anything is raced"


def test_the_command_prints_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(BAD)
    done = run("tournament", "bad.py", "pure_pursuit", "--laps", "1", "--rounds", "1", "--format", "double-elimination")
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "Double elimination on harbor" and lines[2].startswith("1 pure_pursuit 2 of 2 2 of 2")
    assert "final 1 pure_pursuit 1:0 bad pure_pursuit" in lines
    refused = run("tournament", "bad.py", "pure_pursuit", "--format", "cup")
    assert refused.exit_code == 2 and "round-robin, double-elimination" in " ".join(refused.stderr.split())
