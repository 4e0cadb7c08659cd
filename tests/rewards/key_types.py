"""Checks what it is given: keys, types, signs."""
FLOATS = {"x", "y", "heading", "distance_from_center", "projection_distance", "progress", "steps", "speed", "steering_angle",
          "track_width", "track_length", "sim_time"}
BOOLS = {"all_wheels_on_track", "is_left_of_center", "is_reversed", "is_offtrack", "is_crashed", "object_in_camera"}


def reward_function(params):
    for key, value in params.items():
        if key in FLOATS:
            assert type(value) is float, key
        elif key in BOOLS:
            assert type(value) is bool, key
        else:
            assert type(value) is list, key
    assert len(params) == 27 and all(type(point) is tuple and len(point) == 2 for point in params["waypoints"])
    assert all(type(i) is int for i in params["closest_waypoints"])
    return params["steps"]
