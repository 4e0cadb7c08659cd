"""Self-play: who drives the opponents, what the run folder keeps of them, and how strong they are said to be."""

import json
import shutil
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from test_train import CLIMBER
from typer.testing import CliRunner

from racer.cli import app
from racer.env import Opponent
from racer.errors import RunError
from racer.lab import report_page
from racer.racing import Heat, Linear, Network, NetworkInput, RaceConditions, act_each, duels, elo, load_model
from racer.replay import load_replay, verify
from racer.sim import Traffic
from racer.track import load_track
from racer.training import find_run, open_run, read_ratings
from racer.training.pool import Pool

DUELIST = (
    CLIMBER
    + """
    def policy_network(self):
        from racer.racing import Linear, Network, NetworkInput

        layer = Linear(self.weights, np.array([0.0, -0.5], np.float32), "none")
        return Network((NetworkInput("state", (self.weights.shape[1],)),), (layer,), "clip")
"""
)
AGENT = ("--agent", "duelist")
SELF = ("--race", "head-to-head", "--opponent", "self", "--steps", "640", *AGENT)


def steering(speed, gain=2.0):
    """A network that steers where the line goes, at a speed of -1..1."""
    weights = np.zeros((2, 42), np.float32)
    weights[0, 15] = gain
    return Network(
        (NetworkInput("state", (42,)),), (Linear(weights, np.array([0.0, speed], np.float32), "none"),), "clip"
    )


def call(*words, command="train", code=0):
    done = CliRunner().invoke(app, [command, *words])
    assert done.exit_code == code, done.output
    return done.output


