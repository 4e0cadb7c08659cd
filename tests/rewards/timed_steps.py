"""Times its own steps with three of the clocks."""
import time
from time import perf_counter
import time as t

last = None
started = time.time()


def reward_function(params):
    global last
    now = time.time()
    passed = 0.0 if last is None else now - last
    last = now
    time.sleep(0.01)
    return passed * 10 + (now - started) + (t.monotonic_ns() % 1000) * 1e-6 + (perf_counter() - t.monotonic())
