"""Source to machine code, kept on the disk, so that a reward is compiled once and not in every training."""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from racer.compile import arithmetic
from racer.compile.translate import ARGUMENTS
from racer.files import write_atomically
from racer.kernel import FOLDER, kernel

KEPT = 100  # compiled rewards on the disk, some 50 kB each

SIGNATURE = (
    "int64(int64, float64[:, ::1], int64[:, ::1], boolean[:, ::1], float64[:, ::1], float64, float64, "
    "float64, float64[::1], boolean[::1], int64[::1])"
)

BATCH = f"""
def batch(first, {ARGUMENTS.removeprefix("i, ")}, limit, out, failed, reached):
    failures = 0
    for i in range(first, len(out)):
        reached[0] = i
        failed[i] = True
        out[i] = {{name}}({ARGUMENTS})
        failed[i] = not abs(out[i]) <= limit
        failures += failed[i]
    return failures
"""


def machine_code(functions: Mapping[str, str], constants: Mapping[str, NDArray[np.float64]]) -> Any:
    """Compile a reward for a batch of cars.

    Args:
        functions: source by name; callees first, the reward function last.
        constants: arrays that the source names.

    Returns:
        A function of the row to begin with, the tables of `racer.params.Params`, the waypoints, the track's length,
        whether it is reversed, the greatest reward, and arrays to fill: rewards, which of them failed, the row that
        it reached. It returns how many failed, or raises `ArithmeticError` at a row that is Python's.
    """
    text = "\n\n".join([*functions.values(), BATCH.format(name=list(functions)[-1])])
    digest = hashlib.sha256(text.encode())
    for name, array in constants.items():
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    name = f"racer_reward_{digest.hexdigest()[:24]}"
    if name not in sys.modules:  # where Numba looks for it
        module = types.ModuleType(name)
        vars(module).update({n: f for n, f in vars(arithmetic).items() if not n.startswith("__")})
        vars(module).update({f"c_{n}": function for n, function in arithmetic.FROM_C.items()})
        vars(module).update({"inf": np.inf, "nan": np.nan, "floor": np.floor, "ceil": np.ceil, **constants})
        sys.modules[name] = module
        file = _file(name, text)
        exec(compile(text, file or name, "exec"), vars(module))
        for function in functions:
            vars(module)[function] = numba.njit(vars(module)[function])
        batch = vars(module)["batch"]
        vars(module)["batch"] = kernel(batch) if file else numba.njit(nogil=True)(batch)
    batch = vars(sys.modules[name])["batch"]
    batch.compile(SIGNATURE)  # or load what was compiled before
    return batch


def _file(name: str, text: str) -> str | None:
    """A file of the text: Numba keeps what it compiles for a file, and looks at its age. None if it cannot be."""
    folder = Path(FOLDER) / "rewards"
    path = folder / f"{name}.txt"
    try:
        folder.mkdir(exist_ok=True)
        if not path.exists():
            write_atomically(path, text)
            for old in sorted(folder.glob("*.txt"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
                for file in [old, *Path(FOLDER).glob(f"rewards_*/{old.stem}.*")]:
                    file.unlink(missing_ok=True)
    except OSError:  # a full disk; or another process was the first to remove an old one
        return str(path) if path.exists() else None
    return str(path)
