"""Arguments and their requests, destinations, speed and formatting: no server needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from downloads_client import formatting
from downloads_client.destination import Destination
from downloads_client.download_request import ExistingDownload, parse_download_request
from downloads_client.failures import NotWritten, UsageError
from downloads_client.new_download import NewDownload
from downloads_client.options import OptionValues
from downloads_client.speed import SpeedMeter
from tests.client.fake import JOB_ID

ID = UUID(JOB_ID)
NOBODY = 65_534


def test_numbers_request_a_bundle_without_duplicates() -> None:
    request = parse_download_request(["70000", "70001", "70000"], {"name": "Contracts"})

    assert isinstance(request, NewDownload)
    assert request.path == "v1/download/initiate"
    assert request.body == {"file_ids": [70000, 70001], "name": "Contracts"}
    assert request.summary == "2 files"


OTHER_ID = "1b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"


@pytest.mark.parametrize(
    ("given", "body", "what"),
    [
        ([JOB_ID], {"job_ids": [JOB_ID]}, "the results of 1 download"),
        (
            [JOB_ID, OTHER_ID, JOB_ID.upper()],
            {"job_ids": [JOB_ID, OTHER_ID]},
            "the results of 2 downloads",
        ),
        (
            ["70000", JOB_ID, "70001", "70000"],
            {"file_ids": [70000, 70001], "job_ids": [JOB_ID]},
            "2 files and the results of 1 download",
        ),
    ],
)
def test_ids_with_the_option_bundle_request_a_bundle_of_their_files(
    given: list[str], body: dict[str, Any], what: str
) -> None:
    request = parse_download_request(given, {"name": "Both", "bundle": True, "priority": 7})

    assert isinstance(request, NewDownload)
    assert request.path == "v1/download/initiate"
    assert request.body == body | {"name": "Both", "priority": 7}
    assert request.summary == what


def test_numbers_are_a_bundle_with_or_without_the_option() -> None:
    request = parse_download_request(["70000"], {"bundle": True})

    assert isinstance(request, NewDownload)
    assert request.body == {"file_ids": [70000]}


def test_an_id_requests_an_existing_download() -> None:
    assert parse_download_request([JOB_ID.upper()]) == ExistingDownload(ID)


def test_a_link_requests_its_file() -> None:
    url = "HTTPS://data.example:8443/a.csv?token=secret"

    plain = parse_download_request([url])
    said = parse_download_request([url], {"name": "Ours.csv", "threads": 8, "sha256": "0" * 64})

    assert isinstance(plain, NewDownload)
    assert isinstance(said, NewDownload)
    assert (plain.path, plain.body) == ("downloads", {"url": url})
    assert plain.summary == "a file from data.example:8443"
    assert said.body == {"url": url, "output": "Ours.csv", "threads": 8, "sha256": "0" * 64}


def test_the_word_report_requests_a_report_of_the_given_days() -> None:
    usual = parse_download_request(["report"])
    week = parse_download_request(["report"], {"period": "7d", "format": "csv", "everybody": True})
    october = parse_download_request(
        ["report"], {"first_day": "2026-10-01", "last_day": "2026-10-31"}
    )

    assert isinstance(usual, NewDownload)
    assert isinstance(week, NewDownload)
    assert isinstance(october, NewDownload)
    assert (usual.path, usual.body, usual.summary) == ("reports", {}, "a report")
    assert week.body == {"period": "7d", "format": "csv", "everybody": True}
    assert october.body == {"from": "2026-10-01", "to": "2026-10-31"}


@pytest.mark.parametrize("given", ["70000", "https://data.example/a", "report"])
def test_every_new_download_takes_the_common_options(given: str) -> None:
    said = {
        "priority": 0,
        "run_at": "2026-11-23T06:00:00Z",
        "after": [JOB_ID],
        "email": False,
        "webhook": "https://hooks.example/x",
    }

    plain, with_terms = parse_download_request([given]), parse_download_request([given], said)

    assert isinstance(plain, NewDownload)
    assert isinstance(with_terms, NewDownload)
    assert with_terms.body == plain.body | {
        "priority": 0,
        "runAt": "2026-11-23T06:00:00Z",
        "after": [JOB_ID],
        "email": False,
        "webhook": "https://hooks.example/x",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 4},
        {"run_at": "2026-11-23T06:00:00Z"},
        {"after": [JOB_ID]},
        {"email": False},
        {"webhook": "https://hooks.example/x"},
    ],
)
def test_an_existing_download_takes_no_options_of_new_ones(options: OptionValues) -> None:
    with pytest.raises(UsageError, match="need a new download"):
        parse_download_request([JOB_ID], options)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://me:secret@data.example/a", "a file from data.example"),
        ("http://data.example?secret", "a file from data.example"),
        ("http://a\x1b[2J/", "a file from a�[2J"),
        ("http://[::1]/", "a file from [::1]"),
        ("http://", "a file from "),
    ],
)
def test_of_a_link_only_the_host_is_shown(url: str, what: str) -> None:
    request = parse_download_request([url])

    assert isinstance(request, NewDownload)
    assert request.summary == what


NAMED, FOUR, EXPECTED = {"name": "own"}, {"threads": 4}, {"sha256": "0" * 64}
WEEK, ALL, AS_CSV = {"period": "7d"}, {"everybody": True}, {"format": "csv"}
TOGETHER = {"bundle": True}
OCTOBER = {"first_day": "2026-10-01", "last_day": "2026-10-31"}


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        (["70000", "x\x1b[2J"], {}, "'x�\\[2J' is not a file number"),
        (["7" * 30], {}, "not a file number|too"),
        (["-5"], {}, "is not a file number"),
        (["٧٠٠٠٠"], {}, "is not a file number"),
        (["ftp://data.example/a.zip"], {}, "is not a file number.* one link"),
        (["https://data.example/a.zip", "70000"], {}, "is not a file number"),
        (["https://data.example/a", "https://data.example/b"], {}, "one link at a time"),
        ([JOB_ID, JOB_ID], {}, "one download ID at a time, or --bundle"),
        ([JOB_ID, "70000"], {}, "one download ID at a time, or --bundle"),
        ([JOB_ID, "https://data.example/a"], {}, "'https://data.example/a' is not a file"),
        ([JOB_ID, "x", "70000"], TOGETHER, "'x' is not a file number"),
        (["https://data.example/a"], TOGETHER, "--bundle needs file"),
        (["report"], TOGETHER, "--bundle needs file"),
        ([JOB_ID], {"bundle": True, "threads": 4}, "need a new link"),
        ([JOB_ID], NAMED, "--name works for new"),
        ([JOB_ID], FOUR, "need a new link"),
        ([JOB_ID], EXPECTED, "need a new link"),
        (["70000"], FOUR, "need a new link"),
        (["70000"], EXPECTED, "need a new link"),
        (["report"], FOUR, "need a new link"),
        (["report"], NAMED, "not for reports"),
        (["report", "70000"], {}, "a report alone"),
        (["70000"], WEEK, "need a report"),
        (["https://data.example/a"], ALL, "need a report"),
        ([JOB_ID], AS_CSV, "need a report"),
        (["70000"], OCTOBER, "need a report"),
    ],
)
def test_invalid_arguments_are_a_clear_usage_error(
    given: list[str], options: OptionValues, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_download_request(given, options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"period": "7"}, "such as 7d"),
        ({"period": "a week"}, "such as 7d"),
        ({"format": "xls"}, "pdf, csv or json"),
        ({"first_day": "2026-10-01"}, "--from and --to together"),
        ({"last_day": "2026-10-31"}, "--from and --to together"),
        ({"first_day": "1 October", "last_day": "2026-10-31"}, "such as 2026-10-31"),
        ({"first_day": "2026-10-01", "last_day": "2026-10-32"}, "such as 2026-10-31"),
        ({"period": "7d", "first_day": "2026-10-01", "last_day": "2026-10-31"}, "either --period"),
        ({"run_at": "06:00"}, "a time with a time zone"),
        ({"run_at": "2026-11-23T06:00:00"}, "a time with a time zone"),
        ({"after": [JOB_ID, "70000"]}, "--after needs"),
        ({"webhook": "hooks.example"}, "--webhook needs a URL"),
    ],
)
def test_an_invalid_option_is_a_clear_usage_error(options: OptionValues, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_download_request(["report"], options)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("2 files.zip", "2 files.zip"),
        ("../../etc/cron.d/x", "x"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("", "file"),
        ("-rf", "_-rf"),
        (".con", "_con"),
        ("a\x1b[2Jb\n.zip", "a_[2Jb_.zip"),
        ("‮piz.exe", "piz.exe"),
        ("Verträge.zip", "Verträge.zip"),
    ],
)
def test_a_name_from_the_service_stays_in_the_folder(tmp_path: Path, name: str, kept: str) -> None:
    destination = Destination(str(tmp_path), force=False)

    assert destination.path(name) == tmp_path / kept


def test_the_longest_name_leaves_room_for_the_partial_files_suffix(tmp_path: Path) -> None:
    destination = Destination(str(tmp_path), force=False)

    part = destination.partial_path(destination.path("ä" * 500 + ".zip"), ID, "0" * 64)

    assert len(os.fsencode(part.name)) <= 255
    part.touch()


def test_the_longest_name_given_as_output_does_too(tmp_path: Path) -> None:
    destination = Destination(f"{tmp_path}/{'ä' * 127}", force=False)
    assert destination.file

    destination.partial_path(destination.file, ID, "0" * 64).touch()


@pytest.mark.parametrize(
    ("output", "folder", "file"),
    [
        (".", ".", None),
        ("new/", "new", None),
        ("there", "there", None),
        ("a.zip", ".", "a.zip"),
        ("new/a.zip", "new", "new/a.zip"),
    ],
)
def test_output_is_a_folder_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, folder: str, file: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()

    destination = Destination(output, force=False)
    destination.prepare()

    assert destination.folder == Path(folder)
    assert destination.folder.is_dir()
    assert destination.file == (Path(file) if file else None)


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write, not even root: it is somebody else meanwhile."""
    folder = tmp_path / "forbidden"
    folder.mkdir(mode=0o500)
    us = os.getresuid()
    if os.geteuid() == 0:
        os.setresuid(NOBODY, NOBODY, 0)
    yield folder
    os.setresuid(*us)


