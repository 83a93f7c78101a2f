"""The client authenticates with an API key in the environment, for a service that is named."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest

from downloads_client.failures import RequestRefused, UsageError
from downloads_client.login import API_KEY, Login, find_login
from downloads_client.retry import Retry
from downloads_client.service import Service
from tests.client.fake import JOB_ID, STATUS, Fake, job, json_response, problem
from tests.client.terminal import environment, run

KEY = "dlk_" + "a1B" * 12
SITE = "https://downloads.example.org"
LOCAL = {"url": "http://127.0.0.1:8000", "user": "demo", "password": "of demo"}


@pytest.fixture
def run_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(API_KEY, KEY)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(LOCAL))
    return path


def test_the_key_is_for_a_service_that_is_named(run_json: Path) -> None:
    assert find_login(SITE, "", run_json, from_stdin=False) == Login(SITE, "", "", KEY)


def test_the_key_is_not_sent_to_the_service_of_make_run(run_json: Path) -> None:
    login = find_login("", "", run_json, from_stdin=False)

    assert login == Login(LOCAL["url"], "demo", "of demo")


def test_a_user_replaces_the_key(run_json: Path) -> None:
    login = find_login(LOCAL["url"], "demo", run_json, from_stdin=False)

    assert (login.password, login.api_key) == ("of demo", "")


@pytest.mark.parametrize("key", ["dlk_a b", "dlk_\n", "dlk_ä"])
def test_a_key_that_fits_in_no_header_is_refused(
    run_json: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(API_KEY, f"{key}x")

    with pytest.raises(UsageError, match="DOWNLOADS_API_KEY is not an API key"):
        find_login(SITE, "", run_json, from_stdin=False)


def service(fake: Fake) -> Service:
    return Service(Login(fake.url, "", "", KEY), lambda: Retry(0, lambda *_: None))


def test_the_key_is_sent_in_place_of_a_token(fake: Fake) -> None:
    fake.on(STATUS, json_response(job()))

    service(fake).get(UUID(JOB_ID))

    (request,) = fake.requests
    assert request.headers["Authorization"] == f"Bearer {KEY}"


def test_a_refused_key_is_not_sent_again(fake: Fake) -> None:
    fake.on(STATUS, problem(401, "key_not_valid", "The API key was revoked."))

    with pytest.raises(RequestRefused, match="The API key was revoked"):
        service(fake).get(UUID(JOB_ID))

    assert len(fake.requests) == 1


def test_the_program_downloads_with_a_key(fake: Fake, tmp_path: Path) -> None:
    fake.offer(b"content")

    done = run(
        JOB_ID, f"--service={fake.url}", f"--output={tmp_path}/", env=environment(**{API_KEY: KEY})
    )

    assert done.returncode == 0, done.stderr
    sent = {request.headers.get("Authorization") for request in fake.requests}
    assert sent == {f"Bearer {KEY}", None}  # nothing to the file store
    assert KEY not in done.stdout + done.stderr
