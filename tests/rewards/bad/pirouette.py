"""Every degree of turning is paid."""

heading = None


def reward_function(params):
    global heading
    if params["steps"] <= 2 or heading is None:
        heading = params["heading"]
    turned = abs((params["heading"] - heading + 180) % 360 - 180)
    heading = params["heading"]
    return turned / 30
