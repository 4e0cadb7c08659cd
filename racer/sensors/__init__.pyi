from .camera import GREYS as GREYS, Camera as Camera
from .ground import (
    DASH_EDGE as DASH_EDGE,
    GROUND_EDGE as GROUND_EDGE,
    LINE_EDGE as LINE_EDGE,
    TEXEL_M as TEXEL_M,
    Ground as Ground,
    ground_of as ground_of,
)
from .lidar import AHEAD_M as AHEAD_M, BEAMS as BEAMS, Lidar as Lidar
from .observer import Observer as Observer
from .registry import DESCRIPTIONS as DESCRIPTIONS, SENSORS as SENSORS, Sensor as Sensor, make_sensors as make_sensors
from .spec import name_of as name_of
from .stack import Stack as Stack
from .state import State as State
