"""`downloads delete` and `downloads restore`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.fake import JOB_ID, Fake, json_response, problem
from tests.client.test_program import MODULE, login, run

URL, DELETION = "/v1/deletions", "5b0c3a4e-0f6f-4a0c-8a52-3a0d7c1f9e11"
UNDO = f"{URL}/{DELETION}/undo"


def deleted(count: int, **skipped: str) -> dict[str, Any]:
    return {
        "deletionId": DELETION if count else None,
        "deleted": count,
        "skipped": [{"id": name, "reason": reason} for name, reason in skipped.items()],
        "undoUntil": "2026-12-01T07:30:10Z" if count else None,
        "undoUrl": UNDO if count else None,
    }


def call(fake: Fake, tmp_path: Path, *arguments: str) -> Any:
    return run(MODULE, *arguments, *login(fake), folder=tmp_path)


def test_jobs_files_and_expired_ones_are_deleted(fake: Fake, tmp_path: Path) -> None:
    fake.on(URL, json_response(deleted(1)), json_response(deleted(2)), json_response(deleted(40)))

    done = call(fake, tmp_path, "delete", JOB_ID, "70000", "70001", "--expired")

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [DELETION] * 3
    assert "Deleted 43." in done.stderr
    assert [json.loads(request.body) for request in fake.to(URL)] == [
        {"jobIds": [JOB_ID]},
        {"fileIds": [70000, 70001]},
        {"expired": True},
    ]


def test_what_was_not_deleted_is_said(fake: Fake, tmp_path: Path) -> None:
    fake.on(URL, json_response(deleted(0, **{JOB_ID: "needed"})))

    done = call(fake, tmp_path, "delete", JOB_ID)

    assert (done.returncode, done.stdout) == (3, "")
    assert f"Not deleted: {JOB_ID} (needed by a download in progress)." in done.stderr


def test_json_has_what_the_service_sent(fake: Fake, tmp_path: Path) -> None:
    fake.on(URL, json_response(deleted(1)))

    body = json.loads(call(fake, tmp_path, "delete", JOB_ID, "--json").stdout)

    assert (body["exitCode"], body["deletions"]) == (0, [deleted(1)])


@pytest.mark.parametrize("items", [[], ["x"], ["70"], [JOB_ID, "report.pdf"]])
def test_nothing_is_sent_for_a_wrong_item(fake: Fake, tmp_path: Path, items: list[str]) -> None:
    done = call(fake, tmp_path, "delete", *items)

    assert done.returncode == 2
    assert not fake.requests


def test_a_deletion_is_undone(fake: Fake, tmp_path: Path) -> None:
    fake.on(UNDO, json_response({"restored": 3}))

    done = call(fake, tmp_path, "restore", DELETION)

    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr


def test_a_late_undo_says_so(fake: Fake, tmp_path: Path) -> None:
    fake.on(UNDO, problem(404, "not_found", "There is nothing to restore: it is too late."))

    done = call(fake, tmp_path, "restore", DELETION)

    assert (done.returncode, done.stdout) == (6, "")
    assert "too late" in done.stderr
