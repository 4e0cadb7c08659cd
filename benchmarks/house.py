"""Measure racer's rooms by their import statements, and draw them.

    python benchmarks/house.py      print the measures, and draw docs/images/house.png

A room is an entry of `racer/`: a package or a file. Room A has an arrow to room B if a file of A imports from B,
wherever in the file and for whatever reason. A room's floor is the longest way down from it.
"""

from __future__ import annotations

import ast
import math
import textwrap
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rich import print as show

if TYPE_CHECKING:
    import matplotlib.path

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "racer"
PICTURE = CHECKOUT / "docs" / "images" / "house.png"
NO_ROOMS = {"__init__.py", "__main__.py"}  # faces of the package
MOST_LINES, MOST_PARAMETERS = 350, 8
KERNELS = {"kernel", "lean", "inlined"}  # compiled functions take arrays one by one

COLORS = ("#f3efe6", "#e9eef2", "#eaf1e6", "#f5ebe8", "#efeaf4", "#f6f1df")
INK, WALL, ARROW, ROOF, PLASTER = "#22303c", "#8a97a3", "#3d5a73", "#c9563c", "#fbfaf7"
WIDE, HIGH, COLUMN, STORY, BEND = 2.0, 0.66, 2.45, 1.1, 0.15  # of rooms, and their distances


@dataclass
class Room:
    """What one entry of `racer/` is made of.

    Attributes:
        name: of the package or file.
        says: first words of its docstring.
        files: how many Python files it has.
        lines: how many lines they have together.
        knows: the rooms that it imports from.
    """

    name: str
    says: str
    files: int = 0
    lines: int = 0
    knows: set[str] = field(default_factory=set)


