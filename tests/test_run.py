"""Run folders: a name is taken only where something would be lost."""

import pytest

from racer.errors import RunError
from racer.training import RunConfig, start


def test_a_run_that_learned_nothing_makes_room_and_one_that_did_does_not(tmp_path):
    folder = tmp_path / "run"
    start(RunConfig("harbor", "centerline", seconds=1.0), str(folder))
    again = start(RunConfig("harbor", "progress", seconds=1.0), str(folder))
    assert again.config.reward == "progress"
    again.checkpoint.write_bytes(b"learned")
    with pytest.raises(RunError, match="exists already"):
        start(RunConfig("harbor", "progress", seconds=1.0), str(folder))


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="exists already"):
        start(RunConfig("harbor", "progress", seconds=1.0), str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
