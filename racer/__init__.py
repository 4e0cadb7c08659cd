"""racer: a DeepRacer-like racing simulator in which a reward function that you write teaches a car to drive.

    import racer

    track = racer.load_track("harbor")

Importing it registers the environments (`racer/TimeTrial-v0`, …) with Gymnasium and loads nothing heavier; the
parts (`racer.load_track`, `racer.sim.car`, `racer.reward`, `racer.replay`, …) load when they are first used.
"""

import signal
import sys

_MODULE = sys.argv[:1] == ["-m"] and "-m" in sys.orig_argv and sys.orig_argv[sys.orig_argv.index("-m") + 1]
_COMMAND = _MODULE == "racer" or "".join(sys.argv[:1]).endswith(("/racer", "racer.exe"))
if _COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `racer.__main__` can answer Ctrl-C it ends the process at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from racer import car, env, errors, lab, leaderboard, racing, replay, reward, sim, track, training
    from racer.lab import show
    from racer.track import load_track

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "car",
    "env",
    "errors",
    "lab",
    "leaderboard",
    "load_track",
    "racing",
    "replay",
    "reward",
    "show",
    "sim",
    "track",
    "training",
]

if not _COMMAND:  # which does so when it has something to do: Gymnasium takes long to load
    importlib.import_module("racer.env")

_FUNCTIONS = {"load_track": "racer.track", "show": "racer.lab"}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    if name in __all__:
        return importlib.import_module(f"racer.{name}")
    raise AttributeError(f"module 'racer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
