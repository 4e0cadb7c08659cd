from .metrics import Prints as Prints
from .run import (
    RUNS as RUNS,
    Run as Run,
    create_run as create_run,
    find_run as find_run,
    free_name as free_name,
    open_run as open_run,
    run_names as run_names,
)
from .trainer import Progress as Progress, Show as Show, resume as resume, start as start, train as train
