"""Keep a gap: follow the car ahead at a distance that leaves time to brake, neither on its bumper nor far behind."""

SECONDS = 0.8  # of driving between the two cars
CAR = 0.3  # metres, about a car's length: closer is too close


def reward_function(params):
    """Pay 1 at the right distance behind the next object, less the further from it; alone, pay for speed."""
    if params["is_crashed"] or not params["all_wheels_on_track"]:
        return 1e-3
    speed = params["speed"]
    if not params["objects_location"]:
        return max(1e-3, speed / 4)
    ahead = params["closest_objects"][1]
    gap = (params["objects_distance"][ahead] - params["projection_distance"]) % params["track_length"]
    wanted = CAR + SECONDS * speed
    if gap > 3 * wanted:  # nobody to follow: catch up
        return max(1e-3, speed / 8)
    return max(1e-3, 1 - abs(gap - wanted) / wanted)
