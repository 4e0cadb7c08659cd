"""The watchdog: endless loops end, and its exception is raised nowhere but in `watch`."""

import os
import random
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import racer.reward.watchdog as watchdog
from racer.reward.watchdog import RewardTimeout, Watchdog


def unpatrolled(patience_s):
    """A watchdog that only the test itself lets look."""
    dog = Watchdog(patience_s)
    watchdog._PATROL.dogs.discard(dog)
    return dog


def some_python(rounds=300):
    for _ in range(rounds):
        _ = [str(i) for i in range(3)]


def test_returns_what_the_work_returns():
    assert Watchdog(1.0).watch(lambda: 5, lambda: 0) == 5


def test_what_the_work_raises_goes_through():
    with pytest.raises(ZeroDivisionError):
        Watchdog(1.0).watch(lambda: 1 / 0, lambda: 0)


def test_an_endless_loop_is_ended():
    def work():
        while True:
            pass

    with pytest.raises(RewardTimeout):
        Watchdog(0.2).watch(work, lambda: 0)


def test_signs_of_life_keep_it_quiet():
    alive = []

    def work():
        for _ in range(12):
            time.sleep(0.05)
            alive.append(1)
        return len(alive)

    assert Watchdog(0.3).watch(work, alive.__len__) == 12


def test_swallowing_does_not_help():
    def work():
        try:
            while True:
                pass
        except BaseException:
            return "all is well"

    with pytest.raises(RewardTimeout) as caught:
        Watchdog(0.2).watch(work, lambda: 7)
    place, alive = caught.value.args
    assert __file__ in place and alive == 7


def test_it_does_not_bite_a_call_that_ends_while_it_looks():
    """It has seen enough silence and is about to raise; just then the work ends."""
    dog, about_to = unpatrolled(0.5), threading.Event()
    looks = 0

    def sign_of_life():
        nonlocal looks
        looks += 1
        if looks == 2:
            about_to.set()
            time.sleep(0.3)  # long enough for the work to end, and for `watch` if it did not wait
        return 0

    def work():
        patrol.start()
        about_to.wait()
        return "done"

    patrol = threading.Thread(target=lambda: [dog.look(1.0) for _ in range(2)])
    began = time.monotonic()
    assert dog.watch(work, sign_of_life) == "done"
    assert time.monotonic() - began > 0.2, "the call must not end while the patrol may still bite"
    some_python()
    patrol.join()
    some_python()
    assert looks == 2


def test_it_never_bites_outside_of_a_watch():
    """Hundreds of calls that end about when the patrol loses its patience, and hundreds that end too late."""
    dog, over = unpatrolled(0.0), threading.Event()
    draw = random.Random(0)

    def patrol():
        while not over.is_set():
            dog.look(1.0)
            time.sleep(draw.random() * 2e-4)

    def work():
        until = time.perf_counter() + draw.random() * 4e-4
        try:
            while time.perf_counter() < until:
                pass
        finally:
            some_python(draw.randrange(3))
        return True

    ended = bitten = escaped = 0
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=patrol)
    thread.start()
    try:
        stop = time.monotonic() + 30.0
        while min(ended, bitten) < 300 and time.monotonic() < stop:
            try:
                try:
                    ended += dog.watch(work, lambda: 0)
                except RewardTimeout:
                    bitten += 1
                some_python(5)
            except RewardTimeout:
                escaped += 1
    finally:
        over.set()
        sys.setswitchinterval(interval)
        thread.join()
    assert not escaped
    assert ended and bitten


def test_where_python_cannot_interrupt_the_process_ends(tmp_path):
    path = tmp_path / "deaf.py"
    path.write_text("import threading\n\n\ndef reward_function(params):\n    threading.Event().wait()\n")
    script = f"""
        import numpy as np
        import os
        os.environ["RACER_REWARD_TIMEOUT"] = "0.3"
        from racer.reward import Params, VectorReward, end_process_when_stuck, load_reward
        from racer.track import load_track
        end_process_when_stuck()
        rewards = VectorReward(load_reward({str(path)!r}), 1)
        rewards(Params(load_track("harbor"), 1), np.zeros(1))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"Error: {path}, line 5: no answer for 1 s, and Python cannot")


NOTICES = {
    "what is over": """
        dog = Watchdog(0.2)
        for work in (lambda: time.sleep(0.5), endless, swallow):
            try:
                dog.watch(work, lambda: 0)
            except RewardTimeout:
                pass
        """,
    "a thread that sleeps": """
        thread = threading.Thread(target=time.sleep, args=(60.0,), daemon=True)
        thread.start()
        time.sleep(0.2)
        raise_in(thread.ident, SystemExit)
        """,
    "a call that sleeps": """
        wait = lambda: Watchdog(0.2).watch(lambda: time.sleep(60.0), lambda: 0)
        threading.Thread(target=wait, daemon=True).start()
        time.sleep(1.0)
        """,
}


@pytest.mark.parametrize("notice", NOTICES)
def test_no_thread_that_is_traced_hangs(notice):
    """Python 3.11 traces no function while it has noted that some thread has an exception to raise."""
    script = f"""
        import sys, threading, time
        from racer.reward import raise_in
        from racer.reward.watchdog import RewardTimeout, Watchdog

        def endless():
            while True:
                pass

        def swallow():
            try:
                endless()
            except BaseException:
                return 5
        {NOTICES[notice]}
        seen = []
        sys.settrace(lambda frame, event, argument: seen.append(frame.f_code.co_name))
        (lambda: None)()
        sys.settrace(None)
        print(seen)
        """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "<lambda>" in done.stdout, done.stderr


def test_who_sleeps_hears_of_it_on_waking():
    def work():
        try:
            time.sleep(0.5)
            while True:
                pass
        except SystemExit:
            heard.append(True)

    heard = []
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.2)
    watchdog.raise_in(thread.ident, SystemExit)
    thread.join(10.0)
    assert heard == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_it_watches_after_a_fork():
    dog = Watchdog(0.2)
    dog.watch(lambda: None, lambda: 0)
    child = os.fork()
    if child == 0:
        try:
            dog.watch(lambda: [None for _ in iter(int, 1)], lambda: 0)
        except RewardTimeout:
            os._exit(42)
        finally:
            os._exit(1)
    for _ in range(200):
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 42
