"""A pace that someone found safe, and no other."""


def reward_function(params):
    return 1.0 if 0.8 <= params["speed"] <= 1.3 and params["all_wheels_on_track"] else 0.1
