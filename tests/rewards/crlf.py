"""Saved with the line ends of Windows."""

TEXT = """a
b"""


def reward_function(params):
    return params["speed"] / 4 \
        + len(TEXT)
