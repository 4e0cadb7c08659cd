"""Prints on every step, in four ways."""
import sys


def reward_function(params):
    print("steps:", params["steps"], "speed: %.2f" % params["speed"])
    print(f"{params['progress']:6.2f} %", file=sys.stdout, flush=True)
    sys.stdout.write("x={}\n".format(params["x"]))
    print("to stderr", file=sys.stderr)
    return params["progress"]
