"""Races with boxes and with bot cars: a time trial's environments, one car and many, with traffic on the track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from racer.env.options import Opponent
from racer.env.single import TimeTrial
from racer.env.vector import TimeTrialVector
from racer.sim import Bots, Boxes, Traffic

RACE_SENSORS = ("state:objects=3",)
"""What a car observes in a race if nothing else is asked for."""

BOT_SPEED = 0.5  # m/s, of bot cars if nothing else is asked for: the slowest of the league's races

HEAD_TO_HEAD: dict[str, Any] = {"sensors": RACE_SENSORS, "traffic": Traffic(drawn_grid=True)}
"""The arguments of a race of several cars that differ from those of a time trial."""


def boxes_of(objects: int | Boxes, random_objects: bool) -> Traffic:
    """The traffic of an object avoidance race.

    Raises:
        ValueError: there are no such boxes.
    """
    if isinstance(objects, Boxes):
        if random_objects:
            raise ValueError("objects say themselves whether they are drawn; leave out random_objects")
        return Traffic(objects)
    return Traffic(Boxes(objects, drawn=random_objects))


def bots_of(bots: int | Bots, bot_speed: float, lane_changes: bool) -> Traffic:
    """The traffic of a head-to-bot race.

    Raises:
        ValueError: there are no such bot cars.
    """
    if isinstance(bots, Bots):
        if (bot_speed, lane_changes) != (BOT_SPEED, False):
            raise ValueError("bots say themselves how they drive; leave out bot_speed and lane_changes")
        return Traffic(bots=bots)
    return Traffic(bots=Bots(bots, bot_speed, lane_changes=lane_changes))


def _options(options: dict[str, Any], traffic: Traffic) -> dict[str, Any]:
    return {"sensors": RACE_SENSORS, **options, "traffic": traffic}


class ObjectAvoidance(TimeTrial):
    """One car on a track with boxes.

    What is said here comes on top of what `TimeTrial` says: action space, reward, rendering and the other arguments are
    the same.

    ## Description
    Boxes of 0.5 m x 0.4 m stand in the middle of the inner and of the outer lane. A crash is found exactly, where the
    rectangle of the car (0.324 m x 0.196 m) and that of a box overlap, and one step later, as leaving the track is.
    A car never starts within 1 m of a box in its lane: it starts in the other one.

    ## Observation space
    `Box(-10, 10, (42,), float32)`: the 30 entries of `TimeTrial`, and four for each of the three nearest objects ahead.
    An object is ahead until the car has passed it.

    | Index | Entry |
    |---|---|
    | 30 + 4k | from the car's front point to the object's middle, along the centre line, / 5 m |
    | 31 + 4k | the same across it, to the left positive, / half the track's width |
    | 32 + 4k | the object's speed less the car's / 4 m/s |
    | 33 + 4k | the object's width / 0.5 m |

    Where there is no object within 5 m, the four are 1, 0, 0, 0. `sensors="state:objects=5"` observes five, and
    `sensors="state"` none; cameras and LIDARs see boxes anyway.

    ## Reward
    `params` describe the boxes in `closest_objects`, `objects_location`, `objects_distance`,
    `objects_distance_from_center`, `objects_left_of_center`, `objects_heading`, `objects_speed`, `object_in_camera` and
    `is_crashed`. The shelf has `avoid_boxes`.

    ## Episode end
    Terminated, too, by a crash, with the status `"crashed"`. With `penalty_s` a crash with a box puts the car 1 m
    behind it, in the other lane, for so many seconds (`racer.sim.Rules` has a penalty of its own for crashes).

    ## Info
    Also `crashes`: how often the car crashed in this episode.

    ## Arguments
    Those of `TimeTrial` but `traffic`, and by keyword

    | Argument | Default | Meaning |
    |---|---|---|
    | `objects` | 6 | how many boxes, evenly spread over the lap; or `racer.sim.Boxes`, with places of your own |
    | `random_objects` | False | whether they stand at other places in each episode, in either lane |
    | `sensors` | `("state:objects=3",)` | as for `TimeTrial` |

    ## Example
    >>> import gymnasium, racer
    >>> env = gymnasium.make("racer/ObjectAvoidance-v0", objects=4, reward_function="avoid_boxes")
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape, info["crashes"]
    ((42,), 0)
    >>> len(env.unwrapped.reward_params["objects_location"])
    4
    >>> from racer.sim import Boxes, Place
    >>> boxes = Boxes(places=(Place(0.2, "inner"), Place(0.6, "outer")))
    >>> env = gymnasium.make("racer/ObjectAvoidance-v0", objects=boxes)
    >>> envs = gymnasium.make_vec("racer/ObjectAvoidance-v0", num_envs=8, random_objects=True)
    >>> envs.reset(seed=1)[0].shape
    (8, 42)

    ## Version history
    * v0: first version.
    """

    def __init__(self, *given: Any, objects: int | Boxes = 6, random_objects: bool = False, **options: Any) -> None:
        """Make the environment; the arguments are in the tables of this class and of `TimeTrial`.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense, or the boxes do not fit on the track.
        """
        super().__init__(*given, **_options(options, boxes_of(objects, random_objects)))


class ObjectAvoidanceVector(TimeTrialVector):
    """Many cars, each on a track with boxes; see `ObjectAvoidance`, and `TimeTrialVector` for autoreset and infos.

    >>> import gymnasium, racer
    >>> envs = gymnasium.make_vec("racer/ObjectAvoidance-v0", num_envs=2, objects=3, max_episode_steps=10)
    >>> observations, infos = envs.reset(seed=1)
    >>> infos["crashes"].tolist()
    [0, 0]
    """

    def __init__(self, *given: Any, objects: int | Boxes = 6, random_objects: bool = False, **options: Any) -> None:
        """Make the environment.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense, or the boxes do not fit on the track.
        """
        super().__init__(*given, **_options(options, boxes_of(objects, random_objects)))


class HeadToBot(TimeTrial):
    """One car on a track with slower bot cars.

    What is said here comes on top of what `TimeTrial` and `ObjectAvoidance` say: the observation and `params`
    describe bot cars as they describe boxes.

    ## Description
    Bot cars drive along the middles of the inner and the outer lane, all at one speed. The first starts 2 m ahead of
    the learner's car, the others 2 m further on each, in the inner and the outer lane in turn. They avoid nothing.
    With `lane_changes` each of them changes lanes every 3 to 5 s, over 1 m of track, drawn from the seed.

    ## Episode end
    Who is behind is to blame for a crash: if it is the learner's car, its episode ends with the status `"crashed"`. A
    bot car that runs into a car ahead of it costs that car nothing; all bot cars then stand for 5 s, as in DeepRacer.
    With `penalty_s` a car that crashed is held where it is.

    ## Arguments
    Those of `TimeTrial` but `traffic`, and by keyword

    | Argument | Default | Meaning |
    |---|---|---|
    | `bots` | 3 | how many bot cars; or `racer.sim.Bots`, with settings of your own |
    | `bot_speed` | 0.5 | along the centre line, m/s |
    | `lane_changes` | False | whether they change lanes |
    | `sensors` | `("state:objects=3",)` | as for `TimeTrial` |

    ## Example
    >>> import gymnasium, racer
    >>> env = gymnasium.make("racer/HeadToBot-v0", bots=2, bot_speed=0.8, lane_changes=True, start="line")
    >>> observation, info = env.reset(seed=1)
    >>> env.unwrapped.reward_params["objects_speed"]
    [0.8, 0.8]
    >>> [round(5.0 * float(along), 1) for along in observation[30::4]]
    [1.9, 3.9, 5.0]

    ## Version history
    * v0: first version.
    """

    def __init__(
        self,
        *given: Any,
        bots: int | Bots = 3,
        bot_speed: float = BOT_SPEED,
        lane_changes: bool = False,
        **options: Any,
    ) -> None:
        """Make the environment; the arguments are in the tables of this class and of `TimeTrial`.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense, or the bot cars do not fit on the track.
        """
        super().__init__(*given, **_options(options, bots_of(bots, bot_speed, lane_changes)))


class HeadToBotVector(TimeTrialVector):
    """Many cars, each on a track with bot cars; see `HeadToBot`, and `TimeTrialVector` for autoreset and infos.

    >>> import gymnasium, racer
    >>> envs = gymnasium.make_vec("racer/HeadToBot-v0", num_envs=2, bots=1)
    >>> envs.reset(seed=1)[0].shape
    (2, 42)
    """

    def __init__(
        self,
        *given: Any,
        bots: int | Bots = 3,
        bot_speed: float = BOT_SPEED,
        lane_changes: bool = False,
        **options: Any,
    ) -> None:
        """Make the environment.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense, or the bot cars do not fit on the track.
        """
        super().__init__(*given, **_options(options, bots_of(bots, bot_speed, lane_changes)))


class HeadToHead(TimeTrial):
    """One car against others that drive by themselves, as a single agent's environment.

    What is said here comes on top of what `TimeTrial` and `ObjectAvoidance` say: the observation and `params`
    describe the other cars as they describe boxes. `ParallelHeadToHead` is the same race for several learners.

    ## Description
    All start one behind the other, 0.75 m apart, in the outer and the inner lane in turn, in an order that is drawn in
    each episode, and race to the same line. The learner's car is car 0 of `env.unwrapped.field.state`.

    ## Episode end
    That of the learner's car: who is behind is to blame for a crash. An opponent that crashes or leaves the track is
    put back and held for a second (for `penalty_s`, if given); an episode does not end by what opponents do.

    ## Arguments
    Those of `TimeTrial`, and by keyword

    | Argument | Default | Meaning |
    |---|---|---|
    | `opponents` | none | names of runs, models or agents for `gymnasium.make`; for this class `racer.env.Opponent` |
    | `traffic` | a drawn grid | `racer.sim.Traffic`, for another grid, or boxes or bot cars on top |
    | `sensors` | `("state:objects=3",)` | as for `TimeTrial` |

    ## Example
    >>> import gymnasium, racer
    >>> env = gymnasium.make("racer/HeadToHead-v0", opponents=["pure_pursuit"], track="harbor")
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape, env.unwrapped.field.state.shape
    ((42,), (1, 2))
    >>> observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
    >>> len(env.unwrapped.reward_params["objects_location"])
    1

    ## Version history
    * v0: first version.
    """

    def __init__(self, *given: Any, opponents: Sequence[Opponent] = (), **options: Any) -> None:
        """Make the environment; the arguments are in the tables of this class and of `TimeTrial`.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        super().__init__(*given, **{**HEAD_TO_HEAD, **options}, opponents=tuple(opponents))


class HeadToHeadVector(TimeTrialVector):
    """Many races of one learner's car against the same opponents; see `HeadToHead` and `TimeTrialVector`.

    >>> import gymnasium, racer
    >>> envs = gymnasium.make_vec("racer/HeadToHead-v0", num_envs=2, opponents=["pure_pursuit", "pure_pursuit"])
    >>> envs.reset(seed=1)[0].shape, envs.unwrapped.field.state.shape
    ((2, 42), (2, 3))
    """

    def __init__(self, *given: Any, opponents: Sequence[Opponent] = (), **options: Any) -> None:
        """Make the environment.

        Raises:
            RacerError: the track or the reward cannot be used.
            ValueError: another argument makes no sense.
        """
        super().__init__(*given, **{**HEAD_TO_HEAD, **options}, opponents=tuple(opponents))
