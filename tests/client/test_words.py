"""What was given, what it is called here, and how fast it goes: no server needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from downloads_client import formatting
from downloads_client.destination import Place
from downloads_client.errors import Misused, NotWritten
from downloads_client.options import Beside
from downloads_client.requests import Existing, New, file_ids_of, understood
from downloads_client.speed import Pace
from tests.client.fake import JOB_ID

ID = UUID(JOB_ID)
NOBODY = 65_534


def test_numbers_ask_for_a_bundle_each_once() -> None:
    wish = understood(["70000", "70001", "70000"], Beside("Contracts"))

    assert isinstance(wish, New)
    assert wish.path == "v1/download/initiate"
    assert wish.body == {"file_ids": [70000, 70001], "name": "Contracts"}
    assert file_ids_of(wish) == [70000, 70001]
    assert wish.what == "2 files"


OTHER_ID = "1b7a6f0e-6c1f-4a57-9f0f-0d9f6f2f3c55"


@pytest.mark.parametrize(
    ("given", "body", "what"),
    [
        ([JOB_ID], {"job_ids": [JOB_ID]}, "what 1 download made"),
        (
            [JOB_ID, OTHER_ID, JOB_ID.upper()],
            {"job_ids": [JOB_ID, OTHER_ID]},
            "what 2 downloads made",
        ),
        (
            ["70000", JOB_ID, "70001", "70000"],
            {"file_ids": [70000, 70001], "job_ids": [JOB_ID]},
            "2 files and what 1 download made",
        ),
    ],
)
def test_ids_ask_for_a_bundle_of_what_they_made_where_that_is_said(
    given: list[str], body: dict[str, Any], what: str
) -> None:
    wish = understood(given, Beside("Both", bundle=True, priority=7))

    assert isinstance(wish, New)
    assert wish.path == "v1/download/initiate"
    assert wish.body == body | {"name": "Both", "priority": 7}
    assert wish.what == what
    assert file_ids_of(wish) == []


def test_numbers_alone_are_a_bundle_whether_that_is_said_or_not() -> None:
    wish = understood(["70000"], Beside(bundle=True))

    assert isinstance(wish, New)
    assert wish.body == {"file_ids": [70000]}
    assert file_ids_of(wish) == [70000]


def test_an_id_follows_what_exists() -> None:
    assert understood([JOB_ID.upper()]) == Existing(ID)


def test_a_link_asks_for_what_it_leads_to() -> None:
    url = "HTTPS://data.example:8443/a.csv?token=secret"

    plain = understood([url])
    said = understood([url], Beside("Ours.csv", threads=8, sha256="0" * 64))

    assert isinstance(plain, New)
    assert isinstance(said, New)
    assert (plain.path, plain.body) == ("downloads", {"url": url})
    assert plain.what == "a file from data.example:8443"
    assert said.body == {"url": url, "output": "Ours.csv", "threads": 8, "sha256": "0" * 64}
    assert file_ids_of(said) == []


def test_the_word_report_asks_for_one_of_the_days_that_are_said() -> None:
    usual = understood(["report"])
    week = understood(["report"], Beside(period="7d", format="csv", everybody=True))
    october = understood(["report"], Beside(first_day="2026-10-01", last_day="2026-10-31"))

    assert isinstance(usual, New)
    assert isinstance(week, New)
    assert isinstance(october, New)
    assert (usual.path, usual.body, usual.what) == ("reports", {}, "a report")
    assert week.body == {"period": "7d", "format": "csv", "everybody": True}
    assert october.body == {"from": "2026-10-01", "to": "2026-10-31"}
    assert file_ids_of(usual) == []


@pytest.mark.parametrize("given", ["70000", "https://data.example/a", "report"])
def test_every_new_download_has_its_terms(given: str) -> None:
    said = Beside(
        priority=0,
        run_at="2026-11-23T06:00:00Z",
        after=[JOB_ID],
        email=False,
        webhook="https://hooks.example/x",
    )

    plain, told = understood([given]), understood([given], said)

    assert isinstance(plain, New)
    assert isinstance(told, New)
    assert told.body == plain.body | {
        "priority": 0,
        "runAt": "2026-11-23T06:00:00Z",
        "after": [JOB_ID],
        "email": False,
        "webhook": "https://hooks.example/x",
    }


@pytest.mark.parametrize(
    "beside",
    [
        Beside(priority=4),
        Beside(run_at="2026-11-23T06:00:00Z"),
        Beside(after=[JOB_ID]),
        Beside(email=False),
        Beside(webhook="https://hooks.example/x"),
    ],
)
def test_what_exists_takes_no_other_terms(beside: Beside) -> None:
    with pytest.raises(Misused, match="are for a new download"):
        understood([JOB_ID], beside)


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
    wish = understood([url])

    assert isinstance(wish, New)
    assert wish.what == what


MINE, FOUR, EXPECTED = Beside("mine"), Beside(threads=4), Beside(sha256="0" * 64)
WEEK, ALL, AS_CSV = Beside(period="7d"), Beside(everybody=True), Beside(format="csv")
TOGETHER = Beside(bundle=True)
OCTOBER = Beside(first_day="2026-10-01", last_day="2026-10-31")


@pytest.mark.parametrize(
    ("given", "beside", "sentence"),
    [
        (["70000", "x\x1b[2J"], Beside(), "'x�\\[2J' is no file number"),
        (["7" * 30], Beside(), "no file number|too"),
        (["-5"], Beside(), "is no file number"),
        (["٧٠٠٠٠"], Beside(), "is no file number"),
        (["ftp://data.example/a.zip"], Beside(), "is no file number.* one link"),
        (["https://data.example/a.zip", "70000"], Beside(), "is no file number"),
        (["https://data.example/a", "https://data.example/b"], Beside(), "one link at a time"),
        ([JOB_ID, JOB_ID], Beside(), "one download at a time, or --bundle"),
        ([JOB_ID, "70000"], Beside(), "one download at a time, or --bundle"),
        ([JOB_ID, "https://data.example/a"], Beside(), "'https://data.example/a' is no file"),
        ([JOB_ID, "x", "70000"], TOGETHER, "'x' is no file number"),
        (["https://data.example/a"], TOGETHER, "--bundle is for numbers"),
        (["report"], TOGETHER, "--bundle is for numbers"),
        ([JOB_ID], Beside(bundle=True, threads=4), "are for a new link"),
        ([JOB_ID], MINE, "--name is for a new download"),
        ([JOB_ID], FOUR, "are for a new link"),
        ([JOB_ID], EXPECTED, "are for a new link"),
        (["70000"], FOUR, "are for a new link"),
        (["70000"], EXPECTED, "are for a new link"),
        (["report"], FOUR, "are for a new link"),
        (["report"], MINE, "a report has its name"),
        (["report", "70000"], Beside(), "a report alone"),
        (["70000"], WEEK, "are for a report"),
        (["https://data.example/a"], ALL, "are for a report"),
        ([JOB_ID], AS_CSV, "are for a report"),
        (["70000"], OCTOBER, "are for a report"),
    ],
)
def test_what_is_neither_is_told_clearly(given: list[str], beside: Beside, sentence: str) -> None:
    with pytest.raises(Misused, match=sentence):
        understood(given, beside)


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        (Beside(period="7"), "as in 7d"),
        (Beside(period="a week"), "as in 7d"),
        (Beside(format="xls"), "pdf, csv or json"),
        (Beside(first_day="2026-10-01"), "come together"),
        (Beside(last_day="2026-10-31"), "come together"),
        (Beside(first_day="1 October", last_day="2026-10-31"), "as in 2026-10-31"),
        (Beside(first_day="2026-10-01", last_day="2026-10-32"), "as in 2026-10-31"),
        (Beside(period="7d", first_day="2026-10-01", last_day="2026-10-31"), "either --period"),
        (Beside(run_at="06:00"), "a time with its zone"),
        (Beside(run_at="2026-11-23T06:00:00"), "a time with its zone"),
        (Beside(after=[JOB_ID, "70000"]), "--after is the id"),
        (Beside(webhook="hooks.example"), "--webhook is an address"),
    ],
)
def test_what_an_option_cannot_mean_is_told_clearly(beside: Beside, sentence: str) -> None:
    with pytest.raises(Misused, match=sentence):
        understood(["report"], beside)


@pytest.mark.parametrize(
    ("told", "kept"),
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
def test_the_services_name_stays_in_the_folder(tmp_path: Path, told: str, kept: str) -> None:
    place = Place(str(tmp_path), force=False)

    assert place.path(told) == tmp_path / kept


def test_the_longest_name_leaves_room_for_the_part(tmp_path: Path) -> None:
    place = Place(str(tmp_path), force=False)

    part = place.part(place.path("ä" * 500 + ".zip"), ID, "0" * 64)

    assert len(os.fsencode(part.name)) <= 255
    part.touch()


def test_the_longest_name_of_ones_own_does_too(tmp_path: Path) -> None:
    place = Place(f"{tmp_path}/{'ä' * 127}", force=False)
    assert place.file

    place.part(place.file, ID, "0" * 64).touch()


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

    place = Place(output, force=False)
    place.prepare()

    assert place.folder == Path(folder)
    assert place.folder.is_dir()
    assert place.file == (Path(file) if file else None)


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
def test_a_folder_without_permission_is_told_before_anybody_works(
    forbidden: Path, output: str
) -> None:
    with pytest.raises(NotWritten, match=r"no permission|Permission denied"):
        Place(f"{forbidden}{output}", force=False).prepare()


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(NotWritten, match="cannot be written"):
        Place(f"{tmp_path}/a/b.zip", force=False).prepare()


def test_a_dangling_link_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "a.zip").symlink_to("nowhere")

    with pytest.raises(NotWritten, match=r"exists\. Give --force"):
        Place(f"{tmp_path}/", force=False).keep(tmp_path / "a.zip")

    Place(f"{tmp_path}/", force=True).keep(tmp_path / "a.zip")


def test_a_device_is_not_overwritten_even_by_force(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="is no ordinary file"):
        Place("/dev/null", force=True).keep(Path("/dev/null"))


def test_a_part_of_other_bytes_of_the_same_job_is_deleted(tmp_path: Path) -> None:
    place = Place(f"{tmp_path}/", force=False)
    path, other = tmp_path / "a [1].zip", UUID(int=7)
    old, foreign = place.part(path, ID, "1" * 64), place.part(path, other, "1" * 64)
    old.touch()
    foreign.touch()

    new = place.part(path, ID, "2" * 64)

    assert new != old
    assert not old.exists()
    assert foreign.exists()


def test_too_little_room_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match=r"not enough room: 1000000\.0 TB are needed"):
        Place(f"{tmp_path}/", force=False).have_room(10**18)


def test_speed_is_smoothed_and_the_time_left_follows_it() -> None:
    pace = Pace(0, now=0)
    assert pace.seconds_left(100) is None
    for second in range(1, 11):
        pace.note(second * 1000, second)
    assert pace.per_second == pytest.approx(1000)

    pace.note(10_000 + 5000, 11)  # one jump does not make it five times as fast

    assert pace.per_second == pytest.approx(1725, abs=5)
    assert pace.seconds_left(17_250) == pytest.approx(10, abs=0.1)


def test_what_stands_still_is_slower_and_slower() -> None:
    pace = Pace(0, now=0)
    pace.note(1000, 1)
    for second in range(2, 60):
        pace.note(1000, second)

    assert pace.seconds_left(1000) is None


def test_looks_that_are_close_together_are_one() -> None:
    pace = Pace(0, now=0)
    for n in range(1, 100):
        pace.note(n * 10, n * 0.01)

    assert pace.per_second == pytest.approx(1000, rel=0.1)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (59_117_758, "59.1 MB"), (999_960, "1.0 MB"),
     (1e9, "1.0 GB"), (2.5e12, "2.5 TB")],
)  # fmt: skip
def test_sizes_are_decimal(count: float, text: str) -> None:
    assert formatting.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (0.1, "0:01"), (61, "1:01"), (3723, "1:02:03")]
)
def test_a_clock_is_short(seconds: float, text: str) -> None:
    assert formatting.clock(seconds) == text


@pytest.mark.parametrize(
    ("others", "at", "text"),
    [
        (1, None, "Waits for 1 other"),
        (1200, None, "Waits for 1,200 others"),
        (0, datetime(2026, 11, 3, 6, 5, tzinfo=UTC), "Starts at 06:05 on 3 November (UTC)"),
        (2, datetime(2026, 11, 23, 6, tzinfo=UTC),
         "Waits for 2 others, and for 06:00 on 23 November (UTC)"),
        (0, None, ""),
    ],
)  # fmt: skip
def test_a_wait_is_one_sentence(others: int, at: datetime | None, text: str) -> None:
    assert formatting.waiting(others, at) == text
