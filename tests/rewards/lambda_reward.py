"""One line."""
reward_function = lambda params: params["speed"] if params["all_wheels_on_track"] else 1e-3
