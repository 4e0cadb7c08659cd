"""The record of what a race has beside the learner's car: what it may be, and the way through JSON."""

import json
import math

import pytest

from racer.sim import Bots, Boxes, Place, Traffic, traffic_as_json, traffic_from_json

SOME = (
    Traffic(),
    Traffic(Boxes(0)),
    Traffic(Boxes(places=(Place(0.1), Place(0.5, "outer")), as_cars=True)),
    Traffic(Boxes(6, drawn=True, gap_m=1.5), grid="pairs", grid_gap_m=1.0),
    Traffic(bots=Bots(3, 0.5, lane_changes=True, change_after_s=(1, 2)), drawn_grid=True),
)


@pytest.mark.parametrize("traffic", SOME)
def test_it_survives_json(traffic):
    assert traffic_from_json(json.loads(json.dumps(traffic_as_json(traffic)))) == traffic
    assert traffic_from_json(traffic_as_json(None)) is None


@pytest.mark.parametrize("data", [3, [], {"boxes": 3}, {"boxes": {"number": 3}}, {"bots": {"speed": "fast"}}, {"x": 1}])
def test_what_is_no_traffic_is_refused(data):
    with pytest.raises(ValueError, match=r"traffic|speed"):
        traffic_from_json(data or {"x": 1})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Boxes(10_000), "10000 boxes; it must be a whole number from 0 to 200"),
        (lambda: Boxes(-1), "-1 boxes"),
        (lambda: Boxes(2.0), "2.0 boxes"),
        (lambda: Boxes(places=(Place(0.1),), drawn=True), "leave out places, or drawn"),
        (lambda: Place(1.0), "must be below"),
        (lambda: Place(math.nan), "from 0 to 1"),
        (lambda: Place(0.5, "middle"), "one of inner, outer"),
        (lambda: Bots(3, 11.0), "speed of bot cars is 11.0; it must be a number from 0 to 10 m/s"),
        (lambda: Bots(3, change_after_s=(5, 3)), "lower bound comes first"),
        (lambda: Traffic(Boxes(), Bots()), "boxes or bot cars, not both"),
        (lambda: Traffic(Bots()), "are `racer.sim.Boxes`"),
        (lambda: Traffic(grid="circle"), "one of staggered, pairs"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_does_not_fit_on_a_track_is_told_how_many_would():
    Traffic(Boxes(6)).check_room(18.0, "harbor")
    Traffic(Boxes(places=(Place(0.0),) * 100)).check_room(5.0, "tiny")
    with pytest.raises(ValueError, match=r"9 boxes, 2 m apart, need 16 m of track; harbor has .* 15.0 m. At most 8"):
        Traffic(Boxes(9)).check_room(18.0, "harbor")
    with pytest.raises(ValueError, match="3 bot cars"):
        Traffic(bots=Bots()).check_room(6.5, "tiny")
