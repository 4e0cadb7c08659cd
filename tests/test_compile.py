"""Compiled rewards: to the last bit what Python gives, and Python wherever that cannot be had."""

import functools
import itertools
import math
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from episodes import CARS, load_track, params_of, recorded, written

import racer.compile.machine
import racer.reward
from racer.compile import KEYS, POSES, Compiled, Untranslatable, arithmetic, poses, translated
from racer.errors import FileError, RewardError
from racer.params import Params
from racer.reward import Rewards, load_reward

REWARDS = Path(__file__).parent.parent / "reward_functions"
LIMIT = 1e300

COMPILED_ON_THE_SHELF = {
    "all_together",
    "centerline",
    "heading",
    "look_ahead",
    "progress_per_step",
    "smooth_steering",
    "speed",
    "stay_on_track",
}


@functools.cache
def posed(track="harbor", reverse=False):
    track = load_track(track)
    return poses(track.reverse() if reverse else track)


def bits(value):
    return struct.pack("d", value)


def asked(function, params):
    """What Python answers to each row of `params`; None for an exception."""
    answers = []
    for i in range(len(params.floats)):
        try:
            answers.append(float(function(params.of(i))))
        except Exception:
            answers.append(None)
    return answers


def both(path, track, params):
    """A compiled reward's values, None for what it leaves to Python; and Python's."""
    rewards = Rewards(load_reward(path), 1)
    compiled = Compiled(translated(rewards.reward.text, path, rewards._functions), track, LIMIT)
    out = np.zeros(len(params.floats))
    left = set(compiled(params, out).tolist())
    ours = [None if i in left else value for i, value in enumerate(out.tolist())]
    return ours, asked(rewards._functions[0], params)


def assert_same(ours, pythons, most_left=0.0):
    """Equal bits; what Python raised for is left to it, and little else."""
    for i, (mine, python) in enumerate(zip(ours, pythons, strict=True)):
        assert mine is None or python is not None, f"row {i} raises, but is {mine}"
        assert mine is None or bits(mine) == bits(python), f"row {i} is {mine!r}, not {python!r}"
    left = sum(mine is None and python is not None for mine, python in zip(ours, pythons, strict=True))
    assert left <= most_left * len(ours)


# Whole rewards


@pytest.mark.parametrize("path", sorted(REWARDS.glob("*.py")), ids=lambda path: path.stem)
def test_the_shelf(path):
    rewards = Rewards(load_reward(path), CARS)
    assert rewards.compile(load_track("harbor")) == (path.stem in COMPILED_ON_THE_SHELF)
    plain, ours, pythons = Rewards(load_reward(path), CARS), np.zeros(CARS), np.zeros(CARS)
    for params in params_of(recorded()):
        rewards(params, ours)
        plain(params, pythons)
        assert ours.tobytes() == pythons.tobytes()


def test_on_another_track_the_other_way_round():
    track = load_track("whirlpool").reverse()
    path = REWARDS / "all_together.py"
    assert_same(*both(path, track, posed("whirlpool", reverse=True)))


def test_poses_are_many_and_of_all_kinds():
    params = posed()
    floats = dict(zip(("x", "y", "heading", "distance", "s", "progress", "steps"), params.floats.T, strict=False))
    assert POSES >= 1000 and len(params.floats) == POSES
    assert np.unique(params.floats, axis=0).shape[0] == POSES
    assert params.flags.any(axis=0).all() and not params.flags.all(axis=0).any(), "on and off, left and right"
    assert np.histogram(floats["s"], 20, (0, load_track("harbor").length))[0].min() > 5
    assert np.ptp(floats["heading"]) > 350 and floats["progress"].max() == 100.0 and floats["steps"].min() == 2.0
    assert np.abs(floats["x"]).max() < 100.0


def test_keys_are_what_params_say():
    """Each key alone, as a reward; those that are no numbers in a sum."""
    numbers = [key for key, value in posed().of(0).items() if isinstance(value, int | float) and key in KEYS]
    assert len(numbers) == 18 and {"waypoints", "closest_waypoints"} < set(KEYS)
    assert {key for key in posed().of(0) if key not in KEYS} == {k for k in posed().of(0) if "objects" in k}


KEYS_AT_ONCE = """
    def reward_function(params):
        i = int(params["steps"])
{branches}
        before, after = params["closest_waypoints"]
        w = params["waypoints"]
        return w[before][0] + w[-1][1] * 3 + w[after][1] - len(w) + 7 * after
"""


