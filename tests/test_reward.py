"""The reward contract: what a learner's function may do and return, and what is said when it fails."""

import builtins
import gc
import io
import math
import re
import signal
import sys
import threading
import time
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
from episodes import CARS, judged, load_track, params_of, recorded, written

from racer.env import TimeTrial, TimeTrialVector
from racer.errors import RewardError, ShelfError
from racer.racing import drive, load_agent
from racer.reward import LIMIT, VectorReward, load_reward
from racer.training import Prints

REWARDS = Path(__file__).parent / "rewards"
IMPATIENT_S = 0.3


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("RACER_REWARD_TIMEOUT", str(IMPATIENT_S))


def error_of(path, **options):
    with pytest.raises(RewardError) as caught:
        judged(path, steps=5, **options)
    return str(caught.value)


# Loading


def test_a_name_a_path_and_a_callable(tmp_path):
    assert load_reward("centerline").path.name == "centerline.py"
    path = written(tmp_path, "def reward_function(params): return 1.0")
    assert load_reward(path).text == path.read_text()
    assert load_reward(str(path)).name == "reward"

    def mine(params):
        return 1.0

    assert load_reward(mine).function is mine
    assert load_reward(load_reward(mine)).name == "mine"
    with pytest.raises(ShelfError, match=r"centrline.*Did you mean 'centerline'"):
        load_reward("centrline")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"defines no 'reward_function'"),
        (b"def other(params): return 1\n", r"defines no 'reward_function'"),
        (b"x = 1\ndef reward_function(params)\n    return 1\n", r"line 2: SyntaxError: expected ':'"),
        (b"def reward_function(params):\n\treturn 1\n        return 2\n", r"line 3: \w*Error: .*inden"),
        (b"x = 1\n# caf\xe9\ndef reward_function(params): return 1\n", r"line 2: this is not utf-8 text"),
        (b"a = 1\n\n\n# caf\xe9\ndef reward_function(params): return 1\n", r"line 4: this is not utf-8 text"),
        (b"# coding: klingon\ndef reward_function(params): return 1\n", r"line 1: unknown encoding: klingon"),
        ("def reward_function(params): return 1\n".encode("utf-16"), r"line 1: this is not utf-8 text"),
        (b"x = 1\0\ndef reward_function(params): return 1\n", r"null bytes"),
        (b"(" * 5000 + b")" * 5000 + b"\ndef reward_function(params): return 1\n", r"reward\.py"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r"reward\.py"),
    ],
)
def test_a_file_that_cannot_be_read_as_python(tmp_path, content, message):
    path = tmp_path / "reward.py"
    path.write_bytes(content)
    with pytest.raises(RewardError, match=message) as caught:
        load_reward(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("reward_function = 5", r"reward\.py: reward_function is 5, not a function"),
        ("if False:\n    def reward_function(p): return 1", r"reward\.py: reward_function is never defined"),
        (
            "import no_such_module\ndef reward_function(p): return 1",
            r"line 1: ModuleNotFoundError: .*no_such",
        ),
        (
            "limit = 0\nx = 1 / limit\ndef reward_function(p): return 1",
            r"line 2: ZeroDivision(?s:.*)limit = 0",
        ),
        ("def reward_function(p): return 1\nreturn 5", r"line 2: SyntaxError: 'return' outside function"),
        ("import sys\nsys.exit('enough')\ndef reward_function(p): pass", r"line 2: SystemExit: enough"),
        ("async def reward_function(p): return 1", r"line 1: reward_function is asynchronous"),
        ("x = 1\ndef reward_function(p):\n    yield 1", r"line 2: reward_function is a generator"),
        (
            "def reward_function(): return 1",
            r"line 1: reward_function\(\) cannot be called with params alone",
        ),
        ("def reward_function(params, speed): return 1", r"line 1: reward_function\(params, speed\) cannot"),
        ("def reward_function(*, params): return 1", r"line 1: reward_function\(\*, params\) cannot"),
        ("input('name?')\ndef reward_function(p): return 1", r"line 1: RuntimeError: .*cannot ask for input"),
    ],
)
def test_a_file_that_fails_while_it_is_loaded(tmp_path, source, message):
    path = written(tmp_path, source)
    with pytest.raises(RewardError, match=message) as caught:
        VectorReward(load_reward(path), 2)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("head", ["(*args)", "(params, weight=1.0)", "(p, *rest, **more)"])
