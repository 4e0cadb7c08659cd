"""Names on a board: what two people would read as the same name is the same name."""

import re
import unicodedata

from racer.errors import LeaderboardError

__all__ = ["board_name", "clean_name"]

BLANK_LETTERS = re.compile(
    # Characters that Unicode says to ignore on screen (Default_Ignorable_Code_Point) but Python calls printable,
    # the empty Braille pattern and the null notehead.
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\u2800\U0001d159\U000e0000-\U000e0fff]"
)
NUMBER = re.compile("#[0-9]+")
VARIANTS = re.compile("[\ufe00-\ufe0f]")  # ask for another drawing of the character before, such as emoji in colour


def clean_name(text: str, what: str, limit: int) -> str:
    """Give a name as it is stored: composed (NFC), without needless blanks and variants of characters.

    Args:
        text: the name as it was given.
        what: whose name it is, for messages: "driver's".
        limit: characters.

    Raises:
        LeaderboardError: it is empty, too long, or holds a character that cannot be printed or seen.
    """
    name = re.sub(" +", " ", unicodedata.normalize("NFC", VARIANTS.sub("", text)).strip())
    if not name:
        raise LeaderboardError(f"a {what} name must not be empty; choose another one")
    if len(name) > limit:
        raise LeaderboardError(f"the {what} name {name[:limit]!a}… has {len(name)} characters; {limit} fit")
    if not name.isprintable():
        raise LeaderboardError(f"the {what} name {name!a} holds a character that cannot be printed; leave it out")
    if BLANK_LETTERS.search(name) or all(unicodedata.category(letter)[0] in "MZ" for letter in name):
        raise LeaderboardError(f"the {what} name {name!a} holds a character that cannot be seen; leave it out")
    return name


def board_name(text: str, limit: int) -> str:
    """Give a board's name as it is stored; see `clean_name`.

    Raises:
        LeaderboardError: it is no name, or it reads as the number of a board.
    """
    name = clean_name(text, "board's", limit)
    if NUMBER.fullmatch(name):
        raise LeaderboardError(f"{name} means the board of that number; choose another name")
    return name