def test_every_key(tmp_path):
    numbers = [key for key in KEYS if "waypoints" not in key]
    branches = "\n".join(
        f'        if i == {i + 2}:\n            return params["{key}"]' for i, key in enumerate(numbers)
    )
    params = poses(load_track("harbor"))
    params.floats[:, 6] = 2.0 + np.arange(POSES) % (len(numbers) + 3)
    assert_same(*both(written(tmp_path, KEYS_AT_ONCE.format(branches=branches)), load_track("harbor"), params))


PROGRAM = '''
    """Statements of every kind, a function each, chosen by the step."""
    import math
    from math import atan2 as angle, pi

    LIMITS = (10, 20.5, True)
    LINE = [[5.2, 0.95, 3], [7.1, 1.4, 2], [7.85, 3.1, 2], [6.4, 4.7, 1]]
    LEFT = [1, 2, 3, 40, 41, 42, 43, 44]
    FAST = list(range(50, 90))

    def nearest(p, table_x, k=0):
        best, found = float("inf"), -1
        for i, (x, y, speed) in enumerate(LINE):
            d = math.hypot(x - table_x, y - p["y"])
            if d < best:
                best, found = d, i + k
        return found, best

    def clipped(x, low=-1.0, high=1.0):
        return max(low, min(high, x))

    def f2(p):
        """Loops, breaks and a counter that is int, then float."""
        total = 0
        for x, y in p["waypoints"]:
            if x < 1:
                continue
            total += 1
            if total > 50:
                break
        if total > 40:
            total *= 0.5
        return -total

    def f3(p):
        i, d = nearest(p, p["x"])
        j, _ = nearest(p, p["x"] + 1, k=1) if False else nearest(p, p["y"], 1)
        return i + 10 * j + d

    def f4(p):
        a, b = p["closest_waypoints"]
        a, b = b, a
        while a != b and a > 0:
            a //= 2
            b = (b * 3 + 1) % 17
        return a - b / 7

    def f5(p):
        w = p["waypoints"]
        here, there = w[p["closest_waypoints"][0]], w[p["closest_waypoints"][1]]
        if here == there:
            there = w[1]
        direction = math.degrees(angle(there[1] - here[1], there[0] - here[0]))
        off = abs(direction - p["heading"])
        return 1 - (off if off < 180 else 360 - off) / 180 + pi

    def f6(p):
        k = p["closest_waypoints"][1]
        if k in LEFT or k in {60, 61}:
            return 1
        elif k not in FAST and k in range(90, 150, 2):
            return p["is_left_of_center"]
        return 0.5 if p["speed"] in (0.5, 1, 1.5) else -0.0

    def f7(p):
        speed: float = p.get("speed", 0)
        low, middle, high = LIMITS
        assert high and low < middle
        return clipped(speed - 2) + clipped(p["steering_angle"] / low, -0.25) ** 3 + round(speed, 1)

    def f8(p):
        n = 0
        for row in LINE:
            for k in range(3, 0, -1):
                if row[k - 1] > p["y"] and not (1 < row[2] <= 2):
                    n += k
        return n % 5 or p["progress"] and n

    def f9(p):
        """What a zero is: int or float, and its sign."""
        zero = 0
        if p["is_left_of_center"]:
            zero = 0.0
        return -(zero + 0.0) * p["speed"]

    def reward_function(params):
        part = int(params["steps"]) % 8 + 2
        if part == 2: return f2(params)
        if part == 3: return f3(params)
        if part == 4: return f4(params)
        if part == 5: return f5(params)
        if part == 6: return f6(params)
        if part == 7: return f7(params)
        if part == 8: return f8(params)
        return f9(params)
'''.replace('j, _ = nearest(p, p["x"] + 1, k=1) if False else nearest(p, p["y"], 1)', 'j, _ = nearest(p, p["y"], 1)')


def test_statements_of_every_kind(tmp_path):
    path = written(tmp_path, PROGRAM)
    ours, pythons = both(path, load_track("harbor"), posed())
    assert_same(ours, pythons, most_left=0.02)
    assert len(set(pythons)) > 400


# Random expressions

