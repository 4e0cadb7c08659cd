from .cluster import RayWorkers as RayWorkers
from .compare import Cell as Cell, Comparison as Comparison, Experiment as Experiment, Pair as Pair
from .folder import LabFolder as LabFolder, lab_folder as lab_folder
from .ranges import Range as Range, changed as changed, ranges_of as ranges_of
from .report import report_page as report_page, save_report as save_report
from .showing import show as show
from .statistics import (
    bootstrap_interval as bootstrap_interval,
    corrected as corrected,
    improvement as improvement,
    improvement_interval as improvement_interval,
    iqm as iqm,
    p_value as p_value,
    seeds_needed as seeds_needed,
    wilson_interval as wilson_interval,
)
from .task import Budget as Budget, Outcome as Outcome, Source as Source, Task as Task
from .tune import Candidate as Candidate, Search as Search, score as score
from .workers import Event as Event, LocalWorkers as LocalWorkers, Workers as Workers, cores as cores, each as each