class House:
    """All rooms, and the arrows between them."""

    def __init__(self, package: Path) -> None:
        """Read every file of the package; nothing is imported."""
        self.rooms: dict[str, Room] = {}
        self.module_arrows = 0
        self.long: list[tuple[int, str]] = []
        self.wide: list[tuple[int, str]] = []
        entries = sorted(path for path in package.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py")
        for entry in entries:
            if entry.name not in NO_ROOMS:
                face = entry / "__init__.py" if entry.is_dir() else entry
                says = (ast.get_docstring(ast.parse(face.read_bytes())) or "").split("\n")[0]
                self.rooms[entry.stem] = Room(entry.stem, says.split(":")[0].rstrip("."))
        for entry in entries:
            if entry.stem in self.rooms:
                for path in sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]:
                    if not {"templates", "shipped"} & set(path.parts):
                        self._read(self.rooms[entry.stem], path, path.relative_to(package).as_posix())

    def _read(self, room: Room, path: Path, name: str) -> None:
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        room.files += 1
        room.lines += lines
        self.long.append((lines, name))
        modules = set()
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Import(names=names):
                    modules |= {alias.name for alias in names}
                case ast.ImportFrom(module="racer", names=names):
                    modules |= {f"racer.{alias.name}" for alias in names}
                case ast.ImportFrom(module=str(module)):
                    modules.add(module)
                case ast.FunctionDef() | ast.AsyncFunctionDef() if room.name != "cli":
                    self._measure(node, name)
        inside = {module for module in modules if module.startswith("racer.")}
        self.module_arrows += len(inside)
        room.knows |= {module.split(".")[1] for module in inside} & self.rooms.keys() - {room.name}

    def _measure(self, node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([one for one in given if one.arg not in ("self", "cls")])
        if not {item.id for item in node.decorator_list if isinstance(item, ast.Name)} & KERNELS:
            self.wide.append((count, f"{name}: {node.name}"))

    @cached_property
    def floors(self) -> dict[str, int]:
        """Floor of each room, 0 at the bottom.

        Raises:
            RecursionError: Rooms import each other in a circle.
        """
        found: dict[str, int] = {}

        def floor(name: str) -> int:
            if name not in found:
                found[name] = 1 + max((floor(other) for other in sorted(self.rooms[name].knows)), default=-1)
            return found[name]

        for name in self.rooms:
            floor(name)
        return found

    @cached_property
    def arrows(self) -> list[tuple[str, str]]:
        """Who knows whom."""
        return [(name, other) for name, room in self.rooms.items() for other in sorted(room.knows)]

    @cached_property
    def stairs(self) -> set[tuple[str, str]]:
        """The arrows that no way over other rooms replaces."""

        def below(name: str) -> set[str]:
            return self.rooms[name].knows.union(*(below(other) for other in self.rooms[name].knows))

        return {
            (name, other)
            for name, other in self.arrows
            if not any(other in below(between) for between in self.rooms[name].knows)
        }


def main() -> None:
    """Print the measures and draw the picture."""
    house = House(PACKAGE)
    show(f"rooms   {len(house.rooms)}")
    show(f"floors  {max(house.floors.values()) + 1}")
    show(f"arrows  {len(house.arrows)} between rooms, {house.module_arrows} imports in all files")
    show(f"lines   {sum(room.lines for room in house.rooms.values())} in {len(house.long)} files, the longest:")
    for lines, name in sorted(house.long, reverse=True)[:5]:
        show(_row(lines, name, MOST_LINES))
    show("most parameters of a function:")
    for count, name in sorted(house.wide, reverse=True)[:3]:
        show(_row(count, name, MOST_PARAMETERS))
    draw(house, PICTURE)
    show(f"drew    {PICTURE.relative_to(CHECKOUT)}")


def _row(value: int, name: str, most: int) -> str:
    return f"        {value:4} {name}{f' (more than {most})' if value > most else ''}"


def places(house: House) -> dict[str, tuple[float, float]]:
    """Centre of each room: floors above one another, and on each floor those side by side that belong together."""
    floors: dict[int, list[str]] = {}
    for name, floor in house.floors.items():
        floors.setdefault(floor, []).append(name)
    width = max(map(len, floors.values()))
    x = dict.fromkeys(house.rooms, 0.0)
    for _ in range(30):  # each room moves to the mean of its neighbours, and the rooms of a floor stand in that order
        for names in floors.values():
            near = {
                name: [x[other] for pair in sorted(house.stairs) if name in pair for other in pair if other != name]
                for name in names
            }
            names.sort(key=lambda name: sum(near[name]) / max(len(near[name]), 1))
            for place, name in enumerate(names):
                x[name] = (place + 0.5) * width / len(names) - width / 2.0
    return {name: (x[name], float(house.floors[name])) for name in house.rooms}


def draw(house: House, target: Path) -> None:
    """One picture of the rooms: what stands on what."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

    centers = {name: (x * COLUMN, y * STORY) for name, (x, y) in places(house).items()}
    top = max(y for _, y in centers.values())
    half = max(abs(x) for x, _ in centers.values()) + WIDE / 2.0 + 0.35
    figure, axes = plt.subplots(figsize=(11.5, 11.5 * (top + 3.0) / (2.0 * half + 0.7)))
    eaves = top + 0.75
    roof = [(-half - 0.3, eaves), (0.0, eaves + 1.0), (half + 0.3, eaves)]
    axes.add_patch(Rectangle((-half, -0.65), 2.0 * half, eaves + 0.65, facecolor=PLASTER, edgecolor=WALL))
    axes.add_patch(Polygon(roof, facecolor=ROOF))
    axes.text(0.0, eaves + 0.34, "racer", ha="center", va="center", color="white", size=22, weight="bold")
    for floor in range(1, max(house.floors.values()) + 1):
        axes.plot([-half, half], [(floor - 0.5) * STORY] * 2, color="#e6e1d6", lw=0.8, zorder=1)
    alone = {name for name, (_, y) in centers.items() if sum(y == other for _, other in centers.values()) == 1}
    for name, other in sorted(house.stairs):
        path = _way(centers[name], centers[other], name in alone, list(centers.values()))
        axes.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=12, color=ARROW, lw=1.4, zorder=2))
    for name, (x, y) in centers.items():
        room = house.rooms[name]
        color = COLORS[house.floors[name] % len(COLORS)]
        corner = (x - WIDE / 2.0, y - HIGH / 2.0)
        shape = "round,pad=0,rounding_size=0.08"
        axes.add_patch(FancyBboxPatch(corner, WIDE, HIGH, boxstyle=shape, facecolor=color, edgecolor=INK, zorder=3))
        says = textwrap.fill(textwrap.shorten(room.says, 66, placeholder=" …"), 32)
        axes.text(x, y + 0.14, name, ha="center", va="center", color=INK, size=11.5, weight="bold", zorder=4)
        axes.text(x, y - 0.12, says, ha="center", va="center", color=INK, size=6.8, zorder=4, linespacing=1.1)
    drawn = f"{len(house.stairs)} of {len(house.arrows)} arrows are drawn: the others are ways over rooms in between."
    axes.text(0.0, -0.9, f"A room imports from those below it. {drawn}", ha="center", va="center", color=WALL, size=8.5)
    axes.set(xlim=(-half - 0.35, half + 0.35), ylim=(-1.1, eaves + 1.05), aspect="equal")
    axes.axis("off")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=100, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def _way(
    start: tuple[float, float], end: tuple[float, float], alone: bool, rooms: list[tuple[float, float]]
) -> matplotlib.path.Path:
    """A way between two rooms that crosses no third one: straight to the next floor, else out at the side and down."""
    from matplotlib.path import Path as Line

    (x0, y0), (x1, y1) = start, end
    side = math.copysign(1.0, x1 - x0)
    if (y0 - y1 > 1.01 * STORY or alone) and abs(x1 - x0) > WIDE / 2.0 + BEND:
        between = [x for x, y in rooms if y1 < y - 0.01 and y < y0 - 0.01]
        shifts = sorted((k * 0.05 for k in range(-17, 18)), key=abs)
        free = (x1 + shift for shift in shifts if all(abs(x1 + shift - x) > WIDE / 2.0 + 0.1 for x in between))
        x1 = next(free, x1)
        rows = [(x0 + side * WIDE / 2.0, y0), (x1 - side * BEND, y0), (x1, y0), (x1, y0 - BEND), (x1, y1 + HIGH / 2.0)]
        return Line(rows, [Line.MOVETO, Line.LINETO, Line.CURVE3, Line.CURVE3, Line.LINETO])
    shift = 0.3 * WIDE * max(-1.0, min(1.0, (x1 - x0) / COLUMN))
    return Line([(x0 + shift, y0 - HIGH / 2.0), (x1 - shift, y1 + HIGH / 2.0)], [Line.MOVETO, Line.LINETO])


if __name__ == "__main__":
    main()
