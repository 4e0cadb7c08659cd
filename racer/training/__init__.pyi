from .adoption import adopt as adopt
from .callbacks import Callback as Callback, Progress as Progress
from .config import SECONDS as SECONDS, RunConfig as RunConfig
from .environments import evaluation_tracks as evaluation_tracks
from .export import driver_of as driver_of, model_of as model_of
from .folder import (
    RUNS as RUNS,
    free_name as free_name,
    locked as locked,
    run_folder as run_folder,
    run_names as run_names,
    trained as trained,
)
from .meter import (
    MeterReading as MeterReading,
    meter_reading as meter_reading,
    rank_correlation as rank_correlation,
)
from .metrics import Prints as Prints, read_metrics as read_metrics
from .pool import SELF as SELF, Rating as Rating, read_ratings as read_ratings
from .rivals import (
    head_to_head as head_to_head,
    head_to_head_vector as head_to_head_vector,
    opponent as opponent,
)
from .run import Run as Run, find_run as find_run, open_run as open_run
from .start import resume as resume, start as start
from .trainer import train as train
from .watching import ClipWriter as ClipWriter
