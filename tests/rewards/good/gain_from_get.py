"""The percent gained, read with defaults, weighted by the room to the border."""

state = {}


def reward_function(params):
    progress, steps = params.get("progress", 0.0), params.get("steps", 0)
    gained = 0.0 if steps <= 2 else progress - state.get("progress", progress)
    state["progress"] = progress
    room = 1 - (params.get("distance_from_center", 0.0) / params.get("track_width", 1.0)) ** 2
    return max(0.0, gained) * max(0.1, room)