@pytest.mark.parametrize("output", ["", "/", "/a.zip", "/a/b.zip"])
def test_a_folder_without_permission_fails_before_a_job_is_created(
    forbidden: Path, output: str
) -> None:
    with pytest.raises(NotWritten, match=r"no permission|Permission denied"):
        Destination(f"{forbidden}{output}", force=False).prepare()


def test_a_file_in_place_of_a_folder_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(NotWritten, match="could not be written"):
        Destination(f"{tmp_path}/a/b.zip", force=False).prepare()


def test_a_dangling_link_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "a.zip").symlink_to("nowhere")

    with pytest.raises(NotWritten, match=r"exists\. Use --force"):
        Destination(f"{tmp_path}/", force=False).check_overwrite(tmp_path / "a.zip")

    Destination(f"{tmp_path}/", force=True).check_overwrite(tmp_path / "a.zip")


def test_a_device_is_not_overwritten_even_by_force(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="is not a regular file"):
        Destination("/dev/null", force=True).check_overwrite(Path("/dev/null"))


def test_a_partial_file_of_other_bytes_of_the_same_job_is_deleted(tmp_path: Path) -> None:
    destination = Destination(f"{tmp_path}/", force=False)
    path, other = tmp_path / "a [1].zip", UUID(int=7)
    old, foreign = (
        destination.partial_path(path, ID, "1" * 64),
        destination.partial_path(path, other, "1" * 64),
    )
    old.touch()
    foreign.touch()

    new = destination.partial_path(path, ID, "2" * 64)

    assert new != old
    assert not old.exists()
    assert foreign.exists()


