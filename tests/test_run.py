"""Run folders: a name is taken only where something would be lost."""

import pytest

from racer.errors import RunError
from racer.training import start


def test_a_run_that_learned_nothing_makes_room_and_one_that_did_does_not(tmp_path):
    folder = tmp_path / "run"
    start("harbor", "centerline", name=str(folder), seconds=1.0)
    again = start("harbor", "progress", name=str(folder), seconds=1.0)
    assert again.plan.reward == "progress"
    again.checkpoint.write_bytes(b"learned")
    with pytest.raises(RunError, match="exists already"):
        start("harbor", "progress", name=str(folder), seconds=1.0)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="exists already"):
        start("harbor", "progress", name=str(tmp_path), seconds=1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
