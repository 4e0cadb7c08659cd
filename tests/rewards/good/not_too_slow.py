"""Speed; below 1 m/s next to nothing."""


def reward_function(params):
    if params["speed"] < 1 or params["is_offtrack"]:
        return 1e-3
    return 0.5 * params["speed"]
