"""Atomic writes hold when the disk is full, the folder read-only, or the writer killed."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from racer.errors import FileError, RacerError, RunError, TrackError
from racer.shelf import (
    LIMITS,
    make_folder,
    read_bytes,
    read_json,
    read_text,
    refuse_links,
    replacing,
    write_atomically,
)

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")


def listing(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_writes_bytes_and_text(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_atomically(path, "zwölf\n")
    assert path.read_bytes() == "zwölf\n".encode()
    write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert listing(tmp_path) == ["note.txt"]


@posix
def test_keeps_permissions_and_respects_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    old = os.umask(0o027)
    try:
        write_atomically(path, "new")
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    write_atomically(path, "newer")
    assert path.stat().st_mode & 0o777 == 0o604


@posix
def test_writes_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


@posix
def test_never_replaces_a_device(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(FileError, match="not a plain file"):
        write_atomically(fifo, "x")
    assert fifo.is_fifo()


@pytest.mark.parametrize("name", ["", "missing/note.txt", "folder", "file/note.txt", "a\0b", "n" * 300])
def test_names_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    with pytest.raises(FileError, match="cannot write"):
        write_atomically(f"{tmp_path}/{name}", "x")
    assert sorted(listing(tmp_path)) == ["file", "folder"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        assert temporary.suffix == ".png"
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["plot.png"]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"), replacing(tmp_path / "plot.png"):
        pass
    assert listing(tmp_path) == []


def test_tells_a_full_disk_from_other_trouble(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(FileError, match="disk is full") as caught, replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert str(path) in str(caught.value)
    assert listing(tmp_path) == []


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where the system lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full(tiny_disk: Path) -> None:
    path = tiny_disk / "weights.bin"
    write_atomically(path, b"old")
    with pytest.raises(FileError, match="disk is full"):
        write_atomically(path, bytes(200_000))
    assert path.read_bytes() == b"old"
    assert listing(tiny_disk) == ["weights.bin"]


@posix
def test_a_write_that_the_system_cuts_short(tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")
    script = (
        "import resource, sys\n"
        "from racer.shelf.files import write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomically(sys.argv[1], bytes(10_000))\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", script, str(path)], capture_output=True, text=True)
    assert "FileError: cannot write" in done.stderr
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["weights.bin"]


def in_a_child_without_privileges(action: Callable[[], object]) -> str:
    """Run something as a user for whom permissions count, also under root; gives what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            action()
            outcome = "nothing"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


@posix
def test_a_read_only_folder() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "note.txt").write_text("old")
        folder.chmod(0o555)
        outcome = in_a_child_without_privileges(lambda: write_atomically(folder / "note.txt", "new"))
        assert outcome.startswith("FileError: cannot write")
        assert "no permission" in outcome
        outcome = in_a_child_without_privileges(lambda: make_folder(folder / "runs"))
        assert outcome.startswith("FileError: cannot make the folder")
        assert (folder / "note.txt").read_text() == "old"
        folder.chmod(0o755)


