"""Not a reward: a module for module_beside.py."""
import time

headings = []
born = time.time()


def remember(heading):
    headings.append(heading)
    assert time.time() - born == 0 or len(headings) > 0


def turned():
    return abs(headings[-1] - headings[0])
