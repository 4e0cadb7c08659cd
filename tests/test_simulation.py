"""The race itself: who is where, what it earns, when a lap is done; and that a batch changes none of it."""

import dataclasses
import math

import numpy as np
import pytest
import shapely
from drives import ring
from shapely import LineString, Point, Polygon

from racer.reward import params_at
from racer.sim import CARS, IMMOBILIZED, IN_PROGRESS, LAP_COMPLETE, STEP_S, TIME_UP, Rules, World
from racer.sim.draws import uniform
from racer.sim.rules import OFF_TRACK, REVERSED
from racer.track import Track, load_track, track_from_arrays

CAR = CARS["deepracer"]
FOR_EVER = Rules(start="line", laps=1000, time_limit_s=1e6, immobilized_steps=10**6, reversed_steps=10**6)


def world_on(track, races=1, rules=FOR_EVER, seed=0, **more):
    world = World(track, races, rules=rules, **more)
    world.seed(seed)
    world.reset()
    return world


def fronts(cars):
    """The points 0.14 m ahead of the origins."""
    heading = cars["heading"]
    return np.stack([cars["x"] + 0.14 * np.cos(heading), cars["y"] + 0.14 * np.sin(heading)], axis=-1)


def step(world, steering, speed):
    """Command every car, steering in degrees; returns what the step pays, (n,) m."""
    commands = np.zeros((*world.cars.shape, 2))
    commands[..., 0], commands[..., 1] = np.reshape(steering, (-1, 1)), np.reshape(speed, (-1, 1))
    rewards = np.zeros(world.cars.shape)
    world.step(commands, rewards)
    return rewards[:, 0]


def towards(world, ahead=0.7, aside=0.0):
    """Steering (n,) in degrees to a point ahead of every car, `aside` m left of the centre line."""
    track, cars = world.track, world.cars[:, 0]
    s = np.mod(cars["s"] + ahead, track.length)
    x, y = (np.interp(s, track.s, track.center[:, k]) for k in (0, 1))
    i = np.searchsorted(track.s, s, side="right") - 1
    along = np.diff(track.center, axis=0)[np.minimum(i, len(track.s) - 2)]
    along = along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    dx, dy = x - aside * along[:, 1] - cars["x"], y + aside * along[:, 0] - cars["y"]
    bearing = np.arctan2(dy, dx) - cars["heading"]
    return np.clip(np.degrees(np.arctan2(0.6 * np.sin(bearing), np.hypot(dx, dy))), -30.0, 30.0)


# --- Laps -------------------------------------------------------------------------------------------------


def laps_on_a_circle(radius, rows, aside, speed, laps):
    """Drive around beside the line; returns when laps ended, by racer and by the angle about the middle."""
    world = world_on(ring(radius, rows))
    car = world.cars[0, 0]
    ends, angles, steady, enough = [], [], [], 0
    while len(ends) < laps or len(angles) < enough:
        (front,) = fronts(world.cars[:, 0])
        bearing = math.atan2(front[1], front[0])
        angles.append(bearing)
        askew = math.remainder(car["heading"] - bearing - math.pi / 2, math.tau)
        off = aside - (radius - math.hypot(*front))
        step(
            world,
            np.clip(math.degrees(math.atan(0.3 / (radius - aside)) + 1.2 * off - askew), -30, 30),
            speed,
        )
        if car["laps"] > len(ends):
            ends.append(float(car["lap_start_s"]))
            enough = len(angles) + 4
            steady.append((float(car["lap_time"]), math.tau / float(car["yaw_rate"])))
    turned = np.unwrap(angles)
    expected = []
    for lap in range(1, laps + 1):  # the instant of a whole turn, by a cubic through four steps around it
        k = int(np.searchsorted(turned, lap * math.tau))
        near = np.arange(k - 2, k + 2)
        fit = np.polyfit(turned[near] - lap * math.tau, (near - k) * STEP_S, 3)
        expected.append(float(np.polyval(fit, 0.0)) + k * STEP_S)
    return ends, expected, steady


@pytest.mark.parametrize(
    ("rows", "aside", "speed"),
    [(60, 0.0, 2.0), (60, 0.25, 1.0), (60, -0.25, 2.0), (300, 0.25, 2.0), (300, 0.0, 1.0)],
)
def test_lap_times_are_exact_to_a_millisecond(rows, aside, speed):
    ends, expected, steady = laps_on_a_circle(2.0, rows, aside, speed, laps=4)
    assert ends == pytest.approx(expected, abs=5e-4)
    lap_time, turn_s = steady[-1]  # settled: then a lap lasts a turn
    assert lap_time == pytest.approx(turn_s, abs=1e-3)