@posix
def test_killed_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.bin"
    path.write_bytes(b"old")
    script = (
        "import sys, time\n"
        "from racer.shelf.files import replacing\n"
        "with replacing(sys.argv[1]) as temporary, temporary.open('wb') as file:\n"
        "    file.write(b'half'); file.flush(); print('half', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_readers_see_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    sizes = [10, 100_000, 3, 50_000]
    write_atomically(path, json.dumps([0] * 10))
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            for size in sizes:
                write_atomically(path, json.dumps([0] * size))

    writers = [threading.Thread(target=write_on) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        seen = {len(read_json(path)) for _ in range(200)}
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert seen <= set(sizes)
    assert listing(tmp_path) == ["run.json"]


def test_make_folder(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="a file of that name"):
        make_folder(tmp_path / "file")
    with pytest.raises(FileError, match="a part of the path is a file"):
        make_folder(tmp_path / "file" / "b")


def test_reads_raise_what_the_caller_wants(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match=r"oval\.csv: no such file"):
        read_bytes(tmp_path / "oval.csv", TrackError)
    with pytest.raises(FileError, match="it is a folder"):
        read_text(tmp_path)
    with pytest.raises(FileError, match="cannot read"):
        read_text("a\0b")


def special(folder: Path) -> dict[str, Path]:
    """Files that are none: nobody ever writes into the pipe, and the device never ends."""
    os.mkfifo(folder / "a.pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "a.socket"))
    return {"pipe": folder / "a.pipe", "socket": folder / "a.socket", "device": Path("/dev/zero")}


@posix
@pytest.mark.parametrize("read", [read_bytes, read_text, read_json])
def test_what_is_no_plain_file_is_refused_without_waiting_for_it(read: Callable[..., object]) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # names of sockets are short
        for kind, path in special(Path(name)).items():
            with pytest.raises(RunError, match=f"cannot read {path}: it is not a plain file but a {kind}"):
                read(path, RunError)
            link = Path(name) / f"link-to-{kind}"
            link.symlink_to(path)
            with pytest.raises(FileError, match=f"not a plain file but a {kind}"):
                read(link)


@pytest.mark.parametrize("read", [read_bytes, read_text, read_json])
def test_a_file_has_a_largest_size(tmp_path: Path, read: Callable[..., object]) -> None:
    path = tmp_path / "big.json"
    path.write_bytes(b"1" + b" " * 1233)
    assert read(path, RunError, 1234) in (1, path.read_bytes(), path.read_text())
    with pytest.raises(
        RunError, match=r"big\.json: it is too large, 1,234 bytes; racer reads such files up to 1,233 bytes"
    ):
        read(path, RunError, 1233)


def test_a_huge_file_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "huge.bin"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: nothing is stored
    for kind, limit in LIMITS.items():
        with pytest.raises(FileError, match=f"1,099,511,627,776 bytes; racer reads such files up to {limit:,}"):
            read_bytes(path, limit=limit)
        assert limit <= 256 * 2**20 or kind == "leaderboard", f"{kind}: only a database is not read whole"


@posix
def test_a_folder_of_others_is_written_through_no_link(tmp_path: Path) -> None:
    precious, run = tmp_path / "precious.txt", tmp_path / "runs" / "a"
    (run / "logs").mkdir(parents=True)
    precious.write_text("mine")
    (run / "best.replay").symlink_to(precious)
    (run / "next.replay").symlink_to(tmp_path / "not-there-yet")
    (run / "tensorboard").symlink_to(tmp_path)
    for name in ("best.replay", "next.replay", "tensorboard/precious.txt", "tensorboard/new.txt"):
        with pytest.raises(RunError, match=f"{name.partition('/')[0]} is a link"):
            write_atomically(run / name, "theirs", within=run)
        with pytest.raises(RunError, match="is a link"), replacing(run / name, within=run) as temporary:
            temporary.write_text("theirs")
    with pytest.raises(RunError, match="tensorboard is a link"):
        make_folder(run / "tensorboard" / "run_1", within=run)
    with pytest.raises(TrackError, match=r"next\.replay is a link"):
        refuse_links(run / "next.replay", run, TrackError)
    assert precious.read_text() == "mine"
    assert sorted(listing(tmp_path)) == ["precious.txt", "runs"]
    write_atomically(make_folder(run / "logs" / "1", within=run) / "note.txt", "ours", within=run)
    assert (run / "logs" / "1" / "note.txt").read_text() == "ours"


@posix
def test_a_folder_may_itself_lie_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "large-disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "large-disk")
    run = make_folder(tmp_path / "runs" / "a")
    write_atomically(run / "run.json", "{}", within=run)
    assert (tmp_path / "large-disk" / "a" / "run.json").read_text() == "{}"


def test_text_is_unified_and_must_be_utf8(tmp_path: Path) -> None:
    path = tmp_path / "oval.csv"
    path.write_bytes(b"\xef\xbb\xbf1\r\n2\r3\n")
    assert read_text(path) == "1\n2\n3\n"
    path.write_bytes(b"fine\nM\xfcnchen\n")
    with pytest.raises(FileError, match=r"oval\.csv, line 2: not UTF-8 text \(byte 0xfc\)"):
        read_text(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ('{"a": 1,\n "b": ', "line 2: not valid JSON"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("[1e999]", "1e999 is not a JSON number"),
        ("[" * 100_000, "not valid JSON"),
        ("[" * 64 + "{}" + "]" * 64, "nests deeper than 64 levels"),
        ('{"a": ' * 500 + "1" + "}" * 500, "nests deeper than 64 levels"),
        ("[" * 5000 + "]" * 5000, "nests deeper than 64 levels"),
        ("1" * 10_000, "1111… is too large for a whole number"),
        ("-18446744073709551617", "-18446744073709551617 is too large"),
    ],
)
def test_json_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(FileError, match=message):
        read_json(path)


def test_json_may_nest_and_count_as_far_as_anybody_needs(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("[" * 64 + "18446744073709551616, -18446744073709551616" + "]" * 64)
    assert json.dumps(read_json(path)) == path.read_text()


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_one_clear_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        path.write_bytes(content)
        try:
            value = read_json(path)
        except RacerError as error:
            assert str(path) in str(error)
        else:
            assert json.loads(json.dumps(value, allow_nan=False)) == value
