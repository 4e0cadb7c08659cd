from .placing import Placed as Placed, read_episodes as read_episodes
from .reading import read_log as read_log, read_logs as read_logs
from .replays import best as best, episodes_of as episodes_of, to_replay as to_replay
from .rescore import Rescored as Rescored, rescore as rescore
from .simtrace import running as running
from .step_recorder import StepRecorder as StepRecorder
from .writing import TrainingLogs as TrainingLogs, write_evaluation as write_evaluation
