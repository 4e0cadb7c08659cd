"""The film: replays drawn into a file, a picture or a film of it.

The one invariant: a file is written whole or not at all, and never held in memory whole.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pygame

from racer.errors import FileError, RacerError
from racer.shelf import replacing, write_atomically

if TYPE_CHECKING:
    from racer.viewer.stage import Stage

__all__ = ["record_film"]

GIF_S = Fraction(7, 100)  # s a frame; the format counts hundredths
VIDEO_FRAMES_PER_S = 30
LAST_S = 1.0  # s that a film rests on its last picture


def record_film(stage: Stage, target: Path, size: tuple[int, int], speed: float, quiet: bool) -> None:
    """Draw what a stage shows into a file; its suffix says whether as picture or film, and of which kind.

    Args:
        stage: The replays.
        target: A name that ends in `.png`, `.gif` or `.mp4`; what is there is replaced.
        size: Of the picture, px.
        speed: Of the film: 2 is twice as fast as it was driven.
        quiet: Whether to show no progress bar.

    Raises:
        FileError: The file cannot be written; what was there is untouched.
        RacerError: There is no encoder for a film.
    """
    {".png": _png, ".gif": _gif, ".mp4": _mp4}[target.suffix.lower()](stage, target, size, speed, quiet)


def _png(stage: Stage, target: Path, size: tuple[int, int], speed: float, quiet: bool) -> None:
    state = stage.playback(speed)
    state.seek(stage.best_instant())
    surface = pygame.Surface(size, depth=32)
    stage.draw(surface, state)
    data = io.BytesIO()
    pygame.image.save(surface, data, "x.png")  # into a file it would not say that the disk is full
    write_atomically(target, data.getvalue())


def _gif(stage: Stage, target: Path, size: tuple[int, int], speed: float, quiet: bool) -> None:
    """Film without loss first: the encoder has to see all of the film before it can choose 256 colours for it."""
    times = _times(stage, float(GIF_S), speed)
    with replacing(target) as temporary, tempfile.TemporaryDirectory(dir=target.parent, prefix=".racer-") as folder:
        film, palette = str(Path(folder) / "film.mkv"), str(Path(folder) / "palette.png")
        codec = {"codec": "libx264rgb", "pix_fmt_out": "rgb24", "output_params": ["-qp", "0", "-preset", "ultrafast"]}
        with _encoder(film, target, size, 1 / GIF_S, codec) as write:
            for surface in _progress(_pictures(stage, size, speed, times), len(times), target, quiet):
                write(surface)
        _ffmpeg(target, "-i", film, "-vf", "palettegen", palette)
        colors = "paletteuse=dither=none:diff_mode=rectangle"
        _ffmpeg(target, "-r", str(1 / GIF_S), "-i", film, "-i", palette, "-lavfi", colors, "-f", "gif", str(temporary))


def _mp4(stage: Stage, target: Path, size: tuple[int, int], speed: float, quiet: bool) -> None:
    size = size[0] // 2 * 2, size[1] // 2 * 2  # the format halves its colours' resolution
    times = _times(stage, 1.0 / VIDEO_FRAMES_PER_S, speed)
    quality = ["-crf", "18", "-preset", "medium", "-movflags", "+faststart"]
    codec = {"codec": "libx264", "pix_fmt_out": "yuv420p", "output_params": quality}
    with replacing(target) as temporary:
        with _encoder(str(temporary), target, size, Fraction(VIDEO_FRAMES_PER_S), codec) as write:
            for surface in _progress(_pictures(stage, size, speed, times), len(times), target, quiet):
                write(surface)
        _check_mp4(temporary, len(times), target)


@contextmanager
def _encoder(
    path: str, target: Path, size: tuple[int, int], rate: Fraction, codec: Mapping[str, Any]
) -> Iterator[Callable[[pygame.Surface], None]]:
    """Give a function that adds a picture to the film at `path`; messages name `target`."""
    import imageio_ffmpeg

    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise RacerError(f"no film can be recorded, for there is no ffmpeg here: {error}. Record a .png") from error
    writer = imageio_ffmpeg.write_frames(
        path, size, fps=float(rate), quality=None, macro_block_size=1, ffmpeg_log_level="error", **codec
    )

    def write(surface: pygame.Surface) -> None:
        try:
            writer.send(_rgb(surface))
        except OSError as error:  # with the encoder's whole command in its message
            raise FileError(f"cannot write {target}: the encoder gave up; is the disk full?") from error

    with closing(writer):
        writer.send(None)
        yield write


def _ffmpeg(target: Path, *words: str) -> None:
    """Run the encoder."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *words]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise FileError(f"cannot write {target}: the encoder gave up; is the disk full?")


def _check_mp4(path: Path, frames: int, target: Path) -> None:
    """The encoder is another program, which says nothing when it fails at the very end."""
    import imageio_ffmpeg

    try:
        found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError:
        found = 0
    if found != frames:
        raise FileError(f"cannot write {target}: {found} of {frames} frames were kept; is the disk full?")


def _times(stage: Stage, frame_s: float, speed: float) -> list[float]:
    """The instants a film shows, s of the race; those after its end show its end."""
    times = np.arange(0.0, stage.playback().duration_s / speed + LAST_S, frame_s) * speed
    return [float(time_s) for time_s in times]


def _pictures(stage: Stage, size: tuple[int, int], speed: float, times: Sequence[float]) -> Iterator[pygame.Surface]:
    """Draw one instant after the other, on the same surface."""
    state, surface = stage.playback(speed), pygame.Surface(size, depth=32)
    for instant in times:
        state.seek(instant)
        stage.draw(surface, state)
        yield surface


def _rgb(surface: pygame.Surface) -> bytes:
    return pygame.image.tobytes(surface, "RGB")


def _progress(pictures: Iterable[pygame.Surface], count: int, target: Path, quiet: bool) -> Iterable[pygame.Surface]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True, quiet=quiet)
    return track(pictures, f"Drawing {target.name}", total=count, console=console, transient=True)
