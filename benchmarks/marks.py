"""Find the marks that ship with racer, again: `python benchmarks/marks.py [TRACK ...]`.

One for each track on the shelf, in both directions, with the default car, as replays in tracks/marks. Marks of another
physics are removed. It goes on where it was interrupted; what is there already is only replaced by a faster lap, and
searched for again with --again.
"""

import argparse
import time
from pathlib import Path

from racer.errors import ReplayError, TrackError
from racer.racing import find_lap
from racer.replay import best_clean_lap, keep_mark, load_replay, verify
from racer.shelf import names, shipped_folder
from racer.sim import CARS, physics_version
from racer.track import load_track


def main() -> None:
    """Find them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("tracks", nargs="*", metavar="TRACK", help="only these (default: all on the shelf)")
    options.add_argument("--again", action="store_true", help="search for those that are known, too")
    options.add_argument("--quick", action="store_true", help="be content with the first lap that is found")
    given = options.parse_args()
    shelf = shipped_folder("tracks")
    folder = shelf / "marks"
    folder.mkdir(exist_ok=True)
    known = swept(folder)
    car = CARS["deepracer"]
    for name in given.tracks or names("tracks"):
        track = load_track(shelf / f"{name}.csv")
        for course in (track, track.reverse()):
            label = f"{name} {'reverse' if course.reversed else 'forward'}"
            before = known.get(course.digest)
            if before is not None and not given.again:
                print(f"{label:22} {before:8.3f} s  is known", flush=True)
                continue
            began = time.process_time()
            try:
                race = find_lap(course, car, quick=given.quick)
            except TrackError as error:
                print(f"{label:22} {error}", flush=True)
                continue
            kept = keep_mark(race, first=True, folder=folder)
            lap = best_clean_lap(race)
            found = "" if lap is None else f"{lap.time_s:8.3f} s"
            print(
                f"{label:22} {found}  {'kept' if kept else 'no better'}, {time.process_time() - began:.1f} s",
                flush=True,
            )
    swept(folder)


def swept(folder: Path) -> dict[str, float]:
    """Remove what is no mark of the shipped cars and tracks under this physics; best laps of the rest, by road."""
    physics, cars, found = physics_version().motion, list(CARS.values()), {}
    for path in sorted(folder.glob("*.replay")):
        try:
            mark = load_replay(path)
            lap = best_clean_lap(mark)
            sound = lap is not None and mark.physics == physics and mark.car in cars and verify(mark).ok
        except ReplayError:
            sound = False
        if sound:
            found[mark.track.digest] = lap.time_s
        else:
            print(f"removed {path.name}")
            path.unlink()
    return found


if __name__ == "__main__":
    main()
