"""Drivers by pictures that are taught by one who is told more: who learns when, from what, and that it is kept."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from drives import ring

from racer.env import TimeTrialVector
from racer.errors import AgentError
from racer.racing import load_agent
from racer.sim import ContinuousActions, DiscreteActions
from racer.training.sb3 import PRIVILEGED

CAMERA = "FRONT_FACING_CAMERA:size=24x12"
ACTIONS = {
    "continuous": ContinuousActions(),
    "discrete": DiscreteActions(tuple((angle, 1.5) for angle in (-30.0, -15.0, 0.0, 15.0, 30.0))),
}
BUDGET, SHARE, CARS = 12_000, 0.25, 32


def made(actions="continuous", seed=1, **given):
    env = TimeTrialVector(CARS, ring(), "progress", sensors=(CAMERA,), actions=ACTIONS[actions], time_limit_s=4.0)
    return load_agent("ppo_camera").make(env, seed, {"teacher_share": SHARE, **given}), env


class Moment(NamedTuple):
    """Of a training, between two updates."""

    steps: int
    blind: bool
    driver: dict
    teacher: dict


def moments(agent, env, budget=BUDGET):
    """A training, moment by moment."""
    found = []

    def report(steps, metrics):
        state = agent.state_dict()
        assert state["steps"] == steps, "what a checkpoint says"
        driver, teacher = (
            {name: values for name, values in state.items() if name.startswith(whose)}
            for whose in ("policy/", "teacher/policy/")
        )
        found.append(Moment(steps, env.blind, driver, teacher))
        return steps / budget

    agent.learn(report)
    assert not env.blind
    return [one for one in found if one.blind], [one for one in found if not one.blind]


def same(one, other):
    return all(np.array_equal(values, other[name]) for name, values in one.items())


@pytest.mark.parametrize("actions", ACTIONS)
def test_first_the_teacher_learns_blind_and_then_the_driver(actions):
    lessons, own = moments(*made(actions))
    assert len(lessons) > 3 and len(own) > 2 and lessons[0].steps == 0
    steps = [one.steps for one in (*lessons, *own)]
    assert steps == sorted(steps)
    rollout = CARS * 32
    assert SHARE * BUDGET <= own[0].steps <= SHARE * BUDGET + rollout and BUDGET <= own[-1].steps <= BUDGET + rollout
    assert all(same(one.driver, own[0].driver) for one in lessons)
    assert not same(lessons[0].teacher, lessons[-1].teacher)
    assert all(same(one.teacher, own[-1].teacher) for one in own)
    assert not same(own[0].driver, own[-1].driver)


def test_a_training_goes_on_where_it_was():
    """With its teacher and its weights; what is new is the experience."""
    first, _ = made()
    moments(first, first.env.venv.env, BUDGET)
    state = {name: values.copy() for name, values in first.state_dict().items()}
    again, env = made(seed=5)
    again.load_state_dict(state)
    assert all(np.array_equal(values, state[name]) for name, values in again.state_dict().items())
    lessons, own = moments(again, env, 2 * BUDGET)
    assert not lessons, "with more budget it goes on by itself, too"
    assert own[0].steps == state["steps"] and own[-1].steps >= 2 * BUDGET
    assert all(same(one.teacher, {name: state[name] for name in one.teacher}) for one in own)
    taught = int(state["teacher/steps"])
    assert again.schedule.total == pytest.approx(2 * BUDGET - taught, rel=0.05)


def test_a_teacher_may_have_a_discount_of_its_own_and_has_the_drivers_loss():
    def taught(**given):
        env = TimeTrialVector(CARS, ring(), "progress", sensors=("FRONT_FACING_CAMERA",), actions=ACTIONS["discrete"])
        agent = load_agent("ppo_car").make(env, 1, given)
        agent.learn(lambda steps, metrics: steps / (8 * CARS * 4))
        return {name: values for name, values in agent.state_dict().items() if name.startswith("teacher/policy/")}

    usual, short = taught(), taught(teacher_gamma=0.5)
    assert same(usual, taught(gamma=0.5)), "it is not the driver's"
    assert not same(usual, short)
    squared, huber = (taught(teacher="clipped_ppo", loss_type=loss) for loss in ("mean squared error", "huber"))
    assert not same(squared, huber)
    with pytest.raises(AgentError, match="teacher_gamma is 2"):
        taught(teacher_gamma=2.0)


def test_one_whose_teacher_has_not_done_yet_goes_on_with_that():
    first, env = made()

    def report(steps, metrics):
        if steps > SHARE * BUDGET / 2:
            raise KeyboardInterrupt
        return steps / BUDGET

    with pytest.raises(KeyboardInterrupt):
        first.learn(report)
    state = first.state_dict()
    again, env = made(seed=5)
    again.load_state_dict(state)
    lessons, own = moments(again, env)
    assert lessons[0].steps == state["steps"] and lessons[-2].steps < SHARE * BUDGET <= own[0].steps


def test_it_may_begin_with_a_driver_that_had_no_teacher():
    alone, _ = made(teacher="none")
    taught, _ = made(seed=2)
    taught.warm_start(alone.state_dict())
    driver = {name: values for name, values in alone.state_dict().items() if name.startswith("policy/")}
    assert same(driver, taught.state_dict())


def test_without_a_teacher_it_learns_by_itself_from_the_first_step():
    agent, env = made(teacher="none")
    assert not any(name.startswith("teacher/") for name in agent.state_dict())
    lessons, own = moments(agent, env)
    assert not lessons and own[0].steps == 0
    assert "taught" not in agent.description and "taught by ppo" in made()[0].description


def test_who_cannot_teach_is_refused():
    with pytest.raises(AgentError, match="pure_pursuit cannot teach"):
        made(teacher="pure_pursuit")
    with pytest.raises(AgentError, match=r"^teacher: there is no agent 'nobody'"):
        made(teacher="nobody")
    with pytest.raises(AgentError, match="teacher_share"):
        made(teacher_share=1.0)


@pytest.mark.parametrize("actions", ACTIONS)
def test_a_driver_becomes_like_its_teacher(actions):
    """From its pictures alone, where hardly any reward tells it what to do."""
    agent, env = made(actions, imitation=1000.0, last_imitation=1000.0)
    found = []

    def away():
        agent.env.seed(9)
        seen = agent.env.reset()
        told = agent.model.teacher.act(seen[PRIVILEGED])
        with torch.no_grad():
            policy = agent.model.policy.get_distribution({name: torch.from_numpy(seen[name]) for name in seen})
        if actions == "discrete":
            return float(-policy.log_prob(torch.from_numpy(told)).mean())
        return float((policy.distribution.mean - torch.from_numpy(told)).square().mean())

    def report(steps, metrics):
        if not env.blind:
            found.append(away())
        return steps / (4 * BUDGET)

    agent.learn(report)
    assert found[-1] < 0.5 * found[0]
