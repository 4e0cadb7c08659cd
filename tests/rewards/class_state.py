"""State kept in an object that is made when the file is loaded."""


class Reward:
    def __init__(self):
        self.previous_steering = None
        self.best_progress = 0.0
        self.calls = 0

    def steering_penalty(self, angle):
        if self.previous_steering is None:
            penalty = 0.0
        else:
            penalty = abs(angle - self.previous_steering) / 60.0
        self.previous_steering = angle
        return penalty

    def reward_function(self, params):
        self.calls += 1
        self.best_progress = max(self.best_progress, params["progress"])
        return 1.0 - self.steering_penalty(params["steering_angle"]) + self.best_progress / 100 + self.calls * 1e-6


reward_object = Reward()


def reward_function(params):
    return reward_object.reward_function(params)