def kept(folder):
    """Everything that self-play keeps in a run folder."""
    return {path.name: path.read_bytes() for path in [Path(folder, "elo.json"), *Path(folder, "pool").iterdir()]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a short training against itself, and what it printed."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        Path("agents").mkdir()
        Path("agents/duelist.py").write_text(DUELIST)
        printed = call(*SELF, "--name", "one")
    return home, printed


@pytest.fixture
def home(trained, tmp_path, monkeypatch):
    shutil.copytree(trained[0], tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


# --- Ratings ------------------------------------------------------------------------------------------------


def test_two_drivers_have_the_rating_that_can_be_written_down():
    found = elo({(3, 8): (1.0, 4)})  # with the one more that they drew: 1.5 of 5
    assert found[3] == 1000.0
    assert found[8] - found[3] == pytest.approx(400.0 * np.log10(3.5 / 1.5))


@settings(max_examples=30)
@given(st.data(), st.integers(2, 6))
def test_the_ratings_expect_the_points_that_were_won(data, count):
    """Where a likelihood is greatest, everybody's expected points are those that it has."""
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    results = {
        pair: (data.draw(st.integers(0, 4)) / 2.0, 2) for pair in pairs if pair[0] == 0 or data.draw(st.booleans())
    }
    found = elo(results)
    for name in range(count):
        expected = won = 0.0
        for (one, other), (points, heats) in results.items():
            if name in (one, other):
                rival = other if name == one else one
                expected += (heats + 1) / (1.0 + 10.0 ** ((found[rival] - found[name]) / 400.0))
                won += 0.5 + (points if name == one else heats - points)
        assert expected == pytest.approx(won, abs=1e-3)


def test_the_faster_driver_wins_from_either_place():
    conditions = RaceConditions(sensors=("state:objects=3",))
    heat = Heat(load_track("harbor"), 1, Traffic(grid="pairs"))
    still, slow, fast = steering(-1.0, -2.0), steering(-0.8), steering(-0.5)
    pairs = [(1, 2), (2, 1), (0, 2), (2, 0)]
    ahead = duels(heat, [still, slow, fast], pairs, conditions)
    assert np.sign(ahead).tolist() == [-1.0, 1.0, -1.0, 1.0]
    assert ahead.tolist() == [duels(heat, [still, slow, fast], [pair], conditions)[0] for pair in pairs]


def test_cars_of_several_networks_are_driven_as_each_of_them_drives():
    rng = np.random.default_rng(0)
    seen, who = rng.normal(size=(7, 2, 42)).astype(np.float32), rng.integers(0, 3, (7, 2))
    networks = [steering(speed, gain) for speed, gain in ((-0.5, 1.0), (0.1, -0.4), (0.3, 0.2))]
    found = act_each(networks, who, seen)
    for place in np.ndindex(7, 2):
        assert np.array_equal(found[place], networks[who[place]].act(seen[place]))
    assert np.array_equal(act_each(networks, who, {"state": seen}), found)


# --- Who drives ---------------------------------------------------------------------------------------------


class Drawn:
    """An opponent that stands still, and remembers what was drawn for it."""

    def __init__(self):
        self.draws = []

    def act(self, observations, draws):
        self.draws.append(draws.copy())
        return np.broadcast_to(np.array([0.0, -1.0], np.float32), (len(observations), 2))


def test_who_drives_an_opponent_is_drawn_once_in_an_episode_by_the_seed():
    def drawn(count, seed, steps=25):
        driver = Drawn()
        env = gym.make_vec(
            "racer/HeadToHead-v0", num_envs=count, opponents=[Opponent(driver, drawn=True)], max_episode_steps=5
        )
        env.reset(seed=seed)
        for _ in range(steps):
            env.step(np.tile(np.array([0.0, -1.0], np.float32), (count, 1)))
        return np.array(driver.draws)

    many = drawn(40, 3)
    assert ((many >= 0.0) & (many < 1.0)).all()
    assert np.array_equal(many, drawn(40, 3))
    assert np.array_equal(many[:, 7:8], drawn(1, 10)), "alone as in a batch"
    changes = (np.diff(many, axis=0) != 0.0).any(axis=1)
    assert 4 <= changes.sum() <= 6, "an episode has one draw, each has another"
    values = np.unique(many)
    assert len(values) >= 40 * 4 and abs(values.mean() - 0.5) < 0.08


# --- Trainings ----------------------------------------------------------------------------------------------


def test_the_run_keeps_its_pool_as_data_and_says_how_strong_it_is(trained):
    folder, printed = trained
    run = open_run(folder / "runs/one")
    assert run.config.opponents == ("self",)
    models = sorted((run.folder / "pool").iterdir())
    assert [path.name for path in models] == ["000000000000.model", "000000000640.model"]
    assert [load_model(path).sensors for path in models] == [("state:objects=3",)] * 2
    ratings = read_ratings(run)
    assert [(one.steps, one.meetings) for one in ratings] == [(0, 1), (640, 1)]
    assert ratings[0].elo == 1000.0 and sum(one.points for one in ratings) == 1.0
    assert "one against itself" in printed and "Elo" in printed
    assert max(map(len, printed.splitlines())) <= 200
    assert "Against itself" in report_page(run)
    replay = load_replay(run.replay)
    assert replay.drives[0].driver == "one" and replay.drives[1].driver.endswith(" steps")
    assert verify(replay).ok


def test_the_same_seed_makes_the_same_pool(home):
    call(*SELF, "--name", "two")
    assert kept("runs/two") == kept("runs/one")


@pytest.mark.slow
def test_it_goes_on_with_the_pool_of_its_checkpoint(home):
    shutil.copytree("runs/one", "runs/two")
    later = Path("runs/two/pool/000000000999.model")
    shutil.copy("runs/two/pool/000000000640.model", later)  # of a training that was killed before its checkpoint
    for name in ("one", "two"):
        call("--name", name, "--resume", "--more-steps", "320")
    assert not later.exists()
    assert kept("runs/one") == kept("runs/two")
    assert [one.steps for one in read_ratings(find_run("one"))] == [0, 640, 960]


@pytest.mark.slow
def test_the_pool_is_bounded_and_its_first_driver_stays(home):
    run = open_run(Path("runs/one"))
    pool = Pool(run)
    pool.begin(640, steering(-0.6))
    for steps in range(1000, 1015):
        pool.add(steps, steering(-0.6))
    steps = [one.steps for one in read_ratings(run)]
    assert steps == [int(path.stem) for path in sorted((run.folder / "pool").iterdir())]
    assert len(steps) == 12 and steps[0] == 0 and steps[-1] == 1014
    again = Pool(run)
    again.begin(1014, steering(-0.6))
    assert again.ratings() == pool.ratings() == read_ratings(run)
    seen, draws = np.random.default_rng(0).normal(size=(64, 42)).astype(np.float32), np.linspace(0.0, 0.999, 64)
    acted = pool.act(seen, draws)
    assert np.array_equal(acted, again.act(seen, draws))
    assert np.array_equal(acted[draws < 0.5], steering(-0.6).act(seen[draws < 0.5])), "the newest has half the episodes"


@pytest.mark.slow
def test_a_training_that_was_given_up_leaves_nothing_to_the_next(home):
    Path("runs/one/checkpoint.safetensors").unlink()
    Path("runs/one/best.safetensors").unlink()
    own = Path("runs/one/pool/mine.model")
    own.write_bytes(b"a file of the user's")
    call(*SELF, "--name", "one", "--seed", "1")
    assert [one.steps for one in read_ratings(find_run("one"))] == [0, 640]
    assert own.exists()


@pytest.mark.slow
def test_each_track_has_its_own_opponents(home):
    call("--tracks", "harbor,needle", *SELF, "--name", "both")
    assert [one.steps for one in read_ratings(find_run("both"))] == [0, 640]


def test_a_damaged_pool_is_told_of(home):
    table = Path("runs/one/elo.json")
    good = json.loads(table.read_text())
    for spoilt in ({**good, "results": [[0, 640, 9.0, 2]]}, {**good, "members": [{"steps": "x"}]}, {"format": 3}, []):
        table.write_text(json.dumps(spoilt))
        with pytest.raises(RunError, match=r"elo\.json is damaged"):
            read_ratings(find_run("one"))
    table.unlink()
    Path("runs/one/pool/000000000640.model").write_bytes(b"no model")
    said = call("--name", "one", "--resume", "--more-steps", "64", code=1)
    assert "is no model of racer's" in " ".join(said.split())


def test_a_recipe_that_cannot_say_how_it_decides_is_refused(home):
    Path("agents/silent.py").write_text(CLIMBER)
    said = call("--opponent", "self", "--steps", "64", "--agent", "silent", code=1)
    assert "cannot race against itself" in " ".join(said.split())


def test_a_run_is_an_opponent(home):
    """By its name: it drives as its best driver drives."""
    call("--opponent", "one", "--steps", "64", *AGENT, "--name", "two")
    replay = load_replay(open_run(Path("runs/two")).replay)
    assert [drive.driver for drive in replay.drives] == ["two", "one"]
    assert verify(replay).ok
    run, states = find_run("one"), []
    own = Opponent(run.driver(), run.conditions().actions, run.conditions().sensors)
    for named in ("one", "runs/one", own):
        env = gym.make("racer/HeadToHead-v0", opponents=[named], start="line")
        env.reset(seed=0)
        for _ in range(20):
            env.step(np.array([0.0, -1.0], np.float32))
        states.append(env.unwrapped.field.state.copy())
    assert (states[0]["distance"][:, 1] > 1.0).all()
    assert all(np.array_equal(one, states[0]) for one in states)
