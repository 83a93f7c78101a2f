"""Kind `bundle`: the builder alone, with a workspace of the test's own."""

from __future__ import annotations

import io
import shutil
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from jobs.builders.bundle import BundleParams, build, member_names
from jobs.errors import Interrupted, SourceChanged, SourceMissing
from jobs.names import MAX_NAME_BYTES, safe_name
from jobs.workspace import CHUNK_BYTES, Source

FILES = {
    "a.txt": b"alpha",
    "b.bin": bytes(range(256)) * 8_192,
    "nothing": b"",
    "Größe.pdf": b"%PDF",
}


@dataclass
class Workspace:
    """Sources and output in memory."""

    contents: dict[str, bytes]
    output: io.BytesIO = field(default_factory=io.BytesIO)
    said: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        self.said.append(message)

    def read_ahead(self, sources: Sequence[Source]) -> AbstractContextManager[None]:
        return nullcontext()

    def chunks(self, source: Source) -> Iterator[bytes]:
        if source.key not in self.contents:
            raise SourceMissing("gone")
        content = self.contents[source.key]
        for start in range(0, len(content), CHUNK_BYTES):
            yield content[start : start + CHUNK_BYTES]


def source(name: str, content: bytes = b"", key: str = "") -> Source:
    at = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    return Source("File 70000", key or name, name, len(content), zlib.crc32(content), at)


@pytest.fixture
def archive() -> bytes:
    work = Workspace(FILES)
    build(BundleParams(tuple(source(name, content) for name, content in FILES.items())), work)
    return work.output.getvalue()


def test_the_archive_holds_each_file_whole_in_the_order_asked_for(archive: bytes) -> None:
    with ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == list(FILES)
        assert {name: opened.read(name) for name in FILES} == FILES
        assert opened.testzip() is None


def test_members_are_stored_with_size_and_crc_before_their_bytes(archive: bytes) -> None:
    with ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            assert member.compress_type == ZIP_STORED
            assert not member.flag_bits & 0b1000, "no data descriptor: Java's readers refuse it"
            assert (member.external_attr >> 16) & 0o777 == 0o644


def test_two_attempts_make_the_same_bytes(archive: bytes) -> None:
    work = Workspace(FILES)

    build(BundleParams(tuple(source(name, content) for name, content in FILES.items())), work)

    assert work.output.getvalue() == archive


READERS = {
    "unzip": ["unzip", "-tq"],
    "bsdtar": ["bsdtar", "-tf"],
    "python": ["python3", "-m", "zipfile", "-t"],
}


FOUND = [name for name, call in READERS.items() if shutil.which(call[0])]


