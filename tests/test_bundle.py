"""Kind `bundle`: the builder alone, with a workspace in memory."""

from __future__ import annotations

import io
import shutil
import subprocess
import unicodedata
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from jobs.errors import Interrupted, SourceChanged, SourceMissing
from jobs.kinds.archive.build import BundleParams, build_zip
from jobs.kinds.archive.member_names import zip_member_names
from jobs.lib.names import MAX_NAME_BYTES, safe_name, split_name
from jobs.testing import MemoryWorkspace
from jobs.workspace import Source

FILES = {
    "a.txt": b"alpha",
    "b.bin": bytes(range(256)) * 8_192,
    "nothing": b"",
    "Größe.pdf": b"%PDF",
}


def workspace(contents: dict[str, bytes] = FILES) -> MemoryWorkspace:
    return MemoryWorkspace(sources=contents)


def source(name: str, content: bytes = b"", key: str = "") -> Source:
    at = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    return Source(
        label="File 70000",
        key=key or name,
        name=name,
        size_bytes=len(content),
        crc32=zlib.crc32(content),
        made_at=at,
    )


@pytest.fixture
def archive() -> bytes:
    work = workspace()
    build_zip(BundleParams(tuple(source(name, content) for name, content in FILES.items())), work)
    return work.content


def test_the_archive_has_each_file_in_the_requested_order(archive: bytes) -> None:
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


def test_two_attempts_create_the_same_bytes(archive: bytes) -> None:
    work = workspace()

    build_zip(BundleParams(tuple(source(name, content) for name, content in FILES.items())), work)

    assert work.content == archive


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
    """Runs only if Java is installed; the test of data descriptors above always does."""
    (tmp_path / "Read.java").write_text(JAVA)
    (tmp_path / "a.zip").write_bytes(archive)

    for java in filter(None, [shutil.which("java")]):
        call = [java, tmp_path / "Read.java", tmp_path / "a.zip"]
        done = subprocess.run(call, capture_output=True, text=True)

        assert done.returncode == 0, done.stderr
        assert f"b.bin {len(FILES['b.bin'])}" in done.stdout


def test_the_message_names_the_file_that_is_added() -> None:
    work = workspace()

    build_zip(BundleParams((source("a.txt", b"alpha"), source("nothing"))), work)

    assert work.messages == ["Adding 1 of 2: a.txt", "Adding 2 of 2: nothing"]


def test_a_missing_source_fails_the_attempt() -> None:
    with pytest.raises(SourceMissing):
        build_zip(BundleParams((source("a.txt", b"alpha"),)), workspace({}))


@pytest.mark.parametrize("content", [b"alphA", b"alpha!", b"alph", b""])
def test_a_changed_source_fails_the_attempt(content: bytes) -> None:
    with pytest.raises(SourceChanged):
        build_zip(BundleParams((source("a.txt", b"alpha"),)), workspace({"a.txt": content}))


def test_an_interrupt_passes_through_the_builder() -> None:
    class Stopped(MemoryWorkspace):
        def chunks(self, source: Source) -> Iterator[bytes]:
            yield b"al"
            raise Interrupted(timed_out=False)

    with pytest.raises(Interrupted):
        build_zip(BundleParams((source("a.txt", b"alpha"),)), Stopped())


