"""A global list that grows on every step, and is looked back into."""
history = []


def reward_function(params):
    history.append((params["steering_angle"], params["speed"]))
    recent = history[-10:]
    mean = sum(angle for angle, _ in recent) / len(recent)
    return 1 - abs(params["steering_angle"] - mean) / 60 + len(history) * 1e-5
