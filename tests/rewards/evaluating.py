"""Code as text, evaluated."""
FORMULA = "params['speed'] / 4 + abs(params['steering_angle']) / 60"
exec("def bonus(p):\n    return 0.5 if p['is_left_of_center'] else 0.25")


def reward_function(params):
    return eval(FORMULA) + bonus(params)
