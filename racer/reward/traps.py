"""Traps of `params` that a reward function's source gives away, each with its line, why it is one, and the way out.

They are hints: a function with one of them may work all the same. So what could be meant is left alone, and only what
is hardly ever meant is named.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from racer.reward.params import KEYS

__all__ = ["Trap", "keys_read", "traps_of"]

FIRST_STEP = 2
"""`steps` of the first call in an episode, as in DeepRacer, where the step before is not rewarded."""

DEGREES = {"heading", "steering_angle"}
MEASURED = {"x", "y", "heading", "distance_from_center", "projection_distance", "progress", "sim_time"}
CLOCKS = {"time", "perf_counter", "monotonic", "time_ns", "now", "today", "utcnow"}
CIRCULAR = {"sin", "cos", "tan"}
WRAPPING = {"remainder", "fmod", "cos", "sin", "unwrap", "radians", "deg2rad"}
LONG = 100  # elements of a list written out in the function

_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Eq: ast.Eq, ast.GtE: ast.LtE, ast.Gt: ast.Lt}


@dataclass(frozen=True, order=True)
class Trap:
    """One that a source may have fallen into.

    Attributes:
        line: in the file.
        why: what is there, and why it may not do what is meant.
        fix: what to write instead.
    """

    line: int
    why: str
    fix: str

    def __str__(self) -> str:
        """The trap as one sentence."""
        return f"line {self.line}: {self.why}; {self.fix}"


@dataclass
class _Source:
    tree: ast.Module
    nodes: list[ast.AST] = field(default_factory=list)
    bound: dict[str, set[str]] = field(default_factory=dict)  # keys that a name holds; "" for anything else

    def key(self, node: ast.AST) -> str | None:
        """The key of `params` that an expression is, or a number made of it; None if it is something else."""
        match node:
            case ast.Name(id=name):
                keys = self.bound.get(name, set())
                return next(iter(keys)) if len(keys) == 1 else None
            case ast.Subscript(slice=ast.Constant(value=str(key))):
                return key
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(key)), *_]):
                return key
            case ast.Call(func=ast.Name(id="int" | "float" | "round"), args=[inner, *_]):
                return self.key(inner)
        return None


def keys_read(source: str) -> frozenset[str]:
    """The keys of `params` that a reward's source names; none if it is no Python. It is read, not run."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return frozenset(KEYS) & {text for text in texts if isinstance(text, str)}


def traps_of(text: str) -> list[Trap]:
    """The traps in a source, by line.

    Args:
        text: source of a reward function, found to be Python.
    """
    source = _Source(ast.parse(text))
    source.nodes = list(ast.walk(source.tree))
    for node in source.nodes:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.comprehension | ast.NamedExpr):
            targets = [node.target]
        else:
            continue
        for name in (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)):
            value = node.value if isinstance(node, ast.Assign) and isinstance(targets[0], ast.Name) else None
            source.bound.setdefault(name, set()).add((value is not None and source.key(value)) or "")
    return sorted({trap for find in _FINDERS for trap in find(source)})


