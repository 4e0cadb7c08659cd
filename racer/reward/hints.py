"""Hints about a reward function that its source alone gives away."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FIRST_STEP = 2
"""`steps` of the first call in an episode, as in DeepRacer, where the step before is not rewarded."""

_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Eq: ast.Eq, ast.GtE: ast.LtE, ast.Gt: ast.Lt}


def hints_of(text: str) -> Iterator[str]:
    """Plain sentences about tests of `steps` that are never true, since an episode's first call gets 2.

    Args:
        text: source of a reward function, found to be Python.
    """
    tree = ast.parse(text)
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_steps(node.value, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            continue
        left, right, kind = node.left, node.comparators[0], type(node.ops[0])
        if isinstance(left, ast.Constant):
            left, right, kind = right, left, _MIRRORED.get(kind, ast.NotEq)
        if (
            not _is_steps(left, names)
            or not isinstance(right, ast.Constant)
            or not isinstance(right.value, int | float)
        ):
            continue
        if (kind in (ast.Eq, ast.LtE) and right.value < FIRST_STEP) or (kind is ast.Lt and right.value <= FIRST_STEP):
            yield (
                f"line {node.lineno}: '{ast.unparse(node)}' is never true, because the first call in an episode gets "
                f"steps = {FIRST_STEP}; write 'steps <= {FIRST_STEP}' for the start of an episode"
            )


def _is_steps(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression is `params["steps"]`, `params.get("steps")`, a number made of it, or a name for it."""
    match node:
        case ast.Name(id=name):
            return name in names
        case ast.Subscript(slice=ast.Constant(value="steps")):
            return True
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value="steps"), *_]):
            return True
        case ast.Call(func=ast.Name(id="int" | "float" | "round"), args=[inner, *_]):
            return _is_steps(inner, names)
    return False
