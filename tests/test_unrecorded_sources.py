"""Zips of files whose size or CRC-32 nobody recorded: the builder, and one attempt."""

from __future__ import annotations

import io
import shutil
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from jobs import storage
from jobs.engine.attempt import Attempt
from jobs.engine.heartbeat import Heartbeat
from jobs.errors import ArchiveTooLarge, BucketMissing, NoRoom, SourceChanged, SourceMissing
from jobs.kinds import Bundle
from jobs.kinds.archive.build import MAX_HELD_BYTES, BundleParams, build_zip
from jobs.models import DownloadJob
from jobs.testing import MemoryWorkspace
from jobs.workspace import Source

SMALL, LARGE = b"alpha", bytes(range(256)) * (MAX_HELD_BYTES // 256) + b"!"


def source(name: str, **known: Any) -> Source:
    return Source(key=name, name=name, **known)


def zipped(contents: dict[str, bytes], *sources: Source) -> MemoryWorkspace:
    work = MemoryWorkspace(kind=Bundle, sources=contents)
    build_zip(BundleParams(sources or tuple(map(source, contents)), is_measured=False), work)
    return work


@pytest.fixture(scope="module")
def archive() -> bytes:
    """Return a zip of all combinations."""
    contents = {"empty": b"", "small": SMALL, "large": LARGE, "recorded": LARGE}
    recorded = source("recorded", size_bytes=len(LARGE), crc32=zlib.crc32(LARGE))
    sources = [source("empty"), source("small"), source("large"), recorded]
    return zipped(contents, *sources).content


def test_every_file_is_whole(archive: bytes) -> None:
    with ZipFile(io.BytesIO(archive)) as opened:
        assert opened.read("empty") == b""
        assert opened.read("small") == SMALL
        assert opened.read("large") == opened.read("recorded") == LARGE


def test_only_a_large_file_has_its_crc_behind_its_bytes(archive: bytes) -> None:
    """Readers that take the file as a stream need both first, or a deflated member."""
    with ZipFile(io.BytesIO(archive)) as opened:
        found = {each.filename: each for each in opened.infolist()}

    has_descriptor = {name: bool(each.flag_bits & 0b1000) for name, each in found.items()}
    assert has_descriptor == {"empty": False, "small": False, "large": True, "recorded": False}
    assert found["large"].compress_type == ZIP_DEFLATED
    assert found["large"].compress_size < len(LARGE) * 1.001
    assert {found[name].compress_type for name in ("empty", "small", "recorded")} == {ZIP_STORED}


@pytest.mark.parametrize("program", [["unzip", "-tq"], ["bsdtar", "-xOf"]])
def test_a_program_reads_it(archive: bytes, tmp_path: Path, program: list[str]) -> None:
    if not shutil.which(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    (tmp_path / "a.zip").write_bytes(archive)

    done = subprocess.run([*program, tmp_path / "a.zip"], capture_output=True)

    assert done.returncode == 0, done.stderr


def test_a_reader_of_streams_finds_each_member(archive: bytes) -> None:
    """`funzip` and Java read the local headers, from the beginning to the end."""
    offset, names = 0, []
    while archive[offset : offset + 4] == b"PK\x03\x04":
        flags = int.from_bytes(archive[offset + 6 : offset + 8], "little")
        n_name = int.from_bytes(archive[offset + 26 : offset + 28], "little")
        n_extra = int.from_bytes(archive[offset + 28 : offset + 30], "little")
        names.append(archive[offset + 30 : offset + 30 + n_name].decode())
        data = offset + 30 + n_name + n_extra
        if flags & 0b1000:
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            content = inflate.decompress(archive[data:])
            rest = inflate.unused_data
            sizes = [int.from_bytes(rest[n : n + 4], "little") for n in (4, 12)]
            assert rest[:4] == b"PK\x07\x08"
            assert sizes == [zlib.crc32(content), len(content)]
            offset = len(archive) - len(rest) + 16  # signature, CRC and sizes of 32 bits
        else:
            extra = archive[data - n_extra : data]
            offset = data + int.from_bytes(extra[4:12], "little")
    assert names == ["empty", "small", "large", "recorded"]


def test_the_total_is_known_before_the_first_byte() -> None:
    work = zipped({"a": SMALL, "b": LARGE})

    first, total, unit = work.progress[0]
    assert (first, total, unit) == (len(SMALL), len(SMALL) + len(LARGE), "bytes")


@pytest.mark.parametrize("size", [len(SMALL) - 1, len(SMALL) + 1, MAX_HELD_BYTES + 1])
@pytest.mark.parametrize("crc32", [None, zlib.crc32(SMALL)])
def test_a_file_of_another_size_than_recorded_has_changed(size: int, crc32: int | None) -> None:
    with pytest.raises(SourceChanged, match=r"^Invoice 7 has changed since it was stored\.$"):
        zipped({"a": SMALL}, source("a", size_bytes=size, crc32=crc32, label="Invoice 7"))


def test_a_file_with_another_crc_than_recorded_has_changed() -> None:
    with pytest.raises(SourceChanged, match=r"^a has changed since it was stored\.$"):
        zipped({"a": SMALL}, source("a", crc32=1))


def test_files_that_are_too_large_together_are_refused() -> None:
    sources = [source("a", size_bytes=3 * 2**40), source("b", size_bytes=3 * 2**40)]

    with pytest.raises(ArchiveTooLarge):
        zipped({}, *sources)


@pytest.mark.parametrize("year", [1, 1970, 1979, 2038, 2107, 9999])
def test_a_file_of_any_age_can_be_in_it(year: int) -> None:
    work = zipped({"a": SMALL}, source("a", made_at=datetime(year, 6, 1, tzinfo=UTC)))

    with ZipFile(io.BytesIO(work.content)) as opened:
        assert opened.infolist()[0].date_time[0] in (1980, 2038)


# One attempt


@pytest.fixture
def attempt(running_job: DownloadJob, bucket: Any) -> Attempt:
    DownloadJob.objects.filter(pk=running_job.pk).update(total=None)
    running_job.refresh_from_db()
    return Attempt(running_job, Mock(spec=Heartbeat), Bundle())


def stored(name: str, content: bytes, **known: Any) -> Source:
    made = Source(key=f"catalogue/unrecorded/{name}", name=name, **known)
    storage.bucket().objects.put(made.key, content, content_type="text/plain")
    return made


@pytest.mark.django_db(transaction=True)
def test_an_attempt_looks_up_what_is_unknown(attempt: Attempt) -> None:
    sources = [stored("a", SMALL), stored("b", SMALL, size_bytes=7), stored("c", b"")]

    measured = attempt.measured(sources)

    assert [source.size_bytes for source in measured] == [len(SMALL), 7, 0]
    assert measured[1] is sources[1]


@pytest.mark.django_db(transaction=True)
def test_an_attempt_makes_the_zip(attempt: Attempt, running_job: DownloadJob) -> None:
    build_zip(BundleParams((stored("a", SMALL), stored("b", LARGE)), is_measured=False), attempt)
    artifact = attempt.finish()

    with ZipFile(io.BytesIO(b"".join(storage.read_object(artifact.key)))) as opened:
        assert [opened.read(name) for name in ("a", "b")] == [SMALL, LARGE]
    running_job.refresh_from_db()
    assert running_job.total == len(SMALL) + len(LARGE)


@pytest.mark.django_db(transaction=True)
def test_the_quota_is_checked_before_the_first_byte(attempt: Attempt, settings: Any) -> None:
    settings.OWNER_STORAGE_BYTES = 7

    with pytest.raises(NoRoom):
        build_zip(
            BundleParams((stored("a", SMALL), stored("b", SMALL)), is_measured=False), attempt
        )

    assert attempt.leftovers() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [{}, {"size_bytes": 5}, {"size_bytes": 5, "crc32": 1}])
@pytest.mark.parametrize(
    ("other", "error", "sentence"),
    [
        ("", SourceMissing, "Invoice 7 could not be found."),
        ("none", BucketMissing, "Invoice 7 could not be found: its bucket does not exist."),
    ],
)
def test_a_missing_file_is_named(
    attempt: Attempt,
    known: dict[str, int],
    other: str,
    error: type[SourceMissing],
    sentence: str,
) -> None:
    missing = Source(key="raw/none", name="7.pdf", bucket=other, label="Invoice 7", **known)

    with pytest.raises(SourceMissing) as raised:
        build_zip(BundleParams((stored("a", SMALL), missing), is_measured=False), attempt)

    assert type(raised.value) is error
    assert (str(raised.value), raised.value.facts, raised.value.retryable) == (sentence, {}, False)
