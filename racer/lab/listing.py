"""Python source as HTML with colours, by the tokens of the standard library."""

from __future__ import annotations

import io
import keyword
import tokenize
from html import escape

__all__ = ["LISTING_STYLE", "listing"]

LISTING_STYLE = """
pre { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; padding: .8rem 1rem; font: 13px/1.5
  ui-monospace, Consolas, monospace; tab-size: 4; } pre i { color: var(--faint); } pre b { color: var(--c4);
  font-weight: 600; } pre s { color: var(--c1); text-decoration: none; } pre u { color: var(--c2);
  text-decoration: none; }
"""
TAGS = {tokenize.COMMENT: "i", tokenize.STRING: "s", tokenize.NUMBER: "u"}


def listing(text: str) -> str:
    """A source as a `<pre>` element; what is no Python has no colours."""
    lines = io.StringIO(text).readlines()  # those that the tokens count
    parts, row, column = [], 1, 0

    def until(end: tuple[int, int]) -> str:
        nonlocal row, column
        found = ""
        while row < end[0] and row <= len(lines):
            found, row, column = found + lines[row - 1][column:], row + 1, 0
        if row <= len(lines):
            found, column = found + lines[row - 1][column : end[1]], max(column, end[1])
        return escape(found)

    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            tag = "b" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else TAGS.get(token.type)
            if tag is not None:
                parts.append(until(token.start))
                parts.append(f"<{tag}>{until(token.end)}</{tag}>")
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return f"<pre>{escape(text)}</pre>"
    parts.append(until((len(lines) + 1, 0)))
    return f"<pre>{''.join(parts)}</pre>"
