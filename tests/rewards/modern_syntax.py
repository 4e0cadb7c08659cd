"""Walrus, match, and text in braces."""


def reward_function(params):
    match params:
        case {"is_offtrack": True}:
            return 1e-3
        case {"closest_waypoints": [before, after], "speed": speed} if before < after:
            bonus = 0.1
        case _:
            bonus, speed = 0.2, 1.0
    if (share := params["distance_from_center"] / params["track_width"]) < 0.5:
        bonus += share
    return float(f"{bonus:.4f}") + speed
