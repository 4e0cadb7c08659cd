"""Archives read in memory: whatever is in them, nothing reaches the disk, and no bomb takes the memory."""

import gzip
import io
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from racer.errors import FileError, LogError, RacerError
from racer.shelf import is_archive, read_archive


def packed(files, mode="w:gz", change=lambda info: None):
    """A tar file of these contents by their names."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            change(info)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def everything(name):
    return True


FILES = {"top/a.csv": b"a" * 9999, "top/deep/b.log": b"", "c" * 300: b"c\n" * 256}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_files_are_read_by_their_names(tmp_path, mode):
    path = tmp_path / "any.name"
    path.write_bytes(packed(FILES, mode))
    assert is_archive(path)
    read = read_archive(path, everything)
    assert read.complete and read.files == FILES
    assert read_archive(path, lambda name: name.endswith(".csv")).files == {"top/a.csv": b"a" * 9999}


def test_a_single_compressed_file_is_an_archive_of_one(tmp_path):
    path = tmp_path / "0-iteration.csv.gz"
    path.write_bytes(gzip.compress(b"episode,steps\n" * 5000))
    assert is_archive(path)
    assert read_archive(path, everything).files == {"0-iteration.csv": b"episode,steps\n" * 5000}
    with pytest.raises(LogError, match=r"gz holds too much: racer reads up to 69,999 bytes"):
        read_archive(path, everything, LogError, 69_999)
    plain = tmp_path / "plain.csv"
    plain.write_text("episode,steps\n")
    assert not is_archive(plain)


def test_nothing_is_written_wherever_names_and_links_lead(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    names = ["../escaped.csv", str(tmp_path / "absolute.csv"), "link.csv", "device.csv", "hard.csv", "plain.csv"]

    def change(info):
        kinds = {"link.csv": tarfile.SYMTYPE, "device.csv": tarfile.CHRTYPE, "hard.csv": tarfile.LNKTYPE}
        info.type = kinds.get(info.name, tarfile.REGTYPE)
        info.linkname = "/etc/passwd" if info.type != tarfile.REGTYPE else ""
        info.size = 0 if info.type != tarfile.REGTYPE else info.size

    path = inside / "evil.tar.gz"
    path.write_bytes(packed(dict.fromkeys(names, b"data"), change=change))
    read = read_archive(path, everything)
    assert set(read.files) == {names[0], names[1], "plain.csv"} and set(read.files.values()) == {b"data"}
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["evil.tar.gz", "in"]


def test_bombs_are_refused(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(3 * 2**20)))
    with pytest.raises(FileError, match="holds too much"):
        read_archive(path, everything, limit=2**20)
    path.write_bytes(packed({f"{i}.csv": bytes(2**18) for i in range(8)}))
    with pytest.raises(FileError, match="holds too much"):
        read_archive(path, everything, limit=2**20)
    path.write_bytes(packed(dict.fromkeys(map(str, range(4_002)), b"")))
    with pytest.raises(FileError, match="holds more than 4,000 files"):
        read_archive(path, everything)

    def long_header(info):
        info.pax_headers = {"comment": "1" * 2**20}

    path.write_bytes(packed({"a.csv": b"a"}, change=long_header))
    with pytest.raises(FileError, match="header of 1,04"):
        read_archive(path, everything)
    lies = tarfile.TarInfo("huge.csv")
    lies.size = 2**40
    path.write_bytes(gzip.compress(lies.tobuf()))
    with pytest.raises(FileError, match="holds too much"):
        read_archive(path, everything)


@given(st.binary(max_size=900), st.integers(0, 2000), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_whatever_is_cut_or_changed_gives_files_or_one_message(tmp_path, data, at, change):
    path = tmp_path / "any.tar.gz"
    for mode in ("w:gz", "w"):
        whole = packed({"a.csv": data, "b.csv": data[::-1]}, mode)
        cut = whole[: at % len(whole)]
        flipped = bytearray(whole)
        flipped[at % len(whole)] ^= change
        for content in (cut, bytes(flipped), whole[:1] + data):
            path.write_bytes(content)
            try:
                read = read_archive(path, everything)
            except RacerError as wrong:
                assert str(path) in str(wrong)
            else:
                assert all(isinstance(part, bytes) for part in read.files.values())


def test_a_cut_archive_gives_what_it_holds(tmp_path):
    path = tmp_path / "cut.tar.gz"
    random = bytes(i * i % 251 for i in range(200_000))
    whole = packed({"a.csv": random, "b.csv": random})
    path.write_bytes(whole[: len(whole) * 3 // 4])
    read = read_archive(path, everything)
    assert not read.complete and read.files["a.csv"] == random
    assert random.startswith(read.files["b.csv"]) and len(read.files["b.csv"]) < len(random)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_small_file_that_is_cut_gives_what_is_before_the_cut(tmp_path, share):
    text = b"".join(b"%d\n" % (i * i * 7919 % 100_003) for i in range(2000))
    packed_text = gzip.compress(text)
    path = tmp_path / "job.log.gz"
    path.write_bytes(packed_text[: int(share * len(packed_text))])
    read = read_archive(path, everything)
    assert not read.complete and text.startswith(read.files["job.log"])
    assert len(read.files["job.log"]) > (share - 0.1) * len(text)
