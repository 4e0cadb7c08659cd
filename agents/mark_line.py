"""Pure pursuit of the mark's line, as fast as tyres hold there: what a program can do that knows the best lap.

The mark slides round bends, across the last centimetres of the road. What follows a line cannot: it keeps more to the
middle, and is no faster than its tyres hold on that way without sliding, nor much faster than the mark was.

Where no mark is known it follows the centre line; `racer mark --track NAME` finds one.
"""

import numpy as np

from racer.replay import best_clean_lap, line_of, mark_of
from racer.track import point_at, smooth_curvature

SHARE = 1.2  # of the mark's speeds: where it slides, it is slow along its heading
INWARDS = 0.6  # of the mark's distance from the centre line: what follows a line strays from it
GRIP = 3.0  # m/s2 sideways, with some left to come back
AIM = 0.3  # s: the point to steer at is this far ahead, in time ...
AIM_MIN = 0.6  # m: ... but no nearer than this
CAREFUL = 1.8  # m/s2 sideways, on a centre line
REACTION = 0.12  # s, what passes before the car's speed follows
BRAKING = 3.0  # m/s2, deceleration to plan for
WHEELBASE = 0.252  # m, effective: what the car behaves like, see racer.car
UNDERSTEER = 0.046  # s2/m, how much longer it seems with the square of the speed
HASTE = 1.8  # of what the wheels still have to turn, how much to ask for: they are slow
FRONT_POINT = 0.14  # m ahead of the car's origin; the points ahead are seen from there
TOP_SPEED = 4.0  # m/s
BEND = 0.4  # m of the line that one bend is measured over
AHEAD_M = np.array([0.3, 0.6, 0.9, 1.3, 1.7, 2.2, 2.8, 3.5, 4.3, 5.2])  # where the observation's points lie
SPACING = 0.02  # m between the places that are known
LOOK = 160  # places looked ahead for braking


class Agent:
    """Follows the mark's line. The observation does not say where on the track it is: the road ahead tells it."""

    sensors = ("state",)

    def __init__(self, env, seed=0):
        """Learn the road and the mark's line by heart."""
        track, mark = env.track, mark_of(env.track, env.car)
        count = int(track.length / SPACING)
        places = np.arange(count) * track.length / count
        here = point_at(track.center, places)
        way = point_at(track.center, places + 0.01) - point_at(track.center, places - 0.01)
        self.frames = turns(np.arctan2(way[:, 1], way[:, 0]))
        ahead = point_at(track.center, places[:, None] + AHEAD_M) - here[:, None]
        self.known = (np.einsum("kij,knj->kni", self.frames, ahead) / AHEAD_M[:, None]).reshape(count, -1)
        self.here, self.spacing = here, track.length / count
        self.line, grip, most = here, CAREFUL, np.full(count, TOP_SPEED)
        if mark is not None:
            line, speeds = np.split(line_of(mark, best_clean_lap(mark), places)[:, [1, 2, 4]], [2], axis=1)
            self.line, grip, most = here + INWARDS * (line - here), GRIP, SHARE * speeds[:, 0]
        ring = np.vstack([self.line, self.line[:1]])
        bends = np.abs(smooth_curvature(ring, self.spacing, BEND))
        bends = np.interp(np.arange(count) / count, np.linspace(0.0, 1.0, len(bends)), bends)
        self.speeds = np.minimum(most, np.sqrt(grip / np.maximum(bends, grip / TOP_SPEED**2)))

    def act(self, observation):
        """Steering and speed, each -1..1, for observations of any batch shape (..., 30)."""
        seen = np.asarray(observation, dtype=np.float64).reshape(-1, 30)
        speed = np.abs(seen[:, 0]) * 4.0
        offset, turn = seen[:, 6] * seen[:, 7], np.arctan2(seen[:, 8], seen[:, 9])
        back = turns(-turn)  # from the car's frame to the centre line's
        points = np.einsum("kij,knj->kni", back, seen[:, 10:].reshape(len(seen), -1, 2) * AHEAD_M[:, None])
        points[:, :, 1] += offset[:, None]
        points = (points / AHEAD_M[:, None]).reshape(len(seen), -1)
        place = np.argmin(((self.known[None] - points[:, None]) ** 2).sum(axis=2), axis=1)

        count = len(self.line)
        aim = (place + np.nan_to_num(np.maximum(AIM * speed, AIM_MIN) / self.spacing).astype(int)) % count
        away = np.einsum("kij,kj->ki", self.frames[place], self.line[aim] - self.here[place])
        away[:, 1] -= offset
        away = np.einsum("kij,kj->ki", turns(turn), away)
        ahead, left = away[:, 0] + FRONT_POINT, away[:, 1]
        curvature = 2.0 * left / np.maximum(ahead**2 + left**2, 1e-6)
        steering = np.arctan(curvature * (WHEELBASE + UNDERSTEER * speed**2))
        turned = seen[:, 3] + HASTE * (np.degrees(steering) / 30.0 - seen[:, 3])

        coming = self.speeds[(place[:, None] + np.arange(LOOK)) % count]
        room = np.maximum(0.0, np.arange(LOOK) * self.spacing - REACTION * speed[:, None])
        wanted = np.sqrt(np.min(coming**2 + 2.0 * BRAKING * room, axis=1))
        action = np.stack([turned, (wanted - 0.5) / 3.5 * 2.0 - 1.0], axis=-1).clip(-1.0, 1.0)
        return action.astype(np.float32).reshape(*np.shape(observation)[:-1], 2)


def turns(angles):
    """Matrices (k, 2, 2) that turn into frames at these angles."""
    c, s = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)