def test_any_function_that_takes_params_will_do(tmp_path, head):
    assert (judged(written(tmp_path, f"def reward_function{head}: return 2"), steps=2) == 2.0).all()


def test_a_file_is_run_once_for_each_car_and_never_twice(tmp_path):
    path = written(
        tmp_path,
        """
        with open(__file__ + ".runs", "a") as file:
            file.write("run\\n")

        def reward_function(params):
            return 1.0
        """,
    )
    judged(path, steps=3)
    assert (tmp_path / "reward.py.runs").read_text().count("run") == CARS


# Failing


FAILURES = {
    "a division": (
        """
        def reward_function(params):
            limit = params["speed"] - params["speed"]
            return (params["progress"]
                    / limit
                    + params.get("steps"))
        """,
        r"line 3: ZeroDivisionError: float division by zero\n.*progress\"\]\n.*/ limit\n.*\(\"steps\"\)",
        ["params['progress'] = ", "limit = 0.0", "params['steps'] = 2.0", "for car 0, given steps = 2,"],
    ),
    "a wrong key": (
        'def reward_function(params):\n    return params["spead"]',
        r"line 2: KeyError: 'spead' Did you mean 'speed'\?\n    return params\[",
        ["for car 0"],
    ),
    "at a later step": (
        'def reward_function(params):\n    left = 5 - params["steps"]\n    return 1 / left',
        r"line 3: ZeroDivisionError",
        ["left = 0.0", "given steps = 5, progress = "],
    ),
    "in an if": (
        'def reward_function(p):\n    if p["speed"] > p["waypoints"]:\n        return 1\n    return 2',
        r"line 2: TypeError: '>' not supported between .* 'float' and 'list'\n    if p\[\"speed\"\] > ",
        ["p['speed'] = ", "p['waypoints'] = [("],
    ),
    "in a comprehension": (
        "def reward_function(params):\n    w = 3\n    return sum(1 / (i - w) for i in range(9))",
        r"line 3: ZeroDivisionError",
        ["i = 3", "w = 3"],
    ),
    "in a method": (
        """
        class Memory:
            best = None
            def __init__(self):
                self.worst = 0
            def judge(self, params):
                return params["speed"] / self.worst

        memory = Memory()

        def reward_function(params):
            return memory.judge(params)
        """,
        r"line 6: ZeroDivisionError",
        ["self.worst = 0", "params['speed'] = "],
    ),
    "inside a library": (
        "import statistics\n\ndef reward_function(params):\n    v = []\n    return statistics.mean(v)",
        r"line 5: StatisticsError: mean requires at least one data point",
        ["v = []"],
    ),
    "recursion": (
        "def deep(n):\n    return deep(n + 1)\n\ndef reward_function(params):\n    return deep(0)",
        r"line 2: RecursionError",
        ["n = "],
    ),
    "memory": ("def reward_function(params):\n    return len([0] * 10**15)", r"line 2: MemoryError", []),
    "sys.exit": ("import sys\n\ndef reward_function(params):\n    sys.exit(3)", r"line 4: SystemExit: 3", []),
    "exit": ("def reward_function(params):\n    exit()", r"line 2: SystemExit", []),
    "input": (
        "def reward_function(params):\n    return input()",
        r"line 2: RuntimeError: .*ask for input",
        [],
    ),
    "StopIteration": (
        "def reward_function(params):\n    far = 1e9\n    w = params['waypoints']\n"
        "    return next(x for x, y in w if x > far)",
        r"line 4: StopIteration \(next\(\.\.\.\) found nothing; give it a default: .*\)\n    return next",
        ["far = 1000000000.0", "for car 0"],
    ),
    "StopIteration in a function of another name": (
        "def helper(params):\n    raise StopIteration('ended')\n\nreward_function = helper",
        r"line 2: StopIteration: ended",
        ["for car 0"],
    ),
    "StopIteration in a method": (
        "class Mine:\n    def __call__(self, params):\n        return next(iter([]))\n\nreward_function = Mine()",
        r"line 3: StopIteration",
        ["for car 0"],
    ),
    "StopIteration behind a docstring": (
        "def reward_function(params):\n    'Pays.'\n    return next(iter([]))",
        r"line 3: StopIteration",
        ["for car 0"],
    ),
    "StopIteration of a number": (
        "class Mine:\n    def __float__(self):\n        return next(iter([]))\n\n"
        "def reward_function(params):\n    return Mine()",
        r"line 3: StopIteration",
        ["for car 0"],
    ),
    "GeneratorExit": ("def reward_function(params):\n    raise GeneratorExit", r"line 2: GeneratorExit", []),
    "KeyboardInterrupt": (
        "def reward_function(params):\n    try:\n        raise KeyboardInterrupt\n    except:\n        return 1",
        r"line 3: KeyboardInterrupt",
        ["for car 0"],
    ),
    "SystemExit of a number": (
        "import sys\n\nclass Mine:\n    def __float__(self):\n        sys.exit(0)\n\n"
        "def reward_function(params):\n    return Mine()",
        r"line 5: SystemExit: 0",
        ["for car 0"],
    ),
    "an exception whose text leaves": (
        "import sys\n\nclass Mine(Exception):\n    def __str__(self): sys.exit(0)\n\n"
        "def reward_function(params):\n    raise Mine",
        r"line 7: Mine\n",
        ["for car 0"],
    ),
    "a long sum": (
        "def reward_function(params):\n    return (" + "1 + " * 500 + "1) / 0",
        r"line 2: ZeroDivisionError",
        [],
    ),
    "an exception of its own": (
        "class Mine(BaseException): pass\n\ndef reward_function(params):\n    raise Mine('so\\nthere')",
        r"line 4: Mine: so there",
        [],
    ),
    "an exception that fails": (
        "class Mine(Exception):\n    def __str__(self): raise KeyError\n\ndef reward_function(params):\n    raise Mine",
        r"line 5: Mine: \(its message cannot be had",
        [],
    ),
    "a number that fails": (
        "class Mine:\n    def __float__(self):\n        return 1 / 0\n\n"
        "def reward_function(params):\n    return Mine()",
        r"line 3: ZeroDivisionError",
        ["for car 0"],
    ),
    "code from text": (
        "def reward_function(params):\n    return eval('1 +')",
        r"<string>, line 1: SyntaxError",
        ["for car 0"],
    ),
    "nothing of use in a wide statement": (
        "def reward_function(params):\n    raise ValueError(" + "'x' * 9999" + ")",
        r"line 2: ValueError: x{500}…",
        [],
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_is_said_when_a_call_fails(tmp_path, case):
    source, message, values = FAILURES[case]
    path = written(tmp_path, source)
    said = error_of(path)
    assert re.search(message, said), said
    for value in values:
        assert value in said, said
    assert "for car " in said and "steps = " in said and "heading = " in said and "racer/" not in said
    if "<string>" not in message:
        assert said.startswith(f"{path}, line ")


def test_the_car_and_its_step_are_named(tmp_path):
    path = written(
        tmp_path,
        """
        calls = 0

        def reward_function(params):
            global calls
            calls += 1
            if calls == 4 and __name__.endswith("_1"):
                raise ValueError("the second car, fourth step")
            return 1.0
        """,
    )
    steps, x = recorded(steps=5)[3][0][1, [6, 0]]
    assert f"for car 1, given steps = {steps:g}, progress" in error_of(path)
    assert f"x = {x:.6g}" in error_of(path)


def test_an_error_in_a_module_beside_is_that_modules(tmp_path):
    helper = written(tmp_path, "def halve(x):\n    return x / (x - x)", "helper")
    path = written(tmp_path, "import helper\n\ndef reward_function(p):\n    return helper.halve(p['speed'])")
    said = error_of(path)
    assert said.startswith(f"{helper}, line 2: ZeroDivisionError") and "x = " in said
    helper.write_text("def halve(x)\n    return 1\n")
    assert error_of(path).startswith(f"{helper}, line 1: SyntaxError")


def test_an_error_in_a_callable(tmp_path):
    def mine(params):
        limit = 0
        return params["speed"] / limit

    said = error_of(mine)
    assert said.startswith(f"{__file__}, line ") and "ZeroDivisionError" in said and "limit = 0" in said
    assert "reward_function returned None" in error_of(dict.clear)


def test_ctrl_c_is_not_an_error_of_the_reward(tmp_path):
    path = written(
        tmp_path,
        """
        import signal

        def reward_function(params):
            try:
                signal.raise_signal(signal.SIGINT)
                return 2.0
            except:
                return 1.0
        """,
    )
    with pytest.raises(KeyboardInterrupt):
        judged(path, steps=1)


def test_cars_go_on_after_an_error(tmp_path):
    """The same `VectorReward` can be asked again: nothing is left half done."""
    path = written(
        tmp_path,
        """
        def reward_function(params):
            if params["steps"] == 3:
                raise ValueError
            return params["steps"]
        """,
    )
    tables = recorded(steps=5)
    rewards, out = VectorReward(load_reward(path), CARS), np.zeros(CARS)
    usual = sys.stdout, sys.stderr
    for k, params in enumerate(params_of(tables)):
        if (tables[k][0][:, 6] == 3.0).any():
            before = out.copy()
            with pytest.raises(RewardError):
                rewards(params, out)
            np.testing.assert_array_equal(out, before)
        else:
            rewards(params, out)
            np.testing.assert_array_equal(out, tables[k][0][:, 6])
    assert (sys.stdout, sys.stderr) == usual


# Returning


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("3", 3.0),
        ("True", 1.0),
        ("' 2.5e1 '", 25.0),
        ("np.float32(0.1)", float(np.float32(0.1))),
        ("np.array([[7]])", 7.0),
        ("np.array(0.5)", 0.5),
        ("np.bool_(True)", 1.0),
        ("Fraction(1, 4)", 0.25),
        ("-1e5", -1e5),
        ("10**5", 1e5),
        ("-0.0", -0.0),
    ],
)
def test_what_float_takes_is_a_reward(tmp_path, answer, value):
    head = "import numpy as np\nfrom fractions import Fraction\n"
    path = written(tmp_path, f"{head}def reward_function(params):\n    return {answer}")
    rewards = judged(path, steps=2)
    assert (rewards == value).all() and (np.signbit(rewards) == np.signbit(value)).all()


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("None", r"returned None: one of its ways ends without a 'return'"),
        ("'fast'", r"returned 'fast', a str"),
        ("1j", r"returned 1j, a complex"),
        ("[1.0]", r"returned \[1.0\], a list"),
        ("list(range(10**5))", r"returned \[0, 1, 2, 3, \.\.\.\], a list"),
        ("np.zeros(2)", r"returned array\(\[0., 0.\]\), a ndarray"),
        ("np.array(['x'])", r"returned .*, a ndarray"),
        ("float('nan')", r"returned nan;"),
        ("float('inf')", r"returned inf;"),
        ("-np.inf", r"returned -inf;"),
        ("100000.1", r"returned 100000.1;"),
        ("-10**6", r"returned -1000000;"),
        ("10**5000", r"returned "),
        ("np.float64('nan')", r"returned np.float64\(nan\);"),
        ("reward_function", r"returned <function reward_function"),
        ("(i for i in [])", r"returned <generator object .*, a generator"),
    ],
)
def test_what_is_no_reward_stops_the_run(tmp_path, answer, shown):
    path = written(tmp_path, f"import numpy as np\ndef reward_function(params):\n    return {answer}")
    said = error_of(path)
    assert re.match(rf"{re.escape(str(path))}, line 2: reward_function {shown}", said), said
    assert f"a finite number from {-LIMIT:g} to {LIMIT:g}\n    for car 0, given steps = 2" in said
    assert len(said) < 600