FLOATS = ["x", "y", "heading", "distance_from_center", "progress", "steps", "speed", "steering_angle"]
BOOLS = ["all_wheels_on_track", "is_left_of_center", "is_offtrack", "is_reversed"]
LEAVES = ["whole", "mixed", "zero", "math.inf", "2", "-1", "0", "0.5", "-0.0", "1e-3", "True", "3", "100", "1e300"]
CALLS = [
    "abs",
    "int",
    "float",
    "bool",
    "round",
    "math.floor",
    "math.ceil",
    "math.sqrt",
    "math.sin",
    "math.exp",
    "math.log",
]


def expression(draw, depth):
    if depth == 0 or draw.random() < 0.1:
        kind = draw.random()
        if kind < 0.45:
            return f'p["{draw.choice(FLOATS)}"]'
        return f'p["{draw.choice(BOOLS)}"]' if kind < 0.55 else draw.choice(LEAVES)
    a, b, c = (expression(draw, depth - 1) for _ in range(3))
    return draw.choice(
        [
            f"({a} {draw.choice(['+', '-', '*', '/', '//', '%', '**'])} {b})",
            f"({a} {draw.choice(['+', '-', '*', '//', '%'])} {b})",
            f"(-{a})",
            f"({a} {draw.choice(['<', '<=', '==', '!='])} {b})",
            f"({a} {draw.choice(['and', 'or'])} {b})",
            f"({a} if {b} else {c})",
            f"{draw.choice(CALLS)}({a})",
            f"{draw.choice(['min', 'max'])}({a}, {b}, {c})",
            f"round({a}, {draw.choice([0, 1, 3])})",
            f"math.{draw.choice(['atan2', 'hypot', 'fmod', 'copysign', 'pow'])}({a}, {b})",
        ]
    )


