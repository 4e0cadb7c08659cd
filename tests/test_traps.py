"""`racer.reward.traps_of`: what is found in a source, and what is left alone."""

from pathlib import Path

import pytest

from racer import shelf
from racer.reward import traps_of

REWARDS = Path(__file__).parent / "rewards"
HEAD = "import math, random, time\nimport numpy as np\ndef reward_function(p):\n"
STEPS, HEADING = "steps = p['steps']\n    ", "heading = p['heading']\n    "


def traps_in(body):
    return traps_of(f"{HEAD}    {body}\n")


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("return p['steps'] == 1", 4, "steps <= 2"),
        ("return p.get('steps', 0) == 0", 4, "steps <= 2"),
        (STEPS + "return steps <= 1", 5, "steps <= 2"),
        (STEPS + "return 1 == int(steps)", 5, "gets steps = 2"),
        (STEPS + "return 2 > steps", 5, "never true"),
        ("return p['progress'] == 100", 4, ">= 100"),
        ("return p['distance_from_center'] == 0", 4, "hardly ever true"),
        (HEADING + "return 0.0 == heading", 5, "hardly ever true"),
        ("if p['is_reversed']:\n        return -1.0\n    return 1.0", 4, "the same in every step"),
        ("waypoints = p['waypoints']\n    return waypoints[p['closest_waypoints'][1] + 1]", 5, "% len(waypoints)"),
        (HEADING + "d = math.degrees(math.atan2(1, 2))\n    return abs(d - heading)", 6, "+ 180) % 360 - 180"),
        ("return math.sin(p['heading'])", 4, "radians"),
        (HEADING + "return np.cos(heading)", 5, "degrees"),
        ("return math.tan(p['steering_angle'])", 4, "'steering_angle'"),
        ("return random.random()", 4, "chance"),
        ("return np.random.normal()", 4, "chance"),
        ("return time.time()", 4, "15 a second"),
        (f"table = {list(range(101))}\n    return table[0]", 4, "above the function"),
        ("return open('line.txt').read()", 4, "reads a file in every step"),
    ],
)
def test_a_trap_is_named_with_its_line_and_the_way_out(body, line, said):
    found = traps_in(body)
    assert [trap.line for trap in found] == [line], found
    assert said in str(found[0]) and str(found[0]).startswith(f"line {line}: ")


@pytest.mark.parametrize(
    "body",
    [
        STEPS + "return steps <= 2",
        STEPS + "return steps == 2 or steps > 1",
        STEPS + "return steps % 10 == 1",
        STEPS + "return steps == 'one'",
        STEPS + "steps = p['speed']\n    return steps == 1",
        "return p['speed'] == 3.0",
        "return p['progress'] >= 100",
        "if p['is_reversed']:\n        p['waypoints'].reverse()\n    return 1.0",
        "waypoints = p['waypoints']\n    return waypoints[(p['closest_waypoints'][1] + 1) % len(waypoints)][0]",
        HEADING + "d = abs(10 - heading)\n    return d",
        HEADING + "d = abs(math.atan2(1, 2) - heading)\n    if d > 180:\n        d = 360 - d\n    return d",
        HEADING + "return math.cos(math.radians(heading))",
        HEADING + "heading = heading * math.pi / 180\n    return math.sin(heading)",
        f"table = {list(range(99))}\n    return table[0]",
        "return p['sim_time']",
    ],
)
def test_what_may_be_meant_is_left_alone(body):
    assert traps_in(body) == []


def test_traps_are_told_by_line():
    found = traps_in("a = math.sin(p['heading'])\n    return a + (p['steps'] == 1)")
    assert [trap.line for trap in found] == [4, 5]


def test_good_rewards_have_none():
    """Those of the shelf and the good ones with a label, but for the prize at the finish."""
    files = [shelf.resolve("reward_functions", name) for name in shelf.names("reward_functions")]
    files += sorted((REWARDS / "good").glob("*.py"))
    assert [path.stem for path in files if traps_of(path.read_text())] == ["gain_and_prize"]


def test_what_traps_there_are_in_the_bad_ones():
    found = {path.stem for path in (REWARDS / "bad").glob("*.py") if traps_of(path.read_text())}
    assert found == {"finish_in_time", "dice"}
