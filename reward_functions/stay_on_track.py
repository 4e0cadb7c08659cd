"""Stay on the road, no matter where: the least a reward can ask for. A car that never falls off is a start."""


def reward_function(params):
    """Pay 1 with all wheels on the road and some room to the border, else next to nothing."""
    room = params["track_width"] / 2 - params["distance_from_center"]
    if params["all_wheels_on_track"] and room >= 0.05:
        return 1.0
    return 1e-3
