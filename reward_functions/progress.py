"""Pay the metres gained along the track since the last step: the shortest way to say "be fast". The default."""

last = 0.0  # metres driven at the last step; every car has its own


def reward_function(params):
    """Pay the distance driven along the centre line since the last call, in metres."""
    global last
    driven = params["progress"] / 100 * params["track_length"]
    if params["steps"] <= 2:  # the first call of an episode: there is no last step
        last = driven
    if driven < last - params["track_length"] / 2:  # over the line into the next lap: progress began again at 0
        last -= params["track_length"]
    gained = driven - last
    last = driven
    return gained
