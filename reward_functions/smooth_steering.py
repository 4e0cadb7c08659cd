"""Steer less: the centre line reward, but hard steering costs. It cures a car that swings from side to side."""

HARD = 15  # degrees


def reward_function(params):
    """Pay for being near the centre line, a fifth less while steering hard."""
    off_center = params["distance_from_center"] / (0.5 * params["track_width"])
    reward = max(1e-3, 1 - off_center)
    if abs(params["steering_angle"]) > HARD:
        reward *= 0.8
    return reward
