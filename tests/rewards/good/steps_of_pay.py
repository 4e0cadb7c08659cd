"""Pay in three classes of speed."""


def reward_function(params):
    if not params["all_wheels_on_track"]:
        return 1e-3
    if params["speed"] >= 3:
        return 10.0
    return 4.0 if params["speed"] >= 2 else 1.0