def _steps(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            continue
        left, right, kind = node.left, node.comparators[0], type(node.ops[0])
        if isinstance(left, ast.Constant):
            left, right, kind = right, left, _MIRRORED.get(kind, ast.NotEq)
        if source.key(left) != "steps" or not isinstance(right, ast.Constant):
            continue
        limit = right.value
        if not isinstance(limit, int | float):
            continue
        if (kind in (ast.Eq, ast.LtE) and limit < FIRST_STEP) or (kind is ast.Lt and limit <= FIRST_STEP):
            yield Trap(
                node.lineno,
                f"'{ast.unparse(node)}' is never true, because the first call in an episode gets steps = {FIRST_STEP}",
                f"write 'steps <= {FIRST_STEP}' for the start of an episode",
            )


def _equality(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq):
            continue
        for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
            key = source.key(one)
            if key not in MEASURED or not isinstance(other, ast.Constant):
                continue
            if key == "progress" and other.value == 100:
                why, fix = "is true in one step of a lap here, and nowhere if it is rounded otherwise", ">= 100"
            else:
                why, fix = "is hardly ever true: measured numbers are never met exactly", "< or >, or a range"
            yield Trap(node.lineno, f"'{ast.unparse(node)}' {why}", f"compare with {fix}")


def _reversed(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not isinstance(node, ast.If) or not any(source.key(part) == "is_reversed" for part in ast.walk(node.test)):
            continue
        pays = [part.value for part in node.body if isinstance(part, ast.Return | ast.Assign | ast.AugAssign)]
        if any(isinstance(value, ast.Constant | ast.UnaryOp) for value in pays):
            yield Trap(
                node.lineno,
                "'is_reversed' says in which direction the track is to be driven, and is the same in every step",
                "compare 'heading' with the direction between two waypoints to find a car that faces backwards",
            )


def _past_the_end(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not (isinstance(node, ast.Subscript) and source.key(node.value) == "waypoints"):
            continue
        index = node.slice
        if isinstance(index, ast.BinOp) and isinstance(index.op, ast.Add) and isinstance(index.right, ast.Constant):
            yield Trap(
                node.lineno,
                f"'{ast.unparse(node)}' fails near the end of the lap, where the index is past the last waypoint",
                f"write 'waypoints[({ast.unparse(index)}) % len(waypoints)]'",
            )


def _wrap(source: _Source) -> Iterator[Trap]:
    if any(_called(node) in WRAPPING for node in source.nodes):
        return
    numbers = {node.value for node in source.nodes if isinstance(node, ast.Constant) and _is_number(node.value)}
    if numbers & {180, 360} or any(getattr(node, "attr", "") == "pi" for node in source.nodes):
        return
    for node in source.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            keys = [source.key(side) for side in (node.left, node.right)]
            constant = any(isinstance(side, ast.Constant) for side in (node.left, node.right))
            if "heading" in keys and not constant:
                yield Trap(
                    node.lineno,
                    f"'{ast.unparse(node)}' is about 360 where one angle is just above and the other just below 180",
                    "write '(a - b + 180) % 360 - 180' for the difference of two angles",
                )


def _degrees(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not (isinstance(node, ast.Call) and _called(node) in CIRCULAR and node.args):
            continue
        if (key := source.key(node.args[0])) in DEGREES:
            yield Trap(
                node.lineno,
                f"'{ast.unparse(node)}' takes '{key}', which is in degrees, for radians",
                f"write '{_called(node)}(math.radians(...))'",
            )


def _chance_and_clock(source: _Source) -> Iterator[Trap]:
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if name.startswith(("random.", "np.random.", "numpy.random.")) and not name.endswith("seed"):
            yield Trap(
                node.lineno, f"'{name}' makes chance a part of the pay", "leave it out, or draw once at the start"
            )
        elif name in {f"time.{clock}" for clock in CLOCKS} | {f"datetime.{clock}" for clock in CLOCKS}:
            yield Trap(
                node.lineno,
                f"'{name}' tells the race's time here, but the computer's elsewhere",
                "count with 'steps', 15 a second",
            )


def _each_step(source: _Source) -> Iterator[Trap]:
    for function in source.nodes:
        if not isinstance(function, ast.FunctionDef) or function.name != "reward_function":
            continue
        for node in ast.walk(function):
            size = len(getattr(node, "keys", getattr(node, "elts", ())))
            if size > LONG and isinstance(node, ast.expr):
                why = f"a table of {size} entries is built anew in every step"
            elif isinstance(node, ast.Call) and _called(node) in {"open", "load", "loadtxt", "read_csv"}:
                why = f"'{ast.unparse(node)[:40]}' reads a file in every step"
            else:
                continue
            yield Trap(node.lineno, why, "do it once, above the function")


def _called(node: ast.AST) -> str:
    """The last name of what is called."""
    match node:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


_FINDERS: tuple[Callable[[_Source], Iterator[Trap]], ...] = (
    _steps,
    _equality,
    _reversed,
    _past_the_end,
    _wrap,
    _degrees,
    _chance_and_clock,
    _each_step,
)
