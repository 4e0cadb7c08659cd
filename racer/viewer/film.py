"""The film: replays drawn into a file, a picture or a film of it.

The one invariant: a file is written whole or not at all, and never held in memory whole.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pygame

from racer.errors import FileError, RacerError
from racer.shelf import replacing, write_atomically

if TYPE_CHECKING:
    from PIL import Image

    from racer.viewer.stage import Stage

__all__ = ["record_film"]

GIF_S = 0.07  # s a frame; the format counts hundredths
GIF_SAME = 255  # the colour that says "as before"; the others are real
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
        RacerError: There is no encoder for an `.mp4`.
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
    """Write frame by frame what changed: Pillow's own writer would hold the whole film in memory."""
    from PIL import Image
    from PIL.GifImagePlugin import getdata

    def picture(surface: pygame.Surface) -> Image.Image:
        return Image.frombuffer("RGB", size, _rgb(surface))

    times = _times(stage, GIF_S, speed)
    palette = _palette(
        [picture(surface) for surface in _pictures(stage, size, speed, times[:: max(len(times) // 6, 1)])]
    )
    colors = bytes(palette.getpalette() or ())[: 3 * GIF_SAME].ljust(3 * GIF_SAME, b"\0")
    colors += colors[:3]  # `GIF_SAME` looks like 0, for which it may be mistaken
    palette.putpalette(colors)
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0xF7, 0, 0) + colors  # 0xF7: 256 colours for all frames
    forever = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    before = np.full(size[::-1], GIF_SAME, dtype=np.uint8)
    with replacing(target) as temporary, temporary.open("wb") as file:
        file.write(head + forever)
        for surface in _progress(_pictures(stage, size, speed, times), len(times), target, quiet):
            now = np.asarray(picture(surface).quantize(palette=palette, dither=Image.Dither.NONE))
            now = np.where(now == GIF_SAME, 0, now)
            rows, columns = (np.flatnonzero((now != before).any(axis=axis)) for axis in (1, 0))
            top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, 1)
            left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, 1)
            box = np.s_[top:bottom, left:right]
            frame = Image.fromarray(np.where(now[box] == before[box], GIF_SAME, now[box]).astype(np.uint8), "P")
            options = {"duration": round(GIF_S * 1000), "transparency": GIF_SAME, "disposal": 1}
            file.writelines(getdata(frame, (int(left), int(top)), **options))
            before = now
        file.write(b";")


def _palette(pictures: list[Image.Image]) -> Image.Image:
    """Choose the colours of a film from some of its pictures."""
    from PIL import Image

    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (0, number * height))
    return sheet.quantize(GIF_SAME, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _mp4(stage: Stage, target: Path, size: tuple[int, int], speed: float, quiet: bool) -> None:
    import imageio_ffmpeg

    size = size[0] // 2 * 2, size[1] // 2 * 2  # the format halves its colours' resolution
    times = _times(stage, 1.0 / VIDEO_FRAMES_PER_S, speed)
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise RacerError(f"no .mp4 can be written, for there is no ffmpeg here: {error}. Record a .gif") from error
    with replacing(target) as temporary:
        options = {"codec": "libx264", "pix_fmt_out": "yuv420p", "quality": None, "macro_block_size": 2}
        quality = ["-crf", "18", "-preset", "medium", "-movflags", "+faststart"]
        writer = imageio_ffmpeg.write_frames(
            str(temporary),
            size,
            fps=VIDEO_FRAMES_PER_S,
            output_params=quality,
            ffmpeg_log_level="error",
            **options,
        )
        with closing(writer):
            writer.send(None)
            for surface in _progress(_pictures(stage, size, speed, times), len(times), target, quiet):
                try:
                    writer.send(_rgb(surface))
                except OSError as error:  # with the encoder's whole command in its message
                    raise FileError(f"cannot write {target}: the encoder gave up; is the disk full?") from error
        _check_mp4(temporary, len(times), target)


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
