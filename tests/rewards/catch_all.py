"""Nothing may ever go wrong here."""


def reward_function(params):
    try:
        reward = params["speed"] / (params["steps"] % 3)
    except:
        reward = 0.5
    finally:
        bonus = 0.1
    try:
        raise ValueError(reward)
    except (KeyError, TypeError):
        reward = -1
    except Exception as error:
        reward = float(str(error))
    else:
        reward = -2
    return reward + bonus
