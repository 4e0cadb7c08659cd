"""Metres gained by the seconds passed."""

metres = seconds = 0.0


def reward_function(params):
    global metres, seconds
    now, driven = params["sim_time"], params["progress"] / 100 * params["track_length"]
    if params["steps"] <= 2 or now <= seconds:
        metres, seconds = driven, now - 1 / 15
    pace = (driven - metres) / (now - seconds)
    metres, seconds = driven, now
    return max(0.0, pace)
