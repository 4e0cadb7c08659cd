from .agents import (
    AgentFile as AgentFile,
    Driver as Driver,
    Knobs as Knobs,
    Learner as Learner,
    State as State,
    failure as failure,
    load_agent as load_agent,
    load_state as load_state,
    restore as restore,
    save_state as save_state,
)
from .race import (
    EvaluationResult as EvaluationResult,
    RaceConditions as RaceConditions,
    drive as drive,
    evaluate as evaluate,
)
from .trials import Trial as Trial, both_directions as both_directions, trials as trials