@pytest.mark.slow
def test_an_archive_over_4_gib_is_valid(tmp_path: Path) -> None:
    """ZIP64: sizes and offsets over 32 bits. The bytes are zeros, written to a sparse file."""
    piece, pieces = bytes(64 * 1024 * 1024), 68
    crc = 0
    for _ in range(pieces):
        crc = zlib.crc32(piece, crc)
    big = Source(
        key="big",
        name="big.bin",
        size_bytes=len(piece) * pieces,
        crc32=crc,
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    class Big(MemoryWorkspace):
        def chunks(self, source: Source) -> Iterator[bytes]:
            if source.key == "big":
                yield from (piece for _ in range(pieces))
            else:
                yield b"alpha"

        @property
        def output(self) -> Sparse:  # type: ignore[override]
            return sparse

    with (tmp_path / "big.zip").open("wb+") as file:
        sparse = Sparse(file)
        build_zip(BundleParams((big, source("last.txt", b"alpha"))), Big())
        file.truncate()
        with ZipFile(file) as opened:
            sizes = [member.file_size for member in opened.infolist()]
            assert sizes == [len(piece) * pieces, 5]
            assert opened.infolist()[1].header_offset > 2**32
            assert opened.read("last.txt") == b"alpha"


@pytest.mark.slow
def test_an_archive_can_have_more_than_65535_members() -> None:
    sources = tuple(source(f"{number}.txt", key="nothing") for number in range(2**16 + 3))
    work = workspace()

    build_zip(BundleParams(sources), work)

    with ZipFile(io.BytesIO(work.content)) as opened:
        assert len(opened.infolist()) == len(sources)
        assert opened.namelist()[-1] == f"{2**16 + 2}.txt"


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

    names = list(zip_member_names(sources))

    assert names[0] == "a.txt"
    assert len({name.casefold() for name in names}) == 4


def test_names_that_some_system_considers_equal_are_numbered() -> None:
    given = ["\u00e9.tar.gz", "e\u0301.tar.gz", "\u00c9.TAR.GZ", "con", "_CON", "a\u200db", "ab"]

    names = list(zip_member_names(source(name) for name in given))

    assert names == [
        *["\u00e9.tar.gz", "\u00e9 (2).tar.gz", "\u00c9 (3).TAR.GZ"],
        *["_con", "_CON (2)", "a\u200db", "ab (2)"],
    ]


def test_many_equal_names_take_little_time() -> None:
    names = list(zip_member_names(source("same.txt") for _ in range(20_000)))

    assert len(set(names)) == 20_000


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("/", "file"),
        ("..", "file"),
        ("", "file"),
        ("a\x00b\nc.txt", "a_b_c.txt"),
        ("a.txt\x00", "a.txt"),
        ("a\x85b\u2028c\ufffe.txt", "a_b_c_.txt"),
        ("\u202etxt.exe", "txt.exe"),
        ("e\u0301.txt", "\u00e9.txt"),
        ('what?<is>"this"|*:.txt', "what__is__this____.txt"),
        (" spaced .txt ", "spaced .txt"),
        ("\ud800.txt", "_.txt"),
        ("a.txt. . ", "a.txt"),
        ("a.txt\u200b", "a.txt"),
        ("\u2066a\u2069\u061c.txt", "a.txt"),
        *[(name, f"_{name}") for name in ("CON", "aux.txt", "NUL.tar.gz", "COM\u00b9", "lpt0.x")],
        *[("prn .txt", "_prn .txt"), ("Con.", "_Con"), ("CONIN$", "_CONIN$"), ("nul:", "nul_")],
        ("con" + " " * 300 + "x", "_con"),
    ],
)
def test_a_safe_name(given: str, safe: str) -> None:
    assert safe_name(given) == safe


@pytest.mark.parametrize(
    "name",
    [
        *[".gitignore", "..hidden", "console.txt", "com10.txt", "icon", "a .txt", "a..txt"],
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt",  # Persian, with a ZWNJ
        "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",  # a family
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire, without a suffix
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # of England
        "\U0001fae9.txt",  # an emoji of Unicode 16, which this Python does not know
        "\uf8ff.txt",  # of private use: Apple's logo
        "so\u00adft\u2060.txt",
    ],
)
def test_a_portable_name_is_kept(name: str) -> None:
    assert safe_name(name) == name
    assert list(zip_member_names([source(name)])) == [name]


@pytest.mark.parametrize(
    "character",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f1e9\U0001f1ea",
        "\U0001f44d\U0001f3fd",
        "g\u0308\u0323",
        "\u0915\u094d\u0937\u093f",
        "\u1112\u119e\u11ab",  # Hangul that does not compose
    ],
)
def test_a_long_name_is_cut_between_characters(character: str) -> None:
    character = unicodedata.normalize("NFC", character)

    for before in range(len(character.encode())):
        stem, suffix = split_name(safe_name("x" * before + character * 100 + ".tar.gz"))
        assert suffix == ".tar.gz"
        assert stem == "x" * before + character * stem.count(character)
        assert len(f"{stem}{character}{suffix}".encode()) > MAX_NAME_BYTES


def test_a_too_long_grapheme_is_cut() -> None:
    assert safe_name("a" + "\u0323" * 500 + ".txt") == "\u1ea1" + "\u0323" * 86 + ".txt"


@pytest.mark.parametrize("name", ["x" * 500 + ".pdf", "\u00e9" * 500 + ".pdf", "a." + "b" * 500])
def test_a_long_name_is_cut_and_keeps_its_suffix(name: str) -> None:
    safe = safe_name(name)

    assert len(safe.encode()) <= MAX_NAME_BYTES
    assert safe.endswith(".pdf") == name.endswith(".pdf")