def test_random_expressions(tmp_path):
    draw = random.Random(8)
    lines = [f"    if i == {k + 2}: return {expression(draw, 3)}" for k in range(16)]
    source = [
        "import math",
        "",
        "",
        "def reward_function(p):",
        '    i, whole, mixed, zero = int(p["steps"]), p["closest_waypoints"][0] - 60, 0, 0.0',
        '    if p["sim_time"] > 10: mixed = p["speed"] - 2',
        '    elif p["sim_time"] > 5: mixed = -0.0',
        '    if p["is_left_of_center"]: zero = -zero',
        *lines,
        "    return 0.125",
    ]
    params = poses(load_track("harbor"))
    params.floats[:, 6] = 2.0 + np.arange(POSES) % 16
    ours, pythons = both(written(tmp_path, "\n".join(source)), load_track("harbor"), params)
    assert_same(ours, pythons, most_left=0.1)
    assert sum(answer is not None for answer in pythons) > 0.6 * POSES


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, 1.5, 2.5, 1e-300, -5e-324, 1e300, 2.0**53, 0.1, 1e16]
SPECIAL += [math.inf, -math.inf, math.nan, 7.1, -7.1, 360.0, 180.0, -180.0]
OPERATIONS = [
    (arithmetic.divided, lambda a, b: a / b),
    (arithmetic.floored, lambda a, b: a // b),
    (arithmetic.modulo, lambda a, b: a % b),
    (arithmetic.power, lambda a, b: a**b),
    (arithmetic.math_power, math.pow),
    (arithmetic.logarithm, math.log),
    (arithmetic.hypotenuse, math.hypot),
    (arithmetic.lesser, lambda a, b: min(a, b)),
    (arithmetic.greater, lambda a, b: max(a, b)),
]


@pytest.mark.parametrize(("ours", "pythons"), OPERATIONS, ids=lambda f: getattr(f, "__name__", "python"))
def test_operations_on_special_numbers(ours, pythons):
    draw = random.Random(1)
    pairs = list(itertools.product(SPECIAL, repeat=2))
    pairs += [(draw.uniform(-9, 9), draw.uniform(-9, 9)) for _ in range(3000)]
    done = 0
    for a, b in pairs:
        try:
            mine = ours(a, b)
        except ArithmeticError:
            continue
        python = pythons(a, b)
        assert bits(mine) == bits(python) or (math.isnan(mine) and math.isnan(python)), (a, b, mine, python)
        done += 1
    assert done > 700


def test_roundings_of_many_numbers():
    draw = random.Random(2)
    done = 0
    for _ in range(4000):
        x, digits = draw.choice([draw.uniform(-3, 3), draw.randrange(-4000, 4000) / 1000]), draw.randrange(5)
        try:
            assert bits(arithmetic.rounded(x, 10.0**digits)) == bits(round(x, digits))
            done += 1
        except ArithmeticError:
            assert round(abs(x) * 10 ** (digits + 1), 2) % 10 == 5, "only what is half way is left to Python"
    assert done > 3500
    for x in [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 1e15 + 0.5]:
        assert arithmetic.nearest(x) == round(x) and not np.signbit(arithmetic.nearest(x) * 0.0 + 1.0)


# What stays Python

STAYS = {
    "a global": "n = 0\ndef reward_function(p):\n    global n\n    n += 1\n    return n",
    "a class": "class A:\n    x = 1.0\ndef reward_function(p):\n    return A.x",
    "a list that grows": "seen = []\ndef reward_function(p):\n    seen.append(1)\n    return len(seen)",
    "a list changed by index": "seen = [0]\ndef reward_function(p):\n    seen[0] += 1\n    return seen[0]",
    "a list emptied by a helper": "a = [1, 2]\ndef f():\n    return a.pop()\ndef reward_function(p):\n    return f()",
    "mutated params": "def reward_function(p):\n    p['speed'] = 1.0\n    return p['speed']",
    "a print": "def reward_function(p):\n    print(p['speed'])\n    return 1.0",
    "lots": "import random\ndef reward_function(p):\n    return random.random()",
    "time": "import time\ndef reward_function(p):\n    return time.time() % 2",
    "numpy": "import numpy as np\ndef reward_function(p):\n    return np.sin(p['speed'])",
    "a try": "def reward_function(p):\n    try:\n        return p['speed']\n    except KeyError:\n        return 0",
    "a lambda": "reward_function = lambda p: p['speed']",
    "a closure": "def make(k):\n    def f(p):\n        return k\n    return f\nreward_function = make(2)",
    "a decorator": "def d(f):\n    return f\n@d\ndef reward_function(p):\n    return 1.0",
    "recursion": "def f(n):\n    return n if n < 1 else f(n - 1)\ndef reward_function(p):\n    return f(3)",
    "text": "def reward_function(p):\n    return float('%.2f' % p['speed'])",
    "an unknown key": "def reward_function(p):\n    return p.get('spead', 1.0)",
    "objects": "def reward_function(p):\n    return len(p['objects_location'])",
    "a comprehension": "def reward_function(p):\n    return sum(x for x, y in p['waypoints'])",
    "a shadowed builtin": "def abs(x):\n    return exec\ndef reward_function(p):\n    return abs(1) is None",
    "a default that changes": "def reward_function(p, seen=[]):\n    seen.append(1)\n    return len(seen)",
    "a name used too early": "def reward_function(p):\n    if p['speed'] > 9:\n        a = 1\n    return a",
    "no number": "def reward_function(p):\n    return p['waypoints']",
    "nothing": "def reward_function(p):\n    pass",
    "an attribute of the function": "def reward_function(p):\n    reward_function.x = 1\n    return 1.0",
    "instances that differ": "import random\nK = random.random()\ndef reward_function(p):\n    return K",
    "tables that differ": "import random\nK = [random.random()]\ndef reward_function(p):\n    return K[0]",
}


@pytest.mark.parametrize("case", STAYS)
def test_what_stays_python(tmp_path, case):
    rewards = Rewards(load_reward(written(tmp_path, STAYS[case])), 2)
    with pytest.raises(Untranslatable):
        translated(rewards.reward.text, rewards.reward.path, rewards._functions)
    assert not rewards.compile(load_track("harbor"))


def test_numbers_too_large_to_be_exact_stay_python(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    return 10**17 + int(p['speed']) - 10**17")
    assert not Rewards(load_reward(path), 2).compile(load_track("harbor"))


def test_a_callable_stays_python():
    assert not Rewards(load_reward(lambda params: 1.0), 2).compile(load_track("harbor"))


# Errors

TRAPS = """
    import math

    def reward_function(params):
        if params["progress"] > 90:
            return 1 / (params["distance_from_center"] - params["distance_from_center"])
        if params["progress"] > 80:
            return math.sqrt(-params["speed"])
        if params["progress"] > 70:
            return params["waypoints"][len(params["waypoints"])][0]
        if params["progress"] > 60:
            return 1e4 * params["speed"] * 20
        if params["progress"] > 50:
            return (params["speed"] - 9) ** 0.5
        if params["progress"] > 40:
            return float("nan")
        return params["speed"]
"""


def test_the_same_errors_as_python(tmp_path, monkeypatch):
    """Cars that cannot be rewarded are asked about in Python, which says what is wrong; the others are not."""
    track = load_track("harbor")
    path = written(tmp_path, TRAPS)
    compiled, plain = (Rewards(load_reward(path), 4) for _ in range(2))
    monkeypatch.setattr(Compiled, "agrees", lambda *_: True)  # too much of it is left to Python
    assert compiled.compile(track)
    params, out, expected = Params(track, 4), np.zeros(4), np.zeros(4)
    params.floats[:] = posed().floats[:4]
    params.floats[:, 5] = 10.0
    compiled(params, out)
    np.testing.assert_array_equal(out, params.floats[:, 7])
    said = set()
    for progress in (95.0, 85.0, 75.0, 65.0, 55.0, 45.0):
        params.floats[2, 5] = progress
        with pytest.raises(RewardError) as pythons:
            plain(params, expected)
        with pytest.raises(RewardError) as ours:
            compiled(params, out)
        assert str(ours.value) == str(pythons.value) and "for car 2" in str(ours.value)
        said.add(str(ours.value).splitlines()[0])
    assert len(said) == 6


def test_what_only_python_can_do_is_done_by_python(tmp_path):
    """Rounding halfway numbers is left to Python, car by car."""
    path = written(tmp_path, "def reward_function(p):\n    return round(p['heading'] / 90 + 0.125, 2)")
    rewards, plain = (Rewards(load_reward(path), CARS) for _ in range(2))
    assert rewards.compile(load_track("harbor"))
    ours, pythons = np.zeros(CARS), np.zeros(CARS)
    for k, params in enumerate(params_of(recorded(steps=30))):
        params.floats[k % CARS, 2] = 90.0
        rewards(params, ours)
        plain(params, pythons)
        assert ours.tobytes() == pythons.tobytes()


@pytest.mark.parametrize("loop", ["while True:\n        x = 1", "for i in range(10**9):\n        x = i"])
def test_endless_loops_are_still_stopped(tmp_path, monkeypatch, loop):
    monkeypatch.setattr(racer.reward, "PATIENCE_S", 0.3)
    path = written(tmp_path, f"def reward_function(p):\n    {loop}\n    return 1.0")
    rewards = Rewards(load_reward(path), 1)
    assert not rewards.compile(load_track("harbor"))
    with pytest.raises(RewardError, match=r"line 2: TimeoutError|line 3: TimeoutError"):
        rewards(Params(load_track("harbor"), 1), np.zeros(1))


# Where and when


def test_a_reward_that_differs_somewhere_is_not_used(monkeypatch):
    rewards = Rewards(load_reward("speed"), 2)
    monkeypatch.setattr(Compiled, "__call__", lambda self, params, out: np.zeros(0, dtype=np.intp))
    assert not rewards.compile(load_track("harbor"))


def test_elsewhere_python_goes_on(tmp_path):
    path = written(tmp_path, "def reward_function(p):\n    return p['waypoints'][1][0] + p['track_length']")
    rewards = Rewards(load_reward(path), 1)
    assert rewards.compile(load_track("harbor"))
    for other in (load_track("fjord"), load_track("harbor").reverse(), load_track("harbor")):
        out = np.zeros(1)
        rewards(Params(other, 1), out)
        assert out[0] == other.center[1, 0] + other.length


def test_the_same_source_is_compiled_once():
    functions = {"f0": f"def f0({racer.compile.machine.ARGUMENTS}):\n    return 1.5"}
    assert racer.compile.machine.machine_code(functions, {}) is racer.compile.machine.machine_code(functions, {})
    kept = list((Path(racer.compile.machine.FOLDER) / "rewards").glob("*.txt"))
    assert any("return 1.5" in path.read_text() for path in kept)


def test_a_full_disk_does_not_matter(monkeypatch):
    def full(path, data):
        raise FileError("the disk is full")

    monkeypatch.setattr(racer.compile.machine, "write_atomically", full)
    functions = {"f0": f"def f0({racer.compile.machine.ARGUMENTS}):\n    return {random.random()}"}
    assert callable(racer.compile.machine.machine_code(functions, {}))