def test_a_lap_from_a_standing_start_is_timed_from_the_first_action():
    world = world_on(ring())
    car, steps = world.cars[0, 0], 0
    while car["laps"] == 0:
        step(world, towards(world), 2.0)
        steps += 1
    assert (steps - 1) * STEP_S < car["lap_time"] <= steps * STEP_S
    assert car["lap_time"] == car["lap_start_s"]


def test_laps_of_a_race_add_up_and_the_flying_ones_are_quicker():
    world = world_on(ring())
    car, times = world.cars[0, 0], []
    while car["laps"] < 3:
        step(world, towards(world), 2.0)
        if car["laps"] > len(times):
            times.append(float(car["lap_time"]))
    assert sum(times) == pytest.approx(car["lap_start_s"], abs=1e-9)
    assert times[1] < times[0] - 0.2
    assert times[2] == pytest.approx(times[1], abs=0.02)


def plain(radius=6.0, half=3.0, rows=120):
    """A ring as wide as a square, to turn around on."""
    angle = np.linspace(0.0, math.tau, rows + 1)
    angle[-1] = 0.0
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track("plain", circle * radius, circle * (radius - half), circle * (radius + half))


def drive_on_a_plain(world, seconds, forwards):
    """Around the origin one way or the other; yields after each step."""
    car = world.cars[0, 0]
    for _ in range(round(seconds / STEP_S)):
        bearing = math.atan2(car["y"], car["x"])
        wanted = bearing + (math.pi / 2 if forwards else -math.pi / 2)
        wanted += (1 if forwards else -1) * 0.5 * (math.hypot(car["x"], car["y"]) - 6.0)
        error = math.remainder(wanted - float(car["heading"]), math.tau)
        step(world, np.clip(40.0 * error, -30.0, 30.0), 2.0)
        yield


def test_only_a_whole_lap_in_order_counts():
    """Over the line and back, once around backwards, then forwards: the angle about the middle judges."""
    world = world_on(plain())
    car = world.cars[0, 0]
    (front,) = fronts(world.cars[:, 0])
    angles, laps = [math.atan2(front[1], front[0])], [0]
    for seconds, forwards in ((2, True), (6, False), (6, True), (4, False), (26, False), (78, True)):
        for _ in drive_on_a_plain(world, seconds, forwards):
            (front,) = fronts(world.cars[:, 0])
            angles.append(math.atan2(front[1], front[0]))
            laps.append(int(car["laps"]))
    turns = np.unwrap(angles) / math.tau
    assert turns.min() < -1.0 and turns.max() > 2.0
    expected = np.floor(np.maximum.accumulate(turns)).clip(0)
    np.testing.assert_array_equal(laps, expected)
    crossings = np.sum((turns[:-1] % 1.0 > 0.9) & (turns[1:] % 1.0 < 0.1))
    assert crossings > laps[-1] + 1  # the line was crossed forwards more often than laps were done
    assert car["distance"] / world.track.length == pytest.approx(turns[-1], abs=5e-3)


# --- What a step pays -------------------------------------------------------------------------------------


