from .actions import (
    DEFAULT as DEFAULT,
    ActionSpace as ActionSpace,
    ContinuousActions as ContinuousActions,
    DiscreteActions as DiscreteActions,
)
from .car import CARS as CARS, STEP_S as STEP_S, Car as Car, CarConstants as CarConstants, drive as drive
from .kernel import inlined as inlined, kernel as kernel, lean as lean
from .objects import BOX_M as BOX_M, TrackObject as TrackObject
from .random_tracks import (
    RANDOM as RANDOM,
    RandomTracks as RandomTracks,
    RandomWorld as RandomWorld,
)
from .randomization import (
    BEAMS as BEAMS,
    DELAY as DELAY,
    ENTRIES as ENTRIES,
    LOST as LOST,
    OFF as OFF,
    PICTURE as PICTURE,
    PIXELS as PIXELS,
    SIM_TO_REAL as SIM_TO_REAL,
    Randomization as Randomization,
    VariedWorld as VariedWorld,
    chance as chance,
    gauss as gauss,
    randomization_of as randomization_of,
    spread as spread,
)
from .road import (
    Road as Road,
    at_row as at_row,
    distance as distance,
    nearest_borders as nearest_borders,
    project as project,
    road_of as road_of,
)
from .rules import (
    IMMOBILIZED as IMMOBILIZED,
    IN_PROGRESS as IN_PROGRESS,
    LAP_COMPLETE as LAP_COMPLETE,
    MOST_PENALTY_S as MOST_PENALTY_S,
    PAUSE as PAUSE,
    STARTS as STARTS,
    STATUS as STATUS,
    TIME_UP as TIME_UP,
    Rotation as Rotation,
    Rules as Rules,
    Start as Start,
)
from .world import CAR_STATE as CAR_STATE, World as World, wheels_on_road as wheels_on_road
