"""Times its steps with datetime."""
import datetime
from datetime import datetime as dt, timedelta

history = []


def reward_function(params):
    history.append(dt.now())
    window = [moment for moment in history if moment > datetime.datetime.now() - timedelta(seconds=0.5)]
    return len(window) + (history[-1] - history[0]).total_seconds() / 100
