"""`make_bucket` lets pages of CORS_ALLOWED_ORIGINS read presigned URLs."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from jobs import storage
from jobs.storage import cors_rules

APP = "https://app.example.com"
OTHERS = {"AllowedOrigins": ["https://other.example"], "AllowedMethods": ["PUT"], "ID": "theirs"}


@pytest.fixture(autouse=True)
def no_rules(bucket: Any, settings: Any) -> Any:
    settings.CORS_ALLOWED_ORIGINS = [APP]
    yield
    storage.bucket().client.delete_bucket_cors(Bucket=storage.bucket().bucket_name)


def rules() -> list[dict[str, Any]]:
    found = storage.bucket().client.get_bucket_cors(Bucket=storage.bucket().bucket_name)
    return list(found["CORSRules"])


def read(origin: str, **headers: str) -> requests.Response:
    url = storage.bucket().url(storage.bucket().save("a.txt", ContentFile(b"hello")))
    return requests.get(url, headers={"Origin": origin} | headers, timeout=10)


def test_a_page_of_an_allowed_origin_can_read_the_bytes() -> None:
    call_command("make_bucket")

    response = read(APP, Range="bytes=1-2")

    assert (response.status_code, response.content) == (206, b"el")
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "Content-Range" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in read("https://evil.example").headers


def test_rules_of_others_stay_and_ours_is_written_once() -> None:
    client, name = storage.bucket().client, storage.bucket().bucket_name
    client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [OTHERS]})

    for _ in range(2):
        call_command("make_bucket")

    assert [rule["ID"] for rule in rules()] == ["theirs", "downloads-api"]


def test_without_origins_nothing_is_asked(settings: Any, monkeypatch: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = []
    monkeypatch.setattr(cors_rules, "_write", lambda origins: pytest.fail("it asked"))

    call_command("make_bucket")


@pytest.mark.parametrize("code", ["NotImplemented", "AccessDenied"])
def test_a_store_without_such_rules_is_no_failure(monkeypatch: Any, capsys: Any, code: str) -> None:
    refuse(monkeypatch, code)

    call_command("make_bucket")

    assert f"accepted no CORS rule ({code})" in capsys.readouterr().err


def test_another_refusal_is_one(monkeypatch: Any) -> None:
    refuse(monkeypatch, "InternalError")

    with pytest.raises(CommandError):
        call_command("make_bucket")


def refuse(monkeypatch: Any, code: str) -> None:
    def stored_rules() -> list[Any]:
        raise ClientError({"Error": {"Code": code}}, "GetBucketCors")

    monkeypatch.setattr(cors_rules, "_stored_rules", stored_rules)
