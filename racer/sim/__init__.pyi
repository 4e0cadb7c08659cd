from .actions import (
    DEFAULT as DEFAULT,
    ActionSpace as ActionSpace,
    ContinuousActions as ContinuousActions,
    DiscreteActions as DiscreteActions,
    actions_as_json as actions_as_json,
    actions_from_json as actions_from_json,
)
from .borders import nearest_borders as nearest_borders
from .car import CARS as CARS, STEP_S as STEP_S, Car as Car, CarConstants as CarConstants, drive as drive
from .compiled import inlined as inlined, kernel as kernel, lean as lean
from .draws import (
    BEAMS as BEAMS,
    DELAY as DELAY,
    ENTRIES as ENTRIES,
    LOST as LOST,
    PICTURE as PICTURE,
    PIXELS as PIXELS,
    TEXTURE as TEXTURE,
    chance as chance,
    gauss as gauss,
    spread as spread,
    varied as varied,
)
from .kernel_cache import SOURCES as SOURCES, kernels_are_compiled as kernels_are_compiled
from .location import wheels_on_road as wheels_on_road
from .meeting import meet as meet
from .objects import (
    BOX as BOX,
    BOX_M as BOX_M,
    BOX_SEEN_M as BOX_SEEN_M,
    NO_BOXES as NO_BOXES,
    THING as THING,
    TrackObject as TrackObject,
    boxes_around as boxes_around,
)
from .plan import Plan as Plan, PlanSettings as PlanSettings
from .projection import at_row as at_row, distance as distance, project as project, project_near as project_near
from .randomization import (
    OFF as OFF,
    RANDOMIZATIONS as RANDOMIZATIONS,
    REAL_CAR as REAL_CAR,
    SIM_TO_REAL as SIM_TO_REAL,
    Randomization as Randomization,
)
from .reference import PhysicsVersion as PhysicsVersion, physics_version as physics_version
from .road import Road as Road, road_of as road_of
from .rules import (
    CRASHED as CRASHED,
    FOR_GOOD as FOR_GOOD,
    IMMOBILIZED as IMMOBILIZED,
    IN_PROGRESS as IN_PROGRESS,
    LAP_COMPLETE as LAP_COMPLETE,
    MISTAKES as MISTAKES,
    MOST_PENALTY_S as MOST_PENALTY_S,
    OFF_TRACK as OFF_TRACK,
    PAUSE as PAUSE,
    STARTS as STARTS,
    STATUS as STATUS,
    TIME_UP as TIME_UP,
    Rotation as Rotation,
    Rules as Rules,
    Start as Start,
)
from .state import CAR_STATE as CAR_STATE
from .things import ring_gap as ring_gap
from .track_sampler import RANDOM as RANDOM, TrackSampler as TrackSampler
from .traffic import (
    LANES as LANES,
    Bots as Bots,
    Boxes as Boxes,
    Place as Place,
    Traffic as Traffic,
    traffic_as_json as traffic_as_json,
    traffic_from_json as traffic_from_json,
)
from .world import World as World, gather as gather, scatter as scatter
