"""`racer new`: a folder of one's own with all shelves, an example on each, and a guide.

Invariant: nothing that exists is changed; if another file is in the place of one of them, none is written. The
examples are real files in `racer/shelf/templates/`, so that they are read, linted and tested as such.
"""

from pathlib import Path

from racer.errors import FileError
from racer.shelf.files import make_folder, read_bytes, write_atomically

__all__ = ["TEMPLATES", "scaffold"]

TEMPLATES = Path(__file__).parent / "templates"


def scaffold(folder: str | Path) -> list[Path]:
    """Lay out a learner's folder.

    Args:
        folder: Where; made with its parents if missing, and it may hold other things.

    Returns:
        The files written, the guide first. What an earlier call wrote before the disk was full is left out.

    Raises:
        FileError: All of them exist already, another file is in the place of one, or the folder cannot be written to.
    """
    home = Path(folder)
    names = sorted(
        (path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*") if _is_template(path)),
        key=lambda name: (len(name.parts), name),
    )
    content = {home / name: read_bytes(TEMPLATES / name) for name in names}
    there = [target for target in content if target.exists()]
    changed = (target for target in there if read_bytes(target) != content[target])
    if (taken := next(changed, there[0] if len(there) == len(content) else None)) is not None:
        raise FileError(f"{taken} exists already and stays as it is; choose another folder")
    written = [target for target in content if target not in there]
    for target in written:
        make_folder(target.parent)
        write_atomically(target, content[target])
    return written


def _is_template(path: Path) -> bool:
    return path.is_file() and path.suffix in (".csv", ".md", ".py", ".toml")