def test_the_right_car_is_named_for_what_it_returned(tmp_path):
    path = written(
        tmp_path,
        """
        def reward_function(params):
            return None if __name__.endswith("_2") else "1.5"
        """,
    )
    assert "for car 2, given" in error_of(path)


# Hanging


HANGS = {
    "a loop": ("def reward_function(params):\n    i = 0\n    while True:\n        i += 1", r"line [34]"),
    "while loading": ("while True:\n    pass\ndef reward_function(params): return 1", r"line [12]"),
    "swallowing": (
        """
        def reward_function(params):
            while True:
                try:
                    sum(range(20000))
                except:
                    pass
        """,
        r"line [2-4]",
    ),
    "swallowing on every level": (
        """
        def spin():
            while True:
                try:
                    try:
                        sum(range(20000))
                    except BaseException:
                        continue
                finally:
                    done = False

        def reward_function(params):
            try:
                spin()
            except:
                return 1.0
        """,
        r"line [2-8]",
    ),
    "swallowing with a library's help, then answering": (
        """
        from contextlib import suppress

        def reward_function(params):
            with suppress(BaseException):
                while True:
                    pass
            return 1.0
        """,
        r"no answer within 0\.3 s at .*reward\.py, line [56]",
    ),
    "only after a while": (
        "def reward_function(params):\n    while params['steps'] > 4:\n        pass\n    return 1",
        r"line [23](?s:.*)given steps = 5",
    ),
}


