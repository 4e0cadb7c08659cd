"""Stay near the centre line, and be quick about it: a first reward function to change.

racer calls `reward_function(params)` after every step of the car, 15 times a second. Whatever it
returns is what the driver learns to collect, so pay for what you want and for nothing else.
`print(params)` shows all there is to reward: `racer check` prints what you print.

Try:  racer check my_reward      what do good and bad drives earn?
      racer train --reward my_reward
"""

TOO_FAR = 0.45  # of the road's width from the centre line: nearly off the track


def reward_function(params):
    """Pay for speed, the less the farther the car is from the centre line."""
    # A car that leaves the road earns next to nothing.
    if params["is_offtrack"]:
        return 0.001

    # 0 on the centre line, 0.5 at the border.
    away = params["distance_from_center"] / params["track_width"]
    if away > TOO_FAR:
        return 0.01

    # Metres per second, squared: a slow lap has more steps that are paid, so each must earn much less.
    return params["speed"] ** 2 * (1.0 - away / TOO_FAR) + 0.01
