"""`racer new`: a folder of one's own with the three shelves, an example on each, and a guide.

Invariant: nothing that exists is changed; if one of the files is there already, none is written. The examples
are real files in `racer/shelf/templates/`, so that they are read, linted and tested as such.
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
        The files written, the guide first.

    Raises:
        FileError: One of the files exists already, or the folder cannot be written to.
    """
    home = Path(folder)
    names = sorted(
        (path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*") if _is_template(path)),
        key=lambda name: (len(name.parts), name),
    )
    for name in names:
        if (home / name).exists():
            raise FileError(f"{home / name} exists already and stays as it is; choose another folder")
    written = []
    for name in names:
        target = home / name
        make_folder(target.parent)
        write_atomically(target, read_bytes(TEMPLATES / name))
        written.append(target)
    return written


def _is_template(path: Path) -> bool:
    return path.is_file() and path.suffix in (".csv", ".md", ".py")
