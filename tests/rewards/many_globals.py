"""Globals everywhere, declared in every function."""
prevSpeed = 0
prevSteering = 0
prevSteps = 0
count = 0


def speedChange(params):
    global prevSpeed
    change = params['speed'] - prevSpeed
    prevSpeed = params['speed']
    return change


def steeringChange(params):
    global prevSteering, count
    change = params['steering_angle'] - prevSteering
    prevSteering = params['steering_angle']
    count = count + 1
    return change


def reward_function(params):
    global prevSteps
    if prevSteps > params['steps']:
        globals()['count'] = 0
    prevSteps = params['steps']
    reward = 1.0
    if speedChange(params) > 0:
        reward = reward + 0.5
    if abs(steeringChange(params)) > 10:
        reward = reward * 0.8
    return float(reward + count * 0.001)
