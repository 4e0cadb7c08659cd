"""Print racer's dependencies at the oldest versions that `pyproject.toml` allows, as `make test-lowest` installs them.

PyTorch stays as `constraints.txt` pins it: its older CPU builds are in no package index.
"""

import re
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


def lowest() -> list[str]:
    """One `name==version` for each dependency."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(
        line.split("==") for line in (CHECKOUT / "constraints.txt").read_text(encoding="utf-8").split() if "==" in line
    )
    found = []
    for requirement in project["dependencies"]:
        name, least = re.fullmatch(r"([\w-]+)>=([\w.]+)", requirement).groups()
        found.append(f"{name}=={pins[name] if name == 'torch' else least}")
    return found


if __name__ == "__main__":
    print("\n".join(lowest()))
