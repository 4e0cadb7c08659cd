"""A person at the wheel: keys and sticks become commands, and a race that they make is one like any other."""

import numpy as np
import pytest
from drives import drive as driven, ring

from racer.racing import drive
from racer.replay import load_replay, save_replay, verify
from racer.sim import CARS

CAR = CARS["deepracer"]


@pytest.fixture(autouse=True)
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    pygame.display.init()
    pygame.event.clear()
    yield pygame
    pygame.display.quit()


@pytest.fixture
def controls():
    from racer.viewer import Controls

    return Controls()


def press(pygame, controls, key, down=True):
    kind = pygame.KEYDOWN if down else pygame.KEYUP
    pygame.event.post(pygame.event.Event(kind, key=key, mod=0, unicode=""))
    for event in pygame.event.get():
        controls.handle(event)


def test_keys_move_the_commands(pygame, controls):
    controls.advance(1.0)
    assert (controls.steering, controls.speed) == (0.0, 0.5), "nothing touched: straight on, as slowly as can be"
    press(pygame, controls, pygame.K_UP)
    press(pygame, controls, pygame.K_a)
    controls.advance(0.1)
    assert 0.0 < controls.steering < 30.0 and 0.5 < controls.speed < 1.0, "not at once"
    controls.advance(10.0)
    assert (controls.steering, controls.speed) == (30.0, 4.0)
    assert np.allclose(controls.actions(), [[1.0, 1.0]])
    press(pygame, controls, pygame.K_UP, down=False)
    press(pygame, controls, pygame.K_a, down=False)
    controls.advance(1.0)
    assert (controls.steering, controls.speed) == (0.0, 4.0), "the wheels straighten, the speed stays"
    press(pygame, controls, pygame.K_RIGHT)
    press(pygame, controls, pygame.K_SPACE)
    controls.advance(0.2)
    assert controls.steering == -30.0 and controls.speed == pytest.approx(4.0 - 6.0 * 0.2)
    assert not controls.left
    press(pygame, controls, pygame.K_ESCAPE)
    assert controls.left


def test_a_gamepad_steers_and_accelerates(pygame, controls):
    for axis, value in ((pygame.CONTROLLER_AXIS_LEFTX, -16384), (pygame.CONTROLLER_AXIS_TRIGGERRIGHT, 32767)):
        pygame.event.post(pygame.event.Event(pygame.CONTROLLERAXISMOTION, axis=axis, value=value, instance_id=0))
    for event in pygame.event.get():
        controls.handle(event)
    controls.advance(0.1)
    assert controls.steering == pytest.approx(15.0, abs=0.1) and controls.speed == pytest.approx(0.75)
    pygame.event.post(
        pygame.event.Event(pygame.CONTROLLERAXISMOTION, axis=pygame.CONTROLLER_AXIS_LEFTX, value=900, instance_id=0)
    )
    for event in pygame.event.get():
        controls.handle(event)
    controls.advance(1.0)
    assert controls.steering == 0.0, "a stick that nobody touches is never quite in the middle"


class Person:
    """Presses keys at certain steps, and sees the window."""

    def __init__(self, pygame, cockpit, script):
        self.pygame, self.cockpit, self.script = pygame, cockpit, script
        self.step, self.seen = 0, []
        self.begin = cockpit.begin

    @property
    def finished(self):
        return self.cockpit.finished

    def act(self, observation):
        for kind, key in self.script.get(self.step, ()):
            self.pygame.event.post(self.pygame.event.Event(kind, key=key, mod=0, unicode=""))
        self.step += 1
        action = self.cockpit.act(observation)
        self.seen.append(self.pygame.surfarray.array3d(self.pygame.display.get_surface()))
        return action


@pytest.mark.parametrize("with_mark", [False, True])
def test_a_drive_is_a_race_that_verifies(pygame, tmp_path, with_mark):
    from racer.viewer import Cockpit

    track = ring(radius=1.2)
    mark = driven(track, laps=1, speed=1.5) if with_mark else None
    cockpit = Cockpit(track, CAR, 3, mark, size=(640, 400), frames_per_s=0)
    down = pygame.KEYDOWN
    script = {2: [(down, pygame.K_UP), (down, pygame.K_LEFT)], 40: [(down, pygame.K_ESCAPE)]}
    person = Person(pygame, cockpit, script)
    race = drive(person, track, 3, name="Ada", reward_function=None)
    cockpit.close()
    assert race.driver == "Ada" and 40 <= len(race.steps) <= 42, "Esc ends it"
    assert race.steps["speed_command"].max() > 2.0 and race.steps["steering_command_deg"].max() > 25.0
    assert len(race.laps) >= 1
    save_replay(race, tmp_path / "ada.replay")
    assert verify(load_replay(tmp_path / "ada.replay")).ok
    first, last = person.seen[0].astype(int), person.seen[20].astype(int)
    assert np.ptp(first) > 100 and np.abs(first - last).sum() > 10_000, "the window shows how it goes on"
    red, green, blue = np.moveaxis(last, 2, 0)
    ghost = int(((green - red > 50) & (green - blue > 20)).sum())
    assert (ghost > 20) == with_mark
