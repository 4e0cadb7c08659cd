"""Asks politely for keys, also for some that do not exist."""


def reward_function(params):
    reward = params.get("speed", 1.0) / params.get("max_speed", 4.0)
    if params.get("abs_progress") is None and "crashed" not in params:
        reward += 0.5
    try:
        reward += params["closest_obstacle"]
    except KeyError:
        pass
    params.setdefault("bonus", 0.25)
    return reward + params["bonus"] * params.get("is_offtrack", True)