def hairpin(radius=0.4, half=0.35, spacing=0.1, straight=3.0):
    """Two straights and two tight bends, counter-clockwise."""
    bend = math.pi * radius
    angle = np.linspace(-math.pi / 2, math.pi / 2, round(bend / spacing) + 1)[:-1]
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.linspace(0.0, straight, round(straight / spacing) + 1)[:-1]
    parts = [
        np.stack([x, np.full(len(x), -radius)], axis=1),
        arc + np.array([straight, 0.0]),
        np.stack([straight - x, np.full(len(x), radius)], axis=1),
        -arc,
    ]
    center = np.roll(np.vstack(parts), -len(x) // 2, axis=0)
    center = np.vstack([center, center[:1]])
    inner, outer = (np.array(Polygon(center).buffer(d).exterior.coords)[::-1] for d in (-half, half))
    return track_from_arrays("hairpin", center, inner, outer)


@pytest.mark.parametrize("spacing", [0.05, 0.15])
def test_no_step_pays_more_than_the_cars_own_path(spacing):
    """A bend of 0.4 m, cut and weaved: path times 1 / (1 - kappa d) and no more, whatever the line says."""
    radius, straight = 0.4, 3.0
    track = hairpin(radius, 0.35, spacing, straight)
    races = 24
    world = world_on(track, races)
    cars = world.cars[:, 0]
    rng = np.random.default_rng(7)
    aside, speed, weave = (
        rng.uniform(-0.3, 0.34, races),
        rng.uniform(0.5, 1.6, races),
        rng.uniform(0, 12, races),
    )
    overpaid, paid, jumped = 0, 0.0, 0.0
    for k in range(400):
        before, gone = fronts(cars), cars["distance"].copy()
        along = cars["s"].copy()
        step(world, towards(world, 0.45, aside) + weave * np.sin(k * 0.9), speed)
        after = fronts(cars)
        path = np.hypot(*(after - before).T)
        stretch = np.ones(races)
        for x, y in (
            before.T,
            after.T,
        ):  # how far inside of the bend, near it: from its middle, not from the line
            middle = np.where(x > 0.5 * straight, straight, 0.0)
            in_bend = (x > straight - 0.2) | (x < 0.2)
            d = radius - np.hypot(x - middle, y)
            stretch = np.maximum(stretch, np.where(in_bend & (d > 0), 1.0 / np.maximum(1.0 - d / radius, 0.1), 1.0))
        gain = cars["distance"] - gone
        assert (gain <= 1.03 * path * stretch + 1e-9).all()
        raw = np.mod(cars["s"] - along + 0.5 * track.length, track.length) - 0.5 * track.length
        overpaid += int((raw > 1.1 * path * stretch).sum())
        jumped = max(jumped, float(raw.max()))
        paid += float(gain.sum())
    assert overpaid > 20 and jumped > 0.25, "the line alone would have overpaid here"
    # Nothing is lost by it: in the end it pays what was driven along the line.
    unwrapped = cars["s"] - cars["start_s"] + cars["winding"] * track.length
    assert np.abs(cars["distance"] - unwrapped).max() < 0.15
    assert paid == pytest.approx(float((unwrapped - 0.14).sum()), rel=0.01)


def test_what_is_held_back_does_not_add_up():
    """A chord is shorter than the path it spans: by chords alone, eight laps of a ring would lack 2 cm."""
    track = ring(rows=300)
    world = world_on(track)
    car, angles = world.cars[0, 0], [0.07]
    while car["laps"] < 8:
        step(world, towards(world), 2.0)
        (front,) = fronts(world.cars[:, 0])
        angles.append(math.atan2(front[1], front[0]))
    turns = np.unwrap(angles)[-1] / math.tau
    assert car["distance"] == pytest.approx(turns * track.length, abs=2e-3)


def test_a_car_between_two_stretches_stays_on_its_own():
    """A car that drives over to the straight beside its own is not paid for the stretch between them."""
    track = hairpin(radius=0.45, half=0.4, spacing=0.1, straight=6.0)
    world = world_on(track)
    car = world.cars[0, 0]
    seen, there = [], []
    for k in range(40):
        paid = step(world, 30.0 if k > 8 else towards(world), 1.5)[0]
        (front,) = fronts(world.cars[:, 0])
        seen.append((float(car["s"]), float(car["distance"]), paid))
        there.append(params_at(track, *front, float(car["heading"]))["projection_distance"])
        if front[1] > 0.9:
            break
    s, distance, paid = np.array(seen).T
    assert np.abs(np.diff(there)).max() > 4.0, "the nearest stretch has changed"
    assert np.abs(np.diff(s)).max() < 0.2
    assert np.abs(np.diff(distance)).max() < 0.15 and paid.max() < 0.15
    assert distance.max() < 3.0


def test_distance_is_the_projection_unwrapped(course):
    """Step by step it is Shapely's projection, wherever a car is and however fast; no error adds up."""
    line, length = LineString(course.center), course.length
    world = world_on(
        course, 12, Rules(laps=1000, time_limit_s=1e6, immobilized_steps=10**6, reversed_steps=10**6), seed=3
    )
    cars = world.cars[:, 0]
    speed = np.linspace(0.7, 2.6, 12)
    last = shapely.line_locate_point(line, shapely.points(fronts(cars)))
    start = shapely.line_locate_point(line, shapely.points(cars["x"], cars["y"]))
    unwrapped = np.mod(last - start + 0.5 * length, length) - 0.5 * length
    on, away = np.ones(12, dtype=bool), []
    for k in range(120):
        step(world, towards(world, 0.8) + 8.0 * np.sin(0.5 * k + speed), speed)
        now = shapely.line_locate_point(line, shapely.points(fronts(cars)))
        gain = np.mod(now - last + 0.5 * length, length) - 0.5 * length
        unwrapped, last = unwrapped + gain, now
        on &= (cars["wheels_on_track"] == 4) & (np.abs(gain) < 0.6)  # beside the road another stretch may be nearer
        away.append((cars["distance"] - unwrapped)[on])
    away = np.abs(np.concatenate(away))
    assert len(away) > 200
    assert away.max() < 0.15 and away.mean() < 0.01


# --- What ends an episode ---------------------------------------------------------------------------------


def statuses(world, steering, speed, steps):
    found = []
    for _ in range(steps):
        step(world, steering, speed)
        found.append(int(world.cars[0, 0]["status"]))
        if found[-1] != IN_PROGRESS:
            break
    return found


def test_leaving_the_road_is_found_in_the_pose_the_next_step_begins_with():
    world = world_on(ring(), rules=Rules(start="line"))
    outside = False
    for _ in range(100):
        assert not outside
        (at,) = fronts(world.cars[:, 0])
        given = params_at(world.track, *at, float(world.cars[0, 0]["heading"]))
        outside = given["is_offtrack"]
        step(world, 0.0, 2.0)
        status = int(world.cars[0, 0]["status"])
        assert status == (OFF_TRACK if outside else IN_PROGRESS)
        if outside:
            return
    pytest.fail("a car that drives straight on never left the ring")


def test_a_car_that_does_not_move_is_immobilized():
    snail = dataclasses.replace(CAR, name="snail", max_speed=0.1, speed_offset=0.0)
    found = statuses(world_on(ring(), rules=Rules(start="line", still_m=0.01), car=snail), 0.0, 4.0, 40)
    assert found[-1] == IMMOBILIZED
    assert len(found) == 15  # the prepare step, in which it was held, is the first of fifteen without moving


def test_backwards_for_fifteen_steps_in_a_row_is_reversed():
    world = world_on(plain(), rules=Rules(start="line"))
    car = world.cars[0, 0]
    world.cars["heading"] = -math.pi / 2
    falls, last = 0, None
    for _ in range(60):
        step(world, 0.0, 1.5)
        if car["status"] != IN_PROGRESS:
            break
        falls = falls + 1 if last is not None and car["distance"] < last else 0
        last = float(car["distance"])
    assert car["status"] == REVERSED
    assert falls in (14, 15)
    assert car["distance"] < 0.0


def test_time_is_up_when_it_is():
    found = statuses(world_on(plain(), rules=Rules(start="line", time_limit_s=2.0)), 3.0, 1.0, 100)
    assert found[-1] == TIME_UP
    assert len(found) == 31  # thirty steps of 1/15 s


def test_a_complete_lap_counts_also_beside_the_track():
    """DeepRacer's order: lap complete, crashed, off track, immobilized, time up, reversed."""
    world = world_on(ring(), rules=Rules(start="line", laps=1, time_limit_s=0.1))
    car = world.cars[0, 0]
    for _ in range(3):
        step(world, 0.0, 1.0)
    ends = (
        ({"laps": 1, "wheels_on_track": 0, "still_steps": 99, "reversed_steps": 99}, LAP_COMPLETE),
        ({"laps": 0, "wheels_on_track": 0, "still_steps": 99, "reversed_steps": 99}, OFF_TRACK),
        ({"wheels_on_track": 1, "still_steps": 99, "reversed_steps": 99}, IMMOBILIZED),
        ({"wheels_on_track": 1, "still_steps": 0, "reversed_steps": 99}, TIME_UP),
    )
    for fields, status in ends:
        for name, value in fields.items():
            car[name] = value
        step(world, 0.0, 1.0)
        assert car["status"] == status


# --- Starts -----------------------------------------------------------------------------------------------


def test_a_car_starts_at_rest_on_the_line_facing_along_it(course):
    world = World(course, 40, rules=Rules())
    world.seed(11)
    world.reset()
    line = LineString(course.center)
    for car in world.cars[:, 0]:
        origin = Point(car["x"], car["y"])
        assert line.distance(origin) < 1e-9
        s = line.project(origin)
        assert abs(math.remainder(s - car["start_s"], course.length)) < 1e-6
        near = line.interpolate((s + 1e-4) % course.length)
        along = math.atan2(near.y - car["y"], near.x - car["x"])
        assert abs(math.remainder(along - car["heading"], math.tau)) < 0.02 or s > course.length - 1e-4
        assert car["speed"] == 0.0 and car["steps"] == 1 and car["status"] == IN_PROGRESS
        assert 0.05 < car["distance"] < 0.25
    assert len(set(world.cars["start_s"][:, 0].tolist())) > 25


def test_random_starts_are_spread_over_the_lap_with_a_fifth_on_the_line():
    track = load_track("harbor")
    world = World(track, 4000, rules=Rules())
    world.seed(1)
    world.reset()
    s = world.cars["start_s"][:, 0]
    assert np.mean(s == 0.0) == pytest.approx(0.2, abs=0.025)
    counts, _ = np.histogram(s[s > 0.0] / track.length, bins=8, range=(0.0, 1.0))
    assert counts.min() > 0.8 * counts.mean() and counts.max() < 1.2 * counts.mean()


def test_rotating_starts_move_on_by_a_twentieth_of_a_lap():
    track = load_track("harbor")
    world = World(track, 2, rules=Rules(start="rotate"))
    world.seed(5)
    shares = []
    for _ in range(23):
        world.reset()
        assert world.cars["start_s"][0, 0] == world.cars["start_s"][1, 0]
        shares.append(float(world.cars["start_s"][0, 0]) / track.length)
    assert shares == pytest.approx([k % 20 / 20 for k in range(23)])


def test_draws_are_splitmix64():
    """Against whole numbers of any size, after Steele, Lea and Flood (2014)."""
    mask = 2**64 - 1

    def mix(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    rng = np.random.default_rng(0)
    for seed in (0, 1, 2**63, mask, *rng.integers(0, 2**63, 50).tolist()):
        for episode, draw in ((0, 0), (1, 0), (0, 1), (12345, 3)):
            z = mix(seed + 0x9E3779B97F4A7C15 & mask)
            z = mix(z ^ (episode * 0xD1B54A32D192ED03 + draw + 1 & mask))
            assert uniform(np.uint64(seed), episode, draw) == (z >> 11) * 2.0**-53


# --- A batch changes nothing ------------------------------------------------------------------------------


def run(world, first, commands):
    """All states after every step, and all rewards; commands (k, cars, 2) of the cars from `first` on."""
    races = len(world.cars)
    states, rewards = [], []
    for now in commands[:, first : first + races]:
        rewards.append(step(world, now[:, 0], now[:, 1]).tobytes())
        world.reset(world.cars["status"][:, 0] != IN_PROGRESS)
        states.append(world.cars.copy())
    return states, rewards


@pytest.mark.parametrize("start", ["random", "rotate"])
def test_batches_and_threads_change_no_bit(start):
    track = load_track("harbor")
    rng = np.random.default_rng(2)
    commands = np.stack([rng.uniform(-30.0, 30.0, (90, 512)), rng.uniform(0.5, 4.0, (90, 512))], axis=-1)
    rules = Rules(start=start, time_limit_s=4.0)
    whole, paid = run(world_on(track, 512, rules, seed=100), 0, commands)
    assert len(np.unique(whole[-1]["episode"])) > 2, "episodes have ended on the way"
    for threads in (2, 3):
        world = world_on(track, 512, rules, seed=100, threads=threads)
        states, rewards = run(world, 0, commands)
        world.close()
        assert rewards == paid
        assert [a.tobytes() for a in states] == [b.tobytes() for b in whole]
    for first, races in ((0, 64), (64, 64), (0, 1), (511, 1), (300, 1)):
        states, _ = run(world_on(track, races, rules, seed=100 + first), first, commands)
        assert [a.tobytes() for a in states] == [b[first : first + races].tobytes() for b in whole]


def test_closing_twice_does_no_harm():
    world = world_on(ring(), 4, threads=2)
    world.close()
    world.close()
    step(world, 0.0, 1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_command_that_is_no_number_moves_nothing(value):
    world = world_on(ring(), 3)
    before = world.cars.tobytes()
    with pytest.raises(ValueError, match="the speed of car 0 in race 1 is"):
        step(world, np.zeros(3), [1.0, value, 1.0])
    assert world.cars.tobytes() == before
