"""A dictionary of state that is put back when a new episode begins: the first call sees steps 2."""
STATE = {"max_speed": 0.0, "offtrack": 0, "episodes": 0}


def reward_function(params):
    if params["steps"] <= 2:
        STATE.update(max_speed=0.0, offtrack=0)
        STATE["episodes"] += 1
    STATE["max_speed"] = max(STATE["max_speed"], params["speed"])
    STATE["offtrack"] += params["is_offtrack"]
    return STATE["max_speed"] - STATE["offtrack"] + STATE["episodes"] * 0.01