@pytest.mark.parametrize("reader", FOUND)
def test_the_archive_is_read_by(reader: str, archive: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(archive)

    done = subprocess.run([*READERS[reader], path], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


JAVA = """
import java.io.*; import java.util.zip.*;
class Read { public static void main(String[] a) throws Exception {
  try (ZipInputStream in = new ZipInputStream(new FileInputStream(a[0]))) {
    for (ZipEntry e; (e = in.getNextEntry()) != null; )
      System.out.println(e.getName() + " " + in.readAllBytes().length);
  } } }
"""


def test_the_archive_is_read_by_javas_stream_reader(archive: bytes, tmp_path: Path) -> None:
    """Where there is Java; the test of the data descriptors above holds everywhere."""
    (tmp_path / "Read.java").write_text(JAVA)
    (tmp_path / "a.zip").write_bytes(archive)

    for java in filter(None, [shutil.which("java")]):
        call = [java, tmp_path / "Read.java", tmp_path / "a.zip"]
        done = subprocess.run(call, capture_output=True, text=True)

        assert done.returncode == 0, done.stderr
        assert f"b.bin {len(FILES['b.bin'])}" in done.stdout


def test_the_message_names_the_file_that_is_added() -> None:
    work = Workspace(FILES)

    build(BundleParams((source("a.txt", b"alpha"), source("nothing"))), work)

    assert work.said == ["Adding 1 of 2: a.txt", "Adding 2 of 2: nothing"]


def test_a_source_that_is_gone_fails_the_attempt() -> None:
    with pytest.raises(SourceMissing):
        build(BundleParams((source("a.txt", b"alpha"),)), Workspace({}))


@pytest.mark.parametrize("content", [b"alphA", b"alpha!", b"alph", b""])
def test_a_source_that_is_not_as_recorded_fails_the_attempt(content: bytes) -> None:
    with pytest.raises(SourceChanged):
        build(BundleParams((source("a.txt", b"alpha"),)), Workspace({"a.txt": content}))


def test_an_interrupt_passes_through_the_builder() -> None:
    class Stopped(Workspace):
        def chunks(self, source: Source) -> Iterator[bytes]:
            yield b"al"
            raise Interrupted(timed_out=False)

    with pytest.raises(Interrupted):
        build(BundleParams((source("a.txt", b"alpha"),)), Stopped(FILES))


def test_an_archive_over_4_gib_is_whole_where_it_matters(tmp_path: Path) -> None:
    """ZIP64: sizes and offsets past 32 bits. The bytes are zeros, written to a sparse file."""
    piece, pieces = bytes(64 * 1024 * 1024), 68
    crc = 0
    for _ in range(pieces):
        crc = zlib.crc32(piece, crc)
    big = Source(
        70000, "big", "big.bin", len(piece) * pieces, crc, datetime(2026, 1, 1, tzinfo=UTC)
    )

    class Big(Workspace):
        def chunks(self, source: Source) -> Iterator[bytes]:
            if source.key == "big":
                yield from (piece for _ in range(pieces))
            else:
                yield b"alpha"

    with (tmp_path / "big.zip").open("wb+") as file:
        work = Big({}, output=Sparse(file))  # type: ignore[arg-type]
        build(BundleParams((big, source("last.txt", b"alpha"))), work)
        file.truncate()
        with ZipFile(file) as opened:
            sizes = [member.file_size for member in opened.infolist()]
            assert sizes == [len(piece) * pieces, 5]
            assert opened.infolist()[1].header_offset > 2**32
            assert opened.read("last.txt") == b"alpha"


ZEROS = bytes(1024 * 1024)


class Sparse:
    """Skips zeros instead of writing them."""

    def __init__(self, file: io.BufferedRandom) -> None:
        self.file = file

    def write(self, chunk: bytes) -> None:
        if chunk != ZEROS[: len(chunk)]:
            self.file.write(chunk)
        else:
            self.file.seek(len(chunk), io.SEEK_CUR)


def test_names_that_clash_are_numbered_whatever_their_case() -> None:
    sources = [source(name) for name in ("a.txt", "A.TXT", "a.txt", "a (2).txt")]

    names = list(member_names(sources))

    assert names[0] == "a.txt"
    assert len({name.casefold() for name in names}) == 4


def test_many_equal_names_take_no_time_to_speak_of() -> None:
    names = list(member_names(source("same.txt") for _ in range(20_000)))

    assert len(set(names)) == 20_000


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("/", "file"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\nc.txt", "abc.txt"),
        ("\u202etxt.exe", "txt.exe"),
        ("e\u0301.txt", "\u00e9.txt"),
        ('what?<is>"this"|*:.txt', "what__is__this____.txt"),
        (" spaced .txt ", "spaced.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_a_safe_name(given: str, safe: str) -> None:
    assert safe_name(given) == safe


@pytest.mark.parametrize("name", ["x" * 500 + ".pdf", "\u00e9" * 500 + ".pdf", "a." + "b" * 500])
def test_a_long_name_is_cut_and_keeps_its_suffix(name: str) -> None:
    safe = safe_name(name)

    assert len(safe.encode()) <= MAX_NAME_BYTES
    assert safe.endswith(".pdf") == name.endswith(".pdf")
