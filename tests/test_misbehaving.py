"""Rewards that hang where Python cannot interrupt them, or change the process around them, at the command line.

Each command runs in a process of its own, with a small patience: the machine may be busy, so nothing is timed here
but by the limit after which a hanging test fails.
"""

import os
import signal
import subprocess
import sys

import pytest
from episodes import written

PATIENCE_S = 0.5
LIMIT_S = 300

HANGS = {
    "a sum without end": ("import itertools\n\ndef reward_function(params):\n    return sum(itertools.repeat(0))", 4),
    "a regular expression": (
        "import re\n\ndef reward_function(params):\n    return bool(re.match('(a+)+$', 'a' * 60 + 'b'))",
        4,
    ),
    "a process": ("import subprocess\n\ndef reward_function(params):\n    subprocess.run(['sleep', '600'])", 4),
    "a message": (
        "import itertools\n\nclass Mine(Exception):\n    def __str__(self):\n"
        "        return str(sum(itertools.repeat(0)))\n\ndef reward_function(params):\n    raise Mine",
        5,
    ),
    "while loading": ("import threading\nthreading.Event().wait()\ndef reward_function(params): return 1", 2),
}
"""Source, and the line that hangs."""


def racer(*words, folder, **variables):
    environment = os.environ | {"RACER_REWARD_TIMEOUT": str(PATIENCE_S)} | variables
    return subprocess.run(
        [sys.executable, "-m", "racer", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def message_of(done):
    """The last message, of which there must be one, and no traceback."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("Error: ") == 1, done.stderr
    return done.stderr.partition("Error: ")[2]


@pytest.mark.skipif(sys.platform == "win32", reason="needs sleep, and signals")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow) if case in ("a message", "a regular expression") else case
        for case in HANGS
    ],
)
def test_check_ends_and_names_the_line(tmp_path, case):
    source, line = HANGS[case]
    path = written(tmp_path, source)
    said = message_of(racer("check", str(path), folder=tmp_path))
    assert said.startswith(f"{path}, line {line}: no answer for 1 s, and Python cannot interrupt it there"), said


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_reward_that_swallows_everything_is_ended(tmp_path):
    path = written(
        tmp_path,
        """
        from contextlib import suppress

        def reward_function(params):
            while True:
                with suppress(BaseException):
                    while True:
                        pass
        """,
    )
    said = message_of(racer("check", str(path), folder=tmp_path))
    assert said.startswith(f"{path}, line ") and "no answer for 1 s" in said


@pytest.mark.slow
def test_texts_that_never_end_do_not_hang(tmp_path):
    path = written(
        tmp_path,
        """
        class Mine:
            def __repr__(self):
                while True:
                    pass

        def reward_function(params):
            return Mine()
        """,
    )
    said = message_of(racer("check", str(path), folder=tmp_path, RACER_REWARD_TIMEOUT="2"))
    assert said.startswith(f"{path}, line 6: reward_function returned <Mine>, a Mine; a reward must be")


@pytest.mark.slow
def test_rescore_is_protected(tmp_path):
    log = tmp_path / "0-iteration.csv"
    rows = ["episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,closest_waypoint,"]
    rows[0] += "track_len,tstamp,episode_status,pause_duration"
    for step in range(1, 12):
        x = 4.6 + 0.05 * step
        done = (x - 4.4525) / 0.2099
        rows.append(f"0,{step}.0,{x},0.95,0.0,0.0,1.0,0,1.0,False,True,{done},{step},20.99,{step / 15},in_progress,0.0")
    log.write_text("\n".join(rows) + "\n")
    path = written(tmp_path, HANGS["a sum without end"][0])
    done = racer("rescore", str(log), "--reward", str(path), "--track", "harbor", folder=tmp_path)
    assert message_of(done).startswith(f"{path}, line 4: no answer for 1 s")


@pytest.mark.slow
def test_train_and_evaluate_are_protected_and_lose_nothing(tmp_path):
    """The reward hangs once a file is there: in the first training nothing is lost, in an evaluation all goes on."""
    source = """
        import itertools, pathlib

        calls = 0

        def reward_function(params):
            global calls
            calls += 1
            if calls == 80 and pathlib.Path("hang").exists():
                sum(itertools.repeat(0))
            return params["speed"]
        """
    (tmp_path / "reward_functions").mkdir()
    written(tmp_path / "reward_functions", source, "mine")
    train = ["train", "--reward", "mine", "--steps", "8000", "--name", "a", "--no-logs"]
    assert racer(*train, folder=tmp_path, RACER_REWARD_TIMEOUT="20").returncode == 0
    best = (tmp_path / "runs/a/best.safetensors").read_bytes()
    (tmp_path / "hang").touch()
    said = message_of(racer("evaluate", "a", "--no-logs", folder=tmp_path))
    assert said.startswith("reward_functions/mine.py, line 9: no answer for 1 s")
    said = message_of(racer("train", "--name", "a", "--resume", "--steps", "30000", folder=tmp_path))
    assert said.startswith("reward_functions/mine.py, line 9: no answer for 1 s")
    assert (tmp_path / "runs/a/best.safetensors").read_bytes() == best


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("body", ["sum(itertools.repeat(0))", "swallow()", "threading.Event().wait()"])
def test_ctrl_c_always_works(tmp_path, body):
    path = written(
        tmp_path,
        f"""
        import contextlib, itertools, pathlib, threading

        def swallow():
            while True:
                with contextlib.suppress(BaseException):
                    while True:
                        pass

        def reward_function(params):
            pathlib.Path("called").touch()
            {body}
        """,
    )
    command = [sys.executable, "-m", "racer", "check", str(path)]
    environment = os.environ | {"RACER_REWARD_TIMEOUT": "600"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(LIMIT_S * 20):
            if (tmp_path / "called").exists():
                break
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode and "Traceback" not in said, said


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_wakes_what_waits_for_a_lock(tmp_path):
    """A signal that another thread takes does not wake the main one by itself, nor one just before it waits."""
    path = written(
        tmp_path,
        """
        import signal, threading

        def press():
            threading.Event().wait(0.5)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            threading.Event().wait()

        def reward_function(params):
            threading.Thread(target=press, daemon=True).start()
            threading.Event().wait()
        """,
    )
    done = racer("check", str(path), folder=tmp_path, RACER_REWARD_TIMEOUT="5")
    assert done.returncode == 130 and "Traceback" not in done.stderr, done.stderr


@pytest.mark.slow
def test_a_thread_does_not_keep_the_command_alive(tmp_path):
    path = written(
        tmp_path,
        """
        import threading

        threading.Thread(target=threading.Event().wait).start()

        def reward_function(params):
            return params["speed"]
        """,
    )
    done = racer("check", str(path), folder=tmp_path, RACER_REWARD_TIMEOUT="20")
    assert done.returncode == 0 and "fast lap" in done.stdout


@pytest.mark.slow
def test_the_time_that_a_call_may_take_must_be_one(tmp_path):
    said = message_of(racer("check", "speed", folder=tmp_path, RACER_REWARD_TIMEOUT="soon"))
    assert "RACER_REWARD_TIMEOUT is 'soon'; it must be a number of seconds" in said
