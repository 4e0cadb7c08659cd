"""Logs to stdout."""
import logging
import sys

log = logging.getLogger("my.reward")
log.setLevel(logging.INFO)
log.propagate = False
log.handlers[:] = [logging.StreamHandler(sys.stdout)]


def reward_function(params):
    log.info("all wheels on track: %s", params["all_wheels_on_track"])
    return 1 if params["all_wheels_on_track"] else 0.001