@pytest.mark.parametrize("case", HANGS)
def test_an_endless_loop_is_stopped(tmp_path, impatient, case):
    source, message = HANGS[case]
    path = written(tmp_path, source)
    said = error_of(path)
    assert "TimeoutError: no answer within 0.3 s" in said
    assert str(path) in said and re.search(message, said), said


def test_slow_is_not_stuck(tmp_path, impatient):
    """Each call has the whole time; the batch together may take longer."""
    path = written(tmp_path, "import threading\nreal = threading.Event()\ndef reward_function(params): return 1.0")
    slow = path.read_text().replace("return 1.0", f"return 1.0 + real.wait({IMPATIENT_S / 2})")
    path.write_text(slow)
    tables = recorded(steps=1)
    out = np.zeros(CARS)
    for params in params_of(tables):
        VectorReward(load_reward(path), CARS)(params, out)
    assert (out == 1.0).all()


# Printing


def test_prints_go_where_they_are_sent(capsys):
    text = io.StringIO()
    judged(REWARDS / "printing.py", steps=2, stdout=text)
    judged(REWARDS / "logging_out.py", steps=2, stdout=text)
    lines = text.getvalue().splitlines()
    assert len(lines) == 2 * CARS * 4 + 2 * CARS
    assert lines[0].startswith("steps: 2.0 speed: ") and "to stderr" in lines and "x=" in text.getvalue()
    assert capsys.readouterr() == ("", "")


