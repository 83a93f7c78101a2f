"""Signatures are those of botocore, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.storage.signature import EMPTY_SHA256, SignedBucket, Signer, attachment_header

settings.register_profile("signatures", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("signatures")

ENDPOINTS = [
    "http://127.0.0.1:9000",
    "https://files.example.com",
    "https://Files.Example.com:443",
    "http://s3.example.com:80",
    "https://cdn.example.com/below/this",
    "https://cdn.example.com:8443/below/",
    "http://[::1]:9000",
]
KEYS = [
    "results/4fd2/1/3 files.zip",
    "raw/é/Größe 日本.pdf",
    "a+b%20?#&=~'()*!@:;,$[]",
    "a//b",
    "/leading",
    "./a/../b/",
    "line\nbreak\ttab",
    "\u202e\U0001f600",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TOKENS = [None, "token/with+signs=="]
TIMES = st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2099, 1, 1))
BUCKET = "downloads"


def signer(token: str | None) -> Signer:
    return Signer("AKID/EXAMPLE", "secret+/key", "eu-west-1", token)


@cache
def client(endpoint: str, token: str | None) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKID/EXAMPLE",
        aws_secret_access_key="secret+/key",
        aws_session_token=token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


@given(
    endpoint=st.sampled_from(ENDPOINTS),
    token=st.sampled_from(TOKENS),
    method=st.sampled_from(["GET", "HEAD"]),
    key=st.sampled_from(KEYS) | TEXT.filter(bool),
    name=TEXT,
    content_type=st.sampled_from(["application/zip", "text/plain; charset=utf-8", ""]) | TEXT,
    moment=TIMES,
    seconds=st.integers(1, 660),
)
@example("http://[::1]:9000", None, "GET", "a", "a", "a", datetime(2026, 1, 1), 660)
def test_presigned_addresses_are_those_of_botocore(
    endpoint: str,
    token: str | None,
    method: str,
    key: str,
    name: str,
    content_type: str,
    moment: datetime,
    seconds: int,
) -> None:
    headers = {"disposition": attachment_header(name), "content_type": content_type}

    with patch("botocore.auth.get_current_datetime", lambda **_: moment):
        theirs = client(endpoint, token).generate_presigned_url(
            "get_object",
            Params={
                "Bucket": BUCKET,
                "Key": key,
                "ResponseContentDisposition": headers["disposition"],
                "ResponseContentType": headers["content_type"],
            },
            ExpiresIn=seconds,
            HttpMethod=method,
        )
    at = moment.replace(tzinfo=UTC).timestamp()
    bucket = SignedBucket(endpoint, BUCKET)

    assert theirs == signer(token).presigned_url(
        method, bucket, key, at=at, seconds=seconds, **headers
    )


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", "", {}),
        ("HEAD", "", {}),
        ("PUT", "", {"content-type": "text/plain;  charset=utf-8 "}),
        ("PUT", "", {"content-type": ""}),
        ("PUT", "partNumber=3&uploadId=a.b_c-d~e%2Ff%3D", {}),
    ],
)
def test_signed_headers_are_those_of_botocore(
    endpoint: str, token: str | None, key: str, method: str, query: str, headers: dict[str, str]
) -> None:
    bucket, moment = SignedBucket(endpoint, BUCKET), datetime(2026, 2, 28, 23, 59, 59)
    path, body = bucket.path(key), b"the body" if method == "PUT" else b""
    url = f"{bucket.origin}{path}"
    request = AWSRequest(method, url, headers, data=body, params=dict(parse_qsl(query)))
    request.context["payload_signing_enabled"] = True
    credentials = Credentials("AKID/EXAMPLE", "secret+/key", token)

    with patch("botocore.auth.get_current_datetime", lambda **_: moment):
        S3SigV4Auth(credentials, "s3", "eu-west-1").add_auth(request)
    ours = signer(token).signed_headers(
        method,
        bucket,
        path,
        at=moment.replace(tzinfo=UTC).timestamp(),
        query=query,
        headers=headers,
        payload_sha256=request.headers["X-Amz-Content-SHA256"],
    )

    assert ours["authorization"] == request.headers["Authorization"]
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert sent.items() <= ours.items()
    assert ours["x-amz-content-sha256"] != EMPTY_SHA256 or not body


def test_the_path_is_that_of_botocore() -> None:
    for endpoint in ENDPOINTS:
        for key in KEYS:
            url = client(endpoint, None).generate_presigned_url(
                "get_object", Params={"Bucket": BUCKET, "Key": key}
            )
            bucket = SignedBucket(endpoint, BUCKET)
            assert url.partition("?")[0] == f"{bucket.origin}{bucket.path(key)}"
