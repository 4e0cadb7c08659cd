"""Three weighted terms."""


class Terms:
    def __init__(self, params):
        self.params = params

    def pace(self):
        return (self.params["speed"] / 4) ** 2

    def place(self):
        return max(0.0, 1 - 2 * self.params["distance_from_center"] / self.params["track_width"])

    def calm(self):
        return 1 - abs(self.params["steering_angle"]) / 30


def reward_function(params):
    terms = Terms(params)
    total = 4 * terms.pace() + 0.3 * terms.place() + 0.2 * terms.calm()
    return total if params["all_wheels_on_track"] else 1e-3