def test_prints_go_to_the_usual_place_otherwise(capsys):
    judged(REWARDS / "printing.py", steps=2)
    out, err = capsys.readouterr()
    assert out.count("steps: ") == 2 * CARS and err.count("to stderr") == 2 * CARS


def test_prints_while_loading_and_of_errors(tmp_path):
    path = written(tmp_path, "print('hello')\ndef reward_function(params):\n    print('bye')\n    return 1 / 0")
    text = io.StringIO()
    error_of(path, stdout=text)
    assert text.getvalue() == "hello\n" * CARS + "bye\n"


def test_other_threads_print_where_they_did(tmp_path, capsys):
    """A progress bar that is drawn from a thread of its own does not end up in the log."""
    path = written(
        tmp_path,
        """
        import sys, threading

        def reward_function(params):
            thread = threading.Thread(target=lambda: print("from outside"))
            thread.start()
            thread.join()
            print("from inside")
            return 1.0
        """,
    )
    text = io.StringIO()
    judged(path, steps=1, stdout=text)
    assert text.getvalue() == "from inside\n" * CARS
    assert capsys.readouterr().out == "from outside\n" * CARS


def test_a_flood_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr("racer.training.metrics.PRINTED_LIMIT", 2000)
    path = written(tmp_path, "def reward_function(params):\n    print('x' * 99)\n    return 1.0")
    prints = Prints(tmp_path / "rewards.log")
    judged(path, steps=50, stdout=prints)
    prints.close()
    text = (tmp_path / "rewards.log").read_text()
    assert text.count("x" * 99) in (19, 20) and len(text) < 2100 and "no more is kept" in text


# The clock


CLOCKS = [
    "time.time()",
    "time.time_ns() / 1e9",
    "time.perf_counter()",
    "time.perf_counter_ns() / 1e9",
    "time.monotonic()",
    "time.monotonic_ns() / 1e9",
    "time.process_time()",
    "time.clock_gettime(0)",
    "from_time()",
    "t.time()",
    "datetime.datetime.now().timestamp()",
    "dt.now(datetime.timezone.utc).timestamp()",
    "dt.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp()",
    "dt.today().timestamp()",
    "late()",
    "beside_clock.now()",
]


