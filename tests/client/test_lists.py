"""`downloads files` and `downloads jobs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.fake import JOB_ID, Fake, job, json_response
from tests.client.test_program import MODULE, login, run

FILES = "/v1/files?limit=20"
FILE = {
    "fileId": 70000,
    "name": "report.pdf",
    "folder": "2026/March",
    "type": "application/pdf",
    "size": 14_200_000,
    "sha256": "9f" * 32,
    "createdAt": "2026-11-22T09:30:00Z",
    "expiresAt": None,
    "visibility": "public",
}


def page(*results: Any, next_page: str | None = None) -> dict[str, Any]:
    return {"results": list(results), "next": next_page, "previous": None}


def call(fake: Fake, tmp_path: Path, *arguments: str) -> Any:
    return run(MODULE, *arguments, *login(fake), folder=tmp_path)


def test_files_are_a_table(fake: Fake, tmp_path: Path) -> None:
    fake.on(FILES, json_response(page(FILE, FILE | {"fileId": 1_000_004, "folder": ""})))

    done = call(fake, tmp_path, "files")

    first, second = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert first.startswith("70000    14.2 MB  2026-11-22 ")
    assert first.endswith("  2026/March/report.pdf")
    assert second.startswith("1000004  14.2 MB")
    assert second.endswith("  report.pdf")


def test_filters_and_pages_reach_the_service(fake: Fake, tmp_path: Path) -> None:
    wanted = "/v1/files?search=a+b&type=image%2Fpng&folder=x&limit=2"
    following = f"https://downloads.example.org{wanted}&cursor=cD0%3D"
    fake.on(wanted, json_response(page(FILE, next_page=following)))
    fake.on(wanted.replace("limit=2", "limit=1") + "&cursor=cD0%3D", json_response(page(FILE)))

    done = call(
        fake, tmp_path, "files", "--search=a b", "--type=image/png", "--folder=x", "--limit=2"
    )

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr


def test_json_has_what_the_service_sent(fake: Fake, tmp_path: Path) -> None:
    fake.on(FILES, json_response(page(FILE)))

    body = json.loads(call(fake, tmp_path, "files", "--json").stdout)

    assert body == {
        "exitCode": 0,
        "results": [FILE],
        "more": False,
        "error": None,
        "errorCode": None,
    }


def test_more_is_said_on_stderr(fake: Fake, tmp_path: Path) -> None:
    following = "https://downloads.example.org/v1/download/jobs?cursor=x"
    fake.on("/v1/download/jobs?limit=1", json_response(page(job("failed"), next_page=following)))

    done = call(fake, tmp_path, "jobs", "--limit=1")

    assert done.stdout.split()[:3] == [JOB_ID, "failed", "bundle"]
    assert "There are more: see --limit." in done.stderr


def test_an_empty_list_is_no_failure(fake: Fake, tmp_path: Path) -> None:
    fake.on(FILES, json_response(page()))

    done = call(fake, tmp_path, "files")

    assert (done.returncode, done.stdout) == (0, "")


def test_names_cannot_control_the_terminal(fake: Fake, tmp_path: Path) -> None:
    fake.on(FILES, json_response(page(FILE | {"name": "a\x1b[31m\nb"})))

    assert "\x1b" not in call(fake, tmp_path, "files").stdout


@pytest.mark.parametrize("limit", ["0", "-1", "x", "100001"])
def test_a_wrong_limit_is_a_usage_error(fake: Fake, tmp_path: Path, limit: str) -> None:
    done = call(fake, tmp_path, "files", f"--limit={limit}", "--json")

    assert (done.returncode, json.loads(done.stdout)["errorCode"]) == (2, "usage")
    assert not fake.requests


def test_another_answer_is_not_from_the_service(fake: Fake, tmp_path: Path) -> None:
    fake.on(FILES, json_response({"results": [{"name": 7}]}))

    done = call(fake, tmp_path, "files")

    assert done.returncode == 4
    assert "not from the service" in done.stderr
