"""Has a test at its end that only a script runs."""


def reward_function(params):
    return params["speed"]


if __name__ == "__main__":
    raise SystemExit(reward_function(NO_SUCH_THING))