@pytest.mark.parametrize("expression", CLOCKS)
def test_every_clock_is_the_simulated_one(tmp_path, expression):
    written(tmp_path, "import time\ndef now(): return time.time()", "beside_clock")
    path = written(
        tmp_path,
        f"""
        import datetime
        import time
        import time as t
        import beside_clock
        from datetime import datetime as dt
        from time import time as from_time

        def late():
            from time import monotonic
            return monotonic()

        def clock():
            return {expression}

        began = clock()

        def reward_function(params):
            before = clock()
            time.sleep(30)
            assert clock() == before
            return before - began
        """,
    )
    simulated = np.stack([floats[:, 10] for floats, _, _ in recorded(steps=40)])
    np.testing.assert_allclose(judged(path, steps=40), simulated, atol=2e-6)  # datetime rounds to microseconds
    np.testing.assert_array_equal(judged(path, steps=40), judged(path, steps=40))


def test_dates_and_texts_of_the_simulated_clock(tmp_path):
    path = written(
        tmp_path,
        """
        import datetime, time

        def reward_function(params):
            today = datetime.date.today()
            assert isinstance(today, datetime.date) and isinstance(datetime.datetime.now(), datetime.date)
            assert datetime.datetime.now() - datetime.datetime(2020, 1, 1) > datetime.timedelta(days=200)
            assert time.strftime("%Y") == str(time.localtime().tm_year) == str(time.gmtime()[0]) == "2020"
            assert "2020" in time.ctime() and "2020" in time.asctime() and time.ctime(0) != time.ctime()
            assert time.struct_time is type(time.localtime())
            return today.year
        """,
    )
    assert (judged(path, steps=2) == 2020).all()


def test_clocks_never_go_back(tmp_path):
    """Over the episodes, and when the environment is seeded anew, which begins its race anew."""
    path = written(
        tmp_path,
        """
        import time

        last = time.time()

        def reward_function(params):
            global last
            passed, last = time.time() - last, time.time()
            return passed
        """,
    )
    env = TimeTrialVector(2, "harbor", path)
    passed = []
    for seed in (1, 2):
        env.reset(seed=seed)
        for _ in range(60):
            passed.append(env.step(np.full((2, 2), 0.9, np.float32))[1])
    assert (np.array(passed[1:]) > 0.0).all()
    assert np.isclose(passed[1][0], 1 / 15, atol=1e-6)


# What is changed around a reward


HARMLESS = {
    "NumPy": ("import numpy as np\nnp.sqrt = np.zeros = None\n", "np.array = np.abs = None", "1.0"),
    "NumPy by another name": ("import numpy\n", "numpy.flatnonzero = numpy.argmin = None", "numpy.ones(1)[0]"),
    "a part of NumPy": ("import numpy.linalg\nfrom numpy import linalg, pi\n", "", "float(numpy.linalg.norm([1.0]))"),
    "math": ("import math\n", "math.hypot = math.isfinite = None", "math.cos(0.0)"),
    "builtins": ("import builtins\nbuiltins.len = None\n", "builtins.float = builtins.map = None", "1.0"),
    "builtins by their other name": ("", "__builtins__['isinstance'] = None", "1.0"),
    "the recursion limit": ("import sys\nsys.setrecursionlimit(5000)\n", "sys.setrecursionlimit(300)", "1.0"),
    "the streams": ("import sys\nsys.stdout.close()\n", "sys.stderr.close(); sys.stdout = None", "1.0"),
    "the working folder": ("import os\nos.chdir('..')\n", "os.chdir('/')", "1.0"),
    "the working folder, from beside": ("import elsewhere\n", "elsewhere.go()", "1.0"),
    "warnings": ("import warnings\nwarnings.simplefilter('error')\n", "warnings.simplefilter('error')", "1.0"),
    "NumPy's errors": ("import numpy as np\nnp.seterr(all='raise')\n", "np.seterr(all='raise')", "1.0"),
    "Ctrl-C": ("import signal\n", "signal.signal(signal.SIGINT, signal.SIG_IGN)", "1.0"),
}
"""What a file does, what each call does, and what a call returns (1)."""


@pytest.mark.parametrize("case", HARMLESS)
def test_what_a_reward_changes_in_the_process_is_put_back(tmp_path, case):
    head, body, answer = HARMLESS[case]
    written(tmp_path, "import os\n\ndef go():\n    os.chdir('/')\n", "elsewhere")
    path = written(tmp_path, f"{head}\ndef reward_function(params):\n    {body}\n    return {answer}")
    recorded(steps=3)  # which loads, and keeps in NumPy, what is loaded late
    before = surroundings()
    assert (judged(path, steps=3, stdout=io.StringIO()) == 1.0).all()
    assert surroundings() == before


