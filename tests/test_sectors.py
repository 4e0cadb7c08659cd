"""Sectors of laps, and tracks as text pictures."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from drives import drive, ring

from racer.replay import course_of, sector_times
from racer.track import load_track, svg_of_track


def test_sectors_add_up_to_the_lap():
    replay = drive(ring(), laps=3)
    length = replay.track.length
    for lap in replay.laps:
        thirds = sector_times(replay.drives[0], lap, length)
        assert sum(thirds) == pytest.approx(lap.time_s, abs=1e-9)
        many = sector_times(replay.drives[0], lap, length, 6)
        assert [a + b for a, b in zip(many[::2], many[1::2], strict=True)] == pytest.approx(thirds)
    flying = sector_times(replay.drives[0], replay.laps[1], length)
    assert np.ptp(flying) < 0.03, "a constant speed on a ring"


def test_a_lap_that_ends_early_has_the_sectors_that_it_reached():
    replay = drive(ring(), laps=1, leave_in_lap=1, leave_after_s=3.0)
    (lap,), length = replay.laps, replay.track.length
    first, second, third = sector_times(replay.drives[0], lap, length)
    metres, seconds = course_of(replay.drives[0], lap, length)
    assert length / 3 < metres[-1] < 2 * length / 3 and second is None and third is None
    assert np.interp(first, seconds, metres) == pytest.approx(length / 3)
    assert (np.diff(metres) >= 0.0).all()


@pytest.mark.parametrize("name", ["harbor", "needle"])
def test_a_track_shows_itself_in_a_notebook(name):
    track = load_track(name)
    picture = ET.fromstring(svg_of_track(track))
    left, top, width, height = map(float, picture.attrib["viewBox"].split())
    corners = 100.0 * np.vstack([track.inner, track.outer]) * (1.0, -1.0)
    assert (corners.min(axis=0) >= (left, top)).all() and (corners.max(axis=0) <= (left + width, top + height)).all()
    page = ET.fromstring(track._repr_html_())
    assert name in "".join(page.itertext()) and page.find("svg") is not None
