"""The cache of compiled kernels must never serve a function whose callee has changed since, in whatever file."""

import shutil
import subprocess
import sys
from pathlib import Path

import racer.sim.kernel

LEAF = "from racer.sim.kernel import {decorator}\n\n@{decorator}\ndef leaf(x):\n    return x + {constant}\n"
CALLER = (
    "from racer.sim.kernel import kernel\nfrom racer.sim.leaf import leaf\n\n"
    "@kernel\ndef caller(x):\n    return leaf(x) * 2\n"
)


def call(folder: Path) -> str:
    code = "from racer.sim.caller import caller; print(caller(1), sum(caller.stats.cache_hits.values()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_changed_callee_is_compiled_again(tmp_path):
    package = tmp_path / "racer" / "sim"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    shutil.copy(racer.sim.kernel.__file__, package / "kernel.py")
    (package / "caller.py").write_text(CALLER)
    for decorator in ("kernel", "inlined", "lean"):
        (package / "leaf.py").write_text(LEAF.format(decorator=decorator, constant=1))
        assert call(tmp_path) == "4 0"
        assert call(tmp_path) == "4 1"  # from the cache
        (package / "leaf.py").write_text(LEAF.format(decorator=decorator, constant=2))
        assert call(tmp_path) == "6 0"


def test_other_packages_keep_their_cache():
    assert "kernels-" not in str(racer.sim.kernel.numba.config.CACHE_DIR)
