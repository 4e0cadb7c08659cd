"""Type hints and dataclasses, with annotations as text."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, NamedTuple, Optional


class Point(NamedTuple):
    x: float
    y: float


@dataclass
class Memory:
    LIMIT: ClassVar[int] = 5
    speeds: list[float] = field(default_factory=list)
    last: Optional[Point] = None

    def moved(self, point: Point) -> float:
        last, self.last = self.last, point
        return 0.0 if last is None else abs(point.x - last.x) + abs(point.y - last.y)


memory: Memory = Memory()


def reward_function(params: Dict[str, Any]) -> float:
    memory.speeds = [*memory.speeds, params["speed"]][-Memory.LIMIT:]
    return memory.moved(Point(params["x"], params["y"])) + sum(memory.speeds) / len(memory.speeds)
