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
from .hyperparameters import (
    Hyperparameters as Hyperparameters,
    checked_hyperparameters as checked_hyperparameters,
    hyperparameters_of as hyperparameters_of,
    parse_hyperparameters as parse_hyperparameters,
)
from .race import (
    EvaluationResult as EvaluationResult,
    RaceConditions as RaceConditions,
    drive as drive,
    evaluate as evaluate,
)
from .trials import Trial as Trial, both_directions as both_directions, trials as trials
