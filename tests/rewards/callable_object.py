"""An object that can be called."""


class Judge:
    def __init__(self, target):
        self.target, self.seen = target, 0

    def __call__(self, params):
        self.seen += 1
        return 1 / (1 + abs(params["speed"] - self.target)) + self.seen / 1e6


reward_function = Judge(target=2.0)
