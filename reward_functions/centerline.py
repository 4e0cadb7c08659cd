"""Stay near the centre line: three markers at growing distance, each paying less. DeepRacer's first example; slow."""


def reward_function(params):
    """Pay 1 near the centre line, less further out, and next to nothing near the border."""
    distance = params["distance_from_center"] / params["track_width"]
    if distance <= 0.1:
        return 1.0
    if distance <= 0.25:
        return 0.5
    if distance <= 0.5:
        return 0.1
    return 1e-3
