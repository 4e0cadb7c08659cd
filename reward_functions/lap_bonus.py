"""A prize at the finish: small pay on the way, and at the end of the lap a bonus for every second under the target."""

TARGET_MPS = 2.0  # mean speed that the target time allows

last = 0.0


def reward_function(params):
    """Pay the percent gained since the last step; at 100 % also 10 for each second under the target."""
    global last
    if params["steps"] <= 2:
        last = params["progress"]
    if params["progress"] < last - 50:  # over the line into the next lap: progress began again at 0
        last -= 100
    gained = params["progress"] - last
    last = params["progress"]
    if params["progress"] < 100:
        return gained
    target_steps = params["track_length"] / TARGET_MPS * 15  # 15 steps a second
    return gained + max(0.0, target_steps - params["steps"]) / 15 * 10
