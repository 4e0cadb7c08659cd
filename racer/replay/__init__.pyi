from .commands import commands_of as commands_of, replay_from_commands as replay_from_commands
from .files import is_replay as is_replay, load_replay as load_replay, save_replay as save_replay
from .heat import (
    HEAT_COLORS as HEAT_COLORS,
    HEAT_MAPS as HEAT_MAPS,
    HeatMap as HeatMap,
    Samples as Samples,
    cell_corners as cell_corners,
    cells_of as cells_of,
    heat_map as heat_map,
    samples_of as samples_of,
)
from .laps import LapBook as LapBook, Recorder as Recorder, whole_steps as whole_steps
from .line import LINE_COLUMNS as LINE_COLUMNS, line_of as line_of
from .marks import (
    best_clean_lap as best_clean_lap,
    car_digest as car_digest,
    find_mark as find_mark,
    keep_mark as keep_mark,
    mark_of as mark_of,
    marks_folder as marks_folder,
    percent_of_mark as percent_of_mark,
)
from .player import (
    PlayedLap as PlayedLap,
    html_page as html_page,
    notebook_page as notebook_page,
    player_data as player_data,
)
from .record import (
    STEP_DTYPE as STEP_DTYPE,
    STEP_S as STEP_S,
    Crash as Crash,
    Drive as Drive,
    Lap as Lap,
    Replay as Replay,
    places_of as places_of,
)
from .sectors import SECTORS as SECTORS, course_of as course_of, sector_times as sector_times
from .tensors import DamagedError as DamagedError, pack as pack, unpack as unpack
from .verification import Verdict as Verdict, drive_again as drive_again, verify as verify