def surroundings():
    """What a reward function shares with everybody, as it is now."""
    modules = [dict(vars(module)) for module in (np, math, builtins)]
    streams = sys.stdout, sys.stderr, sys.stdout.closed, sys.stderr.closed
    handlers = signal.getsignal(signal.SIGINT), warnings.filters[:], np.geterr()
    return modules, streams, handlers, sys.getrecursionlimit(), Path.cwd()


def test_a_log_that_a_reward_closes_stays_open(tmp_path):
    path = written(
        tmp_path, "import sys\ndef reward_function(params):\n    print('on')\n    sys.stdout.close()\n    return 1"
    )
    text = io.StringIO()
    judged(path, steps=2, stdout=text)
    assert text.getvalue() == "on\n" * 2 * CARS


@pytest.mark.parametrize("encoding", ["rot13", "base64", "hex", "zlib", "undefined", "idna", "punycode"])
def test_encodings_that_are_none_of_text(tmp_path, encoding):
    path = tmp_path / "reward.py"
    path.write_bytes(f"# coding: {encoding}\ndef reward_function(params): return '\xe4'\n".encode())
    with pytest.raises(RewardError, match=r"line \d+: .*save the file as UTF-8") as caught:
        load_reward(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "reward.py"
    path.write_text("def reward_function(params): return 1\n" + "#" * 200_000)
    with pytest.raises(RewardError, match=r"too large, 200,038 bytes; racer reads such files up to 200,000 bytes"):
        load_reward(path)


def test_flying_laps_go_on_by_one_step_and_one_tick():
    """As in DeepRacer's continuous races: only `progress` begins anew with a lap."""
    seen = []

    def witness(params):
        seen.append((params["progress"], params["steps"], params["sim_time"]))
        return 1.0

    track = load_track("pebble")
    driver = load_agent("pure_pursuit").make(TimeTrialVector(1, track, None), 0)
    drive(driver, track, 3, reward_function=witness)
    progress, steps, clock = np.array(seen).T
    assert (np.diff(steps) == 1.0).all() and steps[0] == 2.0
    np.testing.assert_allclose(np.diff(clock), 1 / 15)
    ends = np.flatnonzero(np.diff(progress) < 0.0)
    assert len(ends) == 2 and (progress[ends] == 100.0).all() and (progress[ends + 1] < 5.0).all()


# What is left behind


def test_nothing_is_left_behind(tmp_path):
    written(tmp_path, "import time", "helper")
    path = written(tmp_path, "import helper\ndef reward_function(params): return 1.0")
    gc.collect()  # of the rewards of earlier tests
    before, paths = set(sys.modules), list(sys.path)
    rewards = VectorReward(load_reward(path), CARS)
    assert sum("reward" in name for name in set(sys.modules) - before) == 2 * CARS
    assert "helper" not in sys.modules
    gone = weakref.ref(rewards)
    del rewards
    gc.collect()
    assert gone() is None
    assert set(sys.modules) == before and sys.path == paths
    assert sys.modules["time"] is time


def test_a_package_beside(tmp_path):
    (tmp_path / "my_parts_of_reward").mkdir()
    (tmp_path / "my_parts_of_reward" / "__init__.py").write_text("")
    (tmp_path / "my_parts_of_reward" / "bends.py").write_text("TIGHT = 3\n")
    path = written(tmp_path, "from my_parts_of_reward.bends import TIGHT\ndef reward_function(params): return TIGHT")
    paths = list(sys.path)
    assert (judged(path, steps=1) == 3.0).all()
    assert sys.path == paths


def test_a_module_beside_hides_none_of_pythons_own(tmp_path):
    written(tmp_path, "raise ValueError('the wrong one')", "json")
    path = written(tmp_path, "import json\ndef reward_function(params): return json.loads('4')", "statistics")
    assert (judged(path, steps=1) == 4.0).all()


def test_many_threads_share_one_patrol(tmp_path):
    judged("centerline", steps=1)
    before = threading.active_count()
    environments = [TimeTrial("harbor", "centerline") for _ in range(5)]
    for env in environments:
        env.reset(seed=0)
        env.step(np.zeros(2, np.float32))
    assert threading.active_count() == before


def test_the_number_of_cars_must_fit():
    params = next(params_of(recorded(steps=1)))
    with pytest.raises(ValueError, match=f"there are {CARS} cars and 2 instances"):
        VectorReward(load_reward("speed"), 2)(params, np.zeros(CARS))