def test_too_little_space_fails_before_the_fetch(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match=r"not enough free space: 1,000\.0 PB are needed"):
        Destination(f"{tmp_path}/", force=False).check_free_space(10**18)


def test_speed_is_smoothed_and_the_time_left_follows_it() -> None:
    meter = SpeedMeter(0, now=0)
    assert meter.seconds_left(100) is None
    for second in range(1, 11):
        meter.update(second * 1000, second)
    assert meter.per_second == pytest.approx(1000)

    meter.update(10_000 + 5000, 11)  # one jump does not make it five times as fast

    assert meter.per_second == pytest.approx(1725, abs=5)
    assert meter.seconds_left(17_250) == pytest.approx(10, abs=0.1)


def test_the_speed_falls_while_nothing_moves() -> None:
    meter = SpeedMeter(0, now=0)
    meter.update(1000, 1)
    for second in range(2, 60):
        meter.update(1000, second)

    assert meter.seconds_left(1000) is None


def test_samples_close_together_are_merged() -> None:
    meter = SpeedMeter(0, now=0)
    for n in range(1, 100):
        meter.update(n * 10, n * 0.01)

    assert meter.per_second == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (0.1, "0:01"), (61, "1:01"), (3723, "1:02:03")]
)
def test_a_clock_is_short(seconds: float, text: str) -> None:
    assert formatting.format_clock(seconds) == text


@pytest.mark.parametrize(
    ("others", "at", "text"),
    [
        (1, None, "Depends on 1 download"),
        (1200, None, "Depends on 1,200 downloads"),
        (0, datetime(2026, 11, 3, 6, 5, tzinfo=UTC), "Starts at 06:05 on 3 November (UTC)"),
        (2, datetime(2026, 11, 23, 6, tzinfo=UTC),
         "Depends on 2 downloads; not before 06:00 on 23 November (UTC)"),
        (0, None, ""),
    ],
)  # fmt: skip
def test_a_wait_is_one_sentence(others: int, at: datetime | None, text: str) -> None:
    assert formatting.format_waiting(others, at) == text
