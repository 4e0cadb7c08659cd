from .agents import (
    AgentFile as AgentFile,
    Driver as Driver,
    Learner as Learner,
    State as State,
    failure as failure,
    load_agent as load_agent,
    load_state as load_state,
    recipe_for as recipe_for,
    restore as restore,
    save_state as save_state,
)
from .crowded import CrowdedResult as CrowdedResult, evaluate_crowded as evaluate_crowded
from .duels import ANCHOR as ANCHOR, act_each as act_each, duels as duels, elo as elo
from .heat import Contestant as Contestant, Heat as Heat, run_heat as run_heat
from .heat_result import HeatResult as HeatResult, Placing as Placing, heat_result as heat_result
from .hyperparameters import (
    Hyperparameters as Hyperparameters,
    checked_hyperparameters as checked_hyperparameters,
    hyperparameters_of as hyperparameters_of,
    parse_hyperparameters as parse_hyperparameters,
)
from .layers import (
    Convolution as Convolution,
    Edges as Edges,
    Flatten as Flatten,
    Layer as Layer,
    Linear as Linear,
    Patches as Patches,
    Pool as Pool,
    Scale as Scale,
    Standardize as Standardize,
)
from .mark import SEARCHES as SEARCHES, find_lap as find_lap
from .model import (
    Model as Model,
    load_model as load_model,
    model_from_bytes as model_from_bytes,
    save_model as save_model,
)
from .network import (
    Network as Network,
    NetworkInput as NetworkInput,
    network_from_json as network_from_json,
    rows_of as rows_of,
)
from .onnx_file import onnx_bytes as onnx_bytes
from .race import (
    Attempt as Attempt,
    EvaluationResult as EvaluationResult,
    RaceConditions as RaceConditions,
    drive as drive,
    evaluate as evaluate,
)
from .results import (
    CourseResult as CourseResult,
    LapResult as LapResult,
    RaceResult as RaceResult,
    TrialResult as TrialResult,
    middle_time_s as middle_time_s,
)
from .rulebook import (
    Rulebook as Rulebook,
    board_digest as board_digest,
    rulebook_as_json as rulebook_as_json,
    rulebook_from_json as rulebook_from_json,
)
from .rulebook_file import (
    copy_rulebook as copy_rulebook,
    load_rulebook as load_rulebook,
    parse_rulebook as parse_rulebook,
)
from .ruled import race_by_rules as race_by_rules, races_by_rules as races_by_rules
from .scoring import Score as Score, check_replay as check_replay, score as score, trials_of as trials_of
from .tournament import run_tournament as run_tournament
from .tournament_result import (
    KINDS as KINDS,
    SEEDINGS as SEEDINGS,
    Match as Match,
    Rank as Rank,
    Tournament as Tournament,
    TournamentResult as TournamentResult,
)
from .trials import Trial as Trial, both_directions as both_directions, trials as trials
